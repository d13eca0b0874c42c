# SPDX-License-Identifier: GPL-2.0
"""NetworkManager with one mobile connection, as nmcli shows it."""

import shlex
from collections.abc import Callable
from typing import Any

from harness.phone import Phone
from harness.userspace import Userspace

CONNECTION = "mobile"
KEYFILE = f"/etc/NetworkManager/system-connections/{CONNECTION}.nmconnection"
PROFILE = f"""\
[connection]
id={CONNECTION}
type=gsm
autoconnect=true

[gsm]
apn=internet

[ipv4]
method=auto

[ipv6]
method=auto
"""


class NetworkManager:
    """It runs from start() on, and connects by itself."""

    def __init__(self, phone: Phone, userspace: Userspace, wait_until: Callable[..., Any]) -> None:
        self._phone = phone
        self._userspace = userspace
        self._wait_until = wait_until

    def start(self) -> None:
        """Start it with the connection of PROFILE, which is to be up whenever it can."""
        self._phone.run(
            f"mkdir -p {KEYFILE.rpartition('/')[0]}\ncat >{KEYFILE} <<'E'\n{PROFILE}E\n"
        )
        self._userspace.start("networkmanager")

    def forget(self) -> None:
        """Remove the connection, and the list of name servers that is left when it is down."""
        self._phone.run(f"rm -f {KEYFILE} /etc/resolv.conf")

    def nmcli(self, *arguments: str, timeout: float = 60) -> str:
        """Run nmcli, which must succeed; returns what it prints."""
        return self._phone.run(shlex.join(["nmcli", *arguments]), timeout)

    def state(self) -> str:
        """The connection's state in its words, such as "activated"; empty if it is down."""
        fields = ("--get-values", "GENERAL.STATE", "connection", "show", CONNECTION)
        return self.nmcli(*fields).strip()

    def wait_state(self, wanted: str, timeout: float = 60) -> None:
        """Wait for a state of the connection."""
        self._wait_until(
            lambda: self.state() == wanted,
            f"NetworkManager's connection is {wanted or 'down'}",
            timeout,
            every=0.3,
        )

    def log(self) -> str:
        """Everything that it has said."""
        return self._phone.sh("cat /run/userspace/networkmanager.log", 60)[1]
