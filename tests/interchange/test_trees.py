# SPDX-License-Identifier: LGPL-2.1-or-later
"""The database between us and open-iscsi 2.1.8: what one wrote the other reads, and both make the same of it.

Every test runs both programs on the same tree. Where they are known to differ on purpose, the test says how."""
import os
import pathlib
import random
import shutil

import pytest

from trees import CONNECTION, HEAD, IFACE_V6, INT, ISNS, SESSION, ST, C, I, S, Tree, clear, snapshot

N = int(os.environ.get("SISKIN_TREES", "16"))
SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "tests" / "data" / "db"
V6 = {k for k, _ in IFACE_V6}
NEW = "iqn.2026-11.com.example:brandnew"


def portal(host, port=None, tag=None):
    text = f"[{host}]" if ":" in host else host
    return text + (f":{port}" if port is not None else "") + (f",{tag}" if tag is not None else "")


def shows(t):
    """every way to look at a tree"""
    yield from ([], ["-P", "1"], ["-o", "show"], ["-S", "-o", "show"])
    for name in sorted({n[0] for n in t.nodes}):
        yield ["-T", name]
    for name, host, port, _, iface in t.nodes[:2]:
        yield ["-T", name, "-p", portal(host, port), "-I", iface]


def looks(t):
    for words in shows(t):
        yield ["-m", "node", *words]
    yield from (["-m", "iface"], ["-m", "iface", "-P", "1"])
    for name in t.ifaces:
        yield ["-m", "iface", "-I", name]
    yield from (["-m", "discovery"], ["-m", "discoverydb"], ["-m", "discovery", "-P", "1"])
    for top, host, port in t.sources:
        one = ["-m", "discoverydb", "-t", "st" if top == "send_targets" else "isns", "-p", portal(host, port)]
        yield one
        yield one + ["-S"]


def unordered(args, text):
    """2.1.8 tells these in the order in which the directories happen to stand: every line with the headings above it"""
    if args[1] not in ("discovery", "discoverydb") or "-t" in args:
        return text
    heads, rows = {}, set()
    for line in text.splitlines():
        depth = 3 if line.startswith("\t\t") else 2 if line.startswith("\t") else 1 if line.startswith("Target:") else 0
        if line.startswith("DiscoveryAddress:"):
            depth = .5
        heads = {d: x for d, x in heads.items() if d < depth}
        heads[depth] = line
        if not line.startswith(("Target:", "\tPortal:")):
            rows.add(tuple(heads[d] for d in sorted(heads)))
    return rows


def assert_same_looks(agent, looks_at, theirs_from=None):
    """@theirs_from puts another tree in place for 2.1.8"""
    looks_at = list(looks_at)
    ours = [agent.run("ours", *a) for a in looks_at]
    if theirs_from:
        theirs_from()
    for args, o in zip(looks_at, ours):
        t = agent.run("theirs", *args)
        assert (o.rc, unordered(args, o.out)) == (t.rc, unordered(args, t.out)), (args, o.err, t.err)


@pytest.fixture
def etc(agent):
    clear(agent.folder)
    yield agent.folder
    clear(agent.folder)


@pytest.fixture(scope="module")
def defaults(agent):
    """of a record in which 2.1.8 finds nothing: key -> value"""
    clear(agent.folder)
    path = agent.folder / f"nodes/{NEW}/192.0.2.1,3260,1/default"
    path.parent.mkdir(parents=True)
    path.write_text(f"node.name = {NEW}\nnode.tpgt = 1\nnode.conn[0].address = 192.0.2.1\n")
    shown = agent.run("theirs", "-m", "node", "-o", "show").out
    return dict(x.split(" = ", 1) for x in shown.splitlines() if " = " in x)


# --- reading ---

@pytest.mark.parametrize("sample", ["basic", "static", "ifaces", "chap", "isns", "fw"])
def test_what_the_incumbent_wrote_is_shown_alike(agent, etc, sample):
    shutil.copytree(SAMPLES / sample, etc, symlinks=True, dirs_exist_ok=True)
    t = Tree(0, "")
    t.nodes = [("iqn.2026-11.com.example:disk1", "127.0.0.1", 3260, 1, "default")]
    t.ifaces = {p.name: None for p in (etc / "ifaces").glob("*")}
    t.sources = [(p.parent.name, *p.name.split(",")) for top in ("send_targets", "isns") for p in (etc / top).glob("*,*")]
    assert_same_looks(agent, looks(t))


@pytest.mark.parametrize("number", range(N))
def test_generated_trees_are_shown_alike(agent, etc, number):
    t = Tree(number, "/etc/iscsi")
    t.write(etc)
    assert_same_looks(agent, looks(t))
    assert ".siskin" not in os.listdir(etc)     # looking writes nothing


@pytest.mark.parametrize("number", range(0, N, 2))
def test_unknown_keys_hide_nothing(agent, etc, number):
    """2.1.8 refuses the whole listing then: ours is held against its listing of the same tree without those keys."""
    Tree(number, "/etc/iscsi").write(etc)
    plain = snapshot(etc)
    odd = Tree(number, "/etc/iscsi")
    odd.odd()
    clear(etc)
    odd.write(etc)

    def put_back():
        for path, text in plain.items():
            if text is not None and not text.startswith("-> "):
                (etc / path).write_text(text, encoding="utf-8", errors="surrogateescape", newline="")

    assert_same_looks(agent, looks(odd), put_back)


SPELLINGS = {
    "crlf": lambda x: x + "\r",
    "blanks": lambda x: "  " + x.replace(" = ", "\t =   ", 1) + " \t",
    "comments": lambda x: "# a comment = of 1\n\n" + x,
    "no frame": lambda x: "" if x.startswith("# ") else x,
    "twice": lambda x: x if x.startswith("#") else x + "\n" + x,
}


@pytest.mark.parametrize("how", SPELLINGS)
@pytest.mark.parametrize("number", range(3))
def test_other_spellings_are_understood_alike(agent, etc, number, how):
    t = Tree(number, "/etc/iscsi")
    t.write(etc, SPELLINGS[how])
    assert_same_looks(agent, looks(t))


# --- writing ---

def legal(r):
    """a key of a node record and a value that both programs take"""
    key, values = r.choice(HEAD + SESSION + CONNECTION)
    narrow = {"nr_sessions": ["1", "3"], "cmds_max": ["0", "16", "4096"], "MaxConnections": ["1", "9"], "ERL": ["0", "2"],
              "MaxOutstandingR2T": ["1", "16"], "type_of_service": ["0", "255"], "DataSegmentLength": ["512", "16777215"],
              "BurstLength": ["512", "16777215"]}
    for part, words in narrow.items():
        if part in key:
            return key, r.choice(words)
    if isinstance(values, tuple):
        return key, r.choice(["x", "secret of 16 ch!", "a = b # c", ""])
    return key, r.choice(["0", "1", "120", "3600"]) if values is INT else str(r.choice(values))


def node_changes(t, r):
    (k1, v1), (k2, v2) = legal(r), legal(r)
    for name, host, port, tag, iface in r.sample(t.nodes, 1):
        at = ["-p", portal(host, port)]
        full = ["-p", portal(host, port, None if tag == -1 else tag)]
        for words in (["-T", name, *at], ["-T", name, *at, "-I", iface], ["-T", name], ["-p", portal(host, port)], []):
            yield ["-m", "node", *words, "-o", "update", "-n", k1, "-v", v1, "-n", k2, "-v", v2]
            yield ["-m", "node", *words, "-o", "delete"]
        for words in (["-T", name, *full], ["-T", name, *full, "-I", iface], ["-T", name, "-p", portal(host, port, 9)],
                      ["-T", name], at):
            yield ["-m", "node", *words, "-o", "new"]


def changes(t, r):
    if t.nodes:
        yield from node_changes(t, r)
    yield ["-m", "node", "-T", NEW, "-p", "[2001:db8::77]:3261,4", "-o", "new"]
    yield ["-m", "node", "-T", NEW, "-p", "192.0.2.77", "-o", "new"]
    yield ["-m", "node", "-T", NEW, "-o", "delete"]
    for name in list(t.ifaces)[:1] + ["new0", "new0.ipv6"]:
        yield ["-m", "iface", "-I", name, "-o", "new"]
        yield ["-m", "iface", "-I", name, "-o", "new", "-n", "iface.mtu", "-v", "1400"]
    for name in list(t.ifaces)[:1]:
        one = ["-m", "iface", "-I", name, "-o"]
        yield one + ["update", "-n", I + "initiatorname", "-v", "iqn.2026-11.com.example:other"]
        yield one + ["update", "-n", I + "vlan_id", "-v", "7", "-n", I + "state", "-v", "disable"]
        yield one + ["delete"]
    for top, host, port in t.sources[:2]:
        ref = ["-m", "discoverydb", "-t", "st" if top == "send_targets" else "isns", "-p", portal(host, port)]
        more = [(ST + "auth.password", "newsecret1234"), (ST + "reopen_max", "2")]
        more = more if top == "send_targets" else [(ISNS + "discoveryd_poll_inval", "60")]
        yield ref + ["-o", "new"]
        yield ref + ["-o", "update", *[w for k, v in more for w in ("-n", k, "-v", v)]]
        yield ref + ["-o", "delete"]
        if top == "send_targets":
            yield ["-m", "discovery", "-p", portal(host, port), "-o", "delete"]
    for kind, at in (("st", "198.51.100.1"), ("st", "[2001:db8::5]:3261"), ("isns", "198.51.100.1")):
        yield ["-m", "discoverydb", "-t", kind, "-p", at, "-o", "new"]


def meaning(files, defaults, without=()):
    """A record as keys and values, where a missing key has its default; folders that may stay empty do not count."""
    out = {}
    for path, text in files.items():
        if text is None:
            if "/" in path:
                out[path] = None
        elif path.startswith("nodes/") and not text.startswith("-> "):
            pairs = dict(x.split(" = ", 1) for x in text.splitlines() if " = " in x)
            out[path] = {k: v for k, v in pairs.items() if defaults.get(k) != v and k not in without}
        else:
            out[path] = text
    return out


def bytes_and_folders(files):
    return {p: x for p, x in files.items() if x is not None or "/" in p}


def both(agent, t, args):
    made = []
    for who in ("theirs", "ours"):
        clear(agent.folder)
        t.write(agent.folder)
        r = agent.run(who, *args)
        made.append((r.rc, sorted(r.out.splitlines()), r.err, snapshot(agent.folder)))
    return made


@pytest.mark.parametrize("number", range(0, N, 8))
def test_every_change_leaves_the_same_tree(agent, etc, defaults, number):
    """The same bytes, but: 2.1.8 loses an IPv6 iface's fields whenever it rewrites a node record, and writes the records of an
    iface that is made anew although nothing in them changes."""
    t = Tree(number, "/etc/iscsi")
    for args in changes(t, random.Random(number)):
        (rc, out, err, theirs), (our_rc, our_out, our_err, ours) = both(agent, t, args)
        assert (rc, out) == (our_rc, our_out), (args, err, our_err)
        if args[1] in ("node", "iface") and any(v6 for v6, _ in t.ifaces.values()) or args[1] == "iface" and args[-1] == "new":
            assert meaning(ours, defaults, V6) == meaning(theirs, defaults, V6), args
        else:
            assert bytes_and_folders(ours) == bytes_and_folders(theirs), args


def rounds(t, r):
    """changes that rewrite every record of the tree"""
    key, value = legal(r)
    if t.nodes:
        yield ["-m", "node", "-o", "update", "-n", key, "-v", value]
    for name in t.ifaces:
        yield ["-m", "iface", "-I", name, "-o", "update", "-n", I + "vlan_id", "-v", "9"]
    for top, host, port in t.sources:
        key = ST + "reopen_max" if top == "send_targets" else ISNS + "discoveryd_poll_inval"
        yield ["-m", "discoverydb", "-t", "st" if top == "send_targets" else "isns", "-p", portal(host, port), "-o", "update",
               "-n", key, "-v", "77"]


@pytest.mark.parametrize("number", range(0, N, 2))
def test_unknown_keys_survive_a_rewrite_and_the_incumbent_reads_the_rest(agent, etc, number):
    t = Tree(number, "/etc/iscsi")
    kept = t.odd()
    t.write(etc)
    for args in rounds(t, random.Random(number)):
        assert agent.run("ours", *args).rc == 0, args
    for path, lines in kept.items():
        text = (etc / path).read_text(encoding="utf-8").splitlines()
        assert set(lines) <= set(text), path
        # the same file without them is one of the incumbent's own
        (etc / path).write_text("".join(x + "\n" for x in text if x not in lines), encoding="utf-8")
    assert_same_looks(agent, looks(t))


# what a target tells in turn; the third time one target is gone, one came, one has another portal and one another tag
ANSWERS = [
    {NEW + "1": ["192.0.2.1:3260,1", "[2001:db8::1]:3260,1"], NEW + "2": ["192.0.2.2:3261,2"], NEW + "3": ["192.0.2.3:3260,1"]},
    {NEW + "1": ["192.0.2.1:3260,1", "[2001:db8::1]:3260,1"], NEW + "2": ["192.0.2.2:3261,2"], NEW + "3": ["192.0.2.3:3260,1"]},
    {NEW + "1": ["192.0.2.1:3260,1"], NEW + "3": ["192.0.2.3:3260,9"], NEW + "4": ["192.0.2.4:3260,1", "192.0.2.5:3260,0"]},
]
OPS = [(), ("new",), ("update",), ("delete",), ("new", "delete"), ("nonpersistent",)]


@pytest.mark.parametrize("mode,ops", [("discovery", o) for o in OPS] + [("discoverydb", o) for o in (OPS if N > 16 else OPS[:1])],
                         ids=lambda x: x if isinstance(x, str) else "+".join(x) or "none")
def test_discoveries_leave_the_same_tree(agent, etc, ops, mode):
    """Three discoveries each: the same is printed and stored. (What was set by hand differs on purpose: tests/e2e/test_kept_settings.py)"""
    words = [w for o in ops for w in ("-o", o)] + (["-D"] if mode == "discoverydb" else [])
    trees, said = {}, {}
    for who in ("theirs", "ours"):
        clear(etc)
        for name in ("if0", "if1"):     # with names of their own, so that no daemon is asked
            agent.run("ours", "-m", "iface", "-I", name, "-o", "new", "-n", I + "initiatorname", "-v", NEW + name)
        for n, answer in enumerate(ANSWERS):
            agent.target(answer)
            r = agent.run(who, "-m", mode, "-t", "st", "-p", "127.0.0.1", "-I", "if0", "-I", "if1", *words)
            said.setdefault(who, []).append((r.rc, r.out))
            trees.setdefault(who, []).append(bytes_and_folders(snapshot(etc)))
    assert said["ours"] == said["theirs"]
    assert trees["ours"] == trees["theirs"]


def test_both_at_once_lose_nothing(agent, etc):
    """Each changes a key of its own of the same record, all at the same time."""
    agent.run("ours", "-m", "node", "-T", NEW, "-p", "192.0.2.1,1", "-o", "new")
    keys = [k for k, v in SESSION + CONNECTION if v is INT and "iscsi" not in k][:12]
    for n in range(4):
        value = str(20 + n)
        done = agent.together([(("ours", "theirs")[i % 2], ["-m", "node", "-T", NEW, "-o", "update", "-n", k, "-v", value])
                               for i, k in enumerate(keys)])
        assert [(r.rc, r.err) for r in done] == [(0, "")] * len(keys)
        shown = agent.run("theirs", "-m", "node", "-o", "show").out.splitlines()
        assert not {f"{k} = {value}" for k in keys} - set(shown)


def test_names_of_keys_agree(agent, etc):
    """what is generated here is all that 2.1.8 knows"""
    t = Tree(0, "/etc/iscsi")
    known = {k for k, _ in HEAD + SESSION + CONNECTION} | {"node.name", "node.tpgt", "node.discovery_address",
                                                           "node.discovery_port", "node.discovery_type", C + "address", C + "port"}
    agent.run("theirs", "-m", "node", "-T", NEW, "-p", "192.0.2.1,1", "-o", "new")
    shown = agent.run("theirs", "-m", "node", "-o", "show").out
    assert {x.split(" = ")[0] for x in shown.splitlines() if x.startswith("node.")} == known
    assert t.random is not None and S in "".join(known)
