# SPDX-License-Identifier: LGPL-2.1-or-later
"""The small programs around iscsiadm: arguments, words, exit statuses, and what they leave behind."""
import os
import pathlib
import subprocess

import pytest

from instance import BUILD, TOP, program

SCRIPTS = TOP / "src" / "scripts"
ROOT = os.geteuid() == 0


def script(name):
    built = BUILD / "src" / "scripts" / name
    return built if built.exists() else SCRIPTS / name


class Tools:
    """runs a script with programs of ours, or stand-ins, on PATH"""

    def __init__(self, root):
        self.root = root
        self.home, self.sys, self.bin, self.cmdline = root / "etc", root / "sys", root / "bin", root / "cmdline"
        for d in (self.home, self.sys, self.bin):
            d.mkdir()
        self.cmdline.write_text("quiet ro\n")
        (self.bin / "iscsi-iname").symlink_to(program("iscsi-iname"))

    def stand_in(self, name, text):
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def __call__(self, name, *args):
        env = {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "SISKIN_HOMEDIR": str(self.home),
               "SISKIN_SYSFS": str(self.sys), "SISKIN_CMDLINE": str(self.cmdline), "LOG": str(self.root / "log")}
        r = subprocess.run(["sh", script(name), *args], env=env, capture_output=True, text=True, timeout=60, cwd="/")
        return r.returncode, r.stdout, r.stderr


@pytest.fixture
def tools(tmp_path):
    t = Tools(tmp_path)
    before = set(os.listdir("/tmp"))
    yield t
    assert not [n for n in set(os.listdir("/tmp")) - before if "iscsi" in n and "siskin" not in n]


@pytest.mark.parametrize("args,out", [
    (["300.1.1.1"], "300.1.1.1 is not a vaild IP address!\n"),
    (["::1"], "::1 is not a vaild IP address!\n"),
    (["1.2.3"], "1.2.3 is not a vaild IP address!\n"),
    (["1.2.3.4.5"], "1.2.3.4.5 is not a vaild IP address!\n"),
    (["1.2.3.*"], "1.2.3.* is not a vaild IP address!\n"),
    (["$(id)"], "$(id) is not a vaild IP address!\n"),
])
def test_discovery_takes_an_ipv4_address(tools, args, out):
    assert tools("iscsi_discovery", *args) == (1, out, "")


@pytest.mark.parametrize("args", [[], ["127.0.0.1", "-z"], ["127.0.0.1", "-t", "scsi"], ["127.0.0.1", "-p"],
                                  ["127.0.0.1", "-p", "x"]])
def test_discovery_usage(tools, args):
    code, out, err = tools("iscsi_discovery", *args)
    assert code == 1 and out.startswith("Usage: iscsi_discovery")
    assert bool(err) == (args[1:] in (["-z"], ["-p"]))


@pytest.fixture
def both(make_instance, tgtd):
    """an iscsid, and two targets, one of which asks for CHAP"""
    good = tgtd.target()
    shut = tgtd.target(chap=("user", "twelve letters"))
    i = make_instance().start()

    def run(*args):
        env = dict(i.env, PATH=f"{program('iscsiadm').parent}:/usr/sbin:/usr/bin:/sbin:/bin")
        address, port = tgtd.portal.rsplit(":", 1)
        r = subprocess.run(["sh", script("iscsi_discovery"), address, "-p", port, *args], env=env, capture_output=True,
                           text=True, timeout=120, cwd="/")
        return r.returncode, r.stdout, r.stderr

    return i, tgtd.portal, good, shut, run


def test_discovery_tries_every_portal(both):
    i, portal, good, shut, run = both
    code, out, err = run()
    assert (code, err) == (0, "iscsiadm: No active sessions.\n")
    said = out.splitlines()
    assert f"Set target {good.name} to automatic login over tcp to portal {portal}" in said
    assert said.count(f"Cannot login over tcp to portal {portal}") == 2
    assert said[-1] == "discovered 2 targets at 127.0.0.1"
    assert any(x.startswith("Logout of [sid: ") and x.endswith("] successful.") for x in said)
    i.adm("-m", "session").fails(21)
    assert "node.conn[0].startup = automatic" in i.adm("-m", "node", "-T", good.name).ok().out
    assert "node.conn[0].startup = manual" in i.adm("-m", "node", "-T", shut.name).ok().out
    assert "node.startup = manual" in i.adm("-m", "node", "-T", good.name).ok().out


def test_discovery_stays_logged_in_and_is_refused_then(both):
    i, portal, good, _, run = both
    code, out, _ = run("-l", "-f", "-m")
    assert code == 0 and out.count("Cannot login") == 1 and "Logging out" not in out
    assert good.name in i.adm("-m", "session").ok().out
    assert "node.conn[0].startup = manual" in i.adm("-m", "node", "-T", good.name).ok().out
    assert run() == (2, f"Please logout from all targets on {portal} before trying to run discovery on that portal\n", "")
    i.logout(good.name).ok()


def name_of(tools):
    lines = (tools.home / "initiatorname.iscsi").read_text().splitlines()
    assert all(x.startswith("##") for x in lines[:-1])
    assert lines[-1].startswith("InitiatorName=")
    return lines[-1].split("=", 1)[1]


@pytest.mark.skipif(not ROOT, reason="only root writes the name")
def test_gen_initiatorname(tools):
    path = tools.home / "initiatorname.iscsi"
    assert tools("iscsi-gen-initiatorname") == (0, "", "")
    first = name_of(tools)
    assert first.startswith("iqn.") and path.stat().st_mode & 0o777 == 0o600
    code, out, err = tools("iscsi-gen-initiatorname")
    assert (code, err) == (1, "Error: you cannot overwrite the current InitiatorName unless 'force' is set.\n")
    assert out.startswith("Usage:") and name_of(tools) == first
    assert tools("iscsi-gen-initiatorname", "-p", "iqn.2026-11.lab.test:px", "-f") == (0, "", "")
    assert name_of(tools).startswith("iqn.2026-11.lab.test:px:")


@pytest.mark.skipif(not ROOT, reason="only root writes the name")
def test_gen_initiatorname_from_elsewhere(tools):
    ibft = tools.sys / "firmware" / "ibft" / "initiator"
    ibft.mkdir(parents=True)
    (ibft / "initiator-name").write_text("iqn.2026-11.lab.test:bootinit\n")
    assert tools("iscsi-gen-initiatorname", "-f")[0] == 0
    assert name_of(tools) == "iqn.2026-11.lab.test:bootinit"
    tools.cmdline.write_text("ro rd.initiatorname=iqn.2026-11.lab.test:line quiet\n")
    code, _, err = tools("iscsi-gen-initiatorname", "-f")
    assert code == 1 and "differ" in err and name_of(tools) == "iqn.2026-11.lab.test:bootinit"
    (ibft / "initiator-name").write_text("iqn.2026-11.lab.test:line\n")
    assert tools("iscsi-gen-initiatorname", "-f")[0] == 0
    assert name_of(tools) == "iqn.2026-11.lab.test:line"


def test_gen_initiatorname_arguments(tools):
    code, out, err = tools("iscsi-gen-initiatorname", "-z")
    assert (code, err) == (1, "iscsi-gen-initiatorname: illegal option -- z\n") and out.startswith("Usage:")
    code, out, err = tools("iscsi-gen-initiatorname", "foo")
    assert (code, err) == (1, "Error: Invalid argument(s): foo\n") and out.startswith("Usage:")
    assert tools("iscsi-gen-initiatorname", "-h")[::2] == (0, "")


@pytest.mark.parametrize("code", [0, 21, 8])
def test_fw_login_returns_what_iscsiadm_does(tools, code):
    tools.stand_in("iscsiadm", f'echo "$@"; exit {code}')
    assert tools("iscsi_fw_login") == (code, "-m fw -l\n", "")


def card(tools, name, driver, mac="00:11:22:33:44:55"):
    d = tools.sys / "class" / "net" / name
    d.mkdir(parents=True)
    (d / "address").write_text(mac + "\n")
    if driver:
        (d / "device").mkdir()
        (tools.sys / "drivers" / driver).mkdir(parents=True)
        (d / "device" / "driver").symlink_to(tools.sys / "drivers" / driver)


def test_offload(tools):
    card(tools, "dum0", None)
    card(tools, "virt0", "virtio_net")
    card(tools, "bios0", "be2net")
    card(tools, "off0", "cxgb4")
    tools.stand_in("iscsiadm", 'echo "$@" >>"$LOG"; case "$*" in *new) exit 0 ;; *update*) exit 0 ;; esac; exit 6')
    tools.stand_in("modprobe", "exit 1")
    assert tools("iscsi_offload")[:2] == (1, "No interface specified\n")
    assert tools("iscsi_offload", "nosuch0")[:2] == (1, "Interface nosuch0 not found\n")
    assert tools("iscsi_offload", "../../etc")[:2] == (1, "Interface ../../etc not found\n")
    assert tools("iscsi_offload", "dum0")[:2] == (1, "No driver found for interface dum0\n")
    assert tools("iscsi_offload", "-z")[0] == 1
    assert tools("iscsi_offload", "virt0")[0] == 2
    assert tools("iscsi_offload", "off0")[0] == 3
    assert tools("iscsi_offload", "bios0")[0] == 4
    tools.stand_in("modprobe", "exit 0")
    assert tools("iscsi_offload", "-d", "off0") == (0, "00:11:22:33:44:55 dhcp\n", "")
    assert tools("iscsi_offload", "-i", "10.0.0.9", "off0") == (0, "00:11:22:33:44:55 ip 10.0.0.9\n", "")
    assert "-m iface -I cxgb4i.00:11:22:33:44:55 -o update -n iface.ipaddress -v 10.0.0.9" in \
        pathlib.Path(tools.root / "log").read_text()
    tools.stand_in("iscsiadm", "exit 6")
    assert tools("iscsi_offload", "-d", "off0")[0] == 5
