# SPDX-License-Identifier: GPL-2.0
"""A tour: bring wwan0 up, move traffic through it, show figures, power off."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from harness import judge, paths
from harness.context import ALL_CHANNELS, Context, far_ip, far_ip6
from harness.errors import FailedError, check, check_equal
from harness.phone import Phone
from harness.services import HTTP_PORT, content

DOWNLOAD = 4 << 20
UPLOAD = 4 << 20
PINGS = 20
UDP_SECONDS = 5
UDP_RATE = "8M"


class Demo:
    """The steps, each of which returns a line for the table."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.rows: list[tuple[str, str, str]] = []

    def step(self, what: str, function: Callable[[], str]) -> None:
        """Run a step and note how it went; a failed one does not stop the others."""
        print(f"  {what} ...", flush=True)
        try:
            self.rows.append((what, "ok", function()))
        except FailedError as error:
            self.rows.append((what, "FAILED", str(error).strip().splitlines()[-1][:90]))

    def ping(self, host: str) -> str:
        """Ping the far end."""
        out = self.ctx.phone.run(f"ping -n -c {PINGS} -i 0.05 -W 2 {host}", 60)
        lost = re.search(r"(\d+) received", out)
        times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", out)
        check(lost and times and int(lost[1]) == PINGS, f"pings lost: {out.strip()}")
        return f"{PINGS}/{PINGS} answered, {times[1]} / {times[2]} / {times[3]} ms min/avg/max"

    def curl(self, options: str, size: int, expected: str, what: str) -> str:
        """A transfer with curl; a digest proves each byte."""
        url = f"http://{far_ip(0)}:{HTTP_PORT}/{size}"
        began = time.monotonic()
        out = self.ctx.phone.run(f"curl -sSf --max-time 100 {options} {url}", 120)
        seconds = time.monotonic() - began
        check(expected in out, f"{what}: content is not what was sent")
        return f"{size >> 20} MiB, {size * 8 / seconds / 1e6:.1f} Mbit/s, SHA-256 right"

    def download(self) -> str:
        """HTTP download."""
        row = self.curl("-o /run/down", DOWNLOAD, "", "download")
        out = self.ctx.phone.run("sha256sum /run/down")
        check_equal(out.split()[0], sha256(content("http", DOWNLOAD)), "download: SHA-256")
        return row

    def upload(self) -> str:
        """HTTP upload of what was downloaded."""
        return self.curl("-T /run/down", UPLOAD, sha256(content("http", DOWNLOAD)), "upload")

    def udp(self, reverse: bool) -> str:
        """A UDP stream with iperf3."""
        options = f"-u -b {UDP_RATE} -t {UDP_SECONDS} -l 1400 -J {'-R' if reverse else ''}"
        out = self.ctx.phone.run(f"iperf3 -c {far_ip(0)} {options}", 60)
        end = json.loads(out)["end"]["sum"]
        lost, packets = end["lost_packets"], end["packets"]
        rate = end["bits_per_second"] / 1e6
        check(packets > 0, "no datagrams arrived")
        return f"{packets - lost}/{packets} datagrams of 1400 bytes, {rate:.1f} Mbit/s"


def sha256(data: bytes) -> str:
    """Digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def show_driver(ctx: Context) -> None:
    """What is bound to what."""
    device = ctx.device()
    print(f"  {device['name']} (qcom,bam-dmux) is bound to driver '{device['driver']}'")
    print(f"  module: {ctx.phone.run('cat /proc/modules | grep bam_dmux').split(' -')[0].strip()}")


def table(rows: list[tuple[str, str, str]]) -> str:
    """Aligned columns."""
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"  {what:<{width}}  {how:<6}  {figures}" for what, how, figures in rows)


def tour(ctx: Context) -> bool:
    """All steps; true if every one of them succeeded."""
    print(f"inserting {ctx.module}.ko; the modem opens its eight channels", flush=True)
    ctx.load()
    show_driver(ctx)
    ctx.open_modem(ALL_CHANNELS)
    names = ctx.interfaces()
    print("  channels: " + ", ".join(f"{port}={names[port]}" for port in sorted(names)))
    ctx.up((0,))
    print(f"{names[0]} is up; traffic:", flush=True)
    demo = Demo(ctx)
    demo.step("ping, IPv4", lambda: demo.ping(far_ip(0)))
    demo.step("ping, IPv6", lambda: demo.ping(far_ip6(0)))
    demo.step("TCP download (HTTP)", demo.download)
    demo.step("TCP upload (HTTP)", demo.upload)
    demo.step("UDP stream, up", lambda: demo.udp(False))
    demo.step("UDP stream, down", lambda: demo.udp(True))
    print(f"\n{ctx.module} on a {ctx.phone.kernel} kernel, QEMU without hardware acceleration:")
    print(table(demo.rows))
    print("\nthe driver's own statistics (ip -s link):")
    print(ctx.phone.run(f"ip -s link show dev {names[0]}").rstrip())
    return all(how == "ok" for _, how, _ in demo.rows)


def run(kernel: str, driver: str, results: Path, initrd: Path) -> bool:
    """Boot, show, power off."""
    print(f"booting the virtual phone ({kernel} kernel)", flush=True)
    began = time.monotonic()
    phone = Phone(results / "phone", initrd, kernel)
    timer = phone.deadline(300, "the demo")
    try:
        phone.wait_ready()
        print(f"  ready after {time.monotonic() - began:.1f} s", flush=True)
        phone.load_board()
        ctx = Context(phone, driver, results / "demo.log")
        good = tour(ctx)
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
