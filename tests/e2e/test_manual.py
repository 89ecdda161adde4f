# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsid.conf(5) against the programs: every key is there with what it means, what is legal, its default and when it holds; and what it
says is legal is what iscsiadm takes."""
import re

import pytest

from test_records_cli import BUILD, TARGET, TOP, Adm

PAGE = BUILD / "docs" / "iscsid.conf.5"
EFFECTS = {"Holds from the next login on.", "Read when sessions are started by class.", "Holds from the next discovery on.",
           "Names the record: set when it is made.", "For offload hardware alone.", "Kept for other tools, without effect here."}
DISC = ["-m", "discoverydb", "-t", "st", "-p", "192.0.2.9"]
ISNS = ["-m", "discoverydb", "-t", "isns", "-p", "192.0.2.9"]
NODE = ["-m", "node", "-T", TARGET]
OFTEN = re.compile(r"(.+)\.\nLegal: (.+)\. Default: (.*)\.\n(.+)\n")


def sections():
    """title -> {key: (meaning, legal, default, effect)}"""
    text = PAGE.read_text().replace("\\-", "-")
    out = {}
    for part in re.split(r"^\.SH ", text, flags=re.M)[1:]:
        title, body = part.split("\n", 1)
        rows = {}
        for row in body.split(".TP\n.B ")[1:]:
            key, about = row.split("\n", 1)
            m = OFTEN.match(about)
            if m:
                rows[key] = m.groups()
        out[title] = rows
    return out


@pytest.fixture(scope="module")
def page():
    return sections()


@pytest.fixture
def adm(tmp_path):
    adm = Adm(tmp_path)
    adm.ok("-m", "iface", "-I", "if0", "-o", "new")
    adm.ok("-m", "iface", "-I", "if0.ipv6", "-o", "new")
    adm.ok(*NODE, "-p", "192.0.2.1,1", "-o", "new")
    adm.ok(*DISC, "-o", "new")
    adm.ok(*ISNS, "-o", "new")
    return adm


def shown(adm, *args):
    return dict(x.split(" = ", 1) for x in adm.ok(*args).splitlines() if " = " in x)


def test_every_key_is_documented(page, adm):
    where = [("NODE RECORDS", NODE, "node."), ("IFACES", NODE, "iface."), ("IFACES", ["-m", "iface", "-I", "if0"], "iface."),
             ("IFACES", ["-m", "iface", "-I", "if0.ipv6"], "iface."), ("SENDTARGETS DISCOVERY RECORDS", DISC, ""),
             ("ISNS DISCOVERY RECORDS", ISNS, "")]
    for title, args, prefix in where:
        keys = {k for k in shown(adm, *args) if k.startswith(prefix)}
        assert keys and keys <= set(page[title]), (title, keys - set(page[title]))
    for rows in page.values():
        for key, (meaning, legal, default, effect) in rows.items():
            assert len(meaning) > 2 and legal and default, key
            assert effect in EFFECTS, key
            if key.endswith(("timeout", "_inval")):
                assert legal.endswith(" s"), key
            if "Length" in key:
                assert legal.endswith(" bytes"), key


def test_defaults_are_those_of_new_records(page, adm):
    named = {"node.name", "node.tpgt", "node.conn[0].address", "node.conn[0].port", "discovery.type", "iface.iscsi_ifacename",
             "iface.transport_name", "discovery.sendtargets.address", "discovery.sendtargets.port"}
    for title, args in (("NODE RECORDS", NODE), ("SENDTARGETS DISCOVERY RECORDS", DISC), ("ISNS DISCOVERY RECORDS", ISNS)):
        for key, value in shown(adm, *args).items():
            if key in page[title] and key not in named:
                assert page[title][key][2] == value.replace("<empty>", "none"), key


def test_every_setting_of_the_programs_is_documented():
    """what the sources ask iscsid.conf for"""
    asked = set()
    for path in (TOP / "src").rglob("*.c"):
        asked |= set(re.findall(r'sk_conf_get\([^;]*?"((?:iscsid|discovery|node|initiatorname)\.[\w.]+)"', path.read_text()))
    assert "iscsid.startup" in asked
    text = PAGE.read_text().replace("\\-", "-")
    assert not {k for k in asked if f".B {k}\n" not in text}


def values(legal):
    """(some that are legal, some that are not)"""
    numbers = re.match(r"(0 or )?(-?\d+)\.\.(-?\d+)", legal)
    words = re.match(r"one of: (.*)", legal)
    if numbers:
        zero, low, high = bool(numbers[1]), int(numbers[2]), int(numbers[3])
        bad = [high + 1, f"{high}x", "many", ""] + ([] if zero and low == 1 else [low - 1])
        return [low, high] + [0] * zero, bad
    if words:
        words = words[1].split(" | ")
        return words, [words[0] + "x", words[0].swapcase(), ""]
    if legal.startswith("a comma separated list of: "):
        return legal[27:].split(", "), []       # unknown words of a list are left out, and that is said
    length = int(re.match(r"at most (\d+) bytes", legal)[1])
    return ["x", "x" * length], ["x" * (length + 1), "a\nb", " a"]


def targets_of(title, key):
    if title == "NODE RECORDS":
        return NODE
    if title == "IFACES":
        return None if key == "iface.transport_name" else "iface"
    return DISC if title.startswith("SEND") else ISNS


@pytest.mark.parametrize("title", ["NODE RECORDS", "IFACES", "SENDTARGETS DISCOVERY RECORDS", "ISNS DISCOVERY RECORDS"])
def test_what_is_legal_is_taken_and_nothing_else(page, adm, title):
    changed = 0
    for key, (_, legal, _, effect) in page[title].items():
        args = targets_of(title, key)
        if effect.startswith("Names the record") or not args:
            continue
        good, bad = values(legal)
        if args == "iface":
            v6 = key not in shown(adm, "-m", "iface", "-I", "if0")
            args = ["-m", "iface", "-I", "if0.ipv6" if v6 else "if0"]
            bound = {"iface.hwaddress", "iface.net_ifacename", "iface.ipaddress", "iface.bootproto"}    # these change the kind
            if key in bound:
                continue
        pairs = [w for v in good for w in ("-n", key, "-v", str(v))]
        r = adm(*args, "-o", "update", *pairs)
        assert (r.returncode, r.stderr) == (0, ""), (key, r.stderr)
        assert "MD5" in legal or shown(adm, *args, *([] if title == "IFACES" else ["-S"]))[key] == str(good[-1])
        before = shown(adm, *args)
        for v in bad[:3]:
            r = adm(*args, "-o", "update", "-n", key, "-v", str(v))
            assert r.returncode == 7 and key in r.stderr, (key, v, r.stderr)
        assert shown(adm, *args) == before
        changed += 1
    assert changed >= 2
