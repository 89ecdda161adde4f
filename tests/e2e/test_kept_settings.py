# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user set by hand survives a discovery, whatever its -o; the old behaviour is there for those who ask for it."""
import itertools
import json

import pytest

from test_discovery_cli import box  # noqa: F401  (a fixture)
from test_sessions_cli import IQN

DISK = IQN + "disk1"
SET = {     # ten keys of every kind; iscsid.conf names the first two
    "node.startup": "automatic",
    "node.session.timeo.replacement_timeout": "7",
    "node.session.scan": "manual",
    "node.session.auth.authmethod": "CHAP",
    "node.session.auth.username": "dora",
    "node.session.auth.password": "a secret of 22 letters",
    "node.session.auth.chap_algs": "SHA256,MD5",
    "node.session.nr_sessions": "2",
    "node.conn[0].timeo.noop_out_interval": "0",
    "node.conn[0].iscsi.HeaderDigest": "CRC32C,None",
}
CONF = {"node.startup": "onboot", "node.session.timeo.replacement_timeout": "99"}
WORDS = ["new", "update", "delete"]
COMBINATIONS = [c for n in range(4) for c in itertools.combinations(WORDS, n)]


def conf(box, **more):
    keys = {**CONF, **more}
    (box.home / "iscsid.conf").write_text("".join(f"{k} = {v}\n" for k, v in keys.items()))


def values(box, target=DISK):
    r = box.adm("-m", "node", "-T", target, "-S", "-o", "show")
    assert r.returncode == 0, r.stderr
    return dict(x.split(" = ", 1) for x in r.stdout.splitlines() if " = " in x)


def update(box, pairs, target=DISK):
    words = [w for k, v in pairs.items() for w in ("-n", k, "-v", v)]
    r = box.adm("-m", "node", "-T", target, "-o", "update", *words)
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")


def marks(box):
    return [p.read_text() for p in (box.home / ".siskin" / "set").glob("*")]


@pytest.fixture
def set_up(box):  # noqa: F811
    conf(box)
    box.discover()
    update(box, SET)
    return box


def survivors(box):
    now = values(box)
    return {k for k, v in SET.items() if now[k] == v}


@pytest.mark.parametrize("ops", COMBINATIONS, ids=lambda c: "+".join(c) or "none")
@pytest.mark.parametrize("preserve", [None, "Yes", "No"])
def test_survivors(set_up, ops, preserve):
    """Yes (or nothing): all but what an explicit update takes from iscsid.conf. No: what the incumbent leaves."""
    if preserve:
        conf(set_up, **{"discovery.preserve_node_settings": preserve})
    words = [w for o in ops for w in ("-o", o)]
    if preserve == "No":
        want = set() if not ops or "update" in ops else set(SET)
    else:
        want = set(SET) - set(CONF) if "update" in ops else set(SET)
    other = values(set_up, IQN + "disk2")
    for how in ("discovery", "discoverydb"):
        more = ["-D"] if how == "discoverydb" else []
        for _ in range(3):
            r = set_up.adm("-m", how, "-t", "st", "-p", set_up.at, *more, *words)
            assert (r.returncode, r.stderr) == (0, "")
            assert survivors(set_up) == want
    now = values(set_up)
    for k in set(CONF) - want:
        assert now[k] == CONF[k]
    assert values(set_up, IQN + "disk2") == other
    assert set_up.nodes() == set_up.flat


def test_what_nobody_set_follows_iscsid_conf(set_up):
    before = values(set_up)
    (set_up.home / "iscsid.conf").write_text("node.session.cmds_max = 64\nnode.startup = manual\n")
    set_up.discover()
    now = values(set_up)
    assert now["node.session.cmds_max"] == "64"
    assert {k for k in now if now[k] != before[k]} == {"node.session.cmds_max"}
    assert values(set_up, IQN + "disk2")["node.startup"] == "manual"


def test_a_record_made_anew_or_deleted_is_forgotten(set_up):
    assert any(f"/{DISK}/" in m.splitlines()[0] for m in marks(set_up))
    portal = f"{set_up.at},1"
    assert set_up.adm("-m", "node", "-T", DISK, "-p", portal, "-o", "new").returncode == 0
    assert marks(set_up) == []
    set_up.discover()
    assert survivors(set_up) == set()
    update(set_up, SET)
    assert set_up.adm("-m", "node", "-T", DISK, "-o", "delete").returncode == 0
    assert marks(set_up) == []
    set_up.discover()
    assert survivors(set_up) == set()


def test_a_value_that_another_tool_wrote_is_not_taken_for_the_users(set_up):
    path = next((set_up.home / "nodes" / DISK).rglob("default"))
    path.write_text(path.read_text().replace("node.session.nr_sessions = 2", "node.session.nr_sessions = 5"))
    set_up.discover()
    assert values(set_up)["node.session.nr_sessions"] == "1"
    assert survivors(set_up) == set(SET) - {"node.session.nr_sessions"}


def test_the_record_and_its_folder_hold_nothing_new(set_up):
    path = next((set_up.home / "nodes" / DISK).rglob("default"))
    assert {p.name for p in path.parent.iterdir()} == {"default"}
    assert all(x.startswith(("# BEGIN RECORD", "# END RECORD", "node.", "iface.")) for x in path.read_text().splitlines())
    assert all(SET["node.session.auth.password"] not in m for m in marks(set_up))
    for p in (set_up.home / ".siskin" / "set").iterdir():
        assert p.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("junk", [b"", b"\0" * 100, b"record nodes/x\nnode.startup 00000000\n", b"x" * 100000])
def test_spoiled_marks_lose_only_themselves(set_up, junk):
    for p in (set_up.home / ".siskin" / "set").iterdir():
        p.write_bytes(junk)
    set_up.discover()
    assert survivors(set_up) == set()
    update(set_up, SET)
    set_up.discover()
    assert survivors(set_up) == set(SET)


def test_the_discovery_record_keeps_chap_and_times(box):  # noqa: F811
    conf(box, **{"discovery.sendtargets.reopen_max": "3"})
    ref = ["-m", "discoverydb", "-t", "st", "-p", box.at]
    assert box.adm(*ref, "-o", "new").returncode == 0
    kept = {"discovery.sendtargets.auth.username": "dora", "discovery.sendtargets.timeo.login_timeout": "4"}
    for k, v in kept.items():
        assert box.adm(*ref, "-o", "update", "-n", k, "-v", v).returncode == 0

    def now():
        return dict(x.split(" = ", 1) for x in box.adm(*ref).stdout.splitlines() if " = " in x)

    assert box.adm(*ref, "-o", "update", "-n", "discovery.sendtargets.reopen_max", "-v", "9").returncode == 0
    for ops in COMBINATIONS:
        box.discover(*[w for o in ops for w in ("-o", o)])
        assert kept.items() <= now().items()
        assert now()["discovery.sendtargets.reopen_max"] == "3"
    conf(box, **{"discovery.sendtargets.reopen_max": "2"})
    box.discover()
    assert now()["discovery.sendtargets.reopen_max"] == "2"
    conf(box, **{"discovery.preserve_node_settings": "No"})
    box.discover()
    assert now()["discovery.sendtargets.auth.username"] == "<empty>"
    assert now()["discovery.sendtargets.timeo.login_timeout"] == "15"


def test_a_discovery_record_made_anew_is_forgotten(box):  # noqa: F811
    conf(box)
    ref = ["-m", "discoverydb", "-t", "st", "-p", box.at]
    assert box.adm(*ref, "-o", "new").returncode == 0
    assert box.adm(*ref, "-o", "update", "-n", "discovery.sendtargets.auth.username", "-v", "dora").returncode == 0
    assert len(marks(box)) == 1
    assert box.adm(*ref, "-o", "new").returncode == 0
    assert marks(box) == []
    assert "auth.username = <empty>" in box.adm(*ref).stdout


def test_the_order_of_kubelet(box):  # noqa: F811
    """discovery, scan=manual, login, discovery again, and a second volume of the same target"""
    conf(box)
    for _ in range(2):
        r = box.adm("-m", "discoverydb", "-t", "sendtargets", "-p", box.at, "-I", "default", "--discover")
        assert (r.returncode, r.stdout, r.stderr) == (0, box.flat, "")
        r = box.adm("-m", "node", "-p", box.at, "-T", DISK, "-o", "update", "-n", "node.session.scan", "-v", "manual")
        assert (r.returncode, r.stderr) == (0, "")
        assert values(box)["node.session.scan"] == "manual"
        assert box.adm("-m", "node", "-p", box.at, "-T", DISK, "-I", "default", "--login").returncode == 0
        box.discover()
        assert values(box)["node.session.scan"] == "manual"
    assert json.loads(box.adm("--json", "-m", "node").stdout)["nodes"]
