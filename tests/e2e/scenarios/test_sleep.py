# SPDX-License-Identifier: GPL-2.0
"""The whole phone sleeps (suspend to idle), and the modem wakes it."""

import time

import pytest

from harness import sleep
from harness.context import Context, guest_ip
from harness.errors import check, check_equal
from harness.load import Load
from harness.recovery import CHANNELS, announced, bring_up, consistent, recovered, restart

# Time from a packet for a sleeping phone until its answer, in seconds.
WAKE_BOUND = 2.0
# Cycles per round of a campaign.
CYCLES = 4
# Longer than any sleep: no datagram is given up while the phone sleeps.
PATIENT = 600


def woken_by_modem(ctx: Context) -> None:
    """Sleep, until a ping from the far end comes: it must be answered."""
    position = sleep.order(ctx, alarm=8)
    sleep.wait_asleep(ctx, position)
    time.sleep(0.3)
    began = time.monotonic()
    try:
        ctx.far_ping(guest_ip(0), WAKE_BOUND)
        ctx.note(f"WAKE answered after {time.monotonic() - began:.2f} s")
    finally:
        slept = sleep.wait_awake(ctx, position)
    check_equal(slept.wake_irq, "smsm", "interrupt that woke the phone")


def sleep_well(ctx: Context) -> None:
    """Sleep until the clock's alarm: nothing else may wake the phone."""
    slept = sleep.sleep(ctx)
    check(not slept.refused, "the phone did not sleep")
    check_equal(slept.wake_irq, "rtc-pl031", "interrupt that woke the phone")


def through_sleep(ctx: Context, window: int) -> None:
    """Traffic that is in full swing when the phone is sent to sleep: none of it may get lost."""
    load = Load(ctx, size=900, window=window, patience=PATIENT)
    time.sleep(0.3)
    slept = sleep.wait_awake(ctx, sleep.order(ctx, alarm=4))
    time.sleep(0.3)
    load.stop(lossless=True)
    check(not slept.refused, "the phone did not sleep")


def test_sleep_idle(ctx: Context, up: Context) -> None:
    """The phone sleeps with an idle link, awake before or not, and it works afterwards.

    Once suspended at runtime, once in use a moment ago; also as "mem".
    """
    sleep.prepare(ctx)
    ctx.wait_suspended()
    sleep_well(ctx)
    ctx.works()
    sleep_well(ctx)
    ctx.works()
    check(not sleep.sleep(ctx, state="mem").refused, "the phone did not sleep (mem)")
    ctx.works()


@pytest.mark.defect(32, symptom="power while the phone sleeps")
def test_sleep_lets_go(ctx: Context, up: Context) -> None:
    """A phone that sleeps does not keep the modem awake.

    The link is in use until a moment before.
    """
    sleep.prepare(ctx)
    ctx.echo()
    position = sleep.order(ctx, alarm=4)
    sleep.wait_asleep(ctx, position)
    time.sleep(1)
    phase = ctx.phase()
    sleep.wait_awake(ctx, position)
    check_equal(phase, "off", "power while the phone sleeps")
    ctx.works()


@pytest.mark.defect(32, symptom="ping from the far end")
def test_sleep_woken(ctx: Context, up: Context) -> None:
    """A packet from the network wakes the sleeping phone and is delivered.

    Suspended at runtime before, or in use; three times, since it has to be armed anew.
    """
    sleep.prepare(ctx)
    ctx.wait_suspended()
    for _ in range(3):
        woken_by_modem(ctx)
        ctx.works()
    if ctx.ours:
        # Autosleep, and who counts wake-ups, wait for it.
        active = f"cat {ctx.device()['path']}/wakeup/wakeup*/active_time_ms"
        ctx.wait_until(
            lambda: ctx.phone.run(active).split() == ["0"], "the wakeup source is released"
        )


# Answers that come later than at once may rightly keep the phone awake.
@pytest.mark.profile("instant")
def test_sleep_load(ctx: Context, up: Context) -> None:
    """Traffic that is under way when the phone falls asleep goes on afterwards.

    Few and many frames at a time; nothing is lost, neither counted nor uncounted.
    """
    sleep.prepare(ctx)
    lost = ctx.phone.call("driver_counters")["tx_lost"] if ctx.ours else 0
    for window in (4, 60):
        through_sleep(ctx, window)
        ctx.works()
    if ctx.ours:
        check_equal(ctx.phone.call("driver_counters")["tx_lost"], lost, "frames lost")


# Answers that come later than at once may rightly keep the phone awake.
@pytest.mark.profile("instant")
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.defect(32, symptom="ping from the far end")
def test_sleep_often(ctx: Context, up: Context) -> None:
    """Many sleeps in a row, idle, in use, woken by the modem and under load.

    Traffic after each; nothing may add up.
    """
    sleep.prepare(ctx)
    cycles = CYCLES * ctx.sizes.rounds
    for number in range(cycles):
        ctx.progress(f"{number}/{cycles} sleeps")
        kind = number % CYCLES
        if kind == 0:
            ctx.wait_suspended()
            sleep_well(ctx)
        elif kind == 1:
            woken_by_modem(ctx)
        elif kind == 2:
            ctx.echo()
            sleep_well(ctx)
        else:
            through_sleep(ctx, 16)
        ctx.works()
    ctx.wait_suspended()


def dies(ctx: Context, bam_off: bool, reported: bool) -> None:
    """The firmware crashes while the phone sleeps; it starts again when the phone is awake."""
    position = sleep.order(ctx, alarm=4)
    sleep.wait_asleep(ctx, position)
    ctx.modem.crash(bam_off=bam_off, irq=reported)
    slept = sleep.wait_awake(ctx, position)
    check(not slept.refused, "the phone did not sleep")
    if reported:
        ctx.wait_until(
            lambda: ctx.modem.status()["mss"] == "running", "remoteproc restarts the modem", 20
        )
        ctx.modem.boot(delay_ms=100, channels=list(CHANNELS))
        since = time.monotonic()
    else:
        since = restart(ctx, "keep")
    recovered(ctx, f"asleep, {'reported' if reported else 'silent'}", since)
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")


@pytest.mark.ours
@pytest.mark.timeout(200)
@pytest.mark.allow(
    "data_not_opened", max=10, why="new firmware has forgotten the OPEN of a sleeper"
)
@pytest.mark.parametrize("bam_off", [False, True], ids=["powered", "dark"])
@pytest.mark.parametrize("reported", [False, True], ids=["silent", "reported"])
def test_sleep_crash(ctx: Context, up: Context, bam_off: bool, reported: bool) -> None:
    """A modem that crashes while the phone sleeps is found out and comes back.

    With and without remoteproc to tell, with the BAM powered and dark.
    """
    bring_up(ctx)
    sleep.prepare(ctx)
    dies(ctx, bam_off, reported)
    consistent(ctx)


@pytest.mark.ours
@pytest.mark.parametrize("smsm", ["keep", "zero"])
def test_sleep_restart(ctx: Context, up: Context, smsm: str) -> None:
    """Firmware that crashes and starts again while the phone sleeps wakes it, and works.

    New firmware raises its power line to open its channels, with its bits kept or cleared.
    """
    bring_up(ctx)
    sleep.prepare(ctx)
    ctx.wait_suspended()
    position = sleep.order(ctx)
    sleep.wait_asleep(ctx, position)
    ctx.modem.crash()
    since = restart(ctx, smsm)
    slept = sleep.wait_awake(ctx, position)
    check_equal(slept.wake_irq, "smsm", "interrupt that woke the phone")
    announced(ctx)
    recovered(ctx, f"restart asleep, bits: {smsm}", since)
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")
    consistent(ctx)
