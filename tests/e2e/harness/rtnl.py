# SPDX-License-Identifier: GPL-2.0
"""How long anybody holds RTNL, the lock of all network configuration.

A task in the guest takes it again and again, for an interface that has nothing to do with the
driver, and notes how long it had to wait at most. The clock is the guest's, so that the way there
and back does not count.
"""

import contextlib
from collections.abc import Iterator

from harness.context import Context
from harness.errors import check

# Longest time, in seconds: each wait for a modem that does not answer takes two.
BOUND = 1.5


@contextlib.contextmanager
def watched(ctx: Context, what: str) -> Iterator[None]:
    """Nobody holds RTNL for longer than the bound; not asked if something else fails before."""
    ctx.phone.call("rtnl_watch_start")
    try:
        yield
    finally:
        seen = ctx.phone.call("rtnl_watch_stop")
        ctx.note(f"RTNL {what}: {seen}")
    check(seen["times"] > 0, f"{what}: nobody looked how long RTNL is held")
    check(seen["longest"] < BOUND, f"{what}: RTNL: taking it took {seen['longest']:.1f} s")
