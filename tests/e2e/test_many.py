# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many at once: sessions, tools, refusals. What one portal does delays no other."""
import contextlib
import re
import socket
import time

import pytest

from odddisk import Disk
from ports import free_port, wait_until
from tgtd import Lun

N = 50


@contextlib.contextmanager
def black_hole():
    """A portal whose SYNs are never answered: a listener with a full backlog that nobody accepts from."""
    with contextlib.ExitStack() as stack:
        s = stack.enter_context(socket.socket())
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        while True:     # until a connect hangs
            c = stack.enter_context(socket.socket())
            c.settimeout(0.2)
            try:
                c.connect(s.getsockname())
            except TimeoutError:
                break
        yield "127.0.0.1:%d" % s.getsockname()[1]


def new(instance, name, portal):
    instance.adm("-m", "node", "-T", name, "-p", f"{portal},1", "-o", "new").ok()


def everyone(instance, **values):
    args = [x for k, v in values.items() for x in ("-n", k, "-v", v)]
    instance.adm("-m", "node", "-o", "update", *args).ok()


def logged_in_after(job, log, seconds=60):
    """Seconds from now until the log told of each "operational", by target."""
    seen, start = {}, time.monotonic()
    text = re.compile(r"Connection\d+:0 to \[target: (\S+), .*is operational now")
    while job.poll() is None or len(seen) < log.expected:
        now = time.monotonic() - start
        for name in text.findall(log.instance.log):
            seen.setdefault(name, now)
        if len(seen) >= log.expected:
            break
        assert now < seconds, (len(seen), job.poll())
        time.sleep(0.01)
    return seen


class Log:
    def __init__(self, instance, expected):
        self.instance, self.expected = instance, expected


def test_fifty_sessions_with_one_command(instance, tgtd):
    ts = [tgtd.target(luns=[Lun("1M")]) for _ in range(N)]
    assert len(instance.discover(tgtd.portal).ok().lines) == N
    r = instance.adm("-m", "node", "--loginall=all").ok()
    assert len([x for x in r.lines if x.endswith("successful.")]) == N
    assert len(instance.adm("-m", "session").ok().lines) == N
    assert len(instance.links()) == N and len(set(instance.links().values())) == N
    assert len(instance.adm("-m", "session", "-P", 3).ok().out.split("Attached scsi disk")) == N + 1
    r = instance.adm("-m", "node", "--logoutall=all").ok()
    assert len([x for x in r.lines if x.startswith("Logout of") and x.endswith("successful.")]) == N
    assert not instance.session_dirs() and not instance.links()
    assert sum(t.connections() for t in ts[:3]) == 0


def test_a_refusing_and_a_silent_portal_delay_no_other(make_instance, odd):
    """48 good portals with and without the two bad ones: compared by when the log tells of each."""
    times = {}
    for bad in (False, True):
        i = make_instance().start()
        t = odd(count=N - 2, luns={1: Disk(1 << 20)})
        i.discover(t.portal).ok()
        with black_hole() as hole:
            if bad:
                new(i, "iqn.2026-11.org.siskin.odd:aaa-refusing", f"127.0.0.1:{free_port()}")   # first in the order
                new(i, "iqn.2026-11.org.siskin.odd:aaa-silent", hole)
            everyone(i, **{"node.session.initial_login_retry_max": "1", "node.conn[0].timeo.login_timeout": "15"})
            job = i.start_adm("-m", "node", "--loginall=all")
            times[bad] = logged_in_after(job, Log(i, N - 2))
            assert len(times[bad]) == N - 2
            if bad:
                assert job.poll() is None       # the two are still being tried: everybody else is up already
                assert len(i.adm("-m", "session").ok().lines) == N - 2
            job.terminate()
            job.communicate(timeout=30)
        i.adm("-m", "session", "--logout").ok()
        i.stop()
    alone, with_bad = max(times[False].values()), max(times[True].values())
    assert with_bad < alone + 1.0 + 0.5 * alone, (alone, with_bad)      # half as much again for a busy machine


def test_what_each_of_the_fifty_is_told(instance, odd):
    t = odd(count=N - 2, luns={1: Disk(1 << 20)})
    instance.discover(t.portal).ok()
    with black_hole() as hole:
        refusing = f"127.0.0.1:{free_port()}"
        new(instance, "iqn.2026-11.org.siskin.odd:refusing", refusing)
        new(instance, "iqn.2026-11.org.siskin.odd:silent", hole)
        everyone(instance, **{"node.session.initial_login_retry_max": "1", "node.conn[0].timeo.login_timeout": "3"})
        r = instance.adm("-m", "node", "--loginall=all").fails(8)
        assert len([x for x in r.lines if x.endswith("successful.")]) == N - 2
        assert r.err.count("initiator reported error (8 - connection timed out)") == 2
        assert f"{refusing.replace(':', ',')}: " in r.err and "Connection refused" in r.err
        assert f"{hole.replace(':', ',')}: " in r.err and "no answer in time" in r.err
    assert t.logins == N - 2


def test_a_target_that_answers_late_delays_no_other(instance, odd):
    """Connected, but silent in the login."""
    good, mute = odd(count=10), odd(targets=["iqn.2026-11.org.siskin.odd:aaa-mute"], silent_at=1)
    for t in (good, mute):
        instance.discover(t.portal) if t is good else new(instance, mute.name, mute.portal)
    job = instance.start_adm("-m", "node", "--loginall=all")
    try:
        assert len(logged_in_after(job, Log(instance, 10))) == 10 and job.poll() is None
    finally:
        job.terminate()
        job.communicate(timeout=30)


def test_concurrent_logins_of_one_record_give_one_session(instance, odd):
    t = odd()
    instance.discover(t.portal).ok()
    jobs = [instance.start_adm("-m", "node", "-T", t.name, "--login") for _ in range(16)]
    for job in jobs:
        job.communicate(timeout=60)
    codes = sorted(job.returncode for job in jobs)
    assert codes[0] == 0 and set(codes) <= {0, 15}
    assert t.logins == 1 and len(instance.adm("-m", "session").ok().lines) == 1


def test_logins_and_logouts_in_a_tangle(instance, odd):
    """Whatever order they come in: no session is lost or doubled, nothing is left."""
    t = odd()
    instance.discover(t.portal).ok()
    for _ in range(5):
        jobs = [instance.start_adm("-m", "node", "-T", t.name, way) for way in ("--login", "--logout") * 4]
        for job in jobs:
            job.communicate(timeout=60)
        assert {job.returncode for job in jobs} <= {0, 2, 8, 9, 15, 21}, [job.returncode for job in jobs]
        assert len(t.alive()) == len(instance.session_dirs()) <= 1
    instance.adm("-m", "node", "-T", t.name, "--login")
    assert len(instance.adm("-m", "session").ok().lines) == 1 == len(t.alive())
    instance.logout(t.name).ok()
    wait_until(lambda: not t.alive(), "end of the connection")


def test_64_tools_at_once(instance, odd):
    t = odd(count=8, luns={1: Disk(1 << 20)})
    instance.discover(t.portal).ok()
    names = list(t.targets)
    jobs = []
    for i in range(16):
        jobs += [("login", instance.start_adm("-m", "node", "-T", names[i % 8], "--login")),
                 ("session", instance.start_adm("-m", "session", "-P", i % 4)),
                 ("update", instance.start_adm("-m", "node", "-T", names[i % 8], "-o", "update", "-n",
                                               "node.session.queue_depth", "-v", i + 1)),
                 ("node", instance.start_adm("-m", "node", "-P", "1"))]
    assert len(jobs) == 64
    allowed = {"login": {0, 15}, "session": {0, 21}, "update": {0}, "node": {0}}
    for kind, job in jobs:
        out, err = job.communicate(timeout=120)
        assert job.returncode in allowed[kind], (kind, job.returncode, out, err)
        if kind == "node":
            assert out.count("Target: ") == 8
    assert len(instance.adm("-m", "session").ok().lines) == 8 and t.logins == 8
    shown = instance.adm("-m", "node", "-o", "show").ok().out
    assert shown.count("# BEGIN RECORD") == 8 and shown.count("# END RECORD") == 8


def test_64_discoveries_at_once(instance, odd):
    """All write the same records: each is whole in the end."""
    t = odd(count=20)
    jobs = [instance.start_adm("-m", "discovery", "-t", "st", "-p", t.portal) for _ in range(64)]
    for job in jobs:
        out, err = job.communicate(timeout=120)
        assert job.returncode == 0 and len(out.splitlines()) == 20, err
    assert len(instance.adm("-m", "node").ok().lines) == 20
    shown = instance.adm("-m", "node", "-o", "show").ok()
    assert shown.err == "" and shown.out.count("# END RECORD") == 20
    assert not [p for p in instance.db.rglob("*.tmp")]


@pytest.mark.parametrize("how", ["node", "session"])
def test_logout_of_all_at_once(instance, odd, how):
    t = odd(count=20, luns={1: Disk(1 << 20)})
    instance.discover(t.portal).ok()
    instance.adm("-m", "node", "--login").ok()
    instance.adm("-m", how, "--logout").ok()
    assert not (instance.session_dirs() or instance.links() or instance.loops() or instance.mounts())
    wait_until(lambda: len(instance.processes()) == 1 and not t.alive(), "end of the processes and connections")
