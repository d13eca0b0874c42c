# SPDX-License-Identifier: GPL-2.0
"""NetworkManager drives one connection, as on a distribution for phones."""

import time

import pytest

from harness import chain, dns
from harness.context import Context
from harness.errors import check, check_equal
from harness.mmlog import CRASHED
from harness.modemmanager import Bearer
from harness.networkmanager import CONNECTION, NetworkManager
from harness.restart import boot_port_first, crash

CHANNELS = (0, 1)
DOWNLOAD = 100_000
# Firmware's time from its start to its channels.
BOOT_S = 0.5
# Longest time from the modem's OPEN until NetworkManager has its connection again, in seconds: a
# modem of the field needs 14 to 20.
AGAIN_S = 20


def works(ctx: Context, known: tuple[str, ...] = ()) -> Bearer:
    """There is one bearer that is connected, and the phone has what it gives; data passes."""
    bearers = [bearer for bearer in ctx.mm.bearers() if bearer.connected]
    check_equal(len(bearers), 1, f"connected bearers: {bearers}; how many")
    bearer = bearers[0]
    check(bearer.path not in known, f"the old bearer again: {bearer}")
    chain.applied(ctx, bearer)
    chain.carries(ctx, bearer)
    host = dns.name(chain.channel_of(ctx, bearer.interface))
    chain.resolves(ctx, bearer, host)
    for family in "46":
        chain.download(ctx, family, host, DOWNLOAD)
    return bearer


# The test itself says when the firmware does what.
@pytest.mark.profile("instant")
@pytest.mark.ours
@pytest.mark.timeout(240)
@pytest.mark.complaints(*CRASHED)
def test_nm_connects(ctx: Context, loaded: Context) -> None:
    """NetworkManager connects by itself, again after a crash, and takes all back when it is told.

    Address, route, name server and MTU are its work here; nobody calls mmcli to change anything.
    """
    nm = NetworkManager(ctx.phone, ctx.userspace, ctx.wait_until)
    ctx.modem.gate(True)
    ctx.open_modem(CHANNELS)
    ctx.userspace.start()
    ctx.mm.wait_modem()
    before = left(ctx)
    began = time.monotonic()
    nm.start()
    try:
        nm.wait_state("activated")
        ctx.figure("s from the start of NetworkManager to its connection", time.monotonic() - began)
        first = works(ctx)
        crash(ctx)
        opened = boot_port_first(ctx, BOOT_S, CHANNELS)
        ctx.wait_until(
            lambda: nm.state() == "activated" and first.path not in paths(ctx),
            "NetworkManager connects anew",
            AGAIN_S,
            every=0.3,
        )
        ctx.figure("s from the OPEN to the connection after a crash", time.monotonic() - opened)
        works(ctx, known=(first.path,))
        nm.nmcli("connection", "down", CONNECTION)
        check_equal(nm.state(), "", "the connection's state")
        check(not any(it.connected for it in ctx.mm.bearers()), "a bearer is still connected")
        check_equal(left(ctx), before, "addresses, routes, DNS after the connection")
        chain.sleeps(ctx)
    finally:
        ctx.log.with_suffix(".networkmanager.log").write_text(nm.log(), encoding="utf-8")
        nm.forget()


def left(ctx: Context) -> list[str]:
    """All that a connection changes in the phone, but for whether there is a file without a name
    server in it, and what that says of its author."""
    return [it for it in chain.network(ctx).splitlines() if not it.startswith(("#", "cat:"))]


def paths(ctx: Context) -> list[str]:
    """The bearers' paths; none without a modem."""
    return [it.path for it in ctx.mm.bearers() if it.connected] if ctx.mm.path() else []
