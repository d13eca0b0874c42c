# SPDX-License-Identifier: GPL-2.0
"""What is asked of the driver after every scenario, whatever the scenario was about."""

import time

from harness import mmlog
from harness.context import Context
from harness.errors import FailedError, check, check_equal
from harness.phone import Phone

# kmemleak takes an object for leaked only if it is older than this, in seconds.
KMEMLEAK_AGE = 5.5


def userspace(ctx: Context, expected: tuple[tuple[str, str], ...] = ()) -> None:
    """End ModemManager and the like, if the scenario used them; each complaint needs a reason."""
    if not ctx.userspace.started:
        return
    try:
        log = ctx.userspace.modemmanager_log()
    finally:
        ctx.userspace.stop()
    if not log:
        return
    ctx.log.with_suffix(".modemmanager.log").write_text(log, encoding="utf-8")
    ctx.note("ModemManager, in short:\n    " + "\n    ".join(mmlog.notable(log)))
    strange = mmlog.unexplained(log, expected)
    check(not strange, "ModemManager complains:\n    " + "\n    ".join(strange))


def tidy(ctx: Context) -> None:
    """Remove the driver; nothing of it may be left, in bounded time."""
    phone = ctx.phone
    seconds = ctx.unload(40)
    ctx.note(f"rmmod took {seconds:.1f} s")
    left = ctx.interfaces()
    check(not left, f"interfaces are left after rmmod: {left}")
    check_equal(phone.call("module", name=ctx.module), None, "module after rmmod")
    device = ctx.device()
    check(device is not None, "the platform device bam-dmux is gone")
    check_equal(device["driver"], None, "driver bound after rmmod")
    # Whoever takes a runtime PM reference has to put it: the core keeps the count.
    check_equal(device["runtime_usage"] or "0", "0", "runtime PM references left after rmmod")


def acks(ctx: Context) -> None:
    """Asked before the driver goes: afterwards nobody acks any more."""
    _no_faults(ctx.modem.faults(ctx.allowed))


def modem_faults(ctx: Context) -> None:
    """The driver must not have made the device do what hurts a real phone."""
    _no_faults(ctx.modem.faults((*ctx.allowed, "ap_ack_timeout")))


def _no_faults(faults: dict[str, int]) -> None:
    check(not faults, f"the modem saw what must not happen: {faults}")


def kernel_log(phone: Phone, start: int, known: tuple[str, ...] = ()) -> None:
    """No report of the kernel's own checks in the log, but for warnings with a known pattern."""
    if report := phone.splats(start, known):
        raise FailedError(f"the kernel's log has a fault report:\n{report}")


def kmemleak(phone: Phone) -> str | None:
    """Scan twice for leaked memory; returns the report, or None (also without kmemleak)."""
    path = "/sys/kernel/debug/kmemleak"
    if phone.sh(f"test -e {path}")[0] != 0:
        return None
    for _ in range(2):
        time.sleep(KMEMLEAK_AGE)
        phone.run(f"echo scan >{path}", 120)
    return phone.run(f"cat {path}", 120).strip() or None


def forget_leaks(phone: Phone) -> None:
    """What leaked before the driver was first loaded is not its fault."""
    phone.sh("echo clear >/sys/kernel/debug/kmemleak", 60)
