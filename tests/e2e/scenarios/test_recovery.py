# SPDX-License-Identifier: GPL-2.0
"""A modem that crashes: the link comes back without anybody doing anything.

No remoteproc is there to tell of the crash: the driver has to find out from the lines and from
frames that do not move. Each recovery is timed, from the moment at which the modem raises its power
line again to the first datagram that comes back, on every interface that was up.
"""

import time
from collections.abc import Callable

import pytest

from harness.allowance import dark
from harness.context import Context
from harness.errors import check, check_equal
from harness.recovery import (
    announced,
    bring_up,
    consistent,
    once,
    recovered,
    restart,
    start_load,
    upload,
)

# What mainline's driver, which has lost its slots or does not send OPEN again, comes to.
DEAF = r"not within [\d.]+ s: channel 0 works again"
UNOPENED = "'data_not_opened': "
# How long the modem is dead before its firmware is started.
DEAD_S = 0.7
# How long firmware takes to come up while an interface does: less than it takes until the driver
# sees in a vote without an ack a sign that the modem may have restarted.
IFUP_BOOT_MS = 150
# What the firmware may do to its word of shared memory when it starts.
bits = pytest.mark.parametrize("smsm", ["keep", "zero"])


def crash_and_restart(ctx: Context, smsm: str) -> float:
    """The modem is dead for a while, then its firmware starts. Returns when its power rises."""
    ctx.modem.crash()
    time.sleep(DEAD_S)
    return restart(ctx, smsm)


def crashes(
    ctx: Context,
    smsm: str,
    what: str,
    prepare: Callable[[], None],
    back: Callable[[Context], None] = lambda _: None,
) -> None:
    """Crash in a given situation, and come back."""
    bring_up(ctx)
    prepare()
    since = crash_and_restart(ctx, smsm)
    back(ctx)
    recovered(ctx, f"{what}, bits {smsm}", since)
    consistent(ctx)


@pytest.mark.defect(27, symptom=r"not within [\d.]+ s: our OPEN of all channels")
@bits
def test_crash_asleep(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes asleep opens its channels again and gets ours.

    Nothing on the lines tells of it: only that the modem opens what was open.
    """

    def asleep() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()

    crashes(ctx, smsm, "asleep", asleep, announced)


@pytest.mark.defect(27, symptom=UNOPENED)
@bits
def test_crash_during_vote(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes while Linux votes: the vote is given up and made again.

    The vote is out and not acknowledged when the modem dies, and stands for a while.
    """

    def voting() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()
        ctx.modem.acks("withhold")
        once(ctx, 0)
        check(ctx.modem.status()["vote"], "Linux does not vote")

    crashes(ctx, smsm, "during a vote", voting)


@pytest.mark.allow(
    "data_not_opened", max=24, why="three loads' frames: unreported, it looks like a sleep to Linux"
)
# The acks are as late as it wants them.
@pytest.mark.profile("instant")
@pytest.mark.defect(5, 27, symptom=DEAF)
@bits
def test_crash_during_ack(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes before it acknowledges that Linux let go.

    The power line stands high, the un-vote is never acknowledged.
    """

    def letting_go() -> None:
        ctx.set_autosuspend(50)
        ctx.modem.acks("delay", ms=400)
        ctx.echo(count=1)
        acks = ctx.counter("acks_sent")
        ctx.wait_until(lambda: not ctx.modem.status()["vote"], "Linux lets go", every=0.005)
        check_equal(ctx.counter("acks_sent"), acks, "acks of the modem since it was let go")

    crashes(ctx, smsm, "during an ack", letting_go)


@pytest.mark.defect(3, 27, symptom=DEAF)
@bits
def test_crash_mid_tx(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes with uplink frames in its hands: all are reclaimed.

    The ring is full when the modem dies.
    """
    crashes(ctx, smsm, "mid TX", lambda: upload(ctx))


@pytest.mark.defect(3, 27, symptom=DEAF)
@dark
@bits
def test_crash_mid_rx(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes in the middle of traffic in both directions.

    The load goes on through crash and restart: nobody does anything but send.
    """
    bring_up(ctx)
    load = start_load(ctx)
    time.sleep(0.5)
    since = crash_and_restart(ctx, smsm)
    recovered(ctx, f"mid RX, bits {smsm}", since)
    load.stop()
    consistent(ctx)


@pytest.mark.defect(3, 27, symptom=DEAF)
@dark
@bits
def test_crash_during_open(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes again while it opens its channels, and again.

    Some OPENs are out, or about to be, when it dies.
    """
    bring_up(ctx)
    for after_ms in (0, 2, 5, 20, 100):
        ctx.modem.crash()
        time.sleep(0.2)
        restart(ctx, smsm)
        time.sleep(after_ms / 1000)
    since = crash_and_restart(ctx, smsm)
    recovered(ctx, f"during OPEN, bits {smsm}", since)
    consistent(ctx)


@pytest.mark.allow(
    "data_modem_closed", max=5 * 10, why="frames that follow an OPEN older than the modem's own"
)
def test_crash_ifup(ctx: Context, up: Context) -> None:
    """An interface that goes up while a crashed modem comes back is announced to it, once.

    The OPEN may go out before the modem's own; the modem then has it, and must get no other.
    """
    ctx.set_autosuspend(50)
    name = ctx.name(0)
    for _ in range(5):
        ctx.down()
        ctx.wait_suspended()
        ctx.modem.crash()
        opened = ctx.counter("uplink_opens")
        ctx.modem.restart(delay_ms=IFUP_BOOT_MS)
        ctx.phone.run(f"ip link set dev {name} up")
        ctx.up()
        ctx.works()
        check_equal(ctx.counter("uplink_opens"), opened + 1, "OPENs that the firmware got")


@pytest.mark.defect(3, 27, symptom=DEAF)
@dark
@bits
def test_crash_twice(ctx: Context, up: Context, smsm: str) -> None:
    """A modem that crashes twice in a row, with traffic.

    The second time before anything was sent since the first.
    """
    bring_up(ctx)
    load = start_load(ctx)
    for _ in range(2):
        since = crash_and_restart(ctx, smsm)
    recovered(ctx, f"twice in a row, bits {smsm}", since)
    load.stop()
    consistent(ctx)


@pytest.mark.defect(3, 27, symptom=DEAF)
@dark
@bits
def test_crash_dark(ctx: Context, up: Context, smsm: str) -> None:
    """A crash that takes the BAM's power away at once: no access once it is known.

    With a full ring; then nothing may be touched before the power is back.
    """
    bring_up(ctx)
    upload(ctx)
    ctx.modem.crash(bam_off=True)
    time.sleep(DEAD_S)
    ctx.modem.reset_counters()
    since = restart(ctx, smsm)
    recovered(ctx, f"mid TX, BAM off, bits {smsm}", since)
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM, at the restart")
    consistent(ctx)
