# SPDX-License-Identifier: GPL-2.0
"""A board as phones are: what devices read and write does not pass the caches.

A core of the scenarios runs here once more; `make test-full` has it on the kernel, too, that
checks how the DMA API is used.
"""

import pytest

from harness.context import Context
from harness.errors import check_equal
from scenarios.test_defects_rx import test_merged_segments
from scenarios.test_fuzz_frames import test_hostile_corpus
from scenarios.test_lifecycle import test_unbind_bind
from scenarios.test_power import test_cycles_under_load
from scenarios.test_recovery import test_crash_mid_rx, test_crash_mid_tx
from scenarios.test_traffic import test_lengths_down, test_lengths_up

__all__ = [
    "test_crash_mid_rx",
    "test_crash_mid_tx",
    "test_cycles_under_load",
    "test_hostile_corpus",
    "test_lengths_down",
    "test_lengths_up",
    "test_merged_segments",
    "test_unbind_bind",
]

VARIANT = "noncoherent"
pytestmark = pytest.mark.board(VARIANT)


def remapped(ctx: Context) -> int:
    """How many areas of memory the kernel has mapped without caching, for devices."""
    return ctx.phone.run("cat /proc/vmallocinfo").count(" dma-coherent")


def test_noncoherent(ctx: Context, loaded: Context) -> None:
    """The BAM's two rings are mapped without caching, as only noncoherent DMA has it."""
    parameter = "/sys/module/bam_dmux_board/parameters/variant"
    check_equal(ctx.phone.run(f"cat {parameter}").strip(), VARIANT, "the board")
    before = remapped(ctx)
    ctx.open_modem()
    ctx.up()
    check_equal(remapped(ctx) - before, 2, "rings that are mapped without caching, for two pipes")
