# SPDX-License-Identifier: GPL-2.0
"""A phone that is none: what the plugin asks of one is answered as by one that is well.

Tests of the plugin load this as a plugin of the pytest that they start (-p fake_phone).
"""

import threading
from pathlib import Path
from typing import Any

import pytest

from harness import judge, pool
from harness.errors import BrokenError, FailedError
from harness.kind import Kind
from harness.modem import FAULTS, UNAWARE


class FakeModem:
    """Counters that a test can set."""

    def __init__(self) -> None:
        self.values = dict.fromkeys((*FAULTS, *UNAWARE.values(), "power_ups", "power_downs"), 0)
        self.woken: list[dict[str, int | None]] = []

    def __getattr__(self, command: str) -> Any:
        """All other commands are obeyed."""
        return lambda *_, **__: None

    def reset_counters(self) -> None:
        """All at 0."""
        self.values = dict.fromkeys(self.values, 0)

    def counters(self) -> dict[str, int]:
        """As they were set."""
        return dict(self.values)

    def wakes(self) -> list[dict[str, int | None]]:
        """As a test has set them."""
        return self.woken

    def status(self) -> dict[str, Any]:
        """Linux has let go."""
        return {"vote": False}

    def tail(self, count: int = 8) -> str:
        """Nothing."""
        return ""

    def faults(self, allowances: tuple[Any, ...] = ()) -> dict[str, str]:
        """The real judgement of these counters."""
        from harness.modem import Modem  # noqa: PLC0415 - of the class, not of this module

        return Modem.faults(self, allowances)


class FakePhone:
    """Has a log, in which a test can write, and a modem."""

    def __init__(self, run: pool.Run, kind: Kind, name: str) -> None:
        self.directory: Path = run.results / name
        self.directory.mkdir()
        self.kernel = kind.kernel
        self.slowness = 1.0
        self.modem = FakeModem()
        self.judged = 0
        self.said = ""
        self.leaks = ""
        self.driver = dict.fromkeys(judge.QUIET, 0)
        self.dead = False
        # Nobody orders it to go down.
        self.left = False
        with (run.results / "phones").open("a", encoding="utf-8") as file:
            file.write(f"{kind}\n")

    def alive(self) -> None:
        """Raise BrokenError if a test killed it."""
        if self.dead:
            raise BrokenError("the phone is dead")

    def log_position(self) -> int:
        """Where the log ends."""
        return len(self.said)

    mark_log = log_position

    def log(self, start: int = 0, end: int | None = None) -> str:
        """A part of it."""
        return self.said[start:end]

    def splats(self, start: int, known: tuple[str, ...] = (), end: int | None = None) -> str | None:
        """A line with BUG."""
        text = self.said[start:end]
        return text if "BUG" in text else None

    def deadline(self, seconds: float, what: str) -> threading.Timer:
        """One that never comes."""
        return threading.Timer(seconds, print)

    def sh(self, script: str, timeout: float = 30) -> tuple[int, str]:
        """There are all files but those called missing."""
        self.alive()
        return int("missing" in script), ""

    def run(self, script: str, timeout: float = 30) -> str:
        """Nothing."""
        return self.sh("")[1]

    def call(self, name: str, /, wait: float = 60, **_: Any) -> Any:
        """The driver is bound until the module is removed, which nobody asks for."""
        self.alive()
        return {
            "device": {"name": "d", "path": "/d", "driver": None, "runtime_usage": "0"},
            "driver_counters": self.driver,
            "interfaces": {},
            "module": None,
        }.get(name)

    def close(self) -> None:
        """Gone."""
        self.dead = True


def kmemleak(phone: FakePhone) -> None:
    """What a test has leaked."""
    if phone.leaks:
        raise FailedError(phone.leaks)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Phones are fakes, in every process of the run."""
    for module, name, value in (
        (pool, "boot", FakePhone),
        (judge, "kmemleak", kmemleak),
        (judge, "lockdep", lambda phone: None),
        (judge, "nothing_mapped", lambda phone: None),
    ):
        old = getattr(module, name)
        setattr(module, name, value)
        config.add_cleanup(lambda module=module, name=name, old=old: setattr(module, name, old))
