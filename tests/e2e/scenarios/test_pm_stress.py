# SPDX-License-Identifier: GPL-2.0
"""Runtime power management under stress: everybody wants something else of the link."""

import re
import subprocess
import time

import pytest

from harness.context import IDLE_MS, Context, guest_ip
from harness.errors import check, check_equal
from harness.load import Load

# Many cycles in little time, and the tests themselves say when the modem does what.
pytestmark = pytest.mark.profile("instant")

SECONDS = 8
# The shortest that the modem takes.
IDLE_MIN_MS = 5
# What user space does meanwhile, each in a loop of its own until a file appears.
MEDDLERS = (
    # Forbid the link to sleep, and allow it again.
    "echo on >{power}/control; sleep 0.0{n}; echo auto >{power}/control; sleep 0.0{n}",
    # Change the delay, from never to at once.
    "for d in 0 -1 1 100 0; do echo $d >{power}/autosuspend_delay_ms; sleep 0.1; done",
    # Take an interface down and up.
    "ip link set dev {other} down; ip link set dev {other} up; sleep 0.0{n}",
    # Look.
    "cat /sys/kernel/debug/bam_dmux/*/state {power}/runtime_status; ip -s link show {other}",
)


def meddle(ctx: Context, stop: str) -> list[str]:
    """Start the meddlers; returns their process numbers."""
    words = {"power": f"{ctx.device()['path']}/power", "other": ctx.name(1)}
    script = [f"rm -f {stop}"]
    for number, text in enumerate(MEDDLERS):
        body = text.format(n=number + 2, **words)
        script.append(f"(until test -e {stop}; do {body}; done) >/dev/null 2>&1 & echo $!")
    return ctx.phone.run("\n".join(script)).split()


def leave(ctx: Context, stop: str, meddlers: list[str]) -> None:
    """Wait until the last of them has ended: one that has not yet would change the delay again."""
    alive = " || ".join(f"kill -0 {pid}" for pid in meddlers)
    ctx.phone.run(f"touch {stop}; while {alive}; do sleep 0.1; done 2>/dev/null")


def settled(ctx: Context) -> None:
    """The link sleeps, and all votes, acks and references add up."""
    path = f"{ctx.device()['path']}/power"
    ctx.phone.run(f"echo auto >{path}/control; echo 50 >{path}/autosuspend_delay_ms")
    ctx.wait_suspended(20)
    check_equal(ctx.device()["runtime_usage"], "0", "runtime PM references of a link that sleeps")
    seen = ctx.modem.counters()
    status = ctx.modem.status()
    ctx.note(f"modem: { {name: value for name, value in seen.items() if value} }")
    check_equal(seen["votes_up"], seen["votes_down"], "votes up and down")
    check_equal(status["vote"], False, "the vote of a link that sleeps")
    check_equal(seen["vote_before_ack"], 0, "votes that changed before the one before was acked")
    check_equal(seen["acks_sent"], seen["votes_up"] + seen["votes_down"], "acks of the modem")
    check_equal(seen["acks_seen"], seen["power_ups"] + seen["power_downs"], "acks of the driver")
    check_equal(seen["ap_ack_unsolicited"], 0, "acks that nobody waits for")
    check_equal(ctx.phone.call("driver_counters")["wakes_failed"], 0, "wake-ups that failed")


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(200)
def test_pm_stress(ctx: Context, up: Context) -> None:
    """Autosuspend at 0, traffic both ways, power/control and ip link in parallel: all adds up.

    The modem's idle time is as short as it can be, so that frames get lost with its power.
    """
    stop = "/tmp/meddled"
    ctx.modem.open([1])
    ctx.wait_interfaces({0, 1})
    ctx.up((0, 1))
    for turn in range(ctx.sizes.rounds):
        ctx.set_autosuspend(0)
        ctx.wait_suspended()
        ctx.modem.idle(IDLE_MIN_MS)
        ctx.modem.reset_counters()
        meddlers = meddle(ctx, stop)
        loads = [Load(ctx, (channel,), size=200, window=2, patience=0.2) for channel in (0, 1)]
        until = time.monotonic() + SECONDS
        answered = 0
        while time.monotonic() < until:
            answered += far_flood(ctx)
        leave(ctx, stop, meddlers)
        counted = [load.stop() for load in loads]
        cycles = ctx.counter("power_ups")
        ctx.progress(f"round {turn}: {cycles} power cycles, {answered} pings, {counted}")
        check(all(load["received"] for load in counted), f"a load had no replies: {counted}")
        check(answered > 0, "no ping from the far end was answered")
        check(cycles >= 10, f"only {cycles} power cycles")
        ctx.up((0, 1))
        ctx.modem.idle(IDLE_MS)
        for channel in (0, 1):
            ctx.works(channel)
        settled(ctx)


def far_flood(ctx: Context) -> int:
    """A few pings from the far end; returns how many were answered, which may be none."""
    command = ["ping", "-n", "-q", "-c", "5", "-i", "0.05", "-W", "1", guest_ip(0)]
    try:
        out = ctx.phone.netns.check_output(command, 20)
    except subprocess.CalledProcessError as error:  # no answer is an answer
        ctx.note(f"pings: {error}")
        return 0
    return int(re.search(r"(\d+) received", out)[1])
