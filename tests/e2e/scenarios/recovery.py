# SPDX-License-Identifier: GPL-2.0
"""A modem that crashes: the link comes back without anybody doing anything.

No remoteproc is there to tell of the crash: the driver has to find out from the lines and from
frames that do not move. Each recovery is timed, from the moment at which the modem raises its power
line again to the first datagram that comes back, on every interface that was up.
"""

import time
from collections.abc import Callable

from harness.context import Context
from harness.errors import check, check_equal
from harness.recovery import (
    announced,
    bring_up,
    consistent,
    load,
    once,
    recovered,
    restart,
    stop_load,
    upload,
)
from harness.scenario import scenario

# What mainline's driver, which has lost its slots or does not send OPEN again, comes to.
DEAF = r"not within \d+ s: channel 0 works again"
UNOPENED = "'data_not_opened': "
# How long the modem is dead before its firmware is started.
DEAD_S = 0.7
# How long firmware takes to come up while an interface does: less than it takes until the driver
# sees in a vote without an ack a sign that the modem may have restarted.
IFUP_BOOT_MS = 150
# New firmware takes the power away, and the interrupt handler of bam_dma may be at work just then.
# Excuses only what Linux cannot know.
UNDER_TRAFFIC = ("unpowered_access",)
# What the firmware may do to its word of shared memory when it starts.
SMSM = ("kept", "zero")


def crash_and_restart(ctx: Context, smsm: str) -> float:
    """The modem is dead for a while, then its firmware starts. Returns when its power rises."""
    ctx.modem.call("crash")
    time.sleep(DEAD_S)
    return restart(ctx, smsm)


def crashes(
    ctx: Context,
    what: str,
    prepare: Callable[[], None],
    back: Callable[[Context], None] = lambda _: None,
) -> None:
    """Crash in a given situation, once for each thing that firmware does to its bits."""
    bring_up(ctx)
    for smsm in SMSM:
        prepare()
        since = crash_and_restart(ctx, smsm)
        back(ctx)
        recovered(ctx, f"{what}, bits {smsm}", since)
    consistent(ctx)


@scenario(
    "a modem that crashes asleep opens its channels again and gets ours",
    cost=40,
    defects=(27,),
    symptom=r"not within \d+ s: our OPEN of all channels",
)
def crash_asleep(ctx: Context) -> None:
    """Nothing on the lines tells of it: only that the modem opens what was open."""

    def asleep() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()

    crashes(ctx, "asleep", asleep, announced)


@scenario(
    "a modem that crashes while Linux votes: the vote is given up and made again",
    cost=50,
    defects=(27,),
    symptom=UNOPENED,
)
def crash_during_vote(ctx: Context) -> None:
    """The vote is out and not acknowledged when the modem dies, and stands for a while."""

    def voting() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()
        ctx.modem.call("acks", mode="withhold")
        once(ctx, 0)
        check(ctx.modem.status()["vote"], "Linux does not vote")

    crashes(ctx, "during a vote", voting)


@scenario(
    "a modem that crashes before it acknowledges that Linux let go",
    cost=40,
    defects=(5, 27),
    symptom=DEAF,
)
def crash_during_ack(ctx: Context) -> None:
    """The power line stands high, the un-vote is never acknowledged."""

    def letting_go() -> None:
        ctx.set_autosuspend(50)
        ctx.modem.call("acks", mode="delay", ms=400)
        ctx.echo(count=1)
        acks = ctx.counter("acks_sent")
        ctx.wait_until(lambda: not ctx.modem.status()["vote"], "Linux lets go", every=0.005)
        check_equal(ctx.counter("acks_sent"), acks, "acks of the modem since it was let go")

    crashes(ctx, "during an ack", letting_go)


@scenario(
    "a modem that crashes with uplink frames in its hands: all are reclaimed",
    cost=40,
    defects=(3, 27),
    symptom=DEAF,
)
def crash_mid_tx(ctx: Context) -> None:
    """The ring is full when the modem dies."""
    crashes(ctx, "mid TX", lambda: upload(ctx))


@scenario(
    "a modem that crashes in the middle of traffic in both directions",
    cost=40,
    defects=(3, 27),
    symptom=DEAF,
    allowed=UNDER_TRAFFIC,
)
def crash_mid_rx(ctx: Context) -> None:
    """The load goes on through crash and restart: nobody does anything but send."""
    bring_up(ctx)
    load(ctx)
    for smsm in SMSM:
        time.sleep(0.5)
        since = crash_and_restart(ctx, smsm)
        recovered(ctx, f"mid RX, bits {smsm}", since)
    stop_load(ctx)
    consistent(ctx)


@scenario(
    "a modem that crashes again while it opens its channels, and again",
    cost=60,
    defects=(3, 27),
    symptom=DEAF,
    allowed=UNDER_TRAFFIC,  # The power also goes while Linux connects.
)
def crash_during_open(ctx: Context) -> None:
    """Some OPENs are out, or about to be, when it dies."""
    bring_up(ctx)
    for smsm in SMSM:
        for after_ms in (0, 2, 5, 20, 100):
            ctx.modem.call("crash")
            time.sleep(0.2)
            restart(ctx, smsm)
            time.sleep(after_ms / 1000)
        since = crash_and_restart(ctx, smsm)
        recovered(ctx, f"during OPEN, bits {smsm}", since)
    consistent(ctx)


@scenario(
    "an interface that goes up while a crashed modem comes back is announced to it, once",
    cost=30,
    # Frames that follow the OPEN. Nothing tells of the crash before the modem's own.
    allowed=("data_modem_closed",),
)
def crash_ifup(ctx: Context) -> None:
    """The OPEN may go out before the modem's own; the modem then has it, and must get no other."""
    ctx.set_autosuspend(50)
    name = ctx.name(0)
    for _ in range(5):
        ctx.down()
        ctx.wait_suspended()
        ctx.modem.call("crash")
        opened = ctx.counter("uplink_opens")
        ctx.modem.call("restart", delay_ms=IFUP_BOOT_MS)
        ctx.phone.run(f"ip link set dev {name} up")
        ctx.up()
        ctx.works()
        check_equal(ctx.counter("uplink_opens"), opened + 1, "OPENs that the firmware got")


@scenario(
    "a modem that crashes twice in a row, with traffic",
    cost=50,
    defects=(3, 27),
    symptom=DEAF,
    allowed=UNDER_TRAFFIC,
)
def crash_twice(ctx: Context) -> None:
    """The second time before anything was sent since the first."""
    bring_up(ctx)
    load(ctx)
    for smsm in SMSM:
        for _ in range(2):
            since = crash_and_restart(ctx, smsm)
        recovered(ctx, f"twice in a row, bits {smsm}", since)
    stop_load(ctx)
    consistent(ctx)


@scenario(
    "a crash that takes the BAM's power away at once: no access once it is known",
    cost=60,
    defects=(3, 27),
    symptom=DEAF,
    # Until the modem's silence is noticed frames are sent as ever; no driver could know.
    allowed=("unpowered_access",),
)
def crash_dark(ctx: Context) -> None:
    """With a full ring; then nothing may be touched before the power is back."""
    bring_up(ctx)
    for smsm in SMSM:
        upload(ctx)
        ctx.modem.call("crash", bam_off=True)
        time.sleep(DEAD_S)
        ctx.modem.call("reset_counters")
        since = restart(ctx, smsm)
        recovered(ctx, f"mid TX, BAM off, bits {smsm}", since)
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM, at the restart")
    consistent(ctx)
