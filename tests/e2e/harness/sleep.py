# SPDX-License-Identifier: GPL-2.0
"""System sleep of the phone: falling asleep, being woken, and what the kernel says of it."""

import math
import re
from dataclasses import dataclass

from harness.context import Context
from harness.errors import check

ALARM = "/sys/class/rtc/rtc0/wakealarm"
OUTCOME = "/tmp/sleep-outcome"
# What the kernel says on its way, with pm_debug_messages.
ENTRY = "PM: suspend entry"
ASLEEP = "PM: suspend-to-idle"
AWAKE = "PM: resume from suspend-to-idle"
EXIT = "PM: suspend exit"
# The longest time that falling asleep takes on the base kernel, in seconds.
FALL_S = 1
# How long a phone sleeps that nobody wakes, in seconds: the clock's alarm is the way out.
ALARM_S = 20


@dataclass(frozen=True)
class Slept:
    """How a sleep went."""

    refused: bool
    """The kernel did not sleep: what was written to /sys/power/state was answered by an error."""
    wake_irq: str
    """The interrupt that ended it, as /proc/interrupts names it; empty if there is none."""
    down_s: float
    """From the order to sleep until the kernel slept, in seconds; 0 if it did not."""
    up_s: float
    """From the wake-up until the kernel was done with it, in seconds."""


def prepare(ctx: Context) -> None:
    """Have the kernel say where it is, also when its devices sleep."""
    ctx.phone.run(
        "set -e\necho N >/sys/module/printk/parameters/console_suspend\n"
        "echo 1 >/sys/power/pm_debug_messages"
    )


def order(ctx: Context, state: str = "freeze", alarm: float = ALARM_S, then: str = "") -> int:
    """Tell the phone to sleep and return at once: the position in its log from which to look.

    The clock ends the sleep after `alarm` seconds, if nobody else does. Shell commands of `then`
    run at once when the phone is awake again.
    """
    seconds = math.ceil(alarm + FALL_S * ctx.phone.slowness)
    position = ctx.phone.log_position()
    ctx.phone.run(
        f"echo 0 >{ALARM}; echo +{seconds} >{ALARM}; rm -f {OUTCOME}\n"
        f"(sleep 0.1; echo {state} >/sys/power/state; echo $? >{OUTCOME}.new\n"
        f"{then}\nmv {OUTCOME}.new {OUTCOME}) >/dev/null 2>&1 &"
    )
    return position


def wait_asleep(ctx: Context, position: int) -> None:
    """Wait until the kernel sleeps."""
    ctx.wait_until(
        lambda: ASLEEP in ctx.phone.log(position) or EXIT in ctx.phone.log(position),
        "the phone falls asleep",
        20,
    )
    check(EXIT not in ctx.phone.log(position), "the phone did not fall asleep, or not for long")


def wait_awake(ctx: Context, position: int, timeout: float = ALARM_S + 10) -> Slept:
    """Wait until the kernel is awake again, or was refused its sleep, and say how it went."""
    ctx.wait_until(lambda: EXIT in ctx.phone.log(position), "the phone wakes up", timeout)
    ctx.phone.reconnect()
    ctx.wait_until(lambda: ctx.phone.sh(f"test -e {OUTCOME}")[0] == 0, "user space runs again", 10)
    refused = ctx.phone.run(f"cat {OUTCOME}; echo 0 >{ALARM}").strip() != "0"
    log = ctx.phone.log(position)
    slept = Slept(
        refused=refused,
        wake_irq="" if refused else wake_irq(ctx),
        down_s=between(log, ENTRY, ASLEEP),
        up_s=between(log, AWAKE, EXIT),
    )
    ctx.note(f"SLEEP {slept}")
    return slept


def wake_irq(ctx: Context) -> str:
    """The name of the interrupt that ended the last sleep."""
    code, number = ctx.phone.sh("cat /sys/power/pm_wakeup_irq")
    if code != 0:
        return ""
    return ctx.phone.run(f"sed -n 's/^ *{int(number)}:.* //p' /proc/interrupts").strip()


def between(log: str, first: str, last: str) -> float:
    """Seconds of the kernel's clock between two of its messages; 0 if one of them is missing."""
    times = []
    for message in (first, last):
        found = re.search(rf"\[ *(\d+\.\d+)\].*{re.escape(message)}", log)
        if not found:
            return 0.0
        times.append(float(found[1]))
    return times[1] - times[0]


def sleep(ctx: Context, seconds: float = 1.0, state: str = "freeze") -> Slept:
    """A sleep that the clock ends."""
    position = order(ctx, state, alarm=seconds)
    return wait_awake(ctx, position)
