# SPDX-License-Identifier: GPL-2.0
"""KUnit suites of our module: inserted in a phone without a modem, read by the kernel's parser."""

import re
import subprocess
import sys
import time
from pathlib import Path

from harness import paths, splat
from harness.errors import FailedError
from harness.judge import forget_leaks, kmemleak
from harness.phone import Phone

# The kernel's list of what is counted by reference and lives.
TRACKERS = "/sys/kernel/debug/ref_tracker"
PREFIX = re.compile(r"^(\[\s*\d+\.\d+\](\[[^\]]*\])? ?)?", re.MULTILINE)


def cut(log: str) -> str:
    """The KTAP of a module's suites out of a kernel log."""
    text = PREFIX.sub("", log)
    begin = text.find("KTAP version 1")
    return text[begin:] if begin >= 0 else ""


def run(kernel: str, results: Path, initrd: Path) -> bool:
    """Boot, insert the module, judge. True if suites ran, all passed, and did no harm."""
    began = time.monotonic()
    phone = Phone(
        results / "phone-kunit", initrd, kernel, modem_arguments=None, append="kunit.enable=1"
    )
    try:
        phone.wait_ready()
        forget_leaks(phone)
        before = devices(phone)
        start = phone.mark_log()
        phone.run(f"insmod /modules/{paths.DRIVERS['ours']}.ko", 60)
        phone.run(f"rmmod {paths.DRIVERS['ours']}", 30)
        end = phone.mark_log()
        leaks = look_for_leaks(phone, before)
        whole = phone.log(0, phone.mark_log())
    finally:
        phone.close()
    print(f"# booted and ran in {time.monotonic() - began:.1f} s on the {kernel} kernel")
    good = judge(phone.log(start, end), results / "kunit.ktap")
    # Of the boot as well, and of what was freed when the suites had ended.
    faults = [f"fault report in the kernel's log: {line}" for line in splat.find(whole)]
    for fault in faults + leaks:
        print(f"not ok: {fault}")
    return good and not faults + leaks


def devices(phone: Phone) -> set[str]:
    """The network devices that are not freed; only the debug kernel lists them."""
    listed = phone.sh(f"ls {TRACKERS}")[1].split() if phone.kernel == "debug" else []
    return {name for name in listed if "netdev@" in name}


def look_for_leaks(phone: Phone, before: set[str]) -> list[str]:
    """What the suites have left, on the debug kernel: memory, and network devices.

    These are in a list of the kernel's own, so that they are no leak for kmemleak.
    """
    if phone.kernel != "debug":
        return []
    found = []
    try:
        kmemleak(phone)
    except FailedError as error:
        found.append(f"kmemleak: {error}")
    # The list is put in order by a work: by now that has had its time.
    if left := devices(phone) - before:
        found.append(f"network devices that were not freed: {len(left)}")
    return found


def judge(log: str, file: Path) -> bool:
    """Print the kernel's reading of the KTAP; false unless tests ran and all passed."""
    ktap = cut(log)
    file.write_text(ktap or log, encoding="utf-8")
    if not ktap:
        print("not ok: the module printed no KTAP: was the kernel booted with kunit.enable=1?")
        return False
    parser = [sys.executable, str(paths.kunit_parser()), "parse", str(file)]
    done = subprocess.run(parser, check=False, capture_output=True, text=True, timeout=60)
    print(done.stdout.strip())
    passed = re.search(r"Ran (\d+) tests: passed: (\d+)", done.stdout)
    if done.returncode != 0 or not passed or int(passed[2]) == 0:
        print(done.stderr.strip())
        print(f"not ok: KUnit (log: {paths.shown(file)})")
        return False
    return True
