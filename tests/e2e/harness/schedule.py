# SPDX-License-Identifier: GPL-2.0
"""Which worker gets which test: long ones first, and few boots.

A worker goes on with tests for the kind of phone that it has. If there are none left it takes up
the kind with the most work. Tests are given out one by one, so that nobody waits at the end.
"""

from collections.abc import Iterable

from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from harness import kind

# Seconds that a test is taken to last that has never run.
UNKNOWN = 10.0


def in_order(nodeids: Iterable[str], durations: dict[str, float]) -> list[str]:
    """The kinds of phones one after the other, those with the most work first; in each, the longest
    test first."""
    nodeids = list(nodeids)
    work: dict[str, float] = {}
    for nodeid in nodeids:
        name = kind.name_in(nodeid)
        work[name] = work.get(name, 0) + durations.get(nodeid, UNKNOWN)

    def key(nodeid: str) -> tuple[float, str, float, str]:
        name = kind.name_in(nodeid)
        return -work[name], name, -durations.get(nodeid, UNKNOWN), nodeid

    return sorted(nodeids, key=key)


class Scheduler(LoadScheduling):
    """Distribution among workers."""

    def __init__(self, config, log, durations: dict[str, float]) -> None:
        super().__init__(config, log)
        self.maxschedchunk = 1
        self._durations = durations
        # The kind of phone that each worker was last given a test for.
        self._has: dict[WorkerController, str] = {}

    def _send_tests(self, node: WorkerController, num: int) -> None:
        for _ in range(min(num, len(self.pending))):
            index = self._choose(node)
            self.pending.remove(index)
            self.node2pending[node].append(index)
            self._has[node] = self._kind(index)
            node.send_runtest_some([index])

    def _kind(self, index: int) -> str:
        return kind.name_in(self.collection[index])

    def _choose(self, node: WorkerController) -> int:
        """The next test for a worker: the first of its kind; else of the kind with the most work
        for each worker that is at it."""
        if node in self._has:
            for index in self.pending:
                if self._kind(index) == self._has[node]:
                    return index
        work: dict[str, float] = {}
        for index in self.pending:
            seconds = self._durations.get(self.collection[index], UNKNOWN)
            work[self._kind(index)] = work.get(self._kind(index), 0) + seconds
        others = [has for other, has in self._has.items() if other is not node]
        wanted = max(work, key=lambda name: work[name] / (1 + others.count(name)))
        return next(index for index in self.pending if self._kind(index) == wanted)
