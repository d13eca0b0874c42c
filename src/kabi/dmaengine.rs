// SPDX-License-Identifier: GPL-2.0

//! A channel of a DMA engine as a first-in, first-out queue of buffers.
//!
//! A [`Pipe`] owns the channel and every buffer that was submitted to it, until the buffer is
//! [reaped](Pipe::reap) or the pipe is [shut down](Pipe::shutdown). There is no way to get at a
//! buffer while the hardware has it, nor to lose one.
//!
//! ```ignore
//! let mut pipe = Pipe::<ToDevice, Frame>::request(dev, c"tx", 32, None, notify)?;
//! pipe.submit(mapped, frame)?;        // under a lock that also excludes softirqs
//! pipe.issue_pending();
//! // notify.completed() runs, then:
//! while let Some((mapped, frame)) = pipe.reap() { /* ... */ }
//! // and at the end, outside of the lock:
//! for (mapped, frame, completed) in pipe.shutdown() { /* ... */ }
//! ```
//!
//! # When has the last callback ended?
//!
//! The buffers may be freed and the driver's code unloaded only after the last callback has
//! returned. `dmaengine_synchronize()` is meant to wait for that, but does nothing for a provider
//! without `device_synchronize`, of which `bam_dma` is one. The pipe relies on two facts instead:
//!
//! - Providers call back from a tasklet, with softirqs off. A section with softirqs off is an RCU
//!   read-side critical section, also on `PREEMPT_RT`.
//! - `device_terminate_all` takes all descriptors off all lists, under the lock under which the
//!   tasklet picks its descriptors up. So a tasklet that starts later finds none.
//!
//! A callback that is still running was therefore picked up in a read-side section that began before
//! terminating had ended, and an RCU grace period that begins after it waits for that section.
//! `dmaengine_synchronize()` is called first nevertheless, for providers that have it.
//!
//! # A DMA engine without power
//!
//! The API has no way to take transfers back, or to give a channel up, that is known not to touch the
//! hardware. A pipe of an engine that may be dark is [parked](Pipe::park) until it is known to have
//! power again.
//!
//! Limitations:
//! - Not for providers that call back in threads, or that do not fulfil the second fact.
//! - The number of bytes moved is not known: the providers of interest do not report it.
//! - Requesting, terminating and releasing a channel touch the registers of the DMA engine. If
//!   somebody else powers it (`qcom,powered-remotely`), it is the caller who must know that it is
//!   powered.
//! - The DMA engine must stay bound as long as the pipe lives. For channels named in the
//!   devicetree the driver core sees to it as long as the consumer is bound: it unbinds the consumer
//!   first (device links). Nothing does so for a [`Parked`] pipe that outlives that. The channel keeps
//!   the engine's module loaded, but root can unbind the engine by sysfs, and its channels are freed.
//!
//! C header: [`include/linux/dmaengine.h`](srctree/include/linux/dmaengine.h)

use super::{
    bindings,
    dma::{
        Direction,
        Mapped,
        Mapper, //
    },
    platform::device_as_raw,
    sync::rcu, //
};

use core::ptr::NonNull;

use kernel::{
    device::Device,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

mod parked;
mod queue;

pub use parked::Parked;
pub use queue::{
    Drained,
    Notify, //
};
use queue::{
    Queue,
    Slot, //
};

/// An owned channel.
///
/// # Invariants
///
/// - `raw` is a channel that `dma_request_chan()` gave to us alone, not yet released.
/// - `consumer` is the device that it was requested for. The DMA engine core has a pointer to it, but
///   no reference.
/// - If `idle`, the provider has no descriptor of ours and no callback of ours runs.
struct Channel {
    raw: NonNull<bindings::dma_chan>,
    consumer: ARef<Device>,
    idle: bool,
}

// SAFETY: A channel is not tied to a task, and providers lock their own data.
unsafe impl Send for Channel {}

impl Channel {
    fn request(dev: &Device, name: &CStr) -> Result<Self> {
        // SAFETY: `dev` is a valid device and `name` a string that is only read during the call.
        let raw = from_err_ptr(unsafe {
            bindings::bam_dmux_helper_dma_request_chan(device_as_raw(dev), name.as_char_ptr())
        })?;
        // INVARIANT: The channel is ours, and nothing was submitted yet.
        let channel = Self {
            raw: NonNull::new(raw).ok_or(ENODEV)?,
            consumer: dev.into(),
            idle: true,
        };
        // SAFETY: By the type invariant, the channel is valid.
        if !unsafe { bindings::bam_dmux_helper_dmaengine_can_terminate(channel.raw.as_ptr()) } {
            return Err(EOPNOTSUPP);
        }
        Ok(channel)
    }

    /// Takes everything back from the provider. On success no callback runs any more.
    fn stop(&mut self) -> Result {
        if self.idle {
            return Ok(());
        }
        let raw = self.raw.as_ptr();
        // SAFETY: By the type invariant, the channel is valid.
        to_result(unsafe { bindings::bam_dmux_helper_dmaengine_terminate_async(raw) })?;
        // SAFETY: As above.
        unsafe { bindings::bam_dmux_helper_dmaengine_synchronize(raw) };
        rcu::synchronize_expedited();
        // INVARIANT: See the module's documentation.
        self.idle = true;
        Ok(())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if !self.idle {
            // A channel that could not be stopped is kept: its next owner would see our transfers. So
            // is the device that the core has a pointer to.
            core::mem::forget(self.consumer.clone());
            return;
        }
        // SAFETY: By the type invariants, the channel is ours, nothing is under way in it, and the
        // device that it was requested for is not freed yet.
        unsafe { bindings::bam_dmux_helper_dma_release_channel(self.raw.as_ptr()) };
    }
}

/// A DMA channel and the buffers that are in flight in it, each with a value of type `M`.
///
/// All transfers have the direction `D`.
///
/// Dropping it is [shutting it down](Self::shutdown) and dropping what was in flight. It may be
/// forgotten, though that leaks the channel and all buffers.
///
/// # Invariants
///
/// - `queue` holds the buffer and the callback's slot of each descriptor that the provider has, and
///   neither goes away before `channel` has stopped or the descriptor's callback has run.
/// - `mapper` maps for the device that does the transfers of `channel`.
pub struct Pipe<D: Direction, M> {
    channel: Channel,
    mapper: Mapper,
    queue: Queue<(Mapped<D>, M)>,
}

impl<D: Direction, M> Pipe<D, M> {
    /// Requests the channel called `name` in the `dma-names` of `dev`, for at most `depth` buffers
    /// in flight. `maxburst` (bytes for `bam_dma`) configures the channel unless it is `None`.
    ///
    /// `notify` is told of every completion, in softirq context. The pipe holds it as long as it
    /// lives: whoever owns the pipe and is itself `notify` must shut the pipe down, it will not
    /// happen by reference counts.
    ///
    /// Process context, sleeps. Touches the registers of the DMA engine.
    ///
    /// # Errors
    ///
    /// - `EPROBE_DEFER`: the DMA engine has no driver yet.
    /// - `ENODEV`: there is no such channel, or it has an owner.
    /// - `EINVAL`: `depth` is zero.
    /// - `EOPNOTSUPP`: the provider cannot take transfers back.
    /// - `ENOMEM`; and what the provider returns for the configuration.
    pub fn request<N: Notify>(
        dev: &Device,
        name: &CStr,
        depth: usize,
        maxburst: Option<u32>,
        notify: Arc<N>,
    ) -> Result<Self> {
        let queue = Queue::new(depth, notify)?;
        let channel = Channel::request(dev, name)?;
        let raw = channel.raw.as_ptr();

        if let Some(maxburst) = maxburst {
            // SAFETY: By the type invariant of `Channel`, it is valid.
            to_result(unsafe {
                bindings::bam_dmux_helper_dmaengine_set_maxburst(raw, D::TRANSFER, maxburst)
            })?;
        }

        // SAFETY: By the type invariant of `Channel`, it is valid.
        let dma_dev = unsafe { bindings::bam_dmux_helper_dmaengine_get_dma_device(raw) };
        // SAFETY: The device of a channel lives at least as long as the channel has an owner, and
        // the reference is only used here.
        let mapper = Mapper::new(unsafe { Device::from_raw(dma_dev) });

        // INVARIANT: The queue is empty, as is the channel, whose device was asked for above.
        Ok(Self {
            channel,
            mapper,
            queue,
        })
    }

    /// Returns what maps buffers for this pipe.
    pub fn mapper(&self) -> &Mapper {
        &self.mapper
    }

    /// How many more buffers can be submitted.
    pub fn room(&self) -> usize {
        self.queue.room()
    }

    /// How many buffers were submitted and not yet reaped.
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// Hands a buffer over to the DMA engine, which starts on it after
    /// [`issue_pending()`](Self::issue_pending). Each buffer is a packet of its own for the hardware.
    ///
    /// Any context.
    ///
    /// # Errors
    ///
    /// What was given is returned with the error.
    ///
    /// - `EINVAL`: the buffer was mapped for another device than that of [`mapper()`](Self::mapper).
    /// - `ENOSPC`: there is no [`room()`](Self::room).
    /// - `ENOMEM`: the provider has no descriptor.
    pub fn submit(&mut self, mapped: Mapped<D>, m: M) -> Result<(), (Error, Mapped<D>, M)> {
        if !mapped.is_for(&self.mapper) {
            return Err((EINVAL, mapped, m));
        }
        let Some(slot) = self.queue.free_slot() else {
            return Err((ENOSPC, mapped, m));
        };
        let raw = self.channel.raw.as_ptr();

        // With DMA_PREP_INTERRUPT `bam_dma` marks the descriptor as the end of a packet. A mere
        // callback would not do that.
        //
        // SAFETY: By the type invariant of `Channel`, it is valid. The buffer is mapped for the device of
        // `mapper`, which is the channel's, and in the direction of all transfers.
        let desc = unsafe {
            bindings::bam_dmux_helper_dmaengine_prep_slave_single(
                raw,
                mapped.addr(),
                mapped.len(),
                D::TRANSFER,
                bindings::dma_ctrl_flags_DMA_PREP_INTERRUPT as c_ulong,
            )
        };
        if desc.is_null() {
            return Err((ENOMEM, mapped, m));
        }

        self.channel.idle = false;
        // SAFETY: `desc` was prepared just now and nobody else has it. `slot` is not in use by
        // another descriptor and, by the type invariant of `Pipe`, stays until the callback has run
        // or cannot run any more.
        let ret = to_result(unsafe {
            bindings::bam_dmux_helper_dmaengine_submit(
                desc,
                Some(Slot::callback),
                slot.as_ptr().cast(),
            )
        });
        if let Err(e) = ret {
            // The provider did not take the descriptor: it will not call back.
            return Err((e, mapped, m));
        }

        // INVARIANT: The buffer goes into the place of `slot`. Only `reap()` and a stop take it out.
        self.queue.push((mapped, m));
        Ok(())
    }

    /// Lets the DMA engine start on all buffers submitted so far. Any context.
    pub fn issue_pending(&self) {
        // SAFETY: By the type invariant of `Channel`, it is valid.
        unsafe { bindings::bam_dmux_helper_dma_async_issue_pending(self.channel.raw.as_ptr()) };
    }

    /// Takes the oldest buffer out, if its transfer has completed. Any context.
    ///
    /// Buffers come out in the order in which they were submitted: one that has completed before an
    /// older one waits for it.
    pub fn reap(&mut self) -> Option<(Mapped<D>, M)> {
        self.queue.pop_completed()
    }

    /// Stops the DMA engine and returns all buffers in flight, oldest first, each with whether its
    /// transfer had completed. A buffer that had not may still have been moved in part, or in full.
    ///
    /// When this returns, no callback runs any more and the channel has no owner.
    ///
    /// Process context, sleeps. Touches the registers of the DMA engine.
    pub fn shutdown(mut self) -> Drained<(Mapped<D>, M)> {
        self.stop().into_drained()
    }

    /// Stops the channel and takes out what is safe to free afterwards.
    fn stop(&mut self) -> Queue<(Mapped<D>, M)> {
        let queue = core::mem::replace(&mut self.queue, Queue::empty());
        if let Err(e) = self.channel.stop() {
            // The hardware may still read and write the buffers, so they must never be freed.
            pr_err!("cannot stop a DMA channel ({e:?}); its buffers are lost\n");
            core::mem::forget(queue);
            return Queue::empty();
        }
        queue
    }
}

impl<D: Direction, M> Drop for Pipe<D, M> {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[path = "../../tests/kunit/dmaengine.rs"]
mod tests;
