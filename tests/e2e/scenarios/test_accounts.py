# SPDX-License-Identifier: GPL-2.0
"""Each frame is accounted for: it is sent, or kept, or counted where users look."""

import pytest

from harness.context import Context
from harness.errors import check, check_equal
from harness.frames import header, record, send, taken

FRAMES = 10
SENSELESS = 20
KEPT = 5
# How often it is tried to send frames in the second in which channels are held.
ATTEMPTS = 5


def quiet(ctx: Context) -> str:
    """The interface of channel 0, on which the stack sends nothing by itself; its name."""
    name = ctx.name(0)
    ctx.phone.run(f"echo 1 >/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    ctx.wait_until(lambda: ctx.modem.status()["tx_pending"] == 0, "a quiet moment")
    return name


@pytest.mark.ours
def test_lost_frames(ctx: Context, up: Context) -> None:
    """Frames that are lost with the power are transmit errors of their interface, each once.

    Byte queue limits decide how many of them the modem has then.
    """
    quiet(ctx)
    ctx.echo(count=1)
    before, lost = ctx.statistics(), ctx.phone.call("driver_counters")["tx_lost"]
    ctx.modem.hold_tx(True)
    send(ctx, 0, [500] * FRAMES)
    ctx.wait_until(lambda: ctx.modem.status()["tx_pending"] > 0, "the modem has a frame")
    ctx.modem.power(False)
    ctx.wait_until(lambda: ctx.phone.call("driver_counters")["tx_lost"] > lost, "frames are lost")
    # Also those that were on their way when the power fell.
    ctx.wait_until(lambda: " in_flight=0" in ctx.state(), "no frame is in the modem's hands")
    lost = ctx.phone.call("driver_counters")["tx_lost"] - lost
    after = ctx.statistics()
    check_equal(after["tx_errors"] - before["tx_errors"], lost, "transmit errors")
    check_equal(after["tx_packets"], before["tx_packets"], "packets sent")
    ctx.modem.hold_tx(False)
    ctx.modem.power(True)
    ctx.works()


@pytest.mark.ours
def test_senseless_lengths(ctx: Context, up: Context) -> None:
    """Data frames whose length makes no sense are length errors of their interface, each once."""
    ctx.echo(count=1)
    before, bad = ctx.statistics(), ctx.phone.call("driver_counters")["rx_bad_length"]
    for frame in (header(length=0), header(length=2041) + bytes(2040)):
        ctx.modem.inject(frame, repeat=SENSELESS)
    ctx.wait_until(
        lambda: ctx.phone.call("driver_counters")["rx_bad_length"] - bad == 2 * SENSELESS,
        "the driver has seen all frames",
    )
    after = ctx.statistics()
    for name in ("rx_errors", "rx_length_errors"):
        check_equal(after[name] - before[name], 2 * SENSELESS, name)
    ctx.works()


@pytest.mark.ours
def test_held_frames(ctx: Context, up: Context) -> None:
    """Frames for a channel that is held wait until it is clear whether the modem has restarted.

    A wake-up that fails makes the driver hold its channels when the power comes: for a second.
    """
    quiet(ctx)
    ctx.set_autosuspend(50)
    for _ in range(ATTEMPTS):
        ctx.wait_suspended()
        failed = ctx.phone.call("driver_counters")["wakes_failed"]
        ctx.modem.acks("withhold")
        send(ctx, 0, [100])
        ctx.wait_until(
            lambda failed=failed: ctx.phone.call("driver_counters")["wakes_failed"] > failed,
            "the wake-up fails",
            20,
        )
        ctx.modem.acks("normal")
        record(ctx)
        lengths = [200 + 4 * number for number in range(KEPT)]
        ctx.modem.power(True)
        ctx.wait_until(lambda: "held: true" in ctx.state(), "channels are held", every=0.01)
        send(ctx, 0, lengths)
        held = "held: true" in ctx.state()
        frames = taken(ctx, KEPT, "that were held")
        check_equal([frame.length for frame in frames], lengths, "frames that the modem got")
        if held:
            return
        ctx.note("the second was over before the frames were there")
    check(False, "never were frames sent while the channel was held")
