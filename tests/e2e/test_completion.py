# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shell completions: bash's completes options, words and what is stored; the others parse where there is such a shell."""
import shutil
import subprocess

import pytest

from test_records_cli import BUILD, ISCSIADM, PORTAL, TARGET, one, adm  # noqa: F401  (fixtures)
from test_sessions_cli import Sysfs

DOCS = BUILD / "docs"
WORDS = """
source "$1"; shift
COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
_iscsiadm
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(one):  # noqa: F811
    def run(line, breaks=None):
        env = dict(one.env, PATH=f"{ISCSIADM.parent}:/usr/bin:/bin")
        script = (f"COMP_WORDBREAKS={breaks!r}\n" if breaks is not None else "") + WORDS
        r = subprocess.run(["bash", "--norc", "-c", script, "bash", DOCS / "iscsiadm", line], env=env, capture_output=True,
                           text=True, timeout=60)
        assert r.stderr == ""
        return r.stdout.split()

    return run


def test_modes_and_operations(complete):
    assert complete("iscsiadm -m ") == ["discovery", "discoverydb", "node", "session", "iface", "fw", "host"]
    assert complete("iscsiadm -m disc") == ["discovery", "discoverydb"]
    assert complete("iscsiadm --mode=no") == ["node"]
    assert complete("iscsiadm -m node -o d") == ["delete"]
    assert complete("iscsiadm -m discovery -t s") == ["sendtargets", "st", "slp"]
    assert complete("iscsiadm -m node -L m") == ["manual"]


def test_options_are_those_of_the_mode(complete):
    assert "--targetname" in complete("iscsiadm -m node --t")
    assert complete("iscsiadm -m session --t") == []
    assert "-r" in complete("iscsiadm -m session -")
    assert complete("iscsiadm --vers") == ["--version"]


def test_what_is_stored(complete, one):  # noqa: F811
    one.ok("-m", "iface", "-I", "storage0", "-o", "new")
    assert complete("iscsiadm -m node -T ", breaks=" ") == [TARGET]
    assert complete("iscsiadm -m node -T iqn.2026", breaks=" ") == [TARGET]
    assert complete("iscsiadm -m node -T iqn.1999", breaks=" ") == []
    assert complete("iscsiadm -m node -p 192", breaks=" ") == [PORTAL.split(",")[0]]
    assert complete("iscsiadm -m node -I sto") == ["storage0"]
    assert complete("iscsiadm -m node -I ") == ["default", "iser", "storage0"]


def test_colons_split_words_in_bash(complete):
    head, tail = TARGET.split(":")
    assert complete(f"iscsiadm -m node -T {head}:", breaks=" :=") == [tail]
    assert complete(f"iscsiadm -m node -T {TARGET[:-2]}", breaks=" :=") == [tail]


def test_keys(complete):
    assert complete("iscsiadm -m node -o update -n node.session.sc") == ["node.session.scan"]
    assert complete("iscsiadm -m node -o update -n node.sta") == ["node.startup"]


def test_sids(complete, one):  # noqa: F811
    assert complete("iscsiadm -m session -r ") == []
    (one.db.parent / "sysfs").rmdir()
    sys = Sysfs(one.db.parent / "sysfs")
    for sid in (3, 12):
        sys.session(sid, TARGET, sid)
    assert complete("iscsiadm -m session -r ") == ["12", "3"]
    assert complete("iscsiadm -m session --sid=1") == ["12"]


def test_stored_names_are_words_and_nothing_else(complete, one, tmp_path):  # noqa: F811
    name = "x$(touch hacked)`touch hacked`*"
    one.ok("-m", "iface", "-I", name, "-o", "new")
    assert "x$(touch" in complete("iscsiadm -m iface -I x")
    assert not list(tmp_path.rglob("hacked"))


def test_ipv6_portals_have_brackets(complete, one):  # noqa: F811
    one.ok("-m", "node", "-T", TARGET, "-p", "[2001:db8::1]:3261,1", "-o", "new")
    assert complete("iscsiadm -m node -p ", breaks=" ") == ["192.0.2.1:3260", "[2001:db8::1]:3261"]


@pytest.mark.parametrize("shell,name", [("bash", "iscsiadm"), ("zsh", "_iscsiadm"), ("fish", "iscsiadm.fish")])
def test_syntax(shell, name):
    text = (DOCS / name).read_text()
    assert "--json -m session" in text and "targetname" in text
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", DOCS / name], check=True, timeout=60)
