# SPDX-License-Identifier: GPL-2.0
"""What is asked of the driver after every scenario, whatever the scenario was about."""

import re
import time

from harness import mmlog
from harness.context import Context
from harness.errors import BrokenError, FailedError, check, check_equal
from harness.phone import Phone

# kmemleak takes an object for leaked only if it is older than this, in seconds.
KMEMLEAK_AGE = 5.5
KMEMLEAK = "/sys/kernel/debug/kmemleak"
LOCKDEP = "/proc/lockdep_stats"
# The mappings of all devices, a line each, which begins with the device's driver and name.
MAPPINGS = "/sys/kernel/debug/dma-api/dump"
ENGINE = "bam-dma-engine"


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
    if ctx.ours and phone.kernel == "debug":
        nothing_mapped(phone)


def nothing_mapped(phone: Phone) -> None:
    """No buffer may be mapped without the driver.

    The kernel itself looks for that when a device loses its driver, and the device for which our
    buffers are mapped, the BAM, keeps its own for ever. What is put aside for a modem that is dead
    while the driver is unbound holds the module.
    """
    engines = f"ls -d /sys/bus/platform/drivers/{ENGINE}/*/of_node"
    check(phone.sh(engines)[0] == 0, f"there is no device with the driver {ENGINE}")
    left = phone.run(f"grep '^{ENGINE} ' {MAPPINGS} || test $? = 1", 60)
    check(not left, f"DMA mappings are left after rmmod:\n{left[:2000]}")


def acks(ctx: Context) -> None:
    """Asked before the driver goes: afterwards nobody acks any more."""
    _no_faults(ctx.modem.faults(ctx.allowed))


def modem_faults(ctx: Context) -> None:
    """The driver must not have made the device do what hurts a real phone."""
    _no_faults(ctx.modem.faults((*ctx.allowed, "ap_ack_timeout")))


def _no_faults(faults: dict[str, int]) -> None:
    check(not faults, f"the modem saw what must not happen: {faults}")


def kernel_log(
    phone: Phone, start: int, known: tuple[str, ...] = (), end: int | None = None
) -> None:
    """No report of the kernel's own checks in the log, but for warnings with a known pattern."""
    if report := phone.splats(start, known, end):
        raise FailedError(f"the kernel's log has a fault report:\n{report}")


def new_log(phone: Phone, known: tuple[str, ...] = ()) -> None:
    """The same for all that the kernel has said since this was last asked, or since it booted."""
    start, broken = phone.judged, None
    try:
        phone.judged = phone.mark_log()
    except (BrokenError, FailedError) as error:
        phone.judged, broken = phone.log_position(), error
    kernel_log(phone, start, known, phone.judged)
    if broken:
        raise broken


def lockdep(phone: Phone) -> None:
    """The kernel still watches its locks: it stops at the first report, and when it is out of room.

    What came after that was not looked at.
    """
    stats = phone.run(f"cat {LOCKDEP}", 60)
    check(re.search(r"debug_locks: +1$", stats, re.MULTILINE), "lockdep has switched itself off")


def kmemleak(phone: Phone) -> None:
    """Two scans find no leaked memory."""
    for _ in range(2):
        time.sleep(KMEMLEAK_AGE)
        phone.run(f"echo scan >{KMEMLEAK}", 120)
    if leaks := phone.run(f"cat {KMEMLEAK}", 120).strip():
        raise FailedError(leaks)


def forget_leaks(phone: Phone) -> None:
    """What leaked before the driver was first loaded is not its fault."""
    phone.sh(f"echo clear >{KMEMLEAK}", 60)
