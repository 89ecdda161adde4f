# SPDX-License-Identifier: LGPL-2.1-or-later
"""User-mode Linux: Debian's 6.1 as a process, on the host's root read-only with an overlay in memory."""
import os
import shutil
import socket
import struct
import subprocess

from cache import GUEST, Unavailable, part
from guest import Guest, die_with_parent, line_pair

# In namespaces of its own: nothing of the host's disk can be written but the lab's folder, and no process outlives the first,
# the shell (which user-mode Linux itself may not be: as process 1 its abort() after a panic would do nothing).
OUTSIDE = 'mount -n --bind "$LAB_DIR" "$LAB_DIR" && mount -n -o remount,bind,ro / && { "$@"; exit $?; }'


class Uml(Guest):
    kind = "uml"

    def launch(self):
        folder = part("uml")
        if os.geteuid() != 0:
            raise Unavailable("user-mode Linux in the lab needs root, for namespaces and a root that can be read")
        for tool in ("unshare", "modprobe", "python3", "ip"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed: run tools/setup lab")
        self.line, theirs = line_pair()
        fd = theirs.fileno()
        argv = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "/bin/sh", "-c", OUTSIDE, "lab",
                str(folder / "linux.uml"), f"mem={self.memory}", "rootfstype=hostfs", "ro", f"init={GUEST / 'init'}",
                "con=null", "con0=null,fd:1", f"ssl0=fd:{fd}", "ssl=null", f"uml_dir={self.dir}", "umid=uml",
                f"LAB_DIR={self.dir}", f"LAB_MODULES={folder}", "LAB_CHANNEL=/dev/ttyS0"]
        with theirs, open(self.console, "wb") as console:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, pass_fds=(fd,),
                                            start_new_session=True, preexec_fn=die_with_parent,
                                            env={"PATH": os.environ["PATH"], "LAB_DIR": str(self.dir), "HOME": str(self.dir)})

    def look_into(self):
        """SysRq w over the management console."""
        path = self.dir / "uml" / "mconsole"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.settimeout(3)
            try:
                s.bind(str(self.dir / "mconsole-answer"))
                for text in (b"sysrq w", b"sysrq t"):
                    s.sendto(struct.pack("=Iii", 0xcafebabe, 2, len(text)) + text.ljust(512, b"\0"), str(path))
                    s.recv(4096)
            except OSError:
                pass
