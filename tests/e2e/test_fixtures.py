# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the fixtures promise, by one short life of an instance."""
import os
import subprocess

from ports import wait_until
from tgtd import Lun


def test_an_instance_lives_and_leaves_nothing(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")])
    assert t.name in instance.discover(t.portal).ok().out
    instance.login(t.name).ok()
    dev = instance.disk(t.name, 1)
    assert os.stat(dev).st_rdev
    assert tgtd.targets[0].connections() == 1
    assert len(instance.session_dirs()) == 1 and instance.loops() and instance.mounts()
    instance.logout(t.name).ok()
    assert not instance.session_dirs() and not instance.links()


def test_what_is_left_is_seen(make_instance):
    """A leak is found by the environment, the mounts and the loop devices of the instance."""
    i = make_instance()
    stray = subprocess.Popen(["sleep", "1000"], env=i.env)
    try:
        wait_until(lambda: i.processes().get(stray.pid) == "sleep 1000", "the stray process")  # its exec may still be under way
        assert any("sleep 1000" in row for row in i.left())
    finally:
        stray.kill()
        stray.wait()
    assert not i.left()
