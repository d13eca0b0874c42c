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


def plan(scenarios: list[Scenario]) -> dict[tuple[str, str], list[Scenario]]:
    """What runs on which driver and kernel."""
    runs: dict[tuple[str, str], list[Scenario]] = {
        ("mainline", "base"): [],
        ("ours", "debug"): scenarios,
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
    for number, ((driver, kernel), scenarios) in enumerate(plan(shown).items()):
        old = [
            result
            for run in earlier
            if (run["driver"], run["kernel"]) == (driver, kernel)
            for result in run["results"]
        ]
        have = {result["name"] for result in old}
        again = {
            item.name
            for item in scenarios
            if options.driver in (None, driver)
            and item.name in asked
            and (options.pattern or item.name not in have)
        }
        todo[driver, kernel] = [item for item in scenarios if item.name in again]
        wanted = {item.name for item in scenarios} - again
        keep(results / f"earlier-{number}", driver, kernel, [r for r in old if r["name"] in wanted])
    if not (earlier or any(todo.values())):
        raise MissingError(f"no scenario with a defect matches '{options.pattern}'")
    good = True
    for (driver, kernel), scenarios in todo.items():
        if scenarios:
            paths.need_everything(kernel, driver)
            again = scenarios * options.repeat
            good = run_one(driver, kernel, again, results, options.jobs) and good
    return write(results, options.partial) and good


def keep(directory: Path, driver: str, kernel: str, results: list[dict[str, Any]]) -> None:
    """Results of an earlier run, as if they were of this one."""
    directory.mkdir()
    text = json.dumps({"driver": driver, "kernel": kernel, "results": results}, indent=1)
    (directory / "results.json").write_text(text + "\n", encoding="utf-8")


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
        for (driver, _), items in plan([item for item in scenarios if item.defects]).items()
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
