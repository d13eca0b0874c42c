# SPDX-License-Identifier: GPL-2.0
"""The known defects of mainline's driver (qcom_bam_dmux.c of Linux 7.3), and how each is shown.

A scenario that shows a defect names it in its marker `defect`. What no modem, guest
or shortage of memory can bring about has tests of our driver instead, or a sentence on why our
driver cannot have it.
"""

import re
from dataclasses import dataclass

from harness import paths
from harness.inventory import Scenario


@dataclass(frozen=True)
class Defect:
    """One of them: in plain words, with what shows that ours is without it if no scenario does."""

    number: int
    title: str
    # Tests of ours as "file: function".
    tests: tuple[str, ...] = ()
    # Why ours cannot have it, or what else there is to say: a sentence.
    note: str = ""


# Warnings that mainline's driver causes in whatever it is used for, by defect: they count only
# in scenarios that are about them.
SPLATS = {
    # CONFIG_DEBUG_NET, with the first packet.
    18: r"include/linux/skbuff\.h:\d+ at __netif_receive_skb_core",
}
# What binds and unbinds leaks its interfaces.
LEAK_ON_UNBIND = (29,)

DEFECTS = (
    Defect(1, "One wake-up that fails leaves slots of the TX ring occupied for ever"),
    Defect(2, "A frame that cannot be submitted after a wake-up keeps its slot for ever"),
    Defect(3, "Frames in flight when the power falls are never given back"),
    Defect(4, "The TX channel is not requested again while runtime PM stays active"),
    Defect(5, "A lost acknowledgement of letting go makes every further wake-up fail"),
    Defect(6, "A wake-up that timed out needs an acknowledgement before the next may vote"),
    Defect(7, "The TX channel can vanish between preparing a frame and sending it"),
    Defect(8, "Frames sent while the link wakes up overtake each other"),
    Defect(9, "A frame of 2040 bytes makes a transfer larger than the modem's buffer"),
    Defect(
        10,
        "A packet that somebody else looks at is copied before it is sent",
        note="No difference: header and packet go to the modem as one piece of memory, so a packet "
        "whose memory a packet tap shares has to be copied. Ours copies only then, or for want of "
        "room.",
        tests=(
            "tests/kunit/skb.rs: make_room_keeps_the_data",
            "tests/kunit/skb.rs: writing_leaves_a_clone_alone",
        ),
    ),
    Defect(
        11,
        "A frame's runtime PM reference is put before its DMA mapping is undone",
        note="Harmless today, and nothing shows it. Ours has one reference for the whole ring, and "
        "gives it back when the last frame has left the pipe and is unmapped "
        "(``Ring::settle`` in ``src/tx/ring.rs``).",
        tests=("tests/kunit/dmaengine.rs: completed_buffers_come_back_in_order",),
    ),
    Defect(12, "A frame of an interface that the ring does not know is tried again and again"),
    Defect(13, "No byte queue limits, no TX timeout, one ring: one stalled modem queue stops all"),
    Defect(14, "A queue that the modem closed is woken, and frames go to a closed channel"),
    Defect(15, "An interface that comes up starts its queue although the ring is full"),
    Defect(16, "A frame's length is believed: old memory reaches user space"),
    Defect(17, "An RX buffer that cannot be replaced at once is lost until the next power cycle"),
    Defect(18, "Received packets have no MAC header"),
    Defect(19, "An interface is registered before the driver knows it; one failure ends the rest"),
    Defect(20, "A line in the log for each bad frame, however many there are"),
    Defect(21, "No NAPI and no GRO, and no statistics"),
    Defect(22, "A packet of 40 bytes is delivered in a buffer of 2 KiB"),
    Defect(
        23,
        "Edges of the power line are counted: a lost one inverts the state for ever",
        note="SMSM compares levels, and loses edges only in pairs. But one that is served after "
        "probe has read the level counts twice, which is what the scenario brings about.",
    ),
    Defect(24, "The power line's interrupt is live before its level is read in probe"),
    Defect(25, "A power-up that fails for want of memory is neither acknowledged nor repeated"),
    Defect(26, "Power-off frees receive buffers while the receive callback may run"),
    Defect(27, "A modem that restarts is not noticed: OPEN is not sent again"),
    Defect(28, "After binding again, the first acknowledgement may be no change and be lost"),
    Defect(29, "Unbinding leaks the interfaces, and works on freed memory if the modem opens one"),
    Defect(
        30,
        "A probe that fails leaves its interrupts live",
        note="Nothing brings it about: all that may fail once both interrupts are live is reading "
        "the line's level, which SMSM never refuses. Ours frees its interrupts before anything "
        "that their handlers use, and ``fail_nth_bind`` lets each of its allocations fail.",
    ),
    Defect(31, "Bringing an interface up or down waits for the modem, with RTNL held"),
    Defect(32, "No system sleep: the modem cannot wake the system"),
    Defect(
        33,
        "Each power cycle allocates and frees 64 KiB of DMA memory",
        note="No difference: in ten power cycles the kernel's trace shows twenty allocations of "
        "32 KiB for either driver. The BAM's driver sets a BAM up that lost its power only when "
        "its channels are requested anew, and has no other way. Ours survives that one fails: see "
        "defect 25.",
    ),
    Defect(34, "Buffers are mapped for the wrong device"),
    Defect(35, "A wake-up can take power that is about to fall for power that came up"),
    Defect(
        36,
        "Header fields are in the processor's byte order",
        note="Every phone with BAM-DMUX is little-endian, and so is the virtual one. Ours reads "
        "and writes headers byte by byte; tests compare the bytes.",
        tests=(
            "tests/kunit/frame.rs: linux_frames_have_these_bytes",
            "tests/kunit/frame.rs: parse_follows_the_vectors",
            "tests/kunit/frame.rs: encode_follows_the_vectors",
        ),
    ),
)


def shown_by(number: int, scenarios: list[Scenario]) -> list[Scenario]:
    """The scenarios that show a defect, in the order of their names."""
    return sorted((s for s in scenarios if number in s.defects), key=lambda s: s.name)


def misnamed(scenarios: list[Scenario]) -> list[str]:
    """What is named and does not exist: defects in scenarios, tests of ours in the list above."""
    numbers = {defect.number for defect in DEFECTS}
    problems = [
        f"scenario {item.name}: there is no defect {number}"
        for item in scenarios
        for number in item.defects
        if number not in numbers
    ]
    for defect in DEFECTS:
        for test in defect.tests:
            file, _, function = test.partition(": ")
            path = paths.CHECKOUT / file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            if not re.search(rf"\bfn {re.escape(function)}\(", text):
                problems.append(f"defect {defect.number}: there is no test {test}")
    return problems


def uncovered(scenarios: list[Scenario]) -> list[str]:
    """The defects that nothing shows and no sentence explains."""
    return [
        f"defect {defect.number} is shown by nothing: {defect.title}"
        for defect in DEFECTS
        if not (defect.tests or defect.note or shown_by(defect.number, scenarios))
    ]
