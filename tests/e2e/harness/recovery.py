# SPDX-License-Identifier: GPL-2.0
"""What scenarios with a modem that dies have in common: its restart, traffic, and the way back."""

import time
from collections.abc import Sequence
from typing import Literal

from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.load import Load

CHANNELS = (0, 1, 2)
# How long firmware that was started takes to come up.
BOOT_MS = 300
# Longest time to the first datagram after the modem is back, in seconds: the driver gives a modem
# that was lost 1 s to say which channels are open, then a frame has to come along.
RECOVERY_BOUND = 5.0


def bring_up(ctx: Context) -> None:
    """Several channels, so that each of them has to come back."""
    ctx.modem.open([c for c in CHANNELS if c])
    ctx.wait_interfaces(set(CHANNELS))
    ctx.up(CHANNELS)
    # The firmware opens these when it starts again.
    for channel in CHANNELS:
        ctx.echo(channel, count=2)


def restart(ctx: Context, smsm: Literal["keep", "zero"]) -> float:
    """Start the firmware anew. Returns when its power line rises for the first time."""
    ups = ctx.modem.events().get("pc-up", 0)
    ctx.modem.restart(delay_ms=BOOT_MS, smsm=smsm)
    ctx.wait_until(
        lambda: ctx.modem.events().get("pc-up", 0) > ups, "the modem powers up", 40, 0.005
    )
    return time.monotonic()


def once(ctx: Context, channel: int) -> bool:
    """Whether one datagram comes back within a fraction of a second."""
    patience = 0.1 * ctx.phone.slowness
    result = ctx.phone.call(
        "udp_echo",
        30,
        host=far_ip(channel),
        count=1,
        size=64,
        patience=patience,
        timeout=3 * patience,
        stream=9,
    )
    check_equal(result["bad"], 0, "datagrams with wrong content")
    return result["received"] == 1


def announced(ctx: Context) -> None:
    """The modem has our OPEN of all channels.

    To be waited for where nothing but the modem's own OPEN tells of its restart: a frame that is
    sent before that has come is lost, whatever the driver does.
    """
    ctx.wait_until(
        lambda: ctx.modem.status()["host_open"] == list(CHANNELS),
        "our OPEN of all channels",
        every=0.005,
    )


def recovered(
    ctx: Context,
    what: str,
    since: float,
    bound: float = RECOVERY_BOUND,
    channels: Sequence[int] = CHANNELS,
) -> None:
    """The channels work again within the bound, and nothing is amiss.

    To be called at once: under load a single command in the guest takes seconds, which are none of
    the driver's.
    """
    times = []
    for channel in channels:
        ctx.wait_until(
            lambda channel=channel: once(ctx, channel), f"channel {channel} works again", 15, 0.01
        )
        times.append(time.monotonic() - since)
    shown = ", ".join(f"{seconds:.2f}" for seconds in times)
    ctx.note(f"RECOVERY {what}: {shown} s (channels {channels})")
    limit = bound * ctx.phone.slowness
    check(max(times) < limit, f"{what}: {max(times):.1f} s until traffic flows again")
    for channel in channels:
        ctx.echo(channel, count=5)
        state = ctx.phone.call("interface", name=ctx.name(channel))
        check_equal(state["carrier"], "1", f"{what}: carrier of channel {channel}")


def consistent(ctx: Context) -> None:
    """Nothing is left in the rings, and every frame that was lost is counted where it belongs."""
    ctx.set_autosuspend(50)
    ctx.wait_suspended(20)
    if not ctx.ours:
        return
    counters = ctx.phone.call("driver_counters")
    ctx.note(f"driver: { {k: v for k, v in counters.items() if v} }")
    errors = 0
    for channel in CHANNELS:
        name = ctx.name(channel)
        path = f"/sys/class/net/{name}/queues/tx-0/byte_queue_limits/inflight"
        check_equal(ctx.phone.call("read", path=path), "0", f"bytes of {name} that BQL waits for")
        stats = ctx.statistics(channel)
        errors += stats["tx_errors"]
        check_equal(stats["rx_errors"], 0, f"{name}: receive errors")
    check(errors <= counters["tx_lost"], f"{errors} frames lost, tx_lost {counters['tx_lost']}")
    state = ctx.state()
    for word in ("data=0 waiting=0 in_flight=0", "lost=false"):
        check(word in state, f"not '{word}' when all is idle:\n{state}")
    check_equal(state.count("held: true"), 0, "channels that are still held")


def upload(ctx: Context) -> None:
    """Frames in the modem's hands, more waiting, none of them ever taken."""
    ctx.modem.hold_tx(True)
    ctx.phone.call(
        "udp_echo", 30, host=far_ip(0), count=100, size=900, window=100, patience=1, timeout=0.5
    )


def start_load(ctx: Context) -> Load:
    """Both directions on all channels, in full swing.

    Replies that the modem keeps while it is dead come late, which is counted as doubled.
    """
    load = Load(ctx, CHANNELS, size=900, window=16, patience=0.3)
    time.sleep(0.3)
    return load
