# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people do with a disk: read, write, verify, mount."""
import contextlib
import mmap
import os
import subprocess


def sh(*argv, ok=True, **kw):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **kw)
    assert not ok or done.returncode == 0, (argv, done.stdout, done.stderr)
    return done


def fio(dev, *args, wait=True, size="16M"):
    argv = ["fio", "--name=x", f"--filename={dev}", "--ioengine=libaio", "--direct=1", f"--size={size}", "--bs=4k",
            "--rw=randwrite", "--iodepth=16", "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", *args]
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         cwd="/tmp")
    if not wait:
        return p
    out = p.communicate(timeout=60)[0]
    assert p.returncode == 0, out
    return out


def pread(path, n, off, direct=True):
    fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if direct else 0))
    try:
        buf = memoryview(mmap.mmap(-1, n))
        return bytes(buf[:os.preadv(fd, [buf], off)])
    finally:
        os.close(fd)


def pwrite(path, data, off, flags=0):
    fd = os.open(path, os.O_RDWR | os.O_DIRECT | flags)
    try:
        buf = mmap.mmap(-1, len(data))
        buf[:] = data
        return os.pwritev(fd, [buf], off)
    finally:
        os.close(fd)


def size_of(dev):
    return int(sh("blockdev", "--getsize64", dev).stdout)


def space_used(path):
    """bytes of the file that take space"""
    return os.stat(path).st_blocks * 512


@contextlib.contextmanager
def mounted(dev, where, *options):
    where.mkdir(exist_ok=True)
    sh("mount", *options, dev, where)
    try:
        yield where
    finally:
        sh("umount", where)
