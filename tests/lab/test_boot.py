# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot: iscsistart without a daemon, what the firmware says, and iscsid taking over later."""
import contextlib
import time

import pytest
from cache import TOP, Incumbent, Siskin, Unavailable
from conftest import cannot_run
from ibft import Table
from qemu import Qemu612
from targets import Tgtd
from test_kernel_sessions import IQN, OURS, PORTAL, THEIRS, attr, conf, disks_of, write_and_compare  # noqa: F401

BOOT = f"iscsistart -i {IQN}:boot -g 1 -a 127.0.0.1"
SESSIONS = "ls /sys/class/iscsi_session"
QUICK = "-P node.session.initial_login_retry_max=2 -P 'node.conn[0].timeo.login_timeout=2'"
NIC = {"index": 0, "flags": 3, "ip-addr": "10.77.0.1", "subnet-mask": "255.255.255.0", "gateway": "10.77.0.254", "origin": 1,
       "vlan": 0, "mac": "02:00:00:00:77:01"}


@pytest.fixture
def firmware(lab):
    """firmware(targets=[…], **nic) - a made table in place of the machine's, with the network card boot0"""
    def make(targets, **nic):
        lab.run("umount /sys/firmware 2>/dev/null; mount -t tmpfs fw /sys/firmware; cd /sys/firmware; "
                "mkdir -p ibft/initiator ibft/ethernet0/device/net/boot0").ok()
        put("initiator", {"initiator-name": f"{IQN}:boot", "flags": 3})
        put("ethernet0", {**NIC, **nic})
        for n, target in enumerate(targets):
            put(f"target{n}", {"index": n, "flags": 3, "nic-assoc": 0, "port": 3260, "ip-addr": "127.0.0.1", **target})

    def put(where, values):
        lab.run(f"mkdir -p /sys/firmware/ibft/{where}; cd /sys/firmware/ibft/{where}; " +
                "; ".join(f"echo '{value}' >{name}" for name, value in values.items() if value is not None)).ok()

    lab.run("ip link add boot0 address 02:00:00:00:77:01 type dummy").ok()
    yield make
    lab.run("ip link del boot0; umount /sys/firmware").ok()


def no_session_is_left(lab):
    assert lab.run(SESSIONS).ok().out == ""
    assert lab.run("ls -A /run/siskin/kernel").out == ""


def test_iscsid_takes_over_what_iscsistart_began(lab, conf, make_tgtd, iscsid):
    iscsid.stop()
    make_tgtd().target(f"{IQN}:root")
    r = lab.run(f"{BOOT} -t {IQN}:root").ok()
    assert r.out == f"iscsistart: Logging into {IQN}:root {PORTAL},1\n"
    assert f"to [target: {IQN}:root, portal: 127.0.0.1,3260] through [iface: default] is operational now\n" in r.err
    disk, = disks_of(lab, f"{IQN}:root")
    assert attr(lab, "/sys/class/iscsi_connection/*/ping_tmo") == "0"      # nobody would bring it back
    assert lab.run("pgrep -x 'iscsi(start|d|-session)'").lines == []
    before = lab.run("ss -Htn state established dport = 3260").ok().lines
    io = lab.start(f"dd if=/dev/urandom of={disk} bs=64k count=128 oflag=direct", timeout=90)
    iscsid.start()
    io.wait().ok()
    assert [line.split()[2:] for line in lab.run("ss -Htn state established dport = 3260").ok().lines] == \
        [line.split()[2:] for line in before]
    shown = lab.run("iscsiadm -m session -P 1").ok().out
    assert "Internal iscsid Session State: NO CHANGE" in shown and f"Iface Initiatorname: {IQN}:boot" in shown
    lab.run(f"{BOOT} -t {IQN}:root").fails(1)                               # 15 - session exists
    lab.run("iscsiadm -m node -U all").fails(21)                            # it has no record
    write_and_compare(lab, disk)
    lab.run("iscsiadm -m session -u").ok()
    assert "taken over, untouched" in (iscsid.stop(), iscsid.log)[1]
    no_session_is_left(lab)


def test_a_session_taken_over_is_brought_back_with_pings(lab, conf, make_tgtd, iscsid):
    iscsid.stop()
    conf("node.session.iscsi.DefaultTime2Wait = 0", "node.conn[0].timeo.noop_out_interval = 7")
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:root", chap=OURS, chap_in=THEIRS)
    lab.write("/run/secret", OURS[1] + "\n", mode=0o600)
    lab.run(f"{BOOT} -t {IQN}:root -u {OURS[0]} -w @/run/secret -U {THEIRS[0]} -W -", stdin=THEIRS[1]).ok()
    disk, = disks_of(lab, f"{IQN}:root")
    iscsid.start()
    tgtd.kill()
    lab.wait_until("grep -q FAILED /sys/class/iscsi_session/session*/state", "the loss")
    tgtd.start()
    lab.wait_until("grep -q LOGGED_IN /sys/class/iscsi_session/session*/state", "the relogin", 40)
    assert attr(lab, "/sys/class/iscsi_connection/*/recv_tmo") == "7"
    write_and_compare(lab, disk)
    lab.run("iscsiadm -m session -u; rm /run/secret").ok()


@pytest.mark.parametrize("options,number", [(f"-t {IQN}:chap -u user -w wrongsecret99", 24),
                                            (f"-t {IQN}:chap -p 9 {QUICK}", 8)])
def test_a_failed_login_leaves_nothing(lab, conf, make_tgtd, options, number):
    make_tgtd().target(f"{IQN}:chap", chap=OURS)
    r = lab.run(f"{BOOT} {options}").fails(1)
    assert f"iscsistart: initiator reported error ({number} - " in r.err
    no_session_is_left(lab)


def test_boot_logins(lab, conf, make_tgtd, firmware):
    """One of three answers nobody, one is refused: the third is there at once, and the status is honest."""
    tgtd = make_tgtd()
    tgtd.target(f"{IQN}:root", chap=OURS, chap_in=THEIRS)
    chap = {"chap-name": OURS[0], "chap-secret": OURS[1], "rev-chap-name": THEIRS[0], "rev-chap-name-secret": THEIRS[1]}
    firmware([{"target-name": f"{IQN}:root", "ip-addr": "10.98.0.77"}, {"target-name": f"{IQN}:root", **chap},
              {"target-name": f"{IQN}:nosuch"}])
    r = lab.run(f"iscsistart -b {QUICK}").fails(1)
    assert r.out.count("Logging into") == 3
    assert r.err.count("initiator reported error (8 - ") == 1 and r.err.count("initiator reported error (19 - ") == 1
    assert r.err.index("is operational now") < r.err.index("initiator reported error (8 - ")     # nobody waited for the silent one
    assert len(disks_of(lab, f"{IQN}:root")) == 1 and len(lab.run(SESSIONS).lines) == 1
    lab.run("echo 0 >/sys/firmware/ibft/target0/flags").ok()
    assert "initiator reported error (15 - session exists)" in lab.run("iscsistart -b").fails(1).err
    lab.run("echo 1 >/sys/firmware/ibft/target0/flags; echo 1 >/sys/firmware/ibft/target1/flags; echo 1 >/sys/firmware/ibft/target2/flags").ok()
    assert lab.run("iscsistart -b").fails(21).out == "Could not get boot entry.\n"
    end_kernel_sessions(lab)


def end_kernel_sessions(lab):
    """With a daemon for a moment: what iscsistart made is its to end as well."""
    job = lab.start("iscsid -f", timeout=60)
    lab.wait_until("test -S /run/siskin/iscsid.sock && iscsiadm -m session -u", "the logout", 20)
    job.kill()
    job.wait()
    no_session_is_left(lab)


def test_a_signal_ends_the_wait(lab, conf):
    start = time.monotonic()
    r = lab.run(f"timeout 1 iscsistart -i {IQN}:boot -g 1 -t {IQN}:x -a 10.98.0.77")
    assert r.rc == 124 and "given up by signal 15" in r.err and time.monotonic() - start < 10
    no_session_is_left(lab)


def test_boot_network(lab, firmware):
    """The address and a route to each target; what exists is no error; IPv6 and VLANs too; one that fails hides no other."""
    def setup(rc, failed=False):
        r = lab.run("iscsistart -N")
        assert r.rc == rc, str(r)
        said = "Setting up software interface boot0\n"
        assert r.out in (said + "Setting up software interface boot0 failed\n" * failed, 2 * said)
        return r.err

    def state(what):
        return lab.run(f"ip -o {what}").ok().out

    firmware([{"target-name": f"{IQN}:a", "ip-addr": "10.77.0.9"}, {"target-name": f"{IQN}:b", "ip-addr": "192.0.2.9"}])
    setup(0)
    assert "inet 10.77.0.1/24" in state("addr show boot0") and ",UP" in state("link show boot0")
    assert "10.77.0.9 dev boot0 scope link" in state("route") and "192.0.2.9 via 10.77.0.254 dev boot0" in state("route")
    setup(0)
    lab.run("ip addr flush dev boot0; ip link set boot0 down").ok()
    firmware([{"target-name": f"{IQN}:a", "ip-addr": "2001:0db8:0000:0000:0000:0000:0000:0009"}], **{
        "ip-addr": "2001:0db8:0000:0000:0000:0000:0000:0001", "prefix-len": 64, "subnet-mask": None, "gateway": None})
    setup(0)
    assert "inet6 2001:db8::1/64 scope global nodad" in state("addr show boot0").replace(" \\", "")
    assert "2001:db8::9 dev boot0" in state("-6 route")
    firmware([{"target-name": f"{IQN}:a", "ip-addr": "192.0.2.9"}], gateway=None)
    assert "Invalid or missing gateway for boot0" in setup(1, failed=True)
    firmware([{"target-name": f"{IQN}:a", "ip-addr": "10.77.0.9"}], **{"subnet-mask": None})
    assert "Invalid or missing netmask in fw entry" in setup(1, failed=True)
    firmware([{"target-name": f"{IQN}:a", "ip-addr": "10.77.0.9"}], vlan=100)
    assert "No matching vlan found for fw entry." in setup(1, failed=True)
    lab.run("ip link add link boot0 name bootvlan type vlan id 100").ok()
    setup(0)
    assert "inet 10.77.0.1/24" in state("addr show bootvlan") and "10.77.0.9 dev bootvlan" in state("route")


SCRIPTS = TOP / "etc" / "initramfs-tools"


@pytest.fixture
def initramfs(lab):
    """initramfs(settings, cmdline) - runs local-top as an initramfs does: its functions, its /etc, its command line"""
    def run(settings="", cmdline=""):
        lab.write("/etc/iscsi.initramfs", settings)
        lab.write("/run/cmdline", f"ro quiet {cmdline}\n")
        lab.run("mount --bind /run/cmdline /proc/cmdline").ok()
        r = lab.run(["/bin/sh", str(SCRIPTS / "local-top")], timeout=90)
        lab.run("umount /proc/cmdline").ok()
        return r

    lab.run("mkdir /scripts; cp /etc/iscsi/initiatorname.iscsi /etc/initiatorname.iscsi").ok()
    lab.write("/scripts/functions", "log_begin_msg() { :; }\nlog_end_msg() { :; }\nlog_warning_msg() { echo warning: \"$*\"; }\n"
              "configure_networking() { DEVICE=boot0; }\n")
    yield run
    lab.run("rm -rf /scripts /etc/initiatorname.iscsi /etc/iscsi.initramfs /run/initramfs /run/net-*.conf").ok()


def test_initramfs_by_the_firmware(lab, conf, make_tgtd, firmware, initramfs):
    make_tgtd().target(f"{IQN}:root", chap=OURS)
    firmware([{"target-name": f"{IQN}:root", "chap-name": OURS[0], "chap-secret": OURS[1]}], origin=3, **{"primary-dns": "10.77.0.53"})
    r = initramfs(cmdline="iscsi_auto").ok()
    assert "warning" not in r.out, str(r)
    assert len(disks_of(lab, f"{IQN}:root")) == 1
    assert lab.read("/run/initramfs/open-iscsi.interface") == "boot0\n"
    noted = dict(line.split("=", 1) for line in lab.read("/run/net-boot0.conf").splitlines())
    assert noted == {"DEVICE": "'boot0'", "PROTO": "'dhcp'", "IPV4ADDR": "'10.77.0.1'", "IPV4NETMASK": "'255.255.255.0'",
                     "IPV4GATEWAY": "'10.77.0.254'", "IPV4DNS0": "'10.77.0.53'", "IPV4DNS1": "''"}
    assert "default via 10.77.0.254 dev boot0" in lab.run("ip route").out
    lab.run(["/bin/sh", str(SCRIPTS / "local-bottom")]).ok()    # no link of a disk here: the interface is free again
    assert lab.run("test -e /run/initramfs/open-iscsi.interface").rc == 1
    end_kernel_sessions(lab)


@pytest.mark.full
def test_initramfs_by_settings_and_command_line(lab, conf, make_tgtd, initramfs):
    make_tgtd(portals=["[::1]:3260"]).target(f"{IQN}:root", chap=OURS, chap_in=THEIRS)
    assert initramfs().out == "" and lab.run(SESSIONS).out == ""
    secrets = ":".join(OURS + THEIRS)
    r = initramfs(f"ISCSI_INITIATOR={IQN}:settings\nISCSI_TARGET_NAME={IQN}:other\n", f"root=iscsi:{secrets}@[::1]::3260:1:{IQN}:root").ok()
    assert "warning" not in r.out, str(r)
    assert attr(lab, "/sys/class/iscsi_session/*/initiatorname") == f"{IQN}:settings"
    assert attr(lab, "/sys/class/iscsi_connection/*/persistent_address") == "::1"
    r = initramfs("", f"iscsi_target_name={IQN}:nosuch iscsi_target_ip=::1 iscsi_initiator={IQN}:line").ok()
    assert "warning: not all iSCSI logins succeeded" in r.out and "error (19 - " in r.err
    end_kernel_sessions(lab)


class WithFirmware(Qemu612):
    """A machine whose ACPI has a boot table: two cards (one of them not the firmware's), two targets."""

    nics = [{"mac": "52:54:00:12:34:56", "ip": "10.0.2.15", "gateway": "10.0.2.2", "dns1": "10.0.2.3", "bdf": 0x1d << 3},
            {"mac": "52:54:00:12:34:57", "ip": "10.0.3.15", "origin": 3, "dhcp": "10.0.3.1", "gateway": "10.0.3.1",
             "bdf": 0x1e << 3, "flags": 1}]
    targets = [{"name": f"{IQN}:plain", "ip": "127.0.0.1"},
               {"name": f"{IQN}:chap", "ip": "127.0.0.1", "lun": 0x1f, "nic": 1, "chap": OURS, "chap_in": THEIRS, "flags": 1}]

    def launch(self):
        (self.dir / "ibft").write_bytes(Table(f"{IQN}:fw", self.nics, self.targets).bytes)
        cards = [("n0", self.nics[0]["mac"], "0x1d.0"), ("n1", self.nics[1]["mac"], "0x1e.0")]
        self.hardware = ["-acpitable", f"file={self.dir}/ibft"]
        for name, mac, where in cards:
            self.hardware += ["-netdev", f"hubport,id={name},hubid=0", "-device", f"virtio-net-pci,netdev={name},mac={mac},addr={where}"]
        super().launch()


@pytest.mark.full
def test_a_table_of_real_firmware():
    """The kernel's own iscsi_ibft: as the incumbent reads it, byte for byte; the card it names, logins with CHAP, no daemon."""
    try:
        incumbent, guest = Incumbent(), WithFirmware(programs=Siskin())
        guest.boot()
    except Unavailable as e:
        cannot_run(e)
    with contextlib.closing(guest):
        guest.fixture("base")
        guest.run("modprobe -a virtio_net iscsi_ibft").ok()
        theirs, = (f for f in incumbent.files() if f.name == "iscsiadm")
        shown = guest.run("iscsiadm -m fw").ok()
        assert shown.out == guest.run(f"{theirs} -m fw", env=incumbent.env()).ok().out
        assert shown.out.count("# BEGIN RECORD") == 2 and "node.session.auth.password_in = " + THEIRS[1] in shown.out
        assert "node.boot_lun = 01f000000" in shown.out and "iface.bootproto = DHCP" in shown.out and shown.err == ""
        card = [line.split(" = ")[1] for line in shown.lines if line.startswith("iface.net_ifacename")]
        assert len(set(card)) == 2 and guest.run("iscsistart -f").ok().out == shown.out
        guest.run("iscsistart -N").ok()
        addresses = guest.run("ip -o addr").ok().out
        assert "inet 10.0.2.15/24" in addresses and "inet 10.0.3.15/24" in addresses
        tgtd = Tgtd(guest).start()
        tgtd.target(f"{IQN}:plain")
        tgtd.target(f"{IQN}:chap", chap=OURS, chap_in=THEIRS)
        guest.run("iscsistart -b").ok()
        assert len(guest.run(SESSIONS).lines) == 2 and len(disks_of(guest, f"{IQN}:chap")) == 1
        end_kernel_sessions(guest)
        tgtd.stop()
        assert not guest.trouble()
