# SPDX-License-Identifier: GPL-2.0
"""A shell in the phone: the serial console on this terminal, the modem's log in a file."""

import sys
import threading
from pathlib import Path

from harness import paths
from harness.context import ALL_CHANNELS, Context
from harness.errors import BrokenError, FailedError
from harness.phone import Phone

HINTS = """\
The phone boots; Ctrl-A X ends it, and so does 'poweroff -f' in its shell.
  in the phone:    {module}.ko is loaded, the modem opens its channels; wwan0 is 10.64.0.2,
                   its far end 10.64.0.1 (fd64:0::2, fd64:0::1); wwan1 has 10.64.1.2, ...
  modem's log:     tail -f {log}
  modem's control: {control} (a line of JSON per command: {{"id":1,"cmd":"status"}})
"""


def prepare(phone: Phone, driver: str, results: Path) -> None:
    """What a user would type first; tells on the terminal how it went."""
    try:
        phone.wait_ready()
        phone.load_board()
        ctx = Context(phone, driver, results / "shell.log")
        ctx.load()
        ctx.open_modem(ALL_CHANNELS)
        ctx.up(ALL_CHANNELS)
        print("\r\n# wwan0..wwan7 are up: try 'ping 10.64.0.1'\r", flush=True)
    except (BrokenError, FailedError) as error:
        print(f"\r\n# {error}\r", file=sys.stderr, flush=True)


def run(kernel: str, driver: str, results: Path, initrd: Path) -> bool:
    """Until the guest ends."""
    if not sys.stdin.isatty():
        raise FailedError("'shell' wants a terminal")
    phone = Phone(
        results / "phone", initrd, kernel, console="stdio", append="bam_dmux.shell loglevel=4"
    )
    try:
        print(
            HINTS.format(
                module=paths.DRIVERS[driver],
                log=paths.shown(phone.directory / "modem.log"),
                control=paths.shown(phone.directory / "control.sock"),
            ),
            flush=True,
        )
        threading.Thread(target=prepare, args=(phone, driver, results), daemon=True).start()
        phone.wait_off(7 * 24 * 3600)
    finally:
        phone.close()
    return True
