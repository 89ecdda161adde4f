# SPDX-License-Identifier: LGPL-2.1-or-later
"""Targets inside a guest: tgtd (a process) and LIO (the kernel's, by configfs). Each can live in a network namespace.

    t = Tgtd(guest).start()                       l = Lio(guest).start()
    t.target("iqn.x:a", luns=["16M"])             l.target("iqn.x:b", {1: ["10.10.0.1:3261", "[::1]:3261"]}, luns=["16M"])

and the scripted one of tests/lib:  o = Odd(guest, "keys={'DefaultTime2Wait': 0}").start(); o.ask("alive()[0].drop()")
"""
import ast
import itertools
import pathlib
import shlex
import signal

from cache import BUILD
from net import inside


class Tgtd:
    """portals: "ADDR:PORT" or "[ADDR6]:PORT"; by default every address, 3260."""

    numbers = itertools.count(1)

    def __init__(self, guest, portals=(), ns=None):
        self.guest, self.portals, self.ns = guest, list(portals), ns
        self.control = next(Tgtd.numbers)
        self.dir = f"/run/tgt-{self.control}"
        self.env = {"TGT_IPC_SOCKET": f"{self.dir}/ctl"}
        self.setup = []  # what brings targets back after a crash
        self.job = None

    def start(self):
        argv = ["tgtd", "-f", "-C", str(self.control)]
        for p in self.portals:
            argv += ["--iscsi", f"portal={p}"]
        self.guest.run(["mkdir", "-p", self.dir]).ok()
        self.job = self.guest.start(inside(self.ns, argv), timeout=36000, env=self.env)
        self.guest.wait_until(lambda: self.adm("--mode sys --op show").rc == 0, "tgtd")
        if self.setup:
            self.guest.run(" && ".join(self.setup), env=self.env).ok()
        return self

    def adm(self, args):
        return self.guest.run(f"tgtadm -C {self.control} --lld iscsi {args}", env=self.env)

    def _do(self, *lines):
        lines = [f"tgtadm -C {self.control} --lld iscsi {line}" for line in lines]
        self.guest.run(" && ".join(lines), env=self.env).ok()
        self.setup += lines

    def target(self, name, luns=("16M",), chap=None, chap_in=None, **params):
        """luns: sizes, numbered from 1. chap: (user, password) to prove; chap_in: the target's own. params: text keys."""
        tid = sum("--mode target --op new" in line for line in self.setup) + 1
        todo = [f"--mode target --op new --tid {tid} -T {name}", f"--mode target --op bind --tid {tid} -I ALL"]
        for user, outgoing in ((chap, ""), (chap_in, " --outgoing")):
            if user:
                todo += [f"--mode account --op new --user {user[0]} --password {user[1]}",
                         f"--mode account --op bind --tid {tid} --user {user[0]}{outgoing}"]
        todo += [f"--mode target --op update --tid {tid} --name {k} --value {v}" for k, v in params.items()]
        self._do(*todo)
        for number, size in enumerate(luns, 1):
            self.add_lun(tid, number, size)
        return tid

    def add_lun(self, tid, number, size):
        file = f"{self.dir}/{tid}-{number}.img"
        self.guest.run(["truncate", "-s", size, file]).ok()
        self._do(f"--mode logicalunit --op new --tid {tid} --lun {number} -b {file}")

    def connections(self, tid):
        return self.adm(f"--mode conn --op show --tid {tid}").ok().out.count("Connection:")

    def kill(self):
        """As a crash. (tgtd ignores SIGTERM while it has targets.)"""
        if self.job:
            self.job.kill(signal.SIGKILL)
            self.job.wait()
            self.job = None

    def pause(self):
        """Connections stay, nothing answers."""
        self.job.kill(signal.SIGSTOP)

    def resume(self):
        self.job.kill(signal.SIGCONT)

    def stop(self):
        self.kill()
        self.guest.run(["rm", "-r", self.dir])


class Lio:
    """The kernel's target; one per guest, its portals in the namespace their target names."""

    ROOT = "/sys/kernel/config/target"

    def __init__(self, guest):
        self.guest = guest
        self.disks = itertools.count()
        self.undo = []  # shell lines, last made first undone

    def start(self):
        self.guest.run(f"modprobe -a target_core_mod target_core_file iscsi_target_mod && mkdir -p {self.ROOT}/iscsi").ok()
        return self

    def _do(self, lines, undo=(), ns=None):
        self.guest.run(inside(ns, ["/bin/sh", "-ec", "\n".join(lines)])).ok()
        self.undo = list(undo) + self.undo

    def disk(self, size="16M"):
        """A RAM disk of whole MiB: its configfs folder."""
        assert size.endswith("M"), size
        d = f"{self.ROOT}/core/rd_mcp_0/d{next(self.disks)}"
        self._do([f"mkdir -p {d}", f"echo rd_pages={int(size[:-1]) * 256} >{d}/control", f"echo 1 >{d}/enable"], [f"rmdir {d}"])
        return d

    def target(self, name, portals, luns=("16M",), chap=None, chap_in=None, acls=None, ns=None, **attrib):
        """portals: {tag: ["ADDR:PORT", …]}, the same LUNs behind each tag, from 0. chap: (user, password), chap_in: the
        target's. acls: initiator names, only these may log in. attrib: the portal group's."""
        disks = [self.disk(size) for size in luns]
        for tag, addresses in portals.items():
            t = f"{self.ROOT}/iscsi/{name}/tpgt_{tag}"
            lines, undo = [f"mkdir -p {t}"], [f"rmdir {t}", f"rmdir {self.ROOT}/iscsi/{name} 2>/dev/null || true"]
            for n, d in enumerate(disks):
                lines += [f"mkdir {t}/lun/lun_{n}", f"ln -s {d} {t}/lun/lun_{n}/disk"]
                undo = [f"rm {t}/lun/lun_{n}/disk", f"rmdir {t}/lun/lun_{n}"] + undo
            settings = {"authentication": int(bool(chap)), "generate_node_acls": int(not acls), "cache_dynamic_acls": 1,
                        "demo_mode_write_protect": 0, **attrib}
            lines += [f"echo {v} >{t}/attrib/{k}" for k, v in settings.items()]
            lines += self._chap(t, chap, chap_in)
            for initiator in acls or ():
                a = f"{t}/acls/{initiator}"
                lines += [f"mkdir {a}", *self._chap(a, chap, chap_in)]
                undo = [f"rmdir {a}"] + undo
                for n in range(len(disks)):
                    lines += [f"mkdir {a}/lun_{n}", f"ln -s {t}/lun/lun_{n} {a}/lun_{n}/lun"]
                    undo = [f"rm {a}/lun_{n}/lun", f"rmdir {a}/lun_{n}"] + undo
            for address in addresses:
                lines.append(f"mkdir '{t}/np/{address}'")
                undo = [f"rmdir '{t}/np/{address}'"] + undo
            lines.append(f"echo 1 >{t}/enable")
            self._do(lines, [f"echo 0 >{t}/enable"] + undo, ns)
        return f"{self.ROOT}/iscsi/{name}"

    @staticmethod
    def _chap(folder, chap, chap_in):
        rows = [*zip(("userid", "password"), chap or ()), *zip(("userid_mutual", "password_mutual"), chap_in or ())]
        return [f"printf %s {shlex.quote(value)} >{folder}/auth/{file}" for file, value in rows]

    def enable(self, name, tag, on=True):
        """Take a portal group away (its sessions end) or bring it back."""
        self.guest.run(f"echo {int(on)} >{self.ROOT}/iscsi/{name}/tpgt_{tag}/enable").ok()

    def add_lun(self, name, tag, number, size):
        d, lun = self.disk(size), f"{self.ROOT}/iscsi/{name}/tpgt_{tag}/lun/lun_{number}"
        self._do([f"mkdir {lun}", f"ln -s {d} {lun}/disk"], [f"rm {lun}/disk", f"rmdir {lun}"])

    def stop(self):
        if self.undo:
            self.guest.run(["/bin/sh", "-ec", "\n".join(self.undo)]).ok()
        self.undo = []


class Odd:
    """tests/lib/oddtarget.py in the guest, on 127.0.0.1; options as its keyword arguments are written."""

    PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "guest" / "odd.py"
    numbers = itertools.count(1)

    def __init__(self, guest, options=""):
        self.guest, self.options = guest, options
        self.path = f"/run/odd-{next(Odd.numbers)}"
        self.job = None

    def start(self):
        self.job = self.guest.start([self.PROGRAM, "serve", self.path, self.options], timeout=36000)
        self.guest.wait_until(lambda: not self.job.running or self.guest.run(["test", "-S", self.path]).rc == 0, "the odd target")
        self.portal, self.name = self.ask("t.portal"), self.ask("t.name")
        return self

    def ask(self, expression):
        """A Python expression there; its value, where Python can read it back."""
        text = self.guest.run([self.PROGRAM, "ask", self.path, expression]).ok().out.strip()
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError):
            return text

    def wait(self, expression, seconds=20):
        self.guest.wait_until(lambda: self.ask(expression), expression, seconds)

    def stop(self):
        """Complains of what the initiator did wrong."""
        if self.job:
            self.guest.run([self.PROGRAM, "ask", self.path, "end"])
            self.job.wait().ok()
            self.job = None
            self.guest.run(["rm", self.path])


class Null:
    """bench's null target: every name is a target of it with one LUN of zeroes, many connections cost it nothing."""

    def __init__(self, guest):
        self.guest, self.job = guest, None

    def start(self):
        self.job = self.guest.start([BUILD / "bench" / "null-target", "--port", "3260", "--luns", "1"], timeout=36000, live=self.ignore)
        self.guest.wait_until("ss -Hltn 'sport = :3260' | grep -q .", "the null target")
        return self

    @staticmethod
    def ignore(fd, data):
        """Output comes while it runs."""

    def count(self):
        """Sessions there are, logins there were."""
        before = len(self.said())
        self.job.kill(signal.SIGUSR2)
        words = self.guest.wait_until(lambda: self.said()[before:], "an answer of the null target")[0].split()
        return int(words[1]), int(words[3])

    def said(self):
        return b"".join(self.job.data[1]).decode().rpartition("\n")[0].split("\n")[1:]

    def drop(self):
        """Closes every connection."""
        self.job.kill(signal.SIGUSR1)

    def stop(self):
        if self.job:
            self.job.kill(signal.SIGTERM)
            self.job.wait()
