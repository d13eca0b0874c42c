# SPDX-License-Identifier: GPL-2.0
"""The operator's name server behind the modem: dnsmasq, on every far address.

The names are those of the far ends: n<channel>.far.test has the channel's addresses
and far.test has those of channel 0, IPv4 and IPv6. There is nobody to forward to, so
any other name is refused.
"""

import subprocess
import time
from pathlib import Path

from harness.errors import BrokenError, MissingError
from harness.netns import NetNs

PORT = 53
DOMAIN = "far.test"
CHANNELS = 8
# Seconds until it must serve; it takes milliseconds.
START_TIMEOUT = 10


def name(channel: int) -> str:
    """The name of a channel's far end."""
    return f"n{channel}.{DOMAIN}"


def addresses(channel: int) -> tuple[str, str]:
    """What a channel's name resolves to: IPv4 and IPv6, as the C library prints them."""
    return f"10.64.{channel}.1", f"fd64:{channel}::1" if channel else "fd64::1"


def records() -> dict[str, tuple[str, str]]:
    """All names with their addresses, IPv4 and IPv6."""
    channels = {name(channel): addresses(channel) for channel in range(CHANNELS)}
    return {DOMAIN: addresses(0), **channels}


def arguments() -> list[str]:
    """Everything dnsmasq has to know; it reads no file of the host."""
    hosts = [f"--host-record={host},{','.join(pair)}" for host, pair in records().items()]
    return [
        *("--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"),
        *("--pid-file", "--user=root", "--log-facility=-", "--log-queries"),
        *(f"--port={PORT}", f"--local=/{DOMAIN}/", *hosts),
    ]


class NameServer:
    """dnsmasq in the namespace behind a modem; it answers from the address that was asked."""

    def __init__(self, netns: NetNs, log: Path) -> None:
        """Start it and wait until it serves; queries and answers go to the log."""
        self._log = log
        try:
            with log.open("ab") as file:
                self._process = netns.popen(
                    ["dnsmasq", *arguments()],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                )
        except FileNotFoundError as error:
            raise MissingError("dnsmasq is not there: run 'make env'") from error
        try:
            self._wait_serving()
        except BaseException:
            self.stop()
            raise

    def _wait_serving(self) -> None:
        """It says that it has started when its sockets are bound."""
        deadline = time.monotonic() + START_TIMEOUT
        while "started, version" not in self._log.read_text(errors="replace"):
            if self._process.poll() is not None:
                raise BrokenError(
                    f"dnsmasq ended (status {self._process.returncode}):\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                raise BrokenError(f"dnsmasq did not start within {START_TIMEOUT} s:\n{self.tail()}")
            time.sleep(0.01)

    def tail(self, count: int = 5) -> str:
        """The last lines of its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:])

    def asked(self, query: str) -> list[str]:
        """The lines of the log about a query, for example "query[AAAA] far.test"."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [line for line in lines if query in line]

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
