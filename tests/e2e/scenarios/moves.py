# SPDX-License-Identifier: GPL-2.0
"""What moves under a link that is in use: CPUs, names, network namespaces."""

import time

from harness.context import Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.scenario import scenario

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


def load(ctx: Context, window: int = 16) -> None:
    """Traffic in both directions until it is judged."""
    ctx.phone.call(
        "load_start", name="m", host=far_ip(0), size=900, window=window, patience=PATIENT
    )


def judge_load(ctx: Context, lossless: bool) -> None:
    """End the traffic; nothing of it may be wrong."""
    result = ctx.load_stop_lossless("m") if lossless else ctx.phone.call("load_stop", name="m")
    ctx.note(f"load: {result}")
    check_equal(result["bad"] + result["doubled"], 0, "datagrams that are wrong or came twice")
    check(result["received"] > 0, "not a single datagram came back")
    if lossless:
        check_equal(result["received"], result["sent"], "datagrams that came back")


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


@scenario(
    "CPU 1 goes offline and comes back again and again under traffic in both directions",
    cost=60,
    campaign=True,
)
def moves_cpu(ctx: Context) -> None:
    """First without a pause in the traffic, then with pauses in which the link goes to sleep."""
    times = HOTPLUGS * ctx.sizes.rounds
    load(ctx)
    for number in range(times):
        ctx.progress(f"{number}/{times} times under load")
        # The interrupts of BAM and lines go with it, to the other one.
        interrupts_to_cpu1(ctx)
        ctx.phone.run(f"echo 0 >{CPU} && echo 1 >{CPU}")
    judge_load(ctx, lossless=True)

    ctx.set_autosuspend(FAST_AUTOSUSPEND_MS)
    ctx.modem.call("idle", ms=PATIENCE_MS)
    before = ctx.counter("power_ups")
    for number in range(times):
        ctx.progress(f"{number}/{times} times with sleep")
        ctx.phone.run(f"echo {number % 2} >{CPU}")
        ctx.echo(count=5)
        ctx.wait_suspended()
    ctx.phone.run(f"echo 1 >{CPU}")
    check(ctx.counter("power_ups") - before >= times, "the link did not go to sleep in between")
    ctx.works()


@scenario(
    "an interface that is renamed while it is up and in use loses no packet",
    cost=20,
    campaign=True,
)
def moves_rename(ctx: Context) -> None:
    """There and back, many times; in the end everything finds it by its first name."""
    name = ctx.name(0)
    load(ctx)
    for _ in range(RENAMES * ctx.sizes.rounds):
        ctx.phone.run(f"ip link set dev {name} name modem0")
        check_equal(ctx.name(0), "modem0", "name of the interface")
        ctx.phone.run(f"ip link set dev modem0 name {name}")
    judge_load(ctx, lossless=True)
    ctx.works()


@scenario(
    "an interface moves into another network namespace and back, under traffic",
    cost=60,
    campaign=True,
)
def moves_netns(ctx: Context) -> None:
    """The kernel takes it down for that: it has to come up on both sides, with all it needs."""
    name = ctx.name(0)
    ctx.phone.run(f"ip netns add {SPACE}")
    for number in range(MOVES * ctx.sizes.rounds):
        ctx.progress(f"move {number}")
        load(ctx)
        ctx.wait_until(
            lambda: ctx.phone.call("load_status", name="m")["received"] > 0,
            "the load gets replies",
        )
        ctx.phone.run(f"ip link set dev {name} netns {SPACE}")
        check_equal(ctx.interfaces(), {}, "interfaces left in the first namespace")
        works_inside(ctx, name)
        inside(ctx, f"ip link set dev {name} netns 1")
        judge_load(ctx, lossless=False)
        works_again(ctx)
    ctx.phone.run(f"ip netns del {SPACE}")


@scenario("a namespace that is deleted gives its interface back, and it works", cost=40)
def moves_netns_deleted(ctx: Context) -> None:
    """Up and in use when it happens; twice, and once with the link asleep."""
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


@scenario("the driver goes while its interface is in another namespace", cost=30)
def moves_netns_unbind(ctx: Context) -> None:
    """Bounded, nothing is left there; the next driver's interface is where it belongs."""
    name = ctx.name(0)
    ctx.phone.run(f"ip netns add {SPACE}; ip link set dev {name} netns {SPACE}")
    works_inside(ctx, name)
    seconds = ctx.unload()
    ctx.note(f"rmmod took {seconds:.1f} s")
    left = inside(ctx, "ip -br link")
    check(name not in left, f"the interface is still there:\n{left}")
    ctx.phone.run(f"ip netns del {SPACE}")
    ctx.load()
    ctx.modem.call("open", channels=[0])
    ctx.wait_interfaces({0})
    works_again(ctx)
