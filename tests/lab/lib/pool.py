# SPDX-License-Identifier: LGPL-2.1-or-later
"""One booted guest for many tests: it is handed on as long as each test leaves it as it was."""
from cache import Incumbent, Siskin
from qemu import Qemu61, Qemu612
from uml import Uml

KERNELS = {"uml": Uml, "6.1": Qemu61, "6.12": Qemu612}
PROGRAMS = {"siskin": Siskin, "2.1.8": Incumbent}
SAVE = "mkdir -p /run/lab/etc && cp -a /etc/iscsi/. /run/lab/etc/"
RESTORE = "find /etc/iscsi -mindepth 1 -delete; cp -a /run/lab/etc/. /etc/iscsi/; rm -rf /var/lib/iscsi /run/siskin /run/lock/iscsi"


class Pool:
    """get(kernel, programs) - a guest with fixture 'base'; put(guest) - the complaints about what a test left in it"""

    def __init__(self):
        self.idle = {}

    def get(self, kernel, programs, fresh=False):
        guest = None if fresh else self.idle.pop((kernel, programs), None)
        if guest and guest.alive:
            return guest
        return self.adopt(KERNELS[kernel](programs=PROGRAMS[programs]()).boot(), (kernel, programs))

    @staticmethod
    def adopt(guest, key):
        """A guest that has just booted gets what every test expects."""
        try:
            guest.fixture("base")
            guest.run(SAVE).ok()
            guest.key = key
            guest.before = guest.state()
        except BaseException:
            guest.close()
            raise
        return guest

    def put(self, guest, keep=True):
        """What was left behind; a guest that is not as it was does not come back."""
        complaints = []
        try:
            if guest.alive:
                complaints = self.differences(guest) + guest.trouble()
                guest.run(RESTORE)
                guest.messages = []
        finally:
            if complaints or not keep or not guest.alive or guest.key in self.idle:
                guest.close()
            else:
                self.idle[guest.key] = guest
        return complaints

    @staticmethod
    def differences(guest):
        """Left or gone, after a moment for what ends by itself."""
        found = []

        def same():
            now = guest.state()
            found[:] = [f"{kind}: left {x}" for kind in now for x in now[kind] if x not in guest.before[kind]]
            found.extend(f"{kind}: gone {x}" for kind in now for x in guest.before[kind] if x not in now[kind])
            return not found

        try:
            guest.wait_until(same, "a clean guest", 3)
        except AssertionError:
            pass
        return found

    def close(self):
        for guest in self.idle.values():
            guest.close()
        self.idle = {}
