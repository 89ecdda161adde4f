# SPDX-License-Identifier: LGPL-2.1-or-later
"""iscsi-session alone against tgtd: the test plays iscsid (docs/session-process.md)."""
import errno
import fcntl
import hashlib
import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest

import initiator
from disk import fio, pread, pwrite, sh, size_of, space_used
from instance import BUILD, TOP
from tgtd import Lun

IQN = "iqn.2026-11.lab.test:disk1"
MIB = 1 << 20


@pytest.fixture
def lab(tmp_path, tgtd):
    """a target daemon with one target; sessions end with the test"""

    class Lab:
        def __init__(self):
            self.tgtd, self.target = tgtd, tgtd.target(IQN)
            self.sessions = []

        def lun(self, number=1, mib=32, **how):
            return str(self.target.add_lun(Lun(mib << 20, number=number, **how)).path)

        def session(self, attach=True, timers=None, args=(), **more):
            sid = len(self.sessions) + 1
            s = initiator.Session(BUILD, tmp_path / "run", IQN, self.tgtd.port, sid=sid, args=args)
            self.sessions.append(s)
            if attach:
                s.attach(timers=timers, **more)
            return s

    (tmp_path / "run").mkdir()
    env = Lab()
    yield env
    for s in env.sessions:
        s.destroy()
        print((s.run / f"session-{s.sid}.log").read_text())      # shown when the test failed


def wait_for(what, timeout=10):
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def loops_over(path):
    return [p for p in pathlib.Path("/sys/block").glob("loop*/loop/backing_file") if p.read_text().startswith(str(path))]


def mounted(path):
    return str(path) in pathlib.Path("/proc/self/mountinfo").read_text()


def test_a_file_system_survives_a_logout(lab, tmp_path):
    img = lab.lun(mib=64)
    s = lab.session()
    dev = s.disk(1)
    sh("mkfs.ext4", "-q", "-F", dev)
    where = tmp_path / "mnt"
    where.mkdir()
    sums = {}
    sh("mount", dev, where)
    try:
        for i in range(20):
            data = os.urandom(100_000 + i)
            (where / f"f{i}").write_bytes(data)
            sums[f"f{i}"] = hashlib.sha256(data).hexdigest()
    finally:
        sh("umount", where)
    assert s.end() == 0
    again = lab.session()
    sh("mount", "-o", "ro", again.disk(1), where)
    try:
        assert {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in where.glob("f*")} == sums
    finally:
        sh("umount", where)
    assert again.end() == 0
    sh("e2fsck", "-fn", img)


def test_nothing_stays_behind(lab):
    lab.lun()
    s = lab.session()
    loop = s.disk(1)
    assert s.tree("state").read_text() == "LOGGED_IN\n"
    assert s.tree("targetname").read_text() == IQN + "\n"
    assert (s.dir / "ctl").stat().st_mode & 0o777 == 0o600
    with open(s.dir / "lock") as f:
        assert int(f.read()) == s.proc.pid
        with pytest.raises(OSError):
            fcntl.lockf(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert mounted(s.dir / "disk") and loops_over(s.dir)
    assert s.end() == 0
    assert not s.dir.exists() and not s.link(1).is_symlink() and not s.tree().exists()
    assert not mounted(s.dir / "disk") and not loops_over(s.dir)
    assert not os.path.exists(f"/sys/block/{os.path.basename(loop)}/loop")
    assert lab.target.connections() == 0


def test_the_engine_has_no_privileges(lab):
    lab.lun()
    s = lab.session()
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{s.engine_pid()}/status").read_text().splitlines())
    nobody = __import__("pwd").getpwnam("nobody")
    assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
    assert status["Groups"].strip() == ""
    assert {int(status[f"Cap{c}"], 16) for c in ("Inh", "Prm", "Eff", "Amb")} == {0}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("user", ["root", "no-such-user"])
def test_the_engine_runs_as_somebody_without_rights_or_not_at_all(lab, user):
    lab.lun()
    s = lab.session(attach=False, args=["--user", user])
    with pytest.raises((initiator.Refused, ConnectionError)) as e:
        s.attach()
    assert s.proc.wait(10) != 0 and not s.dir.exists() and not mounted(s.dir)
    assert e.type is initiator.Refused


@pytest.mark.parametrize("reactor", ["epoll", "io_uring"])
def test_fio_verify(lab, reactor):
    lab.lun()
    s = lab.session(args=["--reactor", reactor])
    fio(s.disk(1))
    fio(s.disk(1), "--bs=256k", "--rw=write")
    stats = s.ctl.call("stats")
    assert stats["requests"] > 8000 and stats["failed"] == 0 and stats["inflight"] == 0


@pytest.mark.parametrize("offer", [
    {"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"},
    {"InitialR2T": "Yes", "ImmediateData": "No"},
    {"MaxRecvDataSegmentLength": "512", "MaxBurstLength": "4096", "FirstBurstLength": "512"},
])
def test_what_a_login_settles_is_kept_to(lab, offer):
    lab.lun()
    s = lab.session(offer=offer)
    fio(s.disk(1), size="4M")
    fio(s.disk(1), "--bs=1m", "--rw=write", size="8M")
    assert s.ctl.call("stats")["failed"] == 0


def test_many_luns_at_once(lab):
    for n in range(1, 41):
        lab.lun(n, mib=1)
    s = lab.session()
    assert len(os.listdir(s.dir / "disk")) == 40
    for n in range(1, 41):
        pwrite(s.disk(n), bytes([n]) * 4096, 4096)
    for n in range(1, 41):
        assert pread(s.file(n), 4096, 4096) == bytes([n]) * 4096
    assert s.end() == 0
    assert not loops_over(s.dir)


def test_an_end_in_the_middle_of_the_scan(lab):
    for n in range(1, 9):
        lab.lun(n, mib=1)
    s = lab.session(ready=False)
    assert s.end() == 0
    assert not s.dir.exists() and not loops_over(s.dir) and not list(s.dev.glob("disk/by-path/*"))


def test_several_luns_and_block_sizes(lab):
    lab.lun(1)
    lab.lun(2, block_size=4096)
    lab.lun(300)
    s = lab.session()
    flat = 0x4000 | 300                         # the target's choice of addressing for numbers over 255
    assert s.link(f"0x{flat:04x}000000000000").is_symlink() and s.file(flat).exists()
    devs = {1: s.disk(1), 2: s.disk(2), 300: s.disk(f"0x{flat:04x}000000000000")}
    sizes = {n: int(sh("blockdev", "--getss", d).stdout) for n, d in devs.items()}
    assert sizes == {1: 512, 2: 4096, 300: 512}
    for n, d in devs.items():
        pwrite(d, bytes([n % 251]) * 8192, 4096 * n)
    for n, d in devs.items():
        assert pread(d, 8192, 4096 * n) == bytes([n % 251]) * 8192


def test_a_read_only_lun(lab):
    img = lab.lun(readonly=True)
    s = lab.session()
    dev = s.disk(1)
    assert sh("blockdev", "--getro", dev).stdout == "1\n"
    assert pread(dev, 4096, 0) == bytes(4096)
    with pytest.raises(OSError):
        pwrite(dev, b"x" * 4096, 0)
    with pytest.raises(OSError) as e:
        os.open(s.file(1), os.O_RDWR)
    assert e.value.errno == errno.EROFS
    assert not any(pathlib.Path(img).read_bytes())


def test_read_only_by_record(lab):
    lab.lun()
    s = lab.session(read_only=True)
    assert sh("blockdev", "--getro", s.disk(1)).stdout == "1\n"


def test_discard_gives_blocks_back_and_reads_zero(lab):
    img = lab.lun(thin=True)
    s = lab.session()
    dev = s.disk(1)
    sh("dd", "if=/dev/urandom", f"of={dev}", "bs=1M", "count=16", "oflag=direct")
    before = space_used(img)
    assert before >= 16 * MIB
    sh("blkdiscard", "-o", 4 * MIB, "-l", 8 * MIB, dev)
    sh("sync", img)
    assert space_used(img) <= before - 8 * MIB
    assert not any(pread(dev, 8 * MIB, 4 * MIB))
    assert any(pread(dev, MIB, 3 * MIB)) and any(pread(dev, MIB, 12 * MIB))
    sh("blkdiscard", "-z", "-o", 0, "-l", 2 * MIB, dev)
    assert not any(pread(dev, 2 * MIB, 0)) and any(pread(dev, MIB, 2 * MIB))


def test_without_thin_provisioning_zeroes_are_written_and_discards_do_nothing(lab):
    lab.lun()
    s = lab.session()
    dev = s.disk(1)
    pwrite(dev, b"\xaa" * MIB, 0)
    sh("blkdiscard", dev, ok=False)             # kernels differ in what they say about it
    assert pread(dev, MIB, 0) == b"\xaa" * MIB
    assert "unsupported" in sh("fallocate", "-p", "-o", 0, "-l", 4096, s.file(1), ok=False).stderr
    sh("blkdiscard", "-z", "-o", 512, "-l", 4096, dev)
    assert pread(dev, MIB, 0) == b"\xaa" * 512 + bytes(4096) + b"\xaa" * (MIB - 4608)


def test_the_file_below_the_loop_device(lab):
    lab.lun()
    s = lab.session()
    data = os.urandom(65536)
    assert pwrite(s.file(1), data, 8192) == 65536
    assert pread(s.file(1), 10000, 8193, direct=False) == data[1:10001]
    assert pread(s.disk(1), 65536, 8192) == data
    fd = os.open(s.file(1), os.O_RDWR)
    try:
        os.fsync(fd)
        with pytest.raises(OSError) as e:
            os.pwrite(fd, b"x" * 100, 0)
        assert e.value.errno == errno.EINVAL
        with pytest.raises(OSError) as e:
            os.pwrite(fd, b"x" * 512, 32 * MIB)
        assert e.value.errno == errno.ENOSPC
        assert os.pread(fd, 4096, 32 * MIB) == b""
    finally:
        os.close(fd)
    assert pwrite(s.file(1), data, 0, os.O_DSYNC) == 65536


@pytest.mark.parametrize("reactor", ["epoll", "io_uring"])
def test_a_cut_connection_under_io(lab, reactor):
    lab.lun()
    s = lab.session(args=["--reactor", reactor])
    job = fio(s.disk(1), "--time_based", "--runtime=4", wait=False)
    for _ in range(5):
        time.sleep(0.4)
        s.cut()
        s.ctl.event("down")
        assert s.ctl.event("health")["health"] == "FAILED"
        assert s.tree("state").read_text() == "FAILED\n"
        s.reattach()
        assert s.ctl.event("health")["health"] == "LOGGED_IN"
    out = job.communicate(timeout=60)[0]
    assert job.returncode == 0, out
    assert s.ctl.call("stats")["failed"] == 0


def test_halt_keeps_the_disk_and_io_waits(lab):
    lab.lun()
    s = lab.session()
    dev = s.disk(1)
    s.ctl.call("halt")
    s.ctl.event("down")
    job = subprocess.Popen(["dd", f"if={dev}", "of=/dev/null", "bs=64k", "count=1", "iflag=direct"], stderr=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(0.5)
    s.reattach()
    assert job.wait(10) == 0


def test_target_restart_under_io(lab):
    lab.lun()
    s = lab.session()
    job = fio(s.disk(1), "--time_based", "--runtime=3", wait=False)
    time.sleep(1)
    lab.tgtd.kill()
    s.ctl.event("down")
    lab.tgtd.restart()
    s.reattach()
    out = job.communicate(timeout=60)[0]
    assert job.returncode == 0, out


def test_replacement_timeout_fails_io_until_the_target_returns(lab):
    lab.lun()
    s = lab.session(timers={"replacement": 1})
    dev = s.disk(1)
    s.cut()
    start = time.monotonic()
    with pytest.raises(OSError) as e:
        pread(dev, 4096, 0)
    assert e.value.errno == errno.EIO and 0.5 < time.monotonic() - start < 5
    assert s.ctl.event("health", where=lambda p: p["health"] == "FREE")
    assert s.tree("state").read_text() == "FREE\n"
    with pytest.raises(OSError):
        pread(dev, 4096, 65536)
    s.reattach()
    assert s.ctl.event("health")["health"] == "LOGGED_IN"
    assert pread(dev, 4096, 0) == bytes(4096)


def test_another_volume_is_never_served_silently(lab, tmp_path):
    lab.lun()
    s = lab.session()
    dev = s.disk(1)
    pwrite(dev, b"A" * 4096, 0)
    held = os.open(dev, os.O_RDONLY)
    try:
        other = tmp_path / "other.img"
        other.write_bytes(b"B" * (16 * MIB))
        lab.tgtd.kill()
        lab.target.luns = [Lun(16 * MIB, number=1, path=other, scsi_id="IET-another", scsi_sn="another")]
        lab.tgtd.restart()
        s.ctl.event("down")
        s.reattach()
        with pytest.raises(OSError) as e:
            pread(dev, 4096, 0)
        assert e.value.errno == errno.EIO
    finally:
        os.close(held)
    s.ctl.call("rescan")
    s.ctl.event("ready")
    wait_for(lambda: s.link(1).is_symlink() and pread(s.disk(1), 4096, 0) == b"B" * 4096)


def test_a_silent_target_is_noticed_by_pings(lab):
    lab.lun()
    s = lab.session(timers={"noop_interval": 1, "noop_timeout": 1})
    lab.tgtd.pause()
    try:
        start = time.monotonic()
        assert "ping" in s.ctl.event("down")["why"]
        assert 1.5 < time.monotonic() - start < 5
    finally:
        lab.tgtd.resume()
    s.reattach()
    assert pread(s.disk(1), 4096, 0) == bytes(4096)


def test_a_resize_is_noticed(lab):
    img = lab.lun(mib=32)
    s = lab.session()
    dev = s.disk(1)
    assert size_of(dev) == 32 * MIB
    lab.tgtd.kill()
    os.truncate(img, 48 * MIB)
    lab.tgtd.restart()
    s.ctl.event("down")
    s.reattach()
    wait_for(lambda: size_of(dev) == 48 * MIB)
    pwrite(dev, b"z" * 4096, 47 * MIB)
    assert pread(dev, 4096, 47 * MIB) == b"z" * 4096


def test_luns_come_and_go_with_a_rescan(lab, tmp_path):
    lab.lun(1)
    s = lab.session()
    lab.lun(2)
    s.ctl.call("rescan")
    assert s.ctl.event("ready")["luns"] == 2
    pwrite(s.disk(2), b"2" * 4096, 0)
    lab.target.remove_lun(2)
    s.ctl.call("rescan")
    assert s.ctl.event("ready")["luns"] == 1
    assert not s.link(2).is_symlink() and s.link(1).is_symlink()
    assert os.listdir(s.dir / "disk") == ["lun-1"]


def test_scan_by_hand(lab):
    lab.lun()
    s = lab.session(scan=False, ready=False)
    assert s.ctl.call("hello")["attached"] and not s.link(1).is_symlink()
    s.ctl.call("rescan")
    assert s.ctl.event("ready") == {"error": None, "luns": 1}
    assert pread(s.disk(1), 4096, 0) == bytes(4096)


def test_a_disk_in_use_refuses_the_end(lab, tmp_path):
    lab.lun()
    s = lab.session()
    dev = s.disk(1)
    sh("mkfs.ext4", "-q", "-F", dev)
    where = tmp_path / "mnt"
    where.mkdir()
    sh("mount", dev, where)
    try:
        with pytest.raises(initiator.Refused) as e:
            s.end()
        assert e.value.code == 28 and str(where) in str(e.value)
        s.proc.send_signal(signal.SIGTERM)
        (where / "still").write_text("here")
        sh("sync", "-f", where)
        assert s.proc.poll() is None and s.link(1).is_symlink()
    finally:
        sh("umount", where)
    assert s.end() == 0


def test_a_daemon_that_dies_in_the_handoff_is_succeeded(lab):
    """The next one asks while the engine is still starting, and hears how that went."""
    lab.lun()
    s = lab.session(attach=False)
    ctl = s.connect()
    ctl.call = ctl.send                 # no answer is waited for
    s.attach(ready=False)
    kids = pathlib.Path(f"/proc/{s.proc.pid}/task/{s.proc.pid}/children")
    while not kids.read_text():
        pass
    engine = int(kids.read_text())
    os.kill(engine, signal.SIGSTOP)
    ctl.close()
    s.connect()
    asked = s.ctl.send("hello", {"version": 1})
    time.sleep(0.2)
    os.kill(engine, signal.SIGCONT)
    answer = s.ctl.answer(asked)
    assert answer["attached"] and answer["health"] == "LOGGED_IN"
    wait_for(lambda: s.link(1).is_symlink())
    assert s.end() == 0


def test_a_forced_end_does_not_wait_for_an_engine_that_hangs(lab):
    lab.lun()
    s = lab.session()
    s.disk(1)
    os.kill(s.engine_pid(), signal.SIGSTOP)
    began = time.monotonic()
    assert s.end(force=True, timeout_s=1) == 0
    assert time.monotonic() - began < 10
    assert not s.dir.exists() and not loops_over(s.dir) and not mounted(s.dir / "disk")


def test_a_mounted_partition_holds_the_disk(lab, tmp_path):
    """The table is not written but told (addpart): not every kernel reads tables."""
    lab.lun()
    s = lab.session()
    assert (pathlib.Path("/sys/block") / os.path.basename(s.disk(1)) / "loop/partscan").read_text() == "1\n"
    sh("addpart", s.disk(1), "1", "2048", "32768")
    part = pathlib.Path("/sys/block") / os.path.basename(s.disk(1)) / (os.path.basename(s.disk(1)) + "p1")
    node = tmp_path / "part"
    os.mknod(node, 0o600 | stat.S_IFBLK, os.makedev(*map(int, (part / "dev").read_text().split(":"))))
    sh("mkfs.ext4", "-q", "-F", node)
    where = tmp_path / "mnt"
    where.mkdir()
    sh("mount", node, where)
    try:
        with pytest.raises(initiator.Refused) as e:
            s.end()
        assert e.value.code == 28 and str(where) in str(e.value)
        (where / "file").write_text("here")
    finally:
        sh("umount", where)
    assert s.end() == 0
    assert not part.exists()


def test_an_open_disk_refuses_the_end_and_can_be_forced(lab):
    lab.lun()
    s = lab.session()
    held = os.open(s.disk(1), os.O_RDONLY)
    try:
        with pytest.raises(initiator.Refused) as e:
            s.end()
        assert e.value.code == 28 and f"open by pid {os.getpid()}" in str(e.value)
        assert pread(s.disk(1), 4096, 0) == bytes(4096)
        assert s.end(force=True) == 0
        with pytest.raises(OSError):
            os.pread(held, 4096, 65536)
    finally:
        os.close(held)
    wait_for(lambda: not loops_over(s.dir))


def test_an_end_that_cannot_find_out_in_time_is_refused(lab):
    """Who uses a disk is looked for in every process: the end's own time limit holds for that too, and all is as before."""
    lab.lun()
    s = lab.session()
    held = os.open(s.disk(1), os.O_RDONLY)      # an opener is looked at for a second: he may be about to go
    try:
        with pytest.raises(initiator.Refused) as e:
            s.ctl.call("end", {"force": False, "timeout_s": 0})
        assert e.value.code == 33 and "who uses the disks" in str(e.value)
        with pytest.raises(initiator.Refused) as e:     # the next one is not disturbed by the worker of the first
            s.end()
        assert e.value.code == 28 and f"open by pid {os.getpid()}" in str(e.value)
        assert pread(s.disk(1), 4096, 0) == bytes(4096)
    finally:
        os.close(held)
    assert s.end() == 0


def test_end_while_the_target_is_silent(lab):
    lab.lun()
    s = lab.session()
    lab.tgtd.pause()
    try:
        start = time.monotonic()
        assert s.end(force=True, timeout_s=1) == 0
        assert time.monotonic() - start < 10
    finally:
        lab.tgtd.resume()
    assert not loops_over(s.dir) and not s.dir.exists()


def test_an_end_that_cannot_flush_is_refused(lab):
    lab.lun()
    s = lab.session(timers={"noop_interval": 0})
    pwrite(s.disk(1), b"d" * 4096, 0)
    lab.tgtd.pause()
    try:
        with pytest.raises(initiator.Refused) as e:
            s.end(timeout_s=1)
        assert e.value.code == 33
    finally:
        lab.tgtd.resume()

    def back():         # the flush ends late and takes the disk away: it is put back
        try:
            return pread(s.disk(1), 4096, 0) == b"d" * 4096
        except OSError:
            return False

    log = s.run / "session-1.log"
    wait_for(lambda: log.read_text().count("lun 1 is /dev/loop") == 2 and back())
    assert s.end() == 0


def test_the_end_of_a_session_without_a_connection(lab):
    lab.lun()
    s = lab.session()
    s.cut()
    s.ctl.event("health")
    start = time.monotonic()
    assert s.end() == 0 and time.monotonic() - start < 5


def flushing(pid):
    """Is a worker of this process inside fsync()?"""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "syscall").read_text().split()[0] in ("74", "82"):       # x86-64, and arm64 or riscv
            return True
    return False


def test_an_end_whose_connection_is_lost_meanwhile(lab):
    lab.lun()
    s = lab.session(timers={"noop_interval": 0})
    pwrite(s.disk(1), b"d" * 4096, 0)
    lab.tgtd.pause()
    try:
        end = s.ctl.send("end", {"force": False, "timeout_s": 60})
        wait_for(lambda: flushing(s.proc.pid))
        start = time.monotonic()
        s.cut()
        s.ctl.answer(end)
        assert time.monotonic() - start < 10 and s.proc.wait(10) == 0
    finally:
        lab.tgtd.resume()


def test_sigterm_logs_out_when_nobody_uses_a_disk(lab):
    lab.lun()
    s = lab.session()
    s.proc.send_signal(signal.SIGTERM)
    assert s.proc.wait(10) == 0
    assert not s.dir.exists() and not loops_over(s.dir)


def test_the_daemon_dies_and_comes_back(lab):
    lab.lun()
    s = lab.session()
    job = fio(s.disk(1), "--time_based", "--runtime=2", wait=False)
    s.ctl.close()
    time.sleep(0.5)
    hello = s.connect().call("hello", {"version": 1})
    assert hello == {"version": 1, "sid": 1, "health": "LOGGED_IN", "record": True, "target": IQN, "attached": True,
                     "ready": True}
    old = s.ctl
    s.connect()
    assert s.ctl.call("hello")["sid"] == 1
    with pytest.raises((ConnectionError, OSError)):
        old.call("hello")
    out = job.communicate(timeout=60)[0]
    assert job.returncode == 0, out


def test_a_dead_engine_takes_its_disks_along(lab):
    lab.lun()
    s = lab.session()
    dev = s.disk(1)
    os.kill(s.engine_pid(), signal.SIGKILL)
    assert s.proc.wait(15) != 0
    assert not s.link(1).is_symlink() and not s.dir.exists() and not loops_over(s.dir)
    assert not s.tree().exists() and not mounted(s.dir)
    assert not os.path.exists(f"/sys/block/{os.path.basename(dev)}/loop")


def test_a_dead_keeper_takes_the_engine_along(lab):
    lab.lun()
    s = lab.session()
    dev, engine = s.disk(1), s.engine_pid()
    s.proc.kill()
    s.proc.wait()
    wait_for(lambda: not os.path.exists(f"/proc/{engine}"))
    with pytest.raises(OSError):
        pread(dev, 4096, 0)


def test_nonsense_on_the_control_socket_costs_only_itself(lab):
    lab.lun()
    s = lab.session()
    for junk in (b"GET / HTTP/1.0\r\n\r\n", b"SKM1\xff\xff\xff\xff", b"SKM1\0\0\0\4null", b"SKM1\0\0\0\2{]", b"\0" * 64):
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(str(s.dir / "ctl"))
            c.sendall(junk)
            c.settimeout(5)
            c.shutdown(socket.SHUT_WR)
            c.recv(4096)
    c = s.connect()
    with pytest.raises(initiator.Refused) as e:
        c.call("no such method")
    assert e.value.code == 16
    with pytest.raises(initiator.Refused) as e:
        c.call("attach", {})
    assert e.value.code == 15
    with pytest.raises(initiator.Refused):
        c.call("reattach", {})
    with pytest.raises(initiator.Refused):
        c.call("timers", {"replacement": -2})
    c.call("timers", {"replacement": 7})
    assert s.tree("recovery_tmo").read_text() == "7\n"
    assert pread(s.disk(1), 4096, 0) == bytes(4096)


@pytest.mark.parametrize("change, said", [
    ({"target": "iqn.2026-11.lab.test:a/../b"}, "target"),
    ({"target": "iqn.2026-11.lab.test:a\nb"}, "target"),
    ({"persistent_address": "1.2.3.4/../.."}, "address"),
    ({"cmds_max": 0}, "cmds_max"),
    ({"params": {}}, "missing"),
    ({"timers": {"noop_interval": -1}}, "noop_interval"),
])
def test_bad_attach(lab, change, said):
    lab.lun()
    s = lab.session(attach=False)
    s.connect()
    with pytest.raises(initiator.Refused) as e:
        s.attach(**change)
    assert said in str(e.value)
    assert s.ctl.call("hello")["attached"] is False


def test_without_root_the_file_is_served(lab, tmp_path):
    lab.lun()
    nobody = __import__("pwd").getpwnam("nobody")
    run = pathlib.Path(__import__("tempfile").mkdtemp(prefix="siskin-"))
    try:
        os.chown(run, nobody.pw_uid, nobody.pw_gid)
        tcp, params = initiator.login("127.0.0.1", lab.tgtd.port, IQN)
        code = f"""
import sys; sys.path.insert(0, {str(TOP / 'tests' / 'lib')!r})
import os, pathlib, socket, initiator
class S(initiator.Session):
    def login(self, **offer):
        self.tcp = socket.socket(fileno={tcp.fileno()}); return {params!r}
s = S(pathlib.Path({str(BUILD)!r}), {str(run)!r}, {IQN!r}, {lab.tgtd.port})
try:
    assert s.attach() == {{"error": None, "luns": 1}}, "ready"
    fd = os.open(s.file(1), os.O_RDWR)
    assert os.pwrite(fd, b"u" * 4096, 4096) == 4096 and os.pread(fd, 8192, 0) == bytes(4096) + b"u" * 4096
    os.close(fd)
    assert not s.link(1).is_symlink() and s.end() == 0 and not s.dir.exists()
finally:
    s.destroy()
"""
        done = subprocess.run(["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups",
                               "/usr/bin/python3", "-c", code], pass_fds=[tcp.fileno()], capture_output=True, text=True,
                              timeout=60, cwd="/", env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["umount", "-l", str(run / "session" / "1" / "disk")], capture_output=True, check=False)
        __import__("shutil").rmtree(run, ignore_errors=True)
