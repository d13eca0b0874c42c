# SPDX-License-Identifier: GPL-2.0
"""Each allocation that the driver asks for fails once: the first, the second, ... the last.

What user space has asked for then fails with an error and leaves nothing behind, or it works; what
the driver does by itself is tried again. Short runs leave out some of the later ones.
"""

import time
from typing import Any

import pytest

from harness.allowance import bound_anew, dark, powered
from harness.context import ALL_CHANNELS, BUS, Context
from harness.errors import check, check_equal
from harness.faults import (
    MISSES_OF_THREADS,
    NEEDS,
    SLAB,
    aimed,
    at_rest,
    injected,
    nothing_left,
    walk,
    whole,
)
from harness.restart import STATE

# Many cycles in little time, and the tests themselves say when the modem does what.
pytestmark = pytest.mark.profile("instant")

ENOMEM = 12
AUTOSUSPEND_MS = 20
# How long the modem keeps power after the last frame.
IDLE_MS = 30
# The driver's own threads of the kernel: those of the modem's lines, and those of works.
LINES, WORKS = "irq/", "kworker/"


@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
@bound_anew(powered)
def test_fail_nth_bind(ctx: Context, loaded: Context) -> None:
    """Binding fails with an error wherever memory is short, leaves nothing, and works afterwards.

    Of each allocation of the probe; the modem is not there yet.
    """
    name = ctx.device()["name"]
    unbind = f"echo {name} >{BUS}/unbind"

    def judge(outcome: dict[str, Any]) -> None:
        if outcome["errno"]:
            nothing_left(ctx)
        else:
            # Something that it can do without.
            ctx.phone.run(unbind)

    ctx.phone.run(unbind)
    nothing_left(ctx)
    with aimed(ctx):
        walk(
            ctx,
            "bind",
            lambda n: ctx.phone.call("nth_write", number=n, path=f"{BUS}/bind", text=name),
            judge,
            least=10,
        )
    check(ctx.bound(), "the driver is bound in the end")
    ctx.open_modem()
    ctx.up()
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
@bound_anew(powered)
def test_fail_nth_unbind(ctx: Context, up: Context) -> None:
    """Unbinding needs no memory that it could not do without: nothing is left wherever it is short.

    With the link up. What fails is CLOSE, and what the kernel tells user space.
    """
    name = ctx.device()["name"]

    def attempt(number: int) -> dict[str, Any]:
        ctx.set_autosuspend(60_000)
        ctx.works()
        outcome = ctx.phone.call("nth_write", number=number, path=f"{BUS}/unbind", text=name)
        check_equal(outcome["errno"], 0, "unbinding")
        nothing_left(ctx)
        ctx.phone.run(f"echo {name} >{BUS}/bind")
        ctx.reopen()
        return outcome

    with aimed(ctx):
        walk(ctx, "unbind", attempt, lambda _: whole(ctx), 4)
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
@bound_anew(powered)
def test_fail_nth_load(ctx: Context) -> None:
    """Loading the module fails with an error wherever memory is short, and works afterwards.

    As fail_nth_bind, and what is allocated before the driver is probed.
    """
    insmod = ["insmod", f"/modules/{ctx.module}.ko"]

    def judge(outcome: dict[str, Any]) -> None:
        if ctx.phone.call("module", name=ctx.module) is None:
            check(outcome["rc"] != 0, "insmod succeeds, and there is no module")
        else:
            # A probe that fails is no failure of the module.
            check_equal(outcome["rc"], 0, "insmod of a module that is there")
            ctx.unload()
        nothing_left(ctx)

    with aimed(ctx, module=None):
        walk(
            ctx,
            "insmod",
            lambda n: ctx.phone.call("nth_command", number=n, argv=insmod),
            judge,
            8,
            least=8,
        )
    check(ctx.bound(), "the driver is bound in the end")
    ctx.open_modem()
    ctx.up()
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_fail_nth_power_up(ctx: Context, up: Context) -> None:
    """A power-up with memory short anywhere is acknowledged a little later, with all buffers
    posted.

    DMA channels, their rings of descriptors, receive buffers and their descriptors.
    """
    ctx.set_autosuspend(AUTOSUSPEND_MS)
    ctx.modem.idle(IDLE_MS)

    def attempt(number: int) -> dict[str, Any]:
        ctx.modem.idle(IDLE_MS)
        ctx.wait_suspended()
        before = injected(ctx)
        ctx.phone.call("nth_threads", number=number, prefix=LINES)
        ctx.modem.idle(None)
        ctx.modem.power(on=True)
        ctx.wait_until(lambda: ctx.phase() == "on", "the power-up is acknowledged")
        ctx.phone.call("nth_threads", number=0, prefix=LINES)
        return {"hit": injected(ctx) > before}

    def judge(_: dict[str, Any]) -> None:
        at_rest(ctx)
        ctx.echo(count=2)

    with aimed(ctx):
        walk(ctx, "power-up", attempt, judge, 8, MISSES_OF_THREADS, least=8)
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_fail_nth_ifup(ctx: Context, up: Context) -> None:
    """An interface goes up and down in spite of memory that is short, awake and asleep.

    OPEN and CLOSE are sent by whoever asks for it, or by a work when the modem has to wake.
    """
    name = ctx.name(0)

    def link(number: int, up: bool) -> dict[str, Any]:
        return ctx.phone.call("nth_link", number=number, name=name, up=up)

    def up_again(outcome: dict[str, Any]) -> None:
        check_equal(outcome["errno"], 0, "ip link set")
        ctx.up()
        ctx.works()

    def attempt_up(number: int) -> dict[str, Any]:
        ctx.down()
        return link(number, True)

    def attempt_down(number: int) -> dict[str, Any]:
        outcome = link(number, False)
        ctx.wait_until(lambda: not ctx.modem.status()["host_open"], "CLOSE")
        ctx.phone.run(f"ip link set dev {name} up")
        return outcome

    def attempt_asleep(number: int) -> dict[str, Any]:
        # The OPEN of before is not the one to see.
        ctx.down()
        ctx.wait_suspended()
        before = injected(ctx)
        # Whoever sees first that the modem is awake sends it.
        for prefix in (LINES, WORKS):
            ctx.phone.call("nth_threads", number=number, prefix=prefix)
        ctx.phone.run(f"ip link set dev {name} up")
        ctx.wait_until(lambda: ctx.modem.status()["host_open"], "OPEN")
        for prefix in (LINES, WORKS):
            ctx.phone.call("nth_threads", number=0, prefix=prefix)
        return {"hit": injected(ctx) > before, "errno": 0}

    # Awake, so that whoever asks for it sends the command.
    ctx.set_autosuspend(60_000)
    ctx.works()
    with aimed(ctx):
        walk(ctx, "ifup", attempt_up, up_again)
        walk(ctx, "ifdown", attempt_down, up_again)
        ctx.set_autosuspend(AUTOSUSPEND_MS)
        ctx.modem.idle(IDLE_MS)
        ctx.up()
        walk(ctx, "ifup asleep", attempt_asleep, up_again, 4, MISSES_OF_THREADS)
    ctx.up()
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_fail_nth_open(ctx: Context, up: Context) -> None:
    """An interface that can't be created for want of memory is there a little later, and works.

    Each channel's first OPEN; the driver is bound again when all have had theirs.
    """
    name = ctx.device()["name"]
    fresh = [channel for channel in ALL_CHANNELS if channel]

    def attempt(number: int) -> dict[str, Any]:
        if not fresh:
            fresh.extend(channel for channel in ALL_CHANNELS if channel)
            # So that the modem does not announce them to the driver that binds.
            ctx.modem.close(fresh)
            ctx.phone.run(f"echo {name} >{BUS}/unbind; echo {name} >{BUS}/bind")
            ctx.reopen()
        channel = fresh.pop()
        before = injected(ctx)
        ctx.phone.call("nth_threads", number=number, prefix=WORKS)
        ctx.modem.open([channel])
        ctx.wait_until(lambda: channel in ctx.interfaces(), f"the interface of channel {channel}")
        ctx.phone.call("nth_threads", number=0, prefix=WORKS)
        return {"hit": injected(ctx) > before, "channel": channel}

    def judge(outcome: dict[str, Any]) -> None:
        ctx.up([outcome["channel"]])
        ctx.echo(outcome["channel"], count=2)

    with aimed(ctx):
        walk(ctx, "interface", attempt, judge, 5, MISSES_OF_THREADS, least=5)
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
def test_fail_nth_reports(ctx: Context, up: Context) -> None:
    """Reports that memory is too short for fail with an error; the next one is complete.

    Devlink's diagnosis and dump, and the state file. It tries pages only to save memory.
    """
    which = [f"platform/{ctx.device()['name']}", "reporter", "modem"]
    state = f"/sys/kernel/debug/bam_dmux/{ctx.device()['name']}/state"

    def refused(outcome: dict[str, Any]) -> None:
        check(outcome["rc"] != 0, f"a report with a hole: {outcome['out']}")

    with aimed(ctx, kinds=(SLAB,)):
        for what in (["diagnose"], ["dump", "show"]):
            argv = ["devlink", "health", *what, *which]
            walk(
                ctx,
                " ".join(what),
                lambda n, argv=argv: ctx.phone.call("nth_command", number=n, argv=argv),
                refused,
                8,
            )
        outcome = ctx.phone.call("nth_read", number=1, path=state)
        ctx.note(f"state: {outcome}")
        check(not outcome["hit"] or outcome["errno"] == ENOMEM, f"the state file: {outcome}")
    for what in ("diagnose", "dump show"):
        report = ctx.phone.run(f"devlink -j health {what} {' '.join(which)}")
        check('"link"' in report and '"rx"' in report, f"{what} afterwards: {report}")
    whole(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.needs(NEEDS)
@dark
def test_fail_nth_restart(ctx: Context, up: Context) -> None:
    """A modem that restarts while memory is short is reported, let go and taken up again.

    An allocation fails for user space, which tells of it, and for the works that follow.
    """

    def attempt(number: int) -> dict[str, Any]:
        before = injected(ctx)
        ctx.phone.call("nth_threads", number=number, prefix=WORKS)
        stopped = ctx.phone.call("nth_write", number=number, path=STATE, text="stop")
        check_equal(stopped["errno"], 0, "the modem stops")
        started = ctx.phone.call("nth_write", number=number, path=STATE, text="start")
        check_equal(started["errno"], 0, "the modem starts")
        ctx.modem.boot(delay_ms=20, channels=[0])
        ctx.works()
        ctx.phone.call("nth_threads", number=0, prefix=WORKS)
        return {"hit": injected(ctx) > before}

    with aimed(ctx):
        walk(ctx, "restart", attempt, lambda _: at_rest(ctx), 4, MISSES_OF_THREADS)
    time.sleep(0.2)
    whole(ctx)
