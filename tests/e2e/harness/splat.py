# SPDX-License-Identifier: GPL-2.0
"""Finds in the kernel's log what must never stand there."""

import re

# Reports of the kernel's own checks. Each of them fails the scenario it appears in.
PATTERNS = [
    # "BUG: ...", "kernel BUG at ...", and SLUB's "BUG kmalloc-64 (...): ...".
    r"\bBUG\b",
    r"\bWARNING:",
    r"\bOops\b",
    r"Kernel panic",
    r"Call [Tt]race:",
    r"Unable to handle kernel",
    r"Internal error:",
    r"CFI failure",
    r"\bKASAN:",
    r"\bKCSAN:",
    r"\bUBSAN:",
    r"rust_kernel: panicked|panicked at",
    # Locks and contexts (lockdep's reports begin with "=====" and "WARNING:").
    r"possible (recursive|circular|irq lock inversion)",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"sleeping function called from invalid context",
    r"scheduling while atomic",
    r"INFO: (task|rcu|trying to register non-static key)",
    r"rcu: INFO:.*(stall|detected)",
    r"soft lockup|hard LOCKUP|workqueue lockup",
    r"turning off the locking correctness validator",
    # Objects, references, memory.
    r"ODEBUG:",
    r"refcount_t:",
    r"ref_tracker:|leaked reference|still has .* references",
    r"unregister_netdevice: waiting for",
    r"DMA-API:(?!.*(preallocated|debugging enabled))",
    r"slab.*(corruption|use-after-free)|Poison overwritten|list_(add|del) corruption",
    r"kmemleak: .*new suspected",
    r"Memory failure|bad page state|Bad page map",
    r"refused to die|hung_task: blocked",
    r"OF: ERROR:",
    # Runtime PM and interrupts.
    r"Runtime PM usage count underflow",
    r"Unbalanced (pm_runtime|enable|IRQ)",
    r"irq \d+: nobody cared",
    r"NETDEV WATCHDOG",
    r"Dead loop on",
    r"NOHZ tick-stop error",
    r"genirq: Flags mismatch",
    # Things that are there although whoever made them should have taken them away.
    r"Resources present before probing",
    r"debugfs: .*\balready\b",
    # What was in these lines nobody knows.
    r"printk messages dropped",
]
SPLAT = re.compile("|".join(f"(?:{pattern})" for pattern in PATTERNS))
# What looks like a report and is none. The amba device is a GPIO controller of QEMU's for
# which the guest has no driver; the kernel complains of it in some of its sleeps. The tracker of
# references counts those it has no memory for, so it still finds one that is not given back.
HARMLESS = re.compile(
    r"WARNING: .*unsupported device|RCU Tasks|debug_ref_tracker"
    r"|amba \S+: Unbalanced pm_runtime_enable"
    r"|ref_tracker: memory allocation failure, unreliable refcount tracker"
)
# A warning with all that belongs to it.
WARNING = re.compile(
    r"^[^\n]*-+\[ cut here \]-+$.*?^[^\n]*---\[ end trace [^\n]*\n?", re.MULTILINE | re.DOTALL
)
# A data race as KCSAN reports it, from one line of "=" to the next, and the line before the stack
# of each access.
RACE = re.compile(
    r"^[^\n]*={60,}\n[^\n]*BUG: KCSAN: .*?^[^\n]*={60,}$\n?", re.MULTILINE | re.DOTALL
)
# Softirqs of an interrupt that met a processor on its way out, whose thread for them is parked
# already: another one takes them over.
DYING = re.compile(
    r"^[^\n]*NOHZ tick-stop error: local softirq work is pending[^\n]*\n"
    r"(?=(?:[^\n]*\n)?[^\n]*psci: CPU\d+ killed)",
    re.MULTILINE,
)
ACCESS = re.compile(r"(?:read|write).* to 0x[0-9a-f]+ of \d+ bytes by ")
OURS = re.compile(r"\bbam_dmux|\[\w*bam_dmux\]")


def without_foreign_races(log: str) -> str:
    """The log without KCSAN's reports that are no fault of a driver under test.

    With KCSAN_STRICT there are some in the kernel itself that its developers know of and leave as
    they are. One that counts has an access that is not marked (READ_ONCE, atomic_t, set_bit), made
    by the driver or by what it called. An access that is marked has done its part: of a queue's
    state word the driver clears bits by test_and_clear_bit(), which the stack reads plainly.
    """
    return RACE.sub(lambda found: found[0] if _is_own_race(found[0]) else "", log)


def _is_own_race(report: str) -> bool:
    plain = False
    for line in report.splitlines():
        if ACCESS.search(line):
            plain = "(marked" not in line
        elif not re.sub(r"^\[[^]]*\]", "", line).strip():
            plain = False
        elif plain and OURS.search(line):
            return True
    return False


def without(log: str, known: tuple[str, ...]) -> str:
    """The log without the warnings in which one of the patterns is found."""
    if not known:
        return log
    pattern = re.compile("|".join(f"(?:{pattern})" for pattern in known))
    return WARNING.sub(lambda found: "" if pattern.search(found[0]) else found[0], log)


def find(log: str) -> list[str]:
    """The lines of a log that report a fault."""
    return [
        line.strip()
        for line in DYING.sub("", without_foreign_races(log)).splitlines()
        if SPLAT.search(line) and not HARMLESS.search(line)
    ]


def describe(log: str, lines: list[str]) -> str:
    """The first report with what follows it: enough to see where it comes from."""
    all_lines = log.splitlines()
    for index, line in enumerate(all_lines):
        if line.strip() == lines[0]:
            return "\n".join(f"    {text.strip()}" for text in all_lines[index : index + 60])
    return "\n".join(lines)
