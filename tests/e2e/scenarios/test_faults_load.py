# SPDX-License-Identifier: GPL-2.0
"""Memory that is short while traffic runs: frames may get lost, and are counted; nothing else is.

Faults come by chance, in all contexts. How many there were, and of which kind, is in the log.
"""

import time
from pathlib import PurePosixPath
from typing import Any

import pytest

from harness import sleep
from harness.background import background
from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.faults import (
    NEEDS,
    OWN,
    PAGES,
    SLAB,
    aimed,
    at_rest,
    chance,
    failing,
    injected,
    whole,
)
from harness.load import Load

# Many cycles in little time, and the tests themselves say when the modem does what.
pytestmark = pytest.mark.profile("instant")

# How often an allocation fails, in percent.
CHANCES = (5, 50, 100)
SECONDS = 1.0
AUTOSUSPEND_MS = 20
AWAKE_MS = 600_000
IDLE_MS = 30
BODY = b"\x45" + bytes(99)


def counters(ctx: Context) -> dict[str, int]:
    """What the driver counted so far."""
    return ctx.phone.call("driver_counters")


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_faults_rx(ctx: Context, up: Context) -> None:
    """Receive buffers that can't be replaced are counted and made up for, from one to all of them.

    With all allocations failing the ring runs dry; frames wait in the modem and come later.
    """
    for turn in range(ctx.sizes.rounds):
        for percent in CHANCES:
            before = counters(ctx)["rx_refill_failed"]
            with aimed(ctx, depth=OWN):
                with Load(ctx, size=900, window=24, patience=0.3):
                    chance(ctx, percent)
                    time.sleep(SECONDS)
                    ctx.wait_until(
                        lambda before=before: more_fail(ctx, before),
                        f"refills fail at {percent} %",
                    )
                    chance(ctx, 0)
                faults = injected(ctx)
            failed = counters(ctx)["rx_refill_failed"] - before
            ctx.progress(f"round {turn}, {percent} %: {faults} faults, {failed} refills failed")
            whole(ctx)
        dry(ctx)


def more_fail(ctx: Context, before: int) -> bool:
    """Frames from the modem, also when not one can be sent that would be answered; whether there
    were refills that failed."""
    ctx.modem.data(channel=0, payload=BODY, repeat=20)
    time.sleep(SECONDS / 10)
    return counters(ctx)["rx_refill_failed"] > before


def dry(ctx: Context) -> None:
    """Frames that the modem sends while there is not one buffer: all arrive in the end.

    With the link kept awake: a power cycle would bring new buffers, too.
    """
    ctx.set_autosuspend(AWAKE_MS)
    ctx.echo(count=1)
    arrived = ctx.statistics()["rx_packets"]
    starved = ctx.counter("rx_starved")
    with aimed(ctx, depth=OWN):
        chance(ctx, 100)
        ctx.modem.data(channel=0, payload=BODY, repeat=100)
        time.sleep(SECONDS)
        check(ctx.statistics()["rx_packets"] - arrived < 100, "frames without a buffer arrive")
    ctx.wait_until(lambda: ctx.statistics()["rx_packets"] - arrived >= 100, "all frames arrive")
    check(ctx.counter("rx_starved") > starved, "the ring was never dry")
    whole(ctx)


@pytest.mark.allow(
    "double_open", max=len(CHANCES), why="OPEN is due whether or not the modem saw a lost CLOSE"
)
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_faults_tx(ctx: Context, up: Context) -> None:
    """Frames that can't be sent for want of memory are dropped and counted, OPEN and CLOSE never.

    With a tap, so that there is a second user of each frame and it has to be copied.
    """
    name = ctx.name(0)
    for turn in range(ctx.sizes.rounds):
        for percent in CHANCES:
            before = (counters(ctx)["tx_no_memory"], ctx.statistics()["tx_dropped"])
            with background(ctx, f"tcpdump -n -i {name}"), aimed(ctx, depth=OWN):
                # A length that needs padding.
                with Load(ctx, size=801, window=24, patience=0.3):
                    chance(ctx, percent)
                    time.sleep(SECONDS)
                    ctx.phone.run(f"ip link set dev {name} down; ip link set dev {name} up")
                    time.sleep(SECONDS / 2)
                    ctx.wait_until(
                        lambda before=before: ctx.statistics()["tx_dropped"] > before[1],
                        f"frames are dropped at {percent} %",
                    )
                    chance(ctx, 0)
                faults = ctx.phone.call("faults_injected")
            after = (counters(ctx)["tx_no_memory"], ctx.statistics()["tx_dropped"])
            ctx.progress(
                f"round {turn}, {percent} %: {faults}, (no memory, dropped): {before} {after}"
            )
            ctx.up()
            ctx.wait_until(lambda: ctx.modem.status()["host_open"] == [0], "OPEN")
            whole(ctx)
    tcp(ctx)


def tcp(ctx: Context) -> None:
    """A stream with a few frames missing is slow, and complete."""
    with aimed(ctx, depth=OWN):
        chance(ctx, 1)
        up = ctx.phone.call("tcp_upload", 300, host=far_ip(0), size=200_001, seed="f", timeout=200)
        down = ctx.phone.call(
            "tcp_download", 300, host=far_ip(0), size=200_001, seed="g", timeout=200
        )
        check(injected(ctx) > 0, "nothing failed")
    ctx.note(f"TCP with faults: up {up}, down {down}")
    check(up["good"] and down["good"], "content of the streams")
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_faults_power(ctx: Context, up: Context) -> None:
    """Sleeping and waking with memory short anywhere: the modem gets its acks, the link comes back.

    Each power-up needs DMA channels, 32 KiB for their descriptors, and receive buffers.
    """
    ctx.set_autosuspend(AUTOSUSPEND_MS)
    ctx.modem.idle(IDLE_MS)
    ups = ctx.counter("power_ups")
    total = dict.fromkeys((SLAB, PAGES), 0)
    for turn in range(10 * ctx.sizes.rounds):
        kind = (SLAB, PAGES)[turn % 2]
        with aimed(ctx):
            chance(ctx, (2, 10, 40)[turn % 3], kind)
            with Load(ctx, size=300, window=24, patience=0.3):
                time.sleep(SECONDS / 4)
            time.sleep(SECONDS / 4)
            faults = injected(ctx)
        total[kind] += faults
        ctx.progress(
            f"round {turn}: {faults} of {kind}, power-ups {ctx.counter('power_ups') - ups}"
        )
        whole(ctx)
    ctx.wait_suspended()
    check(ctx.counter("power_ups") - ups > 5 * ctx.sizes.rounds, "the link hardly ever slept")
    check(all(total.values()), f"faults of one kind only: {total}")


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.needs(NEEDS)
def test_faults_power_up(ctx: Context, up: Context) -> None:
    """A power-up without memory for a DMA channel is tried again until there is some, in words.

    Nothing can be had for two seconds; the modem waits for its ack, and gets it afterwards.
    """
    ctx.set_autosuspend(AUTOSUSPEND_MS)
    ctx.modem.idle(IDLE_MS)
    ctx.wait_suspended()
    start, began = ctx.phone.log_position(), time.monotonic()
    for kind in (PAGES, SLAB):
        acks = ctx.counter("acks_seen")
        with aimed(ctx):
            chance(ctx, 100, kind)
            ctx.modem.idle(None)
            ctx.modem.power(on=True)
            time.sleep(2)
            ctx.wait_until(lambda: injected(ctx) > 1, "it is tried again")
            check_equal(ctx.phase(), "rising", "where the modem stands")
            check_equal(ctx.counter("acks_seen"), acks, "acks without DMA channels")
        ctx.wait_until(lambda: ctx.phase() == "on", "the power-up is acknowledged")
        whole(ctx)
        ctx.modem.idle(IDLE_MS)
        ctx.wait_suspended()
    log = ctx.phone.log(start)
    said = log.count("can't set up the DMA pipes")
    # The driver's limit: ten messages in five seconds.
    most = 10 * (2 + (time.monotonic() - began) / 5)
    check(1 <= said <= most, f"'can't set up the DMA pipes' was said {said} times")
    check_equal(ctx.phone.call("driver_counters")["wakes_failed"], 0, "wake-ups that failed")


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.needs(str(PurePosixPath(NEEDS).with_name("fail_skb_realloc")))
def test_faults_realloc(ctx: Context, up: Context) -> None:
    """Packets whose memory moves while the network stack looks at them: no loss, each byte right.

    The kernel's fail_skb_realloc, for every packet of the interface.
    """
    ctx.phone.call("faults_realloc", name=ctx.name(0), percent=100)
    try:
        ctx.echo(count=100, size=700)
        ctx.echo(count=20, size=1200, v6=True)
        far = {"host": far_ip(0), "size": 200_001, "seed": "r", "timeout": 60}
        for call in ("tcp_upload", "tcp_download"):
            check(ctx.phone.call(call, 90, **far)["good"], f"content of {call}")
        moved = ctx.phone.call("faults_injected")["fail_skb_realloc"]
    finally:
        ctx.phone.call("faults_realloc", name="", percent=0)
    ctx.note(f"{moved} packets moved")
    check(moved > 100, f"only {moved} packets moved")
    at_rest(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_faults_sleep(ctx: Context, up: Context) -> None:
    """The phone sleeps, or is refused to, with memory short anywhere, and the link works
    afterwards.

    With traffic until the moment at which programs stop; the modem's power-up ends the sleep.
    """
    sleep.prepare(ctx)
    for turn in range(4 * ctx.sizes.rounds):
        with aimed(ctx):
            with Load(ctx, size=300, window=24, patience=0.3):
                chance(ctx, (5, 30)[turn % 2], (SLAB, PAGES)[turn // 2 % 2])
                position = sleep.order(ctx, alarm=3)
                slept = sleep.wait_awake(ctx, position)
                chance(ctx, 0)
            faults = injected(ctx)
        ctx.progress(f"round {turn}: {faults} faults, {slept}")
        whole(ctx)


# Functions of the driver, the value that says that they failed, and what they do.
DRIVER_FUNCTIONS = (
    ("dma_map_single", -1, "mapping a buffer"),  # -1 is DMA_MAPPING_ERROR
    ("dmaengine_prep_slave_single", 0, "preparing a descriptor"),
    ("dmaengine_submit", -12, "submitting a descriptor"),
    ("dma_request_chan", -19, "requesting a DMA channel"),
    ("dmaengine_set_maxburst", -22, "configuring a DMA channel"),
)


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(str(PurePosixPath(NEEDS).with_name("fail_function")))
def test_faults_dma(ctx: Context, up: Context) -> None:
    """DMA that fails at any step, now and then or always, under load and at power-up.

    What memory alone can't make fail; by the kernel's fail_function.
    """
    ctx.modem.idle(IDLE_MS)
    for turn in range(ctx.sizes.rounds):
        for function, value, what in DRIVER_FUNCTIONS:
            for percent in (30, 100):
                ctx.set_autosuspend(AUTOSUSPEND_MS)
                name = f"bam_dmux_helper_{function}"
                arguments = {"name": name, "retval": value}
                with Load(ctx, size=400, window=24, patience=0.3):
                    failing(ctx, **arguments, percent=percent)
                    # With pauses, in which the link goes to sleep.
                    time.sleep(SECONDS)
                    # A link that stays awake asks for no channel.
                    if "channel" not in what:
                        ctx.wait_until(lambda: function_faults(ctx) > 0, f"{what} fails")
                    faults = failing(ctx, **arguments, percent=0)
                ctx.progress(f"round {turn}: {what}, {percent} %: {faults} faults")
                whole(ctx)
                if "channel" in what:
                    at_power_up(ctx, arguments, what)


def function_faults(ctx: Context) -> int:
    """How often the function of the driver has failed so far."""
    return ctx.phone.call("faults_function_count")


def at_power_up(ctx: Context, arguments: dict[str, Any], what: str) -> None:
    """Nothing goes while the modem raises its power."""
    ctx.wait_suspended()
    failing(ctx, **arguments, percent=100)
    ctx.modem.idle(None)
    ctx.modem.power(on=True)
    ctx.wait_until(lambda: function_faults(ctx) > 1, f"{what} fails at power-up, again and again")
    check_equal(ctx.phase(), "rising", "where the modem stands")
    failing(ctx, **arguments, percent=0)
    ctx.wait_until(lambda: ctx.phase() == "on", "the power-up is acknowledged")
    whole(ctx)
    ctx.modem.idle(IDLE_MS)
