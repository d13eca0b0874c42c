# SPDX-License-Identifier: GPL-2.0
"""What is asked of the driver after every scenario, whatever the scenario was about."""

import re
import statistics
import time

from harness import allowance, defects, mmlog
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
    if ctx.ours and not ctx.modem.harm():
        check_equal(ctx.modem.status()["vote"], False, "the vote of a driver that is gone")
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


# Counters of our driver that stay 0 in normal life: a frame or a wake-up that was lost, or a
# suspicion against the modem. src/stats.rs has their meanings.
QUIET = (
    "rx_bad_magic",
    "rx_bad_command",
    "rx_bad_channel",
    "rx_bad_length",
    "rx_refill_failed",
    "rx_unreported",
    "rx_overrun",
    "tx_lost",
    "tx_wake_dropped",
    "tx_no_memory",
    "tx_timeouts",
    "wakes_failed",
    "modem_losses",
    "tx_stalls",
    "rx_silences",
)
# Longest time that Linux takes to connect, or to send its first frame, once the modem has done its
# part, in seconds on the base kernel: it takes 2 ms, and a driver that looks at the lines every
# 100 ms instead of hearing of them takes 100. Half of the wake-ups at least must keep to it.
WAKE_BOUND_S = 0.05
# So many wake-ups make a judgement: one alone may have had nothing to send.
WAKES = 3


def driver(ctx: Context) -> None:
    """Asked before the driver goes: with a modem that is well it lost and suspected nothing.

    What it counts of a modem that was made to do wrong is for the scenario to judge; it stands in
    the results.
    """
    if not ctx.ours:
        return
    counters = ctx.driver_counters()
    if not counters:
        # Never bound, or bound and unbound by hand: what it counted is gone.
        return
    missing = [name for name in QUIET if name not in counters]
    check(not missing, f"the driver does not count {missing}: is it of another version?")
    if ctx.modem.harm():
        for name in QUIET:
            if counters[name]:
                ctx.figure(name, counters[name])
        return
    found = allowance.beyond({**ctx.modem.counters(), **counters}, QUIET, ctx.allowances)
    check(not found, f"the driver counted what it must not: {found}")


def wakes(ctx: Context) -> None:
    """Linux wakes up in no time: a late interrupt must not hide behind a poll or a retry.

    Asked of a modem that was well all the time: after another the driver may rightly wait.
    """
    if ctx.modem.harm():
        return
    done = ctx.modem.wakes()
    for name in ("connect_us", "frame_us"):
        times = [wake[name] / 1e6 for wake in done if wake[name] is not None]
        if len(times) < WAKES:
            continue
        median, bound = statistics.median(times), WAKE_BOUND_S * ctx.phone.slowness
        ctx.figure(f"wake_{name.removesuffix('_us')}_ms", round(median * 1e3, 2))
        check(
            median < bound,
            f"half of {len(times)} wake-ups took Linux longer than {median * 1e3:.1f} ms "
            f"({name}, bound {bound * 1e3:.0f} ms)",
        )


def acks(ctx: Context) -> None:
    """Asked before the driver goes: afterwards nobody acks any more."""
    _no_faults(ctx.faults())


def modem_faults(ctx: Context) -> None:
    """The driver must not have made the device do what hurts a real phone."""
    faults = ctx.faults()
    # Judged by acks(), while there was still somebody to ack.
    faults.pop("ap_ack_timeout", None)
    _no_faults(faults)


def _no_faults(faults: dict[str, str]) -> None:
    check(not faults, f"the modem saw what must not happen: {faults}")


def known_splats(driver: str, about: tuple[int, ...] = ()) -> tuple[str, ...]:
    """Fault reports that mainline's driver makes in whatever it is used for, but for the defects
    that a scenario is about."""
    if driver != "mainline":
        return ()
    return tuple(pattern for number, pattern in defects.SPLATS.items() if number not in about)


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
