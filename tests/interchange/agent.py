# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs iscsiadm, ours or open-iscsi 2.1.8's, where both find their database in /etc/iscsi: in a mount, network and
process namespace of its own, with a folder of the test bound there. Records need no kernel, so 2.1.8 runs natively.

Executed as a program it is the inside: one request a line on stdin, one answer a line on stdout, both JSON."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

ETC = "/etc/iscsi"      # where the incumbent's build has its configuration and its database
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from oddtarget import OddTarget  # noqa: E402

DAEMON = "\0ISCSIADM_ABSTRACT_NAMESPACE"


class Agent:
    """run("ours" or "theirs", arguments) in a namespace whose /etc/iscsi is @folder"""

    def __init__(self, folder, ours, incumbent):
        self.folder = pathlib.Path(folder)
        self.inside = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-B", __file__,
             str(folder), str(ours), str(incumbent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.inside.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("no namespace of our own here")

    def run(self, who, *args):
        return self.together([(who, args)])[0]

    def together(self, commands):
        """several (who, arguments) at the same time"""
        self.inside.stdin.write(json.dumps(commands) + "\n")
        self.inside.stdin.flush()
        return [Result(**r) for r in json.loads(self.inside.stdout.readline())]

    def target(self, targets):
        """what a target at 127.0.0.1:3260 in there tells a discovery from now on: name -> ["address:port,tag", …]"""
        self.together([("target", [targets])])

    def close(self):
        self.inside.stdin.close()
        self.inside.wait()
        self.inside.stdout.close()


class Result:
    def __init__(self, rc, out, err):
        self.rc, self.out, self.err = rc, out, err

    def __eq__(self, other):
        return (self.rc, self.out) == (other.rc, other.out)

    def __repr__(self):
        return f"exit {self.rc}\n{self.out}--- stderr\n{self.err}"


# --- the inside ---

def answer_nobody(listener):
    """The incumbent waits a second for a daemon that is not there; one that hangs up after its request spares it that."""
    size = None     # of a request, learnt from the first
    while True:
        c, _ = listener.accept()
        got = 0
        c.settimeout(.2 if size is None else 10)
        try:
            while size is None or got < size:
                n = len(c.recv(1 << 20))
                if not n:
                    break
                got += n
        except OSError:
            pass
        size = size or got or None
        c.close()


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def prepare(folder):
    mount("-t", "tmpfs", "run", "/run")
    for d in ("lock/iscsi", "ours"):
        os.makedirs("/run/" + d)
    if not os.path.isdir(ETC):
        shutil.copytree("/etc", "/run/etc", symlinks=True)
        mount("--bind", "/run/etc", "/etc")
        os.mkdir(ETC)
    mount("--bind", folder, ETC)
    mount("-t", "tmpfs", "sys", "/sys")
    device = pathlib.Path("/sys/devices/virtual/iscsi_transport/tcp")     # the incumbent looks for transports of ifaces
    device.mkdir(parents=True)
    (device / "handle").write_text("57\n")
    (device / "caps").write_text("0x39\n")
    (device / "subsystem").symlink_to("/sys/class/iscsi_transport")
    os.makedirs("/sys/class/iscsi_transport")
    os.symlink("../../devices/virtual/iscsi_transport/tcp", "/sys/class/iscsi_transport/tcp")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(DAEMON)
    listener.listen()
    threading.Thread(target=answer_nobody, args=(listener,), daemon=True).start()


def inside(folder, ours, incumbent):
    prepare(folder)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    odd = OddTarget(targets={}, port=3260).start()
    libs = {str(p.parent) for p in pathlib.Path(incumbent).rglob("libopeniscsiusr.so*")}
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    programs = {
        "ours": (ours, {**base, "SISKIN_HOMEDIR": ETC, "SISKIN_DBROOT": ETC, "SISKIN_LOCKDIR": "/run/lock/iscsi",
                        "SISKIN_RUNDIR": "/run/ours"}),
        "theirs": (os.path.join(incumbent, "sbin", "iscsiadm"), {**base, "LD_LIBRARY_PATH": ":".join(sorted(libs))}),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        commands = json.loads(line)
        for who, args in commands:
            if who == "target":
                odd.targets = args[0]
        running = [subprocess.Popen([programs[who][0], *args], env=programs[who][1], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE) for who, args in commands if who != "target"]
        said = []
        for p in running:
            out, err = (x.decode("utf-8", "surrogateescape") for x in p.communicate(timeout=120))
            said.append({"rc": p.returncode, "out": out, "err": err})
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    inside(*sys.argv[1:])
