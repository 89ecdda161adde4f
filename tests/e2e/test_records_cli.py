# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records through the real iscsiadm, without a daemon: bad input is named and refused, and what was kept is kept."""
import json
import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()
ISCSIADM = BUILD / "src" / "iscsiadm" / "iscsiadm"

TARGET = "iqn.2026-11.lab.test:disk1"
PORTAL = "192.0.2.1:3260,1"
RECORD = f"nodes/{TARGET}/192.0.2.1,3260,1/default"


class Adm:
    """iscsiadm with private directories; call it with arguments"""

    def __init__(self, root):
        self.db = root / "db"
        for d in ("home", "db", "run", "sysfs"):
            (root / d).mkdir(exist_ok=True)
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SISKIN_HOMEDIR": str(root / "home"),
            "SISKIN_DBROOT": str(self.db),
            "SISKIN_RUNDIR": str(root / "run"),
            "SISKIN_SYSFS": str(root / "sysfs"),
        }

    def __call__(self, *args, stdin=None, pass_fds=()):
        return subprocess.run([ISCSIADM, *args], env=self.env, input=stdin, capture_output=True, timeout=60, text=True,
                              pass_fds=pass_fds, stdin=subprocess.DEVNULL if stdin is None else None,
                              errors="surrogateescape")

    def ok(self, *args, **how):
        r = self(*args, **how)
        assert r.returncode == 0, r.stderr
        assert r.stderr == ""
        return r.stdout

    def files(self):
        return sorted(str(p.relative_to(self.db)) for p in self.db.rglob("*")
                      if (p.is_symlink() or not p.is_dir()) and ".siskin" not in p.parts)

    def text(self, name=RECORD):
        return (self.db / name).read_text()


@pytest.fixture
def adm(tmp_path):
    return Adm(tmp_path)


@pytest.fixture
def one(adm):
    """with one record"""
    adm.ok("-m", "node", "-T", TARGET, "-p", PORTAL, "-o", "new")
    return adm


BAD_NAMES = [
    ("../evil", "could leave"),
    ("..", "could leave"),
    ("iqn.2026-11.lab.test:a/../../b", "could leave"),
    ("iqn.2026-11.lab.test:" + "x" * 230, "223"),
    ("iqn.2026-11.lab.test:a\nnode.startup = automatic", "\\x0a"),
    ("iqn.2026-11.lab.test:\x1b[31mred", "\\x1b"),
]


@pytest.mark.parametrize("op", ["new", "show", "update", "delete"])
@pytest.mark.parametrize("name,said", BAD_NAMES, ids=["traverse", "dots", "inside", "long", "newline", "escape"])
def test_hostile_target_names_are_named_and_refused(one, name, said, op):
    before = one.files()
    r = one("-m", "node", "-T", name, "-p", PORTAL, "-o", op, "-n", "node.startup", "-v", "automatic")
    assert r.returncode == 7
    assert r.stdout == ""
    assert said in r.stderr
    assert "\x1b" not in r.stderr and len(r.stderr.splitlines()) == 1
    assert one.files() == before
    assert not (one.db.parent / "evil").exists()


@pytest.mark.parametrize("name", ["disk1", "iqn.bad", "iqn.2026-13.x:y", "iqn.2026-11.lab.test:a b", "iqn.2026-11.lab.test:a,b"])
def test_a_name_that_is_no_iscsi_name_gets_no_record(adm, name):
    r = adm("-m", "node", "-T", name, "-p", PORTAL, "-o", "new")
    assert r.returncode == 7
    assert name in r.stderr
    assert adm.files() == []


@pytest.mark.parametrize("portal,said", [
    ("[::1", "brackets"),
    ("192.0.2.1:70000", "70000"),
    ("192.0.2.1:0", "0"),
    ("192.0.2.1:abc", "abc"),
    ("192.0.2.1:3260,99999", "99999"),
    ("", "empty"),
    ("a/b", "/"),
])
def test_bad_portals_are_refused_and_select_nothing(one, portal, said):
    for op in ("new", "delete", "show"):
        r = one("-m", "node", "-p", portal, "-o", op)
        assert r.returncode == 7, r.stdout
        assert said in r.stderr
        assert r.stdout == ""
    assert one.files() == [RECORD, f"static/{TARGET},192.0.2.1,3260,1,default"]


@pytest.mark.parametrize("key,value,legal", [
    ("node.session.timeo.replacement_timeout", "abc", "-1..2147483647"),
    ("node.session.timeo.replacement_timeout", "12x", "-1..2147483647"),
    ("node.session.timeo.replacement_timeout", "", "-1..2147483647"),
    ("node.conn[0].iscsi.MaxRecvDataSegmentLength", "1", "512..16777215"),
    ("node.session.nr_sessions", "99999999999999", "legal"),
])
def test_bad_numbers_name_key_value_and_range(one, key, value, legal):
    before = one.text()
    r = one("-m", "node", "-T", TARGET, "-o", "update", "-n", key, "-v", value)
    assert r.returncode == 7
    assert key in r.stderr and value in r.stderr and legal in r.stderr
    assert one.text() == before


def test_one_bad_pair_keeps_the_good_ones_out(one):
    before = one.text()
    r = one("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.startup", "-v", "automatic", "-n",
            "node.session.queue_depth", "-v", "many")
    assert r.returncode == 7
    assert one.text() == before


def test_a_value_cannot_bring_a_second_line(one):
    before = one.text()
    r = one("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.session.auth.username", "-v",
            "x\nnode.startup = automatic")
    assert r.returncode == 7
    assert one.text() == before


def test_a_record_with_an_unknown_key_is_listed_and_keeps_it(one):
    path = one.db / RECORD
    path.write_text(path.read_text().replace("# END", "node.session.from_the_future = 7\n# END"))
    r = one("-m", "node")
    assert r.returncode == 0
    assert r.stdout == f"192.0.2.1:3260,1 {TARGET}\n"
    assert r.stderr == ""       # a list tells names, and the name is good
    assert "node.session.from_the_future" in one("-m", "node", "-o", "show").stderr
    one.ok("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.startup", "-v", "automatic")
    assert "node.session.from_the_future = 7\n" in one.text()
    assert "node.startup = automatic\n" in one.text()


def test_an_empty_record_hides_no_other(one):
    other = one.db / "nodes" / "iqn.2026-11.lab.test:disk0" / "192.0.2.1,3260,1"
    other.mkdir(parents=True)
    (other / "default").write_text("")
    r = one("-m", "node")
    assert r.returncode == 0
    assert f"192.0.2.1:3260,1 {TARGET}\n" in r.stdout
    assert "disk0" in r.stdout + r.stderr
    assert "[]:" not in r.stdout


def test_a_stray_file_in_nodes_is_ignored(one):
    (one.db / "nodes" / ".dracut").write_text("")
    (one.db / "nodes" / "README").write_text("hello")
    assert one("-m", "node").stdout == f"192.0.2.1:3260,1 {TARGET}\n"


def test_updates_at_the_same_time_all_survive(one):
    keys = ["node.session.queue_depth", "node.session.cmds_max", "node.conn[0].timeo.login_timeout",
            "node.conn[0].timeo.logout_timeout", "node.session.reopen_max", "node.session.timeo.replacement_timeout"]
    jobs = [subprocess.Popen([ISCSIADM, "-m", "node", "-T", TARGET, "-o", "update", "-n", k, "-v", "64"], env=one.env)
            for k in keys]
    assert [j.wait(timeout=60) for j in jobs] == [0] * len(keys)
    for k in keys:
        assert f"{k} = 64\n" in one.text()


def test_a_full_disk_keeps_the_old_record(tmp_path):
    db = tmp_path / "db"
    db.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", db], capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        adm = Adm(tmp_path)
        adm.ok("-m", "node", "-T", TARGET, "-p", PORTAL, "-o", "new")
        before = adm.text()
        with open(db / "filler", "wb", buffering=0) as f:
            while True:
                try:
                    f.write(b"x" * 4096)
                except OSError:
                    break
        r = adm("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.startup", "-v", "automatic")
        assert r.returncode == 6
        assert "No space left on device" in r.stderr
        assert adm.text() == before
        r = adm("-m", "node", "-T", TARGET + "2", "-p", PORTAL, "-o", "new")
        assert r.returncode == 6
        assert r.stdout == ""
        assert adm.ok("-m", "node") == f"192.0.2.1:3260,1 {TARGET}\n"
        (db / "filler").unlink()
        adm.ok("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.startup", "-v", "automatic")
        assert "node.startup = automatic\n" in adm.text()
    finally:
        subprocess.run(["umount", "-l", db], check=True)


def test_secrets_need_not_be_on_the_command_line(one, tmp_path):
    key = "node.session.auth.password"
    update = ("-m", "node", "-T", TARGET, "-o", "update", "-n", key, "-v")
    secret = tmp_path / "secret"
    secret.write_text("from-a-file-01\n")
    secret.chmod(0o600)
    one.ok(*update, f"@{secret}")
    assert f"{key} = from-a-file-01\n" in one.text()
    one.ok(*update, "-", stdin="from-stdin-0001\n")
    assert f"{key} = from-stdin-0001\n" in one.text()
    r, w = os.pipe()
    os.write(w, b"from-a-pipe-001")
    os.close(w)
    one.ok(*update, f"@fd:{r}", pass_fds=(r,))
    os.close(r)
    assert f"{key} = from-a-pipe-001\n" in one.text()
    one.ok(*update, "@@literal-at-sign")
    assert f"{key} = @literal-at-sign\n" in one.text()


def test_a_secret_file_others_may_read_is_refused(one, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("everybody-knows\n")
    secret.chmod(0o644)
    before = one.text()
    r = one("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.session.auth.password", "-v", f"@{secret}")
    assert r.returncode == 7
    assert str(secret) in r.stderr and "everybody-knows" not in r.stderr
    assert one.text() == before


def test_a_refused_secret_is_not_repeated(one):
    r = one("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.session.auth.password", "-v", "s3cr\x01et-word")
    assert r.returncode == 7
    assert "et-word" not in r.stderr


def test_files_are_private(one):
    for p in [one.db / "nodes", *(one.db / "nodes").rglob("*")]:
        assert p.lstat().st_mode & 0o077 == 0, p


def test_who_may_not_read_the_database_still_sees_what_runs(one, tmp_path):
    if os.geteuid():
        pytest.skip("needs root to become somebody else")
    program = pathlib.Path("/tmp") / f"iscsiadm-{os.getpid()}"
    program.write_bytes(ISCSIADM.read_bytes())
    program.chmod(0o755)
    env = {**one.env, "SISKIN_DBROOT": "/proc/1/root/nobody", "SISKIN_HOMEDIR": "/nonexistent",
           "SISKIN_RUNDIR": "/nonexistent", "SISKIN_SYSFS": "/nonexistent"}
    try:
        for mode, code in (("session", 21), ("host", 21), ("node", 6), ("discovery", 6)):
            r = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", program, "-m", mode], env=env,
                               capture_output=True, text=True)
            assert r.returncode == code, (mode, r.stderr)
    finally:
        program.unlink()


def test_json_never_shows_secrets_unless_asked(one):
    one.ok("-m", "node", "-o", "update", "-n", "node.session.auth.password", "-v", "secret12charsX")
    hidden = one.ok("-m", "node", "-o", "show", "-J")
    assert "secret12charsX" not in hidden
    assert json.loads(hidden)["nodes"][0]["record"]["node.session.auth.password"] is None
    shown = json.loads(one.ok("-m", "node", "-o", "show", "-S", "--json"))
    assert shown["nodes"][0]["record"]["node.session.auth.password"] == "secret12charsX"
    assert shown["nodes"][0]["record"]["node.session.auth.password_in"] == ""


DOCUMENTS = [
    (0, ["-m", "node"]),
    (0, ["-m", "node", "-P", "1"]),
    (0, ["-m", "node", "-o", "show"]),
    (0, ["-m", "node", "-o", "update", "-n", "node.startup", "-v", "manual"]),
    (7, ["-m", "node", "-o", "update", "-n", "node.startup", "-v", "never"]),
    (7, ["-m", "node", "-o", "update", "-n", "node.bogus", "-v", "1"]),
    (7, ["-m", "node", "-T", "../x"]),
    (21, ["-m", "node", "-T", "iqn.2026-11.lab.test:none"]),
    (20, ["-m", "node", "-l"]),
    (21, ["-m", "node", "-u"]),
    (21, ["-m", "session"]),
    (21, ["-m", "session", "-P", "3"]),
    (22, ["-m", "session", "-r", "4711", "-u"]),
    (0, ["-m", "iface"]),
    (0, ["-m", "iface", "-P", "1"]),
    (0, ["-m", "iface", "-I", "default"]),
    (6, ["-m", "iface", "-I", "nosuch"]),
    (0, ["-m", "iface", "-I", "if0", "-o", "new"]),
    (0, ["-m", "iface", "-I", "if0", "-o", "update", "-n", "iface.mtu", "-v", "1400"]),
    (0, ["-m", "iface", "-I", "if0", "-o", "delete"]),
    (0, ["-m", "discoverydb", "-t", "st", "-p", "192.0.2.9", "-o", "new"]),
    (0, ["-m", "discoverydb", "-t", "st", "-p", "192.0.2.9"]),
    (0, ["-m", "discovery"]),
    (0, ["-m", "discovery", "-P", "1"]),
    (6, ["-m", "discoverydb", "-t", "st", "-p", "192.0.2.8"]),
    (21, ["-m", "host"]),
    (21, ["-m", "fw"]),
    (0, ["-m", "node", "-T", "iqn.2026-11.lab.test:more", "-p", "192.0.2.3,1", "-o", "new"]),
    (0, ["-m", "node", "-o", "delete"]),
    (7, ["-m", "node", "-T", TARGET, "-p", "[::1"]),
    (7, ["-m", "node", "-X"]),
    (7, ["-m", "bogus"]),
    (7, []),
    (7, ["-m", "session", "-T", TARGET]),
    (21, ["-m", "session", "--explain"]),
    (21, ["-m", "session", "-R"]),
    (21, ["-m", "session", "-s"]),
    (21, ["-m", "node", "-U", "all"]),
    (21, ["-m", "host", "-H", "3"]),
    (7, ["-m", "host", "-C", "chap"]),
    (12, ["-m", "host", "-C", "flashnode", "-H", "3"]),
    (12, ["-m", "host", "-C", "stats", "-H", "3"]),
    (21, ["-m", "fw", "-l"]),
    (7, ["-m", "fw", "-o", "update"]),
    (7, ["-m", "discovery", "-t", "bogus", "-p", "192.0.2.7"]),
    (20, ["-m", "discovery", "-t", "st", "-p", "192.0.2.9"]),
    (21, ["-m", "discovery", "-t", "fw"]),
    (6, ["-m", "discoverydb", "-t", "isns", "-p", "192.0.2.8"]),
    (7, ["-m", "iface", "-I", "default", "-o", "delete"]),
    (7, ["-m", "iface", "-o", "new"]),
]


def test_every_document_is_what_the_schema_says(one):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((TOP / "docs" / "json-schema.json").read_text())
    check = jsonschema.Draft7Validator(schema)
    for code, args in DOCUMENTS:
        r = one(*args, "--json")  # behind what is refused, too
        assert r.returncode == code, (args, r.stderr)
        doc = json.loads(r.stdout)
        wrong = [e.message for e in check.iter_errors(doc)]
        assert not wrong, (args, wrong, r.stdout)
        assert doc["result"]["code"] == code, args
        assert bool(doc["errors"]) == (code not in (0, 21)), (args, r.stdout)
