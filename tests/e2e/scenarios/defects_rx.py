# SPDX-License-Identifier: GPL-2.0
"""What the network stack gets with a frame, and what a stream of frames costs."""

from harness import packets
from harness.context import ALL_CHANNELS, Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.scenario import scenario

from scenarios.hostile import header

# A packet as small as an acknowledgement.
SMALL = packets.udp(far_ip(0), guest_ip(0), 9999, bytes(12))
# What may be charged for it: it is alone in the smallest buffer that the kernel has.
SMALL_COST = 1024
RECEIVE_BUFFER = 64 << 10
SEGMENTS = 20
SEGMENT_SIZE = 1000
# The processor that serves interrupts as long as nobody asks for another one.
INTERRUPTS = 0
EARLY_FRAMES = 5


@scenario(
    "a socket filter that looks at the link layer's header gets packets",
    defects=(18,),
    symptom="packets that passed a filter .* expected 10, found 0",
)
def link_layer_filter(ctx: Context) -> None:
    """As tools compile them; where the kernel does not know the header it drops the packet."""
    name = ctx.name(0)
    ctx.phone.call("link_layer_start", interface=name)
    ctx.modem.call("data", channel=0, hex=SMALL.hex(), repeat=10)
    passed = ctx.phone.call("link_layer_count", interface=name, idle=ctx.phone.slowness)
    check_equal(passed, 10, "packets that passed a filter that accepts all")


@scenario(
    "an interface that is brought up the moment it is announced receives at once",
    cost=10,
    defects=(19,),
    symptom="frames that came back to the new interface",
)
def early_ifup(ctx: Context) -> None:
    """By a task that has precedence over the one that creates the interface, on its processor."""
    # The link has to stay awake: a wake-up sleeps, and lets the other task go on.
    ctx.set_autosuspend(60_000)
    for channel in range(1, 8):
        ctx.echo(count=2)
        ctx.modem.call("echo", on=True)
        ctx.phone.call("early_bird_start", cpu=INTERRUPTS, frames=EARLY_FRAMES, timeout=20)
        ctx.modem.call("open", channels=[channel])
        found = ctx.phone.call("early_bird_result")
        ctx.modem.call("echo", on=False)
        ctx.note(f"channel {channel}: {found}")
        check(bool(found), "the task found no interface")
        check_equal(found["received"], EARLY_FRAMES, "frames that came back to the new interface")
    ctx.wait_interfaces(set(ALL_CHANNELS))


def log_lines(ctx: Context, start: int) -> int:
    """Lines in the kernel's log since a position."""
    return ctx.phone.log(start).count("\n")


@scenario(
    "a modem that sends frames nobody wants does not fill the kernel's log",
    defects=(20,),
    symptom="lines in the kernel's log",
)
def log_storm(ctx: Context) -> None:
    """Frames for an interface that is down, then frames without sense."""
    ctx.echo()
    start = ctx.phone.log_position()
    ctx.phone.run(f"ip link set dev {ctx.name(0)} down")
    frames = 500
    ctx.modem.call("data", channel=0, hex=SMALL.hex(), repeat=frames)
    for bad in (header(magic=0x1234), header(command=9), header(length=0xFFFF)):
        ctx.modem.call("inject", hex=(bad + bytes(100)).hex(), repeat=frames)
    ctx.wait_until(lambda: ctx.modem.status()["downlink_queued"] == 0, "Linux takes the frames")
    ctx.up()
    ctx.works()
    lines = log_lines(ctx, start)
    ctx.note(f"{lines} lines for {4 * frames} frames")
    check(lines < frames // 10, f"{lines} lines in the kernel's log for {4 * frames} frames")


@scenario(
    "segments that arrive together reach the stack as one packet (GRO)",
    defects=(21,),
    symptom="segments arrived as",
)
def merged_segments(ctx: Context) -> None:
    """They wait in the modem, so that all are there when the driver looks."""
    name = ctx.name(0)
    ctx.modem.call("hold_rx", on=True)
    ctx.phone.call("capture_start", interface=name)
    for number in range(SEGMENTS):
        packet = packets.tcp(
            far_ip(0), guest_ip(0), 9, 1 + number * SEGMENT_SIZE, bytes(SEGMENT_SIZE)
        )
        ctx.modem.call("data", channel=0, hex=packet.hex())
    ctx.modem.call("hold_rx", on=False)
    seen = ctx.phone.call("capture_read", interface=name, count=SEGMENTS, timeout=9, idle=2)
    lengths = seen["lengths"]
    ctx.note(f"lengths of the packets: {lengths}")
    payload = sum(length - 40 for length in lengths)
    check_equal(payload, SEGMENTS * SEGMENT_SIZE, "bytes of the segments")
    check(len(lengths) <= SEGMENTS // 2, f"{SEGMENTS} segments arrived as {len(lengths)} packets")


@scenario(
    "small packets are charged with a small buffer",
    defects=(22,),
    symptom="bytes are charged for a packet",
)
def small_packets(ctx: Context) -> None:
    """More than fit into a socket's receive buffer, which nobody reads."""
    ctx.phone.call("receiver_start", host=guest_ip(0), port=9999, size=RECEIVE_BUFFER)
    ctx.modem.call("data", channel=0, hex=SMALL.hex(), repeat=400)
    ctx.wait_until(lambda: ctx.modem.status()["downlink_queued"] == 0, "Linux takes the frames")
    ctx.works()
    found = ctx.phone.call("receiver_count", port=9999)
    check(found["held"] > 0, "the socket holds nothing")
    each = found["charged"] / found["held"]
    ctx.note(f"{found}: {each:.0f} bytes for each")
    check(each <= SMALL_COST, f"{each:.0f} bytes are charged for a packet of {len(SMALL)}")
