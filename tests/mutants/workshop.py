# SPDX-License-Identifier: GPL-2.0
"""A place in which a broken tree is built and tested: a copy of the checkout and a cache for it.

The scripts of tests/env and the harness know the tree as /src and what is built from it as
/cache/{build,modules,target}. In a mount namespace of its own a workshop puts its directories
there, so that all of them work as they are, side by side, and the checkout stays as it is.
"""

import fcntl
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("BAM_DMUX_CACHE", "/cache"))
CHECKOUT = Path("/src")
ALL = CACHE / "build/mutants"
MOUNT = """
set -e
busybox mount --bind "$1/src" /src
busybox mount --bind "$1/modules" /cache/modules
busybox mount --bind "$1/target" /cache/target
busybox mount --bind "$1/log" /cache/log
# Last: it hides the others.
busybox mount --bind "$1/build" /cache/build
cd "/src/$2"
shift 2
# Not exec: a first process gets no signal that it has no handler for.
"$@"
exit $?
"""
PARTS = ("src", "build", "modules", "target", "log")


class UnfitError(Exception):
    """A mutant could not be judged: it was not built, or what judges it did not run; in words."""


class Workshop:
    """One of several: the first that nobody works in, until it is closed or its owner has ended."""

    def __init__(self) -> None:
        for number in itertools.count():
            self.directory = ALL / f"workshop-{number}"
            for part in PARTS:
                (self.directory / part).mkdir(parents=True, exist_ok=True)
            self._lock = (self.directory / "lock").open("w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                self._lock.close()
        outside = os.environ.get("BAM_DMUX_OUTSIDE_CHECKOUT", str(CACHE))
        self.outside = f"{outside}/build/mutants/{self.directory.name}"

    def close(self) -> None:
        """Leave it to others."""
        self._lock.close()

    @property
    def tree(self) -> Path:
        """The copy of the checkout."""
        return self.directory / "src"

    def renew(self) -> None:
        """Make the copy what the checkout is. By content: what does not differ is not rebuilt."""
        copy_tree(self.tree)

    def lend(self, kernel: str) -> None:
        """Take what was built from the checkout to begin with, if there is nothing here yet."""
        built, mine = CACHE / "build" / kernel, self.directory / "build" / kernel
        if built.exists() and not mine.exists():
            # With its times, or make would build all of it.
            subprocess.run(["cp", "-a", str(built), str(mine)], check=True, timeout=300)
        modem = Path("release/bam-dmux-modem")
        (self.directory / "target/release").mkdir(exist_ok=True)
        shutil.copy2(CACHE / "target" / modem, self.directory / "target" / modem)

    def run(self, command: list[str], timeout: float, within: str = ".") -> tuple[int, str]:
        """Run a command in a directory of the tree: exit code and output. Bounded by UnfitError."""
        environment = {**os.environ, "BAM_DMUX_OUTSIDE_CHECKOUT": self.outside}
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private"]
            + ["--pid", "--fork", "--kill-child", "--mount-proc"]
            + ["sh", "-c", MOUNT, "sh", str(self.directory), within, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            # unshare takes all that it has started with it.
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            raise UnfitError(
                f"`{' '.join(command)}` was not done after {timeout:.0f} s:\n{tail(out)}"
            ) from None
        return process.returncode, out

    def build(self, kernel: str, with_kunit: bool) -> None:
        """Build the driver for a kernel, and stage it for the phone.

        Without its KUnit suites, which scenarios do not need, the compiler has less to do.
        """
        self.lend(kernel)
        without = [] if with_kunit else ["CONFIG_BAM_DMUX_KUNIT_TEST="]
        code, out = self.run(["env", *without, "tests/env/modules", kernel], 1200)
        if code != 0:
            raise UnfitError(f"the driver is not built for the {kernel} kernel:\n{tail(out, 30)}")


def tail(text: str, lines: int = 15) -> str:
    """The last lines of an output."""
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])


def copy_tree(target: Path) -> None:
    """Copy the checkout by content, without what is built in it."""
    subprocess.run(
        ["rsync", "-rlpc", "--delete", "--exclude=/.git", "--exclude=/target"]
        + ["--exclude=__pycache__", f"{CHECKOUT}/", f"{target}/"],
        check=True,
        timeout=120,
    )


def fingerprint() -> str:
    """A key for all of the checkout but the mutants: what passed on the same tree passes again."""
    digest = hashlib.sha256()
    for top, directories, files in os.walk(CHECKOUT):
        directories[:] = sorted(
            name
            for name in directories
            if name not in (".git", "target", "__pycache__")
            and Path(top, name) != CHECKOUT / "tests/mutants"
        )
        for name in sorted(files):
            path = Path(top, name)
            digest.update(f"{path} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def scratch_tree() -> tempfile.TemporaryDirectory:
    """A copy of the checkout for a moment, outside of any repository."""
    directory = tempfile.TemporaryDirectory(prefix="mutants-")
    copy_tree(Path(directory.name))
    return directory
