# SPDX-License-Identifier: GPL-2.0
"""What users do with driver, modem and phone, and reported to fail.

The numbers U1, U2, ... are those of the collection of reports.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness import rtnl
from harness.allowance import dark
from harness.context import Context, guest_ip
from harness.errors import check, check_equal
from harness.load import Load
from harness.recovery import (
    CHANNELS,
    bring_up,
    consistent,
    recovered,
    start_load,
)
from harness.restart import boot, set_state, starts

# Longest time that loading the module takes, in seconds: it does not wait for the modem.
INSMOD_BOUND = 2.0
# How long interfaces may take to come back after a rebind, in seconds.
BACK_BOUND = 10.0

RECOVERY = "/sys/class/remoteproc/remoteproc0/recovery"
# For how long nobody recovers the crashed modem, in seconds.
UNRECOVERED_S = 30
# What the driver may add to a recovery, and how long the network may take to answer a question, in
# seconds.
RECOVERY_SHARE, ANSWER_BOUND = 1.0, 0.1

# Settings that need no modem: what is told to `ip`, and how it shows afterwards.
AWAY_MTU, AWAY_ADDRESS, AWAY_ROUTE = 1430, "10.64.0.99/32", "10.99.0.0/16"

# The second device of the board for the same node (tests/board/mss.c).
TWIN = "/sys/bus/platform/drivers/qcom-q6v5-mss/*remoteproc*/twin"
TWIN_DEVICE = "/sys/bus/platform/devices/twin"


def diagnosis(ctx: Context) -> dict[str, Any]:
    """What `devlink health diagnose` tells of the link."""
    handle = f"platform/{ctx.device()['name']}"
    return json.loads(ctx.phone.run(f"devlink -j health diagnose {handle} reporter modem"))


def open_once(ctx: Context) -> None:
    """The modem opens channel 0, and will not do so again for another driver."""
    ctx.open_modem()
    ctx.up()
    ctx.echo()


def rebind(ctx: Context) -> None:
    """By hand: unbind and bind."""
    ctx.unbind()
    ctx.bind()


def reload(ctx: Context) -> None:
    """The module goes and comes back, in bounded time."""
    ctx.unload()
    began = time.monotonic()
    ctx.load()
    seconds = time.monotonic() - began
    ctx.note(f"INSMOD {seconds:.2f} s")
    check(seconds < INSMOD_BOUND * ctx.phone.slowness, f"insmod took {seconds:.1f} s")


def interfaces_or_word(ctx: Context) -> None:
    """Interfaces come back by themselves, or the driver says that the modem has to restart."""

    def told() -> bool:
        if ctx.interfaces():
            return True
        return ctx.ours and bool(diagnosis(ctx)["link"].get("needs_restart"))

    ctx.wait_until(told, "interfaces, or the diagnosis says link.needs_restart", BACK_BOUND)


@pytest.mark.finding("U4", words=r"not within [\d.]+ s: interfaces, or the diagnosis says")
@pytest.mark.parametrize("again", [rebind, reload])
def test_bound_anew(ctx: Context, loaded: Context, again: Callable[[Context], None]) -> None:
    """A driver bound anew finds channels that the modem does not open again, or says what helps.

    U4: on living firmware, which says OPEN once in its life.
    """
    open_once(ctx)
    again(ctx)
    check_equal(ctx.modem.status()["modem_open"], [0], "channels that the modem has open")
    interfaces_or_word(ctx)


@pytest.mark.parametrize("again", [rebind, reload])
def test_bound_anew_restart(
    ctx: Context, loaded: Context, again: Callable[[Context], None]
) -> None:
    """After a rebind without OPENs a restart of the modem brings the interface.

    U4: the way out that a user has.
    """
    open_once(ctx)
    again(ctx)
    set_state(ctx, "stop")
    set_state(ctx, "start")
    ctx.open_modem()
    ctx.up()
    ctx.works()


def recovery_time(ctx: Context) -> float:
    """Enable recovery of the crashed modem: how long remoteproc takes until it has started it."""
    before = starts(ctx)
    began, ended = (
        float(text)
        for text in ctx.phone.run(
            f"cut -d' ' -f1 /proc/uptime; echo enabled >{RECOVERY}; cut -d' ' -f1 /proc/uptime", 120
        ).split()
    )
    check_equal(starts(ctx), before + 1, "starts of the modem")
    return ended - began


def crash_unrecovered(ctx: Context, bam_off: bool) -> None:
    """The modem crashes, and nobody recovers it."""
    ctx.phone.run(f"echo disabled >{RECOVERY}")
    ctx.modem.crash(bam_off=bam_off, irq=True)
    ctx.wait_until(lambda: ctx.modem.status()["mss"] == "crashed", "the modem has crashed")


# The test starts the firmware.
@pytest.mark.profile(boots_when_started=False)
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "bam_off",
    [pytest.param(False, id="powered"), pytest.param(True, id="dark", marks=pytest.mark.full)],
)
@dark
def test_unrecovered(ctx: Context, up: Context, bam_off: bool) -> None:
    """A crash that nobody recovers for long hangs nothing, nor does its recovery.

    U5: with the BAM as it was, and without power.
    """
    # What remoteproc takes by itself, with nobody to notify.
    ctx.unload()
    crash_unrecovered(ctx, bam_off)
    time.sleep(1)
    without = recovery_time(ctx)
    ctx.load()
    ctx.open_modem(CHANNELS)
    ctx.up(CHANNELS)

    load = start_load(ctx)
    ctx.phone.call("questions_start", name=ctx.name(0))
    crash_unrecovered(ctx, bam_off)
    time.sleep(UNRECOVERED_S)
    took = recovery_time(ctx)
    since = boot(ctx)
    recovered(ctx, f"not recovered for {UNRECOVERED_S} s", since)
    load.stop()
    asked = ctx.phone.call("questions_stop")
    ctx.note(f"RECOVERY {took:.2f} s, {without:.2f} s without the driver; asked: {asked}")
    added = took - without
    check(added < RECOVERY_SHARE * ctx.phone.slowness, f"recovery takes {added:.1f} s longer")
    for what, seconds in asked["longest"].items():
        # What the machine itself was late by is not the kernel's doing.
        bound = ANSWER_BOUND * ctx.phone.slowness + asked["late"]
        check(seconds < bound, f"{what} took {seconds:.2f} s to answer")
    if ctx.ours:
        consistent(ctx)


def away(ctx: Context) -> None:
    """The modem has crashed and been started, and its firmware is not up yet."""
    before = starts(ctx)
    ctx.modem.crash(irq=True)
    ctx.wait_until(lambda: starts(ctx) > before, "remoteproc starts the modem")


def shown(ctx: Context, script: str, word: str) -> None:
    """What was set holds."""
    out = ctx.phone.run(script)
    check(word in out, f"`{script}` does not show '{word}':\n{out}")


def set_while_away(ctx: Context, *commands: str) -> list[str]:
    """The modem is away; each command is quick. Returns those that fail, with what they say."""
    away(ctx)
    failed = []
    with rtnl.watched(ctx, "modem away"):
        for command in commands:
            code, out = ctx.phone.sh(command)
            ctx.note(f"{command}: status {code} {out.strip()}")
            if code != 0:
                failed.append(f"`{command}`: {out.strip()}")
    return failed


def returns(ctx: Context, failed: list[str]) -> None:
    """The modem is back, and the link works with nothing done for it."""
    ctx.modem.boot(channels=[0])
    ctx.wait_until(lambda: ctx.modem.status()["rx_running"], "Linux follows")
    check(not failed, f"while the modem is away: {'; '.join(failed)}")
    ctx.works()


@pytest.mark.finding("U13", words=r"while the modem is away: `ip link set dev \w+ mtu")
def test_away_mtu(ctx: Context, up: Context) -> None:
    """An MTU set while the modem is away is taken, and holds.

    U13.
    """
    name = ctx.name(0)
    failed = set_while_away(ctx, f"ip link set dev {name} mtu {AWAY_MTU}")
    returns(ctx, failed)
    shown(ctx, f"ip link show dev {name}", f"mtu {AWAY_MTU} ")
    ctx.echo(size=AWAY_MTU - 28)


def test_away_address(ctx: Context, up: Context) -> None:
    """Addresses and routes set while the modem is away are taken, and hold.

    U13.
    """
    name = ctx.name(0)
    failed = set_while_away(
        ctx,
        f"ip address add {AWAY_ADDRESS} dev {name}",
        f"ip address add fd64::99/128 dev {name}",
        f"ip route add {AWAY_ROUTE} dev {name}",
        f"ip -6 route add fd99::/64 dev {name}",
        f"ip link set dev {name} txqueuelen 500",
    )
    returns(ctx, failed)
    shown(ctx, f"ip address show dev {name}", AWAY_ADDRESS)
    shown(ctx, f"ip -6 address show dev {name}", "fd64::99/128")
    shown(ctx, f"ip route show dev {name}", AWAY_ROUTE)
    shown(ctx, f"ip -6 route show dev {name}", "fd99::/64")
    shown(ctx, f"ip link show dev {name}", "qlen 500")
    ctx.far_ping(guest_ip(0))


@pytest.mark.finding("U13", words=r"while the modem is away: `ip link set dev \w+ up")
def test_away_up(ctx: Context, up: Context) -> None:
    """An interface brought up while the modem is away is up when it is back.

    U13: what a script does that was started too early.
    """
    name = ctx.name(0)
    ctx.down()
    failed = set_while_away(
        ctx,
        f"ip link set dev {name} up",
        f"ip address replace {guest_ip(0)}/24 dev {name}",
        f"ip route replace {AWAY_ROUTE} dev {name}",
    )
    returns(ctx, failed)
    shown(ctx, f"ip route show dev {name}", AWAY_ROUTE)


def test_away_down(ctx: Context, up: Context) -> None:
    """An interface taken down while the modem is away stays down when it is back.

    U13: nothing of it is announced to the new firmware.
    """
    name = ctx.name(0)
    failed = set_while_away(ctx, f"ip link set dev {name} down")
    check(not failed, f"while the modem is away: {failed}")
    ctx.modem.boot(channels=[0])
    ctx.wait_until(lambda: ctx.modem.status()["modem_open"] == [0], "the modem opens the channel")
    ctx.wait_suspended()
    check_equal(ctx.modem.status()["host_open"], [], "channels that Linux has opened")
    ctx.up()
    ctx.works()


def twin(ctx: Context, on: bool) -> None:
    """The board makes the second device, or takes it away."""
    ctx.phone.run(f"for twin in {TWIN}; do echo {int(on)} >$twin; done")


def test_second_device(ctx: Context, up: Context) -> None:
    """A second device for the same node does not bind, and harms nobody.

    U36: while the first is under load; then in its place.
    """
    load = Load(ctx, size=600, window=16, patience=600, stream=8)
    downs = f"/sys/class/net/{ctx.name(0)}/carrier_down_count"
    before = ctx.phone.call("read", path=downs)
    for _ in range(3):
        twin(ctx, True)
        check(
            ctx.phone.sh(f"test -e {TWIN_DEVICE}/driver")[0] != 0,
            "a driver binds to the second device of a node",
        )
        left = ctx.phone.run(f"ls -d {TWIN_DEVICE}/net {TWIN_DEVICE}/wakeup 2>/dev/null || :")
        check(not left.strip(), f"the second device has something of a driver: {left}")
        twin(ctx, False)
    load.stop(lossless=True)
    check_equal(ctx.phone.call("read", path=downs), before, "times the carrier went off")
    check_equal(ctx.interfaces().keys(), {0}, "channels with interfaces")
    ctx.wait_suspended()
    ctx.works()


@pytest.mark.ours
def test_one_channel_left(ctx: Context, up: Context) -> None:
    """Firmware that comes back with one channel: it works, the others have no carrier.

    Their users see it, and nothing is sent on them.
    """
    bring_up(ctx)
    load = start_load(ctx)
    away(ctx)
    ctx.modem.boot(channels=[0])
    ctx.wait_until(lambda: 0 in ctx.modem.status()["host_open"], "our OPEN of channel 0", 20)
    ctx.works()
    time.sleep(1)
    load.stop()
    check_equal(ctx.modem.status()["host_open"], [0], "channels that Linux has opened")
    for channel in CHANNELS:
        state = ctx.phone.call("interface", name=ctx.name(channel))
        check_equal(state["carrier"] == "1", channel == 0, f"carrier of channel {channel}")
    ctx.modem.open([c for c in CHANNELS if c])
    for channel in CHANNELS:
        ctx.works(channel)
    consistent(ctx)
