# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the end-to-end tests. Run: SISKIN_BUILD=build /usr/bin/python3 -m pytest tests/e2e

Nothing here touches the user's configuration, and a test that leaves a process, mount, loop device or link fails.
"""
import os
import pathlib
import shutil
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from instance import Instance, program  # noqa: E402
from oddtarget import OddTarget  # noqa: E402
from tgtd import Tgtd  # noqa: E402

ROOT = os.geteuid() == 0


def pytest_collection_modifyitems(items):
    for item in items:
        if not ROOT and {"instance", "make_instance", "tgtd", "make_tgtd"} & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="needs root: tgtd, loop devices"))


@pytest.fixture
def make_tgtd(tmp_path):
    """make_tgtd(ipv6=True, portals=[…]) - further tgtds"""
    made = []

    def make(**kw):
        if not shutil.which("tgtd"):
            pytest.skip("tgtd is not installed")
        t = Tgtd(tmp_path, **kw).start()
        made.append(t)
        return t

    yield make
    for t in made:
        t.stop()


@pytest.fixture
def tgtd(make_tgtd):
    """a tgtd on 127.0.0.1 without targets"""
    return make_tgtd()


@pytest.fixture
def make_instance(odd, make_tgtd):
    """make_instance(conf="node.startup = manual") - an instance that is not started yet; it ends before the targets do"""
    for name in ("iscsid", "iscsiadm", "iscsi-session"):
        if not program(name).exists():
            pytest.skip(f"{name} is not built")
    made = []

    def make(**kw):
        i = Instance(**kw)
        made.append(i)
        return i

    yield make
    problems = []
    for i in made:
        print(f"--- iscsid of {i.dir}\n{i.log}")
        problems += i.close()
    assert not problems, "left behind:\n" + "\n".join(problems)


@pytest.fixture
def instance(make_instance):
    """iscsid running in private directories"""
    return make_instance().start()


@pytest.fixture
def odd():
    """odd(**options) - an OddTarget that ends with the test"""
    made = []

    def make(**kw):
        t = OddTarget(**kw).start()
        made.append(t)
        return t

    yield make
    for t in made:
        t.stop()
