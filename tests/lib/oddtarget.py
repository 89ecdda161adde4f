# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scriptable iSCSI target: correct by default, odd wherever a test wants it to be.

    with OddTarget(targets=["iqn.2026-11.org.siskin.odd:a"]) as t:      # one RAM disk, LUN 1, on a free port
        ... t.portal ("127.0.0.1:4711"), t.name, t.logins, t.wait(lambda: t.logins == 2) ...

Options (all keyword):
  targets       list of names, or {name: ["addr:port,tpgt", …]} for what SendTargets tells; count=N makes N names
  luns          {number: Disk}; portals=N listens on N ports; ipv6=True adds [::1]
  chap, chap_in (user, secret): the initiator's, the target's own proof; algs ["MD5", …]; chap_encoding hex|base64;
                challenge, chap_ident: fixed bytes and number; discovery_chap=True wants it for discovery too
  keys          what we settle on: {"MaxBurstLength": 16384, "HeaderDigest": "CRC32C", …}
  answers       {key: value | fn(value) | None}: say this instead, whatever is right; extra_text: bytes put behind
  status        Status-Class << 8 | Detail, or fn(login) → one; status_text: pairs sent along
  redirect      "addr:port" or ("addr:port", permanent) or fn(login)
  login_split   bytes of login text per PDU (C bit); text_split: bytes per SendTargets PDU, or fn(text) → [pieces]
  raw_text      bytes: the whole SendTargets answer
  window        commands; phase_collapse=False sends GOOD in a SCSI Response of its own
  drop_at=N     close when the N-th PDU of a connection arrives (1 is the first); silent_at=N: take no notice from then on
  on            {step: fn(conn, pdu)}: "accept" "login" "text" "scsi" "data_out" "nop_out" "tmf" "logout" "snack"; a true result
                means the PDU is dealt with. "r2t": fn(conn, task, offset, length) → (offset, length) to ask for.
                "send": fn(conn, pdu) → the PDU, bytes, or None to send nothing
"""
import collections
import socket
import threading
import time

import odddisk
from oddlogin import Login
from oddpdu import (ASYNC, DATA_IN, DATA_OUT, LOGIN_REQ, LOGOUT_RSP, NONE, NOP_IN, R2T, REJECT, SCSI_RSP, STEP, TEXT_RSP,
                    TMF_RSP, Pdu, crc32c, keys_of, text_of)

KEYS = {"MaxRecvDataSegmentLength": 262144, "MaxBurstLength": 262144, "FirstBurstLength": 65536, "MaxOutstandingR2T": 1,
        "InitialR2T": "No", "ImmediateData": "Yes", "DefaultTime2Wait": 2, "DefaultTime2Retain": 0, "MaxConnections": 1,
        "ErrorRecoveryLevel": 0, "HeaderDigest": "None,CRC32C", "DataDigest": "None,CRC32C", "DataPDUInOrder": "Yes",
        "DataSequenceInOrder": "Yes", "iSCSIProtocolLevel": 1}
OPTIONS = {"tpgt": 1, "alias": None, "status": 0, "status_text": (), "redirect": None, "chap": None, "chap_in": None,
           "algs": ["MD5", "SHA1", "SHA256", "SHA3-256"], "chap_encoding": "hex", "challenge": None, "chap_ident": None,
           "discovery_chap": False, "answers": {}, "extra_text": b"", "login_split": None, "text_split": None,
           "raw_text": None, "window": 64, "phase_collapse": True, "drop_at": None, "silent_at": None}
PREFIX = "iqn.2026-11.org.siskin.odd"


class Task:
    """A write that waits for its data."""

    def __init__(self, pdu, lun, cdb, expected):
        self.pdu, self.lun, self.cdb, self.expected = pdu, lun, cdb, expected
        self.buf = bytearray(expected)
        self.next = 0           # first byte not yet asked for
        self.open = {}          # ttt → bytes outstanding; NONE for unsolicited data
        self.r2t_sn = 0


class Closed(Exception):
    pass


class Conn(threading.Thread):
    """One connection, in a thread of its own."""

    def __init__(self, target, sock, number):
        super().__init__(daemon=True, name=f"odd-{number}")
        self.target, self.sock, self.number = target, sock, number
        self.opt, self.on = target.opt, target.on
        self.login = Login(self)
        self.ffp = self.done = False
        self.stat_sn, self.exp_cmd_sn, self.tsih = 1, 1, 0
        self.tasks, self.texts = {}, {}
        self.next_ttt, self.seen = 1, 0
        self.initiator = self.isid = None
        self.lock = threading.RLock()
        self.hang_up = False

    # --- bytes --------------------------------------------------------------------------------------------------------

    digests = property(lambda self: (self.ffp and self.login.settled["HeaderDigest"] == "CRC32C",
                                     self.ffp and self.login.settled["DataDigest"] == "CRC32C"))

    def _exactly(self, n):
        out = bytearray()
        while len(out) < n:
            piece = self.sock.recv(min(n - len(out), 1 << 20))
            if not piece:
                raise Closed
            out += piece
        return bytes(out)

    def receive(self):
        """The next PDU, counted and recorded."""
        header_digest, data_digest = self.digests
        p = Pdu()
        p.bhs = bytearray(self._exactly(48))
        p.ahs = self._exactly(p.bhs[4] * 4)
        if header_digest:
            assert int.from_bytes(self._exactly(4), "little") == crc32c(bytes(p.bhs) + p.ahs), "header digest"
        n = p.num(5, 3)
        if n:
            padded = self._exactly(n + (-n % 4))
            if data_digest:
                assert int.from_bytes(self._exactly(4), "little") == crc32c(padded), "data digest"
            p.data = padded[:n]
        self.seen += 1
        self.target.record(self, p)
        return p

    def send_raw(self, data):
        with self.lock:
            self.sock.sendall(data)

    def send(self, pdu, stat_sn=True):
        """Numbers the PDU and sends it through the "send" hook."""
        with self.lock:
            if stat_sn is True:
                pdu.stat_sn = self.stat_sn
                self.stat_sn = (self.stat_sn + 1) & NONE
            elif stat_sn is not None:
                pdu.stat_sn = stat_sn
            pdu.exp_cmd_sn = self.exp_cmd_sn
            pdu.max_cmd_sn = self.exp_cmd_sn + self.opt["window"] - 1
            hook = self.on.get("send")
            if hook:
                pdu = hook(self, pdu)
            if pdu is not None:
                self.sock.sendall(pdu if isinstance(pdu, bytes) else pdu.wire(*self.digests))

    def close_after_send(self):
        self.hang_up = True

    def drop(self, reset=False):
        """End the connection now, as a cut cable or (reset) a crash does."""
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.sock.close()
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # --- the conversation ---------------------------------------------------------------------------------------------

    def run(self):
        try:
            if not (self.on.get("accept") and self.on["accept"](self, None)):
                self._serve()
        except (Closed, OSError):
            pass
        except Exception as e:  # a mistake of the initiator, or of a test's script: told by OddTarget.stop
            self.target.problems.append(f"connection {self.number}: {type(e).__name__}: {e}")
        finally:
            self.done = True
            self.drop()
            self.sock.close()

    def _serve(self):
        while not self.hang_up:
            p = self.receive()
            if self.opt["drop_at"] and self.seen >= self.opt["drop_at"]:
                return
            if self.opt["silent_at"] and self.seen >= self.opt["silent_at"]:
                continue
            self.account(p)
            step = STEP.get(p.op)
            hook = self.on.get(step)
            if hook and hook(self, p):
                continue
            if step is None or (step == "login") == self.ffp:
                self.reject(4, p)
            else:
                getattr(self, "do_" + step)(p)

    def account(self, p):
        """CmdSN: a command that is not immediate moves the window (RFC 7143, 4.2.2.1)."""
        if p.op == DATA_OUT:
            return
        if p.op == LOGIN_REQ:
            self.exp_cmd_sn = p.cmd_sn
        elif not p.immediate:
            assert p.cmd_sn == self.exp_cmd_sn, f"CmdSN {p.cmd_sn} where {self.exp_cmd_sn} is due"
            self.exp_cmd_sn = (self.exp_cmd_sn + 1) & NONE

    def do_login(self, p):
        self.isid = p.isid
        if self.login.feed(p):
            self.ffp = True

    def do_nop_out(self, p):
        if p.itt != NONE:
            self.send(Pdu(NOP_IN, 0x80, p.data, lun=p.lun, itt=p.itt, ttt=NONE))

    def ping(self, data=b"", ttt=None):
        """A NOP-In that wants an answer; its target transfer tag."""
        ttt = self.new_ttt() if ttt is None else ttt
        self.send(Pdu(NOP_IN, 0x80, data, itt=NONE, ttt=ttt), stat_sn=self.stat_sn)
        return ttt

    def new_ttt(self):
        self.next_ttt += 1
        return self.next_ttt

    def async_event(self, event, p1=0, p2=0, p3=0, data=b"", vcode=0):
        p = Pdu(ASYNC, 0x80, data, itt=NONE)
        p.put(36, 1, event).put(37, 1, vcode).put(38, 2, p1).put(40, 2, p2).put(42, 2, p3)
        self.send(p)

    def reject(self, reason, p):
        r = Pdu(REJECT, 0x80, bytes(p.bhs), itt=NONE)
        r.bhs[2] = reason
        self.send(r)

    def do_snack(self, p):
        self.reject(3, p)

    def do_logout(self, p):
        self.send(Pdu(LOGOUT_RSP, 0x80, itt=p.itt))
        self.hang_up = True

    def do_tmf(self, p):
        if p.flags & 0x7F == 1:
            self.tasks.pop(p.num(20, 4), None)
        else:
            self.tasks.clear()
        self.send(Pdu(TMF_RSP, 0x80, itt=p.itt))

    # --- SendTargets --------------------------------------------------------------------------------------------------

    def do_text(self, p):
        if p.ttt != NONE:
            pieces = self.texts.pop(p.ttt, None)
            if pieces is None:
                return self.reject(9, p)
        else:
            keys = keys_of(p.data)
            if "SendTargets" not in keys:
                return self.send(Pdu(TEXT_RSP, 0x80, text_of({k: "NotUnderstood" for k in keys}), itt=p.itt, ttt=NONE))
            pieces = self.pieces_of(self.target.send_targets_text(self, keys["SendTargets"]))
        piece, rest = pieces[0], pieces[1:]
        ttt = NONE
        if rest:
            ttt = self.new_ttt()
            self.texts[ttt] = rest
        return self.send(Pdu(TEXT_RSP, 0x40 if rest else 0x80, piece, itt=p.itt, ttt=ttt))

    def pieces_of(self, text):
        split = self.opt["text_split"]
        if callable(split):
            return split(text)
        n = min(split or 1 << 30, self.login.settled["MaxRecvDataSegmentLength"])
        return [text[i:i + n] for i in range(0, len(text), n)] or [b""]

    # --- SCSI ---------------------------------------------------------------------------------------------------------

    def do_scsi(self, p):
        lun, cdb, expected = odddisk.decode_lun(p.lun), bytes(p.bhs[32:48]), p.num(20, 4)
        if not p.flags & 0x20:
            return self.finish(p, lun, cdb, b"", expected if p.flags & 0x40 else 0)
        task = Task(p, lun, cdb, expected)
        task.buf[:len(p.data)] = p.data
        task.next = len(p.data)
        self.tasks[p.itt] = task
        if not p.final:         # unsolicited Data-Out follows
            limit = min(self.login.settled["FirstBurstLength"], expected)
            task.open[NONE] = limit - len(p.data)
            task.next = limit
        return self.ask_more(task)

    def ask_more(self, task):
        while task.next < task.expected and len(task.open) < self.login.settled["MaxOutstandingR2T"]:
            off = task.next
            n = min(self.login.settled["MaxBurstLength"], task.expected - off)
            task.next += n
            ttt = self.new_ttt()
            task.open[ttt] = n
            self.send_r2t(task, ttt, off, n)
        if not task.open and task.next >= task.expected:
            self.tasks.pop(task.pdu.itt, None)
            self.finish(task.pdu, task.lun, task.cdb, bytes(task.buf), task.expected)

    def send_r2t(self, task, ttt, off, n):
        hook = self.on.get("r2t")
        if hook:
            off, n = hook(self, task, off, n)
        r = Pdu(R2T, 0x80, lun=task.pdu.lun, itt=task.pdu.itt, ttt=ttt)
        r.put(36, 4, task.r2t_sn).put(40, 4, off).put(44, 4, n)
        task.r2t_sn += 1
        self.send(r, stat_sn=self.stat_sn)

    def do_data_out(self, p):
        task = self.tasks.get(p.itt)
        if task is None:
            return None         # of a task that was aborted
        assert p.ttt in task.open, f"Data-Out with tag {p.ttt:#x} that nobody asked with"
        off = p.num(40, 4)
        assert off + len(p.data) <= task.expected, f"Data-Out at {off}+{len(p.data)} of {task.expected}"
        task.buf[off:off + len(p.data)] = p.data
        task.open[p.ttt] -= len(p.data)
        if p.final:
            if p.ttt == NONE:   # less than the first burst: the rest is asked for
                task.next -= max(0, task.open[p.ttt])
            else:
                assert task.open[p.ttt] == 0, f"{task.open[p.ttt]} bytes missing at the end of a burst"
            del task.open[p.ttt]
            return self.ask_more(task)
        return None

    def execute(self, lun, cdb, out):
        luns = self.target.luns
        if cdb[0] == 0xA0:
            return odddisk.report_luns([n for n, d in luns.items() if not d.removed], cdb)
        disk = luns.get(lun)
        if disk is None or disk.removed:
            if cdb[0] == 0x12:  # nothing there (SPC-4, 6.4.2)
                return 0, (bytes([0x7F, 0, 6, 2, 31]) + bytes(31))[:int.from_bytes(cdb[3:5], "big")], b""
            return 2, b"", odddisk.sense(5, 0x25)
        with self.target.disk_lock:
            return disk.run(cdb, out)

    def finish(self, p, lun, cdb, out, expected):
        status, data, sense = self.execute(lun, cdb, out)
        reads = bool(p.flags & 0x40)
        flags, residual = 0, 0
        if reads or not p.flags & 0x20:
            if len(data) > expected:
                flags, residual = 4, len(data) - expected
            elif len(data) < expected:
                flags, residual = 2, expected - len(data)
            data = data[:expected]
        elif status:
            flags, residual = 2, expected
        if data:
            collapse = self.opt["phase_collapse"] and status == 0
            self.send_data_in(p, data, (flags, residual) if collapse else None)
            if collapse:
                return
        self.send_response(p, status, sense, flags, residual)

    def send_data_in(self, p, data, collapse):
        mrdsl, burst = self.login.settled["MaxRecvDataSegmentLength"], self.login.settled["MaxBurstLength"]
        off = sn = 0
        while off < len(data):
            n = min(mrdsl, len(data) - off, burst - off % burst)
            last = off + n == len(data)
            d = Pdu(DATA_IN, 0x80 if last or (off + n) % burst == 0 else 0, data[off:off + n], itt=p.itt, ttt=NONE)
            d.put(36, 4, sn).put(40, 4, off)
            if last and collapse is not None:
                d.flags |= 1 | collapse[0]
                d.put(44, 4, collapse[1])
            self.send(d, stat_sn=True if last and collapse is not None else None)
            off, sn = off + n, sn + 1

    def send_response(self, p, status=0, sense=b"", flags=0, residual=0, response=0):
        data = len(sense).to_bytes(2, "big") + sense if sense else b""
        r = Pdu(SCSI_RSP, 0x80 | flags, data, itt=p.itt)
        r.bhs[2], r.bhs[3] = response, status
        r.put(44, 4, residual)
        self.send(r)


class OddTarget:
    def __init__(self, targets=None, count=1, luns=None, portals=1, ipv6=False, keys=None, on=None, port=0, **opt):
        unknown = set(opt) - set(OPTIONS)
        assert not unknown, f"OddTarget has no option {unknown}"
        self.opt = {**OPTIONS, **opt, "keys": {**KEYS, **(keys or {})}}
        self.on = dict(on or {})
        names = targets if targets is not None else [f"{PREFIX}:t{i}" for i in range(count)]
        self.targets = dict(names) if isinstance(names, dict) else {n: None for n in names}
        self.luns = luns if luns is not None else {1: odddisk.Disk()}
        self.hosts = [("127.0.0.1", port)] + [("127.0.0.1", 0)] * (portals - 1) + ([("::1", 0)] if ipv6 else [])
        self.listeners, self.threads, self.conns, self.problems = [], [], [], []
        self.pdus = []                                  # (connection number, PDU) of everything received
        self.ops = collections.Counter()
        self.logins = self.discoveries = 0              # full-feature phases reached
        self.disk_lock, self.change = threading.RLock(), threading.Condition()
        self._tsih = 0
        self.stopping = False

    name = property(lambda self: next(iter(self.targets)))
    portal = property(lambda self: self.portals[0])
    port = property(lambda self: int(self.portal.rsplit(":", 1)[1]))
    attempts = property(lambda self: len(self.conns))   # connections accepted

    def start(self):
        for host, port in self.hosts:
            s = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256)
            self.listeners.append(s)
            t = threading.Thread(target=self._accept, args=(s,), daemon=True)
            self.threads.append(t)
            t.start()
        self.portals = [_text(s) for s in self.listeners]
        return self

    def stop(self):
        """Ends everything; complains of what the initiator did wrong (assertions in the connections' threads)."""
        self.stopping = True
        for s in self.listeners:
            _hang_up(s)
        for c in list(self.conns):
            c.drop()
        for t in [*self.threads, *self.conns]:
            t.join(10)
        assert not self.problems, "\n".join(self.problems)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *rest):
        if kind:
            self.problems.clear()       # the test's own failure says more
        self.stop()

    def _accept(self, listener):
        while not self.stopping:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            c = Conn(self, sock, len(self.conns) + 1)
            with self.change:
                self.conns.append(c)
                self.change.notify_all()
            c.start()

    # --- for the connections ------------------------------------------------------------------------------------------

    def next_tsih(self):
        with self.change:
            self._tsih += 1
            return self._tsih

    def record(self, conn, pdu):
        with self.change:
            self.pdus.append((conn.number, pdu))
            self.ops[pdu.op] += 1
            self.change.notify_all()

    def logged_in(self, conn):
        with self.change:
            if conn.login.discovery:
                self.discoveries += 1
            else:
                self.logins += 1
                for c in self.conns:    # session reinstatement (RFC 7143, 6.3.5)
                    if c is not conn and c.ffp and not c.done and not c.login.discovery and \
                            (c.initiator, c.isid, c.login.name) == (conn.initiator, conn.isid, conn.login.name):
                        c.drop()
            self.change.notify_all()

    def send_targets_text(self, conn, what):
        if self.opt["raw_text"] is not None:
            return self.opt["raw_text"]
        mine = conn.login.name if not what else what
        rows = []
        for name, where in self.targets.items():
            if what != "All" and name != mine:
                continue
            rows.append(("TargetName", name))
            rows += [("TargetAddress", a) for a in (where if where is not None else
                                                    [f"{p},{self.opt['tpgt'] or 1}" for p in self.portals])]
        return text_of(rows)

    # --- for tests ----------------------------------------------------------------------------------------------------

    def wait(self, condition, seconds=20.0):
        """Until condition() holds, looked at whenever something arrives."""
        deadline = time.monotonic() + seconds
        with self.change:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {seconds} s; received {dict(self.ops)}")
                self.change.wait(min(left, 0.1))
        return True

    def alive(self):
        """The connections in full-feature phase of normal sessions, now."""
        return [c for c in self.conns if c.tsih and not c.done and not c.login.discovery]

    def received(self, op):
        return [p for _, p in self.pdus if p.op == op]

    def drop_all(self, reset=False):
        for c in list(self.conns):
            c.drop(reset)

    def refuse(self):
        """Stop listening: further connects are refused. accept_again() takes the same ports."""
        self._ports = [s.getsockname()[:2] for s in self.listeners]
        for s in self.listeners:
            _hang_up(s)
        for t in self.threads:
            t.join(10)
        self.listeners, self.threads = [], []

    def accept_again(self):
        self.hosts = self._ports
        self.start()


def _hang_up(listener):
    """close() alone would leave accept() waiting in its thread."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    listener.close()


def _text(s):
    host, port = s.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
