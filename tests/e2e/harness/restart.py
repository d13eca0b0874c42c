# SPDX-License-Identifier: GPL-2.0
"""The modem as a remote processor: started and stopped by user space."""

import time

from harness.context import Context
from harness.recovery import BOOT_MS, CHANNELS

STATE = "/sys/class/remoteproc/remoteproc0/state"


def set_state(ctx: Context, state: str) -> None:
    """Start or stop the modem as user space does."""
    ctx.phone.run(f"echo {state} >{STATE}")


def boot(ctx: Context) -> float:
    """Let the started firmware come up. Returns when it opens its channels."""
    done = ctx.modem.call("events").get("announce", 0)
    ctx.modem.call("boot", delay_ms=BOOT_MS, channels=list(CHANNELS))
    ctx.wait_until(
        lambda: ctx.modem.call("events").get("announce", 0) > done,
        "the firmware comes up",
        40,
        0.005,
    )
    return time.monotonic()


def starts(ctx: Context) -> int:
    """How often remoteproc has started the modem's processor."""
    return ctx.modem.call("events").get("mss-start", 0)
