# SPDX-License-Identifier: GPL-2.0
"""U15: the phone goes down, and the modem does not know: power off, reset, another kernel.

The phone stands still at the end, so that the modem can be asked how Linux has left it.
"""

import time

import pytest

from harness.context import Context
from harness.errors import check, check_equal
from harness.recovery import bring_up, start_load, upload

# Longest time from the order to the end, in seconds.
DOWN_BOUND = 10.0
# How long the modem gets to write to memory that is Linux' no more, in seconds.
WRITE_S = 1.0
FRAME = b"\x45" + bytes(499)
# What a kernel says first.
FIRST_WORDS = "Booting Linux on physical CPU"
# Where the guest finds the kernel, and what that is told: to wait, for it has nothing to start.
BOOT, WAIT = "/mnt", "console=ttyAMA0 root=/dev/none rootwait"


def go_down(ctx: Context, command: str, reason: str) -> None:
    """Give the order; the machine ends in time, in the way that it should."""
    ordered = time.time()
    ctx.phone.leave(command)
    end = ctx.phone.wait_end(60 * ctx.phone.slowness)
    seconds = end.time - ordered
    ctx.note(f"DOWN `{command}`: {end.reason} after {seconds:.2f} s")
    check_equal(end.reason, reason, f"end of the machine after `{command}`")
    check(seconds < DOWN_BOUND * ctx.phone.slowness, f"`{command}` took {seconds:.1f} s")


def modem_let_go(ctx: Context) -> None:
    """Linux has told the modem that it goes, and left it nothing to write to."""
    status = ctx.modem.status()
    events = ctx.modem.events()
    ctx.note(f"as Linux left it: {status}\n{events}")
    found = {what: status[what] for what in ("vote", "rx_running", "tx_running")}
    check(not any(found.values()), f"how Linux left the modem: {found}")
    before = ctx.counter("downlink_bytes")
    ctx.modem.data(0, FRAME, repeat=8)
    time.sleep(WRITE_S)
    wrote = ctx.counter("downlink_bytes") - before
    check_equal(wrote, 0, "bytes that the modem wrote to memory after Linux was gone")
    check_equal(ctx.counter("unpowered_access"), 0, "accesses to a BAM without power")


LET_GO = pytest.mark.finding("U15", words=r"how Linux left the modem: .*True")
ENDS = pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param("poweroff -f", "guest-shutdown", id="poweroff"),
        pytest.param("reboot -f", "guest-reset", id="reboot"),
    ],
)


@ENDS
@pytest.mark.stays
def test_down_dead(ctx: Context, up: Context, command: str, reason: str) -> None:
    """A phone with a dead modem and a full ring goes down in time."""
    upload(ctx)
    ctx.modem.crash()
    go_down(ctx, command, reason)


@ENDS
@LET_GO
@pytest.mark.stays
def test_down_live(ctx: Context, up: Context, command: str, reason: str) -> None:
    """A phone that goes down under load lets go of the modem first."""
    bring_up(ctx)
    start_load(ctx)
    go_down(ctx, command, reason)
    modem_let_go(ctx)


@pytest.mark.full
@LET_GO
@pytest.mark.stays
def test_kexec(ctx: Context, up: Context) -> None:
    """A kernel that is started by another one finds that the modem was let go of.

    No reset comes in between, and what the modem writes hits the new kernel's memory.
    """
    ctx.phone.run(
        f"""set -e
        mount -t 9p -o trans=virtio,ro boot {BOOT}
        kexec --kexec-syscall --load {BOOT}/Image --append '{WAIT}'""",
        120,
    )
    bring_up(ctx)
    start_load(ctx)
    position = ctx.phone.log_position()
    ctx.phone.leave("kexec --exec")
    ctx.wait_until(
        lambda: FIRST_WORDS in ctx.phone.log(position), "the new kernel speaks", 60, 0.01
    )
    modem_let_go(ctx)
