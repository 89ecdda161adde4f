# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kernel sessions when something breaks: targets, links, iscsid itself, somebody else's hands."""
import pytest
from test_kernel_sessions import IQN, PORTAL, attr, conf, discover, disks, login, node, write_and_compare  # noqa: F401

STATE = "/sys/class/iscsi_session/session*/state"
FAST = ("node.session.iscsi.DefaultTime2Wait = 0",)

DESTROY = r'''
import os, socket, struct
handle = int(open("/sys/class/iscsi_transport/tcp/handle").read())
sid = int(os.listdir("/sys/class/iscsi_session")[0][len("session"):])
s = socket.socket(16, socket.SOCK_RAW, 8)
for number, words in ((18, (sid, 0, 0, 0, 1)), (14, (sid, 0)), (12, (sid,))):
    body = struct.pack("<IiQ", number, 0, handle) + struct.pack(f"<{len(words)}I", *words).ljust(40, b"\0")
    s.sendto(struct.pack("<IHHII", 16 + len(body), number, 0, 0, 0) + body, (0, 0))
    assert struct.unpack_from("<I", s.recv(9999), 16)[0] == number
'''


def until(lab, state, seconds=20):
    lab.wait_until(f"grep -q {state} {STATE}", f"session state {state}", seconds)


def connections(lab, port=3260):
    """(local, remote) of each connection to a target"""
    return sorted(line.split()[2:4] for line in lab.run(f"ss -Htn state established dport = {port}").ok().lines)


@pytest.mark.core
def test_io_survives_a_target_that_is_killed_and_restarted(lab, conf, make_tgtd, iscsid):
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:a")
    discover(lab)
    disk, = login(lab, f"{IQN}:a")
    io = lab.start(f"fio --name=v --filename={disk} --rw=randwrite --bs=4k --size=8M --verify=crc32c --direct=1 "
                   "--time_based=0 --loops=4 --output-format=terse >/dev/null", timeout=300)
    tgtd.kill()
    until(lab, "FAILED")
    tgtd.start()
    until(lab, "LOGGED_IN")
    io.wait().ok()
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:a", "--logout").ok()
    assert "Kernel reported iSCSI connection" in (iscsid.stop(), iscsid.log)[1]


def test_io_fails_when_the_replacement_timeout_has_passed_and_flows_again(lab, conf, lio, iscsid):
    conf("node.session.timeo.replacement_timeout = 2")
    lio.target(f"{IQN}:r", {1: [PORTAL]})
    discover(lab)
    disk, = login(lab, f"{IQN}:r")
    lio.enable(f"{IQN}:r", 1, False)
    assert lab.run(f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct").rc != 0
    assert attr(lab, STATE) == "FREE"
    session, = iscsid.ask("session.list")["sessions"]
    assert session["session_state"] == "FREE" and session["connection_state"] != "LOGGED IN"
    assert '"session_state":"FREE"' in lab.run("iscsiadm -m session -P 1 --json").ok().out
    lio.enable(f"{IQN}:r", 1)
    until(lab, "LOGGED_IN")
    assert iscsid.ask("session.list")["sessions"][0]["session_state"] == "LOGGED_IN"
    assert attr(lab, "/sys/class/iscsi_session/session*/recovery_tmo") == "2"
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:r", "--logout").ok()


def test_a_silent_target_is_noticed_by_the_kernels_pings(lab, conf, make_tgtd, iscsid):
    conf("node.conn[0].timeo.noop_out_interval = 1", "node.conn[0].timeo.noop_out_timeout = 1")
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:p")
    discover(lab)
    disk, = login(lab, f"{IQN}:p")
    tgtd.pause()
    until(lab, "FAILED")
    tgtd.resume()
    until(lab, "LOGGED_IN", 40)
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:p", "--logout").ok()
    iscsid.stop()
    assert "1022 - ISCSI_ERR_NOP_TIMEDOUT" in iscsid.log


@pytest.mark.core
def test_a_killed_iscsid_is_followed_by_one_that_touches_nothing(lab, conf, make_tgtd, iscsid):
    tgtd = make_tgtd()
    for name in "ab":
        tgtd.target(f"{IQN}:{name}")
    discover(lab)
    disk, = login(lab, f"{IQN}:a")
    login(lab, f"{IQN}:b")
    before = connections(lab)
    assert len(before) == 2
    for _ in range(5):
        iscsid.kill()
        iscsid.start()
        assert lab.run("iscsiadm -m session").ok().out.count(IQN) == 2
    assert connections(lab) == before
    write_and_compare(lab, disk)
    lab.run("iscsiadm -m node --logoutall=all", timeout=60).ok()
    assert disks(lab) == []
    assert "untouched" in iscsid.log or iscsid.stop() == 0


def test_a_session_that_broke_while_no_iscsid_ran_is_logged_in_again(lab, conf, lio, iscsid):
    lio.target(f"{IQN}:b", {1: [PORTAL]})
    discover(lab)
    disk, = login(lab, f"{IQN}:b")
    iscsid.kill()
    lio.enable(f"{IQN}:b", 1, False)
    until(lab, "FAILED")
    lio.enable(f"{IQN}:b", 1)
    iscsid.start()
    until(lab, "LOGGED_IN")
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:b", "--logout").ok()


def test_sessions_of_the_incumbents_kind_are_taken_over(lab, conf, make_tgtd, iscsid):
    """Without any file of ours: all there is to know is in sysfs and the database."""
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:f")
    discover(lab)
    disk, = login(lab, f"{IQN}:f")
    before = connections(lab)
    iscsid.kill()
    lab.run("rm -r /run/siskin/kernel").ok()
    iscsid.start()
    assert connections(lab) == before
    tgtd.kill()
    until(lab, "FAILED")
    tgtd.start()
    until(lab, "LOGGED_IN")
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:f", "--logout").ok()


def test_a_session_destroyed_by_somebody_else_is_forgotten(lab, conf, make_tgtd, iscsid):
    make_tgtd().target(f"{IQN}:d")
    discover(lab)
    login(lab, f"{IQN}:d")
    lab.write("/run/destroy.py", DESTROY)
    lab.run("python3 /run/destroy.py; s=$?; rm /run/destroy.py; exit $s").ok()
    lab.run("iscsiadm -m session").fails(21)
    login(lab, f"{IQN}:d")
    node(lab, f"{IQN}:d", "--logout").ok()


def test_logout_of_a_session_whose_target_is_away(lab, conf, make_tgtd, iscsid):
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:g")
    discover(lab)
    login(lab, f"{IQN}:g")
    tgtd.kill()
    until(lab, "FAILED")
    assert node(lab, f"{IQN}:g", "--logout").ok().seconds < 10
    assert disks(lab) == []


def test_a_login_that_nobody_finished_is_cleaned_up(lab, conf, make_tgtd, iscsid):
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:h")
    discover(lab)
    tgtd.pause()
    hanging = lab.start(f"iscsiadm -m node -T {IQN}:h -p {PORTAL} --login", timeout=60)
    lab.wait_until("ls /run/siskin/kernel/*.login", "a session on its way")
    iscsid.kill()
    hanging.wait()
    tgtd.resume()
    iscsid.start()
    lab.wait_until("! ls /sys/class/iscsi_session/session* 2>/dev/null", "nothing left")
    login(lab, f"{IQN}:h")
    node(lab, f"{IQN}:h", "--logout").ok()


def test_another_network_namespace_falls_back_to_the_user_transport(lab, conf, make_tgtd, make_net):
    net = make_net()
    net.host("far")
    lab.run("modprobe -a fuse loop").ok()
    lab.run("ip netns exec far ip link set lo up").ok()
    tgtd = make_tgtd(ns="far")
    tgtd.target(f"{IQN}:ns")
    job = lab.start("exec nsenter --net=/run/netns/far iscsid -f", timeout=60)
    try:
        lab.wait_until("nsenter --net=/run/netns/far iscsiadm -m session 2>&1 | grep -q 'No active'", "iscsid there")
        lab.run(f"nsenter --net=/run/netns/far iscsiadm -m discovery -t st -p {PORTAL}").ok()
        r = lab.run(f"nsenter --net=/run/netns/far iscsiadm -m node -T {IQN}:ns -p {PORTAL} --login").ok()
        assert "cannot be reached from this network namespace" in r.out + r.err
        lab.run("nsenter --net=/run/netns/far iscsiadm -m node --logoutall=all").ok()
    finally:
        job.kill()
        job.wait()


def test_an_iscsid_killed_while_its_scan_hangs_keeps_nothing_from_the_next_one(lab, conf, make_tgtd, iscsid):
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:s")
    discover(lab)
    disk, = login(lab, f"{IQN}:s")
    tgtd.pause()
    rescan = lab.start("iscsiadm -m session --rescan", timeout=60)
    lab.wait_until("grep -l blk_execute_rq /proc/[0-9]*/task/*/stack", "a thread that waits for the target")
    iscsid.kill(wait=False)
    rescan.wait()
    iscsid.start()
    tgtd.resume()
    write_and_compare(lab, disk)
    node(lab, f"{IQN}:s", "--logout").ok()
