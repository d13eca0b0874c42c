# SPDX-License-Identifier: GPL-2.0
"""How long a frame waits for the link: no longer than the modem takes.

The driver looks at the modem's lines by itself ten times a second, in case an edge gets lost. A
driver that hears no edge at all would still work, a tenth of a second later each time. On any
machine the quickest of several wake-ups tells the two apart.
"""

import pytest

from harness.context import Context, far_ip
from harness.errors import check, check_equal

# How often the driver looks by itself, in seconds: less than a wake-up takes that heard no edge.
POLL = 0.1
WAKES = 10
# Long enough for the modem to answer a vote late before it is taken back.
AUTOSUSPEND_MS = 300


def seconds(ctx: Context) -> float:
    """From a datagram to its answer."""
    result = ctx.phone.call(
        "udp_echo", 60, host=far_ip(0), count=1, size=64, patience=5, timeout=10, stream=9
    )
    check_equal(result["received"], 1, "answers")
    return result["seconds"]


def quickest(ctx: Context, figure: str, times: list[float]) -> None:
    """Judge wake-ups by the one that nothing else delayed."""
    awake = min(seconds(ctx) for _ in range(3))
    ctx.note(f"awake {awake:.4f} s, woken {[round(one, 4) for one in times]}")
    ctx.figure(figure, min(times))
    check(
        min(times) - awake < POLL,
        f"latency: the quickest of {len(times)} wake-ups took {min(times):.3f} s, awake it is "
        f"{awake:.3f} s: as if nobody had heard the modem",
    )


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.ours
def test_ack_wakes(ctx: Context, up: Context) -> None:
    """A vote under power that is there already takes no longer than the modem's ack of it.

    The power line does not move, so that only the ack can tell.
    """
    ctx.set_autosuspend(AUTOSUSPEND_MS)
    ctx.modem.idle(None)
    seconds(ctx)
    times = []
    for _ in range(WAKES):
        ctx.wait_given_up()
        check_equal(ctx.phase(), "on", "the power that the modem keeps")
        times.append(seconds(ctx))
    quickest(ctx, "ack_to_answer_s", times)


@pytest.mark.ours
def test_power_wakes(ctx: Context, up: Context) -> None:
    """A frame for a modem that sleeps leaves as soon as the power is there.

    The modem answers a vote by power alone, so that only the power line can tell.
    """
    ctx.set_autosuspend(AUTOSUSPEND_MS)
    times = []
    for _ in range(WAKES):
        ctx.wait_suspended()
        ctx.modem.acks("withhold", power=True)
        times.append(seconds(ctx))
        ctx.modem.acks("normal")
    quickest(ctx, "power_to_answer_s", times)
