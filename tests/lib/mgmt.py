# SPDX-License-Identifier: LGPL-2.1-or-later
"""The management socket by hand (docs/management-protocol.md): frames as they should be, and as they should not."""
import json
import socket
import struct

MAGIC = b"SKM1"


def frame(body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return MAGIC + struct.pack(">I", len(data)) + data


def request(method, params=None, id=1, v=1):
    return frame({"v": v, "id": id, "method": method, "params": params or {}})


class Client:
    """One connection; `call` returns the answer (the whole message)."""

    def __init__(self, path, timeout=30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))         # without a time limit: that would not wait while the backlog is full
        self.sock.settimeout(timeout)
        self.last_id = 0

    def close(self):
        self.sock.close()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            got = self.sock.recv(n - len(data))
            if not got:
                raise ConnectionError("closed")
            data += got
        return data

    def read(self):
        head = self.exactly(8)
        assert head[:4] == MAGIC
        return json.loads(self.exactly(struct.unpack(">I", head[4:])[0]))

    def call(self, method, params=None, v=1):
        self.last_id += 1
        self.sock.sendall(request(method, params, self.last_id, v))
        while True:
            msg = self.read()
            if msg.get("id") == self.last_id and "event" not in msg:
                return msg

    def alive(self):
        """Is the connection still open?"""
        timeout = self.sock.gettimeout()
        self.sock.setblocking(False)
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(timeout)
