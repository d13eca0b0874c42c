// SPDX-License-Identifier: GPL-2.0

//! The receive ring: from the modem to an interface.
//!
//! Buffers of [`BUFFER_LEN`] bytes are posted while the BAM has power; completed ones are taken
//! out by NAPI, checked, and handed to the stack through GRO. Each is replaced in the same poll,
//! by a fresh one or, when its frame was small enough to be copied or not for the stack, by itself.
//!
//! The modem is not trusted, and the DMA engine does not tell how much it wrote:
//!
//! - A buffer is all zeroes when it is posted. Whatever length the header claims, bytes that the
//!   modem did not write *this time* are zeroes, never old memory of Linux.
//! - The buffer belongs to Linux alone when its header is read: it is unmapped first. The header
//!   is copied out once, and only the copy is looked at.
//!
//! Limitations:
//! - Without an IOMMU nothing stops a modem that writes to a buffer after its completion; no
//!   length is read from there a second time.

use kernel::{
    fmt,
    prelude::*,
    sync::Arc, //
};

use super::{
    dmux::Dmux,
    fifo::Fifo,
    kabi::{
        devlink::Object,
        dmaengine::{
            Parked,
            Pipe, //
        },
        napi::Poll,
        skb::{
            DropReason,
            SkBuff, //
        },
        sync::{
            new_spinlock_bh,
            SpinLockBh, //
        }, //
    },
    protocol::frame::BUFFER_LEN, //
};

mod frame;
mod ring;

use frame::{
    receive,
    was_written, //
};
pub(crate) use ring::ParkedPipe;
use ring::Ring;

/// Buffers posted. What firmware assumes of a driver that does not negotiate.
const RING_LEN: usize = 32;

/// Frames taken out of the ring at a time.
const BATCH: usize = 16;

/// Descriptors that the BAM may complete before it interrupts at the latest, in bytes: as the
/// modem's firmware is used to.
const MAX_BURST: u32 = 2048;

/// The receive ring of one device.
#[pin_data]
pub(crate) struct Rx {
    #[pin]
    ring: SpinLockBh<Ring>,
}

impl Rx {
    /// A ring without a pipe. Process context; fails with `ENOMEM`.
    pub(crate) fn new() -> Result<impl PinInit<Self, Error>> {
        let ring = Ring {
            pipe: None,
            parked: None,
            missing: 0,
            received: 0,
            left_over: Fifo::new(RING_LEN, GFP_KERNEL)?,
        };
        Ok(try_pin_init!(Self {
            ring <- new_spinlock_bh!(ring),
        }? Error))
    }

    /// Connects the pipe and fills it. BAM has power. Process context.
    ///
    /// # Errors
    ///
    /// - `ENOMEM` when not a single buffer could be posted.
    /// - What the DMA engine says when it has no channel.
    pub(crate) fn connect(&self, dmux: &Arc<Dmux>) -> Result {
        let pipe = Pipe::request(dmux.dev(), c"rx", RING_LEN, Some(MAX_BURST), dmux.clone())?;
        {
            let mut ring = self.ring.lock();
            ring.pipe = Some(pipe);
            ring.missing = RING_LEN;
        }
        if self.refill(dmux).is_err() {
            if self.ring.lock().missing == RING_LEN {
                self.disconnect(dmux);
                return Err(ENOMEM);
            }
            dmux.refill_later();
        }
        Ok(())
    }

    /// Takes the pipe down while BAM still has power. Process context.
    ///
    /// Frames that arrived before are still delivered, from the next poll; also those whose completion
    /// the DMA engine had not reported yet, which it forgets when it is stopped.
    pub(crate) fn disconnect(&self, dmux: &Arc<Dmux>) {
        let pipe = {
            let mut ring = self.ring.lock();
            ring.missing = 0;
            ring.pipe.take()
        };
        let Some(pipe) = pipe else {
            return;
        };
        // Buffers are used in order: the first that was not used ends the frames.
        let mut arrived = true;
        for (buffer, (), completed) in pipe.shutdown() {
            let mut buffer = buffer.into_skb();
            if !completed {
                arrived = arrived && was_written(&mut buffer);
                if !arrived {
                    dmux.counters.rx_reclaimed.inc();
                    buffer.consume();
                    continue;
                }
                dmux.counters.rx_unreported.inc();
            }
            if let Err(buffer) = self.ring.lock().left_over.push(buffer) {
                // The modem switches faster than Linux can poll.
                dmux.counters.rx_overrun.inc();
                buffer.drop_reason(DropReason::QueuePurge);
            }
        }
        dmux.poll_soon();
    }

    /// Puts the pipe aside: the BAM may be without power, and is not touched. Frames that were reported
    /// before are still delivered; the other buffers stay the modem's. Any context up to softirq.
    pub(crate) fn abandon(&self, dmux: &Arc<Dmux>) {
        {
            let mut ring = self.ring.lock();
            ring.missing = 0;
            let Some(mut pipe) = ring.pipe.take() else {
                return;
            };
            while let Some((buffer, ())) = pipe.reap() {
                if let Err(buffer) = ring.left_over.push(buffer.into_skb()) {
                    dmux.counters.rx_overrun.inc();
                    buffer.drop_reason(DropReason::QueuePurge);
                }
            }
            ring.parked = Some(pipe.park());
        }
        dmux.poll_soon();
    }

    /// Takes down the pipe that was put aside. BAM has power. Process context.
    pub(crate) fn dispose(&self, dmux: &Arc<Dmux>) {
        let parked = self.ring.lock().parked.take();
        for (buffer, (), _) in parked.into_iter().flat_map(Parked::shutdown) {
            // Whatever is in it is from before the modem was lost.
            dmux.counters.rx_reclaimed.inc();
            buffer.into_skb().consume();
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

    /// How many frames came so far, ever.
    pub(crate) fn received(&self) -> u64 {
        self.ring.lock().received
    }

    /// Whether a pipe was put aside.
    pub(crate) fn is_parked(&self) -> bool {
        self.ring.lock().parked.is_some()
    }

    /// Posts fresh buffers until none is missing. Process context; sleeps for memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when some are still missing.
    pub(crate) fn refill(&self, dmux: &Arc<Dmux>) -> Result {
        let result = self.post_missing();
        // Also when some are still missing: those that are there shall be used.
        self.ring.lock().start();
        result.inspect_err(|_| dmux.counters.rx_refill_failed.inc())
    }

    fn post_missing(&self) -> Result {
        while self.ring.lock().missing > 0 {
            let buffer = SkBuff::alloc_rx(BUFFER_LEN, GFP_KERNEL)?;
            self.ring.lock().post(buffer)?;
        }
        Ok(())
    }

    /// Takes completed frames out of the ring and hands them on, at most `budget`.
    ///
    /// From NAPI. Returns the number of buffers handled.
    pub(crate) fn poll(&self, dmux: &Arc<Dmux>, poll: &Poll<'_>, budget: usize) -> usize {
        let mut done = 0;
        while done < budget {
            let mut batch = [const { None }; BATCH];
            let limit = BATCH.min(budget - done);
            let count = self
                .ring
                .lock()
                .take_completed(batch.iter_mut().take(limit));
            if count == 0 {
                break;
            }
            for place in batch.iter_mut().take(count) {
                if let Some(buffer) = place.take() {
                    *place = receive(dmux, poll, buffer);
                }
            }
            self.replace(dmux, batch.into_iter().take(count));
            done += count;
        }
        done
    }

    /// Posts a buffer for each place of a batch: the old one where it came back, else a new one.
    fn replace(&self, dmux: &Arc<Dmux>, batch: impl Iterator<Item = Option<SkBuff>>) {
        let mut fresh = [const { None }; BATCH];
        for (place, old) in fresh.iter_mut().zip(batch) {
            *place = match old {
                Some(mut buffer) => {
                    buffer.reset_rx();
                    Some(buffer)
                }
                None => SkBuff::alloc_rx(BUFFER_LEN, GFP_ATOMIC).ok(),
            };
        }

        let mut ring = self.ring.lock();
        for buffer in fresh.into_iter().flatten() {
            if ring.post(buffer).is_err() {
                break;
            }
        }
        ring.start();
        if ring.missing > 0 {
            drop(ring);
            dmux.counters.rx_refill_failed.inc();
            dmux.refill_later();
        }
    }

    /// The ring's state for health reports. Process context.
    pub(crate) fn describe(&self, out: &mut Object<'_>) {
        // Copied out: writing it down sleeps.
        let (connected, posted, missing, left_over) = {
            let ring = self.ring.lock();
            (
                ring.pipe.is_some(),
                ring.pipe.as_ref().map_or(0, Pipe::in_flight),
                ring.missing,
                ring.left_over.len(),
            )
        };
        out.bool(c"connected", connected);
        out.u64(c"posted", posted as u64);
        out.u64(c"missing", missing as u64);
        out.u64(c"left_over", left_over as u64);
    }

    /// The ring's state for people.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring.lock();
        writeln!(
            f,
            "rx: connected={} parked={} posted={} missing={}",
            ring.pipe.is_some(),
            ring.parked.as_ref().map_or(0, Parked::in_flight),
            ring.pipe.as_ref().map_or(0, Pipe::in_flight),
            ring.missing
        )
    }
}
