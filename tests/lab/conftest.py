# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the lab. Run: tools/setup lab; /usr/bin/python3 -m pytest tests/lab [--all] [--kernel uml,6.1,6.12]

A test gets a booted guest (`lab`) that others have used before and will use after it: what it leaves (process, mount, link,
disk, session, socket) or makes the kernel warn about is its failure.
@pytest.mark.fresh: a guest booted for this test alone.  @pytest.mark.core: also on the other kernels.
@pytest.mark.programs("2.1.8"): with Debian's open-iscsi, not ours; ("siskin", "2.1.8"): once with each.
"""
import os
import pathlib
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from cache import Unavailable  # noqa: E402
from daemon import Daemon  # noqa: E402
from net import Net  # noqa: E402
from pool import KERNELS, Pool  # noqa: E402
from targets import Lio, Odd, Tgtd  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--kernel", default="uml", help="comma separated: " + ", ".join(KERNELS))
    parser.addoption("--all", action="store_true", help="also what is marked full: long, or about the yardstick alone")


def pytest_configure(config):
    config.addinivalue_line("markers", "core: runs on every kernel, not only on user-mode Linux")
    config.addinivalue_line("markers", "full: only with --all")
    config.addinivalue_line("markers", "fresh: a guest booted for this test alone")
    config.addinivalue_line("markers", "programs(name, …): siskin (the default) or 2.1.8")


def wanted(config, item):
    """The full ones only with --all; on other kernels than user-mode Linux only the core."""
    kernels = config.getoption("--kernel").split(",")
    kernel = item.callspec.params.get("kernel", "uml") if hasattr(item, "callspec") else "uml"
    mark = item.get_closest_marker
    return kernel in kernels and (kernel == "uml" or mark("core")) and (config.getoption("--all") or not mark("full"))


def pytest_collection_modifyitems(config, items):
    unwanted = [i for i in items if not wanted(config, i)]
    items[:] = [i for i in items if i not in unwanted]
    config.hook.pytest_deselected(items=unwanted)


def pytest_generate_tests(metafunc):
    """Each test once per kernel and per set of programs."""
    if "kernel" in metafunc.fixturenames:
        metafunc.parametrize("kernel", metafunc.config.getoption("--kernel").split(","), scope="session")
    if "programs" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("programs")
        metafunc.parametrize("programs", mark.args if mark else ["siskin"], scope="session")


@pytest.fixture(scope="session")
def pool():
    p = Pool()
    yield p
    p.close()


def cannot_run(why):
    """Failed in CI, skipped elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"the lab cannot run: {why}", pytrace=False)
    pytest.skip(f"the lab cannot run: {why}")


@pytest.fixture
def lab(request, pool, kernel, programs):
    """a booted guest"""
    fresh = bool(request.node.get_closest_marker("fresh"))
    try:
        guest = pool.get(kernel, programs, fresh)
    except Unavailable as e:
        cannot_run(e)
    yield guest
    complaints = pool.put(guest, keep=not fresh)
    assert not complaints, "left in the guest:\n" + "\n".join(complaints)


def closing(make):
    made = []

    def build(*args, **kw):
        made.append(make(*args, **kw))
        return made[-1]

    yield build
    problems = []
    for thing in reversed(made):
        try:
            thing.stop()
        except Exception as e:
            problems.append(str(e))
    assert not problems, "\n".join(problems)


@pytest.fixture
def make_net(lab):
    """make_net() - hosts and links in the guest"""
    yield from closing(lambda: Net(lab))


@pytest.fixture
def make_tgtd(lab, make_net):
    """make_tgtd(portals=[…], ns=…) - a running tgtd in the guest"""
    yield from closing(lambda **kw: Tgtd(lab, **kw).start())


@pytest.fixture
def lio(lab, make_net):
    """the kernel's target, its targets removed afterwards"""
    target = Lio(lab).start()
    yield target
    target.stop()


@pytest.fixture
def make_odd(lab, make_net):
    """make_odd("options") - the scripted target in the guest"""
    yield from closing(lambda *args: Odd(lab, *args).start())


@pytest.fixture
def iscsid(lab, make_tgtd, make_odd, lio):
    """the daemon, running; ended before the targets are"""
    d = Daemon(lab).start()
    yield d
    d.stop()
