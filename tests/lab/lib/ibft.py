# SPDX-License-Identifier: LGPL-2.1-or-later
"""An iSCSI Boot Firmware Table (version 1.03) as bytes, for -acpitable file=…"""
import ipaddress
import struct


def address(text):
    """16 bytes: IPv4 as ::ffff:a.b.c.d, nothing as zeros."""
    if not text:
        return bytes(16)
    ip = ipaddress.ip_address(text)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


class Table:
    """Structures at multiples of 8, then a heap of texts; offsets count from the start of the table."""

    def __init__(self, initiator, nics, targets):
        places, at = {}, 48 + 24
        for name, size in [("initiator", 74), *((f"nic{n}", 102) for n in range(len(nics))),
                           *((f"target{n}", 54) for n in range(len(targets)))]:
            places[name] = at
            at += (size + 7) // 8 * 8
        self.heap_at, self.heap = at, b""
        pairs = [(places.get(f"nic{n}", 0), places.get(f"target{n}", 0)) for n in range(2)]
        parts = {48: self.block(1, 0, 0, struct.pack("<HH4H", 0, places["initiator"], *pairs[0], *pairs[1])),
                 places["initiator"]: self.block(2, 0, 3, bytes(64) + self.text(initiator))}
        for n, nic in enumerate(nics):
            parts[places[f"nic{n}"]] = self.block(3, n, nic.get("flags", 3), self.nic(**nic))
        for n, target in enumerate(targets):
            parts[places[f"target{n}"]] = self.block(4, n, target.get("flags", 3), self.target(**target))
        body = bytearray(self.heap_at)
        for where, data in parts.items():
            body[where:where + len(data)] = data
        body += self.heap
        body[0:36] = struct.pack("<4sIBB6s8sI4sI", b"iBFT", len(body), 1, 0, b"SISKIN", b"LAB     ", 1, b"LAB ", 1)
        body[9] = -sum(body) & 0xff
        self.bytes = bytes(body)

    @staticmethod
    def block(kind, index, flags, fields):
        return struct.pack("<BBHBB", kind, 1, 6 + len(fields), index, flags) + fields

    def text(self, value):
        """(length, offset) of a text put on the heap."""
        if not value:
            return struct.pack("<HH", 0, 0)
        at = self.heap_at + len(self.heap)
        self.heap += value.encode() + b"\0"
        return struct.pack("<HH", len(value), at)

    def nic(self, mac, ip="", prefix=24, origin=1, gateway="", dns1="", dns2="", dhcp="", vlan=0, bdf=0, **_):
        return (address(ip) + struct.pack("<BB", prefix, origin) + address(gateway) + address(dns1) + address(dns2) + address(dhcp) +
                struct.pack("<H", vlan) + bytes.fromhex(mac.replace(":", "")) + struct.pack("<H", bdf) + self.text(""))

    def target(self, name, ip, port=3260, lun=1, nic=0, chap=None, chap_in=None, **_):
        kind = 2 if chap_in else 1 if chap else 0
        texts = [name, *(chap or ("", "")), *(chap_in or ("", ""))]
        return (address(ip) + struct.pack("<H", port) + struct.pack(">HHHH", lun, 0, 0, 0) + struct.pack("<BB", kind, nic) +
                b"".join(self.text(t) for t in texts))
