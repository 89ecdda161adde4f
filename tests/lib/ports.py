# SPDX-License-Identifier: LGPL-2.1-or-later
"""Free loopback ports, and waiting for a condition."""
import socket
import time


def free_port(ipv6=False):
    """A port nobody listens on now, on 127.0.0.1 and (if asked) on ::1 as well."""
    while True:
        with socket.socket() as a:
            a.bind(("127.0.0.1", 0))
            port = a.getsockname()[1]
            if not ipv6:
                return port
            try:
                with socket.socket(socket.AF_INET6) as b:
                    b.bind(("::1", port))
                    return port
            except OSError:
                continue


def wait_until(condition, what, seconds=20.0, alive=None):
    """Poll until condition() is true and return its value; fail after `seconds`, or at once when alive() is false."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if alive is not None and not alive():
            raise AssertionError(f"ended while waiting for {what}")
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s")
        time.sleep(0.01)
