# SPDX-License-Identifier: GPL-2.0
"""Who owns what, and for how long: interfaces, buffers, mappings."""

import re
import threading
import time

from harness import packets
from harness.context import ALL_CHANNELS, Context, far_ip
from harness.errors import check, check_equal
from harness.faults import NEEDS, aimed, injected
from harness.scenario import scenario

BIND = "/sys/bus/platform/drivers/bam-dmux"
TRACKERS = "/sys/kernel/debug/ref_tracker"
MAPPINGS = "/sys/kernel/debug/dma-api/dump"
RX_BUFFERS, RX_BUFFER_SIZE = 32, 2048
ROUNDS = 120
POWER_UPS = 5
# For nobody, so that it is not answered.
STRAY = packets.udp(far_ip(0), "10.64.0.77", 9999, bytes(12))


@scenario(
    "power that falls while received frames are handed on: no buffer is used that is gone",
    cost=60,
    timeout=240,
    defects=(26,),
    symptom="Unable to handle kernel|Oops|KASAN",
)
def power_falls_while_receiving(ctx: Context) -> None:
    """At a moment that is another one in each round, with the link not in use by Linux.

    The interface is down: a driver that says so for each frame takes its time over them.
    """
    ctx.set_autosuspend(20)
    ctx.modem.call("idle", ms=None)
    ctx.phone.run(f"ip link set dev {ctx.name(0)} down")
    for number in range(ROUNDS):
        ctx.wait_given_up()
        ctx.modem.call("data", channel=0, hex=STRAY.hex(), repeat=64)
        time.sleep(number % 10 * 0.0005)
        ctx.modem.call("power", on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down", every=0.005)
        ctx.modem.call("power", on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up", every=0.005)
    ctx.up()
    ctx.works()


@scenario(
    "a modem that opens a channel while the driver is unbound leaves no interface behind",
    cost=15,
    defects=(29,),
    symptom="interfaces after unbind",
    allowed=("ap_ack_timeout",),  # while no driver is bound
)
def open_while_unbinding(ctx: Context) -> None:
    """It keeps its power, so that unbinding takes a while."""
    ctx.modem.call("idle", ms=None)
    ctx.echo(count=2)
    name = ctx.device()["name"]
    unbind = threading.Thread(target=lambda: ctx.phone.run(f"echo {name} >{BIND}/unbind"))
    unbind.start()
    ctx.wait_until(lambda: not ctx.modem.status()["vote"], "the driver lets go", every=0.005)
    ctx.modem.call("open", channels=[5])
    unbind.join()
    time.sleep(0.5)
    # Not those of the device: there is no driver that they could be known by.
    left = [name for name in ctx.phone.run("ls /sys/class/net").split() if "wwan" in name]
    check_equal(left, [], "interfaces after unbind")


@scenario(
    "interfaces of a driver that was unbound are freed",
    setup="loaded",
    cost=15,
    defects=(29,),
    symptom="network devices that were not freed",
    mainline_kernel="debug",
    needs=TRACKERS,
)
def interfaces_freed(ctx: Context) -> None:
    """Of all channels, without a single packet; the kernel lists each device until it is freed."""

    def devices() -> set[str]:
        return {name for name in ctx.phone.run(f"ls {TRACKERS}").split() if "netdev@" in name}

    before = devices()
    ctx.open_modem(ALL_CHANNELS)
    opened = devices() - before
    check_equal(len(opened), len(ALL_CHANNELS), "network devices with all channels open")
    ctx.unload()
    # The list is put in order by a work.
    time.sleep(0.5 * ctx.phone.slowness)
    check_equal(len(devices() & opened), 0, "network devices that were not freed")


@scenario(
    "receive buffers are mapped for the device that writes to them",
    setup="loaded",
    defects=(34,),
    symptom="buffers are mapped for",
    mainline_kernel="debug",
    needs=MAPPINGS,
)
def mapped_for_the_engine(ctx: Context) -> None:
    """As the kernel's list of mappings has it, while the modem keeps its power."""
    ctx.modem.call("idle", ms=None)
    ctx.open_modem()
    dump = ctx.phone.run(f"cat {MAPPINGS}", 60)
    lines = [line for line in dump.splitlines() if f"L={RX_BUFFER_SIZE:x} " in line]
    check(len(lines) >= RX_BUFFERS, f"only {len(lines)} buffers are mapped:\n{dump[:2000]}")
    owners = sorted({re.split(r" (?:single|phy|sg|coherent|resource) ", line)[0] for line in lines})
    ctx.note(f"{len(lines)} buffers, mapped for: {owners}")
    client = ctx.device()["name"]
    check(
        not any(client in owner for owner in owners),
        f"buffers are mapped for {owners}, of which {client} does no DMA",
    )


@scenario(
    "a power-up for which memory is short is acknowledged when there is some again",
    setup="loaded",
    cost=30,
    defects=(25,),
    symptom="not within .* the power-up is acknowledged",
    mainline_kernel="debug",
    needs=NEEDS,
)
def power_up_without_memory(ctx: Context) -> None:
    """One allocation of the thread that serves the line fails: the first, then the next one."""
    ctx.modem.call("boot", delay_ms=0, channels=[])
    ctx.wait_until(lambda: ctx.phase() == "off", "the modem lets go after its boot")
    ctx.modem.call("idle", ms=None)
    for number in range(1, POWER_UPS + 1):
        with aimed(ctx):
            ctx.phone.call("nth_threads", number=number, prefix="irq/")
            ctx.modem.call("power", on=True)
            ctx.wait_until(lambda: ctx.phase() == "on", "the power-up is acknowledged", 4)
            ctx.phone.call("nth_threads", number=0, prefix="irq/")
            check(injected(ctx) > 0, f"allocation {number} of the power-up did not fail")
        ctx.modem.call("power", on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the power-down is acknowledged")
    ctx.open_modem()
    ctx.up()
    ctx.works()
