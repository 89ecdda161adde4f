# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many sessions at once: what one costs does not depend on how many there are. Counts, not times (bench/sessions has those)."""
import pytest

from targets import Null

FEW, MANY = 10, 50
IQN = "iqn.2026-11.lab.scale"
CALLS_OF_A_LOGIN = 160  # of the daemon, a quarter more or less: how often it looks for a disk depends on when that comes
FILES_OF_A_SESSION = 45  # opened by -m session -P 3
RECORDS = """
rm -rf /etc/iscsi/nodes
iscsiadm -m node -T %s:1 -p 127.0.0.1:3260,1 -o new
cd /etc/iscsi/nodes
for i in $(seq 2 %d); do mkdir %s:$i && cp -r %s:1/* %s:$i && sed -i s/scale:1$/scale:$i/ %s:$i/*/default; done
"""
STATES = "cat /sys/class/iscsi_session/*/state /sys/class/iscsi_connection/*/state | sort | uniq -c"


@pytest.fixture
def target(lab):
    null = Null(lab).start()
    yield null
    null.stop()


@pytest.fixture
def iscsid(lab, target):
    from daemon import Daemon

    lab.write("/etc/iscsi/initiatorname.iscsi", f"InitiatorName={IQN}:initiator\n")
    lab.write("/etc/iscsi/iscsid.conf", "")
    d = Daemon(lab).start()
    yield d
    d.stop()


def records(lab, n):
    lab.run(RECORDS % (IQN, n, IQN, IQN, IQN, IQN)).ok()


def counted(lab, file, *calls):
    """strace -c: how many calls (all, or those)."""
    rows = [line.split() for line in lab.read(file).splitlines()]
    rows = [r for r in rows if len(r) > 3 and r[3].isdigit() and r[-1] != "total"]
    return sum(int(r[3]) for r in rows if not calls or r[-1] in calls)


def log_in(lab):
    """Everything, with the daemon traced: its system calls."""
    pid = lab.run("pidof iscsid").ok().out.strip()
    trace = lab.start(["strace", "-f", "-c", "-o", "/run/calls", "-p", pid], timeout=120)
    lab.wait_until(f"! grep -q 'TracerPid:.0$' /proc/{pid}/status", "strace")
    lab.run("iscsiadm -m node -l", timeout=120).ok()
    trace.kill(2)
    trace.wait()
    return counted(lab, "/run/calls")


def files_of_a_tree(lab):
    lab.run("strace -f -c -o /run/calls iscsiadm -m session -P 3", timeout=120).ok()
    return counted(lab, "/run/calls", "open", "openat", "openat2")


def working(lab):
    words = lab.run(STATES).out.split()
    return words == [str(MANY), "LOGGED_IN", str(MANY), "up"]


@pytest.mark.full  # strace makes it half a minute long
def test_one_session_costs_the_same_among_many(lab, target, iscsid):
    records(lab, FEW)
    few = log_in(lab)
    few_files = files_of_a_tree(lab)
    lab.run("iscsiadm -m node -u", timeout=60).ok()
    records(lab, MANY)
    many = log_in(lab)
    many_files = files_of_a_tree(lab)
    assert many / MANY < CALLS_OF_A_LOGIN, f"{few} calls for {FEW} logins, {many} for {MANY}"
    assert many / MANY <= 1.25 * few / FEW, f"{few} calls for {FEW} logins, {many} for {MANY}"
    assert (many_files - few_files) / (MANY - FEW) <= FILES_OF_A_SESSION
    sessions = lab.run("ls /sys/class/iscsi_session").ok().out
    _, logins = target.count()
    assert logins == FEW + MANY

    iscsid.kill()
    iscsid.start()
    assert working(lab)
    tree = lab.run("iscsiadm -m session -P 1").ok().out
    assert tree.count("Internal iscsid Session State: NO CHANGE") == MANY
    assert target.count() == (MANY, logins)

    target.drop()
    lab.wait_until(lambda: target.count() == (MANY, logins + MANY), "every session back", 60)
    lab.wait_until(lambda: working(lab), "every session up", 20)
    assert lab.run("ls /sys/class/iscsi_session").ok().out == sessions

    lab.run("iscsiadm -m node -u", timeout=60).ok()
    assert lab.run("ls /run/siskin/kernel").ok().out == ""
    assert target.count() == (0, logins + MANY)
