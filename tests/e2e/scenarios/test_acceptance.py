# SPDX-License-Identifier: GPL-2.0
"""Acceptance: light traffic for long, with a modem that behaves as phones do, in all they do.

An hour of a phone that is hardly used, compressed: all that comes by the clock comes COMPRESSION
times as often (the traffic, the modem's own wake-ups, its standstills), so that the hour takes a
quarter. What happens within one of these keeps the times that were measured.
"""

import random
import re
import time
from collections.abc import Callable

import pytest

from harness.context import Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.judge import QUIET

COMPRESSION = 4
# Of the hour: what a test has of it, and a campaign.
TEST_S, CAMPAIGN_S = 5 * 60, 60 * 60
# Pauses between two uses of the phone, as long as they are in the hour, in seconds.
PAUSE_S = (2.0, 30.0)
# Microseconds between two wake-ups of the modem's own, and between two standstills: as measured,
# compressed.
SELF_WAKE_US = [0, 60_000_000 // COMPRESSION]
FREEZE_US = [0, 960_000_000 // COMPRESSION]
# Longest standstill that was measured, in seconds, and what the radio and the link add to it.
PATIENCE_S = 13.3 + 5
# What the modem did: the first two at least, else it was no light traffic.
EVENTS = ("pc-up", "pc-down", "self-wake", "freeze")


def ask(ctx: Context, numbers: random.Random) -> None:
    """Some questions and their answers, as of a name server."""
    count = numbers.randint(1, 6)
    exchange(ctx, count, numbers.randint(40, 300), count)


def fetch(ctx: Context, numbers: random.Random) -> None:
    """A page: many frames at a time."""
    exchange(ctx, numbers.randint(30, 90), 1200, 16)


def exchange(ctx: Context, count: int, size: int, window: int) -> None:
    """Datagrams and their echoes, of which not one may be lost."""
    patience = PATIENCE_S * ctx.phone.slowness
    about = {"count": count, "size": size, "window": window, "patience": patience}
    result = ctx.phone.call("udp_echo", 120, host=far_ip(0), timeout=100, **about)
    ctx.check_echo(result, count, "use")


def called(ctx: Context, _: random.Random) -> None:
    """The network has something for the phone."""
    ctx.far_ping(guest_ip(0), PATIENCE_S)


USES: tuple[Callable[[Context, random.Random], None], ...] = (ask, ask, ask, called, fetch)


def live(ctx: Context, share: float, force: str) -> None:
    """Use the phone now and then; afterwards nothing has been lost, nothing suspected."""
    seconds = share * (CAMPAIGN_S if ctx.sizes.long else TEST_S) / COMPRESSION
    numbers = random.Random(ctx.sizes.seed)
    carriers = f"cat /sys/class/net/{ctx.name(0)}/carrier_changes"
    before, events = ctx.phone.run(carriers), ctx.modem.events()
    uses, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        if force and uses == 1:
            # Not by chance: so that it happens in each run, with the link awake.
            ask(ctx, numbers)
            ctx.modem.force(force)
            ask(ctx, numbers)
        numbers.choice(USES)(ctx, numbers)
        uses += 1
        ctx.progress(f"used {uses} times, {until - time.monotonic():.0f} s left")
        time.sleep(numbers.uniform(*PAUSE_S) / COMPRESSION)
    happened = ctx.modem.events()
    for event in EVENTS:
        ctx.figure(event, happened.get(event, 0) - events.get(event, 0))
    ctx.figure("uses", uses)
    for event in EVENTS[:2]:
        check(ctx.figures[event] > 0, f"{event} has never happened")
    check_equal(ctx.phone.run(carriers), before, "changes of the carrier")
    counters, state = ctx.phone.call("driver_counters"), ctx.state()
    found = {name: counters[name] for name in QUIET if counters[name]}
    check(not found, f"the driver lost something, or suspects a modem that is well: {found}")
    abandons = int(re.search(r"abandons: (\d+)", state)[1])
    check_equal(abandons, 0, "power-downs after which pipes were put aside")


# Share of the time, what is forced, figures of the profile, what our driver fails for. The parts
# that are expected to fail are as short as that takes, until they pass.
PARTS = (
    pytest.param(
        1,
        "",
        marks=pytest.mark.profile(self_wake_every_us=SELF_WAKE_US, coalesced_fall_ppm=0),
        id="calm",
    ),
    pytest.param(
        0.25,
        "coalesced_fall",
        marks=(
            pytest.mark.profile(self_wake_every_us=SELF_WAKE_US),
            pytest.mark.finding(
                "hardware-behaviour 7.1",
                words=r"after which pipes were put aside: expected 0, found \d",
            ),
        ),
        id="coalesced",
    ),
    pytest.param(
        0.25,
        "freeze",
        marks=(
            pytest.mark.profile(
                self_wake_every_us=SELF_WAKE_US,
                freeze_every_us=FREEZE_US,
                # The longer half of what was measured: the shorter ones go unnoticed.
                freeze_us=[11_500_000, 13_300_000],
                coalesced_fall_ppm=0,
            ),
            pytest.mark.finding(
                "hardware-behaviour 7.4",
                words=r"suspects a modem that is well: \{.*'tx_stalls'|datagrams that came back",
            ),
        ),
        id="freezes",
    ),
)


@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("share", "force"), PARTS)
def test_light_traffic(ctx: Context, up: Context, share: float, force: str) -> None:
    """Light traffic with a modem as on phones: nothing lost, given up or suspected, one carrier.

    calm: without what today's driver is known to fail for; coalesced: with all collapses that
    phones have, also those in one write with the ack; freezes: a modem stands still for seconds.
    """
    live(ctx, share, force)
