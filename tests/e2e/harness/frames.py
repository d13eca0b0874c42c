# SPDX-License-Identifier: GPL-2.0
"""Frames as the modem saw them, and whose they are."""

from dataclasses import dataclass

from harness.context import Context

HEADER = 8
DATA = 0
IPV4 = 4


@dataclass(frozen=True)
class Seen:
    """One data frame that the modem took."""

    channel: int
    length: int
    payload: bytes


def record(ctx: Context) -> None:
    """From now on the modem keeps what it takes."""
    ctx.modem.call("record", on=True)


def recorded(ctx: Context) -> list[Seen]:
    """The IPv4 data frames since the last time, in order: the stack's own are IPv6."""
    frames = []
    for text in ctx.modem.call("recorded"):
        data = bytes.fromhex(text)
        payload = data[HEADER:]
        if data[3] == DATA and payload and payload[0] >> 4 == IPV4:
            frames.append(Seen(data[5], int.from_bytes(data[6:8], "little"), payload))
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
