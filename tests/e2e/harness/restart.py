# SPDX-License-Identifier: GPL-2.0
"""The modem as a remote processor: started and stopped by user space."""

import time
from collections.abc import Sequence

from harness.context import Context
from harness.recovery import BOOT_MS, CHANNELS

# From a crash, or the start of firmware, until its QMI side is there, in seconds: the processor is
# up 0.9 s after a crash, and has power for the modem's data path up to 0.6 s later.
PORT_S = 1.2
STATE = "/sys/class/remoteproc/remoteproc0/state"


def set_state(ctx: Context, state: str) -> None:
    """Start or stop the modem as user space does."""
    ctx.phone.run(f"echo {state} >{STATE}")


def boot(ctx: Context) -> float:
    """Let the started firmware come up. Returns when it opens its channels."""
    done = ctx.modem.events().get("announce", 0)
    ctx.modem.boot(delay_ms=BOOT_MS, channels=list(CHANNELS))
    ctx.wait_until(
        lambda: ctx.modem.events().get("announce", 0) > done,
        "the firmware comes up",
        40,
        0.005,
    )
    return time.monotonic()


def crash(ctx: Context) -> None:
    """The firmware dies, Linux is told, and remoteproc starts it again: it does not boot yet."""
    before = starts(ctx)
    ctx.modem.crash(irq=True)
    ctx.wait_until(lambda: starts(ctx) > before, "remoteproc starts the modem again", 20)


def boot_port_first(ctx: Context, after_s: float, channels: Sequence[int]) -> float:
    """Firmware whose channels are open so many seconds after its QMI side is there.

    Data needs calls. Returns when the channels are open, by the tester's clock.
    """
    time.sleep(PORT_S)
    ctx.modem.gate(True)
    ctx.modem.offer_port()
    ctx.modem.boot(delay_ms=int(after_s * 1000), channels=channels)
    return time.monotonic() + after_s


def starts(ctx: Context) -> int:
    """How often remoteproc has started the modem's processor."""
    return ctx.modem.events().get("mss-start", 0)
