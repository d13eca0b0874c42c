# SPDX-License-Identifier: GPL-2.0
"""Unbinding the driver in every state of the link, and binding it again."""

import time
from collections.abc import Callable

from harness.background import background
from harness.context import IDLE_MS, Context, far_ip
from harness.errors import check, check_equal
from harness.faults import nothing_left, whole
from harness.restart import set_state, starts
from harness.scenario import scenario

BIND = "/sys/bus/platform/drivers/bam-dmux"
MSS = "/sys/bus/platform/drivers/qcom-q6v5-mss"
# Longest time that unbinding takes, in seconds: the driver's waits, and a wake-up under way.
BOUND = 8.0
# What unbinding has to keep: the modem takes its power away without an ack, and gives it no more.
KEEPS = {"vote unanswered, power": "DMA channel"}
ENODEV = 19
OPEN, CLOSE = "fc33 00 01 00 00 0000", "fc33 00 02 00 00 0000"


def unbind(ctx: Context, what: str) -> None:
    """In bounded time, and nothing is left, unless there is a reason."""
    began = time.monotonic()
    ctx.unbind(60)
    seconds = time.monotonic() - began
    ctx.note(f"UNBIND {what}: {seconds:.2f} s")
    check(seconds < BOUND * ctx.phone.slowness, f"{what}: unbinding took {seconds:.1f} s")
    nothing_left(ctx, KEEPS.get(what, "nothing"))


def bind(ctx: Context) -> None:
    """By hand."""
    name = ctx.device()["name"]
    ctx.phone.run(f"echo {name} >{BIND}/bind")
    ctx.wait_until(ctx.bound, "the driver binds")


def back(ctx: Context) -> None:
    """Bind, with a modem that is well; the link works."""
    ctx.modem.call("acks", mode="normal")
    ctx.modem.call("hold_tx", on=False)
    bind(ctx)
    ctx.modem.call("open", channels=[0])
    ctx.wait_interfaces({0})
    ctx.up()
    whole(ctx)


def restarted(ctx: Context) -> None:
    """As back(), with firmware that starts anew."""
    ctx.modem.call("restart", delay_ms=None)
    bind(ctx)
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
    ctx.modem.call("acks", mode="withhold", power=power)
    send(ctx)
    ctx.wait_until(lambda: ctx.modem.status()["vote"], "Linux votes")


def falling(ctx: Context) -> None:
    """The vote is taken back, and the modem takes its time over it."""
    ctx.set_autosuspend(30)
    ctx.modem.call("acks", mode="delay", ms=600)
    ctx.echo(count=1)
    acks = ctx.counter("acks_sent")
    ctx.wait_until(lambda: not ctx.modem.status()["vote"], "Linux lets go", every=0.005)
    check_equal(ctx.counter("acks_sent"), acks, "acks of the modem since it was let go")


def full(ctx: Context) -> None:
    """A ring of frames that the modem does not take."""
    ctx.modem.call("hold_tx", on=True)
    send(ctx, 100)


def burst(ctx: Context) -> None:
    """Frames of the modem, more than there are buffers, right now."""
    ctx.modem.call("data", channel=0, hex=(b"\x45" + bytes(999)).hex(), repeat=1000)


def flood(ctx: Context) -> None:
    """OPEN and CLOSE by turns, more than there are buffers."""
    for _ in range(100):
        ctx.modem.call("inject", hex=CLOSE)
        ctx.modem.call("inject", hex=OPEN, repeat=2)


def senseless(ctx: Context) -> None:
    """Frames with everything wrong, and headers that are not all there, right now."""
    for frame in ("ff" * 8, "fc330009", "fc33000000090000", "fc330000000000ff" + "45" * 64, "00"):
        ctx.modem.call("inject", hex=frame, repeat=200)


def closed(ctx: Context) -> None:
    """The modem has closed the channel, and the interface is detached."""
    ctx.modem.call("close", channels=[0])
    ctx.wait_until(
        lambda: ctx.phone.call("interface", name=ctx.name(0))["carrier"] != "1", "CLOSE arrives"
    )


def dead_high(ctx: Context) -> None:
    """Crashed with a full ring; the BAM keeps its power, and the line says so."""
    full(ctx)
    ctx.modem.call("crash")


def dead_low(ctx: Context) -> None:
    """Crashed while it had no power."""
    asleep(ctx)
    ctx.modem.call("crash")


def recovering(ctx: Context) -> None:
    """Remoteproc has restarted the firmware, which is not up yet."""
    before = starts(ctx)
    ctx.modem.call("crash", irq=True)
    ctx.wait_until(lambda: starts(ctx) > before, "remoteproc starts the modem")


STATES: dict[str, tuple[Callable[[Context], object], Callable[[Context], None]]] = {
    "asleep": (asleep, back),
    "vote unanswered, no power": (lambda ctx: rising(ctx, False), back),
    "vote unanswered, power": (lambda ctx: rising(ctx, True), back),
    "vote taken back": (falling, back),
    "full ring": (full, back),
    "burst of frames from the modem": (burst, back),
    "flood of OPEN and CLOSE": (flood, back),
    "frames without sense from the modem": (senseless, back),
    "channel closed by the modem": (closed, back),
    "crashed, power line high": (dead_high, restarted),
    "crashed, power line low": (dead_low, restarted),
    "being restarted": (recovering, restarted),
}


@scenario(
    "unbinding is bounded and leaves nothing in every state of the link; bound again, all works",
    cost=50,
    timeout=300,
    mainline=False,
    campaign=True,
    allowed=(
        "ap_ack_timeout",  # while no driver is bound
        "double_open",  # a modem that does not wake up gets no CLOSE
        "data_modem_closed",  # frames that cross a CLOSE of the flood
        "unpowered_access",  # frames sent before the crash is known
    ),
)
def unbind_anywhere(ctx: Context) -> None:
    """Each state is entered anew; see STATES."""
    for turn in range(ctx.sizes.rounds):
        for what, (enter, leave) in STATES.items():
            ctx.progress(f"round {turn}: {what}")
            enter(ctx)
            unbind(ctx, what)
            leave(ctx)


@scenario(
    "unbinding while somebody reads, listens, taps or brings interfaces up: bounded, and no harm",
    cost=30,
    timeout=200,
    mainline=False,
    campaign=True,
)
def unbind_used(ctx: Context) -> None:
    """Files, sockets and interfaces that user space holds."""
    for turn in range(ctx.sizes.rounds):
        ctx.progress(f"round {turn}")
        name = ctx.name(0)
        state = f"/sys/kernel/debug/bam_dmux/{ctx.device()['name']}/state"
        out = ctx.phone.run(
            f"exec 3<{state}; head -c 4 <&3; echo {ctx.device()['name']} >{BIND}/unbind; cat <&3; :"
        )
        ctx.note(f"state file of a driver that went: {out.strip()[:200]}")
        nothing_left(ctx)
        back(ctx)

        with background(ctx, f"ping -i 0.1 {far_ip(0)}", f"tcpdump -n -i {name}"):
            time.sleep(0.5)
            unbind(ctx, "tapped")
        back(ctx)

        loop = f"while :; do ip link set {name} down; ip link set {name} up; done"
        with background(ctx, loop):
            for _ in range(4):
                time.sleep(0.2)
                unbind(ctx, "in the middle of ip link set")
                bind(ctx)
                ctx.modem.call("open", channels=[0])
                ctx.wait_interfaces({0})
        ctx.up()
        whole(ctx)

        with background(ctx, "while :; do cat /sys/kernel/debug/bam_dmux/*/state; done"):
            time.sleep(0.3)
            unbind(ctx, "state file read all the time")
        back(ctx)


@scenario(
    "unbinding while pipes can't be connected, again and again, is bounded and leaves nothing",
    cost=20,
    mainline=False,
    needs="/sys/kernel/debug/fail_function",
    # The modem waits for the ack of a power-up that nobody can follow.
    allowed=("ap_ack_timeout",),
)
def unbind_unconnected(ctx: Context) -> None:
    """The modem has power, and there is no DMA channel to be had."""
    function = {"name": "bam_dmux_helper_dma_request_chan", "retval": -ENODEV}
    asleep(ctx)
    ctx.phone.call("faults_function", **function, percent=100)
    ctx.modem.call("idle", ms=None)
    ctx.modem.call("power", on=True)
    ctx.wait_until(lambda: ctx.phone.call("faults_function_count") > 1, "it is tried again")
    unbind(ctx, "no DMA channel")
    ctx.phone.call("faults_function", **function, percent=0)
    ctx.modem.call("idle", ms=IDLE_MS)
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


@scenario(
    "unbound from a dead modem without power, the DMA channels are taken over by the next bind",
    cost=30,
    timeout=200,
    mainline=False,
    campaign=True,
)
def unbind_dark(ctx: Context) -> None:
    """Bound again once and twice before the modem is back; no access to the dark BAM by anybody."""
    for turn in range(2 * ctx.sizes.rounds):
        ctx.progress(f"round {turn}")
        full(ctx)
        ctx.modem.call("crash", bam_off=True)
        ctx.modem.call("edge", line="pc", action="toggle")
        ctx.wait_until(
            lambda: "lost=true" in ctx.state(),
            "the driver finds out",
        )
        for _ in range(1 + turn % 2):
            left_behind(ctx)
            bind(ctx)
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM")
        ctx.modem.call("restart", delay_ms=None)
        ctx.open_modem()
        ctx.up()
        whole(ctx)
        check_equal(ctx.counter("unpowered_access"), 0, "accesses to the dark BAM")
        check_equal(ctx.phone.call("module", name=ctx.module), 0, "references to the module")
    unbind(ctx, "in the end")
    back(ctx)


@scenario(
    "a modem that fell asleep unheard keeps the module in use; unbinding wakes it, and all goes",
    cost=15,
    mainline=False,
    # It may have restarted for all Linux knows: channels are held, so none is closed.
    allowed=("double_open",),
)
def unbind_wakes(ctx: Context) -> None:
    """It takes the power away without an ack of the un-vote, so the pipes are put aside."""
    ctx.set_autosuspend(60_000)
    ctx.echo(count=1)
    ctx.modem.call("acks", mode="withhold")
    ctx.set_autosuspend(30)
    ctx.wait_until(lambda: not ctx.modem.status()["vote"], "Linux lets go", every=0.005)
    ctx.modem.call("power", on=False)
    ctx.wait_until(ctx.awaits_power, "pipes are put aside")
    ctx.modem.call("acks", mode="normal")
    code, out = ctx.phone.sh(f"rmmod {ctx.module}")
    check(code != 0 and "in use" in out, f"the module goes, and callbacks may come: {out}")
    unbind(ctx, "asleep, unheard")
    ctx.phone.run(f"rmmod {ctx.module}")
    ctx.load()
    ctx.wait_interfaces({0})
    ctx.up()
    whole(ctx)


@scenario(
    "bound while remoteproc has the modem stopped, the driver waits for it, and all works then",
    cost=20,
    timeout=200,
    mainline=False,
)
def unbind_stopped(ctx: Context) -> None:
    """With a power line that stands as it stood when the modem was stopped: high."""
    full(ctx)
    ctx.modem.call("crash", bam_off=True)
    set_state(ctx, "stop")
    ctx.modem.call("reset_counters")
    left_behind(ctx)
    bind(ctx)
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
    ctx.modem.call("reset_counters")
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


@scenario(
    "the modem's remoteproc driver unbound and bound: the new device takes the DMA channels over",
    cost=30,
    timeout=200,
    mainline=False,
)
def unbind_remoteproc(ctx: Context) -> None:
    """Of a modem that was stopped under load, that is dead and dark, and that runs."""
    full(ctx)
    ctx.modem.call("crash", bam_off=True)
    set_state(ctx, "stop")
    remoteproc_again(ctx, "dead and stopped", True)

    full(ctx)
    set_state(ctx, "stop")
    remoteproc_again(ctx, "stopped", True)

    remoteproc_again(ctx, "running", False)
    seconds = ctx.unload()
    ctx.note(f"UNLOAD: {seconds:.2f} s")
