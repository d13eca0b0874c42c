# SPDX-License-Identifier: GPL-2.0
"""Hostile sequences on the power lines: playing them, and judging what is left afterwards.

The modem is normal again after each sequence, and the next one begins as soon as there is traffic,
or before: then it meets a driver that is still busy with the last. After a batch of them this is
asked, without anybody in the guest doing anything but send:

- The traffic comes back within RECOVERY_BOUND, in both directions, on every channel.
- Linux lets go when it is idle, and then each change of the power line costs exactly one ack.
- From then on none of the modem's counters of faults moves, as with a modem that always was sane.
- The kernel's log got at most LINES_EACH lines per sequence, and no report of a fault.

While the sequences are played, counters of faults are excused whose fault is made by the sequences
themselves (EXCUSED, with the reasons); all others must stay 0 then, too.
"""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import allowance
from harness.context import Context
from harness.errors import FailedError, check, check_equal
from harness.load import Load
from harness.modem import FAULTS
from harness.recovery import once

CHANNELS = (0, 1)
# The modem waits this long without vote and traffic; the driver this long without frames.
IDLE_MS = 10
AUTOSUSPEND_MS = 10
# Longest time from the end of the last sequence to traffic, in seconds. The longest way back is a
# modem that says nothing (ending "quiet") while a frame is stuck: 10 s until the driver takes that
# for a stall, 1 s between two looks, 2 s for the ack of the un-vote, 2 s for the power line, then a
# wake-up with its three waits of 2 s, the first of which may fail and is repeated after 5 s.
RECOVERY_BOUND = 30.0
# Lines of the kernel's log per sequence, on average. A crash with a report has remoteproc's own
# seven; what the driver says is limited to 10 in 5 s.
LINES_EACH = 3
# Lines of a batch whatever its size.
LINES_ANYWAY = 60
EXCUSED = {
    "unpowered_access": "the BAM is made dark under Linux' hands; judged by unpowered_unaware",
    "ap_ack_timeout": "an edge of the power line that Linux is not told of cannot be acked",
    "pipe_misuse": "doorbell of a pipe that lost its state in a blink that Linux did not see",
    "bad_evnt": "the same: the ring's registers are 0 after a blink",
    "data_modem_closed": "new firmware has not opened the channel yet, Linux has not seen it die",
    "data_not_opened": "new firmware has forgotten the OPEN of Linux, which has not seen it die",
    "double_open": "Linux sends OPEN again when the modem does, who had not forgotten it",
    "double_close": "new firmware has forgotten the OPEN that Linux takes back",
}


@dataclass
class Total:
    """What was played so far."""

    sequences: int = 0
    recovered: int = 0
    asserted: int = 0
    unaware: int = 0
    log_lines: int = 0
    batches: int = 0
    slowest: float = 0
    kinds: dict[str, int] = field(default_factory=dict)
    endings: dict[str, int] = field(default_factory=dict)

    def add(self, report: dict[str, Any]) -> None:
        """What the modem says of a batch."""
        self.batches += 1
        self.sequences += sum(report["ended"].values())
        self.recovered += report["recovered"]
        self.asserted += report["asserted"]
        self.slowest = max(self.slowest, report["recovery_ms"] / 1000)
        for mine, new in ((self.kinds, report["deeds"]), (self.endings, report["ended"])):
            for name, count in new.items():
                mine[name] = mine.get(name, 0) + count


def bring_up(ctx: Context) -> None:
    """Channels that carry traffic, all the time: dense with short pauses, and sparse."""
    ctx.modem.open([c for c in CHANNELS if c])
    ctx.wait_interfaces(set(CHANNELS))
    ctx.up(CHANNELS)
    for channel in CHANNELS:
        ctx.echo(channel, count=2)
    ctx.set_autosuspend(AUTOSUSPEND_MS)


def play(ctx: Context, total: Total, size: int, start: Callable[[], None]) -> None:
    """Play `size` sequences, which `start` begins, and judge what is left."""
    log = ctx.phone.log_position()
    ctx.modem.reset_counters()
    done = ctx.modem.events().get("lines-done", 0)
    # Ping-pong that never ends, with pauses in which Linux lets go.
    load = Load(ctx, CHANNELS, size=400, window=2, patience=0.03, pauses=(0.02, 0.07))
    try:
        start()
        _wait_done(ctx, done + 1)
        report = ctx.modem.lines_report()
        ctx.note(f"batch: {report}")
        total.add(report)
        for channel in CHANNELS:
            ctx.wait_until(
                lambda channel=channel: once(ctx, channel), f"traffic on channel {channel}", 10
            )
    finally:
        stop(ctx)
        load.stop()
    total.unaware += _judge_hostile(ctx)
    _judge_sane(ctx)
    lines = ctx.phone.log(log).count("\n")
    total.log_lines += lines
    check(lines <= LINES_EACH * size + LINES_ANYWAY, f"{lines} lines of log for {size} sequences")
    if report := ctx.phone.splats(log):
        raise FailedError(f"the kernel's log has a fault report:\n{report}")


def stop(ctx: Context) -> None:
    """Play nothing any more."""
    ctx.modem.hostile_lines(seed=0, first=0, count=0)


def _wait_done(ctx: Context, count: int) -> None:
    """Until there is traffic after the last sequence; each before it has bounded time."""
    number, since = None, time.monotonic()
    while True:
        try:
            ctx.modem.wait("lines-done", timeout_ms=1000, count=count)
            return
        except FailedError:
            report = ctx.modem.lines_report()
        if report["number"] != number:
            number, since = report["number"], time.monotonic()
        limit = RECOVERY_BOUND + 10 * ctx.phone.slowness
        if time.monotonic() - since > limit:
            raise FailedError(f"no traffic within {limit:g} s of sequence {number}: {report}")


def _judge_hostile(ctx: Context) -> int:
    """What must not happen even then. Returns how many accesses to a dark BAM are excused."""
    counters = ctx.modem.counters()
    unexcused = [name for name in FAULTS if name not in EXCUSED]
    faults = allowance.beyond(counters, unexcused, allowance.KNOWN)
    check(not faults, f"not even hostile lines excuse this: {faults}")
    unaware = counters["unpowered_unaware"]
    aware = counters["unpowered_access"] - unaware
    check_equal(aware, 0, "accesses to a BAM of which Linux knew that it has no power")
    excused = {n: counters[n] for n in EXCUSED if counters[n]}
    ctx.note(f"excused: {excused}, of these unaware: {unaware}")
    return unaware


def _judge_sane(ctx: Context) -> None:
    """A modem that is sane meets a driver that is."""
    ctx.modem.idle(IDLE_MS)
    ctx.wait_suspended(20)
    ctx.modem.reset_counters()
    for _ in range(2):
        for channel in CHANNELS:
            ctx.echo(channel, count=2)
            state = ctx.phone.call("interface", name=ctx.name(channel))
            check_equal(state["carrier"], "1", f"carrier of channel {channel}")
        ctx.wait_suspended(20)
    counters, status = ctx.modem.counters(), ctx.modem.status()
    faults = allowance.beyond(counters, FAULTS, allowance.KNOWN)
    check(not faults, f"after hostile lines, with a sane modem: {faults}")
    check_equal(status["vote"], False, "the vote of an idle Linux")
    check_equal(counters["ap_ack_unsolicited"], 0, "acks that nobody waits for")
    changes = counters["power_ups"] + counters["power_downs"]
    check_equal(counters["acks_seen"], changes, "acks of changes of the power line")
    check_equal(counters["votes_up"], counters["votes_down"], "votes taken back")
    if ctx.ours:
        state = ctx.state()
        for word in ("data=0 waiting=0 in_flight=0", "lost=false"):
            check(word in state, f"not '{word}' when all is idle:\n{state}")


def describe(ctx: Context) -> str:
    """What both ends think of the link."""
    state = ctx.phone.sh("cat /sys/kernel/debug/bam_dmux/*/state")[1]
    words = ("link:", "tx:", "rx:", "channel 0", "channel 1")
    ours = "\n".join(line for line in state.splitlines() if line.startswith(words))
    return f"modem: {ctx.modem.status()}\n{ctx.modem.counters()}\n{ours}"


def fresh(ctx: Context) -> None:
    """Driver and modem anew, after a failure. First of all the BAM gets power: otherwise the driver
    could not give its DMA channels back."""
    ctx.modem.restart(delay_ms=0)
    with contextlib.suppress(FailedError):
        ctx.modem.wait("connected", timeout_ms=5000)
    ctx.unload(40)
    ctx.fresh_modem()
    ctx.bring_up()
    bring_up(ctx)


def read_corpus(path: Path) -> tuple[str, dict[str, Any]]:
    """A file of the corpus: its comment, which says what is special, and the sequence."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return comment, json.loads("\n".join(line for line in lines if not line.startswith("#")))
