# SPDX-License-Identifier: GPL-2.0
"""What a failing test leaves behind, whether its modem still runs or not."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import artifacts
from harness.errors import BrokenError, check, check_equal

EVENTS = json.dumps({"traceEvents": []})


class Modem:
    """One that writes its trace when asked, or has done so when it ended."""

    def __init__(self, directory: Path, ended: bool) -> None:
        self.left = (directory / "left.json", directory / "left.pcapng")
        self.ended = ended
        if ended:
            self._write(*self.left)

    @staticmethod
    def _write(events: Path, packets: Path) -> None:
        events.write_text(EVENTS, encoding="utf-8")
        packets.write_bytes(b"packets")

    def trace(self, events: Path, packets: Path) -> None:
        """To these files."""
        if self.ended:
            raise BrokenError("the modem process ended")
        self._write(events, packets)

    def left_traces(self) -> tuple[Path, Path]:
        """What it has written at its end."""
        return self.left


@pytest.mark.parametrize("ended", [False, True])
def test_three_files(tmp_path: Path, ended: bool) -> None:
    """Events, packets and picture lie beside the log, under its name, and the log names them."""
    notes: list[str] = []
    log = tmp_path / "calls[base-0.5].log"
    ctx = SimpleNamespace(modem=Modem(tmp_path, ended), log=log, note=notes.append)
    artifacts.collect(ctx)
    base = tmp_path / "calls[base-0.5]"
    check_equal(Path(f"{base}.trace.json").read_text(encoding="utf-8"), EVENTS, "events")
    check_equal(Path(f"{base}.pcapng").read_bytes(), b"packets", "packets")
    check("<svg" in Path(f"{base}.svg").read_text(encoding="utf-8"), "no picture")
    check_equal(len([note for note in notes if note.startswith("traces: ")]), 1, f"{notes}")


def test_no_files(tmp_path: Path) -> None:
    """A modem that was killed leaves nothing, which is said and is no failure of its own."""
    modem = Modem(tmp_path, ended=True)
    modem.left[0].unlink()
    notes: list[str] = []
    ctx = SimpleNamespace(modem=modem, log=tmp_path / "a.log", note=notes.append)
    artifacts.collect(ctx)
    check(notes[0].startswith("no traces: "), f"{notes}")
