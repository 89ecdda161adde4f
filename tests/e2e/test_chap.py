# SPDX-License-Identifier: LGPL-2.1-or-later
"""CHAP end to end (RFC 7143, 12.1): who proves what to whom, and what each failure says."""
import base64

import pytest

from oddlogin import encode_bytes
from oddpdu import LOGIN_REQ, keys_of, text_of
from tgtd import Lun

USER, SECRET = "initiator-user", "initiator-pass1"
USER_IN, SECRET_IN = "target-user", "target-pass-12"
FAILED = "initiator reported error (24 - iSCSI login failed due to authorization failure)"


def record(instance, t, user=USER, secret=SECRET, user_in=None, secret_in=None, algs=None):
    instance.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    auth = "node.session.auth."
    values = {auth + "authmethod": "CHAP", auth + "username": user, auth + "password": secret}
    if user_in:
        values |= {auth + "username_in": user_in, auth + "password_in": secret_in}
    if algs:
        values[auth + "chap_algs"] = algs
    args = [x for k, v in values.items() for x in ("-n", k, "-v", v)]
    instance.adm("-m", "node", "-T", t.name, "-o", "update", *args).ok()


def sent_keys(t):
    return [keys_of(p.data) for p in t.received(LOGIN_REQ)]


def test_one_way_at_tgtd(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")], chap=(USER, SECRET))
    record(instance, t)
    instance.login(t.name).ok()
    assert instance.disk(t.name, 1)


@pytest.mark.parametrize("change", [{"secret": "wrong-secret-1"}, {"user": "nobody"}], ids=["secret", "user"])
def test_a_wrong_proof_at_tgtd(instance, tgtd, change):
    t = tgtd.target(chap=(USER, SECRET))
    record(instance, t, **change)
    r = instance.login(t.name).fails(24)
    assert FAILED in r.err and "0201" in r.err
    assert SECRET not in r.err + instance.log and "wrong-secret-1" not in r.err + instance.log


def test_no_credentials_at_tgtd(instance, tgtd):
    t = tgtd.target(chap=(USER, SECRET))
    instance.discover(t.portal).ok()
    instance.login(t.name).fails(24)


def test_mutual_at_tgtd(instance, tgtd):
    t = tgtd.target(luns=[Lun("8M")], chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN))
    record(instance, t, user_in=USER_IN, secret_in=SECRET_IN)
    instance.login(t.name).ok()
    out = instance.adm("-m", "session", "-P", 2).ok().out
    assert f"\t\tusername: {USER}\n\t\tpassword: ********\n\t\tusername_in: {USER_IN}\n\t\tpassword_in: ********\n" in out


@pytest.mark.parametrize("change", [{"secret_in": "wrong-secret-2"}, {"user_in": "impostor"}], ids=["secret", "user"])
def test_a_target_that_cannot_prove_itself(instance, tgtd, change):
    t = tgtd.target(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN))
    record(instance, t, **{"user_in": USER_IN, "secret_in": SECRET_IN, **change})
    r = instance.login(t.name)
    assert r.rc in (19, 24), str(r)
    assert "target" in r.err and not instance.session_dirs()
    assert SECRET_IN not in r.err + instance.log


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("alg", ["MD5", "SHA1", "SHA256", "SHA3-256"])
def test_each_algorithm_both_ways(instance, odd, alg, encoding):
    t = odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN), algs=[alg], chap_encoding=encoding)
    record(instance, t, user_in=USER_IN, secret_in=SECRET_IN, algs="SHA3-256,SHA256,SHA1,MD5")
    instance.login(t.name).ok()
    assert [k["CHAP_A"] for k in sent_keys(t) if "CHAP_A" in k] == ["8,7,6,5"]


def test_only_configured_algorithms_are_offered(instance, odd):
    t = odd(chap=(USER, SECRET), algs=["MD5"])
    record(instance, t, algs="SHA3-256,SHA256")
    instance.login(t.name).fails(24)
    assert [k["CHAP_A"] for k in sent_keys(t) if "CHAP_A" in k] == ["8,7"]
    assert not [k for k in sent_keys(t) if "CHAP_R" in k]


def test_the_longest_challenge(instance, odd):
    t = odd(chap=(USER, SECRET), challenge=bytes(range(256)) * 4)
    record(instance, t)
    instance.login(t.name).ok()


def test_a_challenge_that_is_too_long(instance, odd):
    t = odd(chap=(USER, SECRET), challenge=bytes(1025))
    record(instance, t)
    r = instance.login(t.name).fails(19)
    assert "CHAP_C" in r.err
    assert not [k for k in sent_keys(t) if "CHAP_R" in k]


def test_the_targets_secret_is_not_ours(instance, odd):
    """RFC 7143, 12.1.3: the two directions have different secrets."""
    t = odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET))
    record(instance, t, user_in=USER_IN, secret_in=SECRET)
    r = instance.login(t.name)
    assert r.rc in (7, 19, 24), str(r)
    assert "secret" in r.err or "password" in r.err
    assert not [k for k in sent_keys(t) if "CHAP_R" in k]      # nothing was proved with it


def test_our_own_challenge_comes_back(instance, odd):
    """A target that reflects our challenge to have us answer it is refused (RFC 7143, 12.1.3)."""
    kept = {}

    def mirror(conn, pdu):
        keys = keys_of(pdu.data)
        if "CHAP_C" in keys:
            kept["challenge"] = keys["CHAP_C"]
        return False

    t = odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN), on={"login": mirror})
    record(instance, t, user_in=USER_IN, secret_in=SECRET_IN)
    instance.login(t.name).ok()
    instance.logout(t.name).ok()
    text = kept["challenge"]
    ours = base64.b64decode(text[2:]) if text[:2] == "0b" else bytes.fromhex(text[2:])
    t.opt["answers"] = {"CHAP_C": encode_bytes(ours)}
    t.opt["challenge"] = ours
    kept.clear()
    instance.login(t.name)                      # an old one: a new challenge of ours makes it harmless
    assert kept.get("challenge") != text

    def reflect(conn, pdu):                     # the same one within one login: as the answer's continuation
        keys = keys_of(pdu.data)
        if "CHAP_C" not in keys:
            return False
        conn.login.send(pdu, text_of([("CHAP_N", USER_IN), ("CHAP_R", keys["CHAP_R"]), ("CHAP_I", keys["CHAP_I"]),
                                      ("CHAP_C", keys["CHAP_C"])]), transit=False)
        return True

    instance.adm("-m", "node", "-T", t.name, "--logout")
    t.opt["answers"], t.opt["challenge"] = {}, None
    t.on["login"] = reflect
    before = len(sent_keys(t))
    r = instance.login(t.name)
    assert r.rc in (19, 24), str(r)
    assert len([k for k in sent_keys(t)[before:] if "CHAP_R" in k]) == 1        # the reflected one was not answered


def test_a_reflected_proof(instance, odd):
    """The target sends back our own response as its proof."""
    def reflect(conn, pdu):
        keys = keys_of(pdu.data)
        if "CHAP_C" not in keys:
            return False
        conn.login.send(pdu, text_of([("CHAP_N", USER_IN), ("CHAP_R", keys["CHAP_R"])]), transit=True)
        return True

    t = odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN), on={"login": reflect})
    record(instance, t, user_in=USER_IN, secret_in=SECRET_IN)
    r = instance.login(t.name)
    assert r.rc in (19, 24), str(r)
    assert not instance.session_dirs()


def test_a_target_that_leaves_its_proof_out(instance, odd):
    t = odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN), answers={"CHAP_R": None, "CHAP_N": None})
    record(instance, t, user_in=USER_IN, secret_in=SECRET_IN)
    r = instance.login(t.name)
    assert r.rc in (19, 24), str(r)
    assert not instance.session_dirs()


@pytest.mark.parametrize("algs, ours, works", [
    (["MD5"], None, True),                              # takes nothing but CHAP_A=5
    (["MD5"], "SHA3-256,SHA256,SHA1,MD5", True),
    (["SHA256"], None, False),                          # our default is MD5 alone
    (["SHA256"], "SHA256,MD5", True),
    (["SHA1"], "SHA256,MD5", False),
], ids=["md5-alone", "md5-of-a-list", "sha256-not-offered", "sha256-of-a-list", "nothing-in-common"])
def test_algorithms_that_meet_or_not(instance, odd, algs, ours, works):
    t = odd(chap=(USER, SECRET), algs=algs)
    record(instance, t, algs=ours)
    r = instance.login(t.name)
    assert (r.rc == 0) == works, str(r)
    if not works:
        assert r.rc == 24 and "0x0201" in r.err, str(r)
        assert not [k for k in sent_keys(t) if "CHAP_R" in k]


@pytest.mark.parametrize("challenge", ["0x", "0b", "xyz", ""], ids=["hex", "base64", "no-prefix", "nothing"])
def test_an_empty_challenge(instance, odd, challenge):
    t = odd(chap=(USER, SECRET), answers={"CHAP_C": challenge})
    record(instance, t)
    r = instance.login(t.name)
    assert r.rc in (19, 24) and "CHAP_C" in r.err + instance.log, str(r)
    assert not [k for k in sent_keys(t) if "CHAP_R" in k]


def test_a_short_secret_is_warned_of_once(instance, odd):
    t = odd(chap=(USER, "11-byte-pwd"))
    record(instance, t, secret="11-byte-pwd")
    instance.login(t.name).ok()
    assert instance.log.count("less than 12 bytes") == 1 and "11-byte-pwd" not in instance.log


def test_discovery_with_chap(instance, odd):
    t = odd(chap=(USER, SECRET), discovery_chap=True)
    r = instance.discover(t.portal).fails(24)
    assert "iscsiadm: discovery login to 127.0.0.1 rejected: initiator failed authorization\n" in r.err
    auth = "discovery.sendtargets.auth."
    args = [x for k, v in {"authmethod": "CHAP", "username": USER, "password": SECRET}.items() for x in ("-n", auth + k, "-v", v)]
    find = ("-m", "discoverydb", "-t", "st", "-p", t.portal)
    instance.adm(*find, "-o", "new").ok()
    instance.adm(*find, "-o", "update", *args).ok()
    assert instance.adm(*find, "-D").ok().lines == [f"{t.portal},1 {t.name}"]


def test_no_secret_in_the_log_or_in_a_command_line(make_instance, odd):
    i = make_instance().start("-d", 8)
    t = odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN))
    record(i, t, user_in=USER_IN, secret_in=SECRET_IN)
    i.login(t.name).ok()
    assert len(i.log) > 500
    for secret in (SECRET, SECRET_IN):
        assert secret not in i.log
        assert not [cmd for cmd in i.processes().values() if secret in cmd]
    for pid in i.processes():
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert SECRET.encode() not in f.read()
    for p in i.run.rglob("*"):
        if p.is_file() and not p.is_symlink() and "disk" not in p.parts:
            if SECRET.encode() in p.read_bytes():
                assert p.stat().st_mode & 0o077 == 0, p
