# SPDX-License-Identifier: LGPL-2.1-or-later
"""CHAP secrets: where they may come from, and that they show up nowhere at any level of debugging."""
import fcntl
import os
import struct

import pytest

from ports import wait_until

USER, USER_IN = "initiator-user", "target-user"
SECRET, SECRET_IN = "kept-from-all-01", "kept-from-all-02"
AUTH, DISC_AUTH = "node.session.auth.", "discovery.sendtargets.auth."


@pytest.fixture
def credentials(tmp_path):
    d = tmp_path / "credentials"
    d.mkdir(mode=0o700)
    for name, secret in (("chap", SECRET), ("chap-in", SECRET_IN)):
        (d / name).write_text(secret + "\n")
        (d / name).chmod(0o400)
    return d


def update(*pairs):
    return ["-o", "update", *[w for k, v in pairs for w in ("-n", k, "-v", v)]]


def hidden(*texts):
    for t in texts:
        for secret in (SECRET, SECRET_IN):
            assert secret not in t, t[max(0, t.index(secret) - 300):][:400]


def chap_target(odd):
    return odd(chap=(USER, SECRET), chap_in=(USER_IN, SECRET_IN), discovery_chap=True)


def test_credentials_in_records_and_iscsid_conf(make_instance, odd, credentials):
    """Discovery and login with references; the secrets are in no file of the database and in no file of the run directory."""
    t = chap_target(odd)
    lines = {DISC_AUTH + "username": USER, DISC_AUTH + "password": "@cred:chap", DISC_AUTH + "username_in": USER_IN,
             DISC_AUTH + "password_in": "@cred:chap-in", AUTH + "username": USER, AUTH + "password": "@cred:chap",
             AUTH + "username_in": USER_IN, AUTH + "password_in": "@cred:chap-in"}
    i = make_instance(conf="".join(f"{k} = {v}\n" for k, v in lines.items()))
    i.env["CREDENTIALS_DIRECTORY"] = str(credentials)
    i.start()
    assert t.name in i.discover(t.portal).ok().out
    i.login(t.name).ok()
    for d in (i.db, i.run, i.home):
        for p in d.rglob("*"):
            if p.is_file() and not p.is_symlink():
                hidden(p.read_bytes().decode(errors="replace"))
    assert "password = @cred:chap\n" in i.adm("-m", "node", "-T", t.name, "-S").ok().out
    i.logout(t.name).ok()
    # rotated: the next login takes the new one
    (credentials / "chap").unlink()
    (credentials / "chap").write_text("another-secret-1")
    i.login(t.name).fails(24)
    (credentials / "chap").unlink()
    r = i.login(t.name)
    assert r.rc != 0 and "credential chap" in r.err + i.log


def test_a_credential_at_set_time_is_the_secret_itself(make_instance, odd, credentials):
    t = chap_target(odd)
    i = make_instance()
    i.env["CREDENTIALS_DIRECTORY"] = str(credentials)
    i.adm("-m", "node", "-T", t.name, "-p", f"{t.portal},1", "-o", "new").ok()
    node = ["-m", "node", "-T", t.name]
    i.adm(*node, *update((AUTH + "password", "@cred:chap"))).ok()
    assert f"{AUTH}password = {SECRET}\n" in i.adm(*node, "-S").ok().out
    i.adm(*node, *update((AUTH + "password", "@@cred:chap"))).ok()
    assert f"{AUTH}password = @cred:chap\n" in i.adm(*node, "-S").ok().out
    for bad in ("@cred:", "@cred:../chap", "@cred:nothing"):
        r = i.adm(*node, *update((AUTH + "password", bad)))
        assert r.rc != 0 and "credential" in r.err, r


def test_secrets_show_up_nowhere(make_instance, odd):
    """Every command that handles them, with -d 8, the daemon too; wrong ones as well."""
    t = chap_target(odd)
    i = make_instance()
    i.start("-d", "8")
    said = []

    def adm(*args, rc=0, **kw):
        for more in ((), ("--json",)):
            r = i.adm("-d", "8", *args, *more, **kw)
            assert r.rc in (rc, 15, 21), r
            said.append(r.out + r.err)

    disc = ["-m", "discoverydb", "-t", "st", "-p", t.portal]
    i.adm(*disc, "-o", "new").ok()
    both = [("username", USER), ("password", SECRET), ("username_in", USER_IN), ("password_in", SECRET_IN)]
    adm(*disc, *update(*[(DISC_AUTH + k, v) for k, v in both]))
    adm(*disc)
    adm(*disc, "-D")
    node = ["-m", "node", "-T", t.name]
    adm(*node, *update(*[(AUTH + k, v) for k, v in both]))
    adm(*node, *update((AUTH + "password", "-")), stdin=SECRET)
    adm(*node, *update((AUTH + "password", SECRET + "\x01")), rc=7)
    adm(*node, *update((AUTH + "password", SECRET * 20)), rc=7)
    adm(*node, *update((AUTH + "passwort", SECRET)), rc=7)
    adm(*node, "-o", "show")
    adm(*node, "-l")
    for level in ("1", "2", "3"):
        adm("-m", "session", "-P", level)
    i.restart("-d", "8")
    adm("-m", "session", "-P", "2")
    i.logout(t.name).ok()
    adm(*node, *update((AUTH + "password", "a-wrong-secret-1")))
    adm(*node, "-l", rc=24)
    hidden(*said, i.log)
    assert "a-wrong-secret-1" not in "".join(said) + i.log
    assert len(i.log) > 1000        # it did say something


def lock(path):
    """the database's lock, as another process holds it"""
    fd = os.open(path, os.O_RDWR)
    f_ofd_setlk = 37
    fcntl.fcntl(fd, f_ofd_setlk, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    return fd


def test_the_process_list_does_not_keep_it(make_instance):
    i = make_instance()
    i.adm("-m", "node", "-T", "iqn.2026-11.x:a", "-p", "192.0.2.1,1", "-o", "new").ok()
    fd = lock(i.db / ".siskin" / "lock")
    p = i.start_adm("-m", "node", "-T", "iqn.2026-11.x:a", *update((AUTH + "password", SECRET)))
    try:
        def blank():
            with open(f"/proc/{p.pid}/cmdline", "rb") as f:
                words = f.read()
            return b"update" in words and SECRET.encode() not in words

        wait_until(blank, "the secret to leave the process list", alive=lambda: p.poll() is None)
    finally:
        os.close(fd)
    assert p.communicate(timeout=30) == ("", "") and p.returncode == 0
    assert f"password = {SECRET}" in i.adm("-m", "node", "-S", "-o", "show").ok().out
