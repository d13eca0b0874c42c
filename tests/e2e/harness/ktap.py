# SPDX-License-Identifier: GPL-2.0
"""Results as KTAP, one line per scenario, as they come in."""

import json
import re
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO


@dataclass
class Result:
    """The outcome of one scenario."""

    name: str
    proves: str
    seconds: float
    failure: str | None = None
    skipped: str | None = None
    # Defects of mainline's driver that make it fail, and what that looks like (a pattern).
    defects: tuple[int, ...] = ()
    symptom: str = ""
    log: str = ""

    @property
    def ok(self) -> bool:
        """Whether it went as it should."""
        return self.failure is None

    @property
    def excused(self) -> bool:
        """Whether it failed as mainline's driver is known to."""
        return self.evidence is not None

    @property
    def evidence(self) -> str | None:
        """The line of the failure that shows the defect, or None."""
        if self.failure is None or not self.defects:
            return None
        found = re.search(self.symptom, self.failure, re.MULTILINE)
        if not found:
            return None
        start = self.failure.rfind("\n", 0, found.start()) + 1
        return self.failure[start:].splitlines()[0].strip()

    def record(self) -> dict[str, Any]:
        """All of it, as plain values."""
        return {**asdict(self), "evidence": self.evidence}

    def remark(self) -> str:
        """What there is to say about a scenario that shows defects."""
        if not self.defects or self.skipped:
            return ""
        what = f"defect{'s' if len(self.defects) > 1 else ''} {', '.join(map(str, self.defects))}"
        if self.ok:
            return f" # passes, though mainline has {what}"
        if self.excused:
            return f" # expected on mainline: {what}"
        return f" # fails for another reason than {what} (/{self.symptom}/)"


@dataclass
class Report:
    """Prints results and keeps them for the summary. Safe to use from several threads."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    results: list[Result] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """The header."""
        self._print("KTAP version 1")

    def comment(self, text: str) -> None:
        """Lines that are no results."""
        for line in text.splitlines():
            self._print(f"# {line}")

    def add(self, result: Result) -> None:
        """Print the result of one scenario."""
        with self._lock:
            self.results.append(result)
            number = len(self.results)
            word = "ok" if result.ok else "not ok"
            line = f"{word} {number} {result.name} # {result.proves} ({result.seconds:.1f} s)"
            if result.skipped:
                line = f"ok {number} {result.name} # SKIP {result.skipped}"
            line += result.remark()
            print(line, file=self.out)
            if result.failure:
                for text in result.failure.rstrip().splitlines():
                    print(f"#   {text}", file=self.out)
                if result.log:
                    print(f"#   log: {result.log}", file=self.out)
            self.out.flush()

    def _print(self, line: str) -> None:
        with self._lock:
            print(line, file=self.out, flush=True)

    def save(self, file: Path, **about: str) -> None:
        """All results as JSON, with what they are about."""
        with self._lock:
            results = [result.record() for result in self.results]
            text = json.dumps({**about, "results": results}, indent=1)
            file.write_text(text + "\n", encoding="utf-8")

    def finish(self) -> bool:
        """Plan and totals; true if nothing failed that is not known to."""
        failed = [result for result in self.results if not result.ok and not result.excused]
        excused = sum(result.excused for result in self.results)
        skipped = sum(result.skipped is not None for result in self.results)
        self._print(f"1..{len(self.results)}")
        passed = len(self.results) - len(failed) - excused - skipped
        totals = f"# totals: pass:{passed} fail:{len(failed)} skip:{skipped}"
        if excused:
            totals += f" expected-on-mainline:{excused}"
        self._print(f"{totals} in {time.monotonic() - self.began:.0f} s")
        for result in failed:
            self._print(f"# failed: {result.name}")
        return not failed and bool(self.results)
