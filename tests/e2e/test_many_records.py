# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many node records: what one command costs does not grow with them, and odd ones do not disturb a listing."""
import os
import random
import re
import shutil
import subprocess

import pytest

from test_records_cli import ISCSIADM, Adm


N = 200
OPENED = 30     # files, to show one of however many


def target(i):
    return f"iqn.2026-11.lab.test:many-{i:04d}"


def line(i, tag=1):
    return f"192.0.2.{i % 250 + 1}:3260,{tag} {target(i)}\n"


def folder(i):
    return f"nodes/{target(i)}/192.0.2.{i % 250 + 1},3260,1"


@pytest.fixture
def many(tmp_path):
    """N records, the first made by iscsiadm, the others copies of it"""
    adm = Adm(tmp_path)
    adm.ok("-m", "node", "-T", target(0), "-p", "192.0.2.1:3260,1", "-o", "new")
    text = adm.text(folder(0) + "/default")
    for i in range(1, N):
        d = adm.db / folder(i)
        d.mkdir(parents=True)
        (d / "default").write_text(text.replace(target(0), target(i)).replace("192.0.2.1", f"192.0.2.{i % 250 + 1}"))
    return adm


def test_the_list_is_complete_and_in_order(many):
    assert many.ok("-m", "node") == "".join(line(i) for i in range(N))
    tree = many.ok("-m", "node", "-P", "1")
    assert re.findall(r"^Target: (.*)$", tree, re.M) == [target(i) for i in range(N)]


DAMAGE = {
    "empty": lambda f: f.write_text(""),
    "cut": lambda f: f.write_bytes(f.read_bytes()[:40]),
    "noise": lambda f: f.write_bytes(random.Random(7).randbytes(2100)),
    "other target": lambda f: f.write_text(f.read_text().replace(f.parts[-3], "iqn.2026-11.lab.test:other")),
    "other address": lambda f: f.write_text(f.read_text().replace("192.0.2.", "198.51.100.")),
    "other tag": lambda f: f.write_text(f.read_text().replace("node.tpgt = 1", "node.tpgt = 2")),
    "said twice": lambda f: f.write_text(f.read_text() + "  node.conn[0].port = 3261\n"),
    "directory": lambda f: (f.unlink(), f.mkdir()),
    "link": lambda f: (f.rename(f.parents[3] / "elsewhere"), f.symlink_to(f.parents[3] / "elsewhere")),
    "dangling link": lambda f: (f.unlink(), f.symlink_to("nowhere")),
    "fifo": lambda f: (f.unlink(), os.mkfifo(f)),
    "socket": lambda f: (f.unlink(), os.mknod(f, 0o140600)),
    "all NUL": lambda f: f.write_bytes(bytes(2100)),
    "NULs in it": lambda f: f.write_bytes(f.read_bytes().replace(b"node.name", b"node.\0name")),
    "endless": lambda f: f.write_text(f.read_text() + "x" * 300000),
    "endless name": lambda f: f.write_text(f.read_text().replace("node.name = ", "node.name = " + "x" * 3000)),
    "another's": lambda f: f.write_text(f.read_text().replace("node.tpgt", "discovery.startup")),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_one_damaged_record_among_200_is_told_and_hides_no_other(many, how):
    bad = 100
    DAMAGE[how](many.db / folder(bad) / "default")
    for args in ((), ("-o", "show")):
        r = many("-m", "node", *args)
        shown = r.stdout if not args else "".join(
            f"{a}:3260,1 {t}\n" for t, a in re.findall(r"^node.name = (.*)\n(?:.*\n)*?node.conn\[0\].address = (.*)$",
                                                      r.stdout, re.M))
        assert r.returncode == 0
        assert shown == "".join(line(i) for i in range(N) if i != bad)
        assert len([x for x in r.stderr.splitlines() if "iSCSI WARNING" in x and target(bad) in x]) == 1, r.stderr


HARMLESS = {
    "a huge line": lambda f: f.write_text(f.read_text() + "# " + "x" * 100000 + "\n"),
    "CRLF": lambda f: f.write_bytes(f.read_bytes().replace(b"\n", b"\r\n")),
    "no final newline": lambda f: f.write_text(f.read_text().rstrip("\n")),
    "noise behind": lambda f: f.write_bytes(f.read_bytes() + random.Random(7).randbytes(500).replace(b"\n", b"") + b"\n"),
    "an odd value": lambda f: f.write_text(f.read_text().replace("queue_depth = 32", "queue_depth = many")),
    "an unknown key": lambda f: f.write_text(f.read_text() + "node.session.from_the_future = 1\n"),
}


@pytest.mark.parametrize("how", HARMLESS)
def test_what_is_odd_but_names_its_record_is_listed_with_the_others(many, how):
    HARMLESS[how](many.db / folder(100) / "default")
    listed = many("-m", "node")
    assert (listed.returncode, listed.stdout) == (0, "".join(line(i) for i in range(N)))
    assert len(listed.stderr.splitlines()) <= 1
    shown = many("-m", "node", "-o", "show")
    assert shown.returncode == 0 and shown.stdout.count("# BEGIN RECORD") == N
    many("-m", "node", "-T", target(100), "-o", "update", "-n", "node.startup", "-v", "automatic")
    assert "node.startup = automatic\n" in many("-m", "node", "-T", target(100)).stdout
    assert many("-m", "node").stdout == listed.stdout


def test_an_unreadable_record_hides_no_other(many):
    if os.geteuid():
        pytest.skip("needs root to become somebody else")
    program = many.db.parent / "iscsiadm"
    shutil.copy(ISCSIADM, program)
    for p in (many.db.parent, many.db, *many.db.rglob("*")):
        os.lchown(p, 65534, 65534)
    (many.db / folder(100) / "default").chmod(0)
    for p in many.db.parents[:3]:
        p.chmod(p.stat().st_mode | 0o055)
    r = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", program, "-m", "node"], env=many.env, capture_output=True,
                       text=True)
    assert r.returncode == 0 and r.stdout == "".join(line(i) for i in range(N) if i != 100)
    assert target(100) in r.stderr and "Permission denied" in r.stderr


@pytest.mark.parametrize("how", [h for h in DAMAGE if not h.startswith(("other", "said", "another", "link"))])
def test_one_damaged_iface_or_discovery_record_hides_no_other(many, how):
    for i in range(5):
        many.ok("-m", "iface", "-I", f"if{i}", "-o", "new")
        many.ok("-m", "discoverydb", "-t", "st", "-p", f"192.0.2.{i + 1}", "-o", "new")
    ifaces = many.ok("-m", "iface").splitlines()
    sources = many.ok("-m", "discovery").splitlines()
    for f in (many.db / "ifaces" / "if2", many.db / "send_targets" / "192.0.2.3,3260" / "st_config"):
        DAMAGE[how](f)
    for args, lines, bad in ((("-m", "iface"), ifaces, "if2"), (("-m", "discovery"), sources, "192.0.2.3:3260")):
        r = many(*args)
        left = [x for x in lines if not x.startswith(bad)]
        assert r.returncode == 0
        # what is cut or holds less than it should may still name itself
        assert [x for x in r.stdout.splitlines() if not x.startswith(bad)] == left, r.stderr


def test_unusual_but_good_records_are_listed(many):
    f = many.db / folder(5) / "default"
    f.write_text(f.read_text().replace("node.tpgt = 1\n", "  node.tpgt =   1  \n").replace("# END RECORD\n", ""))
    g = many.db / folder(6) / "default"
    g.write_text(f"node.name = {target(6)}\nnode.tpgt = 1\nnode.conn[0].address = 192.0.2.7\n")
    h = many.db / folder(7) / "default"
    h.write_text(h.read_text() + "# a comment\n" * 400)
    single = (many.db / folder(8)).with_name("192.0.2.9,3260")
    single.write_text((many.db / folder(8) / "default").read_text().replace("node.tpgt = 1\n", ""))
    want = [line(i) for i in range(N)]
    want.insert(8, line(8, 4294967295))
    assert many.ok("-m", "node") == "".join(want)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("args", [(), ("-o", "show"),
                                  ("-o", "update", "-n", "node.session.timeo.replacement_timeout", "-v", "7")],
                         ids=["select", "show", "update"])
def test_one_record_of_many_opens_few_files(many, args, tmp_path):
    trace = tmp_path / "trace"
    words = ["-m", "node", "-T", target(77), "-p", "192.0.2.78:3260", *args]
    r = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=open,openat,openat2,creat", ISCSIADM, *words], env=many.env,
                       capture_output=True, text=True, timeout=60)
    if r.returncode and "ptrace" in r.stderr:
        pytest.skip("no tracing here")
    assert r.returncode == 0, r.stderr
    opened = re.findall(r"\bopen(?:at2?)?\(.*\) = \d+$", trace.read_text(), re.M)
    assert 1 <= len(opened) <= OPENED, "\n".join(opened)
