# SPDX-License-Identifier: LGPL-2.1-or-later
"""iSNS servers of one's own on 127.0.0.1: a real isnsd, and one that answers whatever a test wants (RFC 4171)."""
import shutil
import socket
import struct
import subprocess
import threading

from ports import free_port, wait_until

QUERY, REGISTER = 2, 1
NAME, NODE_TYPE, PG_NAME, PG_ADDR, PG_PORT, PG_TAG = 32, 33, 48, 49, 50, 51


class Isnsd:
    """open-isns' isnsd with a private database, port and control socket."""

    available = bool(shutil.which("isnsd") and shutil.which("isnsadm"))

    def __init__(self, root, period="20s", default_domain=1):
        self.dir = root / "isns"
        self.db = self.dir / "db"
        self.port = free_port()
        self.portal = f"127.0.0.1:{self.port}"
        self.process = None
        self.db.mkdir(parents=True)
        (self.dir / "server.conf").write_text(
            f"SourceName = iqn.2026-11.lab.isns:server\nDatabase = {self.db}\nDefaultDiscoveryDomain = {default_domain}\n"
            f"RegistrationPeriod = {period}\nBindAddress = {self.portal}\nControlSocket = {self.dir}/ctl\n"
            f"PIDFile = {self.dir}/pid\nSLPRegister = 0\nSecurity = 0\nSCNTimeout = 2\n")

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(["isnsd", "-f", "-c", str(self.dir / "server.conf")], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd="/", start_new_session=True)
        wait_until(self._answers, "isnsd", alive=lambda: self.process.poll() is None)
        return self

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return (self.dir / "ctl").exists()
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def _adm(self, name, *args):
        conf = self.dir / "client.conf"
        conf.write_text(f"SourceName = {name}\nServerAddress = {self.portal}\nControlSocket = {self.dir}/ctl\nSecurity = 0\n")
        r = subprocess.run(["isnsadm", "-c", str(conf), *args], capture_output=True, text=True, timeout=30, cwd="/")
        assert r.returncode == 0, f"isnsadm {' '.join(args)}: {r.stdout}{r.stderr}"
        return r.stdout

    def add(self, name, *portals):
        """Register a target: portals are (address:port, tag)."""
        groups = [w for portal, tag in portals for w in (f"portal={portal}", f"pg,pgt={tag}")]
        return self._adm(name, "--register", f"entity=entity-of-{name.rsplit(':', 1)[-1]}", f"target={name}", *groups)

    def remove(self, name):
        return self._adm(name, "--local", "--deregister", f"iscsi-name={name}")

    def nodes(self):
        out = self._adm("iqn.2026-11.lab.isns:look", "--local", "--list", "nodes")
        return sorted(line.split('"')[1] for line in out.splitlines() if "iSCSI name" in line)


# --- a server that says what a test wants -------------------------------------------------------------------------------------

def attr(tag, value):
    if isinstance(value, int):
        value = struct.pack(">I", value)
    elif isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape") + b"\0"
        value += b"\0" * (-len(value) % 4)
    return struct.pack(">II", tag, len(value)) + value


def address(text):
    return socket.inet_pton(socket.AF_INET6, text if ":" in text else f"::ffff:{text}")


def group(name, addr="127.0.0.1", port=3260, tag=1):
    """The attributes of a portal group; None leaves one out, b"" makes it null."""
    parts = [(PG_NAME, name), (PG_ADDR, address(addr) if isinstance(addr, str) else addr), (PG_PORT, port), (PG_TAG, tag)]
    return b"".join(attr(t, v) for t, v in parts if v is not None)


def answer(*groups, status=0):
    return struct.pack(">I", status) + attr(NODE_TYPE, 1) + attr(0, b"") + b"".join(groups)


def message(function, xid, payload, flags=0x4C00):
    return struct.pack(">HHHHHH", 1, function | 0x8000, len(payload) & 0xFFFF, flags, xid, 0) + payload


class OddIsns:
    """reply(function, xid, payload) → bytes to send, or None to say nothing. A refusing one is simply not started."""

    def __init__(self, reply):
        self.reply = reply
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.portal = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.asked = []             # functions, in order
        self.conns = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.conns.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            while True:
                head = conn.recv(12, socket.MSG_WAITALL)
                if len(head) < 12:
                    return
                _, function, length, _, xid, _ = struct.unpack(">HHHHHH", head)
                payload = conn.recv(length, socket.MSG_WAITALL)
                self.asked.append(function)
                out = self.reply(function, xid, payload)
                if out is not None:
                    conn.sendall(out)
        except OSError:
            return
        finally:
            conn.close()

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for c in self.conns:
            c.close()
        self.thread.join(5)
