# SPDX-License-Identifier: GPL-2.0
"""Frames of exact length and content, past the guest's IP layer."""

import hashlib
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 3
ETH_P_IP = 0x0800
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4
SO_TIMESTAMPING = 37
TX_SOFTWARE, SOFTWARE = 1 << 1, 1 << 4
# Frames of a flood between two pauses.
BURST = 8
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


class Flood(threading.Thread):
    """Frames as fast as the interface takes them, until told to stop."""

    def __init__(self, interface, length):
        super().__init__(daemon=True)
        self.address = (interface, ETH_P_IP, 0, 0, b"")
        self.data = frame(length, "flood")
        self.running = True
        self.sent = 0

    def run(self):
        """Until running is false; a queue that is full or a link that is down is waited for."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
            sock.setblocking(False)
            while self.running:
                try:
                    sock.sendto(self.data, self.address)
                    self.sent += 1
                except OSError:
                    time.sleep(0.005)
                if self.sent % BURST == 0:
                    # Each doorbell holds QEMU's lock, which its main loop needs, too, to let the
                    # next command in.
                    time.sleep(0.001)


floods = []


def flood_start(interface, length, threads=1):
    """Begin to flood an interface."""
    for _ in range(threads):
        floods.append(Flood(interface, length))
        floods[-1].start()


def flood_stop():
    """End all floods. Returns how many frames the kernel took."""
    for flood in floods:
        flood.running = False
    for flood in floods:
        flood.join(10)
    sent = sum(flood.sent for flood in floods)
    floods.clear()
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


def tx_timestamps(host, count, timeout):
    """Send datagrams and wait for the kernel's word on when each went to the driver.

    Returns how many stayed without, and the longest time from sending to the time stamp, in
    seconds (at most `timeout` is waited for each).
    """
    without, longest = 0, 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE)
        for _ in range(count):
            began = time.time()
            sock.sendto(bytes(100), (host, 7002))
            # The error queue: poll reports it whatever it is asked for.
            poll = select.poll()
            poll.register(sock, 0)
            if not poll.poll(timeout * 1000):
                without += 1
                continue
            _, control, _, _ = sock.recvmsg(2048, 2048, socket.MSG_ERRQUEUE)
            stamps = [data for _, kind, data in control if kind == SO_TIMESTAMPING]
            if not stamps:
                without += 1
                continue
            seconds, nanoseconds = struct.unpack_from("@qq", stamps[0])
            longest = max(longest, seconds + nanoseconds / 1e9 - began)
    return {"without": without, "longest": longest}


def clock():
    """Monotonic time of the guest's kernel in microseconds."""
    return time.monotonic_ns() // 1000


FUNCTIONS = {
    "send_frames": send_frames,
    "capture_start": capture_start,
    "capture_read": capture_read,
    "clock": clock,
    "flood_start": flood_start,
    "flood_stop": flood_stop,
    "tx_timestamps": tx_timestamps,
}
