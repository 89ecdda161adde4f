#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the incumbent's recorded transcripts (tests/data/transcripts/full) in a guest, each file on a fresh kernel.

  tests/lab/transcripts.py [--programs siskin|2.1.8] [--jobs N] [-v] [NAME …]      what differs, per file and case
"""
import argparse
import concurrent.futures
import difflib
import json
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from cache import FIXTURES, TOP  # noqa: E402
from guest import GuestDied  # noqa: E402
from normal import Normal  # noqa: E402
from pool import PROGRAMS  # noqa: E402
from uml import Uml  # noqa: E402

DATA = TOP / "tests" / "data" / "transcripts"
PROFILE = "2.1.8"
NEWER = "head"      # of what only newer releases have
SETTLE = """n=0; was=x; same=0
while [ $n -lt 100 ] && [ $same -lt 4 ]; do
	now=$(ls /sys/class/scsi_device /sys/block /sys/class/iscsi_session 2>/dev/null | tr '\\n' ' ')
	if [ "$now" = "$was" ]; then same=$((same + 1)); else same=0; was=$now; fi
	n=$((n + 1)); sleep 0.1
done"""


def profile(path):
    """The version a file was recorded with: the yardstick's, where it has what the file is about."""
    with open(path) as f:
        recorded = json.loads(f.readline()).get("profiles", [PROFILE])
    return PROFILE if PROFILE in recorded else NEWER


def scenarios(programs="siskin"):
    """The files that these programs are held to: the yardstick only to what it has."""
    found = sorted((DATA / "full").glob("*.jsonl"))
    return [p for p in found if programs == "siskin" or profile(p) == PROFILE]


def deviations(stem):
    """id → what siskin does on purpose: from the cases that run without a kernel, and of those that do not (ours.json)."""
    path = DATA / f"{stem}.jsonl"
    found = json.loads((DATA / "ours.json").read_text()).get(stem, {})
    if path.exists():
        cases = [json.loads(line) for line in path.read_text().splitlines()[1:]]
        found |= {c["id"]: c["ours"] for c in cases if "ours" in c}
    return found


def same(case, channel, got, want):
    how = case.get("cmp", {}).get(channel)
    if how == "ignore":
        return True
    if channel in case.get("drop", []):
        return bool(got.strip())
    if how == "sorted":
        return sorted(got.splitlines()) == sorted(want.splitlines())
    return got == want


def compare(case, want, rc, out, err, stderr="exact"):
    """What is wrong with a case, as lines. stderr: "exact" for the incumbent itself, "there" for being there or not, "any"."""
    wrong = []
    if rc != want["rc"] and rc not in case.get("rc_in", []):
        wrong.append(f"exit {rc}, expected {want['rc']}")
    for channel, got in (("stdout", out), ("stderr", err)):
        expected = want.get(channel, "")
        if channel == "stderr" and stderr != "exact":
            if stderr == "there" and bool(got) != bool(expected) and case.get("cmp", {}).get(channel) != "ignore":
                wrong.append(f"stderr {got!r}, expected {expected!r}")
        elif not same(case, channel, got, expected):
            wrong += [f"{channel}:"] + list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", "got", n=1, lineterm=""))
    return wrong


def play(path, programs, guest_class=Uml):
    """One scenario on a kernel of its own: (number of cases, {id: lines of what is wrong})."""
    header, *cases = [json.loads(line) for line in path.read_text().splitlines()]
    ours = deviations(path.stem) if programs == "siskin" else {}
    wrong = {}
    normal = Normal()
    version = profile(path)
    cases = [c for c in cases if version in c["expect"]]
    with guest_class(programs=PROGRAMS[programs]()) as guest:
        guest.environ["FIXTURES"] = str(FIXTURES)
        guest.fixture("base", *header["fixtures"])
        for case in cases:
            for cmd in case.get("pre", []):
                guest.run(SETTLE if cmd == "@settle" else normal.fill(cmd), timeout=90)
            r = guest.run(normal.fill(case["cmd"]), timeout=case.get("timeout", 60))
            mask = case.get("mask", ())
            out, err = normal.text(r.out, mask), normal.text(r.err, mask)
            own = ours.get(case["id"], {})
            stderr = "exact" if programs != "siskin" else "any" if own else "there"
            found = compare(case, {**case["expect"][version], **own}, r.rc, out, err, stderr)
            if r.timed_out:
                found.insert(0, f"over its {case.get('timeout', 60)} s")
            if found:
                wrong[case["id"]] = [f"$ {case['cmd']}", *found]
        trouble = guest.trouble()
        if trouble:
            wrong["(kernel)"] = trouble
    return len(cases), wrong


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--programs", default="siskin", choices=PROGRAMS)
    p.add_argument("--jobs", type=int, default=2, help="kernels at once, default 2")
    p.add_argument("-v", action="store_true", help="print what differs, not only where")
    p.add_argument("name", nargs="*", help="parts of file names; default: all")
    a = p.parse_args()
    paths = [s for s in scenarios(a.programs) if not a.name or any(n in s.stem for n in a.name)]
    total = bad = 0

    def timed(path):
        start = time.monotonic()
        try:
            count, wrong = play(path, a.programs)
        except (GuestDied, AssertionError) as e:
            count, wrong = 0, {"(guest)": str(e).splitlines()}
        return count, wrong, time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(a.jobs) as threads:
        for path, (count, wrong, seconds) in zip(paths, threads.map(timed, paths)):
            total, bad = total + count, bad + len(wrong)
            print(f"{path.stem:22} {count - len(wrong):3} of {count:3} as recorded, {seconds:4.0f} s  {' '.join(wrong)}", flush=True)
            for name, lines in wrong.items() if a.v else ():
                print(f"  {name}\n    " + "\n    ".join(lines))
    print(f"{total - bad} of {total} as recorded with {PROFILE}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
