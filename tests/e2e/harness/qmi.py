# SPDX-License-Identifier: GPL-2.0
"""A data call by qmicli alone, as a script on a phone without ModemManager makes it.

Each command opens the control port anew; the client identifier, which the modem keeps,
ties them together. Texts are those of qmicli 1.36.
"""

import ipaddress
import re
from dataclasses import dataclass

from harness.context import Context
from harness.errors import check
from harness.userspace import QMI_PORT, Userspace


@dataclass(frozen=True)
class Settings:
    """What the network gave for a call of one IP family."""

    address: str
    prefix: int
    gateway: str
    dns: str
    mtu: int


class WdsClient:
    """A client of the modem's data service: one call of one IP family."""

    def __init__(self, userspace: Userspace) -> None:
        """Allocate it in the modem."""
        self._userspace = userspace
        self._v6 = False
        self._handle = ""
        out = userspace.qmicli("--wds-noop", "--client-no-release-cid")
        self._cid = _find(r"CID: '(\d+)'", out)

    def _call(self, option: str) -> str:
        return self._userspace.qmicli(
            option, f"--client-cid={self._cid}", "--client-no-release-cid"
        )

    def bind(self, channel: int) -> None:
        """The call's data is to go over this channel."""
        self._call(f"--wds-bind-data-port=a2-mux-rmnet{channel}")

    def set_family(self, v6: bool) -> None:
        """The call's IP family."""
        self._v6 = v6
        self._call(f"--wds-set-ip-family={6 if v6 else 4}")

    def start(self, apn: str) -> None:
        """Make the call."""
        out = self._call(f"--wds-start-network=apn={apn},ip-type={6 if self._v6 else 4}")
        self._handle = _find(r"Packet data handle: '(\d+)'", out)

    def stop(self) -> None:
        """End the call."""
        self._call(f"--wds-stop-network={self._handle}")

    def status(self) -> str:
        """The call's state: connected or disconnected."""
        return _find(r"Connection status: '(\w+)'", self._call("--wds-get-packet-service-status"))

    def settings(self) -> Settings:
        """What the network gave."""
        found = _fields(self._call("--wds-get-current-settings"))
        version = "IPv6" if self._v6 else "IPv4"
        mask = found.get("IPv4 subnet mask", "")
        address, _, prefix = found[f"{version} address"].partition("/")
        return Settings(
            address=address,
            prefix=int(prefix or ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen),
            gateway=found[f"{version} gateway address"].partition("/")[0],
            dns=found[f"{version} primary DNS"],
            mtu=int(found["MTU"]),
        )

    def packets(self) -> tuple[int, int]:
        """The call's packets as the modem counts them: sent by Linux, received by Linux."""
        found = _fields(self._call("--wds-get-packet-statistics"))
        return int(found["TX packets OK"]), int(found["RX packets OK"])

    def release(self) -> None:
        """Give the client back."""
        self._userspace.qmicli("--wds-noop", f"--client-cid={self._cid}")


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    check(found, f"qmicli does not print '{pattern}':\n{text}")
    return found[1]


def _fields(text: str) -> dict[str, str]:
    """The lines "name: value"."""
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs if value}


def wait_port(ctx: Context) -> None:
    """Load the control port's driver, as udev would, and wait for the port."""
    ctx.phone.run("modprobe rpmsg_wwan_ctrl")
    ctx.wait_until(lambda: ctx.phone.sh(f"test -c {QMI_PORT}")[0] == 0, f"{QMI_PORT} appears")
