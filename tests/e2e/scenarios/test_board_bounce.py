# SPDX-License-Identifier: GPL-2.0
"""All DMA goes through bounce buffers, so what the driver forgets to sync is not there.

QEMU has no caches. Where the hardware would see old data, only this shows it.
"""

import pytest

from scenarios.test_defects_rx import test_merged_segments
from scenarios.test_traffic import test_lengths_down, test_lengths_up

__all__ = ["test_lengths_down", "test_lengths_up", "test_merged_segments"]

pytestmark = [pytest.mark.boot("swiotlb=force")]
