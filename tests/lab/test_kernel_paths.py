# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which way kernel sessions go: several portals and NICs, redirects, link-local addresses."""
import re

import pytest
from test_kernel_faults import until
from test_kernel_sessions import IQN, conf, disks, disks_of, discover, node, write_and_compare  # noqa: F401

PORTALS = [f"10.1.0.1{n}:3260" for n in (1, 2, 3)]
NICS = ("l0-array", "l1-array")
FAST = ("node.session.iscsi.DefaultTime2Wait = 0", "node.conn[0].timeo.noop_out_interval = 1",
        "node.conn[0].timeo.noop_out_timeout = 1")


@pytest.fixture
def array(lab, conf, make_net, lio):
    """a host with three addresses on one subnet, reached over two NICs in that subnet; a target with three portals"""
    conf(*FAST)
    net = make_net()
    net.host("array")
    net.cables = [net.link("array", (f"10.1.0.{n}/24", f"10.1.9.{n}/24")) for n in (1, 2)]
    lab.run("modprobe bridge && sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2").ok()
    for cmd in ("ip link add br0 type bridge", "ip link set eth0 master br0", "ip link set eth1 master br0", "ip link set br0 up",
                *(f"ip addr add {p.split(':')[0]}/24 dev br0" for p in PORTALS)):
        net.run("array", cmd)
    lio.target(f"{IQN}:paths", {1: PORTALS}, ns="array")
    yield net
    lab.run("sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.arp_announce=0").ok()


def make_iface(lab, name, **settings):
    lab.run(f"iscsiadm -m iface -I {name} -o new").ok()
    for key, value in settings.items():
        lab.run(f"iscsiadm -m iface -I {name} -o update -n iface.{key} -v {value}").ok()


def connections(lab):
    """(local address, device it is bound to) of each, as ss shows them: 10.1.0.1%l0-array:40000"""
    return [re.match(r"([\d.]+)(?:%([\w-]+))?:", line.split()[2]).groups()
            for line in lab.run("ss -Htn state established dport = 3260").ok().lines]


def sent(lab):
    return {nic: int(lab.read(f"/sys/class/net/{nic}/statistics/tx_bytes")) for nic in NICS}


def disk_through(lab, iface):
    found = lab.run("cd /sys/class/iscsi_session; for s in *; do "
                    f"[ \"$(cat $s/ifacename)\" = {iface} ] && ls $s/device/target*/*/block; done; true").ok().lines
    return "/dev/" + found[0]


def state_through(lab, iface):
    return lab.run(f"cd /sys/class/iscsi_session; for s in *; do [ $(cat $s/ifacename) = {iface} ] && cat $s/state; done; true").lines


def check_traffic(lab, iface, nic):
    """What is written through @iface's disk leaves by @nic and by no other."""
    before = sent(lab)
    write_and_compare(lab, disk_through(lab, iface), 4)
    after = sent(lab)
    grew = {n: after[n] - before[n] for n in NICS}
    other, = set(NICS) - {nic}
    assert grew[nic] > 4 << 20 and grew[other] < 64 << 10, grew


@pytest.mark.core
def test_three_portals_through_two_nics_stay_on_them(lab, array, iscsid):
    make_iface(lab, "byname", net_ifacename=NICS[0])
    make_iface(lab, "bymac", hwaddress=lab.read(f"/sys/class/net/{NICS[1]}/address").strip())
    lab.run(f"iscsiadm -m discovery -t st -p {PORTALS[0]} -I byname -I bymac").ok()
    lab.run("iscsiadm -m node --login", timeout=120).ok()
    assert sorted(connections(lab)) == [("10.1.0.1", NICS[0])] * 3 + [("10.1.0.2", NICS[1])] * 3
    check_traffic(lab, "byname", NICS[0])
    check_traffic(lab, "bymac", NICS[1])
    # one NIC goes: its sessions wait for it, the other's do not notice
    array.cables[0].cut()
    lab.wait_until(lambda: state_through(lab, "byname") == ["FAILED"] * 3, "the sessions of the NIC that was cut", 60)
    assert state_through(lab, "bymac") == ["LOGGED_IN"] * 3
    check_traffic(lab, "bymac", NICS[1])
    assert connections(lab) == [("10.1.0.2", NICS[1])] * 3
    # its address goes as well: there is nothing else that it may use
    lab.run(f"ip addr del 10.1.0.1/24 dev {NICS[0]}").ok()
    array.cables[0].mend()
    array.run("array", "ip link set eth0 master br0")
    lab.run("iscsiadm -m session -P 1").ok()
    assert state_through(lab, "byname") == ["FAILED"] * 3
    lab.run(f"ip addr add 10.1.0.1/24 dev {NICS[0]}").ok()
    lab.wait_until(lambda: state_through(lab, "byname") == ["LOGGED_IN"] * 3, "the sessions of the NIC that came back", 120)
    assert sorted(connections(lab)) == [("10.1.0.1", NICS[0])] * 3 + [("10.1.0.2", NICS[1])] * 3
    check_traffic(lab, "byname", NICS[0])
    lab.run("iscsiadm -m node --logoutall=all", timeout=120).ok()


@pytest.mark.full
def test_an_iface_bound_by_address(lab, array, iscsid):
    make_iface(lab, "byaddress", ipaddress="10.1.0.2")
    lab.run(f"iscsiadm -m discovery -t st -p {PORTALS[0]} -I byaddress").ok()
    lab.run("iscsiadm -m node --login").ok()
    assert [local for local, _ in connections(lab)] == ["10.1.0.2"] * 3
    node(lab, f"{IQN}:paths", "--logout -I byaddress", PORTALS[1]).ok()
    assert len(connections(lab)) == 2
    lab.run("iscsiadm -m node --logoutall=all", timeout=90).ok()


@pytest.mark.full
def test_a_link_local_portal_and_a_new_login_there(lab, conf, make_net, make_tgtd, iscsid):
    conf(*FAST)
    net = make_net()
    net.host("six")
    net.link("six", ("fe80::a:1/64", "fe80::a:2/64"))
    tgtd = make_tgtd(ns="six", portals=["[::]:3260"])
    tgtd.target(f"{IQN}:six")
    portal = "[fe80::a:2%l0-six]:3260"
    discover(lab, portal)
    lab.run(f"iscsiadm -m node -T {IQN}:six --login").ok()
    disk, = disks_of(lab, f"{IQN}:six")
    tgtd.kill()
    until(lab, "FAILED")
    tgtd.start()
    until(lab, "LOGGED_IN", 40)
    write_and_compare(lab, disk, 1)
    lab.run(f"iscsiadm -m node -T {IQN}:six --logout").ok()
    assert disks(lab) == []


@pytest.mark.full
@pytest.mark.parametrize("permanent", (False, True))
def test_a_redirect_is_followed_and_asked_for_again(lab, conf, make_odd, iscsid, permanent):
    conf(*FAST)
    there = make_odd("targets=['iqn.2026-11.org.siskin.odd:t0'], keys={'DefaultTime2Wait': 0}")
    here = make_odd(f"keys={{'DefaultTime2Wait': 0}}, redirect=('{there.portal}', {permanent})")
    discover(lab, here.portal)
    node(lab, here.name, "--login", here.portal).ok()
    disk, = disks_of(lab, here.name)
    port = there.portal.split(":")[1]
    assert lab.run("cat /sys/class/iscsi_connection/connection*/port").out.strip() == port
    assert lab.run("cat /sys/class/iscsi_connection/connection*/persistent_port").out.strip() == here.portal.split(":")[1]
    write_and_compare(lab, disk, 1)
    asked = here.ask("t.attempts")
    there.ask("alive()[0].drop()")
    there.wait("t.logins == 2")
    until(lab, "LOGGED_IN")
    assert here.ask("t.attempts") == asked + 1      # the persistent portal comes first on every reconnect
    write_and_compare(lab, disk, 1)
    node(lab, here.name, "--logout", here.portal).ok()
