# SPDX-License-Identifier: GPL-2.0
"""Memory that is short for a moment: what is not repeated then, and not given back."""

import time

import pytest

from harness.context import Context
from harness.errors import check
from harness.faults import NEEDS, RX_BUFFERS, SLAB, aimed, chance, injected
from harness.frames import send

# Which worker of the kernel sends the frame is chance, and so is whether its memory is short.
ATTEMPTS = 60
ENOUGH = 3
# More than there are receive buffers.
ARRIVING = 40
ROUNDS = 3
IGNORE_WAITING = "/sys/kernel/debug/failslab/ignore-gfp-wait"


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.full
@pytest.mark.debug
@pytest.mark.needs(NEEDS)
@pytest.mark.defect(2, symptom=r"not within [\d.]+ s: autosuspend", kernel="debug")
def test_wake_without_memory(ctx: Context, up: Context) -> None:
    """A frame that finds no memory after its wake-up is dropped, and the link can sleep again.

    What fails is the first allocation of a kernel worker that may not wait: the descriptor of
    the frame. Other allocations of the wake-up may wait, or are not a worker's. Ours also sends it
    from the thread of the power line's interrupt, after those of the receive buffers.
    """
    ctx.set_autosuspend(50)
    ctx.modem.idle(100)
    with aimed(ctx, kinds=(SLAB,)):
        ctx.phone.run(f"echo Y >{IGNORE_WAITING}")
        failed = 0
        for number in range(ATTEMPTS):
            if failed >= ENOUGH:
                break
            ctx.wait_suspended()
            before = injected(ctx)
            ctx.phone.call("nth_threads", number=1, prefix="kworker/")
            if ctx.ours:
                ctx.phone.call("nth_threads", number=RX_BUFFERS + 1, prefix="irq/")
            send(ctx, 0, [100])
            ctx.wait_until(lambda: ctx.phase() == "on", "the link wakes up")
            time.sleep(0.1 * ctx.phone.slowness)
            for prefix in ("kworker/", "irq/"):
                ctx.phone.call("nth_threads", number=0, prefix=prefix)
            # A worker that was started meanwhile is spared.
            failed += injected(ctx) - before
            ctx.progress(f"wake-up {number + 1}: {failed} without memory")
        check(failed >= ENOUGH, f"memory was short only {failed} times of {ATTEMPTS}")
    ctx.wait_suspended()
    ctx.works()


# It says itself how long the modem keeps its power.
@pytest.mark.profile("instant")
@pytest.mark.debug
@pytest.mark.needs(NEEDS)
@pytest.mark.defect(17, symptom="not within .* traffic on channel 0 works again", kernel="debug")
def test_refill_without_memory(ctx: Context, up: Context) -> None:
    """Receive buffers that could not be replaced for want of memory come back by themselves.

    More frames arrive than there are buffers, and there is no memory for any other; the power
    stays on, since a power cycle would give new buffers.
    """
    ctx.modem.idle(None)
    frame = b"\x45" + bytes(99)
    for number in range(ROUNDS):
        with aimed(ctx, kinds=(SLAB,)):
            before = injected(ctx)
            chance(ctx, 100, SLAB)
            ctx.modem.data(channel=0, payload=frame, repeat=ARRIVING)
            ctx.wait_until(lambda before=before: injected(ctx) - before >= 10, "allocations fail")
            chance(ctx, 0, SLAB)
        ctx.works()
        ctx.progress(f"round {number + 1}")
    check(ctx.modem.status()["pc"], "the power went away meanwhile")
