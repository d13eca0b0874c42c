# SPDX-License-Identifier: GPL-2.0
"""Steps of the chain from a call to data, for scenarios and the demo.

The simulated modem's gate is on in all of them: a packet passes a channel only while a
call of its family is up there, and only from the call's own address.
"""

from harness import dns
from harness.context import Context, far_ip, far_ip6
from harness.errors import check, check_equal
from harness.modemmanager import Bearer, IpConfig
from harness.services import HTTP_PORT, digest

# What a call may give out, by the modem's plan: the last part of an address.
V4_HOSTS = range(16, 216)
V6_HOSTS = range(0x1000, 0x1000 + (1 << 16))


def channel_of(ctx: Context, interface: str) -> int:
    """The channel behind an interface."""
    for channel, name in ctx.interfaces().items():
        if name == interface:
            return channel
    raise AssertionError(f"{interface} is none of the driver's: {ctx.interfaces()}")


def sources(bearer: Bearer) -> list[tuple[str, bool]]:
    """The bearer's own addresses, each with whether it is IPv6."""
    found = [(config.address, config is bearer.v6) for config in (bearer.v4, bearer.v6) if config]
    check(found, f"the bearer has no address: {bearer}")
    return found


def check_config(config: IpConfig | None, channel: int, v6: bool) -> None:
    """What ModemManager publishes of one family is what the network gives on the channel."""
    check(config is not None, f"no IPv{6 if v6 else 4} configuration on channel {channel}")
    far = dns.addresses(channel)[v6]
    net, _, host = config.address.rpartition(":" if v6 else ".")
    hosts = V6_HOSTS if v6 else V4_HOSTS
    check_equal(f"{net}{':' if v6 else '.'}1", far, "the network of the bearer's address")
    check(int(host, 16 if v6 else 10) in hosts, f"address {config.address} is not of a call")
    check_equal(config.prefix, 64 if v6 else 24, "prefix length")
    check_equal(config.gateway, far, "gateway")
    check_equal(set(config.dns), {far}, "name servers")
    check_equal(config.mtu, 1500, "MTU")


def carries(ctx: Context, bearer: Bearer, count: int = 5, far: int | None = None) -> None:
    """Data passes both ways, IPv4 and IPv6, from the bearer's own addresses.

    To its own channel's far end, or to that of the channel `far`, to which other ways
    may lead too.
    """
    channel = channel_of(ctx, bearer.interface) if far is None else far
    for source, v6 in sources(bearer):
        host = far_ip6(channel) if v6 else far_ip(channel)
        result = ctx.phone.call(
            "udp_echo",
            60,
            host=host,
            count=count,
            size=500,
            patience=5 * ctx.phone.slowness,
            timeout=50,
            source=source,
        )
        ctx.check_echo(result, count, f"{bearer.interface}: {source} to {host}")


def applied(ctx: Context, bearer: Bearer) -> None:
    """The kernel has what the bearer publishes."""
    name = bearer.interface
    link = ctx.phone.run(
        f"ip -o addr show dev {name}; ip link show dev {name}; cat /etc/resolv.conf"
    )
    for config in (bearer.v4, bearer.v6):
        check(f" {config.address}/{config.prefix} " in link, f"{config.address}: not in {link}")
        for server in config.dns:
            check(f"nameserver {server}\n" in link, f"name server {server}: not in {link}")
    check(f"mtu {bearer.v4.mtu} " in link, f"MTU {bearer.v4.mtu}: {link}")
    for family, host in (("4", "192.0.2.1"), ("6", "2001:db8::1")):
        route = ctx.phone.run(f"ip -{family} route get {host}")
        check(f"dev {name}" in route, f"the default route is another: {route}")


def download(ctx: Context, family: str, host: str, size: int) -> None:
    """Every byte of an HTTP download is right."""
    out = ctx.phone.run(
        f"curl -{family} -sSf --max-time 60 http://{host}:{HTTP_PORT}/{size} | sha256sum", 90
    )
    check_equal(out.split()[0], digest("http", size), f"download by IPv{family}")


def blocked(ctx: Context, channel: int, v4: str, v6: str, count: int = 3) -> None:
    """Nothing passes a channel without a call: the modem sees what is sent and drops it."""
    name = ctx.name(channel)
    ctx.phone.run(
        f"ip link set dev {name} up && ip addr add {v4}/24 dev {name} "
        f"&& ip addr add {v6}/64 dev {name}"
    )
    before = ctx.counter("uplink_no_call")
    for host in (far_ip(channel), far_ip6(channel)):
        result = ctx.phone.call(
            "udp_echo", 60, host=host, count=count, size=100, patience=0.5, timeout=10
        )
        ctx.note(f"{name} without a call, to {host}: {result}")
        check_equal(result["received"], 0, f"replies from {host} without a call")
    ctx.wait_until(
        lambda: ctx.counter("uplink_no_call") - before == 2 * count,
        f"the modem drops {2 * count} packets without a call",
    )
    ctx.phone.run(f"ip link set dev {name} down; ip addr flush dev {name} scope global")


def resolves(ctx: Context, bearer: Bearer, name: str) -> None:
    """Names resolve, IPv4 and IPv6, and the queries come out of the bearer."""
    names = ctx.phone.services.names
    addresses = dns.records()[name]
    for v6, kind in ((False, "A"), (True, "AAAA")):
        query = f"query[{kind}] {name}"
        before = len(names.asked(query))
        check_equal(
            ctx.phone.call("resolve", name=name, v6=v6), [addresses[v6]], f"{name}, {kind} record"
        )
        asked = names.asked(query)[before:]
        check(asked, f"the network's name server was not asked for {name}")
        own = [source for source, _ in sources(bearer)]
        strangers = [line for line in asked if line.split()[-1] not in own]
        check(not strangers, f"queries that did not come from {own}: {strangers}")


def counted(ctx: Context, bearer: Bearer, before: dict[str, int], payload: int) -> Bearer:
    """ModemManager shows what the call has moved: `payload` bytes down and what goes with it.

    That is what the interface counted since `before`, to the byte. Mainline's driver counts
    nothing.
    """
    after = ctx.statistics(channel_of(ctx, bearer.interface))
    rx, tx = (after[name] - before[name] for name in ("rx_bytes", "tx_bytes"))
    if not ctx.ours:
        return ctx.mm.wait_statistics(
            bearer, lambda now: now.bytes_rx > payload and now.bytes_tx > 0, f"{payload} and more"
        )
    check(rx > payload, f"the interface counted {rx} bytes received, of them {payload} of payload")
    return ctx.mm.wait_statistics(
        bearer, lambda now: (now.bytes_rx, now.bytes_tx) == (rx, tx), f"{rx} and {tx}"
    )


def network(ctx: Context) -> str:
    """All that a bearer's settings change in the guest."""
    return ctx.phone.run(
        "ip -o addr; for family in -4 -6; do ip $family rule; ip $family route show table all; "
        "done; cat /etc/resolv.conf 2>&1 || :"
    )


def sleeps(ctx: Context) -> None:
    """The data path suspends, whatever is said on the control path meanwhile."""
    ctx.wait_suspended()
    ups = ctx.counter("power_ups")
    ctx.mm.modem()
    ctx.userspace.qmicli("--nas-get-signal-strength", proxy=True)
    check_equal(ctx.counter("power_ups"), ups, "power-ups of the data path for control messages")
