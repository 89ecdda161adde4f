# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/compatibility.md, the transcripts' deviations and those of the differential test name the same rows."""
import json
import pathlib
import re
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


def test_each_deviation_is_documented():
    rows = documented()
    assert len(rows) == len(set(rows)) > 20
    assert {row: cases for row, cases in of_transcripts().items() if row not in rows} == {}
    assert of_lines() - set(rows) == set()


def test_each_row_is_of_use():
    assert set(documented()) - of_lines() - set(of_transcripts()) == set()
