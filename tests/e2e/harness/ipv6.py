# SPDX-License-Identifier: GPL-2.0
"""IPv6 as a distribution sets it up, which the guest's init does not, and its messages."""

from harness.context import Context
from harness.frames import Seen

# What the kernel has if nobody asks for anything else.
DEFAULTS = {"router_solicitations": -1, "accept_ra": 1, "autoconf": 1, "dad_transmits": 1}
# How addresses get their interface identifier: addr_gen_mode.
FROM_DEVICE, STABLE, RANDOM = 0, 2, 3
# The secret of mode 2: any will do. Writing it also chooses the mode.
SECRET = "fd00::5eed"
TENTATIVE, DAD_FAILED = 0x40, 0x08
GLOBAL, LINK = 0x00, 0x20
# ICMPv6 messages (RFC 4861, 3810).
ROUTER_SOLICITATION, MLD_REPORT = 133, 143
ICMPV6, HOP_BY_HOP = 58, 0
HEADER = 40


def set_up(ctx: Context, name: str, **changed: int) -> None:
    """The settings of an interface that is down: the kernel's defaults, but for what is changed."""
    settings = {**DEFAULTS, **changed}
    script = [f"cd /proc/sys/net/ipv6/conf/{name}"]
    if settings.get("addr_gen_mode") == STABLE:
        # It takes one once and for ever.
        script.append(f"cat stable_secret >/dev/null 2>&1 || echo {SECRET} >stable_secret")
    script += [f"echo {value} >{setting}" for setting, value in settings.items()]
    ctx.phone.run("set -e\n" + "\n".join(script))


def message(frame: Seen) -> int | None:
    """The type of an ICMPv6 message; None for other packets."""
    protocol, start = frame.payload[6], HEADER
    if protocol == HOP_BY_HOP:
        # In front of MLD's messages stands the router alert.
        protocol, start = frame.payload[start], start + 8 + 8 * frame.payload[start + 1]
    return frame.payload[start] if protocol == ICMPV6 else None


def address(ctx: Context, name: str, scope: int) -> str | None:
    """The one address of a scope, in 32 digits, once it may be used."""
    found = [
        text
        for text, its_scope, flags in ctx.phone.call("addresses", name=name)
        if its_scope == scope and not flags & (TENTATIVE | DAD_FAILED)
    ]
    return found[0] if len(found) == 1 else None
