# SPDX-License-Identifier: GPL-2.0
"""Sleeps of the phone that come to nothing, and a phone that the modem may not wake."""

import subprocess
import time

import pytest

from harness import sleep
from harness.background import background
from harness.context import IDLE_MS, Context, guest_ip
from harness.errors import check, check_equal
from harness.load import Load

# CLOCK_BOOTTIME_ALARM of the kernel's interface: a timer that is to wake the system.
ALARM_CLOCK = 9
# The kernel refuses to sleep if such a timer expires within two seconds. One expires in each second
# for as long as this, so that there is one whenever the kernel gets to ask, on the slowest machine;
# a timer with an interval would not do, its program is frozen and cannot rearm it.
TIMERS = 300
ARMED = "/tmp/timers-armed"
# For how long devices sleep in the kernel's test if nothing happens, in seconds.
TEST_S = 24
# As IPv4 begins: for nobody, but it is counted.
FRAME = b"\x45" + bytes(99)
# Longest time until a phone sleeps whose modem does not answer, in seconds.
SILENT_BOUND = 5.0
# Longer than the patience of the driver's network watchdog, in seconds.
LONG_S = 30


def votes_down(ctx: Context) -> int:
    """How often the modem saw the driver let go of the link."""
    return ctx.counter("votes_down")


def refused_by_timer(ctx: Context) -> None:
    """Another device, asked after ours, refuses: a timer is about to expire."""
    script = (
        f"import os,sys,time;t=[os.timerfd_create({ALARM_CLOCK})for _ in range({TIMERS})];"
        f"[os.timerfd_settime(fd,initial=n+1)for n,fd in enumerate(t)];"
        f"open(sys.argv[1],sys.argv[2]);time.sleep(600)"
    )
    ctx.set_autosuspend(60_000)
    with background(ctx, f'rm -f {ARMED}; exec python3 -S -c "{script}" {ARMED} w'):
        ctx.wait_until(lambda: ctx.phone.sh(f"test -e {ARMED}")[0] == 0, "the timers are set")
        ctx.echo(count=1)
        before = votes_down(ctx)
        slept = sleep.wait_awake(ctx, sleep.order(ctx))
    check(slept.refused, "the phone slept though a timer was about to expire")
    if ctx.ours:
        check(votes_down(ctx) > before, "the driver was not asked before the device that refuses")
    ctx.set_autosuspend(1000)


@pytest.mark.parametrize("asleep", [False, True], ids=["awake", "asleep"])
@pytest.mark.parametrize("level", ["freezer", "devices", "platform"])
def test_sleep_aborted(ctx: Context, up: Context, level: str, asleep: bool) -> None:
    """A sleep that goes only half-way leaves a link that works.

    The kernel's own test levels; with the link in use before, and suspended.
    """
    sleep.prepare(ctx)
    ctx.phone.run("echo 1 >/sys/module/suspend/parameters/pm_test_delay")
    if asleep:
        ctx.wait_suspended()
    ctx.phone.run(f"echo {level} >/sys/power/pm_test")
    slept = sleep.wait_awake(ctx, sleep.order(ctx))
    ctx.phone.run("echo none >/sys/power/pm_test")
    check(not slept.refused, f"the test of {level} failed")
    ctx.works()


def test_sleep_refused(ctx: Context, up: Context) -> None:
    """A sleep that another device refuses leaves a link that works."""
    sleep.prepare(ctx)
    refused_by_timer(ctx)
    ctx.works()


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.ours
def test_sleep_busy_modem(ctx: Context, up: Context) -> None:
    """A modem that uses the link keeps the phone awake, and nothing is lost.

    Pings that the kernel answers all the time; then a modem that only holds the power.
    """
    sleep.prepare(ctx)
    seconds = int(5 * ctx.phone.slowness)
    pings = ctx.phone.netns.popen(
        ["ping", "-n", "-q", "-i", "0.05", "-c", str(20 * seconds), "-W", "15", guest_ip(0)],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.5)
    slept = sleep.wait_awake(ctx, sleep.order(ctx))
    report = pings.communicate(timeout=seconds + 60)[0]
    ctx.note(report)
    check(" 0% packet loss" in report, f"pings got lost:\n{report}")
    check(slept.refused, "the phone slept though the modem was busy")

    ctx.modem.idle(None)
    ctx.echo()
    check(sleep.wait_awake(ctx, sleep.order(ctx)).refused, "slept though the modem kept the power")
    ctx.works()
    ctx.modem.idle(IDLE_MS)
    ctx.wait_suspended()
    check(not sleep.sleep(ctx).refused, "the phone did not sleep")
    ctx.works()


@pytest.mark.ours
def test_sleep_stuck_frames(ctx: Context, up: Context) -> None:
    """Frames that the modem does not take keep the phone awake, and go out in the end.

    They are in the modem's hands: sleeping would lose them.
    """
    sleep.prepare(ctx)
    ctx.modem.hold_tx(True)
    load = Load(ctx, size=500, window=90, patience=600)
    time.sleep(0.3)
    slept = sleep.wait_awake(ctx, sleep.order(ctx))
    ctx.modem.hold_tx(False)
    load.stop(lossless=True)
    check(slept.refused, "the phone slept with frames in the modem's hands")
    ctx.works()


@pytest.mark.ours
def test_sleep_stirred(ctx: Context, up: Context) -> None:
    """A modem that stirs while devices sleep already aborts the sleep, and is answered.

    Devices stay in the kernel's test for long, interrupts on, unless somebody aborts it.
    """
    sleep.prepare(ctx)
    ctx.phone.run(f"echo {TEST_S} >/sys/module/suspend/parameters/pm_test_delay")
    ctx.wait_suspended()
    ctx.phone.run("echo devices >/sys/power/pm_test")
    arrived = ctx.statistics()["rx_packets"]
    position = sleep.order(ctx)
    ctx.wait_until(lambda: "suspend debug: Waiting" in ctx.phone.log(position), "devices sleep")
    began = time.monotonic()
    ctx.modem.data(channel=0, payload=FRAME, repeat=3)
    sleep.wait_awake(ctx, position)
    seconds = time.monotonic() - began
    # Devices still slept when they came.
    ctx.wait_until(lambda: ctx.statistics()["rx_packets"] - arrived >= 3, "the frames arrive")
    ctx.modem.open([1])
    ctx.note(f"ABORT after {seconds:.2f} s")
    check(seconds < TEST_S / 2, f"awake after {seconds:.1f} s")
    ctx.phone.run("echo none >/sys/power/pm_test")
    ctx.wait_interfaces({0, 1})
    ctx.works()


@pytest.mark.ours
def test_sleep_silent_modem(ctx: Context, up: Context) -> None:
    """A modem that answers nothing does not keep the phone awake, and comes back.

    It has the power and leaves the un-vote without an ack; twice.
    """
    sleep.prepare(ctx)
    for _ in range(2):
        ctx.echo()
        ctx.modem.acks("withhold")
        slept = sleep.sleep(ctx)
        check(not slept.refused, "the phone did not sleep")
        check(slept.down_s < SILENT_BOUND * ctx.phone.slowness, f"took {slept.down_s:.1f} s")
        ctx.modem.acks("normal")
        ctx.works()
        ctx.wait_suspended()


@pytest.mark.ours
def test_sleep_control_on(ctx: Context, up: Context) -> None:
    """Who forbids runtime suspend has the link back after a sleep.

    Let go of for the sleep all the same, and voted for afterwards without a frame to send.
    """
    sleep.prepare(ctx)
    path = f"{ctx.device()['path']}/power/control"
    ctx.phone.run(f"echo on >{path}")
    ctx.wait_until(lambda: ctx.phase() == "on", "the link is up")
    position = sleep.order(ctx, alarm=4)
    sleep.wait_asleep(ctx, position)
    check_equal(ctx.phase(), "off", "power while the phone sleeps")
    sleep.wait_awake(ctx, position)
    ctx.wait_until(lambda: ctx.modem.status()["vote"], "Linux votes again")
    ctx.works()
    ctx.phone.run(f"echo auto >{path}")
    ctx.wait_suspended()


@pytest.mark.timeout(150)
# Answers that come later than at once may rightly keep the phone awake.
@pytest.mark.profile("instant")
def test_sleep_long_upload(ctx: Context, up: Context) -> None:
    """An upload fills ring and queue, the phone sleeps for long, and no watchdog barks.

    Longer than the network watchdog's patience: its timer goes on in a virtual phone.
    """
    sleep.prepare(ctx)
    load = Load(ctx, size=1400, window=400, patience=600)
    time.sleep(0.3)
    slept = sleep.wait_awake(ctx, sleep.order(ctx, alarm=LONG_S), LONG_S + 20)
    load.wait_received()
    check_equal(load.stop()["bad"], 0, "datagrams with wrong content")
    check(not slept.refused, "the phone did not sleep")
    if ctx.ours:
        counters = ctx.phone.call("driver_counters")
        check_equal(counters["tx_timeouts"], 0, "barks of the network watchdog")
    ctx.works()


@pytest.mark.full
# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.ours
@pytest.mark.allow("ap_ack_timeout", max=2, why="a fall and a rise that nobody listens to")
def test_sleep_wakeup_disabled(ctx: Context, up: Context) -> None:
    """A phone that the modem may not wake sleeps all the same, and looks afresh when it wakes.

    The modem keeps the power and lets go unheard; then it has a packet, and nobody listens.
    """
    sleep.prepare(ctx)
    path = f"{ctx.device()['path']}/power/wakeup"
    check_equal(ctx.phone.run(f"cat {path}").strip(), "enabled", "wake-up by default")
    ctx.phone.run(f"echo disabled >{path}")
    for lets_go in (False, True):
        ctx.modem.idle(None)
        ctx.echo()
        position = sleep.order(ctx, alarm=5)
        sleep.wait_asleep(ctx, position)
        check_equal(ctx.phase(), "on", "the modem keeps the power")
        if lets_go:
            ctx.modem.idle(20)
        slept = sleep.wait_awake(ctx, position)
        check_equal(slept.wake_irq, "rtc-pl031", "interrupt that woke the phone")
        ctx.modem.idle(IDLE_MS)
        ctx.works()
    ctx.wait_suspended()
    position = sleep.order(ctx, alarm=5)
    sleep.wait_asleep(ctx, position)
    ctx.modem.open([1])
    slept = sleep.wait_awake(ctx, position)
    check_equal(slept.wake_irq, "rtc-pl031", "interrupt that woke the phone")
    ctx.wait_interfaces({0, 1})
    ctx.works()
    ctx.phone.run(f"echo enabled >{path}")
    position = sleep.order(ctx)
    sleep.wait_asleep(ctx, position)
    ctx.far_ping(guest_ip(0), 15)
    check_equal(sleep.wait_awake(ctx, position).wake_irq, "smsm", "interrupt that woke the phone")
