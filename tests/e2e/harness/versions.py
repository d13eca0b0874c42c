# SPDX-License-Identifier: GPL-2.0
"""Which tree and which kernel a result is of."""

import os
import time

from harness import paths


def about() -> dict[str, str]:
    """Commit of the tree (driver and scenarios), with "+" if it was changed since; the kernel's
    release; the day."""
    return {"commit": commit(), "linux": release(), "date": time.strftime("%Y-%m-%d")}


def commit() -> str:
    """The tree's commit as tests/env/enter found it, or "unknown" outside of git."""
    return os.environ.get("BAM_DMUX_COMMIT") or "unknown"


def release() -> str:
    """The release of the base kernel, which the others share."""
    for kernel in ("base", "debug"):
        staged = paths.modules(kernel) / "lib/modules"
        if staged.is_dir():
            return next(staged.iterdir()).name
    return "unknown"
