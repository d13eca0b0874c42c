# SPDX-License-Identifier: GPL-2.0
"""Newline-delimited JSON over a Unix socket: the modem's control and the guest's agent."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import BrokenError


class JsonLines:
    """Requests with an id, replies in any order. Safe to use from several threads."""

    def __init__(self, path: Path, peer: str, alive: Callable[[], None]) -> None:
        """Connect to `path`; `alive` raises BrokenError once waiting makes no sense any more."""
        self._peer = peer
        self._alive = alive
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._send_lock = threading.Lock()
        self._changed = threading.Condition()
        self._replies: dict[int, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._next = 0
        self._ended = False
        self._connect(path)
        threading.Thread(target=self._read, name=f"from {peer}", daemon=True).start()

    def _connect(self, path: Path) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self._socket.connect(str(path))
                return
            except OSError as error:
                self._alive()
                if time.monotonic() > deadline:
                    raise BrokenError(f"cannot connect to the {self._peer}: {error}") from error
                time.sleep(0.02)

    def _read(self) -> None:
        buffer = b""
        try:
            while data := self._socket.recv(1 << 16):
                buffer += data
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    self._received(line)
        except OSError:
            pass
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _received(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        with self._changed:
            if isinstance(message.get("id"), int):
                self._replies[message["id"]] = message
            else:
                self._events.append(message)
            self._changed.notify_all()

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send a request and return its reply. Raises BrokenError when none comes in time."""
        with self._send_lock:
            self._next += 1
            number = self._next
            try:
                self._socket.sendall(json.dumps({"id": number, **message}).encode() + b"\n")
            except OSError as error:
                self._alive()
                raise BrokenError(f"the {self._peer} takes no requests: {error}") from error
        return self._wait(
            lambda: self._replies.pop(number, None), timeout, f"reply to {message.get('cmd')}"
        )

    def event(self, name: str, timeout: float) -> dict[str, Any]:
        """Wait for a message that answers no request."""

        def find() -> dict[str, Any] | None:
            for index, message in enumerate(self._events):
                if message.get("event") == name:
                    return self._events.pop(index)
            return None

        return self._wait(find, timeout, f"event {name}")

    def _wait(self, find: Callable[[], Any], timeout: float, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        with self._changed:
            while (found := find()) is None:
                self._alive()
                left = deadline - time.monotonic()
                if self._ended:
                    raise BrokenError(
                        f"the {self._peer} closed its connection (waiting for: {what})"
                    )
                if left <= 0:
                    raise BrokenError(f"no {what} from the {self._peer} within {timeout:g} s")
                self._changed.wait(min(left, 0.5))
        return found

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
