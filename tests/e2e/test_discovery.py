# SPDX-License-Identifier: LGPL-2.1-or-later
"""SendTargets discovery through the real programs: what is found, kept, removed and refused."""
import os
import pathlib
import time

import pytest

from oddpdu import text_of
from tgtd import Lun

NAME = "iqn.2026-11.org.siskin.odd"


def nodes(instance):
    """target directories in the database"""
    d = instance.db / "nodes"
    return sorted(p.name for p in d.iterdir()) if d.is_dir() else []


def outside(instance):
    """every path of the instance that is not inside the database, the log or the state of iscsid"""
    known = {"etc", "db", "run", "lock", "dev", "iscsid.log", "notify"}
    return [p.name for p in instance.dir.iterdir() if p.name not in known]


def answer(*rows):
    return text_of(rows)


def test_one_target(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")])
    r = instance.discover(t.portal).ok()
    assert r.out == f"{t.portal},1 {t.name}\n"
    assert r.err == ""
    assert instance.adm("-m", "node").ok().out == r.out
    assert instance.adm("-m", "discovery").ok().out == f"{t.portal} via sendtargets\n"
    host, port = t.portal.split(":")
    assert (instance.db / "nodes" / t.name / f"{host},{port},1" / "default").is_file()
    assert tgtd.targets[0].connections() == 0       # logged out again


def test_print_levels(instance, tgtd):
    t = tgtd.target()
    tree = f"Target: {t.name}\n\tPortal: {t.portal},1\n\t\tIface Name: default\n"
    find = ("-m", "discovery", "-t", "st", "-p", t.portal)
    assert instance.adm(*find, "-P", 1).ok().out == tree
    assert instance.adm("-m", "node", "-P", 1).ok().out == tree
    host, port = t.portal.split(":")
    assert instance.adm("-m", "discovery", "-P", 1).ok().out == (
        f"SENDTARGETS:\nDiscoveryAddress: {host},{port}\n{tree}iSNS:\nNo targets found.\nSTATIC:\nNo targets found.\n"
        "FIRMWARE:\nNo targets found.\n")


def test_ipv6(instance, make_tgtd):
    tgtd = make_tgtd(ipv6=True)
    t = tgtd.target()
    assert instance.discover(tgtd.portal6).ok().out == f"[::1]:{tgtd.port},1 {t.name}\n"
    assert (instance.db / "nodes" / t.name / f"::1,{tgtd.port},1" / "default").is_file()


@pytest.mark.parametrize("count,limit", [(1000, 20), (10000, 60)])
def test_many_targets(instance, odd, count, limit):
    """The limit is generous: the point is that nothing grows with the square of the number."""
    t = odd(count=count)
    start = time.monotonic()
    r = instance.discover(t.portal).ok()
    took = time.monotonic() - start
    assert len(r.lines) == count and len(set(r.lines)) == count
    assert took < limit, took
    assert len(nodes(instance)) == count
    listed = instance.adm("-m", "node").ok()
    assert sorted(listed.lines) == sorted(r.lines)


def test_a_second_discovery_of_the_same_changes_nothing(instance, odd):
    t = odd(count=3)
    first = instance.discover(t.portal).ok().out
    instance.set(f"{NAME}:t1", **{"node.session.queue_depth": "77"})
    before = {p: p.read_bytes() for p in sorted((instance.db / "nodes").rglob("default"))}
    new_only = ("-m", "discovery", "-t", "st", "-p", t.portal, "-o", "new")
    assert instance.adm(*new_only).ok().out == first
    assert {p: p.read_bytes() for p in sorted((instance.db / "nodes").rglob("default"))} == before
    instance.discover(t.portal).ok()        # new+delete+update: what was set by hand stays
    assert {p: p.read_bytes() for p in sorted((instance.db / "nodes").rglob("default"))} == before
    instance.conf("discovery.preserve_node_settings = No\n")
    instance.discover(t.portal).ok()        # from the configuration again
    assert "node.session.queue_depth = 32" in instance.adm("-m", "node", "-T", f"{NAME}:t1").ok().out


def test_what_is_no_longer_there_is_removed(instance, odd):
    t, other = odd(count=5), odd(targets=["iqn.2026-11.org.siskin.other:a"])
    instance.discover(t.portal).ok()
    instance.discover(other.portal).ok()
    assert len(nodes(instance)) == 6
    t.targets = {f"{NAME}:t3": None, f"{NAME}:new": None}
    assert len(instance.discover(t.portal).ok().lines) == 2
    assert nodes(instance) == [f"{NAME}:new", f"{NAME}:t3", "iqn.2026-11.org.siskin.other:a"]
    links = sorted(p.name.split(",")[0] for p in (instance.db / "send_targets").rglob("*") if p.is_symlink())
    assert links == nodes(instance)


def test_a_record_in_use_is_kept(instance, odd):
    t = odd(count=2)
    instance.discover(t.portal).ok()
    instance.login(f"{NAME}:t0").ok()
    t.targets = {f"{NAME}:t1": None}
    r = instance.discover(t.portal).ok()
    assert f"This command will remove the record [iface: default, target: {NAME}:t0, portal: 127.0.0.1,{t.port}], " \
        "but a session is using it. Logout session then rerun command to remove record." in r.err
    assert nodes(instance) == [f"{NAME}:t0", f"{NAME}:t1"]
    instance.logout(f"{NAME}:t0").ok()
    instance.discover(t.portal).ok()
    assert nodes(instance) == [f"{NAME}:t1"]


def test_nothing_is_kept_when_asked(instance, odd):
    t = odd(count=2)
    assert len(instance.adm("-m", "discovery", "-t", "st", "-p", t.portal, "-o", "nonpersistent").ok().lines) == 2
    assert nodes(instance) == [] and not list((instance.db / "send_targets").rglob("st_config"))


def test_several_portals_of_a_target(instance, odd):
    t = odd(portals=3)
    r = instance.discover(t.portal).ok()
    assert r.lines == [f"{p},1 {t.name}" for p in t.portals]
    assert len(list((instance.db / "nodes" / t.name).iterdir())) == 3


def test_through_two_ifaces(instance, odd):
    t = odd()
    for name in ("left", "right"):
        instance.adm("-m", "iface", "-I", name, "-o", "new").ok()
    r = instance.adm("-m", "discovery", "-t", "st", "-p", t.portal, "-P", 1).ok()
    assert r.out == f"Target: {t.name}\n\tPortal: {t.portal},1\n\t\tIface Name: left\n\t\tIface Name: right\n"
    assert instance.adm("-m", "node").ok().out == f"{t.portal},1 {t.name}\n" * 2
    assert t.discoveries == 2


def test_no_targets(instance, odd):
    t = odd(targets=[])
    r = instance.discover(t.portal).fails(21)
    assert r.err == "iscsiadm: No portals found\n" and r.out == ""


HOSTILE = [
    ("traverse", b"../../../../etc/cron.d/evil"),
    ("inside", b"iqn.2026-11.org.siskin.odd:a/../../../evil"),
    ("dots", b".."),
    ("slash", b"iqn.2026-11.org.siskin.odd:a/b"),
    ("long", b"iqn.2026-11.org.siskin.odd:" + b"x" * 300),
    ("huge", b"iqn.2026-11.org.siskin.odd:" + b"x" * 60000),
    ("newline", b"iqn.2026-11.org.siskin.odd:a\nnode.startup = automatic"),
    ("escape", b"iqn.2026-11.org.siskin.odd:\x1b[2J"),
    ("latin1", b"iqn.2026-11.org.siskin.odd:\xe9\xff"),
    ("space", b"iqn.2026-11.org.siskin.odd:a b"),
    ("empty", b""),
    ("noiqn", b"disk1"),
]


@pytest.mark.parametrize("name", [n for _, n in HOSTILE], ids=[i for i, _ in HOSTILE])
def test_a_hostile_name_is_skipped_and_named(instance, odd, name):
    good = [f"{NAME}:before", f"{NAME}:after"]
    t = odd(targets=good)
    t.opt["raw_text"] = answer(("TargetName", good[0]), ("TargetAddress", f"{t.portal},1"), ("TargetName", name),
                               ("TargetAddress", f"{t.portal},1"), ("TargetName", good[1]),
                               ("TargetAddress", f"{t.portal},1"))
    r = instance.discover(t.portal).ok()
    assert r.lines == [f"{t.portal},1 {n}" for n in good]
    assert "Discovery TargetName or TargetAddress invalid, ignoring" in r.err
    assert all(c == "\n" or " " <= c <= "~" for c in r.err), ascii(r.err)
    assert max(map(len, r.err.splitlines())) < 700
    assert nodes(instance) == sorted(good)
    assert not outside(instance)
    assert not pathlib.Path("/etc/cron.d/evil").exists()
    written = [str(p.relative_to(instance.db)) for p in instance.db.rglob("*") if p.is_file()]
    assert not [w for w in written if "evil" in w or "/a/" in w]


@pytest.mark.parametrize("address", [
    b"127.0.0.1:99999,1", b"127.0.0.1:abc,1", b"../../evil:3260,1", b"a/b:3260,1", b"127.0.0.1:3260,70000", b"[::1:3260,1", b"",
    b"x" * 300 + b":3260,1", b"127.0.0.1\n:3260,1"], ids=["port", "nan", "traverse", "slash", "tag", "bracket", "empty", "long", "nl"])
def test_a_hostile_address_is_skipped_and_named(instance, odd, address):
    good = [f"{NAME}:before", f"{NAME}:after"]
    t = odd(targets=good)
    t.opt["raw_text"] = answer(("TargetName", good[0]), ("TargetAddress", address), ("TargetAddress", f"{t.portal},1"),
                               ("TargetName", good[1]), ("TargetAddress", f"{t.portal},1"))
    r = instance.discover(t.portal).ok()
    assert r.lines == [f"{t.portal},1 {n}" for n in good]
    assert "Discovery TargetName or TargetAddress invalid, ignoring" in r.err
    assert all(c == "\n" or " " <= c <= "~" for c in r.err), ascii(r.err)
    assert nodes(instance) == sorted(good) and not outside(instance)


def test_the_longest_legal_name(instance, odd):
    name = f"{NAME}:" + "x" * (223 - len(NAME) - 1)
    t = odd(targets=[name])
    assert instance.discover(t.portal).ok().lines == [f"{t.portal},1 {name}"]
    instance.login(name).ok()
    assert os.path.exists(instance.disk(name, 1))
    instance.logout(name).ok()


def test_the_answer_in_small_pieces(instance, odd):
    t = odd(count=50, text_split=7)
    assert len(instance.discover(t.portal).ok().lines) == 50


def test_refused(instance, odd):
    t = odd()
    port, portal = t.port, t.portal
    t.refuse()
    instance.adm("-m", "discoverydb", "-t", "st", "-p", portal, "-o", "new").ok()
    instance.adm("-m", "discoverydb", "-t", "st", "-p", portal, "-o", "update", "-n", "discovery.sendtargets.reopen_max",
                 "-v", 1).ok()
    r = instance.adm("-m", "discoverydb", "-t", "st", "-p", portal, "-D").fails(11)
    assert r.err.splitlines() == ["iscsiadm: cannot make connection to 127.0.0.1: Connection refused"] * 2 + [
        "iscsiadm: connection login retries (reopen_max) 1 exceeded",
        "iscsiadm: Could not perform SendTargets discovery: iSCSI PDU timed out"]
    assert port and r.out == ""


def test_unresolvable(instance):
    r = instance.discover("no-such-host.invalid").fails(4)
    assert "cannot resolve host name no-such-host.invalid" in r.err
    assert "Could not perform SendTargets discovery: encountered connection failure" in r.err


@pytest.mark.parametrize("status,code,said", [
    (0x0201, 24, "discovery login to 127.0.0.1 rejected: initiator failed authorization"),
    (0x0202, 24, "discovery login to 127.0.0.1 rejected: initiator failed authorization"),
    (0x0207, 19, "discovery login to 127.0.0.1 rejected: initiator error (02/07), non-retryable, giving up"),
])
def test_a_refused_login(instance, odd, status, code, said):
    r = instance.discover(odd(status=status).portal).fails(code)
    assert f"iscsiadm: {said}\n" in r.err


def test_an_answer_that_never_ends(instance, odd):
    """A target that goes on and on is given up, not fed with memory."""
    def forever(conn, pdu):
        from oddpdu import TEXT_RSP, Pdu
        conn.send(Pdu(TEXT_RSP, 0x40, text_of([("TargetName", f"{NAME}:a")]) * 300, itt=pdu.itt, ttt=7))
        return True

    t = odd(on={"text": forever})
    t.opt["keys"] = {**t.opt["keys"]}
    instance.adm("-m", "discoverydb", "-t", "st", "-p", t.portal, "-o", "new").ok()
    instance.adm("-m", "discoverydb", "-t", "st", "-p", t.portal, "-o", "update", "-n", "discovery.sendtargets.reopen_max",
                 "-v", 0).ok()
    r = instance.adm("-m", "discoverydb", "-t", "st", "-p", t.portal, "-D")
    assert r.rc != 0 and r.out == "" and nodes(instance) == []
    assert len(r.err) < 100_000
