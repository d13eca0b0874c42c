# SPDX-License-Identifier: GPL-2.0
"""Running the tests that must notice, and telling a test that failed from one that did not run."""

import json
import re
import sys
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from patches import CHECKOUT, PatchError, Test
from workshop import UnfitError, Workshop, tail

SCENARIO_S = 1800
KUNIT_S = 600
HOST_S = 1200
COLLECT_S = 120
# Names of what is asked of a phone at its end, and not of a test.
LOOK = re.compile(r"^(no_leak|lockdep|quiet)\[")
E2E = CHECKOUT / "tests/e2e"


class Verdict(Enum):
    """What a test said."""

    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What a test said of a tree, and in which words."""

    verdict: Verdict
    words: str = ""


@cache
def _sources(*places: Path) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8")
        for place in places
        for path in sorted(place.rglob("*"))
        if path.suffix in (".rs", ".toml")
    )


def exists(test: Test) -> None:
    """Raise PatchError unless there is such a test; by the sources alone, nothing is run."""
    if test.kind == "scenario":
        _file(test)
        return
    text = _sources(CHECKOUT / "src", CHECKOUT / "tests")
    first, _, case = test.name.partition("." if test.kind == "kunit" else "::")
    whole = rf"kunit_tests\({first}\)" if test.kind == "kunit" else rf'^name = "{first}"$'
    words = [whole, rf"\bfn {case.rpartition('::')[2]}\("]
    if not all(re.search(word, text, re.MULTILINE) for word in words):
        raise PatchError(f"there is no test '{test}'")


def judge(where: Workshop, tests: list[Test], jobs: int = 1) -> dict[Test, Outcome]:
    """Run tests of one kind, and for one kernel, on what is built in a workshop.

    Raises UnfitError when one that is alone, or all of them, did not come to an end of their own.
    """
    kinds = {(test.kind, test.kernel) for test in tests}
    if len(kinds) != 1:
        raise ValueError(f"tests of several kinds: {kinds}")
    kind = tests[0].kind
    if kind == "scenario":
        return _scenarios(where, tests, jobs)
    return {test: _kunit(where, test) if kind == "kunit" else _host(where, test) for test in tests}


def _scenarios(where: Workshop, tests: list[Test], jobs: int) -> dict[Test, Outcome]:
    results = where.directory / "build/e2e"
    before = set(results.glob("*/results.json"))
    kernel = tests[0].kernel
    pytest = [sys.executable, "-m", "pytest", f"--kernel={kernel}"]
    nodes = [node for test in tests for node in _nodes(where, [*pytest, "--collect-only"], test)]
    command = [*pytest, "-n", str(jobs), *nodes]
    _, out = where.run(command, SCENARIO_S * len(tests), within="tests/e2e")
    new = set(results.glob("*/results.json")) - before
    if not new:
        raise UnfitError(f"the scenarios did not run:\n{tail(out)}")
    records = json.loads(new.pop().read_text(encoding="utf-8"))["results"]
    if len(tests) == 1:
        return {tests[0]: _outcome(tests[0], records, out, True)}
    outcomes = {}
    for test in tests:
        try:
            outcomes[test] = _outcome(test, records, out, False)
        except UnfitError as error:
            outcomes[test] = Outcome(Verdict.FAILED, str(error))
    return outcomes


def _file(test: Test) -> str:
    """The file of a scenario, from tests/e2e on."""
    function = rf"^def test_{re.escape(test.name.partition('[')[0])}\("
    for path in sorted((E2E / "scenarios").glob("test_*.py")):
        if re.search(function, path.read_text(encoding="utf-8"), re.MULTILINE):
            return f"scenarios/{path.name}"
    raise PatchError(f"there is no test '{test}'")


def _nodes(where: Workshop, collect: list[str], test: Test) -> list[str]:
    """What pytest calls a scenario: it has the kind of phone as its first parameter."""
    function, _, parameter = test.name.partition("[")
    node = f"{_file(test)}::test_{function}"
    if not parameter:
        return [node]
    _, out = where.run([*collect, "-q", "-n0", node], COLLECT_S, within="tests/e2e")
    found = [line for line in out.splitlines() if _is_meant(line.partition("::test_")[2], test)]
    if not found:
        raise UnfitError(f"there is no {test}:\n{tail(out)}")
    return found


def _is_meant(name: str, test: Test) -> bool:
    """Whether a result, "wake_fails[base]" or "unbind[base-asleep]", is that of a test.

    A test without parameters is meant with all that it has.
    """
    function, _, parameter = test.name.partition("[")
    if not parameter:
        return name.partition("[")[0] == function
    return name.startswith(f"{function}[") and name.endswith(f"-{parameter}")


def _outcome(test: Test, records: list[dict[str, Any]], out: str, alone: bool) -> Outcome:
    mine = [record for record in records if _is_meant(record["name"], test)]
    if not mine:
        raise UnfitError(f"{test} did not run:\n{tail(out)}")
    for record in mine:
        if record["outcome"] not in ("passed", "failed"):
            said = f"{record['outcome']}: {record['failure']}"
            raise UnfitError(f"{record['name']} did not run as a test that can notice: {said}")
    # What is found when the phone has done its work (leaks, lockdep) is of a test that is alone.
    looks = [record for record in records if alone and re.search(LOOK, record["name"])]
    failed = [record["failure"] for record in [*mine, *looks] if record["outcome"] == "failed"]
    return Outcome(Verdict.FAILED if failed else Verdict.PASSED, "\n".join(failed))


def _kunit(where: Workshop, test: Test) -> Outcome:
    code, out = where.run(
        [sys.executable, "tests/mutants/kunit.py", test.kernel, test.name], KUNIT_S
    )
    if code == 0:
        return Outcome(Verdict.PASSED)
    if code == 1:
        return Outcome(Verdict.FAILED, out)
    raise UnfitError(f"{test} did not run:\n{tail(out)}")


def _host(where: Workshop, test: Test) -> Outcome:
    crate, _, case = test.name.partition("::")
    cargo = ["cargo", "test", "--locked", "-p", crate]
    code, out = where.run([*cargo, "--tests", "--no-run"], HOST_S)
    if code != 0:
        raise UnfitError(f"the tests of {crate} are not built:\n{tail(out)}")
    code, out = where.run([*cargo, "--tests", "--", "--exact", case], HOST_S)
    ran = sum(int(n) + int(m) for n, m in re.findall(r"(\d+) passed; (\d+) failed", out))
    if ran == 0:
        raise UnfitError(f"{test} did not run:\n{tail(out)}")
    return Outcome(Verdict.FAILED if code else Verdict.PASSED, out if code else "")
