# SPDX-License-Identifier: LGPL-2.1-or-later
"""Command lines on which we differ from open-iscsi 2.1.8 on purpose: rows of docs/compatibility.md. The first rule that holds names the row;
a rule says what ours does then, so that another difference in the same line is seen."""
import re

import lines

NEWER = ("sess_reopen_log_freq", "congestion_control")
GONE_IFACES = ["0o40700"]
DAEMON = ("iscsid is not running.", "can not connect to iSCSI daemon")
MODULE = ("Could not insert module", "Could not scan /sys/class/iscsi_transport", "Cound not locate transport", "Can't find transport.")


class Case:
    def __init__(self, argv, want, got, channels):
        self.argv, self.text, self.want, self.got, self.channels = argv, " ".join(argv), want, got, set(channels)
        self.rc = (want["rc"], got["rc"])
        self.args = {}
        self.parse()

    def parse(self):
        """letter → arguments, as far as the lines of lines.py write them"""
        names = {name: letter for letter, (name, _) in lines.OPTIONS.items()}
        words = iter(self.argv)
        for word in words:
            if word.startswith("--"):
                name, _, value = word[2:].partition("=")
                letter = names.get(name) or next((x for n, x in names.items() if n.startswith(name)), "?")
                value = value if "=" in word else next(words, "") if lines.OPTIONS.get(letter, ("", None))[1] else ""
            elif re.match(r"-\w", word):
                letter = word[1]
                value = word[2:] or (next(words, "") if lines.OPTIONS.get(letter, ("", None))[1] else "")
            else:
                continue
            self.args.setdefault(letter, []).append(value)

    def has(self, letter, *values):
        return any(not values or v in values for v in self.args.get(letter, []))

    def only(self, *channels):
        return self.channels <= set(channels)

    def said(self, *texts):
        return any(t in self.want["err"] for t in texts)

    def we_said(self, *texts):
        return any(t in self.got["err"] for t in texts)

    def mode(self):
        return (self.args.get("m") or ["" ])[-1]


def bad_portal(c):
    return c.rc[1] == 7 and c.we_said("Invalid portal", "Invalid empty portal", "the port is not within", "group tag is not within")


RULES = [
    ("option-words", lambda c: c.rc[0] in (-11, 139) or (c.has("A") and c.only("stderr"))),
    ("help-with-mode", lambda c: c.has("m") and (c.has("V") or c.has("h")) and c.rc == (7, 0)),
    ("help-text", lambda c: c.has("h") and c.only("stdout") and c.rc == (0, 0)),
    ("operation-words", lambda c: len(c.args.get("o", [])) > 1 and c.rc[1] == 7 and c.we_said("can not recognize operation")),
    ("portal-checked", bad_portal),
    ("portal-mapped", lambda c: "::ffff:" in c.text),
    ("target-names", lambda c: c.has("T") and c.has("o", "new") and (c.we_said("Invalid target name") or "naa." in c.text)),
    ("values-checked", lambda c: c.rc == (0, 7) and c.we_said("is out of range", "is not a whole decimal number", "is too long", "blank, which a record cannot keep",
                                                               "control character", "is not a known word", "unknown value format")),
    ("lists-without-words", lambda c: c.rc == (0, 7) and c.said("Ignoring unknown value")),
    ("newer-keys", lambda c: any(k in c.text for k in NEWER) and c.want["rc"] == 7),
    ("iface-special", lambda c: c.mode() == "iface" and c.has("o", "delete") and c.has("I", "default", "iser") and c.got["rc"] == 7),
    ("iface-argument", lambda c: c.mode() == "iface" and c.has("o", "new") and c.rc == (22, 7)),
    ("iface-errors", lambda c: c.mode() == "iface" and (c.has("o", "new") or c.has("o", "update")) and c.rc == (0, 7)),
    ("host-named", lambda c: c.got["rc"] == 7 and c.we_said("requires host no", "require host no", "Apply all requires host")),
    ("host-errors", lambda c: c.mode() == "host" and c.rc == (0, 7) and c.we_said("Invalid Sub Mode", "Invalid chap table index", "Chap username/password")),
    ("host-filter", lambda c: c.mode() == "host" and c.has("H") and c.want["rc"] == 0 and c.got["rc"] in (0, 21) and c.only("rc", "stdout", "stderr")),
    ("secret-label", lambda c: c.has("S") and c.only("stdout") and c.want["out"].replace("_in: <empty>\n\t\tpassword: ", "_in: <empty>\n\t\tpassword_in: ") == c.got["out"]),
    ("new-without-keys", lambda c: c.said("Error while adding record: ") and c.rc == (0, 7)),
    ("mixed-portals", lambda c: (c.said("iface iter could not stat") and c.rc == (6, 0)) or
     (c.has("o", "new") and c.only("files", "stderr") and plain_portal_only(c))),
    ("hosts-compared", lambda c: c.has("p") and c.rc[0] == 21 and c.got["rc"] == 0 and c.only("rc", "stdout", "stderr")),
    ("no-kernel", lambda c: c.said("Could not scan /sys/class/iscsi_transport")),
    ("transport-absent", lambda c: c.said(*MODULE)),
    ("numbers-wrap", lambda c: any(re.search(r"\d{10}", a) for a in c.argv) or (c.has("x", "-1") and c.got["rc"] == 7)),
    ("session-arguments", lambda c: c.has("r") and (len(c.args["r"]) > 1 or any(v.startswith((" ", "/class")) for v in c.args["r"]))),
    ("mode-twice", lambda c: len(c.args.get("m", [])) > 1 and c.got["rc"] == 7),
    ("quiet-success", lambda c: c.only("stderr", "files") and c.rc[0] == c.rc[1] and c.said(*DAEMON) and only_quiet(c)),
    ("messages", lambda c: c.only("stderr") and c.rc[0] == c.rc[1] and c.got["err"]),
]


def plain_portal_only(c):
    """The files differ in what became of a portal without a tag, and in its links."""
    differ = {path for path in c.want["files"].keys() | c.got["files"].keys() if c.want["files"].get(path) != c.got["files"].get(path)}
    return differ and all(re.search(r",3260(/default)?$|/send_targets/", path) for path in differ)


def only_quiet(c):
    left = [line for line in c.want["err"].splitlines() if not any(d in line for d in DAEMON)]
    return all(line in c.got["err"] for line in left)


def tolerated(path, change):
    """A change of files that reads-write-nothing leaves out."""
    return path.endswith("/ifaces") and change == GONE_IFACES


def row_of(argv, want, got, channels):
    """The row's name, or None: then it is a difference."""
    c = Case(argv, want, got, channels)
    return next((row for row, rule in RULES if rule(c)), None)


ROWS = {row for row, _ in RULES} | {"reads-write-nothing"}
