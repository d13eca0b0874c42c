# SPDX-License-Identifier: GPL-2.0
"""The power handshake: sleeping, waking, and a modem that does not play along."""

import time

import pytest

from harness.allowance import bound_anew, dark
from harness.context import IDLE_MS, Context, far_ip, guest_ip
from harness.errors import check, check_equal

FAST_AUTOSUSPEND_MS = 20
# How long the modem keeps power after its last frame. Firmware is more patient; a frame that lies
# in the ring when power goes is lost, and a busy host may keep the guest from taking it at once.
PATIENCE_MS = 25
# What a link that is stuck looks like.
WORKS_NOT = r"not within [\d.]+ s: traffic on channel 0 works again"


def votes(ctx: Context) -> int:
    """How often the modem saw the driver ask for the link."""
    return ctx.counter("votes_up")


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
def test_wake_by_tx(ctx: Context, up: Context) -> None:
    """An idle link suspends and a frame to send wakes it, many times, none lost.

    Each cycle is seen to suspend, by the driver and by the modem.
    """
    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    ctx.modem.idle(PATIENCE_MS)
    ctx.wait_suspended()
    before = votes(ctx)
    cycles = ctx.sizes.repeats
    for _ in range(cycles):
        ctx.echo(count=3, size=100)
        ctx.wait_suspended()
    found = votes(ctx) - before
    check(found >= cycles, f"only {found} wake-ups for {cycles} frames")


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
def test_wake_by_modem(ctx: Context, up: Context) -> None:
    """The modem wakes a suspended link with a frame, many times, none lost.

    Pings from the far end find the guest's link without power.
    """
    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    ctx.modem.idle(PATIENCE_MS)
    ctx.wait_suspended()
    before = ctx.counter("power_ups")
    cycles = ctx.sizes.repeats
    for _ in range(cycles):
        ctx.far_ping(guest_ip(0))
        ctx.wait_suspended()
    ups = ctx.counter("power_ups") - before
    check(ups >= cycles, f"only {ups} power-ups for {cycles} pings")


# Many cycles in little time.
@pytest.mark.profile("instant")
@pytest.mark.debug
def test_cycles_under_load(ctx: Context, up: Context) -> None:
    """Power cycles in the middle of bidirectional traffic lose no frame for good.

    Pauses a little longer than autosuspend, while the far end sends on its own too.
    """
    ctx.set_autosuspend(1)
    ctx.modem.idle(PATIENCE_MS)
    before = ctx.counter("power_ups")
    rounds, cycles = 0, ctx.sizes.repeats
    while ctx.counter("power_ups") - before < cycles and rounds < 4 * cycles:
        ctx.echo(count=12, size=700)
        time.sleep(0.04 * ctx.phone.slowness)
        rounds += 1
    ups = ctx.counter("power_ups") - before
    check(ups >= cycles, f"only {ups} power cycles in {rounds} rounds of traffic")
    ctx.works()


@pytest.mark.defect(1, symptom=WORKS_NOT)
def test_wake_fails(ctx: Context, up: Context) -> None:
    """A wake-up the modem never acks fails in bounded time; the next one works, again and again.

    More frames than the ring has slots, so that a lost slot would show.
    """
    ctx.set_autosuspend(100)
    for _ in range(2):
        ctx.wait_suspended()
        ctx.modem.acks("withhold")
        began = time.monotonic()
        result = ctx.phone.call(
            "udp_echo", 60, host=far_ip(0), count=40, size=100, window=40, patience=3, timeout=20
        )
        check_equal(result["received"], 0, "replies while the modem does not wake")
        seconds = time.monotonic() - began
        ctx.note(f"traffic without acks: {result} in {seconds:.1f} s")
        ctx.wait_given_up()
        ctx.modem.acks("normal")
        ctx.works()
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=100, patience=20)
    ctx.check_echo(result, 100, "more frames than the ring has slots")
    ctx.wait_suspended()


def fill_ring(ctx: Context) -> None:
    """Frames that nobody takes, more than there are slots."""
    ctx.modem.hold_tx(True)
    ctx.phone.call(
        "udp_echo", 30, host=far_ip(0), count=60, size=500, window=60, patience=1, timeout=2
    )


def slots_came_back(ctx: Context) -> None:
    """Nothing is lost with more frames than there are slots, and the link can sleep."""
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=500, patience=20)
    ctx.check_echo(result, 100, "more frames than the ring has slots")
    ctx.wait_suspended()


@pytest.mark.defect(3, symptom=WORKS_NOT)
# Of bam_dma's interrupt handler, which may be at work when the power goes.
@dark
def test_power_lost_in_flight(ctx: Context, up: Context) -> None:
    """Power lost with frames in flight: slots, mappings and references come back.

    The modem lowers its line while the ring is full; three times.
    """
    ctx.set_autosuspend(100)
    for _ in range(3):
        ctx.works()
        fill_ring(ctx)
        ctx.modem.power(on=False)
        ctx.wait_until(lambda: ctx.phase() != "on", "the modem powers down")
        ctx.modem.hold_tx(False)
        time.sleep(0.3)
        ctx.modem.power(on=True)
        ctx.works()
    slots_came_back(ctx)


@pytest.mark.defect(3, symptom=WORKS_NOT)
@dark
def test_power_cut(ctx: Context, up: Context) -> None:
    """Power cut at once, without waiting for the driver: the link comes back.

    As power_lost_in_flight, but the BAM is dark before the driver knows.
    """
    ctx.set_autosuspend(100)
    for _ in range(2):
        ctx.works()
        fill_ring(ctx)
        ctx.modem.power(on=False, force=True)
        ctx.modem.hold_tx(False)
        time.sleep(0.3)
        ctx.modem.power(on=True)
        ctx.works()
    slots_came_back(ctx)


@pytest.mark.allow("ap_ack_timeout", max=1, why="a doubled edge is one change, with one ack")
@pytest.mark.parametrize(
    ("line", "action", "state"),
    [
        ("ack", "double", "asleep"),
        ("ack", "double", "awake"),
        ("ack", "silent", "asleep"),  # the next ack of the modem makes no edge
        ("ack", "toggle", "asleep"),
        ("pc", "double", "awake"),
    ],
)
def test_edges(ctx: Context, up: Context, line: str, action: str, state: str) -> None:
    """Lost and doubled edges of the modem's lines: the link follows the levels.

    A disturbance, then traffic, and a full cycle of sleep and traffic.
    """
    ctx.set_autosuspend(100)
    if state == "asleep":
        ctx.wait_suspended()
    else:
        ctx.echo()
    ctx.modem.edge(line=line, action=action)
    time.sleep(0.2)
    ctx.works()
    ctx.wait_suspended()
    ctx.works()


def test_late_acks(ctx: Context, up: Context) -> None:
    """A modem that takes its time over each ack costs time only."""
    ctx.set_autosuspend(100)
    ctx.wait_suspended()
    ctx.modem.acks("delay", ms=700)
    ctx.echo(count=2)
    ctx.wait_suspended()
    ctx.modem.acks("normal")
    ctx.works()


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.defect(28, symptom="not within .* interfaces of the channels")
@bound_anew(1)
def test_ack_parity(ctx: Context, up: Context) -> None:
    """Acks keep their parity when the driver is bound again.

    Bound again after odd and even numbers of acks, the modem gets the very first ack.
    """
    ctx.set_autosuspend(50)
    for state in ("awake", "asleep", "awake", "held", "asleep", "held", "awake"):
        ctx.note(f"unbound while {state}")
        if state == "asleep":
            ctx.wait_suspended()
        else:
            ctx.echo()
        # Held: the modem keeps the power until there is no driver to acknowledge that it goes.
        ctx.modem.idle(None if state == "held" else IDLE_MS)
        ctx.unload()
        ctx.modem.power(on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down without a driver", 20)
        ctx.modem.idle(IDLE_MS)
        ctx.modem.reset_counters()
        ctx.load()
        ctx.modem.open([0])
        ctx.wait_interfaces({0})
        check_equal(ctx.counter("ap_ack_timeout"), 0, "acks that never came after bind")
        ctx.up()
        ctx.works()
        ctx.set_autosuspend(50)
