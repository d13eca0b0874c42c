# SPDX-License-Identifier: GPL-2.0
"""What a scenario works with: a phone, the driver under test, and ways to handle both."""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness import allowance, paths
from harness.allowance import Allowance
from harness.campaign import SHORT, Sizes
from harness.errors import FailedError, check, check_equal
from harness.modem import Modem
from harness.modemmanager import ModemManager
from harness.phone import Phone
from harness.profile import DEFAULT, Profile
from harness.userspace import Userspace

# Mainline's probe may crash when the modem comes up while it runs: time for it to finish.
BASELINE_DELAY_MS = 100
# Where a driver is taken off its device and given back.
BUS = "/sys/bus/platform/drivers/bam-dmux"
# Time without vote and traffic after which the modem takes power away by itself.
IDLE_MS = 500
# What the network gives unless a scenario wants something else.
MTU = 1500
# Time within which traffic goes again once nothing is wrong any more, in seconds. The driver gives
# a modem that was lost 1 s to say which channels are open, and asks one that did not answer again
# 2 s after that.
WORKS_BOUND = 5.0
# How long a datagram that tries the link is waited for, in seconds.
TRY_S = 0.5
ALL_CHANNELS = tuple(range(8))
# How often a long scenario tells how far it is.
PROGRESS_S = 20


def guest_ip(channel: int) -> str:
    """IPv4 address of the guest on a channel."""
    return f"10.64.{channel}.2"


def far_ip(channel: int) -> str:
    """IPv4 address of the far end of a channel."""
    return f"10.64.{channel}.1"


def guest_ip6(channel: int) -> str:
    """IPv6 address of the guest on a channel."""
    return f"fd64:{channel}::2"


def far_ip6(channel: int) -> str:
    """IPv6 address of the far end of a channel."""
    return f"fd64:{channel}::1"


class Context:
    """One scenario's view of its phone."""

    def __init__(
        self,
        phone: Phone,
        driver: str,
        log: Path,
        allowances: tuple[Allowance, ...] = (),
        sizes: Sizes = SHORT,
        profile: Profile = DEFAULT,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if phone.modem is None:
            raise ValueError("scenarios need a phone with a modem")
        self.phone = phone
        self.modem: Modem = phone.modem
        self.driver = driver
        self.module = paths.DRIVERS[driver]
        self.ours = driver == "ours"
        self.allowances = allowances
        # What bindings of our driver that are over have counted.
        self._past: Counter[str] = Counter()
        # What the scenario measured, by name: for the results.
        self.figures: dict[str, float] = {}
        self.userspace = Userspace(phone)
        self.mm = ModemManager(self.userspace, self.wait_until)
        self.log = log
        self.sizes = sizes
        self.profile = profile
        self._say = say
        self._said = time.monotonic()

    def note(self, text: str) -> None:
        """A line for the scenario's log."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    def progress(self, text: str) -> None:
        """How far a long scenario is: for the log, and every now and then for whoever watches."""
        self.note(text)
        if self._say and time.monotonic() - self._said > PROGRESS_S:
            self._said = time.monotonic()
            self._say(f"{self.log.stem}: {text}")

    def figure(self, name: str, value: float) -> None:
        """A number for the results: how long something took, how often it had to be tried."""
        self.figures[name] = value
        self.note(f"FIGURE {name}: {value:g}")

    def add_figure(self, name: str, value: float) -> None:
        """A number for the results that adds up."""
        self.figures[name] = self.figures.get(name, 0) + value

    def faults(self) -> dict[str, str]:
        """What the modem saw that must not happen, but for what the scenario itself does."""
        known = allowance.KNOWN if self.ours else ()
        return self.modem.faults((*self.allowances, *known))

    def wait_until(
        self, condition: Callable[[], Any], what: str, timeout: float = 10, every: float = 0.05
    ) -> Any:
        """Poll until the condition is true and return it; fails after a bounded time."""
        limit = timeout * self.phone.slowness
        deadline = time.monotonic() + limit
        while True:
            if found := condition():
                return found
            if time.monotonic() > deadline:
                raise FailedError(f"not within {limit:g} s: {what}")
            time.sleep(every)

    def fresh_modem(self) -> None:
        """A modem as after power-on: nothing open, no power, no faults injected, counters zero."""
        modem = self.modem
        modem.crash()
        for switch in (modem.hold_tx, modem.echo, modem.record):
            switch(False)
        modem.acks("normal")
        modem.mtu(MTU)
        self.set_profile()
        modem.restart(smsm="zero")
        modem.reset_counters()
        modem.begin()
        modem.trace_mark()

    def set_profile(self) -> None:
        """Have the modem behave in time as the scenario wants it."""
        self.modem.profile(self.profile.name, self.sizes.seed, self.profile.figures)
        if self.profile.name == "instant":
            self.modem.idle(IDLE_MS)
        self.modem.pace(self.profile.name)

    # The driver.

    def load(self) -> None:
        """Insert the module; it must bind to the device."""
        self.phone.run(f"insmod /modules/{self.module}.ko", 30)
        self.wait_until(self.bound, f"{self.module} binds to qcom,bam-dmux")

    def unload(self, bound: float = 30) -> float:
        """Remove the module in bounded time. Returns the seconds it took.

        Our driver keeps its module while pipes are put aside, which it does when the power falls
        before it could acknowledge that (hardware-behaviour 7.1). Then unbinding wakes the modem,
        and the module must go. How often that was is in the results.
        """
        began = time.monotonic()
        self._remember_counters()
        if self.phone.call("module", name=self.module) is None:
            return 0.0
        remove = f"rmmod {self.module}"
        code, said = self.phone.sh(remove, bound)
        if code != 0 and self.ours and self.awaits_power():
            self.add_figure("unloads_with_pipes_aside", 1)
            self.unbind(bound)
            code, said = self.phone.sh(remove, bound)
        check(code == 0, f"`{remove}` ended with status {code}:\n{said.strip()}")
        return time.monotonic() - began

    def unbind(self, bound: float = 30) -> None:
        """Take the driver off its device by hand, in bounded time."""
        self._remember_counters()
        self.phone.run(f"echo {self.device()['name']} >{BUS}/unbind", bound)

    def bind(self, bound: float = 30) -> None:
        """Give the device back to the driver by hand; it must take it."""
        self.phone.run(f"echo {self.device()['name']} >{BUS}/bind", bound)
        self.wait_until(self.bound, "the driver binds")

    def state(self) -> str:
        """The state file of our driver, which must be bound."""
        return self.phone.run("cat /sys/kernel/debug/bam_dmux/*/state")

    def driver_counters(self) -> dict[str, int]:
        """The counters of our driver; those of bindings that unbind() and unload() ended count on.

        Empty for a driver that has none.
        """
        total = self._past.copy()
        total.update(self.phone.call("driver_counters"))
        return total

    def _remember_counters(self) -> None:
        """They go with the binding."""
        self._past.update(self.phone.call("driver_counters"))

    def awaits_power(self) -> bool:
        """Whether pipes are put aside for a modem that is well, and just asleep."""
        if not self.bound():
            return False
        state = self.state()
        asleep = "lost=false" in state and "pipes: Down, health: Well, power: false" in state
        return asleep and re.search(r"parked=[1-9]", state) is not None

    def bound(self) -> bool:
        """Whether a driver is bound to the device."""
        return bool((self.device() or {}).get("driver"))

    def device(self) -> dict[str, Any]:
        """The platform device as sysfs shows it."""
        return self.phone.call("device")

    def set_autosuspend(self, delay_ms: int) -> None:
        """Make the driver let go of the link earlier, so that many cycles take less time."""
        path = self.device()["path"]
        self.phone.run(f"echo {delay_ms} >{path}/power/autosuspend_delay_ms")

    def wait_suspended(self, timeout: float = 10) -> None:
        """Wait until the driver's runtime PM is suspended and the modem took the power away."""
        self.wait_until(
            lambda: self.device()["runtime_status"] == "suspended", "autosuspend", timeout
        )
        self.wait_until(lambda: self.phase() == "off", "the modem powers down", timeout)

    def wait_given_up(self) -> None:
        """Wait until the driver has no wake-up under way any more, successful or not."""
        self.wait_until(
            lambda: self.device()["runtime_status"] == "suspended", "the driver gives up", 15
        )

    def phase(self) -> str:
        """Where the modem's half of the handshake stands: off, rising, on, falling or dead."""
        return self.modem.status()["phase"]

    # Interfaces.

    def interfaces(self) -> dict[int, str]:
        """The driver's interfaces: channel to name."""
        return {int(port): name for port, name in self.phone.call("interfaces").items()}

    def name(self, channel: int) -> str:
        """The name of a channel's interface."""
        return self.interfaces()[channel]

    def open_modem(self, channels: Iterable[int] = (0,), delay_ms: int | None = None) -> None:
        """Boot the modem: power up, then OPEN; wait for the interfaces."""
        wanted = set(channels)
        if delay_ms is None:
            delay_ms = 0 if self.ours else BASELINE_DELAY_MS
        self.modem.boot(delay_ms=delay_ms, channels=sorted(wanted))
        self.wait_interfaces(wanted)

    def reopen(self) -> None:
        """The modem opens channel 0 to a driver that was bound again."""
        self.modem.open([0])
        self.wait_interfaces({0})
        self.up()

    def wait_interfaces(self, wanted: set[int], timeout: float = 15) -> None:
        """Wait until exactly these channels have interfaces."""
        self.wait_until(
            lambda: set(self.interfaces()) == wanted,
            f"the interfaces of the channels {sorted(wanted)}",
            timeout,
        )

    def up(self, channels: Iterable[int] = (0,), mtu: int = 1500) -> None:
        """Bring interfaces up and give them their addresses."""
        names = self.interfaces()
        script = []
        for channel in channels:
            dev = names[channel]
            script += [
                f"ip link set dev {dev} mtu {mtu} up",
                f"ip addr replace {guest_ip(channel)}/24 dev {dev}",
                f"ip addr replace {guest_ip6(channel)}/64 dev {dev} nodad",
            ]
        self.phone.run("set -e\n" + "\n".join(script), 60)

    def down(self) -> None:
        """Take the only interface that is up down, channel 0's, and wait until the modem knows.

        If it is asleep it is woken for the CLOSE.
        """
        self.phone.run(f"ip link set dev {self.name(0)} down")
        self.wait_until(lambda: not self.modem.status()["host_open"], "CLOSE")

    def bring_up(self, channels: Iterable[int] = (0,)) -> None:
        """Driver, modem and interfaces: everything until traffic can flow."""
        channels = tuple(channels)
        self.load()
        self.open_modem(channels)
        self.up(channels)

    def statistics(self, channel: int = 0) -> dict[str, int]:
        """The kernel's counters of a channel's interface."""
        return self.phone.call("statistics", name=self.name(channel))

    # Traffic.

    def echo(self, channel: int = 0, count: int = 5, size: int = 500, v6: bool = False) -> None:
        """Prove that the link works: each datagram must come back, each byte right."""
        host = far_ip6(channel) if v6 else far_ip(channel)
        patience = 5 * self.phone.slowness
        result = self.phone.call(
            "udp_echo", 60, host=host, count=count, size=size, patience=patience, timeout=50
        )
        self.check_echo(result, count, f"echo on channel {channel} ({host})")

    def check_echo(self, result: dict[str, Any], count: int, what: str) -> None:
        """Judge the counters of an exchange without loss."""
        self.note(f"{what}: {result}")
        check_equal(result["bad"], 0, f"{what}: datagrams with wrong content")
        check_equal(result["doubled"], 0, f"{what}: datagrams that came twice")
        check_equal(result["received"], count, f"{what}: datagrams that came back")

    def works(self, channel: int = 0, within: float = WORKS_BOUND) -> None:
        """The link works again after a fault: within bounded time, then without any loss.

        What has to be tried again meanwhile is a number in the results. A link that must work at
        once is asked with echo().
        """
        began = time.monotonic()
        tries = 0

        def once() -> bool:
            nonlocal tries
            tries += 1
            result = self.phone.call(
                "udp_echo",
                30,
                host=far_ip(channel),
                count=1,
                size=64,
                patience=TRY_S * self.phone.slowness,
                timeout=5 * TRY_S * self.phone.slowness,
                stream=9,
            )
            check_equal(result["bad"], 0, "datagrams with wrong content")
            return result["received"] == 1

        self.wait_until(once, f"traffic on channel {channel} works again", within)
        seconds = (time.monotonic() - began) / self.phone.slowness
        self.add_figure("retries", tries - 1)
        self.figure("slowest_return_s", max(seconds, self.figures.get("slowest_return_s", 0)))
        self.echo(channel, count=10)

    def far_ping(self, host: str, timeout: float = 10) -> None:
        """One ping from the far end into the guest."""
        seconds = max(1, int(timeout * self.phone.slowness))
        command = ["ping", "-n", "-c", "1", "-W", str(seconds), "-s", "56", host]
        try:
            self.phone.netns.check_output(command, seconds + 10)
        except (OSError, subprocess.SubprocessError) as error:
            raise FailedError(f"ping from the far end to {host}: {error}") from error

    def counter(self, name: str) -> int:
        """One counter of the modem."""
        counters = self.modem.counters()
        check(name in counters, f"the modem has no counter {name}: {sorted(counters)}")
        return counters[name]
