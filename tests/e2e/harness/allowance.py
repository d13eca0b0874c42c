# SPDX-License-Identifier: GPL-2.0
"""What a scenario itself makes go wrong: how often at most, and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

Counters = dict[str, int]


@dataclass(frozen=True)
class Allowance:
    """A counter of faults (harness/modem.py, FAULTS) that may count up to a number."""

    counter: str
    # A number, or what makes one of the modem's counters as they are at the end.
    most: int | Callable[[Counters], int]
    why: str

    def bound(self, counters: Counters) -> int:
        """How often it may count."""
        return self.most(counters) if callable(self.most) else self.most


def of_test(markers: Iterable[pytest.Mark]) -> tuple[Allowance, ...]:
    """The allowances that a test has, from its markers `allow(counter, max=, why=)`."""
    found = []
    for mark in markers:
        if mark.name != "allow":
            continue
        counter = mark.args[0] if mark.args else mark.kwargs.get("counter")
        most, why = mark.kwargs.get("max"), mark.kwargs.get("why")
        if not counter or most is None or not why:
            raise pytest.UsageError(
                f"allow{mark.args}: needs a counter, max= (a number, or a function of the modem's "
                "counters) and why= (a sentence)"
            )
        found.append(Allowance(counter, most, why))
    return tuple(found)


def beyond(
    counters: Counters, faults: Iterable[str], allowances: Iterable[Allowance]
) -> dict[str, str]:
    """The faults that counted more than is allowed, each with the numbers."""
    bounds: Counters = {}
    for allowance in allowances:
        bound = allowance.bound(counters)
        bounds[allowance.counter] = max(bound, bounds.get(allowance.counter, 0))
    found = {}
    for name in faults:
        bound = bounds.get(name, 0)
        if counters[name] > bound:
            allowed = f", {bound} allowed" if name in bounds else ""
            found[name] = f"{counters[name]}{allowed}"
    return found


# --- What several scenarios allow --------------------------------------------------


def unaware(counters: Counters) -> int:
    """Accesses to a BAM without power of which Linux could not know that it has none."""
    return counters["unpowered_unaware"]


def misused(counters: Counters) -> int:
    """Doorbells of a pipe that went with the power, of which Linux could not know that."""
    return counters["pipe_misuse_unaware"]


def powered(counters: Counters) -> int:
    """Each time that the power came up, it may have been met by a driver bound just then."""
    return counters["power_ups"]


# What our driver does wherever it happens to, until the finding is mended. Each has a test that
# makes it happen, and is expected to fail.
KNOWN = (
    Allowance(
        "acked_connected",
        lambda counters: counters["power_downs"],
        "hardware-behaviour 7.1: a fall that is seen together with the ack of the un-vote, or "
        "under a vote, is acked with the pipes still enabled (test_replay, sequence 2)",
    ),
)

_WHY = "Linux cannot know yet that the power is gone"


def dark(test: Callable[..., None]) -> Callable[..., None]:
    """For scenarios in which the BAM loses its power under Linux' hands."""
    test = pytest.mark.allow("unpowered_access", max=unaware, why=_WHY)(test)
    return pytest.mark.allow("pipe_misuse", max=misused, why=_WHY)(test)


def bound_anew(most: int | Callable[[Counters], int]) -> pytest.MarkDecorator:
    """For scenarios that bind the driver while the modem waits for the ack of a change."""
    why = "a driver that was bound anew cannot know of a change before that"
    return pytest.mark.allow("ap_ack_timeout", max=most, why=why)


def hostile_channels(test: Callable[..., None]) -> Callable[..., None]:
    """For scenarios with hostile frames, among them OPEN and CLOSE at any time."""
    for counter, most, why in (
        ("double_open", "uplink_opens", "each OPEN of the modem may be answered by one"),
        ("double_close", "uplink_closes", "each CLOSE of the modem may be answered by one"),
        ("data_not_opened", "uplink_frames", "traffic meets a CLOSE"),
    ):
        mark = pytest.mark.allow(counter, max=lambda counters, most=most: counters[most], why=why)
        test = mark(test)
    return test
