# SPDX-License-Identifier: GPL-2.0
"""What users do with the network around the interfaces, and reported to fail.

The numbers U1, U2, ... are those of the collection of reports.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness import ipv6, packets
from harness.background import background
from harness.context import (
    Context,
    far_ip,
    far_ip6,
    guest_ip,
    guest_ip6,
)
from harness.errors import check, check_equal
from harness.frames import IPV6, record, recorded, taken
from harness.load import Load
from harness.recovery import BOOT_MS

# Router advertisements.
ROUTER, PREFIX, ROUTER_LIFETIME = "fe80::ffff", "fd64::", 1800
LINK_MTU = 1358
# Longer than the link's MTU, so that it leaves in two packets.
FRAGMENTED = 1400
# Longest time from a router advertisement to the address, in seconds.
ADDRESS_BOUND = 1.0
# Silence after the last message of an interface that came up, in seconds.
QUIET_S = 1.5

# A burst that fits into the ring of any driver.
BURST = 16
# Most lines that the kernel may log while a queueing discipline is tried.
LOG_LINES = 30
# Longest time until the first datagram passes when nothing is in its way, in seconds.
PASS_BOUND = 3.0

# How long the modem takes no frame: less than the driver's patience with it, in seconds.
STALL_S = 2

# The hotspot.
CLIENT, CLIENT_DEV, OUR_DEV = "client", "hot1", "hot0"
CLIENT_IP, OUR_IP = "192.168.77.2", "192.168.77.1"
CLIENT_IP6, OUR_IP6 = "fd77::2", "fd77::1"
TCP_BYTES = 1 << 20

# How long the modem keeps its downlink to itself, in seconds.
DEAF_S = 60
# After how long somebody who looks wants to be told, in seconds.
TOLD_S = 30
PINGS = "/tmp/pings"


def devconf(ctx: Context, name: str, setting: str) -> str:
    """An IPv6 setting of an interface."""
    return ctx.phone.call("read", path=f"/proc/sys/net/ipv6/conf/{name}/{setting}")


def advertise(ctx: Context) -> None:
    """The router at the far end says that it is there."""
    packet = packets.router_advertisement(ROUTER, PREFIX, LINK_MTU, ROUTER_LIFETIME)
    ctx.modem.data(0, packet)


def solicited(ctx: Context, seen: list[int | None]) -> None:
    """Wait until the interface asks for a router; what leaves is added to `seen`."""

    def asked() -> bool:
        seen.extend(ipv6.message(frame) for frame in recorded(ctx, IPV6))
        return ipv6.ROUTER_SOLICITATION in seen

    ctx.wait_until(asked, "a router solicitation")


def addressed(ctx: Context, name: str) -> str:
    """Advertise a router, and wait for the address: at once. Returns its interface identifier."""
    advertise(ctx)
    began = time.monotonic()
    found = ctx.wait_until(
        lambda: ipv6.address(ctx, name, ipv6.GLOBAL),
        "one IPv6 address that may be used",
        ADDRESS_BOUND,
        0.01,
    )
    ctx.note(f"ADDRESS {found} after {time.monotonic() - began:.2f} s")
    check_equal(found[:16], "fd64000000000000", "prefix of the address")
    check_equal(devconf(ctx, name, "mtu"), str(LINK_MTU), "IPv6 MTU of the interface")
    return found[16:]


def ifup(ctx: Context, name: str, asleep: bool) -> str:
    """Bring the interface up as a distribution does, and get the address from the router.

    The router answers at once, or wakes the link for it.
    """
    record(ctx)
    ctx.phone.run(f"ip link set dev {name} up")
    seen: list[int | None] = []
    solicited(ctx, seen)
    if asleep:
        ctx.wait_suspended()
    identifier = addressed(ctx, name)
    # MLD reports are sent twice, and may take their time.
    time.sleep(QUIET_S)
    seen += [ipv6.message(frame) for frame in recorded(ctx, IPV6)]
    ctx.note(f"messages: {seen}")
    strange = set(seen) - {ipv6.ROUTER_SOLICITATION, ipv6.MLD_REPORT}
    check(not strange, f"an interface that came up sends more than RS and MLD: {seen}")
    return identifier


def passes(ctx: Context) -> None:
    """Packets pass with the advertised address; a large one is cut to the link's MTU."""
    record(ctx)
    ctx.echo(v6=True)
    ctx.echo(v6=True, size=FRAGMENTED)
    longest = max(frame.length for frame in recorded(ctx, IPV6))
    check(longest <= LINK_MTU, f"an IPv6 packet of {longest} bytes leaves, the MTU is {LINK_MTU}")


def by_advertisement(ctx: Context, **settings: int) -> None:
    """U8: the whole life of an address that a router advertised."""
    name = ctx.name(0)
    ipv6.set_up(ctx, name, **settings)
    identifier = ifup(ctx, name, asleep=False)
    local = ipv6.address(ctx, name, ipv6.LINK)
    passes(ctx)

    ctx.wait_suspended()

    ctx.phone.run(f"ip link set dev {name} down")
    ctx.set_autosuspend(100)
    again = ifup(ctx, name, asleep=True)
    check_equal(again, identifier, "identifier after ifdown and ifup")
    passes(ctx)
    ctx.wait_suspended()

    ctx.modem.crash(irq=True)
    ctx.wait_until(lambda: ctx.modem.status()["mss"] == "running", "remoteproc starts the modem")
    record(ctx)
    ctx.modem.boot(delay_ms=BOOT_MS, channels=[0])
    ctx.wait_until(lambda: 0 in ctx.modem.status()["host_open"], "our OPEN", 20)
    check_equal(addressed(ctx, name), identifier, "identifier after a crash")
    check_equal(ipv6.address(ctx, name, ipv6.LINK), local, "link-local address after all of it")
    passes(ctx)
    ctx.wait_suspended()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"addr_gen_mode": ipv6.FROM_DEVICE}, id="from_device"),
        pytest.param({"addr_gen_mode": ipv6.STABLE}, id="stable"),
        pytest.param({"addr_gen_mode": ipv6.RANDOM}, id="random"),
        pytest.param(
            {"addr_gen_mode": ipv6.FROM_DEVICE, "forwarding": 1, "accept_ra": 2}, id="forwarding"
        ),
    ],
)
def test_advertised(ctx: Context, loaded: Context, settings: dict[str, int]) -> None:
    """IPv6 by router advertisement: at once, for good, with little noise, and the link sleeps.

    U8: a distribution's IPv6 defaults, all ways to make an interface identifier, and a hotspot's
    settings.
    """
    ctx.open_modem()
    by_advertisement(ctx, **settings)


# Queueing disciplines, as tc is told.
QDISCS = {
    "pfifo": "pfifo limit 1",
    "noqueue": "noqueue",
    "bfifo": "bfifo",
    "fq_codel": "fq_codel",
    "fq": "fq",
    "cake": "cake",
    "tbf": "tbf rate 20mbit burst 32k latency 50ms",
    "netem": "netem delay 5ms",
}
# What distributions have by default, and none.
USUAL = ("noqueue", "fq_codel", "cake")


def inflight(ctx: Context) -> str:
    """Bytes that the kernel believes to be in the modem's hands."""
    path = f"/sys/class/net/{ctx.name(0)}/queues/tx-0/byte_queue_limits/inflight"
    return ctx.phone.call("read", path=path)


def flows(ctx: Context, what: str) -> None:
    """Datagrams one by one, none is lost, and the first does not wait."""
    began = time.monotonic()
    result = ctx.phone.call(
        "udp_echo",
        60,
        host=far_ip(0),
        count=20,
        size=700,
        window=1,
        patience=PASS_BOUND * ctx.phone.slowness,
        timeout=30 * ctx.phone.slowness,
    )
    ctx.check_echo(result, 20, what)
    ctx.note(f"FLOWS {what}: {time.monotonic() - began:.2f} s")


def crowd(ctx: Context, seconds: float = 20) -> dict[str, Any]:
    """More at once than any queue holds; what is lost is the sender's fault."""
    result = ctx.phone.call(
        "udp_echo",
        60,
        host=far_ip(0),
        count=300,
        size=900,
        window=150,
        patience=1 * ctx.phone.slowness,
        timeout=seconds * ctx.phone.slowness,
        stream=5,
    )
    # Replies that were given up may still come, which is counted as doubled.
    check_equal(result["bad"], 0, "datagrams with wrong content")
    return result


def queued(ctx: Context, what: str) -> None:
    """U11: with what is set now nothing is stuck, under load, asleep and stalled."""
    ctx.wait_until(lambda: ctx.modem.status()["tx_pending"] is False, "a quiet moment")
    start = ctx.phone.log_position()
    result = crowd(ctx)
    ctx.note(f"{what}, under load: {result}")
    check(result["received"] > 0, f"{what}: not a single datagram came back under load")
    flows(ctx, f"{what}, after load")

    ctx.wait_suspended()
    result = crowd(ctx)
    ctx.note(f"{what}, asleep: {result}")
    check(result["received"] > 0, f"{what}: not a single datagram came back after sleep")
    flows(ctx, f"{what}, after sleep")

    ctx.modem.hold_tx(True)
    ctx.note(f"{what}, stalled: {crowd(ctx, STALL_S)}")
    ctx.modem.hold_tx(False)
    ctx.wait_until(lambda: not ctx.modem.status()["tx_pending"], "the modem takes what was held")
    flows(ctx, f"{what}, after a stall")
    ctx.wait_until(lambda: inflight(ctx) == "0", f"{what}: BQL waits for nothing")

    ctx.phone.mark_log()
    lines = ctx.phone.log(start).splitlines()
    check(len(lines) <= LOG_LINES, f"{what}: {len(lines)} lines in the kernel's log: {lines[:5]}")


def with_qdisc(ctx: Context, what: str) -> None:
    """U11: one queueing discipline, and afterwards the default one as if nothing had been."""
    ctx.set_autosuspend(200)
    name = ctx.name(0)
    ctx.phone.run(f"tc qdisc replace dev {name} root {what}")
    queued(ctx, what)
    ctx.phone.run(f"tc qdisc del dev {name} root")
    ctx.echo(count=100)


@pytest.mark.parametrize(
    "qdisc",
    [pytest.param(q, marks=[] if q in USUAL else pytest.mark.full) for q in QDISCS],
)
def test_qdisc(ctx: Context, up: Context, qdisc: str) -> None:
    """No queueing discipline is ever stuck, under load, asleep and stalled.

    U11. Without a queue, what finds no room is refused: the sender sees it.
    """
    with_qdisc(ctx, QDISCS[qdisc])


@pytest.mark.parametrize("length", [1, pytest.param(1000, marks=pytest.mark.full)])
def test_queue_length(ctx: Context, up: Context, length: int) -> None:
    """No length of the queue makes it stuck, under load, asleep and stalled.

    U11: txqueuelen, 0 too, of the queue that is there and of one that is made anew.
    """
    ctx.set_autosuspend(200)
    name = ctx.name(0)
    ctx.phone.run(f"ip link set dev {name} txqueuelen {length}")
    queued(ctx, f"txqueuelen {length}")
    ctx.phone.run(f"ip link set dev {name} down")
    ctx.up()
    queued(ctx, f"txqueuelen {length}, made anew")


@pytest.mark.finding("U11", words=r"datagrams of a burst of \d+ that were refused")
def test_noqueue_burst(ctx: Context, up: Context) -> None:
    """Without a queue the ring takes a burst as it is.

    U11: byte queue limits begin at 0, and there is no queue to wait in.

    The modem takes none of them before all are sent, so that it does not matter how fast it is.
    """
    name = ctx.name(0)
    ctx.phone.run(f"tc qdisc replace dev {name} root noqueue")
    ctx.echo(count=1)
    ctx.modem.hold_tx(True)
    # Nothing comes back as long as it is held.
    seen = ctx.phone.call(
        "udp_echo",
        host=far_ip(0),
        count=BURST,
        size=500,
        window=BURST,
        patience=600,
        timeout=1,
        stream=7,
    )
    ctx.modem.hold_tx(False)
    ctx.note(f"burst of {BURST}: {seen}")
    flows(ctx, "after the burst")
    check_equal(seen["refused"], 0, f"datagrams of a burst of {BURST} that were refused")
    check_equal(seen["sent"], BURST, "datagrams that were sent")


def in_order(ctx: Context, what: str) -> None:
    """A stream of one flow: nothing lost, and in order."""
    result = ctx.phone.call(
        "udp_echo",
        90,
        host=far_ip(0),
        count=600,
        size=600,
        window=24,
        patience=10 * ctx.phone.slowness,
        timeout=60 * ctx.phone.slowness,
    )
    ctx.check_echo(result, 600, what)
    check_equal(result["disordered"], 0, f"{what}: replies out of order")


@pytest.mark.full
def test_rps(ctx: Context, up: Context) -> None:
    """Received packets spread over the processors stay in order.

    U17: receive packet steering to each processor and to both.
    """
    path = f"/sys/class/net/{ctx.name(0)}/queues/rx-0/rps_cpus"
    for processors in (1, 2, 3):
        ctx.phone.run(f"echo {processors} >{path}")
        in_order(ctx, f"rps_cpus {processors}")
        ctx.wait_suspended()
        in_order(ctx, f"rps_cpus {processors}, asleep before")


@pytest.mark.finding("U17", words="threaded NAPI cannot be switched")
def test_threaded(ctx: Context, up: Context) -> None:
    """NAPI moves to a thread and back under load.

    U17: the switch that users of slow processors turn.
    """
    path = f"/sys/class/net/{ctx.name(0)}/threaded"
    load = Load(ctx, size=600, window=16, patience=600, stream=6)
    failed = []
    for turn in range(6):
        code, out = ctx.phone.sh(f"echo {(turn + 1) % 2} >{path}")
        if code != 0:
            failed.append(out.strip())
        time.sleep(0.3)
    threads = ctx.phone.run(f"echo 1 >{path} 2>/dev/null; ps | grep -c '[n]api/' || :").strip()
    result = load.stop(lossless=True)
    ctx.note(f"threads: {threads}")
    check_equal(result["disordered"], 0, "replies out of order")
    check(not failed, f"threaded NAPI cannot be switched: {failed}")
    check(int(threads) > 0, "there is no thread of NAPI")
    in_order(ctx, "threaded")


@pytest.mark.finding("U18", words="protocols that the tap saw")
def test_raw_protocol(ctx: Context, up: Context) -> None:
    """A program that sends raw packets need not say that they are IP.

    U18: AF_PACKET, SOCK_RAW, protocol 0. Other raw-IP drivers tell by the first byte.
    """
    name = ctx.name(0)
    sent = {
        0x0800: packets.udp(guest_ip(0), far_ip(0), 9, b"raw IPv4"),
        0x86DD: packets.udp6(guest_ip6(0), far_ip6(0), 9, b"raw IPv6"),
    }
    record(ctx)
    ctx.phone.call("tap_start", interface=name)
    packs = [packet.hex() for packet in sent.values()]
    ctx.phone.call("send_raw", interface=name, packets=packs, protocol=0)
    seen = ctx.phone.call("tap_sent", interface=name, count=len(sent), timeout=5)
    left: list[bytes] = []

    def all_left() -> bool:
        left.extend(ctx.modem.recorded())
        return len(left) >= len(sent)

    ctx.wait_until(all_left, "both packets leave")
    ctx.note(f"tap: {seen}")
    for number, packet in enumerate(sent.values()):
        frame = left[number][8 : 8 + len(packet)]
        check_equal(frame.hex(), packet.hex(), "the packet that left")
    check_equal([packet for _, packet in seen], packs, "packets that the tap saw")
    check_equal([hex(it) for it, _ in seen], [hex(it) for it in sent], "protocols that the tap saw")


@contextlib.contextmanager
def pinging(ctx: Context, count: int) -> Iterator[None]:
    """A ping a second, whose replies may come as late as they like."""
    with background(ctx, f"exec ping -n -q -i 1 -c {count} -W 600 {far_ip(0)} >{PINGS}"):
        yield


def diagnosis(ctx: Context) -> dict[str, Any]:
    """What `devlink health diagnose` tells of the link."""
    handle = f"platform/{ctx.device()['name']}"
    return json.loads(ctx.phone.run(f"devlink -j health diagnose {handle} reporter modem"))


@pytest.mark.full
@pytest.mark.ours
@pytest.mark.finding("U35", words=r"not within [\d.]+ s: the diagnosis says rx.silent")
def test_deaf_downlink_told(ctx: Context, up: Context) -> None:
    """Health tells that nothing arrives while frames go out.

    U35: a hint and no fault, from which a user sees where the packets stay.
    """

    def silent() -> bool:
        return bool(diagnosis(ctx)["rx"].get("silent"))

    ctx.echo()
    check(not silent(), "the diagnosis calls a downlink silent that works")
    ctx.modem.hold_rx(True)
    with pinging(ctx, DEAF_S):
        ctx.wait_until(silent, "the diagnosis says rx.silent", TOLD_S, 1)
        ctx.modem.hold_rx(False)
    ctx.wait_until(lambda: not silent(), "the diagnosis says no more that the downlink is silent")


@contextlib.contextmanager
def forwarding(ctx: Context) -> Iterator[None]:
    """The phone is a router."""
    knobs = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
    ctx.phone.run("\n".join(f"echo 1 >{knob}" for knob in knobs))
    try:
        yield
    finally:
        ctx.phone.sh("\n".join(f"echo 0 >{knob}" for knob in knobs))


@contextlib.contextmanager
def hotspot(ctx: Context) -> Iterator[None]:
    """A client behind a veth, whose packets leave with the phone's address."""
    inside = f"ip -n {CLIENT}"
    with forwarding(ctx):
        ctx.phone.run(
            f"""set -e
            ip netns add {CLIENT}
            ip link add {OUR_DEV} type veth peer name {CLIENT_DEV} netns {CLIENT}
            ip addr add {OUR_IP}/24 dev {OUR_DEV}
            ip addr add {OUR_IP6}/64 dev {OUR_DEV} nodad
            ip link set {OUR_DEV} up
            {inside} link set lo up
            {inside} addr add {CLIENT_IP}/24 dev {CLIENT_DEV}
            {inside} addr add {CLIENT_IP6}/64 dev {CLIENT_DEV} nodad
            {inside} link set {CLIENT_DEV} up
            {inside} route add default via {OUR_IP}
            {inside} -6 route add default via {OUR_IP6}
            ethtool -K {OUR_DEV} gro on
            ip netns exec {CLIENT} ethtool -K {CLIENT_DEV} gro on
            nft add table inet hotspot
            nft add chain inet hotspot out '{{ type nat hook postrouting priority srcnat; }}'
            nft add rule inet hotspot out oifname {ctx.name(0)} masquerade""",
            60,
        )
        gro = ctx.phone.run(f"ethtool -k {ctx.name(0)} | grep generic-receive-offload")
        check("on" in gro, f"GRO of the modem's interface: {gro}")
        try:
            yield
        finally:
            ctx.phone.sh(
                f"nft delete table inet hotspot; ip link del {OUR_DEV}; ip netns del {CLIENT}"
            )


def transfer(ctx: Context, direction: str, host: str, seed: str) -> None:
    """TCP of the client, content right at both ends."""
    limit = 60 * ctx.phone.slowness
    result = ctx.phone.call(
        f"tcp_{direction}",
        80,
        netns=CLIENT,
        host=host,
        size=TCP_BYTES,
        seed=seed,
        timeout=limit,
    )
    ctx.note(f"client, {direction} {host}: {result}")
    check_equal(result["bytes"], TCP_BYTES, f"client, TCP {direction} with {host}: bytes")
    check(result["good"], f"client, TCP {direction} with {host}: SHA-256 differs")


def client_echo(ctx: Context, host: str) -> None:
    """Datagrams of the client, none is lost."""
    result = ctx.phone.call(
        "udp_echo",
        60,
        netns=CLIENT,
        host=host,
        count=100,
        size=1000,
        window=16,
        patience=10 * ctx.phone.slowness,
        timeout=50 * ctx.phone.slowness,
    )
    ctx.check_echo(result, 100, f"client's datagrams to {host}")


def test_hotspot_nat(ctx: Context, up: Context) -> None:
    """A hotspot: a client behind NAT and veth, with GRO on both sides.

    TCP and UDP of both families, awake and asleep, with an MTU smaller than the client's too.
    """
    with hotspot(ctx):
        for mtu in (1500, LINK_MTU):
            ctx.up(mtu=mtu)
            record(ctx)
            for host in (far_ip(0), far_ip6(0)):
                client_echo(ctx, host)
                transfer(ctx, "download", host, f"down-{mtu}")
                transfer(ctx, "upload", host, f"up-{mtu}")
            frames = recorded(ctx)
            longest = max(frame.length for frame in frames)
            check(longest <= mtu, f"MTU {mtu}: a packet of {longest} bytes leaves")
            sources = {frame.payload[12:16] for frame in frames}
            check_equal(sources, {bytes((10, 64, 0, 2))}, "addresses of the packets that left")
            ctx.wait_suspended()
            client_echo(ctx, far_ip(0))
    ctx.echo()


SEGMENTS, SEGMENT_SIZE = 24, 1200
OTHER_END = "10.64.1.77"


def forwarded(ctx: Context, take: Callable[[], list[bytes]], what: str) -> None:
    """Segments that arrive together on channel 0 leave on channel 1 as they came."""
    ctx.modem.hold_rx(True)
    sent = [
        packets.tcp(
            far_ip(0), OTHER_END, 9, 1 + number * SEGMENT_SIZE, bytes([number + 1]) * SEGMENT_SIZE
        )
        for number in range(SEGMENTS)
    ]
    for packet in sent:
        ctx.modem.data(0, packet)
    ctx.modem.hold_rx(False)
    left = take()
    check_equal(len(left), SEGMENTS, f"{what}: packets that left")
    for number, packet in enumerate(left):
        check_equal(packet[40:], sent[number][40:], f"{what}: content of packet {number}")
        check_equal(packet[8], sent[number][8] - 1, f"{what}: time to live of packet {number}")
        check(packets.is_valid(packet), f"{what}: checksums of packet {number}")


def test_forward_channels(ctx: Context, up: Context) -> None:
    """Packets are forwarded from one channel to another, merged by GRO in between.

    The skbs that arrive on one interface are sent on the other: headroom, length, content.
    """
    ctx.modem.open([1])
    ctx.wait_interfaces({0, 1})
    ctx.up((0, 1))
    ctx.echo(1)

    def take() -> list[bytes]:
        frames = taken(ctx, SEGMENTS, "on the other channel")
        check_equal({frame.channel for frame in frames}, {1}, "channels on which they left")
        return [frame.payload for frame in frames]

    with forwarding(ctx):
        record(ctx)
        forwarded(ctx, take, "awake")
        ctx.wait_suspended()
        record(ctx)
        forwarded(ctx, take, "asleep")
    ctx.echo(0)
    ctx.echo(1)
