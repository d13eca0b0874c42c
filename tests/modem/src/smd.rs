// SPDX-License-Identifier: GPL-2.0
//! SMD: the modem's end of one channel of packets in SMEM, through which
//! Linux speaks QMI.
//!
//! The peer is `drivers/rpmsg/qcom_smd.c`. Each side has a state; the channel
//! can be used while both are OPENED. Linux opens it when somebody opens the
//! port, and takes the port away if the modem closes its side. All that Linux
//! writes is looked at once and bounded; positions of the modem's own are
//! never read back from memory that the guest can write.
//!
//! Limitations: one channel; it is never flushed, what waits at a close is
//! dropped.

pub mod layout;
#[cfg(test)]
pub(crate) mod linux;

use std::collections::VecDeque;

use serde::Serialize;

use crate::counters::Counters;
use crate::smem::Smem;
use layout::{
    Channel,
    Fifo,
    Flag,
    FIFO,
    LONGEST_PACKET,
    PACKET_HEADER, //
};

/// The channel's name: `rpmsg_wwan_ctrl` makes a QMI port of it.
pub const NAME: &str = "DATA5_CNTL";
/// Frames that may wait for room before packets of Linux have to wait.
const BUSY: usize = 32;
/// Frames that may wait at all.
const LIMIT: usize = 128;
/// Highest state that SMD knows (`RESET_OPENING`).
const LAST_STATE: u32 = 6;

/// State of a side, as far as the two ends of this channel use them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not in use.
    #[default]
    Closed = 0,
    /// Ready to be opened.
    Opening = 1,
    /// In use.
    Opened = 2,
}

impl State {
    /// What a number stands for. Those that Linux never takes count as
    /// closed.
    fn of(number: u32) -> Self {
        match number {
            1 => Self::Opening,
            2 => Self::Opened,
            _ => Self::Closed,
        }
    }

    /// The modem's state after a look at Linux'. A modem that has come anew
    /// waits with its offer until Linux has let go of the old channel.
    fn next(self, linux: Self, offered: bool) -> Self {
        match (self, linux) {
            _ if !offered => Self::Closed,
            (Self::Closed, Self::Opened) => Self::Closed,
            (_, Self::Opened) => Self::Opened,
            _ => Self::Opening,
        }
    }
}

/// A change that others may want to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Both sides are OPENED.
    Opened,
    /// No longer.
    Closed,
}

/// The modem's end of the channel.
#[derive(Debug)]
pub struct Smd {
    channel: Channel,
    state: State,
    linux: u32,
    offered: bool,
    /// Where the modem reads and writes next.
    tail: u32,
    head: u32,
    queue: VecDeque<Vec<u8>>,
    interrupt: bool,
}

impl Smd {
    /// Allocates the channel in a freshly formatted SMEM. Linux does not see
    /// it before [`Smd::offer`].
    #[must_use]
    pub fn create(smem: &Smem) -> Self {
        let channel = Channel::allocate(smem);
        channel.own.set_flag(smem, Flag::BlockReadIntr, true);
        Self {
            channel,
            state: State::Closed,
            linux: 0,
            offered: false,
            tail: 0,
            head: 0,
            queue: VecDeque::new(),
            interrupt: false,
        }
    }

    /// The modem's state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Frames that wait for room.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether Linux should be interrupted; asking forgets it.
    pub fn take_interrupt(&mut self) -> bool {
        std::mem::take(&mut self.interrupt)
    }

    /// The modem has started: from now on Linux may open the channel.
    pub fn offer(&mut self, smem: &Smem) {
        self.offered = true;
        self.channel.publish(smem, NAME);
        self.interrupt = true;
    }

    /// The modem's firmware is gone, and with it all that it had to say.
    pub fn withdraw(&mut self, smem: &Smem) -> Option<Change> {
        self.offered = false;
        self.enter(smem, State::Closed)
    }

    /// Looks at Linux' state and follows it.
    pub fn look(&mut self, smem: &Smem, counters: &mut Counters) -> Option<Change> {
        let linux = self.channel.linux.state(smem);
        if linux != self.linux || self.channel.linux.flag(smem, Flag::State) {
            self.channel.linux.set_flag(smem, Flag::State, false);
            counters.smd_bad += u64::from(linux > LAST_STATE && linux != self.linux);
            self.linux = linux;
            // Linux waits for an interrupt even if it finds the state that
            // it hopes for.
            self.interrupt = true;
        }
        let next = self.state.next(State::of(linux), self.offered);
        self.enter(smem, next)
    }

    fn enter(&mut self, smem: &Smem, state: State) -> Option<Change> {
        if state == self.state {
            return None;
        }
        let own = self.channel.own;
        let change = match (self.state, state) {
            (_, State::Opened) => Some(Change::Opened),
            (State::Opened, _) => Some(Change::Closed),
            _ => None,
        };
        if state != State::Opened {
            self.rewind(smem);
        }
        for line in [Flag::Dsr, Flag::Cts, Flag::Cd] {
            own.set_flag(smem, line, state == State::Opened);
        }
        own.set_state(smem, state as u32);
        own.set_flag(smem, Flag::State, true);
        self.state = state;
        self.interrupt = true;
        change
    }

    /// Both FIFOs begin anew; Linux does the same with its positions when it
    /// closes.
    fn rewind(&mut self, smem: &Smem) {
        (self.head, self.tail) = (0, 0);
        self.queue.clear();
        self.channel.own.set_head(smem, 0);
        self.channel.own.set_flag(smem, Flag::Head, false);
        self.channel.own.set_flag(smem, Flag::BlockReadIntr, true);
        self.channel.linux.set_tail(smem, 0);
    }

    /// Takes one packet of Linux, if a whole one is there and its answer
    /// would not wait behind too many others.
    pub fn receive(&mut self, smem: &Smem, counters: &mut Counters) -> Option<Vec<u8>> {
        if self.state != State::Opened || self.queue.len() >= BUSY {
            return None;
        }
        let linux = self.channel.linux;
        let head = linux.head(smem);
        linux.set_flag(smem, Flag::Head, false);
        if head >= FIFO {
            return self.resynchronise(smem, head, counters);
        }
        // Bounded by what is there: each turn takes 20 bytes at least.
        loop {
            let used = Fifo::used(head, self.tail);
            if used < PACKET_HEADER {
                return None;
            }
            let Some(len) = self.packet_len(smem) else {
                return self.resynchronise(smem, head, counters);
            };
            if used < PACKET_HEADER + len {
                return None;
            }
            let at = self.tail.wrapping_add(PACKET_HEADER);
            let mut packet = vec![0; len.min(LONGEST_PACKET) as usize];
            self.channel.from_linux.read(smem, at, &mut packet);
            self.advance(smem, Fifo::wrap(at.wrapping_add(len)));
            if len <= LONGEST_PACKET {
                counters.smd_packets_in += 1;
                return Some(packet);
            }
            counters.smd_bad += 1;
        }
    }

    /// Length of the packet at the tail, `None` if that is no packet's
    /// header.
    fn packet_len(&self, smem: &Smem) -> Option<u32> {
        let mut header = [0; PACKET_HEADER as usize];
        self.channel.from_linux.read(smem, self.tail, &mut header);
        let (len, zero) = header.split_first_chunk()?;
        let len = u32::from_le_bytes(*len);
        let fits = len < FIFO - PACKET_HEADER;
        (fits && zero.iter().all(|&byte| byte == 0)).then_some(len)
    }

    /// Drops all that Linux has written: nobody knows where a packet begins.
    fn resynchronise<T>(&mut self, smem: &Smem, head: u32, counters: &mut Counters) -> Option<T> {
        counters.smd_bad += 1;
        self.advance(smem, Fifo::wrap(head));
        None
    }

    fn advance(&mut self, smem: &Smem, tail: u32) {
        let linux = self.channel.linux;
        self.tail = tail;
        linux.set_tail(smem, tail);
        linux.set_flag(smem, Flag::Tail, true);
        self.interrupt |= !linux.flag(smem, Flag::BlockReadIntr);
    }

    /// Queues a frame for Linux, to be followed by [`Smd::flush`]. Without
    /// an open channel it goes nowhere.
    pub fn send(&mut self, frame: Vec<u8>, counters: &mut Counters) {
        let fits = frame.len() <= LONGEST_PACKET as usize;
        if self.state != State::Opened || self.queue.len() >= LIMIT || !fits {
            counters.smd_undelivered += 1;
        } else {
            self.queue.push_back(frame);
        }
    }

    /// Writes what waits, as far as there is room; Linux is asked for an
    /// interrupt if there is not enough.
    pub fn flush(&mut self, smem: &Smem, counters: &mut Counters) {
        let own = self.channel.own;
        while let Some(frame) = self.queue.front() {
            // Frames that wait have passed a check of their length.
            let len = u32::try_from(frame.len()).unwrap_or(0);
            own.set_flag(smem, Flag::BlockReadIntr, false);
            // Read after the flag: room made before it was seen rings nothing.
            let mut tail = own.tail(smem);
            if tail >= FIFO {
                counters.smd_bad += 1;
                // Taken as if all had been read: nobody else is harmed.
                tail = self.head;
            }
            if Fifo::room(self.head, tail) < PACKET_HEADER + len {
                return;
            }
            let mut bytes = vec![0; PACKET_HEADER as usize];
            bytes.splice(..4, len.to_le_bytes());
            bytes.extend_from_slice(frame);
            self.channel.to_linux.write(smem, self.head, &bytes);
            self.head = Fifo::wrap(self.head + PACKET_HEADER + len);
            own.set_flag(smem, Flag::Tail, false);
            own.set_head(smem, self.head);
            own.set_flag(smem, Flag::Head, true);
            self.queue.pop_front();
            self.interrupt = true;
            counters.smd_packets_out += 1;
        }
        own.set_flag(smem, Flag::BlockReadIntr, true);
    }
}

#[cfg(test)]
mod tests;
