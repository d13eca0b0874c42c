// SPDX-License-Identifier: GPL-2.0

//! What is in the transmit ring, and the steps that move it. All of it runs under the ring's lock.

use core::mem;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::super::{
    dmux::Dmux,
    fifo::Fifo,
    kabi::{
        dma::{
            Mapped,
            ToDevice, //
        },
        dmaengine::{
            Parked,
            Pipe, //
        },
        runtime_pm::PmRef,
        skb::{
            DropReason,
            SkBuff, //
        }, //
    },
    protocol::{
        frame::{
            Channel,
            Command,
            Header,
            CHANNELS,
            HEADER_LEN, //
        },
        ring::Occupancy, //
    }, //
};

/// What the driver has to know of a frame when it is done.
#[derive(Clone, Copy)]
pub(crate) struct Meta {
    pub(super) channel: Channel,
    pub(super) command: Command,
    /// Payload bytes as the network stack counts them; 0 for commands.
    pub(super) bytes: usize,
}

/// A frame that nobody but Linux knows yet.
pub(crate) struct Frame {
    pub(super) skb: SkBuff,
    pub(super) meta: Meta,
}

impl Frame {
    /// A data frame for `channel`: `skb` begins with the header and is padded, `bytes` is the
    /// payload's length.
    pub(crate) fn data(channel: Channel, bytes: usize, skb: SkBuff) -> Self {
        Self {
            skb,
            meta: Meta {
                channel,
                command: Command::Data,
                bytes,
            },
        }
    }

    /// An OPEN or CLOSE for `channel`. Atomic; fails with `ENOMEM`.
    fn command(channel: Channel, command: Command) -> Result<Self> {
        let header = match command {
            Command::Open => Header::open(channel),
            _ => Header::close(channel),
        };
        let mut skb = SkBuff::alloc(HEADER_LEN, HEADER_LEN, GFP_ATOMIC)?;
        skb.push(&header.encode())?;
        Ok(Self {
            skb,
            meta: Meta {
                channel,
                command,
                bytes: 0,
            },
        })
    }
}

/// What became of a frame.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// The modem took it.
    Sent,
    /// The power went while the modem had it: nobody knows whether it was sent.
    Lost,
    /// The modem never saw it.
    Dropped,
}

/// A pipe that was put aside.
pub(crate) type ParkedPipe = Parked<ToDevice, Meta>;

pub(super) struct Ring {
    pub(super) waiting: Fifo<Frame>,
    pub(super) pipe: Option<Pipe<ToDevice, Meta>>,
    /// A pipe of before, which could not be taken down. Its frames are accounted for.
    pub(super) parked: Option<ParkedPipe>,
    /// Data frames, waiting and in flight together.
    pub(super) data: Occupancy,
    pub(super) open: bool,
    /// Whether frames were given to the pipe since it was last told to start.
    pub(super) doorbell_due: bool,
    /// Whether somebody looks from time to time whether frames in flight get done.
    pub(super) watched: bool,
    /// Frames that got done, ever.
    pub(super) done: u64,
    pub(super) pm: Option<PmRef>,
}

impl Ring {
    /// Takes a data frame in, or gives it back when there is no place.
    pub(super) fn take(&mut self, frame: Frame) -> Result<(), Frame> {
        if !self.data.push() {
            return Err(frame);
        }
        self.waiting.push(frame)
    }

    /// Gives to the pipe what may go: due commands, then waiting frames.
    pub(super) fn push_out(&mut self, dmux: &Arc<Dmux>) {
        if !self.open {
            return;
        }
        if !self.push_out_commands(dmux) {
            // Data must not overtake the OPEN of its channel.
            dmux.announce_later();
            return;
        }
        while self.pipe_room() > 0 {
            // One that cannot go yet keeps its place, and those behind it theirs.
            if self
                .waiting
                .front()
                .is_some_and(|frame| dmux.ports.is_held(frame.meta.channel))
            {
                break;
            }
            let Some(frame) = self.waiting.pop() else {
                break;
            };
            if dmux.ports.accepts_data(frame.meta.channel) {
                self.submit(dmux, frame);
            } else {
                self.account(dmux, frame.meta, Fate::Dropped);
                frame.skb.drop_reason(DropReason::DevReady);
            }
        }
    }

    /// Returns whether all that are due went, or wait for nothing but a descriptor.
    fn push_out_commands(&mut self, dmux: &Arc<Dmux>) -> bool {
        while self.pipe_room() > 0 {
            let Some((channel, command)) = dmux.ports.due_command() else {
                break;
            };
            let Ok(frame) = Frame::command(channel, command) else {
                dmux.counters.tx_no_memory.inc();
                return false;
            };
            dmux.ports.command_sent(channel, command);
            if !self.submit(dmux, frame) {
                return false;
            }
            dmux.counters.tx_commands.inc();
        }
        true
    }

    fn pipe_room(&self) -> usize {
        self.pipe.as_ref().map_or(0, Pipe::room)
    }

    /// Hands one frame to the modem, or drops it when memory is short. Returns which.
    fn submit(&mut self, dmux: &Arc<Dmux>, frame: Frame) -> bool {
        let Frame { skb, meta } = frame;
        let Some(pipe) = self.pipe.as_mut() else {
            return false;
        };
        skb.tx_timestamp();
        let failed = match Mapped::map(skb, pipe.mapper()) {
            Err((_, skb)) => skb,
            Ok(mapped) => match pipe.submit(mapped, meta) {
                Err((_, mapped, _)) => mapped.into_skb(),
                Ok(()) => {
                    self.doorbell_due = true;
                    return true;
                }
            },
        };
        dmux.counters.tx_no_memory.inc();
        self.account(dmux, meta, Fate::Dropped);
        failed.drop_reason(DropReason::NoMem);
        false
    }

    /// Books what became of a frame: with its interface, and with the channel if it was a command.
    ///
    /// Under the ring's lock (`&mut self`), since byte queue limits want completions one at a
    /// time.
    pub(super) fn account(&mut self, dmux: &Arc<Dmux>, meta: Meta, fate: Fate) {
        if matches!(fate, Fate::Lost) {
            dmux.counters.tx_lost.inc();
        }
        if !matches!(meta.command, Command::Data) {
            if !matches!(fate, Fate::Sent) {
                dmux.ports.command_lost(meta.channel, meta.command);
            }
            return;
        }
        self.data.pop();
        let Some(interface) = dmux.ports.interface(meta.channel) else {
            return;
        };
        match fate {
            Fate::Sent => interface.tx_add(1, meta.bytes),
            Fate::Lost => interface.private().tx_errors.inc(),
            Fate::Dropped => interface.tx_dropped(),
        }
        interface.completed(1, meta.bytes);
    }

    /// Starts what was given to the pipe.
    pub(super) fn start(&mut self) {
        if mem::take(&mut self.doorbell_due) {
            if let Some(pipe) = &self.pipe {
                pipe.issue_pending();
            }
        }
    }

    /// Takes completed frames out of the pipe, at most as many as `batch` holds.
    pub(super) fn take_completed(
        &mut self,
        dmux: &Arc<Dmux>,
        batch: &mut [Option<SkBuff>],
    ) -> usize {
        let mut sums = [(0, 0); CHANNELS];
        let mut count = 0;
        for place in batch {
            let Some((frame, meta)) = self.pipe.as_mut().and_then(Pipe::reap) else {
                break;
            };
            if let (Command::Data, Some(sum)) = (meta.command, sums.get_mut(meta.channel.index())) {
                self.data.pop();
                sum.0 += 1;
                sum.1 += meta.bytes;
            }
            *place = Some(frame.into_skb());
            count += 1;
        }
        // CAST: At most the length of `batch`.
        self.done = self.done.wrapping_add(count as u64);
        for (channel, (packets, bytes)) in Channel::all().zip(sums) {
            if packets == 0 {
                continue;
            }
            if let Some(interface) = dmux.ports.interface(channel) {
                interface.tx_add(packets, bytes);
                interface.completed(packets, bytes);
            }
        }
        count
    }

    /// Takes or gives back the runtime PM reference, and has the modem woken if something waits
    /// that nothing will move. To be called after every change.
    pub(super) fn settle(&mut self, dmux: &Arc<Dmux>) {
        let in_pipe = self.pipe.as_ref().map_or(0, Pipe::in_flight);
        if in_pipe > 0 && !self.watched {
            self.watched = true;
            dmux.watch_later();
        }
        let waiting = !self.waiting.is_empty() || dmux.ports.due_command().is_some();
        if !waiting && in_pipe == 0 {
            self.pm = None;
            return;
        }
        if self.pm.is_none() {
            self.pm = dmux.pm.get().ok();
        }
        if waiting && !self.open {
            dmux.wake_modem();
        }
    }
}
