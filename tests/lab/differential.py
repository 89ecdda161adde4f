#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thousands of command lines (lib/lines.py) against our iscsiadm and open-iscsi 2.1.8 on the same state, in user-mode Linux: exit status, stdout,
the files that changed, the sessions that came or went, and that every line the incumbent has on stderr is there.

  tests/lab/differential.py [-v] [--scene records] [--family portals] [--grep TEXT] [--limit N]
  tests/lab/differential.py --scene records -- -m node -p ::1        one line

What the incumbent said is kept in ~/.cache/siskin-lab/differential, so only ours is run again. Lines that differ on purpose are told by
deviations.py, and each names its row of docs/compatibility.md.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

import deviations  # noqa: E402
import lines  # noqa: E402
from cache import CACHE, FIXTURES, GUEST, SYSTEM_PATH, Incumbent, Siskin, Unavailable  # noqa: E402
from guest import GuestDied, Result  # noqa: E402
from normal import Normal  # noqa: E402
from uml import Uml  # noqa: E402

ROOT = "/etc/iscsi"
SECONDS = 30  # for one line
T = lines.T
QUICK = """node.session.initial_login_retry_max = 1
node.conn[0].timeo.login_timeout = 3
discovery.sendtargets.reopen_max = 0
"""
# The records come from the incumbent, so that both start with the same files.
RECORDS = f"""set -e
setsid iscsid -f >/dev/null 2>&1 </dev/null & pid=$!
/bin/sh $FIXTURES/waitd.sh
for p in 127.0.0.1 ::1; do iscsiadm -m discoverydb -t st -p $p -D; done
iscsiadm -m discoverydb -t st -p 10.0.0.8 -o new
iscsiadm -m discoverydb -t isns -p 10.0.0.9 -o new
iscsiadm -m node -T {T}:disk3 -p 10.0.0.7:3261 -o new
iscsiadm -m node -T {T}:disk1 -p 10.10.0.1,2 -o new
for i in if0 if1 if4 if6 ipv6x; do iscsiadm -m iface -I $i -o new; done
iscsiadm -m iface -I if0 -o update -n iface.initiatorname -v iqn.2026-11.lab.test:other
iscsiadm -m iface -I if1 -o update -n iface.hwaddress -v 02:00:00:00:00:01
iscsiadm -m iface -I if4 -o update -n iface.net_ifacename -v lo
iscsiadm -m iface -I if6 -o update -n iface.ipaddress -v 10.1.1.9
iscsiadm -m node -T {T}:disk1 -p 127.0.0.1 -I if0 -o new
iscsiadm -m node -T {T}:disk2 -o update -n node.startup -v automatic
for k in username password; do iscsiadm -m node -T {T}:chap1 -o update -n node.session.auth.$k -v secret12charsX; done
iscsiadm -m node -T {T}:mchap -p 127.0.0.1 -o update -n node.startup -v onboot
kill $pid; wait $pid || :
"""
LOGIN = [f"iscsiadm -m node -T {T}:disk1 -p 127.0.0.1 -I default -l", f"iscsiadm -m node -T {T}:disk2 -p 127.0.0.1 -l",
         f"iscsiadm -m node -T {T}:disk1 -p ::1 -l", f"iscsiadm -m node -T {T}:disk1 -p 127.0.0.1 -I if0 -l"]
SCENES = {
    "empty": {"records": False, "daemon": None, "login": []},
    "records": {"records": True, "daemon": None, "login": []},
    "daemon": {"records": True, "daemon": ["iscsid", "-f"], "login": []},
    "sessions": {"records": True, "daemon": ["iscsid", "-f"], "login": LOGIN},
    "orphans": {"records": True, "daemon": ["iscsid", "-f"], "login": LOGIN, "orphans": True},
    "logins": {"records": True, "daemon": ["iscsid", "-f"], "login": LOGIN[:2]},
}


# --- running -----------------------------------------------------------------------------------------------------------------

BATCH = GUEST / "batch.py"


def kept(name, what, make):
    """What make() returns, kept in the cache under a name that changes with what it is made from."""
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
    path = CACHE / "differential" / f"{name}-{digest}.json"
    if path.exists():
        return json.loads(path.read_text())
    made = make()
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(made))
    new.rename(path)
    return made


def set_up(guest):
    guest.fixture("base", "tgtd")
    guest.run(f"sed -i '/iscsid.startup/d' {ROOT}/iscsid.conf; cat >> {ROOT}/iscsid.conf", stdin=QUICK).ok()


def make_records():
    """The incumbent's files: path → (mode, text)"""
    with Uml(programs=Incumbent()) as guest:
        set_up(guest)
        guest.environ["FIXTURES"] = str(FIXTURES)
        guest.run(RECORDS, timeout=120).ok()
        return json.loads(guest.run(["/usr/bin/python3", "-B", BATCH, "--tree", ROOT]).ok().out)


def records():
    return kept("records", [RECORDS, QUICK, BATCH.read_text()], make_records)


def order_of(scene, argvs):
    s = SCENES[scene]
    return {"scene": {"root": ROOT, "files": records() if s["records"] else None, **s}, "cases": argvs, "seconds": SECONDS}


def checked(r, programs, scene, argvs):
    results = [json.loads(line) for line in r.out.splitlines()]
    if r.err:
        print(f"lab: {programs.name} {scene}: {r.err}", file=sys.stderr)
    if r.rc or len(results) != len(argvs):
        raise AssertionError(f"{programs.name} {scene}: exit {r.rc}, {len(results)} of {len(argvs)} lines\n{r.err}")
    return results


def in_uml(programs, scene, argvs):
    """A kernel of its own, the scene, the lines: [result]"""
    with Uml(programs=programs) as guest:
        set_up(guest)
        order = guest.dir / "share" / "order.json"
        order.write_text(json.dumps(order_of(scene, argvs)))
        r = guest.run(["/usr/bin/python3", "-B", BATCH, order], timeout=60 + SECONDS * len(argvs))
        trouble = guest.trouble()
        if trouble:
            print("lab: " + "\n".join(trouble), file=sys.stderr)
        return checked(r, programs, scene, argvs)


HERE = f"""set -e; cd /
for d in /run /etc/iscsi /var/lib; do mount -t tmpfs tmp $d; done
mkdir -p /run/lock /run/lab; ip link set lo up; hostname labhost
grep '^printf.*hosts' $FIXTURES/base.sh > /run/lab/names; grep '^printf.*nss' $FIXTURES/base.sh >> /run/lab/names; . /run/lab/names
echo 'InitiatorName=iqn.2026-11.lab.test:initiator' > {ROOT}/initiatorname.iscsi
sed -n '/^cat.*iscsid.conf/,/^CONF/p' $FIXTURES/base.sh | sed '1d;$d;/iscsid.startup/d' > {ROOT}/iscsid.conf
printf %s "$QUICK" >> {ROOT}/iscsid.conf
exec /usr/bin/python3 -B {BATCH} $ORDER"""


def in_namespaces(programs, scene, argvs):
    """On the running kernel, with mounts, network and processes of its own: far faster, for scenes without sessions."""
    with tempfile.TemporaryDirectory(prefix="siskin-lab-") as folder:
        sbin, order = pathlib.Path(folder, "sbin"), pathlib.Path(folder, "order.json")
        sbin.mkdir()
        for file in programs.files():
            (sbin / file.name).symlink_to(file)
        order.write_text(json.dumps(order_of(scene, argvs)))
        env = {"PATH": f"{sbin}:{SYSTEM_PATH}", "SBIN": str(sbin), "LAB_MODDIR": "/none", "FIXTURES": str(FIXTURES), "ORDER": str(order),
               "QUICK": QUICK, **programs.env()}
        r = subprocess.run(["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-c", HERE],
                           env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return checked(Result("batch", r.returncode, r.stdout, r.stderr, False, 0), programs, scene, argvs)


def incumbents(run, scene, argvs):
    """As run(), once for all time."""
    what = [run.__name__, order_of(scene, argvs), BATCH.read_text(), HERE]
    return kept(scene, what, lambda: run(Incumbent(), scene, argvs))


# --- comparing ----------------------------------------------------------------------------------------------------------------

RECORD_VERSION = re.compile(r"# BEGIN RECORD [^\"]*")


def normal(result):
    """The result with what differs from run to run replaced."""
    n = Normal()
    for kind, numbers in (("SID", result["sids"]), ("HOST", result["hosts"])):
        for number in numbers:
            n.token(kind, str(number), ())
    out, err = n.text(result["out"]), n.text(result["err"])
    files = json.loads(RECORD_VERSION.sub("# BEGIN RECORD", json.dumps(result.get("files", {}), indent=0)))
    return {"rc": result["rc"], "out": out, "err": err, "files": files, "sessions": result.get("sessions"), "daemon": result.get("daemon")}


def comparable(argv, text):
    """stdout; its lines sorted where nobody defined their order: what runs in parallel, and what comes in the order of directories."""
    words = " ".join(argv)
    loose = any(w in words for w in ("-R", "--resc", "-l", "-u", "-L", "-U", "--log", "-o new", "--op new", "--op=new", "-onew", "discovery"))
    return sorted(text.splitlines()) if loose else text


def said(text):
    """stderr as a set of lines, without the source positions"""
    return {re.sub(r"\s*# \{SRC\}$", "", line) for line in text.splitlines()}


def files_differ(want, got):
    """Only what differs: path, their changes, ours"""
    differ = {path: (want.get(path), got.get(path)) for path in want.keys() | got.keys() if want.get(path) != got.get(path)}
    return "".join(f"\n        {path}\n            theirs {a}\n            ours   {b}" for path, (a, b) in sorted(differ.items()))


def differences(argv, want, got):
    """Of the incumbent's result and ours: [(channel, text)]"""
    want, got, found = normal(want), normal(got), []
    for what in ("rc", "sessions", "daemon"):
        if want[what] != got[what]:
            found.append((what, f"{json.dumps(want[what])}\n        ours {json.dumps(got[what])}"))
    if comparable(argv, want["out"]) != comparable(argv, got["out"]):
        found.append(("stdout", f"{want['out']!r}\n        ours {got['out']!r}"))
    files = [{path: c for path, c in x["files"].items() if not deviations.tolerated(path, c)} for x in (want, got)]
    if files[0] != files[1]:
        found.append(("files", files_differ(*files)))
    debug = any(a.startswith(("-d", "--d")) for a in argv)
    gone = [] if debug else sorted(said(want["err"]) - said(got["err"]))
    if gone:
        found.append(("stderr", f"{gone!r}\n        ours {got['err']!r}"))
    return found


def shown(argv):
    return "iscsiadm " + " ".join(a if a and re.fullmatch(r"[\w@%+=:,./{}\[\]-]+", a) else repr(a) for a in argv)


class Tally:
    """Counts, and of differences that look alike the first."""

    def __init__(self, verbose, every):
        self.verbose, self.every = verbose, every
        self.lines, self.differ, self.deviate, self.alike = 0, 0, collections.Counter(), {}

    def take(self, scene, family, argv, want, got):
        self.lines += 1
        found = differences(argv, want, got)
        if not found:
            return
        row = deviations.row_of(argv, normal(want), normal(got), [channel for channel, _ in found])
        if row:
            self.deviate[row] += 1
            return
        self.differ += 1
        kind = (want["rc"], got["rc"], *(c for c, _ in found), *(re.sub(r"\S*[\d/]\S*", "#", want["err"]).splitlines()[:2]))
        self.alike.setdefault(kind, []).append((scene, family, argv, found))

    def report(self):
        for _, differ in sorted(self.alike.items(), key=lambda x: -len(x[1])):
            scene, family, argv, found = differ[0]
            more = f" and {len(differ) - 1} more" if len(differ) > 1 else ""
            print(f"{scene} {family}: {shown(argv)}: {' '.join(c for c, _ in found)}{more}")
            for channel, text in found if self.verbose else ():
                print(f"    {channel}: {text}")
            for scene, family, argv, _ in differ[1:] if self.every else ():
                print(f"        {shown(argv)}")
        for row, n in sorted(self.deviate.items()):
            print(f"  {n:5} on purpose: {row}")
        print(f"{self.lines} lines, {self.differ} differ in {len(self.alike)} ways, {sum(self.deviate.values())} on purpose")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--scene", action="append", choices=SCENES, help="default: all")
    p.add_argument("--family", action="append", default=[], help="of lines.py")
    p.add_argument("--grep", default="", help="only lines with this text")
    p.add_argument("--limit", type=int, default=10**9, metavar="N", help="only every so many lines that N are left of each scene")
    p.add_argument("--chunk", type=int, default=1500, metavar="N", help="lines of one kernel, default 1500")
    p.add_argument("--uml", action="store_true", help="scenes without a daemon too")
    p.add_argument("-v", action="store_true", help="print how they differ")
    p.add_argument("--every", action="store_true", help="print every line that differs, not the first of those alike")
    p.add_argument("argv", nargs="*", help="one command line, after --")
    a = p.parse_args()
    tally = Tally(a.v or bool(a.argv), a.every)
    jobs = []
    for scene in a.scene or SCENES:
        wanted = [("given", a.argv)] if a.argv else [x for x in lines.lines(scene, a.family) if a.grep in " ".join(x[1])]
        wanted = wanted[::-(-len(wanted) // a.limit) or 1]
        jobs += [(scene, wanted[i:i + a.chunk]) for i in range(0, len(wanted), a.chunk)]
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        runs = []
        for scene, part in jobs:
            argvs = [argv for _, argv in part]
            run = in_namespaces if not SCENES[scene]["daemon"] and not a.uml else in_uml
            runs.append((scene, part, threads.submit(incumbents, run, scene, argvs), threads.submit(run, Siskin(), scene, argvs)))
        for scene, part, theirs, ours in runs:
            start = time.monotonic()
            try:
                results = theirs.result(), ours.result()
            except (GuestDied, Unavailable, AssertionError) as e:
                print(f"lab: {scene}: {e}", file=sys.stderr)
                tally.differ += 1
                continue
            for (family, argv), want, got in zip(part, *results):
                tally.take(scene, family, argv, want, got)
            print(f"{scene}: {len(part)} lines, waited {time.monotonic() - start:.0f} s", file=sys.stderr)
    tally.report()
    return bool(tally.differ)


if __name__ == "__main__":
    sys.exit(main())
