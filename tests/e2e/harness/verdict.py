# SPDX-License-Identifier: GPL-2.0
"""What comes of a test: one verdict on its setup, its body and its judges.

A test may be expected to fail, in certain words, because of a finding in our driver or of a defect
in mainline's. That is strict: if it passes, or fails in other words, the verdict is a failure.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Expectation:
    """A failure that is known, by name, and the words (a regular expression) that it is told by."""

    name: str
    words: str
    # The numbers of mainline's defects, if it is about those.
    defects: tuple[int, ...] = ()

    def evidence(self, failures: list[str]) -> str | None:
        """The line of the failures that has the words, or None."""
        text = "\n".join(failures)
        found = re.search(self.words, text, re.MULTILINE)
        if not found:
            return None
        start = text.rfind("\n", 0, found.start()) + 1
        return text[start:].splitlines()[0].strip()


def of_test(markers: Iterable[pytest.Mark], driver: str) -> Expectation | None:
    """How a test is expected to fail on a driver, from its markers `finding` and `defect`."""
    expected = []
    for mark in markers:
        if mark.name == "finding" and driver == "ours":
            expected.append(_finding(mark))
        elif mark.name == "defect" and driver == "mainline":
            expected.append(_defect(mark))
    if len(expected) > 1:
        names = ", ".join(item.name for item in expected)
        raise pytest.UsageError(f"a test fails in one way first: {names} are too many")
    return expected[0] if expected else None


def _finding(mark: pytest.Mark) -> Expectation:
    if len(mark.args) != 1 or not mark.kwargs.get("words"):
        raise pytest.UsageError(f"finding{mark.args}: needs its name and words= (a pattern)")
    return Expectation(mark.args[0], mark.kwargs["words"])


def _defect(mark: pytest.Mark) -> Expectation:
    if not mark.args or not mark.kwargs.get("symptom"):
        raise pytest.UsageError(f"defect{mark.args}: needs numbers and symptom= (a pattern)")
    word = "defect" if len(mark.args) == 1 else "defects"
    name = f"mainline's {word} {', '.join(map(str, mark.args))}"
    return Expectation(name, mark.kwargs["symptom"], mark.args)


@dataclass
class Result:
    """The outcome of one test, or of a look at a phone."""

    name: str
    proves: str
    seconds: float = 0
    # "passed", "failed", "skipped" or "expected": failed as it should.
    outcome: str = "passed"
    # In words: what failed, or why it was skipped.
    failure: str = ""
    # Of an expected failure: the line that shows it. Empty if it was not seen.
    evidence: str = ""
    expected: str = ""
    defects: tuple[int, ...] = ()
    kernel: str = ""
    driver: str = ""
    log: str = ""
    # What the test measured: retries, latencies.
    figures: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return {**asdict(self), "defects": list(self.defects)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Result":
        """The reverse."""
        return cls(**{**record, "defects": tuple(record["defects"])})


def settle(result: Result, failures: list[str], expected: Expectation | None) -> None:
    """Decide what the failures of a test make of its result."""
    text = "\n".join(failures)
    if expected is None:
        if failures:
            result.outcome, result.failure = "failed", text
        return
    result.expected, result.defects = expected.name, expected.defects
    if not failures:
        result.outcome = "failed"
        result.failure = f"passes, though {expected.name} says that it fails: mended? " + (
            "Then remove the marker." if not expected.defects else "Then it shows no defect."
        )
    elif (evidence := expected.evidence(failures)) is not None:
        result.outcome, result.failure, result.evidence = "expected", text, evidence
    else:
        result.outcome = "failed"
        result.failure = f"{text}\nfails, but not as {expected.name} does (/{expected.words}/)"
