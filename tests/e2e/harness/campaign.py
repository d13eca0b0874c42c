# SPDX-License-Identifier: GPL-2.0
"""How much a scenario does that can do any amount: little in tests, a lot in campaigns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Amounts. The seed makes a run what it was, as far as its input goes."""

    seed: int = 1
    # Hostile frames.
    frames: int = 10_000
    # Hostile sequences of the power lines.
    lines: int = 200
    # Rounds of everything else that campaigns do for long: faults of the kernel, stress.
    rounds: int = 1
    # How often a scenario repeats what it does when once more shows nothing new, but chance does.
    repeats: int = 20

    @property
    def full(self) -> bool:
        """Whether time matters less than in `make test`."""
        return self.repeats > SHORT.repeats

    @property
    def long(self) -> bool:
        """Whether this is a campaign: then nothing is left out to save time."""
        return self.rounds > 1


SHORT = Sizes()
# `--kernel full`.
FULL = Sizes(frames=20_000, repeats=100)
# Campaigns.
LONG = Sizes(frames=1_000_000, lines=10_000, rounds=20, repeats=500)

# Seconds after which a scenario of a campaign is given up, whatever its size. Each of its waits is
# bounded by itself: this is for a harness that stands still.
TIMEOUT = 6 * 3600
