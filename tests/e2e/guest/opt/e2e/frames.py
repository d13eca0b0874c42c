# SPDX-License-Identifier: GPL-2.0
"""Frames of exact length and content, past the guest's IP layer."""

import hashlib
import select
import socket
import time

ETH_P_ALL = 3
ETH_P_IP = 0x0800
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4
# What an earlier frame was filled with, and must never be seen in a later one.
STALE = b"\xa5" * 4


def frame(length, seed):
    """An IPv4-looking frame of any length: only the first nibble is not random."""
    body = hashlib.shake_128(f"frame {seed} {length}".encode()).digest(length)
    return (b"\x45" + body[1:])[:length]


def send_frames(interface, lengths, seed, pause_every=0):
    """Send one frame of each length. Returns how many the kernel took."""
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        address = (interface, ETH_P_IP, 0, 0, b"")
        for length in lengths:
            deadline = time.monotonic() + 10
            while True:
                try:
                    sock.sendto(frame(length, seed), address)
                    break
                except (BlockingIOError, OSError) as error:
                    # The queue is full (ENOBUFS): that is back-pressure and no error.
                    if error.errno not in (105, 11) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            sent += 1
            if pause_every and sent % pause_every == 0:
                time.sleep(0.005)
    return sent


class Capture:
    """Frames received on an interface, as a tap sees them."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.socket.bind((interface, ETH_P_ALL))
        self.stale = 0
        self.digests = []
        self.lengths = []

    def read(self, count, timeout, idle):
        """Collect until `count` frames are there, `timeout` is over, or none came for `idle`."""
        deadline = time.monotonic() + timeout
        while len(self.digests) < count and time.monotonic() < deadline:
            if not select.select([self.socket], [], [], idle)[0]:
                break
            data, address = self.socket.recvfrom(65536)
            if address[2] == PACKET_OUTGOING:
                continue
            self.stale += STALE in data
            self.lengths.append(len(data))
            self.digests.append(hashlib.sha256(data).hexdigest()[:16])


captures = {}


def capture_start(interface):
    """Begin to capture."""
    captures[interface] = Capture(interface)


def capture_read(interface, count, timeout, idle=3):
    """What was captured since the start: lengths and digests, in order. Ends the capture."""
    capture = captures.pop(interface)
    try:
        capture.read(count, timeout, idle)
    finally:
        capture.socket.close()
    return {
        "lengths": capture.lengths,
        "digests": capture.digests,
        "stale": capture.stale,
    }


def clock():
    """Monotonic time of the guest's kernel in microseconds."""
    return time.monotonic_ns() // 1000


FUNCTIONS = {
    "send_frames": send_frames,
    "capture_start": capture_start,
    "capture_read": capture_read,
    "clock": clock,
}
