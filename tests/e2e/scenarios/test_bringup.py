# SPDX-License-Identifier: GPL-2.0
"""From nothing to an interface, in whatever order modem and driver appear."""

import time

import pytest

from harness.context import (
    ALL_CHANNELS,
    Context,
    far_ip,
    far_ip6,
    guest_ip,
    guest_ip6,
)
from harness.errors import check, check_equal

ARPHRD_RAWIP = 519
IFF_NOARP, IFF_POINTOPOINT = 0x80, 0x10
IFF_BROADCAST, IFF_MULTICAST = 0x2, 0x1000
NET_NAME_ENUM = 1
NET_ADDR_RANDOM = 1
# Microseconds from the driver's subscription to the modem raising its power line.
RACE_DELAYS_US = (0, 20, 50, 80, 120, 170, 230, 300)


def test_contract(ctx: Context) -> None:
    """Interfaces look as ModemManager and scripts expect them, on all channels.

    Compare attributes with the table of the user-space contract.
    """
    ctx.load()
    device = ctx.device()
    check_equal(device["driver"], "bam-dmux", "name of the platform driver")
    check_equal(device["autosuspend_delay_ms"], "1000", "autosuspend delay in ms")
    check_equal(device["control"], "auto", "runtime PM control")
    ctx.open_modem(ALL_CHANNELS)
    names = ctx.interfaces()
    identifiers = set()
    for channel, name in names.items():
        check(name.startswith("wwan"), f"the interface of channel {channel} is called {name}")
        look = ctx.phone.call("interface", name=name)
        flags = look["flags"]
        expected = {
            "type": ARPHRD_RAWIP,
            "mtu": 1500,
            "tx_queue_len": 1000,
            "dev_port": channel,
            "addr_len": 0,
            "addr_assign_type": NET_ADDR_RANDOM,
            "name_assign_type": NET_NAME_ENUM,
            "parent": device["name"],
            "driver": "bam-dmux",
        }
        for key, value in expected.items():
            check_equal(look[key], value, f"{name}: {key}")
        check(flags & IFF_POINTOPOINT and flags & IFF_NOARP, f"{name}: flags {flags:#x}")
        check(not flags & (IFF_BROADCAST | IFF_MULTICAST), f"{name}: flags {flags:#x}")
        check("DEVTYPE=wwan" in look["uevent"], f"{name}: uevent {look['uevent']}")
        identifiers.add(check_limits(ctx, name))
    check_equal(len(identifiers), len(names), "different IPv6 interface identifiers")


def check_limits(ctx: Context, name: str) -> str:
    """Check MTU limits and the tool's view; returns the IPv6 link-local address."""
    phone = ctx.phone
    check("driver: bam-dmux" in phone.run(f"ethtool -i {name}"), f"{name}: ethtool -i")
    phone.run(f"ip link set dev {name} mtu 2040 && ip link set dev {name} mtu 1500")
    check(phone.sh(f"ip link set dev {name} mtu 2041")[0] != 0, f"{name}: takes an MTU of 2041")
    phone.run(f"echo 0 >/proc/sys/net/ipv6/conf/{name}/addr_gen_mode; ip link set dev {name} up")
    check("LOWER_UP" in phone.run(f"ip link show dev {name}"), f"{name}: has no carrier")
    address = ctx.wait_until(
        lambda: phone.call("link_local", name=name), f"{name} has an IPv6 link-local address"
    )
    check(int(address[16:], 16) != 0, f"{name}: no identifier in {address}")
    return address


def test_ping(ctx: Context, up: Context) -> None:
    """IPv4 and IPv6 ping both ways, small and up to the MTU.

    Ping from both ends.
    """
    for host in (far_ip(0), far_ip6(0)):
        for size in (16, 1000, 1452):
            out = ctx.phone.run(f"ping -n -c 5 -i 0.05 -W 10 -s {size} {host}", 60)
            check(" 0% packet loss" in out, f"ping {host}: {out}")
    ctx.far_ping(guest_ip(0))
    ctx.far_ping(guest_ip6(0))


def test_late_open(ctx: Context, up: Context) -> None:
    """Without OPEN there is no interface; OPEN later, channel by channel, makes them.

    OPEN long after power-up, in an order of its own.
    """
    check_equal(set(ctx.interfaces()), {0}, "interfaces before the late OPENs")
    time.sleep(1)
    opened = {0}
    for channel in (5, 1, 7):
        ctx.modem.open([channel])
        opened.add(channel)
        ctx.wait_interfaces(opened)
    ctx.up((0, 1, 5, 7))
    for channel in opened:
        ctx.echo(channel)


def test_modem_first(ctx: Context) -> None:
    """A modem that is up before the driver probes is noticed.

    Power is up at probe: there will be no edge.
    """
    ctx.modem.boot(delay_ms=0, channels=[0])
    ctx.wait_until(lambda: ctx.modem.status()["pc"], "the modem raises its power line")
    time.sleep(1.5)
    ctx.modem.reset_counters()  # nobody could ack
    ctx.load()
    ctx.wait_interfaces({0})
    ctx.up()
    ctx.works()


def test_modem_last(ctx: Context, loaded: Context) -> None:
    """A modem that boots seconds after the driver is noticed.

    Nothing happens for a while, then the modem boots.
    """
    time.sleep(2)
    check_equal(ctx.interfaces(), {}, "interfaces before the modem boots")
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to BAM without power")
    ctx.open_modem((0, 1))
    ctx.up((0, 1))
    ctx.echo(0)
    ctx.echo(1)


# The modem is quick, or it would meet no probe.
@pytest.mark.profile("instant")
@pytest.mark.defect(
    24,
    symptom=r"No such device or address|not within [\d.]+ s: the interfaces of the channels"
    r"|Unable to handle kernel[\s\S]*bam_dmux_skb_dma_queue_rx",
    kernel="debug",
)
def test_probe_race(ctx: Context) -> None:
    """The modem raising power within 300 us of the driver's interrupt subscription is no race.

    Several moments inside of probe, the whole bring-up each time.
    """
    for delay in RACE_DELAYS_US:
        ctx.fresh_modem()
        ctx.modem.boot(on_subscribe_us=delay, channels=[0])
        ctx.load()
        ctx.wait_interfaces({0})
        ctx.up()
        ctx.works()
        faults = ctx.faults()
        check(not faults, f"power {delay} us after subscription: {faults}")
        ctx.unload()
