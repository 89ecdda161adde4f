# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs that call iscsiadm rely on (docs/clients.md): their own way of reading, on records, without a daemon."""
import configparser
import os
import pathlib
import re
import shutil
import tempfile

import pytest
from test_records_cli import BUILD, ISCSIADM, PORTAL, RECORD, TARGET, Adm

TOP = pathlib.Path(__file__).resolve().parents[2]
NODE = ["-m", "node", "-T", TARGET, "-p", PORTAL]


@pytest.fixture
def adm(tmp_path):
    return Adm(tmp_path)


@pytest.fixture
def one(adm):
    adm.ok(*NODE, "-o", "new")
    return adm


def test_the_table_names_tests_that_exist():
    text = (TOP / "docs" / "clients.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)`(?: `(test_\w+)`)?", text)
    assert len(named) > 20
    for path, name in named:
        assert not name or re.search(rf"^def {name}\(", (TOP / path).read_text(), re.M), (path, name)


def test_the_program_itself_holds_the_key_that_brick_looks_for():
    assert b"node.session.scan" in ISCSIADM.read_bytes()


def test_lists_have_two_words(one):
    one.ok("-m", "node", "-T", TARGET, "-p", "fd00::5", "-o", "new")
    lines = one.ok("-m", "node").splitlines()
    assert lines == [f"192.0.2.1:3260,1 {TARGET}", f"[fd00::5]:3260,4294967295 {TARGET}"]
    for line in lines:
        assert re.fullmatch(r"([^,]+),(-?\d+)\s(\S+)", line)  # trident; one blank for dell
        assert line.count(",") == 1  # xapi


def test_a_record_is_three_words_a_line_and_no_key_twice(one):
    shown = one.ok(*NODE, "-S")
    body = shown.splitlines()[1:-1]
    assert shown.startswith("# BEGIN RECORD ") and shown.endswith("# END RECORD\n")
    assert all(len(line.split(" ")) == 3 and line.split(" ")[1] == "=" for line in body)  # k8s
    ini = configparser.ConfigParser(strict=True, interpolation=None)  # xapi: a repeated key is an error
    ini.read_string("[record]\n" + "\n".join(body))
    assert ini["record"]["node.startup"] == "manual"
    assert body.index(f"node.name = {TARGET}") < body.index("node.startup = manual")  # brick


def test_kubelet_writes_back_every_key_of_an_iface(adm):
    adm.ok("-m", "iface", "-I", "default", "-o", "show")
    adm.ok("-m", "iface", "-I", "192.0.2.1:3260:pvc-1", "-o", "new")
    wrote = 0
    for line in adm.ok("-m", "iface", "-I", "default", "-o", "show").splitlines():
        words = re.fullmatch(r"(iface\.\S+) = (\S+)", line)
        if not words or words[2] == "<empty>" or words[1] == "iface.iscsi_ifacename":
            continue
        adm.ok("-m", "iface", "-I", "192.0.2.1:3260:pvc-1", "-o", "update", "-n", words[1], "-v", words[2])
        wrote += 1
    assert wrote > 10
    assert "192.0.2.1:3260:pvc-1 tcp," in adm.ok("-m", "iface")


def test_an_iface_line_has_six_fields(adm):
    adm.ok("-m", "iface", "-I", "libvirt-iface-1", "-o", "new")
    adm.ok("-m", "iface", "-I", "libvirt-iface-1", "-o", "update", "-n", "iface.initiatorname", "-v", "iqn.2026-11.lab.test:a")
    lines = adm.ok("-m", "iface").splitlines()
    assert all(len(line.split(" ")) == 2 and len(line.split(" ")[1].split(",")) == 5 for line in lines)  # vdsm, dell
    assert [line.split(" ")[0] for line in lines] == ["libvirt-iface-1", "default", "iser"]
    assert lines[0].rsplit(",", 1)[1] == "iqn.2026-11.lab.test:a"  # libvirt


def test_dracut_leaves_an_empty_file_in_nodes(one):
    (one.db / "nodes" / ".dracut").touch()
    assert one.ok("-m", "node") == f"192.0.2.1:3260,1 {TARGET}\n"
    one.ok(*NODE, "-o", "update", "-n", "node.startup", "-v", "onboot")
    assert "node.startup = onboot" in one.text()


def test_the_database_may_be_reached_over_a_link(one, tmp_path):
    one.env["SISKIN_DBROOT"] = str(tmp_path / "link")
    (tmp_path / "link").symlink_to(one.db)
    assert one.ok("-m", "node") == f"192.0.2.1:3260,1 {TARGET}\n"
    one.ok(*NODE, "-o", "update", "-n", "node.startup", "-v", "automatic")
    one.ok("-m", "node", "-T", TARGET, "-p", "192.0.2.2,1", "-o", "new")
    assert "node.startup = automatic" in one.text()


@pytest.fixture
def memory():
    """a directory of another file system"""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
        yield pathlib.Path(d)


@pytest.mark.parametrize("far", [False, True])
def test_nodes_may_be_a_link(one, tmp_path, memory, far):
    """yast and Talos keep the records elsewhere and link to them."""
    real = (memory if far else tmp_path) / "elsewhere"
    assert (os.stat(real.parent).st_dev != os.stat(one.db).st_dev) == far
    shutil.move(one.db / "nodes", real)
    (one.db / "nodes").symlink_to(real)
    assert one.ok("-m", "node") == f"192.0.2.1:3260,1 {TARGET}\n"
    one.ok(*NODE, "-o", "update", "-n", "node.startup", "-v", "automatic")
    assert "node.startup = automatic" in one.text()
    one.ok("-m", "node", "-T", TARGET, "-p", "192.0.2.2,1", "-o", "new")
    one.ok("-m", "node", "-T", TARGET, "-o", "update", "-n", "node.startup", "-v", "onboot")  # both at once
    assert one.ok("-m", "node", "-T", TARGET).count("node.startup = onboot") == 2
    one.ok("-m", "node", "-T", TARGET, "-o", "delete")
    assert one("-m", "node").returncode == 21 and list(real.iterdir()) == [] and not list((one.db / ".siskin").glob("new-*"))


@pytest.mark.parametrize("spoil", ["anybody may write there", "somebody else's"])
def test_nodes_is_no_link_to_what_others_may_write(one, tmp_path, spoil):
    real = tmp_path / "elsewhere"
    shutil.move(one.db / "nodes", real)
    (one.db / "nodes").symlink_to(real)
    if spoil == "somebody else's":
        os.chown(real, 65534, 65534)
    else:
        real.chmod(0o777)
    r = one("-m", "node")
    assert r.returncode == 6 and "nodes" in r.stderr


def test_a_record_with_few_keys_gets_defaults(one):
    (one.db / RECORD).write_text(f"# BEGIN RECORD 2.0\nnode.name = {TARGET}\nnode.conn[0].address = 192.0.2.1\nnode.conn[0].port = 3260\n"
                                 "node.tpgt = 1\niface.iscsi_ifacename = default\n# END RECORD\n")
    shown = one.ok(*NODE)
    assert "node.session.timeo.replacement_timeout = 120\n" in shown and "iface.transport_name = tcp\n" in shown


@pytest.mark.parametrize("args, code", [
    ([*NODE, "-o", "new"], 0),  # all: again
    ([*NODE, "-o", "update", "-n", "bogus", "-v", "1"], 7),  # dell: a feature that is not there
    ([*NODE, "-o", "update", "-n", "node.startup", "-v", "sometimes"], 7),
    ([*NODE, "-o", "update", "-n", "node.session.auth.authmethod", "-v", "chap"], 7),
    ([*NODE, "-o", "update", "-n", "node.session.auth.username", "-v", ""], 0),  # hpe, xapi: cleared
    ([*NODE, "-o", "update", "-n", "iface.mtu", "-v", "1500"], 7),  # dracut
    (["-m", "node", "-T", "iqn.2026-11.lab.test:none", "-o", "delete"], 21),
    (["-m", "node", "-T", "iqn.2026-11.lab.test:none", "-p", "192.0.2.1", "-u"], 21),
    (["-m", "discoverydb", "-t", "st", "-p", "192.0.2.9", "-o", "update", "-n", "discovery.startup", "-v", "manual"], 6),  # brick makes it then
    (["-m", "discoverydb", "-t", "st", "-p", "192.0.2.8", "-o", "new"], 0),
    (["-m", "iface", "-I", "none"], 6),
    (["-m", "iface", "-I", "default", "-o", "delete"], 7),
    (["-m", "iface", "-I", "default", "-o", "update", "-n", "iface.mtu", "-v", "0"], 0),  # k8s
    (["-m", "session"], 21),
    (["-m", "session", "-r", "99"], 22),
    (["-m", "session", "-T", TARGET], 7),
    (["-m", "node", "-P", "3"], 7),  # sos
    (["-m", "fw"], 21),
    (["-m", "fw", "-l", "-W"], 21),  # dracut: 7 would mean that -W is unknown
], ids=lambda a: " ".join(a[1:]) if isinstance(a, list) else None)
def test_exit_codes_that_programs_branch_on(one, args, code):
    one("-m", "discoverydb", "-t", "st", "-p", "192.0.2.8", "-o", "new")
    r = one(*args)
    assert r.returncode == code, r.stderr


def test_words_that_programs_look_for(one):
    assert one("-m", "session").stderr.splitlines()[-1] == "iscsiadm: No active sessions."  # pve
    assert "iscsiadm: No records found\n" in one("-m", "node", "-T", "iqn.x:none", "-o", "delete").stderr  # hpe, ansible
    assert "No matching sessions found" in one(*NODE, "-u").stderr  # hpe
    version = one.ok("--version").split()  # ocf: newer than 2.0-871
    assert version[:2] == ["iscsiadm", "version"] and version[2].startswith("2.1.")


def test_libvirt_s_abbreviations_and_portal(one):
    assert one.ok("--mode", "node", "--portal", "192.0.2.1:3260,1", "--target", TARGET, "--op", "update", "--name", "node.startup", "--value", "manual") == ""
    assert one.ok("--mode=node", "--target=" + TARGET, "--op=show").startswith("# BEGIN RECORD")


def test_the_way_of_writing_an_address_is_kept(adm):
    """brick folds the case of what it gave; names stay as they were typed"""
    adm.ok("-m", "node", "-T", TARGET, "-p", "[FD00::AB]:3260,1", "-o", "new")
    assert adm.ok("-m", "node") == f"[FD00::AB]:3260,1 {TARGET}\n"
    assert adm.ok("-m", "node", "-T", TARGET, "-p", "[fd00::ab]:3260,1").startswith("# BEGIN RECORD")


def test_the_programs_are_programs(tmp_path):
    for name in ("iscsiadm", "iscsid"):
        assert (BUILD / "src" / name / name).read_bytes()[:4] == b"\x7fELF"
