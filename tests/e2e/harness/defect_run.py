# SPDX-License-Identifier: GPL-2.0
"""Runs all scenarios that show defects on both drivers, and writes the table of the results."""

import argparse
import json
from pathlib import Path
from typing import Any

from harness import defect_table, defects, paths, scenario
from harness.errors import MissingError
from harness.runner import Runner
from harness.scenario import Scenario

DOCUMENT = paths.CHECKOUT / "Documentation/defects.rst"


def problems() -> list[str]:
    """What is wrong with list, scenarios and document; nothing is run for it."""
    scenarios = scenario.load_all()
    found = defects.misnamed(scenarios) + defects.uncovered(scenarios)
    if not DOCUMENT.exists():
        return [*found, f"there is no {DOCUMENT.name}: run 'make defects'"]
    return found + defect_table.stale(DOCUMENT.read_text(encoding="utf-8"), scenarios)


def plan(scenarios: list[Scenario], ours: str) -> dict[tuple[str, str], list[Scenario]]:
    """What runs on which driver and kernel; `ours` is the kernel for ours."""
    runs: dict[tuple[str, str], list[Scenario]] = {
        ("mainline", "base"): [],
        ("ours", ours): scenarios,
    }
    for item in scenarios:
        runs.setdefault(("mainline", item.mainline_kernel), []).append(item)
    return runs


def run(options: argparse.Namespace, results: Path) -> bool:
    """All that have no result in the directories that --reuse names, or those that match -k, on
    both drivers or one of them; then the table. True if all is as it should be."""
    shown = [item for item in scenario.load_all() if item.defects]
    earlier = [run for name in options.reuse for run in read(paths.RESULTS / name)]
    asked = {item.name for item in scenario.select("ours", options.pattern)}
    todo: dict[tuple[str, str], list[Scenario]] = {}
    planned = plan(shown, options.kernel)
    for (driver, kernel), scenarios in planned.items():
        have = {
            result["name"]
            for old in earlier
            if serves(old, driver, kernel)
            for result in old["results"]
            if not result["skipped"]
        }
        todo[driver, kernel] = [
            item
            for item in scenarios
            if options.driver in (None, driver)
            and item.name in asked
            and (options.pattern or item.name not in have)
        ]
    keep(earlier, planned, todo, results)
    if not (earlier or any(todo.values())):
        raise MissingError(f"no scenario with a defect matches '{options.pattern}'")
    good = True
    for (driver, kernel), scenarios in todo.items():
        if scenarios:
            paths.need_everything(kernel, driver)
            again = scenarios * options.repeat
            good = run_one(driver, kernel, again, results, options.jobs) and good
    return write(results, options.partial) and good


def serves(old: dict[str, Any], driver: str, kernel: str) -> bool:
    """Whether the results of an earlier run are as good as some on this kernel: our driver's on the
    debug kernel are, for there is nothing that only the other one sees."""
    return old["driver"] == driver and (
        old["kernel"] == kernel or (driver, old["kernel"]) == ("ours", "debug")
    )


def keep(
    earlier: list[dict[str, Any]],
    planned: dict[tuple[str, str], list[Scenario]],
    todo: dict[tuple[str, str], list[Scenario]],
    results: Path,
) -> None:
    """Put those earlier results to the new ones that are in the plan and not to be done again."""
    for number, old in enumerate(earlier):
        wanted = {
            item.name
            for (driver, kernel), scenarios in planned.items()
            if serves(old, driver, kernel)
            for item in scenarios
            if item not in todo[driver, kernel]
        }
        kept = [result for result in old["results"] if result["name"] in wanted]
        (results / f"earlier-{number}").mkdir()
        text = json.dumps({**old, "results": kept}, indent=1) + "\n"
        (results / f"earlier-{number}" / "results.json").write_text(text, encoding="utf-8")


def run_one(driver: str, kernel: str, scenarios: list[Scenario], results: Path, jobs: int) -> bool:
    """Scenarios on one driver and kernel."""
    part = results / f"{driver}-{kernel}"
    part.mkdir()
    initrd = paths.initramfs(kernel, part / "initramfs.cpio")
    try:
        return Runner(kernel, driver, part, initrd).run(scenarios, jobs)
    finally:
        initrd.unlink()


def read(results: Path) -> list[dict[str, Any]]:
    """The results of the runs in a directory: of one of ours, or of 'run.py test'."""
    files = sorted([*results.glob("results.json"), *results.glob("*/results.json")])
    if not files:
        raise MissingError(f"there are no results in {paths.shown(results)}")
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def write(results: Path, partial: bool) -> bool:
    """The document, if there is a result for each scenario of the table on each driver."""
    runs = read(results)
    scenarios = scenario.load_all()
    expected = {
        (driver, item.name)
        for (driver, _), items in plan(
            [item for item in scenarios if item.defects], "debug"
        ).items()
        for item in items
    }
    there = {(run["driver"], result["name"]) for run in runs for result in run["results"]}
    if missing := sorted(f"{name} ({driver})" for driver, name in expected - there):
        print(f"# there are no results for {', '.join(missing)}")
        print(f"# 'run.py defects --reuse {results.name}' runs what is missing")
        if not partial:
            return False
    release = next((paths.modules("base") / "lib/modules").iterdir()).name
    DOCUMENT.write_text(defect_table.render(scenarios, runs, release), encoding="utf-8")
    print(f"# written: Documentation/{DOCUMENT.name}")
    return not missing
