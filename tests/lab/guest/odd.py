#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scripted target of tests/lib inside a guest.

odd.py serve SOCKET 'OPTIONS'   an OddTarget with these keyword arguments, until SOCKET is told to end
odd.py ask SOCKET 'EXPRESSION'  the value of a Python expression there: t is the target, alive() its sessions' connections
"""
import pathlib
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))

import odddisk  # noqa: E402
import oddtarget  # noqa: E402


def serve(path, options):
    names = {"Disk": odddisk.Disk, "sense": odddisk.sense}
    with socket.socket(socket.AF_UNIX) as ctl, oddtarget.OddTarget(**eval(f"dict({options})", names)) as t:
        def alive():
            return [c for c in t.conns if c.ffp and not c.done and not c.login.discovery]

        names.update(t=t, alive=alive)
        ctl.bind(path)
        ctl.listen()
        while True:
            client, _ = ctl.accept()
            with client:
                text = client.recv(65536).decode()
                if text == "end":
                    return
                try:
                    answer = f"0{eval(text, names)!r}"
                except Exception as e:
                    answer = f"1{type(e).__name__}: {e}"
                client.sendall(answer.encode())


def ask(path, text):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(text.encode())
        answer = s.makefile().read()
    print(answer[1:])
    return int(answer[:1] or 0)


if __name__ == "__main__":
    sys.exit({"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:]))
