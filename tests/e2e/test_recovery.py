# SPDX-License-Identifier: LGPL-2.1-or-later
"""What breaks and comes back: the target, the connection, the daemon, a session's own process."""
import errno
import os
import signal
import threading
import time

import pytest

from disk import fio, pread, pwrite
from odddisk import Disk
from ports import wait_until
from tgtd import Lun

QUICK = {"node.conn[0].timeo.noop_out_interval": "1", "node.conn[0].timeo.noop_out_timeout": "2",
         "node.conn[0].timeo.login_timeout": "3", "node.session.iscsi.DefaultTime2Wait": "0"}


def enter(instance, t, **values):
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    instance.set(t.name, **{**QUICK, **values})
    instance.login(t.name).ok()
    return instance.disk(t.name, 1)


class Load:
    """fio verify in rounds until stop(): every round writes everything and reads it back."""

    def __init__(self, dev, size="4M"):
        self.dev, self.size, self.rounds, self.failed = dev, size, 0, None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.after(1)

    def _run(self):
        while not self.ending.is_set():
            p = fio(self.dev, wait=False, size=self.size)
            out = p.communicate(timeout=120)[0]
            if p.returncode:
                self.failed = out
                return
            self.rounds += 1

    def after(self, more):
        """Until so many further rounds are complete."""
        goal = self.rounds + more
        wait_until(lambda: self.rounds >= goal or self.failed, "a round of fio", 90)
        assert not self.failed, self.failed

    def stop(self):
        self.after(2)       # one that began after whatever happened
        self.ending.set()
        self.thread.join(120)
        assert not self.thread.is_alive() and not self.failed, self.failed


def sessions(instance):
    return instance.adm("-m", "session").out.splitlines()


def state(instance):
    out = instance.adm("-m", "session", "-P", 1).out
    return {k: v for k, v in (line.strip().split(": ", 1) for line in out.splitlines() if ": " in line)}


def test_target_restart_under_io(instance, tgtd):
    t = tgtd.target(luns=[Lun("16M")])
    load = Load(enter(instance, t))
    for _ in range(2):
        tgtd.kill()
        wait_until(lambda: state(instance)["iSCSI Session State"] == "FAILED", "loss noticed")
        tgtd.restart()
        wait_until(lambda: state(instance)["iSCSI Session State"] == "LOGGED_IN", "recovery")
        load.after(1)
    load.stop()
    assert "is operational after recovery" in instance.log
    assert len(sessions(instance)) == 1 and t.connections() == 1


def test_cut_connections_under_io(instance, odd):
    t = odd(luns={1: Disk(16 << 20)})
    load = Load(enter(instance, t), size="2M")
    for n in range(2, 6):
        t.drop_all(reset=n % 2 == 0)
        t.wait(lambda n=n: t.logins == n)
        load.after(1)
    load.stop()
    assert len(t.alive()) == 1 and len({c.isid for c in t.conns if c.isid}) == 1     # one session through it all
    assert len({c.tsih for c in t.conns if c.tsih}) == 5


def test_no_answer_before_the_timeout_then_an_error_then_all_is_well(instance, tgtd):
    t = tgtd.target(luns=[Lun("16M")])
    dev = enter(instance, t, **{"node.session.timeo.replacement_timeout": "2"})
    pwrite(dev, b"before" + bytes(4090), 0)
    tgtd.kill()
    start = time.monotonic()
    with pytest.raises(OSError) as e:
        pread(dev, 4096, 0)
    assert e.value.errno == errno.EIO and time.monotonic() - start > 1
    wait_until(lambda: state(instance)["iSCSI Session State"] == "FREE", "replacement_timeout")
    start = time.monotonic()
    with pytest.raises(OSError):
        pread(dev, 4096, 65536)
    assert time.monotonic() - start < 2         # at once now
    tgtd.restart()
    wait_until(lambda: state(instance)["iSCSI Session State"] == "LOGGED_IN", "recovery", 70)
    assert instance.disk(t.name, 1) == dev      # the same disk
    assert pread(dev, 6, 0, direct=False) == b"before" or pread(dev, 4096, 0)[:6] == b"before"
    pwrite(dev, b"after" + bytes(4091), 8192)
    assert pread(dev, 4096, 8192)[:5] == b"after"


def test_a_timeout_of_minus_one_waits_for_ever(instance, odd):
    t = odd()
    dev = enter(instance, t, **{"node.session.timeo.replacement_timeout": "-1"})
    t.refuse()
    t.drop_all()
    got = []
    reader = threading.Thread(target=lambda: got.append(pread(dev, 4096, 0)), daemon=True)
    reader.start()
    wait_until(lambda: instance.log.count("Connection refused") >= 1, "an attempt")
    assert not got and state(instance)["iSCSI Session State"] == "FAILED"
    t.accept_again()
    reader.join(70)
    assert got == [bytes(4096)]


def test_a_silent_target_is_noticed_by_pings(instance, tgtd):
    t = tgtd.target(luns=[Lun("16M")])
    dev = enter(instance, t)
    tgtd.pause()
    try:
        wait_until(lambda: state(instance)["iSCSI Session State"] == "FAILED", "loss noticed")
        assert "ping" in instance.log
    finally:
        tgtd.resume()
    wait_until(lambda: state(instance)["iSCSI Session State"] == "LOGGED_IN", "recovery", 70)
    assert pread(dev, 4096, 0) == bytes(4096)


def test_recovery_is_at_the_record_s_portal_after_a_redirect(instance, odd):
    """The target it was sent to goes away; the portal of the record knows another."""
    t = odd()
    a, b = odd(targets=[t.name]), odd(targets=[t.name])
    t.opt["redirect"] = f"{a.portal},1"
    enter(instance, t)
    assert a.logins == 1
    t.opt["redirect"] = f"{b.portal},1"
    a.refuse()
    a.drop_all()
    b.wait(lambda: b.logins == 1, 30)
    wait_until(lambda: state(instance)["Current Portal"] == f"{b.portal},1", "the new portal shown")


def test_iscsid_dies_under_io(instance, odd):
    """No error, no login on the wire, and the next one lists and controls what runs."""
    ts = [odd(targets=[f"iqn.2026-11.org.siskin.odd:k{i}"], luns={1: Disk(16 << 20)}) for i in range(3)]
    devs = [enter(instance, t) for t in ts]
    load = Load(devs[0], size="2M")
    before, pids = sessions(instance), set(instance.processes())
    for _ in range(2):
        gone = instance.iscsid.pid
        instance.kill()
        load.after(1)
        assert sessions(instance) == before                 # listed without a daemon too
        instance.start()
        assert set(instance.processes()) - {instance.iscsid.pid} == pids - {gone}   # nobody else noticed
        pids = set(instance.processes())
        load.after(1)
    assert [t.logins for t in ts] == [1, 1, 1] and [t.attempts for t in ts] == [1, 1, 1]
    assert sessions(instance) == before and state(instance)["iSCSI Connection State"] == "LOGGED IN"
    assert instance.login(ts[1].name).rc == 15
    instance.adm("-m", "session", "-r", 1, "-R").ok()
    load.stop()
    instance.logout(ts[1].name).ok()
    assert not ts[1].alive() and ts[0].alive() and len(sessions(instance)) == 2
    t = ts[2]
    t.drop_all()                                            # and it repairs what it took over
    t.wait(lambda: t.logins == 2)
    wait_until(lambda: "is operational after recovery" in instance.log, "recovery")
    assert pread(devs[2], 4096, 0) == bytes(4096)


def test_a_connection_lost_while_no_daemon_runs(instance, odd):
    t = odd()
    dev = enter(instance, t)
    instance.kill()
    t.drop_all()
    wait_until(lambda: (instance.run / "sys/class/iscsi_session/session1/state").read_text() == "FAILED\n", "loss noticed")
    instance.start()
    t.wait(lambda: t.logins == 2)
    assert pread(dev, 4096, 0) == bytes(4096)
    assert t.conns[0].isid == t.conns[1].isid


def test_iscsid_dies_in_the_middle_of_a_login(instance, odd):
    t = odd(silent_at=1)
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    job = instance.start_adm("-m", "node", "-T", t.name, "--login")
    t.wait(lambda: t.pdus)
    instance.kill()
    out, err = job.communicate(timeout=30)
    assert job.returncode in (18, 20), err
    t.opt["silent_at"] = None
    instance.start()
    instance.login(t.name).ok()
    assert len(sessions(instance)) == 1 and len(t.alive()) == 1


@pytest.mark.parametrize("victim", ["keeper", "engine"])
def test_a_killed_session_is_lost_alone(instance, odd, victim):
    ts = [odd(targets=[f"iqn.2026-11.org.siskin.odd:s{i}"], luns={1: Disk(16 << 20)}) for i in range(2)]
    enter(instance, ts[0])
    other = enter(instance, ts[1])
    load = Load(other, size="2M")
    rows = {pid: cmd for pid, cmd in instance.processes().items() if "--sid 1" in cmd}
    pid = next(p for p, cmd in rows.items() if ("--engine" in cmd) == (victim == "engine"))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(sessions(instance)) == 1, "the end of session 1")
    wait_until(lambda: len(instance.links()) == 1 and len(instance.loops()) == 1 and len(instance.mounts()) == 1,
               "what it left swept")
    wait_until(lambda: [d.name for d in instance.session_dirs()] == ["2"], "its directory gone")
    assert not [cmd for cmd in instance.processes().values() if "--sid 1" in cmd]
    wait_until(lambda: not ts[0].alive(), "end of its connection")
    load.stop()
    assert ts[1].logins == 1
    instance.login(ts[0].name).ok()             # as new
    assert pread(instance.disk(ts[0].name, 1), 4096, 0) == bytes(4096)


def test_a_session_that_died_while_no_daemon_ran_is_swept(instance, odd):
    t = odd()
    enter(instance, t)
    instance.kill()
    for pid, cmd in instance.processes().items():
        if "--sid 1" in cmd:
            os.kill(pid, signal.SIGKILL)
    instance.start()
    wait_until(lambda: not instance.left()[1:], "what it left swept")
    assert sessions(instance) == []
    instance.login(t.name).ok()


def test_a_session_that_hangs_does_not_keep_the_daemon(instance, odd):
    """A keeper that does not answer costs its own session only, also at the start of the daemon."""
    ts = [odd(targets=[f"iqn.2026-11.org.siskin.odd:h{i}"]) for i in range(2)]
    for t in ts:
        enter(instance, t)
    keeper = next(p for p, cmd in instance.processes().items() if "--sid 1" in cmd and "--engine" not in cmd)
    os.kill(keeper, signal.SIGSTOP)
    try:
        instance.kill()
        instance.start()
        instance.logout(ts[1].name).ok()
        assert instance.login(ts[0].name).rc == 15      # its place is kept: nobody logs in under it
        assert "does not answer; kept as it is" in instance.log
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert not ts[1].alive() and ts[0].alive() and ts[0].logins == 1
    wait_until(lambda: "its process answers again" in instance.log, "a word of the process")
    instance.logout(ts[0].name).ok()                    # by the same daemon
    assert not ts[0].alive()


def test_iscsid_stopped_and_started_by_its_manager(instance, tgtd):
    t = tgtd.target(luns=[Lun("16M")])
    load = Load(enter(instance, t), size="2M")
    for _ in range(3):
        assert instance.restart()
    load.stop()
    assert t.connections() == 1
