# SPDX-License-Identifier: GPL-2.0
"""What the driver tells user space about the link's health, by devlink."""

import json
from typing import Any

import pytest

from harness.context import Context, far_ip
from harness.errors import check, check_equal

REPORTER = "modem"
# Least time between two reports of the driver, in seconds.
PAUSE = 1.0


def handle(ctx: Context) -> str:
    """The device as devlink calls it."""
    return f"platform/{ctx.device()['name']}"


def health(ctx: Context, what: str) -> dict[str, Any]:
    """The output of `devlink health WHAT` for our reporter."""
    out = ctx.phone.run(f"devlink -j health {what} {handle(ctx)} reporter {REPORTER}")
    return json.loads(out)


def reporter(ctx: Context) -> dict[str, Any]:
    """The reporter as `devlink health show` has it."""
    found = health(ctx, "show")["health"][handle(ctx)]
    check_equal([item["reporter"] for item in found], [REPORTER], "health reporters")
    return found[0]


def uptime(ctx: Context) -> float:
    """The guest's clock, in seconds."""
    return float(ctx.phone.call("read", path="/proc/uptime").split()[0])


def wait_state(ctx: Context, state: str) -> dict[str, Any]:
    """Wait until the reporter is "healthy" or in "error"; returns it."""
    return ctx.wait_until(
        lambda: (found := reporter(ctx))["state"] == state and found, f"the reporter's {state}"
    )


def recover(ctx: Context) -> bool:
    """Ask for recovery as a user would; whether it succeeded."""
    script = f"devlink health recover {handle(ctx)} reporter {REPORTER}"
    code, out = ctx.phone.sh(script, 30)
    ctx.note(f"{script}: status {code} {out.strip()}")
    return code == 0


def miss_wakeup(ctx: Context) -> None:
    """Frames for a modem that sleeps and does not acknowledge our vote."""
    ctx.set_autosuspend(100)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    result = ctx.phone.call(
        "udp_echo", 60, host=far_ip(0), count=3, size=100, window=3, patience=3, timeout=10
    )
    check_equal(result["received"], 0, "replies while the modem does not wake")
    ctx.wait_given_up()


@pytest.mark.ours
def test_health_wake_timeout(ctx: Context, up: Context) -> None:
    """A wake-up that the modem does not answer is reported with a dump, and so is its end.

    Each figure is checked against the modem's or the kernel's.
    """
    before = reporter(ctx)
    ctx.note(f"before: {before}")
    check_equal(before["state"], "healthy", "state before")
    check("last_dump_ts" not in json.dumps(before), "there is no dump before")
    miss_wakeup(ctx)

    found = wait_state(ctx, "error")
    ctx.note(f"after: {found}")
    check(found["error"] > before["error"], "devlink counts the error")
    check_equal(found["recover"], before["recover"], "recoveries while the modem is silent")

    dump = health(ctx, "dump show")
    ctx.note(f"dump: {dump}")
    check_equal(dump["fault"], "wake_timeout", "what the dump is about")
    check_equal(dump["detail"], "no ack", "what was missing")
    check(dump["failing"], "the dump says that the link fails")
    counters = ctx.phone.call("driver_counters")
    check(1 <= dump["counters"]["wakes_failed"] <= counters["wakes_failed"], "failed wake-ups")
    check_equal(len(dump["channels"]), 8, "channels in the dump")
    check_equal(dump["channels"][0]["interface"], ctx.name(0), "interface of channel 0")
    check_equal(dump["channels"][0]["remote_open"], True, "the modem's half of channel 0")
    check_equal(dump["channels"][1]["remote_open"], False, "the modem's half of channel 1")
    link = dump["link"]
    check_equal(link["written"]["vote"], False, "the vote was taken back")
    for line, there in (("vote", "own_vote"), ("ack", "own_ack")):
        check_equal(link["now"][there], link["written"][line], f"our {line} bit in shared memory")
    check_equal(dump["tx"]["in_flight"], 0, "frames in flight of a link that is down")

    check_equal(health(ctx, "diagnose")["faults"]["crash"], 0, "crashes")
    check(not recover(ctx), "recovery cannot succeed while the modem is silent")
    check_equal(reporter(ctx)["state"], "error", "state after a recovery that failed")

    ctx.modem.acks("normal")
    ctx.works()
    found = wait_state(ctx, "healthy")
    check_equal(found["recover"], before["recover"] + 1, "recoveries when the modem is back")
    check_equal(health(ctx, "diagnose")["failing"], False, "failing when the modem is back")
    check_equal(health(ctx, "dump show"), dump, "the dump that was kept")
    health_clear(ctx)
    check("fault" not in health(ctx, "dump show"), "a dump on request has no fault")


def health_clear(ctx: Context) -> None:
    """Throw the kept dump away."""
    ctx.phone.run(f"devlink health dump clear {handle(ctx)} reporter {REPORTER}")


@pytest.mark.ours
def test_health_recover(ctx: Context, up: Context) -> None:
    """'devlink health recover' wakes the modem without any traffic, and says whether it did.

    A user who does not want to wait for the next frame.
    """
    check(recover(ctx), "recovery of a healthy link succeeds")
    miss_wakeup(ctx)
    wait_state(ctx, "error")
    before = reporter(ctx)["recover"]
    ups = ctx.counter("votes_up")
    ctx.modem.acks("normal")
    # The driver leaves a modem alone for a second that did not answer a moment ago.
    ctx.wait_until(lambda: recover(ctx), "recovery", 10, every=0.3)
    check_equal(reporter(ctx)["state"], "healthy", "state after recovery")
    check_equal(reporter(ctx)["recover"], before + 1, "recoveries")
    check(ctx.counter("votes_up") > ups, "the modem saw a vote")
    ctx.works()


@pytest.mark.ours
def test_health_asks_again(ctx: Context, up: Context) -> None:
    """A modem that did not answer a wake-up is asked once more, without any traffic.

    That is what the driver does when devlink asks it to recover from a wake-up that failed.
    """
    ctx.set_autosuspend(100)
    ctx.wait_suspended()
    ctx.modem.acks("withhold")
    far = far_ip(0)
    ctx.phone.call("udp_echo", 60, host=far, count=1, size=100, patience=0.1, timeout=10)
    wait_state(ctx, "error")
    ctx.modem.acks("normal")
    ups = ctx.counter("votes_up")
    wait_state(ctx, "healthy")
    check(ctx.counter("votes_up") > ups, "the modem saw a vote")
    ctx.works()


@pytest.mark.full
@pytest.mark.ours
def test_health_no_flood(ctx: Context, up: Context) -> None:
    """Wake-ups that fail one after the other keep their distance in devlink, and one dump.

    Every fault is counted; listeners hear of at most one a second, and nothing is recovered.
    """
    monitor = "/tmp/monitor"
    ctx.phone.run(f"devlink monitor health >{monitor} 2>&1 & echo $! >{monitor}.pid")
    began = uptime(ctx)
    faults = 0
    for _ in range(10):
        miss_wakeup(ctx)
        faults = health(ctx, "diagnose")["faults"]["wake_timeout"]
        if faults >= 4:
            break
    # The last of them may have to wait.
    ctx.wait_until(lambda: uptime(ctx) - began > faults, "the last report is due")
    found = reporter(ctx)
    seconds = uptime(ctx) - began
    ctx.phone.run(f"kill $(cat {monitor}.pid)")
    heard = ctx.phone.call("read", path=monitor)
    ctx.note(f"{faults} faults in {seconds:.0f} s: {found}\n{heard}")
    notifications = heard.count(f"reporter {REPORTER}")
    check(faults >= 4, f"only {faults} faults")
    check(2 <= found["error"] <= min(faults, 1 + seconds / PAUSE), f"{found['error']} reports")
    check_equal(notifications, found["error"], "notifications for the reports")
    check_equal(found["recover"], 0, "recoveries")
    dump = health(ctx, "dump show")
    check_equal((dump["fault"], dump["times"]), ("wake_timeout", 1), "what the dump is about")
    check_equal(dump["faults"]["wake_timeout"], 1, "faults when the dump was made")
    ctx.modem.acks("normal")
    ctx.works()
    wait_state(ctx, "healthy")


@pytest.mark.ours
def test_health_unbind(ctx: Context, up: Context) -> None:
    """Unbinding while user space asks for dumps, diagnoses and recovery: no callback is left.

    Four shells ask without a pause while the module goes and comes back.
    """
    which = f"{handle(ctx)} reporter {REPORTER}"
    asks = ["dump show", "dump clear", "diagnose", "recover"]
    answers = "/tmp/answers"
    loops = "\n".join(
        f"(while :; do devlink health {ask} {which} >>{answers}.{number} 2>&1 || :; done) &"
        ' asking="$asking $!"'
        for number, ask in enumerate(asks)
    )
    ctx.phone.run(
        f"""set -e
        asking=
        {loops}
        for round in 1 2 3 4 5 6; do
            sleep 0.5
            rmmod {ctx.module}
            insmod /modules/{ctx.module}.ko
        done
        sleep 0.5
        kill $asking""",
        90,
    )
    for number, mark in ((0, "counters"), (2, "link")):
        text = ctx.phone.run(f"grep -c {mark} {answers}.{number} || true").strip()
        ctx.note(f"answers with {mark}: {text}")
        check(int(text) > 0, f"'devlink health {asks[number]}' never had an answer")
    ctx.wait_until(ctx.bound, "the driver is bound")
    check_equal(reporter(ctx)["state"], "healthy", "state after all of it")
    ctx.modem.open([0])
    ctx.wait_interfaces({0})
    ctx.up()
    ctx.works()


@pytest.mark.ours
def test_health_unbind_recovering(ctx: Context, up: Context) -> None:
    """rmmod while a recovery waits for a silent modem is bounded, and the recovery ends.

    Unbinding waits for the wake-up under way, and for no other.
    """
    miss_wakeup(ctx)
    wait_state(ctx, "error")
    answer = "/tmp/answer"
    ask = f"devlink health recover {handle(ctx)} reporter {REPORTER}"
    # The driver leaves a modem alone for a second that did not answer a moment ago.
    ctx.phone.run(f"(sleep 1.5; {ask}; echo status $?) >{answer} 2>&1 & sleep 2")
    seconds = ctx.unload()
    ctx.note(f"rmmod took {seconds:.1f} s")
    check(seconds < 10 * ctx.phone.slowness, f"rmmod took {seconds:.1f} s")
    text = ctx.wait_until(
        lambda: "status" in (found := ctx.phone.call("read", path=answer)) and found,
        "the recovery ends",
    )
    check("status 1" in text, f"recovery of a driver that goes away: {text}")


@pytest.mark.ours
def test_health_crash(ctx: Context, up: Context) -> None:
    """A crash that remoteproc reports is a report with a dump, and over when the modem is back.

    The kernel's own recovery of remote processors restarts the modem.
    """
    before = reporter(ctx)
    ctx.modem.crash(irq=True)
    dump = ctx.wait_until(
        lambda: "last_dump_date" in reporter(ctx) and health(ctx, "dump show"), "a dump"
    )
    ctx.note(f"dump: {dump}")
    check_equal((dump["fault"], dump["detail"]), ("crash", "reported by remoteproc"), "the dump")
    check_equal(dump["faults"]["crash"], 1, "crashes")
    check_equal(dump["channels"][0]["interface"], ctx.name(0), "interface of channel 0")
    ctx.wait_until(lambda: ctx.modem.status()["mss"] == "running", "remoteproc starts the modem")
    ctx.modem.boot(channels=[0])
    ctx.works()
    found = wait_state(ctx, "healthy")
    check_equal(found["recover"], before["recover"] + 1, "recoveries when the modem is back")
    check_equal(health(ctx, "diagnose")["faults"]["crash"], 1, "crashes when the modem is back")
