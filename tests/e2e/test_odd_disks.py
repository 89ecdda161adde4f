# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of the user transport on a target that misbehaves in the full-feature phase."""
import errno
import os

import pytest
from odddisk import BUSY, CHECK, TASK_SET_FULL, Disk, sense
from oddpdu import DATA_IN, LOGOUT_REQ, NONE, NOP_OUT, Pdu
from ports import wait_until
from rawdisk import Later, Raw

CONF = """
node.session.timeo.replacement_timeout = 20
node.conn[0].timeo.login_timeout = 5
node.conn[0].timeo.logout_timeout = 3
node.conn[0].timeo.noop_out_interval = 1
node.conn[0].timeo.noop_out_timeout = 1
node.session.err_timeo.abort_timeout = 2
node.session.err_timeo.lu_reset_timeout = 2
node.session.err_timeo.tgt_reset_timeout = 2
"""


@pytest.fixture
def disk_of(make_instance, odd):
    """disk_of(record values, **options of the target) → (instance, target, device), logged in"""
    def make(values=None, **kw):
        t = odd(**kw)
        i = make_instance(conf=CONF).start()
        i.adm("-m", "node", "-o", "new", "-T", t.name, "-p", f"{t.portal},1").ok()
        i.set(t.name, **(values or {}))
        i.login(t.name).ok()
        return i, t, i.disk(t.name, 1)

    return make


def once(fn):
    """A hook that acts at its first call only."""
    state = {"done": False}

    def hook(*args):
        if state["done"]:
            return None
        state["done"] = True
        return fn(*args)

    hook.state = state
    return hook


@pytest.mark.parametrize("keys", [{}, {"HeaderDigest": "CRC32C"}, {"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"},
                                  {"InitialR2T": "Yes", "ImmediateData": "No", "MaxBurstLength": 4096},
                                  {"MaxOutstandingR2T": 8, "MaxBurstLength": 8192, "FirstBurstLength": 4096},
                                  {"MaxRecvDataSegmentLength": 512}, {"ImmediateData": "No"}])
@pytest.mark.parametrize("collapse", [True, False])
def test_what_is_written_is_read(disk_of, keys, collapse):
    ask = {"node.conn[0].iscsi.HeaderDigest": "CRC32C,None", "node.conn[0].iscsi.DataDigest": "CRC32C,None",
           "node.session.iscsi.MaxOutstandingR2T": 8} if keys else {}
    _, t, dev = disk_of(ask, keys=keys, phase_collapse=collapse)
    data = os.urandom(1 << 20)
    with Raw(dev) as d:
        d.write(4096, data)
        d.flush()
        assert d.read(4096, len(data)) == data
    assert bytes(t.luns[1].data[4096:4096 + len(data)]) == data
    assert t.logins == 1


@pytest.mark.parametrize("status, s", [(BUSY, b""), (TASK_SET_FULL, b""), (CHECK, sense(6, 0x29)), (CHECK, sense(6, 0x2A, 9))])
def test_what_passes_is_tried_again(disk_of, status, s):
    _, t, dev = disk_of()
    with Raw(dev) as d:
        t.luns[1].queue += [(status, s)] * 2
        d.write(0, b"x" * 4096)
        t.luns[1].queue += [(status, s)] * 2
        assert d.read(0, 4096) == b"x" * 4096
    assert t.logins == 1


def test_a_medium_error_reaches_the_reader_and_only_him(disk_of):
    bad = {0x28: lambda d, cdb, out: (CHECK, b"", sense(3, 0x11)) if cdb[2:6] == b"\0\0\0\x08" else None}
    bad[0x88] = lambda d, cdb, out: (CHECK, b"", sense(3, 0x11)) if cdb[2:10] == bytes(7) + b"\x08" else None
    _, t, dev = disk_of(luns={1: Disk(odd=bad)})
    with Raw(dev) as d:
        with pytest.raises(OSError) as e:
            d.read(4096, 4096)
        assert e.value.errno == errno.EIO
        assert d.read(0, 4096) == bytes(4096)
    assert t.logins == 1


def test_a_write_protected_disk_is_readonly(disk_of):
    _, t, dev = disk_of(luns={1: Disk(readonly=True)})
    with pytest.raises(OSError):
        with Raw(dev) as d:
            d.write(0, bytes(4096))
    with Raw(dev, write=False) as d:
        assert d.read(0, 4096) == bytes(4096)


def test_a_disk_that_grows(disk_of):
    i, t, dev = disk_of()
    t.luns[1].resize(32 << 20)
    i.adm("-m", "session", "--rescan").ok()

    def grown():
        with Raw(dev, write=False) as d:
            return d.size() == 32 << 20

    wait_until(grown, "the new size")


def test_pings_of_the_target_are_answered(disk_of):
    _, t, dev = disk_of()
    c = t.alive()[0]
    tags = [c.ping() for _ in range(3)]
    t.wait(lambda: {p.ttt for p in t.received(NOP_OUT)} >= set(tags))
    answers = {p.ttt: p for p in t.received(NOP_OUT)}
    assert all(answers[tag].itt == NONE and not answers[tag].data for tag in tags)


def test_a_dead_connection_is_noticed_by_ping_and_replaced(disk_of):
    silent = {"on": False}
    _, t, dev = disk_of(on={"nop_out": lambda c, p: silent["on"] and c.number == 1,
                            "scsi": lambda c, p: silent["on"] and c.number == 1})
    silent["on"] = True
    with Raw(dev) as d:
        later = Later(d.write, 0, b"y" * 8192)      # swallowed, then sent again on the new connection
        t.wait(lambda: t.logins == 2)
        later.result()
        assert d.read(0, 8192) == b"y" * 8192


@pytest.mark.parametrize("reset", [False, True])
def test_io_outlives_lost_connections(disk_of, reset):
    _, t, dev = disk_of()
    blocks = [os.urandom(65536) for _ in range(48)]
    with Raw(dev) as d:
        for n, block in enumerate(blocks):
            later = Later(d.write, n * 65536, block)
            if n % 16 == 8:
                t.drop_all(reset)
            later.result()
        assert all(d.read(n * 65536, 65536) == block for n, block in enumerate(blocks))
    assert t.logins == 4


def test_io_fails_when_the_target_stays_away_and_flows_when_it_returns(disk_of):
    i, t, dev = disk_of({"node.session.timeo.replacement_timeout": "2"})
    t.refuse()
    t.drop_all()
    with Raw(dev) as d:
        with pytest.raises(OSError):
            Later(d.read, 0, 4096).result()
    t.accept_again()
    t.wait(lambda: t.logins == 2)

    def flows():
        try:
            with Raw(dev) as again:
                again.write(0, b"z" * 4096)
                return again.read(0, 4096) == b"z" * 4096
        except OSError:
            return False

    wait_until(flows, "I/O after the target's return")


R2TS = {"past the end": lambda c, task, off, n: (task.expected, n), "too long": lambda c, task, off, n: (off, n + (1 << 24)),
        "wrapping": lambda c, task, off, n: (0xFFFFF000, 0x2000), "empty": lambda c, task, off, n: (off, 0)}


@pytest.mark.parametrize("how", R2TS)
def test_an_r2t_out_of_range_sends_nothing_that_is_not_there(disk_of, how):
    state = {"odd": 1}

    def r2t(c, task, off, n):
        if state["odd"] and task.expected > 65536:
            state["odd"] -= 1
            return R2TS[how](c, task, off, n)
        return off, n

    _, t, dev = disk_of({"node.session.iscsi.ImmediateData": "No", "node.session.iscsi.InitialR2T": "Yes"}, on={"r2t": r2t},
                        keys={"InitialR2T": "Yes", "ImmediateData": "No"})
    data = os.urandom(131072)
    with Raw(dev) as d:
        Later(d.write, 0, data).result()            # after the break of the protocol: a new connection, the write again
        assert d.read(0, len(data)) == data
    assert state["odd"] == 0 and t.logins == 2


def spoil(change):
    """A send hook that changes the first Data-In of a 16 KiB read."""
    state = {"left": 1}

    def hook(c, p):
        if p.op == DATA_IN and state["left"] and c.ffp and len(p.data) == 16384:
            state["left"] -= 1
            return change(p)
        return p

    hook.state = state
    return hook


DATA_INS = {"offset past the end": lambda p: p.put(40, 4, 1 << 20), "offset wraps": lambda p: p.put(40, 4, 0xFFFFFE00),
            "unknown tag": lambda p: p.put(16, 4, 0x7777), "status of another": lambda p: p.put(0, 1, 0x21).put(16, 4, 0x7777),
            "nothing of it": lambda p: Pdu(0x3A)}


@pytest.mark.parametrize("how", DATA_INS)
def test_data_that_does_not_fit_is_not_taken(disk_of, how):
    hook = spoil(DATA_INS[how])
    _, t, dev = disk_of(on={"send": hook})
    t.luns[1].data[:16384] = data = os.urandom(16384)
    with Raw(dev) as d:
        assert Later(d.read, 0, 16384).result() == data
    assert hook.state["left"] == 0 and t.logins == 2


@pytest.mark.parametrize("which", ["bad_header_digest", "bad_data_digest"])
def test_a_broken_digest_is_never_believed(disk_of, which):
    def flip(p):
        setattr(p, which, True)
        p.data = bytes(len(p.data)) if which == "bad_data_digest" else p.data
        return p

    hook = spoil(flip)
    _, t, dev = disk_of({"node.conn[0].iscsi.HeaderDigest": "CRC32C", "node.conn[0].iscsi.DataDigest": "CRC32C"},
                        on={"send": hook}, keys={"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"})
    t.luns[1].data[:16384] = data = os.urandom(16384)
    with Raw(dev) as d:
        assert Later(d.read, 0, 16384).result() == data
    assert hook.state["left"] == 0


def test_a_command_without_an_answer_is_aborted_and_tried_again(disk_of):
    lost = {"n": 1}

    def scsi(c, p):
        if p.bhs[32] in (0x28, 0x88) and p.num(20, 4) == 16384 and lost["n"]:
            lost["n"] -= 1
            return True
        return False

    _, t, dev = disk_of(on={"scsi": scsi})
    with Raw(dev) as d:
        Later(d.read, 0, 16384).result(60)
    assert lost["n"] == 0


def test_the_target_asks_for_a_logout(disk_of):
    _, t, dev = disk_of()
    t.alive()[0].async_event(1, p3=3)       # RFC 7143, 11.9.1: log out within Parameter3 seconds
    t.wait(lambda: t.ops[LOGOUT_REQ] >= 1 or t.logins == 2)
    t.wait(lambda: t.logins == 2)
    with Raw(dev) as d:
        d.write(0, b"l" * 4096)
        assert d.read(0, 4096) == b"l" * 4096


@pytest.mark.parametrize("raw", [bytes([0x20, 0x80, 0, 0, 255, 255, 255, 255]) + bytes(40), b"\xff" * 48,
                                 bytes([0x25, 0x81]) + bytes(46), bytes([0x31, 0x80]) + b"\xff" * 46,
                                 bytes([0x32, 0x80]) + bytes(46), bytes([0x3F, 0x80]) + bytes(46)])
def test_garbage_in_the_full_feature_phase_costs_a_connection_at_most(disk_of, raw):
    i, t, dev = disk_of()
    t.alive()[0].send_raw(raw)
    with Raw(dev) as d:
        Later(d.write, 0, b"g" * 4096).result()
        assert Later(d.read, 0, 4096).result() == b"g" * 4096
    assert len(i.session_dirs()) == 1


def test_a_target_that_does_not_answer_the_logout(disk_of):
    i, t, dev = disk_of(on={"logout": lambda c, p: True})
    i.logout(t.name).ok()
    assert t.ops[LOGOUT_REQ] == 1
