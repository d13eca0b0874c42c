# SPDX-License-Identifier: GPL-2.0
"""The lines between Linux and the modem: what is believed of them, and when."""

import time

import pytest

from harness.allowance import bound_anew
from harness.context import BUS, Context
from harness.errors import check_equal
from harness.load import Load

# Microseconds from the driver's subscription to the modem raising its power line.
DELAYS_US = (0, 30, 80, 150)


# The modem is quick, or it would meet no probe.
@pytest.mark.profile("instant")
@pytest.mark.defect(
    23,
    symptom=r"Connection timed out|not within [\d.]+ s: the interfaces of the channels",
    kernel="debug",
)
@bound_anew(len(DELAYS_US))
def test_late_edge(ctx: Context, loaded: Context) -> None:
    """An interrupt of the power line that is served after its level was read changes nothing.

    The level rises during the probe, which nothing interrupts: its edge is heard at the end.
    """
    name = ctx.device()["name"]
    for delay in DELAYS_US:
        ctx.unbind()
        ctx.fresh_modem()
        ctx.modem.boot(on_subscribe_us=delay, channels=[0])
        ctx.phone.call("urgent_write", path=f"{BUS}/bind", text=name, longest=3)
        ctx.wait_interfaces({0})
        ctx.up()
        ctx.works()
        ctx.set_autosuspend(50)
        ctx.wait_suspended()
        ctx.works()
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.defect(35, symptom="not within .* the load gets replies|NULL pointer dereference")
def test_wake_meets_fall(ctx: Context, up: Context) -> None:
    """A wake-up that meets power which is about to fall gets the link when it is back.

    The modem acknowledges the vote while its line still stands high, and lowers it then.
    """
    ctx.modem.idle(None)
    for _ in range(3):
        ctx.works()
        ctx.set_autosuspend(50)
        ctx.wait_given_up()
        check_equal(ctx.phase(), "on", "the modem's power after Linux has let go")
        # From here on Linux does not let go any more.
        ctx.set_autosuspend(5000)
        falls = ctx.modem.events().get("pc-down", 0)
        load = Load(ctx, size=100, window=1, patience=0.02)
        ctx.wait_until(
            lambda: ctx.device()["runtime_status"] == "active", "the wake-up is done", every=0.001
        )
        ctx.modem.power(on=False)
        ctx.modem.wait("pc-down", count=falls + 1, timeout_ms=5000)
        time.sleep(0.1 * ctx.phone.slowness)
        ctx.modem.power(on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up")
        load.wait_received()
        load.stop()
