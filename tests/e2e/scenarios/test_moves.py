# SPDX-License-Identifier: GPL-2.0
"""What moves under a link that is in use: CPUs, names, network namespaces."""

import time

import pytest

from harness.context import Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.load import Load

CPU = "/sys/devices/system/cpu/cpu1/online"
# Per round of a campaign.
HOTPLUGS = 8
RENAMES = 20
MOVES = 5
# So that the link goes to sleep in each pause, and the modem is not in a hurry (as in power.py).
FAST_AUTOSUSPEND_MS = 20
PATIENCE_MS = 25
# No datagram is given up before the end: what did not come back then is lost.
PATIENT = 600
SPACE = "elsewhere"


def traffic(ctx: Context) -> Load:
    """Traffic in both directions until it is stopped."""
    return Load(ctx, size=900, window=16, patience=PATIENT)


def interrupts_to_cpu1(ctx: Context) -> None:
    """Have CPU 1 handle the interrupts of the DMA engine and of the modem's lines."""
    moved = ctx.phone.run(
        "for n in $(sed -n 's/^ *\\([0-9]*\\):.*\\(smsm\\|bam\\).*/\\1/p' /proc/interrupts); do "
        "cd /proc/irq/$n && echo 2 >smp_affinity && cat effective_affinity; done 2>/dev/null; :"
    ).split()
    ctx.note(f"processors of the interrupts: {moved}")
    check(moved.count("2") >= 2, f"interrupts that CPU 1 handles: {moved}")


def inside(ctx: Context, command: str, timeout: float = 30) -> str:
    """Run a command in the other namespace; it must succeed."""
    return ctx.phone.run(f"ip netns exec {SPACE} {command}", timeout)


def works_inside(ctx: Context, name: str) -> None:
    """The interface works in the other namespace: up, an address, traffic both ways."""
    inside(ctx, f"ip link set dev {name} up")
    inside(ctx, f"ip addr replace {guest_ip(0)}/24 dev {name}")
    wait = int(10 * ctx.phone.slowness)
    inside(ctx, f"ping -n -q -c 1 -W {wait} {far_ip(0)}", 40)
    report = inside(ctx, f"ping -n -q -i 0.05 -c 20 -W {wait} {far_ip(0)}", 60)
    check(" 0% packet loss" in report, f"pings got lost in the other namespace:\n{report}")
    ctx.far_ping(guest_ip(0))


def works_again(ctx: Context) -> None:
    """Back in the first namespace the interface works, once it has its address again."""
    ctx.up()
    ctx.works()


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.campaign
def test_moves_cpu(ctx: Context, up: Context) -> None:
    """CPU 1 goes offline and comes back again and again under traffic in both directions.

    First without a pause in the traffic, then with pauses in which the link goes to sleep.
    """
    times = HOTPLUGS * ctx.sizes.rounds
    load = traffic(ctx)
    for number in range(times):
        ctx.progress(f"{number}/{times} times under load")
        # The interrupts of BAM and lines go with it, to the other one.
        interrupts_to_cpu1(ctx)
        ctx.phone.run(f"echo 0 >{CPU} && echo 1 >{CPU}")
    load.stop(lossless=True)

    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    ctx.modem.idle(PATIENCE_MS)
    before = ctx.counter("power_ups")
    for number in range(times):
        ctx.progress(f"{number}/{times} times with sleep")
        ctx.phone.run(f"echo {number % 2} >{CPU}")
        ctx.echo(count=5)
        ctx.wait_suspended()
    ctx.phone.run(f"echo 1 >{CPU}")
    check(ctx.counter("power_ups") - before >= times, "the link did not go to sleep in between")
    ctx.works()


@pytest.mark.campaign
def test_moves_rename(ctx: Context, up: Context) -> None:
    """An interface that is renamed while it is up and in use loses no packet.

    There and back, many times; in the end everything finds it by its first name.
    """
    name = ctx.name(0)
    load = traffic(ctx)
    for _ in range(RENAMES * ctx.sizes.rounds):
        ctx.phone.run(f"ip link set dev {name} name modem0")
        check_equal(ctx.name(0), "modem0", "name of the interface")
        ctx.phone.run(f"ip link set dev modem0 name {name}")
    load.stop(lossless=True)
    ctx.works()


@pytest.mark.campaign
def test_moves_netns(ctx: Context, up: Context) -> None:
    """An interface moves into another network namespace and back, under traffic.

    The kernel takes it down for that: it has to come up on both sides, with all it needs.
    """
    name = ctx.name(0)
    ctx.phone.run(f"ip netns add {SPACE}")
    for number in range(MOVES * ctx.sizes.rounds):
        ctx.progress(f"move {number}")
        load = traffic(ctx)
        load.wait_received()
        ctx.phone.run(f"ip link set dev {name} netns {SPACE}")
        check_equal(ctx.interfaces(), {}, "interfaces left in the first namespace")
        works_inside(ctx, name)
        inside(ctx, f"ip link set dev {name} netns 1")
        check_equal(load.stop()["doubled"], 0, "datagrams that came twice")
        works_again(ctx)
    ctx.phone.run(f"ip netns del {SPACE}")


@pytest.mark.debug
def test_moves_netns_deleted(ctx: Context, up: Context) -> None:
    """A namespace that is deleted gives its interface back, and it works.

    Up and in use when it happens; twice, and once with the link asleep.
    """
    name = ctx.name(0)
    for asleep in (False, True, False):
        ctx.phone.run(f"ip netns add {SPACE}; ip link set dev {name} netns {SPACE}")
        works_inside(ctx, name)
        if asleep:
            ctx.wait_suspended()
        else:
            inside(ctx, f"sh -c 'ping -n -q -i 0.02 -c 500 {far_ip(0)} >/dev/null 2>&1 &'")
            time.sleep(0.3)
            ctx.phone.run("killall ping")
        ctx.phone.run(f"ip netns del {SPACE}")
        ctx.wait_interfaces({0})
        check_equal(ctx.name(0), name, "name of the interface that came back")
        works_again(ctx)


def test_moves_netns_unbind(ctx: Context, up: Context) -> None:
    """The driver goes while its interface is in another namespace.

    Bounded, nothing is left there; the next driver's interface is where it belongs.
    """
    name = ctx.name(0)
    ctx.phone.run(f"ip netns add {SPACE}; ip link set dev {name} netns {SPACE}")
    works_inside(ctx, name)
    seconds = ctx.unload()
    ctx.note(f"rmmod took {seconds:.1f} s")
    left = inside(ctx, "ip -br link")
    check(name not in left, f"the interface is still there:\n{left}")
    ctx.phone.run(f"ip netns del {SPACE}")
    ctx.load()
    ctx.modem.open([0])
    ctx.wait_interfaces({0})
    works_again(ctx)
