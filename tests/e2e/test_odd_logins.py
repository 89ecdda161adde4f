# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logins and discoveries against a target that is not always kind: codes and words of spec cli.md 4.7, 5.7."""
import pytest

QUICK = """
node.session.initial_login_retry_max = 1
node.conn[0].timeo.login_timeout = 1
discovery.sendtargets.reopen_max = 0
discovery.sendtargets.timeo.login_timeout = 1
"""


@pytest.fixture
def quick(make_instance):
    """an instance that does not try for long"""
    return make_instance(conf=QUICK).start()


def record_of(instance, t, **values):
    """A node record for the odd target without asking it."""
    instance.adm("-m", "node", "-o", "new", "-T", t.name, "-p", f"{t.portal},1").ok()
    instance.set(t.name, **values)


@pytest.mark.parametrize("count, split", [(1, None), (3, 1), (1000, 777), (10000, None)])
def test_discovery_of_any_size_cut_anywhere(quick, odd, count, split):
    t = odd(count=count, text_split=split)
    out = quick.discover(t.portal).ok().lines
    assert len(out) == count and out[0].startswith(f"{t.portal},1 iqn.")
    assert len(quick.adm("-m", "node").ok().lines) == count


@pytest.mark.parametrize("status, code", [(0x0201, 24), (0x0202, 24), (0x0203, 19), (0x0204, 19), (0x0206, 19), (0x0207, 19),
                                          (0x020B, 19), (0x0200, 19), (0x02FF, 19), (0x0300, 8), (0x0301, 8), (0x0302, 8)])
def test_every_refusal_has_its_code(quick, odd, status, code):
    t = odd(status=status)
    record_of(quick, t)
    r = quick.login(t.name).fails(code)
    assert f"initiator reported error ({code} - " in r.err and t.logins == 0
    if code != 8:
        assert t.attempts == 1          # at once, no second try


def test_a_refusal_by_status_class_9_ends_too(quick, odd):
    t = odd(status=0x0900)
    record_of(quick, t)
    assert quick.login(t.name).rc in (8, 19)


@pytest.mark.parametrize("permanent", [False, True])
def test_a_redirect_is_followed(quick, odd, permanent):
    there = odd()
    here = odd(redirect=(f"{there.portal},1", permanent))
    record_of(quick, here)
    quick.login(here.name).ok()
    assert there.logins == 1 and here.logins == 0
    assert quick.disk(there.name, 1)
    quick.logout(here.name).ok()


def test_a_redirect_in_a_circle_ends(quick, odd):
    t = odd(redirect=lambda login: login.conn.target.portal)
    record_of(quick, t)
    assert quick.login(t.name).rc in (8, 19)
    assert t.attempts < 100


@pytest.mark.parametrize("alg", ["MD5", "SHA1", "SHA256", "SHA3-256"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_mutual_chap(quick, odd, alg, encoding):
    t = odd(chap=("user", "secretsecret"), chap_in=("target", "othersecret1"), algs=[alg], chap_encoding=encoding)
    record_of(quick, t, **{"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "user",
                           "node.session.auth.password": "secretsecret", "node.session.auth.username_in": "target",
                           "node.session.auth.password_in": "othersecret1",
                           "node.session.auth.chap_algs": "SHA3-256,SHA256,SHA1,MD5"})
    quick.login(t.name).ok()
    quick.logout(t.name).ok()


@pytest.mark.parametrize("wrong, code", [({"node.session.auth.password": "not-the-secret"}, 24),
                                         ({"node.session.auth.username": "somebody"}, 24),
                                         ({"node.session.auth.password_in": "not-its-secret"}, 19),
                                         ({"node.session.auth.username_in": "stranger"}, 19)])
def test_wrong_chap_either_way(quick, odd, wrong, code):
    t = odd(chap=("user", "secretsecret"), chap_in=("target", "othersecret1"))
    values = {"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "user",
              "node.session.auth.password": "secretsecret", "node.session.auth.username_in": "target",
              "node.session.auth.password_in": "othersecret1", **wrong}
    record_of(quick, t, **values)
    quick.login(t.name).fails(code)
    assert t.attempts == 1
    assert "secretsecret" not in quick.log and "othersecret1" not in quick.log


def test_login_answers_in_pieces(quick, odd):
    t = odd(login_split=40, alias="x" * 200)
    record_of(quick, t)
    quick.login(t.name).ok()
    quick.logout(t.name).ok()


@pytest.mark.parametrize("answers", [{"MaxRecvDataSegmentLength": "0"}, {"MaxBurstLength": "99999999999999999999"},
                                     {"FirstBurstLength": "0"}, {"HeaderDigest": "CRC64"}, {"MaxOutstandingR2T": "-1"},
                                     {"InitialR2T": "Maybe"}, {"MaxBurstLength": ""}, {"ErrorRecoveryLevel": "7"}])
def test_answers_out_of_range_are_the_targets_error(quick, odd, answers):
    t = odd(answers=answers)
    record_of(quick, t)
    quick.login(t.name).fails(19)
    assert t.attempts == 1


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_target_that_closes_in_the_login(quick, odd, n):
    t = odd(drop_at=n, chap=("user", "secretsecret"))
    record_of(quick, t, **{"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "user",
                           "node.session.auth.password": "secretsecret"})
    r = quick.login(t.name)
    assert t.logins == 0
    assert r.rc in (8, 11), str(r)      # spec: a last attempt that failed inside login may surface as its own code


def test_a_target_that_never_answers(quick, odd):
    t = odd(silent_at=1)
    record_of(quick, t)
    assert quick.login(t.name).rc in (8, 11)


def test_garbage_instead_of_a_target(quick, odd):
    t = odd(on={"login": lambda c, p: c.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(48)) or True})
    record_of(quick, t)
    assert quick.login(t.name).rc in (8, 19)
    assert quick.discover(t.portal).rc in (8, 11, 19)


HOSTILE = [b"TargetName=iqn.2026-11.x:../../../etc/passwd\0", b"TargetName=../../evil\0", b"TargetName=/etc/cron.d/x\0",
           b"TargetName=iqn.2026-11.x:a\nb\0", b"TargetName=iqn.2026-11.x:\x1b[31mred\0", b"TargetName=\0",
           b"TargetName=iqn.2026-11.x:" + b"a" * 300 + b"\0", b"TargetName=iqn.2026-11.x:\xff\xfe\0", b"TargetName=.\0",
           b"TargetName=..\0"]


@pytest.mark.parametrize("row", HOSTILE)
def test_a_hostile_name_is_left_out_and_the_others_stay(quick, odd, row):
    good = b"TargetName=iqn.2026-11.org.siskin.odd:good\0TargetAddress=%s,1\0"
    t = odd(raw_text=b"")
    t.opt["raw_text"] = row + b"TargetAddress=%s,1\0" % t.portal.encode() + good % t.portal.encode()
    r = quick.discover(t.portal)
    assert r.out == f"{t.portal},1 iqn.2026-11.org.siskin.odd:good\n", str(r)
    assert r.err                        # it says what it left out
    assert all(c.isprintable() or c == "\n" for c in r.out + r.err)
    assert [d.name for d in (quick.db / "nodes").iterdir()] == ["iqn.2026-11.org.siskin.odd:good"]


@pytest.mark.parametrize("address", [b"", b"../../x:3260,1", b"10.0.0.5:99999,1", b"[::1:3260,1", b"a b:3260,1",
                                     b"10.0.0.5:3260,70000", b"h" * 300 + b":3260,1"])
def test_a_hostile_address_is_left_out(quick, odd, address):
    t = odd(raw_text=b"")
    t.opt["raw_text"] = (b"TargetName=iqn.2026-11.org.siskin.odd:a\0TargetAddress=%s\0TargetAddress=%s,1\0" %
                         (address, t.portal.encode()))
    r = quick.discover(t.portal)
    assert r.out == f"{t.portal},1 iqn.2026-11.org.siskin.odd:a\n", str(r)


def test_no_target_is_code_21(quick, odd):
    r = quick.discover(odd(targets=[]).portal).fails(21)
    assert "No portals found" in r.err


def test_a_discovery_that_is_refused(quick, odd):
    t = odd()
    t.refuse()
    r = quick.discover(t.portal).fails(11)
    assert "Connection refused" in r.err or "cannot make connection" in r.err
