# SPDX-License-Identifier: LGPL-2.1-or-later
"""iSNS discovery: against open-isns' isnsd, and against servers that lie, stall and break off."""
import os
import struct
import subprocess

import pytest

from instance import INITIATOR, program
from isns import QUERY, REGISTER, Isnsd, OddIsns, answer, attr, group, message
from ports import free_port

DISK = "iqn.2026-11.org.siskin.test:disk"


@pytest.fixture
def isnsd(tmp_path):
    if not Isnsd.available:
        pytest.skip("open-isns-server is not installed")
    server = Isnsd(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def odd_isns():
    """odd_isns(reply) - a server that answers as the test wants"""
    made = []

    def make(reply):
        made.append(OddIsns(reply))
        return made[-1]

    yield make
    for s in made:
        s.stop()


def says(*groups, **kw):
    """always the same answer to a query"""
    return lambda function, xid, payload: message(function, xid, answer(*groups, **kw))


def isns(instance, portal, *args):
    return instance.adm("-m", "discovery", "-t", "isns", "-p", portal, *args)


def tree(instance):
    return sorted(str(p.relative_to(instance.db)) for top in ("isns", "nodes") for p in (instance.db / top).rglob("*")
                  if not p.is_dir() or p.is_symlink())


def test_two_servers_keep_their_targets_apart(instance, isnsd, tmp_path):
    other = Isnsd(tmp_path / "other").start()
    try:
        isnsd.add(f"{DISK}1", ("127.0.0.1:3260", 1), ("127.0.0.2:3261", 2))
        other.add(f"{DISK}2", ("127.0.0.3:3260", 7))
        r = isns(instance, isnsd.portal).ok()
        assert sorted(r.lines) == [f"127.0.0.1:3260,1 {DISK}1", f"127.0.0.2:3261,2 {DISK}1"] and not r.err
        assert isns(instance, other.portal).ok().lines == [f"127.0.0.3:3260,7 {DISK}2"]
        assert sorted(instance.adm("-m", "node").ok().lines) == [
            f"127.0.0.1:3260,1 {DISK}1", f"127.0.0.2:3261,2 {DISK}1", f"127.0.0.3:3260,7 {DISK}2"]
        record = instance.adm("-m", "node", "-T", f"{DISK}2").ok().lines
        assert {"node.discovery_type = isns", "node.discovery_address = 127.0.0.1",
                f"node.discovery_port = {other.port}"} <= set(record)
    finally:
        other.stop()


@pytest.mark.parametrize("kept", [True, False], ids=["with a record", "without"])
def test_a_target_that_left_the_server_leaves_the_records(instance, isnsd, kept):
    isnsd.add(f"{DISK}1", ("127.0.0.1:3260", 1))
    isnsd.add(f"{DISK}2", ("127.0.0.2:3260", 1))
    if kept:
        instance.adm("-m", "discoverydb", "-t", "isns", "-p", isnsd.portal, "-o", "new").ok()
    isns(instance, isnsd.portal).ok()
    server = f"isns/127.0.0.1,{isnsd.port}" if kept else "isns"
    assert f"{server}/{DISK}2,127.0.0.2,3260,1,default" in tree(instance)
    isnsd.remove(f"{DISK}2")
    assert isns(instance, isnsd.portal).ok().lines == [f"127.0.0.1:3260,1 {DISK}1"]
    assert tree(instance) == [f"{server}/{DISK}1,127.0.0.1,3260,1,default", *[f"{server}/isns_config"] * kept,
                              f"nodes/{DISK}1/127.0.0.1,3260,1/default"]


def test_links_move_to_their_server_with_the_next_discovery(instance, isnsd):
    isnsd.add(f"{DISK}1", ("127.0.0.1:3260", 1))
    isns(instance, isnsd.portal).ok()
    link = f"{DISK}1,127.0.0.1,3260,1,default"
    instance.adm("-m", "discoverydb", "-t", "isns", "-p", isnsd.portal, "-o", "new").ok()
    instance.set(f"{DISK}1", node__startup="automatic")
    assert f"isns/{link}" in tree(instance)
    isns(instance, isnsd.portal).ok()
    assert f"isns/127.0.0.1,{isnsd.port}/{link}" in tree(instance) and f"isns/{link}" not in tree(instance)


def test_an_initiator_the_server_does_not_know_introduces_itself(instance, odd_isns):
    known = []

    def reply(function, xid, payload):
        if function == QUERY and not known:
            return message(function, xid, answer(status=6))         # source unknown
        known.append(function)
        return message(function, xid, answer(group(f"{DISK}1")) if function == QUERY else answer())

    server = odd_isns(reply)
    assert isns(instance, server.portal).ok().lines == [f"127.0.0.1:3260,1 {DISK}1"]
    assert server.asked == [QUERY, REGISTER, QUERY, 4]              # … and deregisters itself


def test_a_server_that_does_not_take_us_in(instance, odd_isns):
    server = odd_isns(lambda function, xid, payload: message(function, xid, answer(status=6 if function == QUERY else 8)))
    r = isns(instance, server.portal).fails(26)
    assert r.err.endswith("iscsiadm: Could not perform iSNS discovery: iSNS registration failed\n")


def test_nothing_there(instance, isnsd):
    r = isns(instance, isnsd.portal).fails(21)
    assert (r.out, r.err) == ("", "iscsiadm: No portals found\n")


def test_nobody_there(instance):
    for portal in (f"127.0.0.1:{free_port()}", "no-such-host.invalid"):
        r = isns(instance, portal).fails(25)
        assert not r.out and r.err.startswith("iscsiadm: iSNS discovery failed: cannot ")
        assert r.err.endswith("iscsiadm: Could not perform iSNS discovery: iSNS query failed\n")
        assert not tree(instance)


BAD_NAMES = ["../../../etc/x", "iqn.2026-11.a:../b", "iqn.2026-11.a:b/c", "iqn.2026-11.a:b\nnode.startup = automatic", "x" * 300, "",
             "iqn.2026-11.a:b,c", "iqn.2026-11.a:\udcff\udcfe", "eui.zz"]


def test_what_a_server_must_not_say_is_left_out(instance, odd_isns):
    before = set(os.listdir(instance.dir))
    server = odd_isns(says(*[group(n) for n in BAD_NAMES], group(f"{DISK}1", addr="0.0.0.0"), group(f"{DISK}1", port=0),
                           group(f"{DISK}1", port=0x10000 | 3260), group(f"{DISK}1", tag=b""), group(f"{DISK}1", tag=70000),
                           group(f"{DISK}9", addr="10.1.2.3", tag=3), group(f"{DISK}9", addr="fd00::9", port=3261)))
    r = isns(instance, server.portal)
    assert r.ok().lines == [f"10.1.2.3:3260,3 {DISK}9", f"[fd00::9]:3261,1 {DISK}9"]
    assert "iSNS target or portal invalid, ignoring:" in r.err
    assert tree(instance) == [f"isns/{DISK}9,10.1.2.3,3260,3,default", f"isns/{DISK}9,fd00::9,3261,1,default",
                              f"nodes/{DISK}9/10.1.2.3,3260,3/default", f"nodes/{DISK}9/fd00::9,3261,1/default"]
    assert set(os.listdir(instance.dir)) == before


GOOD = answer(group(f"{DISK}1"))
BROKEN = {
    "closed at once": lambda f, x, p: (_ for _ in ()).throw(OSError()),
    "an error": lambda f, x, p: message(f, x, answer(status=11)),
    "an attribute beyond the message": lambda f, x, p: message(f, x, GOOD[:-8] + b"\0\0\0\x33\xff\xff\xff\xfc"),
    "an odd length": lambda f, x, p: message(f, x, GOOD + b"\0\0\0\x33\0\0\0\3abc"),
    "no status": lambda f, x, p: message(f, x, b"\0"),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
def test_a_server_that_breaks_the_protocol(instance, odd_isns, reply):
    r = instance.adm("-m", "discovery", "-t", "isns", "-p", odd_isns(reply).portal, timeout=60)
    assert r.rc in (21, 25) and not r.out and not tree(instance), str(r)


def test_ifaces_with_names_of_their_own_ask_each_for_itself(instance, odd_isns):
    names = []

    def reply(function, xid, payload):
        names.append(payload[8:payload.index(b"\0", 8)].decode())
        return message(function, xid, answer(group(f"{DISK}1")))

    for n in ("if1", "if2"):
        instance.adm("-m", "iface", "-I", n, "-o", "new").ok()
        instance.adm("-m", "iface", "-I", n, "-o", "update", "-n", "iface.initiatorname", "-v", f"iqn.2026-11.a:{n}").ok()
    r = isns(instance, odd_isns(reply).portal, "-P", "1").ok()
    assert sorted(names) == ["iqn.2026-11.a:if1", "iqn.2026-11.a:if2"]
    assert r.out.count("Iface Name:") == 2 and r.out.startswith(f"Target: {DISK}1\n\tPortal: 127.0.0.1:3260,1\n\t\tIface Name: if1\n")


def test_more_targets_than_one_answer_may_hold(instance, isnsd):
    """libisns takes no answer over 8 KiB: then it is one question a target"""
    for i in range(95):
        isnsd.add(f"{DISK}{i:03}", (f"10.0.0.{i + 1}:3260", i + 1))
    r = isns(instance, isnsd.portal, "-o", "nonpersistent").ok()
    assert sorted(r.lines) == sorted(f"10.0.0.{i + 1}:3260,{i + 1} {DISK}{i:03}" for i in range(95)) and not r.err


def test_a_hundred_names_that_are_none(instance, odd_isns):
    r = isns(instance, odd_isns(says(*[group("x", tag=i) for i in range(100)], group(f"{DISK}1"))).portal).ok()
    assert r.lines == [f"127.0.0.1:3260,1 {DISK}1"]


def test_the_worker_is_nobody_and_has_limits(instance, odd_isns):
    seen = {}

    def reply(function, xid, payload):
        for pid, cmd in instance.processes().items():
            if "isns-worker" in cmd:
                seen["status"] = open(f"/proc/{pid}/status", encoding="ascii").read()
                seen["limits"] = open(f"/proc/{pid}/limits", encoding="ascii").read()
        return message(function, xid, answer(group(f"{DISK}1")))

    isns(instance, odd_isns(reply).portal).ok()
    fields = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split() and "0" not in fields["Gid"].split()
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0 and fields["NoNewPrivs"] == "1"
    limits = {line[:26].strip(): line[26:].split()[0] for line in seen["limits"].splitlines()}
    assert limits["Max file size"] == "0" and limits["Max core file size"] == "0"
    sanitized = b"__asan_init" in program("isns-worker").read_bytes()       # has no use for a limit of addresses
    assert sanitized or limits["Max address space"] == str(256 << 20)


def test_without_the_worker_there_is_no_service(instance):
    instance.env["SISKIN_LIBEXECDIR"] = str(instance.dir / "nowhere")
    r = isns(instance, "127.0.0.1").fails(17)
    assert "isns-worker is not in" in r.err


def test_a_listener_whose_registration_is_gone_ends(odd_isns):
    """the next one registers anew; only its own entity tells, for others may be asked for without a registration"""
    known = [True]

    def reply(function, xid, payload):
        if function == REGISTER:
            return message(function, xid, struct.pack(">I", 0) + attr(1, INITIATOR) + attr(0, b"") + attr(1, INITIATOR) + attr(6, 4))
        entity = attr(1, INITIATOR) if function == QUERY and known else b""
        return message(function, xid, struct.pack(">I", 0) + attr(1, INITIATOR) + attr(0, b"") + entity)

    server = odd_isns(reply)
    argv = [str(program("isns-worker")), "--server", "127.0.0.1", "--port", server.portal.rsplit(":", 1)[1], "--name", INITIATOR, "listen"]
    with subprocess.Popen(["/bin/sh", "-c", 'exec "$@" 3>&1', "sh", *argv], stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert [next(worker.stdout) for _ in range(3)] == ["siskin-isns 1\n", "up 2\n", "up 2\n"]
            known.clear()
            assert list(worker.stdout)[-1] == "fail query the registration is gone\n"
            assert worker.wait(10) == 1
        finally:
            worker.kill()
