# SPDX-License-Identifier: GPL-2.0
"""Tests of what judges hostile frames: packets that a driver must not deliver, made by hand.

They go through the guest's half of the check and the harness's, as those of a run do.
"""

import random
import runpy
import struct

import pytest

from harness import paths
from harness.errors import check, check_equal
from harness.hostile_frames import (
    DATA,
    FRAME,
    HEADER,
    HEADER_CHANGES,
    KINDS,
    MAGIC,
    MOST,
    PAYLOAD_CHANGES,
    PLACES,
    Frame,
    Judge,
)

Packet = tuple[int, bytes]

# The guest's half, which is no module of the harness.
GUEST = paths.CHECKOUT / "tests/e2e/guest/opt/e2e/verify.py"
TABLE = random.Random(1).randbytes(PLACES + HEADER + MOST)
# Serial number of the first frame, and numbers of the frames below.
SERIAL = 100
PLAIN, CHANGING, SHORT, TINY, TWO_HEADERS = range(5)


def header(channel: int, length: int) -> bytes:
    """The header of a DATA frame."""
    return struct.pack("<HBBBBH", MAGIC, 0, DATA, 0, channel, length)


def frame(
    number: int, kind: str, first: bytes, there: int, flags: int = 0, other: bytes = bytes(HEADER)
) -> bytes:
    """A record of the modem's log; the frame has `there` bytes behind its header."""
    place = (SERIAL + number, 0x1000 * number, KINDS.index(kind), flags, 0x45)
    return FRAME.pack(*Frame(*place, HEADER + there, first, other))


LOG = b"".join(
    (
        frame(PLAIN, "valid", header(1, 100), 100),
        frame(CHANGING, "fetch_payload", header(1, 90), 90, PAYLOAD_CHANGES),
        frame(SHORT, "short", header(2, 70), 50),
        frame(TINY, "valid", header(2, 7), 7),
        frame(TWO_HEADERS, "fetch_header", header(1, 60), 80, HEADER_CHANGES, header(2, 80)),
    )
)


def new_judge() -> Judge:
    """A judge who has seen nothing yet."""
    return Judge.from_log(LOG, TABLE, set())


class Bench:
    """Judges packets as if they had been delivered."""

    def __init__(self) -> None:
        self.checker = runpy.run_path(str(GUEST))["Checker"]
        judge = new_judge()
        self.good: list[Packet] = []
        for number, sent in enumerate(judge.frames):
            length = int.from_bytes(sent.header[6:], "little")
            self.good.append((sent.header[5], judge.versions(number)[0][:length]))
        channel, data = self.good[CHANGING]
        rewritten = judge.versions(CHANGING)[1][: len(data)]
        self.rewritten = (channel, rewritten)
        self.mixed = (channel, rewritten[:60] + data[60:])

    def failures(self, packets: list[Packet]) -> str:
        """What is found wrong with packets."""
        checker = self.checker(TABLE)
        for channel, data in packets:
            checker.buffer[: len(data)] = data
            checker.check(channel, len(data))
        judge = new_judge()
        judge.judge(bytes(checker.records), checker.odd)
        return judge.report()

    def instead(self, number: int, *packets: Packet) -> str:
        """What is found wrong when these are delivered in a good packet's place."""
        return self.failures([*self.good[:number], *packets, *self.good[number + 1 :]])


@pytest.fixture
def bench() -> Bench:
    """Where frames are judged."""
    return Bench()


def test_right_ones(bench: Bench) -> None:
    """What may be delivered passes, in each of its forms."""
    second = new_judge().versions(TWO_HEADERS)[0][:80]
    forms = (
        ("packets without fault", PLAIN, bench.good[:1]),
        ("a rewritten payload", CHANGING, [bench.rewritten]),
        ("a payload rewritten meanwhile", CHANGING, [bench.mixed]),
        ("the second header", TWO_HEADERS, [(2, second)]),
        ("neither header, as it may be a wrong one", TWO_HEADERS, []),
    )
    for what, number, packets in forms:
        check_equal(bench.instead(number, *packets), "", f"failures of {what}")


def test_each_byte(bench: Bench) -> None:
    """No byte of a packet can be another one."""
    for number, (channel, data) in (*enumerate(bench.good), (CHANGING, bench.rewritten)):
        for at in range(len(data)):
            wrong = bytearray(data)
            # Not 1: with that a variant may become one that is right.
            wrong[at] ^= 2
            found = bench.instead(number, (channel, bytes(wrong)))
            check(found, f"byte {at} of hostile frame {number} can be changed unnoticed")


def test_wrong_ones(bench: Bench) -> None:
    """Each other fault is found, and called what it is."""
    channel, data = bench.good[PLAIN]
    place = (SERIAL * 40503 + 12289) % PLACES
    variant = data[:1] + b"\1" + data[2:40] + TABLE[place + 40 : place + 100]
    two = new_judge().versions(TWO_HEADERS)[0]
    cases = (
        (PLAIN, [(channel, variant)], "variant 1 was never written"),
        (PLAIN, [(3, data)], "delivered on channel 3, 100 bytes"),
        (PLAIN, [(channel, data[:-1])], "delivered on channel 1, 99 bytes"),
        (PLAIN, [(channel, data + b"\0")], "delivered on channel 1, 101 bytes"),
        (PLAIN, [], "1 frames were not delivered"),
        (PLAIN, [(channel, data)] * 2, "delivered twice"),
        (CHANGING, [(2, bench.mixed[1])], "delivered on channel 2, 90 bytes"),
        (TINY, [], "1 frames were not delivered"),
        (TINY, [bench.good[TINY]] * 2, "from where?"),
        # One header's channel and the other's length: that is a double fetch.
        (TWO_HEADERS, [(1, two[:80])], "delivered on channel 1, 80 bytes"),
        (TWO_HEADERS, [(2, two[:60])], "delivered on channel 2, 60 bytes"),
    )
    for number, packets, expected in cases:
        found = bench.instead(number, *packets)
        check(expected in found, f"hostile frames: no '{expected}' in '{found}'")
