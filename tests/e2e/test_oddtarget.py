# SPDX-License-Identifier: LGPL-2.1-or-later
"""The odd target itself: correct where nobody makes it odd. Yardsticks: libiscsi's tools, and a few PDUs by hand."""
import os
import shutil
import socket
import subprocess

import pytest
from odddisk import Disk
from oddlogin import ALGS, decode_bytes, encode_bytes, respond
from oddpdu import (ASYNC, DATA_IN, LOGIN_REQ, LOGIN_RSP, NONE, NOP_IN, NOP_OUT, REJECT, SCSI_CMD, SCSI_RSP, TEXT_REQ,
                    Pdu, crc32c, keys_of, text_of)


class Hand:
    """An initiator by hand: one connection, no windows, no digests."""

    def __init__(self, t):
        host, port = t.portal.rsplit(":", 1)
        self.s = socket.create_connection((host, int(port)), timeout=20)
        self.sn = 1

    def close(self):
        self.s.close()

    def send(self, p):
        p.cmd_sn = self.sn
        self.s.sendall(p.wire())

    def exactly(self, n):
        out = b""
        while len(out) < n:
            piece = self.s.recv(n - len(out))
            assert piece, "closed"
            out += piece
        return out

    def get(self):
        p = Pdu()
        p.bhs = bytearray(self.exactly(48))
        n = p.num(5, 3)
        p.data = self.exactly(n + -n % 4)[:n]
        return p

    def login_step(self, pairs, flags):
        self.send(Pdu(LOGIN_REQ | 0x40, flags, text_of(pairs), itt=7))
        text = b""
        while True:
            p = self.get()
            assert p.op == LOGIN_RSP
            text += p.data
            if not p.flags & 0x40:
                return p, keys_of(text)
            self.send(Pdu(LOGIN_REQ | 0x40, flags, itt=7))

    def login(self, target=None, **keys):
        who = {"InitiatorName": "iqn.2026-11.x:hand", "SessionType": "Normal" if target else "Discovery"}
        if target:
            who["TargetName"] = target
        return self.login_step({**who, "MaxRecvDataSegmentLength": 8192, **keys}, 0x87)


@pytest.fixture
def hand():
    made = []

    def make(t):
        made.append(Hand(t))
        return made[-1]

    yield make
    for h in made:
        h.close()


def test_crc32c_has_the_rfcs_vectors():
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.skipif(not shutil.which("iscsi-ls"), reason="needs libiscsi-bin")
@pytest.mark.parametrize("keys", [{}, {"HeaderDigest": "CRC32C"},
                                  {"InitialR2T": "Yes", "ImmediateData": "No", "MaxBurstLength": 4096}])
def test_libiscsi_finds_it_correct(odd, keys):
    t = odd(count=3, luns={1: Disk(64 << 20), 300: Disk(4 << 20, 4096)}, keys=keys)
    ls = subprocess.run(["iscsi-ls", "-s", f"iscsi://{t.portal}"], capture_output=True, text=True, timeout=30)
    assert ls.returncode == 0 and ls.stdout.count("Lun:1 ") == 3 and ls.stdout.count("Lun:16684") == 3, ls.stdout  # 0x4000 | 300
    suites = ",".join(f"SCSI.{s}.*" for s in ("Read10", "Read16", "Write10", "Write16", "WriteSame16", "Unmap"))
    r = subprocess.run(["iscsi-test-cu", "-d", "-t", suites, f"iscsi://{t.portal}/{t.name}/1"], capture_output=True,
                       text=True, timeout=60)
    assert "CU_ASSERT" not in r.stdout and "passed" in r.stdout, r.stdout + r.stderr


@pytest.mark.parametrize("alg", ALGS)
def test_mutual_chap(odd, hand, alg):
    t = odd(chap=("user", "secretsecret"), chap_in=("target", "othersecret1"), chap_encoding="base64" if alg > 6 else "hex")
    h = hand(t)
    who = {"InitiatorName": "iqn.2026-11.x:hand", "SessionType": "Normal", "TargetName": t.name}
    _, keys = h.login_step({**who, "AuthMethod": "CHAP,None"}, 0x81)
    assert keys["AuthMethod"] == "CHAP"
    _, keys = h.login_step({"CHAP_A": alg}, 0x01)
    proof = respond(alg, int(keys["CHAP_I"]), "secretsecret", decode_bytes(keys["CHAP_C"]))
    challenge = os.urandom(16)
    p, keys = h.login_step({"CHAP_N": "user", "CHAP_R": encode_bytes(proof), "CHAP_I": 9,
                            "CHAP_C": encode_bytes(challenge)}, 0x81)
    assert p.flags & 0x80 and decode_bytes(keys["CHAP_R"]) == respond(alg, 9, "othersecret1", challenge)
    p, _ = h.login_step({"MaxBurstLength": 65536}, 0x87)
    assert p.flags & 0x83 == 0x83
    t.wait(lambda: t.logins == 1)


def test_no_chap_and_a_wrong_one_are_refused(odd, hand):
    t = odd(chap=("user", "secretsecret"))
    p, _ = hand(t).login(t.name)
    assert p.num(36, 2) == 0x0201
    h = hand(t)
    h.login_step({"InitiatorName": "i", "TargetName": t.name, "AuthMethod": "CHAP"}, 0x81)
    h.login_step({"CHAP_A": 5}, 0x01)
    p, _ = h.login_step({"CHAP_N": "user", "CHAP_R": "0x" + "00" * 16}, 0x81)
    assert p.num(36, 2) == 0x0201 and t.logins == 0


@pytest.mark.parametrize("status", [0x0101, 0x0200, 0x0203, 0x0207, 0x0300, 0x0301, 0x0302])
def test_every_status_and_redirects(odd, hand, status):
    t = odd(status=status)
    assert hand(t).login(t.name)[0].num(36, 2) == status
    t = odd(redirect=("127.0.0.1:1", True))
    p, keys = hand(t).login(t.name)
    assert p.num(36, 2) == 0x0102 and keys["TargetAddress"] == "127.0.0.1:1"
    assert hand(odd()).login("iqn.2026-11.x:none")[0].num(36, 2) == 0x0203


@pytest.mark.parametrize("count, split", [(1, 1), (3, 5), (1000, 777), (10000, None)])
def test_sendtargets_of_any_size(odd, hand, count, split):
    t = odd(count=count, text_split=split, portals=2, login_split=3)
    h = hand(t)
    p, _ = h.login(MaxRecvDataSegmentLength=65536)
    assert p.flags & 0x83 == 0x83
    h.send(Pdu(TEXT_REQ | 0x40, 0x80, b"SendTargets=All\0", itt=9, ttt=NONE))
    text = b""
    while True:
        p = h.get()
        text += p.data
        if p.final:
            break
        assert p.flags & 0x40
        h.send(Pdu(TEXT_REQ | 0x40, 0x80, itt=9, ttt=p.ttt))
    assert text.count(b"TargetName=") == count and text.count(b"TargetAddress=") == 2 * count


def test_writes_by_r2t_pings_and_rejects(odd, hand):
    t = odd(keys={"MaxBurstLength": 1024, "ImmediateData": "No", "InitialR2T": "Yes"})
    h = hand(t)
    h.login(t.name, ImmediateData="No", InitialR2T="Yes", MaxBurstLength=1024)
    w = Pdu(SCSI_CMD, 0xA1, itt=1, ttt=4096)
    w.put(8, 8, 1 << 48).put(32, 1, 0x2A).put(39, 2, 8)
    h.send(w)
    data = os.urandom(4096)
    for i in range(4):
        r = h.get()
        off, n = r.num(40, 4), r.num(44, 4)
        assert (off, n) == (1024 * i, 1024)
        d = Pdu(5, 0x80, data[off:off + n], itt=1, ttt=r.ttt)
        d.put(40, 4, off)
        h.send(d)
    p = h.get()
    assert p.op == SCSI_RSP and p.bhs[3] == 0 and bytes(t.luns[1].data[:4096]) == data
    c = t.alive()[0]
    tag = c.ping(b"hello")
    p = h.get()
    assert p.op == NOP_IN and p.ttt == tag and p.data == b"hello"
    c.async_event(1, 0, 2, 3)
    p = h.get()
    assert p.op == ASYNC and p.num(36, 1) == 1 and p.num(40, 2) == 2
    h.send(Pdu(NOP_OUT | 0x40, 0x80, b"echo", itt=3, ttt=NONE))
    p = h.get()
    assert p.op == NOP_IN and p.itt == 3 and p.data == b"echo"
    h.send(Pdu(0x1C | 0x40, itt=4))
    assert h.get().op == REJECT
    r = Pdu(SCSI_CMD | 0x40, 0xC1, itt=5, ttt=9000)
    r.put(8, 8, 1 << 48).put(32, 1, 0x28).put(39, 2, 8)
    h.send(r)
    got, p = b"", None
    while p is None or not p.flags & 1:
        p = h.get()
        assert p.op == DATA_IN
        got += p.data
    assert got == data and p.flags & 2 and p.num(44, 4) == 9000 - 4096  # underflow


def test_hooks_and_drops(odd, hand):
    seen = []
    t = odd(on={"nop_out": lambda c, p: seen.append(p.itt) or True}, drop_at=4)
    h = hand(t)
    h.login(t.name)
    h.send(Pdu(NOP_OUT | 0x40, 0x80, itt=3, ttt=NONE))
    h.send(Pdu(NOP_OUT | 0x40, 0x80, itt=4, ttt=NONE))
    h.send(Pdu(NOP_OUT | 0x40, 0x80, itt=5, ttt=NONE))
    assert h.s.recv(1) == b"" and seen == [3, 4]
    t.refuse()
    with pytest.raises(ConnectionRefusedError):
        hand(t)
    t.accept_again()
    hand(t).login(t.name)
    t.wait(lambda: t.logins == 2)
