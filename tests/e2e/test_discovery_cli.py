# SPDX-License-Identifier: LGPL-2.1-or-later
"""SendTargets discovery through the real iscsiadm against tgtd: what is printed, what becomes of the records."""
import pathlib
import signal
import socket
import subprocess

import pytest

from ports import free_port
from test_sessions_cli import IQN, ISCSIADM, Daemon

INITIATOR = IQN + "initiator"


@pytest.fixture
def box(tmp_path, tgtd):
    for name in ("disk1", "disk2"):
        tgtd.target(name=IQN + name, luns=[])

    class Box:
        at = tgtd.portal
        port = int(at.rsplit(":", 1)[1])
        home = tmp_path / "home"
        run_dir = tmp_path / "run"

        def adm(self, *args):
            env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SISKIN_HOMEDIR": str(self.home),
                   "SISKIN_RUNDIR": str(self.run_dir), "SISKIN_SYSFS": str(tmp_path)}
            return subprocess.run([ISCSIADM, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60)

        def discover(self, *more, code=0):
            r = self.adm("-m", "discovery", "-t", "st", "-p", self.at, *more)
            assert r.returncode == code, r.stderr
            return r.stdout

        def nodes(self):
            return self.adm("-m", "node").stdout

        def startup(self, word=None):
            if word:
                assert self.adm("-m", "node", "-T", IQN + "disk1", "-o", "update", "-n", "node.startup", "-v",
                                word).returncode == 0
            return (self.home / f"nodes/{IQN}disk1/127.0.0.1,{self.port},1/default").read_text() \
                .split("node.startup = ")[1].split("\n")[0]

    b = Box()
    b.home.mkdir()
    b.run_dir.mkdir()
    b.flat = "".join(f"{b.at},1 {IQN}disk{n}\n" for n in (1, 2))
    daemon = Daemon(b.run_dir / "iscsid.sock", lambda m, p: {"conf_file": str(b.home / "iscsid.conf"),
                                                             "initiator": INITIATOR} if m == "config" else {"sid": 1})
    b.calls = daemon.calls
    yield b
    daemon.close()


def test_flat_and_tree(box):
    assert box.discover() == box.flat
    assert box.nodes() == box.flat
    tree = "".join(f"Target: {IQN}disk{n}\n\tPortal: {box.at},1\n\t\tIface Name: default\n" for n in (1, 2))
    assert box.discover("-P", "1") == tree
    assert box.discover("-P", "2") == ""
    listed = box.adm("-m", "discovery", "-P", "1").stdout
    assert listed == (f"SENDTARGETS:\nDiscoveryAddress: 127.0.0.1,{box.port}\n{tree}iSNS:\nNo targets found.\n"
                      "STATIC:\nNo targets found.\nFIRMWARE:\nNo targets found.\n")
    assert box.adm("-m", "discovery").stdout == f"{box.at} via sendtargets\n"


def test_what_the_operations_do_to_records(box):
    box.discover()
    box.startup("automatic")
    box.discover("-o", "new")
    assert box.startup() == "automatic"
    box.discover("-o", "nonpersistent")
    assert box.startup() == "automatic"
    box.discover("-o", "show")
    assert box.startup() == "automatic"
    box.discover()
    assert box.startup() == "automatic"
    (box.home / "iscsid.conf").write_text("discovery.preserve_node_settings = No\n")
    box.discover()
    assert box.startup() == "manual"


def test_stale_records_go_only_with_delete(box, tgtd):
    box.discover()
    gone = tgtd.target(name=IQN + "gone", luns=[])
    box.discover("-o", "new")
    assert IQN + "gone" in box.nodes()
    tgtd.adm("target", "delete", "--tid", gone.tid)
    box.discover("-o", "new", "-o", "update")
    assert IQN + "gone" in box.nodes()
    box.discover("-o", "delete")
    assert box.nodes() == box.flat


def test_nonpersistent_writes_nothing(box):
    assert box.discover("-o", "nonpersistent") == box.flat
    assert box.adm("-m", "node").returncode == 21
    assert box.adm("-m", "discovery").returncode == 21


def test_the_stored_record_is_used_and_deleted(box):
    r = box.adm("-m", "discoverydb", "-t", "st", "-p", box.at, "-D")
    assert (r.returncode, r.stdout, r.stderr) == (0, box.flat, "")
    box.adm("-m", "discoverydb", "-t", "st", "-p", box.at, "-o", "update", "-n", "discovery.sendtargets.reopen_max", "-v", "1")
    assert box.adm("-m", "discovery", "-p", box.at, "-D").stdout == box.flat
    assert "reopen_max = 1\n" in box.adm("-m", "discovery", "-p", box.at).stdout
    box.discover()
    assert "reopen_max = 5\n" in box.adm("-m", "discovery", "-p", box.at).stdout
    assert box.adm("-m", "discovery", "-p", box.at, "-o", "delete").returncode == 0
    assert box.adm("-m", "node").returncode == 21


def test_through_ifaces(box):
    for name in ("if1", "if2"):
        box.adm("-m", "iface", "-I", name, "-o", "new")
    assert box.discover("-I", "default") == box.flat
    assert box.discover() == box.flat * 2
    r = box.adm("-m", "discovery", "-t", "st", "-p", box.at, "-I", "if1", "-I", "nosuch", "-P", "1")
    assert r.returncode == 0
    assert "Could not read iface info for nosuch." in r.stderr
    assert r.stdout.count("\t\tIface Name: if1\n") == 2 and "if2" not in r.stdout
    assert box.adm("-m", "discovery", "-t", "st", "-p", box.at, "-I", "nosuch").returncode == 21


def test_login_to_what_was_found(box):
    out = box.discover("-l")
    assert out.startswith(box.flat + f"Logging in to [iface: default, target: {IQN}disk1, portal: 127.0.0.1,{box.port}]\n")
    assert out.count(" successful.\n") == 2
    assert [p["record"]["node.name"] for m, p in box.calls if m == "session.login"] == [IQN + "disk1", IQN + "disk2"]


def test_refused_is_11_and_leaves_the_record(box):
    at = f"127.0.0.1:{free_port()}"
    box.adm("-m", "discoverydb", "-t", "st", "-p", at, "-o", "new")
    box.adm("-m", "discoverydb", "-t", "st", "-p", at, "-o", "update", "-n", "discovery.sendtargets.reopen_max", "-v", "0")
    r = box.adm("-m", "discovery", "-p", at, "-D")
    assert (r.returncode, r.stdout) == (11, "")
    assert r.stderr == ("iscsiadm: cannot make connection to 127.0.0.1: Connection refused\n"
                        "iscsiadm: connection login retries (reopen_max) 0 exceeded\n"
                        "iscsiadm: Could not perform SendTargets discovery: iSCSI PDU timed out\n")
    assert box.adm("-m", "discovery").stdout == f"{at} via sendtargets\n"


def test_a_name_that_does_not_resolve(box):
    r = box.adm("-m", "discovery", "-t", "st", "-p", "no-such-host.invalid")
    assert r.returncode == 4
    assert "encountered connection failure" in r.stderr
    assert box.adm("-m", "discovery", "-t", "st", "-p", "no-such-host.invalid", "-I", "default").returncode == 21


def test_ctrl_c(box):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env = {"SISKIN_HOMEDIR": str(box.home), "SISKIN_RUNDIR": str(box.run_dir)}
        p = subprocess.Popen([ISCSIADM, "-m", "discovery", "-t", "st", "-p", f"127.0.0.1:{silent.getsockname()[1]}"], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        conn, _ = silent.accept()       # kept: a connection that closes would be told of
        with conn:
            p.send_signal(signal.SIGINT)
            out, err = p.communicate(timeout=10)
    assert (p.returncode, out, err) == (1, "", "iscsiadm: caught SIGINT, exiting...\n")


def test_stdout_that_cannot_be_written_does_not_matter(box):
    for redirect in ("> /dev/full", ">&-"):
        env = {"SISKIN_HOMEDIR": str(box.home), "SISKIN_RUNDIR": str(box.run_dir)}
        r = subprocess.run(["/bin/sh", "-c", f"{ISCSIADM} -m iface {redirect}"], env=env)
        assert r.returncode == 0


def test_callers_find_their_words_in_the_program():
    assert b"node.session.scan" in pathlib.Path(ISCSIADM).read_bytes()
