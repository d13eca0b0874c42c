# SPDX-License-Identifier: GPL-2.0
"""What users of phones with ModemManager report: crash, stop, sleep, namespaces, one channel.

The numbers are those of the cases that the users' reports were boiled down to.
"""

import re
import time

import pytest

from harness import chain, sleep
from harness.context import Context, far_ip, far_ip6
from harness.errors import check, check_equal
from harness.load import Load
from harness.mmlog import CRASHED
from harness.modemmanager import Bearer
from harness.restart import boot_port_first, crash, set_state

CHANNELS = (0, 1)
# What firmware takes from its start to its channels, where a case does not say it.
BOOT_S = 0.5
# U1: what the network of the report gives, and when its firmware opens the channels. ModemManager
# resets the interfaces 4.5 s after the control port is there.
SMALL_MTU = 1430
DETACHED = pytest.mark.finding(
    "U1, U13", words="couldn't reset QMI port .*netlink operation failed|is still up"
)
OPEN_AFTER_S = (
    pytest.param(0, marks=pytest.mark.full),
    pytest.param(1, marks=pytest.mark.full),
    3,
    pytest.param(8, marks=(DETACHED, pytest.mark.full)),
    pytest.param(15, marks=DETACHED),
)
# Longest time from the modem's OPEN until ModemManager is registered, in seconds.
REGISTERED_S = 10
# Time for all of that, and for the tester's own commands.
WAIT_S = 60
# U2: sleeps, their length, and the longest time from the wake-up to an answer, in seconds.
# Of a usual run, and of a long one.
FEWER_SLEEPS, SLEEPS = 4, 10
SLEEP_S = 5
ANSWER_S = 2
# U6: crashes, and the time from one to the next, in seconds.
FEWER_CRASHES, CRASHES = 3, 6
CRASH_EVERY_S = 15
# No datagram is given up before the end: what did not come back then is lost.
PATIENT = 600
SPACE = "elsewhere"
crashed = pytest.mark.complaints(*CRASHED)


def connect(ctx: Context, apn: str = "internet") -> Bearer:
    """Make a call, put its settings on the interface, and see data pass."""
    bearer = ctx.mm.connect(apn)
    ctx.userspace.apply_bearer(bearer.path)
    chain.carries(ctx, bearer)
    return bearer


def back(ctx: Context, gone: str, opened: float, what: str) -> None:
    """ModemManager finds the modem anew, and it is registered in time.

    `gone` is the path of the modem that is no more. A modem that was found has to be enabled:
    what a network manager or a person does. When that is done is the tester's affair, so the time
    from "disabled" to it does not count: all times are those of ModemManager's log.
    """
    ahead = ctx.phone.call("clock") - time.monotonic()
    asked = 0

    def registered() -> bool:
        nonlocal asked
        modem = ctx.mm.found()
        if not modem or modem["dbus-path"] == gone:
            check(ctx.userspace.runs(), f"{what}: ModemManager has died")
            return False
        state, reason = (modem["generic"][key] for key in ("state", "state-failed-reason"))
        check(state != "failed", f"{what}: ModemManager cannot use the modem: {reason}")
        if state == "disabled":
            asked += 1
            ctx.mm.enable()
        return state in ("registered", "connected") and time.monotonic() >= opened

    ctx.wait_until(registered, f"{what}: registered again", WAIT_S, every=0.1)
    stamps = ctx.userspace.modemmanager_times(
        r"state changed \(unknown -> disabled\)",
        r"processing user request to enable modem",
        r"state changed \([a-z]* -> registered\)",
    )
    found, order, done = (stamp - ahead - opened for stamp in stamps)
    seconds = max(0, found) + max(0, done) - max(0, order)
    ctx.figure(f"{what}: s from the OPEN until registered", seconds)
    ctx.figure(f"{what}: times that it had to be enabled", asked)
    check(seconds <= REGISTERED_S * ctx.phone.slowness, f"{what}: registered after {seconds:.1f} s")


# The test itself says when the firmware does what.
@pytest.mark.profile("instant")
@pytest.mark.ours
@crashed
@pytest.mark.parametrize("after_s", OPEN_AFTER_S)
def test_mm_crash_mtu(ctx: Context, userspace: Context, after_s: int) -> None:
    """MTU 1430, a crash, QMI at once, OPEN after a while: registered in time, and data passes.

    U1. When the control port is there, ModemManager probes the modem anew, and resets its
    interfaces: down, and an MTU of 1500, in one netlink request, whether or not the firmware has
    opened its channels by then.
    """
    what = f"OPEN after {after_s} s"
    ctx.modem.mtu(SMALL_MTU)
    bearer, manager, gone = connect(ctx), ctx.userspace.pid(), ctx.mm.path()
    check_equal(bearer.v4.mtu, SMALL_MTU, "MTU of the call")
    crash(ctx)
    back(ctx, gone, boot_port_first(ctx, after_s, CHANNELS), what)
    state = ctx.phone.call("interface", name=bearer.interface)
    check(not state["flags"] & 1, f"{what}: {bearer.interface} is still up after its reset")
    check_equal(state["mtu"], 1500, f"{what}: MTU of {bearer.interface} after its reset")
    ctx.userspace.remove_bearer(bearer.interface)
    again = connect(ctx)
    check_equal(mtu(ctx, again.interface), SMALL_MTU, f"{what}: MTU of {again.interface}")
    check_equal(ctx.userspace.pid(), manager, f"{what}: process of ModemManager")


def mtu(ctx: Context, name: str) -> int:
    """The MTU of an interface."""
    return int(ctx.phone.call("read", path=f"/sys/class/net/{name}/mtu"))


@pytest.mark.timeout(300)
@pytest.mark.ours
def test_mm_sleeps(ctx: Context, userspace: Context) -> None:
    """A connected phone sleeps many times: the same modem, the bearer connected, answers at once.

    U2. Until the clock's alarm and until a packet in turn, the data path asleep before.

    Nobody tells ModemManager of the sleep: the phone has no logind, as phones that have it told
    run ModemManager so that it keeps the modem over a sleep.
    """
    sleep.prepare(ctx)
    bearer, modem = connect(ctx), ctx.mm.path()
    for number in range(SLEEPS if ctx.sizes.full else FEWER_SLEEPS):
        ctx.wait_suspended()
        what = f"sleep {number}"
        if number % 2:
            position = sleep.order(ctx, then=answers(ctx, bearer))
            sleep.wait_asleep(ctx, position)
            time.sleep(0.3)
            try:
                ctx.far_ping(bearer.v4.address, ANSWER_S)
            finally:
                slept = sleep.wait_awake(ctx, position)
            wake = "smsm"
        else:
            slept = sleep.wait_awake(
                ctx, sleep.order(ctx, alarm=SLEEP_S, then=answers(ctx, bearer))
            )
            wake = "rtc-pl031"
        check(not slept.refused, f"{what}: the phone did not sleep")
        check_equal(slept.wake_irq, wake, f"{what}: interrupt that woke the phone")
        judge_answers(ctx, bearer, what)
        check_equal(ctx.mm.path(), modem, f"{what}: the modem")
        check(ctx.mm.bearer(bearer.path).connected, f"{what}: the bearer is not connected")
    chain.carries(ctx, bearer)


def answers(ctx: Context, bearer: Bearer) -> str:
    """Commands that ask the far end, IPv4 and IPv6 at once, until the first answer."""
    channel = chain.channel_of(ctx, bearer.interface)
    limit = int(ANSWER_S * ctx.phone.slowness)
    asks = (
        f"ping -n -i 0.2 -c 1 -w {limit} -I {source} "
        f"{far_ip6(channel) if v6 else far_ip(channel)} >/tmp/answer.{source} 2>&1"
        for source, v6 in chain.sources(bearer)
    )
    return " & ".join(asks) + " & wait"


def judge_answers(ctx: Context, bearer: Bearer, what: str) -> None:
    """Both families had an answer in time; how many had to be asked for is in the log."""
    for source, _ in chain.sources(bearer):
        out = ctx.phone.run(f"cat /tmp/answer.{source}; rm /tmp/answer.{source}")
        found = re.search(r"(\d+) packets transmitted, (\d+) received", out)
        check(found, f"{what}: ping says:\n{out}")
        sent, received = int(found[1]), int(found[2])
        ctx.figure(f"{what}: questions until an answer to {source}", sent)
        check_equal(received, 1, f"{what}: answers within {ANSWER_S} s, asked from {source}")


# The test itself says when the firmware does what.
@pytest.mark.profile("instant")
@pytest.mark.ours
@crashed
@pytest.mark.timeout(400)
def test_mm_crashes_often(ctx: Context, userspace: Context) -> None:
    """Crashes 15 s apart, at rest and while a call is made: each call passes data, names stay.

    U6. Nothing may grow from crash to crash.
    """
    names, manager, files = ctx.interfaces(), ctx.userspace.pid(), []
    bearer = connect(ctx)
    for number in range(CRASHES if ctx.sizes.full else FEWER_CRASHES):
        what, began, gone = f"crash {number}", time.monotonic(), ctx.mm.path()
        if number % 2:
            while_connecting(ctx, bearer)
        crash(ctx)
        back(ctx, gone, boot_port_first(ctx, BOOT_S, CHANNELS), what)
        ctx.userspace.remove_bearer(bearer.interface)
        bearer = connect(ctx)
        check_equal(ctx.interfaces(), names, f"{what}: interfaces")
        check_equal(ctx.userspace.pid(), manager, f"{what}: process of ModemManager")
        files.append(ctx.userspace.open_files())
        took = time.monotonic() - began
        ctx.figure(f"{what}: s until data passes", took)
        time.sleep(max(0, CRASH_EVERY_S - took))
    check_equal(
        files[-1], files[0], f"files that ModemManager has open, from crash to crash {files}"
    )


def while_connecting(ctx: Context, bearer: Bearer) -> None:
    """End the call and have another one made: return when the modem has heard of it."""
    ctx.mm.disconnect(bearer)
    made = ctx.modem.events().get("call-up:0:4", 0)
    ctx.phone.run("(mmcli -m any --simple-connect=apn=internet,ip-type=ipv4v6 >/dev/null 2>&1) &")
    ctx.wait_until(
        lambda: ctx.modem.events().get("call-up:0:4", 0) > made,
        "ModemManager makes a call",
        30,
        every=0.01,
    )


# The test itself says when the firmware does what.
@pytest.mark.profile("instant")
@pytest.mark.ours
@crashed
def test_mm_stopped(ctx: Context, userspace: Context) -> None:
    """A modem that user space stops for a while and starts again: the same ModemManager connects.

    In the middle of a call, by remoteproc's file in sysfs.
    """
    bearer, manager, gone = connect(ctx), ctx.userspace.pid(), ctx.mm.path()
    set_state(ctx, "stop")
    ctx.mm.wait_state("absent")
    set_state(ctx, "start")
    back(ctx, gone, boot_port_first(ctx, BOOT_S, CHANNELS), "stopped")
    ctx.userspace.remove_bearer(bearer.interface)
    connect(ctx)
    check_equal(ctx.userspace.pid(), manager, "process of ModemManager")


@pytest.mark.complaints(
    ("additional port wwan1 .* added after device probing has already finished", "it came back"),
)
def test_mm_namespace(ctx: Context, userspace: Context) -> None:
    """The second bearer's interface goes to a namespace and back: the first one's load is lossless.

    U7. Packets for IMS, say, are to stay apart from all others. ModemManager does not mind that an
    interface goes. When it comes back, it drops the modem with all calls and interfaces, to make
    another one of all the ports: so it is stopped until the load has been judged, and has to make
    calls again afterwards.
    """
    first, second = connect(ctx), connect(ctx, "ims")
    modem, name, channel = ctx.mm.path(), second.interface, chain.channel_of(ctx, second.interface)
    channels = (chain.channel_of(ctx, first.interface),)
    load = Load(ctx, channels, size=900, patience=PATIENT, source=first.v4.address)
    ctx.userspace.remove_bearer(name)
    ctx.phone.run(f"ip netns add {SPACE}; ip link set dev {name} netns {SPACE}")
    inside(ctx, second, channel)
    check_equal(ctx.mm.path(), modem, "the modem")
    for bearer in (first, second):
        check(ctx.mm.bearer(bearer.path).connected, f"not connected any more: {bearer}")
    manager = ctx.userspace.pid()
    ctx.phone.run(f"kill -STOP {manager}")
    ctx.phone.run(f"ip netns exec {SPACE} ip link set dev {name} netns 1; ip netns del {SPACE}")
    ctx.wait_until(lambda: ctx.interfaces().get(channel) == name, f"{name} comes back")
    configure(ctx, "", second)
    chain.carries(ctx, second)
    load.stop(lossless=True)
    ctx.phone.run(f"ip addr flush dev {name} scope global; kill -CONT {manager}")
    ctx.wait_until(lambda: ctx.mm.path() not in ("", modem), "another modem", WAIT_S, every=0.3)
    ctx.userspace.remove_bearer(first.interface)
    ctx.mm.wait_modem()
    connect(ctx)
    check_equal(ctx.userspace.pid(), manager, "process of ModemManager")


def configure(ctx: Context, prefix: str, bearer: Bearer) -> None:
    """Put a bearer's addresses on its interface by hand, by commands after a prefix."""
    for config in (bearer.v4, bearer.v6):
        ctx.phone.run(
            f"{prefix} ip link set dev {bearer.interface} mtu {config.mtu} up && {prefix} "
            f"ip addr add {config.address}/{config.prefix} dev {bearer.interface}"
        )


def inside(ctx: Context, bearer: Bearer, channel: int) -> None:
    """The bearer passes data in the namespace that its interface has moved to."""
    prefix = f"ip netns exec {SPACE}"
    configure(ctx, prefix, bearer)
    wait = int(5 * ctx.phone.slowness)
    for host in (far_ip(channel), far_ip6(channel)):
        report = ctx.phone.run(f"{prefix} ping -n -q -i 0.05 -c 20 -W {wait} {host}", 60)
        check(" 0% packet loss" in report, f"pings got lost in the namespace:\n{report}")


@pytest.mark.complaints(
    ("No valid data port found to launch connection", "there is no interface for a second call"),
)
def test_mm_one_channel(ctx: Context, loaded: Context) -> None:
    """Firmware with one channel: a second call is refused in words, the first one loses nothing.

    U26. Newer firmware opens channel 0 only.
    """
    ctx.modem.gate(True)
    ctx.open_modem((0,))
    ctx.userspace.start()
    ctx.mm.wait_modem()
    first = connect(ctx)
    load = Load(ctx, (0,), size=900, patience=PATIENT, source=first.v4.address)
    words = ctx.mm.refused("ims")
    ctx.note(f"mmcli: {words}")
    load.stop(lossless=True)
    check("couldn't connect" in words and len(words.splitlines()) <= 2, f"mmcli says: {words}")
    check_equal(ctx.mm.state(), "connected", "the modem's state")
    check(ctx.mm.bearer(first.path).connected, "the first bearer is not connected any more")
    chain.sleeps(ctx)
