# SPDX-License-Identifier: GPL-2.0
"""Judges what the driver made of hostile frames: the modem's log against what was delivered.

The modem's log (tests/modem/src/hostile/frames/log.rs) has every frame as it was written, with what
it was rewritten to. The guest (guest/opt/e2e/verify.py) has every packet that was delivered, its
bytes checked against what the packet says of itself in its introduction. Here the two are brought
together: nothing may be delivered that the modem did not write, nothing with a channel or length
that no header had, and nothing that Linux had to deliver may be missing.

Nothing of the driver or the modem decides what a header means: classify() does.
"""

import struct
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

HEADER = 8
MOST = 2040
CHANNELS = 8
MAGIC = 0x33FC
DATA, OPEN, CLOSE = 0, 1, 2
HEADER_CHANGES, PAYLOAD_CHANGES, LATE, DAMAGED = 1, 2, 4, 8
KINDS = [
    *("valid", "signal", "pad", "magic", "command", "channel", "length", "mixed", "noise"),
    *("short", "tiny", "empty", "long", "full", "version", "flood"),
    *("fetch_header", "fetch_payload", "late"),
]
FRAME = struct.Struct("<IIBBBxHxx8s8s")
RECORD = struct.Struct("<12sHB")
ODD = 255
INTRODUCTION = struct.Struct("<BBIBBHH")
VARYING = 40
# What a delivery counts as, by its variant.
DELIVERED = ("delivered", "delivered rewritten", "delivered late")
PLACES = 1 << 16
NEXT_HEADER = 59
# So many frames later no late write can meet a frame any more: Linux has only 32 buffers.
NEAR = 400
# The kernel takes packets to taps in lists, those of a protocol that nobody else wants last.
SHUFFLED = 64
# Failures that are told in full.
SHOWN = 12


class Frame(NamedTuple):
    """A frame as the modem wrote it."""

    serial: int
    address: int
    kind: int
    flags: int
    first: int
    transferred: int
    header: bytes
    other: bytes


def classify(header: bytes) -> tuple:
    """What Linux has to make of a header: ("data", channel, length), or why not."""
    magic, _, command, _, channel, length = struct.unpack("<HBBBBH", header)
    if magic != MAGIC:
        return ("rx_bad_magic",)
    if command > CLOSE:
        return ("rx_bad_command",)
    if channel >= CHANNELS:
        return ("rx_bad_channel",)
    if command != DATA:
        return ("open" if command == OPEN else "close", channel)
    if not 0 < length <= MOST:
        return ("rx_bad_length",)
    return ("data", channel, length)


def outcomes(frame: Frame) -> set[tuple]:
    """All that a frame can be taken for: its header, and what that was rewritten to."""
    there = min(frame.transferred, HEADER)
    found = {classify(frame.header[:there].ljust(HEADER, b"\0"))}
    if frame.flags & HEADER_CHANGES:
        found.add(classify(frame.other[:there].ljust(HEADER, b"\0")))
    return found


@dataclass
class Unnamed:
    """A packet too short to say which frame it is, and between which frames it must be."""

    number: int
    earliest: int
    latest: int
    channel: int
    length: int
    data: bytes


def assign(wishes: dict[int, list[int]]) -> set[int]:
    """Give as many as possible something of their own that they wish for. Returns who got none."""
    owner: dict[int, int] = {}

    def serve(who: int, asked: set[int]) -> bool:
        for thing in wishes[who]:
            if thing not in asked:
                asked.add(thing)
                if thing not in owner or serve(owner[thing], asked):
                    owner[thing] = who
                    return True
        return False

    return {who for who in wishes if not serve(who, set())}


@dataclass
class Judge:
    """One run: its frames, and what was found out about them."""

    frames: list[Frame]
    table: bytes
    closable: set[int]
    failures: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    results: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.index = {frame.serial: number for number, frame in enumerate(self.frames)}
        self.late: dict[int, list[int]] = {}
        self.written: dict[int, list[int]] = {}
        for number, frame in enumerate(self.frames):
            kind = self.late if frame.flags & LATE else self.written
            kind.setdefault(frame.address, []).append(number)

    @classmethod
    def from_log(cls, log: bytes, table: bytes, closable: set[int]) -> "Judge":
        """With the frames of a log."""
        frames = [Frame(*values) for values in FRAME.iter_unpack(log)]
        return cls(frames, table, closable)

    def fail(self, text: str) -> None:
        """Note a failure."""
        self.failures.append(text)

    # What was delivered.

    def judge(self, records: bytes, odd: dict[int, bytes]) -> None:
        """Look at all that was delivered, then at what was not."""
        unnamed: list[Unnamed] = []
        last: dict[int, int] = {}
        waiting: dict[int, list[Unnamed]] = {}
        for number, (head, length, channel) in enumerate(RECORD.iter_unpack(records)):
            _, variant, serial, *_ = INTRODUCTION.unpack(head)
            data = None
            if variant == ODD:
                if number not in odd:
                    self.fail(f"packet {number}: odd, and not kept")
                    continue
                data = odd[number].ljust(length, b"\0")
                found = self._named(data)
            elif (found := self.index.get(serial)) is None:
                self.fail(f"packet {number}: serial number {serial} was never sent")
                continue
            before = last.get(channel, 0)
            if found is None:
                item = Unnamed(number, before - SHUFFLED, len(self.frames), channel, length, data)
                unnamed.append(item)
                waiting.setdefault(channel, []).append(item)
                continue
            if data is None:
                self._plain(found, length, channel, head)
            else:
                self._odd(found, length, channel, data)
            if found < before - SHUFFLED and not self.late:
                self.fail(f"{self.tell(found)}: delivered after {self.tell(before)}")
            for item in waiting.pop(channel, ()):
                item.latest = found + SHUFFLED
            last[channel] = max(before, found)
        self._unnamed(unnamed)
        self._missing()

    def _accept(self, number: int) -> None:
        if number in self.seen and not self.late:
            self.fail(f"{self.tell(number)}: delivered twice")
        self.seen.add(number)

    def _headers_fit(self, number: int, length: int, channel: int) -> bool:
        """Whether a header that was in that buffer had this channel and length."""
        wanted = ("data", channel, length)
        if wanted in outcomes(self.frames[number]):
            return True
        # A header that was written in part stands before the rest of an older one.
        headers = [bytes(HEADER)] if self.late else []
        for other in (number, *self._near(number)):
            headers += [self.frames[other].header, self.frames[other].other]
        parts = zip(bytes((channel,)) + length.to_bytes(2, "little"), (5, 6, 7), strict=True)
        return bool(self.late) and all(
            any(header[at] == byte for header in headers) for byte, at in parts
        )

    def _near(self, number: int) -> Iterator[int]:
        """Other frames whose bytes may be in the same buffer: written late, or changed so late that
        Linux had just emptied it again."""
        address = self.frames[number].address
        if address not in self.late:
            here = self.written.get(address, [])
            place = bisect_left(here, number)
            changes = HEADER_CHANGES | PAYLOAD_CHANGES
            for other in here[max(0, place - 2) : place]:
                if self.frames[other].flags & changes:
                    yield other
            return
        for group in (self.late, self.written):
            for other in group.get(address, ()):
                if other != number and abs(other - number) <= 4 * NEAR:
                    yield other

    def _plain(self, number: int, length: int, channel: int, head: bytes) -> None:
        frame, variant = self.frames[number], head[1]
        allowed = {0} | ({1} if frame.flags & PAYLOAD_CHANGES else set())
        if frame.flags & LATE:
            allowed = {2}
        if variant not in allowed:
            self.fail(f"{self.tell(number)}: variant {variant} was never written")
        elif not self._headers_fit(number, length, channel):
            self.fail(f"{self.tell(number)}: delivered on channel {channel}, {length} bytes")
        elif head == self._introduction(frame, variant) or not self._is_foreign(number, head):
            self.results[DELIVERED[variant]] += 1
        self._accept(number)

    def _named(self, data: bytes) -> int | None:
        """The frame that an odd packet says it is, if it does."""
        if len(data) < INTRODUCTION.size or data[6] != NEXT_HEADER:
            return None
        return self.index.get(INTRODUCTION.unpack_from(data)[2])

    def _odd(self, number: int, length: int, channel: int, data: bytes) -> None:
        if not self._headers_fit(number, length, channel):
            self.fail(f"{self.tell(number)}: delivered on channel {channel}, {length} bytes")
        elif not self._is_foreign(number, data):
            self.results["delivered mixed"] += 1
        self._accept(number)

    def _is_foreign(self, number: int, data: bytes) -> bool:
        """Whether there is a byte that the modem did not write; a failure if so."""
        at = self._foreign(number, data)
        if at is not None:
            self.fail(
                f"{self.tell(number)}: byte {at} is {data[at]:#04x}, which the modem never wrote "
                f"there; from there on {data[at : at + 32].hex()}"
            )
        return at is not None

    def _foreign(self, number: int, data: bytes) -> int | None:
        """The first byte that the modem did not write, nor anybody zeroed."""
        versions = list(self.versions(number))
        versions += [bytes(MOST)] if self.late else []
        for other in self._near(number):
            versions += self.versions(other)
        for at, byte in enumerate(data):
            if not any(version[at] == byte for version in versions):
                return at
        return None

    def _unnamed(self, packets: list[Unnamed]) -> None:
        """Packets too short to say which frame they are: their neighbours bound it.

        Each of them has to be a frame, and each frame that Linux had to deliver one of them. By
        the theorem of Mendelsohn and Dulmage there is then one assignment that has both.
        """
        short: dict[tuple[int, int], list[int]] = {}
        for number, frame in enumerate(self.frames):
            there = frame.transferred - HEADER < INTRODUCTION.size
            for outcome in outcomes(frame):
                if outcome[0] == "data" and (there or outcome[2] < INTRODUCTION.size):
                    short.setdefault(outcome[1:], []).append(number)
        alike: dict[tuple[int, int], list[Unnamed]] = {}
        for packet in packets:
            alike.setdefault((packet.channel, packet.length), []).append(packet)
        for key, group in alike.items():
            self._assign(
                group, [number for number in short.get(key, ()) if number not in self.seen]
            )

    def _assign(self, group: list[Unnamed], numbers: list[int]) -> None:
        wishes: dict[int, list[int]] = {packet.number: [] for packet in group}
        wanted: dict[int, list[int]] = {}
        for packet in group:
            for number in numbers:
                near = packet.earliest <= number <= packet.latest
                if near and self._foreign(number, packet.data) is None:
                    wishes[packet.number].append(number)
                    if self._certain(number):
                        wanted.setdefault(number, []).append(packet.number)
        left = assign(wishes)
        for packet in group:
            if packet.number in left:
                self.fail(f"packet {packet.number}: {packet.data[:32].hex()}: from where?")
        self.results["delivered short"] += len(group) - len(left)
        self.seen.update(wanted.keys() - assign(wanted))

    # What was not.

    def _certain(self, number: int) -> bool:
        """Whether Linux has to deliver it, whatever else happened."""
        frame = self.frames[number]
        if frame.flags & (HEADER_CHANGES | LATE | DAMAGED):
            return False
        (outcome,) = outcomes(frame)
        return outcome[0] == "data" and outcome[1] not in self.closable

    def _missing(self) -> None:
        missing = [
            number
            for number in range(len(self.frames))
            if number not in self.seen and self._certain(number) and not self._overwritten(number)
        ]
        self.results["missing"] = len(missing)
        if missing:
            told = ", ".join(self.tell(number) for number in missing[:5])
            self.fail(f"{len(missing)} frames were not delivered, the first are {told}")

    def _overwritten(self, number: int) -> bool:
        frame = self.frames[number]
        late = self.late.get(frame.address, ())
        # One that does not say which it is may have been taken for another.
        before = NEAR if frame.transferred < HEADER + INTRODUCTION.size else 0
        return any(number - before < other < number + NEAR for other in late)

    # Frames.

    def versions(self, number: int) -> list[bytes]:
        """All that a frame's payload was, up to the end of the buffer."""
        frame = self.frames[number]
        if frame.flags & LATE:
            return [self._payload(frame, 2)]
        changes = frame.flags & PAYLOAD_CHANGES
        return [self._payload(frame, variant) for variant in ((0, 1) if changes else (0,))]

    def _payload(self, frame: Frame, variant: int) -> bytes:
        there = max(0, frame.transferred - HEADER)
        head = self._introduction(frame, variant)
        fixed = (frame.serial * 40503) % PLACES
        vary = (frame.serial * 40503 + variant * 12289) % PLACES
        data = head + self.table[fixed + len(head) : fixed + VARYING]
        data += self.table[vary + VARYING : vary + MOST]
        return data[:there].ljust(MOST, b"\0")

    def _introduction(self, frame: Frame, variant: int) -> bytes:
        there = max(0, frame.transferred - HEADER)
        channel, length = frame.header[5], int.from_bytes(frame.header[6:8], "little")
        return INTRODUCTION.pack(
            frame.first, variant, frame.serial, NEXT_HEADER, channel, length, there
        )

    def tell(self, number: int) -> str:
        """A frame in words."""
        frame = self.frames[number]
        text = f"frame {frame.serial} ({KINDS[frame.kind]}, header {frame.header.hex()}"
        if frame.flags & HEADER_CHANGES:
            text += f" then {frame.other.hex()}"
        return f"{text}, {frame.transferred} bytes transferred)"

    # Counters.

    def bounds(self) -> dict[str, tuple[int, int]]:
        """How many frames have each outcome: at least, and at most if all rewrites go its way."""
        least: Counter = Counter()
        most: Counter = Counter()
        for frame in self.frames:
            if frame.flags & (LATE | DAMAGED):
                continue
            found = {outcome[0] for outcome in outcomes(frame)}
            most.update(found)
            if len(found) == 1:
                least.update(found)
        return {name: (least[name], most[name]) for name in most}

    def kinds(self) -> dict[str, int]:
        """How many frames of each kind there were."""
        return dict(Counter(KINDS[frame.kind] for frame in self.frames))

    def report(self) -> str:
        """The failures in words."""
        more = len(self.failures) - SHOWN
        text = "\n".join(self.failures[:SHOWN])
        return text + (f"\n... and {more} more" if more > 0 else "")
