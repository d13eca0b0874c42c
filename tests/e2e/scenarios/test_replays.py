# SPDX-License-Identifier: GPL-2.0
"""Sequences that were measured on phones, played by the modem with their time stamps.

What Linux does in a sequence is brought about by traffic and waited for; what the modem does is in
tests/modem/corpus/replay-*.json. In all of them the modem lives, or Linux is told that it does not:
the driver loses no frame that it could have kept, suspects nothing and gives all its acks.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.context import Context, far_ip
from harness.errors import FailedError, check, check_equal

# How long the driver keeps an idle link, where a sequence begins with its un-vote.
AUTOSUSPEND_MS = 300
LONG_MS = 600_000
# Longest wait for the next step of a sequence, in seconds. A standstill takes 12.
STEP_S = 25
# From the fall of the power line to firmware's assert in sequence 8, in seconds.
ASSERT_S = 15.61


def shown(report: dict[str, Any]) -> str:
    """The steps of a sequence and when they came, in a line each."""
    lines = [f"replay {report['number']} ({report['name']}):"]
    for step in report["steps"]:
        came = "not yet" if step["us"] is None else f"{step['us'] / 1000:.1f} ms"
        lines.append(f"    {step['who']} {step['what']}: {came}")
    log = ", ".join(f"{entry['what']} {entry['us'] / 1000:.1f}" for entry in report["log"])
    return "\n".join([*lines, f"    all events, in ms: {log}"])


def follow(ctx: Context) -> None:
    """Wait until all steps of the sequence have come."""
    try:
        ctx.wait_until(lambda: ctx.modem.replay_report()["complete"], "complete", STEP_S)
    except FailedError:
        report = ctx.modem.replay_report()
        raise FailedError("the sequence did not come to its end: " + shown(report)) from None


def seen(ctx: Context, event: str) -> None:
    """Wait for an event of the sequence."""

    def came() -> bool:
        return any(entry["what"] == event for entry in ctx.modem.replay_report()["log"])

    ctx.wait_until(came, f"event {event} of the sequence", STEP_S, every=0.005)


def awake(ctx: Context) -> None:
    """The link is up and idle, and stays so."""
    ctx.set_autosuspend(LONG_MS)
    ctx.echo(count=2)
    check_equal(ctx.phase(), "on", "phase of the handshake right after traffic")


def asleep(ctx: Context) -> None:
    """The link sleeps, and nobody votes."""
    ctx.set_autosuspend(AUTOSUSPEND_MS)
    ctx.wait_suspended()


def cycle(ctx: Context) -> None:
    """Wake up for a frame, and sleep again."""
    ctx.echo(count=1)


def nothing(ctx: Context) -> None:
    """All of it happens by itself."""


def hasty(ctx: Context) -> None:
    """Frames to send right after the un-vote."""
    ctx.echo(count=1)
    seen(ctx, "vote-down")
    ctx.echo(count=20)


def self_wake_vote(ctx: Context) -> None:
    """Frames to send while the modem is awake by its own wish."""
    seen(ctx, "connected")
    ctx.echo(count=5)


def unbound(ctx: Context) -> None:
    """The driver is taken off its device between the un-vote and the fall."""
    ctx.echo(count=1)
    seen(ctx, "vote-down")
    ctx.unbind()
    seen(ctx, "pc-down")
    time.sleep(ASSERT_S + 2)
    check_equal(ctx.counter("asserts_fall"), 0, "asserts of firmware for want of an ack")
    ctx.bind()
    ctx.wait_interfaces({0})
    ctx.up()


def hung(ctx: Context) -> None:
    """A frame to send while the modem hangs: nobody answers the vote."""
    ctx.echo(count=1)
    seen(ctx, "hang")
    ctx.phone.call("udp_echo", 30, host=far_ip(0), count=1, size=64, patience=1, timeout=2)


def frozen(ctx: Context) -> None:
    """Frames to send while all of the modem stands still: they come late, and all of them."""
    seen(ctx, "freeze")
    patience = 30 * ctx.phone.slowness
    about = {"count": 20, "size": 200, "window": 20, "patience": patience, "timeout": 90}
    result = ctx.phone.call("udp_echo", 120, host=far_ip(0), **about)
    ctx.check_echo(result, 20, "frames sent while the modem stands still")


# What our driver may count at most: a reported crash is a loss, and its vote was in vain.
CRASH = {"modem_losses": 1}
HANG = {"modem_losses": 1, "wakes_failed": 1, "tx_wake_dropped": 1}
# Number, state before, what Linux has to do, what it costs.
Part = Callable[[Context], None]
SEQUENCES: list[tuple[int, str, Part, Part, dict[str, int]]] = [
    (1, "cycle", asleep, cycle, {}),
    (2, "coalesced", asleep, cycle, {}),
    (3, "lost_pair", asleep, hasty, {}),
    (4, "self_wake", asleep, nothing, {}),
    (5, "self_wake_vote", asleep, self_wake_vote, {}),
    (6, "vote_against_owed_ack", asleep, hasty, {}),
    (7, "a2_power", asleep, hung, HANG),
    (8, "a2_task", asleep, unbound, {}),
    (9, "ssr_line_low", asleep, nothing, CRASH),
    (10, "ssr_line_high", awake, nothing, CRASH),
    (11, "slow_boot", asleep, nothing, CRASH),
    (12, "freeze", awake, frozen, {}),
]
# What today's driver makes of them.
FINDINGS: dict[int, tuple[str, str]] = {
    2: ("hardware-behaviour 7.1", r"acked with a pipe still enabled: expected 0, found 1"),
    6: ("hardware-behaviour 7.1", r"acked with a pipe still enabled: expected 0, found 1"),
    8: ("hardware-behaviour 7.2", r"asserts of firmware for want of an ack: expected 0, found 1"),
    12: ("hardware-behaviour 7.4", r"suspects a modem that is well: \{'tx_stalls': 1\}"),
}


def parameters() -> list[Any]:
    """The sequences, with what is known to fail."""
    found = []
    for number, name, *rest in SEQUENCES:
        marks = []
        if number in FINDINGS:
            finding, words = FINDINGS[number]
            marks.append(pytest.mark.finding(finding, words=words))
        found.append(pytest.param(number, *rest, id=f"{number}_{name}", marks=marks))
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("number", "begin", "act", "costs"), parameters())
def test_replay(
    ctx: Context, up: Context, number: int, begin: Part, act: Part, costs: dict[str, int]
) -> None:
    """A sequence of real firmware is lived through: traffic, no loss, no suspicion.

    Afterwards the link carries traffic again, without a restart that the sequence does not have.
    """
    begin(ctx)
    restarts = ctx.modem.events().get("restart", 0)
    ctx.modem.replay(number)
    try:
        act(ctx)
        follow(ctx)
        ctx.works()
        report = ctx.modem.replay_report()
        crashes = [entry["what"] for entry in report["log"]].count("crash")
        check_equal(crashes, costs.get("modem_losses", 0), "crashes of the firmware")
        restarts = ctx.modem.events().get("restart", 0) - restarts
        check_equal(restarts, crashes, "restarts of the firmware")
        falls = ctx.counter("acked_connected")
        check_equal(falls, 0, "falls of the power line acked with a pipe still enabled")
        if ctx.ours:
            check_suspicions(ctx, costs)
    finally:
        ctx.note(shown(ctx.modem.replay_report()))
        ctx.modem.replay_end()


def check_suspicions(ctx: Context, costs: dict[str, int]) -> None:
    """Our driver has nothing against the modem but what the sequence costs."""
    counters = ctx.phone.call("driver_counters")
    names = (*HANG, "tx_stalls", "rx_silences", "tx_lost")
    missing = [name for name in names if name not in counters]
    check(not missing, f"the driver does not count {missing}: is it of another version?")
    found = {name: counters[name] for name in names if counters[name] > costs.get(name, 0)}
    check(not found, f"the driver lost frames, or suspects a modem that is well: {found}")
