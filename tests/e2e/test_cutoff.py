# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command that changes the database, cut off at each of its changes: killed there, it leaves the old state or the new one of
the whole command; where the disk is full, read-only or broken there, it says so, ends with 6 and leaves the old one."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from test_records_cli import BUILD, ISCSIADM, Adm

CUTOFF = BUILD / "tests" / "cutoff"
DISK = "iqn.2026-11.lab.test:disk{}"
ENDED, NO_TRACING = 200, 201
EVERY = bool(os.environ.get("SISKIN_EVERY_CUT"))    # make check-lab; else every fourth of most commands


def checksum(key, value):
    """as marks have it (src/record/marks.c)"""
    h = 0xcbf29ce484222325
    for b in (key + value).encode():
        h = (h ^ b) * 0x100000001b3 % 2**64
    return f"{h >> 16 & 0xffffffff:08x}"


def in_force(adm, marks):
    """A mark counts only while its record holds the value it was made for: the record's path, and keys marked."""
    head, *lines = marks.decode().splitlines()
    record = head.split(" ", 1)[1]
    path = adm.db / record
    values = dict(x.split(" = ", 1) for x in path.read_text().splitlines() if " = " in x) if path.exists() else {}
    return record, sorted(k for k, s in (x.split() for x in lines) if checksum(k, values.get(k, "")) == s)


def everything(adm):
    """what the database holds: records, links, marks; a half-made change is settled by looking at it"""
    adm("-m", "node")
    found = {}
    for at, dirs, names in os.walk(adm.db):
        if ".siskin" in dirs and at == str(adm.db):
            dirs.remove(".siskin")
            dirs.append(".siskin/set")
        for name in names + [d for d in dirs if os.path.islink(os.path.join(at, d))]:
            path = os.path.join(at, name)
            found[os.path.relpath(path, adm.db)] = os.readlink(path) if os.path.islink(path) else open(path, "rb").read()
    for name in [n for n in found if n.startswith(".siskin/set/")]:
        found[name] = in_force(adm, found[name])
        if not found[name][1]:
            del found[name]
    return found


class Commands:
    """a small database, and what is done to it"""

    def __init__(self, root, odd):
        self.adm = Adm(root)
        self.target = odd(targets={DISK.format(n): [f"192.0.2.{n}:3260,1"] for n in (3, 4, 5)})
        run = self.adm.ok
        run("-m", "iface", "-I", "if0", "-o", "new", "-n", "iface.initiatorname", "-v", "iqn.2026-11.lab.test:me")
        for n in (1, 2):
            for iface in ("default", "if0"):
                run("-m", "node", "-T", DISK.format(n), "-p", f"192.0.2.{n}:3260,1", "-I", iface, "-o", "new")
        run("-m", "node", "-T", DISK.format(1), "-p", "192.0.2.9:3260", "-o", "new")   # without a tag
        run("-m", "node", "-T", DISK.format(1), "-o", "update", "-n", "node.startup", "-v", "automatic")
        self.discover = ["-m", "discovery", "-t", "st", "-p", self.target.portal, "-I", "if0"]
        run(*self.discover)
        run("-m", "node", "-T", DISK.format(4), "-o", "update", "-n", "node.session.scan", "-v", "manual")
        # what the next discovery has to do: a target is gone, one came, one has another portal, one was set by hand
        del self.target.targets[DISK.format(5)]
        self.target.targets[DISK.format(6)] = ["192.0.2.6:3260,1"]
        self.target.targets[DISK.format(3)] = ["192.0.2.33:3260,1"]
        self.saved = root / "saved"
        shutil.copytree(self.adm.db, self.saved, symlinks=True)

    def restore(self):
        shutil.rmtree(self.adm.db)
        shutil.copytree(self.saved, self.adm.db, symlinks=True)

    def args(self, name):
        portal = self.target.portal
        return {
            "new": ["-m", "node", "-T", DISK.format(7), "-p", "192.0.2.7:3260,2", "-o", "new"],
            "new again": ["-m", "node", "-T", DISK.format(1), "-o", "new"],
            "new with a tag": ["-m", "node", "-T", DISK.format(1), "-p", "192.0.2.9:3260,3", "-o", "new"],
            "update all": ["-m", "node", "-o", "update", "-n", "node.session.nr_sessions", "-v", "2"],
            "update one": ["-m", "node", "-T", DISK.format(2), "-I", "if0", "-o", "update", "-n", "node.startup", "-v", "onboot"],
            "delete all": ["-m", "node", "-o", "delete"],
            "delete some": ["-m", "node", "-T", DISK.format(1), "-o", "delete"],
            "iface new": ["-m", "iface", "-I", "if1", "-o", "new"],
            "iface update": ["-m", "iface", "-I", "if0", "-o", "update", "-n", "iface.mtu", "-v", "1400"],
            "iface delete": ["-m", "iface", "-I", "if0", "-o", "delete"],
            "discoverydb new": ["-m", "discoverydb", "-t", "st", "-p", "192.0.2.200", "-o", "new"],
            "discoverydb update": ["-m", "discoverydb", "-t", "st", "-p", portal, "-o", "update", "-n",
                                   "discovery.sendtargets.timeo.login_timeout", "-v", "9"],
            "discoverydb delete": ["-m", "discoverydb", "-t", "st", "-p", portal, "-o", "delete"],
            "discovery": ["-m", "discoverydb", "-t", "st", "-p", portal, "-I", "if0", "--discover"],
        }[name]


NAMES = ["new", "new again", "new with a tag", "update all", "update one", "delete all", "delete some", "iface new", "iface update",
         "iface delete", "discoverydb new", "discoverydb update", "discoverydb delete", "discovery"]


@pytest.fixture
def commands(odd):
    """in memory: how fast a disk syncs is not what is asked here"""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as d:
        yield Commands(pathlib.Path(d), odd)


def cut(commands, how, name, args):
    """each cut in turn: (exit status, what it said); ends with the run that was not cut"""
    for n in range(0, 10000, 1 if EVERY or name == "update one" else 4):
        commands.restore()
        r = subprocess.run([CUTOFF, str(n), how, commands.adm.db, ISCSIADM, *args], env=commands.adm.env, text=True,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        if r.returncode == NO_TRACING:
            pytest.skip("no tracing here")
        if r.returncode == ENDED:
            return
        yield n, r


def old_and_new(commands, args):
    commands.restore()
    old = everything(commands.adm)
    r = commands.adm(*args)
    assert r.returncode == 0, r.stderr
    new = everything(commands.adm)
    assert old != new
    return old, new


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_each_change(commands, name):
    args = commands.args(name)
    old, new = old_and_new(commands, args)
    seen = []
    for n, r in cut(commands, "kill", name, args):
        now = everything(commands.adm)
        assert now in (old, new), (n, sorted(set(now.items()) ^ set(old.items()))[:6])
        seen.append(now == new)
        # whoever comes next neither waits nor trips, and ends where an undisturbed one ends
        again = commands.adm(*args)
        if "delete" not in name:
            assert again.returncode == 0 and everything(commands.adm) == new, (n, again.stderr)
        else:
            assert everything(commands.adm) == new, (n, again.stderr)
    assert False in seen and seen == sorted(seen) and (not EVERY or True in seen)


SAID = {"ENOSPC": "No space left on device", "EROFS": "Read-only file system", "EIO": "Input/output error"}


@pytest.mark.parametrize("how,name", [("ENOSPC", n) for n in NAMES] + [(h, n) for h in ("EROFS", "EIO") for n in ("update one",
                                                                                                             "discovery")])
def test_each_change_may_fail(commands, name, how):
    args = commands.args(name)
    old, new = old_and_new(commands, args)
    refused = 0
    for n, r in cut(commands, how, name, args):
        now = everything(commands.adm)
        if r.returncode == 0:       # one that does not matter: a lock's text, a temporary file left over
            assert now == new, (n, r.stderr)
            continue
        refused += 1
        assert r.returncode == 6, (n, r.stdout, r.stderr)
        assert SAID[how] in r.stderr and (r.stdout == "" or name == "discovery"), (n, r.stdout, r.stderr)
        assert now == old, (n, r.stderr, sorted(set(now.items()) ^ set(old.items()))[:6])
    assert refused > (3 if EVERY else 1)
