# SPDX-License-Identifier: LGPL-2.1-or-later
"""siskin in directories of its own: iscsid, iscsiadm, and a look at what they leave behind."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from ports import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None       # many small files, each written durably
INITIATOR = "iqn.2026-11.org.siskin.test:initiator"


def program(name):
    return BUILD / "src" / name / name


class Result:
    """What one command did."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    lines = property(lambda self: self.out.splitlines())

    def ok(self):
        assert self.rc == 0, str(self)
        return self

    def fails(self, rc):
        assert self.rc == rc, str(self)
        return self

    def __str__(self):
        return f"{' '.join(self.argv)}: exit {self.rc}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Instance:
    """Every directory private, below one short temporary one (socket paths are short)."""

    def __init__(self, conf="", initiator=INITIATOR):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="siskin-", dir=FAST))
        self.home, self.db, self.run, self.lock, self.dev = (self.dir / n for n in ("etc", "db", "run", "lock", "dev"))
        for d in (self.home, self.db, self.run, self.lock, self.dev):
            d.mkdir(mode=0o700)
        self.conf(conf)
        (self.home / "initiatorname.iscsi").write_text(f"InitiatorName={initiator}\n")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SISKIN_", "LISTEN_", "NOTIFY_"))}
        self.env.update(SISKIN_HOMEDIR=str(self.home), SISKIN_DBROOT=str(self.db), SISKIN_RUNDIR=str(self.run),
                        SISKIN_LOCKDIR=str(self.lock), SISKIN_DEVDIR=str(self.dev),
                        SISKIN_LIBEXECDIR=str(BUILD / "src" / "iscsi-session"), PYTHONDONTWRITEBYTECODE="1")
        self.iscsid = None
        self.log_path = self.dir / "iscsid.log"

    def conf(self, text):
        """iscsid.conf: the one we ship (no startup command), then these lines."""
        shipped = TOP / "etc" / "iscsid.conf"
        base = shipped.read_text() if shipped.exists() else ""
        lines = [x for x in base.splitlines() if not x.lstrip().startswith("iscsid.startup")]
        (self.home / "iscsid.conf").write_text("\n".join(lines) + "\n" + text + "\n")

    log = property(lambda self: self.log_path.read_text(errors="replace") if self.log_path.exists() else "")

    def start(self, *args, ready=True):
        """iscsid in the foreground; returns when it has said READY=1."""
        assert self.iscsid is None
        path = self.dir / "notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hear, open(self.log_path, "ab") as log:
            hear.bind(str(path))
            hear.setblocking(False)
            self.iscsid = subprocess.Popen([str(program("iscsid")), "-f", *map(str, args)], stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log, start_new_session=True, cwd="/",
                                           env={**self.env, "NOTIFY_SOCKET": str(path)})

            def told():
                try:
                    return b"READY=1" in hear.recv(4096)
                except BlockingIOError:
                    return False

            if ready:
                try:
                    wait_until(told, "READY=1 from iscsid", alive=lambda: self.iscsid.poll() is None)
                except AssertionError as e:
                    raise AssertionError(f"{e}\n{self.log}") from None
        return self

    def stop(self, seconds=20):
        """SIGTERM, as the service manager does; sessions stay. Returns the exit status."""
        if not self.iscsid:
            return None
        self.iscsid.send_signal(signal.SIGTERM)
        return self._reap(seconds)

    def kill(self):
        self.iscsid.kill()
        return self._reap(10)

    def _reap(self, seconds):
        try:
            rc = self.iscsid.wait(seconds)
        except subprocess.TimeoutExpired:
            self.iscsid.kill()
            self.iscsid.wait()
            self.iscsid = None
            raise AssertionError(f"iscsid did not end within {seconds} s\n{self.log}") from None
        self.iscsid = None
        return rc

    def restart(self, *args):
        self.stop()
        return self.start(*args)

    def tool(self, name, *args, timeout=90, stdin=None):
        argv = [str(program(name)), *map(str, args)]
        r = subprocess.run(argv, env=self.env, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                           capture_output=True, text=True, errors="surrogateescape", timeout=timeout, cwd="/")
        return Result(argv, r.returncode, r.stdout, r.stderr)

    def adm(self, *args, **kw):
        return self.tool("iscsiadm", *args, **kw)

    def adm_json(self, *args):
        return json.loads(self.adm("--json", *args).ok().out)

    def start_adm(self, *args):
        """iscsiadm in the background: a Popen with pipes."""
        return subprocess.Popen([str(program("iscsiadm")), *map(str, args)], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")

    def discover(self, portal):
        return self.adm("-m", "discovery", "-t", "sendtargets", "-p", portal)

    def login(self, target, portal=None):
        return self.adm("-m", "node", "-T", target, *(["-p", portal] if portal else []), "--login")

    def logout(self, target, portal=None):
        return self.adm("-m", "node", "-T", target, *(["-p", portal] if portal else []), "--logout")

    def set(self, target, **values):
        """Node record values; __ in a name is a dot: node__startup="manual", or pass a dict by **{"a.b": …}."""
        for name, value in values.items():
            self.adm("-m", "node", "-T", target, "-o", "update", "-n", name.replace("__", "."), "-v", value).ok()

    def session_dirs(self):
        d = self.run / "session"
        return sorted(d.iterdir(), key=lambda p: int(p.name)) if d.is_dir() else []

    def links(self):
        """name → resolved device of every by-path link."""
        d = self.dev / "disk" / "by-path"
        return {p.name: os.path.realpath(p) for p in sorted(d.iterdir())} if d.is_dir() else {}

    def disk(self, target, lun, seconds=20):
        """The device behind the by-path link of this LUN, once it is there and opens."""
        end = f"-iscsi-{target}-lun-{lun}"

        def there():
            return next((dev for name, dev in self.links().items() if name.endswith(end) and os.path.exists(dev)), None)

        return wait_until(there, f"disk {end}")

    # --- what is left -------------------------------------------------------------------------------------------------

    def processes(self):
        """pid → command line of every process of this instance, known by its environment."""
        mark = f"SISKIN_RUNDIR={self.run}".encode()
        found = {}
        for p in pathlib.Path("/proc").iterdir():
            if not p.name.isdigit() or int(p.name) == os.getpid():
                continue
            try:
                if mark in (p / "environ").read_bytes().split(b"\0") and (p / "stat").read_text().split(") ")[1][0] != "Z":
                    found[int(p.name)] = (p / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except (OSError, IndexError):
                continue
        return found

    def mounts(self):
        rows = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        return [r.split()[4] for r in rows if r.split()[4].startswith(str(self.dir) + "/")]

    def loops(self):
        found = {}
        for p in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
            try:
                back = p.read_text().strip()
            except OSError:
                continue
            if back.startswith(str(self.dir) + "/"):
                found["/dev/" + p.parts[3]] = back
        return found

    def left(self):
        """Everything that outlived its end, as text; empty when clean."""
        rows = [f"process {pid}: {cmd}" for pid, cmd in self.processes().items()]
        rows += [f"mount {m}" for m in self.mounts()]
        rows += [f"loop device {dev} on {back}" for dev, back in self.loops().items()]
        rows += [f"link {name}" for name in self.links()]
        rows += [f"session directory {d.name}" for d in self.session_dirs()]
        return rows

    def close(self):
        """Log out, stop, look; then clear away by force what should not be there and return what it was."""
        problems = []
        if self.session_dirs() and self.iscsid is None:
            try:
                self.start()
            except AssertionError as e:
                problems.append(str(e))
        if self.session_dirs():
            r = self.adm("-m", "session", "--logout")
            if r.rc:
                problems.append(str(r))
        if self.iscsid:
            try:
                self.stop()
            except AssertionError as e:
                problems.append(str(e))
        try:
            wait_until(lambda: not self.left(), "clean end", 5)
        except AssertionError:
            problems += self.left()
        self._force()
        shutil.rmtree(self.dir, ignore_errors=True)
        return problems

    def _force(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for dev in self.loops():
            subprocess.run(["losetup", "-d", dev], check=False, capture_output=True)
        for m in reversed(self.mounts()):
            subprocess.run(["umount", "-l", m], check=False, capture_output=True)
