# SPDX-License-Identifier: GPL-2.0
"""What may go wrong, told apart by who has to act on it."""


class MissingError(Exception):
    """Something the harness needs is not there: names the thing and the command that makes it."""


class FailedError(AssertionError):
    """The driver under test did not do what a scenario asks of it."""


class BrokenError(Exception):
    """The phone can no longer be used: QEMU or the modem ended, or the guest is silent."""


class JudgedError(FailedError):
    """What the judges said after a scenario, each in words of its own."""

    def __init__(self, said: list[str]) -> None:
        super().__init__("\n".join(said))
        self.said = said


def check(condition: object, message: str) -> None:
    """Fail the scenario with a sentence unless the condition holds."""
    if not condition:
        raise FailedError(message)


def check_equal(found: object, expected: object, what: str) -> None:
    """Fail the scenario unless the two are equal; both are shown."""
    if found != expected:
        raise FailedError(f"{what}: expected {expected!r}, found {found!r}")
