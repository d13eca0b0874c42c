# SPDX-License-Identifier: GPL-2.0
"""What a run leaves behind: for whoever has to find out why it failed, or just wants to look."""

from dataclasses import dataclass
from pathlib import Path

from harness import sequence
from harness.context import Context
from harness.errors import BrokenError
from harness.modem import Modem


def keep(ctx: Context, start: int, failures: list[str]) -> None:
    """Complete a test's log: failures, the modem's counters and log, the kernel's from `start`."""
    with ctx.log.open("a", encoding="utf-8") as file:
        for failure in failures:
            file.write(f"\nFAILED: {failure}\n")
        try:
            file.write(f"\nmodem counters: {ctx.modem.counters()}\n")
            file.write(f"modem status: {ctx.modem.status()}\n")
        except Exception as error:  # the modem may be gone: the log says so
            file.write(f"\nmodem: {error}\n")
        file.write(f"modem log (end):\n{ctx.modem.tail(60)}\n")
        file.write(f"\nkernel log:\n{ctx.phone.log(start)}\n")
    if failures:
        collect(ctx)


def collect(ctx: Context) -> None:
    """The traces of a test that failed, beside its log. The phone is as the judges left it."""
    try:
        ctx.note(f"traces: {traces(ctx.modem, ctx.log).words()}")
    except Exception as error:  # whatever it is, the failure itself counts
        ctx.note(f"no traces: {error}")


@dataclass(frozen=True)
class Traces:
    """Files for people; the README of the simulated modem says how to open each."""

    events: Path
    packets: Path
    picture: Path

    def words(self) -> str:
        """Their names."""
        return ", ".join(path.name for path in (self.events, self.packets, self.picture))


def traces(modem: Modem, base: Path, whole: bool = False) -> Traces:
    """Write what the modem has traced since the last mark, beside the file `base`.

    The picture is of the end of the trace, where something went wrong; with `whole` of the first
    whole wake-up, if there is one. A modem that has ended with its phone has left its trace. Raises
    FailedError if the modem cannot write the files, and OSError if it has not left any.
    """
    base = base.resolve()
    files = Traces(*(base.with_suffix(end) for end in (".trace.json", ".pcapng", ".svg")))
    try:
        modem.trace(files.events, files.packets)
    except BrokenError:
        for left, kept in zip(modem.left_traces(), (files.events, files.packets), strict=True):
            kept.write_bytes(left.read_bytes())
    sequence.write(files.events, files.picture, base.stem, whole)
    return files


def note_modem(ctx: Context) -> None:
    """What the modem thinks of the link, and has counted."""
    try:
        ctx.note(f"modem: {ctx.modem.status()}")
        ctx.note(f"modem: {ctx.modem.counters()}")
    except Exception as error:  # whatever it is, the failure itself counts
        ctx.note(f"no state of the modem: {error}")


def note_state(ctx: Context) -> None:
    """What both ends think of the link when something failed, before it is taken down."""
    try:
        ctx.note(f"modem: {ctx.modem.status()}")
        ctx.note(ctx.phone.sh("cat /sys/kernel/debug/bam_dmux/*/state; ip -s link")[1])
        if ctx.userspace.started:
            ctx.note(ctx.userspace.state())
    except Exception as error:  # whatever it is, the failure itself counts
        ctx.note(f"no state: {error}")
