# SPDX-License-Identifier: GPL-2.0
"""What ModemManager complained about, and which of its complaints are explained."""

import re

# A line of ModemManager's log begins with its level; GLib's own messages go through it too.
COMPLAINT = re.compile(r"<(?:wrn|err)>|\b(?:CRITICAL|WARNING) \*\*|assertion .* failed")
# What tells the story of a scenario, besides complaints.
NOTABLE = re.compile(
    r"starting in system bus|shut down|state changed \(|connection #|call end reason|"
    r"address: |couldn't start"
)

# Complaints that are no fault of the link, each with the reason for it.
EXPLAINED: tuple[tuple[str, str], ...] = (
    (
        r"couldn't build device ids: Unsupported subsystem: platform",
        "vendor and product numbers are those of USB and PCI devices; a modem in the SoC has none",
    ),
)

# What it says about a modem that goes away under its hands, for scenarios in which one does.
_DEAD = "the control port is gone, and what was asked for over it"
_LATER = "interfaces outlive a crash, so for it the control port is one that comes later"
CRASHED: tuple[tuple[str, str], ...] = (
    (r"Cannot read from istream: connection broken", _DEAD),
    (r"Error reading from istream: .*Connection reset by peer", _DEAD),
    (
        r"(operation|attempt #\d|settings|bearer).*(endpoint hangup|Broken pipe|reset by peer)",
        _DEAD,
    ),
    (r"additional port wwan0qmi0 .* added after device probing has already finished", _LATER),
    (r"could not recreate modem: Unsupported device: at least a QMI port is required", _LATER),
)


def complaints(log: str) -> list[str]:
    """The warnings and errors in a log."""
    return [line.strip() for line in log.splitlines() if COMPLAINT.search(line)]


def reason(line: str, expected: tuple[tuple[str, str], ...] = ()) -> str | None:
    """Why a complaint is harmless, or None if nobody knows."""
    for pattern, why in (*EXPLAINED, *expected):
        if re.search(pattern, line):
            return why
    return None


def unexplained(log: str, expected: tuple[tuple[str, str], ...] = ()) -> list[str]:
    """The complaints that neither EXPLAINED nor the scenario knows."""
    return [line for line in complaints(log) if reason(line, expected) is None]


def notable(log: str) -> list[str]:
    """The lines to keep of a log that nobody needs in full."""
    return [
        line.strip() for line in log.splitlines() if COMPLAINT.search(line) or NOTABLE.search(line)
    ]
