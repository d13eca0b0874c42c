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
//! When the power goes, frames in flight are lost and counted; waiting ones keep waiting. When the
//! modem is lost (it has crashed, perhaps) both are dropped and counted, but the buffers of those in
//! flight are kept, mapped, until the pipe can be taken down: the modem may still read them.
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

use kernel::{
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
        dmaengine::{
            Parked,
            Pipe, //
        },
        napi::Poll,
        netdev::{
            Device,
            Xmit, //
        },
        skb::DropReason,
        sync::{
            new_spinlock_bh,
            SpinLockBh, //
        }, //
    },
    netdev::{
        Interface,
        Wwan, //
    },
    protocol::{
        frame::CHANNELS,
        ring::Occupancy, //
    },
};

mod report;
mod ring;

pub(crate) use ring::Frame;
pub(crate) use ring::ParkedPipe;
use ring::{
    Fate,
    Ring, //
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
            parked: None,
            watched: false,
            done: 0,
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

    /// Puts the pipe aside: the BAM may be without power, and is not touched. Frames in flight are
    /// lost. Any context up to softirq.
    pub(crate) fn abandon(&self, dmux: &Arc<Dmux>) {
        {
            let mut ring = self.ring.lock();
            ring.open = false;
            ring.doorbell_due = false;
            let Some(pipe) = ring.pipe.take() else {
                return;
            };
            let parked = pipe.park();
            for (meta, completed) in parked.contents() {
                let fate = if completed { Fate::Sent } else { Fate::Lost };
                ring.account(dmux, *meta, fate);
            }
            ring.parked = Some(parked);
            ring.settle(dmux);
        }
        self.wake_queues(dmux);
    }

    /// Takes down the pipe that was put aside. BAM has power. Process context.
    pub(crate) fn dispose(&self) {
        let parked = self.ring.lock().parked.take();
        for (frame, _, _) in parked.into_iter().flat_map(Parked::shutdown) {
            // Accounted for when it was put aside.
            frame.into_skb().drop_reason(DropReason::QueuePurge);
        }
    }

    /// Gives away the pipe that was put aside: BAM will not be touched any more.
    pub(crate) fn give_away(&self) -> Option<ParkedPipe> {
        self.ring.lock().parked.take()
    }

    /// Takes over a pipe that was put aside before this ring was made.
    pub(crate) fn take_over(&self, parked: Option<ParkedPipe>) {
        self.ring.lock().parked = parked;
    }

    /// Whether a pipe was put aside.
    pub(crate) fn is_parked(&self) -> bool {
        self.ring.lock().parked.is_some()
    }

    /// Whether frames are in the modem's hands, and how many got done so far.
    pub(crate) fn progress(&self) -> (bool, u64) {
        let mut ring = self.ring.lock();
        let busy = ring.pipe.as_ref().map_or(0, Pipe::in_flight) > 0;
        ring.watched = busy;
        (busy, ring.done)
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
            // Only after a queue was started from elsewhere while the ring was full.
            dev.tx_dropped();
            frame.skb.drop_reason(DropReason::QueuePurge);
            if ring.data.should_stop() {
                dev.stop_queue();
            }
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
        {
            let mut ring = self.ring.lock();
            ring.push_out(dmux);
            ring.start();
            ring.settle(dmux);
        }
        self.wake_queues(dmux);
    }

    /// Attaches an interface again, with its queue stopped if the ring has no place for its frames.
    ///
    /// Any context up to softirq. A frame that is sent on another CPU at this very moment may still
    /// come too early, and is dropped and counted.
    pub(crate) fn attach(&self, interface: &Interface) {
        // Under the lock, so that this CPU sends nothing before the queue is stopped again.
        let mut ring = self.ring.lock();
        interface.attach();
        if ring.data.should_stop() {
            interface.stop_queue();
        }
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
        !ring.open && (ring.pm.is_some() || !ring.waiting.is_empty())
    }

    /// The modem could not be woken, or is lost: drops the frames that wait for it and counts them.
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

    /// Waits until the modem has taken what it was given, at most [`DRAIN_MS`]. Returns whether it has.
    /// The ring is closed. Process context.
    pub(crate) fn drain_pipe(&self) -> bool {
        for _ in 0..DRAIN_MS / DRAIN_STEP_MS {
            if !self.progress().0 {
                return true;
            }
            fsleep(Delta::from_millis(DRAIN_STEP_MS));
        }
        false
    }

    /// Drops everything. No pipe is connected, nothing calls in any more.
    pub(crate) fn purge(&self, dmux: &Arc<Dmux>) {
        self.close();
        self.drop_waiting(dmux);
        self.ring.lock().pm = None;
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
