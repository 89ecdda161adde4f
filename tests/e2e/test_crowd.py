# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many who talk to iscsid at once: the rude delay nobody, requests that mean one session make one session, races settle."""
import os
import random

import pytest

from mgmt import Client, frame, request
from ports import wait_until

RUDE = 200


def rude(path, n):
    """One client of each kind that does not behave; all are connected and have sent what they will send at first."""
    c = Client(path)
    whole = request("hello")
    sent = {
        "silent": b"",
        "slow": whole[:n % len(whole)],
        "half": frame(b"x" * 4096)[:2048],
        "malformed": b"GET / HTTP/1.0\r\n\r\n",
        "not json": frame(b"{" * 8),
        "too long": b"SKM1" + b"\xff" * 4,
        "legacy": b"\x00\x00\x00\x04" + bytes(8),           # the beginning of another program's struct
        "version 9": request("hello", v=9),
        "unknown": request("session.dance"),
        "deaf": whole * 50,                                 # never reads its answers
    }
    kind = list(sent)[n % len(sent)]
    c.sock.sendall(sent[kind])
    c.kind = kind
    return c


def test_two_hundred_rude_clients_delay_nobody(instance, odd):
    """Structurally: good answers are there while those who have not finished what they began still hold their connections."""
    t = odd()
    path = instance.run / "iscsid.sock"
    crowd = [rude(path, n) for n in range(RUDE)]
    good = [Client(path) for _ in range(20)]
    assert good[0].call("hello")["result"]["protocol"] == 1
    assert any(c.alive() for c in crowd if c.kind in ("slow", "half"))      # it did not wait for them to go
    for _ in range(5):
        for c in good:
            assert c.call("hello")["result"]["protocol"] == 1
            assert c.call("session.list")["result"]["sessions"] == []
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    instance.login(t.name).ok()                     # and real work gets done
    assert all(c.alive() for c in crowd if c.kind in ("silent", "deaf"))
    for c in crowd:
        if c.kind in ("malformed", "not json", "too long", "legacy"):
            answer = c.read()
            assert answer["id"] == 0 and answer["error"]["code"] == 16, c.kind
        elif c.kind in ("version 9", "unknown"):
            assert c.read()["error"]["code"] == 16
            assert c.call("hello")["result"]["protocol"] == 1      # the connection is none the worse
        elif c.kind == "deaf":
            assert [c.read()["id"] for _ in range(50)] == [1] * 50
    for c in crowd + good:
        c.close()
    fds = f"/proc/{instance.iscsid.pid}/fd"
    wait_until(lambda: len(os.listdir(fds)) < 40, "descriptors given back")


def test_other_users_are_refused_while_root_is_served(instance):
    """Someone else's process gets code 13 unread, however many come."""
    path, run = instance.run / "iscsid.sock", instance.run
    os.chmod(instance.dir, 0o711)
    os.chmod(run, 0o711)
    os.chmod(path, 0o666)                            # the file's mode alone is not what protects it
    good = Client(path)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            for _ in range(50):
                c = Client(path)
                assert c.read()["error"]["code"] == 13
                c.close()
            os._exit(0)
        finally:
            os._exit(1)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert good.call("hello")["result"]["protocol"] == 1
    good.close()
    assert instance.log.count("is refused") == 50


@pytest.mark.parametrize("n", [1, 3])
def test_logins_of_one_record_make_so_many_sessions_as_it_says(instance, odd, n):
    """A dozen tools at once, a target that takes its time: one session for each that nr_sessions asks for, no more."""
    t = odd(portals=1)
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    instance.set(t.name, **{"node.session.nr_sessions": str(n)})
    t.opt["silent_at"] = 1                           # every login hangs: so all the tools are there before one is through
    jobs = [instance.start_adm("-m", "node", "-T", t.name, "--login") for _ in range(12)]
    t.wait(lambda: t.attempts >= n)
    c = Client(instance.run / "iscsid.sock")
    wait_until(lambda: len(c.call("session.list")["result"]["sessions"]) == n, f"{n} sessions under way")
    t.opt["silent_at"] = None
    t.drop_all()                                     # the attempts that hung fail, and are made again
    codes = [j.wait(90) for j in jobs]
    assert set(codes) <= {0, 15} and 0 in codes, codes
    assert len(c.call("session.list")["result"]["sessions"]) == n
    assert len(instance.adm("-m", "session").ok().lines) == n and len(t.alive()) == n
    assert len({k.isid for k in t.alive()}) == n
    c.close()
    for j in jobs:
        j.communicate()
    instance.logout(t.name).ok()
    assert not t.alive()


def test_logins_and_logouts_that_race_settle(instance, odd):
    """Whatever the order: no tool hangs, and at the end the daemon, the list and the target agree."""
    t = odd()
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    dice = random.Random(7)
    for _ in range(6):
        jobs = [instance.start_adm("-m", "node", "-T", t.name, dice.choice(["--login", "--logout"])) for _ in range(6)]
        looks = [instance.start_adm("-m", "session", *args) for args in ((), ("-P", "3"), ("--explain",))]
        for j in looks:                             # whoever looks meanwhile sees whole sessions, or none
            _, err = j.communicate(timeout=60)
            assert (j.returncode, err) in ((0, ""), (21, "iscsiadm: No active sessions.\n")), err
        for j in jobs:
            _, err = j.communicate(timeout=60)
            assert j.returncode in (0, 9, 15, 21, 2, 8), err    # done, busy, there already, none there, gone meanwhile
        c = Client(instance.run / "iscsid.sock")
        listed = c.call("session.list")["result"]["sessions"]
        c.close()
        shown = instance.adm("-m", "session")
        assert len(listed) <= 1 and (shown.rc == 21) == (not listed)
        wait_until(lambda n=len(listed): len(t.alive()) == n, "as many connections as sessions")
    if listed:
        instance.logout(t.name).ok()
