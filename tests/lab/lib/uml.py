# SPDX-License-Identifier: LGPL-2.1-or-later
"""User-mode Linux: Debian's 6.1 as a process, on the host's root read-only with an overlay in memory."""
import socket
import struct

from cache import GUEST, Unavailable, part
from guest import Guest, line_pair


class Uml(Guest):
    kind = "uml"

    def launch(self):
        folder = part("uml")
        if self.programs and self.programs.sanitized():
            raise Unavailable("a process has 39 bits of addresses in user-mode Linux, AddressSanitizer needs 47: use --kernel 6.1")
        self.line, theirs = line_pair()
        with theirs:
            fd = theirs.fileno()
            self.spawn([str(folder / "linux.uml"), f"mem={self.memory}", "rootfstype=hostfs", "ro", f"init={GUEST / 'init'}",
                        "con=null", "con0=null,fd:1", f"ssl0=fd:{fd}", "ssl=null", f"uml_dir={self.dir}", "umid=uml",
                        f"LAB_DIR={self.dir}", f"LAB_MODULES={folder}", "LAB_CHANNEL=/dev/ttyS0", "LAB_SHARE=hostfs"], fd)

    def look_into(self):
        """SysRq over the management console."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.settimeout(3)
            try:
                s.bind(str(self.dir / "mconsole-answer"))
                for text in (b"sysrq w",):  # "t" crashes it
                    message = struct.pack("=Iii", 0xcafebabe, 2, len(text)) + text.ljust(512, b"\0")
                    s.sendto(message, str(self.dir / "uml" / "mconsole"))
                    s.recv(4096)
            except OSError:
                pass
