# SPDX-License-Identifier: LGPL-2.1-or-later
"""A RAM disk that answers SCSI commands, for the odd target."""
import struct

GOOD, CHECK, BUSY, CONFLICT, TASK_SET_FULL = 0, 2, 8, 0x18, 0x28


def sense(key, asc, ascq=0, info=0):
    """Fixed format sense data (SPC-4, 4.5.3)."""
    return struct.pack(">BBBIBIBBBBH", 0x70, 0, key, info, 10, 0, asc, ascq, 0, 0, 0)


class Disk:
    """size bytes in blocks of block_size. `odd` maps a CDB opcode to fn(disk, cdb, data_out) → (status, data_in,
    sense) or None for the normal answer. `queue` holds (status, sense) for the next commands, as unit attentions do."""

    def __init__(self, size=16 << 20, block_size=512, readonly=False, thin=True, serial="odd0001", odd=None):
        self.block_size, self.readonly, self.thin, self.serial = block_size, readonly, thin, serial
        self.data = bytearray(size)
        self.odd = dict(odd or {})
        self.queue = []
        self.counts = {}        # opcode → how often
        self.removed = False

    blocks = property(lambda self: len(self.data) // self.block_size)

    def resize(self, size):
        """Grow or shrink; the next command hears of it (CAPACITY DATA HAS CHANGED)."""
        self.data = self.data[:size] + bytes(max(0, size - len(self.data)))
        self.queue.append((CHECK, sense(6, 0x2A, 9)))

    def unit_attention(self, asc=0x29, ascq=0):
        self.queue.append((CHECK, sense(6, asc, ascq)))

    def run(self, cdb, out):
        """One command with all of its data: (status, data_in, sense)."""
        op = cdb[0]
        self.counts[op] = self.counts.get(op, 0) + 1
        if self.queue and op not in (0x12, 0xA0, 0x03):
            status, s = self.queue.pop(0)
            return status, b"", s
        if op in self.odd:
            answer = self.odd[op](self, cdb, out)
            if answer is not None:
                return answer
        fn = COMMANDS.get(op)
        if fn is None:
            return CHECK, b"", sense(5, 0x20)
        return fn(self, cdb, out)

    def _range(self, lba, n):
        return lba + n <= self.blocks


OUT_OF_RANGE = (CHECK, b"", sense(5, 0x21))
INVALID_FIELD = (CHECK, b"", sense(5, 0x24))


def _good(data=b""):
    return GOOD, data, b""


def _cut(data, n):
    return _good(data[:n])


def _where(cdb):
    """lba and number of blocks of READ, WRITE, WRITE SAME in their lengths."""
    if cdb[0] < 0x20:
        return (struct.unpack(">I", cdb[:4])[0] & 0x1FFFFF), cdb[4] or 256
    if cdb[0] < 0x60:
        return struct.unpack_from(">IxH", cdb, 2)
    if cdb[0] >= 0xA0:
        return struct.unpack_from(">II", cdb, 2)
    return struct.unpack_from(">QI", cdb, 2)


def read(d, cdb, out):
    lba, n = _where(cdb)
    if cdb[0] >= 0x20 and cdb[1] & 0xE0:        # protection information: none here
        return INVALID_FIELD
    if not d._range(lba, n):
        return OUT_OF_RANGE
    return _good(bytes(d.data[lba * d.block_size:(lba + n) * d.block_size]))


def write(d, cdb, out):
    lba, n = _where(cdb)
    if cdb[0] >= 0x20 and cdb[1] & 0xE0:
        return INVALID_FIELD
    if d.readonly:
        return CHECK, b"", sense(7, 0x27)
    if not d._range(lba, n):
        return OUT_OF_RANGE
    d.data[lba * d.block_size:lba * d.block_size + len(out)] = out
    return _good()


def write_same(d, cdb, out):
    lba, n = _where(cdb)
    if cdb[1] & 0xF0 or n == 0 or n > 65536:       # as the VPD pages say: no ANCHOR, WSNZ, MAXIMUM WRITE SAME LENGTH
        return INVALID_FIELD
    if d.readonly:
        return CHECK, b"", sense(7, 0x27)
    if not d._range(lba, n):
        return OUT_OF_RANGE
    block = bytes(out[:d.block_size]) if len(out) >= d.block_size else bytes(d.block_size)
    d.data[lba * d.block_size:(lba + n) * d.block_size] = block * n
    return _good()


def unmap(d, cdb, out):
    if d.readonly:
        return CHECK, b"", sense(7, 0x27)
    for off in range(8, len(out) - 15, 16):
        lba, n = struct.unpack_from(">QI", out, off)
        if not d._range(lba, n):
            return OUT_OF_RANGE
        d.data[lba * d.block_size:(lba + n) * d.block_size] = bytes(n * d.block_size)
    return _good()


def _page(code, body):
    return struct.pack(">BBH", 0, code, len(body)) + body


def vpd(d, code):
    if code == 0x00:
        return _page(0, bytes([0x00, 0x80, 0x83, 0xB0, 0xB1, 0xB2]))
    if code == 0x80:
        return _page(0x80, d.serial.encode())
    if code == 0x83:
        t10 = b"SISKIN  " + d.serial.encode()
        naa = bytes([0x60]) + d.serial.encode().rjust(15, b"\0")[-15:]
        return _page(0x83, struct.pack("BBBB", 2, 1, 0, len(t10)) + t10 + struct.pack("BBBB", 1, 3, 0, 16) + naa)
    if code == 0xB0:        # max transfer, optimal transfer; unmap: blocks, descriptors; write same: blocks
        body = bytearray(60)
        body[0] = 1     # WSNZ
        struct.pack_into(">HII", body, 2, 1, 65535, 128)
        if d.thin:
            struct.pack_into(">IIII", body, 16, 65536, 16, 8, 0)
        struct.pack_into(">Q", body, 32, 65536)
        return _page(0xB0, bytes(body))
    if code == 0xB1:
        return _page(0xB1, struct.pack(">HH", 1, 0) + bytes(56))
    if code == 0xB2:
        return _page(0xB2, struct.pack("BBBB", 0, 0xE0 if d.thin else 0, 2 if d.thin else 0, 0))
    return None


def inquiry(d, cdb, out):
    size = struct.unpack_from(">H", cdb, 3)[0]
    if cdb[1] & 1:
        page = vpd(d, cdb[2])
        return INVALID_FIELD if page is None else _cut(page, size)
    std = bytes([0, 0, 6, 0x12, 31, 0, 0, 2]) + b"SISKIN  " + b"ODD DISK".ljust(16) + b"0001"
    return _cut(std, size)


def read_capacity10(d, cdb, out):
    return _good(struct.pack(">II", min(d.blocks - 1, 0xFFFFFFFF), d.block_size))


def service_action_in(d, cdb, out):
    if cdb[1] & 0x1F != 0x10:
        return INVALID_FIELD
    body = struct.pack(">QIBBBB", d.blocks - 1, d.block_size, 0, 0, 0xC0 if d.thin else 0, 0) + bytes(16)
    return _cut(body, struct.unpack_from(">I", cdb, 10)[0])


def mode_sense(d, cdb, out):
    caching = bytes([0x08, 18, 0x04]) + bytes(17)       # WCE
    wp = 0x80 if d.readonly else 0
    pages = caching if cdb[2] & 0x3F in (0x08, 0x3F) else b""
    if cdb[0] == 0x1A:
        return _cut(bytes([3 + len(pages), 0, wp | 0x10, 0]) + pages, cdb[4])
    return _cut(struct.pack(">HBBBBH", 6 + len(pages), 0, wp | 0x10, 0, 0, 0) + pages, struct.unpack_from(">H", cdb, 7)[0])


def request_sense(d, cdb, out):
    return _cut(sense(0, 0), cdb[4])


def nothing(d, cdb, out):
    return _good()


COMMANDS = {
    0x00: nothing, 0x03: request_sense, 0x12: inquiry, 0x1A: mode_sense, 0x5A: mode_sense, 0x1B: nothing, 0x1E: nothing,
    0x25: read_capacity10, 0x9E: service_action_in,
    0x08: read, 0x28: read, 0xA8: read, 0x88: read,
    0x0A: write, 0x2A: write, 0xAA: write, 0x8A: write,
    0x35: nothing, 0x91: nothing, 0x2F: nothing, 0x8F: nothing,
    0x41: write_same, 0x93: write_same, 0x42: unmap,
}


def report_luns(numbers, cdb):
    rows = b"".join(encode_lun(n) for n in sorted(numbers))
    return _cut(struct.pack(">II", len(rows), 0) + rows, struct.unpack_from(">I", cdb, 6)[0])


def encode_lun(n):
    """The 8 bytes of a LUN: peripheral below 256, flat space above (SAM-5, 4.7)."""
    return struct.pack(">H", n if n < 256 else 0x4000 | n) + bytes(6)


def decode_lun(value):
    top = value >> 48
    return top & 0x3FFF if top >> 14 == 1 else top & 0xFF
