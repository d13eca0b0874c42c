# SPDX-License-Identifier: GPL-2.0
"""A phone that is kept as it was when a test failed: --keep, and 'run.py attach'."""

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import paths
from harness.context import Context
from harness.errors import BrokenError, FailedError
from harness.lines import JsonLines

# Seconds that a command of the shell may take.
TIMEOUT = 600
PROMPT = "phone# "


def phone(config: pytest.Config, ctx: Context, why: str) -> None:
    """Give the user a shell in the phone, here or from another terminal, until he has enough."""
    capture = config.pluginmanager.getplugin("capturemanager")
    disabled = capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
    with disabled:
        directory = ctx.phone.directory
        print(f"\n# {ctx.log.stem} failed: {why}")
        print(f"# The phone is kept. Its files: {paths.shown(directory)}")
        print(f"#   modem's control: {paths.shown(directory / 'control.sock')}")
        if sys.stdin.isatty():
            print("#   commands of a shell in the phone; an empty line or Ctrl-D ends the phone")
            shell(lambda line: ctx.phone.sh(line, TIMEOUT)[1])
            return
        print(f"#   from another terminal: tests/env/enter tests/e2e/run.py attach {directory}")
        print("#   Ctrl-C here ends the phone", flush=True)
        ctx.phone.let_go()
        with contextlib.suppress(BrokenError, KeyboardInterrupt):
            while True:
                ctx.phone.alive()
                time.sleep(1)
        ctx.phone.reconnect()


def shell(run: Callable[[str], str]) -> None:
    """Lines of the user, and what the phone says to them."""
    while True:
        try:
            line = input(PROMPT)
        except (EOFError, KeyboardInterrupt):
            return
        if not line:
            return
        try:
            print(run(line), end="")
        except (BrokenError, FailedError) as error:
            print(error)


def attach(directory: Path) -> bool:
    """The same for a phone that another process keeps."""
    agent = JsonLines(directory / "agent.sock", "guest", lambda: None)

    def run(line: str) -> str:
        request = {"cmd": "sh", "script": line, "timeout": TIMEOUT}
        reply = agent.request(request, TIMEOUT + 20)
        return reply.get("error") or reply["out"]

    try:
        shell(run)
    finally:
        agent.close()
    return True
