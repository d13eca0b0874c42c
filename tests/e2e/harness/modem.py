# SPDX-License-Identifier: GPL-2.0
"""The simulated modem: its process and its control socket."""

import subprocess
import time
from pathlib import Path
from typing import Any

from harness import paths
from harness.errors import BrokenError, FailedError
from harness.lines import JsonLines
from harness.netns import NetNs

# Counters that must be zero at the end of a scenario: what would hang a real phone or
# corrupt its memory, frames a real modem would choke on, and packets and messages that
# programs must not send. The counters' meanings are in tests/modem/README.md.
FAULTS = (
    "unpowered_access",
    "dma_outside_mapping",
    "bad_evnt",
    "pipe_misuse",
    "bad_access",
    "unmapped_access",
    "mutex_release_free",
    "short_transfer",
    "oversize_transfer",
    "bad_magic",
    "bad_command",
    "bad_channel",
    "nonzero_signal",
    "length_mismatch",
    "bad_pad",
    "nonzero_pad",
    "command_with_data",
    "empty_data",
    "data_not_opened",
    "data_modem_closed",
    "double_open",
    "double_close",
    "not_ip",
    "ap_ack_timeout",
    "backend_errors",
    "uplink_no_call",
    "uplink_wrong_source",
    "downlink_no_call",
    "smd_bad",
    "qmi_malformed",
    "qmi_unknown_client",
    "qmi_queue_full",
    "qmi_events_lost",
)

# How long the modem waits for the driver to follow its power line. Firmware asserts after 15 s; the
# simulator's own second is less than a busy host can be late.
ACK_TIMEOUT_MS = 8000


class Modem:
    """One modem process in a network namespace."""

    def __init__(self, netns: NetNs, directory: Path, arguments: list[str]) -> None:
        self.socket = directory / "vfio.sock"
        self._control_path = directory / "control.sock"
        self.log = directory / "modem.log"
        command = [
            str(paths.modem()),
            "--socket",
            str(self.socket),
            "--control",
            str(self._control_path),
            "--ack-timeout",
            str(ACK_TIMEOUT_MS),
            *arguments,
        ]
        with self.log.open("ab") as log:
            self._process = netns.popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory
            )
        self._control: JsonLines | None = None
        deadline = time.monotonic() + 20
        while not self.socket.exists():
            self.alive()
            if time.monotonic() > deadline:
                raise BrokenError("the modem did not open its socket within 20 s")
            time.sleep(0.01)

    def alive(self) -> None:
        """Raise BrokenError if the process ended: that is a failure of the test in any case."""
        if self._process.poll() is not None:
            raise BrokenError(
                f"the modem process ended (status {self._process.returncode}); its last lines:\n"
                + self.tail()
            )

    def tail(self, count: int = 8) -> str:
        """The last lines of the modem's log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:])

    def call(self, command: str, timeout: float = 20, **arguments: Any) -> Any:
        """A control command; raises FailedError with the modem's words if it refuses."""
        if self._control is None:
            self._control = JsonLines(self._control_path, "modem", self.alive)
        reply = self._control.request({"cmd": command, **arguments}, timeout)
        if not reply.get("ok"):
            raise FailedError(f"the modem refuses {command} {arguments}: {reply.get('error')}")
        return reply.get("result")

    def status(self) -> dict[str, Any]:
        """What the modem knows of the link."""
        return self.call("status")

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        return self.call("counters")

    def faults(self, allowed: tuple[str, ...] = ()) -> dict[str, int]:
        """The counters of FAULTS that are not zero, but for those a scenario provokes."""
        counters = self.counters()
        missing = [name for name in FAULTS if name not in counters]
        if missing:
            raise FailedError(f"the modem does not count {missing}: is it of another version?")
        found = {name: counters[name] for name in FAULTS if counters[name] and name not in allowed}
        # What makes the BAM dark under Linux' hands is an excuse only until Linux has heard of it.
        aware = counters["unpowered_access"] - counters["unpowered_unaware"]
        if aware and "unpowered_access" in allowed:
            found["unpowered_access, known to have no power"] = aware
        return found

    def stop(self) -> None:
        """End the process."""
        if self._control:
            self._control.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
