#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Process 1 of a guest: starts what the host asks for over a serial line and says how it ended. One JSON object a line.

To us:    {"op": "start", "id": 7, "argv": […], "env": {…}, "cwd": "/", "stdin": "…", "timeout": 60, "live": false}
          {"op": "kill", "id": 7, "signal": 15}   {"op": "state", "id": 8}   {"op": "kmsg", "id": 9}   {"op": "poweroff"}
From us:  {"ready": true}   {"id": 8, "state": {…}}   {"id": 9, "lines": […]}   {"id": 7, "fd": 1, "data": base64} …
          {"id": 7, "pid": n, "rc": 0, "timed_out": false, "seconds": 0.1}

Output goes to files in memory, not pipes: a daemon that keeps its parent's stdout delays nothing. What is orphaned is reaped here.
"""
import base64
import json
import os
import select
import signal
import sys
import time
import tty

CHUNK = 1500  # bytes of output a message: a line stays within a tty's buffer
LIMIT = 16 << 20  # of each channel; more is cut


class Job:
    def __init__(self, msg):
        self.id = msg["id"]
        self.fds = {n: nameless() for n in (1, 2)}
        self.sent = {1: 0, 2: 0}
        self.live = msg.get("live", False)
        self.start = time.monotonic()
        self.deadline = self.start + msg["timeout"]
        self.timed_out = False
        stdin = nameless()
        os.write(stdin, msg.get("stdin", "").encode("utf-8", "surrogateescape"))
        os.lseek(stdin, 0, os.SEEK_SET)
        self.pid = os.fork()
        if self.pid == 0:
            self.child(msg, stdin)
        os.close(stdin)

    def child(self, msg, stdin):
        try:
            os.setsid()
            os.dup2(stdin, 0)
            os.dup2(self.fds[1], 1)
            os.dup2(self.fds[2], 2)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            for s in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
                signal.signal(s, signal.SIG_DFL)
            os.chdir(msg.get("cwd", "/"))
            os.execvpe(msg["argv"][0], msg["argv"], msg["env"])
        except OSError as e:
            os.write(2, f"agent: {msg['argv'][0]}: {e.strerror}\n".encode())
        finally:
            os._exit(127)

    def flush(self):
        for n, fd in self.fds.items():
            while self.sent[n] < LIMIT:
                data = os.pread(fd, CHUNK, self.sent[n])
                if not data:
                    break
                self.sent[n] += len(data)
                say(id=self.id, fd=n, data=base64.b64encode(data).decode())

    def expire(self):
        """Past its time: the whole group goes; a process that cannot die is reported with where it hangs."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self.timed_out:
            stack = read(f"/proc/{self.pid}/stack")
            os.write(self.fds[2], f"agent: process {self.pid} does not die\n{stack}".encode())
            self.end(-signal.SIGKILL)
            return True
        self.timed_out = True
        self.deadline = time.monotonic() + 5
        return False

    def end(self, rc):
        self.flush()
        say(id=self.id, pid=self.pid, rc=rc, timed_out=self.timed_out, seconds=round(time.monotonic() - self.start, 3))
        for fd in self.fds.values():
            os.close(fd)


def nameless():
    """A file in memory. (Not a memfd: there two processes that write at once can overwrite each other.)"""
    return os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def say(**msg):
    data = json.dumps(msg).encode() + b"\n"
    while data:
        data = data[os.write(1, data):]


def state():
    """What a test may leave behind: kind → list of texts, the same from run to run where nothing changed."""
    found = {"processes": [], "mounts": [], "links": [], "disks": [], "sessions": [], "sockets": []}
    for pid in sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
        if pid != 1 and not read(f"/proc/{pid}/stat").rpartition(") ")[2].startswith("Z"):
            cmd = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
            if cmd:  # kernel threads have none
                found["processes"].append(f"{pid} {cmd}")
    found["mounts"] = [line.split()[4] for line in read("/proc/self/mountinfo").splitlines()]
    for kind, folder in (("links", "/sys/class/net"), ("disks", "/sys/block"), ("sessions", "/sys/class/iscsi_session"),
                         ("sessions", "/sys/class/iscsi_host")):
        found[kind] += sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found["disks"] = [d for d in found["disks"] if not d.startswith(("loop", "ram")) or read(f"/sys/block/{d}/size").strip() != "0"]
    found["sockets"] = [w[7] for w in map(str.split, read("/proc/net/unix").splitlines()) if len(w) > 7 and w[7][0] == "@"]
    return found


def kernel_messages(kmsg=[]):
    """What the kernel said since the last call, /dev/kmsg's records as lines."""
    if not kmsg:
        kmsg.append(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    lines = []
    while True:
        try:
            lines.append(os.read(kmsg[0], 8192).decode(errors="replace").partition(";")[2].split("\n")[0])
        except BlockingIOError:
            return lines
        except OSError:  # EPIPE: some were overwritten
            lines.append("(messages lost)")


def poweroff():
    with open("/proc/sysrq-trigger", "w") as f:
        f.write("o")
    time.sleep(60)


def handle(msg, jobs):
    op = msg["op"]
    if op == "start":
        job = Job(msg)
        jobs[job.pid] = job
    elif op == "kill":
        for job in jobs.values():
            if job.id == msg["id"]:
                os.killpg(job.pid, msg["signal"])
    elif op == "state":
        say(id=msg["id"], state=state())
    elif op == "kmsg":
        say(id=msg["id"], lines=kernel_messages())
    elif op == "poweroff":
        poweroff()


def reap(jobs):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        job = jobs.pop(pid, None)
        if job:
            job.end(os.waitstatus_to_exitcode(status))


def main():
    if os.isatty(0):
        tty.setraw(0)
    wake, poke = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    jobs, pending = {}, b""
    say(ready=True)
    while True:
        now = time.monotonic()
        wait = min([j.deadline - now for j in jobs.values()] + [0.2 if any(j.live for j in jobs.values()) else 60.0])
        ready = select.select([0, wake], [], [], max(0.0, wait))[0]
        if wake in ready:
            os.read(wake, 4096)
        reap(jobs)
        if 0 in ready:
            *lines, pending = (pending + os.read(0, 65536)).split(b"\n")
            for line in lines:
                if line:
                    handle(json.loads(line), jobs)
        now = time.monotonic()
        for pid, job in list(jobs.items()):
            if job.live:
                job.flush()
            if job.deadline <= now and job.expire():
                del jobs[pid]


if __name__ == "__main__":
    try:
        main()
    except BaseException as e:
        print(f"lab: agent: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
        time.sleep(1)
        poweroff()
