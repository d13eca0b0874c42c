# SPDX-License-Identifier: GPL-2.0
"""What a scenario is, and the list of all of them."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.context import Context


@dataclass(frozen=True)
class Scenario:
    """A function that raises FailedError if the driver does not do what its one line says."""

    name: str
    proves: str
    function: Callable[["Context"], None]
    cost: float
    timeout: float
    setup: str
    mainline: bool
    defects: tuple[int, ...]
    symptom: str
    mainline_kernel: str
    allowed: tuple[str, ...]
    complaints: tuple[tuple[str, str], ...]
    campaign: bool
    boot: str
    needs: str


SCENARIOS: list[Scenario] = []


def scenario(
    proves: str,
    cost: float = 5,
    timeout: float = 120,
    setup: str = "up",
    mainline: bool = True,
    defects: tuple[int, ...] = (),
    symptom: str = "",
    mainline_kernel: str = "base",
    allowed: tuple[str, ...] = (),
    complaints: tuple[tuple[str, str], ...] = (),
    campaign: bool = False,
    boot: str = "",
    needs: str = "",
) -> Callable[[Callable[["Context"], None]], Callable[["Context"], None]]:
    """Declare a scenario.

    proves: one line. cost: about how many seconds it takes on the debug kernel, so that
    long ones start first. timeout: seconds on the base kernel after which the phone is
    killed. setup: "bare" (no driver loaded, modem not booted), "loaded" (driver loaded,
    modem not booted), "up" (channel 0 carries traffic) or "userspace" (channels 0 and 1
    are open but need calls, ModemManager runs and has found the modem). mainline: whether
    it makes sense on the C driver, and defects: which of that driver's (harness/defects.py)
    it shows: the C driver is expected to fail, in words that match the regular expression
    symptom, and on the kernel mainline_kernel, whose checks it may take to see it. allowed:
    counters of the modem (harness/modem.py, FAULTS) that the scenario itself makes count.
    complaints: what ModemManager says about what the scenario does, each a pattern and a
    reason (as in harness/mmlog.py). campaign: that it does as much as ctx.sizes says. boot:
    what the guest's kernel has to be told on its command line. needs: a file that the
    guest's kernel must have, else the scenario is skipped.
    """

    if bool(defects) != bool(symptom):
        raise ValueError(f"'{proves}': defects and what they look like belong together")
    if defects and not mainline:
        raise ValueError(f"'{proves}': shows a defect of mainline's driver, and does not run on it")

    def declare(function: Callable[["Context"], None]) -> Callable[["Context"], None]:
        SCENARIOS.append(
            Scenario(
                name=function.__name__,
                proves=proves,
                function=function,
                cost=cost,
                timeout=timeout,
                setup=setup,
                mainline=mainline,
                defects=defects,
                symptom=symptom,
                mainline_kernel=mainline_kernel,
                allowed=allowed,
                complaints=complaints,
                campaign=campaign,
                boot=boot,
                needs=needs,
            )
        )
        return function

    return declare


def load_all() -> list[Scenario]:
    """Import every module of the package `scenarios`."""
    package = importlib.import_module("scenarios")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"scenarios.{module.name}")
    return SCENARIOS


def select(driver: str, pattern: str, campaign: bool = False) -> list[Scenario]:
    """The scenarios for a driver whose name contains one of the pattern's words."""
    words = pattern.replace(",", " ").split()
    return [
        item
        for item in load_all()
        if (driver == "ours" or item.mainline)
        and (item.campaign or not campaign)
        and (not words or any(word in item.name for word in words))
    ]
