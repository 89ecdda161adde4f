# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions people understand: --explain, changes that hold at once, and what ends a wait."""
import contextlib
import ctypes
import json
import pathlib
import shutil
import socket
import subprocess
import time

import jsonschema
import pytest

from ports import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft7Validator(json.loads((TOP / "docs" / "json-schema.json").read_text()))
REPLACEMENT = "node.session.timeo.replacement_timeout"
ABORT = "node.session.err_timeo.abort_timeout"
AT_ONCE = {"DefaultTime2Wait": 0}         # of the target: nothing to wait for before a relogin
INTERVAL = "node.conn[0].timeo.noop_out_interval"


def explain(instance, *args):
    """The explanations, checked against the schema."""
    doc = instance.adm_json("-m", "session", "--explain", *args)
    SCHEMA.validate(doc)
    return doc["explanations"]


def timers(e):
    return {t["key"]: t for t in e["timers"]}


def enter(instance, target, **values):
    instance.adm("-m", "node", "-T", target.name, "-p", f"{target.portal},1", "-o", "new").ok()
    if values:
        instance.set(target.name, **values)
    instance.login(target.name).ok()
    instance.disk(target.name, 1)


def recovery_timeout(instance):
    rows = instance.adm("-m", "session", "-P", 2).ok().lines
    return {r.split(":")[0].strip(): r.split(":")[1].strip() for r in rows if "Timeout:" in r}


def test_a_session_that_is_up(instance, odd):
    t = odd()
    enter(instance, t)
    (e,) = explain(instance)
    assert e["state"] == "UP" and e["session"]["target"] == t.name and e["error"] is None and e["cause"] is None
    assert e["next_ms"] is None and e["lost_ms"] == 0 and e["why"].startswith("connected for")
    assert e["session"]["negotiated"]["MaxBurstLength"] == 262144 and e["portal_group"] == 1
    assert e["outage"] == {"noticed_s": 10, "io_error_s": 130}
    assert timers(e)[REPLACEMENT] == {"key": REPLACEMENT, "record": 120, "running": 120, "differs": False, "live": True}
    assert all(row["running"] is not None and not row["differs"] for row in e["timers"])
    assert e["advice"] == []
    text = instance.adm("-m", "session", "--explain", "-r", 1).ok()
    assert text.err == "" and f"Session 1: {t.name}, portal 127.0.0.1:{t.port},1, iface default" in text.lines[0]
    assert "\t\treplacement_timeout: 120 s" in text.lines and "\t\trequests fail after at most: 130 s" in text.lines
    assert instance.adm("-m", "session", "--explain", "-r", 9).rc == 22
    instance.logout(t.name).ok()
    assert instance.adm("-m", "session", "--explain").fails(21).err == "iscsiadm: No active sessions.\n"


def test_record_and_session_differ_until_the_change_is_live(instance, odd):
    t = odd()
    enter(instance, t)
    instance.set(t.name, **{REPLACEMENT: "20", ABORT: "7"})
    (e,) = explain(instance)
    assert (timers(e)[REPLACEMENT]["record"], timers(e)[REPLACEMENT]["running"]) == (20, 120)
    assert timers(e)[REPLACEMENT]["differs"] and any("--live" in a for a in e["advice"])
    assert "\t\treplacement_timeout: 120 s (record: 20 s, from the next login on or with --live)" in \
        instance.adm("-m", "session", "--explain").lines
    assert recovery_timeout(instance)["Recovery Timeout"] == "120"

    out = instance.adm("-m", "node", "-T", t.name, "-o", "update", "--live", "-n", REPLACEMENT, "-v", "20",
                       "-n", ABORT, "-v", "7").ok()
    assert out.out == "" and out.err == ""
    instance.adm("-m", "session", "-r", 1, "-o", "update", "--live", "-n", INTERVAL, "-v", "3").ok()
    running = {REPLACEMENT: 20, ABORT: 7, INTERVAL: 3}
    for again in (False, True):                     # and the next daemon knows it as well
        if again:
            instance.restart()
        (e,) = explain(instance)
        assert {k: timers(e)[k]["running"] for k in running} == running
        assert not any(row["differs"] for row in e["timers"]) and e["outage"] == {"noticed_s": 8, "io_error_s": 28}
        got = recovery_timeout(instance)
        assert (got["Recovery Timeout"], got["Abort Timeout"]) == ("20", "7")
    assert t.logins == 1                            # nobody was logged in again for it


def test_what_cannot_change_at_once_changes_nothing(instance, odd):
    t = odd()
    enter(instance, t)
    r = instance.adm("-m", "node", "-T", t.name, "-o", "update", "--live", "-n", REPLACEMENT, "-v", "30",
                     "-n", "node.session.cmds_max", "-v", "64").fails(7)
    assert "node.session.cmds_max holds from the next login on" in r.err
    assert instance.adm("-m", "node", "-T", t.name, "-o", "update", "--live", "-n", REPLACEMENT, "-v", "x").rc == 7
    assert instance.adm("-m", "node", "-T", t.name, "--login", "--live").rc == 7
    (e,) = explain(instance)
    assert timers(e)[REPLACEMENT]["record"] == timers(e)[REPLACEMENT]["running"] == 120


def test_a_live_replacement_timeout_holds_for_the_outage_under_way(instance, odd):
    """I/O that would wait for ever fails as soon as the time that was set meanwhile is over."""
    t = odd()
    enter(instance, t, **{REPLACEMENT: "-1"})
    t.refuse()
    t.drop_all()
    state = instance.run / "sys/class/iscsi_session/session1/state"
    wait_until(lambda: state.read_text() == "FAILED\n", "loss")
    instance.adm("-m", "node", "-T", t.name, "-o", "update", "--live", "-n", REPLACEMENT, "-v", "1").ok()
    wait_until(lambda: state.read_text() == "FREE\n", "replacement_timeout")
    t.accept_again()


def test_a_lost_session_says_why_and_what_comes_next(instance, odd):
    t = odd(keys=AT_ONCE)
    enter(instance, t, **{"node.session.iscsi.DefaultTime2Wait": "0"})
    t.refuse()
    t.drop_all()

    def failed():
        (e,) = explain(instance)
        return e if e["state"] == "BACKOFF" and e["attempts"] >= 2 else None

    e = wait_until(failed, "a failed attempt")
    assert "Connection refused" in e["why"] and e["error"]["errno"] == 111 and e["cause"] == "cannot connect"
    assert e["next_ms"] > 0 and f"attempt {e['attempts'] + 1} in" in e["next"] and e["lost_ms"] > 0
    assert any("nothing listens there" in a for a in e["advice"])
    assert e["session"]["session_state"] == "FAILED"
    t.accept_again()
    t.wait(lambda: t.logins == 2, 30)


def test_without_a_daemon_what_is_published_is_told(instance, odd):
    t = odd()
    enter(instance, t)
    instance.kill()
    doc = json.loads(instance.adm("--json", "-m", "session", "--explain").out)
    SCHEMA.validate(doc)
    (e,) = doc["explanations"]
    assert e["state"] is None and timers(e)[REPLACEMENT]["running"] == 120 and timers(e)[INTERVAL]["running"] is None
    instance.start()


def test_a_target_that_takes_logins_and_hangs_up_is_suspected(instance, odd):
    """Another machine with our name looks like this from here: each login of the one ends the session of the other."""
    t = odd(keys=AT_ONCE)
    enter(instance, t, **{"node.session.iscsi.DefaultTime2Wait": "0", "node.conn[0].timeo.login_timeout": "5"})
    for n in range(2, 5):
        t.drop_all()
        t.wait(lambda n=n: t.logins == n, 30)
        wait_until(lambda: explain(instance)[0]["state"] == "UP", "recovery")
    t.drop_all()
    wait_until(lambda: "another host may use this InitiatorName" in instance.log, "the suspicion")
    assert instance.log.count("another host may use this InitiatorName") == 1


@contextlib.contextmanager
def network_of_its_own():
    """This thread, the sockets and the processes it makes meanwhile are in a new network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home:
        if libc.unshare(0x40000000):                    # CLONE_NEWNET
            pytest.skip("no network namespaces here")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(home.fileno(), 0x40000000) == 0


@pytest.mark.skipif(not shutil.which("ip"), reason="needs ip(8)")
def test_an_address_that_comes_ends_the_wait(make_instance, odd):
    with network_of_its_own():
        instance, t = make_instance(), odd(keys=AT_ONCE)
        instance.start("-d", "door")
        enter(instance, t, **{"node.session.iscsi.DefaultTime2Wait": "0"})
        t.refuse()
        t.drop_all()

        def long_wait():
            (e,) = explain(instance)
            return e if e["state"] == "BACKOFF" and e["next_ms"] > 2500 else None

        wait_until(long_wait, "a wait of seconds", 30)
        before = explain(instance)[0]["attempts"]
        t.accept_again()
        subprocess.run(["ip", "addr", "add", "192.0.2.7/32", "dev", "lo"], check=True)
        t.wait(lambda: t.logins == 2, 30)
        wait_until(lambda: "is operational after recovery" in instance.log, "recovery")
        assert instance.log.index("the network changed") < instance.log.index("is operational after recovery")
        assert explain(instance)[0]["attempts"] == before + 1
        instance.logout(t.name).ok()


def test_a_caller_who_cannot_wait_says_so(instance, odd):
    """Refused portals end with --fail-fast in a round trip; silent ones with --timeout; each with its own reason."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        closed = s.getsockname()[1]                     # nobody listens there
        silent = odd(silent_at=1)
        for name, port in (("iqn.2026-11.x:refused", closed), (silent.name, silent.port)):
            instance.adm("-m", "node", "-T", name, "-p", f"127.0.0.1:{port},1", "-o", "new").ok()
        start = time.monotonic()
        r = instance.adm("-m", "node", "-T", "iqn.2026-11.x:refused", "--login", "--fail-fast").fails(8)
        assert "Connection refused" in r.err and "nothing listens there" in r.err
        doc = json.loads(instance.adm("--json", "-m", "node", "-T", "iqn.2026-11.x:refused", "-l", "--fail-fast").fails(8).out)
        SCHEMA.validate(doc)
        assert doc["errors"][0]["errno"] == 111
        instance.adm("-m", "node", "-T", silent.name, "--login", "--timeout", 1).fails(8)
        assert 1 <= time.monotonic() - start < 60       # not the two minutes of the record
    assert instance.adm("-m", "node", "-T", silent.name, "--login", "--timeout", 0).rc == 7
    assert instance.adm("-m", "session", "--timeout", 3).rc == 7
    assert instance.adm("-m", "session").rc == 21


def test_a_name_with_several_addresses_leads_to_the_one_that_answers(instance, odd):
    """localhost is 127.0.0.1, and ::1 too on most machines; the target is on the first only. It is found again after a loss."""
    t = odd(keys=AT_ONCE)
    name = ["-T", t.name, "-p", f"localhost:{t.port},1"]
    instance.adm("-m", "node", *name, "-o", "new").ok()
    instance.adm("-m", "node", *name, "-o", "update", "-n", "node.session.iscsi.DefaultTime2Wait", "-v", "0").ok()
    instance.adm("-m", "node", *name, "--login").ok()
    (e,) = explain(instance)
    assert e["session"]["current_portal"] == {"address": "127.0.0.1", "port": t.port}
    assert e["session"]["persistent_portal"] == {"address": "localhost", "port": t.port}
    t.drop_all()
    t.wait(lambda: t.logins == 2, 30)
    wait_until(lambda: explain(instance)[0]["state"] == "UP", "recovery")
    instance.adm("-m", "node", *name, "--logout").ok()
