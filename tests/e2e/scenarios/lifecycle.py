# SPDX-License-Identifier: GPL-2.0
"""Coming and going: channels, interfaces, bindings and modules, with traffic."""

import time

from harness import rtnl as rtnl_lock
from harness.context import Context, far_ip
from harness.errors import check, check_equal
from harness.scenario import scenario

TIMES = 50
BIND = "/sys/bus/platform/drivers/bam-dmux"
# Longest time that `ip link set` may take with a silent modem, in seconds.
RTNL_BOUND = 1.0


@scenario(
    "CLOSE detaches the interface, OPEN attaches it, and traffic goes on by itself",
    cost=15,
    allowed=("data_modem_closed",),  # frames that cross the CLOSE
)
def close_open(ctx: Context) -> None:
    """With a load that does not stop; first left alone, then with an ifup in between."""
    ctx.phone.call("load_start", name="a", host=far_ip(0), size=300, patience=0.2)
    name = ctx.name(0)

    def replies() -> int:
        return ctx.phone.call("load_status", name="a")["received"]

    for touched in (False, False, True, True):
        before = replies()
        ctx.wait_until(lambda before=before: replies() > before, "the load gets replies")
        ctx.modem.call("close", channels=[0])
        time.sleep(0.3)
        if touched:
            cycle = f"ip link set dev {name} down; ip link set dev {name} up"
            # As soon as Linux has taken the CLOSE.
            ctx.wait_until(
                lambda cycle=cycle: ctx.phone.sh(cycle)[0] != 0, "the interface can't be brought up"
            )
        ctx.modem.call("open", channels=[0])
        if touched:
            ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "attach")
            ctx.up()
        ctx.works()
    load = ctx.phone.call("load_stop", name="a")
    ctx.note(f"load: {load}")
    check_equal(load["bad"], 0, "datagrams with wrong content")
    check(load["received"] > 0, "the load got no reply at all")


@scenario("one channel's CLOSE leaves the others alone", cost=10, allowed=("data_modem_closed",))
def close_one(ctx: Context) -> None:
    """Traffic on channel 0 must not lose a datagram while channel 1 comes and goes."""
    ctx.modem.call("open", channels=[1])
    ctx.wait_interfaces({0, 1})
    ctx.up((0, 1))
    ctx.echo(1)
    ctx.phone.call("load_start", name="a", host=far_ip(0), size=300, window=4, patience=30)
    for _ in range(10):
        ctx.modem.call("close", channels=[1])
        time.sleep(0.1)
        ctx.modem.call("open", channels=[1])
        time.sleep(0.1)
    load = ctx.load_stop_lossless("a")
    ctx.note(f"load: {load}")
    check_equal(load["bad"] + load["doubled"], 0, "bad datagrams on the other channel")
    check(load["sent"] > 0, "nothing was sent on the other channel")
    check_equal(load["received"], load["sent"], "datagrams that came back on the other channel")
    ctx.works(1)


@scenario(
    "ifdown and ifup with a full ring and a silent modem: quick, and nothing lost",
    cost=20,
    defects=(31,),
    symptom="'double_open': ",
)
def ifdown_full(ctx: Context) -> None:
    """RTNL must not be held for seconds; afterwards the whole ring is usable."""
    for _ in range(3):
        ctx.modem.call("hold_tx", on=True)
        ctx.phone.call(
            "udp_echo", 30, host=far_ip(0), count=80, size=500, window=80, patience=1, timeout=1.5
        )
        name = ctx.name(0)
        with rtnl_lock.watched(ctx, "ip link set, ring full"):
            began = time.monotonic()
            ctx.phone.run(f"ip link set dev {name} down", 30)
            down = time.monotonic() - began
            began = time.monotonic()
            # A driver may refuse while the ring is full, but not take long over it.
            ctx.phone.sh(f"ip link set dev {name} up", 30)
            seconds = max(down, time.monotonic() - began)
        bound = RTNL_BOUND * ctx.phone.slowness
        check(seconds < bound, f"ip link set took {seconds:.1f} s with a full ring")
        ctx.modem.call("hold_tx", on=False)
        ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {ctx.name(0)} up")[0] == 0, "ifup")
        ctx.up()
        ctx.works()
    result = ctx.phone.call("udp_echo", 60, host=far_ip(0), count=100, size=500, patience=20)
    ctx.check_echo(result, 100, "more frames than the ring has slots")


@scenario(
    "ifup and ifdown return at once while the modem does not answer",
    cost=15,
    defects=(31,),
    symptom=r"took \d",
)
def rtnl(ctx: Context) -> None:
    """With a suspended link that the modem does not wake."""
    ctx.set_autosuspend(100)
    ctx.wait_suspended()
    ctx.modem.call("acks", mode="withhold")
    name = ctx.name(0)
    with rtnl_lock.watched(ctx, "ip link set, modem silent"):
        for direction in ("down", "up", "down", "up"):
            began = time.monotonic()
            ctx.phone.sh(f"ip link set dev {name} {direction}", 30)
            seconds = time.monotonic() - began
            bound = RTNL_BOUND * ctx.phone.slowness
            check(seconds < bound, f"ip link set {direction} took {seconds:.1f} s")
        # Nor does whoever wakes the modem hold it meanwhile.
        ctx.wait_given_up()
    ctx.modem.call("acks", mode="normal")
    ctx.wait_until(lambda: ctx.phone.sh(f"ip link set dev {name} up")[0] == 0, "ifup")
    ctx.up()
    ctx.works()


def reopen(ctx: Context) -> None:
    """After the driver came back: the modem announces its channel again."""
    ctx.modem.call("open", channels=[0])
    ctx.wait_interfaces({0})
    ctx.up()


@scenario(
    "unbind and bind 50 times under traffic, then traffic without loss",
    cost=90,
    timeout=240,
    allowed=("ap_ack_timeout",),  # while no driver is bound
)
def unbind_bind(ctx: Context) -> None:
    """Traffic both ways goes on while the driver goes away."""
    ctx.phone.call("load_start", name="a", host=far_ip(0), size=900, window=16, patience=0.5)
    name = ctx.device()["name"]
    for _ in range(TIMES):
        ctx.phone.run(f"echo {name} >{BIND}/unbind", 20)
        check_equal(ctx.interfaces(), {}, "interfaces after unbind")
        ctx.phone.run(f"echo {name} >{BIND}/bind", 20)
        reopen(ctx)
    load = ctx.phone.call("load_stop", name="a")
    ctx.note(f"load: {load}")
    check_equal(load["bad"], 0, "datagrams with wrong content")
    check(load["received"] > 0, "the load got no reply at all")
    ctx.works()


@scenario(
    "rmmod and insmod 50 times under traffic, then traffic without loss",
    cost=90,
    timeout=240,
    allowed=("ap_ack_timeout",),  # as in unbind_bind
)
def reload(ctx: Context) -> None:
    """As unbind_bind, with the module going each time; bounded in time."""
    ctx.phone.call("load_start", name="a", host=far_ip(0), size=900, window=16, patience=0.5)
    longest = 0.0
    for _ in range(TIMES):
        longest = max(longest, ctx.unload(20))
        ctx.load()
        reopen(ctx)
    load = ctx.phone.call("load_stop", name="a")
    ctx.note(f"load: {load}, longest rmmod {longest:.2f} s")
    check_equal(load["bad"], 0, "datagrams with wrong content")
    check(load["received"] > 0, "the load got no reply at all")
    ctx.works()


@scenario(
    "rmmod is bounded whether the modem is up, asleep, silent, crashed or full",
    cost=60,
    defects=(28, 29),
    # The first acknowledgement after the crash is no change, and never seen.
    symptom=r"not within \d+ s: the interfaces of the channels",
    allowed=("ap_ack_timeout",),
)
def unbind_states(ctx: Context) -> None:
    """The runner checks references and leaks after the last one."""

    def silent() -> None:
        ctx.set_autosuspend(50)
        ctx.wait_suspended()
        ctx.modem.call("acks", mode="withhold")
        ctx.phone.call("load_start", name="s", host=far_ip(0), size=100)
        time.sleep(0.5)

    def full() -> None:
        ctx.modem.call("hold_tx", on=True)
        ctx.phone.call("load_start", name="f", host=far_ip(0), size=500, window=60)
        time.sleep(0.5)

    states = {
        "up": lambda: ctx.echo(),
        "asleep": lambda: (ctx.set_autosuspend(50), ctx.wait_suspended()),
        "silent": silent,
        "full": full,
        "crashed": lambda: ctx.modem.call("crash"),
    }
    for state, enter in states.items():
        enter()
        seconds = ctx.unload(30)
        ctx.note(f"rmmod with the modem {state}: {seconds:.1f} s")
        check(seconds < 10 * ctx.phone.slowness, f"rmmod, modem {state}: {seconds:.1f} s")
        for load in {"silent": "s", "full": "f"}.get(state, ""):
            ctx.phone.call("load_stop", name=load)
        ctx.modem.call("acks", mode="normal")
        ctx.modem.call("hold_tx", on=False)
        ctx.fresh_modem()
        ctx.load()
        ctx.open_modem()
        ctx.up()
        ctx.works()
