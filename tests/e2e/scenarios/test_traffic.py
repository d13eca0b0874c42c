# SPDX-License-Identifier: GPL-2.0
"""Content: every byte through the link is the one that was sent."""

import hashlib
import json
import threading
import time
from typing import Any

import pytest

from harness.context import ALL_CHANNELS, Context, far_ip, far_ip6
from harness.errors import FailedError, check, check_equal

SHORTEST, LONGEST = 20, 2040
LENGTHS = range(SHORTEST, LONGEST + 1)
# What the modem's buffers hold: a frame with header and padding must fit.
MODEM_BUFFER = 2048
HEADER = 8
DATA = 0
BURST = 100
TCP_BYTES = 1 << 20


def frame(length: int, seed: str) -> bytes:
    """The same frame as guest/opt/e2e/frames.py makes."""
    body = hashlib.shake_128(f"frame {seed} {length}".encode()).digest(length)
    return (b"\x45" + body[1:])[:length]


def together(jobs: dict[str, Any]) -> None:
    """Run functions at the same time; the first failure counts."""
    failures: list[BaseException] = []

    def run(function: Any) -> None:
        try:
            function()
        except BaseException as error:  # raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,), name=name) for name, job in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_all_channels(ctx: Context, up: Context) -> None:
    """All eight channels carry traffic at the same time, none sees another's.

    Each channel has a stream number of its own in each datagram.
    """
    ctx.modem.open(list(ALL_CHANNELS))
    ctx.wait_interfaces(set(ALL_CHANNELS))
    ctx.up(ALL_CHANNELS)
    count = 60

    def exchange(channel: int) -> None:
        result = ctx.phone.call(
            "udp_echo",
            90,
            host=far_ip(channel),
            count=count,
            size=200 + 100 * channel,
            window=2,
            patience=10 * ctx.phone.slowness,
            timeout=60 * ctx.phone.slowness,
            stream=channel + 1,
        )
        ctx.check_echo(result, count, f"channel {channel}")

    together({f"{n}": lambda n=n: exchange(n) for n in ALL_CHANNELS})
    for channel in ALL_CHANNELS:
        sent = ctx.statistics(channel)["tx_packets"]
        check(not ctx.ours or sent >= count, f"channel {channel} counts only {sent} frames sent")


def test_tcp(ctx: Context, up: Context) -> None:
    """TCP up, down and both at once, IPv4 and IPv6, SHA-256 right at both ends.

    Content that both ends compute.
    """

    def transfer(direction: str, host: str, size: int, seed: str) -> None:
        limit = 60 * ctx.phone.slowness
        result = ctx.phone.call(
            f"tcp_{direction}", 80, host=host, size=size, seed=seed, timeout=limit
        )
        ctx.note(f"{direction} {host}: {result}")
        check_equal(result["bytes"], size, f"TCP {direction} with {host}: bytes")
        check(result["good"], f"TCP {direction} with {host}: SHA-256 differs")

    transfer("download", far_ip(0), TCP_BYTES, "a")
    transfer("upload", far_ip(0), TCP_BYTES, "b")
    transfer("download", far_ip6(0), TCP_BYTES // 4, "c")
    transfer("upload", far_ip6(0), TCP_BYTES // 4, "d")
    together(
        {
            "down": lambda: transfer("download", far_ip(0), TCP_BYTES, "e"),
            "up": lambda: transfer("upload", far_ip(0), TCP_BYTES, "f"),
        }
    )


def test_udp(ctx: Context, up: Context) -> None:
    """A stream of UDP both ways: nothing lost, doubled or altered.

    Enough at once to keep rings full, little enough for no buffer to overflow.
    """
    for size, count in ((1400, 600), (20, 600)):
        result = ctx.phone.call(
            "udp_echo",
            90,
            host=far_ip(0),
            count=count,
            size=size,
            window=24,
            patience=10 * ctx.phone.slowness,
            timeout=60 * ctx.phone.slowness,
        )
        ctx.check_echo(result, count, f"UDP of {size} bytes")


@pytest.mark.defect(9, symptom="length 2040: a transfer of 2052 bytes")
def test_lengths_up(ctx: Context, up: Context) -> None:
    """Every frame length from 20 to 2040 bytes leaves with the right content and padding.

    Compare what the modem took from the ring, byte by byte and in order.
    """
    ctx.up(mtu=LONGEST)
    ctx.echo()
    ctx.modem.record(True)
    lengths = list(LENGTHS)
    name = ctx.name(0)
    for part in range(0, len(lengths), 100):
        ctx.phone.call("send_frames", interface=name, lengths=lengths[part : part + 100], seed="up")
    frames: list[bytes] = []

    def all_there() -> bool:
        recorded = ctx.modem.recorded()
        frames.extend(data for data in recorded if data[3] == DATA)
        return len(frames) >= len(lengths)

    ctx.wait_until(all_there, f"the modem records {len(lengths)} frames", 30, every=0.2)
    ctx.modem.record(False)
    check_equal(len(frames), len(lengths), "frames recorded by the modem")
    for length, data in zip(lengths, frames, strict=True):
        check_frame(length, data)


def check_frame(length: int, data: bytes) -> None:
    """Judge one transfer as the modem saw it: header, payload, padding."""
    check(len(data) <= MODEM_BUFFER, f"length {length}: a transfer of {len(data)} bytes")
    check_equal(data[:4], b"\xfc\x33\x00\x00", f"length {length}: magic, signal and command")
    pad = data[4]
    check_equal(int.from_bytes(data[6:8], "little"), length, "length in the header")
    check_equal(len(data), HEADER + length + pad, f"length {length}: header + payload + {pad}")
    check_equal(len(data) % 4, 0, f"length {length}: bytes beyond a multiple of 4")
    payload = data[HEADER : HEADER + length]
    check(payload == frame(length, "up"), f"length {length}: payload altered")


def test_lengths_down(ctx: Context, up: Context) -> None:
    """Every frame length from 20 to 2040 bytes arrives with the right content.

    The modem injects them; a tap in the guest sees them before the IP layer judges.
    """
    ctx.echo()
    name = ctx.name(0)
    ctx.phone.call("capture_start", interface=name)
    for length in LENGTHS:
        ctx.modem.data(channel=0, payload=frame(length, "down"))
        if length % BURST == 0:
            # More than the ring, less than the modem keeps for Linux.
            ctx.wait_until(
                lambda: ctx.modem.status()["downlink_queued"] == 0, "Linux takes the frames"
            )
    found = ctx.phone.call(
        "capture_read", 90, interface=name, count=len(LENGTHS), timeout=60, idle=5
    )
    check_equal(found["lengths"], list(LENGTHS), "lengths of the frames that arrived, in order")
    for length, digest in zip(LENGTHS, found["digests"], strict=True):
        expected = hashlib.sha256(frame(length, "down")).hexdigest()[:16]
        check_equal(digest, expected, f"digest of the frame of {length} bytes")


def check_tool(ctx: Context) -> None:
    """The tool people use, which asks in another way than sysfs, has the same numbers."""
    out = json.loads(ctx.phone.run(f"ip -json -s link show dev {ctx.name(0)}"))
    shown = out[0]["stats64"]
    kernel = ctx.statistics(0)
    for way in ("rx", "tx"):
        for unit in ("packets", "bytes"):
            check_equal(shown[way][unit], kernel[f"{way}_{unit}"], f"ip -s link: {way} {unit}")


@pytest.mark.defect(21, symptom="the kernel's statistics, compared")
def test_statistics(ctx: Context, up: Context) -> None:
    """ip -s link counts what the modem counts, frames and bytes, both ways.

    Two independent counts of the same frames, from a quiet moment on.
    """
    ctx.echo()
    time.sleep(0.5)
    start = ctx.statistics(0)
    ctx.modem.reset_counters()
    # No padding with this size, so that transfers are header and payload in both directions.
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=200, size=702, patience=20)
    ctx.check_echo(result, 200, "traffic to count")
    result = ctx.phone.call("udp_echo", 60, host=far_ip6(0), count=50, size=702, patience=20)
    ctx.check_echo(result, 50, "IPv6 traffic to count")

    def both() -> tuple[dict[str, int], dict[str, int]]:
        kernel = ctx.statistics(0)
        modem = ctx.modem.counters()
        names = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes")
        return {name: kernel[name] - start[name] for name in names}, {
            "tx_packets": modem["uplink_frames"],
            "tx_bytes": modem["uplink_payload_bytes"],
            "rx_packets": modem["downlink_frames"],
            "rx_bytes": modem["downlink_bytes"] - HEADER * modem["downlink_frames"],
        }

    try:
        ctx.wait_until(lambda: both()[0] == both()[1], "equal counts", 3)
    except FailedError:
        kernel, modem = both()
        check_equal(kernel, modem, "the kernel's statistics, compared with the modem's")
    check(both()[0]["tx_packets"] >= 250, f"statistics do not count: {both()}")
    check_tool(ctx)
    errors = {key: value for key, value in ctx.statistics(0).items() if "err" in key and value}
    check_equal(errors, {}, "errors counted without one")
