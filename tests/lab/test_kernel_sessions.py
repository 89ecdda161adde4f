# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions in the kernel: login, I/O, logout, and what the kernel is told and asked on the way."""
import re

import pytest

IQN = "iqn.2026-11.lab.kernel"
PORTAL = "127.0.0.1:3260"
OURS = ("user", "initiatorsecret")
THEIRS = ("target", "targetsecret99")


@pytest.fixture
def conf(lab):
    """configuration and an empty database; call it with lines of iscsid.conf"""
    def write(*lines):
        lab.run("rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets; mkdir -p /etc/iscsi; ip link set lo up").ok()
        lab.write("/etc/iscsi/initiatorname.iscsi", f"InitiatorName={IQN}:initiator\n")
        lab.write("/etc/iscsi/iscsid.conf", "".join(line + "\n" for line in lines))
    write()
    return write


def discover(lab, portal=PORTAL):
    lab.run(f"iscsiadm -m discovery -t sendtargets -p '{portal}'").ok()


def node(lab, target, what, portal=PORTAL):
    return lab.run(f"iscsiadm -m node -T {target} -p '{portal}' {what}", timeout=90)


def disks(lab):
    return lab.run("ls /sys/block | grep '^sd' || true").ok().lines


def disks_of(lab, target):
    """/dev/sdX of the sessions with a target, by sysfs."""
    return lab.run("cd /sys/class/iscsi_session; for s in *; do "
                   f"[ \"$(cat $s/targetname)\" = {target} ] && ls -d $s/device/target*/*/block/* 2>/dev/null | sed 's,.*/,/dev/,'; "
                   "done; true").ok().lines


def attr(lab, path):
    return lab.run(f"cat {path}").ok().out.strip()


def login(lab, target, portal=PORTAL):
    """Logs in; the disks that came with it are there when the tool returns."""
    node(lab, target, "--login", portal).ok()
    return disks_of(lab, target)


def write_and_compare(lab, disk, mib=8):
    lab.run(f"dd if=/dev/urandom of=/run/pattern bs=1M count={mib} 2>/dev/null && "
            f"dd if=/run/pattern of={disk} bs=1M oflag=direct 2>/dev/null && "
            f"dd if={disk} bs=1M count={mib} iflag=direct 2>/dev/null | cmp - /run/pattern; s=$?; rm /run/pattern; exit $s").ok()


def check_login_io_logout(lab, target, portal):
    discover(lab, portal)
    disk, = login(lab, target, portal)
    assert attr(lab, "/sys/class/iscsi_session/session*/state") == "LOGGED_IN"
    write_and_compare(lab, disk)
    lab.run(f"mkfs.ext4 -q {disk} && mkdir -p /run/mnt && mount {disk} /run/mnt && cp -r /etc/init.d /run/mnt && "
            f"umount /run/mnt && fsck.ext4 -fn {disk} && rmdir /run/mnt").ok()
    node(lab, target, "--logout", portal).ok()
    assert disks(lab) == []
    assert lab.run("ls /sys/class/iscsi_session /sys/class/iscsi_host").ok().out.split() == [
        "/sys/class/iscsi_host:", "/sys/class/iscsi_session:"]


@pytest.mark.core
def test_disk_of_tgtd(lab, conf, make_tgtd, iscsid):
    make_tgtd().target(f"{IQN}:a")
    check_login_io_logout(lab, f"{IQN}:a", PORTAL)


@pytest.mark.core
def test_disk_of_lio(lab, conf, lio, iscsid):
    lio.target(f"{IQN}:l", {1: ["127.0.0.1:3261"]})
    check_login_io_logout(lab, f"{IQN}:l", "127.0.0.1:3261")


def test_over_ipv6(lab, conf, make_tgtd, iscsid):
    make_tgtd(portals=["[::1]:3260"]).target(f"{IQN}:six")
    check_login_io_logout(lab, f"{IQN}:six", "[::1]:3260")


def test_digests_are_computed_and_checked_by_the_kernel(lab, conf, lio, iscsid):
    conf("node.conn[0].iscsi.HeaderDigest = CRC32C", "node.conn[0].iscsi.DataDigest = CRC32C")
    lio.target(f"{IQN}:d", {1: [PORTAL]})
    discover(lab)
    disk, = login(lab, f"{IQN}:d")
    assert attr(lab, "/sys/class/iscsi_connection/connection*/header_digest") == "1"
    assert attr(lab, "/sys/class/iscsi_connection/connection*/data_digest") == "1"
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:d", "--logout").ok()


def test_mutual_chap(lab, conf, make_tgtd, iscsid):
    conf("node.session.auth.authmethod = CHAP", f"node.session.auth.username = {OURS[0]}",
         f"node.session.auth.password = {OURS[1]}", f"node.session.auth.username_in = {THEIRS[0]}",
         f"node.session.auth.password_in = {THEIRS[1]}")
    make_tgtd().target(f"{IQN}:c", chap=OURS, chap_in=THEIRS)
    discover(lab)
    disk, = login(lab, f"{IQN}:c")
    assert attr(lab, "/sys/class/iscsi_session/session*/username") == OURS[0]
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:c", "--logout").ok()
    node(lab, f"{IQN}:c", "-o update -n node.session.auth.password -v wrongsecret123").ok()
    node(lab, f"{IQN}:c", "--login").fails(24)
    assert lab.run("ls /sys/class/iscsi_session /sys/class/scsi_host").ok().out.count("session1") == 0
    assert lab.run("ls -A /run/siskin/kernel").ok().out == ""


@pytest.mark.full
def test_lio_over_ipv6_with_mutual_chap_digests_and_a_lun_that_comes_later(lab, conf, lio, iscsid):
    conf("node.session.auth.authmethod = CHAP", f"node.session.auth.username = {OURS[0]}",
         f"node.session.auth.password = {OURS[1]}", f"node.session.auth.username_in = {THEIRS[0]}",
         f"node.session.auth.password_in = {THEIRS[1]}", "node.conn[0].iscsi.HeaderDigest = CRC32C",
         "node.conn[0].iscsi.DataDigest = CRC32C")
    lio.target(f"{IQN}:lc", {1: ["[::1]:3261"]}, chap=OURS, chap_in=THEIRS)
    discover(lab, "[::1]:3261")
    disk, = login(lab, f"{IQN}:lc", "[::1]:3261")
    for attribute in ("header_digest", "data_digest"):
        assert attr(lab, f"/sys/class/iscsi_connection/connection*/{attribute}") == "1"
    assert attr(lab, "/sys/class/iscsi_session/session*/username_in") == THEIRS[0]
    write_and_compare(lab, disk)
    lio.add_lun(f"{IQN}:lc", 1, 3, "8M")
    lab.run("iscsiadm -m session --rescan").ok()
    assert len(disks(lab)) == 2
    node(lab, f"{IQN}:lc", "--logout", "[::1]:3261").ok()
    assert disks(lab) == []


@pytest.mark.full
def test_digests_with_tgtd(lab, conf, make_tgtd, iscsid):
    conf("node.conn[0].iscsi.HeaderDigest = CRC32C", "node.conn[0].iscsi.DataDigest = CRC32C")
    make_tgtd().target(f"{IQN}:td", HeaderDigest="CRC32C", DataDigest="CRC32C")
    discover(lab)
    disk, = login(lab, f"{IQN}:td")
    assert attr(lab, "/sys/class/iscsi_connection/connection*/data_digest") == "1"
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:td", "--logout").ok()


def test_what_was_negotiated_is_in_the_kernel(lab, conf, lio, iscsid):
    conf("node.session.timeo.replacement_timeout = 77", "node.conn[0].timeo.noop_out_interval = 11",
         "node.conn[0].timeo.noop_out_timeout = 13", "node.session.err_timeo.abort_timeout = 17",
         "node.session.err_timeo.lu_reset_timeout = 19", "node.session.err_timeo.tgt_reset_timeout = 23",
         "node.session.cmds_max = 64", "node.session.queue_depth = 8", "node.session.iscsi.FirstBurstLength = 32768",
         "node.conn[0].iscsi.MaxRecvDataSegmentLength = 131072")
    lio.target(f"{IQN}:p", {1: [PORTAL]})
    discover(lab)
    disk, = login(lab, f"{IQN}:p")
    session = {"recovery_tmo": 77, "abort_tmo": 17, "lu_reset_tmo": 19, "tgt_reset_tmo": 23, "first_burst_len": 32768,
               "initial_r2t": 1, "immediate_data": 1, "targetname": f"{IQN}:p", "initiatorname": f"{IQN}:initiator",
               "ifacename": "default", "tpgt": 1}
    conn = {"recv_tmo": 11, "ping_tmo": 13, "max_recv_dlength": 131072, "persistent_address": "127.0.0.1",
            "persistent_port": 3260, "state": "up"}
    for name, value in session.items():
        assert attr(lab, f"/sys/class/iscsi_session/session*/{name}") == str(value), name
    for name, value in conn.items():
        assert attr(lab, f"/sys/class/iscsi_connection/connection*/{name}") == str(value), name
    host = attr(lab, "/sys/class/scsi_host/host*/can_queue")
    assert host == str(64 - 15)
    assert attr(lab, f"/sys/block/{disk[5:]}/device/queue_depth") == "8"
    node(lab, f"{IQN}:p", "--logout").ok()


def test_manual_scan_and_a_lun_that_comes_later(lab, conf, make_tgtd, iscsid):
    conf("node.session.scan = manual")
    tgtd = make_tgtd()
    tid = tgtd.target(f"{IQN}:m")
    discover(lab)
    assert login(lab, f"{IQN}:m") == []
    lab.run("iscsiadm -m session --rescan").ok()
    assert len(disks(lab)) == 1
    tgtd.add_lun(tid, 2, "32M")
    lab.run("iscsiadm -m session --rescan").ok()
    assert len(disks(lab)) == 2
    iscsid.kill()  # the kernel's sessions need nobody else
    tgtd.add_lun(tid, 3, "32M")
    lab.run("iscsiadm -m session --rescan").ok()
    lab.wait_until("[ $(ls -d /sys/class/iscsi_session/session*/device/target*/*/block/* | wc -l) = 3 ]", "the third disk")
    iscsid.start()
    node(lab, f"{IQN}:m", "--logout").ok()


def test_counters(lab, conf, lio, iscsid):
    lio.target(f"{IQN}:s", {1: [PORTAL]})
    discover(lab)
    disk, = login(lab, f"{IQN}:s")
    write_and_compare(lab, disk, 4)
    out = lab.run("iscsiadm -m session -s").ok().out
    count = {k: int(v) for k, v in re.findall(r"^\t(\w+): (\d+)$", out, re.M)}
    assert count["txdata_octets"] > 4 << 20 and count["rxdata_octets"] > 4 << 20
    assert count["scsicmd_pdus"] > 0 and count["scsirsp_pdus"] > 0 and "eh_abort_cnt" in count
    node(lab, f"{IQN}:s", "--logout").ok()


def test_many_disks_go_without_holding_up_another_login(lab, conf, make_tgtd, iscsid):
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:many", luns=["1M"] * 40)
    tgtd.target(f"{IQN}:one")
    discover(lab)
    assert len(login(lab, f"{IQN}:many")) == 40
    going = lab.start(f"iscsiadm -m node -T {IQN}:many -p {PORTAL} --logout", timeout=60)
    disk, = login(lab, f"{IQN}:one")
    assert lab.run(f"dd if={disk} of=/dev/null bs=1M count=1 iflag=direct").rc == 0
    going.wait().ok()
    assert disks(lab) == [disk[5:]]
    node(lab, f"{IQN}:one", "--logout").ok()


def test_safe_logout(lab, conf, make_tgtd, iscsid):
    conf("iscsid.safe_logout = Yes")
    iscsid.restart()
    make_tgtd().target(f"{IQN}:safe")
    discover(lab)
    disk, = login(lab, f"{IQN}:safe")
    lab.run(f"mkfs.ext4 -q {disk} && mkdir -p /run/mnt && mount {disk} /run/mnt").ok()
    node(lab, f"{IQN}:safe", "--logout").fails(28)
    lab.run("touch /run/mnt/x && umount /run/mnt && rmdir /run/mnt").ok()
    node(lab, f"{IQN}:safe", "--logout").ok()


def test_the_user_transport_is_there_when_asked_for(lab, conf, make_tgtd, iscsid):
    lab.run("modprobe -a fuse loop").ok()
    make_tgtd().target(f"{IQN}:u")
    discover(lab)
    node(lab, f"{IQN}:u", "-o update -n iface.transport_name -v user").ok()
    node(lab, f"{IQN}:u", "--login").ok()
    assert lab.run("ls /sys/class/iscsi_session").ok().out == ""
    assert len(lab.run("iscsiadm -m session").ok().lines) == 1
    node(lab, f"{IQN}:u", "--logout").ok()


def test_ids_are_unique_over_both_transports(lab, conf, make_tgtd, iscsid):
    lab.run("modprobe -a fuse loop").ok()
    tgtd = make_tgtd()
    for n in range(4):
        tgtd.target(f"{IQN}:n{n}")
    discover(lab)
    for n in (0, 2):
        node(lab, f"{IQN}:n{n}", "-o update -n iface.transport_name -v user").ok()
    for n in range(4):
        node(lab, f"{IQN}:n{n}", "--login").ok()
    sids = re.findall(r"\[(\d+)\]", lab.run("iscsiadm -m session").ok().out)
    assert len(sids) == 4 and len(set(sids)) == 4
    lab.run("iscsiadm -m node --logoutall=all", timeout=90).ok()


def test_times_of_a_running_session_change_at_once(lab, conf, make_tgtd, iscsid):
    """The kernel takes them over, the next daemon knows them, and nobody logs in again for it."""
    make_tgtd().target(f"{IQN}:a")
    discover(lab)
    login(lab, f"{IQN}:a")
    here, conn = "/sys/class/iscsi_session/session*", "/sys/class/iscsi_connection/connection*"
    number = lab.run(f"basename {here}").ok().out
    want = {"node.session.timeo.replacement_timeout": ("recovery_tmo", 33), "node.session.err_timeo.abort_timeout": ("abort_tmo", 7),
            "node.session.err_timeo.lu_reset_timeout": ("lu_reset_tmo", 8), "node.session.err_timeo.tgt_reset_timeout": ("tgt_reset_tmo", 9)}
    pairs = " ".join(f"-n {key} -v {v}" for key, (_, v) in want.items())
    node(lab, f"{IQN}:a", f"-o update --live {pairs} -n 'node.conn[0].timeo.noop_out_interval' -v 11").ok()
    for _ in range(2):
        assert {name: attr(lab, f"{here}/{name}") for name, _ in want.values()} == {name: str(v) for name, v in want.values()}
        assert attr(lab, f"{conn}/recv_tmo") == "11" and attr(lab, f"{conn}/ping_tmo") == "5"
        text = lab.run("iscsiadm -m session --explain").ok().out
        assert "\t\treplacement_timeout: 33 s\n" in text and "\t\tnoop_out_interval: 11 s\n" in text and "(record" not in text
        iscsid.restart()
    assert lab.run(f"basename {here}").ok().out == number
    node(lab, f"{IQN}:a", "--logout").ok()
