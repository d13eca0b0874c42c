# SPDX-License-Identifier: GPL-2.0
"""What waits for a modem that does not do its part: an end to all of them, and no processor."""

import time

import pytest

from harness import sleep
from harness.allowance import dark
from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.load import Load
from harness.recovery import CHANNELS, bring_up, consistent, recovered, start_load
from harness.restart import STATE, boot, set_state, starts

# Processor time that kernel threads may take for a second of waiting, in seconds.
BUSY_SHARE = 0.3
# Longest time until a phone sleeps whose modem has died with frames in its hands, in seconds: ten
# until they are stalled, then an attempt that waits for the modem.
SLEEP_BOUND = 25.0
OUTCOME = "/tmp/start-outcome"
NEVER_READY = "/sys/module/bam_dmux_board/parameters/never_ready"


@pytest.mark.ours
def test_wait_is_idle(ctx: Context, up: Context) -> None:
    """A wake-up that waits for a silent modem leaves the processors alone.

    Each look at the lines costs next to nothing; there are ten in a second.
    """
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    load = Load(ctx, size=64, window=1, patience=60)
    ctx.wait_until(lambda: ctx.modem.status()["vote"], "Linux votes")
    began, before = ctx.phone.call("kernel_threads")
    time.sleep(1)
    ended, after = ctx.phone.call("kernel_threads")
    check(ctx.modem.status()["vote"], "the wait was over too early")
    ctx.modem.acks("normal")
    load.stop()
    share = (after - before) / (ended - began)
    ctx.note(f"BUSY kernel threads: {share:.2f} of a processor")
    check(share < BUSY_SHARE, f"kernel threads take {share:.2f} of a processor while one waits")
    ctx.works()


@pytest.mark.ours
def test_sleep_dead_modem(ctx: Context, up: Context) -> None:
    """A modem that died with frames in its hands does not keep the phone awake.

    Each attempt is refused until it is clear; nobody tells of it, and the power line is high.
    """
    sleep.prepare(ctx)
    ctx.modem.hold_tx(True)
    ctx.phone.call(
        "udp_echo", 30, host=far_ip(0), count=20, size=500, window=20, patience=1, timeout=0.3
    )
    ctx.modem.crash()
    began, attempts = time.monotonic(), 0
    # The alarm comes when the phone sleeps, not while it still waits for the modem.
    while (slept := sleep.wait_awake(ctx, sleep.order(ctx, alarm=8))).refused:
        attempts += 1
        seconds = time.monotonic() - began
        check(seconds < SLEEP_BOUND * ctx.phone.slowness, f"awake after {seconds:.0f} s")
    ctx.note(f"ASLEEP after {attempts} attempts, {time.monotonic() - began:.1f} s: {slept}")
    counters = ctx.phone.call("driver_counters")
    check_equal(counters["modem_losses"], 1, "losses of the modem")
    ctx.modem.restart(delay_ms=100)
    ctx.works()


# The test starts the firmware.
@pytest.mark.profile(boots_when_started=False)
@pytest.mark.ours
@dark
def test_start_fails(ctx: Context, up: Context) -> None:
    """Firmware that fails to start, with its power up already: the BAM is left alone from then on.

    Remoteproc reports the end of such a start, and no stop before it.
    """
    bring_up(ctx)
    set_state(ctx, "stop")
    ctx.phone.run(f"echo 1 >{NEVER_READY}")
    before = starts(ctx)
    ctx.phone.run(f"rm -f {OUTCOME}; (echo start >{STATE}; echo $? >{OUTCOME}) >/dev/null 2>&1 &")
    ctx.wait_until(lambda: starts(ctx) > before, "the firmware is started")
    boot(ctx)
    load = start_load(ctx)
    ctx.wait_until(lambda: ctx.phone.sh(f"test -s {OUTCOME}")[0] == 0, "the start ends", 30)
    check(ctx.phone.run(f"cat {OUTCOME}").strip() != "0", "the start did not fail")
    # Long before it would be found out without the report.
    ctx.wait_until(
        lambda: "lost=true" in ctx.state(),
        "the driver hears that the start has failed",
        1,
    )
    ctx.modem.reset_counters()
    time.sleep(1)
    for channel in CHANNELS:
        state = ctx.phone.call("interface", name=ctx.name(channel))
        check(state["carrier"] != "1", f"channel {channel} has a carrier")
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM known to be dead")
    ctx.phone.run(f"echo 0 >{NEVER_READY}")
    set_state(ctx, "start")
    since = boot(ctx)
    recovered(ctx, "after a start that failed", since)
    load.stop()
    consistent(ctx)
