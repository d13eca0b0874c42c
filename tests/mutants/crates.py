# SPDX-License-Identifier: GPL-2.0
"""Mutants that cargo-mutants makes of our crates, and the tests of these crates.

What is left out, and how tests are called, is in .cargo/mutants.toml.
"""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from patches import CHECKOUT
from workshop import ALL, tail

PROGRESS_S = 20
LIMIT_S = 3600
# "src/protocol/ring.rs: replace + with - in Occupancy::push", as the list of survivors has it.
NAME = re.compile(r"^\S+\.rs: \S")
# As cargo-mutants has it: with line and column, which change with every edit.
PLACE = re.compile(r"^(\S+?\.rs):\d+:\d+: ")
OUTCOMES = ("caught", "missed", "timeout", "unviable")


@dataclass(frozen=True)
class Crate:
    """A crate, or a part of it, and the share of its mutants that have to be noticed (percent)."""

    package: str
    goal: int
    files: tuple[str, ...] = ()


CRATES = (
    Crate("bam-dmux-protocol", 95),
    Crate("bam-dmux-modem", 0, ("tests/modem/src/power.rs",)),
)


def is_mutant(name: str) -> bool:
    """Whether a name of the list of survivors is one of cargo-mutants'."""
    return bool(NAME.match(name))


def run(words: list[str], known: dict[str, str], jobs: int) -> bool:
    """All crates; true if nothing survived that is not known to, and the goals are reached."""
    return all([_run(crate, words, known, jobs) for crate in CRATES])


def _run(crate: Crate, words: list[str], known: dict[str, str], jobs: int) -> bool:
    began = time.monotonic()
    output = ALL / f"crate-{crate.package}"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    command = ["cargo", "mutants", "--package", crate.package, "--jobs", str(jobs)]
    command += ["--colors", "never", "--no-shuffle", "--output", str(output)]
    for word in words:
        command += ["--re", re.escape(word)]
    for file in crate.files:
        command += ["--file", file]
    # In copies of the tree: what they build must not meet what others build. Optimised a little,
    # since the property tests take longer than the compiler.
    environment = {**os.environ, "CARGO_PROFILE_DEV_OPT_LEVEL": "1"}
    environment.pop("CARGO_TARGET_DIR", None)
    log = output / "log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            _wait(process, crate, output)
        finally:
            process.kill()
            process.wait()
    # 0: all noticed, 2: some survived, 3: some ran into a time-out, which is noticed as well.
    if process.returncode not in (0, 2, 3):
        print(f"{crate.package}: cargo mutants failed:\n{tail(log.read_text(encoding='utf-8'))}")
        return False
    return _judge(crate, _read(output), known, not words, time.monotonic() - began)


def _wait(process: subprocess.Popen, crate: Crate, output: Path) -> None:
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            process.wait(PROGRESS_S)
            return
        except subprocess.TimeoutExpired:
            counts = {name: len(found) for name, found in _read(output).items()}
            print(f"{crate.package}: {counts}", flush=True)
        if time.monotonic() > deadline:
            raise TimeoutError(f"cargo mutants was not done after {LIMIT_S} s")


def _read(output: Path) -> dict[str, list[str]]:
    """Mutants by outcome, as the list of survivors has them."""
    found = {}
    for outcome in OUTCOMES:
        path = output / "mutants.out" / f"{outcome}.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found[outcome] = [_name(line) for line in lines if line]
    return found


def _name(line: str) -> str:
    found = PLACE.match(line)
    return f"{os.path.normpath(found[1])}: {line[found.end() :]}" if found else line


def _judge(
    crate: Crate, found: dict[str, list[str]], known: dict[str, str], whole: bool, seconds: float
) -> bool:
    noticed = found["caught"] + found["timeout"]
    missed = found["missed"]
    total = len(noticed) + len(missed)
    share = 100 * len(noticed) / total if total else 100
    print(
        f"{crate.package}: {len(noticed)} of {total} mutants noticed ({share:.1f} %), "
        f"{len(found['unviable'])} more do not compile, {seconds:.0f} s"
    )
    good = share >= crate.goal or not whole
    if not good:
        print(f"{crate.package}: that is less than {crate.goal} %")
    for name in missed:
        print(f"  {'survived, as is known' if name in known else 'SURVIVED'}: {name}")
        good = good and name in known
    for name in sorted(set(known) & set(noticed) - set(missed)):
        print(f"  NOTICED, though listed: {name}: take it out of tests/mutants/survivors")
        good = False
    return good
