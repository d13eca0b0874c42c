# SPDX-License-Identifier: GPL-2.0
"""Traffic with tools that people know, each run a line of a table."""

import json
import re
import time
from collections.abc import Callable

from harness.context import Context
from harness.errors import FailedError, check, check_equal
from harness.services import HTTP_PORT, digest

DOWNLOAD = 4 << 20
UPLOAD = 4 << 20
PINGS = 20
UDP_SECONDS = 5
UDP_RATE = "8M"
# The kernel's counters of UDP, of the network namespace that the reader is in.
SNMP = "/proc/thread-self/net/snmp"
# What each is called in the table.
STEPS = (
    ("ping, IPv4", lambda figures: figures.ping(4)),
    ("ping, IPv6", lambda figures: figures.ping(6)),
    ("TCP download (HTTP)", lambda figures: figures.download()),
    ("TCP upload (HTTP)", lambda figures: figures.upload()),
    ("UDP stream, up", lambda figures: figures.udp(reverse=False)),
    ("UDP stream, down", lambda figures: figures.udp(reverse=True)),
)


def rcvbuf_errors(snmp: str) -> int:
    """The counter RcvbufErrors of UDP in the kernel's table, which has names and then values."""
    names, values = (line.split() for line in snmp.splitlines() if line.startswith("Udp:"))
    return int(values[names.index("RcvbufErrors")])


def udp_row(end: dict[str, float], socket_full: int) -> str:
    """Judge iperf3's sum of a UDP stream; returns its line of the table."""
    lost, packets = int(end["lost_packets"]), int(end["packets"])
    check(packets > 0, "no datagrams arrived")
    by_link = max(0, lost - socket_full)
    check_equal(by_link, 0, f"of {packets} datagrams lost by the link")
    rate = end["bits_per_second"] / 1e6
    late = f", {lost} more found their socket full" if lost else ""
    return f"{packets - lost}/{packets} datagrams of 1400 bytes, {rate:.1f} Mbit/s{late}"


class Figures:
    """Runs them against one far end, which is given by its name."""

    def __init__(self, ctx: Context, host: str) -> None:
        self._ctx = ctx
        self._host = host
        self._rows: list[tuple[str, str, str]] = []

    def run(self) -> bool:
        """All of them, a failed one does not stop the others; whether none failed."""
        for what, function in STEPS:
            self._step(what, lambda function=function: function(self))
        return all(how == "ok" for _, how, _ in self._rows)

    def table(self) -> str:
        """What was found out, in aligned columns."""
        width = max(len(what) for what, _, _ in self._rows)
        return "\n".join(f"  {what:<{width}}  {how:<6}  {said}" for what, how, said in self._rows)

    def _step(self, what: str, function: Callable[[], str]) -> None:
        print(f"  {what} ...", flush=True)
        try:
            self._rows.append((what, "ok", function()))
        except FailedError as error:
            self._rows.append((what, "FAILED", str(error).strip().splitlines()[-1][:90]))

    def ping(self, family: int) -> str:
        """Ping the far end."""
        out = self._ctx.phone.run(f"ping -{family} -n -c {PINGS} -i 0.05 -W 2 {self._host}", 60)
        answered = re.search(r"(\d+) received", out)
        times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", out)
        check(answered and times and int(answered[1]) == PINGS, f"pings lost: {out.strip()}")
        return f"{PINGS}/{PINGS} answered, {times[1]} / {times[2]} / {times[3]} ms min/avg/max"

    def _curl(self, options: str, size: int, expected: str, what: str) -> str:
        url = f"http://{self._host}:{HTTP_PORT}/{size}"
        began = time.monotonic()
        out = self._ctx.phone.run(f"curl -sSf --max-time 100 {options} {url}", 120)
        seconds = time.monotonic() - began
        check(expected in out, f"{what}: content is not what was sent")
        return f"{size >> 20} MiB, {size * 8 / seconds / 1e6:.1f} Mbit/s, SHA-256 right"

    def download(self) -> str:
        """HTTP download."""
        row = self._curl("-o /run/down", DOWNLOAD, "", "download")
        out = self._ctx.phone.run("sha256sum /run/down")
        check_equal(out.split()[0], digest("http", DOWNLOAD), "download: SHA-256")
        return row

    def upload(self) -> str:
        """HTTP upload of what was downloaded; the far end answers with its digest."""
        return self._curl("-T /run/down", UPLOAD, digest("http", DOWNLOAD), "upload")

    def udp(self, reverse: bool) -> str:
        """A UDP stream with iperf3, of which the link may lose nothing.

        What the receiving socket had no room for has come through the link: it is told apart.
        """
        options = f"-u -b {UDP_RATE} -t {UDP_SECONDS} -l 1400 -J {'-R' if reverse else ''}"
        before = self._socket_full(in_guest=reverse)
        out = self._ctx.phone.run(f"iperf3 -4 -c {self._host} {options}", 60)
        full = self._socket_full(in_guest=reverse) - before
        return udp_row(json.loads(out)["end"]["sum"], full)

    def _socket_full(self, in_guest: bool) -> int:
        """Datagrams that found the receive buffer of their socket full, on one end of the link."""
        if in_guest:
            return rcvbuf_errors(self._ctx.phone.run(f"cat {SNMP}"))
        return rcvbuf_errors(self._ctx.phone.netns.check_output(["cat", SNMP]))
