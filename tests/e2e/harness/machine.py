# SPDX-License-Identifier: GPL-2.0
"""QEMU's own control socket (QMP): when the guest ends, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.lines import JsonLines

CONNECT_S = 20


@dataclass(frozen=True)
class End:
    """How the guest ended."""

    reason: str
    """In QEMU's words: "guest-shutdown", "guest-reset", ..."""
    time: float
    """When, in seconds since the epoch."""


class Machine:
    """The machine of one phone."""

    def __init__(self, path: Path, alive: Callable[[], None]) -> None:
        """Connect; `alive` raises BrokenError once waiting makes no sense any more."""
        self._lines = JsonLines(path, "machine", alive)
        self._lines.request({"execute": "qmp_capabilities"}, CONNECT_S)

    def wait_end(self, timeout: float) -> End:
        """Wait until the guest powers off or resets. Raises BrokenError when it does not."""
        event = self._lines.event("SHUTDOWN", timeout)
        stamp = event["timestamp"]
        return End(event["data"]["reason"], stamp["seconds"] + stamp["microseconds"] / 1e6)

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
