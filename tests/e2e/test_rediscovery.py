# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsid discovers by itself: use_discoveryd of SendTargets and iSNS records."""
import math
import os
import pathlib
import shutil
import signal
import socket
import time

import pytest

from instance import INITIATOR
from isns import Isnsd
from ports import free_port, wait_until as wait_for
from tgtd import Lun


def wait_until(condition, what):
    """Patient: rounds are seconds apart, and the machine may be busy."""
    return wait_for(condition, what, 90)


@pytest.fixture
def isnsd(tmp_path):
    if not Isnsd.available:
        pytest.skip("open-isns-server is not installed")
    server = Isnsd(tmp_path, period="10m").start()
    yield server
    server.stop()


@pytest.fixture
def ready(make_instance):
    """ready((kind, portal, interval), …) - an instance that will discover there once it starts"""
    made = []

    def make(*sources, **kw):
        i = make_instance(**kw)
        made.append(i)
        for kind, portal, poll in sources:
            word = "sendtargets" if kind == "st" else kind
            db = ["-m", "discoverydb", "-t", kind, "-p", portal]
            i.adm(*db, "-o", "new").ok()
            i.adm(*db, "-o", "update", "-n", f"discovery.{word}.use_discoveryd", "-v", "Yes",
                  "-n", f"discovery.{word}.discoveryd_poll_inval", "-v", poll).ok()
        return i

    yield make
    for i in made:              # who logs out at the end must not have it logged in again
        i.stop()
        for kind in ("send_targets", "isns"):
            shutil.rmtree(i.db / kind, ignore_errors=True)


def sessions(instance):
    r = instance.adm("-m", "session")
    return sorted(line.split()[3] for line in r.lines) if r.rc == 0 else []


def has(instance, *targets):
    wait_until(lambda: sessions(instance) == sorted(t.name for t in targets), f"sessions {[t.name for t in targets]}")


def owned(instance):
    d = pathlib.Path(instance.run, "rediscovered")
    return [p.read_text() for p in d.iterdir()] if d.is_dir() else []


def rounds_pass(instance, tgtd, n=3):
    """n answers of the source: a target made after the last one was found needs another"""
    for _ in range(n):
        t = tgtd.target(luns=[Lun("16M")])
        wait_until(lambda name=t.name: name in sessions(instance), "a round")


def show(tgtd, target, shown):
    """does the portal tell of it? Its sessions stay"""
    tgtd.adm("target", "bind" if shown else "unbind", "--tid", target.tid, "-I", "ALL")


def test_targets_come_and_go_by_polling(ready, tgtd):
    one = tgtd.target(luns=[Lun("16M")])
    i = ready(("st", tgtd.portal, 1)).start()
    has(i, one)
    two = tgtd.target(luns=[Lun("16M")])
    has(i, one, two)
    one.delete()
    has(i, two)
    assert i.adm("-m", "node").rc == 21             # no records are made
    assert "offers it no longer" in i.log
    i.adm("-m", "session", "-u").ok()
    has(i, two)                                     # what is offered is logged in


def test_stored_records_are_what_is_logged_in_with(ready, tgtd):
    """and neither a target that refuses us nor node.startup = manual keeps others from being logged in"""
    closed = tgtd.target(luns=[Lun("16M")], chap=("user", "password1234"))
    opened = tgtd.target(luns=[Lun("16M")], chap=("user", "password1234"))
    i = ready().start()
    i.discover(tgtd.portal).ok()
    i.stop()
    i.set(opened.name, **{"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "user",
                          "node.session.auth.password": "password1234", "node.startup": "manual"})
    db = ["-m", "discoverydb", "-t", "st", "-p", tgtd.portal, "-o", "update"]
    i.adm(*db, "-n", "discovery.sendtargets.use_discoveryd", "-v", "Yes",
          "-n", "discovery.sendtargets.discoveryd_poll_inval", "-v", 1).ok()
    began = time.monotonic()
    i.start()
    has(i, opened)
    failed = f"login to target {closed.name}"
    wait_until(lambda: failed in i.log, "a refusal")
    rounds_pass(i, tgtd)
    waits = math.log2(1 + (time.monotonic() - began) / 3.75)        # the first takes 3.75 s or more, each further one twice as long
    assert i.log.count(failed) <= 1 + waits                         # not in every round


def test_sessions_of_others_are_left_alone(ready, tgtd):
    other = tgtd.target(luns=[Lun("16M")])
    i = ready(("st", tgtd.portal, 1))
    db = ["-m", "discoverydb", "-t", "st", "-p", tgtd.portal, "-o", "update", "-n", "discovery.sendtargets.use_discoveryd"]
    i.adm(*db, "-v", "No").ok()
    i.start()
    i.adm(*db[:4], "-p", tgtd.portal, "-D").ok()
    i.login(other.name).ok()
    i.adm(*db, "-v", "Yes").ok()
    i.restart()
    rounds_pass(i, tgtd, 1)
    show(tgtd, other, False)
    rounds_pass(i, tgtd)
    assert other.name in sessions(i) and not [text for text in owned(i) if other.name in text]


def test_a_restart_of_the_daemon_goes_on(ready, tgtd):
    one, two = tgtd.target(luns=[Lun("16M")]), tgtd.target(luns=[Lun("16M")])
    i = ready(("st", tgtd.portal, 1)).start()
    has(i, one, two)
    before = i.adm("-m", "session").lines
    i.kill()
    i.start()
    has(i, one, two)
    assert i.adm("-m", "session").lines == before   # the same sessions
    two.delete()
    has(i, one)
    i.stop()
    assert len(i.session_dirs()) == 1               # sessions outlive the daemon


def test_a_disk_in_use_keeps_its_session(ready, tgtd):
    one = tgtd.target(luns=[Lun("16M")])
    i = ready(("st", tgtd.portal, 1)).start()
    has(i, one)
    fd = os.open(i.disk(one.name, 1), os.O_RDWR | os.O_EXCL)        # claimed, as by a file system
    try:
        show(tgtd, one, False)
        wait_until(lambda: "but stays" in i.log, "the notice")
        rounds_pass(i, tgtd, 2)
        assert one.name in sessions(i) and i.log.count("but stays") == 1
    finally:
        os.close(fd)
    wait_until(lambda: one.name not in sessions(i), "the logout once it is free")


def test_one_that_does_not_answer_delays_nobody(ready, tgtd):
    one = tgtd.target(luns=[Lun("16M")])
    dead = f"127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = "127.0.0.1:%d" % server.getsockname()[1]       # connects, and never says a word
        i = ready(("st", dead, 1), ("st", silent, 1), ("isns", dead, 1), ("st", tgtd.portal, 1))
        i.adm("-m", "discoverydb", "-t", "st", "-p", silent, "-o", "update",
              "-n", "discovery.sendtargets.timeo.login_timeout", "-v", 3600).ok()
        i.start()
        has(i, one)
        rounds_pass(i, tgtd)
        wait_until(lambda: f"isns {dead} cannot be asked" in i.log, "what is wrong there")
        assert i.log.count(f"sendtargets {dead} cannot be asked") == 1
        assert f"{silent} cannot be asked" not in i.log          # its first round was still under way all the time
        i.stop()


def listener(instance):
    """the process id of the worker that is registered at the server"""
    return next((pid for pid, cmd in instance.processes().items() if "isns-worker" in cmd and cmd.endswith("listen")), None)


def test_an_isns_server_tells_of_changes(ready, isnsd, make_tgtd):
    tgtd = make_tgtd(portals=["127.0.0.2"])
    at_two = f"127.0.0.2:{tgtd.port}"
    one, two = tgtd.target(luns=[Lun("16M")]), tgtd.target(luns=[Lun("16M")])
    isnsd.add(one.name, (tgtd.portal, 1))
    i = ready(("isns", isnsd.portal, -1)).start()
    has(i, one)
    wait_until(lambda: INITIATOR in isnsd.nodes(), "our registration")
    first = wait_until(lambda: listener(i), "the listener")
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{first}/status").read_text().splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split() and int(status["CapEff"], 16) == 0
    assert pathlib.Path(f"/proc/{first}/oom_score_adj").read_text() == "0\n"
    isnsd.add(two.name, (at_two, 1))
    has(i, one, two)
    os.kill(first, signal.SIGKILL)                  # whatever becomes of it, another takes its place
    wait_until(lambda: listener(i) not in (None, first), "another listener")
    wait_until(lambda: INITIATOR in isnsd.nodes(), "our registration")
    isnsd.remove(one.name)
    has(i, two)
    i.stop()
    assert listener(i) is None


def test_an_isns_server_that_restarts_is_found_again(ready, isnsd, make_tgtd):
    tgtd = make_tgtd(portals=["127.0.0.2"])
    at_two = f"127.0.0.2:{tgtd.port}"
    one, two = tgtd.target(luns=[Lun("16M")]), tgtd.target(luns=[Lun("16M")])
    isnsd.add(one.name, (tgtd.portal, 1))
    i = ready(("isns", isnsd.portal, 1)).start()
    has(i, one)
    isnsd.stop()
    wait_until(lambda: f"isns {isnsd.portal} cannot be asked" in i.log, "the outage in the log")
    assert sessions(i) == [one.name]                # an outage is not an answer
    isnsd.start()
    isnsd.add(one.name, (tgtd.portal, 1))
    isnsd.add(two.name, (at_two, 1))
    has(i, one, two)
    assert f"isns {isnsd.portal} answers again" in i.log
