# SPDX-License-Identifier: GPL-2.0
"""Frames that no modem should send. A modem is a computer of its own: it is not trusted."""

import time

import pytest

from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.frames import CLOSE, OPEN, header

REPEAT = 20


# Name: frame, and the driver's counter that must have counted it.
BODY = b"\x45" + bytes(99)
BAD = {
    "wrong magic": (header(magic=0x1234) + BODY, "rx_bad_magic"),
    "magic of all ones": (header(magic=0xFFFF) + BODY, "rx_bad_magic"),
    "unknown command": (header(command=0x77) + BODY, "rx_bad_command"),
    "command STATUS": (header(command=3) + BODY, "rx_bad_command"),
    "channel 21": (header(channel=21) + BODY, "rx_bad_channel"),
    "channel 255": (header(channel=255) + BODY, "rx_bad_channel"),
    "length 0": (header(length=0), "rx_bad_length"),
    "length 2041": (header(length=2041) + bytes(2040), "rx_bad_length"),
    "length 65535": (header(length=0xFFFF) + BODY, "rx_bad_length"),
    "OPEN for channel 200": (header(command=OPEN, channel=200), "rx_bad_channel"),
    "CLOSE for channel 200": (header(command=CLOSE, channel=200), "rx_bad_channel"),
    "nothing at all": (bytes(8), "rx_bad_magic"),
}


def test_bad_frames(ctx: Context, up: Context) -> None:
    """Each kind of bad frame is counted and its buffer reused; the link works on.

    More of each than there are receive buffers.
    """
    ctx.echo()
    for what, (data, counter) in BAD.items():
        before = ctx.phone.call("driver_counters")
        arrived = ctx.statistics()["rx_packets"]
        ctx.modem.inject(data, repeat=2 * REPEAT)
        if ctx.ours:
            check(counter in before, f"the driver has no counter {counter}: {sorted(before)}")
            ctx.wait_until(
                lambda: (
                    ctx.phone.call("driver_counters")[counter] - before[counter] >= 2 * REPEAT  # noqa: B023
                ),
                f"{2 * REPEAT} frames with {what} in {counter}",
            )
            check_equal(ctx.statistics()["rx_packets"], arrived, f"{what}: packets delivered")
        ctx.echo(count=3)
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=900, patience=20)
    ctx.check_echo(result, 100, "traffic after all bad frames")


# As many as it takes until the memory of an earlier one is allocated again.
SECRETS = 300


@pytest.mark.defect(16, symptom="frames that show what an earlier frame carried")
def test_stale_memory(ctx: Context, up: Context) -> None:
    """Frames cut short show nothing of a buffer's former content.

    A header that promises more than was transferred: the rest must be zeros, or no frame.
    """
    secret = b"\x45" + b"\xa5" * 1400
    name = ctx.name(0)
    for _ in range(3):
        for _ in range(SECRETS):
            ctx.modem.data(channel=0, payload=secret)
        ctx.echo(count=2)
        ctx.phone.call("capture_start", interface=name)
        for _ in range(8):
            ctx.modem.inject(header(length=1400) + b"\x45" + bytes(3))
        ctx.echo(count=2)
        found = ctx.phone.call("capture_read", interface=name, count=99, timeout=9, idle=1)
        check_equal(found["stale"], 0, "frames that show what an earlier frame carried")


def test_unwanted(ctx: Context, up: Context) -> None:
    """Frames on channels without an interface, or whose interface is down, do no harm.

    Data for closed channels and for an interface that is down: nobody gets any of it.
    """
    channels = (1, 7, 8, 20)
    for channel in channels:
        ctx.modem.inject(header(channel=channel) + BODY, repeat=REPEAT)
        ctx.echo(count=3)
    ctx.phone.run(f"ip link set dev {ctx.name(0)} down")
    arrived = ctx.statistics()["rx_packets"]
    ctx.modem.inject(header() + BODY, repeat=3 * REPEAT)
    if ctx.ours:
        unwanted = REPEAT * (len(channels) + 3)
        ctx.wait_until(
            lambda: unheard(ctx) >= unwanted, f"all {unwanted} frames are counted as unwanted"
        )
        check_equal(unheard(ctx), unwanted, "frames that were counted as unwanted")
    check_equal(ctx.statistics()["rx_packets"] - arrived, 0, "packets of an interface that is down")
    ctx.up()
    ctx.works()


def unheard(ctx: Context) -> int:
    """Frames for channels that nobody listens to, as our driver counts them."""
    counters = ctx.phone.call("driver_counters")
    return counters["rx_no_listener"] + counters["rx_bad_channel"]


def test_repeated_commands(ctx: Context, up: Context) -> None:
    """OPEN twice and CLOSE twice change nothing the second time.

    As raw frames, behind the back of the modem's own state.
    """
    ctx.echo()
    for command in (OPEN, CLOSE, OPEN):
        ctx.modem.inject(header(command=command, length=0))
        settled(ctx, command)
        ctx.modem.inject(header(command=command, length=0))
        # What Linux may have to say to it has been said when the next frames have come back.
        time.sleep(0.2)
        settled(ctx, command)
    ctx.wait_interfaces({0})
    ctx.up()
    ctx.works()


def settled(ctx: Context, command: int) -> None:
    """The interface can be brought up while the channel is open, and only then."""
    cycle = f"ip link set dev {ctx.name(0)} down; ip link set dev {ctx.name(0)} up"
    opened = command == OPEN
    ctx.wait_until(
        lambda: (ctx.phone.sh(cycle)[0] == 0) == opened,
        f"the interface {'can' if opened else 'cannot'} be brought up",
    )
