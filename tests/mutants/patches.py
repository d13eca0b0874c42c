# SPDX-License-Identifier: GPL-2.0
"""The patches: what is in their headers, and whether they still fit the tree."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).resolve().parent / "patches"
SURVIVORS = Path(__file__).resolve().parent / "survivors"
# Where the driver is: a patch breaks nothing else.
BROKEN = ("src/", "bindings/")
KERNELS = ("base", "debug")
KINDS = ("scenario", "kunit", "host")
HEADER = re.compile(r"^([A-Z][A-Za-z-]*): +(.*)$")
FIELDS = {"SPDX-License-Identifier", "Mutant", "Noticed-by", "Symptom", "Kernel"}


class PatchError(Exception):
    """A patch, or the list of survivors, is not as it should be; in words for its author."""


@dataclass(frozen=True)
class Test:
    """What must notice: "scenario NAME", "kunit SUITE.CASE" or "host CRATE::TEST"."""

    kind: str
    name: str
    kernel: str

    def __str__(self) -> str:
        kernel = "" if self.kind == "host" or self.kernel == "base" else f", {self.kernel} kernel"
        return f"{self.kind} {self.name}{kernel}"


@dataclass(frozen=True)
class Patch:
    """One mutant of the driver."""

    name: str
    path: Path
    breaks: str
    test: Test
    # A regular expression that the failure must match; empty: any failure of the test will do.
    symptom: str


def read(path: Path) -> Patch:
    """The header of a patch: lines "Field: value" down to the first line of the diff."""
    fields: dict[str, str] = {}
    last = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("diff ", "--- ")):
            break
        if found := HEADER.match(line):
            last = found[1]
            if last in fields:
                raise PatchError(f"{path.name}: '{last}:' is there twice")
            fields[last] = found[2].strip()
        elif line.startswith(" ") and last:
            fields[last] += " " + line.strip()
        elif line.strip():
            raise PatchError(
                f"{path.name}: '{line}' is neither 'Field: value' nor goes on with one"
            )
    if unknown := set(fields) - FIELDS:
        raise PatchError(f"{path.name}: unknown fields in the header: {sorted(unknown)}")
    if missing := {"Mutant", "Noticed-by"} - set(fields):
        raise PatchError(f"{path.name}: the header lacks {sorted(missing)}")
    kind, _, name = fields["Noticed-by"].partition(" ")
    if kind not in KINDS or not name:
        raise PatchError(
            f"{path.name}: 'Noticed-by: {fields['Noticed-by']}' is none of "
            "'scenario NAME', 'kunit SUITE.CASE', 'host CRATE::TEST'"
        )
    kernel = fields.get("Kernel", "base")
    if kernel not in KERNELS:
        raise PatchError(f"{path.name}: there is no kernel '{kernel}', only {KERNELS}")
    symptom = fields.get("Symptom", "")
    try:
        re.compile(symptom)
    except re.error as error:
        raise PatchError(f"{path.name}: 'Symptom: {symptom}': {error}") from error
    if kind == "scenario" and not symptom:
        raise PatchError(
            f"{path.name}: the header lacks 'Symptom', which a scenario's failure needs"
        )
    return Patch(path.stem, path, fields["Mutant"], Test(kind, name, kernel), symptom)


def load(words: list[str]) -> list[Patch]:
    """All patches, or those with one of the words in their name."""
    found = [read(path) for path in sorted(PATCHES.glob("*.patch"))]
    return [item for item in found if not words or any(word in item.name for word in words)]


def survivors() -> dict[str, str]:
    """What is known to survive: name of a patch, or words of cargo-mutants, and the reason."""
    found: dict[str, str] = {}
    for number, line in enumerate(SURVIVORS.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, reason = line.partition(" | ")
        if not separator or not reason.strip():
            raise PatchError(f"survivors, line {number}: not of the form 'NAME | REASON'")
        if name.strip() in found:
            raise PatchError(f"survivors, line {number}: '{name.strip()}' is there twice")
        found[name.strip()] = reason.strip()
    return found


def apply(patch: Patch, tree: Path, only_check: bool = False) -> None:
    """Apply a patch to a tree, or only look whether it would; raises PatchError in words."""
    command = ["git", "apply", *(["--check"] if only_check else []), str(patch.path)]
    # Without a repository above the tree git takes paths as they are.
    environment = {"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    done = subprocess.run(
        command, check=False, cwd=tree, env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        raise PatchError(
            f"{patch.path.name} does not apply any more: {done.stderr.strip()}\n"
            "The code that it breaks has changed: make the patch anew, or delete it if there is "
            "nothing left to break."
        )


def touched(patch: Patch) -> list[str]:
    """The files that a patch changes."""
    text = patch.path.read_text(encoding="utf-8")
    return sorted(set(re.findall(r"^\+\+\+ b/(\S+)", text, re.MULTILINE)))


def check_scope(patch: Patch) -> None:
    """A patch breaks the driver, and not what is to notice it."""
    files = touched(patch)
    if not files:
        raise PatchError(f"{patch.path.name}: there is no diff in it")
    if strange := [name for name in files if not name.startswith(BROKEN)]:
        raise PatchError(f"{patch.path.name}: breaks something else than the driver: {strange}")
