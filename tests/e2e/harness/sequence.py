#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A wake-up of the link as a picture: a sequence diagram, from the trace of the simulated modem.

tests/e2e/harness/sequence.py trace.json picture.svg

Time runs down. Arrows between the two lifelines are what one side tells the other; beside them
are the levels of the lines. Each vote begins a section with a clock of its own. Beside the
picture of the run is what hardware was measured to do.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

LINUX, MODEM = "Linux", "modem"
# The lines, by their category in the trace, with the words of the protocol.
LINES = {
    "vote": "vote",
    "modem-ack": "modem's ack",
    "power": "power line",
    "linux-ack": "Linux' ack",
    "bam": "BAM power",
}
WORDS = {
    ("vote", True): "vote: needs the link",
    ("vote", False): "vote withdrawn",
    ("power", True): "power line rises",
    ("power", False): "power line falls",
    ("modem-ack", True): "ack of the vote",
    ("modem-ack", False): "ack of the vote",
    ("linux-ack", True): "ack of the power line",
    ("linux-ack", False): "ack of the power line",
}
ACKS = ("modem-ack", "linux-ack")
# What happens in Linux' life; all else of that sort happens in the modem's.
OF_LINUX = ("reset of the function", "driver came", "driver left")
# Rows of a picture at most: the last ones are kept.
MOST_ROWS = 48
TITLE = "The link wakes up and goes to sleep"


@dataclass
class Step:
    """One row: something that a side does, at a time in microseconds (or between two)."""

    at: float
    side: str
    text: str
    # "line", "ack", "frames" or "note".
    kind: str
    # What lines are from now on.
    levels: dict[str, bool] = field(default_factory=dict)
    until: float | None = None
    # Bytes of frames.
    size: int = 0
    # The time of it was not measured.
    untimed: bool = False


@dataclass
class Section:
    """What follows from one vote, and how the lines were before."""

    title: str
    before: dict[str, bool]
    steps: list[Step]


@dataclass
class Panel:
    """One picture: what it shows, and where that is from."""

    title: str
    subtitle: str
    sections: list[Section]


def reference() -> Panel:
    """Sequence 1 of what is known of the hardware: medians of MSM8916 firmware."""
    low = dict.fromkeys(("vote", "modem-ack", "power", "linux-ack"), False)
    wake = [
        Step(0, LINUX, WORDS["vote", True], "line", {"vote": True}),
        Step(1881, MODEM, WORDS["modem-ack", True], "ack", {"modem-ack": True}),
        Step(2300, MODEM, WORDS["power", True], "line", {"power": True}),
        Step(2852, LINUX, WORDS["linux-ack", True], "ack", {"linux-ack": True}),
    ]
    awake = low | dict.fromkeys(low, True)
    sleep = [
        Step(0, LINUX, WORDS["vote", False], "line", {"vote": False}),
        Step(134, MODEM, WORDS["modem-ack", False], "ack", {"modem-ack": False}),
        Step(100_000, MODEM, WORDS["power", False], "line", {"power": False}, until=990_000),
        Step(990_000, LINUX, WORDS["linux-ack", False], "ack", {"linux-ack": False}, untimed=True),
    ]
    return Panel(
        "MSM8916 firmware, measured",
        "medians, from public logs of phones",
        [Section("wake-up", low, wake), Section("going to sleep", awake, sleep)],
    )


# From the trace to steps.


@dataclass(frozen=True)
class Change:
    """Something of the trace that the picture is made of."""

    at: float
    kind: str
    # A line and its level; or what happened.
    what: str
    high: bool = False
    # Of a frame: DATA, OPEN or CLOSE, and how many bytes.
    frame: str = ""
    size: int = 0


def changes(trace: dict[str, Any]) -> tuple[dict[str, bool], list[Change]]:
    """How the lines were in the beginning, and all that happened."""
    before = dict.fromkeys(LINES, False)
    found: list[Change] = []
    for event in trace["traceEvents"]:
        category, phase = event.get("cat", ""), event["ph"]
        args = event.get("args") or {}
        if category in LINES:
            # A toggle has a slice at both levels; the one that begins says which.
            high = phase == "B" and not event["name"].endswith(": 0")
            if phase == "E" and category in ACKS:
                continue
            if "since" in args:
                before[category] = high
            else:
                found.append(Change(event["ts"], "line", category, high))
        elif category == "frame":
            frame, size = args["kind"], args["payload_bytes"]
            found.append(Change(event["ts"], "frame", args["direction"], frame=frame, size=size))
        elif category == "doorbell" and event["name"] == "SMSM":
            found.append(Change(event["ts"], "doorbell", ""))
        elif category == "interrupt" and event["name"] == "SMSM":
            found.append(Change(event["ts"], "interrupt", ""))
        elif category == "life" and phase == "i":
            found.append(Change(event["ts"], "life", event["name"]))
    return before, found


def steps_of(found: list[Change]) -> Iterator[Step]:
    """Rows: what one side writes at once is one, and so are frames between two changes of lines."""
    frames: dict[str, list[Change]] = {}

    def flush() -> Iterator[Step]:
        for direction, some in frames.items():
            side = LINUX if direction == "uplink" else MODEM
            size = sum(change.size for change in some)
            yield Step(some[0].at, side, frame_words(direction, some), "frames", size=size)
        frames.clear()

    index = 0
    while index < len(found):
        change = found[index]
        index += 1
        if change.kind == "frame":
            frames.setdefault(change.what, []).append(change)
        elif change.kind == "life":
            yield from flush()
            yield Step(change.at, LINUX if change.what in OF_LINUX else MODEM, change.what, "note")
        elif change.what == "bam":
            yield from flush()
            on = "on" if change.high else "off"
            yield Step(change.at, MODEM, f"BAM power {on}", "note", {"bam": change.high})
        elif change.kind == "line":
            yield from flush()
            side = LINUX if change.what in ("vote", "linux-ack") else MODEM
            step = Step(change.at, side, "", "line", {change.what: change.high})
            while index < len(found) and joins(step, found[index], side):
                step.levels[found[index].what] = found[index].high
                index += 1
            yield named(step, found[index : index + 1])
    yield from flush()


def with_bam(steps: list[Step]) -> list[Step]:
    """The BAM's power goes without a word: it is a part of the row of the same time, if any."""
    rows: list[Step] = []
    waiting: dict[str, bool] = {}
    for index, step in enumerate(steps):
        if "bam" in step.levels:
            following = steps[index + 1 : index + 2]
            if following and following[0].kind != "frames" and following[0].at == step.at:
                waiting = step.levels
                continue
            if rows and rows[-1].at == step.at:
                rows[-1].levels |= step.levels
                continue
        rows.append(replace(step, levels=waiting | step.levels))
        waiting = {}
    return rows


def joins(step: Step, change: Change, side: str) -> bool:
    """Whether a change belongs to the same write as those of the step."""
    mine = {LINUX: ("vote", "linux-ack"), MODEM: ("modem-ack", "power")}[side]
    return (
        change.kind == "line"
        and change.what in mine
        and change.at == step.at
        and change.what not in step.levels
    )


def named(step: Step, following: list[Change]) -> Step:
    """The step with its words."""
    lines = list(step.levels)
    text = " and ".join(WORDS[line, step.levels[line]] for line in lines)
    if len(lines) > 1:
        text += " (one write)"
    if step.side == MODEM and not (following and following[0].kind == "interrupt"):
        text += " (no interrupt)"
    kind = "ack" if all(line in ACKS for line in lines) else "line"
    return replace(step, text=text, kind=kind)


def frame_words(direction: str, some: list[Change]) -> str:
    """How many frames, and their bytes; frames without any by name."""
    total = sum(change.size for change in some)
    size = f"{total} B" if total < 10_000 else f"{total / 1000:.0f} kB"
    noun = "frame" if len(some) == 1 else "frames"
    way = "up" if direction == "uplink" else "down"
    if not total:
        names = " and ".join(sorted({change.frame for change in some}))
        return f"{len(some)} {names} {way}" if len(some) > 1 else f"{names} {way}"
    during = f" in {milliseconds(some[-1].at - some[0].at)}" if len(some) > 1 else ""
    return f"{len(some)} {noun} {way}, {size}{during}"


def sections_of(before: dict[str, bool], steps: list[Step]) -> list[Section]:
    """A section begins with each change of the vote, and where the modem wakes by itself."""
    sections: list[Section] = []
    now = dict(before)
    for step in steps:
        title = ""
        if "vote" in step.levels and step.levels["vote"] != now["vote"]:
            title = "wake-up" if step.levels["vote"] else "going to sleep"
            if step.levels["vote"] and now["power"]:
                title = "vote while the power is still there"
        elif step.levels.get("power") and not now["power"] and not now["vote"]:
            title = "the modem wakes up by itself"
        if title or not sections:
            sections.append(Section(title or "before the first vote", dict(now), []))
        sections[-1].steps.append(step)
        now |= step.levels
    return sections


def whole_wake_up(sections: list[Section], index: int) -> list[Section]:
    """A wake-up with frames and the sleep after it, from the vote to the last ack, or nothing."""
    pair = sections[index : index + 2]
    if [section.title for section in pair] != ["wake-up", "going to sleep"]:
        return []
    wake, sleep = pair
    # What comes after the last ack belongs to nothing.
    last = max((n for n, step in enumerate(sleep.steps) if "linux-ack" in step.levels), default=-1)
    pair = [wake, replace(sleep, steps=sleep.steps[: last + 1])]
    steps = [step for section in pair for step in section.steps]
    if any(step.kind == "note" and not step.levels for step in steps):
        return []
    moved = [{line for step in section.steps for line in step.levels} for section in pair]
    frames = any(step.kind == "frames" for step in wake.steps)
    return pair if frames and all({"vote", "power", *ACKS} <= lines for lines in moved) else []


def select(sections: list[Section], whole: bool) -> tuple[list[Section], str]:
    """The sections that are shown, and in words what they are."""
    if whole:
        pairs = [pair for n in range(len(sections)) if (pair := whole_wake_up(sections, n))]
        # Rather one with packets than one that only opens or closes a channel.
        pairs.sort(key=lambda pair: not any(step.size for step in pair[0].steps))
        if pairs:
            return pairs[0], "one wake-up, from the vote to the sleep"
    shown: list[Section] = []
    room = MOST_ROWS
    for section in reversed(sections):
        kept = section.steps[-room:] if room else []
        if not kept:
            break
        before, title = dict(section.before), section.title
        left_out = section.steps[: -len(kept)]
        for step in left_out:
            before |= step.levels
        if left_out:
            title += f" ({len(left_out)} earlier rows left out)"
        shown.insert(0, Section(title, before, kept))
        room -= len(kept)
    return shown, "the end of the trace"


def panel(trace: dict[str, Any], title: str, whole: bool) -> Panel:
    """The picture of a run: one whole wake-up if there is one and it is wanted, or the end."""
    before, found = changes(trace)
    shown, words = select(sections_of(before, with_bam(list(steps_of(found)))), whole)
    lost = trace.get("otherData", {}).get("amount", {}).get("dropped_events", 0)
    if lost:
        words += f"; {lost} older events were dropped"
    return Panel(title, words, shown)


# From steps to the picture.

MARGIN, TIME, ARROWS, WAVE, GAP = 28, 118, 400, 34, 76
HEAD, ROW, SECTION = 132, 34, 56
BREAK = 26
COLOURS = {LINUX: "#1a5fb4", MODEM: "#b35a00"}
INK, GREY, FAINT, HIGH = "#1d1d1f", "#6b6b70", "#d8d8de", "#cfe3d4"
LEGEND = (
    "solid arrow: a line changes, and the other side is interrupted",
    "dashed: an ack",
    "broad: frames",
    "columns: levels of the lines, green is high",
    "times: since the beginning of the section",
)
STYLE = f"""
text {{ font-family: 'DejaVu Sans', 'Noto Sans', Helvetica, Arial, sans-serif; font-size: 13px;
  fill: {INK}; }}
.h1 {{ font-size: 20px; font-weight: bold; }}
.h2 {{ font-size: 16px; font-weight: bold; }}
.sub, .small, .time {{ fill: {GREY}; }}
.small {{ font-size: 11px; }}
.time {{ font-size: 12px; text-anchor: end; }}
.section {{ font-weight: bold; paint-order: stroke; stroke: white; stroke-width: 4px; }}
.label {{ text-anchor: middle; paint-order: stroke; stroke: white; stroke-width: 4px; }}
.actor {{ text-anchor: middle; font-weight: bold; fill: white; }}
"""


class Canvas:
    """Pieces of SVG."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def add(self, tag: str, text: str = "", **attributes: Any) -> None:
        """An element; underscores in names of attributes stand for dashes."""
        named = "".join(
            f' {name.strip("_").replace("_", "-")}="{shown(value)}"'
            for name, value in attributes.items()
        )
        self.pieces.append(f"<{tag}{named}>{escape(text)}</{tag}>" if text else f"<{tag}{named}/>")

    def text(self, x: float, y: float, text: str, kind: str, **attributes: Any) -> None:
        """Words."""
        self.add("text", text, x=x, y=y, class_=kind, **attributes)

    def line(self, x1: float, y1: float, x2: float, y2: float, **attributes: Any) -> None:
        """A straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def shown(value: Any) -> str:
    """A number or a word as an attribute."""
    text = f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return escape(text, {'"': "&quot;"})


def milliseconds(us: float) -> str:
    """A time in words, with as many digits as matter."""
    ms = us / 1000
    if ms < 10:
        return f"{ms:.3f} ms"
    return f"{ms:.1f} ms" if ms < 1000 else f"{ms:,.0f} ms"


def time_words(step: Step, zero: float) -> str:
    """When a step was."""
    if step.untimed:
        return "then"
    if step.until is not None:
        return f"{(step.at - zero) / 1000:,.0f} to {(step.until - zero) / 1000:,.0f} ms"
    return milliseconds(step.at - zero)


def pause_words(step: Step, last: float) -> str:
    """How long nothing happened before a step."""
    if step.until is not None:
        return f"{(step.at - last) / 1000:.0f} to {(step.until - last) / 1000:.0f} ms later"
    return f"{milliseconds(step.at - last)} later"


def distance(us: float) -> float:
    """How far down a row is from the one before: more time, more room, but not in proportion."""
    return ROW + 9 * math.log10(1 + max(us, 0) / 50)


def wave_lines(picture: Panel) -> list[str]:
    """The lines of which something is known."""
    known = {line for section in picture.sections for line in section.before}
    return [line for line in LINES if line in known]


def width(picture: Panel) -> float:
    """How wide a panel is."""
    return TIME + ARROWS + 40 + WAVE * len(wave_lines(picture) or LINES)


def layout(section: Section) -> list[float]:
    """How far below the section's title each row is."""
    rows: list[float] = []
    y, last = float(SECTION), section.steps[0].at
    for step in section.steps:
        if rows:
            y += distance(0 if step.untimed else step.at - last)
            if breaks(step, last):
                y += BREAK
        rows.append(y)
        last = max(last, step.at)
    return rows


def breaks(step: Step, last: float) -> bool:
    """Whether so much time has passed that the picture says so."""
    return not step.untimed and step.at - last > 20_000


def height(picture: Panel) -> float:
    """How high a panel is."""
    return HEAD + sum(layout(section)[-1] + ROW for section in picture.sections) + 16


def draw_panel(canvas: Canvas, picture: Panel, left: float) -> None:
    """One panel, with its lifelines."""
    linux, modem = left + TIME, left + TIME + ARROWS
    bottom = height(picture) - 12
    canvas.text(left, 60, picture.title, "h2")
    canvas.text(left, 80, picture.subtitle, "sub small")
    for x, name in ((linux, LINUX), (modem, MODEM)):
        canvas.line(x, HEAD, x, bottom, stroke=COLOURS[name], stroke_width=2, opacity=0.55)
        canvas.add("rect", x=x - 38, y=HEAD - 26, width=76, height=26, rx=5, fill=COLOURS[name])
        canvas.text(x, HEAD - 8, name, "actor")
    y = float(HEAD)
    if not picture.sections:
        canvas.text(linux + ARROWS / 2, HEAD + 40, "no line has moved", "label")
    for section in picture.sections:
        rows = [y + row for row in layout(section)]
        canvas.text(left, y + 22, section.title, "section")
        canvas.line(left, y + 28, modem + 44, y + 28, stroke=FAINT)
        draw_steps(canvas, section, rows, left)
        y = rows[-1] + ROW
    draw_waves(canvas, picture, modem + 52)


def draw_steps(canvas: Canvas, section: Section, rows: list[float], left: float) -> None:
    """The rows of a section."""
    linux, modem = left + TIME, left + TIME + ARROWS
    zero = last = section.steps[0].at
    for step, y in zip(section.steps, rows, strict=True):
        if breaks(step, last):
            middle = y - ROW + 2
            canvas.text(linux + ARROWS / 2, middle, pause_words(step, last), "label small")
            for x in (linux, modem):
                canvas.add("rect", x=x - 4, y=middle - 14, width=8, height=18, fill="white")
                for dot in (-10, -4, 2):
                    canvas.add("circle", cx=x, cy=middle + dot, r=1.5, fill=GREY)
        canvas.text(linux - 12, y + 4, time_words(step, zero), "time")
        if step.kind == "note":
            x, ahead, anchor = (linux, 10, "start") if step.side == LINUX else (modem, -10, "end")
            canvas.add("circle", cx=x, cy=y, r=4, fill=COLOURS[step.side])
            canvas.text(x + ahead, y + 4, step.text, "sub", text_anchor=anchor)
        else:
            draw_arrow(canvas, step, y, (linux, modem))
        last = max(last, step.at)


def draw_arrow(canvas: Canvas, step: Step, y: float, lifelines: tuple[float, float]) -> None:
    """One side tells the other something. Acks are dashed, frames broad and pale."""
    start, end = lifelines if step.side == LINUX else lifelines[::-1]
    ahead = 1 if end > start else -1
    colour = COLOURS[step.side]
    looks = {"stroke": colour, "stroke_width": 2}
    if step.kind == "ack":
        looks["stroke_dasharray"] = "7 4"
    if step.kind == "frames":
        looks |= {"stroke_width": 7, "opacity": 0.35}
    canvas.line(start + 2 * ahead, y, end - 9 * ahead, y, **looks)
    tip = f"{end - 1.5 * ahead:.1f},{y:.1f}"
    barbs = f"{end - 11 * ahead:.1f},{y - 5:.1f} {end - 11 * ahead:.1f},{y + 5:.1f}"
    canvas.add("polygon", points=f"{tip} {barbs}", fill=colour)
    above = 8 if step.kind == "frames" else 6
    canvas.text(sum(lifelines) / 2, y - above, step.text, "label")


def draw_waves(canvas: Canvas, picture: Panel, left: float) -> None:
    """The levels of the lines, as columns: to the right is high."""
    for column, line in enumerate(wave_lines(picture)):
        low = left + column * WAVE
        high = low + WAVE * 0.5
        turn = f"rotate(-48 {low + 8:.1f} {HEAD - 6})"
        canvas.text(low + 8, HEAD - 6, LINES[line], "small", transform=turn)
        y = float(HEAD)
        points: list[str] = []
        for section in picture.sections:
            level = section.before[line]
            top = y + 32
            for step, row in zip(section.steps, (y + at for at in layout(section)), strict=True):
                if step.levels.get(line, level) != level:
                    piece(canvas, points, (low, high), (top, row), level)
                    level, top = not level, row
            y += layout(section)[-1] + ROW
            piece(canvas, points, (low, high), (top, y), level)
            canvas.add("polyline", points=" ".join(points), fill="none", stroke=INK)
            points.clear()


def piece(
    canvas: Canvas,
    points: list[str],
    columns: tuple[float, float],
    rows: tuple[float, float],
    level: bool,
) -> None:
    """A stretch of a line at one level."""
    low, high = columns
    x = high if level else low
    points += [f"{x:.1f},{rows[0]:.1f}", f"{x:.1f},{rows[1]:.1f}"]
    if level:
        canvas.add("rect", x=low, y=rows[0], width=high - low, height=rows[1] - rows[0], fill=HIGH)


def svg(title: str, panels: list[Panel]) -> str:
    """The whole picture: panels side by side, and what the signs mean."""
    canvas = Canvas()
    left = float(MARGIN)
    canvas.text(left, 30, title, "h1")
    for picture in panels:
        draw_panel(canvas, picture, left)
        left += width(picture) + GAP
    total = left - GAP + 2 * MARGIN
    bottom = max(height(picture) for picture in panels)
    legend = " \u00b7 ".join(LEGEND)
    canvas.text(MARGIN, bottom + 18, legend, "sub small")
    size = f'width="{total:.0f}" height="{bottom + 34:.0f}"'
    box = f'viewBox="0 0 {total:.0f} {bottom + 34:.0f}"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box}>\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f'<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(canvas.pieces)
        + "\n</svg>\n"
    )


def write(trace: Path, picture: Path, run: str, whole: bool) -> None:
    """Draw what is in the file `trace` into the file `picture`, beside the hardware's sequence.

    With `whole` the first whole wake-up is shown if there is one, otherwise the end of the trace.
    """
    data = json.loads(trace.read_text(encoding="utf-8"))
    panels = [reference(), panel(data, run, whole)]
    picture.write_text(svg(TITLE, panels), encoding="utf-8")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path, help="JSON of the simulated modem")
    parser.add_argument("picture", type=Path, help="SVG that is written")
    parser.add_argument("--end", action="store_true", help="the end, not the first whole wake-up")
    options = parser.parse_args()
    write(options.trace, options.picture, options.trace.name, whole=not options.end)
    return 0


if __name__ == "__main__":
    sys.exit(main())
