# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real tgtd of one's own: free ports, a private control socket, stopped by its pid.

    with Tgtd(tmp_path) as tgtd:
        t = tgtd.target(luns=[Lun("16M"), Lun("16M", block_size=4096)], chap=("user", "password1234"))
        ... t.name, t.portal ("127.0.0.1:4711") ...
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from ports import free_port, wait_until

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size_of(text):
    """"16M" as bytes; a number is bytes already."""
    text = str(text)
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


class Lun:
    """A disk to be: backed by a sparse file of its own, or by nothing (null: reads zeros, 1 TB). more: tgtadm's --params."""

    def __init__(self, size="16M", block_size=512, null=False, readonly=False, number=None, path=None, thin=False, **more):
        self.size, self.block_size, self.null = size_of(size), block_size, null
        self.number, self.path = number, path
        self.params = {**({"readonly": 1} if readonly else {}), **({"thin_provisioning": 1} if thin else {}), **more}


class Target:
    def __init__(self, tgtd, tid, name):
        self.tgtd, self.tid, self.name = tgtd, tid, name
        self.luns, self.chap, self.chap_in, self.params = [], None, None, {}

    @property
    def portal(self):
        return self.tgtd.portal

    def add_lun(self, lun):
        lun.number = lun.number or max((x.number for x in self.luns), default=0) + 1
        self.luns.append(lun)
        self._make_lun(lun)
        return lun

    def _make_lun(self, lun):
        if lun.path is None:
            lun.path = self.tgtd.dir / f"disk-{self.tid}-{lun.number}.img"
            with open(lun.path, "wb") as f:
                f.truncate(lun.size)
        args = ["--lun", lun.number, "-b", lun.path]
        args += ["--bstype", "null"] if lun.null else ["--blocksize", lun.block_size]
        self.tgtd.adm("logicalunit", "new", "--tid", self.tid, *args)
        for key, value in lun.params.items():
            self.tgtd.adm("logicalunit", "update", "--tid", self.tid, "--lun", lun.number, "--params", f"{key}={value}")

    def remove_lun(self, number):
        self.tgtd.adm("logicalunit", "delete", "--tid", self.tid, "--lun", number)
        self.luns = [x for x in self.luns if x.number != number]

    def set(self, **params):
        """Text keys of the target: HeaderDigest="CRC32C", MaxRecvDataSegmentLength=8192 …"""
        self.params.update(params)
        for name, value in params.items():
            self.tgtd.adm("target", "update", "--tid", self.tid, "--name", name, "--value", value)

    def account(self, user, password, outgoing=False):
        self.tgtd.adm("account", "new", "--user", user, "--password", password, check=False)  # may exist
        self.tgtd.adm("account", "bind", "--tid", self.tid, "--user", user, *(["--outgoing"] if outgoing else []))

    def _make(self):
        self.tgtd.adm("target", "new", "--tid", self.tid, "-T", self.name)
        for lun in self.luns:
            self._make_lun(lun)
        if self.params:
            self.set(**self.params)
        if self.chap:
            self.account(*self.chap)
        if self.chap_in:
            self.account(*self.chap_in, outgoing=True)
        self.tgtd.adm("target", "bind", "--tid", self.tid, "-I", "ALL")

    def delete(self):
        self.tgtd.adm("target", "delete", "--force", "--tid", self.tid)
        self.tgtd.targets.remove(self)

    def connections(self):
        """Connections of initiators that tgtd knows of now."""
        out = self.tgtd.adm("conn", "show", "--tid", self.tid)
        return out.count("Connection:")


class Tgtd:
    """portals: extra addresses "ADDR" on the same port; ipv6 adds ::1."""

    def __init__(self, tmp, ipv6=False, portals=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tgtd-", dir=tmp))
        self.sock = pathlib.Path(tempfile.mkdtemp(prefix="tgtd-"))  # a path short enough for a socket
        self.ipv6, self.extra = ipv6, list(portals)
        self.port, self.proc, self.targets = None, None, []
        self.env = {**os.environ, "TGT_IPC_SOCKET": str(self.sock / "ctl")}
        self.control = os.getpid() % 30000 + 1

    portal = property(lambda self: f"127.0.0.1:{self.port}")
    portal6 = property(lambda self: f"[::1]:{self.port}")
    pid = property(lambda self: self.proc.pid)

    def start(self, port=None):
        for _ in range(5):
            self.port = port or free_port(self.ipv6)
            hosts = ["127.0.0.1", *(["[::1]"] if self.ipv6 else []), *self.extra]
            portals = ",".join(f"portal={host}:{self.port}" for host in hosts)      # of several --iscsi only the last counts
            argv = ["tgtd", "-f", "-C", str(self.control), "--iscsi", portals]
            self.log = open(self.dir / "log", "ab")
            self.proc = subprocess.Popen(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=self.log,
                                         stderr=subprocess.STDOUT, start_new_session=True)
            try:
                wait_until(self._ready, "tgtd", alive=lambda: self.proc.poll() is None)
                return self
            except AssertionError:
                self.kill()
                if port:
                    raise
        raise AssertionError("tgtd did not start:\n" + (self.dir / "log").read_text())

    def _ready(self):
        return "ready" in self.adm("sys", "show", check=False)

    def adm(self, mode, op, *args, check=True):
        argv = ["tgtadm", "-C", str(self.control), "--lld", "iscsi", "--mode", mode, "--op", op, *map(str, args)]
        r = subprocess.run(argv, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        if check and r.returncode:
            raise AssertionError(f"{' '.join(argv)}: {r.stderr or r.stdout}")
        return r.stdout

    def target(self, name=None, luns=(), chap=None, chap_in=None, params=None):
        """chap: (user, password) the initiator must prove; chap_in: those the target proves itself with."""
        tid = max((t.tid for t in self.targets), default=0) + 1
        t = Target(self, tid, name or f"iqn.2026-11.org.siskin.test:t{tid}")
        t.luns, t.chap, t.chap_in, t.params = list(luns), chap, chap_in, dict(params or {})
        for i, lun in enumerate(t.luns):
            lun.number = lun.number or i + 1
        t._make()
        self.targets.append(t)
        return t

    def kill(self):
        """As a crash: at once. (tgtd ignores SIGTERM while it has targets.)"""
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.log.close()
            self.proc = None

    def pause(self):
        """Connections stay, nothing answers."""
        self.proc.send_signal(signal.SIGSTOP)

    def resume(self):
        self.proc.send_signal(signal.SIGCONT)

    def restart(self):
        """The same ports, targets and disks again, after kill() or with one."""
        self.kill()
        self.start(self.port)
        for t in self.targets:
            t._make()

    def stop(self):
        self.kill()
        shutil.rmtree(self.sock, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
