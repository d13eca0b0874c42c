# SPDX-License-Identifier: GPL-2.0
"""Frames as the modem saw them, and whose they are."""

from dataclasses import dataclass

from harness.context import Context

HEADER = 8
MAGIC = 0x33FC
DATA, OPEN, CLOSE = 0, 1, 2
IPV4, IPV6 = 4, 6


def header(
    magic: int = MAGIC, command: int = DATA, channel: int = 0, length: int = 100, pad: int = 0
) -> bytes:
    """A frame's header with any values in it."""
    return (
        magic.to_bytes(2, "little")
        + bytes((0, command, pad, channel))
        + length.to_bytes(2, "little")
    )


@dataclass(frozen=True)
class Seen:
    """One data frame that the modem took."""

    channel: int
    length: int
    payload: bytes


def record(ctx: Context) -> None:
    """From now on the modem keeps what it takes."""
    ctx.modem.record(True)


def recorded(ctx: Context, version: int = IPV4) -> list[Seen]:
    """The IPv4 data frames since the last time, in order: the stack's own are IPv6.

    Those of the other version are forgotten.
    """
    frames = []
    for data in ctx.modem.recorded():
        length = int.from_bytes(data[6:8], "little")
        payload = data[HEADER : HEADER + length]
        if data[3] == DATA and payload and payload[0] >> 4 == version:
            frames.append(Seen(data[5], length, payload))
    return frames


def taken(ctx: Context, count: int, what: str) -> list[Seen]:
    """Wait until the modem has taken so many IPv4 data frames since the last time."""
    frames: list[Seen] = []

    def all_there() -> bool:
        frames.extend(recorded(ctx))
        return len(frames) >= count

    ctx.wait_until(all_there, f"the modem takes {count} frames {what}")
    return frames


def send(ctx: Context, channel: int, lengths: list[int]) -> None:
    """Send IPv4-looking frames of these lengths on a channel."""
    ctx.phone.call("send_frames", interface=ctx.name(channel), lengths=lengths, seed="up")
