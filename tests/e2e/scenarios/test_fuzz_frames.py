# SPDX-License-Identifier: GPL-2.0
"""Frames that mean harm, by the thousand, made from a seed; each delivered byte is checked.

A run that fails tells its seed and the serial numbers of the frames; the modem's command
`hostile_show` has the frames themselves, and `first` begins at any of them.
"""

import base64
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness import paths
from harness.allowance import hostile_channels
from harness.campaign import SHORT
from harness.context import ALL_CHANNELS, Context
from harness.errors import FailedError, check, check_equal
from harness.faults import RX_BUFFERS
from harness.hostile_frames import DELIVERED, KINDS, RECORD, Judge

# Frames that are judged together: what has to be kept of each is bounded by this.
PART = 200_000
# Lines in the kernel's log that a run may cause by itself, and for each second.
LOG_LINES = 60
LOG_LINES_PER_S = 3
# What the modem does now and then, and leaves out when it comes too late for it.
DEEDS = ("rewritten_before", "rewritten_after", "holds", "stalls", "spurious_interrupts")
# What there is only with late writes.
LATE = ("late", "delivered late")
CORPUS = paths.CHECKOUT / "tests/modem/corpus"


class Run:
    """One run of hostile frames, and what came of it."""

    def __init__(self, ctx: Context, order: dict[str, Any], name: str) -> None:
        self.ctx = ctx
        self.order = order
        self.name = name
        self.seed = order.get("seed", 0)
        self.log = ctx.log.with_suffix(f".{name}.frames")
        self.judge: Judge | None = None
        self.seconds = 0.0
        self.happened: Counter = Counter()

    def carry_out(self) -> "Run":
        """Send the frames and judge what was delivered."""
        table = self.ctx.modem.hostile_table(self.seed)
        channels = {name: channel for channel, name in self.ctx.interfaces().items()}
        self.ctx.phone.call(
            "verify_start",
            seed=self.seed,
            table=base64.b64encode(table).decode(),
            channels=channels,
        )
        before = self.counters()
        began = time.monotonic()
        self.ctx.modem.hostile(log=str(self.log), **self.order)
        try:
            status = self.wait()
            self.seconds = time.monotonic() - began
            # Linux takes out what is in its buffers, and takes channels away and brings them back.
            self.ctx.wait_until(lambda: self.settled(before), "Linux has taken all frames", 20)
        finally:
            self.ctx.modem.hostile_stop()
            guest = self.ctx.phone.call("verify_stop", 90, seed=self.seed)
        after = self.counters()
        self.ctx.note(f"{self.name}: modem {status['done']}, guest {guest}")
        self.judge = Judge.from_log(self.log.read_bytes(), table, set(status["closable"]))
        check_equal(guest["error"], None, "error of the guest's verifier")
        check_equal(guest["lost"], 0, "packets that the guest's verifier was too slow for")
        records, odd = self.records(guest["packets"]), self.odd(guest["odd"])
        self.judge.judge(records, odd)
        if self.judge.failures:
            # What was delivered, next to the log of what was sent.
            self.log.with_suffix(".records").write_bytes(records)
            kept = {number: data.hex() for number, data in odd.items()}
            self.log.with_suffix(".odd").write_text(json.dumps(kept), encoding="utf-8")
        self.ctx.phone.call("verify_forget", seed=self.seed)
        self.counted({name: after[name] - before.get(name, 0) for name in after}, guest["packets"])
        self.tell(status["done"])
        self.happened.update(self.judge.kinds())
        self.happened.update({name: self.judge.results[name] for name in DELIVERED})
        self.happened.update({name: status["done"][name] for name in DEEDS})
        return self

    def wait(self) -> dict[str, Any]:
        """Until all frames are out. Never without end: there has to be progress."""
        last, since = -1, time.monotonic()
        while True:
            status = self.ctx.modem.hostile_status()
            if not status["active"]:
                return status
            if status["next"] != last:
                last, since = status["next"], time.monotonic()
                self.ctx.progress(
                    f"{self.name}: {last} of {status['end']} frames, seed {self.seed}"
                )
            if time.monotonic() - since > 15 * self.ctx.phone.slowness:
                raise FailedError(
                    f"{self.name}, seed {self.seed}: no frame is taken after number {last}"
                )
            time.sleep(0.2)

    def counters(self) -> dict[str, int]:
        """The driver's counters and the interfaces' packets."""
        found = dict(self.ctx.phone.call("driver_counters")) if self.ctx.ours else {}
        counts = self.ctx.phone.run("cat /sys/class/net/wwan*/statistics/rx_packets")
        found["rx_packets"] = sum(int(count) for count in counts.split())
        return found

    def settled(self, before: dict[str, int]) -> bool:
        """Whether nothing is counted any more."""
        first = self.counters()
        time.sleep(0.3 * self.ctx.phone.slowness)
        return first == self.counters() and first != before

    def records(self, count: int) -> bytes:
        """What the guest wrote down of each packet."""
        parts = [
            self.ctx.phone.call("verify_records", 60, seed=self.seed, first=first, count=20_000)
            for first in range(0, count, 20_000)
        ]
        data = b"".join(base64.b64decode(part) for part in parts)
        check_equal(len(data), count * RECORD.size, "bytes of the guest's records")
        return data

    def odd(self, count: int) -> dict[int, bytes]:
        """The packets that the guest could not make sense of alone."""
        found = {}
        for first in range(0, count, 200):
            part = self.ctx.phone.call("verify_odd", 60, seed=self.seed, first=first, count=200)
            found.update({number: base64.b64decode(data) for number, data in part})
        return found

    def counted(self, counted: dict[str, int], packets: int) -> None:
        """Each frame is in one of the driver's counters, and in the right one."""
        judge = self.judge
        judge.results.update({name: n for name, n in counted.items() if name.startswith("rx_")})
        if counted["rx_packets"] != packets:
            judge.fail(f"{counted['rx_packets']} packets counted, {packets} delivered")
        if not self.ctx.ours or judge.late:
            return
        bounds = judge.bounds()
        for name, (least, most) in sorted(bounds.items()):
            if name.startswith("rx_") and not least <= counted[name] <= most:
                judge.fail(f"{name} counts {counted[name]}, there were {least} to {most}")
        commands = [bounds.get(name, (0, 0)) for name in ("open", "close")]
        sums = [sum(pair[side] for pair in commands) for side in (0, 1)]
        rest = len(judge.frames) - packets - counted["rx_no_listener"]
        rest -= sum(counted[f"rx_bad_{name}"] for name in ("magic", "command", "channel", "length"))
        if not sums[0] <= rest <= sums[1]:
            judge.fail(f"{rest} frames in no counter, but {sums[0]} to {sums[1]} OPEN and CLOSE")

    def tell(self, done: dict[str, Any]) -> None:
        """The figures of the run; fails if there was a failure."""
        judge = self.judge
        rate = len(judge.frames) / max(self.seconds, 0.001)
        self.ctx.progress(
            f"{self.name}: seed {self.seed}, {len(judge.frames)} frames in {self.seconds:.1f} s "
            f"({rate:.0f}/s); kinds {judge.kinds()}; results {dict(judge.results)}; "
            f"{ {key: value for key, value in done.items() if key != 'kinds'} }"
        )
        if judge.failures:
            raise FailedError(f"{self.name}, {self.order}, log {self.log}:\n{judge.report()}")
        self.log.unlink()


def prepare(ctx: Context) -> None:
    """All channels open and up."""
    ctx.modem.open(list(ALL_CHANNELS))
    ctx.wait_interfaces(set(ALL_CHANNELS))
    ctx.up(ALL_CHANNELS)
    for channel in ALL_CHANNELS:
        ctx.echo(channel, count=1)


def recovered(ctx: Context) -> None:
    """Normal traffic on all channels, without anybody's help but the modem's."""
    ctx.modem.open(list(ALL_CHANNELS))
    for channel in ALL_CHANNELS:
        ctx.works(channel)


def covered(ctx: Context, happened: Counter, late: bool) -> None:
    """All that the modem can do happened: on a host that is too slow it leaves things out."""
    if ctx.sizes.frames < SHORT.frames:
        return
    missing = [
        name
        for name in (*KINDS, *DELIVERED, *DEEDS)
        if not happened[name] and (late or name not in LATE)
    ]
    check_equal(missing, [], f"what never happened, of {dict(happened)}")


def bounced(ctx: Context) -> None:
    """Linux' buffers are bounce buffers: else late writes hit what is not the driver's."""

    def used() -> bool:
        # Asleep the driver may have no buffers.
        ctx.echo(0, count=1)
        count = int(ctx.phone.run("cat /sys/kernel/debug/swiotlb/io_tlb_used"))
        ctx.note(f"{count} bounce buffers in use")
        return count >= RX_BUFFERS

    ctx.wait_until(used, f"{RX_BUFFERS} bounce buffers in use: swiotlb=force has an effect")


def in_parts(ctx: Context, **order: Any) -> None:
    """As many frames as asked for, from one seed."""
    prepare(ctx)
    position = ctx.phone.log_position()
    began = time.monotonic()
    seconds = 0.0
    happened: Counter = Counter()
    for first in range(0, ctx.sizes.frames, PART):
        count = min(PART, ctx.sizes.frames - first)
        part = {"seed": ctx.sizes.seed, "first": first, "frames": count, **order}
        run = Run(ctx, part, f"from-{first}").carry_out()
        seconds += run.seconds
        happened += run.happened
    covered(ctx, happened, late=order.get("late", False))
    recovered(ctx)
    ctx.progress(f"seed {ctx.sizes.seed}: {ctx.sizes.frames} frames in {seconds:.0f} s of sending")
    lines = ctx.phone.log(position).splitlines()
    limit = LOG_LINES + LOG_LINES_PER_S * (time.monotonic() - began)
    ctx.note(f"{len(lines)} lines in the kernel's log, at most {limit:.0f} are right")
    check(
        len(lines) <= limit,
        f"{len(lines)} lines in the kernel's log, the last:\n" + "\n".join(lines[-5:]),
    )


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(200)
@hostile_channels
def test_hostile_frames(ctx: Context, up: Context) -> None:
    """Hostile frames of all kinds: each delivered byte is the modem's, each frame is counted, the
    log stays short, and traffic goes on.

    On memory that the modem writes to directly: whatever it changes, it changes early enough.
    """
    in_parts(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(200)
@pytest.mark.boot("swiotlb=force")
@hostile_channels
def test_hostile_late_writes(ctx: Context, up: Context) -> None:
    """A modem that writes to buffers that it gave back reaches nothing but bounce buffers, and what
    is delivered is still its own.

    With bounce buffers, which is as good as an IOMMU here: without either nobody could help.
    """
    bounced(ctx)
    in_parts(ctx, late=True)
    replay(ctx, CORPUS / "late")


def replay(ctx: Context, directory: Path) -> None:
    """Each file of a part of the corpus, with normal traffic after it."""
    files = sorted(directory.glob("*.jsonl"))
    check(files, f"no files in {directory}")
    for path in files:
        Run(ctx, {"file": str(path)}, path.stem).carry_out()
        recovered(ctx)


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@hostile_channels
def test_hostile_corpus(ctx: Context, up: Context) -> None:
    """Interesting sequences of hostile frames, each with normal traffic after it.

    Each file of tests/modem/corpus.
    """
    prepare(ctx)
    replay(ctx, CORPUS)
