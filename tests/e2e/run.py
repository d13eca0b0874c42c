#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What is done with the virtual phone besides tests; those are pytest's (see README.md).

tests/env/enter --net tests/e2e/run.py demo      a tour with figures
tests/env/enter --net tests/e2e/run.py kunit     the module's KUnit suites
tests/env/enter --net tests/e2e/run.py shell     a shell in the phone
tests/env/enter       tests/e2e/run.py attach D  a shell in a phone that 'pytest --keep' keeps in D
tests/env/enter --net tests/e2e/run.py defects   mainline's defects on both drivers, as a table;
                                                 what follows goes to pytest
tests/env/enter       tests/e2e/run.py check     whether that table is up to date
tests/env/enter       tests/e2e/run.py list      what the scenarios prove
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import defect_run, demo, hold, inventory, kind, kunit, paths, results, shell
from harness.errors import BrokenError, FailedError, MissingError

COMMANDS = ("demo", "kunit", "shell", "attach", "defects", "check", "list")


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command line; DRIVER and KERNEL in the environment are defaults."""
    parser = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--driver", choices=list(paths.DRIVERS), default=os.environ.get("DRIVER") or "ours"
    )
    parser.add_argument(
        "--kernel", choices=kind.KERNELS, default=os.environ.get("KERNEL") or "base"
    )
    return parser.parse_known_args(arguments)


def show_list() -> bool:
    """All scenarios with what they prove."""
    for item in sorted(inventory.load(), key=lambda item: item.name):
        numbers = ", ".join(map(str, item.defects))
        known = f" [mainline fails: {numbers}, on {item.mainline_kernel}]" if numbers else ""
        finding = f" [fails: {item.finding}]" if item.finding else ""
        ours = "" if item.mainline else " [ours only]"
        print(f"{item.name}: {item.proves}{ours}{known}{finding}")
    return True


def check() -> bool:
    """The table of defects against the scenarios; nothing is run."""
    problems = defect_run.problems()
    for problem in problems:
        print(f"bam-dmux: {problem}", file=sys.stderr)
    return not problems


def with_phone(options: argparse.Namespace) -> bool:
    """The commands that boot one."""
    paths.need_everything(options.kernel, options.driver, with_modem=options.command != "kunit")
    directory, lock = results.new(options.command)
    with lock:
        initrd = paths.initramfs(options.kernel, directory / "initramfs.cpio")
        try:
            if options.command == "kunit":
                return kunit.run(options.kernel, directory, initrd)
            tour = {"demo": demo.run, "shell": shell.run}[options.command]
            return tour(options.kernel, options.driver, directory, initrd)
        finally:
            initrd.unlink()


def run(options: argparse.Namespace, further: list[str]) -> bool:
    """The command itself."""
    if options.command == "defects":
        return defect_run.run(further)
    if options.command == "attach":
        if len(further) != 1:
            raise MissingError("attach: which phone? Give the directory that 'pytest --keep' named")
        return hold.attach(Path(further[0]))
    if further:
        raise MissingError(f"{options.command}: what is {' '.join(further)}?")
    if options.command == "list":
        return show_list()
    if options.command == "check":
        return check()
    if options.command == "kunit":
        options.driver = "ours"
    return with_phone(options)


def main() -> int:
    """Run a command; the exit status tells how it went."""
    options, further = parse(sys.argv[1:])
    try:
        return 0 if run(options, further) else 1
    except MissingError as error:
        print(f"bam-dmux: {error}", file=sys.stderr)
        return 2
    except (BrokenError, FailedError) as error:
        print(f"bam-dmux: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bam-dmux: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
