# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disks of sessions: what is written arrives, whatever was negotiated and however the LUN is made."""
import hashlib
import os

import pytest

from disk import fio, mounted, pread, pwrite, sh, size_of, space_used
from odddisk import Disk
from oddpdu import DATA_IN, DATA_OUT, SCSI_CMD
from ports import wait_until
from tgtd import Lun

MIB = 1 << 20
DIGESTS = [("None", "None"), ("CRC32C", "None"), ("None", "CRC32C"), ("CRC32C", "CRC32C")]


def enter(instance, t, **values):
    """a record, a login; the first LUN's device"""
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    instance.set(t.name, **values)
    instance.login(t.name).ok()
    return instance.disk(t.name, 1)


@pytest.mark.parametrize("header,data", DIGESTS, ids=["-".join(d) for d in DIGESTS])
def test_digests(instance, tgtd, header, data):
    t = tgtd.target(luns=[Lun("32M")], params={"HeaderDigest": header, "DataDigest": data})
    dev = enter(instance, t, **{"node.conn[0].iscsi.HeaderDigest": header, "node.conn[0].iscsi.DataDigest": data})
    shown = instance.adm("-m", "session", "-P", 2).ok().out
    assert f"\t\tHeaderDigest: {header}\n\t\tDataDigest: {data}\n" in shown
    fio(dev, "--bs=4k")
    fio(dev, "--bs=256k", "--rw=write")


@pytest.mark.parametrize("header,data", DIGESTS, ids=["-".join(d) for d in DIGESTS])
def test_digests_are_really_there(instance, odd, header, data):
    """The odd target checks each one it receives."""
    t = odd(keys={"HeaderDigest": header, "DataDigest": data})
    dev = enter(instance, t, **{"node.conn[0].iscsi.HeaderDigest": header, "node.conn[0].iscsi.DataDigest": data})
    block = os.urandom(300 * 1024)
    pwrite(dev, block, MIB)
    assert pread(dev, len(block), MIB) == block and bytes(t.luns[1].data[MIB:MIB + len(block)]) == block
    assert t.alive()[0].digests == (header == "CRC32C", data == "CRC32C")
    assert t.logins == 1


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_verify_16_mib(instance, make_tgtd, family):
    tgtd = make_tgtd(ipv6=True)
    t = tgtd.target(luns=[Lun("16M")])
    instance.discover(tgtd.portal6 if family == "ipv6" else tgtd.portal).ok()
    instance.login(t.name).ok()
    fio(instance.disk(t.name, 1), "--verify=crc32c", "--size=16M")
    assert ("::1" in next(iter(instance.links()))) == (family == "ipv6")


@pytest.mark.parametrize("keys", [
    {"InitialR2T": "Yes", "ImmediateData": "No"}, {"InitialR2T": "Yes", "ImmediateData": "Yes"},
    {"InitialR2T": "No", "ImmediateData": "No"}, {"InitialR2T": "No", "ImmediateData": "Yes"},
    {"MaxRecvDataSegmentLength": 512, "MaxBurstLength": 4096, "FirstBurstLength": 1024, "MaxOutstandingR2T": 4},
    {"MaxRecvDataSegmentLength": 8192, "MaxBurstLength": 512, "FirstBurstLength": 512},
], ids=["r2t-noimm", "r2t-imm", "unsol-noimm", "unsol-imm", "tiny", "burst512"])
def test_every_way_data_travels(instance, odd, keys):
    t = odd(keys=keys)
    dev = enter(instance, t, **{"node.session.iscsi.InitialR2T": "No"})
    for size in (512, 4096, 5 * 512, 256 * 1024):
        block = os.urandom(size)
        pwrite(dev, block, 512 * 7)
        assert pread(dev, size, 512 * 7) == block
    assert t.logins == 1
    if keys.get("ImmediateData") == "No":
        assert not [p for p in t.received(SCSI_CMD) if p.data]


def test_one_command_at_a_time(instance, odd):
    """A window of one: everything still gets through, in order."""
    t = odd(window=1)
    fio(enter(instance, t), "--size=1M", "--iodepth=8")


def test_data_without_phase_collapse(instance, odd):
    fio(enter(instance, odd(phase_collapse=False)), "--size=1M")


def test_several_luns_and_block_sizes(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M"), Lun("8M", block_size=4096), Lun("8M", number=7), Lun("8M", number=200)])
    enter(instance, t)
    devs = {n: instance.disk(t.name, n) for n in (1, 2, 7, 200)}
    assert len(set(devs.values())) == 4
    assert [int(sh("blockdev", "--getss", devs[n]).stdout) for n in devs] == [512, 4096, 512, 512]
    for n, dev in devs.items():
        pwrite(dev, bytes([n]) * 8192, 4096 * n)
    for n, dev in devs.items():
        assert pread(dev, 8192, 4096 * n) == bytes([n]) * 8192
    fio(devs[2], "--size=8M", "--bs=4k")
    shown = instance.adm("-m", "session", "-P", 3).ok().out
    assert shown.count("Attached scsi disk") == 4


def test_a_read_only_lun(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M", readonly=True), Lun("8M")])
    dev = enter(instance, t)
    assert sh("blockdev", "--getro", dev).stdout == "1\n"
    assert sh("blockdev", "--getro", instance.disk(t.name, 2)).stdout == "0\n"
    assert pread(dev, 4096, 0) == bytes(4096)
    with pytest.raises(OSError):
        pwrite(dev, b"x" * 4096, 0)


def test_growth_is_noticed(instance, odd):
    """CAPACITY DATA HAS CHANGED, met by any command, is enough."""
    t = odd(luns={1: Disk(8 * MIB)})
    dev = enter(instance, t)
    assert size_of(dev) == 8 * MIB
    t.luns[1].resize(12 * MIB)
    assert pread(dev, 4096, 0) == bytes(4096)       # the attention does not disturb it
    wait_until(lambda: size_of(dev) == 12 * MIB, "new size")
    pwrite(dev, b"z" * 4096, 12 * MIB - 4096)
    assert bytes(t.luns[1].data[-4096:]) == b"z" * 4096


def test_growth_is_noticed_by_a_rescan(instance, odd):
    t = odd(luns={1: Disk(8 * MIB)})
    dev = enter(instance, t)
    t.luns[1].resize(12 * MIB)
    t.luns[1].queue.clear()                         # nobody says a word
    instance.adm("-m", "session", "-R").ok()
    wait_until(lambda: size_of(dev) == 12 * MIB, "new size")


def test_luns_come_and_go(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")])
    enter(instance, t)
    t.add_lun(Lun("8M"))
    r = instance.adm("-m", "node", "-T", t.name, "-R").ok()
    host, port = t.portal.split(":")
    assert r.lines == [f"Rescanning session [sid: 1, target: {t.name}, portal: {host},{port}]"]
    pwrite(instance.disk(t.name, 2), b"2" * 4096, 0)
    t.remove_lun(2)
    instance.adm("-m", "session", "-r", 1, "-R").ok()
    assert [n[-5:] for n in instance.links()] == ["lun-1"]


def test_a_flush_reaches_the_target(instance, odd):
    t = odd()
    dev = enter(instance, t)

    def flushes():
        return t.luns[1].counts.get(0x35, 0) + t.luns[1].counts.get(0x91, 0)

    before = flushes()
    fd = os.open(dev, os.O_WRONLY)
    try:
        os.pwrite(fd, b"f" * 4096, 8192)
        os.fsync(fd)
    finally:
        os.close(fd)
    assert flushes() > before
    assert bytes(t.luns[1].data[8192:12288]) == b"f" * 4096


def test_a_discard_reaches_the_target(instance, tgtd):
    t = tgtd.target(luns=[Lun("32M", thin=True)])
    dev = enter(instance, t)
    sh("dd", "if=/dev/urandom", f"of={dev}", "bs=1M", "count=16", "oflag=direct")
    image = t.luns[0].path
    before = space_used(image)
    sh("blkdiscard", "-o", 4 * MIB, "-l", 8 * MIB, dev)
    sh("sync", image)
    assert space_used(image) <= before - 8 * MIB
    assert not any(pread(dev, 8 * MIB, 4 * MIB)) and any(pread(dev, MIB, 3 * MIB)) and any(pread(dev, MIB, 12 * MIB))


def test_a_discard_that_must_read_zeros_is_a_write_same_with_unmap(instance, odd):
    """UNMAP alone is a hint the target may ignore; a loop device's discard promises zeros."""
    t = odd()
    dev = enter(instance, t)
    pwrite(dev, b"\xaa" * MIB, 0)
    sh("blkdiscard", "-o", 65536, "-l", 65536, dev)
    sent = [p.bhs[32:48] for p in t.received(SCSI_CMD) if p.bhs[32] in (0x41, 0x93)]
    assert sent and all(cdb[1] & 0x08 for cdb in sent)
    assert pread(dev, 256 * 1024, 0) == b"\xaa" * 65536 + bytes(65536) + b"\xaa" * (128 * 1024)


def test_a_file_system(instance, tgtd, tmp_path):
    t = tgtd.target(luns=[Lun("64M")])
    dev = enter(instance, t)
    sh("mkfs.ext4", "-q", "-F", dev)
    files = {f"f{i}": os.urandom(100_000 + i) for i in range(20)}
    with mounted(dev, tmp_path / "mnt") as mnt:
        for name, data in files.items():
            (mnt / name).write_bytes(data)
    instance.logout(t.name).ok()
    instance.login(t.name).ok()
    dev = instance.disk(t.name, 1)
    with mounted(dev, tmp_path / "mnt", "-o", "ro") as mnt:
        for name, data in files.items():
            assert hashlib.sha256((mnt / name).read_bytes()).digest() == hashlib.sha256(data).digest(), name
    sh("e2fsck", "-fn", dev)


def test_a_bad_block_is_an_error_of_that_block_only(instance, odd):
    from odddisk import CHECK, read, sense
    bad = 2048

    def fail(disk, cdb, out):
        lba, n = int.from_bytes(cdb[2:6], "big"), int.from_bytes(cdb[7:9], "big")
        if lba <= bad < lba + n:
            return CHECK, b"", sense(3, 0x11, info=bad)     # MEDIUM ERROR, unrecovered read error
        return read(disk, cdb, out)

    t = odd(luns={1: Disk(odd={0x28: fail})})
    dev = enter(instance, t)
    assert pread(dev, 4096, 0) == bytes(4096)
    with pytest.raises(OSError) as e:
        pread(dev, 4096, bad * 512)
    assert e.value.errno == 5
    assert pread(dev, 4096, (bad + 8) * 512) == bytes(4096)
    assert t.logins == 1


def test_a_busy_lun_is_asked_again(instance, odd):
    t = odd()
    dev = enter(instance, t)
    t.luns[1].queue += [(8, b""), (0x28, b""), (8, b"")]        # BUSY, TASK SET FULL
    assert pread(dev, 4096, 0) == bytes(4096)
    pwrite(dev, b"b" * 4096, 0)
    assert pread(dev, 4096, 0) == b"b" * 4096 and t.logins == 1
    assert t.received(DATA_OUT) is not None and DATA_IN
