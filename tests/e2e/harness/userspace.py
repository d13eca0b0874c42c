# SPDX-License-Identifier: GPL-2.0
"""The guest's user space, Debian's own: udev, D-Bus, ModemManager, and their tools.

It runs in scenarios that ask for it, and in no others. What it is started with is in
guest/opt/e2e/userspace.
"""

import json
import re
import shlex
from typing import Any

from harness.errors import BrokenError, FailedError, check
from harness.phone import Phone

PROGRAM = "/opt/e2e/userspace"
APPLY_BEARER = "/opt/e2e/apply-bearer"
MODEMMANAGER_LOG = "/run/userspace/modemmanager.log"
# The control port: rpmsg_wwan_ctrl's name for the SMD channel DATA5_CNTL.
QMI_PORT = "/dev/wwan0qmi0"
# Seconds on the base kernel for the longest that a start may take.
START_TIMEOUT = 60
SHOW_STATE = (
    f"{PROGRAM} status",
    "mmcli -m any",
    "for bearer in 0 1 2 3; do mmcli -b $bearer 2>/dev/null; done",
    "ip addr; ip rule; ip route; ip -6 route; cat /etc/resolv.conf",
)


class Userspace:
    """Starts, stops and asks it. Times are seconds on the base kernel."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._earlier = ""
        self.started = False

    def start(self, *programs: str) -> None:
        """Start programs ("udev", "dbus", "modemmanager"), all of them by default."""
        self.started = True
        self._phone.run(shlex.join([PROGRAM, "start", *programs]), START_TIMEOUT)

    def stop(self) -> None:
        """Take back what was applied to interfaces, then end every program that was started."""
        try:
            self._phone.run(
                f"for state in /run/apply-bearer/*; do [ ! -e $state ] || "
                f"{APPLY_BEARER} --remove ${{state##*/}}; done"
            )
        finally:
            # A test without ModemManager is not to be judged by what this one's has said.
            self._phone.run(f"{PROGRAM} stop && rm -f {MODEMMANAGER_LOG}", START_TIMEOUT)
            self.started = False

    def restart_modemmanager(self, signal: str = "TERM") -> None:
        """End ModemManager with a signal and start another one; its log is kept."""
        self._phone.run(
            f"pid=$(pidof ModemManager) && kill -{signal} $pid || exit 1; "
            "for i in $(seq 300); do [ -e /proc/$pid ] || exit 0; sleep 0.1; done; "
            "echo ModemManager does not end; exit 1",
            START_TIMEOUT,
        )
        self._earlier = self.modemmanager_log()
        self.start()

    def pid(self, program: str = "ModemManager") -> int:
        """The process of a program that runs once; it must run."""
        return int(self._phone.run(f"pidof {program}"))

    def runs(self, program: str = "ModemManager") -> bool:
        """Whether a program runs."""
        return self._phone.sh(f"pidof {program}")[0] == 0

    def open_files(self, program: str = "ModemManager") -> int:
        """How many files a program that runs once has open."""
        return int(self._phone.run(f"ls /proc/$(pidof {program})/fd | wc -l"))

    def modemmanager_log(self) -> str:
        """Everything that ModemManager logged since the user space was started."""
        log = self._phone.sh(f"cat {MODEMMANAGER_LOG}", 60)[1]
        # A start may have begun a new file.
        return log if log.startswith(self._earlier) else self._earlier + log

    def modemmanager_times(self, *patterns: str) -> list[float]:
        """When ModemManager last said each of these (grep -E), by the phone's clock in seconds."""
        found = []
        for pattern in patterns:
            line = self._phone.sh(f"grep -E {shlex.quote(pattern)} {MODEMMANAGER_LOG} | tail -n 1")[
                1
            ]
            stamp = re.match(r"<\w+> \[(\d+\.\d+)\]", line)
            check(stamp, f"ModemManager's log has no '{pattern}'")
            found.append(float(stamp[1]))
        return found

    def mmcli(self, *arguments: str, timeout: float = 30) -> dict[str, Any]:
        """What mmcli prints as JSON. Raises FailedError with its words if it fails."""
        out = self.act("--output-json", *arguments, timeout=timeout)
        try:
            return json.loads(out)
        except ValueError:
            raise FailedError(f"mmcli {shlex.join(arguments)} printed no JSON:\n{out}") from None

    def act(self, *arguments: str, timeout: float = 130) -> str:
        """Run mmcli, which must succeed; returns what it prints."""
        return self._phone.run(shlex.join(["mmcli", *arguments]), timeout)

    def try_mmcli(self, *arguments: str, timeout: float = 130) -> tuple[int, str]:
        """Run mmcli, which may fail: exit status and what it prints."""
        return self._phone.sh(shlex.join(["mmcli", *arguments]), timeout)

    def qmicli(self, *arguments: str, proxy: bool = False, timeout: float = 30) -> str:
        """Run qmicli on the control port; with ModemManager there it has to share: `proxy`."""
        share = ["--device-open-proxy"] if proxy else []
        return self._phone.run(
            shlex.join(["qmicli", "--device", QMI_PORT, *share, *arguments]), timeout
        )

    def apply_bearer(self, path: str) -> None:
        """Put what ModemManager publishes of a bearer on its interface."""
        self._phone.run(shlex.join([APPLY_BEARER, path]), 60)

    def remove_bearer(self, interface: str) -> None:
        """Undo apply_bearer."""
        self._phone.run(shlex.join([APPLY_BEARER, "--remove", interface]), 60)

    def state(self) -> str:
        """For a failed scenario's log: what runs, and what ModemManager knows."""
        try:
            return self._phone.sh("; ".join(SHOW_STATE), 60)[1]
        except (BrokenError, FailedError) as error:
            return f"unknown: {error}"
