# SPDX-License-Identifier: GPL-2.0
"""Tests of what judges the others: a check that finds nothing proves nothing."""

from pathlib import Path

import pytest

from harness import (
    defect_run,
    defect_table,
    defects,
    demo,
    inventory,
    kunit,
    mmlog,
    paths,
    splat,
)
from harness.errors import check, check_equal
from harness.inventory import Scenario
from harness.verdict import Result

FAULTS = """\
[   12.345678] WARNING: drivers/net/wwan/qcom_bam_dmux.c:511 at bam_dmux_rx_callback+0x1a0/0x2b8
[   12.345678] WARNING: possible circular locking dependency detected
[   12.345678] ============================= WARNING: suspicious RCU usage
[   12.345678] BUG: KASAN: slab-use-after-free in bam_dmux_tx+0x10/0x20
[   12.345678] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:1
[   12.345678] UBSAN: array-index-out-of-bounds in net/core/dev.c:1:2
[   12.345678] refcount_t: underflow; use-after-free.
[   12.345678] ODEBUG: free active (active state 0) object: 00000000 object type: work_struct
[   12.345678] INFO: task kworker/0:1:10 blocked for more than 120 seconds.
[   12.345678] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[   12.345678] unregister_netdevice: waiting for wwan0 to become free. Usage count = 2
[   12.345678] ref_tracker: netdev@00000000 has 1/1 users at
[   12.345678] DMA-API: bam-dmux 1: device driver frees DMA memory with wrong function
[   12.345678] DMA-API: dma-controller: cacheline tracking EEXIST, overlapping mappings aren't ok
[   12.345678] Unable to handle kernel NULL pointer dereference at virtual address 0
[   12.345678] Internal error: Oops: 0000000096000004 [#1]  SMP
[   12.345678] CFI failure at bam_dmux_xmit+0x1/0x2 (target: foo; expected type: 0x1)
[   12.345678] rust_kernel: panicked at src/tx.rs:1:2:
[   12.345678] bam-dmux 1: Runtime PM usage count underflow!
[   12.345678] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:0]
[   12.345678] OF: ERROR: memory leak, expected refcount 1 instead of 2
[   12.345678] NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 10001 ms
[   12.345678] kernel BUG at mm/slub.c:1234!
[   12.345678] BUG kmalloc-64 (Tainted: G           O       ): Left Redzone overwritten
[   12.345678] NOHZ tick-stop error: local softirq work is pending, handler #08!!!
[   12.345678] genirq: Flags mismatch irq 23. 00002001 (bam-dmux-pc) vs. 00000001 (other)
[   12.345678] bam-dmux 10200000.bam-dmux: Resources present before probing
[   12.345678] debugfs: 'state' already exists in 'bam-dmux'
[   12.345678] WARNING: fs/kernfs/dir.c:1 at kernfs_remove+0x1/0x2, CPU#0: kunit_try_catch/1
** 12 printk messages dropped **
"""
KNOWN = """\
[   11.111111] ------------[ cut here ]------------
[   11.111111] WARNING: ./include/linux/skbuff.h:3139 at skb_mac_header+0x1/0x2
[   11.111111] Call trace:
[   11.111111]  skb_mac_header+0x1/0x2
[   11.111111] ---[ end trace 0000000000000000 ]---
"""
RACE = """\
[   13.000000] ==================================================================
[   13.000000] BUG: KCSAN: data-race in tick_sched_timer / {function}
[   13.000000]
[   13.000000] {access} to 0xffff000001000000 of 8 bytes by task 1 on cpu 0:
[   13.000000]  {function}+0x10/0x20{module}
[   13.000000]
[   13.000000] read to 0xffff000001000000 of 8 bytes by interrupt on cpu 1:
[   13.000000]  tick_sched_timer+0x10/0x20
[   13.000000]
[   13.000000] Reported by Kernel Concurrency Sanitizer on:
[   13.000000] CPU: 1 UID: 0 PID: 0 Comm: swapper/1
[   13.000000] ==================================================================
"""
CLEAN = """\
[    0.123456] DMA-API: preallocated 65536 debug entries
[    0.123456] DMA-API: debugging enabled by kernel config
[    0.123456] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
[    0.123456] kmemleak: Kernel memory leak detector initialized (mem pool available: 15679)
[    0.123456] Running RCU Tasks wait API self tests
[    0.123456] Kernel command line: console=ttyAMA0 CONFIG_DEBUG BUGS
[    0.123456] bam-dmux 10200000.bam-dmux: the modem did not ack within 2000 ms
"""
MODEMMANAGER = """\
ModemManager[123]: <msg> [1763710000.123] ModemManager (version 1.24.0) starting in system bus...
ModemManager[123]: <wrn> [1763710001.123] [modem0/bearer0] reloading stats failed: statistics failed
ModemManager[123]: <dbg> [1763710001.124] [modem0] <<<<<<   result = FAILURE: NotSupported
ModemManager[123]: <err> [1763710002.123] couldn't find a reason
(ModemManager:123): GLib-CRITICAL **: 07:00:00.000: g_foo: assertion 'bar != NULL' failed
"""
MMCLI = """\
  ----------------------------------
  System   |                device: qcom-soc
           |                 ports: wwan0 (net), wwan0qmi0 (qmi), wwan1 (net),
           |                        wwan2 (net)
  ----------------------------------
  Status   |                  lock: sim-puk2
           |                 state: registered
"""
EXCERPT = """\
  System             |                 ports: wwan0 (net), wwan0qmi0 (qmi), wwan1 (net),
                     |                        wwan2 (net)
  Status             |                 state: registered"""
KTAP = """\
[    1.000000] bam_dmux: loading out-of-tree module taints kernel.
[    1.100000] KTAP version 1
[    1.100000] 1..1
[    1.100000]     KTAP version 1
[    1.100000]     # Subtest: suite
[    1.100000]     # module: bam_dmux
[    1.100000]     1..1
[    1.100000]     {result} 1 test
[    1.100000] {result} 1 suite
"""


TICK = "[   14.000000] NOHZ tick-stop error: local softirq work is pending, handler #08!!!\n"
KILLED = "[   14.010000] psci: CPU1 killed (polled 16 ms)\n"


def test_splats() -> None:
    """Each line of FAULTS is found, none of CLEAN is."""
    check_equal(splat.find(TICK + KILLED), [], "softirqs of a processor that goes")
    check(splat.find(TICK + CLEAN), "the scanner overlooks softirqs that nobody handles")
    for line in FAULTS.splitlines():
        check(splat.find(line), f"the scanner overlooks: {line}")
    check_equal(splat.find(CLEAN), [], "harmless lines taken for fault reports")


def test_known_warnings() -> None:
    """A known warning is cut out with what belongs to it, and only that."""
    log = KNOWN + FAULTS
    check_equal(splat.without(log, ("skb_mac_header",)), FAULTS, "log without a known warning")
    check_equal(splat.without(log, ("skb_transport",)), log, "log with another known warning")
    check_equal(splat.without(log, ()), log, "log with no known warning")


def test_data_races() -> None:
    """A data race counts if a driver under test has to do with it, also next to another."""
    own = RACE.format(access="write", function="_RNvXdmux4poll", module=" [bam_dmux]")
    marked = RACE.format(access="write (marked)", function="_RNvXdmux4poll", module=" [bam_dmux]")
    foreign = RACE.format(access="write", function="update_load", module="") + marked
    check_equal(splat.find(foreign), [], "races of the kernel's own")
    check_equal(len(splat.find(foreign + own + foreign)), 1, "a race of the driver's")
    check_equal(len(splat.find(foreign + FAULTS)), len(splat.find(FAULTS)), "faults next to a race")


def test_ktap_reader(tmp_path: Path) -> None:
    """Passing KTAP is good; failing KTAP, and none at all, are not."""
    if not paths.kunit_parser().exists():
        pytest.skip("the kernel's sources are not there")
    verdicts = [
        kunit.judge(text, tmp_path / "suite.ktap")
        for text in (KTAP.format(result="ok"), KTAP.format(result="not ok"), CLEAN)
    ]
    check_equal(verdicts, [True, False, False], "verdicts on good, failing and missing KTAP")


def test_modemmanager_log() -> None:
    """Complaints are found and nothing else is; only those with a reason are let through."""
    check_equal(len(mmlog.complaints(MODEMMANAGER)), 3, "complaints in ModemManager's log")
    expected = (("statistics failed", "a test"), ("couldn't find", "a test"))
    strange = mmlog.unexplained(MODEMMANAGER, expected)
    check_equal(len(strange), 1, f"unexplained complaints: {strange}")


def test_mmcli_excerpt() -> None:
    """Fields keep their section, and values that go on in the next line all of it."""
    check_equal(demo.excerpt(MMCLI, ("ports", "state")), EXCERPT, "excerpt of mmcli's output")


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    """All that there are, collected by another pytest."""
    return inventory.load_elsewhere()


def test_defect_list(scenarios: list[Scenario]) -> None:
    """What scenarios and the list of defects name is there, and the table is up to date."""
    check_equal(defects.misnamed(scenarios), [], "what does not exist")
    check_equal(defects.uncovered(scenarios), [], "what nothing shows")
    document = defect_run.DOCUMENT.read_text(encoding="utf-8")
    check_equal(defect_table.stale(document, scenarios), [], "what is not so any more")


def result(item: Scenario, driver: str, failure: str = "") -> dict:
    """What a run says of a scenario that shows a defect."""
    about = Result(f"{item.name}[base]", "", kernel="base", driver=driver, failure=failure)
    if failure:
        about.outcome, about.evidence = "expected", failure
    return about.record()


def test_defect_document(scenarios: list[Scenario]) -> None:
    """The table has a row for each defect with what came out, and tells when it is out of date."""
    shows = [item for item in scenarios if item.defects]
    about = {"commit": "abc", "linux": "1.2.3", "date": "2026-01-02"}
    mainline = {**about, "results": [result(i, "mainline", "no: `x`") for i in shows]}
    ours = {**about, "results": [result(item, "ours") for item in shows]}
    rows = defect_table.update({}, [mainline, ours])
    text = defect_table.render(shows, rows)
    check_equal(defect_table.stale(text, shows), [], "differences to a table just made")
    check_equal(defect_table.read(text, shows), rows, "the table, read back")
    for word in (
        "fails: ``no: 'x'``",
        "- passes (base kernel)",
        "``abc``, Linux 1.2.3, 2026-01-02",
    ):
        check(word in text, f"the table has no '{word}':\n{text}")
    check(defect_table.stale(text, shows[1:]), "a scenario too many is not noticed")
    check(defect_table.stale(text.replace(shows[0].name, "other"), shows), "nor a wrong one")
    check(defect_table.stale(text.replace("   * - 1\n", "   * - 37\n"), shows), "nor a number")
    passes = {**about, "commit": "def", "results": [result(shows[0], "mainline")]}
    text = defect_table.render(shows, defect_table.update(rows, [passes]))
    check(defect_table.stale(text, shows), "a defect that no longer shows is not noticed")
    check("mainline: ``def``" in text and "ours: ``abc``" in text, f"two runs of a row:\n{text}")
    untold = {name: defect_table.Row(row.mainline, row.ours) for name, row in rows.items()}
    text = defect_table.render(shows, untold)
    check(defect_table.stale(text, shows), "rows of which nobody knows the run are not noticed")
