# SPDX-License-Identifier: GPL-2.0
"""ModemManager as a user sees it by mmcli: the modem, its state, its bearers.

Keys and texts are those of mmcli 1.24 (cli/mmcli-output.c in its source).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.errors import FailedError, check
from harness.userspace import Userspace

NOTHING = "--"
# States of a modem that it goes through by itself after it was found.
TRANSIENT = {"unknown", "initializing", "enabling", "disabling", "connecting", "disconnecting"}
# ModemManager asks the modem for a bearer's statistics so often, in seconds.
STATISTICS_PERIOD = 30


@dataclass(frozen=True)
class IpConfig:
    """What the network gave for one IP family."""

    address: str
    prefix: int
    gateway: str
    dns: tuple[str, ...]
    mtu: int

    @staticmethod
    def parse(fields: dict[str, Any]) -> "IpConfig | None":
        """From mmcli's section; None if there is nothing of this family."""
        if fields["address"] == NOTHING:
            return None
        return IpConfig(
            address=fields["address"],
            prefix=_number(fields["prefix"]),
            gateway=fields["gateway"],
            dns=tuple(fields["dns"]),
            mtu=_number(fields["mtu"]),
        )


@dataclass(frozen=True)
class Bearer:
    """One bearer as mmcli shows it."""

    path: str
    connected: bool
    interface: str
    error: str
    v4: IpConfig | None
    v6: IpConfig | None
    bytes_rx: int
    bytes_tx: int

    @staticmethod
    def parse(reply: dict[str, Any]) -> "Bearer":
        """From mmcli's JSON."""
        bearer = reply["bearer"]
        status, stats = bearer["status"], bearer["stats"]
        error = status.get("connection-error", {})
        return Bearer(
            path=bearer["dbus-path"],
            connected=status["connected"] == "yes",
            interface=status["interface"],
            error=f"{error.get('name', '')}: {error.get('message', '')}",
            v4=IpConfig.parse(bearer["ipv4-config"]),
            v6=IpConfig.parse(bearer["ipv6-config"]),
            bytes_rx=_number(stats["bytes-rx"]),
            bytes_tx=_number(stats["bytes-tx"]),
        )


def _number(text: str) -> int:
    """mmcli's numbers are text, and zero is nothing."""
    return 0 if text == NOTHING else int(text)


class ModemManager:
    """The one modem that there is."""

    def __init__(self, userspace: Userspace, wait_until: Callable[..., Any]) -> None:
        self._userspace = userspace
        self._wait_until = wait_until

    def modem(self) -> dict[str, Any]:
        """Everything about the modem; fails if there is none."""
        return self._userspace.mmcli("-m", "any")["modem"]

    def found(self) -> dict[str, Any] | None:
        """Everything about the modem, or None."""
        code, out = self._userspace.try_mmcli("--output-json", "-m", "any", timeout=30)
        return None if code else json.loads(out)["modem"]

    def path(self) -> str:
        """The modem's path on the bus, another one each time it is found; empty without it."""
        return (self.found() or {}).get("dbus-path", "")

    def state(self) -> str:
        """The modem's state in ModemManager's words; "absent" if there is none."""
        return self._generic().get("state", "absent")

    def _generic(self) -> dict[str, Any]:
        """The modem's section "generic", empty if there is no modem."""
        return (self.found() or {}).get("generic", {})

    def wait_modem(self, timeout: float = 60) -> None:
        """Wait until ModemManager has found the modem and got it ready."""

        def ready() -> bool:
            generic = self._generic()
            state = generic.get("state", "absent")
            if state == "failed":
                reason = generic["state-failed-reason"]
                raise FailedError(f"ModemManager cannot use the modem: {reason}")
            return state not in TRANSIENT | {"absent"}

        self._wait_until(ready, "ModemManager recognises the modem", timeout, every=0.3)

    def wait_state(self, wanted: str, timeout: float = 30) -> None:
        """Wait for a state of the modem."""
        self._wait_until(
            lambda: self.state() == wanted, f"the modem is {wanted}", timeout, every=0.3
        )

    def enable(self) -> None:
        """Make the modem look for a network."""
        self._userspace.act("-m", "any", "--enable")

    def signal(self) -> int:
        """Signal quality in per cent."""
        return int(self.modem()["generic"]["signal-quality"]["value"])

    def connect(self, apn: str = "internet", ip_type: str = "ipv4v6") -> Bearer:
        """Make a call as a user does; returns the connected bearer."""
        out = self._userspace.act("-m", "any", f"--simple-connect=apn={apn},ip-type={ip_type}")
        check("successfully connected" in out, f"simple-connect: {out}")
        bearer = self.bearer(out.split()[-1])
        check(bearer.connected, f"simple-connect succeeded, but: {bearer}")
        return bearer

    def refused(self, apn: str = "internet", ip_type: str = "ipv4v6") -> str:
        """Try to make a call that must fail; returns mmcli's words."""
        code, out = self._userspace.try_mmcli(
            "-m", "any", f"--simple-connect=apn={apn},ip-type={ip_type}"
        )
        check(code != 0, f"simple-connect succeeded: {out}")
        return out.strip()

    def bearer(self, path: str) -> Bearer:
        """A bearer as it is now."""
        return Bearer.parse(self._userspace.mmcli("-b", path))

    def bearers(self) -> list[Bearer]:
        """All bearers of the modem, connected or not."""
        return [self.bearer(path) for path in self.modem()["generic"]["bearers"]]

    def disconnect(self, bearer: Bearer) -> None:
        """End a bearer's call."""
        self._userspace.act("-b", bearer.path, "--disconnect")

    def wait_statistics(
        self, bearer: Bearer, right: Callable[[Bearer], bool], expected: str
    ) -> Bearer:
        """Wait until ModemManager has asked the modem again and shows the right byte counts."""
        found = bearer

        def counted() -> bool:
            nonlocal found
            found = self.bearer(bearer.path)
            return right(found)

        try:
            self._wait_until(counted, "", STATISTICS_PERIOD + 10, every=1.0)
        except FailedError:
            raise FailedError(
                f"the bearer's statistics: {found.bytes_rx} bytes received, {found.bytes_tx} "
                f"sent; expected: {expected}"
            ) from None
        return found
