# SPDX-License-Identifier: LGPL-2.1-or-later
"""What iscsid does around iscsi-session, in a few lines: a login without digests, and the conversation with the keeper
(docs/session-process.md)."""
import array
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

MAGIC = b"SKM1"
OFFER = {
    "HeaderDigest": "None", "DataDigest": "None", "InitialR2T": "No", "ImmediateData": "Yes",
    "MaxRecvDataSegmentLength": "262144", "MaxBurstLength": "16776192", "FirstBurstLength": "262144",
    "MaxOutstandingR2T": "1", "MaxConnections": "1", "DefaultTime2Wait": "2", "DefaultTime2Retain": "0",
    "ErrorRecoveryLevel": "0", "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes",
}


class LoginRefused(Exception):
    pass


def recv_exactly(sock, n):
    data = b""
    while len(data) < n:
        got = sock.recv(n - len(data))
        if not got:
            raise ConnectionError("closed during login")
        data += got
    return data


def login(address, port, target, initiator="iqn.2026-11.lab.test:initiator", isid=b"\x80\x12\x34\x56\x00\x01", **offer):
    """A logged-in socket and the parameters, as src/proto/params.h names them. Works against targets that ask for nothing."""
    sock = socket.create_connection((address, port), timeout=10)
    keys = {"InitiatorName": initiator, "TargetName": target, "SessionType": "Normal", "AuthMethod": "None", **OFFER, **offer}
    del keys["AuthMethod"]
    text = b"".join(f"{k}={v}\0".encode() for k, v in keys.items())
    bhs = bytearray(48)
    bhs[0], bhs[1] = 0x43, 0x87                 # immediate; transit, operational -> full feature
    bhs[5:8] = len(text).to_bytes(3, "big")
    bhs[8:14] = isid
    struct.pack_into(">II", bhs, 24, 1, 0)      # CmdSN, ExpStatSN
    sock.sendall(bytes(bhs) + text + b"\0" * (-len(text) % 4))
    rsp = recv_exactly(sock, 48)
    n = int.from_bytes(rsp[5:8], "big")
    answer = recv_exactly(sock, n + -n % 4)[:n]
    if rsp[0] != 0x23 or rsp[36] or rsp[37] or not rsp[1] & 0x80:
        raise LoginRefused(f"status {rsp[36]:02x}{rsp[37]:02x} flags {rsp[1]:02x}")
    got = dict(kv.split("=", 1) for kv in answer.decode().split("\0") if "=" in kv)
    stat_sn, exp_cmd, max_cmd = struct.unpack_from(">III", rsp, 24)

    def settled(key):
        return got.get(key, keys.get(key))

    params = {
        "header_digest": settled("HeaderDigest") == "CRC32C", "data_digest": settled("DataDigest") == "CRC32C",
        "initial_r2t": settled("InitialR2T") == "Yes", "immediate_data": settled("ImmediateData") == "Yes",
        "data_pdu_in_order": True, "data_sequence_in_order": True,
        "max_recv_dsl": int(keys["MaxRecvDataSegmentLength"]),
        "max_xmit_dsl": int(got.get("MaxRecvDataSegmentLength", 8192)),
        "max_burst": int(settled("MaxBurstLength")), "first_burst": int(settled("FirstBurstLength")),
        "max_outstanding_r2t": int(settled("MaxOutstandingR2T")), "time2wait": int(settled("DefaultTime2Wait")),
        "time2retain": int(settled("DefaultTime2Retain")), "erl": 0, "protocol_level": 1,
        "tpgt": int(got.get("TargetPortalGroupTag", 1)), "tsih": struct.unpack_from(">H", rsp, 14)[0],
        "isid": isid.hex(), "cmd_sn": 1, "exp_cmd_sn": exp_cmd, "max_cmd_sn": max_cmd, "exp_stat_sn": stat_sn + 1,
        "target_alias": "",
    }
    sock.settimeout(None)
    return sock, params


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["text"])
        self.code = error["code"]


class Control:
    """One connection to a keeper's socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.buf = b""
        self.events = []
        self.last_id = 0

    def close(self):
        self.sock.close()

    def send(self, method, params=None, fd=None):
        self.last_id += 1
        body = json.dumps({"v": 1, "id": self.last_id, "method": method, "params": params or {}}).encode()
        frame = MAGIC + struct.pack(">I", len(body)) + body
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        sent = self.sock.sendmsg([frame], anc)
        self.sock.sendall(frame[sent:])
        return self.last_id

    def read(self, timeout):
        self.sock.settimeout(max(timeout, 0.001))
        while True:
            if len(self.buf) >= 8:
                assert self.buf[:4] == MAGIC
                n = struct.unpack(">I", self.buf[4:8])[0]
                if len(self.buf) >= 8 + n:
                    msg = json.loads(self.buf[8:8 + n])
                    self.buf = self.buf[8 + n:]
                    return msg
            got = self.sock.recv(65536)
            if not got:
                raise ConnectionError("the keeper closed")
            self.buf += got

    def answer(self, wanted, timeout=20):
        deadline = time.monotonic() + timeout
        while True:
            msg = self.read(deadline - time.monotonic())
            if "event" in msg:
                self.events.append((msg["event"], msg["params"]))
            elif msg["id"] == wanted:
                if "error" in msg:
                    raise Refused(msg["error"])
                return msg["result"]

    def call(self, method, params=None, fd=None, timeout=20):
        return self.answer(self.send(method, params, fd), timeout)

    def event(self, name, timeout=20, where=lambda params: True):
        """the next event of that name; earlier ones of other names are dropped"""
        deadline = time.monotonic() + timeout
        while True:
            while self.events:
                event, params = self.events.pop(0)
                if event == name and where(params):
                    return params
            msg = self.read(deadline - time.monotonic())
            if "event" in msg:
                self.events.append((msg["event"], msg["params"]))


class Session:
    """iscsi-session for one target, driven as iscsid would."""

    def __init__(self, build, run, target, port, sid=1, address="127.0.0.1", args=(), log=None):
        self.run, self.sid, self.target, self.address, self.port = pathlib.Path(run), sid, target, address, port
        self.dir = self.run / "session" / str(sid)
        self.dir.mkdir(parents=True, mode=0o700)
        (self.dir / "record").write_text("# BEGIN RECORD 2.1.8\n# END RECORD\n")
        self.dev = self.run / "dev"
        self.dev.mkdir(exist_ok=True)
        argv = [str(build / "src" / "iscsi-session" / "iscsi-session"), "--sid", str(sid), "--rundir", str(run),
                "--devdir", str(self.dev), "--log-stderr", *args]
        self.log = log or open(self.run / f"session-{sid}.log", "ab")
        self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        self.tcp = None
        self.ctl = None

    def connect(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                self.ctl = Control(self.dir / "ctl")
                return self.ctl
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline and self.proc.poll() is None
                time.sleep(0.01)

    def login(self, **offer):
        if self.tcp:
            self.tcp.close()
        self.tcp, params = login(self.address, self.port, self.target, **offer)
        return params

    def attach(self, timers=None, ready=True, offer=None, **more):
        self.ctl or self.connect()
        params = {
            "target": self.target, "initiator": "iqn.2026-11.lab.test:initiator", "iface": "default", "transport": "tcp",
            "netdev": "", "hwaddress": "", "persistent_address": self.address, "persistent_port": self.port,
            "address": self.address, "port": self.port, "local_address": "127.0.0.1", "tpgt": 1,
            "params": self.login(**(offer or {})),
            "timers": {"replacement": 120, "noop_interval": 5, "noop_timeout": 5, "abort": 15, "lu_reset": 30,
                       "tgt_reset": 30, **(timers or {})},
            "cmds_max": 128, "queue_depth": 32, "scan": True, "fast_abort": True, "read_only": False, **more,
        }
        self.ctl.call("attach", params, self.tcp.fileno())
        return self.ctl.event("ready") if ready else None

    def reattach(self):
        params = self.login()
        self.ctl.call("reattach", {"address": self.address, "port": self.port, "local_address": "127.0.0.1",
                                   "params": params}, self.tcp.fileno())

    def cut(self):
        """the connection dies under the engine"""
        self.tcp.shutdown(socket.SHUT_RDWR)

    def engine_pid(self):
        kids = pathlib.Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text().split()
        assert len(kids) == 1, kids
        return int(kids[0])

    def link(self, lun):
        return self.dev / "disk" / "by-path" / f"ip-{self.address}:{self.port}-iscsi-{self.target}-lun-{lun}"

    def disk(self, lun):
        return str(self.link(lun).resolve(strict=True))

    def file(self, lun):
        return self.dir / "disk" / f"lun-{lun}"

    def tree(self, *parts):
        return self.run.joinpath("sys", "class", "iscsi_session", f"session{self.sid}", *parts)

    def end(self, force=False, timeout_s=10):
        self.ctl.call("end", {"force": force, "timeout_s": timeout_s}, timeout=timeout_s + 20)
        return self.proc.wait(10)

    def destroy(self):
        """whatever happened: nothing stays behind"""
        if self.proc.poll() is None:
            try:
                self.connect().call("end", {"force": True, "timeout_s": 2}, timeout=15)
                self.proc.wait(10)
            except (OSError, Refused, subprocess.TimeoutExpired, AssertionError):
                for kid in pathlib.Path(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children").read_text().split():
                    os.kill(int(kid), signal.SIGKILL)
                self.proc.kill()
                self.proc.wait()
        if self.tcp:
            self.tcp.close()
        if self.ctl:
            self.ctl.close()
        for loop in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
            if loop.read_text().startswith(str(self.dir)):
                subprocess.run(["losetup", "-d", f"/dev/{loop.parts[3]}"], check=False)
        subprocess.run(["umount", "-l", str(self.dir / "disk")], capture_output=True, check=False)
        self.log.close()
