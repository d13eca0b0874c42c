# SPDX-License-Identifier: GPL-2.0
"""Who owns what, and for how long: interfaces, buffers, mappings."""

import re
import threading
import time

import pytest

from harness import kunit, packets
from harness.allowance import bound_anew
from harness.context import ALL_CHANNELS, Context, far_ip
from harness.errors import check, check_equal
from harness.faults import NEEDS, aimed, injected

MAPPINGS = "/sys/kernel/debug/dma-api/dump"
RX_BUFFERS, RX_BUFFER_SIZE = 32, 2048
# Of mainline's driver, which fails by chance.
ROUNDS = 120
POWER_UPS = 5
# For nobody, so that it is not answered.
STRAY = packets.udp(far_ip(0), "10.64.0.77", 9999, bytes(12))


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.timeout(240)
@pytest.mark.defect(26, symptom="Unable to handle kernel|Oops|KASAN")
def test_power_falls_while_receiving(ctx: Context, up: Context) -> None:
    """Power that falls while received frames are handed on: no buffer is used that is gone.

    At a moment that is another one in each round, with the link not in use by Linux.

    The interface is down: a driver that says so for each frame takes its time over them.
    """
    ctx.set_autosuspend(20)
    ctx.modem.idle(None)
    ctx.phone.run(f"ip link set dev {ctx.name(0)} down")
    for number in range(ctx.sizes.repeats * 6 // 5 if ctx.ours else ROUNDS):
        ctx.wait_given_up()
        ctx.modem.data(channel=0, payload=STRAY, repeat=64)
        time.sleep(number % 10 * 0.0005)
        ctx.modem.power(on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the modem powers down", every=0.005)
        ctx.modem.power(on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the modem powers up", every=0.005)
    ctx.up()
    ctx.works()


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.defect(29, symptom="interfaces after unbind")
@bound_anew(1)
def test_open_while_unbinding(ctx: Context, up: Context) -> None:
    """A modem that opens a channel while the driver is unbound leaves no interface behind.

    It keeps its power, so that unbinding takes a while.
    """
    ctx.modem.idle(None)
    ctx.echo(count=2)
    unbind = threading.Thread(target=ctx.unbind)
    unbind.start()
    ctx.wait_until(lambda: not ctx.modem.status()["vote"], "the driver lets go", every=0.005)
    ctx.modem.open([5])
    unbind.join()
    time.sleep(0.5)
    # Not those of the device: there is no driver that they could be known by.
    left = [name for name in ctx.phone.run("ls /sys/class/net").split() if "wwan" in name]
    check_equal(left, [], "interfaces after unbind")


@pytest.mark.debug
@pytest.mark.needs(kunit.TRACKERS)
@pytest.mark.defect(29, symptom="network devices that were not freed", kernel="debug")
def test_interfaces_freed(ctx: Context, loaded: Context) -> None:
    """Interfaces of a driver that was unbound are freed.

    Of all channels, without a single packet; the kernel lists each device until it is freed.
    """
    before = kunit.devices(ctx.phone)
    ctx.open_modem(ALL_CHANNELS)
    opened = kunit.devices(ctx.phone) - before
    check_equal(len(opened), len(ALL_CHANNELS), "network devices with all channels open")
    ctx.unload()
    # The list is put in order by a work.
    time.sleep(0.5 * ctx.phone.slowness)
    check_equal(len(kunit.devices(ctx.phone) & opened), 0, "network devices that were not freed")


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.debug
@pytest.mark.needs(MAPPINGS)
@pytest.mark.defect(34, symptom="buffers are mapped for", kernel="debug")
def test_mapped_for_the_engine(ctx: Context, loaded: Context) -> None:
    """Receive buffers are mapped for the device that writes to them.

    As the kernel's list of mappings has it, while the modem keeps its power.
    """
    ctx.modem.idle(None)
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


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.full
@pytest.mark.debug
@pytest.mark.needs(NEEDS)
@pytest.mark.defect(25, symptom="not within .* the power-up is acknowledged", kernel="debug")
def test_power_up_without_memory(ctx: Context, loaded: Context) -> None:
    """A power-up for which memory is short is acknowledged when there is some again.

    One allocation of the thread that serves the line fails: the first, then the next one.
    """
    ctx.modem.boot(delay_ms=0, channels=[])
    ctx.wait_until(lambda: ctx.phase() == "off", "the modem lets go after its boot")
    ctx.modem.idle(None)
    for number in range(1, POWER_UPS + 1):
        with aimed(ctx):
            ctx.phone.call("nth_threads", number=number, prefix="irq/")
            ctx.modem.power(on=True)
            ctx.wait_until(lambda: ctx.phase() == "on", "the power-up is acknowledged", 4)
            ctx.phone.call("nth_threads", number=0, prefix="irq/")
            check(injected(ctx) > 0, f"allocation {number} of the power-up did not fail")
        ctx.modem.power(on=False)
        ctx.wait_until(lambda: ctx.phase() == "off", "the power-down is acknowledged")
    ctx.open_modem()
    ctx.up()
    ctx.works()
