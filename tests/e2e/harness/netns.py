# SPDX-License-Identifier: GPL-2.0
"""A network namespace: the world behind one phone's modem.

Namespaces belong to threads, so that one process can have a part in many: a
short-lived thread enters the namespace and makes the socket or the process there,
and both stay in it.
"""

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any


class NetNs:
    """A new network namespace with its loopback up. Lives until closed and unused."""

    def __init__(self) -> None:
        self._fd = -1
        self._in_thread(self._create)
        self.check_output(["ip", "link", "set", "lo", "up"])

    def _create(self) -> None:
        os.unshare(os.CLONE_NEWNET)
        self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @staticmethod
    def _in_thread(function: Callable[[], Any]) -> Any:
        result: list[Any] = []
        failure: list[BaseException] = []

        def body() -> None:
            try:
                result.append(function())
            except BaseException as error:  # handed to the caller below
                failure.append(error)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return result[0]

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function inside the namespace and return what it returns."""

        def inside() -> Any:
            os.setns(self._fd, os.CLONE_NEWNET)
            return function()

        return self._in_thread(inside)

    def socket(self, family: int, kind: int) -> socket.socket:
        """A socket that belongs to the namespace."""
        return self.run(lambda: socket.socket(family, kind))

    def popen(self, command: list[str], **options: Any) -> subprocess.Popen:
        """A process in the namespace."""
        return self.run(lambda: subprocess.Popen(command, **options))

    def check_output(self, command: list[str], timeout: float = 30) -> str:
        """Run a command in the namespace; raises if it fails."""
        return self.run(
            lambda: subprocess.run(
                command,
                check=True,
                text=True,
                timeout=timeout,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        ).stdout

    def close(self) -> None:
        """Let go of the namespace."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
