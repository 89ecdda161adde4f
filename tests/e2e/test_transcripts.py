# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the incumbent printed, case by case, against our programs in private directories (tests/data/transcripts)."""
import json
import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()
SCENARIOS = sorted((TOP / "tests" / "data" / "transcripts").glob("*.jsonl"))

CONF = """\
node.startup = manual
node.leading_login = No
node.session.timeo.replacement_timeout = 120
node.conn[0].timeo.login_timeout = 15
node.conn[0].timeo.logout_timeout = 15
node.conn[0].timeo.noop_out_interval = 5
node.conn[0].timeo.noop_out_timeout = 5
node.session.initial_login_retry_max = 8
node.session.cmds_max = 128
node.session.queue_depth = 32
node.session.xmit_thread_priority = 0
node.session.iscsi.FastAbort = Yes
node.session.scan = auto
"""


@pytest.fixture
def shell(tmp_path):
    """Run a command line with our programs first in PATH and every directory private."""
    bin_dir, conf, scratch = tmp_path / "bin", tmp_path / "conf", tmp_path / "scratch"
    for d in (bin_dir, conf, scratch, tmp_path / "run"):
        d.mkdir()
    for name in ("iscsiadm", "iscsi-iname", "iscsistart"):
        (bin_dir / name).symlink_to(BUILD / "src" / name / name)
    (conf / "iscsid.conf").write_text(CONF)
    (conf / "initiatorname.iscsi").write_text("InitiatorName=iqn.2026-11.lab.test:initiator\n")
    (tmp_path / "sysfs").mkdir()
    env = {
        "PATH": f"{bin_dir}:/usr/sbin:/usr/bin:/sbin:/bin",
        "CONF": str(conf),
        "SCRATCH": str(scratch),
        "SISKIN_HOMEDIR": str(conf),
        "SISKIN_RUNDIR": str(tmp_path / "run"),
        "SISKIN_SYSFS": str(tmp_path / "sysfs"),
    }

    def run(cmd):
        return subprocess.run(["/bin/sh", "-c", cmd], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              text=True, errors="surrogateescape")

    return run


def normal(text):
    text = re.sub(r"(# BEGIN RECORD |\bversion )[0-9][0-9A-Za-z.-]*", r"\1{VERSION}", text)
    return text


def same(case, channel, got, want):
    how = case.get("cmp", {}).get(channel)
    if how == "ignore":
        return True
    if channel in case.get("drop", []):
        return bool(got.strip())
    if how == "sorted":
        return sorted(got.splitlines()) == sorted(want.splitlines())
    return got == want


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_scenario(path, shell):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    wrong = []
    for case in lines[1:]:
        for cmd in case.get("pre", []):
            shell(cmd)
        r = shell(case["cmd"])
        want = case | case.get("ours", {})
        if r.returncode != want["rc"]:
            wrong.append(f"{case['id']}: exit {r.returncode}, expected {want['rc']}: {r.stderr}")
        if not same(case, "stdout", normal(r.stdout), want["stdout"]):
            wrong.append(f"{case['id']}: stdout\n{r.stdout!r}\nexpected\n{want['stdout']!r}")
        if "ours" not in case and bool(r.stderr) != bool(case["stderr"]):
            wrong.append(f"{case['id']}: stderr {r.stderr!r}, expected {case['stderr']!r}")
    assert not wrong, "\n".join(wrong)


def test_there_are_cases():
    assert len(SCENARIOS) >= 10
