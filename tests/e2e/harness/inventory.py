# SPDX-License-Identifier: GPL-2.0
"""What scenarios there are, as far as the table of defects wants to know: nothing is run."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pytest

from harness import paths
from harness.errors import MissingError

DIRECTORY = paths.CHECKOUT / "tests/e2e"


@dataclass(frozen=True)
class Scenario:
    """One test, whatever number of kernels and parameters it has."""

    name: str
    proves: str
    # Whether it makes sense on mainline's driver.
    mainline: bool
    # The defects of mainline's driver that it shows, and the kernel on which.
    defects: tuple[int, ...]
    mainline_kernel: str
    # What our driver is known to fail for.
    finding: str


def of_items(items: Iterable[pytest.Item]) -> list[Scenario]:
    """The scenarios among collected tests."""
    found: dict[str, Scenario] = {}
    for item in items:
        if "phone_kind" not in getattr(item, "fixturenames", ()):
            continue
        name = item.originalname.removeprefix("test_")
        defect = item.get_closest_marker("defect")
        finding = item.get_closest_marker("finding")
        found[name] = Scenario(
            name=name,
            proves=proves(item),
            mainline=item.get_closest_marker("ours") is None,
            defects=defect.args if defect else (),
            mainline_kernel=defect.kwargs.get("kernel", "base") if defect else "base",
            finding=finding.args[0] if finding else "",
        )
    return list(found.values())


def proves(item: pytest.Item) -> str:
    """The first paragraph of a test's docstring, in one line and without its full stop."""
    doc = getattr(getattr(item, "function", None), "__doc__", None) or ""
    return " ".join(doc.strip().split("\n\n")[0].split()).rstrip(".")


class _Collected:
    """A plugin that takes what was collected."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All of it is there."""
        self.items = list(session.items)


def load() -> list[Scenario]:
    """Have pytest collect all scenarios. Raises MissingError with its words if it cannot."""
    collected, said = _Collected(), io.StringIO()
    arguments = ["--collect-only", "-q", "-n0", "--driver=ours", "--kernel=full"]
    arguments += ["--rootdir", str(DIRECTORY), "-c", str(DIRECTORY / "pytest.ini")]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = pytest.main([*arguments, str(DIRECTORY / "scenarios")], plugins=[collected])
    if status != pytest.ExitCode.OK:
        words = "\n".join(said.getvalue().strip().splitlines()[-20:])
        raise MissingError(f"the scenarios cannot be collected:\n{words}")
    return of_items(collected.items)


def load_elsewhere() -> list[Scenario]:
    """The same for who is a test already: pytest does not like to be run inside of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.inventory"],
        check=True,
        capture_output=True,
        text=True,
        cwd=DIRECTORY,
    )
    return [
        Scenario(**{**one, "defects": tuple(one["defects"])}) for one in json.loads(done.stdout)
    ]


if __name__ == "__main__":
    print(json.dumps([asdict(item) for item in load()]))
