#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Breaks the driver on purpose, and looks whether the test that must notice does.

Called by tests/mutants/run, in the root; what there is to it is told in README.md.
"""

import argparse
import os
import queue
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crates
from judges import Outcome, Verdict, exists, judge
from patches import Patch, PatchError, Test, apply, check_scope, load, survivors
from workshop import ALL, UnfitError, Workshop, fingerprint, scratch_tree


class Fate(Enum):
    """What became of a mutant."""

    NOTICED = "noticed"
    KNOWN = "survived, as is known"
    SURVIVED = "SURVIVED"
    OTHERWISE = "FAILED OTHERWISE"
    UNLISTED = "NOTICED, though listed"
    UNFIT = "NOT JUDGED"


GOOD = (Fate.NOTICED, Fate.KNOWN)


@dataclass(frozen=True)
class Score:
    """A mutant, and what became of it."""

    patch: Patch
    fate: Fate
    seconds: float
    words: str


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("patches", "crates"))
    parser.add_argument("--check", action="store_true", help="build nothing")
    parser.add_argument("-k", dest="words", action="append", default=[], help="part of a name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args(arguments)


def check(patches: list[Patch], known: dict[str, str]) -> list[str]:
    """What is wrong with the patches and the list of survivors; nothing is built."""
    problems = []
    with scratch_tree() as tree:
        for patch in patches:
            for look in (
                check_scope,
                lambda p: exists(p.test),
                lambda p: apply(p, Path(tree), True),
            ):
                try:
                    look(patch)
                except PatchError as error:
                    problems.append(f"{patch.name}: {error}")
    names = {patch.name for patch in patches}
    for name in known:
        if not crates.is_mutant(name) and name not in names:
            problems.append(f"survivors: there is no patch '{name}'")
    return problems


def unbroken(tests: set[Test], jobs: int) -> dict[Test, str]:
    """Run the tests on the tree as it is; returns those that do not pass, and why.

    What has passed on the same tree before is not run again.
    """
    where = Workshop()
    where.renew()
    bad: dict[Test, str] = {}
    passed = ALL / f"passed-{fingerprint()}"
    before = set(passed.read_text(encoding="utf-8").splitlines()) if passed.exists() else set()
    for old in ALL.glob("passed-*"):
        if old != passed:
            old.unlink()
    tests = {test for test in tests if str(test) not in before}
    kinds = sorted({(test.kind, test.kernel) for test in tests})
    for kind, kernel in kinds:
        mine = sorted((t for t in tests if (t.kind, t.kernel) == (kind, kernel)), key=str)
        say(f"unbroken: {len(mine)} tests ({kind}, {kernel}) have to pass")
        try:
            if kind != "host":
                where.build(kernel, kind == "kunit")
            for test, outcome in judge(where, mine, jobs).items():
                if outcome.verdict is not Verdict.PASSED:
                    bad[test] = f"fails on the unbroken tree: {outcome.words}"
                    continue
                with passed.open("a", encoding="utf-8") as file:
                    file.write(f"{test}\n")
        except UnfitError as error:
            bad.update({test: str(error) for test in mine})
    where.close()
    return bad


def try_one(where: Workshop, patch: Patch) -> Outcome:
    """Break the tree, build it, run the test."""
    where.renew()
    apply(patch, where.tree)
    if patch.test.kind != "host":
        where.build(patch.test.kernel, patch.test.kind == "kunit")
    return judge(where, [patch.test])[patch.test]


def score(patch: Patch, outcome: Outcome, known: dict[str, str], seconds: float) -> Score:
    """What an outcome means."""
    if outcome.verdict is Verdict.PASSED:
        fate = Fate.KNOWN if patch.name in known else Fate.SURVIVED
        return Score(patch, fate, seconds, known.get(patch.name, f"{patch.test} passes"))
    found = re.search(patch.symptom, outcome.words)
    if not found:
        words = f"not in the words /{patch.symptom}/ but:\n{outcome.words[-3000:]}"
        return Score(patch, Fate.OTHERWISE, seconds, words)
    if patch.name in known:
        return Score(patch, Fate.UNLISTED, seconds, "take it out of tests/mutants/survivors")
    line = outcome.words[outcome.words.rfind("\n", 0, found.start()) + 1 :].splitlines()
    return Score(patch, Fate.NOTICED, seconds, (line or [""])[0].strip())


def run_patches(patches: list[Patch], known: dict[str, str], jobs: int) -> list[Score]:
    """All of them, `jobs` at a time; tells of each as soon as it is judged."""
    bad = unbroken({patch.test for patch in patches}, jobs)
    scores: list[Score] = []
    lock = threading.Lock()
    waiting: queue.Queue[Patch] = queue.Queue()

    def add(new: Score) -> None:
        with lock:
            scores.append(new)
            say(
                f"[{len(scores)}/{len(patches)}] {new.patch.name}: {new.fate.value} "
                f"({new.patch.test}, {new.seconds:.0f} s): {new.words}"
            )

    def work() -> None:
        where = Workshop()
        while True:
            try:
                patch = waiting.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            try:
                outcome = try_one(where, patch)
            except (PatchError, UnfitError, OSError) as error:
                add(Score(patch, Fate.UNFIT, time.monotonic() - began, str(error)))
            else:
                add(score(patch, outcome, known, time.monotonic() - began))

    for patch in patches:
        if patch.test in bad:
            add(Score(patch, Fate.UNFIT, 0, bad[patch.test]))
        else:
            waiting.put(patch)
    workers = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return scores


def table(scores: list[Score]) -> None:
    """The score, by name."""
    say("")
    for item in sorted(scores, key=lambda item: item.patch.name):
        say(f"  {item.patch.name:34} {item.fate.value:24} {item.patch.test}")
    counts = Counter(item.fate for item in scores)
    shown = ", ".join(f"{fate.value} {counts[fate]}" for fate in Fate if counts[fate])
    say(f"patches: {len(scores)}: {shown}")


def say(text: str) -> None:
    """A line for whoever watches."""
    print(text, flush=True)


def main() -> int:
    """Run what was asked for; the exit status tells how it went."""
    options = parse(sys.argv[1:])
    try:
        everything, known = load([]), survivors()
        problems = check(everything, known)
    except PatchError as error:
        problems = [str(error)]
    for problem in problems:
        print(f"bam-dmux: mutants: {problem}", file=sys.stderr)
    if problems:
        return 1
    if options.check:
        say(f"mutants: {len(everything)} patches apply, and name tests that there are")
        return 0
    good = True
    patches = load(options.words)
    if options.what != "crates" and patches:
        scores = run_patches(patches, known, options.jobs)
        table(scores)
        good = all(item.fate in GOOD for item in scores)
    if options.what != "patches":
        good = crates.run(options.words, known, options.jobs) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
