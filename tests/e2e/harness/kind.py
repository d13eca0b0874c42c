# SPDX-License-Identifier: GPL-2.0
"""What phones differ in. Tests of the same kind can share a phone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

# Module parameter of tests/board that takes another variant of the board.
BOARD = "bam_dmux_board.variant"


@dataclass(frozen=True)
class Kind:
    """One kind of phone."""

    kernel: str
    # What the guest's kernel is told on its command line.
    append: str = ""
    # Options of the simulated modem's process, beyond those that every phone has.
    modem: tuple[str, ...] = ()
    # Whether it stands still when the guest ends (harness/phone.py).
    stays: bool = False

    def __str__(self) -> str:
        """A name that can stand in the name of a test: no "-", which separates parameters there."""
        words = [self.kernel, *self.append.split(), " ".join(self.modem)]
        words += ["stays"] * self.stays
        return ",".join(re.sub(r"[^\w.=]+", "_", word).strip("_") for word in words if word)


def of_test(markers: Iterable[pytest.Mark], kernel: str) -> Kind:
    """The kind that a test with these markers needs on a kernel."""
    append: list[str] = []
    modem: list[str] = []
    stays = False
    for mark in markers:
        if mark.name == "boot":
            append += mark.args
        elif mark.name == "board":
            append += [f"{BOARD}={variant}" for variant in mark.args]
        elif mark.name == "modem":
            modem += mark.args
        elif mark.name == "stays":
            stays = True
    return Kind(kernel, " ".join(append), tuple(modem), stays)


def name_in(nodeid: str) -> str:
    """The name of the kind in a test's name, its first parameter; empty if it needs no phone."""
    found = re.search(r"\[([^\]-]*)", nodeid)
    return found[1] if found and found[1].split(",")[0] in KERNELS else ""


KERNELS = ("base", "debug", "kcsan")


def kernels(wish: str, driver: str, debug: bool, symptom_kernel: str | None) -> tuple[str, ...]:
    """The kernels that a test runs on.

    `wish` is what the user said. With "auto" our driver's tests run on the debug kernel if its
    checks add something (`debug`), else on the base kernel; "full" is that, and all on the debug
    kernel. Mainline's driver trips over the debug kernel's checks with its first packet: it runs on
    the base kernel, unless a defect shows only on another one.
    """
    if wish in KERNELS:
        return (wish,)
    if driver == "mainline":
        return (symptom_kernel or "base",)
    if debug:
        return ("debug",)
    return ("base", "debug") if wish == "full" else ("base",)
