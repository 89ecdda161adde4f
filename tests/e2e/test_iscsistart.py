# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsistart over the user transport: its sessions live on in their own processes, and iscsid takes them over."""
from disk import pread, pwrite

NAME = "iqn.2026-11.com.example:boot"


def start(i, t, *more):
    host, port = t.portal.rsplit(":", 1)
    return i.tool("iscsistart", "-i", NAME, "-t", t.name, "-g", "1", "-a", host, "-p", port, "-P", "iface.transport_name=user", *more)


def test_a_session_without_a_daemon_and_with_one_later(make_instance, odd):
    i, t = make_instance(), odd(chap=("user", "initiatorsecret"))
    r = start(i, t, "-u", "user", "-w", "wrongsecret99")
    assert r.rc == 1 and "iscsistart: initiator reported error (24 - " in r.err and i.processes() == {}
    r = i.tool("iscsistart", *r.argv[1:-4], "-u", "user", "-w", "-", stdin="initiatorsecret").ok()
    assert r.out == f"iscsistart: Logging into {t.name} {t.portal},1\n" and "is operational now" in r.err
    before = sorted(i.processes())
    assert before and not any("iscsistart" in line for line in i.processes().values())
    disk = i.disk(t.name, 1)
    pwrite(disk, b"x" * 4096, 0)
    i.start()
    session, = i.adm_json("-m", "session")["sessions"]
    assert session["path"] == "user" and set(before) <= set(i.processes())
    assert pread(disk, 4096, 0) == b"x" * 4096 and t.logins == 1
    assert start(i, t).rc == 1                                           # session exists
    i.adm("-m", "session", "-u").ok()
    assert i.links() == {}
