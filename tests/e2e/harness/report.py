# SPDX-License-Identifier: GPL-2.0
"""What a run says: a line of KTAP for each test as it ends, on the terminal and in a file, and all
results as JSON for the table of defects."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness import paths, results
from harness.verdict import Result

# How often the terminal looks whether a worker has something to say, in seconds.
EVERY = 0.5


class Report:
    """Lives in the process that the user has started; tests may run in others."""

    def __init__(self, config: pytest.Config, directory: Path, about: dict[str, Any]) -> None:
        self._config = config
        self._directory = directory
        self._about = about
        self._results: list[Result] = []
        # Of each test that passed or failed, by the name that pytest knows it by.
        self.durations: dict[str, float] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._told = 0
        self._end = threading.Event()
        self._teller = threading.Thread(target=self._tell, daemon=True)
        self._ktap = (directory / "results.ktap").open("w", encoding="utf-8")

    def _say(self, line: str) -> None:
        with self._lock:
            terminal = self._config.pluginmanager.getplugin("terminalreporter")
            if terminal and not self._config.option.collectonly:
                terminal.write_line(line)
                terminal.flush()
            self._ktap.write(f"{line}\n")
            self._ktap.flush()

    def _comment(self, text: str) -> None:
        for line in text.splitlines():
            self._say(f"# {line}")

    def _tell(self) -> None:
        """Pass on what workers say in between: how far a long test is."""
        while not self._end.wait(EVERY):
            self._pass_on()

    def _pass_on(self) -> None:
        file = results.told(self._directory)
        if not file.exists():
            return
        text = file.read_text(encoding="utf-8")
        new, self._told = text[self._told :], len(text)
        self._comment(new)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """The header."""
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal:
            # Lines of ours have the tests' names.
            terminal.showfspath = False
        self._say("KTAP version 1")
        words = ", ".join(f"{key} {value}" for key, value in self._about.items())
        self._comment(f"{words}; logs: {paths.shown(self._directory)}")
        self._teller.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str]:
        """In which total a report counts; pytest itself prints nothing for it."""
        if report.skipped:
            return ("xfailed" if hasattr(report, "wasxfail") else "skipped"), "", ""
        if report.failed:
            return "failed", "", ""
        return ("passed" if report.when == "call" else ""), "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The result of a test, if this is the report that has it."""
        record = getattr(report, "verdict", None)
        if record:
            result = Result.from_record(record)
            self._add(result)
            if result.outcome != "skipped":
                self.durations[report.nodeid] = round(result.seconds, 1)
        for look in getattr(report, "looks", ()):
            self._report_look(Result.from_record(look))

    def _report_look(self, look: Result) -> None:
        """A look at a phone counts as a test of its own."""
        nodeid = f"phone::{look.name}"
        outcome = {"expected": "skipped"}.get(look.outcome, look.outcome)
        report = pytest.TestReport(
            nodeid=nodeid,
            location=("phone", None, look.name),
            keywords={},
            outcome=outcome,
            longrepr=look.failure or None,
            when="call",
            duration=look.seconds,
        )
        if look.outcome == "expected":
            report.wasxfail = look.expected
        report.verdict = look.record()
        hook = self._config.hook
        hook.pytest_runtest_logreport(report=report)
        end = pytest.TestReport(
            nodeid, ("phone", None, look.name), {}, "passed", None, "teardown", duration=0
        )
        hook.pytest_runtest_logreport(report=end)

    def _add(self, result: Result) -> None:
        self._results.append(result)
        word = "not ok" if result.outcome == "failed" else "ok"
        line = f"{word} {len(self._results)} {result.name} # "
        if result.outcome == "skipped":
            line += f"SKIP {result.failure}"
        else:
            line += f"{result.proves} ({result.seconds:.1f} s)"
        if result.outcome == "expected":
            line += f" # fails as expected, {result.expected}: {result.evidence}"
        self._say(line)
        if result.figures:
            figures = ", ".join(f"{name} {value:g}" for name, value in result.figures.items())
            self._comment(f"  {figures}")
        if result.outcome == "failed":
            self._comment("\n".join(f"  {text}" for text in result.failure.rstrip().splitlines()))
            if result.log:
                self._comment(f"  log: {result.log}")
        self.save()

    def save(self) -> None:
        """All results so far: the run may end at any time."""
        text = json.dumps(
            {**self._about, "results": [result.record() for result in self._results]}, indent=1
        )
        (self._directory / "results.json").write_text(text + "\n", encoding="utf-8")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Plan and totals."""
        self._end.set()
        if self._teller.ident:
            self._teller.join()
        self._pass_on()
        counts = {"passed": 0, "failed": 0, "skipped": 0, "expected": 0}
        for result in self._results:
            counts[result.outcome] += 1
        self._say(f"1..{len(self._results)}")
        self._comment(
            f"totals: pass:{counts['passed']} fail:{counts['failed']} skip:{counts['skipped']} "
            f"expected-failures:{counts['expected']} in {time.monotonic() - self._began:.0f} s"
        )
        for outcome in ("expected", "failed"):
            for result in self._results:
                if result.outcome == outcome:
                    what = f": {result.expected}" if outcome == "expected" else ""
                    self._comment(f"{outcome}: {result.name}{what}")
        self._ktap.close()
