# SPDX-License-Identifier: GPL-2.0
"""The simulated modem: its process and its control socket."""

import contextlib
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from harness import allowance, paths
from harness.allowance import Allowance
from harness.errors import BrokenError, FailedError
from harness.lines import JsonLines
from harness.netns import NetNs

# Of these counters, those that count what Linux could not know.
UNAWARE = {"unpowered_access": "unpowered_unaware", "pipe_misuse": "pipe_misuse_unaware"}
# Counters that must be zero at the end of a scenario: what would hang a real phone or
# corrupt its memory, frames a real modem would choke on, and packets and messages that
# programs must not send. The counters' meanings are in tests/modem/README.md.
FAULTS = (
    "unpowered_access",
    "dma_outside_mapping",
    "bad_evnt",
    "pipe_misuse",
    "bad_access",
    "unmapped_access",
    "mutex_release_free",
    "short_transfer",
    "oversize_transfer",
    "bad_magic",
    "bad_command",
    "bad_channel",
    "nonzero_signal",
    "length_mismatch",
    "bad_pad",
    "nonzero_pad",
    "command_with_data",
    "empty_data",
    "data_not_opened",
    "data_modem_closed",
    "double_open",
    "double_close",
    "not_ip",
    "ap_ack_timeout",
    "acked_connected",
    "asserts_fall",
    "backend_errors",
    "uplink_no_call",
    "uplink_wrong_source",
    "downlink_no_call",
    "smd_bad",
    "qmi_malformed",
    "qmi_unknown_client",
    "qmi_queue_full",
    "qmi_events_lost",
)

# Commands that make a modem do what none does that is well; some of them with these arguments only.
HARM: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("crash", "restart", "edge", "force", "replay", "inject", "corrupt", "close"), {}
    ),
    **dict.fromkeys(("hostile", "hostile_lines", "play_lines"), {}),
    **dict.fromkeys(("hold_tx", "hold_rx", "qmap"), {"on": True}),
    "power": {"on": False},
    "acks": {"mode": ("withhold", "delay")},
}

# How long the modem waits for the driver to follow its power line. Firmware asserts after 15 s; the
# simulator's own second is less than a busy host can be late.
ACK_TIMEOUT_MS = 8000

# Where the process writes its trace when it ends with its phone.
TRACE = "modem.trace.json"
PACKETS = "modem.pcapng"


def does_harm(command: str, arguments: dict[str, Any]) -> bool:
    """Whether a command makes the modem do what none does that is well."""
    if command not in HARM:
        return False
    return all(
        arguments[name] in wrong if isinstance(wrong, tuple) else arguments[name] == wrong
        for name, wrong in HARM[command].items()
    )


def aware(counters: dict[str, int]) -> dict[str, str]:
    """What makes the BAM dark under Linux' hands is an excuse only until Linux has heard of it:
    what Linux did although it could know."""
    found = {}
    for name, what in (
        ("unpowered_access", "known to have no power"),
        ("pipe_misuse", "of a pipe known to be gone"),
    ):
        number = counters[name] - counters[UNAWARE[name]]
        if number:
            found[f"{name}, {what}"] = str(number)
    return found


class Modem:
    """One modem process in a network namespace."""

    def __init__(self, netns: NetNs, directory: Path, arguments: list[str]) -> None:
        self.socket = directory / "vfio.sock"
        self._control_path = directory / "control.sock"
        self.log = directory / "modem.log"
        self._directory = directory
        command = [
            str(paths.modem()),
            "--socket",
            str(self.socket),
            "--control",
            str(self._control_path),
            "--ack-timeout",
            str(ACK_TIMEOUT_MS),
            "--trace",
            str(directory / TRACE),
            "--pcap",
            str(directory / PACKETS),
            *arguments,
        ]
        with self.log.open("ab") as log:
            self._process = netns.popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory
            )
        self._control: JsonLines | None = None
        self.provoked: set[str] = set()
        self._stops = 0
        deadline = time.monotonic() + 20
        while not self.socket.exists():
            self.alive()
            if time.monotonic() > deadline:
                raise BrokenError("the modem did not open its socket within 20 s")
            time.sleep(0.01)

    def alive(self) -> None:
        """Raise BrokenError if the process ended: that is a failure of the test in any case."""
        if self._process.poll() is not None:
            raise BrokenError(
                f"the modem process ended (status {self._process.returncode}); its last lines:\n"
                + self.tail()
            )

    def tail(self, count: int = 8) -> str:
        """The last lines of the modem's log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-count:])

    def call(self, command: str, timeout: float = 20, **arguments: Any) -> Any:
        """A control command; raises FailedError with the modem's words if it refuses.

        For the methods below: scenarios use those.
        """
        if self._control is None:
            self._control = JsonLines(self._control_path, "modem", self.alive)
        if does_harm(command, arguments):
            self.provoked.add(command)
        reply = self._control.request({"cmd": command, **arguments}, timeout)
        if not reply.get("ok"):
            raise FailedError(f"the modem refuses {command} {arguments}: {reply.get('error')}")
        return reply.get("result")

    def begin(self) -> None:
        """From now on what is done to the link counts as provoked."""
        self.provoked = set()
        self._stops = self.events().get("mss-stop", 0)

    def harm(self) -> set[str]:
        """What a scenario has done to the link since begin(), so that frames may be lost."""
        stopped = self.events().get("mss-stop", 0) > self._stops
        return self.provoked | ({"stop"} if stopped else set())

    # --- Its commands, one method each; tests/modem/README.md says what they do. ---

    # What it knows.

    def status(self) -> dict[str, Any]:
        """What the modem knows of the link."""
        return self.call("status")

    def counters(self) -> dict[str, int]:
        """All counters by name."""
        return self.call("counters")

    def trace(self, json: Path, pcap: Path) -> dict[str, int]:
        """Write what has happened since the last mark, and the packets. Returns how much it is."""
        return self.call("trace", timeout=60, json=str(json), pcap=str(pcap))

    def trace_mark(self) -> None:
        """Forget what has been traced so far."""
        self.call("trace_mark")

    def left_traces(self) -> tuple[Path, Path]:
        """What the process has written when it ended with its phone: events, packets."""
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            raise FailedError("the modem does not end though its phone has") from None
        return self._directory / TRACE, self._directory / PACKETS

    def reset_counters(self) -> None:
        """All counters at 0."""
        self.call("reset_counters")

    def events(self) -> dict[str, int]:
        """How often each event has happened."""
        return self.call("events")

    def wait(self, event: str, timeout_ms: int, count: int | None = None) -> None:
        """Wait for an event: its next time, or until it has happened `count` times in all.

        Raises FailedError if that takes longer than `timeout_ms`.
        """
        about = {} if count is None else {"count": count}
        self.call(
            "wait", timeout=20 + timeout_ms / 1000, event=event, timeout_ms=timeout_ms, **about
        )

    # Firmware: its start, death and restart.

    def boot(
        self,
        delay_ms: int = 0,
        channels: Iterable[int] | None = None,
        on_subscribe_us: int | None = None,
    ) -> None:
        """Start: power up, then OPEN of the channels (all by default).

        After a delay, or so long after Linux has asked for the power line's interrupt.
        """
        about: dict[str, Any] = {} if channels is None else {"channels": sorted(channels)}
        if on_subscribe_us is not None:
            about["on_subscribe_us"] = on_subscribe_us
        self.call("boot", delay_ms=delay_ms, **about)

    def crash(self, bam_off: bool = False, irq: bool = False) -> None:
        """Stop where it is; `bam_off`: the BAM is dark, `irq`: remoteproc is told."""
        self.call("crash", bam_off=bam_off, irq=irq)

    def restart(self, delay_ms: int | None = None, smsm: Literal["keep", "zero"] = "keep") -> None:
        """New firmware; it starts after the delay, or by boot()."""
        self.call("restart", delay_ms=delay_ms, smsm=smsm)

    # The lines of the power handshake.

    def power(self, on: bool, force: bool = False) -> None:
        """Raise or lower the power line; with `force` the BAM goes dark without any handshake."""
        self.call("power", on=on, force=force)

    def acks(
        self, mode: Literal["normal", "withhold", "delay"], ms: int = 0, power: bool = False
    ) -> None:
        """How votes are answered: late by `ms`, or not at all, with power or without."""
        self.call("acks", mode=mode, ms=ms, power=power)

    def idle(self, ms: int | None) -> None:
        """Take the power away after so long without vote and traffic; None: never."""
        self.call("idle", ms=ms)

    def edge(
        self, line: Literal["pc", "ack"], action: Literal["toggle", "double", "silent"]
    ) -> None:
        """Change a line behind the handshake's back; "silent": Linux is not told."""
        self.call("edge", line=line, action=action)

    # How the firmware behaves in time.

    def profile(
        self,
        name: Literal["msm8916", "instant"] | None = None,
        seed: int | None = None,
        figures: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Another profile, or other figures of the one in force; returns seed and all figures."""
        about = {"name": name, "seed": seed, "set": figures or {}}
        return self.call("profile", **{k: v for k, v in about.items() if v is not None})

    def pace(self, name: Literal["msm8916", "instant"] | None = None, **figures: int) -> Any:
        """How long frames take: all figures of a name, then single ones; returns all of them."""
        return self.call("pace", **({} if name is None else {"base": name}), **figures)

    def force(
        self,
        what: Literal["coalesced_fall", "lost_pair", "fall_at_vote", "hang", "freeze", "self_wake"],
        count: int = 1,
    ) -> None:
        """Make something happen at its next opportunities that is else left to chance."""
        self.call("force", what=what, count=count)

    def replay(self, number: int) -> None:
        """Play a sequence that was measured on phones."""
        self.call("replay", number=number)

    def replay_report(self) -> dict[str, Any]:
        """The steps of that sequence, when they came, and all events meanwhile."""
        return self.call("replay_report")

    def replay_end(self) -> None:
        """Put the profile back that was there before."""
        self.call("replay_end")

    def hostile_lines(
        self, seed: int, first: int, count: int, plan: dict[str, Any] | None = None
    ) -> None:
        """Play sequences of a seed; `count` 0 ends that. `plan`: LinesPlan of the modem."""
        self.call("hostile_lines", seed=seed, **{"from": first}, count=count, plan=plan or {})

    def play_lines(
        self, sequence: dict[str, Any], repeat: int = 1, plan: dict[str, Any] | None = None
    ) -> None:
        """Play a sequence that is written down."""
        self.call("play_lines", sequence=sequence, repeat=repeat, plan=plan or {})

    def lines_report(self) -> dict[str, Any]:
        """What was played, and what came of it."""
        return self.call("lines_report")

    def lines_drawn(self, seed: int, number: int) -> dict[str, Any]:
        """The sequence that a seed makes."""
        return self.call("lines_drawn", seed=seed, number=number)

    # Channels and frames.

    def open(self, channels: Iterable[int]) -> None:
        """Send OPEN for each of the channels; powers up for it."""
        self.call("open", channels=list(channels))

    def close(self, channels: Iterable[int]) -> None:
        """Send CLOSE for each of the channels."""
        self.call("close", channels=list(channels))

    def data(self, channel: int, payload: bytes, repeat: int = 1) -> None:
        """Send well-formed frames."""
        self.call("data", channel=channel, hex=payload.hex(), repeat=repeat)

    def inject(self, frame: bytes, repeat: int = 1) -> None:
        """Send any bytes as one transfer."""
        self.call("inject", hex=frame.hex(), repeat=repeat)

    def corrupt(
        self,
        field: Literal["magic", "signal", "cmd", "pad", "channel", "len"],
        value: int,
        count: int = 1,
    ) -> None:
        """Overwrite a field of the header in the next frames."""
        self.call("corrupt", field=field, value=value, count=count)

    def hold_tx(self, on: bool) -> None:
        """Leave Linux' frames in the pipe."""
        self.call("hold_tx", on=on)

    def hold_rx(self, on: bool) -> None:
        """Keep the frames for Linux."""
        self.call("hold_rx", on=on)

    def echo(self, on: bool) -> None:
        """Send packets back on their channel."""
        self.call("echo", on=on)

    def record(self, on: bool) -> None:
        """Keep the transfers of Linux, starting afresh."""
        self.call("record", on=on)

    def recorded(self) -> list[bytes]:
        """The transfers that were kept; they are forgotten."""
        return [bytes.fromhex(text) for text in self.call("recorded")]

    def hostile(self, **order: Any) -> None:
        """Write hostile frames; `order`: struct Hostile of the modem."""
        self.call("hostile", **order)

    def hostile_status(self) -> dict[str, Any]:
        """How far that is."""
        return self.call("hostile_status")

    def hostile_stop(self) -> None:
        """End it."""
        self.call("hostile_stop")

    def hostile_table(self, seed: int) -> bytes:
        """What the payloads of a seed are made of."""
        return bytes.fromhex(self.call("hostile_table", seed=seed)["hex"])

    # Calls.

    def gate(self, on: bool) -> None:
        """Let packets pass only in calls."""
        self.call("gate", on=on)

    def qmi(self) -> dict[str, Any]:
        """What the QMI side knows."""
        return self.call("qmi")

    def refuse_calls(
        self, count: int = 1, reason: int = 1, verbose_type: int = 6, verbose_reason: int = 33
    ) -> None:
        """Refuse the next calls, for a reason in QMI's numbers."""
        self.call(
            "refuse_calls",
            count=count,
            reason=reason,
            verbose_type=verbose_type,
            verbose_reason=verbose_reason,
        )

    def drop_call(self, channel: int | None = None) -> int:
        """End the calls of a channel, or all, as a network does; how many there were."""
        about = {} if channel is None else {"channel": channel}
        return self.call("drop_call", **about)["dropped"]

    def registration(self, state: Literal["home", "searching", "denied"]) -> None:
        """Where the modem stands with the network."""
        self.call("registration", state=state)

    def signal(self, dbm: int) -> None:
        """The signal strength."""
        self.call("signal", dbm=dbm)

    def mtu(self, size: int) -> None:
        """The network's longest packet, in bytes, as later calls are told."""
        self.call("mtu", bytes=size)

    def qmap(self, on: bool) -> None:
        """Whether the firmware grants QMAP to a program that asks for it."""
        self.call("qmap", on=on)

    def offer_port(self) -> None:
        """Open the control port, before the firmware has started anything else."""
        self.call("offer_port")

    def mute(self, count: int = 1) -> None:
        """Swallow the next QMI requests."""
        self.call("mute", count=count)

    def wakes(self) -> list[dict[str, int | None]]:
        """The wake-ups that Linux asked for, the newest first, with the times Linux took."""
        return self.call("wakes")

    def faults(self, allowances: tuple[Allowance, ...] = ()) -> dict[str, str]:
        """The counters of FAULTS that are not zero, with what they count; of those that a scenario
        itself makes count, only what is beyond that."""
        counters = self.counters()
        missing = [name for name in FAULTS if name not in counters]
        if missing:
            raise FailedError(f"the modem does not count {missing}: is it of another version?")
        found = allowance.beyond(counters, FAULTS, allowances)
        found.update(aware(counters))
        return found

    def stop(self) -> None:
        """End the process. With its phone it ends by itself, once it has written its trace."""
        if self._control:
            self._control.close()
        for end in (None, self._process.terminate, self._process.kill):
            if end:
                end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
                return
