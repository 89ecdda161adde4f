# SPDX-License-Identifier: LGPL-2.1-or-later
"""The odd target's side of a login: CHAP and the operational keys (RFC 7143, 6, 12, 13)."""
import base64
import hashlib
import os

from oddpdu import LOGIN_RSP, Pdu, keys_of, text_of

ALGS = {5: hashlib.md5, 6: hashlib.sha1, 7: hashlib.sha256, 8: hashlib.sha3_256}
ALG_NAMES = {"MD5": 5, "SHA1": 6, "SHA256": 7, "SHA3-256": 8}
SILENT = {"InitiatorName", "InitiatorAlias", "TargetName", "SessionType", "AuthMethod", "CHAP_A", "CHAP_N", "CHAP_R",
          "CHAP_I", "CHAP_C", "TargetAlias", "TargetAddress", "TargetPortalGroupTag"}


def encode_bytes(value, encoding="hex"):
    return "0b" + base64.b64encode(value).decode() if encoding == "base64" else "0x" + value.hex()


def decode_bytes(text):
    if text[:2] in ("0b", "0B"):
        return base64.b64decode(text[2:])
    digits = text[2:]
    return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)


def respond(alg, ident, secret, challenge):
    return ALGS[alg](bytes([ident]) + secret.encode() + challenge).digest()


class Refuse(Exception):
    """End the login with this Status-Class << 8 | Status-Detail."""

    def __init__(self, status, pairs=()):
        super().__init__(hex(status))
        self.status, self.pairs = status, pairs


class Login:
    """One login on one connection. `settled` holds what was agreed."""

    def __init__(self, conn):
        self.conn, self.opt = conn, conn.target.opt
        self.keys, self.pending = {}, b""
        self.first = True
        self.chap_step = None           # None, "challenge", "done"
        self.settled = {"HeaderDigest": "None", "DataDigest": "None", "MaxBurstLength": 262144, "FirstBurstLength": 65536,
                        "InitialR2T": "Yes", "ImmediateData": "Yes", "MaxOutstandingR2T": 1,
                        "MaxRecvDataSegmentLength": 8192}

    name = property(lambda self: self.keys.get("TargetName"))
    discovery = property(lambda self: self.keys.get("SessionType") == "Discovery")

    def feed(self, req):
        """A whole Login Request; sends the answer. True when the full-feature phase begins."""
        self.pending += req.data
        if req.flags & 0x40:            # C: more of the text follows
            self.send(req, b"", transit=False)
            return False
        keys, self.pending = keys_of(self.pending), b""
        try:
            text, ready = self.answer(req, keys)
        except Refuse as e:
            self.send(req, text_of(e.pairs), transit=False, status=e.status)
            self.conn.close_after_send()
            return False
        return self.send_text(req, text, ready and bool(req.flags & 0x80))

    def answer(self, req, keys):
        """The text of the answer, and whether this stage may end."""
        pairs = []
        self.keys.update(keys)
        if self.first:
            self.first = False
            self.check_first(req)
            if not self.discovery and self.opt["tpgt"] is not None:
                pairs.append(("TargetPortalGroupTag", self.opt["tpgt"]))
            if self.opt["alias"] is not None:
                pairs.append(("TargetAlias", self.opt["alias"]))
        ready = True
        if (req.flags >> 2) & 3 == 0:
            more, ready = self.security(keys)
            pairs += more
        elif self.opt["chap"] and self.chap_step != "done" and not self.skips_chap():
            raise Refuse(0x0201)
        pairs += self.operational(keys)
        odd = self.opt["answers"]
        pairs = [(k, odd[k](v) if callable(odd.get(k)) else odd.get(k, v)) for k, v in pairs]
        pairs = [(k, v) for k, v in pairs if v is not None]
        return text_of(pairs) + self.opt["extra_text"], ready

    def skips_chap(self):
        return self.discovery and not self.opt["discovery_chap"]

    def check_first(self, req):
        status = self.opt["status"]
        if callable(status):
            status = status(self)
        if status:
            raise Refuse(status, self.opt["status_text"])
        redirect = self.opt["redirect"]
        if callable(redirect):
            redirect = redirect(self)
        if redirect and not self.discovery:
            where, permanent = redirect if isinstance(redirect, tuple) else (redirect, False)
            raise Refuse(0x0102 if permanent else 0x0101, [("TargetAddress", where)])
        if "InitiatorName" not in self.keys:
            raise Refuse(0x0207)
        if not self.discovery and self.name not in self.conn.target.targets:
            raise Refuse(0x0203 if self.name else 0x0207)

    # --- security -----------------------------------------------------------------------------------------------------

    def security(self, keys):
        chap = self.opt["chap"] if not self.skips_chap() else None
        if "AuthMethod" in keys:
            offered = keys["AuthMethod"].split(",")
            if chap:
                if "CHAP" not in offered:
                    raise Refuse(0x0201)
                self.chap_step = "begin"
                return [("AuthMethod", "CHAP")], False
            if "None" in offered:
                return [("AuthMethod", "None")], True
            raise Refuse(0x0201)
        if "CHAP_A" in keys and self.chap_step == "begin":
            return self.challenge(keys), False
        if "CHAP_R" in keys and self.chap_step == "challenge":
            return self.verify(keys), True
        if chap and self.chap_step != "done":
            raise Refuse(0x0201)
        return [], True

    def challenge(self, keys):
        ours = [ALG_NAMES.get(a, a) for a in self.opt["algs"]]
        theirs = [int(a) for a in keys["CHAP_A"].split(",")]
        both = [a for a in ours if a in theirs]
        if not both:
            raise Refuse(0x0201)
        self.alg, self.ident = both[0], self.opt["chap_ident"] if self.opt["chap_ident"] is not None else os.urandom(1)[0]
        self.challenge_bytes = self.opt["challenge"] or os.urandom(ALGS[self.alg]().digest_size)
        self.chap_step = "challenge"
        return [("CHAP_A", self.alg), ("CHAP_I", self.ident),
                ("CHAP_C", encode_bytes(self.challenge_bytes, self.opt["chap_encoding"]))]

    def verify(self, keys):
        user, password = self.opt["chap"]
        want = respond(self.alg, self.ident, password, self.challenge_bytes)
        if keys.get("CHAP_N") != user or decode_bytes(keys["CHAP_R"]) != want:
            raise Refuse(0x0201)
        self.chap_step = "done"
        if "CHAP_C" not in keys:
            return []
        if not self.opt["chap_in"]:
            raise Refuse(0x0201)
        name, secret = self.opt["chap_in"]
        proof = respond(self.alg, int(keys["CHAP_I"]), secret, decode_bytes(keys["CHAP_C"]))
        return [("CHAP_N", name), ("CHAP_R", encode_bytes(proof, self.opt["chap_encoding"]))]

    # --- operational --------------------------------------------------------------------------------------------------

    def operational(self, keys):
        pairs, mine = [], self.opt["keys"]
        declared = False
        for key, value in keys.items():
            if key in SILENT:
                continue
            if key == "MaxRecvDataSegmentLength":
                self.settled[key] = int(value)          # what we may send
                pairs.append((key, mine[key]))
                declared = True
                continue
            answer = self.settle(key, value, mine)
            pairs.append((key, answer))
            if answer not in ("NotUnderstood", "Reject", "Irrelevant"):
                self.settled[key] = int(answer) if str(answer).isdigit() else answer
        self.declared = declared
        return pairs

    @staticmethod
    def settle(key, value, mine):
        if key in ("HeaderDigest", "DataDigest"):
            allowed = mine[key].split(",")
            both = [v for v in value.split(",") if v in allowed]
            return both[0] if both else "Reject"
        if key in ("MaxBurstLength", "FirstBurstLength", "MaxOutstandingR2T", "DefaultTime2Retain", "MaxConnections",
                   "ErrorRecoveryLevel", "iSCSIProtocolLevel"):
            return min(int(value), mine[key])
        if key == "DefaultTime2Wait":
            return max(int(value), mine[key])
        if key in ("InitialR2T", "DataPDUInOrder", "DataSequenceInOrder"):
            return "Yes" if "Yes" in (value, mine[key]) else "No"
        if key == "ImmediateData":
            return "Yes" if value == mine[key] == "Yes" else "No"
        if key in ("IFMarker", "OFMarker"):
            return "No"
        return "NotUnderstood"

    # --- answers ------------------------------------------------------------------------------------------------------

    def send_text(self, req, text, transit):
        """The answer, in pieces with the C bit when it is to be split. True when the full-feature phase begins."""
        limit = self.opt["login_split"] or 8192
        while len(text) > limit:
            self.send(req, text[:limit], transit=False, cont=True)
            text = text[limit:]
            req = self.conn.receive()   # an empty Login Request asks for the rest
        transit = transit and bool(req.flags & 0x80)    # T only where the request at hand has it (RFC 7143, 11.13.3)
        self.send(req, text, transit)
        return transit and req.flags & 3 == 3

    def send(self, req, text, transit, cont=False, status=0):
        c = self.conn
        rsp = Pdu(LOGIN_RSP, data=text, itt=req.itt)
        rsp.flags = (0x80 if transit else 0) | (0x40 if cont else 0) | (req.flags & 0x0C) | (req.flags & 3 if transit else 0)
        rsp.bhs[8:14] = req.bhs[8:14]
        if transit and req.flags & 3 == 3 and not status:
            c.tsih = c.target.next_tsih()
            rsp.put(14, 2, c.tsih)
            c.initiator = self.keys["InitiatorName"]
            c.target.logged_in(c)       # before the initiator knows, so that it can be counted on
        rsp.put(36, 2, status)
        c.send(rsp)
