# SPDX-License-Identifier: GPL-2.0
"""What users report of the control port and of names: QMAP, polling, qmicli by hand, udev.

The numbers are those of the cases that the users' reports were boiled down to.
"""

import json
import re
import socket

import pytest

from harness import dns
from harness.context import Context, far_ip, guest_ip
from harness.errors import check, check_equal
from harness.manual import Manual
from harness.qmi import wait_port
from harness.restart import boot, set_state
from harness.userspace import QMI_PORT

# U24: packets that come as QMAP, and how many at a time.
QMAP_PACKETS = 1000
BURST = 50
DISCARD_PORT = 9
# U28: how often the modem is stopped and started.
RESTARTS = 5


def reports(ctx: Context) -> int:
    """How often our driver has told devlink's health reporter of something."""
    device = f"platform/{ctx.device()['name']}"
    shown = ctx.phone.run(f"devlink -j health show {device} reporter modem")
    return json.loads(shown)["health"][device][0]["error"]


def set_format(ctx: Context, protocol: str) -> None:
    """Ask the modem for an aggregation protocol in both directions, as connection managers do."""
    out = ctx.userspace.qmicli(
        f"--wda-set-data-format=link-layer-protocol=raw-ip,ul-protocol={protocol},"
        f"dl-protocol={protocol},dl-max-datagrams=16,dl-datagram-max-size=2040"
    )
    check(f"Downlink data aggregation protocol: '{protocol}'" in out, f"{protocol}: {out}")


def flood(ctx: Context, packets: int) -> None:
    """Packets from the far end, each of them in a frame of its own."""
    began = ctx.counter("downlink_frames")
    with ctx.phone.netns.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for sent in range(BURST, packets + 1, BURST):
            for _ in range(BURST):
                sock.sendto(bytes(100), (guest_ip(0), DISCARD_PORT))
            ctx.wait_until(
                lambda sent=sent: ctx.counter("downlink_frames") - began >= sent,
                f"{sent} packets reach Linux",
                every=0.01,
            )


@pytest.mark.finding("U24", words="log about QMAP|reports of it by devlink")
def test_qmap_tried(ctx: Context, loaded: Context) -> None:
    """A program tries QMAP: what comes is delivered, or dropped, counted and told; then raw IP.

    U24. A thousand frames of length 0xffff; nothing but the format is set back afterwards.
    """
    ctx.open_modem((0,))
    ctx.up()
    wait_port(ctx)
    ctx.modem.qmap(True)
    ctx.echo()
    before, log = ctx.statistics(), ctx.phone.mark_log()
    errors = reports(ctx) if ctx.ours else 0
    set_format(ctx, "qmap")
    flood(ctx, QMAP_PACKETS)
    set_format(ctx, "disabled")
    ctx.echo(count=20)
    after = ctx.statistics()
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    said = re.findall(r".*(?:QMAP|0xffff).*", ctx.phone.log(log, ctx.phone.mark_log()))
    ctx.note(f"counted: {grown}; said: {said}")
    if grown["rx_packets"] >= QMAP_PACKETS:
        return
    dropped = sum(grown.get(name, 0) for name in ("rx_errors", "rx_dropped", "rx_nohandler"))
    check_equal(dropped, QMAP_PACKETS, "frames of QMAP that were dropped and counted")
    check_equal(len(said), 1, f"lines of the kernel's log about QMAP: {said}; how many")
    if ctx.ours:
        check_equal(reports(ctx), errors + 1, "reports of it by devlink's health reporter")


# The test starts the firmware.
@pytest.mark.profile(boots_when_started=False)
@pytest.mark.ours
def test_port_polled(ctx: Context, loaded: Context) -> None:
    """A program polls the control port while the modem is stopped and started, five times.

    U28. It hears of it by an event, and closes the port when the modem is gone.
    """
    ctx.open_modem((0,))
    for number in range(RESTARTS):
        wait_port(ctx)
        ctx.phone.call("port_poll", path=QMI_PORT)
        set_state(ctx, "stop")
        events = ctx.phone.call("port_polled", wait=60, timeout=20 * ctx.phone.slowness)
        ctx.note(f"restart {number}: events at the port: {events}")
        check("hup" in events, f"restart {number}: no hang-up at the port, but {events}")
        set_state(ctx, "start")
        boot(ctx)
    ctx.wait_interfaces({0, 1, 2})
    wait_port(ctx)
    out = ctx.userspace.qmicli("--dms-get-model")
    check("Model: " in out, f"qmicli says: {out}")


def test_qmicli_manual(ctx: Context, loaded: Context) -> None:
    """The document's steps with qmicli make a call as written, whenever the modem forgets clients.

    U29. Firmware forgets its clients when the port closes, as it does after each command that does
    not share it.
    """
    manual = Manual("connecting.rst")
    ctx.modem.gate(True)
    ctx.open_modem((0,))
    wait_port(ctx)
    call = manual.commands("by qmicli")
    steps = manual.commands("or by hand, with what the bearer says")
    for word, value in (("<address>/<prefix>", "$address/24"), ("<dns>", "$dns")):
        check(word in steps, f"the document has no {word}:\n{steps}")
        steps = steps.replace(word, value)
    # One shell, as a person has one.
    report = ctx.phone.run(
        f"set -e\n{{\n{call}}} >/tmp/said; cat /tmp/said\n"
        "address=$(sed -n 's/^ *IPv4 address: //p' /tmp/said)\n"
        "dns=$(sed -n 's/^ *IPv4 primary DNS: //p' /tmp/said)\n"
        f"{steps}cat /etc/resolv.conf\n"
        f"ping -n -c 3 -i 0.2 -W {int(5 * ctx.phone.slowness)} {far_ip(0)}",
        120,
    )
    ctx.note(f"{call}{steps}{report}")
    check(f"nameserver {dns.addresses(0)[False]}\n" in report, f"another name server:\n{report}")
    check(" 0% packet loss" in report, f"pings got lost:\n{report}")


def test_link_file(ctx: Context, loaded: Context) -> None:
    """With Debian's own .link file the interfaces keep their names, and udev complains of nothing.

    U32. The virtual phone hides this file, for its modem lies in a slot of PCI, by which udev would
    name the interfaces. Here the slot is hidden: phones have none.
    """
    rule = "/run/udev/rules.d/79-no-slot.rules"
    own = "/etc/systemd/network/99-default.link"
    ctx.phone.run(
        f"set -e\n/opt/e2e/layer\nmkdir -p {rule.rpartition('/')[0]}\n"
        f"mv {own} /tmp/99-default.link\ntest -e /usr/lib/systemd/network/99-default.link\n"
        'echo \'SUBSYSTEM=="net", ENV{ID_NET_NAME_ONBOARD}="", ENV{ID_NET_NAME_PATH}="", '
        f'ENV{{ID_NET_NAME_SLOT}}=""\' >{rule}'
    )
    try:
        ctx.userspace.start("udev")
        ctx.open_modem((0, 1))
        ctx.phone.run("udevadm settle --timeout=60", 70)
        for channel in (0, 1):
            check_equal(ctx.name(channel), f"wwan{channel}", f"name of channel {channel}")
            used = ctx.phone.run(f"udevadm info -q property -p /sys/class/net/wwan{channel}")
            ctx.note(used)
            link = "ID_NET_LINK_FILE=/usr/lib/systemd/network/99-default.link"
            check(link in used.splitlines(), f"udev took another .link file: {used}")
        ctx.note(ctx.phone.run("ip -d link"))
        log = ctx.phone.run("cat /run/userspace/udev.log")
        ctx.note(f"udev says:\n{log}")
        bad = [line for line in log.splitlines() if re.search("(?i)fail|error|could not", line)]
        check(not bad, f"udev complains: {bad}")
        ctx.up()
        ctx.echo()
    finally:
        ctx.phone.run(f"rm -f {rule}; mv /tmp/99-default.link {own}")
