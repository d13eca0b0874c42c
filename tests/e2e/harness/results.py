# SPDX-License-Identifier: GPL-2.0
"""Where the logs of a run are, and how long they are kept."""

import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

from harness import paths

KEEP_RUNS = 8
LOCK = "in-use"


def new(command: str, used: tuple[str, ...] = ()) -> tuple[Path, IO[str]]:
    """A directory for this run's logs, and what keeps it from being removed while it is open.

    Old ones go, but for those that are `used`, and those of runs that still go on.
    """
    paths.RESULTS.mkdir(parents=True, exist_ok=True)
    found = sorted(path for path in paths.RESULTS.iterdir() if path.is_dir())
    for path in [path for path in found if path.name not in used][:-KEEP_RUNS]:
        if not _in_use(path):
            shutil.rmtree(path, ignore_errors=True)
    prefix = f"{time.strftime('%Y%m%d-%H%M%S')}-{command}-"
    results = Path(tempfile.mkdtemp(prefix=prefix, dir=paths.RESULTS))
    results.chmod(0o755)
    lock = (results / LOCK).open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return results, lock


def _in_use(path: Path) -> bool:
    try:
        with (path / LOCK).open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def tell(results: Path, text: str) -> None:
    """Say something to whoever watches: from any process of a run, see harness/report.py."""
    with told(results).open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in text.splitlines()))


def told(results: Path) -> Path:
    """The file through which that goes."""
    return results / "progress.log"
