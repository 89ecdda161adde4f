# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/compatibility.md, the transcripts' deviations and those of the differential test name the same rows."""
import json
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
DATA = TOP / "tests" / "data" / "transcripts"
sys.path.insert(0, str(TOP / "tests" / "lab" / "lib"))


def documented():
    text = (TOP / "docs" / "compatibility.md").read_text()
    return re.findall(r"^\| ([a-z-]+) \|", text, re.M)[1:]  # without the heading


def of_transcripts():
    """row → cases that differ by it"""
    found = {}
    for path in sorted(DATA.glob("*.jsonl")):
        for line in path.read_text().splitlines()[1:]:
            case = json.loads(line)
            if "ours" in case:
                found.setdefault(case["ours"].get("row"), []).append(f"{path.stem} {case['id']}")
    for stem, cases in json.loads((DATA / "ours.json").read_text()).items():
        for name, own in cases.items():
            found.setdefault(own.get("row"), []).append(f"{stem} {name}")
    return found


def of_lines():
    import deviations
    return deviations.ROWS


def named_tests():
    files = [*(TOP / "tests" / "e2e").glob("test_*.py"), *(TOP / "tests" / "lab").glob("test_*.py")]
    return {name.replace("_", "-") for path in files for name in re.findall(r"^def test_(\w+)\(", path.read_text(), re.M)}


def test_each_deviation_is_documented():
    rows = documented()
    assert len(rows) == len(set(rows)) > 20
    assert {row: cases for row, cases in of_transcripts().items() if row not in rows} == {}
    assert of_lines() - set(rows) == set()


def test_each_row_is_of_use():
    """By a transcript, a line of the differential test, or a test of its name."""
    assert set(documented()) - of_lines() - set(of_transcripts()) - named_tests() == set()


def test_iface_unread(tmp_path):
    """One iface file that cannot be read is named, and the others are listed."""
    build = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()
    (tmp_path / "ifaces").mkdir()
    for name, text in (("good", "iface.net_ifacename = eth7\n"), ("bad", "iface.mtu = 9\niface.bogus\n\0\1")):
        (tmp_path / "ifaces" / name).write_text(f"# BEGIN RECORD 2.1.8\niface.iscsi_ifacename = {name}\niface.transport_name = tcp\n{text}# END RECORD\n")
    (tmp_path / "ifaces" / "loop").symlink_to("loop")
    r = subprocess.run([build / "src/iscsiadm/iscsiadm", "-m", "iface"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
                       env={"PATH": os.environ["PATH"], "SISKIN_HOMEDIR": str(tmp_path), "SISKIN_RUNDIR": str(tmp_path / "run")})
    assert r.returncode == 0
    assert "good tcp,<empty>,<empty>,eth7,<empty>\n" in r.stdout and "default tcp," in r.stdout
    assert "loop" in r.stderr
