# SPDX-License-Identifier: GPL-2.0
"""TCP and UDP with content both ends can compute, so that each byte is checked.

The other end is harness/services.py: keep the two in step.
"""

import hashlib
import math
import select
import socket
import struct
import threading
import time

TCP_PORT = 7001
UDP_PORT = 7002
HEADER = struct.Struct("!IIH")  # stream, sequence number, length of the payload


def content(seed, size):
    """`size` bytes that only the seed decides."""
    return hashlib.shake_128(seed.encode()).digest(size)


def payload(stream, number, size):
    """One datagram: header, content, and a digest over both."""
    body = HEADER.pack(stream, number, size) + content(f"{stream}/{number}", size)
    return body + hashlib.sha256(body).digest()[:8]


def valid(data):
    """The datagram's (stream, number), or None if a byte of it is wrong."""
    if len(data) < HEADER.size + 8 or hashlib.sha256(data[:-8]).digest()[:8] != data[-8:]:
        return None
    stream, number, size = HEADER.unpack_from(data)
    return (stream, number) if len(data) == HEADER.size + size + 8 else None


def _connect(host, timeout):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect((host, TCP_PORT))
    return sock


def tcp_download(host, size, seed, timeout):
    """Fetch content and compare its digest with the one computed here."""
    began = time.monotonic()
    digest = hashlib.sha256()
    received = 0
    with _connect(host, timeout) as sock:
        sock.sendall(f"DOWN {size} {seed}\n".encode())
        while data := sock.recv(65536):
            digest.update(data)
            received += len(data)
    good = digest.hexdigest() == hashlib.sha256(content(seed, size)).hexdigest()
    return {"bytes": received, "good": good, "seconds": time.monotonic() - began}


def tcp_upload(host, size, seed, timeout):
    """Send content and compare the digest the other end computed."""
    data = content(seed, size)
    began = time.monotonic()
    with _connect(host, timeout) as sock:
        sock.sendall(f"UP {size} {seed}\n".encode())
        sock.sendall(data)
        reply = sock.makefile("r", encoding="ascii").readline().split()
    good = len(reply) == 2 and reply[1] == hashlib.sha256(data).hexdigest()
    return {
        "bytes": int(reply[0]) if reply else 0,
        "good": good,
        "seconds": time.monotonic() - began,
    }


class Echo:
    """Datagrams to the echo service with at most `window` under way."""

    def __init__(self, host, stream, size, window, patience, source=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            self.socket.bind((source, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)
        self.socket.setblocking(False)
        self.host = host
        self.stream = stream
        self.size = size
        self.window = window
        self.patience = patience
        self.sent = self.received = self.bad = self.doubled = self.refused = 0
        # Replies that came after the reply to a later datagram.
        self.disordered = 0
        self.latest = -1
        self.under_way = {}
        self.longest = 0.0

    def send(self):
        """Send the next datagram, unless the kernel refuses it now."""
        try:
            data = payload(self.stream, self.sent, self.size)
            self.socket.sendto(data, (self.host, UDP_PORT))
        except OSError:
            # Interface down or detached, or its queue full: wait for better times.
            self.refused += 1
            time.sleep(0.02)
            return
        self.under_way[self.sent] = time.monotonic()
        self.sent += 1

    def receive(self, wait):
        """Take all replies that are there."""
        if not select.select([self.socket], [], [], wait)[0]:
            return
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            key = valid(data)
            if key is None or key[0] != self.stream:
                self.bad += 1
            elif key[1] not in self.under_way:
                self.doubled += 1
            else:
                self.longest = max(self.longest, time.monotonic() - self.under_way.pop(key[1]))
                self.received += 1
                self.disordered += key[1] < self.latest
                self.latest = max(self.latest, key[1])

    def expire(self):
        """Forget datagrams that were under way for too long: they are lost."""
        limit = time.monotonic() - self.patience
        for number in [n for n, when in self.under_way.items() if when < limit]:
            del self.under_way[number]

    def step(self, limit):
        """One round: send as long as fewer than `limit` were sent, then see what came back."""
        while self.sent < limit and len(self.under_way) < self.window:
            before = self.sent
            self.send()
            if self.sent == before:
                break
        self.receive(0.02)
        self.expire()

    def result(self):
        """The counters."""
        names = ("sent", "received", "bad", "doubled", "disordered", "refused", "longest")
        return {name: getattr(self, name) for name in names}


def udp_echo(host, count, size, window=8, patience=5, timeout=60, stream=1, source=None):
    """Exchange `count` datagrams, from a certain address if one is given, and count what came
    back, each byte checked."""
    echo = Echo(host, stream, size, window, patience, source)
    began = time.monotonic()
    try:
        while time.monotonic() < began + timeout:
            echo.step(count)
            if echo.sent >= count and not echo.under_way:
                break
    finally:
        echo.socket.close()
    return {**echo.result(), "seconds": time.monotonic() - began}


class Load(threading.Thread):
    """Echo traffic that goes on until it is told to stop."""

    def __init__(self, echo, pause):
        super().__init__(daemon=True)
        self.echo = echo
        self.pause = pause
        self.running = True
        # How long to wait in the end for what is under way still, in seconds.
        self.drain = 1.0

    def run(self):
        """Until stop."""
        while self.running:
            self.echo.step(math.inf)
            time.sleep(self.pause)
        end = time.monotonic() + self.drain
        while self.echo.under_way and time.monotonic() < end:
            self.echo.step(0)
        self.echo.socket.close()


loads = {}


def load_start(name, host, size=1000, window=8, patience=1, stream=100, source=None, pause=0):
    """Start a load under a name, with so many seconds of pause after each of its rounds."""
    loads[name] = Load(Echo(host, stream, size, window, patience, source), pause)
    loads[name].start()


def load_status(name):
    """Counters of a running load."""
    return loads[name].echo.result()


def load_stop(name, drain=1.0):
    """Stop a load, wait `drain` seconds at most for what is under way, and return its counters."""
    load = loads.pop(name)
    load.drain = drain
    load.running = False
    load.join(drain + 20)
    return load.echo.result()


def resolve(name, v6=False):
    """The addresses of a name, as programs get them from the C library."""
    family = socket.AF_INET6 if v6 else socket.AF_INET
    found = socket.getaddrinfo(name, None, family, socket.SOCK_DGRAM)
    return sorted({entry[4][0] for entry in found})


FUNCTIONS = {
    "resolve": resolve,
    "tcp_download": tcp_download,
    "tcp_upload": tcp_upload,
    "udp_echo": udp_echo,
    "load_start": load_start,
    "load_status": load_status,
    "load_stop": load_stop,
}
