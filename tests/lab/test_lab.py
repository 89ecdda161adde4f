# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab itself: a kernel with iSCSI comes up, says what it should, and nothing outside it changes."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from cache import CACHE, TOP, Siskin, Unavailable
from conftest import cannot_run
from guest import GuestDied
from pool import KERNELS, Pool

# Not /tmp and /run, where others work meanwhile.
WATCHED = ("/", "/etc", "/etc/iscsi", "/var", "/var/lib", "/var/lib/iscsi", "/var/tmp", "/root", "/root/.cache", "/usr", "/usr/bin",
           "/lib", "/home", "/opt", "/srv", str(CACHE), str(TOP), str(TOP / "src"))


def boot(kernel):
    try:
        return KERNELS[kernel](programs=Siskin()).boot()
    except Unavailable as e:
        cannot_run(e)


def manifest():
    """path → (size, mtime, ctime, inode) of everything directly in the watched directories, and of these."""
    found = {}
    for folder in WATCHED:
        try:
            names = [folder, *(os.path.join(folder, n) for n in os.listdir(folder) if n not in ("tmp", "run"))]
        except OSError:
            names = []
        for path in names:
            try:
                st = os.lstat(path)
            except OSError:
                continue
            found[path] = (st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino)
    return found


@pytest.mark.core
def test_iscsi_tcp_loads(lab):
    lab.run("modprobe iscsi_tcp").ok()
    assert lab.run("ls /sys/class/iscsi_transport").ok().lines == ["tcp"]
    assert lab.read("/proc/sys/kernel/ostype") == "Linux\n"


@pytest.mark.core
def test_output_and_exit_codes_come_apart(lab):
    r = lab.run("echo out; echo err >&2; exit 42")
    assert (r.rc, r.out, r.err, r.timed_out) == (42, "out\n", "err\n", False)
    assert lab.run(["cat"], stdin="bytes \udcff\n").out == "bytes \udcff\n"
    assert lab.run("kill -9 $$").rc == -9
    assert lab.run(["/nonexistent"]).rc == 127
    assert lab.run("head -c 300000 /dev/zero | tr '\\0' x").out == "x" * 300000


@pytest.mark.core
def test_processes_that_write_at_once_lose_nothing(lab):
    r = lab.run("for i in $(seq 60); do (echo $i; echo $i >&2) & done; wait")
    assert sorted(map(int, r.lines)) == sorted(map(int, r.err.splitlines())) == list(range(1, 61))


@pytest.mark.core
def test_a_command_over_its_time_is_ended_with_its_children(lab):
    r = lab.run("sleep 1000 & sleep 1000", timeout=1)
    assert r.timed_out and r.rc == -9


def test_jobs_run_side_by_side(lab):
    slow = lab.start("sleep 30; echo never")
    assert lab.run("echo quick").out == "quick\n"
    assert slow.running
    slow.kill(signal.SIGTERM)
    assert slow.wait().rc == -15


def test_what_is_left_is_seen(kernel):
    pool = Pool()
    guest = pool.adopt(boot(kernel), (kernel, "siskin"))
    guest.run("setsid sleep 300 >/dev/null 2>&1 & ip link add left0 type dummy; mkdir /m; mount -t tmpfs x /m").ok()
    complaints = "\n".join(pool.put(guest))
    assert "sleep 300" in complaints and "links: left left0" in complaints and "mounts: left /m" in complaints
    assert not guest.alive


@pytest.mark.fresh
def test_nothing_outside_changes(lab):
    """Writes all over the guest's tree do nothing to the host's; the manifest sees a change when there is one."""
    folders = [f for f in (*WATCHED, "/run", "/tmp", "/boot") if os.path.isdir(f)]
    script = "\n".join(f"echo x >{f}/siskin-was-here; cat {f}/siskin-was-here" for f in folders)
    for _ in range(3):  # somebody else may change something once or twice
        before = manifest()
        assert lab.run(["/bin/sh", "-ec", script]).ok().out == "x\n" * len(folders)
        lab.run("cp /etc/passwd /p; rm /etc/passwd; mv /p /etc/passwd; chmod 700 /etc/apt; chown 1 /bin/ls; rm -r /etc/skel; sync").ok()
        lab.run("mkdir /etc/skel; setfattr -n user.x -v 1 /etc/group 2>/dev/null; touch /etc/group /bin/cat; sync").ok()
        after = manifest()
        changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
        if not changed:
            break
    assert not changed
    assert not any(os.path.exists(f"{f}/siskin-was-here") for f in folders)
    touched = pathlib.Path("/var/tmp") / f"siskin-manifest-{os.getpid()}"
    touched.touch()
    try:
        assert manifest() != before
    finally:
        touched.unlink()


def test_the_hosts_root_cannot_be_written_even_through_hostfs(lab):
    """A second, writable hostfs mount still meets a root that is read-only outside the guest."""
    name = f"/var/tmp/siskin-direct-{os.getpid()}"
    lab.run("mkdir -p /m && mount -t hostfs -o / direct /m").ok()
    r = lab.run(f"touch /m{name}")
    lab.run("umount /m; rmdir /m").ok()
    assert r.rc != 0 and "Read-only" in r.err
    assert not os.path.exists(name)


@pytest.mark.core
def test_a_guest_can_be_asked_what_it_waits_for(lab):
    lab.look_into()
    lab.wait_until(lambda: "sysrq: Show Blocked State" in lab.console.read_text(errors="replace"), "the kernel's answer")
    lab.dmesg()  # with what it said of its tasks
    lab.messages = []


def processes_in(folder):
    """Of the host: whose command line names the folder."""
    found = []
    for p in pathlib.Path("/proc").iterdir():
        try:
            if p.name.isdigit() and str(folder).encode() in (p / "cmdline").read_bytes():
                found.append(int(p.name))
        except OSError:
            pass
    return found


def gone(folder, seconds=10):
    end = time.monotonic() + seconds
    while processes_in(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not processes_in(folder)


@pytest.mark.core
def test_a_guest_that_panics_is_reported_with_its_console(kernel):
    guest = boot(kernel)
    folder = guest.dir
    try:
        with pytest.raises(GuestDied, match="sysrq triggered crash"):
            guest.run("echo c >/proc/sysrq-trigger; sleep 5", timeout=5)
    finally:
        guest.close()
    assert gone(folder) and not folder.exists()


def test_a_guest_that_hangs_is_killed_and_reported(kernel, monkeypatch):
    guest = boot(kernel)
    monkeypatch.setattr("guest.GRACE_SECONDS", 2)
    folder = guest.dir
    try:
        with pytest.raises(GuestDied, match="hangs and was killed: no answer about: echo -1"):
            guest.run("echo -1 >/proc/sys/kernel/sched_rt_runtime_us; exec chrt -f 99 sh -c 'while :; do :; done'", timeout=3)
    finally:
        guest.close()
    assert gone(folder) and not folder.exists()


def test_nothing_runs_on_when_the_tests_are_killed():
    boot("uml").close()
    code = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from uml import Uml\n"
            "g = Uml().boot(); print(g.dir, flush=True); time.sleep(100)")
    with subprocess.Popen([sys.executable, "-c", code, str(TOP / "tests" / "lab" / "lib")], stdout=subprocess.PIPE,
                          text=True) as p:
        folder = p.stdout.readline().strip()
        assert processes_in(folder)
        p.kill()
    assert gone(folder)
    subprocess.run(["rm", "-r", folder], check=True)
