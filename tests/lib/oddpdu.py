# SPDX-License-Identifier: LGPL-2.1-or-later
"""PDUs, digests and text for the odd target (RFC 7143, 11)."""
import ctypes
import ctypes.util
import struct

NOP_OUT, SCSI_CMD, TMF_REQ, LOGIN_REQ, TEXT_REQ, DATA_OUT, LOGOUT_REQ, SNACK_REQ = 0, 1, 2, 3, 4, 5, 6, 0x10
NOP_IN, SCSI_RSP, TMF_RSP, LOGIN_RSP, TEXT_RSP, DATA_IN, LOGOUT_RSP = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26
R2T, ASYNC, REJECT = 0x31, 0x32, 0x3F
NONE = 0xFFFFFFFF

STEP = {NOP_OUT: "nop_out", SCSI_CMD: "scsi", TMF_REQ: "tmf", LOGIN_REQ: "login", TEXT_REQ: "text", DATA_OUT: "data_out",
        LOGOUT_REQ: "logout", SNACK_REQ: "snack"}


def _table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
        rows.append(n)
    return rows


_TABLE = _table()


def _crc_slow(data):
    crc = NONE
    for b in data:
        crc = _TABLE[(crc ^ b) & 0xFF] ^ (crc >> 8)
    return crc ^ NONE


def _find_crc():
    try:
        fn = ctypes.CDLL("libisal.so.2").crc32_iscsi
    except (OSError, AttributeError):
        return _crc_slow
    fn.restype, fn.argtypes = ctypes.c_uint, [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint]

    def fast(data):
        return fn(bytes(data), len(data), NONE) ^ NONE

    return fast if fast(b"123456789") == 0xE3069283 else _crc_slow


crc32c = _find_crc()


def _field(off, size):
    def get(self):
        return int.from_bytes(self.bhs[off:off + size], "big")

    def put(self, value):
        self.bhs[off:off + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")

    return property(get, put)


class Pdu:
    """A header of 48 bytes, additional header, data. Fields that every PDU or most have are attributes."""

    flags, lun, itt, ttt = _field(1, 1), _field(8, 8), _field(16, 4), _field(20, 4)
    cmd_sn, exp_stat_sn = _field(24, 4), _field(28, 4)                                  # initiator's
    stat_sn, exp_cmd_sn, max_cmd_sn = _field(24, 4), _field(28, 4), _field(32, 4)       # target's

    def __init__(self, op=0, flags=0, data=b"", **fields):
        self.bhs = bytearray(48)
        self.ahs = b""
        self.data = bytes(data)
        self.length = None              # a lie for DataSegmentLength
        self.bad_header_digest = self.bad_data_digest = False
        self.bhs[0], self.bhs[1] = op, flags
        for name, value in fields.items():
            setattr(self, name, value)

    op = property(lambda self: self.bhs[0] & 0x3F)
    immediate = property(lambda self: bool(self.bhs[0] & 0x40))
    final = property(lambda self: bool(self.bhs[1] & 0x80))
    isid = property(lambda self: bytes(self.bhs[8:14]))

    def num(self, off, size):
        return int.from_bytes(self.bhs[off:off + size], "big")

    def put(self, off, size, value):
        self.bhs[off:off + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")
        return self

    def wire(self, header_digest=False, data_digest=False):
        self.bhs[4] = len(self.ahs) // 4
        self.put(5, 3, len(self.data) if self.length is None else self.length)
        out = bytes(self.bhs) + self.ahs
        if header_digest:
            out += struct.pack("<I", crc32c(out) ^ (1 if self.bad_header_digest else 0))
        if self.data:
            padded = self.data + bytes(-len(self.data) % 4)
            out += padded
            if data_digest:
                out += struct.pack("<I", crc32c(padded) ^ (1 if self.bad_data_digest else 0))
        return out

    def __repr__(self):
        return f"<op {self.op:#x} flags {self.flags:#x} itt {self.itt:#x} {len(self.data)} bytes>"


def text_of(pairs):
    """[(key, value)] or {key: value} as text; values may be bytes."""
    rows = pairs.items() if isinstance(pairs, dict) else pairs
    return b"".join(_bytes(k) + b"=" + _bytes(v) + b"\0" for k, v in rows)


def keys_of(data):
    rows = {}
    for row in bytes(data).split(b"\0"):
        if row:
            k, _, v = row.partition(b"=")
            rows[k.decode(errors="replace")] = v.decode(errors="replace")
    return rows


def _bytes(v):
    return v if isinstance(v, bytes) else str(v).encode()
