# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the kernel cannot be driven: each reason is said, with what to do."""
import pytest
from test_kernel_sessions import IQN, PORTAL, conf, discover, node  # noqa: F401

NO_FALLBACK = "iscsid.transport.fallback = none"


@pytest.fixture
def refused(lab, conf, make_tgtd):
    """refused(words) - the login is refused with exit code 12 and these words"""
    conf(NO_FALLBACK)
    make_tgtd().target(f"{IQN}:x")

    def check(*words):
        r = node(lab, f"{IQN}:x", "--login").fails(12)
        for w in words:
            assert w in r.err, r.err
        assert lab.run("ls /sys/class/iscsi_session").out == ""
    return check


@pytest.fixture
def modprobe(lab):
    """modprobe(program) - what the kernel and iscsid load modules with, and iscsi_tcp is not there"""
    before = lab.read("/proc/sys/kernel/modprobe").strip()

    def use(program):
        lab.run(f"modprobe -r iscsi_tcp; echo {program} >/proc/sys/kernel/modprobe").ok()
    yield use
    lab.run(f"echo {before} >/proc/sys/kernel/modprobe").ok()


def with_iscsid(lab, command, check):
    """The daemon under something that limits it."""
    job = lab.start(f"exec {command} iscsid -f", timeout=120)
    try:
        lab.wait_until("iscsiadm -m session 2>&1 | grep -q 'No active'", "iscsid")
        discover(lab)
        check()
    finally:
        job.kill()
        job.wait()


def test_without_the_privilege_to_drive_it(lab, refused):
    with_iscsid(lab, "setpriv --bounding-set=-sys_admin", lambda: refused("CAP_SYS_ADMIN in the initial user namespace"))


@pytest.mark.full
def test_without_the_privilege_to_hear_it(lab, refused):
    with_iscsid(lab, "setpriv --bounding-set=-net_admin", lambda: refused("CAP_NET_ADMIN"))


def test_without_its_module(lab, refused, modprobe):
    modprobe("/bin/false")
    with_iscsid(lab, "", lambda: refused("this kernel has no iSCSI over TCP: its module iscsi_tcp cannot be loaded"))


@pytest.mark.full
def test_with_a_modprobe_that_hangs(lab, refused, modprobe):
    lab.write("/run/slow", "#!/bin/sh\necho $$ >/run/slow.pid\nexec sleep 300\n", 0o755)
    modprobe("/run/slow")
    try:
        with_iscsid(lab, "", lambda: refused("its module iscsi_tcp cannot be loaded"))
    finally:
        lab.run("kill $(cat /run/slow.pid); rm /run/slow /run/slow.pid").ok()


def test_a_transport_nobody_drives(lab, refused):
    def check():
        node(lab, f"{IQN}:x", "-o update -n iface.transport_name -v iser").ok()
        refused("transport iser is not available: this iscsid knows tcp (the kernel's) and user")
    with_iscsid(lab, "", check)
