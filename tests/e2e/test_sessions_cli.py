# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions through the real iscsiadm: print levels against recorded text on a made-up sysfs, and requests to a scripted
daemon: order, exit codes, what is told."""
import json
import os
import pathlib
import socket
import struct
import subprocess
import threading

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()
GOLDEN = TOP / "tests" / "data" / "golden"
ISCSIADM = BUILD / "src" / "iscsiadm" / "iscsiadm"
IQN = "iqn.2026-11.lab.test:"


class Sysfs:
    """kernel sessions as sysfs shows them"""

    def __init__(self, root):
        self.root = root
        root.mkdir()

    def put(self, path, **values):
        d = self.root / path
        d.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (d / name).write_text(f"{value}\n")

    def link(self, path, target):
        p = self.root / path
        p.parent.mkdir(parents=True, exist_ok=True)
        p.symlink_to(os.path.relpath(self.root / target, p.parent))

    def session(self, sid, target, host, luns=(), addr="127.0.0.1", persistent=None, **more):
        base = f"devices/platform/host{host}/session{sid}"
        here = f"{base}/iscsi_session/session{sid}"
        self.put(here, **{**dict(
            targetname=target, tpgt=1, state="LOGGED_IN", ifacename="default", initiatorname=IQN + "initiator",
            username="(null)", password="(null)", username_in="(null)", password_in="(null)", recovery_tmo=120,
            abort_tmo=15, lu_reset_tmo=30, tgt_reset_tmo=30, first_burst_len=65536, max_burst_len=262144,
            immediate_data=1, initial_r2t=1, max_outstanding_r2t=1), **more})
        self.link(here + "/device", base)
        self.link(f"class/iscsi_session/session{sid}", here)
        conn = f"{base}/connection{sid}:0/iscsi_connection/connection{sid}:0"
        self.put(conn, address=addr, port=3260, persistent_address=persistent or addr, persistent_port=3260,
                 header_digest=0, data_digest=0, max_recv_dlength=262144, max_xmit_dlength=8192)
        self.link(f"class/iscsi_connection/connection{sid}:0", conn)
        ih, sh = (f"devices/platform/host{host}/{k}_host/host{host}" for k in ("iscsi", "scsi"))
        self.put(ih, ipaddress=addr, hwaddress="(null)", netdev="(null)")
        self.link(f"class/iscsi_host/host{host}", ih)
        self.put(sh, proc_name="iscsi_tcp", state="running")
        self.link(f"class/scsi_host/host{host}", sh)
        for lun, disk in luns:
            d = f"{base}/target{host}:0:0/{host}:0:0:{lun}"
            self.put(d, state="running")
            if disk:
                self.put(f"{d}/block/{disk}", size=2048)

    def two(self):
        self.put("module/scsi_transport_iscsi", version="2.0-870")
        self.session(1, IQN + "disk1", 2, [(0, None), (1, "sda")])
        self.session(2, IQN + "disk2", 3, [(0, None), (1, "sdb"), (2, "sdc")])
        return self


def state(sid):
    return {"sid": sid, "connection_state": "LOGGED IN", "session_state": "LOGGED_IN", "internal_state": "NO CHANGE"}


class Daemon:
    """speaks the management protocol; `answer(method, params)` gives a result, an (code, text) refusal, or raises EOFError to
    close the connection. With `hold` nothing is answered before so many requests have come."""

    def __init__(self, path, answer, hold=0):
        self.calls, self.answer, self.hold = [], answer, hold
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        self.sock.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(conn,), daemon=True).start()

    def talk(self, conn):
        waiting = []
        with conn, conn.makefile("rwb") as f:
            while len(head := f.read(8)) == 8:
                assert head[:4] == b"SKM1"
                req = json.loads(f.read(struct.unpack(">I", head[4:])[0]))
                params = req.get("params") or {}
                if req["method"] not in ("config", "hello"):
                    self.calls.append((req["method"], params))
                waiting.append((req["id"], req["method"], params))
                if req["method"] != "config" and len(waiting) < self.hold:
                    continue
                for id_, method, p in reversed(waiting):  # answers may come in any order
                    try:
                        r = self.answer(method, p)
                    except EOFError:
                        return
                    body = ({"error": {"code": r[0], "name": "X", "text": r[1]}} if isinstance(r, tuple)
                            else {"result": r})
                    text = json.dumps({"v": 1, "id": id_, **body}).encode()
                    f.write(b"SKM1" + struct.pack(">I", len(text)) + text)
                f.flush()
                waiting = []

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)    # wakes the thread in accept: the number of its descriptor is used again
        self.sock.close()


@pytest.fixture
def box(tmp_path):
    class Box:
        sys = Sysfs(tmp_path / "sysfs")
        run_dir = tmp_path / "run"
        home = tmp_path / "home"
        daemons = []

        def daemon(self, answer, hold=0):
            self.daemons.append(Daemon(self.run_dir / "iscsid.sock", answer, hold))
            return self.daemons[-1]

        def adm(self, *args):
            env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SISKIN_HOMEDIR": str(self.home),
                   "SISKIN_RUNDIR": str(self.run_dir), "SISKIN_SYSFS": str(self.sys.root)}
            return subprocess.run([ISCSIADM, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=30)

        def records(self, *names, port=3260):
            for n in names:
                assert self.adm("-m", "node", "-T", IQN + n, "-p", f"127.0.0.1:{port},1", "-o", "new").returncode == 0

    b = Box()
    b.run_dir.mkdir()
    b.home.mkdir()
    yield b
    for d in b.daemons:
        d.close()


def states_of(*sids):
    return lambda method, params: {"sessions": [state(s) for s in sids]} if method == "session.list" else {}


# --- print levels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 2, 3])
def test_session_levels_as_recorded(box, level):
    box.sys.two()
    box.daemon(states_of(1, 2))
    r = box.adm("-m", "session", "-P", str(level))
    assert r.stdout == (GOLDEN / f"session-P{level}.txt").read_text()
    assert (r.returncode, r.stderr) == (0, "")


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_host_levels_as_recorded(box, level):
    box.sys.two()
    box.daemon(states_of(1, 2))
    r = box.adm("-m", "host", "-P", str(level))
    assert r.stdout == (GOLDEN / f"host-P{level}.txt").read_text()


def test_a_third_session_is_not_grouped_with_the_first(box):
    box.sys.two().session(3, IQN + "disk1", 4)
    box.daemon(states_of(1, 2, 3))
    assert box.adm("-m", "session", "-P", "1").stdout == (GOLDEN / "session-three-P1.txt").read_text()


def test_the_order_is_by_name(box):
    for sid in (1, 2, 10, 11):
        box.sys.session(sid, IQN + "d", sid + 1)
    lines = box.adm("-m", "session").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["[1]", "[10]", "[11]", "[2]"]


def test_a_neighbour_of_the_same_portal_gets_one_empty_line(box):
    box.sys.session(1, IQN + "d", 2)
    box.sys.session(2, IQN + "d", 3)
    box.daemon(states_of(1, 2))
    out = box.adm("-m", "session", "-P", "1").stdout
    assert out.count("Target: ") == 1 and out.count("Current Portal") == 1
    assert "NO CHANGE\n\n\t\t**********\n\t\tInterface:" in out


def test_without_daemon_states_are_unknown_and_the_exit_is_0(box):
    box.sys.two()
    r = box.adm("-m", "session", "-P", "1")
    assert r.returncode == 0
    assert r.stdout.count("iSCSI Connection State: Unknown\n") == 2
    assert r.stdout.count("Internal iscsid Session State: Unknown\n") == 2
    assert "can not connect to iSCSI daemon (111)!" in r.stderr


def test_ipv6(box):
    box.sys.session(1, IQN + "d", 2, addr="0000:0000:0000:0000:0000:0000:0000:0001", persistent="::1")
    box.daemon(states_of(1))
    assert box.adm("-m", "session").stdout == f"tcp: [1] [::1]:3260,1 {IQN}d (non-flash)\n"
    out = box.adm("-m", "session", "-P", "1").stdout
    assert "\tCurrent Portal: [0000:0000:0000:0000:0000:0000:0000:0001]:3260,1\n" in out
    assert "\tPersistent Portal: [::1]:3260,1\n" in out
    assert "\t\tIface IPaddress: [0000:0000:0000:0000:0000:0000:0000:0001]\n" in out


def test_secrets_of_a_session(box):
    box.sys.session(1, IQN + "d", 2, username="alice", password="secret12charsX")
    box.daemon(states_of(1))
    masked = box.adm("-m", "session", "-P", "2").stdout
    assert "secret12charsX" not in masked
    assert "\t\tusername: alice\n\t\tpassword: ********\n\t\tusername_in: <empty>\n\t\tpassword_in: ********\n" in masked
    shown = box.adm("-m", "session", "-P", "2", "-S").stdout
    assert "\t\tpassword: secret12charsX\n\t\tusername_in: <empty>\n\t\tpassword_in: <empty>\n" in shown
    assert "secret12charsX" not in box.adm("-m", "session", "-P", "2", "-J").stdout
    assert "secret12charsX" in box.adm("-m", "session", "-P", "2", "-J", "-S").stdout


def test_sessions_by_number_and_path(box):
    box.sys.two()
    box.daemon(states_of(1, 2))
    want = box.adm("-m", "session", "-r", "2", "-P", "1").stdout
    assert "SID: 2" in want and "SID: 1" not in want
    for path in ("/sys/class/iscsi_session/session2", "/class/iscsi_session/session2",
                 "/sys/devices/platform/host3/session2", "/sys/devices/platform/host3/session2/target3:0:0/3:0:0:1",
                 str(box.sys.root / "class/iscsi_session/session2")):
        r = box.adm("-m", "session", "-r", path, "-P", "1")
        assert (r.returncode, r.stdout) == (0, want), (path, r.stderr)


@pytest.mark.parametrize("text,code,said", [
    ("abc", 1, "abc is an invalid session ID or path"),
    ("0", 1, "0 is an invalid session ID or path"),
    ("-1", 1, "-1 is an invalid session ID or path"),
    ("/sys/class", 7, "Unable to find sid in path /sys/class"),
    ("/sys/module/scsi_transport_iscsi/version", 1, "is not a directory"),
    ("4711", 22, "Could not get session info for sid 4711"),
])
def test_bad_session_arguments(box, text, code, said):
    box.sys.two()
    r = box.adm("-m", "session", "-r", text, "-P", "1")
    assert (r.returncode, r.stdout) == (code, "")
    assert said in r.stderr


def test_level_4_is_refused(box):
    box.sys.two()
    r = box.adm("-m", "session", "-P", "4")
    assert (r.returncode, r.stdout, r.stderr) == (7, "", "iscsiadm: Invalid info level 4. Try 0 - 3.\n")


def test_every_document_is_what_the_schema_says(box):
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft7Validator(json.loads((TOP / "docs" / "json-schema.json").read_text()))
    box.sys.two()
    box.records("new1", "new2")
    box.daemon(lambda m, p: (24, "no") if p.get("record", {}).get("node.name") == IQN + "new2" else
               {"sid": 7, "portal": "127.0.0.1,3260", "path": "user", "transport": "tcp", "attempts": 1,
                "disks": [{"lun": 1, "size": 5}], "sessions": [state(1)], "counters": {"txdata_octets": 4}})
    for args in (["-m", "session"], ["-m", "session", "-P", "3"], ["-m", "host", "-P", "1"], ["-m", "session", "-R"],
                 ["-m", "session", "-u"], ["-m", "session", "-s"], ["-m", "node", "-l"]):
        doc = json.loads(box.adm(*args, "-J").stdout)
        wrong = [e.message for e in check.iter_errors(doc)]
        assert not wrong, (args, wrong)


# --- requests --------------------------------------------------------------------------------------------------------


def by_target(codes):
    """answers logins by the last part of the target's name"""
    def answer(method, params):
        if method != "session.login":
            return {}
        name = params["record"]["node.name"].removeprefix(IQN)
        return (codes[name], f"why {name}") if codes.get(name) else {"sid": 5, "attempts": 1, "disks": []}
    return answer


def where(name):
    return f"[iface: default, target: {IQN}{name}, portal: 127.0.0.1,3260]"


def test_logins_all_go_out_first_and_results_keep_the_order(box):
    box.records("a", "b", "c")
    d = box.daemon(by_target({}), hold=3)
    r = box.adm("-m", "node", "-l")
    assert r.returncode == 0 and r.stderr == ""
    assert r.stdout == "".join(f"Logging in to {where(n)}\n" for n in "abc") + \
        "".join(f"Login to {where(n)} successful.\n" for n in "abc")
    assert [m for m, _ in d.calls] == ["session.login"] * 3
    assert all(p["slot"] == 0 and p["multiple"] is False for _, p in d.calls)
    assert d.calls[0][1]["record"]["node.conn[0].port"] == "3260"


@pytest.mark.parametrize("codes,want", [
    ({}, 0), ({"b": 24}, 24), ({"b": 24, "c": 8}, 24), ({"c": 8}, 8), ({"a": 8, "b": 24, "c": 19}, 8),
])
def test_the_first_failing_login_is_the_exit_code(box, codes, want):
    box.records("a", "b", "c")
    box.daemon(by_target(codes))
    r = box.adm("-m", "node", "-l")
    assert r.returncode == want
    for n in "abc":
        assert (f"Login to {where(n)} successful.\n" in r.stdout) == (n not in codes)
        assert (f"iscsiadm: Could not login to {where(n)}.\n" in r.stderr) == (n in codes)
        assert (f"why {n}" in r.stderr) == (n in codes)
    assert r.stderr.endswith("iscsiadm: Could not log into all portals\n") == bool(codes)


def test_already_present_wins_over_a_later_result(box):
    box.sys.session(1, IQN + "a", 2)
    box.records("a", "b")
    d = box.daemon(by_target({"b": 24}))
    r = box.adm("-m", "node", "-l")
    assert r.returncode == 15
    assert "iscsiadm: default: 1 session requested, but 1 already present.\n" in r.stderr
    assert len(d.calls) == 1


def test_several_sessions_of_a_record(box):
    box.sys.session(1, IQN + "a", 2)
    box.records("a")
    assert box.adm("-m", "node", "-o", "update", "-n", "node.session.nr_sessions", "-v", "3").returncode == 0
    d = box.daemon(by_target({}))
    r = box.adm("-m", "node", "-l")
    assert r.returncode == 0
    assert r.stdout.count(f"Logging in to {where('a')} (multiple)\n") == 2
    assert [p["slot"] for _, p in d.calls] == [1, 2]


def test_one_more_session(box):
    box.sys.session(1, IQN + "a", 2)
    box.records("a")
    d = box.daemon(by_target({}))
    r = box.adm("-m", "session", "-r", "1", "-o", "new")
    assert (r.returncode, r.stdout.splitlines()[0]) == (0, f"Logging in to {where('a')} (multiple)")
    assert d.calls[0][1]["multiple"] is True


def test_no_wait_sends_and_ends(box):
    box.records("a", "b")
    d = box.daemon(lambda m, p: {}, hold=99)
    r = box.adm("-m", "node", "-l", "-W")
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout == f"Logging in to {where('a')}\nLogging in to {where('b')}\n"
    for _ in range(100):
        if len(d.calls) == 2:
            break
        threading.Event().wait(0.02)
    assert len(d.calls) == 2


def test_a_daemon_that_goes_away(box):
    def gone(method, params):
        raise EOFError
    box.records("a")
    box.daemon(gone)
    r = box.adm("-m", "node", "-l")
    assert r.returncode == 18
    assert "initiator reported error (18 - could not communicate to iscsid)" in r.stderr


def test_no_daemon(box):
    box.records("a")
    r = box.adm("-m", "node", "-l")
    assert r.returncode == 20
    assert r.stdout == f"Logging in to {where('a')}\n"
    assert "iscsiadm: can not connect to iSCSI daemon (111)!\n" in r.stderr
    assert "iscsiadm: initiator reported error (20 - could not connect to iscsid)\n" in r.stderr


def test_the_daemon_is_started_by_its_setting(box):
    box.records("a")
    (box.home / "iscsid.conf").write_text(f"iscsid.startup = touch {box.home}/started\n")
    r = box.adm("-m", "node", "-l")
    assert r.returncode == 20
    assert (box.home / "started").exists()


def test_logout_order_and_the_last_failing_result(box):
    box.sys.session(1, IQN + "a", 2)
    box.sys.session(2, IQN + "b", 3)
    box.sys.session(3, IQN + "a", 4)
    codes = {1: 0, 3: 28, 2: 9}
    d = box.daemon(lambda m, p: (codes[p["sid"]], "busy") if codes[p["sid"]] else {"sid": p["sid"]})
    r = box.adm("-m", "session", "-u")
    assert [p["sid"] for _, p in d.calls] == [1, 3, 2]
    assert r.returncode == 9
    assert [line.split()[5] for line in r.stdout.splitlines()[:3]] == ["1,", "3,", "2,"]
    assert f"Logout of [sid: 1, target: {IQN}a, portal: 127.0.0.1,3260] successful.\n" in r.stdout
    assert f"Could not logout of [sid: 3, target: {IQN}a, portal: 127.0.0.1,3260].\n" in r.stderr
    assert "initiator reported error (28 - device or resource in use)" in r.stderr
    assert r.stderr.endswith("iscsiadm: Could not logout of all requested sessions\n")


def test_logout_without_a_daemon(box):
    box.sys.two()
    assert box.adm("-m", "session", "-u").returncode == 20


def test_startup_classes(box):
    box.records("auto", "man", "boot")
    for name, word in (("auto", "automatic"), ("boot", "onboot")):
        for key in ("node.startup", "node.conn[0].startup"):
            box.adm("-m", "node", "-T", IQN + name, "-o", "update", "-n", key, "-v", word)
    d = box.daemon(by_target({}))
    for word, names in (("automatic", ["auto"]), ("manual", ["man"]), ("onboot", ["boot"]),
                        ("all", ["auto", "boot", "man"])):
        d.calls.clear()
        assert box.adm("-m", "node", "-L", word).returncode == 0
        assert [p["record"]["node.name"].removeprefix(IQN) for _, p in d.calls] == names
    for i, name in enumerate(("auto", "man", "boot", "unknown")):
        box.sys.session(i + 1, IQN + name, i + 2)
    for word, sids in (("automatic", [1]), ("manual", [2]), ("all", [1, 2])):
        d.calls.clear()
        assert box.adm("-m", "node", "-U", word).returncode == 0
        assert [p["sid"] for _, p in d.calls] == sids


def test_leading_login_takes_one_portal_for_each_target(box):
    box.records("lead")
    box.records("lead", port=3261)
    box.records("lead", port=3262)
    box.adm("-m", "node", "-o", "update", "-n", "node.leading_login", "-v", "Yes")
    d = box.daemon(lambda m, p: (8, "no") if p["record"]["node.conn[0].port"] == "3260" else {"sid": 1})
    r = box.adm("-m", "node", "-L", "all")
    assert r.returncode == 0
    assert [p["record"]["node.conn[0].port"] for _, p in d.calls] == ["3260", "3261"]
    d.calls.clear()
    d.answer = lambda m, p: (8, "no")
    assert box.adm("-m", "node", "-L", "all").returncode == 19
    assert len(d.calls) == 3


def test_rescan(box):
    box.sys.two()
    d = box.daemon(lambda m, p: {"sid": p["sid"], "disks": []})
    r = box.adm("-m", "node", "-T", IQN + "disk2", "-R")
    assert (r.returncode, r.stdout) == (0, f"Rescanning session [sid: 2, target: {IQN}disk2, portal: 127.0.0.1,3260]\n")
    assert d.calls == [("session.rescan", {"sid": 2})]
    # a print level that is no number does not matter
    assert box.adm("-m", "node", "-T", IQN + "disk2", "-P", "127.0.0.1", "--rescan").returncode == 0


def test_records_in_use_stay(box):
    box.sys.session(1, IQN + "a", 2)
    box.records("a", "b")
    r = box.adm("-m", "node", "-o", "delete")
    assert r.returncode == 15
    assert "but a session is using it" in r.stderr
    assert r.stderr.endswith("iscsiadm: Could not execute operation on all records: session exists\n")
    assert box.adm("-m", "node").stdout == f"127.0.0.1:3260,1 {IQN}a\n"


def test_secrets_reach_the_daemon_and_nothing_else(box):
    box.records("a")
    box.adm("-m", "node", "-o", "update", "-n", "node.session.auth.password", "-v", "secret12charsX")
    d = box.daemon(by_target({"a": 24}))
    r = box.adm("-m", "node", "-l", "-J", "-d", "9")
    assert d.calls[0][1]["record"]["node.session.auth.password"] == "secret12charsX"
    assert "secret12charsX" not in r.stdout + r.stderr


def test_a_secret_does_not_stay_in_the_process_list(box):
    box.records("a")
    seen = []

    def look(method, params):
        for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = p.read_bytes()
            except OSError:
                continue
            if b"session.auth.password" in text and str(box.home).encode() in p.parent.joinpath("environ").read_bytes():
                seen.append(text)
        return {"conf_file": str(box.home / "iscsid.conf")}
    box.daemon(look)
    box.adm("-m", "node", "-T", IQN + "z", "-p", "127.0.0.1", "-o", "new", "-n", "node.session.auth.password", "-v",
            "secret12charsX")
    assert seen and all(b"secret12charsX" not in text for text in seen)


def test_k(box):
    d = box.daemon(lambda m, p: {})
    r = box.adm("-k", "0")
    assert (r.returncode, r.stdout, r.stderr) == (0, "", "")
    assert d.calls == [("shutdown", {})]
