# SPDX-License-Identifier: GPL-2.0
"""Runs scenarios on one or more phones side by side.

Each worker boots a phone and takes scenarios from a common queue. The driver is
removed after each, so that scenarios do not depend on each other; a phone that
a scenario left in a bad state is thrown away.
"""

import queue
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import campaign, defects, judge, paths
from harness.context import Context
from harness.errors import BrokenError, FailedError
from harness.ktap import Report, Result
from harness.phone import Phone
from harness.scenario import Scenario

NO_LEAK = "nothing the driver allocated is left unreferenced (kmemleak, two scans)"
WATCHED = "lockdep has watched to the end"
QUIET = "the kernel reports nothing between scenarios, nor after the last one"


class Runner:
    """One run: a kernel, a driver, a list of scenarios, some phones.

    With `sizes` other than the short ones it is a campaign, in which nothing is given up for its
    length.
    """

    def __init__(
        self,
        kernel: str,
        driver: str,
        results: Path,
        initrd: Path,
        sizes: campaign.Sizes = campaign.SHORT,
    ) -> None:
        self.kernel = kernel
        self.driver = driver
        self.results = results
        self.initrd = initrd
        self.sizes = sizes
        self.report = Report()
        # By what the phone's kernel is told: phones are not alike.
        self._queues: dict[str, queue.Queue[Scenario]] = {}
        self._boots = 0
        self._lock = threading.Lock()

    def run(self, scenarios: list[Scenario], jobs: int) -> bool:
        """Run them all; true if all went as it should."""
        self.report.start()
        self.report.comment(
            f"driver {paths.DRIVERS[self.driver]}, kernel {self.kernel}, "
            f"{len(scenarios)} scenarios, {jobs} phone(s); logs: {paths.shown(self.results)}"
        )
        for item in sorted(scenarios, key=lambda item: -item.cost):
            self._queues.setdefault(item.boot, queue.Queue()).put(item)
        workers = [
            threading.Thread(target=self._work, args=(index + 1,), daemon=True)
            for index in range(min(jobs, len(scenarios)))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for left in self._queues.values():
            while not left.empty():
                item = left.get()
                why = "there was no phone to run it on"
                self._add(Result(item.name, item.proves, 0, why))
        return self.report.finish()

    def _add(self, result: Result) -> None:
        """Print a result, and keep it: the run may end at any time."""
        self.report.add(result)
        self.report.save(self.results / "results.json", driver=self.driver, kernel=self.kernel)

    def _work(self, worker: int) -> None:
        for boot, waiting in self._queues.items():
            while not waiting.empty():
                try:
                    self._use_phone(worker, boot, waiting)
                except Exception as error:  # a phone that does not even boot: do not try again
                    failure = f"{error}\n{traceback.format_exc()}"
                    self._add(Result(f"phone-{worker}", "boots and stays usable", 0, failure))
                    return

    def _boot(self, worker: int, append: str) -> Phone:
        with self._lock:
            self._boots += 1
            number = self._boots
        directory = self.results / f"phone-{number}"
        phone = Phone(directory, self.initrd, self.kernel, append=append)
        try:
            began = time.monotonic()
            phone.wait_ready()
            phone.load_board()
            judge.forget_leaks(phone)
            judge.new_log(phone)
            self.report.comment(
                f"phone {number} (worker {worker}) ready after {time.monotonic() - began:.1f} s"
            )
        except BaseException:
            phone.close()
            raise
        return phone

    def _use_phone(self, worker: int, boot: str, waiting: queue.Queue[Scenario]) -> None:
        """Boot a phone and run scenarios on it until one leaves it in a bad state."""
        phone = self._boot(worker, boot)
        try:
            clean, used = True, []
            while clean and self._is_quiet(phone, used):
                try:
                    item = waiting.get_nowait()
                except queue.Empty:
                    self._last_look(phone, used)
                    break
                used.append(item.name)
                clean = self._run_one(phone, item)
        finally:
            phone.close()

    def _run_one(self, phone: Phone, item: Scenario) -> bool:
        """Run a scenario and judge it. Returns whether the phone is as good as new."""
        if item.needs and phone.sh(f"test -e {item.needs}")[0] != 0:
            why = f"the {self.kernel} kernel has no {item.needs}"
            # Where everything that can be needed should be, nothing is skipped without a word.
            word = "failure" if (self.driver, self.kernel) == ("ours", "debug") else "skipped"
            about = {word: why, **self._expected(item)}
            self._add(Result(item.name, item.proves, 0, **about))
            return True
        log = self.results / f"{item.name}.log"
        start = phone.log_position()
        began = time.monotonic()
        ctx = Context(phone, self.driver, log, item.allowed, self.sizes, self.report.comment)
        timeout = item.timeout * phone.slowness
        if item.campaign and self.sizes != campaign.SHORT:
            timeout = campaign.TIMEOUT
        timer = phone.deadline(timeout, item.name)
        failures = []
        clean = True
        steps = (
            self._scenario_step(item),
            lambda ctx: judge.userspace(ctx, item.complaints),
            judge.acks,
            judge.tidy,
            judge.modem_faults,
        )
        for step in steps:
            try:
                step(ctx)
            except FailedError as error:
                if str(error) not in failures:
                    failures.append(str(error))
                clean = clean and step is not judge.tidy
                self._note_state(ctx)
            except Exception as error:
                clean = False
                failures.append(
                    str(error) if isinstance(error, BrokenError) else traceback.format_exc()
                )
                break
        timer.cancel()
        try:
            judge.new_log(phone, self._known_splats(item.defects))
        except (BrokenError, FailedError) as error:
            clean = False
            if str(error) not in failures:
                failures.append(str(error))
        self._keep(ctx, log, start, failures)
        self._add(
            Result(
                item.name,
                item.proves,
                time.monotonic() - began,
                failure="\n".join(failures) or None,
                **self._expected(item),
                log=paths.shown(log),
            )
        )
        return clean and not failures

    def _expected(self, item: Scenario) -> dict[str, Any]:
        """What of a result only mainline's driver has."""
        if self.driver != "mainline":
            return {}
        return {"defects": item.defects, "symptom": item.symptom}

    def _known_splats(self, about: tuple[int, ...] = ()) -> tuple[str, ...]:
        """Fault reports that every scenario would cause, but for the defects it is about."""
        if self.driver != "mainline":
            return ()
        return tuple(pattern for number, pattern in defects.SPLATS.items() if number not in about)

    @staticmethod
    def _scenario_step(item: Scenario):
        def step(ctx: Context) -> None:
            ctx.fresh_modem()
            if item.setup != "bare":
                ctx.load()
            if item.setup == "up":
                ctx.open_modem()
                ctx.up()
            if item.setup == "userspace":
                ctx.modem.call("gate", on=True)
                ctx.open_modem((0, 1))
                ctx.userspace.start()
                ctx.mm.wait_modem()
            item.function(ctx)

        return step

    @staticmethod
    def _note_state(ctx: Context) -> None:
        """What both ends think of the link when something failed, before it is taken down."""
        try:
            ctx.note(f"modem: {ctx.modem.status()}")
            ctx.note(ctx.phone.sh("cat /sys/kernel/debug/bam_dmux/*/state; ip -s link")[1])
            if ctx.userspace.started:
                ctx.note(ctx.userspace.state())
        except Exception as error:  # whatever it is, the failure itself counts
            ctx.note(f"no state: {error}")

    @staticmethod
    def _keep(ctx: Context, log: Path, start: int, failures: list[str]) -> None:
        """All there is to know about a scenario, in its log."""
        with log.open("a", encoding="utf-8") as file:
            for failure in failures:
                file.write(f"\nFAILED: {failure}\n")
            try:
                file.write(f"\nmodem counters: {ctx.modem.counters()}\n")
                file.write(f"modem status: {ctx.modem.status()}\n")
            except Exception as error:  # the modem may be gone: the log says so
                file.write(f"\nmodem: {error}\n")
            file.write(f"modem log (end):\n{ctx.modem.tail(60)}\n")
            file.write(f"\nkernel log:\n{ctx.phone.log(start)}\n")

    def _is_quiet(self, phone: Phone, used: list[str]) -> bool:
        """Whether the kernel reports nothing between scenarios: what is freed late does it there.

        Only if it does there is a result now.
        """
        return self._look(phone, used, self._log_is_clean, "quiet", QUIET, quietly=True)

    def _last_look(self, phone: Phone, used: list[str]) -> None:
        """What is asked of a phone that has done its work."""
        if self.kernel == "debug":
            about = {}
            if self.driver == "mainline":
                # Whatever binds and unbinds leaks.
                about = {"defects": defects.LEAK_ON_UNBIND, "symptom": "alloc_netdev"}
            # A leak is also in the log: one result is enough.
            if not self._look(phone, used, judge.kmemleak, "no_leak", NO_LEAK, **about):
                return
            if not self._look(phone, used, judge.lockdep, "lockdep", WATCHED):
                return
        self._look(phone, used, self._log_is_clean, "quiet", QUIET)

    def _log_is_clean(self, phone: Phone) -> None:
        judge.new_log(phone, self._known_splats())

    def _look(
        self,
        phone: Phone,
        used: list[str],
        look: Callable[[Phone], None],
        name: str,
        proves: str,
        quietly: bool = False,
        **about: Any,
    ) -> bool:
        """Judge a phone and not a scenario; the result says so. Returns whether it is good."""
        began = time.monotonic()
        failure = None
        try:
            look(phone)
        except (BrokenError, FailedError) as error:
            failure = f"after {', '.join(used)}:\n{error}"
        if failure or not quietly:
            seconds = time.monotonic() - began
            name = f"{name}_{phone.directory.name}"
            self._add(Result(name, proves, seconds, failure, **about))
        return not failure
