# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's open-iscsi 2.1.8 works in the lab: what the lab says about ours counts."""
import pytest

pytestmark = [pytest.mark.core, pytest.mark.full, pytest.mark.programs("2.1.8")]
T = "iqn.2026-11.org.siskin.lab"


def login_and_out(lab, target, portal, disks, chap=None):
    """Discover, log in, find the disks, write and read one, log out, forget."""
    found = lab.run(f"iscsiadm -m discovery -t st -p {portal}").ok().out
    assert f" {target}\n" in found
    node = f"iscsiadm -m node -T {target} -p {portal}"
    for key, value in (chap or {}).items():
        lab.run(f"{node} -o update -n node.session.auth.{key} -v {value}").ok()
    lab.run(f"{node} --login").ok()
    names = []

    def attached():
        lines = lab.run("iscsiadm -m session -P 3").ok().lines
        names[:] = [x.split()[3] for x in lines if "Attached scsi disk" in x]
        return len(names) == disks

    lab.wait_until(attached, "disks")
    lab.run(f"dd if=/dev/urandom of=/run/a bs=64k count=4; dd if=/run/a of=/dev/{names[0]} oflag=direct bs=64k;"
              f"dd if=/dev/{names[0]} iflag=direct bs=64k count=4 of=/run/b; cmp /run/a /run/b && rm /run/a /run/b").ok()
    lab.run(f"{node} --logout").ok()
    lab.run("iscsiadm -m session").fails(21)
    lab.run(f"{node} -o delete").ok()


@pytest.mark.parametrize("portal", ["127.0.0.1:3260", "10.10.0.1:3260", "[::1]:3260"])
def test_tgtd(lab, make_tgtd, iscsid, portal):
    make_tgtd().target(f"{T}:disks", luns=["16M", "16M"])
    login_and_out(lab, f"{T}:disks", portal, 2)


@pytest.mark.parametrize("portal", ["127.0.0.1:3261", "10.10.0.2:3261", "[fd10::1]:3261"])
def test_lio(lab, lio, iscsid, portal):
    lio.target(f"{T}:disks", {1: ["127.0.0.1:3261", "[fd10::1]:3261"], 2: ["10.10.0.2:3261"]}, luns=["16M", "16M"])
    login_and_out(lab, f"{T}:disks", portal, 2)


CHAP = {"authmethod": "CHAP", "username": "alice", "password": "secret12charsX", "username_in": "bob", "password_in": "bobsecret12345"}


def test_mutual_chap_with_tgtd(lab, make_tgtd, iscsid):
    make_tgtd().target(f"{T}:chap", chap=("alice", "secret12charsX"), chap_in=("bob", "bobsecret12345"))
    login_and_out(lab, f"{T}:chap", "127.0.0.1:3260", 1, CHAP)


def test_mutual_chap_and_acl_with_lio(lab, lio, iscsid):
    lio.target(f"{T}:chap", {1: ["127.0.0.1:3261"]}, chap=("alice", "secret12charsX"), chap_in=("bob", "bobsecret12345"),
               acls=["iqn.2026-11.lab.test:initiator"])
    login_and_out(lab, f"{T}:chap", "127.0.0.1:3261", 1, CHAP)


def test_a_host_behind_a_slow_link(lab, make_net, make_tgtd, iscsid):
    net = make_net()
    net.host("array")
    link = net.link("array", ("10.20.0.1/24", "10.20.0.2/24"), ("fd20::1/64", "fd20::2/64"))
    make_tgtd(ns="array").target(f"{T}:far")
    link.netem("delay 20ms loss 1%")
    assert lab.run("iscsiadm -m discovery -t st -p 10.20.0.2").ok().seconds > 0.08  # connect, login twice, text
    login_and_out(lab, f"{T}:far", "10.20.0.2:3260", 1)
    link.netem("")
    login_and_out(lab, f"{T}:far", "[fd20::2]:3260", 1)


def test_lio_in_a_namespace_and_a_cut_link(lab, make_net, lio, iscsid):
    net = make_net()
    net.host("array")
    link = net.link("array", ("10.20.0.1/24", "10.20.0.2/24"))
    lio.target(f"{T}:far", {1: ["10.20.0.2:3260"]}, ns="array")
    login_and_out(lab, f"{T}:far", "10.20.0.2:3260", 1)
    link.cut()
    assert lab.run("timeout 1 bash -c '</dev/tcp/10.20.0.2/3260'").rc != 0
    link.mend()
    lab.run("timeout 5 bash -c '</dev/tcp/10.20.0.2/3260'").ok()
