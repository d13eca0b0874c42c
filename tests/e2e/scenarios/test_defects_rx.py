# SPDX-License-Identifier: GPL-2.0
"""What the network stack gets with a frame, and what a stream of frames costs."""

import pytest

from harness import packets
from harness.context import ALL_CHANNELS, Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.frames import header

# A packet as small as an acknowledgement.
SMALL = packets.udp(far_ip(0), guest_ip(0), 9999, bytes(12))
# What may be charged for it: it is alone in the smallest buffer that the kernel has.
SMALL_COST = 1024
RECEIVE_BUFFER = 64 << 10
SEGMENTS = 20
SEGMENT_SIZE = 1000
# The processor that serves interrupts as long as nobody asks for another one.
INTERRUPTS = 0
EARLY_FRAMES = 5


@pytest.mark.defect(18, symptom="packets that passed a filter .* expected 10, found 0")
def test_link_layer_filter(ctx: Context, up: Context) -> None:
    """A socket filter that looks at the link layer's header gets packets.

    As tools compile them; where the kernel does not know the header it drops the packet.
    """
    name = ctx.name(0)
    ctx.phone.call("link_layer_start", interface=name)
    ctx.modem.data(channel=0, payload=SMALL, repeat=10)
    passed = ctx.phone.call("link_layer_count", interface=name, idle=ctx.phone.slowness)
    check_equal(passed, 10, "packets that passed a filter that accepts all")


@pytest.mark.defect(19, symptom="frames that came back to the new interface")
def test_early_ifup(ctx: Context, up: Context) -> None:
    """An interface that is brought up the moment it is announced receives at once.

    By a task that has precedence over the one that creates the interface, on its processor.
    """
    # The link has to stay awake: a wake-up sleeps, and lets the other task go on.
    ctx.set_autosuspend(60_000)
    for channel in range(1, 8):
        ctx.echo(count=2)
        ctx.modem.echo(True)
        ctx.phone.call("early_bird_start", cpu=INTERRUPTS, frames=EARLY_FRAMES, timeout=20)
        ctx.modem.open([channel])
        found = ctx.phone.call("early_bird_result")
        ctx.modem.echo(False)
        ctx.note(f"channel {channel}: {found}")
        check(bool(found), "the task found no interface")
        check_equal(found["received"], EARLY_FRAMES, "frames that came back to the new interface")
    ctx.wait_interfaces(set(ALL_CHANNELS))


def log_lines(ctx: Context, start: int) -> int:
    """Lines in the kernel's log since a position."""
    return ctx.phone.log(start).count("\n")


@pytest.mark.defect(20, symptom="lines in the kernel's log")
def test_log_storm(ctx: Context, up: Context) -> None:
    """A modem that sends frames nobody wants does not fill the kernel's log.

    Frames for an interface that is down, then frames without sense.
    """
    ctx.echo()
    start = ctx.phone.log_position()
    ctx.phone.run(f"ip link set dev {ctx.name(0)} down")
    frames = 500
    ctx.modem.data(channel=0, payload=SMALL, repeat=frames)
    for bad in (header(magic=0x1234), header(command=9), header(length=0xFFFF)):
        ctx.modem.inject(bad + bytes(100), repeat=frames)
    ctx.wait_until(lambda: ctx.modem.status()["downlink_queued"] == 0, "Linux takes the frames")
    ctx.up()
    ctx.works()
    lines = log_lines(ctx, start)
    ctx.note(f"{lines} lines for {4 * frames} frames")
    check(lines < frames // 10, f"{lines} lines in the kernel's log for {4 * frames} frames")


@pytest.mark.defect(21, symptom="segments arrived as")
def test_merged_segments(ctx: Context, up: Context) -> None:
    """Segments that arrive together reach the stack as one packet (GRO).

    They wait in the modem, so that all are there when the driver looks.
    """
    name = ctx.name(0)
    ctx.modem.hold_rx(True)
    ctx.phone.call("capture_start", interface=name)
    for number in range(SEGMENTS):
        packet = packets.tcp(
            far_ip(0), guest_ip(0), 9, 1 + number * SEGMENT_SIZE, bytes(SEGMENT_SIZE)
        )
        ctx.modem.data(channel=0, payload=packet)
    ctx.modem.hold_rx(False)
    seen = ctx.phone.call("capture_read", interface=name, count=SEGMENTS, timeout=9, idle=2)
    lengths = seen["lengths"]
    ctx.note(f"lengths of the packets: {lengths}")
    payload = sum(length - 40 for length in lengths)
    check_equal(payload, SEGMENTS * SEGMENT_SIZE, "bytes of the segments")
    check(len(lengths) <= SEGMENTS // 2, f"{SEGMENTS} segments arrived as {len(lengths)} packets")


@pytest.mark.defect(22, symptom="bytes are charged for a packet")
def test_small_packets(ctx: Context, up: Context) -> None:
    """Small packets are charged with a small buffer.

    More than fit into a socket's receive buffer, which nobody reads.
    """
    ctx.phone.call("receiver_start", host=guest_ip(0), port=9999, size=RECEIVE_BUFFER)
    ctx.modem.data(channel=0, payload=SMALL, repeat=400)
    ctx.wait_until(lambda: ctx.modem.status()["downlink_queued"] == 0, "Linux takes the frames")
    ctx.works()
    found = ctx.phone.call("receiver_count", port=9999)
    check(found["held"] > 0, "the socket holds nothing")
    each = found["charged"] / found["held"]
    ctx.note(f"{found}: {each:.0f} bytes for each")
    check(each <= SMALL_COST, f"{each:.0f} bytes are charged for a packet of {len(SMALL)}")
