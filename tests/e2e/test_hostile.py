# SPDX-License-Identifier: LGPL-2.1-or-later
"""Targets that break the protocol: a login fails with the offence named, a session recovers or is given up; iscsid and the
other sessions do not notice."""
import errno
import os
import threading

import pytest

from disk import fio, pread, pwrite
from odddisk import Disk
from oddpdu import DATA_IN, LOGIN_RSP, NONE, NOP_OUT, R2T, REJECT, SCSI_RSP, TEXT_RSP, Pdu
from ports import wait_until

QUICK = {"node.session.initial_login_retry_max": "1", "node.conn[0].timeo.login_timeout": "3",
         "node.session.iscsi.DefaultTime2Wait": "0", "node.conn[0].timeo.noop_out_interval": "1",
         "node.conn[0].timeo.noop_out_timeout": "2"}
DIGESTS = {"node.conn[0].iscsi.HeaderDigest": "CRC32C", "node.conn[0].iscsi.DataDigest": "CRC32C"}


@pytest.fixture
def crowd(instance, odd):
    """A well-behaved session under fio verify for the whole test: it must not notice anything."""
    good = odd(targets=["iqn.2026-11.org.siskin.odd:good"], luns={1: Disk(4 << 20)})
    dev = enter(instance, good)
    pid, ending, failed = instance.iscsid.pid, threading.Event(), []

    def load():
        while not ending.is_set() and not failed:
            p = fio(dev, "--rate_iops=2000", wait=False, size="1M")
            out = p.communicate(timeout=120)[0]
            if p.returncode:
                failed.append(out)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    yield good
    ending.set()
    thread.join(120)
    assert not failed, failed
    assert good.logins == 1 and good.attempts == 1
    assert instance.iscsid.pid == pid and instance.iscsid.poll() is None


def enter(instance, t, ok=True, **values):
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    instance.set(t.name, **{**QUICK, **values})
    r = instance.login(t.name)
    if not ok:
        return r
    r.ok()
    return instance.disk(t.name, 1)


def once(step, act):
    """A hook that does `act` for the first PDU it is asked about and that `act` takes (a true result), then nothing."""
    done = []

    def hook(conn, pdu):
        if done:
            return pdu if step == "send" else None
        got = act(conn, pdu)
        if got is not None and got is not False:
            done.append(True)
            return got
        return pdu if step == "send" else None

    hook.done = done
    return {step: hook}


# --- logins ---------------------------------------------------------------------------------------------------------------

BAD_ANSWERS = [
    ("MaxRecvDataSegmentLength", "0", "MaxRecvDataSegmentLength=0"),
    ("MaxRecvDataSegmentLength", "511", "MaxRecvDataSegmentLength=511"),
    ("MaxRecvDataSegmentLength", "16777216", "MaxRecvDataSegmentLength=16777216"),
    ("MaxRecvDataSegmentLength", "99999999999999999999", "MaxRecvDataSegmentLength"),
    ("MaxRecvDataSegmentLength", "-1", "MaxRecvDataSegmentLength"),
    ("MaxRecvDataSegmentLength", "8k", "MaxRecvDataSegmentLength"),
    ("MaxBurstLength", "0", "MaxBurstLength=0"),
    ("FirstBurstLength", "100000000", "FirstBurstLength=100000000"),
    ("MaxOutstandingR2T", "0", "MaxOutstandingR2T=0"),
    ("DefaultTime2Wait", "100000", "DefaultTime2Wait=100000"),
    ("ErrorRecoveryLevel", "3", "ErrorRecoveryLevel=3"),
    ("InitialR2T", "Maybe", "InitialR2T=Maybe"),
    ("HeaderDigest", "MD5", "HeaderDigest=MD5"),
    ("TargetPortalGroupTag", "70000", "TargetPortalGroupTag"),
]


@pytest.mark.parametrize("key,value,said", BAD_ANSWERS, ids=[f"{k}={v}" for k, v, _ in BAD_ANSWERS])
def test_an_answer_out_of_range(instance, odd, key, value, said):
    r = enter(instance, odd(answers={key: value}), ok=False).fails(19)
    assert said in r.err, r.err
    assert not instance.session_dirs()


@pytest.mark.parametrize("text,said", [
    (b"no equals sign\0", ""), (b"=empty\0", ""), (b"X-" + b"k" * 70 + b"=1\0", ""), (b"HeaderDigest=None\0HeaderDigest=None\0", ""),
    (b"MaxBurstLength=262144", ""), (b"X-evil=\xff\xfe\x1b[31m\0", ""),
], ids=["noequals", "emptykey", "longkey", "twice", "nonul", "bytes"])
def test_text_that_is_no_key(instance, odd, text, said):
    """Refused or overlooked, but never believed or repeated raw."""
    r = enter(instance, odd(extra_text=text), ok=False)
    assert r.rc in (0, 8, 19), str(r)
    assert "\x1b" not in r.err + instance.log


def test_an_endless_answer(instance, odd):
    def endless(conn, pdu):
        rsp = Pdu(LOGIN_RSP, 0x40 | (pdu.flags & 0x0C), b"X-more=" + b"y" * 4000, itt=pdu.itt)
        rsp.bhs[8:14] = pdu.bhs[8:14]
        conn.send(rsp)
        return True

    t = odd(on={"login": endless})
    r = enter(instance, t, ok=False).fails(19)
    assert "text" in r.err or "continu" in r.err, r.err
    assert len(t.pdus) < 100


def test_a_negotiation_without_end(instance, odd):
    """The target never agrees to leave the stage."""
    def linger(conn, pdu):
        rsp = Pdu(LOGIN_RSP, pdu.flags & 0x0C, itt=pdu.itt)
        rsp.bhs[8:14] = pdu.bhs[8:14]
        conn.send(rsp)
        return True

    t = odd(on={"login": linger})
    r = enter(instance, t, ok=False).fails(19)
    assert len(t.pdus) < 200 and "initiator reported error (19" in r.err


def changed(**fields):
    def send(conn, pdu):
        if pdu.op == LOGIN_RSP:
            for name, value in fields.items():
                if name == "byte":
                    pdu.bhs[value[0]] = value[1]
                else:
                    setattr(pdu, name, value)
        return pdu
    return {"send": send}


@pytest.mark.parametrize("on", [
    changed(itt=0x12345678), changed(byte=(8, 0x77)), changed(byte=(3, 9)), changed(byte=(0, SCSI_RSP)),
    changed(byte=(0, TEXT_RSP)), changed(byte=(0, 0x3E)), changed(length=16777215), changed(byte=(1, 0xC7)),
    changed(byte=(1, 0x83)), changed(ahs=bytes(8)),
], ids=["itt", "isid", "vactive", "scsi", "text", "opcode", "length", "TC", "stage", "ahs"])
def test_a_malformed_login_response(instance, odd, on):
    r = enter(instance, odd(on=on), ok=False)
    assert r.rc in (8, 19), str(r)
    assert r.err.count("\n") >= 3, r.err            # there is a reason, not only a code
    assert not instance.session_dirs()


def test_noise_instead_of_a_login(instance, odd):
    t = odd(on={"login": lambda conn, pdu: conn.send_raw(os.urandom(100_000)) or True})
    r = enter(instance, t, ok=False)
    assert r.rc in (8, 19), str(r)


# --- full-feature phase ---------------------------------------------------------------------------------------------------

def first_read(conn, pdu):
    return pdu.op == DATA_IN and len(pdu.data) == 4096


def field(op, **fields):
    """Spoil one field of the first PDU of that kind once the disk is in use."""
    def act(conn, pdu):
        if pdu.op != op or (op == DATA_IN and not first_read(conn, pdu)):
            return None
        for name, value in fields.items():
            if name == "put":
                pdu.put(*value)
            else:
                setattr(pdu, name, value(pdu) if callable(value) else value)
        return pdu
    return act


READS = {
    "wrong-itt": field(DATA_IN, itt=0x7777),
    "offset": field(DATA_IN, put=(40, 4, 8192)),
    "offset-wraps": field(DATA_IN, put=(40, 4, 0xFFFFFE00)),
    "too-long": field(DATA_IN, data=bytes(65536)),
    "data-sn": field(DATA_IN, put=(36, 4, 99)),
    "stat-sn": field(DATA_IN, stat_sn=lambda p: p.stat_sn + 1000),
    "length-lie": field(DATA_IN, length=16777215),
    "opcode": field(DATA_IN, put=(0, 1, 0x2A)),
    "cut-header": lambda conn, pdu: bytes(pdu.bhs[:20]) if first_read(conn, pdu) and not conn.drop() else None,
    "window": field(DATA_IN, put=(32, 4, 0)),
}


@pytest.mark.parametrize("act", READS.values(), ids=READS.keys())
def test_a_broken_answer_to_a_read(instance, odd, crowd, act):
    """The connection is dropped, the read is sent again on the next one."""
    t = odd(luns={1: Disk(1 << 20)})
    t.luns[1].data[65536:69632] = b"R" * 4096
    dev = enter(instance, t)
    t.on.update(once("send", act))
    assert pread(dev, 4096, 65536) == b"R" * 4096
    assert t.on["send"].done
    assert t.logins <= 2 and len(t.alive()) == 1
    if t.logins == 2:
        wait_until(lambda: "is operational after recovery" in instance.log, "a word about it")


def bad_digest(which, op):
    def act(conn, pdu):
        if pdu.op != op or (op == DATA_IN and not first_read(conn, pdu)):
            return None
        setattr(pdu, which, True)
        return pdu
    return act


@pytest.mark.parametrize("which,op", [("bad_header_digest", DATA_IN), ("bad_data_digest", DATA_IN), ("bad_header_digest", SCSI_RSP)])
def test_a_wrong_digest(instance, odd, crowd, which, op):
    t = odd(luns={1: Disk(1 << 20)}, phase_collapse=False)
    t.luns[1].data[65536:69632] = b"R" * 4096
    dev = enter(instance, t, **DIGESTS)
    t.on.update(once("send", bad_digest(which, op)))
    assert pread(dev, 4096, 65536) == b"R" * 4096
    assert t.logins == 2
    assert "digest" in instance.log
    assert len(instance.adm("-m", "session").ok().lines) == 2


R2TS = {
    "beyond": lambda task, off, n: (task.expected, 512),
    "too-long": lambda task, off, n: (off, task.expected + 512),
    "wraps": lambda task, off, n: (0xFFFFFF00, 0x200),
    "zero": lambda task, off, n: (off, 0),
}


@pytest.mark.parametrize("ask", R2TS.values(), ids=R2TS.keys())
def test_an_r2t_for_data_that_is_not_there(instance, odd, crowd, ask):
    """Not a byte beyond the buffer leaves this machine."""
    used = []

    def hook(conn, task, off, n):
        if used:
            return off, n
        used.append(True)
        return ask(task, off, n)

    t = odd(luns={1: Disk(1 << 20)}, keys={"InitialR2T": "Yes", "ImmediateData": "No"})
    dev = enter(instance, t)
    t.on["r2t"] = hook
    pwrite(dev, b"W" * 8192, 16384)
    assert used and bytes(t.luns[1].data[16384:24576]) == b"W" * 8192
    assert t.logins == 2


def test_an_r2t_for_nobody(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    c = t.alive()[0]
    c.send(Pdu(R2T, 0x80, itt=0x5555, ttt=9).put(44, 4, 512), stat_sn=c.stat_sn)
    t.wait(lambda: t.logins == 2)
    assert pread(dev, 4096, 0) == bytes(4096)


def test_status_for_nobody(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    c = t.alive()[0]
    c.send(Pdu(SCSI_RSP, 0x80, itt=0x5555))
    t.wait(lambda: t.logins == 2)
    assert pread(dev, 4096, 0) == bytes(4096)


def test_pings_of_the_target(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    enter(instance, t)
    c = t.alive()[0]
    tags = [c.ping() for _ in range(20)]
    t.wait(lambda: {p.ttt for p in t.received(NOP_OUT)} >= set(tags))
    echo = {p.ttt: p for p in t.received(NOP_OUT)}
    assert all(echo[x].itt == NONE for x in tags)
    assert t.logins == 1


def test_a_flood_of_pings(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    c = t.alive()[0]
    try:
        for _ in range(5000):
            c.ping()
    except OSError:
        pass                # hung up on: what is unanswered at a time has a limit
    assert pread(dev, 4096, 0) == bytes(4096) and t.logins <= 2


def test_the_target_asks_for_a_logout(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    t.alive()[0].async_event(1, 0, 0, 3)
    t.wait(lambda: t.logins == 2)
    assert pread(dev, 4096, 0) == bytes(4096)
    assert "async event 1" in instance.log


@pytest.mark.parametrize("event", [2, 3], ids=["connection", "all"])
def test_the_target_announces_a_drop(instance, odd, crowd, event):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    c = t.alive()[0]
    c.async_event(event, 0, 0, 0)
    c.drop()
    t.wait(lambda: t.logins == 2)
    assert pread(dev, 4096, 0) == bytes(4096)


@pytest.mark.parametrize("event", [4, 5, 0, 99, 255])
def test_other_async_events(instance, odd, crowd, event):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    t.alive()[0].async_event(event, 0xFFFF, 0xFFFF, 0xFFFF, data=b"\0\1x")
    assert pread(dev, 4096, 0) == bytes(4096)
    wait_until(lambda: len(t.alive()) == 1, "a session")


def test_an_async_scsi_event_brings_a_new_size(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    t.luns[1].resize(2 << 20)
    assert pread(dev, 4096, 0) == bytes(4096)
    fd = os.open(dev, os.O_RDONLY)
    try:
        wait_until(lambda: os.lseek(fd, 0, os.SEEK_END) == 2 << 20, "new size")
    finally:
        os.close(fd)


@pytest.mark.parametrize("reason", [4, 5, 9])
def test_a_reject(instance, odd, crowd, reason):
    """Of a command: it is sent again, or the connection is; the reader sees no error."""
    def scsi(conn, pdu):
        if pdu.bhs[32] != 0x28:
            return None
        conn.reject(reason, pdu)
        return True

    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    t.on.update(once("scsi", scsi))
    assert pread(dev, 4096, 0) == bytes(4096)
    assert t.on["scsi"].done and t.logins <= 2


def test_a_reject_of_nothing_we_sent(instance, odd, crowd):
    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t)
    c = t.alive()[0]
    for data in (b"", b"\xff" * 48, b"short"):
        if t.alive() and t.alive()[0] is c:
            try:
                c.send(Pdu(REJECT, 0x80, data, itt=NONE))
            except OSError:
                break
    assert pread(dev, 4096, 0) == bytes(4096)


def test_a_target_that_always_breaks_is_given_up(instance, odd, crowd):
    """Every read is answered with nonsense: after some tries the reader gets an error, not silence for ever."""
    def act(conn, pdu):
        if first_read(conn, pdu):
            pdu.put(40, 4, 1 << 30)
        return pdu

    t = odd(luns={1: Disk(1 << 20)})
    dev = enter(instance, t, **{"node.session.timeo.replacement_timeout": "3"})
    t.on["send"] = act
    got = []

    def read():
        try:
            got.append(pread(dev, 4096, 65536))
        except OSError as e:
            got.append(e.errno)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(60)
    assert got == [errno.EIO], (got, t.logins)
    t.on.clear()

    def read_again():
        try:
            return pread(dev, 4096, 65536) == bytes(4096)
        except OSError as e:  # past replacement_timeout requests fail at once until the relogin is whole
            assert e.errno == errno.EIO
            return False

    wait_until(read_again, "I/O flows again", 60)
    assert len(t.alive()) == 1


def test_report_luns_nonsense(instance, odd, crowd):
    """A list that lies about its length, and a thousand LUNs that are not there."""
    import odddisk

    def many(numbers, cdb):
        rows = b"".join(odddisk.encode_lun(n) for n in [1, *range(2, 1000)])
        return 0, ((0xFFFFFFF8).to_bytes(4, "big") + bytes(4) + rows)[:int.from_bytes(cdb[6:10], "big")], b""

    normal = odddisk.report_luns
    odddisk.report_luns = many
    try:
        t = odd(luns={1: Disk(1 << 20)})
        dev = enter(instance, t)
        assert pread(dev, 4096, 0) == bytes(4096)
    finally:
        odddisk.report_luns = normal


@pytest.mark.parametrize("op,data", [
    (0x12, b""), (0x12, b"\xff" * 255), (0x25, b"\xff" * 8), (0x25, bytes(8)), (0x9E, b"\xff" * 32), (0x9E, bytes(32)),
    (0x1A, b"\xff" * 192), (0xA0, b""), (0xA0, b"\xff" * 64),
], ids=["inquiry-empty", "inquiry-ff", "cap10-ff", "cap10-0", "cap16-ff", "cap16-0", "mode-ff", "luns-empty", "luns-ff"])
def test_scsi_answers_made_of_nonsense(instance, odd, crowd, op, data):
    """The login stands or falls; nothing hangs or dies."""
    t = odd(luns={1: Disk(1 << 20, odd={op: lambda disk, cdb, out: (0, data, b"")})})
    if op == 0xA0:
        t.on["scsi"] = lambda conn, pdu: pdu.bhs[32] == 0xA0 and (
            conn.send_data_in(pdu, data, (2, 0)) if data else conn.send_response(pdu)) is None
    r = enter(instance, t, ok=False)
    assert r.rc == 0, str(r)
    assert all(c == "\n" or c == "\t" or " " <= c <= "~" for c in r.err + instance.log)
