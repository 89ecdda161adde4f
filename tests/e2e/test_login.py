# SPDX-License-Identifier: LGPL-2.1-or-later
"""Login and logout: each ending has its own text and exit code; what runs is shown."""
import os
import re
import socket

import pytest

from disk import pread, pwrite
from ports import free_port, wait_until
from tgtd import Lun

QUICK = {"node.session.initial_login_retry_max": "1", "node.conn[0].timeo.login_timeout": "2"}


def where(t, portal=None):
    host, port = (portal or t.portal).rsplit(":", 1)
    return f"[iface: default, target: {t.name}, portal: {host.strip('[]')},{port}]"


def at(sid, t, portal=None):
    host, port = (portal or t.portal).rsplit(":", 1)
    return f"[sid: {sid}, target: {t.name}, portal: {host.strip('[]')},{port}]"


def errors(r):
    """stderr without the note about the data path"""
    return [line for line in r.err.splitlines() if "iface.transport_name" not in line and "kernel" not in line]


def could_not(t, code, text, portal=None):
    return [f"iscsiadm: Could not login to {where(t, portal)}.", f"iscsiadm: initiator reported error ({code} - {text})"]


@pytest.fixture
def found(instance, odd):
    """found(**options of the odd target) → the target, with a record"""
    def make(**options):
        t = odd(**options)
        instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
        return t
    return make


def test_in_out_and_in_again(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")])
    instance.discover(t.portal).ok()
    for sid in (1, 2):
        r = instance.login(t.name).ok()
        assert r.lines == [f"Logging in to {where(t)}", f"Login to {where(t)} successful."]
        assert errors(r) == []
        link = f"ip-{t.portal}-iscsi-{t.name}-lun-1"
        assert list(instance.links()) == [link]         # ready when the command returns
        assert os.path.exists(instance.links()[link])
        assert instance.adm("-m", "session").ok().out == f"tcp: [{sid}] {t.portal},1 {t.name} (non-flash)\n"
        r = instance.logout(t.name).ok()
        assert r.lines == [f"Logging out of session {at(sid, t)}", f"Logout of {at(sid, t)} successful."]
        assert r.err == ""
        assert not instance.links() and not instance.session_dirs()
        assert t.connections() == 0
    r = instance.adm("-m", "session").fails(21)
    assert r.err == "iscsiadm: No active sessions.\n"
    instance.logout(t.name).fails(21)
    assert f"Connection1:0 to [target: {t.name}, portal: 127.0.0.1,{tgtd.port}] through [iface: default] is operational now" \
        in instance.log
    assert f"Connection1:0 to [target: {t.name}, portal: 127.0.0.1,{tgtd.port}] through [iface: default] is shutdown." \
        in instance.log


def test_already_logged_in(instance, found):
    t = found()
    instance.login(t.name).ok()
    r = instance.login(t.name).fails(15)
    assert errors(r) == ["iscsiadm: default: 1 session requested, but 1 already present.",
                         "iscsiadm: Could not log into all portals"]
    assert t.logins == 1 and len(instance.session_dirs()) == 1


def test_an_unknown_target(instance, found):
    t = found()
    t.targets = {"iqn.2026-11.org.siskin.odd:other": None}
    t_name = instance.adm("-m", "node").ok().lines[0].split()[1]
    r = instance.login(t_name).fails(19)
    assert "initiator reported error (19 - encountered non-retryable iSCSI login failure)" in r.err
    assert "0x0203" in r.err or "not found" in r.err.lower()
    assert errors(r)[-1] == "iscsiadm: Could not log into all portals"
    assert not instance.session_dirs()


def test_an_unknown_target_of_tgtd(instance, tgtd):
    tgtd.target()
    instance.adm("-m", "node", "-T", "iqn.2026-11.org.siskin.test:nobody", "-p", tgtd.portal, "-o", "new").ok()
    instance.login("iqn.2026-11.org.siskin.test:nobody").fails(19)


@pytest.mark.parametrize("status,code,text", [
    (0x0200, 19, "encountered non-retryable iSCSI login failure"),
    (0x0201, 24, "iSCSI login failed due to authorization failure"),
    (0x0202, 24, "iSCSI login failed due to authorization failure"),
    (0x0203, 19, "encountered non-retryable iSCSI login failure"),
    (0x0204, 19, "encountered non-retryable iSCSI login failure"),
    (0x0205, 19, "encountered non-retryable iSCSI login failure"),
    (0x020B, 19, "encountered non-retryable iSCSI login failure"),
    (0x0300, 8, "connection timed out"),
    (0x0301, 8, "connection timed out"),
    (0x0302, 8, "connection timed out"),
    (0x7777, 19, "encountered non-retryable iSCSI login failure"),
])
def test_refused_logins(instance, found, status, code, text):
    t = found(status=status)
    instance.set(t.name, **QUICK)
    r = instance.login(t.name).fails(code)
    assert errors(r)[:2] == could_not(t, code, text)
    assert f"{status:04x}" in r.err, r.err      # the reason is there to read, not only the class of it
    assert not instance.session_dirs()
    assert (t.logins, len(t.conns) > 1) == (0, code == 8)   # only a target error is worth another try


def test_a_refusing_portal(instance, found):
    t = found()
    instance.set(t.name, **QUICK)
    t.refuse()
    r = instance.login(t.name).fails(8)
    assert errors(r)[:2] == could_not(t, 8, "connection timed out")
    assert "Connection refused" in r.err and f"127.0.0.1,{t.portal.split(':')[1]}" in r.err
    assert f"connect to 127.0.0.1:{t.portal.split(':')[1]} failed (Connection refused)" in instance.log


def test_a_silent_portal(instance, found):
    t = found(silent_at=1)
    instance.set(t.name, **QUICK)
    r = instance.login(t.name).fails(8)
    assert errors(r)[:2] == could_not(t, 8, "connection timed out")
    assert "no answer in time" in r.err


def test_an_unresolvable_name(instance):
    name = "iqn.2026-11.org.siskin.test:far"
    instance.adm("-m", "node", "-T", name, "-p", "no-such-host.invalid", "-o", "new").ok()
    r = instance.login(name).fails(4)
    assert f"Could not login to [iface: default, target: {name}, portal: no-such-host.invalid,3260]." in r.err
    assert "initiator reported error (4 - encountered connection failure)" in r.err
    assert "no-such-host.invalid" in errors(r)[2]


@pytest.mark.parametrize("permanent", [False, True], ids=["temporary", "permanent"])
def test_a_target_that_moved(instance, found, odd, permanent):
    t = found()
    new = odd(targets=[t.name])
    t.opt["redirect"] = (f"{new.portal},1", permanent)
    instance.login(t.name).ok()
    assert (t.logins, new.logins) == (0, 1)
    shown = instance.adm("-m", "session", "-P", 1).ok().out
    assert f"\tCurrent Portal: {new.portal},1\n\tPersistent Portal: {t.portal},1\n" in shown
    kind = "permanent" if permanent else "temporary"
    assert f"redirected 127.0.0.1,{t.port} -> 127.0.0.1,{new.port} ({kind})" in instance.log
    assert instance.adm("-m", "session").ok().out == f"tcp: [1] {t.portal},1 {t.name} (non-flash)\n"
    assert list(instance.links()) == [f"ip-{t.portal}-iscsi-{t.name}-lun-1"]    # the name people know
    r = instance.logout(t.name).ok()
    assert r.lines[0] == f"Logging out of session [sid: 1, target: {t.name}, portal: 127.0.0.1,{new.port}]"


def test_targets_that_send_each_other_round(instance, found):
    t = found()
    t.opt["redirect"] = f"{t.portal},1"
    r = instance.login(t.name).fails(19)
    assert "redirect" in r.err
    assert t.attempts <= 20


def test_a_redirect_to_nowhere(instance, found):
    t = found(redirect="0.0.0.0:3260,1")
    r = instance.login(t.name).fails(19)
    assert "redirected to an address nobody can have" in r.err


def test_without_the_daemon(make_instance, odd):
    i, t = make_instance(), odd()
    i.adm("-m", "node", "-T", t.name, "-p", t.portal, "-o", "new").ok()
    r = i.login(t.name).fails(20)
    assert "initiator reported error (20 - could not connect to iscsid)" in r.err
    i.adm("-m", "session").fails(21)


def test_one_refused_among_others(instance, odd):
    """The others are told of and up; the exit status is that of the failure."""
    good, bad = odd(targets=["iqn.2026-11.org.siskin.odd:good"]), odd(targets=["iqn.2026-11.org.siskin.odd:bad"], status=0x0202)
    for t in (good, bad):
        instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    r = instance.adm("-m", "node", "--login").fails(24)
    assert f"Login to {where(good)} successful." in r.lines
    assert f"iscsiadm: Could not login to {where(bad)}." in r.err
    assert instance.adm("-m", "session").ok().out.endswith(f"{good.name} (non-flash)\n")


def test_print_levels(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")], chap=("user", "password1234"), params={"HeaderDigest": "CRC32C"})
    instance.discover(t.portal).ok()
    instance.set(t.name, **{"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "user",
                            "node.session.auth.password": "password1234", "node.conn[0].iscsi.HeaderDigest": "CRC32C"})
    instance.login(t.name).ok()
    disk = os.path.basename(instance.disk(t.name, 1))
    one = (f"Target: {t.name} (non-flash)\n\tCurrent Portal: {t.portal},1\n\tPersistent Portal: {t.portal},1\n"
           "\t\t**********\n\t\tInterface:\n\t\t**********\n\t\tIface Name: default\n\t\tIface Transport: tcp\n"
           "\t\tIface Initiatorname: iqn.2026-11.org.siskin.test:initiator\n\t\tIface IPaddress: 127.0.0.1\n"
           "\t\tIface HWaddress: default\n\t\tIface Netdev: default\n\t\tSID: 1\n\t\tiSCSI Connection State: LOGGED IN\n"
           "\t\tiSCSI Session State: LOGGED_IN\n\t\tInternal iscsid Session State: NO CHANGE\n")
    two = one + ("\t\t*********\n\t\tTimeouts:\n\t\t*********\n\t\tRecovery Timeout: 120\n\t\tTarget Reset Timeout: 30\n"
                 "\t\tLUN Reset Timeout: 30\n\t\tAbort Timeout: 15\n\t\t*****\n\t\tCHAP:\n\t\t*****\n\t\tusername: user\n"
                 "\t\tpassword: ********\n\t\tusername_in: <empty>\n\t\tpassword_in: ********\n"
                 "\t\t************************\n\t\tNegotiated iSCSI params:\n\t\t************************\n"
                 "\t\tHeaderDigest: CRC32C\n\t\tDataDigest: None\n\t\tMaxRecvDataSegmentLength: 262144\n"
                 "\t\tMaxXmitDataSegmentLength: 8192\n\t\tFirstBurstLength: 65536\n\t\tMaxBurstLength: 262144\n"
                 "\t\tImmediateData: Yes\n\t\tInitialR2T: Yes\n\t\tMaxOutstandingR2T: 1\n")
    attached = ("\t\t************************\n\t\tAttached SCSI devices:\n\t\t************************\n"
                "\t\tHost Number: 1\tState: running\n\t\tscsi1 Channel 00 Id 0 Lun: 0\n\t\tscsi1 Channel 00 Id 0 Lun: 1\n"
                f"\t\t\tAttached scsi disk {disk}\t\tState: running\n")
    show = ("-m", "session", "-P")
    assert instance.adm(*show, 0).ok().out == f"tcp: [1] {t.portal},1 {t.name} (non-flash)\n"
    assert instance.adm(*show, 1).ok().out == one
    got = instance.adm(*show, 2).ok().out
    mine = re.compile(r"(MaxXmitDataSegmentLength|FirstBurstLength|MaxBurstLength|InitialR2T): \w+")    # tgtd's choice
    assert mine.sub(r"\1", got) == mine.sub(r"\1", two)
    head, version, got = instance.adm(*show, 3).ok().out.split("\n", 2)
    assert head.startswith("iSCSI Transport Class version ") and version.startswith("version ")
    assert mine.sub(r"\1", got) == mine.sub(r"\1", two + attached)
    assert "\t\tpassword: password1234\n" in instance.adm(*show, 2, "-S").ok().out
    assert instance.adm("-m", "session", "-r", 1, "-P", 1).ok().out == one
    assert instance.adm(*show, 4).fails(7).err == "iscsiadm: Invalid info level 4. Try 0 - 3.\n"
    instance.kill()
    got = instance.adm(*show, 1).ok()
    assert "\t\tiSCSI Connection State: Unknown\n\t\tiSCSI Session State: LOGGED_IN\n" \
        "\t\tInternal iscsid Session State: Unknown\n" in got.out
    instance.start()


def test_ipv6(instance, make_tgtd):
    tgtd = make_tgtd(ipv6=True)
    t = tgtd.target(luns=[Lun("8M")])
    instance.discover(tgtd.portal6).ok()
    r = instance.login(t.name).ok()
    assert r.lines[1] == f"Login to {where(t, tgtd.portal6)} successful."
    assert instance.adm("-m", "session").ok().out == f"tcp: [1] [::1]:{tgtd.port},1 {t.name} (non-flash)\n"
    assert f"\tCurrent Portal: [0000:0000:0000:0000:0000:0000:0000:0001]:{tgtd.port},1\n\tPersistent Portal: [::1]:{tgtd.port},1\n" \
        in instance.adm("-m", "session", "-P", 1).ok().out
    assert list(instance.links()) == [f"ip-::1:{tgtd.port}-iscsi-{t.name}-lun-1"]
    assert instance.logout(t.name).ok().lines[1] == f"Logout of {at(1, t, tgtd.portal6)} successful."


def test_a_host_name(instance, odd):
    t = odd()
    instance.adm("-m", "node", "-T", t.name, "-p", f"localhost:{t.port},1", "-o", "new").ok()
    instance.login(t.name).ok()
    assert instance.adm("-m", "session").ok().out == f"tcp: [1] [localhost]:{t.port},1 {t.name} (non-flash)\n"
    assert "Current Portal: 127.0.0.1:" in instance.adm("-m", "session", "-P", 1).ok().out


def test_what_was_not_offered_is_not_taken(instance, tgtd):
    """A record that says CRC32C means it: tgtd, set up without digests, answers None to that (RFC 7143, 6.2.1)."""
    t = tgtd.target(luns=[Lun("8M")])
    instance.discover(t.portal).ok()
    instance.set(t.name, **{"node.conn[0].iscsi.HeaderDigest": "CRC32C"})
    r = instance.login(t.name).fails(19)
    assert "HeaderDigest=None was not offered" in r.err
    instance.set(t.name, **{"node.conn[0].iscsi.HeaderDigest": "CRC32C,None"})
    instance.login(t.name).ok()


def test_two_sessions_of_one_record(instance, found):
    t = found()
    instance.set(t.name, **{"node.session.nr_sessions": "2"})
    instance.login(t.name).ok()
    assert t.logins == 2 and len(t.alive()) == 2 and len({c.isid for c in t.alive()}) == 2
    assert len(instance.adm("-m", "session").ok().lines) == 2
    instance.adm("-m", "session", "-r", 2, "--logout").ok()
    assert len(t.alive()) == 1 and len(instance.adm("-m", "session").ok().lines) == 1


def test_stop_leaves_sessions_running(instance, found):
    t = found()
    instance.login(t.name).ok()
    assert instance.stop() == 0
    assert len(t.alive()) == 1
    assert instance.adm("-m", "session").ok().out == f"tcp: [1] {t.portal},1 {t.name} (non-flash)\n"
    assert "iscsid shutting down." in instance.log
    instance.start()
    instance.logout(t.name).ok()
    assert t.logins == 1 and not t.alive()


def test_a_logout_of_a_vanished_target(instance, found):
    t = found()
    instance.login(t.name).ok()
    t.refuse()
    t.drop_all()
    wait_until(lambda: "TRANSPORT WAIT" in instance.adm("-m", "session", "-P", 1).out, "loss noticed")
    assert "\t\tiSCSI Session State: FAILED\n\t\tInternal iscsid Session State: REOPEN\n" in \
        instance.adm("-m", "session", "-P", 1).out
    r = instance.logout(t.name).ok()
    assert "successful." in r.out
    assert not instance.session_dirs()


def test_a_mounted_disk_is_not_logged_out(instance, tgtd, tmp_path):
    from disk import mounted, sh
    t = tgtd.target(luns=[Lun("32M")])
    instance.discover(t.portal).ok()
    instance.login(t.name).ok()
    dev = instance.disk(t.name, 1)
    sh("mkfs.ext4", "-q", "-F", dev)
    with mounted(dev, tmp_path / "mnt") as mnt:
        r = instance.logout(t.name).fails(28)
        assert "initiator reported error (28 - device or resource in use)" in r.err
        (mnt / "file").write_text("still there")
        sh("sync", "-f", mnt)
    instance.logout(t.name).ok()


def test_the_initiator_listens_to_nobody_else(instance):
    """No TCP port is opened by any of our programs."""
    inodes = set()
    for pid in instance.processes():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except OSError:
                continue
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as f:
            for row in f.read().splitlines()[1:]:
                assert not (row.split()[3] == "0A" and f"socket:[{row.split()[9]}]" in inodes), row


def test_a_wrong_port(instance):
    """Somebody listens, but it is no iSCSI target."""
    with socket.create_server(("127.0.0.1", free_port())) as s:
        port = s.getsockname()[1]
        name = "iqn.2026-11.org.siskin.test:web"
        instance.adm("-m", "node", "-T", name, "-p", f"127.0.0.1:{port}", "-o", "new").ok()
        instance.set(name, **QUICK)
        job = instance.start_adm("-m", "node", "-T", name, "--login")
        s.settimeout(20)
        conn, _ = s.accept()
        conn.recv(48)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        conn.close()
        s.close()
        _, err = job.communicate(timeout=60)
        assert job.returncode in (8, 19), err
        assert "127.0.0.1" in err


@pytest.mark.parametrize("value,given,complaint", [("50", "50", ""), ("5000", None, "iscsid.user.busy_poll = 5000"),
                                                   ("soon", None, "is not a number from 0 to 1000: 0 is used")])
def test_busy_polling_is_asked_for_in_the_daemons_file(make_instance, tgtd, value, given, complaint):
    i = make_instance(conf=f"iscsid.user.busy_poll = {value}")
    i.start()
    t = tgtd.target(luns=[Lun("8M")])
    i.discover(t.portal).ok()
    i.login(t.name).ok()
    engine = next(cmd for cmd in i.processes().values() if "--engine" in cmd)
    assert (f"--busy-poll {given}" in engine) if given else ("--busy-poll" not in engine)
    assert complaint in i.log
    dev = i.disk(t.name, 1)
    pwrite(dev, b"x" * 4096, 4096)
    assert pread(dev, 4096, 4096) == b"x" * 4096
