# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captured text with what differs from run to run replaced by tokens (tests/data/transcripts/full/README.md)."""
import re

# What a number is, and where it stands: (?P<n>…) is replaced.
NUMBERED = [(kind, re.compile(pattern, re.M)) for kind, pattern in (
    ("SID", r"\[sid: (?P<n>\d+),"),
    ("SID", r"\bSID: (?P<n>\d+)"),
    ("SID", r"\b[Ss]ession ?(?P<n>\d+)\b(?! session| requested)"),
    ("SID", r"\bsid (?P<n>\d+)"),
    ("SID", r"\bconnection(?P<n>\d+):0"),
    ("SID", r"^(?:\d+:)?\w+: \[(?P<n>\d+)\] \S+:\d+,-?\d+ "),
    ("HOST", r"Host Number: (?P<n>\d+)"),
    ("HOST", r"\bscsi(?P<n>\d+) Channel"),
    ("HOST", r"/host(?P<n>\d+)/"),
    ("HOST", r"^(?:\d+:)?\w+: \[(?P<n>\d+)\] \S+,\["),
    ("DISK", r"Attached scsi disk (?P<n>\w+)"),
)]
PLAIN = [(re.compile(pattern, re.M), text) for pattern, text in (
    (r"^libkmod: .*\n", ""),
    (r"^/\S*/(?=(?:isc[\w-]+|sh): )", ""),
    (r"^(# BEGIN RECORD ).*", r"\1{VERSION}"),
    (r"^((?:iscsi[\w-]+:? )?version ).*", r"\1{VERSION}"),
    (r"(iSCSI Transport Class version ).*", r"\1{KVERSION}"),
    (r"[ \t]*# [\w./-]+\.c:\w+\(?\)?:?\d*.*$", " # {SRC}"),
    (r"^(\t\w+: )\d+$", r"\1{N}"),
    (r"\b(pid[ =:]+)\d+", r"\1{PID}"),
)]


class Normal:
    """Remembers which number got which token, for one scenario."""

    def __init__(self):
        self.tokens = {"SID": {}, "HOST": {}, "DISK": {}}

    def token(self, kind, value, mask):
        if kind in mask:
            return "{%s}" % kind
        known = self.tokens[kind]
        known.setdefault(value, len(known) + 1)
        return "{%s%d}" % (kind, known[value])

    def text(self, raw, mask=()):
        for pattern, new in PLAIN:
            raw = pattern.sub(new, raw)
        return "".join(self._line(line, mask) for line in raw.splitlines(keepends=True))

    def _line(self, line, mask):
        found = sorted((m.start("n"), m.end("n"), kind) for kind, p in NUMBERED for m in p.finditer(line))
        out, at = "", 0
        for start, end, kind in found:
            if start >= at:
                out += line[at:start] + self.token(kind, line[start:end], mask)
                at = end
        return out + line[at:]

    def fill(self, command):
        """{SID1} in a command: the number that got the token."""
        for kind, known in self.tokens.items():
            for value, n in known.items():
                command = command.replace("{%s%d}" % (kind, n), value)
        return command
