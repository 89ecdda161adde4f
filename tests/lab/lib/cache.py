# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/lab/fetch put outside the repository, and where the programs under test are."""
import os
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = TOP / "tests" / "data" / "transcripts" / "fixtures"
GUEST = TOP / "tests" / "lab" / "guest"
BUILD = pathlib.Path(os.environ.get("SISKIN_BUILD", TOP / "build")).resolve()
CACHE = pathlib.Path(os.environ.get("SISKIN_LAB_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "siskin-lab").resolve()
SCRIPTS = ("iscsi_discovery", "iscsi_fw_login", "iscsi_offload", "iscsi-gen-initiatorname")
PROGRAMS = ("iscsid", "iscsiadm", "iscsi-session", "iscsi-iname", "iscsistart")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):
    """The lab cannot run here; the text says why and what to do."""


def part(name):
    """The folder of a part that has been fetched."""
    folder = CACHE / name
    if not (folder / "complete").exists():
        raise Unavailable(f"the lab's part '{name}' is not in {CACHE}: run tools/setup lab")
    return folder


class Siskin:
    """Our programs, from the build directory."""

    name = "siskin"

    def files(self):
        found = [BUILD / "src" / p / p for p in PROGRAMS if (BUILD / "src" / p / p).exists()]
        if not found:
            raise Unavailable(f"nothing is built in {BUILD}")
        folders = (TOP / "src" / "scripts", BUILD / "src" / "scripts")      # as they are, and those made by the build
        return found + [d / s for d in folders for s in SCRIPTS if (d / s).exists()]

    def sanitized(self):
        """Built with AddressSanitizer?"""
        return any(b"__asan_init" in f.read_bytes() for f in self.files() if f.name == "iscsid")

    def env(self):
        return {
            "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
            "SISKIN_HOMEDIR": "/etc/iscsi", "SISKIN_DBROOT": "/etc/iscsi", "SISKIN_LOCKDIR": "/run/lock/iscsi",
            "SISKIN_LIBEXECDIR": str(BUILD / "src" / "iscsi-session"),
        }


class Incumbent:
    """Debian's open-iscsi 2.1.8, the yardstick."""

    name = "2.1.8"

    def sanitized(self):
        return False

    def files(self):
        return sorted((part("incumbent") / "root" / "sbin").glob("isc*"))

    def env(self):
        return {"LD_LIBRARY_PATH": str(part("incumbent") / "root" / "usr" / "lib" / "x86_64-linux-gnu")}
