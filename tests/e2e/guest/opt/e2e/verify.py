# SPDX-License-Identifier: GPL-2.0
"""Checks each byte of hostile frames that the driver delivered.

How payloads are made is described in tests/modem/src/hostile/frames/payload.rs: nearly all of a
frame is a slice of one table, so that comparing is quick. The bytes before the slice are written
down as they are, and what is not as it should be at first sight is kept as a whole, for the harness
to judge: it knows which frames there were.

Each interface has a packet socket of its own: to ask a common one where a packet comes from costs
Python another system call. A socket keeps its packets in order.
"""

import base64
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
# Bytes that may wait for us, the kernel's own for each packet included.
WAITING = 24 << 20
# Seconds for which packets are kept: much longer than the modem changes them.
KEEP_S = 0.3
# Packets of one interface before the others have their turn.
TURN = 64

# First byte, variant, serial number, next header, channel, length, bytes transferred.
INTRODUCTION = struct.Struct("<BBIBBHH")
VARYING = 40
PLACES = 1 << 16
NEXT_HEADER = 59
ZEROS = bytes(4096)
# The introduction as it was delivered, length, channel.
RECORD = struct.Struct("<12sHB")
# The introduction of a packet that is kept: as a variant the second byte makes no sense.
ODD = b"\0\xff"
# Bytes of odd packets that are kept.
ODD_LIMIT = 64 << 20


def place(serial, variant):
    """Where in the table a payload begins."""
    return (serial * 40503 + variant * 12289) % PLACES


def open_socket(name):
    """A socket that sees what is received on an interface, or with "" on all of them."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WAITING)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setblocking(False)
    sock.bind((name, ETH_P_ALL))
    return sock


def losses(sock):
    """Packets that a socket had no room for since the last time."""
    return struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


class Keeper(threading.Thread):
    """Keeps the memory of each packet for at least KEEP_S.

    The modem changes some buffers a while after their completion. When Linux had freed one by then
    it would change memory of somebody else, against which no driver could help: so nothing is freed
    early. A packet is in the queue of a socket that nobody reads, and that is closed in the end.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.running = True
        self.lost = 0

    def run(self):
        """Until told to stop."""
        sockets = [open_socket("")]
        while self.running:
            time.sleep(KEEP_S)
            sockets.append(open_socket(""))
            if len(sockets) > 2:
                self._close(sockets.pop(0))
        for sock in sockets:
            self._close(sock)

    def _close(self, sock):
        self.lost += losses(sock)
        sock.close()


class Checker:
    """Looks at packets, one after the other, and writes down what each of them is."""

    def __init__(self, table):
        self.table = table
        self.buffer = bytearray(4096)
        self.records = bytearray()
        self.odd = {}
        self.odd_bytes = 0

    def check(self, channel, length):
        """Write down what the packet is that is in the buffer."""
        if length >= INTRODUCTION.size:
            head = self.buffer[: INTRODUCTION.size]
            _, variant, serial, mark, _, _, there = INTRODUCTION.unpack(head)
            there = min(there, length)
            good = mark == NEXT_HEADER and there >= INTRODUCTION.size and variant < 3
            if good and self._matches(serial, variant, there, length):
                self.records += RECORD.pack(head, length, channel)
                return
        self._keep(channel, length)

    def _matches(self, serial, variant, there, length):
        """Whether the rest is from the table, and zeros behind what was transferred."""
        buffer, table = self.buffer, self.table
        fixed = place(serial, 0)
        begin = INTRODUCTION.size
        # Without variants it is one piece.
        end = there if variant == 0 else min(there, VARYING)
        if buffer[begin:end] != table[fixed + begin : fixed + end]:
            return False
        if end < there:
            vary = place(serial, variant)
            if buffer[end:there] != table[vary + end : vary + there]:
                return False
        return there == length or buffer[there:length] == ZEROS[: length - there]

    def _keep(self, channel, length):
        data = bytes(self.buffer[:length]).rstrip(b"\0")
        self.odd_bytes += len(data)
        if self.odd_bytes <= ODD_LIMIT:
            self.odd[len(self.records) // RECORD.size] = data
        self.records += RECORD.pack(ODD, length, channel)


class Verifier(threading.Thread):
    """Takes packets until it is told to stop."""

    def __init__(self, table, channels):
        super().__init__(daemon=True)
        self.checker = Checker(table)
        self.keeper = Keeper()
        self.keeper.start()
        self.sockets = {open_socket(name): channel for name, channel in channels.items()}
        self.count = 0
        self.lost = 0
        self.running = True
        self.error = None

    def run(self):
        """Until stop, and until no packet waits."""
        try:
            while self._round():
                pass
        except Exception as error:  # the harness has to hear of it
            self.error = f"{type(error).__name__}: {error}"

    def _round(self):
        """One turn for each interface that has packets. False at the end."""
        ready = select.select(list(self.sockets), [], [], 0.2)[0]
        checker = self.checker
        for sock in ready:
            channel = self.sockets[sock]
            try:
                for _ in range(TURN):
                    checker.check(channel, sock.recv_into(checker.buffer))
                    self.count += 1
            except BlockingIOError:
                pass
        return bool(ready) or self.running

    def statistics(self):
        """Counts so far."""
        for sock in self.sockets:
            self.lost += losses(sock)
        return {
            "packets": self.count,
            "lost": self.lost + self.keeper.lost,
            "odd": len(self.checker.odd),
            "error": self.error,
            "time": time.monotonic(),
        }

    def stop(self):
        """End; what is in the ring is still looked at."""
        self.running = False
        self.keeper.running = False
        self.keeper.join(30)
        self.join(60)
        result = self.statistics()
        for sock in self.sockets:
            sock.close()
        return result


verifiers = {}


def verify_start(seed, table, channels):
    """Begin, with a table and {name of an interface: channel}."""
    verifiers[seed] = Verifier(base64.b64decode(table), channels)
    verifiers[seed].start()


def verify_status(seed):
    """Counts so far."""
    return verifiers[seed].statistics()


def verify_stop(seed):
    """End it and return the counts; the records stay."""
    return verifiers[seed].stop()


def verify_records(seed, first, count):
    """A part of the records, as described at RECORD."""
    records = verifiers[seed].checker.records[first * RECORD.size : (first + count) * RECORD.size]
    return base64.b64encode(records).decode()


def verify_odd(seed, first, count):
    """A part of the odd packets: number of the record, bytes without zeros at the end."""
    odd = sorted(verifiers[seed].checker.odd.items())[first : first + count]
    return [[number, base64.b64encode(data).decode()] for number, data in odd]


def verify_forget(seed):
    """Free the records."""
    del verifiers[seed]


FUNCTIONS = {
    "verify_start": verify_start,
    "verify_status": verify_status,
    "verify_stop": verify_stop,
    "verify_records": verify_records,
    "verify_odd": verify_odd,
    "verify_forget": verify_forget,
}
