# SPDX-License-Identifier: GPL-2.0
"""Faults of the kernel around the driver: memory that is not there when it is asked for.

The knobs are the kernel's own fault injection (guest/opt/e2e/faults.py), aimed at what is allocated
on behalf of the driver.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from harness.context import Context
from harness.errors import check, check_equal

# What the kernel needs for it: scenarios are skipped without.
NEEDS = "/sys/kernel/debug/failslab"
# Receive buffers of a driver that is well.
RX_BUFFERS = 32
# Deep enough for what the driver itself asks for, hardly for what the stack does with a frame.
OWN = 12
ALL = 32
# More than any operation allocates.
LIMIT = 2000
# How often an attempt may miss before it counts as having no more allocations. The kernel has new
# threads made for what it does later, for which nothing was meant: then more often.
MISSES, MISSES_OF_THREADS = 2, 6
# Kinds of memory: small, and pages. The kernel may make do without pages that it wants.
MEMORY = (SLAB, PAGES) = ("failslab", "fail_page_alloc")


@contextlib.contextmanager
def aimed(
    ctx: Context, depth: int = ALL, module: str | None = "", kinds: tuple[str, ...] = MEMORY
) -> Iterator[None]:
    """Faults are for the driver under test, or for all modules if that is None; none afterwards."""
    module = ctx.module if module == "" else module
    ctx.modem.provoked.add("faults of the kernel")
    ctx.phone.call("faults_aim", module=module, depth=depth, kinds=kinds)
    try:
        yield
    finally:
        ctx.note(f"faults: {ctx.phone.call('faults_injected')}")
        ctx.phone.call("faults_aim", module=None)


def chance(ctx: Context, percent: int, *kinds: str) -> None:
    """From now on allocations fail with a probability in percent."""
    for kind in kinds or MEMORY:
        ctx.phone.call("faults_chance", kind=kind, percent=percent)


def failing(ctx: Context, name: str, retval: int, percent: int) -> int:
    """From now on a function of the driver fails with a probability in percent.

    Returns how often it has failed so far.
    """
    ctx.modem.provoked.add("faults of the kernel")
    return ctx.phone.call("faults_function", name=name, retval=retval, percent=percent)


def injected(ctx: Context) -> int:
    """Faults so far."""
    return sum(ctx.phone.call("faults_injected").values())


def numbers(ctx: Context, dense: int) -> Iterator[int]:
    """Which allocation is to fail: in campaigns each, else the first ones, then ever fewer."""
    number = 1
    while number < LIMIT:
        yield number
        number += 1 if ctx.sizes.long or number < dense else 1 + (number - dense) // 2


def walk(
    ctx: Context,
    what: str,
    attempt: Callable[[int], dict[str, Any]],
    judge: Callable[[dict[str, Any]], None],
    dense: int = LIMIT,
    misses: int = MISSES,
    least: int = 1,
) -> int:
    """Let one allocation of an operation fail, then another, until it has no more.

    attempt(n) does it with the n-th failing and tells whether that was "hit"; judge() looks at what
    it told. Returns how many faults there were; fewer than `least` mean that they were not aimed
    well.
    """
    for faults, number in enumerate(numbers(ctx, dense)):
        outcome = attempt(number)
        for _ in range(1, misses):
            if outcome["hit"]:
                break
            outcome = attempt(number)
        if not outcome["hit"]:
            ctx.note(f"FAULTS {what}: {faults}, the last below {number}")
            check(faults >= least, f"{what}: only {faults} allocations could be made to fail")
            return faults
        ctx.progress(f"{what}: allocation {number} failed: {outcome}")
        judge(outcome)
    raise AssertionError(f"{what} allocates more than {LIMIT} times")


def whole(ctx: Context) -> None:
    """The link works at once, and no slot, buffer or reference got lost."""
    ctx.works()
    at_rest(ctx)


def at_rest(ctx: Context) -> None:
    """With the link up: all buffers posted and nothing waiting, once traffic has ended."""

    def rested() -> bool:
        state = ctx.state()
        full = f"posted={RX_BUFFERS} missing=0" in state or "rx: connected=false" in state
        return full and "data=0 waiting=0 in_flight=0" in state

    ctx.wait_until(rested, f"{RX_BUFFERS} buffers posted and no frame in the ring")


def nothing_left(ctx: Context, but: str = "nothing") -> None:
    """A driver that is not bound leaves nothing behind, or only what is said."""
    left = [what for what in ctx.phone.call("leftovers") if not what.startswith(but)]
    check_equal(left, [], "what is left of the driver")
