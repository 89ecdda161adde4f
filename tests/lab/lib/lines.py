# SPDX-License-Identifier: LGPL-2.1-or-later
"""Command lines of iscsiadm, thousands of them, the same at every run: what differential.py plays against two programs.

A scene is a state of the machine; each has families of lines. A family is systematic, or drawn from a generator with a fixed seed.
"""
import itertools
import random

T = "iqn.2026-11.lab.test"
MODES = ["discovery", "discoverydb", "node", "session", "iface", "fw", "host"]
OPS = ["new", "delete", "update", "show", "nonpersistent", "apply", "applyall", "login", "logout"]

# option → (long name, arguments worth trying; None for a switch)
OPTIONS = {
    "m": ("mode", MODES),
    "t": ("type", ["st", "sendtargets", "isns", "fw", "slp", "bogus"]),
    "p": ("portal", ["127.0.0.1", "127.0.0.1:3260", "10.0.0.7:3261", "::1", "[::1]:3260", "10.9.9.9"]),
    "T": ("targetname", [f"{T}:disk1", f"{T}:disk3", f"{T}:none"]),
    "I": ("interface", ["default", "if0", "if1", "iser", "none"]),
    "o": ("op", OPS),
    "n": ("name", ["node.startup", "node.session.timeo.replacement_timeout", "iface.mtu", "discovery.sendtargets.reopen_max", "bogus"]),
    "v": ("value", ["manual", "7", "", "bogus"]),
    "H": ("host", ["0", "{HOST1}", "99"]),
    "r": ("sid", ["{SID1}", "99", "/sys/class/iscsi_session/session{SID1}"]),
    "R": ("rescan", None),
    "P": ("print", ["0", "1", "2", "3", "4", "5", "-1", "x"]),
    "D": ("discover", None),
    "l": ("login", None),
    "u": ("logout", None),
    "L": ("loginall", ["all", "manual", "automatic", "onboot", "bogus"]),
    "U": ("logoutall", ["all", "manual", "automatic", "onboot", "bogus"]),
    "s": ("stats", None),
    "S": ("show", None),
    "k": ("killiscsid", ["0", "1", "-1", "x"]),
    "d": ("debug", ["0", "1"]),
    "C": ("submode", ["ping", "chap", "flashnode", "stats", "bogus"]),
    "a": ("ip", ["127.0.0.1", "::1", "x"]),
    "b": ("packetsize", ["0", "64", "-1"]),
    "c": ("count", ["1", "0", "-3"]),
    "i": ("interval", ["0", "-1"]),
    "x": ("index", ["0", "1", "2049", "x"]),
    "A": ("portal_type", ["ipv4", "ipv6", "bogus"]),
    "W": ("no_wait", None),
    "V": ("version", None),
    "h": ("help", None),
}
ALLOWED = {"discovery": "DSIPmntplov", "discoverydb": "DSIPmntplov", "node": "RsPImlSonvupTULW", "session": "PiRrmusonSv",
           "iface": "HInvmPoCabci", "host": "CHmPotnvxA", "fw": "mlWnv"}

PORTALS = [
    "127.0.0.1", "127.0.0.1:3260", "127.0.0.1:3260,1", "127.0.0.1,1", "127.0.0.1,3260", "127.0.0.1:3260,77", "127.0.0.1:", "127.0.0.1:,",
    "127.0.0.1,", "127.0.0.1:abc", "127.0.0.1:3260x", "127.0.0.1:0", "127.0.0.1:65535", "127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:-1",
    "127.0.0.1:3261", "127.0.0.1:03260", "127.0.0.1: 3260", " 127.0.0.1", "127.0.0.1 ", "127.0.0.1:3260,x", "127.0.0.1:3260,-1",
    "127.0.0.1:3260,65536", "127.0.0.1:3260,1,2", "127.1", "2130706433", "0x7f.1", "127.0.0.001", "256.1.1.1", "1.2.3", "1.2.3.4.5",
    "::1", "[::1]", "[::1]:3260", "[::1]:3260,1", "[::1],1", "::1,1", "0:0:0:0:0:0:0:1", "[0:0:0:0:0:0:0:1]:3260", "::0001", "[::1]3260",
    "[::1]:", "[::1]:abc", "[::1]x", "[]", "[]:3260", "::", "fe80::1%lo", "[fe80::1%lo]:3260", "[fe80::1%25lo]", "fd10::1", "[FD10::1]:3260", "FD10::1",
    "::1:3260", "2001:db8::1:3260", "1::2::3", ":::", "localhost", "localhost:3260", "localhost,1", "localhost:3260,1", "localhost6",
    "tgt-v4.lab", "tgt-v4.lab:3260", "tgt-v6.lab", "tgt-v6.lab:3260,1", "tgt-alt.lab", "no-such-host", "no-such-host.lab", "no-such-host.lab:3260",
    "LOCALHOST", "host_name", "host-name.", ":3260", ",1", ":", "x" * 64, "x" * 250, "10.10.0.1", "10.10.0.1,2", "10.0.0.7", "10.0.0.7:3261",
    "10.0.0.7:3261,-1", "10.0.0.7:3261,1",
]
RISKY_PORTALS = ["", "[", "[::1", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:3260", "a/b", "../x", "127.0.0.1:3260\n", "x" * 300]

NODE_KEYS = [
    "node.name", "node.tpgt", "node.startup", "node.leading_login", "node.discovery_address", "node.discovery_port", "node.discovery_type",
    "node.transport_name", "iface.transport_name", "iface.hwaddress", "iface.iscsi_ifacename", "node.session.initial_cmdsn",
    "node.session.initial_login_retry_max", "node.session.xmit_thread_priority", "node.session.cmds_max", "node.session.queue_depth",
    "node.session.nr_sessions", "node.session.auth.authmethod", "node.session.auth.username", "node.session.auth.password",
    "node.session.auth.username_in", "node.session.auth.password_in", "node.session.auth.chap_algs", "node.session.timeo.replacement_timeout",
    "node.session.err_timeo.abort_timeout", "node.session.err_timeo.lu_reset_timeout", "node.session.err_timeo.tgt_reset_timeout",
    "node.session.err_timeo.host_reset_timeout", "node.session.iscsi.FastAbort", "node.session.iscsi.InitialR2T",
    "node.session.iscsi.ImmediateData", "node.session.iscsi.FirstBurstLength", "node.session.iscsi.MaxBurstLength",
    "node.session.iscsi.DefaultTime2Retain", "node.session.iscsi.DefaultTime2Wait", "node.session.iscsi.MaxConnections",
    "node.session.iscsi.MaxOutstandingR2T", "node.session.iscsi.ERL", "node.session.scan", "node.session.reopen_max",
    "node.session.sess_reopen_log_freq", "node.conn[0].address", "node.conn[0].port", "node.conn[0].startup", "node.conn[0].tcp.window_size",
    "node.conn[0].tcp.type_of_service", "node.conn[0].tcp.congestion_control", "node.conn[0].timeo.logout_timeout",
    "node.conn[0].timeo.login_timeout", "node.conn[0].timeo.auth_timeout", "node.conn[0].timeo.noop_out_interval",
    "node.conn[0].timeo.noop_out_timeout", "node.conn[0].iscsi.MaxXmitDataSegmentLength", "node.conn[0].iscsi.MaxRecvDataSegmentLength",
    "node.conn[0].iscsi.HeaderDigest", "node.conn[0].iscsi.DataDigest", "node.conn[0].iscsi.IFMarker", "node.conn[0].iscsi.OFMarker",
    "node.conn[1].address", "node.conn[0].iscsi.MaxBurstLength", "node.session.auth.password_length", "node.startup ", "Node.startup", "",
    "node.cid", "node.session.iscsi.MaxRecvDataSegmentLength", "node.conn[0].state", "node.session.timeo.", "discovery.startup",
]
VALUES = ["7", "0", "-1", "", "abc", "12abc", "Yes", "No", "yes", "None", "CHAP", "manual", "automatic", "onboot", "CRC32C", "None,CRC32C",
          "CRC32C,None", "MD5", "SHA256,MD5", "SHA3-256 SHA1", "MD5,MD5,bogus", "auto", "262144", "99999999999", "4294967296", "0x10", " 5", "5 ",
          "tcp", "iser", "bogus", "static", "two words", "a=b", "<empty>", "********", "x" * 255, "x" * 300]
DISC_KEYS = [
    "discovery.startup", "discovery.type", "discovery.sendtargets.address", "discovery.sendtargets.port", "discovery.sendtargets.auth.authmethod",
    "discovery.sendtargets.auth.username", "discovery.sendtargets.auth.password", "discovery.sendtargets.auth.username_in",
    "discovery.sendtargets.auth.password_in", "discovery.sendtargets.auth.chap_algs", "node.session.auth.chap_algs",
    "discovery.sendtargets.timeo.login_timeout", "discovery.sendtargets.use_discoveryd", "discovery.sendtargets.discoveryd_poll_inval",
    "discovery.sendtargets.reopen_max", "discovery.sendtargets.timeo.auth_timeout", "discovery.sendtargets.timeo.active_timeout",
    "discovery.sendtargets.iscsi.MaxRecvDataSegmentLength", "discovery.isns.use_discoveryd", "discovery.isns.discoveryd_poll_inval",
    "discovery.isns.address", "discovery.isns.port", "node.startup", "bogus", "",
]
IFACE_KEYS = [f"iface.{k}" for k in """iscsi_ifacename net_ifacename ipaddress prefix_len hwaddress transport_name initiatorname state vlan_id
vlan_priority vlan_state iface_num mtu port bootproto subnet_mask gateway dhcp_alt_client_id_state dhcp_alt_client_id dhcp_dns dhcp_learn_iqn
dhcp_req_vendor_id_state dhcp_vendor_id_state dhcp_vendor_id dhcp_slp_da fragmentation gratuitous_arp incoming_forwarding tos_state tos ttl
ipv6_autocfg linklocal_autocfg router_autocfg ipv6_linklocal ipv6_router dup_addr_detect_cnt flow_label gratuitous_neighbor_adv hop_limit mld
nd_reachable_tmo nd_rexmit_time nd_stale_tmo router_adv_link_mtu traffic_class delayed_ack tcp_nagle tcp_wsf_state tcp_wsf tcp_timer_scale
tcp_timestamp redirect def_task_mgmt_timeout header_digest data_digest immediate_data initial_r2t data_seq_inorder data_pdu_inorder erl
max_receive_data_len first_burst_len max_outstanding_r2t max_burst_len chap_auth bidi_chap strict_login_compliance discovery_auth
discovery_logout bogus""".split()] + ["node.startup", ""]
IFACE_VALUES = ["7", "0", "-1", "", "abc", "enable", "disable", "dhcp", "static", "10.1.2.3", "fd00::1", "02:00:00:00:00:01", "tcp", "lo", "x y", "x" * 70, "99999"]


def mode(m, *rest):
    return ["-m", m, *rest]


# --- what an option is ------------------------------------------------------------------------------------------------------------

def each_option():
    """every mode with every option alone: short, long, attached, with = and without an argument"""
    for m in [*MODES, "bogus", "", "Node", "nod", "sessions"]:
        yield ["-m", m]
        yield [f"-m{m}"]
        yield [f"--mode={m}"]
        yield ["--mode", m]
    for m, (letter, (name, args)) in itertools.product(MODES, OPTIONS.items()):
        if args is None:
            yield mode(m, f"-{letter}")
            yield mode(m, f"--{name}")
            yield [f"-{letter}", "-m", m]
            yield mode(m, f"--{name}=x")
            continue
        yield mode(m, f"-{letter}")
        yield mode(m, f"--{name}")
        yield mode(m, f"--{name}=")
        yield mode(m, f"-{letter}", "")
        yield [f"--{name}", args[0], "-m", m]
        yield mode(m, f"-{letter}{args[-1]}")
        for a in args:
            yield mode(m, f"-{letter}", a)


def alone():
    """every option without a mode"""
    yield []
    for letter, (name, args) in OPTIONS.items():
        for a in (args or [None]):
            word = [] if a is None else [a]
            yield [f"-{letter}", *word]
            yield [f"--{name}", *word]


def abbreviations():
    """every prefix of every long option"""
    for name, args in OPTIONS.values():
        for n in range(1, len(name) + 1):
            yield [f"--{name[:n]}" + ("" if args is None else f"={args[0]}"), "-m", "session"]
            if n % 2:
                yield ["-m", "node", f"--{name[:n]}", *([] if args is None else [args[0]])]


GETOPT = [line.split() for line in """
-z | -m node -z | -z -m node | -m node -z -V | -V -z | -z -V | -h -z | -z -h | --bogus | --bogus -m node | -m node --bogus | --bogus=1 -m session
-- -m node | -m node -- -o show | -m node operand | operand -m node | -m node a b c -o show | -m node - | - -m node | -mnode | -mnodeR | -Sm node
-RSm node | -m node -RS | -m node -So show | -m node -oshow | -m node -o=show | -m node --op=show | -m node --op show | -m node --op | -m node -o
-m | -m node -m | -m node -m session | -m session -m node | -m node -m node | -m bogus -m node | -m node -m bogus | -m session -m session -r 1
-m node -T | -m node -p | -m node -I | -m node -n | -m node -v | -m node -P | -m node -d | -m session -r | -m host -H | -m host -C | -m iface -a
-m node -V | -m node -h | -V -m node | -h -m node | --version -m node | --help -m bogus | -m bogus -h | -m bogus -V | -Vm node | -hm node
-m node -k 0 | -k 0 -m node | -k 1 -m node | -k -m node | -k | -k -1 | -k x | -k 2 | -k 1 -k 2 | --killiscsid=3 | --killiscsid 3
-W | -m node -W | -m session -W | -m discovery -W | -m discovery -t st -W -p 127.0.0.1 | -d 8 -m session | -m session -d | -m session -d x
-m node -d -1 | -m node -d 99999999999 | -d 0 | -P 1 | -m node -P | -m node -P1 | -m node -P 01 | -m node -P +1 | -m node -P 1x | -m node -P 0x1
-m node -P 99999999999 | -m session -P 99999999999 | -m iface -P 2 | -m iface -P -1 | -m host -P 5 | -m host -P -5 | -m session -P 4 | -m node -P 2
-m node --portal_type=ipv4 | -m host --portal_type=ipv4 | -m node -l -u | -m node -u -l | -m node -l -o show | -m node -u -o new | -m node -l -u -o show
-m node -o show -o show | -m node -o new -o delete | -m node -o delete -o new | -m node -o junk -o show | -m node -o update -o show | -m node -o Show
-m node -o del | -m node -o showx | -m discovery -o new | -m discovery -o delete | -m discovery -o update | -m discovery -o show
-m discovery -o nonpersistent | -m discovery -o apply | -m discoverydb -o new | -m discoverydb -o delete | -m discoverydb -o update | -m discoverydb -o show
-m discoverydb -o new -o delete | -m discovery -t | -m discovery -t st | -m discovery -t isns | -m discovery -t fw | -m discovery -t slp | -m discovery -t bogus
-m discovery -t St | -m discovery -t sendtarget | -m discoverydb -t st | -m discoverydb -t isns | -m discoverydb -t fw | -m discoverydb -t slp
-m discoverydb -t st -D | -m discoverydb -t isns -D | -m discoverydb -D | -m discovery -D | -m discovery -l | -m discoverydb -l | -m discovery -D -l
-m node -R -s | -m node -s -R | -m node -s -u | -m node -R -l | -m node -L all -U all | -m node -U all -L manual | -m node -L | -m node -L all -o show
-m session -o new | -m session -o update | -m session -o delete | -m session -o apply | -m session -R -u | -m session -s -u | -m session -u -o show
-m session -R -s | -m session -o show -P 1 | -m session -o new -r 1 | -m session -n node.startup -v manual | -m session -i 1 | -m session -i
-m session --sid=1 | -m session --sid | -m session -r 1 -r 2 | -m session -r 1 -m session | --sid 1 -m session | --sid 1 | -r 1 | -r x | -r 0
-m fw -l | -m fw -W | -m fw -l -W | -m fw -n a -v b | -m fw -o show | -m fw -P 1 | -m fw -S | -m fw -l -n iface.hwaddress -v x | -m fw -l -n bogus -v 1
-m iface -o new -I | -m iface -I if0 -I if1 | -m iface -I if0 -I if1 -o show | -m iface -I if0 -I none | -m iface -I none -I if0 | -m iface -S
""".replace("\n", " | ").split("|") if line.strip()]


def getopt():
    yield from GETOPT
    yield ["-m", "node", "-o", ""]
    yield ["-m", "node", "-T", ""]
    yield ["-m", "node", "-I", ""]
    yield ["-m", "iface", "-I", "x" * 64]
    yield ["-m", "iface", "-I", "x" * 65]
    yield ["-m", "node", "-I", "x" * 65]
    for host in ["0", "1", "-1", "x", "4294967295", "4294967296", "99999999999999999999", "00:11:22:33:44:55", ":", "", "1x", "+1", " 1", "0x10"]:
        yield ["-m", "host", "-H", host]
        yield ["-m", "iface", "-H", host]
    for index in ["0", "-1", "x", "18446744073709551615", "18446744073709551616", "", "1x"]:
        yield ["-m", "host", "-x", index]
        yield ["-m", "host", "-H", "0", "-C", "chap", "-o", "show", "-x", index]


# --- records ---------------------------------------------------------------------------------------------------------------------

SELECTORS = [
    [], ["-T", f"{T}:disk1"], ["-T", f"{T}:none"], ["-T", f"{T}:DISK1"], ["-p", "127.0.0.1"], ["-p", "10.9.9.9"], ["-p", "10.0.0.7:3261"],
    ["-I", "default"], ["-I", "if0"], ["-I", "none"], ["-I", "iser"], ["-I", "if6"], ["-T", f"{T}:disk1", "-p", "127.0.0.1:3260,1"],
    ["-T", f"{T}:disk1", "-p", "127.0.0.1", "-I", "if0"], ["-T", f"{T}:disk1", "-I", "if0"], ["-p", "127.0.0.1", "-I", "if0"],
    ["-T", f"{T}:disk3"], ["-T", f"{T}:disk3", "-p", "10.0.0.7:3261,5"], ["-T", f"{T}:disk1", "-p", "[::1]"], ["-p", "::1"],
    ["-T", f"{T}:disk1", "-p", "10.10.0.1"], ["-T", f"{T}:new1", "-p", "10.1.1.1"], ["-T", f"{T}:new1", "-p", "10.1.1.1:3999,7", "-I", "if0"],
    ["-T", f"{T}:new1", "-p", "fd00::5,9"], ["-T", f"{T}:disk2", "-p", "127.0.0.1", "-I", "if0", "-I", "if1"], ["-T", ""], ["-T", "eui.0011223344556677", "-p", "1.2.3.4"],
    ["-T", "naa.52004567BA64678D", "-p", "1.2.3.4"], ["-T", "disk", "-p", "1.2.3.4"],
]
PAIRS = [[], ["-n", "node.startup", "-v", "automatic"], ["-v", "automatic", "-n", "node.startup"], ["-n", "node.startup"], ["-v", "automatic"],
         ["-n", "node.startup", "-v", "automatic", "-n", "node.session.cmds_max", "-v", "64"], ["-n", "node.startup", "-v", "automatic", "-n", "bogus", "-v", "1"],
         ["-n", "bogus", "-v", "1", "-n", "node.startup", "-v", "automatic"], ["-n", "node.startup", "-n", "node.leading_login", "-v", "Yes"],
         ["-n", "node.startup", "-v", "manual", "-v", "automatic"], ["-n", "node.startup=automatic", "-v", "x"], ["-n", "", "-v", ""],
         ["-n", "node.session.auth.password", "-v", "secret"], ["-n", "iface.mtu", "-v", "1500"], ["-n", "iface.transport_name", "-v", "tcp"]]


def node_records():
    for sel, op in itertools.product(SELECTORS, [None, *OPS]):
        yield mode("node", *sel, *(["-o", op] if op else []))
    for sel, pairs in itertools.product(SELECTORS[:16], PAIRS):
        yield mode("node", *sel, "-o", "update", *pairs)
    for sel, level in itertools.product(SELECTORS[:16], ["0", "1", "2"]):
        yield mode("node", *sel, "-P", level)
    for sel in SELECTORS:
        yield mode("node", *sel, "-S")
        yield mode("node", *sel, "-S", "-o", "show")
        yield mode("node", *sel, "-o", "new", "-n", "node.startup", "-v", "automatic")


def node_values():
    for key, value in itertools.product(NODE_KEYS, VALUES):
        yield mode("node", "-T", f"{T}:disk1", "-p", "127.0.0.1:3260", "-I", "default", "-o", "update", "-n", key, "-v", value)


def disc_values():
    for key, value in itertools.product(DISC_KEYS, VALUES):
        yield mode("discoverydb", "-t", "st", "-p", "127.0.0.1", "-o", "update", "-n", key, "-v", value)
        if "isns" in key or value in ("7", "", "Yes"):
            yield mode("discoverydb", "-t", "isns", "-p", "10.0.0.9", "-o", "update", "-n", key, "-v", value)


def iface_values():
    for key, value in itertools.product(IFACE_KEYS, IFACE_VALUES):
        yield mode("iface", "-I", "if0", "-o", "update", "-n", key, "-v", value)
    for key, iface in itertools.product(IFACE_KEYS, ["if1", "if4", "if6", "ipv6x", "default", "iser", "none"]):
        yield mode("iface", "-I", iface, "-o", "update", "-n", key, "-v", "7")
        yield mode("iface", "-I", iface, "-o", "new", "-n", key, "-v", "enable")


def portals():
    for p in PORTALS:
        yield mode("node", "-p", p)
        yield mode("node", "-p", p, "-o", "show")
        yield mode("node", "-T", f"{T}:disk1", "-p", p)
        yield mode("node", "-T", f"{T}:new2", "-p", p, "-o", "new")
        yield mode("node", "-p", p, "-o", "delete")
        yield mode("node", "-p", p, "-u")
        yield mode("node", "-p", p, "-R")
        yield mode("node", "-p", p, "-o", "update", "-n", "node.startup", "-v", "onboot")
        yield mode("discovery", "-p", p)
        yield mode("discovery", "-p", p, "-o", "delete")
        yield mode("discoverydb", "-t", "st", "-p", p)
        yield mode("discoverydb", "-t", "st", "-p", p, "-o", "new")
        yield mode("discoverydb", "-t", "isns", "-p", p, "-o", "new")
        yield mode("discoverydb", "-t", "st", "-p", p, "-o", "delete")
        yield mode("discoverydb", "-t", "st", "-p", p, "-o", "update", "-n", "discovery.startup", "-v", "automatic")
    for p in RISKY_PORTALS:
        yield mode("node", "-p", p)
        yield mode("node", "-p", p, "-o", "show")
        yield mode("discoverydb", "-t", "st", "-p", p)


def iface_records():
    for iface, op in itertools.product([None, "default", "iser", "if0", "if1", "if4", "if6", "none", "new-if", "a.b:c", "x y", "iface.example"], [None, *OPS]):
        sel = ["-I", iface] if iface else []
        yield mode("iface", *sel, *(["-o", op] if op else []))
        if op in ("new", "update"):
            yield mode("iface", *sel, "-o", op, "-n", "iface.mtu", "-v", "1500")
            yield mode("iface", *sel, "-o", op, "-n", "iface.net_ifacename", "-v", "lo", "-n", "iface.initiatorname", "-v", "iqn.a:b")
            yield mode("iface", *sel, "-o", op, "-n", "iface.ipaddress", "-v", "fd00::1", "-n", "iface.ttl", "-v", "3")
            yield mode("iface", *sel, "-o", op, "-n", "iface.transport_name", "-v", "bogus")
            yield mode("iface", *sel, "-o", op, "-n", "bogus", "-v", "1")
        if op in (None, "show", "applyall", "apply"):
            yield mode("iface", *sel, *(["-o", op] if op else []), "-P", "1")
            yield mode("iface", *sel, *(["-o", op] if op else []), "-H", "0")
            yield mode("iface", *sel, *(["-o", op] if op else []), "-H", "{HOST1}")
    for sel, a, extra in itertools.product([[], ["-I", "default"], ["-I", "if0"], ["-I", "if1"], ["-I", "none"], ["-I", "iser"]],
                                           [[], ["-a", "127.0.0.1"], ["-a", "::1"], ["-a", "x"], ["-a", ""]],
                                           [[], ["-b", "0"], ["-b", "x"], ["-c", "0"], ["-c", "3"], ["-i", "-1"], ["-i", "1"], ["-H", "0"]]):
        yield mode("iface", "-C", "ping", *sel, *a, *extra)
    for sub in ["chap", "flashnode", "stats", "bogus"]:
        yield mode("iface", "-C", sub)
        yield mode("iface", "-C", sub, "-I", "if0")


def discovery_records():
    for m in ("discovery", "discoverydb"):
        for t, p, op, extra in itertools.product([None, "st", "isns", "fw", "bogus", "slp"],
                                                 [None, "10.0.0.8", "10.0.0.9", "10.9.9.9", "10.0.0.8:3260,1", "10.0.0.8:3999"],
                                                 [None, *OPS], [[], ["-P", "1"], ["-S"], ["-n", "discovery.startup", "-v", "automatic"]]):
            if m == "discovery" and t in ("st", "isns"):
                continue  # goes to the network: in another scene
            yield mode(m, *(["-t", t] if t else []), *(["-p", p] if p else []), *(["-o", op] if op else []), *extra)
    for level in ["0", "1", "2", "-1", "x"]:
        yield mode("discovery", "-P", level)
        yield mode("discoverydb", "-P", level)


def hosts():
    for h, sub, op, x in itertools.product([None, "0", "{HOST1}", "99", "x"], [None, "chap", "flashnode", "stats", "ping", "bogus"], [None, *OPS],
                                           [[], ["-x", "1"], ["-x", "5000"]]):
        yield mode("host", *(["-H", h] if h else []), *(["-C", sub] if sub else []), *(["-o", op] if op else []), *x)
    names = ["host.auth.username", "host.auth.password", "host.auth.username_in", "host.auth.password_in", "host.auth.tbl_idx", "bogus"]
    for h, op, x, (a, b) in itertools.product(["0", "{HOST1}"], ["new", "update", "delete", "show"], [[], ["-x", "3"]], itertools.product(names, names)):
        yield mode("host", "-H", h, "-C", "chap", "-o", op, *x, "-n", a, "-v", "u", "-n", b, "-v", "p")
    for h, op, a, pairs in itertools.product(["0", "{HOST1}"], ["new", "update", "login", "logout", "delete"], [[], ["-A", "ipv4"], ["-A", "ipv6"], ["-A", "bogus"]],
                                             [[], ["-x", "2"], ["-x", "2", "-n", "flashnode.session.targetname", "-v", "iqn.a:b"],
                                              ["-x", "2", "-n", "flashnode.conn[0].ipaddress", "-v", "1.2.3.4"], ["-x", "2", "-n", "bogus", "-v", "1"]]):
        yield mode("host", "-H", h, "-C", "flashnode", "-o", op, *a, *pairs)
    for level, h in itertools.product(["0", "1", "2", "3", "4", "5", "-1"], [None, "0", "{HOST1}", "99"]):
        yield mode("host", "-P", level, *(["-H", h] if h else []))
        yield mode("host", "-P", level, "-o", "show", *(["-H", h] if h else []))
    for t in ["st", "bogus"]:
        yield mode("host", "-t", t)


# --- what runs ----------------------------------------------------------------------------------------------------------------------

SIDS = ["{SID1}", "{SID2}", "99", "0", "-1", "x", "{SID1}x", " {SID1}", "+{SID1}", "/sys/class/iscsi_session/session{SID1}", "/class/iscsi_session/session{SID1}",
        "/sys/class/iscsi_session/session{SID1}/", "/sys/class/iscsi_session/session99", "/sys/class/iscsi_host/host{HOST1}/device/session{SID1}",
        "/sys/devices/platform/host{HOST1}/session{SID1}", "/devices/platform/host{HOST1}/session{SID1}", "/sys/devices/platform/host{HOST1}/session{SID1}/target{HOST1}:0:0",
        "/sys/devices/platform/host{HOST1}/session{SID1}/target{HOST1}:0:0/{HOST1}:0:0:1", "/sys/devices/platform/host{HOST1}", "/sys", "/", "/etc/passwd",
        "/sys/class/iscsi_connection/connection{SID1}:0", "session{SID1}", "", "/sys/class/iscsi_session/session{SID1}/targetname"]


def sessions():
    for sid in SIDS:
        yield mode("session", "-r", sid)
        yield mode("session", "-r", sid, "-P", "1")
        yield mode("session", "-r", sid, "-o", "show")
    for sid, what in itertools.product(["{SID1}", "{SID2}", "99"], [[], ["-R"], ["-s"], ["-S"], ["-o", "update", "-n", "node.startup", "-v", "onboot"],
                                                                    ["-o", "update"], ["-o", "delete"], ["-o", "apply"], ["-o", "login"], ["-o", "nonpersistent"],
                                                                    ["-u", "-o", "show"], ["-R", "-o", "show"], ["-R", "-u"], ["-s", "-R"], ["-P", "0"],
                                                                    ["-P", "1", "-S"], ["-P", "2"], ["-P", "2", "-S"], ["-P", "3"], ["-P", "3", "-S"], ["-P", "4"],
                                                                    ["-P", "1", "-o", "show"], ["-P", "5", "-o", "show"], ["-P", "-1"], ["-i", "5"],
                                                                    ["-o", "update", "-n", "bogus", "-v", "1"], ["-n", "node.startup", "-v", "manual"]]):
        yield mode("session", "-r", sid, *what)
        yield [*what, "--sid", sid, "--mode", "session"]
    for what in [["-R"], ["-s"], ["-S"], ["-P", "0"], ["-P", "1"], ["-P", "2"], ["-P", "2", "-S"], ["-P", "3"], ["-P", "3", "-S"], ["-P", "4"], ["-P", "-1"],
                 *(["-o", op] for op in OPS), *(["-o", op, "-P", "1"] for op in OPS)]:
        yield mode("session", *what)
    for sel, what in itertools.product(SELECTORS[:21], [["-R"], ["-s"], ["-P", "1", "-R"], ["-o", "delete"], ["-o", "show", "-S"]]):
        yield mode("node", *sel, *what)
    for iface, op in itertools.product(["default", "if0", "if1", "iser"], ["new", "update", "delete"]):
        yield mode("iface", "-I", iface, "-o", op, "-n", "iface.mtu", "-v", "9000")
    for sel in SELECTORS[:8]:
        yield mode("node", *sel, "-o", "update", "-n", "iface.transport_name", "-v", "iser")
        yield mode("node", *sel, "-o", "update", "-n", "node.transport_name", "-v", "tcp")
        yield mode("node", *sel, "-o", "update", "-n", "node.transport_name", "-v", "bogus")


def logins():
    """each makes sessions, or ends some: slow"""
    for sel in SELECTORS[:21]:
        if sel and not set(sel) & {"10.0.0.7:3261", "10.9.9.9", "10.0.0.7:3261,5"}:
            yield mode("node", *sel, "-l")
            yield mode("node", *sel, "-u")
    for c in OPTIONS["L"][1]:
        yield mode("node", "-L", c)
        yield mode("node", "-U", c)
    yield mode("node", "-L", "manual", "-W")
    yield mode("node", "-T", f"{T}:disk2", "-l", "-W")
    yield mode("node", "-T", f"{T}:disk1", "-p", "10.10.0.1", "-l", "-P", "1")
    yield mode("session", "-u")
    yield mode("session", "-r", "{SID1}", "-u")
    yield mode("session", "-r", "99", "-u")
    yield mode("session", "-r", "{SID1}", "-o", "new")
    yield mode("session", "-r", "/sys/class/iscsi_session/session{SID2}", "-u")
    yield mode("node", "-T", f"{T}:disk1", "-p", "127.0.0.1", "-u", "-W")
    yield ["-k", "0"]
    yield ["--killiscsid=0"]
    yield ["-m", "session", "-k", "0"]


def discoveries():
    """to targets that are there, or refuse"""
    for p, extra in itertools.product(["127.0.0.1", "127.0.0.1:3260,1", "[::1]:3260", "tgt-v4.lab", "localhost", "10.10.0.1", "127.0.0.1:3999", "no-such-host.lab"],
                                      [[], ["-P", "1"], ["-P", "2"], ["-o", "new"], ["-o", "delete"], ["-o", "update"], ["-o", "nonpersistent"], ["-o", "show"],
                                       ["-o", "new", "-o", "delete"], ["-I", "default"], ["-I", "if4"], ["-I", "none"], ["-I", "default", "-I", "if4"], ["-I", "default", "-I", "none"],
                                       ["-D"], ["-I", "default", "-P", "1", "-o", "new"], ["-n", "node.startup", "-v", "automatic"]]):
        slow = p in ("127.0.0.1:3999", "no-such-host.lab")
        if slow and len(extra) != 2:
            continue
        yield mode("discovery", "-t", "st", "-p", p, *extra)
        if not slow:
            yield mode("discoverydb", "-t", "st", "-p", p, "-D", *extra)
            yield mode("discovery", "-p", p, "-D", *extra)


# --- drawn ----------------------------------------------------------------------------------------------------------------------------

def drawn(seed, n, modes, calm):
    """n lines of random options, mostly allowed ones. calm: nothing that goes to the network or changes sessions"""
    r = random.Random(seed)
    made = 0
    while made < n:
        m = r.choice(modes)
        line = [["-m", m]]
        for _ in range(r.randint(1, 5)):
            letter = r.choice(ALLOWED[m]) if r.random() < 0.95 else r.choice(list(OPTIONS))
            name, args = OPTIONS[letter]
            word = r.choice(args) if args and r.random() < 0.98 else None
            if r.random() < 0.5:
                part = [f"-{letter}"] + ([word] if word is not None else [])
            else:
                part = [f"--{name}"] + ([word] if word is not None else []) if r.random() < 0.5 else [f"--{name}" + (f"={word}" if word is not None else "")]
            line.append(part)
        if r.random() < 0.2:
            r.shuffle(line)
        argv = [w for part in line for w in part]
        if calm and goes_out(argv):
            continue
        made += 1
        yield argv


def goes_out(argv):
    """Would it log in or out, ask a target, end the daemon, or wait?"""
    text = " ".join(argv)
    return any(w in text for w in ("-l", "-L", "-u", "-U", "--login", "--logout", "-D", "--discover", "-k", "--kill", "discovery -t st", "isns", "-W", "--no_wait")) \
        or ("discovery" in text and ("-t" in argv or "--type" in text)) or " new" in text and "session" in text


def drawn_calm(seed, n):
    return lambda: drawn(seed, n, MODES, True)


def drawn_any(seed, n):
    return lambda: drawn(seed, n, ["node", "session", "discoverydb"], False)


SCENES = {
    "empty": [alone, each_option, getopt, abbreviations, node_records, discovery_records, iface_records, hosts, sessions, drawn_calm(1, 400)],
    "records": [getopt, node_records, node_values, disc_values, iface_values, portals, iface_records, discovery_records, drawn_calm(2, 1500)],
    "daemon": [discoveries, iface_records, node_records, drawn_calm(3, 300)],
    "sessions": [sessions, hosts, node_records, each_option, drawn_calm(4, 800)],
    "orphans": [sessions, hosts, drawn_calm(5, 300)],
    "logins": [logins, drawn_any(6, 60)],
}


def lines(scene, families=()):
    """The scene's lines, each once: [(family, argv)]"""
    seen, found = set(), []
    for family in SCENES[scene]:
        name = getattr(family, "__name__", "").replace("<lambda>", "drawn")
        for argv in family() if not families or name in families else ():
            if tuple(argv) not in seen:
                seen.add(tuple(argv))
                found.append((name, argv))
    return found
