# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions in the kernel whose target has something to say (RFC 7143, 11.9): the scripted target of tests/lib."""
import pytest
from test_kernel_faults import until
from test_kernel_sessions import conf, disks, disks_of, node, write_and_compare  # noqa: F401

TEXT_REQ, LOGOUT_REQ, LOGIN_REQ = 4, 6, 3


@pytest.fixture
def make_target(lab, conf, make_odd):
    """make(options) - a scripted target, discovered; what either side waits after a lost connection is 0 by default"""
    conf("node.session.iscsi.DefaultTime2Wait = 0")

    def make(options="keys={'DefaultTime2Wait': 0}"):
        o = make_odd(options)
        lab.run(f"iscsiadm -m discovery -t st -p {o.portal}").ok()
        return o
    return make


def login(lab, o):
    node(lab, o.name, "--login", o.portal).ok()
    disk, = disks_of(lab, o.name)
    o.ask("t.pdus.clear()")
    return disk


def said(o):
    """Opcodes of what the initiator sent since the login, without I/O."""
    return [op for op in o.ask("[p.op for n, p in t.pdus]") if op in (TEXT_REQ, LOGOUT_REQ, LOGIN_REQ)]


def in_two_logins(lab, o):
    o.wait("t.logins == 2")
    until(lab, "LOGGED_IN")


def finish(lab, o, disk):
    write_and_compare(lab, disk, 1)
    node(lab, o.name, "--logout", o.portal).ok()


@pytest.mark.core
def test_a_logout_that_the_target_asks_for_is_sent_and_the_session_goes_on(lab, make_target, iscsid):
    o = make_target()
    disk = login(lab, o)
    o.ask("alive()[0].async_event(1, p3=5)")
    in_two_logins(lab, o)
    assert said(o) == [LOGOUT_REQ, LOGIN_REQ]
    finish(lab, o, disk)
    iscsid.stop()
    assert "the target asked for a logout within 5 s" in iscsid.log


@pytest.mark.full
def test_a_target_that_asks_for_a_logout_and_does_not_answer_it_is_not_waited_for(lab, make_target, iscsid):
    o = make_target("keys={'DefaultTime2Wait': 0}, on={'logout': lambda c, p: c.number == 2}")
    disk = login(lab, o)
    o.ask("alive()[0].async_event(1, p3=1)")
    in_two_logins(lab, o)
    assert said(o) == [LOGOUT_REQ, LOGIN_REQ]
    finish(lab, o, disk)


@pytest.mark.full
def test_logged_out_for_good_while_the_target_asks_for_it(lab, make_target, iscsid):
    o = make_target("keys={'DefaultTime2Wait': 0}, on={'logout': lambda c, p: c.number == 2}")
    login(lab, o)
    o.ask("alive()[0].async_event(1, p3=60)")
    o.wait("t.ops[6] == 2")  # that of the discovery was the first
    assert node(lab, o.name, "--logout", o.portal).ok().seconds < 4
    assert disks(lab) == []


@pytest.mark.full
@pytest.mark.parametrize("event", (2, 3))
def test_a_connection_that_the_target_drops_is_made_anew_after_its_time(lab, make_target, iscsid, event):
    o = make_target()
    disk = login(lab, o)
    o.ask(f"alive()[0].async_event({event}, p2=1)")
    in_two_logins(lab, o)
    assert said(o) == [LOGIN_REQ]
    finish(lab, o, disk)
    iscsid.stop()
    assert "the target drops the connection" in iscsid.log and "login again in 1000 ms" in iscsid.log


@pytest.mark.full
def test_a_renegotiation_that_the_target_asks_for_is_offered(lab, make_target, iscsid):
    o = make_target()
    disk = login(lab, o)
    o.ask("alive()[0].async_event(4, p3=5)")
    o.wait("t.ops[4] == 2")  # that of the discovery was the first
    finish(lab, o, disk)
    assert said(o) == [TEXT_REQ, LOGOUT_REQ]
    assert o.ask("t.logins") == 1


@pytest.mark.full
def test_events_nobody_knows_do_no_harm(lab, make_target, iscsid):
    o = make_target()
    disk = login(lab, o)
    for event in (5, 77, 255):
        o.ask(f"alive()[0].async_event({event}, 0xffff, 0xffff, 0xffff, data=b'\\xff' * 64)")
    finish(lab, o, disk)
    assert said(o) == [LOGOUT_REQ]


@pytest.mark.full
def test_a_lun_comes_when_the_target_says_that_its_luns_changed(lab, make_target, iscsid):
    o = make_target()
    login(lab, o)
    o.ask("t.luns.update({7: Disk(size=4 << 20, serial='odd0007')})")
    o.ask("alive()[0].async_event(0, data=(lambda s: len(s).to_bytes(2, 'big') + s)(sense(6, 0x3f, 0x0e)))")
    lab.wait_until(lambda: len(disks_of(lab, o.name)) == 2, "the second disk")
    node(lab, o.name, "--logout", o.portal).ok()
    assert disks(lab) == []


@pytest.mark.core
def test_a_disk_that_grew_and_a_new_lun_are_noticed_by_their_unit_attentions(lab, make_target, iscsid):
    o = make_target()
    disk = login(lab, o)
    o.ask("t.luns.update({7: Disk(size=4 << 20, serial='odd0007')})")
    o.ask("t.luns[1].data.extend(bytes(16 << 20))")
    o.ask("t.luns[1].queue.extend([(2, sense(6, 0x2a, 9)), (2, sense(6, 0x3f, 0xe))])")
    lab.run(f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct").ok()
    lab.wait_until(f"[ $(blockdev --getsize64 {disk}) = {32 << 20} ]", "the new size", 5)
    lab.wait_until(lambda: len(disks_of(lab, o.name)) == 2, "the second disk", 5)
    node(lab, o.name, "--logout", o.portal).ok()


@pytest.mark.full
def test_with_scans_by_hand_a_new_lun_waits_for_one(lab, make_target, iscsid):
    o = make_target()
    node(lab, o.name, "-o update -n node.session.scan -v manual", o.portal).ok()
    node(lab, o.name, "--login", o.portal).ok()
    lab.run("iscsiadm -m session --rescan").ok()
    disk, = disks_of(lab, o.name)
    o.ask("t.luns.update({7: Disk(size=4 << 20, serial='odd0007')})")
    o.ask("t.luns[1].queue.append((2, sense(6, 0x3f, 0xe)))")
    lab.run(f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct").ok()
    node(lab, o.name, "-o show", o.portal).ok()
    assert disks_of(lab, o.name) == [disk]
    lab.run("iscsiadm -m session --rescan").ok()
    assert len(disks_of(lab, o.name)) == 2
    node(lab, o.name, "--logout", o.portal).ok()
    iscsid.stop()
    assert "node.session.scan = manual: no scan" in iscsid.log


@pytest.mark.full
def test_a_target_that_ignores_pings_is_alive_as_long_as_data_comes(lab, make_target, conf, iscsid):
    o = make_target("keys={'DefaultTime2Wait': 0}, on={'nop_out': lambda c, p: c.number == 2}")
    for key, value in (("interval", 2), ("timeout", 8)):
        node(lab, o.name, f"-o update -n node.conn[0].timeo.noop_out_{key} -v {value}", o.portal).ok()
    disk = login(lab, o)
    read = f"dd if={disk} of=/dev/null bs=512 count=1 iflag=direct 2>/dev/null"
    # a read now and then is so seldom that a ping goes out in between, and often enough that its silence proves nothing
    lab.run(f"for i in 1 2 3 4 5; do sleep 4; {read} || exit 1; done", timeout=60).ok()
    assert o.ask("t.logins") == 1 and o.ask("t.ops[0]") >= 1
    o.wait("t.logins == 2", 40)     # silence at last: the ping judges
    until(lab, "LOGGED_IN")
    finish(lab, o, disk)
    iscsid.stop()
    assert "1022 - ISCSI_ERR_NOP_TIMEDOUT" in iscsid.log
