#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Entry of the virtual phone's harness.

tests/env/enter --net tests/e2e/run.py demo     a tour with figures
tests/env/enter --net tests/e2e/run.py test     all scenarios, as KTAP
tests/env/enter --net tests/e2e/run.py campaign those that can be long, at length
tests/env/enter --net tests/e2e/run.py defects  mainline's defects on both drivers, as a table
tests/env/enter --net tests/e2e/run.py kunit    the module's KUnit suites
tests/env/enter --net tests/e2e/run.py shell    a shell in the phone
tests/env/enter --net tests/e2e/run.py list     what the scenarios prove
tests/env/enter       tests/e2e/run.py check    whether the table of defects is up to date
"""

import argparse
import dataclasses
import os
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import defect_run, demo, kunit, paths, scenario, selftest, shell
from harness.campaign import LONG, SHORT, Sizes
from harness.errors import BrokenError, FailedError, MissingError
from harness.runner import Runner

KEEP_RUNS = 8
COMMANDS = ("demo", "test", "campaign", "defects", "kunit", "shell", "list", "check")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; DRIVER and KERNEL in the environment are defaults."""
    parser = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--driver", choices=list(paths.DRIVERS), default=os.environ.get("DRIVER") or None
    )
    parser.add_argument("--kernel", choices=paths.KERNELS, default=os.environ.get("KERNEL") or None)
    parser.add_argument("--jobs", type=int, default=0, help="phones side by side")
    parser.add_argument("-k", dest="pattern", default="", help="only scenarios with one of these")
    parser.add_argument("--repeat", type=int, default=1, help="run each scenario so often")
    parser.add_argument(
        "--reuse", action="append", default=[], help="defects: results that need no new run"
    )
    parser.add_argument(
        "--partial", action="store_true", help="defects: a table though results are missing"
    )
    for size in dataclasses.fields(Sizes):
        parser.add_argument(f"--{size.name}", type=int, help="of a campaign; default %(default)s")
    parser.set_defaults(**dataclasses.asdict(LONG))
    options = parser.parse_args(arguments)
    if options.driver is None and options.command != "defects":
        options.driver = "ours"
    if options.kernel is None:
        # Mainline's driver trips over the debug kernel's checks with its first packet.
        debug = options.command in ("test", "campaign") and options.driver == "ours"
        options.kernel = "debug" if debug else "base"
    if options.jobs <= 0:
        # More phones than processors are hardly sooner done, but late where that matters.
        options.jobs = min(3, os.cpu_count() or 1)
    return options


def new_results(command: str, used: list[str]) -> Path:
    """A directory for this run's logs; old ones go, but for those that are used."""
    paths.RESULTS.mkdir(parents=True, exist_ok=True)
    found = sorted(path for path in paths.RESULTS.iterdir() if path.is_dir())
    old = [path for path in found if path.name not in used]
    for path in old[:-KEEP_RUNS]:
        shutil.rmtree(path, ignore_errors=True)
    results = paths.RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}-{command}-{os.getpid()}"
    results.mkdir()
    return results


def show_list(options: argparse.Namespace) -> bool:
    """All scenarios with what they prove."""
    for item in scenario.select(options.driver, options.pattern):
        numbers = ", ".join(map(str, item.defects))
        known = f" [mainline fails: {numbers}, on {item.mainline_kernel}]" if numbers else ""
        ours = "" if item.mainline else " [ours only]"
        print(f"{item.name}: {item.proves}{ours}{known}")
    return True


def check() -> bool:
    """The table of defects against the scenarios; nothing is run."""
    problems = defect_run.problems()
    for problem in problems:
        print(f"bam-dmux: {problem}", file=sys.stderr)
    return not problems


def main() -> int:
    """Run a command; the exit status tells how it went."""
    options = parse(sys.argv[1:])
    if options.command == "list":
        return 0 if show_list(options) else 1
    if options.command == "check":
        return 0 if check() else 1
    try:
        if options.command == "defects":
            results = new_results(options.command, options.reuse)
            selftest.run(results)
            return 0 if defect_run.run(options, results) else 1
        driver = "ours" if options.command == "kunit" else options.driver
        paths.need_everything(options.kernel, driver, with_modem=options.command != "kunit")
        results = new_results(options.command, options.reuse)
        initrd = paths.initramfs(options.kernel, results / "initramfs.cpio")
        good = run(options, results, initrd)
        initrd.unlink()
        return 0 if good else 1
    except MissingError as error:
        print(f"bam-dmux: {error}", file=sys.stderr)
        return 2
    except (BrokenError, FailedError) as error:
        print(f"bam-dmux: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bam-dmux: interrupted", file=sys.stderr)
        return 130


def run(options: argparse.Namespace, results: Path, initrd: Path) -> bool:
    """The command itself."""
    if options.command == "kunit":
        return kunit.run(options.kernel, results, initrd)
    if options.command == "demo":
        return demo.run(options.kernel, options.driver, results, initrd)
    if options.command == "shell":
        return shell.run(options.kernel, options.driver, results, initrd)
    long = options.command == "campaign"
    sizes = SHORT
    if long:
        sizes = Sizes(
            **{size.name: getattr(options, size.name) for size in dataclasses.fields(Sizes)}
        )
        print(f"# campaign: {sizes}")
    scenarios = scenario.select(options.driver, options.pattern, campaign=long)
    if not scenarios:
        raise MissingError(f"no scenario matches '{options.pattern}': 'run.py list' shows all")
    selftest.run(results)
    runner = Runner(options.kernel, options.driver, results, initrd, sizes)
    return runner.run(scenarios * options.repeat, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
