# SPDX-License-Identifier: GPL-2.0
"""Runs all scenarios that show defects on both drivers, and brings the table up to date."""

import json
import subprocess
import sys
from typing import Any

from harness import defect_table, defects, inventory, paths

DOCUMENT = paths.CHECKOUT / "Documentation/defects.rst"


def problems() -> list[str]:
    """What is wrong with list, scenarios and document; nothing is run for it."""
    scenarios = inventory.load()
    found = defects.misnamed(scenarios) + defects.uncovered(scenarios)
    if not DOCUMENT.exists():
        return [*found, f"there is no {DOCUMENT.name}: run 'make defects'"]
    return found + defect_table.stale(DOCUMENT.read_text(encoding="utf-8"), scenarios)


def run(arguments: list[str]) -> bool:
    """All of them, or those that pytest's arguments choose, on both drivers; then the table.

    True if mainline's driver failed as it should and ours did not. The rows are written in any
    case: they say what came out.
    """
    good, runs = True, []
    for driver, kernel in (("mainline", "auto"), ("ours", "debug")):
        before = set(paths.RESULTS.glob("*/results.json"))
        command = [sys.executable, "-m", "pytest", "-m", "defect", "--driver", driver]
        done = subprocess.run(
            [*command, "--kernel", kernel, *arguments, "scenarios"],
            check=False,
            cwd=inventory.DIRECTORY,
        )
        good = good and done.returncode == 0
        new = sorted(set(paths.RESULTS.glob("*/results.json")) - before)
        runs += [json.loads(file.read_text(encoding="utf-8")) for file in new]
    write(runs)
    return good


def write(runs: list[dict[str, Any]]) -> None:
    """Put the results of these runs into the document."""
    scenarios = [item for item in inventory.load() if item.defects]
    rows = defect_table.read(DOCUMENT.read_text(encoding="utf-8"), scenarios)
    rows = defect_table.update(rows, runs)
    DOCUMENT.write_text(defect_table.render(scenarios, rows), encoding="utf-8")
    print(f"# written: Documentation/{DOCUMENT.name}")
