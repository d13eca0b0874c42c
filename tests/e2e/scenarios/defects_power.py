# SPDX-License-Identifier: GPL-2.0
"""The power handshake: what is lost on the way, and what must not be lost with it."""

import time
from collections.abc import Callable

from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.scenario import scenario

# Rounds of a race; the next one is prepared by loading the driver again.
ROUNDS = 40
# Moments at which the power falls: one after the other, 7 ms apart.
STEPS = 10
# Senders at the same time, and frames that wait to arrive.
FLOODS = 3
ARRIVING = 1000
# What the modem sees of a channel that is used without power, or after its reset.
GONE = "'unpowered_access'|'pipe_misuse'"


@scenario(
    "an acknowledgement of letting go that Linux never sees costs one wake-up at most",
    cost=20,
    defects=(5,),
    symptom="not within .* traffic on channel 0 works again",
)
def sleep_ack_lost(ctx: Context) -> None:
    """The ack line moves behind Linux' back, so that the modem's next ack is no change."""
    ctx.set_autosuspend(100)
    for _ in range(3):
        ctx.echo(count=2)
        ctx.modem.call("edge", line="ack", action="silent")
        ctx.wait_suspended()
        ctx.works()


@scenario(
    "a wake-up that timed out does not keep the next one from voting",
    cost=40,
    defects=(6,),
    symptom="not within .* ifup after the time-out",
)
def vote_after_timeout(ctx: Context) -> None:
    """Nothing waits but the interface's OPEN; then the firmware starts anew, its ack line as it
    was, and has nothing to acknowledge."""
    name = ctx.name(0)
    ctx.phone.run(f"ip link set dev {name} down")
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    ctx.modem.call("acks", mode="withhold")
    code, out = ctx.phone.sh(f"ip link set dev {name} up")
    ctx.note(f"ifup with a silent modem: {code} {out.strip()}")
    ctx.wait_given_up()
    ctx.modem.call("crash")
    ctx.modem.call("restart", delay_ms=300)
    up = f"ip link set dev {name} up"
    ctx.wait_until(
        lambda: ctx.phone.sh(up)[0] == 0 and ctx.modem.status()["host_open"] == [0],
        "ifup after the time-out",
        20,
        every=0.5,
    )
    ctx.up()
    ctx.works()


@scenario(
    "power that goes and comes back while nothing is sent: the next frame leaves",
    cost=15,
    defects=(4,),
    symptom="not within .* the load gets replies",
)
def power_blinks_awake(ctx: Context) -> None:
    """Between two frames of a load that is too steady for the link to be let go."""
    for _ in range(3):
        ctx.works()
        ctx.modem.call("power", on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down")
        ctx.modem.call("power", on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up")
        ctx.phone.call("load_start", name="b", host=far_ip(0), size=100, window=1, patience=0.1)
        ctx.wait_until(
            lambda: ctx.phone.call("load_status", name="b")["received"] > 0,
            "the load gets replies",
            10,
        )
        load = ctx.phone.call("load_stop", name="b")
        check_equal(load["bad"], 0, "datagrams with wrong content")


def side_by_side(ctx: Context) -> None:
    """Power lines are handled by another processor than frames."""
    ctx.phone.run(
        "for n in $(sed -n 's/^ *\\([0-9]*\\):.*smsm.*/\\1/p' /proc/interrupts); do "
        "echo 2 >/proc/irq/$n/smp_affinity || echo $n; done"
    )


def falls(ctx: Context, start: Callable[[], None], stop: Callable[[], None]) -> None:
    """The modem takes the power away under a load, at a moment that is another one each time."""
    side_by_side(ctx)
    for number in range(ROUNDS):
        start()
        time.sleep(0.003 + number % STEPS * 0.007)
        ctx.modem.call("power", on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down")
        time.sleep(0.05)
        ctx.modem.call("power", on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up")
        stop()
        faults = ctx.modem.faults()
        check(not faults, f"round {number}: the modem saw {faults}")
        ctx.progress(f"round {number + 1} of {ROUNDS}")
        if not ctx.ours:
            # Its ring is stuck now, for another reason (defects 3 and 4).
            ctx.unload()
            ctx.fresh_modem()
            ctx.load()
            ctx.open_modem()
            ctx.up()
    ctx.works()


@scenario(
    "power that falls while frames are being sent: no DMA channel is used that is gone",
    cost=60,
    timeout=300,
    defects=(7,),
    symptom=r"Unable to handle kernel[\s\S]*bam_dmux_(tx|netdev_start_xmit)|" + GONE,
)
def power_falls_sending(ctx: Context) -> None:
    """Several senders on all processors, and nobody answers."""
    falls(
        ctx,
        lambda: ctx.phone.call("flood_start", interface=ctx.name(0), length=64, threads=FLOODS),
        lambda: ctx.note(f"sent: {ctx.phone.call('flood_stop')}"),
    )


@scenario(
    "power that falls while frames arrive: no buffer is used that is gone",
    cost=60,
    timeout=300,
    defects=(26,),
    symptom=r"Unable to handle kernel[\s\S]*bam_dmux_(rx_callback|skb_dma)|" + GONE,
)
def power_falls_receiving(ctx: Context) -> None:
    """Frames that nobody answers, more than the modem gets rid of before the power falls."""

    def taken() -> None:
        ctx.wait_until(lambda: ctx.modem.status()["downlink_queued"] == 0, "the rest arrives")

    body = b"\x45" + bytes(99)
    falls(
        ctx,
        lambda: ctx.modem.call("data", channel=0, hex=body.hex(), repeat=ARRIVING),
        taken if ctx.ours else lambda: None,
    )
