# SPDX-License-Identifier: GPL-2.0
"""A modem that crashes or is stopped, and a remoteproc that says so."""

import time
from collections.abc import Callable

import pytest

from harness import rtnl
from harness.allowance import dark
from harness.context import Context
from harness.errors import check, check_equal
from harness.recovery import (
    CHANNELS,
    bring_up,
    consistent,
    once,
    recovered,
    start_load,
    upload,
)
from harness.restart import boot, set_state, starts

# The tests start the firmware.
pytestmark = pytest.mark.profile(boots_when_started=False)

# Longest time that `ip link set` may take with a stopped modem, in seconds.
IFUP_BOUND = 1.0


def reported(ctx: Context, what: str, prepare: Callable[[], None]) -> None:
    """Crash in a given situation, with the BAM powered and dark, and have remoteproc restart it."""
    for bam_off in (False, True):
        prepare()
        before = starts(ctx)
        restarts = ctx.phone.call("driver_counters")["modem_restarts"]
        began = time.monotonic()
        ctx.modem.crash(bam_off=bam_off, irq=True)
        ctx.wait_until(
            lambda restarts=restarts: (
                ctx.phone.call("driver_counters")["modem_restarts"] > restarts
            ),
            "the driver hears of the crash",
            every=0.01,
        )
        ctx.note(f"REPORTED {what}: after {time.monotonic() - began:.2f} s")
        ctx.modem.reset_counters()
        for channel in CHANNELS:
            state = ctx.phone.call("interface", name=ctx.name(channel))
            check(state["carrier"] != "1", f"{what}: channel {channel} has a carrier")
        ctx.wait_until(lambda before=before: starts(ctx) > before, "remoteproc starts the modem")
        # What user space does in the meantime is no reason to touch the BAM.
        once(ctx, 0)
        since = boot(ctx)
        recovered(ctx, f"{what}, reported, BAM {'off' if bam_off else 'on'}", since)
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM known to be dead")
        check_equal(ctx.counter("ap_ack_unsolicited"), 0, "acks that nobody waits for")


@pytest.mark.ours
@dark
def test_reported_load(ctx: Context, up: Context) -> None:
    """A reported crash under load: frames reclaimed, BAM left alone, traffic back by itself.

    In both directions, on all channels.
    """
    bring_up(ctx)
    load = start_load(ctx)
    reported(ctx, "load", lambda: time.sleep(0.5))
    load.stop()
    consistent(ctx)


@pytest.mark.ours
@dark
def test_reported_full(ctx: Context, up: Context) -> None:
    """A reported crash with a full ring.

    All places taken, none of the frames with a future.
    """
    bring_up(ctx)
    reported(ctx, "full ring", lambda: upload(ctx))
    consistent(ctx)


@pytest.mark.ours
def test_reported_asleep(ctx: Context, up: Context) -> None:
    """A reported crash of a sleeping modem.

    There is no power line to look at.
    """

    def asleep() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()

    bring_up(ctx)
    reported(ctx, "asleep", asleep)
    consistent(ctx)


@pytest.mark.ours
def test_reported_vote(ctx: Context, up: Context) -> None:
    """A reported crash in the middle of a wake-up.

    The waker is let go at once and not after its time-out.
    """

    def voting() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()
        ctx.modem.acks("withhold")
        once(ctx, 0)
        check(ctx.modem.status()["vote"], "Linux does not vote")

    bring_up(ctx)
    reported(ctx, "vote", voting)
    consistent(ctx)


# A vote that stands from before would be powered by firmware of phones, whatever the driver does.
@pytest.mark.profile("instant")
@pytest.mark.ours
def test_stop_and_start(ctx: Context, up: Context) -> None:
    """User space stops and starts the modem under load, again and again.

    An orderly stop is no different: nothing that the firmware promised is kept.
    """
    bring_up(ctx)
    load = start_load(ctx)
    for _ in range(10 if ctx.sizes.full else 4):
        set_state(ctx, "stop")
        ctx.modem.reset_counters()
        time.sleep(0.2)
        set_state(ctx, "start")
        since = boot(ctx)
        recovered(ctx, "stopped and started", since)
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")
    load.stop()
    consistent(ctx)


@pytest.mark.ours
def test_stopped_module(ctx: Context, up: Context) -> None:
    """While the modem is stopped the module stays, interfaces can't come up; all is well
    afterwards.

    Unloading would have to touch a dead BAM, or lose its DMA channels for good.
    """
    bring_up(ctx)
    upload(ctx)
    set_state(ctx, "stop")
    ctx.modem.reset_counters()
    name = ctx.name(0)
    with rtnl.watched(ctx, "modem stopped"):
        ctx.phone.run(f"ip link set dev {name} down")
        began = time.monotonic()
        code, out = ctx.phone.sh(f"ip link set dev {name} up")
        seconds = time.monotonic() - began
    ctx.note(f"ifup: {code} {out.strip()} ({seconds:.2f} s)")
    check(code != 0, "an interface of a stopped modem comes up")
    check(seconds < IFUP_BOUND * ctx.phone.slowness, f"ifup took {seconds:.1f} s")
    code, out = ctx.phone.sh(f"rmmod {ctx.module}")
    ctx.note(f"rmmod: {code} {out.strip()}")
    check(code != 0, "the module goes although its DMA channels can't be given back")
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")
    set_state(ctx, "start")
    boot(ctx)
    ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "ifup", 20)
    ctx.up()
    recovered(ctx, "stopped for long", time.monotonic())
    consistent(ctx)
