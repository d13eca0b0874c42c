# SPDX-License-Identifier: GPL-2.0
"""The documents of the project, as far as a test does what they say."""

from harness import paths
from harness.errors import FailedError


class Manual:
    """One document in reStructuredText."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines = (paths.CHECKOUT / "Documentation" / name).read_text("utf-8").splitlines()

    def commands(self, after: str) -> str:
        """What a reader types: the lines after a prompt of the first block behind some words."""
        for number, line in enumerate(self._lines):
            if after in line and line.endswith("::"):
                return self._block(number + 1)
        raise FailedError(f"{self._name} has no block of commands after '{after}'")

    def _block(self, start: int) -> str:
        block = []
        for line in self._lines[start:]:
            if line and not line.startswith(" "):
                break
            block.append(line.strip())
        return "\n".join(line[2:] for line in block if line.startswith("# ")) + "\n"
