# SPDX-License-Identifier: GPL-2.0
"""Coming and going: channels, interfaces, bindings and modules, with traffic."""

import time

import pytest

from harness import rtnl as rtnl_lock
from harness.allowance import bound_anew, powered
from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.load import Load

# Longest time that `ip link set` may take with a silent modem, in seconds.
RTNL_BOUND = 1.0


@pytest.mark.allow("data_modem_closed", max=4 * 8, why="frames that cross one of four CLOSEs")
def test_close_open(ctx: Context, up: Context) -> None:
    """CLOSE detaches the interface, OPEN attaches it, and traffic goes on by itself.

    With a load that does not stop; first left alone, then with an ifup in between.
    """
    load = Load(ctx, size=300, patience=0.2)
    name = ctx.name(0)
    for touched in (False, False, True, True):
        load.wait_received()
        ctx.modem.close([0])
        time.sleep(0.3)
        if touched:
            cycle = f"ip link set dev {name} down; ip link set dev {name} up"
            # As soon as Linux has taken the CLOSE.
            ctx.wait_until(
                lambda cycle=cycle: ctx.phone.sh(cycle)[0] != 0, "the interface can't be brought up"
            )
        ctx.modem.open([0])
        if touched:
            ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "attach")
            ctx.up()
        ctx.works()
    check(load.stop()["received"] > 0, "the load got no reply at all")


@pytest.mark.allow("data_modem_closed", max=10, why="frames that cross one of ten CLOSEs")
def test_close_one(ctx: Context, up: Context) -> None:
    """One channel's CLOSE leaves the others alone.

    Traffic on channel 0 must not lose a datagram while channel 1 comes and goes.
    """
    ctx.modem.open([1])
    ctx.wait_interfaces({0, 1})
    ctx.up((0, 1))
    ctx.echo(1)
    load = Load(ctx, size=300, window=4, patience=30)
    for _ in range(10):
        ctx.modem.close([1])
        time.sleep(0.1)
        ctx.modem.open([1])
        time.sleep(0.1)
    load.stop(lossless=True)
    ctx.works(1)


@pytest.mark.defect(31, symptom="'double_open': ")
def test_ifdown_full(ctx: Context, up: Context) -> None:
    """Ifdown and ifup with a full ring and a silent modem: quick, and nothing lost.

    RTNL must not be held for seconds; afterwards the whole ring is usable.
    """
    for _ in range(3):
        ctx.modem.hold_tx(True)
        ctx.phone.call(
            "udp_echo", 30, host=far_ip(0), count=80, size=500, window=80, patience=1, timeout=1.5
        )
        name = ctx.name(0)
        with rtnl_lock.watched(ctx, "ip link set, ring full"):
            began = time.monotonic()
            ctx.phone.run(f"ip link set dev {name} down", 30)
            down = time.monotonic() - began
            began = time.monotonic()
            # A driver may refuse while the ring is full, but not take long over it.
            ctx.phone.sh(f"ip link set dev {name} up", 30)
            seconds = max(down, time.monotonic() - began)
        bound = RTNL_BOUND * ctx.phone.slowness
        check(seconds < bound, f"ip link set took {seconds:.1f} s with a full ring")
        ctx.modem.hold_tx(False)
        ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {ctx.name(0)} up")[0] == 0, "ifup")
        ctx.up()
        ctx.works()
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=500, patience=20)
    ctx.check_echo(result, 100, "more frames than the ring has slots")


@pytest.mark.defect(31, symptom=r"took \d")
def test_rtnl(ctx: Context, up: Context) -> None:
    """Ifup and ifdown return at once while the modem does not answer.

    With a suspended link that the modem does not wake.
    """
    ctx.set_autosuspend(100)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    name = ctx.name(0)
    with rtnl_lock.watched(ctx, "ip link set, modem silent"):
        for direction in ("down", "up", "down", "up"):
            began = time.monotonic()
            ctx.phone.sh(f"ip link set dev {name} {direction}", 30)
            seconds = time.monotonic() - began
            bound = RTNL_BOUND * ctx.phone.slowness
            check(seconds < bound, f"ip link set {direction} took {seconds:.1f} s")
        # Nor does whoever wakes the modem hold it meanwhile.
        ctx.wait_given_up()
    ctx.modem.acks("normal")
    ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "ifup")
    ctx.up()
    ctx.works()


@pytest.mark.timeout(240)
@bound_anew(powered)
def test_unbind_bind(ctx: Context, up: Context) -> None:
    """Unbind and bind many times under traffic, then traffic without loss.

    Traffic both ways goes on while the driver goes away.
    """
    load = Load(ctx, size=900, window=16, patience=0.5)
    for _ in range(ctx.sizes.repeats // 2):
        ctx.unbind(20)
        check_equal(ctx.interfaces(), {}, "interfaces after unbind")
        ctx.bind(20)
        ctx.reopen()
    check(load.stop()["received"] > 0, "the load got no reply at all")
    ctx.works()


@pytest.mark.debug
@pytest.mark.timeout(240)
@bound_anew(powered)
def test_reload(ctx: Context, up: Context) -> None:
    """rmmod and insmod many times under traffic, then traffic without loss.

    As unbind_bind, with the module going each time; bounded in time.
    """
    load = Load(ctx, size=900, window=16, patience=0.5)
    longest = 0.0
    for _ in range(ctx.sizes.repeats // 2):
        longest = max(longest, ctx.unload(20))
        ctx.load()
        ctx.reopen()
    ctx.note(f"longest rmmod {longest:.2f} s")
    check(load.stop()["received"] > 0, "the load got no reply at all")
    ctx.works()


def silent(ctx: Context) -> Load:
    """A modem that answers no vote, and traffic that asks for it."""
    ctx.set_autosuspend(50)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    load = Load(ctx, size=100)
    time.sleep(0.5)
    return load


def full(ctx: Context) -> Load:
    """A ring of frames that nobody takes."""
    ctx.modem.hold_tx(True)
    load = Load(ctx, size=500, window=60)
    time.sleep(0.5)
    return load


def asleep(ctx: Context) -> None:
    """No power, no vote."""
    ctx.set_autosuspend(50)
    ctx.wait_suspended()


def unloads(ctx: Context, what: str, load: Load | None = None) -> None:
    """rmmod is bounded; with a modem made anew all works again. Judges see what is left behind."""
    seconds = ctx.unload(30)
    ctx.note(f"rmmod with the modem {what}: {seconds:.1f} s")
    check(seconds < 10 * ctx.phone.slowness, f"rmmod, modem {what}: {seconds:.1f} s")
    if load:
        load.stop()
    ctx.fresh_modem()
    ctx.bring_up()
    ctx.works()


@bound_anew(1)
def test_unload_up(ctx: Context, up: Context) -> None:
    """rmmod is bounded while the link is in use."""
    ctx.echo()
    unloads(ctx, "up")


@bound_anew(1)
def test_unload_asleep(ctx: Context, up: Context) -> None:
    """rmmod is bounded while the modem is asleep."""
    asleep(ctx)
    unloads(ctx, "asleep")


@pytest.mark.defect(1, symptom="runtime PM references left after rmmod")
@bound_anew(1)
def test_unload_silent(ctx: Context, up: Context) -> None:
    """rmmod is bounded while frames wait for a modem that does not answer, and gives them back."""
    unloads(ctx, "silent", silent(ctx))


@pytest.mark.defect(3, symptom="runtime PM references left after rmmod")
@bound_anew(1)
def test_unload_full(ctx: Context, up: Context) -> None:
    """rmmod is bounded with a full ring, and gives the frames back."""
    unloads(ctx, "full", full(ctx))


@pytest.mark.debug
# The first acknowledgement after the crash is no change, and never seen.
@pytest.mark.defect(28, 29, symptom=r"not within [\d.]+ s: the interfaces of the channels")
@bound_anew(1)
def test_unload_crashed(ctx: Context, up: Context) -> None:
    """rmmod is bounded after the modem has crashed."""
    ctx.modem.crash()
    unloads(ctx, "crashed")
