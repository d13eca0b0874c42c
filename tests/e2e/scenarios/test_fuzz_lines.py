# SPDX-License-Identifier: GPL-2.0
"""A modem whose lines do what no modem should do: drawn from a seed, and from the corpus.

How a sequence looks is told in tests/modem/src/hostile/lines.rs, what is asked of the driver and
which counters are excused, in harness/hostile.py.
"""

import functools
import time

import pytest

from harness import paths
from harness.allowance import dark
from harness.context import Context
from harness.errors import FailedError, check
from harness.hostile import Total, bring_up, describe, fresh, play, read_corpus, stop

# Many cycles in little time, and the tests themselves say when the modem does what.
pytestmark = pytest.mark.profile("instant")

# Sequences between two looks whether all is well.
BATCH = 500
# Longest time for traffic after a sequence before the next begins, in milliseconds: less than the
# way back takes, so that the next sequence meets a driver that is not done with this one. And the
# same after every fourth sequence: enough for most ways back, on a phone that is FAST or faster.
SETTLE_MS, REST_MS, FAST = 20, 200, 5
# How often each sequence of the corpus is played in a campaign; in tests once.
REPEAT = 3


def plan(ctx: Context) -> dict[str, int]:
    """The modem's LinesPlan."""
    return {"settle_ms": SETTLE_MS, "rest_ms": int(REST_MS * max(1, ctx.phone.slowness / FAST))}


def _play_range(ctx: Context, total: Total, first: int, count: int) -> None:
    seed = ctx.sizes.seed
    play(ctx, total, count, lambda: ctx.modem.hostile_lines(seed, first, count, plan(ctx)))


def _culprit(ctx: Context, first: int, count: int) -> str:
    """The sequence that does it alone, or the shortest run that does it."""
    while count > 1:
        half = count // 2
        for start, size in ((first, half), (first + half, count - half)):
            fresh(ctx)
            try:
                _play_range(ctx, Total(), start, size)
            except FailedError as error:
                ctx.note(f"sequences {start} to {start + size - 1} alone: {error}")
                ctx.note(describe(ctx))
                first, count = start, size
                break
        else:
            break
    numbers = range(first, first + min(count, 4))
    drawn = [ctx.modem.lines_drawn(seed=ctx.sizes.seed, number=n) for n in numbers]
    words = "\n".join(f"    {n}: {steps}" for n, steps in zip(numbers, drawn, strict=True))
    return f"seed {ctx.sizes.seed}, sequences {first} to {first + count - 1}:\n{words}"


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(240)
def test_hostile_lines(ctx: Context, up: Context) -> None:
    """Whatever the power lines do: traffic comes back by itself, votes and acks are in step.

    Sequences drawn from the seed, in batches; a batch that fails is cut down to its culprit.
    """
    bring_up(ctx)
    total, began = Total(), time.monotonic()
    for first in range(0, ctx.sizes.lines, BATCH):
        count = min(BATCH, ctx.sizes.lines - first)
        try:
            _play_range(ctx, total, first, count)
        except FailedError as error:
            ctx.note(f"FAILED in sequences {first} to {first + count - 1}: {error}")
            ctx.note(describe(ctx))
            raise FailedError(f"{error}\n{_culprit(ctx, first, count)}") from error
        seconds = time.monotonic() - began
        ctx.progress(f"{first + count}/{ctx.sizes.lines} sequences, {seconds:.0f} s")
    ctx.note(f"LINES seed {ctx.sizes.seed}: {total}, {time.monotonic() - began:.0f} s")
    check(total.recovered > total.sequences / 50, f"hardly any traffic between sequences: {total}")


@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(240)
def test_lines_corpus(ctx: Context, up: Context) -> None:
    """Sequences of the power lines that were interesting once: each of them, several times.

    Each file of tests/modem/corpus whose name begins with lines-.
    """
    bring_up(ctx)
    files = sorted((paths.CHECKOUT / "tests/modem/corpus").glob("lines-*.json"))
    check(files, "there is no corpus")
    repeat = REPEAT if ctx.sizes.long else 1
    for path in files:
        comment, sequence = read_corpus(path)
        ctx.note(f"{path.name}: {comment}")
        total = Total()
        try:
            start = functools.partial(ctx.modem.play_lines, sequence, repeat)
            play(ctx, total, repeat, start)
        except FailedError as error:
            raise FailedError(f"{path.name} ({comment}): {error}") from error
        ctx.progress(f"{path.name}: {total.slowest:.1f} s")


# Power that falls when Linux takes its vote back, and comes again before the driver has given up.
FALL_AT_UNVOTE = {
    "steps": [
        {"when": {"at": ["unvote", 10_000_000]}, "what": {"acks": "withhold"}},
        {"when": {"after_us": 0}, "what": {"drop": {"told": True}}},
        {"when": {"after_us": 300_000}, "what": {"raise": {"told": True}}},
    ],
    "ending": "quiet",
}


@pytest.mark.ours
@dark
@pytest.mark.allow(
    "ap_ack_timeout", max=3, why="the power falls while the driver goes, three times"
)
def test_lines_rmmod(ctx: Context, up: Context) -> None:
    """A driver that goes while its power falls, and comes back: all is given back, once.

    The module is being unloaded already when its pipes have to be put aside.
    """
    for _ in range(3):
        ctx.set_autosuspend(60_000)
        ctx.echo(count=2)
        ctx.modem.play_lines(sequence=FALL_AT_UNVOTE, plan={"idle_ms": 500})
        seconds = ctx.unload()
        deeds = ctx.modem.lines_report()["deeds"]
        ctx.note(f"rmmod took {seconds:.1f} s: {deeds}")
        check(deeds.get("power-raise") == 1, f"the power did not fall during rmmod: {deeds}")
        stop(ctx)
        ctx.load()
        ctx.wait_interfaces({0})
        ctx.up()
        ctx.works()
