# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsiadm -m fw and discovery -t fw over a made firmware table, with a daemon that only answers."""
import json
import subprocess

import pytest

from test_records_cli import TOP
from test_sessions_cli import IQN, ISCSIADM, Daemon, Sysfs

INITIATOR = IQN + "bootinit"
NIC = {"index": 0, "flags": 3, "ip-addr": "10.98.0.1", "subnet-mask": "255.255.255.0", "prefix-len": 24, "gateway": "10.98.0.254",
       "origin": 1, "vlan": 0, "dhcp": "0.0.0.0", "primary-dns": "10.98.0.53", "mac": "02:00:00:00:98:01", "device/net/eth7/address": "x"}
TARGET = {"index": 0, "flags": 3, "nic-assoc": 0, "chap-type": 0, "target-name": IQN + "disk1", "ip-addr": "192.0.2.9", "port": 3260,
          "lun": "01000000"}
PRINTED = f"""# BEGIN RECORD 2.1.8
iface.initiatorname = {INITIATOR}
iface.transport_name = tcp
iface.hwaddress = 02:00:00:00:98:01
iface.bootproto = STATIC
iface.ipaddress = 10.98.0.1
iface.prefix_len = 24
iface.subnet_mask = 255.255.255.0
iface.gateway = 10.98.0.254
iface.primary_dns = 10.98.0.53
iface.vlan_id = 0
iface.net_ifacename = eth7
node.name = {IQN}disk1
node.conn[0].address = 192.0.2.9
node.conn[0].port = 3260
node.boot_lun = 01000000
# END RECORD
"""
NONE = "iscsiadm: Could not get list of targets from firmware. (err 21)\n"


@pytest.fixture
def fw(tmp_path):
    class Box:
        home, run_dir, sys = tmp_path / "home", tmp_path / "run", tmp_path / "sys"
        table = tmp_path / "sys" / "firmware" / "ibft"

        def put(self, where, **values):
            for name, value in values.items():
                path = self.table / where / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{value}\n")

        def adm(self, *args):
            env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SISKIN_HOMEDIR": str(self.home),
                   "SISKIN_RUNDIR": str(self.run_dir), "SISKIN_SYSFS": str(self.sys)}
            r = subprocess.run([ISCSIADM, *args], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            return r.returncode, r.stdout, r.stderr

        def logins(self):
            return [params["record"] for method, params in self.calls if method == "session.login"]

    b = Box()
    b.kernel = Sysfs(b.sys)
    for d in (b.home, b.run_dir):
        d.mkdir()
    b.put("initiator", **{"initiator-name": INITIATOR, "flags": 3})
    b.put("ethernet0", **NIC)
    b.put("target0", **TARGET)
    conf = b.home / "iscsid.conf"
    conf.write_text("node.session.timeo.replacement_timeout = 77\n")
    daemon = Daemon(b.run_dir / "iscsid.sock",
                    lambda m, p: {"conf_file": str(conf), "initiator": INITIATOR} if m == "config" else {"sid": 1})
    b.calls = daemon.calls
    yield b
    daemon.close()


def test_show(fw):
    assert fw.adm("-m", "fw") == (0, PRINTED, "")
    assert fw.calls == []
    fw.put("target0", **{"chap-name": "alice", "chap-secret": "alicesecret12", "rev-chap-name": "bob",
                         "rev-chap-name-secret": "bobsecret1234"})
    chap = ("node.session.auth.username = alice\nnode.session.auth.password = alicesecret12\n"
            "node.session.auth.username_in = bob\nnode.session.auth.password_in = bobsecret1234\n")
    assert fw.adm("-m", "fw")[1] == PRINTED.replace("node.boot_lun", chap + "node.boot_lun")


def test_json_hides_secrets_and_fits_the_schema(fw):
    jsonschema = pytest.importorskip("jsonschema")
    fw.put("target0", **{"chap-name": "alice", "chap-secret": "alicesecret12"})
    code, out, err = fw.adm("-m", "fw", "--json")
    doc = json.loads(out)
    check = jsonschema.Draft7Validator(json.loads((TOP / "docs" / "json-schema.json").read_text()))
    check.validate(doc)
    assert (code, err) == (0, "") and "alicesecret12" not in out
    entry, = doc["firmware"]
    assert entry["source"] == "ibft" and entry["netdev"] == "eth7" and entry["booted"] is True
    assert entry["record"]["node.session.auth.username"] == "alice" and entry["record"]["node.session.auth.password"] is None
    for args in (["-m", "fw", "-l"], ["-m", "discovery", "-t", "fw", "-l"]):
        doc = json.loads(fw.adm(*args, "--json")[1])
        check.validate(doc)
        assert doc["results"][0]["code"] == 0 and doc["results"][0]["target"] == IQN + "disk1"


def test_nothing_to_show(fw):
    fw.put("target0", flags=0)
    assert fw.adm("-m", "fw") == (21, "", NONE)
    assert fw.adm("-m", "fw", "-l") == (21, "", NONE)
    assert fw.adm("-m", "discovery", "-t", "fw") == (21, "", NONE)
    fw.put("target0", **{"flags": 3, "nic-assoc": 7})
    assert fw.adm("-m", "fw") == (21, "Invalid nic-assoc of 7. Max id 1.\n", NONE)


def test_login(fw):
    where = f"[iface: default, target: {IQN}disk1, portal: 192.0.2.9,3260]"
    assert fw.adm("-m", "fw", "-l") == (0, f"Logging in to {where}\nLogin to {where} successful.\n", "")
    record, = fw.logins()
    assert record["iface.initiatorname"] == INITIATOR and record["node.tpgt"] == "1"
    assert record["node.session.initial_login_retry_max"] == "30" and record["node.conn[0].timeo.noop_out_interval"] == "0"
    assert record["node.session.timeo.replacement_timeout"] == "77"
    assert not (fw.home / "nodes").exists()
    assert fw.adm("-m", "fw", "-l", "-W") == (0, f"Logging in to {where}\n", "")
    code, out, _ = fw.adm("-m", "fw", "-l", "-n", "node.session.nr_sessions", "-v", "2", "-n", "node.conn[0].timeo.noop_out_interval",
                          "-v", "9", "-n", "iface.initiatorname", "-v", IQN + "other")
    assert (code, out) == (0, f"Logging in to {where} (multiple)\nLogin to {where} successful.\n" * 2)
    assert fw.logins()[-1]["node.conn[0].timeo.noop_out_interval"] == "9"
    assert fw.logins()[-1]["iface.initiatorname"] == IQN + "other"


@pytest.mark.parametrize("key,value,said", [
    ("iface.net_ifacename", "lo", "Cannot override interface parameters for firmware logins"),
    ("iface.hwaddress", "02:00:00:00:98:01", "Cannot override interface parameters for firmware logins"),
    ("iface.transport_name", "user", "Cannot override interface parameters for firmware logins"),
    ("nosuch", "2", "Unknown parameter nosuch."),
    ("node.startup", "bad", "Unknown parameter node.startup."),
])
def test_refused_settings_log_nobody_in(fw, key, value, said):
    code, out, err = fw.adm("-m", "fw", "-l", "-n", key, "-v", value)
    assert (code, out) == (7, "")
    assert f"iscsiadm: {said}\n" in err and err.endswith("iscsiadm: Could not merge user params\n")
    assert fw.logins() == []


def test_boot_records(fw):
    fw.put("target0", **{"chap-name": "alice", "chap-secret": "alicesecret12"})
    flat = f"192.0.2.9:3260,1 {IQN}disk1\n"
    record = fw.home / "nodes" / f"{IQN}disk1" / "192.0.2.9,3260,1" / "default"
    for args in (["-m", "discovery", "-t", "fw", "-o", "nonpersistent"], ["-m", "discovery", "-t", "fw"], ["-m", "discoverydb", "-t", "fw", "-D"]):
        assert fw.adm(*args) == (0, flat, "")
        assert record.exists() == ("nonpersistent" not in args)
    text = record.read_text()
    for line in ("node.startup = onboot", "node.conn[0].startup = onboot", "node.discovery_type = fw", f"iface.initiatorname = {INITIATOR}",
                 "node.session.auth.password = alicesecret12", "node.session.timeo.replacement_timeout = 77"):
        assert line + "\n" in text
    assert (fw.home / "fw" / f"{IQN}disk1,192.0.2.9,3260,1,default").is_symlink()
    tree = f"Target: {IQN}disk1\n\tPortal: 192.0.2.9:3260,1\n\t\tIface Name: default\n"
    assert fw.adm("-m", "discovery", "-P", "1")[1].endswith("FIRMWARE:\n" + tree)
    assert fw.adm("-m", "discovery", "-t", "fw", "-P", "1") == (0, tree, "")
    assert fw.adm("-m", "discovery", "-t", "fw", "-P", "2") == (0, "", "")
    assert fw.adm("-m", "discoverydb", "-t", "fw")[::2] == \
        (7, "iscsiadm: Invalid command. Possibly missing --discover argument.\n")
    code, out, _ = fw.adm("-m", "discovery", "-t", "fw", "-l")
    assert code == 0 and out.startswith(flat) and out.endswith("successful.\n")
    assert fw.logins()[-1]["node.session.auth.password"] == "alicesecret12"


def test_a_target_that_is_gone_is_forgotten_and_settings_stay(fw):
    assert fw.adm("-m", "discovery", "-t", "fw")[0] == 0
    assert fw.adm("-m", "node", "-T", IQN + "disk1", "-o", "update", "-n", "node.session.timeo.replacement_timeout", "-v", "5")[0] == 0
    assert fw.adm("-m", "discovery", "-t", "fw")[0] == 0
    assert "replacement_timeout = 5\n" in fw.adm("-m", "node", "-T", IQN + "disk1")[1]
    fw.put("target0", **{"target-name": IQN + "disk2"})
    assert fw.adm("-m", "discovery", "-t", "fw")[0] == 0
    assert fw.adm("-m", "node")[1] == f"192.0.2.9:3260,1 {IQN}disk2\n"


def test_boot_sessions(fw):
    for sid, name in enumerate(("disk1", "disk2"), 1):
        fw.kernel.session(sid, IQN + name, sid + 1, addr="192.0.2.9")
        assert fw.adm("-m", "node", "-T", IQN + name, "-p", "192.0.2.9,1", "-o", "new")[0] == 0
    assert fw.adm("-m", "node", "-o", "update", "-n", "node.startup", "-v", "automatic")[0] == 0
    where = f"[sid: 2, target: {IQN}disk2, portal: 192.0.2.9,3260]"
    assert fw.adm("-m", "node", "-U", "all")[:2] == (0, f"Logging out of session {where}\nLogout of {where} successful.\n")
    fw.put("target0", flags=0)
    assert fw.adm("-m", "node", "-U", "all")[1].count("successful") == 2
