# SPDX-License-Identifier: GPL-2.0
"""Unbinding the driver in every state of the link, and binding it again."""

import time
from collections.abc import Callable

import pytest

from harness.allowance import bound_anew, dark
from harness.background import background
from harness.context import BUS, IDLE_MS, Context, far_ip
from harness.errors import check, check_equal
from harness.faults import failing, nothing_left, whole
from harness.frames import CLOSE, OPEN, header
from harness.restart import set_state, starts

# Many cycles in little time, and the tests themselves say when the modem does what.
pytestmark = pytest.mark.profile("instant")

MSS = "/sys/bus/platform/drivers/qcom-q6v5-mss"
# Longest time that unbinding takes, in seconds: the driver's waits, and a wake-up under way.
BOUND = 8.0
# What unbinding has to keep: the modem takes its power away without an ack, and gives it no more.
KEEPS = {"vote_unanswered_powered": "DMA channel"}
ENODEV = 19


def unbind(ctx: Context, what: str) -> None:
    """In bounded time, and nothing is left, unless there is a reason."""
    began = time.monotonic()
    ctx.unbind(60)
    seconds = time.monotonic() - began
    ctx.note(f"UNBIND {what}: {seconds:.2f} s")
    check(seconds < BOUND * ctx.phone.slowness, f"{what}: unbinding took {seconds:.1f} s")
    nothing_left(ctx, KEEPS.get(what, "nothing"))


def back(ctx: Context) -> None:
    """Bind, with a modem that is well; the link works."""
    ctx.modem.acks("normal")
    ctx.modem.hold_tx(False)
    ctx.bind()
    ctx.modem.open([0])
    ctx.wait_interfaces({0})
    ctx.up()
    whole(ctx)


def restarted(ctx: Context) -> None:
    """As back(), with firmware that starts anew."""
    ctx.modem.restart(delay_ms=None)
    ctx.bind()
    ctx.open_modem()
    ctx.up()
    whole(ctx)


def asleep(ctx: Context) -> None:
    """No power, no vote."""
    ctx.set_autosuspend(30)
    ctx.wait_suspended()


def send(ctx: Context, count: int = 3) -> None:
    """Frames that nobody waits for."""
    ctx.phone.call(
        "udp_echo",
        30,
        host=far_ip(0),
        count=count,
        size=500,
        window=count,
        patience=0.1,
        timeout=0.2,
    )


def rising(ctx: Context, power: bool) -> None:
    """A vote that the modem does not answer, with or without power."""
    asleep(ctx)
    ctx.modem.acks("withhold", power=power)
    send(ctx)
    ctx.wait_until(lambda: ctx.modem.status()["vote"], "Linux votes")


def falling(ctx: Context) -> None:
    """The vote is taken back, and the modem takes its time over it."""
    ctx.set_autosuspend(30)
    ctx.modem.acks("delay", ms=600)
    ctx.echo(count=1)
    acks = ctx.counter("acks_sent")
    ctx.wait_until(lambda: not ctx.modem.status()["vote"], "Linux lets go", every=0.005)
    check_equal(ctx.counter("acks_sent"), acks, "acks of the modem since it was let go")


def full(ctx: Context) -> None:
    """A ring of frames that the modem does not take."""
    ctx.modem.hold_tx(True)
    send(ctx, 100)


def burst(ctx: Context) -> None:
    """Frames of the modem, more than there are buffers, right now."""
    ctx.modem.data(channel=0, payload=b"\x45" + bytes(999), repeat=1000)


def flood(ctx: Context) -> None:
    """OPEN and CLOSE by turns, more than there are buffers."""
    for _ in range(100):
        ctx.modem.inject(header(command=CLOSE, length=0))
        ctx.modem.inject(header(command=OPEN, length=0), repeat=2)


def senseless(ctx: Context) -> None:
    """Frames with everything wrong, and headers that are not all there, right now."""
    for text in ("ff" * 8, "fc330009", "fc33000000090000", "fc330000000000ff" + "45" * 64, "00"):
        ctx.modem.inject(bytes.fromhex(text), repeat=200)


def closed(ctx: Context) -> None:
    """The modem has closed the channel, and the interface is detached."""
    ctx.modem.close([0])
    ctx.wait_until(
        lambda: ctx.phone.call("interface", name=ctx.name(0))["carrier"] != "1", "CLOSE arrives"
    )


def dead_high(ctx: Context) -> None:
    """Crashed with a full ring; the BAM keeps its power, and the line says so."""
    full(ctx)
    ctx.modem.crash()


def dead_low(ctx: Context) -> None:
    """Crashed while it had no power."""
    asleep(ctx)
    ctx.modem.crash()


def recovering(ctx: Context) -> None:
    """Remoteproc has restarted the firmware, which is not up yet."""
    before = starts(ctx)
    ctx.modem.crash(irq=True)
    ctx.wait_until(lambda: starts(ctx) > before, "remoteproc starts the modem")


STATES: dict[str, tuple[Callable[[Context], object], Callable[[Context], None]]] = {
    "asleep": (asleep, back),
    "vote_unanswered": (lambda ctx: rising(ctx, False), back),
    "vote_unanswered_powered": (lambda ctx: rising(ctx, True), back),
    "vote_taken_back": (falling, back),
    "full": (full, back),
    "burst": (burst, back),
    "flood": (flood, back),
    "senseless": (senseless, back),
    "closed": (closed, back),
    "dead_high": (dead_high, restarted),
    "dead_low": (dead_low, restarted),
    "recovering": (recovering, restarted),
}


# Those that leave most behind: the debug kernel looks after it in each run.
WATCHED = ("flood", "vote_unanswered_powered", "recovering")


def anywhere(test: Callable[..., None]) -> Callable[..., None]:
    """What unbinding in any state has in common."""
    for mark in (
        dark,
        pytest.mark.allow("data_modem_closed", max=100, why="frames cross a CLOSE of the flood"),
        pytest.mark.allow("double_open", max=1, why="a modem that does not wake up gets no CLOSE"),
        bound_anew(1),
        pytest.mark.timeout(300),
        pytest.mark.campaign,
        pytest.mark.ours,
    ):
        test = mark(test)
    return test


@anywhere
@pytest.mark.parametrize("state", [state for state in STATES if state not in WATCHED])
def test_unbind_anywhere(ctx: Context, up: Context, state: str) -> None:
    """Unbinding is bounded and leaves nothing in every state of the link; bound again, all works.

    The functions that enter the states say what they are.
    """
    unbind_in(ctx, state)


@anywhere
@pytest.mark.debug
@pytest.mark.parametrize("state", WATCHED)
def test_unbind_watched(ctx: Context, up: Context, state: str) -> None:
    """The same in states that leave most behind, watched by the debug kernel."""
    unbind_in(ctx, state)


def unbind_in(ctx: Context, state: str) -> None:
    """Unbind in a state, and leave it afterwards."""
    enter, leave = STATES[state]
    for turn in range(ctx.sizes.rounds):
        ctx.progress(f"round {turn}")
        enter(ctx)
        unbind(ctx, state)
        leave(ctx)


def state_file_open(ctx: Context) -> None:
    """Somebody has read a part of the state file, and reads on afterwards."""
    state = f"/sys/kernel/debug/bam_dmux/{ctx.device()['name']}/state"
    out = ctx.phone.run(
        f"exec 3<{state}; head -c 4 <&3; echo {ctx.device()['name']} >{BUS}/unbind; cat <&3; :"
    )
    ctx.note(f"state file of a driver that went: {out.strip()[:200]}")
    nothing_left(ctx)
    back(ctx)


def tapped(ctx: Context) -> None:
    """Somebody sends, and somebody listens to it."""
    with background(ctx, f"ping -i 0.1 {far_ip(0)}", f"tcpdump -n -i {ctx.name(0)}"):
        time.sleep(0.5)
        unbind(ctx, "tapped")
    back(ctx)


def going_up_and_down(ctx: Context) -> None:
    """Somebody brings the interface up and down all the time."""
    name = ctx.name(0)
    loop = f"while :; do ip link set {name} down; ip link set {name} up; done"
    with background(ctx, loop):
        for _ in range(4):
            time.sleep(0.2)
            unbind(ctx, "in the middle of ip link set")
            ctx.bind()
            ctx.modem.open([0])
            ctx.wait_interfaces({0})
    ctx.up()
    whole(ctx)


def state_file_read(ctx: Context) -> None:
    """Somebody reads the state file all the time."""
    with background(ctx, "while :; do cat /sys/kernel/debug/bam_dmux/*/state; done"):
        time.sleep(0.3)
        unbind(ctx, "state file read all the time")
    back(ctx)


@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "use", [state_file_open, tapped, going_up_and_down, state_file_read], ids=lambda f: f.__name__
)
def test_unbind_used(ctx: Context, up: Context, use: Callable[[Context], None]) -> None:
    """Unbinding while somebody reads, listens, taps or brings interfaces up: bounded, and no harm.

    Files, sockets and interfaces that user space holds.
    """
    for turn in range(ctx.sizes.rounds):
        ctx.progress(f"round {turn}")
        use(ctx)


@pytest.mark.full
@pytest.mark.debug
@pytest.mark.ours
@pytest.mark.needs("/sys/kernel/debug/fail_function")
@pytest.mark.allow("ap_ack_timeout", max=1, why="the ack of a power-up that nobody can follow")
def test_unbind_unconnected(ctx: Context, up: Context) -> None:
    """Unbinding while pipes can't be connected, again and again, is bounded and leaves nothing.

    The modem has power, and there is no DMA channel to be had.
    """
    function = {"name": "bam_dmux_helper_dma_request_chan", "retval": -ENODEV}
    asleep(ctx)
    failing(ctx, **function, percent=100)
    ctx.modem.idle(None)
    ctx.modem.power(on=True)
    ctx.wait_until(lambda: ctx.phone.call("faults_function_count") > 1, "it is tried again")
    unbind(ctx, "no DMA channel")
    failing(ctx, **function, percent=0)
    ctx.modem.idle(IDLE_MS)
    restarted(ctx)


def left_behind(ctx: Context) -> None:
    """Unbind from a BAM that is dark: its DMA channels can't be given back, so the module stays."""
    start = ctx.phone.log_position()
    ctx.unbind(60)
    check("they are kept until" in ctx.phone.log(start), "nothing is said of what is kept")
    left = ctx.phone.call("leftovers")
    ctx.note(f"left behind: {left}")
    check(all("DMA channel" in what for what in left), f"more is left than DMA channels: {left}")
    check(ctx.phone.sh(f"rmmod {ctx.module}")[0] != 0, "the module goes, and callbacks may come")


@pytest.mark.ours
@pytest.mark.campaign
@pytest.mark.timeout(200)
def test_unbind_dark(ctx: Context, up: Context) -> None:
    """Unbound from a dead modem without power, the DMA channels are taken over by the next bind.

    Bound again once and twice before the modem is back; no access to the dark BAM by anybody.
    """
    for turn in range(2 * ctx.sizes.rounds):
        ctx.progress(f"round {turn}")
        full(ctx)
        ctx.modem.crash(bam_off=True)
        ctx.modem.edge(line="pc", action="toggle")
        ctx.wait_until(
            lambda: "lost=true" in ctx.state(),
            "the driver finds out",
        )
        for _ in range(1 + turn % 2):
            left_behind(ctx)
            ctx.bind()
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM")
        ctx.modem.restart(delay_ms=None)
        ctx.open_modem()
        ctx.up()
        whole(ctx)
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM")
        check_equal(ctx.phone.call("module", name=ctx.module), 0, "references to the module")
    unbind(ctx, "in the end")
    back(ctx)


@pytest.mark.ours
@pytest.mark.allow(
    "double_open", max=1, why="held channels are not closed: the modem may be a new one"
)
def test_unbind_wakes(ctx: Context, up: Context) -> None:
    """A modem that fell asleep unheard keeps the module in use; unbinding wakes it, and all goes.

    It takes the power away without an ack of the un-vote, so the pipes are put aside.
    """
    ctx.set_autosuspend(60_000)
    ctx.echo(count=1)
    ctx.modem.acks("withhold")
    ctx.set_autosuspend(30)
    ctx.wait_until(lambda: not ctx.modem.status()["vote"], "Linux lets go", every=0.005)
    ctx.modem.power(on=False)
    ctx.wait_until(ctx.awaits_power, "pipes are put aside")
    ctx.modem.acks("normal")
    code, out = ctx.phone.sh(f"rmmod {ctx.module}")
    check(code != 0 and "in use" in out, f"the module goes, and callbacks may come: {out}")
    unbind(ctx, "asleep, unheard")
    ctx.phone.run(f"rmmod {ctx.module}")
    ctx.load()
    ctx.wait_interfaces({0})
    ctx.up()
    whole(ctx)


@pytest.mark.ours
@pytest.mark.timeout(200)
def test_unbind_stopped(ctx: Context, up: Context) -> None:
    """Bound while remoteproc has the modem stopped, the driver waits for it, and all works then.

    With a power line that stands as it stood when the modem was stopped: high.
    """
    full(ctx)
    ctx.modem.crash(bam_off=True)
    set_state(ctx, "stop")
    ctx.modem.reset_counters()
    left_behind(ctx)
    ctx.bind()
    time.sleep(1)
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM")
    set_state(ctx, "start")
    ctx.open_modem()
    ctx.up()
    whole(ctx)
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM")


def remoteproc_again(ctx: Context, what: str, kept: bool) -> None:
    """Unbind and bind the remote processor's driver, which removes our device and makes it anew."""
    name = ctx.phone.run(f"cd {MSS} && ls -d *remoteproc*").strip()
    start = ctx.phone.log_position()
    before = starts(ctx)
    ctx.modem.reset_counters()
    ctx.phone.run(f"echo {name} >{MSS}/unbind", 60)
    check(ctx.device() is None, f"{what}: the device outlives the driver that has made it")
    said = "they are kept until" in ctx.phone.log(start)
    check_equal(said, kept, f"{what}: the driver says that it keeps DMA channels")
    ctx.phone.run(f"echo {name} >{MSS}/bind", 60)
    ctx.wait_until(ctx.bound, f"{what}: the driver binds to the new device")
    ctx.wait_until(lambda: starts(ctx) > before, f"{what}: remoteproc starts the modem")
    ctx.open_modem()
    ctx.up()
    whole(ctx)
    check_equal(ctx.counter("unpowered_access"), 0, f"{what}: accesses to the dark BAM")
    check_equal(ctx.phone.call("module", name=ctx.module), 0, f"{what}: references to the module")


@pytest.mark.ours
@pytest.mark.timeout(200)
@pytest.mark.parametrize("firmware", ["dead_and_stopped", "stopped", "running"])
def test_unbind_remoteproc(ctx: Context, up: Context, firmware: str) -> None:
    """The modem's remoteproc driver unbound and bound: the new device takes the DMA channels over.

    Of a modem that is dead and dark, that was stopped under load, and that runs.
    """
    if firmware != "running":
        full(ctx)
        if firmware == "dead_and_stopped":
            ctx.modem.crash(bam_off=True)
        set_state(ctx, "stop")
    remoteproc_again(ctx, firmware, kept=firmware != "running")
    seconds = ctx.unload()
    ctx.note(f"UNLOAD: {seconds:.2f} s")
