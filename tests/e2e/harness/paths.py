# SPDX-License-Identifier: GPL-2.0
"""Where things are, and what to do about those that are missing.

Environment variables, all optional:
    BAM_DMUX_CACHE    what was built and fetched (default /cache)
    BAM_DMUX_OUTSIDE  the name of that directory outside of the namespace: only for messages
    CARGO_TARGET_DIR  where the simulated modem was built (default CACHE/target)
"""

import os
import shutil
import subprocess
from pathlib import Path

from harness.errors import MissingError

CHECKOUT = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("BAM_DMUX_CACHE", "/cache"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", CACHE / "target"))
# The guest's files, in archives: base.cpio, from which it boots, and what is brought on demand.
LAYERS = CACHE / "layers"
RESULTS = CACHE / "build" / "e2e"
KERNELS = ("base", "debug", "kcsan")
QEMU = "qemu-system-aarch64"

# Names of the module under test; both register a platform driver "bam-dmux".
DRIVERS = {"ours": "bam_dmux", "mainline": "qcom_bam_dmux"}
BOARD = "bam-dmux-board"


def shown(path: Path) -> str:
    """The path as the user knows it, outside of the namespace the harness runs in."""
    # The longer one first: these parts of the cache are kept apart per checkout.
    for part in ("build", "modules", "target", ""):
        variable = "BAM_DMUX_OUTSIDE_CHECKOUT" if part else "BAM_DMUX_OUTSIDE"
        outside = os.environ.get(variable)
        if outside and path.is_relative_to(CACHE / part):
            return str(outside / path.relative_to(CACHE))
    return str(path)


def image(kernel: str) -> Path:
    """The kernel image that QEMU boots."""
    return CACHE / "kernel" / kernel / "arch/arm64/boot/Image"


def modules(kernel: str) -> Path:
    """Directory with the modules staged for a kernel."""
    return CACHE / "modules" / kernel


def kunit_parser() -> Path:
    """The kernel's own reader of KTAP."""
    return CACHE / "kernel/src/tools/testing/kunit/kunit.py"


def modem() -> Path:
    """The simulated modem."""
    return TARGET / "release/bam-dmux-modem"


def need(path: Path, what: str, cure: str) -> None:
    """Raise MissingError unless a path is there."""
    if not path.exists():
        raise MissingError(f"{what} is not there ({shown(path)}): run '{cure}'")


def need_everything(kernel: str, driver: str, with_modem: bool = True) -> None:
    """Check all that a phone needs, before anything is started."""
    if os.geteuid() != 0:
        raise MissingError("the virtual phone needs root (namespaces, TUN): run it with sudo")
    if not Path("/dev/net/tun").exists():
        raise MissingError("there is no /dev/net/tun: run 'modprobe tun' on this machine")
    if not shutil.which(QEMU):
        raise MissingError(f"{QEMU} is not there: run 'make env', then 'make test' or 'make demo'")
    need(image(kernel), f"the {kernel} kernel", "make kernels")
    stage = f"tests/env/modules {kernel}"
    need(modules(kernel) / f"{DRIVERS[driver]}.ko", f"the driver {DRIVERS[driver]}.ko", stage)
    if with_modem:
        need(modules(kernel) / f"{BOARD}.ko", "the board's module", stage)
        need(modem(), "the simulated modem", "make modem")


def initramfs(kernel: str, output: Path) -> Path:
    """Pack what the guest boots from; tests/e2e/guest is a part of it."""
    packer = CHECKOUT / "tests/env/initramfs"
    need(packer, "the packer of the guest's files", "git checkout tests/env")
    need(LAYERS / "base.cpio", "the guest's files", "make env")
    done = subprocess.run(
        [packer, kernel, output], check=False, capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise MissingError(f"cannot pack the guest's files: {done.stderr.strip() or done.stdout}")
    return output
