# SPDX-License-Identifier: GPL-2.0
"""How the modem's firmware behaves in time, in a test: marker `profile(name, figures...)`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("msm8916", "instant")
# What happens at any time, whatever Linux does. In a scenario it is made to happen (Modem.force),
# so that it happens in each run; the acceptance run has it by chance, as phones have.
BY_THE_CLOCK = {"self_wake_every_us": None, "freeze_every_us": None}


@dataclass(frozen=True)
class Profile:
    """A profile of the modem (tests/modem/README.md), with some figures of its own."""

    name: str = "msm8916"
    figures: dict[str, Any] = field(default_factory=lambda: dict(BY_THE_CLOCK))


DEFAULT = Profile()


def of_test(markers: Iterable[pytest.Mark]) -> Profile:
    """The profile that a test wants: the marker next to it, or the default."""
    for mark in markers:
        if mark.name != "profile":
            continue
        name = mark.args[0] if mark.args else DEFAULT.name
        if name not in NAMES or len(mark.args) > 1:
            raise pytest.UsageError(f"profile{mark.args}: it is one of {', '.join(NAMES)}")
        return Profile(name, {**BY_THE_CLOCK, **mark.kwargs})
    return DEFAULT
