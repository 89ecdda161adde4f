# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsid in a guest, ours or the incumbent's."""
import json
import re
import signal

# One request to a daemon's socket (docs/management-protocol.md): argv is the method and the parameters, as JSON.
ASK = """import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/siskin/iscsid.sock")
body = json.dumps({"v": 1, "id": 1, "method": sys.argv[1], "params": json.loads(sys.argv[2])}).encode()
s.sendall(b"SKM1" + struct.pack(">I", len(body)) + body)
f = s.makefile("rb")
print(f.read(struct.unpack(">4xI", f.read(8))[0]).decode())
"""
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:")
SOCKET = "grep -q '@ISCSIADM_ABSTRACT_NAMESPACE$' /proc/net/unix"


class Daemon:
    def __init__(self, guest):
        self.guest, self.job, self.log = guest, None, ""

    def start(self, *args):
        """In the foreground, as its own process group; returns when it listens and answers."""
        self.job = self.guest.start(["iscsid", "-f", *args], timeout=36000)
        try:
            self.guest.wait_until(SOCKET, "iscsid's socket")
            self.guest.run("iscsiadm -m session", timeout=20)
        except AssertionError:
            self.kill()
            raise AssertionError("iscsid did not start\n" + self.log) from None
        return self

    def _end(self, sig, seconds):
        job, self.job = self.job, None
        job.kill(sig)
        if not job.done.wait(seconds):
            job.kill(signal.SIGKILL)
            raise AssertionError(f"iscsid did not end within {seconds} s of signal {sig}\n" + str(job.wait()))
        r = job.wait()
        self.log += r.out + r.err
        assert not SANITIZER.search(r.err), r.err
        return r.rc

    def stop(self, seconds=20):
        """SIGTERM: sessions stay. Its exit status."""
        return self._end(signal.SIGTERM, seconds) if self.job else None

    def kill(self, wait=True):
        """SIGKILL. wait=False: it hangs in the kernel and will end some day."""
        if wait or not self.job:
            return self._end(signal.SIGKILL, 20) if self.job else None
        self.job.kill(signal.SIGKILL)
        self.job = None
        return None

    def restart(self):
        self.stop()
        return self.start()

    def ask(self, method, **params):
        """The result of a method of the management protocol."""
        answer = json.loads(self.guest.run(["python3", "-c", ASK, method, json.dumps(params)]).ok().out)
        assert "result" in answer, answer
        return answer["result"]
