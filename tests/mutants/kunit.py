#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs one KUnit case of the module that is staged, in a phone without a modem.

tests/mutants/kunit.py KERNEL SUITE.CASE

Ends with 0 if it passed, with 1 if it failed or the kernel reports a fault, and with 2 if it did
not run.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import kunit, paths, splat
from harness.errors import BrokenError, FailedError
from harness.judge import forget_leaks
from harness.phone import Phone

PASSED, FAILED, NOT_RUN = range(3)


def run(kernel: str, name: str) -> int:
    """Boot a phone, insert the module, read what it says of the case."""
    suite, _, case = name.partition(".")
    with tempfile.TemporaryDirectory() as directory:
        initrd = paths.initramfs(kernel, Path(directory) / "initramfs.cpio")
        phone = Phone(
            Path(directory) / "phone",
            initrd,
            kernel,
            modem_arguments=None,
            append=f"kunit.enable=1 kunit.filter_glob={suite}.{case}",
        )
        try:
            phone.wait_ready()
            forget_leaks(phone)
            before = kunit.devices(phone)
            start = phone.mark_log()
            try:
                return judge(phone, case, start, before)
            except (BrokenError, FailedError) as error:
                print(f"not ok {name}: {error}\n{phone.log(start)[-4000:]}")
                return FAILED
        finally:
            phone.close()


def judge(phone: Phone, case: str, start: int, before: set[str]) -> int:
    """What comes of the case. A phone that breaks here was broken by it."""
    module = paths.DRIVERS["ours"]
    phone.run(f"insmod /modules/{module}.ko", 60)
    phone.run(f"rmmod {module}", 30)
    end = phone.mark_log()
    leaks = kunit.look_for_leaks(phone, before)
    log = phone.log(start, end)
    found = re.search(rf"\b(not )?ok \d+ {case}\b(?! # SKIP)", log)
    if not found:
        print(f"{case} did not run:\n{kunit.cut(log) or log}")
        return NOT_RUN
    faults = splat.find(phone.log(0, phone.mark_log())) + leaks
    if not found[1] and not faults:
        return PASSED
    print("\n".join([kunit.cut(log)[-4000:], *faults[:20]]))
    return FAILED


if __name__ == "__main__":
    try:
        sys.exit(run(*sys.argv[1:]))
    except Exception as error:  # whatever it is, it says nothing of the case
        print(f"{type(error).__name__}: {error}")
        sys.exit(NOT_RUN)
