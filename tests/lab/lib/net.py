# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several hosts in one guest: network namespaces, links between them, delay, loss and cuts.

    net = Net(guest)
    net.host("array"); link = net.link("array", "10.1.0.1/24", "10.1.0.2/24")      here: l0-array, there: eth0
    link.netem("delay 20ms loss 1%"); link.cut(); link.mend(); net.stop()
"""
import shlex


def inside(ns, argv):
    """argv as it runs in a network namespace; None: in the first one. (ip netns exec would hide configfs under a new /sys.)"""
    return ["nsenter", f"--net=/run/netns/{ns}", *argv] if ns else list(argv)


class Link:
    """A cable between the first namespace (here) and a host's."""

    def __init__(self, net, host, number):
        self.net, self.host = net, host
        self.here, self.there = f"l{number}-{host}"[:15], f"eth{number}"

    def netem(self, what):
        """Both directions: "delay 10ms", "loss 5%", "rate 100mbit" …; "" takes it away again."""
        for ns, dev in ((None, self.here), (self.host, self.there)):
            cmd = f"tc qdisc replace dev {dev} root netem {what}" if what else f"tc qdisc del dev {dev} root"
            self.net.run(ns, cmd)

    def cut(self):
        """The carrier goes; addresses and routes here stay, so that connections hang rather than fail."""
        self.net.run(self.host, f"ip link set {self.there} down")

    def mend(self):
        self.net.run(self.host, f"ip link set {self.there} up")
        for address in self.addresses:  # IPv6 addresses go with the link
            self.net.run(self.host, f"ip addr replace {address} dev {self.there}{' nodad' if ':' in address else ''}")


class Net:
    def __init__(self, guest):
        self.guest, self.hosts, self.links = guest, [], []

    def run(self, ns, cmd):
        return self.guest.run(inside(ns, shlex.split(cmd))).ok()

    def host(self, name):
        self.run(None, f"ip netns add {name}")
        self.hosts.append(name)
        self.run(name, "ip link set lo up")
        return name

    def link(self, host, *pairs):
        """pairs: (address/prefix here, address/prefix there) …, IPv4 or IPv6."""
        link = Link(self, host, len(self.links))
        self.links.append(link)
        self.run(None, f"ip link add {link.here} type veth peer name {link.there} netns {host}")
        link.addresses = [there for _, there in pairs]
        for here, there in pairs:
            dad = " nodad" if ":" in here else ""
            self.run(None, f"ip addr add {here} dev {link.here}{dad}")
            self.run(host, f"ip addr add {there} dev {link.there}{dad}")
        self.run(None, f"ip link set {link.here} up")
        self.run(host, f"ip link set {link.there} up")
        return link

    def stop(self):
        for link in self.links:
            self.guest.run(["ip", "link", "del", link.here])
        for host in self.hosts:
            self.guest.run(["ip", "netns", "del", host])
        if self.hosts:
            self.guest.run(["umount", "/run/netns"])
        self.hosts, self.links = [], []
