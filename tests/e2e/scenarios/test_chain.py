# SPDX-License-Identifier: GPL-2.0
"""From a call to data: QMI over rpmsg_wwan_ctrl, and IP through wwan0.

By qmicli alone, and by ModemManager. The modem lets packets pass only while a call
is up (harness/chain.py).
"""

import pytest

from harness import chain, dns
from harness.context import Context, guest_ip, guest_ip6
from harness.errors import check, check_equal
from harness.qmi import WdsClient, wait_port
from harness.userspace import QMI_PORT

DOWNLOAD = 300_000
ECHOES = 20
# ModemManager waits a fixed time for the other ports of a new device, and a busy host is slower
# than that with the first interface. It makes the modem when that port comes.
LATE_PORT = "its fixed time for the ports of a new device was over before the interface was there"
# It may have begun with the modem by then.
ANEW = "a late port makes it drop the modem that it has just begun to make, and make another"


@pytest.mark.allow("uplink_no_call", max=12, why="sent without a call: 3 of each family, twice")
# With firmware that forgets its clients this needs a port that stays open: see test_qmicli_manual.
@pytest.mark.profile(forgets_clients=False)
def test_qmicli_light(ctx: Context, loaded: Context) -> None:
    """qmicli alone makes calls on the channel it binds, and data passes only while they are up.

    Allocate, bind, start, settings, addresses, data, stop: what a script does.
    """
    ctx.modem.gate(True)
    ctx.open_modem((0, 1))
    wait_port(ctx)
    chain.blocked(ctx, 1, guest_ip(1), guest_ip6(1))
    ctx.wait_suspended()
    for v6 in (False, True):
        client = WdsClient(ctx.userspace)
        client.bind(1)
        client.set_family(v6)
        check_equal(client.status(), "disconnected", "before the call")
        client.start("internet")
        check_equal(client.status(), "connected", "during the call")
        raw_call(ctx, client, v6)
        client.stop()
        check_equal(client.status(), "disconnected", "after the call")
        client.release()
    chain.blocked(ctx, 1, guest_ip(1), guest_ip6(1))


def raw_call(ctx: Context, client: WdsClient, v6: bool) -> None:
    """Data passes with what the network gave, and the modem counts all of it."""
    settings = client.settings()
    ctx.note(f"settings: {settings}")
    check_equal(settings.gateway, dns.addresses(1)[v6], "gateway")
    check_equal(settings.dns, dns.addresses(1)[v6], "name server")
    name = ctx.name(1)
    ctx.phone.run(
        f"ip link set dev {name} mtu {settings.mtu} up && "
        f"ip addr add {settings.address}/{settings.prefix} dev {name}"
    )
    ctx.echo(1, count=ECHOES, v6=v6)
    ctx.wait_suspended()
    ups = ctx.counter("power_ups")
    check_equal(client.packets(), (ECHOES, ECHOES), "packets of the call, sent and received")
    check_equal(ctx.counter("power_ups"), ups, "power-ups of the data path for control messages")
    ctx.phone.run(f"ip link set dev {name} down; ip addr flush dev {name} scope global")


def test_mm_recognises(ctx: Context, userspace: Context) -> None:
    """ModemManager recognises modem, network and ports by Debian's own rules.

    Compare what mmcli shows with what the modem says of itself.
    """
    for path in (f"/sys/class/net/{ctx.name(0)}", f"/sys/class/wwan/{QMI_PORT[5:]}"):
        tags = ctx.phone.run(f"udevadm info --query=property --path={path}").splitlines()
        for tag in ("ID_MM_QCOM_SOC=1", "ID_MM_PHYSDEV_UID=qcom-soc", "ID_MM_CANDIDATE=1"):
            check(tag in tags, f"{path}: udev does not say {tag}: {tags}")
    ctx.mm.enable()
    ctx.mm.wait_state("registered")
    modem = ctx.mm.modem()
    ctx.note(ctx.userspace.act("-m", "any"))
    identity = ctx.modem.qmi()["identity"]
    generic, network = modem["generic"], modem["3gpp"]
    check_equal(generic["manufacturer"], identity["manufacturer"], "manufacturer")
    check_equal(generic["model"], identity["model"], "model")
    check_equal(generic["revision"], identity["revision"], "revision")
    check_equal(generic["equipment-identifier"], identity["imei"], "IMEI")
    check_equal(network["imei"], identity["imei"], "IMEI (3GPP)")
    operator = identity["operator"]
    check_equal(network["operator-name"], operator["name"], "operator")
    check_equal(network["registration-state"], "home", "registration")
    check_equal(generic["plugin"], "qcom-soc", "plugin")
    check_equal(generic["primary-port"], "wwan0qmi0", "primary port")
    check("bam-dmux" in generic["drivers"], f"drivers: {generic['drivers']}")
    ports = {"wwan0qmi0 (qmi)", *(f"{name} (net)" for name in ctx.interfaces().values())}
    check_equal(set(generic["ports"]), ports, "ports")
    ctx.wait_until(lambda: ctx.mm.signal() > 0, "a signal quality", every=0.5)
    chain.sleeps(ctx)


@pytest.mark.full
@pytest.mark.complaints(
    ("Failed to find a net port in the QMI modem", LATE_PORT),
    ("additional port .* added after device probing has already finished", LATE_PORT),
    ("cannot initialize modem: not found", ANEW),
)
def test_mm_late_modem(ctx: Context, loaded: Context) -> None:
    """A modem that boots while ModemManager runs is recognised and makes calls.

    Ports appear one after the other, as on a phone whose firmware takes its time.
    """
    ctx.modem.gate(True)
    ctx.userspace.start()
    check_equal(ctx.mm.state(), "absent", "the modem before it boots")
    ctx.open_modem((0, 1))
    ctx.mm.wait_modem()
    bearer = ctx.mm.connect()
    ctx.userspace.apply_bearer(bearer.path)
    chain.carries(ctx, bearer)
    chain.sleeps(ctx)


@pytest.mark.timeout(240)
@pytest.mark.allow("uplink_no_call", max=12, why="sent without a call: 3 of each family, twice")
def test_mm_connects(ctx: Context, userspace: Context) -> None:
    """Simple-connect: address, route, DNS and MTU from the bearer; names, ping, HTTP; disconnect.

    The whole chain once; between its steps the data path suspends.
    """
    chain.blocked(ctx, 0, guest_ip(0), guest_ip6(0))
    chain.sleeps(ctx)
    bearer = ctx.mm.connect()
    ctx.note(ctx.userspace.act("-b", bearer.path))
    channel = chain.channel_of(ctx, bearer.interface)
    chain.check_config(bearer.v4, channel, v6=False)
    chain.check_config(bearer.v6, channel, v6=True)
    before, untouched = ctx.statistics(channel), chain.network(ctx)
    ctx.userspace.apply_bearer(bearer.path)
    chain.applied(ctx, bearer)
    chain.sleeps(ctx)
    chain.resolves(ctx, bearer, dns.name(channel))
    chain.sleeps(ctx)
    for family in "46":
        out = ctx.phone.run(f"ping -{family} -n -c 3 -i 0.2 -W 10 {dns.name(channel)}", 60)
        check(" 0% packet loss" in out, f"ping: {out}")
        chain.sleeps(ctx)
        chain.download(ctx, family, dns.name(channel), DOWNLOAD)
        chain.sleeps(ctx)
    found = chain.counted(ctx, bearer, before, 2 * DOWNLOAD)
    ctx.note(f"the bearer's statistics: {found.bytes_rx} bytes in, {found.bytes_tx} bytes out")
    ctx.mm.disconnect(bearer)
    ctx.userspace.remove_bearer(bearer.interface)
    check_equal(chain.network(ctx), untouched, "addresses, routes, DNS after the call")
    check(not ctx.mm.bearer(bearer.path).connected, "the bearer is still connected")
    ctx.mm.wait_state("registered")
    chain.blocked(ctx, channel, bearer.v4.address, bearer.v6.address)
    chain.sleeps(ctx)
