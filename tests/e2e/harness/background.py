# SPDX-License-Identifier: GPL-2.0
"""What goes on in the guest while a scenario does something else."""

import contextlib
from collections.abc import Iterator

from harness.context import Context


@contextlib.contextmanager
def background(ctx: Context, *scripts: str) -> Iterator[None]:
    """Scripts of the guest's shell, each of which goes on until the end."""
    pids = [
        ctx.phone.run(f"setsid sh -c '{script}' >/tmp/background 2>&1 & echo $!").strip()
        for script in scripts
    ]
    try:
        yield
    finally:
        # Each leads a process group of its own.
        ctx.phone.sh("\n".join(f"kill -9 -{pid}" for pid in pids))
