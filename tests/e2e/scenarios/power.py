# SPDX-License-Identifier: GPL-2.0
"""The power handshake: sleeping, waking, and a modem that does not play along."""

import time

from harness.context import IDLE_MS, Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.scenario import scenario

CYCLES = 100
FAST_AUTOSUSPEND_MS = 20
# How long the modem keeps power after its last frame. Firmware is more patient; a frame that lies
# in the ring when power goes is lost, and a busy host may keep the guest from taking it at once.
PATIENCE_MS = 25
# What a link that is stuck looks like.
WORKS_NOT = r"not within \d+ s: traffic on channel 0 works again"


def votes(ctx: Context) -> int:
    """How often the modem saw the driver ask for the link."""
    return ctx.counter("votes_up")


@scenario("an idle link suspends and a frame to send wakes it, 100 times, none lost", cost=60)
def wake_by_tx(ctx: Context) -> None:
    """Each cycle is seen to suspend, by the driver and by the modem."""
    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    ctx.modem.call("idle", ms=PATIENCE_MS)
    ctx.wait_suspended()
    before = votes(ctx)
    for _ in range(CYCLES):
        ctx.echo(count=3, size=100)
        ctx.wait_suspended()
    check(votes(ctx) - before >= CYCLES, f"only {votes(ctx) - before} wake-ups for {CYCLES} frames")


@scenario("the modem wakes a suspended link with a frame, 100 times, none lost", cost=60)
def wake_by_modem(ctx: Context) -> None:
    """Pings from the far end find the guest's link without power."""
    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    ctx.modem.call("idle", ms=PATIENCE_MS)
    ctx.wait_suspended()
    before = ctx.counter("power_ups")
    for _ in range(CYCLES):
        ctx.far_ping(guest_ip(0))
        ctx.wait_suspended()
    ups = ctx.counter("power_ups") - before
    check(ups >= CYCLES, f"only {ups} power-ups for {CYCLES} pings")


@scenario("100 power cycles in the middle of bidirectional traffic lose no frame for good", cost=60)
def cycles_under_load(ctx: Context) -> None:
    """Pauses a little longer than autosuspend, while the far end sends on its own too."""
    ctx.set_autosuspend(1)
    ctx.modem.call("idle", ms=PATIENCE_MS)
    before = ctx.counter("power_ups")
    rounds = 0
    while ctx.counter("power_ups") - before < CYCLES and rounds < 4 * CYCLES:
        ctx.echo(count=12, size=700)
        time.sleep(0.04 * ctx.phone.slowness)
        rounds += 1
    ups = ctx.counter("power_ups") - before
    check(ups >= CYCLES, f"only {ups} power cycles in {rounds} rounds of traffic")
    ctx.works()


@scenario(
    "a wake-up the modem never acks fails in bounded time; the next one works, again and again",
    cost=40,
    defects=(1,),
    symptom=WORKS_NOT,
)
def wake_fails(ctx: Context) -> None:
    """More frames than the ring has slots, so that a lost slot would show."""
    ctx.set_autosuspend(100)
    for _ in range(2):
        ctx.wait_suspended()
        ctx.modem.call("acks", mode="withhold")
        began = time.monotonic()
        result = ctx.phone.call(
            "udp_echo", 60, host=far_ip(0), count=40, size=100, window=40, patience=3, timeout=20
        )
        check_equal(result["received"], 0, "replies while the modem does not wake")
        seconds = time.monotonic() - began
        ctx.note(f"traffic without acks: {result} in {seconds:.1f} s")
        ctx.wait_given_up()
        ctx.modem.call("acks", mode="normal")
        ctx.works()
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=100, patience=20)
    ctx.check_echo(result, 100, "more frames than the ring has slots")
    ctx.wait_suspended()


def fill_ring(ctx: Context) -> None:
    """Frames that nobody takes, more than there are slots."""
    ctx.modem.call("hold_tx", on=True)
    ctx.phone.call(
        "udp_echo", 30, host=far_ip(0), count=60, size=500, window=60, patience=1, timeout=2
    )


def slots_came_back(ctx: Context) -> None:
    """Nothing is lost with more frames than there are slots, and the link can sleep."""
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=500, patience=20)
    ctx.check_echo(result, 100, "more frames than the ring has slots")
    ctx.wait_suspended()


@scenario(
    "power lost with frames in flight: slots, mappings and references come back",
    cost=30,
    defects=(3,),
    symptom=WORKS_NOT,
)
def power_lost_in_flight(ctx: Context) -> None:
    """The modem lowers its line while the ring is full; three times."""
    ctx.set_autosuspend(100)
    for _ in range(3):
        ctx.works()
        fill_ring(ctx)
        ctx.modem.call("power", on=False)
        ctx.wait_until(lambda: ctx.phase() != "on", "the modem powers down")
        ctx.modem.call("hold_tx", on=False)
        time.sleep(0.3)
        ctx.modem.call("power", on=True)
        ctx.works()
    slots_came_back(ctx)


@scenario(
    "power cut at once, without waiting for the driver: the link comes back",
    cost=20,
    defects=(3,),
    symptom=WORKS_NOT,
    # The driver hears of it only after the fact.
    allowed=("unpowered_access", "pipe_misuse"),
)
def power_cut(ctx: Context) -> None:
    """As power_lost_in_flight, but the BAM is dark before the driver knows."""
    ctx.set_autosuspend(100)
    for _ in range(2):
        ctx.works()
        fill_ring(ctx)
        ctx.modem.call("power", on=False, force=True)
        ctx.modem.call("hold_tx", on=False)
        time.sleep(0.3)
        ctx.modem.call("power", on=True)
        ctx.works()
    slots_came_back(ctx)


@scenario(
    "lost, doubled and late edges of the modem's lines: the link follows the levels",
    cost=30,
    allowed=("ap_ack_timeout",),
)
def edges(ctx: Context) -> None:
    """Each kind of disturbance, then traffic, and a full cycle of sleep and traffic."""
    ctx.set_autosuspend(100)
    for line, action, asleep in (
        ("ack", "double", True),
        ("ack", "double", False),
        ("ack", "silent", True),  # the next ack of the modem makes no edge
        ("ack", "toggle", True),
        ("pc", "double", False),
    ):
        ctx.note(f"{line} {action}, {'asleep' if asleep else 'awake'}")
        if asleep:
            ctx.wait_suspended()
        else:
            ctx.echo()
        ctx.modem.call("edge", line=line, action=action)
        time.sleep(0.2)
        ctx.works()
        ctx.wait_suspended()
        ctx.works()
    ctx.wait_suspended()
    ctx.modem.call("acks", mode="delay", ms=700)
    ctx.echo(count=2)
    ctx.wait_suspended()
    ctx.modem.call("acks", mode="normal")
    ctx.works()


@scenario(
    "acks keep their parity when the driver is bound again",
    cost=20,
    defects=(28,),
    symptom="not within .* interfaces of the channels",
    allowed=("ap_ack_timeout",),
)
def ack_parity(ctx: Context) -> None:
    """Bound again after odd and even numbers of acks, the modem gets the very first ack."""
    ctx.set_autosuspend(50)
    for state in ("awake", "asleep", "awake", "held", "asleep", "held", "awake"):
        ctx.note(f"unbound while {state}")
        if state == "asleep":
            ctx.wait_suspended()
        else:
            ctx.echo()
        # Held: the modem keeps the power until there is no driver to acknowledge that it goes.
        ctx.modem.call("idle", ms=None if state == "held" else IDLE_MS)
        ctx.unload()
        ctx.modem.call("power", on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down without a driver", 20)
        ctx.modem.call("idle", ms=IDLE_MS)
        ctx.modem.call("reset_counters")
        ctx.load()
        ctx.modem.call("open", channels=[0])
        ctx.wait_interfaces({0})
        check_equal(ctx.counter("ap_ack_timeout"), 0, "acks that never came after bind")
        ctx.up()
        ctx.works()
        ctx.set_autosuspend(50)
