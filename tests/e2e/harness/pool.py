# SPDX-License-Identifier: GPL-2.0
"""The phone of one worker: booted when a test needs it, used by the next ones of its kind, thrown
away when one leaves it in a bad state.

What is asked of a phone and not of a test is a "look": does the kernel report anything between two
tests, and, when the phone has done its work, has anything leaked, has lockdep watched to the end.
"""

import fcntl
import itertools
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import defects, judge, paths, results, verdict
from harness.errors import BrokenError, FailedError
from harness.kind import Kind
from harness.phone import MODEM_ARGUMENTS, Phone
from harness.verdict import Expectation, Result

NO_LEAK = "nothing the driver allocated is left unreferenced (kmemleak, two scans)"
WATCHED = "lockdep has watched to the end"
# How often a phone that does not boot is tried, before all tests that need one like it fail.
BOOT_ATTEMPTS = 2
QUIET = "the kernel reports nothing between scenarios, nor after the last one"


@dataclass(frozen=True)
class Run:
    """What is the same for all phones of a run."""

    driver: str
    results: Path
    # Who boots them, "gw0" for example: phones of several workers have different names.
    worker: str = "main"


def initramfs(run: Run, kernel: str) -> Path:
    """What the guest boots from; the first one who needs it packs it."""
    packed = run.results / f"initramfs-{kernel}.cpio"
    with (run.results / f"initramfs-{kernel}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packed.exists():
            paths.initramfs(kernel, packed)
    return packed


def boot(run: Run, kind: Kind, name: str) -> Phone:
    """A phone that is ready for its first test."""
    paths.need_everything(kind.kernel, run.driver)
    began = time.monotonic()
    phone = Phone(
        run.results / name,
        initramfs(run, kind.kernel),
        kind.kernel,
        modem_arguments=(*MODEM_ARGUMENTS, *kind.modem),
        append=kind.append,
        stays=kind.stays,
    )
    try:
        phone.wait_ready()
        phone.load_board()
        judge.forget_leaks(phone)
        judge.new_log(phone)
    except BaseException:
        phone.close()
        raise
    results.tell(
        run.results,
        f"{name} ({kind}) ready after {time.monotonic() - began:.1f} s, "
        f"slowness {phone.slowness:.1f}",
    )
    return phone


class Pool:
    """The phone that there is now, if any."""

    def __init__(self, run: Run, boot: Callable[[Run, Kind, str], Phone]) -> None:
        self._run = run
        self._boot = boot
        self._numbers = itertools.count(1)
        self._phone: Phone | None = None
        self._kind: Kind | None = None
        self._name = ""
        self._used: list[str] = []
        self._good = True
        # Why phones of a kind did not boot.
        self._failed: dict[Kind, list[str]] = {}
        # What was seen since somebody took it.
        self._looks: list[Result] = []

    def take(self, kind: Kind, test: str) -> Phone:
        """A phone for a test: the one that there is, if it is of that kind and still good."""
        if self._phone and not (self._good and kind == self._kind and self._is_quiet()):
            self.close()
        if self._phone is None:
            self._name = f"phone-{self._run.worker}-{next(self._numbers)}"
            self._phone = self._try_boot(kind)
            self._kind, self._good, self._used = kind, True, []
        self._used.append(test)
        return self._phone

    def _try_boot(self, kind: Kind) -> Phone:
        """Boot a phone, unless phones of its kind do not boot at all."""
        failed = self._failed.setdefault(kind, [])
        if len(failed) >= BOOT_ATTEMPTS:
            raise BrokenError(f"phones like this do not boot ({failed[0].splitlines()[0]})")
        try:
            return self._boot(self._run, kind, self._name)
        except (BrokenError, FailedError) as error:
            failed.append(str(error))
            raise

    def spoil(self) -> None:
        """A test has left the phone in a bad state: nobody else is to use it."""
        self._good = False

    def settle(self, following: Kind | None) -> None:
        """A test has ended, one of this kind comes next: part with a phone that it cannot use."""
        if self._phone is None:
            return
        if not self._good:
            self.close()
        elif following != self._kind:
            self._last_look()
            self.close()

    def close(self) -> None:
        """End the phone, whatever state it is in."""
        phone, self._phone = self._phone, None
        if phone:
            phone.close()

    def take_looks(self) -> list[Result]:
        """What was seen since this was last asked."""
        looks, self._looks = self._looks, []
        return looks

    def _is_quiet(self) -> bool:
        """Whether the kernel reports nothing between tests: what is freed late does it there.

        Only if it does there is a result now.
        """
        return self._look(self._log_is_clean, "quiet", QUIET, quietly=True)

    def _last_look(self) -> None:
        """What is asked of a phone that has done its work."""
        if self._kind.kernel == "debug":
            leak = None
            if self._run.driver == "mainline":
                # Whatever binds and unbinds leaks.
                name = f"mainline's defect {defects.LEAK_ON_UNBIND[0]}"
                leak = Expectation(name, "alloc_netdev", defects.LEAK_ON_UNBIND)
            # A leak is also in the log: one result is enough.
            if not self._look(judge.kmemleak, "no_leak", NO_LEAK, expected=leak):
                return
            if not self._look(judge.lockdep, "lockdep", WATCHED):
                return
        self._look(self._log_is_clean, "quiet", QUIET)

    def _log_is_clean(self, phone: Phone) -> None:
        judge.new_log(phone, judge.known_splats(self._run.driver))

    def _look(
        self,
        look: Callable[[Phone], None],
        name: str,
        proves: str,
        quietly: bool = False,
        expected: Expectation | None = None,
    ) -> bool:
        """Judge the phone; whether it is good."""
        began = time.monotonic()
        failures = []
        try:
            look(self._phone)
        except (BrokenError, FailedError) as error:
            failures.append(f"after {', '.join(self._used)}:\n{error}")
        except Exception:
            failures.append(f"after {', '.join(self._used)}:\n{traceback.format_exc()}")
        if failures or not quietly:
            result = Result(f"{name}[{self._name}]", proves, time.monotonic() - began)
            result.kernel, result.driver = self._kind.kernel, self._run.driver
            # A leak of mainline's may also not be there, if nothing was bound.
            verdict.settle(result, failures, expected if failures else None)
            self._looks.append(result)
        return not failures
