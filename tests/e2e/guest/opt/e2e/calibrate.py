# SPDX-License-Identifier: GPL-2.0
"""A piece of work that is always the same, to see how fast the phone is."""

import socket
import subprocess
import time

# About the same time for each on the base kernel.
PROCESSES, DATAGRAMS, ADDITIONS = 12, 400, 150_000


def calibrate():
    """Start processes, exchange datagrams over the loopback, add numbers: the seconds it takes."""
    began = time.monotonic()
    for _ in range(PROCESSES):
        subprocess.run(["/bin/true"], check=True)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        for _ in range(DATAGRAMS):
            one.sendto(bytes(500), other.getsockname())
            data, peer = other.recvfrom(1000)
            other.sendto(data, peer)
            one.recv(1000)
    total = 0
    for number in range(ADDITIONS):
        total += number
    return time.monotonic() - began


FUNCTIONS = {"calibrate": calibrate}
