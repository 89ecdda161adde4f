# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest kernel as tests see it: run commands, read what they did, look at what is left. uml.py and qemu.py boot one."""
import base64
import ctypes
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from cache import FIXTURES, SYSTEM_PATH, Unavailable

BOOT_SECONDS = 180  # 3 in peace; a machine may be busy
GRACE_SECONDS = 20  # beyond a command's own limit, before the guest counts as hung
TROUBLE = re.compile(r"BUG:|WARNING:|Oops|Kernel panic|Call Trace|general protection|use-after-free|refcount_t|INFO: task")


class GuestDied(Exception):
    """The guest ended or hangs; the text has its console."""


class Result:
    """What one command did."""

    def __init__(self, cmd, rc, out, err, timed_out, seconds):
        self.cmd, self.rc, self.out, self.err, self.timed_out, self.seconds = cmd, rc, out, err, timed_out, seconds

    lines = property(lambda self: self.out.splitlines())

    def ok(self):
        assert self.rc == 0, str(self)
        return self

    def fails(self, rc):
        assert self.rc == rc, str(self)
        return self

    def __str__(self):
        late = " (over its time)" if self.timed_out else ""
        return f"{self.cmd}: exit {self.rc}{late} after {self.seconds} s\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Job:
    """A command that runs in the guest."""

    def __init__(self, guest, number, cmd, timeout, live):
        self.guest, self.id, self.cmd, self.timeout, self.live = guest, number, cmd, timeout, live
        self.data = {1: [], 2: []}
        self.end = None
        self.done = threading.Event()
        self.started = time.monotonic()

    def feed(self, msg):
        if "fd" in msg:
            data = base64.b64decode(msg["data"])
            self.data[msg["fd"]].append(data)
            if self.live:
                self.live(msg["fd"], data)
        else:
            self.end = msg
            self.done.set()

    def kill(self, sig=signal.SIGTERM):
        self.guest.send(op="kill", id=self.id, signal=int(sig))

    running = property(lambda self: not self.done.is_set())

    def wait(self):
        """Its Result; a guest that does not answer in time is killed (GuestDied)."""
        self.answer()
        out, err = (b"".join(self.data[n]).decode("utf-8", "surrogateescape") for n in (1, 2))
        e = self.end
        return Result(self.cmd, e["rc"], out, err, e["timed_out"], e["seconds"])

    def answer(self):
        """The agent's last message about it."""
        left = self.started + self.timeout + GRACE_SECONDS - time.monotonic()
        if not self.done.wait(max(left, GRACE_SECONDS)):
            self.guest.hung(f"no answer about: {self.cmd}")
        if not self.end:
            raise GuestDied(f"the guest ended during: {self.cmd}\n{self.guest.console_tail()}")
        return self.end


class Guest:
    """A booted kernel. with Uml(programs=Siskin()) as g: g.run("iscsiadm -m session").fails(21)"""

    kind = "guest"

    def __init__(self, programs=None, memory="1G"):
        self.memory = memory
        self.programs = programs
        self.environ = {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8", "LAB_MODDIR": "/"}
        self.dir = None
        self.process = None
        self.line = None
        self.jobs = {}
        self.messages = []
        self.ids = itertools.count(1)
        self.ready = threading.Event()
        self.lock = threading.Lock()

    # --- life ---------------------------------------------------------------------------------------------------------

    def launch(self):
        """Start the process with spawn(); set self.line, a socket to the agent."""
        raise NotImplementedError

    def boot(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="siskin-lab-"))
        (self.dir / "share").mkdir()
        self.console = self.dir / "console"
        began = time.monotonic()
        try:
            if self.programs:
                self._install(self.programs)
            self.launch()
            threading.Thread(target=self._listen, daemon=True).start()
            if not self.ready.wait(BOOT_SECONDS) or self.process.poll() is not None:
                raise GuestDied(f"{self.kind} did not come up ({time.monotonic() - began:.0f} s)\n{self.console_tail()}")
        except BaseException:
            self.close(keep=bool(os.environ.get("SISKIN_LAB_KEEP")))
            raise
        self.boot_seconds = time.monotonic() - began
        return self

    def _install(self, programs):
        """A directory with links to the programs under test, first in PATH and in $SBIN."""
        sbin = self.dir / "share" / "sbin"
        sbin.mkdir()
        for file in programs.files():
            (sbin / file.name).symlink_to(file)
        self.environ.update(programs.env(), SBIN=str(sbin), PATH=f"{sbin}:{SYSTEM_PATH}")

    def close(self, keep=False):
        """Power off, or kill by process id what does not end; the folder goes."""
        if self.process and self.process.poll() is None:
            try:
                self.send(op="poweroff")
                self.process.wait(5 if self.ready.is_set() else 0)
            except (OSError, GuestDied, subprocess.TimeoutExpired):
                pass
        self._kill()
        if self.line:
            self.line.close()
        if self.dir and not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _kill(self):
        if self.process:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)  # unshare: its pid namespace ends with it
            self.process.wait()

    def spawn(self, argv, fd):
        """The process that is the guest, apart from the host; it gets the other end of our line as fd."""
        if os.geteuid() != 0:
            raise Unavailable("the lab needs root, for namespaces and a root that can be read")
        for tool in (argv[0], "unshare", "modprobe", "python3", "ip"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed: run tools/setup lab-all")
        env = {"PATH": os.environ["PATH"], "LAB_DIR": str(self.dir), "HOME": str(self.dir)}
        with open(self.console, "wb") as console:
            self.process = subprocess.Popen([*APART, *argv], stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                            pass_fds=(fd,), start_new_session=True, preexec_fn=die_with_parent, env=env)

    def hung(self, why):
        self.look_into()
        text = self.console_tail(200)
        self._kill()
        raise GuestDied(f"{self.kind} hangs and was killed: {why}\n{text}")

    def look_into(self):
        """Make the kernel write its blocked tasks to the console, where that can be asked from outside."""

    def console_tail(self, lines=60):
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return "--- console\n" + "\n".join(text.splitlines()[-lines:])

    alive = property(lambda self: self.process is not None and self.process.poll() is None and self.ready.is_set())

    def __enter__(self):
        return self.boot()

    def __exit__(self, *_):
        self.close()

    def _listen(self):
        pending = b""
        while True:
            try:
                data = self.line.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for text in lines:
                try:
                    self._hear(json.loads(text))
                except ValueError:
                    print(f"lab: not understood from the guest: {text!r}", file=sys.stderr)
        self.ready.set()  # whoever waits sees that the process is gone
        for job in list(self.jobs.values()):
            job.done.set()

    def _hear(self, msg):
        if "ready" in msg:
            self.ready.set()
            return
        job = self.jobs.get(msg["id"])
        if job:
            job.feed(msg)

    def send(self, **msg):
        if not self.alive:
            raise GuestDied(f"{self.kind} is not running\n{self.console_tail()}")
        with self.lock:
            self.line.sendall(json.dumps(msg).encode() + b"\n")

    # --- commands -----------------------------------------------------------------------------------------------------

    def start(self, cmd, timeout=60, env=None, cwd="/", stdin="", live=None):
        """A command (text for /bin/sh, or a list) in the background: a Job. live(fd, bytes) sees output as it comes."""
        argv = ["/bin/sh", "-c", cmd] if isinstance(cmd, str) else [str(a) for a in cmd]
        job = Job(self, next(self.ids), cmd, timeout, live)
        self.jobs[job.id] = job
        self.send(op="start", id=job.id, argv=argv, env={**self.environ, **(env or {})}, cwd=cwd, stdin=stdin,
                  timeout=timeout, live=bool(live))
        return job

    def run(self, cmd, **kw):
        """A command to its end: its Result."""
        job = self.start(cmd, **kw)
        try:
            return job.wait()
        finally:
            del self.jobs[job.id]

    def write(self, path, text, mode=0o644):
        self.run(["/bin/sh", "-c", f'mkdir -p "$(dirname "$0")" && cat >"$0" && chmod {mode:o} "$0"', path], stdin=text).ok()

    def read(self, path):
        return self.run(["cat", path]).ok().out

    def wait_until(self, condition, what, seconds=20):
        """Poll a condition here (a function, or a shell command that becomes true)."""
        test = (lambda: self.run(condition).rc == 0) if isinstance(condition, str) else condition
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = test()
            if got:
                return got
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {seconds} s")

    def fixture(self, *names):
        """Set-up scripts of tests/data/transcripts/fixtures: base, then tgtd, lio, isns, iscsid …"""
        for name in names:
            self.run(["/bin/sh", FIXTURES / f"{name}.sh"]).ok()

    # --- what is left -------------------------------------------------------------------------------------------------

    def ask(self, op):
        """What the agent itself answers."""
        n = next(self.ids)
        job = self.jobs[n] = Job(self, n, op, 10, None)
        try:
            self.send(op=op, id=n)
            return job.answer()
        finally:
            del self.jobs[n]

    def state(self):
        """kind → sorted texts: processes, mounts, links, disks, sessions, abstract sockets (guest/agent.py, state)."""
        return self.ask("state")["state"]

    def dmesg(self):
        """Everything the kernel said since the guest was handed out."""
        self.messages += self.ask("kmsg")["lines"]
        return self.messages

    def trouble(self):
        """Kernel messages no test may cause."""
        return [line for line in self.dmesg() if TROUBLE.search(line)]


# In namespaces of its own: nothing of the host's disk can be written but the lab's folder, and no process outlives the first,
# the shell (which user-mode Linux itself may not be: as process 1 its abort() after a panic would do nothing).
APART = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "/bin/sh", "-c",
         'mount -n --bind "$LAB_DIR" "$LAB_DIR" && mount -n -o remount,bind,ro / && { "$@"; exit $?; }', "lab"]


def die_with_parent():
    """For preexec_fn: killed when the process that starts it ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def line_pair():
    """Both ends of a guest's line: ours, and the one to pass on."""
    ours, theirs = socket.socketpair()
    for s in (ours, theirs):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ours, theirs
