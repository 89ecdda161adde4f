# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and writes on a block device past the page cache, in this thread or another."""
import mmap
import os
import threading


class Raw:
    """with Raw(dev) as d: d.write(0, data); d.read(0, 4096) - offsets and lengths in multiples of the block size"""

    def __init__(self, dev, write=True):
        self.fd = os.open(dev, (os.O_RDWR if write else os.O_RDONLY) | os.O_DIRECT | os.O_CLOEXEC)

    def read(self, off, n):
        with mmap.mmap(-1, n) as m:
            done = 0
            while done < n:
                with memoryview(m) as whole, whole[done:] as rest:
                    got = os.preadv(self.fd, [rest], off + done)
                if not got:
                    break
                done += got
            return m[:done]

    def write(self, off, data):
        with mmap.mmap(-1, len(data)) as m:
            m[:] = data
            done = 0
            while done < len(data):
                with memoryview(m) as whole, whole[done:] as rest:
                    done += os.pwritev(self.fd, [rest], off + done)

    def flush(self):
        os.fsync(self.fd)

    def size(self):
        return os.lseek(self.fd, 0, os.SEEK_END)

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Later(threading.Thread):
    """fn(*args) in a thread; result(seconds) gives its value or raises its exception."""

    def __init__(self, fn, *args):
        super().__init__(daemon=True)
        self.fn, self.args, self.value, self.error = fn, args, None, None
        self.start()

    def run(self):
        try:
            self.value = self.fn(*self.args)
        except BaseException as e:
            self.error = e

    def result(self, seconds=30):
        self.join(seconds)
        assert not self.is_alive(), f"{self.fn.__name__} is not over after {seconds} s"
        if self.error:
            raise self.error
        return self.value
