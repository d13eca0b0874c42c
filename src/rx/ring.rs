// SPDX-License-Identifier: GPL-2.0

//! What is in the receive ring, and the steps that move it. All of it runs under the ring's lock.

use kernel::prelude::*;

use super::super::{
    fifo::Fifo,
    kabi::{
        dma::{
            FromDevice,
            Mapped, //
        },
        dmaengine::{
            Parked,
            Pipe, //
        },
        skb::SkBuff, //
    }, //
};

/// A pipe that was put aside.
pub(crate) type ParkedPipe = Parked<FromDevice, ()>;

pub(super) struct Ring {
    pub(super) pipe: Option<Pipe<FromDevice, ()>>,
    /// A pipe of before, which could not be taken down.
    pub(super) parked: Option<ParkedPipe>,
    /// Buffers that the pipe should have and has not; 0 while no pipe is connected.
    pub(super) missing: usize,
    /// Frames taken out so far, ever.
    pub(super) received: u64,
    /// Frames that were completed when the pipe was taken down, for the next poll.
    pub(super) left_over: Fifo<SkBuff>,
}

impl Ring {
    /// Posts one empty buffer. When no pipe is connected any more it is just freed.
    pub(super) fn post(&mut self, buffer: SkBuff) -> Result {
        let Some(pipe) = self.pipe.as_mut() else {
            buffer.consume();
            return Ok(());
        };
        if self.missing == 0 {
            buffer.consume();
            return Ok(());
        }
        let mapped = Mapped::map(buffer, pipe.mapper()).map_err(|(e, buffer)| {
            buffer.consume();
            e
        })?;
        pipe.submit(mapped, ()).map_err(|(e, mapped, ())| {
            mapped.into_skb().consume();
            e
        })?;
        self.missing -= 1;
        Ok(())
    }

    /// Tells the BAM about what was posted.
    pub(super) fn start(&self) {
        if let Some(pipe) = &self.pipe {
            pipe.issue_pending();
        }
    }

    pub(super) fn take_completed<'a>(
        &mut self,
        places: impl Iterator<Item = &'a mut Option<SkBuff>>,
    ) -> usize {
        let mut count = 0;
        for place in places {
            *place = match self.left_over.pop() {
                Some(buffer) => Some(buffer),
                None => match self.pipe.as_mut().and_then(Pipe::reap) {
                    Some((buffer, ())) => {
                        self.missing += 1;
                        Some(buffer.into_skb())
                    }
                    None => break,
                },
            };
            count += 1;
        }
        self.received = self.received.wrapping_add(count as u64);
        count
    }
}
