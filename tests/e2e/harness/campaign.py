# SPDX-License-Identifier: GPL-2.0
"""How much a scenario does that can do any amount: short in tests, long in campaigns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What campaigns are asked for. The seed makes a run what it was, as far as its input goes."""

    seed: int = 1
    # Hostile frames.
    frames: int = 20_000
    # Hostile sequences of the power lines.
    lines: int = 200
    # Rounds of everything else: faults of the kernel, stress.
    rounds: int = 1


SHORT = Sizes()
LONG = Sizes(frames=1_000_000, lines=10_000, rounds=20)

# Seconds after which a scenario of a campaign is given up, whatever its size. Each of its waits is
# bounded by itself: this is for a harness that stands still.
TIMEOUT = 6 * 3600
