# SPDX-License-Identifier: LGPL-2.1-or-later
"""Databases out of a number: the same number gives the same tree. Everything in them is legal for open-iscsi 2.1.8,
which reads them whole; odd() then adds what other releases and other hands leave behind."""
import os
import random
import shutil

YES = ["No", "Yes"]
STARTUP = ["manual", "automatic", "onboot"]
DIGEST = ["None", "CRC32C", "CRC32C,None", "None,CRC32C"]
INT = [0, 1, -1, 7, 15, 120, 512, 3600, 65535, 65536, 262144, 16777215, 2147483647, -2147483648]
U8 = [0, 1, 64, 254, 255]
U16 = [0, 1, 1500, 9000, 65535]
U32 = [0, 1, 65536, 262144, 4294967295]
SMALL = [0, 1, 2, 16, 127, 128, 1000, 65535]    # 2.1.8 shows two keys in 16 bits

S, C, I, ST, ISNS = "node.session.", "node.conn[0].", "iface.", "discovery.sendtargets.", "discovery.isns."


def text(limit):
    return ("text", limit)


HEAD = [("node.startup", STARTUP), ("node.leading_login", YES)]
SESSION = [
    (S + "initial_cmdsn", [0, 1, 7, 2147483647]), (S + "initial_login_retry_max", INT), (S + "xmit_thread_priority", [-20, 0, 19]),
    (S + "cmds_max", SMALL), (S + "queue_depth", SMALL), (S + "nr_sessions", INT),
    (S + "auth.authmethod", ["None", "CHAP"]), (S + "auth.username", text(255)), (S + "auth.password", text(255)),
    (S + "auth.username_in", text(255)), (S + "auth.password_in", text(255)),
    (S + "auth.chap_algs", ["MD5", "SHA1", "SHA256", "SHA256,MD5", "SHA3-256,SHA256,SHA1,MD5"]),
    (S + "timeo.replacement_timeout", INT), (S + "err_timeo.abort_timeout", INT), (S + "err_timeo.lu_reset_timeout", INT),
    (S + "err_timeo.tgt_reset_timeout", INT), (S + "err_timeo.host_reset_timeout", INT),
    (S + "iscsi.FastAbort", YES), (S + "iscsi.InitialR2T", YES), (S + "iscsi.ImmediateData", YES),
    (S + "iscsi.FirstBurstLength", INT), (S + "iscsi.MaxBurstLength", INT), (S + "iscsi.DefaultTime2Retain", INT),
    (S + "iscsi.DefaultTime2Wait", INT), (S + "iscsi.MaxConnections", INT), (S + "iscsi.MaxOutstandingR2T", INT),
    (S + "iscsi.ERL", INT), (S + "scan", ["manual", "auto"]), (S + "reopen_max", INT),
]
CONNECTION = [
    (C + "startup", STARTUP), (C + "tcp.window_size", INT), (C + "tcp.type_of_service", INT),
    (C + "timeo.logout_timeout", INT), (C + "timeo.login_timeout", INT), (C + "timeo.auth_timeout", INT),
    (C + "timeo.noop_out_interval", INT), (C + "timeo.noop_out_timeout", INT),
    (C + "iscsi.MaxXmitDataSegmentLength", INT), (C + "iscsi.MaxRecvDataSegmentLength", INT),
    (C + "iscsi.HeaderDigest", DIGEST), (C + "iscsi.DataDigest", DIGEST), (C + "iscsi.IFMarker", YES), (C + "iscsi.OFMarker", YES),
]
# the iface's keys in the order of iface files
IFACE_HEAD = [
    (I + "net_ifacename", text(15)), (I + "ipaddress", ["192.0.2.77", "10.1.2.3"]), (I + "prefix_len", U8),
    (I + "hwaddress", ["02:00:00:00:00:01", "default"]), (I + "transport_name", ["tcp"]),
    (I + "initiatorname", ["iqn.2026-11.com.example:host", "eui.02004567A425678D"]), (I + "state", text(79)), (I + "vlan_id", U16),
    (I + "vlan_priority", U8), (I + "vlan_state", text(79)), (I + "iface_num", [0, 1, 7, 2147483647]), (I + "mtu", U16), (I + "port", U16),
]
IFACE_V4 = [(I + k, v) for k, v in [
    ("bootproto", ["static", "dhcp"]), ("subnet_mask", ["255.255.255.0"]), ("gateway", ["192.0.2.1"]),
    ("dhcp_alt_client_id_state", text(79)), ("dhcp_alt_client_id", text(79)), ("dhcp_dns", text(79)), ("dhcp_learn_iqn", text(79)),
    ("dhcp_req_vendor_id_state", text(79)), ("dhcp_vendor_id_state", text(79)), ("dhcp_vendor_id", text(79)),
    ("dhcp_slp_da", text(79)), ("fragmentation", text(79)), ("gratuitous_arp", text(79)), ("incoming_forwarding", text(79)),
    ("tos_state", text(79)), ("tos", U8), ("ttl", U8)]]
IFACE_V6 = [(I + k, v) for k, v in [
    ("ipv6_autocfg", ["nd", "dhcpv6", "disable"]), ("linklocal_autocfg", ["auto", "disable"]), ("router_autocfg", ["auto"]),
    ("ipv6_linklocal", ["fe80::1"]), ("ipv6_router", ["fe80::2"]), ("dup_addr_detect_cnt", U8), ("flow_label", U32),
    ("gratuitous_neighbor_adv", text(79)), ("hop_limit", U8), ("mld", text(79)), ("nd_reachable_tmo", U32), ("nd_rexmit_time", U32),
    ("nd_stale_tmo", U32), ("router_adv_link_mtu", U32), ("traffic_class", U8)]]
IFACE_TAIL = [(I + k, v) for k, v in [
    ("delayed_ack", text(79)), ("tcp_nagle", text(79)), ("tcp_wsf_state", text(79)), ("tcp_wsf", U8), ("tcp_timer_scale", U8),
    ("tcp_timestamp", text(79)), ("redirect", text(79)), ("def_task_mgmt_timeout", U16), ("header_digest", text(79)),
    ("data_digest", text(79)), ("immediate_data", text(79)), ("initial_r2t", text(79)), ("data_seq_inorder", text(79)),
    ("data_pdu_inorder", text(79)), ("erl", U8), ("max_receive_data_len", U32), ("first_burst_len", U32),
    ("max_outstanding_r2t", U16), ("max_burst_len", U32), ("chap_auth", text(79)), ("bidi_chap", text(79)),
    ("strict_login_compliance", text(79)), ("discovery_auth", text(79)), ("discovery_logout", text(79))]]
SENDTARGETS = [
    (ST + "auth.authmethod", ["None", "CHAP"]), (ST + "auth.username", text(255)), (ST + "auth.password", text(255)),
    (ST + "auth.username_in", text(255)), (ST + "auth.password_in", text(255)),
    (S + "auth.chap_algs", ["MD5", "SHA1,MD5", "SHA3-256"]), (ST + "timeo.login_timeout", INT), (ST + "use_discoveryd", YES),
    (ST + "discoveryd_poll_inval", INT), (ST + "reopen_max", INT), (ST + "timeo.auth_timeout", INT),
    (ST + "timeo.active_timeout", INT), (ST + "iscsi.MaxRecvDataSegmentLength", INT),
]
ISNS_KEYS = [(ISNS + "use_discoveryd", YES), (ISNS + "discoveryd_poll_inval", INT)]

LETTERS = "abcXYZ019 -_=#:;,.<>[]()'\"\\/%$&*!?@~^|`{}+\t\xe4\u20ac"
NAMES = ["iqn.2026-11.com.example:disk{}", "iqn.1986-03.com.sun:02:{}-a.b", "eui.0200{:012X}", "naa.5000{:012x}",
         "iqn.2026-11.com.example:%s{}" % ("long-" * 26)]
HOSTS = ["192.0.2.{}", "10.0.0.{}", "2001:db8::{:x}", "fe80::{:x}%eth0", "san-{}.example.com", "san{}", "2001:DB8:0:0:0:0:0:{:X}",
         "010.000.000.0{}"]


class Tree:
    """files: path -> [(key, value)], links: path -> target; both below the database's root"""

    def __init__(self, number, root):
        self.random = random.Random(number)
        self.root = root
        self.files, self.links, self.ifaces, self.sources = {}, {}, {}, []
        self.nodes = []     # (target, host, port, tag, iface)
        r = self.random
        for i in range(r.randrange(4)):
            self.add_iface(i)
        for i in range(r.randrange(3)):
            self.add_source("send_targets", f"192.0.2.{200 + i}" if r.random() < .7 else f"2001:db8::{i}", r.choice([3260, 3261]))
        if r.random() < .3:
            self.add_source("isns", "192.0.2.250", 3205)
        for i in range(r.choice([1, 1, 2, 3, 5])):
            name = r.choice(NAMES).format(i)
            for j in range(r.choice([1, 1, 2, 3])):
                self.add_portal(name, r.choice(HOSTS).format(10 * i + j + 1))

    def value(self, kind):
        r = self.random
        if not isinstance(kind, tuple):
            return str(r.choice(kind))
        if r.random() < .5:
            return ""
        limit = kind[1]
        n = r.choice([1, 2, 8, 12, 16, limit])
        value = "".join(r.choice(LETTERS) for _ in range(n)).strip(" \t")
        while len(value.encode()) > limit:
            value = value[:-1].strip(" \t")
        return value

    def fields(self, keys):
        """some as they are by default, some missing, some set"""
        out, how = [], self.random.choice([.1, .5, 1])
        for key, kind in keys:
            if self.random.random() < how:
                value = self.value(kind)
                if value:
                    out.append((key, value))
        return out

    def add_iface(self, i):
        r = self.random
        v6 = r.random() < .3
        name = f"if{i}" + (".ipv6.0" if v6 else "") if r.random() < .8 else f"bnx2i.00:05:b5:d2:a0:c{i}" + (".ipv6" if v6 else "")
        head = [k for k in IFACE_HEAD if not v6 or k[0] != I + "ipaddress"]     # 2.1.8 tells the kind by it, in two ways
        mine = dict(self.fields(head + (IFACE_V6 if v6 else IFACE_V4) + IFACE_TAIL))
        mine[I + "transport_name"] = "tcp"
        self.ifaces[name] = (v6, mine)
        order = [k for k, _ in head + (IFACE_V6 if v6 else IFACE_V4) + IFACE_TAIL]
        self.files["ifaces/" + name] = [(I + "iscsi_ifacename", name)] + [(k, mine[k]) for k in order if k in mine]

    def add_source(self, top, host, port):
        self.sources.append((top, host, port))
        head = [("discovery.startup", self.random.choice(STARTUP[:2])), ("discovery.type", top.replace("_", "")),
                (ST + "address", host), (ST + "port", str(port))]
        keys = SENDTARGETS if top == "send_targets" else ISNS_KEYS
        self.files[f"{top}/{host},{port}/{'st' if top == 'send_targets' else 'isns'}_config"] = head + self.fields(keys)

    def add_portal(self, name, host):
        r = self.random
        port, tag = r.choice([3260, 3260, 3261, 1, 65535]), r.choice([1, 1, 2, 0, 65535, -1])
        known = ["default"] + [i for i, (v6, _) in sorted(self.ifaces.items()) if not (v6 and tag == -1)]   # S refuses that
        ifaces = r.sample(known, min(1 if tag == -1 else r.choice([1, 1, 2]), len(known)))
        for iface in ifaces:
            self.add_node(name, host, port, tag, iface)

    def add_node(self, name, host, port, tag, iface):
        r = self.random
        kind, dhost, dport = r.choice([("static", "", 0), ("fw", "", 0), *self.sources])
        v6, bound = self.ifaces.get(iface, (False, {}))
        early = ["hwaddress", "ipaddress", "iscsi_ifacename", "net_ifacename", "gateway", "subnet_mask", "prefix_len"]
        rest = [k for k, _ in IFACE_HEAD + (IFACE_V6 if v6 else IFACE_V4) + IFACE_TAIL]
        own = {**bound, I + "iscsi_ifacename": iface, I + "transport_name": "tcp"}
        order = [I + k for k in early] + [k for k in rest if k[len(I):] not in early]
        body = [("node.name", name), ("node.tpgt", str(tag)), *self.fields(HEAD)]
        body += [(k, own[k]) for k in order if k in own]
        if dhost:
            body.append(("node.discovery_address", dhost))
        body += [("node.discovery_port", str(dport)), ("node.discovery_type", kind), *self.fields(SESSION)]
        body += [(C + "address", host), (C + "port", str(port)), *self.fields(CONNECTION)]
        portal = f"nodes/{name}/{host},{port}" + (f",{tag}" if tag != -1 else "")
        path = portal + (f"/{iface}" if tag != -1 else "")
        if path in self.files or any(n[:3] == (name, host, port) for n in self.nodes) and tag == -1:
            return
        self.files[path] = body
        self.nodes.append((name, host, port, tag, iface))
        if tag != -1:
            folder = f"{kind}/{dhost},{dport}" if dhost else kind
            self.links[f"{folder}/{name},{host},{port},{tag},{iface}"] = f"{self.root}/{portal}"

    def odd(self):
        """What makes 2.1.8 refuse the listing, or does not matter to it: unknown keys, comments, other spelling. Returns the
        lines that every rewrite must keep: path -> lines."""
        r, kept = self.random, {}
        for path in self.files:
            lines = r.sample([
                ("node.session.from_the_future", "7"), ("node.session.timeo.continuous", "0"), ("node.cnx[0].address", "10.0.0.9"),
                ("node.conn[0].iscsi.reset_timeout", "30"), ("vendor.key", "with = in it"), ("x", "y" * 200),
            ], r.choice([0, 1, 2]))
            kept[path] = [f"{k} = {v}" for k, v in lines]
            body = self.files[path]
            for line in lines:
                body.insert(r.randrange(len(body) + 1), line)
        return kept

    def write(self, folder, spelling=None):
        """into an empty folder; @spelling gives each line another form that means the same"""
        for path, body in self.files.items():
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            lines = ["# BEGIN RECORD 2.1.8", *[f"{k} = {v}" for k, v in body], "# END RECORD"]
            with open(target, "w", encoding="utf-8", newline="", opener=lambda p, f: os.open(p, f, 0o600)) as f:
                f.write("".join((spelling(x) if spelling else x) + "\n" for x in lines))
        for path, to in self.links.items():
            os.makedirs(os.path.join(folder, os.path.dirname(path)), mode=0o700, exist_ok=True)
            os.symlink(to, os.path.join(folder, path))


def clear(folder):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def snapshot(folder):
    """path -> contents, link target or None for a folder; without what only we keep there"""
    found = {}
    for at, dirs, names in os.walk(folder):
        dirs[:] = [d for d in dirs if d != ".siskin"]
        for name in dirs + names:
            path = os.path.join(at, name)
            key = os.path.relpath(path, folder)
            if os.path.islink(path):
                found[key] = "-> " + os.readlink(path)
            elif os.path.isdir(path):
                found[key] = None
            else:
                with open(path, encoding="utf-8", errors="surrogateescape", newline="") as f:
                    found[key] = f.read()
    return found
