# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsid's own discoveries with sessions of the kernel: what comes is logged in, what goes is logged out unless it is in use."""
import pytest

IQN = "iqn.2026-11.lab.rediscovery"
PORTAL = "127.0.0.1:3260"


@pytest.fixture
def source(lab):
    """a SendTargets record that iscsid asks every second; before iscsid starts"""
    lab.run("rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets; mkdir -p /etc/iscsi; ip link set lo up").ok()
    lab.write("/etc/iscsi/initiatorname.iscsi", f"InitiatorName={IQN}:initiator\n")
    lab.write("/etc/iscsi/iscsid.conf", "node.startup = manual\n")
    record = f"iscsiadm -m discoverydb -t st -p {PORTAL}"
    lab.run(f"{record} -o new && {record} -o update -n discovery.sendtargets.use_discoveryd -v Yes "
            "-n discovery.sendtargets.discoveryd_poll_inval -v 1").ok()
    yield
    lab.run(f"{record} -o delete").ok()


def running(lab):
    return sorted(lab.run("cat /sys/class/iscsi_session/*/targetname 2>/dev/null || true").ok().lines)


@pytest.mark.full
def test_targets_come_and_go(lab, source, make_tgtd, iscsid):
    tgtd = make_tgtd()
    one = tgtd.target(f"{IQN}:one")
    lab.wait_until(lambda: running(lab) == [f"{IQN}:one"], "the first target's session", 30)
    two = tgtd.target(f"{IQN}:two")
    lab.wait_until(lambda: running(lab) == [f"{IQN}:one", f"{IQN}:two"], "the second's", 30)
    assert lab.run("iscsiadm -m node").rc == 21             # no records are made
    iscsid.kill()
    iscsid.start()
    assert running(lab) == [f"{IQN}:one", f"{IQN}:two"]
    tgtd.adm(f"--mode target --op unbind --tid {one} -I ALL").ok()      # the new daemon knows whose sessions they are
    lab.wait_until(lambda: running(lab) == [f"{IQN}:two"], "the logout", 30)
    lab.wait_until("ls /sys/block | grep -q '^sd'", "the disk that is left")
    disk = lab.run("ls /sys/block | grep '^sd'").ok().out.strip()
    lab.run(f"mkfs.ext4 -q /dev/{disk} && mkdir -p /run/mnt && mount /dev/{disk} /run/mnt").ok()
    tgtd.adm(f"--mode target --op unbind --tid {two} -I ALL").ok()
    tgtd.target(f"{IQN}:three")
    lab.wait_until(lambda: f"{IQN}:three" in running(lab), "a round", 30)
    tgtd.target(f"{IQN}:four")
    lab.wait_until(lambda: f"{IQN}:four" in running(lab), "a second round", 30)
    assert f"{IQN}:two" in running(lab)                     # a file system is on it
    lab.run("umount /run/mnt && rmdir /run/mnt").ok()
    lab.wait_until(lambda: running(lab) == [f"{IQN}:four", f"{IQN}:three"], "the logout once it is free", 40)
    lab.run(f"iscsiadm -m discoverydb -t st -p {PORTAL} -o update -n discovery.sendtargets.use_discoveryd -v No").ok()
    iscsid.restart()
    lab.run("iscsiadm -m session -u").ok()
