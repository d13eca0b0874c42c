# SPDX-License-Identifier: GPL-2.0
"""The picture of a wake-up, from traces that are written here."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness import sequence
from harness.errors import check, check_equal

SVG = "{http://www.w3.org/2000/svg}"
# Tracks of the trace, by category.
TRACKS = {"vote": 1, "modem-ack": 2, "power": 3, "linux-ack": 4, "bam": 5}
START = 5_000_000.0


class Trace:
    """Writes what the modem writes."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.acks = {"modem-ack": 0, "linux-ack": 0}
        for line in self.acks:
            self.put(0, "B", line, "ack: 0", since="before this trace")

    def put(self, at: float, phase: str, category: str, name: str, **args: Any) -> None:
        """One entry."""
        entry = {"name": name, "ph": phase, "cat": category, "ts": START + at, "args": args}
        self.events.append({**entry, "pid": 1, "tid": TRACKS.get(category, 9)})

    def level(self, at: float, line: str, high: bool) -> None:
        """A line that is a level."""
        self.put(at, "B" if high else "E", line, "high")

    def ack(self, at: float, line: str) -> None:
        """A line that is a toggle."""
        self.put(at, "E", line, f"ack: {self.acks[line]}")
        self.acks[line] ^= 1
        self.put(at, "B", line, f"ack: {self.acks[line]}")

    def vote(self, at: float, high: bool) -> None:
        """Linux votes."""
        self.put(at, "i", "doorbell", "SMSM")
        self.level(at, "vote", high)

    def interrupt(self, at: float) -> None:
        """Linux is told of the modem's lines."""
        self.put(at, "i", "interrupt", "SMSM")

    def linux_ack(self, at: float) -> None:
        """Linux acks."""
        self.put(at, "i", "doorbell", "SMSM")
        self.ack(at, "linux-ack")

    def frame(self, at: float, way: str, size: int = 100) -> None:
        """A frame."""
        kind = "DATA" if size else "OPEN"
        self.put(at, "i", "frame", f"{way} {kind}", direction=way, kind=kind, payload_bytes=size)

    def wake(self, at: float, packets: int = 3) -> None:
        """From the vote to the first frames."""
        self.vote(at, True)
        self.ack(at + 1700, "modem-ack")
        self.interrupt(at + 1700)
        self.level(at + 2300, "bam", True)
        self.level(at + 2300, "power", True)
        self.interrupt(at + 2300)
        self.linux_ack(at + 3000)
        for index in range(packets):
            self.frame(at + 4000 + index * 500, "uplink")
            self.frame(at + 4100 + index * 500, "downlink")

    def sleep(self, at: float, together: bool) -> None:
        """From the end of the vote to the last ack."""
        self.vote(at, False)
        self.ack(at + 200, "modem-ack")
        fall = at + 200
        if not together:
            self.interrupt(fall)
            fall = at + 400_000
        self.level(fall, "power", False)
        self.interrupt(fall)
        self.linux_ack(fall + 900)
        self.level(fall + 900, "bam", False)

    def panel(self, whole: bool = True) -> sequence.Panel:
        """What would be drawn."""
        return sequence.panel({"traceEvents": self.events}, "a run", whole)


def rows(section: sequence.Section) -> list[tuple[float, str, str]]:
    """Time, side and words of each row."""
    zero = section.steps[0].at
    return [(step.at - zero, step.side, step.text) for step in section.steps]


def test_one_wake_up() -> None:
    """Each step has its time since the vote, its side and the words of the protocol."""
    trace = Trace()
    trace.wake(0)
    trace.sleep(900_000, together=False)
    wake, sleep = trace.panel().sections
    check_equal((wake.title, sleep.title), ("wake-up", "going to sleep"), "titles")
    expected = [
        (0, "Linux", "vote: needs the link"),
        (1700, "modem", "ack of the vote"),
        (2300, "modem", "power line rises"),
        (3000, "Linux", "ack of the power line"),
        (4000, "Linux", "3 frames up, 300 B in 1.000 ms"),
        (4100, "modem", "3 frames down, 300 B in 1.000 ms"),
    ]
    check_equal(rows(wake), expected, "rows of the wake-up")
    check_equal(wake.steps[2].levels, {"power": True, "bam": True}, "the BAM's power")
    check_equal(rows(sleep)[2], (400_000, "modem", "power line falls"), "the fall")
    check_equal([step.kind for step in wake.steps[:4]], ["line", "ack", "line", "ack"], "arrows")


def test_one_write() -> None:
    """What the modem writes at once is one arrow; what it writes without a word says so."""
    trace = Trace()
    trace.wake(0)
    trace.sleep(900_000, together=True)
    sleep = trace.panel().sections[1]
    check_equal(rows(sleep)[1][2], "ack of the vote and power line falls (one write)", "the write")
    trace.level(2_000_000, "power", True)
    last = trace.panel(whole=False).sections[-1]
    check_equal(rows(last)[0][2], "power line rises (no interrupt)", "a silent change")
    check_equal(last.title, "the modem wakes up by itself", "its title")


def test_whole_wake_up_or_the_end() -> None:
    """The demo shows a whole wake-up with frames, a failing test the end of its trace."""
    trace = Trace()
    trace.wake(0, packets=0)
    trace.frame(5_000, "uplink", size=0)
    trace.sleep(90_000, together=True)
    trace.wake(1_000_000)
    trace.sleep(2_000_000, together=True)
    trace.vote(3_000_000, True)
    whole, end = trace.panel(), trace.panel(whole=False)
    check_equal(rows(end.sections[0])[-1], (5_000, "Linux", "OPEN up"), "a frame without bytes")
    check_equal(whole.sections[0].steps[0].at, START + 1_000_000, "the wake-up that is shown")
    check_equal(rows(end.sections[-1]), [(0, "Linux", "vote: needs the link")], "the end")


def test_long_trace_is_cut() -> None:
    """Of very many rows the last ones are shown, and the lines are as they were then."""
    trace = Trace()
    for index in range(100):
        trace.level(index * 10_000, "power", index % 2 == 0)
        trace.interrupt(index * 10_000)
    panel = trace.panel(whole=False)
    check_equal(sum(len(section.steps) for section in panel.sections), sequence.MOST_ROWS, "rows")
    check_equal(panel.sections[-1].steps[-1].at, START + 990_000, "the last one")
    level = panel.sections[0].before["power"]
    for section in panel.sections:
        check_equal(section.before["power"], level, "the line between two sections")
        for step in section.steps:
            check(step.levels.get("power", not level) != level, "a change that is none")
            level = step.levels.get("power", level)


@pytest.mark.parametrize("whole", [True, False])
def test_is_svg(tmp_path: Path, whole: bool) -> None:
    """The picture is well-formed, with the run beside the reference, and words are escaped."""
    trace = Trace()
    trace.wake(0)
    trace.sleep(900_000, together=True)
    trace.put(2_000_000, "i", "life", "crash & <end>")
    source, picture = tmp_path / "t.json", tmp_path / "t.svg"
    source.write_text(json.dumps({"traceEvents": trace.events}), encoding="utf-8")
    sequence.write(source, picture, "a run", whole)
    root = ElementTree.parse(picture).getroot()
    check_equal(root.tag, f"{SVG}svg", "root")
    words = [element.text for element in root.iter(f"{SVG}text")]
    for word in ("MSM8916 firmware, measured", "a run", "1.881 ms", "1.700 ms"):
        check(word in words, f"the picture lacks '{word}': {words}")
    check_equal("crash & <end>" in words, not whole, "the crash after the wake-up is shown")


def test_empty_trace() -> None:
    """Without any change of a line there is a picture that says so."""
    text = sequence.svg("t", [sequence.panel({"traceEvents": []}, "a run", whole=False)])
    check("no line has moved" in text, text)
