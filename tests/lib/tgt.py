# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real target, Debian's tgtd, private to a test: a free loopback port and a control number of its own."""
import os
import pathlib
import random
import signal
import socket
import subprocess
import time


def free_port():
    """below the range of outgoing connections and of tgtd's control numbers"""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Tgtd:
    def __init__(self, log):
        self.port = free_port()
        self.number = self.port     # control numbers are only a name for a socket: the port is as unique
        self.log = log
        self.proc = None
        self.targets = {}
        self.setup = []             # tgtadm calls to repeat after a restart

    def start(self):
        argv = ["tgtd", "-f", "--iscsi", f"portal=127.0.0.1:{self.port}", "-C", str(self.number)]
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + 10
        while True:
            if subprocess.run(self.argv("--op", "show", "--mode", "sys"), capture_output=True).returncode == 0:
                break
            assert self.proc.poll() is None and time.monotonic() < deadline, pathlib.Path(self.log).read_text()
            time.sleep(0.02)
        for args in self.setup:
            self.run(*args)
        return self

    def argv(self, *args):
        return ["tgtadm", "-C", str(self.number), "--lld", "iscsi", *map(str, args)]

    def run(self, *args):
        done = subprocess.run(self.argv(*args), capture_output=True, text=True)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def keep(self, *args):
        self.setup.append(args)
        return self.run(*args)

    def target(self, iqn):
        tid = len(self.targets) + 1
        self.targets[iqn] = tid
        self.keep("--op", "new", "--mode", "target", "--tid", tid, "-T", iqn)
        self.keep("--op", "bind", "--mode", "target", "--tid", tid, "-I", "ALL")
        return tid

    def lun(self, tid, lun, path, blocksize=512, **params):
        self.keep("--op", "new", "--mode", "logicalunit", "--tid", tid, "--lun", lun, "-b", path, "--blocksize", blocksize)
        if params:
            text = ",".join(f"{k}={v}" for k, v in params.items())
            self.keep("--op", "update", "--mode", "logicalunit", "--tid", tid, "--lun", lun, "--params", text)

    def pause(self):
        self.proc.send_signal(signal.SIGSTOP)

    def resume(self):
        self.proc.send_signal(signal.SIGCONT)

    def kill(self):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.proc = None
        for name in (f"socket.{self.number}", f"socket.{self.number}.lock"):
            pathlib.Path("/var/run/tgtd", name).unlink(missing_ok=True)


def backing_file(path, mib, fill=None):
    with open(path, "wb") as f:
        if fill is not None:
            f.write(fill * (mib << 20) if len(fill) == 1 else fill)
        f.truncate(mib << 20)
    return str(path)


def blocks_used(path):
    """bytes of the file that take space"""
    return os.stat(path).st_blocks * 512
