#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inside a guest: many command lines on the same state, one after the other.

batch.py FILE    plays {"scene": {"root": "/etc/iscsi", "files": {…} or null, "daemon": […] or null, "login": ["shell command" …]},
                 "cases": [[argument …] …], "seconds": 20}
stdout: one JSON object a case: rc, out, err, files (what changed below root), sessions (when they changed), daemon (when it ended), sids, hosts
batch.py --tree ROOT    prints what "files" takes

After each case the files are put back, the daemon is started again when it ended, and the sessions are made again when they are not
the ones there were. A word {SID1} of a command is the number of the first session.
"""
import json
import os
import re
import stat
import subprocess
import sys
import time

SYSFS = "/sys/class/iscsi_session"
SOCKET = "@ISCSIADM_ABSTRACT_NAMESPACE\n"
OURS = re.compile(r"/\.siskin(/|$)")


def read(path):
    try:
        with open(path, errors="surrogateescape") as f:
            return f.read()
    except OSError:
        return ""


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


# --- files ------------------------------------------------------------------------------------------------------------------

def tree(root):
    """path → (mode, text), a link's text is where it points"""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            if OURS.search(path):
                continue
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                text = "-> " + os.readlink(path)
            else:
                text = read(path) if stat.S_ISREG(mode) else ""
            found[path] = (mode, text)
    return found


def lines_changed(old, new):
    """The lines that went and came."""
    a, b = old.splitlines(), new.splitlines()
    return [f"-{x}" for x in a if x not in b] + [f"+{x}" for x in b if x not in a]


def files_changed(before, after):
    changed = {}
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if new is None:
            changed[path] = "gone"
        elif old is None or stat.S_IFMT(old[0]) != stat.S_IFMT(new[0]):
            changed[path] = [oct(new[0]), *new[1].splitlines()]
        else:
            changed[path] = [oct(new[0]) if old[0] != new[0] else "", *lines_changed(old[1], new[1])]
    return changed


def put_back(root, before):
    now = tree(root)
    for path in sorted(now, reverse=True):
        if path not in before or stat.S_IFMT(before[path][0]) != stat.S_IFMT(now[path][0]):
            (os.rmdir if stat.S_ISDIR(now[path][0]) else os.unlink)(path)
    for path, (mode, text) in sorted(before.items()):
        if now.get(path) == (mode, text) or (stat.S_ISDIR(mode) and path in now and now[path][0] == mode):
            continue
        if stat.S_ISDIR(mode):
            os.makedirs(path, exist_ok=True)
        elif stat.S_ISLNK(mode):
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink(text[3:], path)
            continue
        else:
            with open(path, "w", errors="surrogateescape") as f:
                f.write(text)
        os.chmod(path, stat.S_IMODE(mode))


# --- sessions and the daemon ----------------------------------------------------------------------------------------------------

def sids():
    return sorted(int(n[7:]) for n in os.listdir(SYSFS)) if os.path.isdir(SYSFS) else []


def hosts():
    folder = "/sys/class/iscsi_host"
    return sorted(int(n[4:]) for n in os.listdir(folder)) if os.path.isdir(folder) else []


def sessions():
    """What runs, whatever its number."""
    found = []
    for sid in sids():
        s, c = f"{SYSFS}/session{sid}", f"/sys/class/iscsi_connection/connection{sid}:0"
        words = [read(f"{s}/targetname"), read(f"{c}/persistent_address"), read(f"{c}/persistent_port"), read(f"{s}/ifacename"), read(f"{s}/state")]
        found.append(" ".join(w.strip() for w in words))
    return sorted(found)


def listening():
    return any(line.endswith(SOCKET) for line in open("/proc/net/unix"))


class World:
    def __init__(self, scene):
        self.scene, self.daemon = scene, None
        if scene["files"]:
            put_back(scene["root"], scene["files"])
        self.start_daemon()
        self.log_in()
        self.files = tree(scene["root"])
        self.sessions = sessions()
        if scene.get("orphans") and self.daemon:
            self.stop_daemon()

    def start_daemon(self):
        if self.scene["daemon"]:
            log = open("/run/lab/iscsid.log", "ab")
            self.daemon = subprocess.Popen(self.scene["daemon"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            if not wait_until(listening, 20):
                sys.exit("the daemon does not listen\n" + read("/run/lab/iscsid.log"))
            time.sleep(0.5)  # the incumbent answers before it is in its main loop

    def stop_daemon(self):
        self.daemon.terminate()
        self.daemon.wait(20)
        self.daemon = None

    def log_in(self):
        for cmd in self.scene["login"]:
            r = subprocess.run(["/bin/sh", "-c", cmd], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            if r.returncode:
                print(f"batch: {cmd}: {r.returncode} {r.stderr}", file=sys.stderr)
        self.settle()

    def settle(self):
        """until no SCSI device has come for a while"""
        seen, same = None, 0
        for _ in range(60):
            now = [sorted(os.listdir(d)) for d in ("/sys/class/scsi_device", "/sys/block", SYSFS) if os.path.isdir(d)]
            same = same + 1 if now == seen else 0
            seen = now
            if same == 3:
                return
            time.sleep(0.1)

    def mend(self):
        """Files, daemon and sessions as they were."""
        put_back(self.scene["root"], self.files)
        ended = self.daemon is not None and self.daemon.poll() is not None
        if ended or (self.scene["daemon"] and not self.scene.get("orphans") and not listening()):
            self.start_daemon()
        if self.sessions != sessions():
            orphans = self.scene.get("orphans")
            if orphans:
                self.start_daemon()
            subprocess.run(["iscsiadm", "-m", "session", "-u"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            wait_until(lambda: not sids(), 10)
            self.log_in()
            put_back(self.scene["root"], self.files)
            if orphans:
                self.stop_daemon()
            if self.sessions != sessions():
                print(f"batch: sessions {sessions()}, expected {self.sessions}", file=sys.stderr)

    def play(self, argv, seconds):
        numbers, host_numbers = sids(), hosts()
        words = {f"{{SID{i + 1}}}": str(n) for i, n in enumerate(numbers)} | {f"{{HOST{i + 1}}}": str(n) for i, n in enumerate(host_numbers)}
        args = [re.sub(r"\{(SID|HOST)\d+\}", lambda m: words.get(m[0], "77"), a) for a in argv]
        try:
            r = subprocess.run(["iscsiadm", *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, errors="surrogateescape")
            rc, out, err = r.returncode, r.stdout, r.stderr
        except subprocess.TimeoutExpired as e:
            rc, out, err = "late", (e.stdout or b"").decode("utf-8", "surrogateescape"), (e.stderr or b"").decode("utf-8", "surrogateescape")
        if {"-W", "--no_wait"} & set(argv):
            time.sleep(1)
            self.settle()
        result = {"rc": rc, "out": out, "err": err, "sids": numbers, "hosts": host_numbers}
        changed = files_changed(self.files, tree(self.scene["root"]))
        if changed:
            result["files"] = changed
        now = sessions()
        if now != self.sessions:
            result["sessions"] = now
        if self.daemon is not None:
            if "-k" in "".join(argv) or "--kill" in " ".join(argv):
                wait_until(lambda: self.daemon.poll() is not None, 2)
            if self.daemon.poll() is not None:
                result["daemon"] = "ended"
        elif self.scene.get("orphans") is None and listening():
            result["daemon"] = "started"
        self.mend()
        return result


def main():
    if sys.argv[1] == "--tree":
        json.dump(tree(sys.argv[2]), sys.stdout)
        return
    with open(sys.argv[1]) as f:
        order = json.load(f)
    world = World(order["scene"])
    for argv in order["cases"]:
        print(json.dumps(world.play(argv, order["seconds"])), flush=True)


if __name__ == "__main__":
    main()
