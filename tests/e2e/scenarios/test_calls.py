# SPDX-License-Identifier: GPL-2.0
"""Calls that end, fail, or are one of several, and a ModemManager that goes and comes."""

import pytest

from harness import chain
from harness.context import Context
from harness.errors import check, check_equal
from harness.load import Load
from harness.modemmanager import Bearer

# How often a call is made and ended again.
FAST_AUTOSUSPEND_MS = 100
# QMI's reasons, as numbers and as ModemManager words them.
CALL_END_REASON_GENERIC = 1
VERBOSE_3GPP = 6
UNKNOWN_APN = 27
UNKNOWN_APN_WORDS = "unknown-apn"
REGULAR_DEACTIVATION = 36


def connect(ctx: Context, apn: str = "internet") -> Bearer:
    """Make a call, put its settings on the interface, and see data pass."""
    bearer = ctx.mm.connect(apn)
    ctx.userspace.apply_bearer(bearer.path)
    chain.carries(ctx, bearer)
    return bearer


def disconnect(ctx: Context, bearer: Bearer) -> None:
    """End a call that data has passed, with the link suspended and without."""
    ctx.mm.disconnect(bearer)
    ctx.userspace.remove_bearer(bearer.interface)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_mm_reconnects(ctx: Context, userspace: Context) -> None:
    """Calls one after the other: data passes each of them, from a new address each time.

    Every other call ends while the data path is suspended.
    """
    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    addresses, calls = set(), ctx.sizes.repeats // 4
    for number in range(calls):
        bearer = connect(ctx)
        addresses |= {source for source, _ in chain.sources(bearer)}
        check_equal(len(addresses), 2 * (number + 1), "different addresses so far")
        if number % 2:
            ctx.wait_suspended()
        disconnect(ctx, bearer)
    check_equal(ctx.counter("qmi_calls_started"), 2 * calls, "calls the modem saw")


@pytest.mark.full
def test_mm_two_bearers(ctx: Context, userspace: Context) -> None:
    """Two bearers at once, on two channels: each carries its own traffic, and one may end.

    Loads on both, then exchanges on one of them, each with the far end of the other, to
    which the shorter way would be the wrong one.
    """
    first, second = connect(ctx), connect(ctx, "ims")
    check(first.interface != second.interface, f"both bearers are on {first.interface}")
    channels = [chain.channel_of(ctx, bearer.interface) for bearer in (first, second)]
    patience = 5 * ctx.phone.slowness
    loads = [
        Load(ctx, (channel,), size=300, patience=patience, source=bearer.v4.address)
        for bearer, channel in zip((first, second), channels, strict=True)
    ]
    for load in loads:
        ctx.wait_until(lambda load=load: load.received() > 50, "traffic on both bearers", 30)
    for load in loads:
        load.stop(lossless=True)
    chain.sleeps(ctx)
    for idle, busy in ((0, 1), (1, 0)):
        before = ctx.statistics(channels[idle])
        chain.carries(ctx, (first, second)[busy], far=channels[idle])
        ctx.wait_suspended()
        check_equal(
            ctx.statistics(channels[idle]), before, "counters of the bearer that was left alone"
        )
    disconnect(ctx, first)
    chain.carries(ctx, second)
    chain.sleeps(ctx)
    disconnect(ctx, second)


@pytest.mark.full
@pytest.mark.complaints((UNKNOWN_APN_WORDS, "it passes the network's reason on"))
def test_mm_refusal(ctx: Context, userspace: Context) -> None:
    """A call that the network refuses: mmcli shows the reason, and the next call works.

    Both families refused, as an operator refuses a wrong access point name.
    """
    ctx.modem.refuse_calls(
        count=2,
        reason=CALL_END_REASON_GENERIC,
        verbose_type=VERBOSE_3GPP,
        verbose_reason=UNKNOWN_APN,
    )
    words = ctx.mm.refused("typo")
    ctx.note(f"mmcli: {words}")
    check(UNKNOWN_APN_WORDS in words, f"mmcli does not show the reason: {words}")
    check_equal(ctx.counter("qmi_calls_refused"), 2, "calls that the modem refused")
    ctx.mm.wait_state("registered")
    bearer = connect(ctx)
    chain.sleeps(ctx)
    disconnect(ctx, bearer)


@pytest.mark.full
def test_mm_network_drop(ctx: Context, userspace: Context) -> None:
    """A call that the network ends: the bearer is disconnected with the reason; the next call
    works.

    While data path and programs are asleep, so that only the indication can tell.
    """
    bearer = connect(ctx)
    chain.sleeps(ctx)
    channel = chain.channel_of(ctx, bearer.interface)
    ctx.modem.drop_call(channel=channel)
    ctx.wait_until(
        lambda: not ctx.mm.bearer(bearer.path).connected, "ModemManager hears of it", every=0.3
    )
    dropped = ctx.mm.bearer(bearer.path)
    ctx.note(f"the bearer after the drop: {dropped}")
    ctx.mm.wait_state("registered")
    ctx.userspace.remove_bearer(bearer.interface)
    again = connect(ctx)
    check(again.v4.address != bearer.v4.address, f"the old address again: {again}")
    disconnect(ctx, again)


@pytest.mark.full
@pytest.mark.profile(forgets_clients=False)
def test_mm_restarts(ctx: Context, userspace: Context) -> None:
    """ModemManager ends or is killed during a call: a new one recognises the modem and makes calls.

    One that is told to end ends its calls; those of one that is killed stay up in a modem that does
    not forget its clients with the port, and must not be in the way.
    """
    for signal, left in (("TERM", 0), ("KILL", 2)):
        bearer = connect(ctx)
        chain.sleeps(ctx)
        ctx.userspace.restart_modemmanager(signal)
        check_equal(len(ctx.modem.qmi()["calls"]), left, f"calls left after SIG{signal}")
        ctx.userspace.remove_bearer(bearer.interface)
        ctx.mm.wait_modem()
        chain.sleeps(ctx)
    again = connect(ctx)
    disconnect(ctx, again)


@pytest.mark.full
def test_mm_registration(ctx: Context, userspace: Context) -> None:
    """Registration follows the network: searching, home, denied; the signal follows too.

    By indications, with the data path suspended all the time.
    """
    ctx.mm.enable()
    ctx.mm.wait_state("registered")
    ctx.wait_suspended()
    ups = ctx.counter("power_ups")
    for state, shown in (("searching", "searching"), ("home", "registered")):
        ctx.modem.registration(state)
        ctx.mm.wait_state(shown)
    ctx.modem.registration("denied")
    ctx.wait_until(
        lambda: ctx.mm.modem()["3gpp"]["registration-state"] == "denied", "denied", every=0.3
    )
    ctx.modem.registration("home")
    ctx.mm.wait_state("registered")
    shown = [signal_shown(ctx, dbm) for dbm in (-105, -85, -60)]
    check(shown == sorted(set(shown)), f"signal quality, from weak to strong: {shown}")
    check_equal(ctx.counter("power_ups"), ups, "power-ups of the data path for control messages")
    disconnect(ctx, connect(ctx))


def signal_shown(ctx: Context, dbm: int) -> int:
    """The quality that ModemManager shows soon after the signal has changed."""
    before = ctx.mm.signal()
    ctx.modem.signal(dbm=dbm)
    ctx.wait_until(
        lambda: ctx.mm.signal() != before, f"another signal quality for {dbm} dBm", every=0.3
    )
    return ctx.mm.signal()
