# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's own kernels on emulated hardware (QEMU without KVM): the host's root over 9p, otherwise as user-mode Linux."""
import json
import os
import pathlib
import socket

from cache import GUEST, part
from guest import Guest, line_pair

EARLY = ("virtio_pci", "9pnet_virtio", "9p", "virtio_console", "overlay")


def in_order(modules, names):
    """Files of these modules and all they need, each after what it needs (modules.dep names the needed ones last first)."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        file, _, rest = line.partition(":")
        needs[pathlib.Path(file).stem.replace("-", "_")] = [*reversed(rest.split()), file]
    return list(dict.fromkeys(file for name in names for file in needs.get(name, ())))


def cpio(entries):
    """An initramfs of (name, mode, bytes)."""
    out = bytearray()
    for n, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        head = [n, mode, 0, 0, 1, 0, len(data), 0, 0, 5, 1, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % v for v in head) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


class Qemu(Guest):
    version = None
    hardware = ()  # further arguments of QEMU

    def initramfs(self, folder):
        modules = next((folder / "lib" / "modules").iterdir())
        files = in_order(modules, EARLY)
        load = "".join(f"insmod /m/{os.path.basename(f)}\n" for f in files)
        entries = [(d, 0o040755, b"") for d in ("bin", "m", "dev", "proc", "root")]
        entries.append(("bin/busybox", 0o100755, (folder / "busybox").read_bytes()))
        entries += [(f"m/{os.path.basename(f)}", 0o100644, (modules / f).read_bytes()) for f in files]
        entries.append(("load", 0o100644, load.encode()))
        entries.append(("init", 0o100755, (GUEST / "early").read_bytes()))
        return cpio(entries)

    def launch(self):
        folder = part(f"linux-{self.version}")
        image = self.dir / "initramfs"
        image.write_bytes(self.initramfs(folder))
        self.line, theirs = line_pair()
        with theirs:
            fd = theirs.fileno()
            # No quotes or blanks: each word becomes an environment variable of init.
            words = ["console=ttyS0", "sysrq_always_enabled", "panic=-1", "mitigations=off", "random.trust_cpu=1",
                     f"LAB_INIT={GUEST / 'init'}", f"LAB_DIR={self.dir}", f"LAB_MODULES={folder}", "LAB_CHANNEL=/dev/vport0p1",
                     "LAB_SHARE=9p"]
            share = f"local,id=share,path={self.dir / 'share'},security_model=none,multidevs=remap"
            self.spawn(["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem,+rdrand", "-smp", "2", "-m", self.memory,
                        "-nic", "none", "-vga", "none", "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
                        "-kernel", str(folder / "vmlinuz"), "-initrd", str(image), "-append", " ".join(words),
                        "-serial", "file:/dev/stdout", "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
                        "-device", "virtio-serial-pci", "-chardev", f"socket,id=line,fd={fd}",
                        "-device", "virtserialport,chardev=line,nr=1,name=lab",
                        "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
                        "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
                        "-fsdev", share, "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
                        *self.hardware], fd)

    def look_into(self):
        """SysRq from the keyboard."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(3)
            try:
                s.connect(str(self.dir / "qmp"))
                orders = [("qmp_capabilities", {})] + [("send-key", {"keys": [{"type": "qcode", "data": k} for k in ("alt", "sysrq", key)]})
                                                       for key in ("w", "t")]
                for order, arguments in orders:
                    s.sendall(json.dumps({"execute": order, "arguments": arguments}).encode())
                    s.recv(4096)
            except OSError:
                pass


class Qemu61(Qemu):
    kind, version = "qemu 6.1", "6.1"


class Qemu612(Qemu):
    kind, version = "qemu 6.12", "6.12"
