# SPDX-License-Identifier: GPL-2.0
"""The power handshake: what is lost on the way, and what must not be lost with it."""

import time

import pytest

from harness.allowance import dark
from harness.context import Context
from harness.errors import check
from harness.load import Load

# Many cycles in little time, and the tests themselves say when the modem does what.
pytestmark = pytest.mark.profile("instant")

# Rounds of a race; the next one is prepared by loading the driver again.
ROUNDS = 20
# Moments at which the power falls: one after the other, 7 ms apart.
STEPS = 10
# Senders at the same time.
FLOODS = 3
# What the modem sees of a channel that is used without power, or after its reset.
GONE = "'unpowered_access, known to have no power'|'pipe_misuse'"


@pytest.mark.defect(5, symptom="not within .* traffic on channel 0 works again")
def test_sleep_ack_lost(ctx: Context, up: Context) -> None:
    """An acknowledgement of letting go that Linux never sees costs one wake-up at most.

    The ack line moves behind Linux' back, so that the modem's next ack is no change.
    """
    ctx.set_autosuspend(100)
    for _ in range(3):
        ctx.echo(count=2)
        ctx.modem.edge(line="ack", action="silent")
        ctx.wait_suspended()
        ctx.works()


@pytest.mark.defect(6, symptom="not within .* ifup after the time-out")
def test_vote_after_timeout(ctx: Context, up: Context) -> None:
    """A wake-up that timed out does not keep the next one from voting.

    Nothing waits but the interface's OPEN; then the firmware starts anew, its ack line as it
    was, and has nothing to acknowledge.
    """
    name = ctx.name(0)
    ctx.down()
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    code, out = ctx.phone.sh(f"ip link set dev {name} up")
    ctx.note(f"ifup with a silent modem: {code} {out.strip()}")
    ctx.wait_given_up()
    ctx.modem.crash()
    ctx.modem.restart(delay_ms=300)
    up = f"ip link set dev {name} up"
    ctx.wait_until(
        lambda: ctx.phone.sh(up)[0] == 0 and ctx.modem.status()["host_open"] == [0],
        "ifup after the time-out",
        20,
        every=0.5,
    )
    ctx.up()
    ctx.works()


@pytest.mark.defect(4, symptom="not within .* the load gets replies")
def test_power_blinks_awake(ctx: Context, up: Context) -> None:
    """Power that goes and comes back while nothing is sent: the next frame leaves.

    Between two frames of a load that is too steady for the link to be let go.
    """
    for _ in range(3):
        ctx.works()
        ctx.modem.power(on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down")
        ctx.modem.power(on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up")
        with Load(ctx, size=100, window=1, patience=0.1) as load:
            load.wait_received()


def side_by_side(ctx: Context) -> None:
    """Power lines are handled by another processor than frames."""
    ctx.phone.run(
        "for n in $(sed -n 's/^ *\\([0-9]*\\):.*smsm.*/\\1/p' /proc/interrupts); do "
        "echo 2 >/proc/irq/$n/smp_affinity || echo $n; done"
    )


def begin_anew(ctx: Context) -> None:
    """Driver and modem as in the beginning."""
    ctx.unload()
    ctx.fresh_modem()
    ctx.load()
    ctx.open_modem()
    ctx.up()


def begin_flood(ctx: Context) -> None:
    """The modem gets frames when this returns: power that it takes away now really falls."""
    before = ctx.counter("uplink_frames")
    ctx.phone.call("flood_start", interface=ctx.name(0), length=64, threads=FLOODS)
    ctx.wait_until(
        lambda: ctx.counter("uplink_frames") > before, "the modem gets frames", every=0.005
    )


@pytest.mark.debug
@pytest.mark.timeout(300)
@pytest.mark.defect(
    7, symptom=r"Unable to handle kernel[\s\S]*bam_dmux_(tx|netdev_start_xmit)|" + GONE
)
@dark
def test_power_falls_sending(ctx: Context, up: Context) -> None:
    """Power that falls while frames are being sent: no DMA channel is used that is gone.

    Several senders on all processors, and nobody answers; each time at another moment.
    """
    side_by_side(ctx)
    sending = 0
    for number in range(ROUNDS):
        # A modem that was lost in the round before is given its time first.
        ctx.wait_until(
            lambda: ctx.phone.call("interface", name=ctx.name(0))["carrier"] == "1",
            "the interface has a carrier",
        )
        begin_flood(ctx)
        time.sleep(0.003 + number % STEPS * 0.007)
        downs = ctx.counter("power_downs")
        ctx.modem.power(on=False)
        # Linux may vote anew at once.
        ctx.wait_until(lambda downs=downs: ctx.counter("power_downs") > downs, "the power falls")
        time.sleep(0.05)
        ctx.modem.power(on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up")
        sent = ctx.phone.call("flood_stop")
        sending += sent > 0
        faults = ctx.faults()
        check(not faults, f"round {number}: the modem saw {faults}")
        ctx.progress(f"round {number + 1} of {ROUNDS}: {sent} frames sent")
        if not ctx.ours:
            # Its ring is stuck now, for another reason (defects 3 and 4).
            begin_anew(ctx)
    check(sending >= ROUNDS / 2, f"something was sent in {sending} of {ROUNDS} rounds only")
    ctx.works()
