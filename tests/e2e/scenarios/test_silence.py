# SPDX-License-Identifier: GPL-2.0
"""A modem that says nothing, dead or not: found out in bounded time, and nobody waits for it."""

import time

import pytest

from harness import rtnl
from harness.allowance import dark
from harness.context import Context, guest_ip
from harness.errors import check, check_equal
from harness.recovery import (
    bring_up,
    consistent,
    once,
    recovered,
    restart,
    start_load,
    upload,
)

# Longest time that `ip link set` may take with a dead modem, in seconds.
RTNL_BOUND = 1.0


@pytest.mark.timeout(180)
@pytest.mark.defect(3, 27, symptom=r"not within [\d.]+ s: the interface loses its carrier")
@dark
@pytest.mark.parametrize("bam_off", [False, True], ids=["powered", "dark"])
def test_crash_silent(ctx: Context, up: Context, bam_off: bool) -> None:
    """A crash without a report or a restart: found out, carrier off; then all comes back.

    Frames do not move, the un-vote is not acknowledged: then the BAM is not touched any more.
    """
    bring_up(ctx)
    load = start_load(ctx)
    began = time.monotonic()
    ctx.modem.crash(bam_off=bam_off)
    ctx.wait_until(
        lambda: ctx.phone.call("interface", name=ctx.name(0))["carrier"] != "1",
        "the interface loses its carrier",
        25,
    )
    ctx.note(f"FOUND OUT after {time.monotonic() - began:.1f} s, BAM off: {bam_off}")
    ctx.modem.reset_counters()
    with rtnl.watched(ctx, "modem lost, under load"):
        code, out = ctx.phone.sh(
            f"ip link set dev {ctx.name(1)} down; ip link set dev {ctx.name(1)} up"
        )
    check(code != 0, f"an interface of a dead modem comes up: {out}")
    time.sleep(3)
    check_equal(ctx.counter("unpowered_access"), 0, "accesses after the loss was found out")
    since = restart(ctx, "keep")
    recovered(ctx, f"found out by itself, BAM off: {bam_off}", since, channels=(0, 2))
    load.stop()
    # This one was taken down by hand.
    ctx.up((1,))
    ctx.echo(1, count=5)
    consistent(ctx)


@pytest.mark.ours
@pytest.mark.timeout(180)
def test_stalled(ctx: Context, up: Context) -> None:
    """A live modem that takes no frame for longer than the bound: sending goes on by itself.

    It acknowledges votes, so it lives: only the frames in its hands are lost.
    """
    bring_up(ctx)
    upload(ctx)
    began = time.monotonic()
    if ctx.ours:
        ctx.wait_until(
            lambda: ctx.phone.call("driver_counters")["tx_lost"] > 0, "the frames are given up", 30
        )
    ctx.note(f"STALL over after {time.monotonic() - began:.1f} s")
    ctx.modem.hold_tx(False)
    since = time.monotonic()
    recovered(ctx, "stall of a live modem", since, 10)
    if ctx.ours:
        counters = ctx.phone.call("driver_counters")
        check(counters["tx_lost"] > 0, "frames in the modem's hands are not counted as lost")
        check_equal(counters["modem_losses"], 0, "losses of a modem that lives")
    consistent(ctx)


@pytest.mark.defect(31, symptom=r"took \d")
def test_rtnl_never_waits(ctx: Context, up: Context) -> None:
    """Ifup and ethtool never wait for the modem, be the interface detached or the modem silent.

    The core resumes the parent under RTNL for both; each call is timed.
    """
    ctx.modem.close([0])
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    name = ctx.name(0)
    with rtnl.watched(ctx, "detached, modem silent"):
        for what in (
            f"ip link set dev {name} down",
            f"ip link set dev {name} up",
            f"ethtool {name}",
            f"ethtool -i {name}",
            f"ip link set dev {name} up",
        ):
            began = time.monotonic()
            code, out = ctx.phone.sh(what, 30)
            seconds = time.monotonic() - began
            ctx.note(f"{what}: {seconds:.2f} s, status {code}: {out.strip()[:120]}")
            check(seconds < RTNL_BOUND * ctx.phone.slowness, f"`{what}` took {seconds:.1f} s")
    ctx.modem.acks("normal")
    ctx.modem.open([0])
    ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "ifup")
    ctx.up()
    ctx.works()


@pytest.mark.ours
def test_held_carrier(ctx: Context, up: Context) -> None:
    """A modem that may have restarted opens a channel: interfaces of others keep their carrier.

    Nothing is sent on the first until it is clear; user space does not notice.
    """
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    downs = f"/sys/class/net/{ctx.name(0)}/carrier_down_count"
    before = ctx.phone.call("read", path=downs)
    ctx.modem.acks("withhold")
    once(ctx, 0)
    ctx.wait_until(
        lambda: ctx.phone.call("driver_counters")["wakes_failed"] > 0, "the wake-up fails", 20
    )
    ctx.modem.acks("normal")
    ctx.modem.open([1])
    ctx.wait_interfaces({0, 1})
    held = ctx.state().count("held: true")
    ctx.note(f"channels that are held when the interface of the other is there: {held}")
    ctx.works()
    check_equal(ctx.phone.call("read", path=downs), before, "times the carrier went off")


@pytest.mark.ours
def test_ifup_dead(ctx: Context, up: Context) -> None:
    """Ifup with a dead modem: at once; then, known to be dead, an error; up again when it is back.

    The first ifup cannot know; the OPEN that it asks for finds out.
    """
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    name = ctx.name(0)
    ctx.down()
    ctx.wait_suspended()
    ctx.modem.crash()
    with rtnl.watched(ctx, "modem dead"):
        began = time.monotonic()
        ctx.phone.run(f"ip link set dev {name} up")
        first = time.monotonic() - began
        ctx.wait_until(
            lambda: ctx.phone.call("driver_counters")["wakes_failed"] > 0, "the wake-up fails", 20
        )
        found = time.monotonic() - began
        ctx.phone.run(f"ip link set dev {name} down")
        began = time.monotonic()
        code, out = ctx.phone.sh(f"ip link set dev {name} up")
        second = time.monotonic() - began
    ctx.note(f"IFUP {first:.2f} s, found dead after {found:.1f} s, then {second:.2f} s: {out}")
    check(code != 0 and "timed out" in out.lower(), f"ifup with a dead modem: {code} {out}")
    check(max(first, second) < RTNL_BOUND * ctx.phone.slowness, "ifup waits for the modem")
    restart(ctx, "keep")
    ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "ifup", 20)
    ctx.up()
    ctx.works()
    ctx.far_ping(guest_ip(0))
