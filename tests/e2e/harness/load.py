# SPDX-License-Identifier: GPL-2.0
"""Traffic that goes on in the guest while a scenario does something else."""

import itertools
from collections.abc import Sequence
from typing import Any, Self

from harness.context import Context, far_ip
from harness.errors import check, check_equal

_NUMBERS = itertools.count(1)


class Load:
    """Datagrams to the far ends of some channels and back, each byte compared.

    window: how many are under way at a time on each channel; patience: seconds after which one
    counts as lost and the next is sent; pause: seconds between two rounds, for one channel or each.
    A channel's stream number keeps its datagrams apart from those of others.
    """

    def __init__(
        self,
        ctx: Context,
        channels: Sequence[int] = (0,),
        *,
        size: int,
        window: int = 8,
        patience: float = 1,
        pauses: Sequence[float] = (),
        stream: int = 100,
        source: str | None = None,
    ) -> None:
        self._ctx = ctx
        self._names = {channel: f"load{next(_NUMBERS)}" for channel in channels}
        pauses = pauses or [0] * len(channels)
        for (channel, name), pause in zip(self._names.items(), pauses, strict=True):
            ctx.phone.call(
                "load_start",
                name=name,
                host=far_ip(channel),
                size=size,
                window=window,
                patience=patience,
                pause=pause,
                stream=stream,
                source=source,
            )

    def received(self) -> int:
        """How many datagrams have come back so far."""
        names = self._names.values()
        return sum(self._ctx.phone.call("load_status", name=name)["received"] for name in names)

    def wait_received(self) -> None:
        """Wait until one more has come back on any channel."""
        before = self.received()
        self._ctx.wait_until(lambda: self.received() > before, "the load gets replies")

    def stop(self, lossless: bool = False) -> dict[str, int]:
        """End it, and say what it has counted on all channels.

        What came back must be right. With `lossless` all of it must have come back, and once: what
        is under way is given its time.
        """
        total: dict[str, int] = {}
        drain: dict[str, Any] = {"drain": 5 * self._ctx.phone.slowness} if lossless else {}
        for channel, name in self._names.items():
            counted = self._ctx.phone.call("load_stop", name=name, **drain)
            self._ctx.note(f"load on channel {channel}: {counted}")
            for key, value in counted.items():
                total[key] = total.get(key, 0) + value
        self._names = {}
        check_equal(total["bad"], 0, "datagrams with wrong content")
        check(total["sent"] > 0, "nothing was sent")
        if lossless:
            check_equal(total["doubled"], 0, "datagrams that came twice")
            check_equal(total["received"], total["sent"], "datagrams that came back")
        return total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        """End it; what it has counted matters if nothing else has failed."""
        if self._names and kind is None:
            self.stop()
