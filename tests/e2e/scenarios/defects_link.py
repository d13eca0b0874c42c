# SPDX-License-Identifier: GPL-2.0
"""The lines between Linux and the modem: what is believed of them, and when."""

import time

from harness.context import Context, far_ip
from harness.errors import check_equal
from harness.scenario import scenario

BIND = "/sys/bus/platform/drivers/bam-dmux"
# Microseconds from the driver's subscription to the modem raising its power line.
DELAYS_US = (0, 30, 80, 150)


@scenario(
    "an interrupt of the power line that is served after its level was read changes nothing",
    setup="loaded",
    cost=30,
    defects=(23,),
    symptom=r"Connection timed out|not within \d+ s: the interfaces of the channels",
    mainline_kernel="debug",
    allowed=("ap_ack_timeout",),  # while no driver is bound
)
def late_edge(ctx: Context) -> None:
    """The level rises during the probe, which nothing interrupts: its edge is heard at the end."""
    name = ctx.device()["name"]
    for delay in DELAYS_US:
        ctx.phone.run(f"echo {name} >{BIND}/unbind")
        ctx.fresh_modem()
        ctx.modem.call("boot", on_subscribe_us=delay, channels=[0])
        ctx.phone.call("urgent_write", path=f"{BIND}/bind", text=name, longest=3)
        ctx.wait_interfaces({0})
        ctx.up()
        ctx.works()
        ctx.set_autosuspend(50)
        ctx.wait_suspended()
        ctx.works()
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")


@scenario(
    "a wake-up that meets power which is about to fall gets the link when it is back",
    cost=15,
    defects=(35,),
    symptom="not within .* the load gets replies|NULL pointer dereference",
)
def wake_meets_fall(ctx: Context) -> None:
    """The modem acknowledges the vote while its line still stands high, and lowers it then."""
    ctx.modem.call("idle", ms=None)
    for _ in range(3):
        ctx.works()
        ctx.set_autosuspend(50)
        ctx.wait_given_up()
        check_equal(ctx.phase(), "on", "the modem's power after Linux has let go")
        # From here on Linux does not let go any more.
        ctx.set_autosuspend(5000)
        falls = ctx.modem.call("events").get("pc-down", 0)
        ctx.phone.call("load_start", name="w", host=far_ip(0), size=100, window=1, patience=0.02)
        ctx.wait_until(
            lambda: ctx.device()["runtime_status"] == "active", "the wake-up is done", every=0.001
        )
        ctx.modem.call("power", on=False)
        ctx.modem.call("wait", event="pc-down", count=falls + 1, timeout_ms=5000)
        time.sleep(0.1 * ctx.phone.slowness)
        ctx.modem.call("power", on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up")
        before = ctx.phone.call("load_status", name="w")["received"]
        ctx.wait_until(
            lambda before=before: ctx.phone.call("load_status", name="w")["received"] > before,
            "the load gets replies",
        )
        load = ctx.phone.call("load_stop", name="w")
        check_equal(load["bad"], 0, "datagrams with wrong content")
