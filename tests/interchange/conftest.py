# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run: SISKIN_BUILD=build /usr/bin/python3 -m pytest tests/interchange; SISKIN_TREES=500 for all of it."""
import os
import pathlib
import sys

import pytest

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "lab" / "lib"))

import cache  # noqa: E402
from agent import Agent  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()


@pytest.fixture(scope="session")
def agent(tmp_path_factory):
    incumbent = cache.part("incumbent") / "root"
    why = None
    if os.geteuid():
        why = "needs root: namespaces"
    elif not (incumbent / "sbin" / "iscsiadm").exists():
        why = "open-iscsi 2.1.8 is not in the lab's cache (tools/setup lab)"
    if why:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    a = Agent(tmp_path_factory.mktemp("etc-iscsi"), BUILD / "src" / "iscsiadm" / "iscsiadm", incumbent)
    yield a
    a.close()
