# SPDX-License-Identifier: GPL-2.0
"""The way up: order, queues, and channels that are closed or share the ring."""

import json
import time

import pytest

from harness.context import Context
from harness.errors import check, check_equal
from harness.frames import record, recorded, send, taken

# Not a divisor of any ring's size, so that batches end anywhere in it.
BATCH = 7
BATCHES = 20
# Frames in the ring when another interface comes up: around the size of mainline's ring, and
# of ours with and without the places it keeps free.
FILLS = (29, 30, 31, 32, 55, 56, 57, 63, 64)
CLOSED_FRAMES = 10
# The processor that serves interrupts as long as nobody asks for another one, and more frames than
# mainline's ring has places.
INTERRUPTS = 0
EARLY_FRAMES = 40


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.defect(8, symptom="frames out of order")
def test_wake_in_order(ctx: Context, up: Context) -> None:
    """Frames that are sent to a sleeping modem leave in the order in which they were sent.

    Each batch wakes the link; frames differ in length, which tells them apart.
    """
    ctx.set_autosuspend(20)
    ctx.modem.idle(25)
    record(ctx)
    for batch in range(BATCHES):
        ctx.wait_suspended()
        lengths = [100 + 4 * number for number in range(BATCH)]
        send(ctx, 0, lengths)
        frames = taken(ctx, BATCH, f"of batch {batch}")
        found = [frame.length for frame in frames]
        check(found == lengths, f"batch {batch}: frames out of order: {found}, sent as {lengths}")


def two_channels(ctx: Context) -> None:
    """Channels 0 and 1 are up, and the stack keeps quiet on both."""
    ctx.modem.open([1])
    ctx.wait_interfaces({0, 1})
    for channel in (0, 1):
        path = f"/proc/sys/net/ipv6/conf/{ctx.name(channel)}/disable_ipv6"
        ctx.phone.run(f"echo 1 >{path}")
    script = [
        f"ip link set dev {ctx.name(n)} up; ip addr replace 10.64.{n}.2/24 dev {ctx.name(n)}"
        for n in (0, 1)
    ]
    ctx.phone.run("\n".join(script))
    for channel in (0, 1):
        ctx.echo(channel, count=2)


def ring_empty(ctx: Context) -> None:
    """The modem has taken all that was sent."""
    ctx.modem.hold_tx(False)
    ctx.wait_until(lambda: ctx.modem.status()["tx_pending"] == 0, "the modem takes all frames")


@pytest.mark.defect(14, symptom="frames sent on a closed channel")
def test_closed_stays_silent(ctx: Context, up: Context) -> None:
    """No frame goes to a channel that the modem closed, also when a full ring gets room.

    Frames wait in the closed channel's queue while another channel fills the ring.
    """
    two_channels(ctx)
    ctx.modem.close([1])
    ctx.wait_until(lambda: ctx.modem.status()["downlink_queued"] == 0, "Linux takes the CLOSE")
    time.sleep(0.2)
    send(ctx, 1, [200] * CLOSED_FRAMES)
    record(ctx)
    ctx.modem.hold_tx(True)
    send(ctx, 0, [500] * 100)
    ring_empty(ctx)
    taken(ctx, 100, "on the open channel")
    time.sleep(0.2)
    check_equal(ctx.counter("data_modem_closed"), 0, "frames sent on a closed channel")
    ctx.modem.open([1])
    ctx.works(1)


def requeued(ctx: Context, channel: int) -> int:
    """How many frames the driver has given back to the queue: NETDEV_TX_BUSY."""
    out = json.loads(ctx.phone.run(f"tc -s -j qdisc show dev {ctx.name(channel)}"))
    return sum(qdisc["requeues"] for qdisc in out)


@pytest.mark.defect(15, symptom="frames that the driver gave back")
def test_ifup_full_ring(ctx: Context, up: Context) -> None:
    """An interface that comes up while the ring is full refuses and loses no frame.

    With the ring as full as can be, and a few places less; one of them takes the OPEN.
    """
    two_channels(ctx)
    name = ctx.name(1)
    for count in FILLS:
        ctx.phone.run(f"ip link set dev {name} down")
        ring_empty(ctx)
        record(ctx)
        ctx.modem.hold_tx(True)
        send(ctx, 0, [500] * count)
        code, out = ctx.phone.sh(f"ip link set dev {name} up")
        ctx.note(f"{count} frames in the ring: ifup {code} {out.strip()}")
        before = requeued(ctx, 1)
        if code == 0:
            send(ctx, 1, [300])
            time.sleep(0.1)
        ctx.modem.hold_tx(False)
        found = taken(ctx, count + (code == 0), f"with {count} in the ring")
        check_equal(len(found), count + (code == 0), "frames that the modem got")
        back = requeued(ctx, 1) - before
        check_equal(back, 0, f"{count} in the ring: frames that the driver gave back")
    ctx.phone.run(f"ip link set dev {name} up")
    ctx.works(1)


@pytest.mark.defect(13, symptom="bytes in the modem's hands")
def test_queue_limits(ctx: Context, up: Context) -> None:
    """An interface's queue is bounded in bytes: what the modem has not taken is known.

    Byte queue limits count what was sent and is not done; nothing is left when it is.
    """
    path = f"/sys/class/net/{ctx.name(0)}/queues/tx-0/byte_queue_limits/inflight"
    ctx.wait_until(lambda: ctx.modem.status()["tx_pending"] == 0, "a quiet moment")
    record(ctx)
    ctx.modem.hold_tx(True)
    send(ctx, 0, [500])
    ctx.wait_until(lambda: ctx.modem.status()["tx_pending"] > 0, "the frame is sent")
    inflight = int(ctx.phone.call("read", path=path))
    check(inflight >= 500, f"bytes in the modem's hands: at least 500, the kernel knows {inflight}")
    ring_empty(ctx)
    ctx.wait_until(lambda: ctx.phone.call("read", path=path) == "0", "none are left")
    check(recorded(ctx), "the modem got no frame")


@pytest.mark.defect(13, symptom="packets without a time stamp")
def test_tx_timestamps(ctx: Context, up: Context) -> None:
    """A program that asks when its packets were sent is told.

    Software time stamps, as ptp4l and ping use them.
    """
    result = ctx.phone.call("tx_timestamps", host="10.64.0.1", count=5, timeout=5)
    ctx.note(f"time stamps: {result}")
    check_equal(result["without"], 0, "packets without a time stamp")
    check(0 <= result["longest"] < 5 * ctx.phone.slowness, f"time stamps make no sense: {result}")


@pytest.mark.defect(12, symptom=r"the queue got frames back \d+ times")
def test_early_full_ring(ctx: Context, up: Context) -> None:
    """An interface that is used the moment it is announced is not asked again and again to wait.

    With a ring that gets full, by a task that has precedence over the one that creates the
    interface, on its processor.
    """
    # The link has to stay awake: a wake-up sleeps, and lets the other task go on.
    ctx.set_autosuspend(60_000)
    for channel in range(1, 6):
        ctx.echo(count=2)
        ctx.modem.hold_tx(True)
        ctx.phone.call("early_bird_start", cpu=INTERRUPTS, frames=EARLY_FRAMES, timeout=20)
        ctx.modem.open([channel])
        check(bool(ctx.phone.call("early_bird_result")), "the task found no interface")
        back = requeued(ctx, channel)
        ring_empty(ctx)
        # What the stack had in its hands when the queue was stopped goes back once.
        check(
            back < EARLY_FRAMES / 10, f"channel {channel}: the queue got frames back {back} times"
        )
    ctx.works()
