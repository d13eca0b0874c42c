// SPDX-License-Identifier: GPL-2.0

//! The transmit ring: from an interface's frame to the modem.
//!
//! A frame is in one of two queues, and a type of its own in each: *waiting* ([`Frame`], not
//! mapped, nobody but Linux knows it) or *in flight* (in the [`Pipe`], mapped, the modem may read
//! it). Frames leave the first queue in order and enter the second in order, whether the modem
//! was awake or had to be woken: nothing overtakes.
//!
//! The ring is *open* while the modem has acknowledged our vote and the pipe is connected; only
//! then do frames move. While it is closed the first frame asks for the modem to be woken. If
//! that fails all waiting frames are dropped and counted, so that the next one tries again.
//! When the power goes, frames in flight are lost and counted; waiting ones keep waiting.
//!
//! OPEN and CLOSE are not queued: the channel table knows which are due, and they go out before
//! any waiting data. That way OPEN cannot be lost to a failed wake-up, and data of a channel that
//! is no longer announced is never sent.
//!
//! One runtime PM reference is held as long as anything is waiting or in flight.
//!
//! Flow control: all interfaces share the ring. An interface stops its own queue when fewer than
//! [`RESERVE`] places are left, so that all others can still place the frame that they may be
//! sending at this very moment; all queues are woken when half of the ring is free.

use core::mem;

use kernel::{
    fmt,
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

use super::{
    dmux::Dmux,
    fifo::Fifo,
    kabi::{
        dma::{
            Mapped,
            ToDevice, //
        },
        dmaengine::Pipe,
        napi::Poll,
        netdev::{
            Device,
            Xmit, //
        },
        runtime_pm::PmRef,
        skb::{
            DropReason,
            SkBuff, //
        },
        sync::{
            new_spinlock_bh,
            SpinLockBh, //
        }, //
    },
    netdev::Wwan,
    protocol::{
        frame::{
            Channel,
            Command,
            Header,
            CHANNELS,
            HEADER_LEN, //
        },
        ring::Occupancy, //
    },
};

/// Data frames in the ring, waiting and in flight together.
const RING_LEN: usize = 64;

/// Places kept for frames that other interfaces are sending at the moment a queue is stopped.
const RESERVE: usize = CHANNELS;

/// Free places from which on stopped queues are woken.
const WAKE_ROOM: usize = RING_LEN / 2;

/// Descriptors for commands besides those for data: one OPEN and one CLOSE for each channel.
const COMMAND_ROOM: usize = 2 * CHANNELS;

/// Completed frames taken out of the ring at a time.
const REAP_BATCH: usize = 16;

/// How long unbinding waits for the last frames to go out, in milliseconds: the CLOSE commands
/// that a modem which is awake takes at once. One that has to be woken gets the chance to be.
const DRAIN_MS: i64 = 1000;

/// How often it looks, in milliseconds.
const DRAIN_STEP_MS: i64 = 5;

/// What the driver has to know of a frame when it is done.
#[derive(Clone, Copy)]
struct Meta {
    channel: Channel,
    command: Command,
    /// Payload bytes as the network stack counts them; 0 for commands.
    bytes: usize,
}

/// A frame that nobody but Linux knows yet.
pub(crate) struct Frame {
    skb: SkBuff,
    meta: Meta,
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
enum Fate {
    /// The modem took it.
    Sent,
    /// The power went while the modem had it: nobody knows whether it was sent.
    Lost,
    /// The modem never saw it.
    Dropped,
}

struct Ring {
    waiting: Fifo<Frame>,
    pipe: Option<Pipe<ToDevice, Meta>>,
    /// Data frames, waiting and in flight together.
    data: Occupancy,
    open: bool,
    /// Whether frames were given to the pipe since it was last told to start.
    doorbell_due: bool,
    pm: Option<PmRef>,
}

/// The transmit ring of one device.
#[pin_data]
pub(crate) struct Tx {
    #[pin]
    ring: SpinLockBh<Ring>,
}

impl Tx {
    /// An empty ring without a pipe. Process context; fails with `ENOMEM`.
    pub(crate) fn new() -> Result<impl PinInit<Self, Error>> {
        let ring = Ring {
            waiting: Fifo::new(RING_LEN, GFP_KERNEL)?,
            pipe: None,
            data: Occupancy::new(RING_LEN, RESERVE, WAKE_ROOM),
            open: false,
            doorbell_due: false,
            pm: None,
        };
        Ok(try_pin_init!(Self {
            ring <- new_spinlock_bh!(ring),
        }? Error))
    }

    /// Connects the pipe. BAM has power. Process context.
    pub(crate) fn connect(&self, dmux: &Arc<Dmux>) -> Result {
        let pipe = Pipe::request(
            dmux.dev(),
            c"tx",
            RING_LEN + COMMAND_ROOM,
            None,
            dmux.clone(),
        )?;
        self.ring.lock().pipe = Some(pipe);
        Ok(())
    }

    /// Takes the pipe down while BAM still has power. Frames in flight are lost. Process context.
    pub(crate) fn disconnect(&self, dmux: &Arc<Dmux>) {
        let pipe = {
            let mut ring = self.ring.lock();
            ring.open = false;
            ring.doorbell_due = false;
            ring.pipe.take()
        };
        let Some(pipe) = pipe else {
            return;
        };
        for (frame, meta, completed) in pipe.shutdown() {
            let skb = frame.into_skb();
            if completed {
                self.ring.lock().account(dmux, meta, Fate::Sent);
                skb.consume();
            } else {
                self.ring.lock().account(dmux, meta, Fate::Lost);
                skb.drop_reason(DropReason::QueuePurge);
            }
        }
        self.ring.lock().settle(dmux);
        self.wake_queues(dmux);
    }

    /// Lets frames move: sends what waits. BAM has power and the modem saw our vote.
    pub(crate) fn open(&self, dmux: &Arc<Dmux>) {
        {
            let mut ring = self.ring.lock();
            ring.open = ring.pipe.is_some();
            ring.push_out(dmux);
            ring.start();
            ring.settle(dmux);
        }
        self.wake_queues(dmux);
    }

    /// Keeps frames from moving, unless some are waiting or in flight. Returns whether it did.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut ring = self.ring.lock();
        if ring.pm.is_some() {
            return false;
        }
        ring.open = false;
        true
    }

    /// Keeps frames from moving.
    pub(crate) fn close(&self) {
        self.ring.lock().open = false;
    }

    /// Takes a frame from an interface. Softirq, from its `start_xmit`.
    pub(crate) fn send(&self, dmux: &Arc<Dmux>, dev: &Device<Wwan>, frame: Frame) -> Xmit {
        let bytes = frame.meta.bytes;
        let mut ring = self.ring.lock();

        if let Err(frame) = ring.take(frame) {
            // Cannot happen while RESERVE holds; dropping is what is left.
            dev.tx_dropped();
            frame.skb.drop_reason(DropReason::QueuePurge);
            ring.start();
            return Xmit::Ok;
        }
        if ring.data.should_stop() {
            dev.stop_queue();
        }
        // The frame is in the ring's hands: account for it before it can complete.
        let doorbell = dev.sent(bytes, dev.xmit_more());
        ring.push_out(dmux);
        if doorbell {
            ring.start();
        }
        ring.settle(dmux);
        Xmit::Ok
    }

    /// Sends the OPEN and CLOSE commands that are due. Any context up to softirq.
    pub(crate) fn announce(&self, dmux: &Arc<Dmux>) {
        let mut ring = self.ring.lock();
        ring.push_out(dmux);
        ring.start();
        ring.settle(dmux);
    }

    /// Tells the pipe to start what it was given. Any context up to softirq.
    pub(crate) fn ring_doorbell(&self) {
        self.ring.lock().start();
    }

    /// Takes completed frames out of the ring. From NAPI.
    pub(crate) fn reap(&self, dmux: &Arc<Dmux>, poll: &Poll<'_>) {
        loop {
            let mut batch = [const { None }; REAP_BATCH];
            let count = {
                let mut ring = self.ring.lock();
                let count = ring.take_completed(dmux, &mut batch);
                // Commands may have waited for a descriptor.
                ring.push_out(dmux);
                ring.start();
                ring.settle(dmux);
                count
            };
            for skb in batch.into_iter().flatten() {
                skb.consume_in_poll(poll);
            }
            if count < REAP_BATCH {
                break;
            }
        }
        self.wake_queues(dmux);
    }

    /// Whether frames or commands wait that nothing will move.
    pub(crate) fn is_waiting(&self) -> bool {
        let ring = self.ring.lock();
        !ring.open && ring.pm.is_some()
    }

    /// The modem could not be woken: drops the frames that wait for it and counts them.
    pub(crate) fn drop_waiting(&self, dmux: &Arc<Dmux>) {
        loop {
            let mut ring = self.ring.lock();
            let Some(Frame { skb, meta }) = ring.waiting.pop() else {
                if !ring.open {
                    // Commands stay due; they go out with the next wake-up.
                    ring.pm = None;
                }
                break;
            };
            ring.account(dmux, meta, Fate::Dropped);
            drop(ring);
            dmux.counters.tx_wake_dropped.inc();
            skb.drop_reason(DropReason::DevReady);
        }
        self.wake_queues(dmux);
    }

    /// Waits until nothing is waiting or in flight, at most [`DRAIN_MS`]. Process context.
    pub(crate) fn drain(&self) {
        for _ in 0..DRAIN_MS / DRAIN_STEP_MS {
            if self.ring.lock().pm.is_none() {
                return;
            }
            fsleep(Delta::from_millis(DRAIN_STEP_MS));
        }
    }

    /// Drops everything. No pipe is connected, nothing calls in any more.
    pub(crate) fn purge(&self, dmux: &Arc<Dmux>) {
        self.close();
        self.drop_waiting(dmux);
        self.ring.lock().pm = None;
    }

    /// The ring's state for people.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring.lock();
        writeln!(
            f,
            "tx: open={} connected={} data={} waiting={} in_flight={} stopped={} pm={}",
            ring.open,
            ring.pipe.is_some(),
            ring.data.len(),
            ring.waiting.len(),
            ring.pipe.as_ref().map_or(0, Pipe::in_flight),
            ring.data.is_stopped(),
            ring.pm.is_some()
        )
    }

    /// Wakes the queues that stopped for want of room, when there is enough again.
    fn wake_queues(&self, dmux: &Arc<Dmux>) {
        if !self.ring.lock().data.should_wake() {
            return;
        }
        dmux.ports.for_each(|interface| {
            if interface.is_running() && interface.is_present() {
                interface.wake_queue();
            }
        });
    }
}

impl Ring {
    /// Takes a data frame in, or gives it back when there is no place.
    fn take(&mut self, frame: Frame) -> Result<(), Frame> {
        if !self.data.push() {
            return Err(frame);
        }
        self.waiting.push(frame)
    }

    /// Gives to the pipe what may go: due commands, then waiting frames.
    fn push_out(&mut self, dmux: &Arc<Dmux>) {
        if !self.open {
            return;
        }
        if !self.push_out_commands(dmux) {
            // Data must not overtake the OPEN of its channel.
            dmux.announce_later();
            return;
        }
        while self.pipe_room() > 0 {
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
    fn account(&mut self, dmux: &Arc<Dmux>, meta: Meta, fate: Fate) {
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
    fn start(&mut self) {
        if mem::take(&mut self.doorbell_due) {
            if let Some(pipe) = &self.pipe {
                pipe.issue_pending();
            }
        }
    }

    /// Takes completed frames out of the pipe, at most as many as `batch` holds.
    fn take_completed(&mut self, dmux: &Arc<Dmux>, batch: &mut [Option<SkBuff>]) -> usize {
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
    fn settle(&mut self, dmux: &Arc<Dmux>) {
        let in_pipe = self.pipe.as_ref().map_or(0, Pipe::in_flight);
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
