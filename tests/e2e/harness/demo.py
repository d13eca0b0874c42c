# SPDX-License-Identifier: GPL-2.0
"""A tour: ModemManager makes a call, traffic moves through wwan0, figures, power off."""

import time
from pathlib import Path

from harness import artifacts, chain, dns, judge, mmlog, paths
from harness.context import ALL_CHANNELS, Context
from harness.errors import check
from harness.figures import DOWNLOAD, Figures
from harness.modemmanager import Bearer
from harness.phone import Phone

CALL = "apn=internet,ip-type=ipv4v6"
# What is shown of mmcli's output; all of it is a screen long.
MODEM_FIELDS = (
    *("manufacturer", "model", "firmware revision", "equipment id", "plugin", "primary port"),
    *("ports", "state", "access tech", "signal quality", "operator name", "registration"),
)
BEARER_FIELDS = (
    *("connected", "interface", "apn", "ip type", "method", "address", "prefix"),
    *("gateway", "dns", "mtu"),
)
NEW_INTERFACE = {"rx_bytes": 0, "tx_bytes": 0}
STATISTICS_FIELDS = ("duration", "bytes rx", "bytes tx")


def excerpt(text: str, fields: tuple[str, ...]) -> str:
    """The lines of mmcli's output that show these fields, with the names of their sections."""
    shown, section, wanted = [], "", False
    for line in text.splitlines():
        head, bar, rest = line.partition("|")
        if not bar:
            continue
        section = head.strip() or section
        name, colon, _ = rest.partition(": ")
        if colon:
            wanted = name.strip() in fields
        if wanted:
            shown.append(f"  {section:<18} |{rest}")
            section = ""
    return "\n".join(shown)


def show_driver(ctx: Context) -> None:
    """What is bound to what."""
    device = ctx.device()
    print(f"  {device['name']} (qcom,bam-dmux) is bound to driver '{device['driver']}'")
    print(f"  module: {ctx.phone.run('cat /proc/modules | grep bam_dmux').split(' -')[0].strip()}")
    names = ctx.interfaces()
    print("  channels: " + ", ".join(f"{port}={names[port]}" for port in sorted(names)))


def show_modem(ctx: Context) -> None:
    """What ModemManager found."""
    began = time.monotonic()
    print("starting udev, D-Bus and ModemManager", flush=True)
    ctx.userspace.start()
    ctx.mm.wait_modem()
    ctx.mm.enable()
    ctx.mm.wait_state("registered")
    ctx.wait_until(lambda: ctx.mm.signal() > 0, "a signal quality", every=0.5)
    print(f"  the modem is registered after {time.monotonic() - began:.1f} s\n")
    print(f"# mmcli -L\n{ctx.userspace.act('--list-modems').rstrip()}\n")
    print(f"# mmcli -m any (excerpt)\n{excerpt(ctx.userspace.act('-m', 'any'), MODEM_FIELDS)}\n")


def make_call(ctx: Context) -> Bearer:
    """A bearer, with its settings on the interface."""
    print(f'# mmcli -m any --simple-connect="{CALL}"', flush=True)
    began = time.monotonic()
    bearer = ctx.mm.connect()
    seconds = time.monotonic() - began
    print(f"successfully connected the modem at bearer {bearer.path} ({seconds:.1f} s)\n")
    shown = excerpt(ctx.userspace.act("-b", bearer.path), BEARER_FIELDS)
    print(f"# mmcli -b {bearer.path.rpartition('/')[2]} (excerpt)\n{shown}\n")
    ctx.userspace.apply_bearer(bearer.path)
    print("# apply-bearer; ip addr; ip route; cat /etc/resolv.conf")
    print(
        ctx.phone.run(
            f"ip -brief addr show dev {bearer.interface}; ip route; "
            f"ip -6 route show default; cat /etc/resolv.conf"
        )
    )
    return bearer


def wake_once(ctx: Context, host: str) -> None:
    """One packet wakes the sleeping link, which then sleeps again: what the picture shows."""
    ctx.wait_suspended()
    ctx.phone.run(f"ping -n -c 1 -W {10 * ctx.phone.slowness:.0f} {host}", 15)
    ctx.wait_suspended()


def end_call(ctx: Context, bearer: Bearer) -> None:
    """The bearer's statistics, then its end."""
    ctx.wait_suspended()
    print(
        "\nthe bearer's statistics, for which ModemManager asks the modem every 30 s:", flush=True
    )
    chain.counted(ctx, bearer, NEW_INTERFACE, DOWNLOAD)
    print(excerpt(ctx.userspace.act("-b", bearer.path), STATISTICS_FIELDS))
    ctx.mm.disconnect(bearer)
    ctx.userspace.remove_bearer(bearer.interface)
    check(not ctx.mm.bearer(bearer.path).connected, "the bearer is still connected")
    log = ctx.userspace.modemmanager_log()
    strange = mmlog.unexplained(log)
    said = mmlog.complaints(log)
    print(
        f"disconnected; ModemManager's warnings: {len(said)}, of them unexplained: {len(strange)}"
    )
    check(not strange, "ModemManager complains:\n    " + "\n    ".join(strange))
    ctx.userspace.stop()


def tour(ctx: Context) -> bool:
    """All steps; true if every one of them succeeded."""
    print(f"inserting {ctx.module}.ko; the modem boots and opens its eight channels", flush=True)
    ctx.set_profile()
    ctx.load()
    ctx.modem.gate(True)
    ctx.open_modem(ALL_CHANNELS)
    show_driver(ctx)
    show_modem(ctx)
    bearer = make_call(ctx)
    host = dns.name(chain.channel_of(ctx, bearer.interface))
    print(f"traffic with {host}:", flush=True)
    figures = Figures(ctx, host)
    good = figures.run()
    print(f"\n{ctx.module} on a {ctx.phone.kernel} kernel, QEMU without hardware acceleration:")
    print(figures.table())
    print("\nthe driver's own statistics (ip -s link):")
    print(ctx.phone.run(f"ip -s link show dev {bearer.interface}").rstrip())
    wake_once(ctx, host)
    end_call(ctx, bearer)
    return good


def leave_traces(ctx: Context) -> None:
    """What the modem has seen, as files for people."""
    left = artifacts.traces(ctx.modem, ctx.log, whole=True)
    print(f"\nwhat passed between Linux and its modem, in {paths.shown(ctx.log.parent)}:")
    print(f"  {left.picture.name}: a wake-up of the link as a picture, for any browser")
    print(f"  {left.events.name}: each change of a line, frame and message, for ui.perfetto.dev")
    print(f"  {left.packets.name}: the packets, for Wireshark or tshark")


def run(kernel: str, driver: str, results: Path, initrd: Path) -> bool:
    """Boot, show, power off."""
    print(f"booting the virtual phone ({kernel} kernel)", flush=True)
    began = time.monotonic()
    phone = Phone(results / "phone", initrd, kernel)
    timer = phone.deadline(300 * phone.slowness, "the demo")
    try:
        phone.wait_ready()
        print(f"  ready after {time.monotonic() - began:.1f} s", flush=True)
        phone.load_board()
        ctx = Context(phone, driver, results / "demo.log")
        try:
            good = tour(ctx)
        finally:
            leave_traces(ctx)
        judge.modem_faults(ctx)
        print("\npowering off", flush=True)
        phone.power_off()
        judge.kernel_log(phone, 0)
    finally:
        timer.cancel()
        phone.close()
        print(f"logs: {paths.shown(results)}")
    verdict = "everything worked" if good else "something FAILED"
    print(f"{verdict}, {time.monotonic() - began:.0f} s")
    return good
