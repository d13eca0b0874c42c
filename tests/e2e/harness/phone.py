# SPDX-License-Identifier: GPL-2.0
"""The virtual phone: QEMU, the modem behind it, and the guest's agent.

A phone that cannot go on raises BrokenError from whatever is asked of it; whoever made
it calls close(), which ends everything, whatever state it is in.
"""

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from harness import paths, splat
from harness.errors import BrokenError, FailedError
from harness.lines import JsonLines
from harness.machine import End, Machine
from harness.modem import Modem
from harness.netns import NetNs
from harness.services import Services

# Seconds that the guest's calibration (guest/opt/e2e/calibrate.py) takes on the base kernel, on a
# machine with two processors that has little else to do: 0.32 to 2.5 were seen on a busy one.
CALIBRATION = 0.3
# How much slower than that a phone is taken to be until it was measured.
UNMEASURED = 5.0
MEMORY = {"base": 512, "debug": 1024, "kcsan": 1024}
BOOT_TIMEOUT = {"base": 90, "debug": 300, "kcsan": 300}
# KCSAN watches one access in so many, and waits for so many microseconds for another to meet it.
# Its defaults (4000, 20 in interrupts) are for hardware: an emulated CPU gets nowhere in that time.
KCSAN = "cd /sys/module/kcsan/parameters && echo 500 >skip_watch && echo 400 >udelay_interrupt"
# What the guest is made to say, to know that all it said before is in its log, and the longest time
# that this takes, in seconds.
MARK = "bam-dmux tests: mark {number}."
MARK_TIMEOUT = 20
# The name by which the guest finds the host's archives: guest/opt/e2e/layer.
LAYERS_TAG = "layers"
# QEMU drops a device that takes longer than this to answer, for good (milliseconds).
MESSAGE_TIMEOUT = 120_000
# The socket by which QEMU tells how the guest ended.
MACHINE = "machine.sock"
MODEM_ARGUMENTS = ("--boot", "manual", "--tun", "far")


class Phone:
    """One phone. Its files are in a directory of its own."""

    def __init__(
        self,
        directory: Path,
        initrd: Path,
        kernel: str = "debug",
        modem_arguments: tuple[str, ...] | None = MODEM_ARGUMENTS,
        console: str = "file",
        append: str = "",
        stays: bool = False,
    ) -> None:
        """Start a phone; `console` "stdio" gives the terminal to the guest.

        Without `modem_arguments` it is a phone without a modem. One that `stays` stands still when
        the guest powers off or resets, so that its modem can be looked at as it is then; it also
        has the kernel's image in a file system that the guest can mount ("boot", 9p).
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.kernel = kernel
        # How many times the base kernel's time on a quiet machine things take: waits are that much
        # longer. What a scenario does to the phone is not.
        self.slowness = UNMEASURED
        self.serial = directory / "serial.log"
        # Position in the kernel's log up to which somebody has judged it.
        self.judged = 0
        self._marks = 0
        self._killed: str | None = None
        self._agent: JsonLines | None = None
        self._qemu: subprocess.Popen | None = None
        self.netns = NetNs()
        self.modem: Modem | None = None
        self.services: Services | None = None
        self.machine: Machine | None = None
        # Whether the guest was told to go, and cannot be asked any more.
        self.left = False
        try:
            if modem_arguments is not None:
                self.services = Services(self.netns, directory / "services.log")
                self.modem = Modem(self.netns, directory, list(modem_arguments))
            self._start_qemu(initrd, console, append, stays)
            if stays:
                self.machine = Machine(directory / MACHINE, self.alive)
            self._agent = JsonLines(directory / "agent.sock", "guest", self.alive)
        except BaseException:
            self.close()
            raise

    def _start_qemu(self, initrd: Path, console: str, append: str, stays: bool) -> None:
        memory = MEMORY[self.kernel]
        serial = "mon:stdio" if console == "stdio" else "file:serial.log"
        vfio = (
            '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"vfio.sock"},'
            f'"x-msg-timeout":{MESSAGE_TIMEOUT}}}'
        )
        layers = f"local,path={paths.LAYERS},mount_tag={LAYERS_TAG},security_model=none,readonly=on"
        arguments = "console=ttyAMA0 oops=panic panic=-1 loglevel=8 " + append
        # kexec wants a kernel that has used the seed of its own address, which ours has no use for.
        seed = ",dtb-randomness=off" if stays else ""
        command = [
            paths.QEMU,
            *("-M", f"virt,gic-version=2,memory-backend=mem{seed}", "-cpu", "cortex-a57"),
            *("-accel", "tcg,thread=multi", "-smp", "2", "-m", f"{memory}M"),
            *("-object", f"memory-backend-memfd,id=mem,size={memory}M,share=on"),
            *("-nodefaults", "-no-reboot", "-display", "none", "-serial", serial),
            *("-kernel", str(paths.image(self.kernel)), "-initrd", str(initrd)),
            *("-append", arguments),
            *("-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent"),
            *("-virtfs", layers),
            *(("-device", vfio) if self.modem else ()),
        ]
        if stays:
            image = f"local,path={paths.image(self.kernel).parent},mount_tag=boot"
            command += [
                *("-action", "shutdown=pause", "-qmp", f"unix:{MACHINE},server=on,wait=off"),
                *("-virtfs", f"{image},security_model=none,readonly=on"),
            ]
        stdio = None if console == "stdio" else subprocess.DEVNULL
        with (self.directory / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=stdio,
                stdout=None if console == "stdio" else log,
                stderr=log,
            )

    def wait_ready(self) -> float:
        """Wait until the agent answers. Returns the seconds the boot took in guest time."""
        uptime = self._link().event("ready", BOOT_TIMEOUT[self.kernel])["uptime"]
        if self.kernel == "kcsan":
            self.sh(KCSAN)
        self.slowness = max(1.0, self.call("calibrate") / CALIBRATION)
        return uptime

    def let_go(self) -> None:
        """Leave the agent to another process; reconnect() takes it back."""
        self._link().close()

    def reconnect(self) -> None:
        """Connect to the agent anew, after the guest has slept; no request may be under way.

        When it resumes, the guest's virtio console (Linux 7.3) asks whether somebody is
        connected before it can hear the answer, and from then on believes that nobody is.
        A new connection is news that it does hear.
        """
        self._link().close()
        self._agent = JsonLines(self.directory / "agent.sock", "guest", self.alive)

    def _link(self) -> JsonLines:
        if self.left:
            raise BrokenError("the guest was told to go: it is not to be asked any more")
        if self._agent is None:
            raise BrokenError("the phone is not running")
        return self._agent

    def alive(self) -> None:
        """Raise BrokenError, with the reason, unless both the modem and QEMU run."""
        if self._killed:
            raise BrokenError(self._killed)
        if self.modem:
            self.modem.alive()
        if self._qemu and self._qemu.poll() is not None:
            raise BrokenError(
                f"QEMU ended (status {self._qemu.returncode}): the guest's kernel panicked or "
                f"went down; its last lines:\n{self.tail()}"
            )

    def tail(self, count: int = 30) -> str:
        """The last lines of the guest's log, and of QEMU's own messages if there are any."""
        lines = self.log().splitlines()[-count:]
        log = self.directory / "qemu.log"
        if log.exists():
            lines += log.read_text(errors="replace").splitlines()[-5:]
        return "\n".join(f"    {line}" for line in lines)

    def log(self, start: int = 0, end: int | None = None) -> str:
        """The kernel's log from a position on, to its end or another position."""
        if not self.serial.exists():
            return ""
        return self.serial.read_bytes()[start:end].decode(errors="replace").replace("\r", "")

    def log_position(self) -> int:
        """Position in the kernel's log as of now."""
        return self.serial.stat().st_size if self.serial.exists() else 0

    def mark_log(self) -> int:
        """Wait until all that the kernel has said so far is in the log; returns where that ends.

        The guest goes on while its serial console is still printing.
        """
        if self.left:
            return self.log_position()
        self._marks += 1
        mark = MARK.format(number=self._marks)
        start = self.log_position()
        self.run(f"echo '{mark}' >/dev/kmsg")
        deadline = time.monotonic() + MARK_TIMEOUT * self.slowness
        while (found := self.serial.read_bytes().find(mark.encode(), start)) < 0:
            self.alive()
            if time.monotonic() > deadline:
                raise FailedError(f"the kernel's log does not get to its end: no '{mark}'")
            time.sleep(0.02)
        return found + len(mark)

    def splats(self, start: int, known: tuple[str, ...] = (), end: int | None = None) -> str | None:
        """The first fault report in a part of the kernel's log, but for known warnings."""
        log = splat.without(self.log(start, end), known)
        found = splat.find(log)
        return splat.describe(log, found) if found else None

    def sh(self, script: str, timeout: float = 30) -> tuple[int, str]:
        """Run a shell script in the guest: exit code and output."""
        timeout *= self.slowness
        request = {"cmd": "sh", "script": script, "timeout": timeout}
        reply = self._link().request(request, timeout + 20 * self.slowness)
        if reply.get("error"):
            raise FailedError(f"in the guest, `{script}`: {reply['error']}\n{reply.get('out', '')}")
        return reply["rc"], reply["out"]

    def run(self, script: str, timeout: float = 30) -> str:
        """Run a shell script in the guest that must succeed; returns its output."""
        code, out = self.sh(script, timeout)
        if code != 0:
            raise FailedError(f"in the guest, `{script}` ended with status {code}:\n{out.strip()}")
        return out

    def call(self, name: str, /, wait: float = 60, netns: str = "", **arguments: Any) -> Any:
        """Call a function of the guest's agent; `wait` bounds it, in seconds.

        With `netns` in that network namespace of the guest.
        """
        request = {"cmd": "call", "name": name, "args": arguments, "netns": netns}
        reply = self._link().request(request, wait * self.slowness)
        if "error" in reply:
            raise FailedError(f"in the guest, {name} {arguments}: {reply['error']}")
        return reply["result"]

    def load_board(self) -> None:
        """Insert the board's module, with those it needs; wait for the modem's remoteproc."""
        running = "grep -qx running /sys/class/remoteproc/remoteproc0/state"
        self.run(f"modprobe {paths.BOARD} && until {running}; do sleep 0.1; done", 30)

    def kill(self, why: str) -> None:
        """End QEMU at once; whoever waits for the guest gets BrokenError with the reason."""
        self._killed = self._killed or why
        if self._qemu and self._qemu.poll() is None:
            self._qemu.kill()

    def deadline(self, seconds: float, what: str) -> threading.Timer:
        """A started timer that kills the phone; cancel it when `what` is done."""
        timer = threading.Timer(
            seconds, self.kill, (f"{what} was not done after {seconds:.0f} s: phone killed",)
        )
        timer.daemon = True
        timer.start()
        return timer

    def wait_off(self, timeout: float) -> int:
        """Wait until QEMU has ended by itself."""
        if self._qemu is None:
            raise BrokenError("the phone is not running")
        try:
            return self._qemu.wait(timeout)
        except subprocess.TimeoutExpired:
            raise FailedError(f"the guest did not power off within {timeout:g} s") from None

    def leave(self, command: str) -> None:
        """Give the guest an order by which it ends: nothing is to be asked of it afterwards."""
        # A little later, so that the answer gets out.
        self.run(f"(sleep 0.2; {command}) >/dev/null 2>&1 &", 10)
        self.left = True

    def wait_end(self, timeout: float) -> End:
        """Wait until the guest of a phone that `stays` powers off or resets."""
        if self.machine is None:
            raise BrokenError("the phone does not stay when its guest ends")
        return self.machine.wait_end(timeout)

    def power_off(self) -> None:
        """Shut the guest down and see that it does."""
        self.sh("sync; (sleep 0.2; poweroff -f) >/dev/null 2>&1 &", 10)
        began = time.monotonic()
        self.wait_off(30 * self.slowness)
        if time.monotonic() - began > 20 * self.slowness:
            raise FailedError("the guest took too long to power off")

    def close(self) -> None:
        """End everything. Never raises for what is gone already."""
        if self._agent:
            self._agent.close()
        if self.machine:
            self.machine.close()
        if self._qemu:
            if self._qemu.poll() is None:
                self._qemu.kill()
            self._qemu.wait()
        if self.modem:
            self.modem.stop()
        if self.services:
            self.services.close()
        self.netns.close()
