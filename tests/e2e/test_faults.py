# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults on the real programs while a checker reads and writes: every acknowledged write is there, nothing else is read,
nobody waits for ever. What comes of each fault at each moment is the business of tests/fault (virtual time); here the same kinds
meet sockets, processes, FUSE and loop devices.

SISKIN_FAULTS=1000 makes the last test inject that many by the dice, and tell how many it was; SISKIN_SEED chooses them."""
import errno
import os
import random
import threading
import time

import pytest

from disk import pread, pwrite
from odddisk import Disk
from oddpdu import DATA_IN, LOGIN_RSP, NOP_IN, R2T, SCSI_RSP, Pdu
from ports import wait_until

QUICK = {"node.conn[0].timeo.noop_out_interval": "1", "node.conn[0].timeo.noop_out_timeout": "1",
         "node.conn[0].timeo.login_timeout": "2", "node.session.iscsi.DefaultTime2Wait": "0",
         "node.session.iscsi.InitialR2T": "Yes", "node.session.iscsi.ImmediateData": "No",
         "node.conn[0].iscsi.HeaderDigest": "CRC32C", "node.conn[0].iscsi.DataDigest": "CRC32C"}
CHAP = ("user", "secret-of-user")
AUTH = {"node.session.auth.authmethod": "CHAP", "node.session.auth.username": CHAP[0], "node.session.auth.password": CHAP[1]}
BLOCK, BLOCKS = 4096, 128
READ, WRITE = (0x28, 0x88), (0x2A, 0x8A)


def closed(conn, pdu):
    conn.drop()


def reset(conn, pdu):
    conn.drop(reset=True)


def cut(conn, pdu):
    conn.send_raw(pdu.wire(*conn.digests)[:37])
    conn.drop()


def twice(conn, pdu):
    return pdu.wire(*conn.digests) * 2


def dribble(conn, pdu):
    for byte in pdu.wire(*conn.digests)[:200]:
        conn.send_raw(bytes([byte]))
    return pdu.wire(*conn.digests)[200:]


def silent(conn, pdu):
    conn.opt = {**conn.opt, "silent_at": 1}     # of this connection alone


def stat_sn(conn, pdu):
    pdu.stat_sn += 1
    return pdu


def tag(conn, pdu):
    pdu.itt = 0x5555
    return pdu


def opcode(conn, pdu):
    pdu.bhs[0] = 0x1F
    return pdu


def length(conn, pdu):
    pdu.length = 0xFFFFFF
    return pdu


def header_digest(conn, pdu):
    pdu.bad_header_digest = True
    return pdu


def data_digest(conn, pdu):
    pdu.bad_data_digest = True
    return pdu


def busy(conn, pdu):
    r = Pdu(SCSI_RSP, 0x80, itt=pdu.itt)
    r.stat_sn, r.exp_cmd_sn, r.max_cmd_sn = pdu.stat_sn, pdu.exp_cmd_sn, pdu.max_cmd_sn
    r.bhs[3] = 8
    return r


def is_login(stage):
    return lambda conn, pdu: pdu.op == LOGIN_RSP and (pdu.flags >> 2 & 3) == stage


def answers(*ops):
    """A status for one of these commands"""
    def yes(conn, pdu):
        return (pdu.op == SCSI_RSP or (pdu.op == DATA_IN and pdu.flags & 1)) and conn.last_cdb.get(pdu.itt) in ops
    return yes


MOMENTS = {
    "security": is_login(0), "operational": is_login(1), "scan": answers(0x12, 0x9E, 0xA0, 0x1A),
    "read": lambda conn, pdu: pdu.op == DATA_IN and not pdu.flags & 1 and conn.last_cdb.get(pdu.itt) in READ,
    "read-end": answers(*READ), "r2t": lambda conn, pdu: pdu.op == R2T, "write-end": answers(*WRITE),
    "flush": answers(0x35, 0x91), "ping": lambda conn, pdu: pdu.op == NOP_IN,
}
LOGIN, IO = ("security", "operational"), ("read", "read-end", "r2t", "write-end", "flush")
ANY = (*LOGIN, "scan", *IO, "ping")
FAULTS = {closed: ANY, reset: ANY, cut: ANY, dribble: ANY, silent: ("scan", *IO, "ping"), twice: IO,
          stat_sn: ("read-end", "write-end", "flush", "scan"), tag: ANY, opcode: ANY, length: ANY,
          header_digest: ("scan", *IO, "ping"), data_digest: ("read", "read-end"), busy: ("read-end", "write-end", "flush")}
CELLS = [(fault, moment) for fault, moments in FAULTS.items() for moment in moments]
FEW = [(closed, "security"), (cut, "operational"), (closed, "scan"), (reset, "read"), (cut, "read-end"), (closed, "r2t"),
       (reset, "write-end"), (opcode, "flush"), (closed, "ping"), (dribble, "read"), (twice, "write-end"), (stat_sn, "read-end"),
       (tag, "r2t"), (length, "read"), (header_digest, "r2t"), (data_digest, "read"), (busy, "write-end"), (silent, "r2t"),
       (dribble, "security"), (tag, "scan")]


class Rig:
    """A session, its target with one fault at a time, and what each block must hold."""

    def __init__(self, instance, t):
        self.instance, self.t = instance, t
        self.holds = [{0} for _ in range(BLOCKS)]       # stamps a block may hold: one, unless a write failed
        self.stamp = self.faults = self.failed = 0
        self.slowest = 0.0
        self.pending = None
        t.on["scsi"] = self.note
        t.on["send"] = self.send
        instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
        instance.set(t.name, **QUICK, **AUTH)
        instance.login(t.name).ok()
        self.dev = instance.disk(t.name, 1)

    @staticmethod
    def note(conn, pdu):
        if not hasattr(conn, "last_cdb"):
            conn.last_cdb = {}
        conn.last_cdb[pdu.itt] = pdu.bhs[32]

    def send(self, conn, pdu):
        fault = self.pending
        if not hasattr(conn, "last_cdb"):
            conn.last_cdb = {}
        if fault is None or not MOMENTS[fault[1]](conn, pdu):
            return pdu
        self.pending = None
        self.faults += 1
        return fault[0](conn, pdu)

    @staticmethod
    def content(stamp, block):
        return (stamp.to_bytes(8, "big") + block.to_bytes(8, "big")) * (BLOCK // 16) if stamp else bytes(BLOCK)

    def write(self, first, n):
        self.stamp += 1
        for b in range(first, first + n):
            self.holds[b].add(self.stamp)
        try:
            pwrite(self.dev, b"".join(self.content(self.stamp, b) for b in range(first, first + n)), first * BLOCK)
        except OSError as e:
            assert e.errno == errno.EIO, e
            self.failed += 1
            return
        for b in range(first, first + n):
            self.holds[b] = {self.stamp}

    def check(self, data, first, where):
        for i in range(len(data) // BLOCK):
            piece, block = data[i * BLOCK:(i + 1) * BLOCK], first + i
            found = [s for s in self.holds[block] if piece == self.content(s, block)]
            assert found, f"block {block} {where} is none of {self.holds[block]}: {bytes(piece[:24]).hex()}"
            self.holds[block] = set(found)

    def read(self, first, n):
        try:
            data = pread(self.dev, n * BLOCK, first * BLOCK)
        except OSError as e:
            assert e.errno == errno.EIO, e
            self.failed += 1
            return
        self.check(data, first, "as read")

    def flush(self):
        fd = os.open(self.dev, os.O_RDWR)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def cell(self, fault, moment, dice):
        """Inject it, do what brings it about (a read of several PDUs among it), and see it through."""
        began = time.monotonic()
        self.pending = (fault, moment)
        first, n = dice.randrange(BLOCKS - 20), dice.randrange(1, 20)
        if moment in LOGIN or moment == "scan":
            for c in self.t.alive():
                c.drop()
        self.write(first, n)
        self.read(first, max(n, 5))
        if moment == "flush":
            self.flush()
        wait_until(lambda: self.pending is None, f"{fault.__name__} at {moment}", 90)
        self.read(first, n)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.check(bytes(self.t.luns[1].data[:BLOCKS * BLOCK]), 0, "at the target")


@pytest.fixture
def make_rig(instance, odd):
    """make_rig(n) - one more session, to a target of its own"""
    def make(n):
        return Rig(instance, odd(targets=[f"iqn.2026-11.org.siskin.odd:faults{n}"], luns={1: Disk(BLOCKS * BLOCK)}, chap=CHAP,
                                 keys={"MaxBurstLength": 16384, "MaxRecvDataSegmentLength": 8192, "DefaultTime2Wait": 0}))
    return make


def run(rigs, cells, dice):
    """Each session works off its cells, all at once: one that is lost again and again is made to wait by the daemon."""
    wrong = []

    def work(rig, mine, seed):
        for fault, moment in mine:
            try:
                rig.cell(fault, moment, random.Random(seed))
                assert rig.failed == 0, "an error reached the application"
            except (AssertionError, OSError) as e:
                wrong.append(f"{fault.__name__} at {moment} (seed {seed}): {e}")
                return

    threads = [threading.Thread(target=work, args=(r, cells[i::len(rigs)], dice.random()), daemon=True)
               for i, r in enumerate(rigs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(600)
    assert not wrong and not any(t.is_alive() for t in threads), "\n".join(wrong) or "something hangs"


def test_each_fault_once(make_rig, instance):
    """No error reaches the application, and the daemon is there to tell."""
    rigs = [make_rig(n) for n in range(len(FEW) // 2)]
    run(rigs, FEW, random.Random(1))
    assert sum(r.faults for r in rigs) == len(FEW) and instance.iscsid.poll() is None


@pytest.mark.skipif("SISKIN_FAULTS" not in os.environ, reason="long: SISKIN_FAULTS=1000 says how many")
def test_faults_by_the_dice(make_rig, instance):
    goal, seed = int(os.environ["SISKIN_FAULTS"]), int(os.environ.get("SISKIN_SEED", "1"))
    dice, began = random.Random(seed), time.monotonic()
    rigs = [make_rig(n) for n in range(24)]
    while sum(r.faults for r in rigs) < goal:
        cells = [dice.choice(CELLS) for _ in range(4 * len(rigs))]
        run(rigs, cells, dice)
        print(f"{sum(r.faults for r in rigs)} faults, {sum(r.stamp for r in rigs)} writes, "
              f"{sum(r.failed for r in rigs)} requests failed, {sum(r.t.logins for r in rigs)} logins, "
              f"slowest cell {max(r.slowest for r in rigs):.1f} s, {time.monotonic() - began:.0f} s", flush=True)
    assert instance.iscsid.poll() is None
