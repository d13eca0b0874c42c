// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of `src/kabi/dmaengine.rs` and `src/kabi/dma.rs`, against a DMA engine that moves
//! nothing (`fake_dma.c`).

use kernel::prelude::*;

#[kunit_tests(bam_dmux_dmaengine)]
mod cases {
    use kernel::{
        sync::atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        time::{
            delay::{
                fsleep,
                udelay, //
            },
            Delta, //
        }, //
    };

    use super::super::*;

    use crate::kabi::{
        dma::{
            FromDevice,
            ToDevice, //
        },
        skb::SkBuff, //
    };

    struct Fake(NonNull<bindings::bam_dmux_fake_dma>);

    impl Fake {
        fn new() -> Result<Self> {
            // SAFETY: FFI call without requirements.
            let fake = unsafe { bindings::bam_dmux_fake_dma_create() };
            Ok(Self(NonNull::new(fake).ok_or(ENOMEM)?))
        }

        fn client(&self) -> Result<&Device> {
            // SAFETY: The fake is valid as long as `self`.
            let dev = unsafe { bindings::bam_dmux_fake_dma_client(self.0.as_ptr()) };
            if dev.is_null() {
                return Err(ENODEV);
            }
            // SAFETY: The device lives as long as the fake, or until `remove_client()` has the fake for
            // itself.
            Ok(unsafe { Device::from_raw(dev) })
        }

        /// The device that `client()` returns goes.
        fn remove_client(&mut self) {
            // SAFETY: The fake is valid as long as `self`.
            unsafe { bindings::bam_dmux_fake_dma_remove_client(self.0.as_ptr()) };
        }

        fn request<D: Direction>(&self, notify: &Arc<Watch>) -> Result<Pipe<D, u32>> {
            Pipe::request(self.client()?, c"fake", 4, Some(2048), notify.clone())
        }

        fn complete(&self, n: u32) {
            // SAFETY: The fake is valid as long as `self`.
            unsafe { bindings::bam_dmux_fake_dma_complete(self.0.as_ptr(), n) };
        }

        fn starve(&self, on: bool) {
            // SAFETY: The fake is valid as long as `self`.
            unsafe { bindings::bam_dmux_fake_dma_starve(self.0.as_ptr(), on) };
        }

        /// Transfers that were submitted, and that were issued.
        fn state(&self) -> (u32, u32) {
            // SAFETY: The fake is valid as long as `self`.
            let submitted = unsafe { bindings::bam_dmux_fake_dma_submitted(self.0.as_ptr()) };
            // SAFETY: As above.
            let issued = unsafe { bindings::bam_dmux_fake_dma_issued(self.0.as_ptr()) };
            (submitted, issued)
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            // SAFETY: `new()` has created it, and the pipes of a test are dropped before it.
            unsafe { bindings::bam_dmux_fake_dma_destroy(self.0.as_ptr()) };
        }
    }

    /// Counts notifications; each takes `slow_ms` of softirq time.
    struct Watch {
        begun: Atomic<i32>,
        ended: Atomic<i32>,
        slow_ms: i32,
    }

    impl Watch {
        fn new(slow_ms: i32) -> Result<Arc<Self>> {
            let watch = Self {
                begun: Atomic::new(0),
                ended: Atomic::new(0),
                slow_ms,
            };
            Ok(Arc::new(watch, GFP_KERNEL)?)
        }

        /// Waits until `n` notifications have begun, at most ten seconds.
        fn wait_begun(&self, n: i32) -> bool {
            self.wait(n, &self.begun)
        }

        /// Waits until `n` notifications have ended, at most ten seconds.
        fn wait_ended(&self, n: i32) -> bool {
            self.wait(n, &self.ended)
        }

        fn wait(&self, n: i32, counter: &Atomic<i32>) -> bool {
            for _ in 0..10_000 {
                if counter.load(Acquire) >= n {
                    return true;
                }
                fsleep(Delta::from_millis(1));
            }
            false
        }
    }

    impl Notify for Watch {
        fn completed(&self) {
            self.begun.fetch_add(1, Full);
            for _ in 0..self.slow_ms {
                udelay(Delta::from_micros(999));
            }
            self.ended.store(self.ended.load(Relaxed) + 1, Release);
        }
    }

    /// A buffer of `n` bytes for the device to read.
    fn packet(n: usize) -> Result<SkBuff> {
        let mut skb = SkBuff::alloc(n, 0, GFP_KERNEL)?;
        skb.put_zeroed(n)?;
        Ok(skb)
    }

    fn send(pipe: &mut Pipe<ToDevice, u32>, value: u32) -> Result {
        let mapped = Mapped::map(packet(100)?, pipe.mapper()).map_err(|(e, _)| e)?;
        pipe.submit(mapped, value).map_err(|(e, _, _)| e)
    }

    /// Buffers come back in order with what was given with them, and only after their transfer.
    #[test]
    fn completed_buffers_come_back_in_order() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request(&watch)?;
        for value in 1..=3 {
            send(&mut pipe, value)?;
        }
        assert!(fake.state() == (3, 0));
        pipe.issue_pending();
        assert!(fake.state() == (0, 3));
        assert!(pipe.reap().is_none());
        fake.complete(2);
        assert!(watch.wait_ended(2));
        assert!(pipe
            .reap()
            .is_some_and(|(m, v)| v == 1 && m.into_skb().len() == 100));
        assert!(pipe.reap().is_some_and(|(_, v)| v == 2));
        assert!(pipe.reap().is_none());
        assert!(pipe.in_flight() == 1);
        Ok(())
    }

    /// A buffer that a device wrote to is as large as it was made.
    #[test]
    fn received_buffer_has_its_capacity() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request::<FromDevice>(&watch)?;
        let skb = SkBuff::alloc_rx(2048, GFP_KERNEL)?;
        let mapped = Mapped::map(skb, pipe.mapper()).map_err(|(e, _)| e)?;
        assert!(mapped.len() == 2048);
        pipe.submit(mapped, 7).map_err(|(e, _, _)| e)?;
        pipe.issue_pending();
        fake.complete(1);
        assert!(watch.wait_ended(1));
        let (mapped, value) = pipe.reap().ok_or(EIO)?;
        let mut skb = mapped.into_skb();
        assert!(value == 7);
        skb.received(2048)?;
        assert!(skb.linear().iter().all(|b| *b == 0));
        Ok(())
    }

    /// Shutting down returns everything in flight, in order, and tells what had completed.
    #[test]
    fn shutdown_returns_what_is_in_flight() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request(&watch)?;
        for value in 1..=3 {
            send(&mut pipe, value)?;
        }
        pipe.issue_pending();
        fake.complete(1);
        assert!(watch.wait_ended(1));
        let mut rest = pipe.shutdown();
        assert!(fake.state() == (0, 0));
        assert!(rest.next().is_some_and(|(_, v, done)| v == 1 && done));
        assert!(rest.next().is_some_and(|(_, v, done)| v == 2 && !done));
        assert!(rest.next().is_some_and(|(_, v, done)| v == 3 && !done));
        assert!(rest.next().is_none());
        Ok(())
    }

    /// Shutting down waits for a callback that is running on another CPU, though the DMA engine
    /// cannot wait for it.
    #[test]
    fn shutdown_waits_for_a_running_callback() -> Result {
        let fake = Fake::new()?;
        let mut overlaps = 0;
        // Whether the callback is still running when the shutdown begins is up to the scheduler.
        for _ in 0..20 {
            let watch = Watch::new(100)?;
            let mut pipe = fake.request(&watch)?;
            send(&mut pipe, 1)?;
            pipe.issue_pending();
            fake.complete(1);
            assert!(watch.wait_begun(1));
            let overlap = watch.ended.load(Acquire) == 0;
            drop(pipe.shutdown());
            assert!(watch.ended.load(Acquire) == 1);
            if overlap {
                overlaps += 1;
            }
            if overlaps == 3 {
                return Ok(());
            }
        }
        // With one CPU it never is.
        assert!(overlaps > 0 || kernel::cpu::nr_cpu_ids() == 1);
        Ok(())
    }

    /// A pipe that is put aside keeps its buffers from everybody and the channel from new owners, and
    /// gives up both when it is shut down.
    #[test]
    fn parked_pipe_keeps_what_it_has() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request::<ToDevice>(&watch)?;
        send(&mut pipe, 1)?;
        send(&mut pipe, 2)?;
        pipe.issue_pending();
        let parked = pipe.park();
        assert!(fake.state() == (0, 2));
        assert!(fake.request::<ToDevice>(&watch).is_err());
        // The engine goes on with what it has.
        fake.complete(1);
        assert!(watch.wait_ended(1));
        let mut contents = parked.contents();
        assert!(contents.next() == Some((&1, true)));
        assert!(contents.next() == Some((&2, false)));
        assert!(contents.next().is_none());
        drop(contents);
        let mut rest = parked.shutdown();
        assert!(fake.state() == (0, 0));
        assert!(rest.next().is_some_and(|(_, v, done)| v == 1 && done));
        assert!(rest.next().is_some_and(|(_, v, done)| v == 2 && !done));
        drop(rest);
        assert!(fake.request::<ToDevice>(&watch).is_ok());
        Ok(())
    }

    /// A channel can be given back when the device that it was requested for is gone: the kernel does not
    /// look into what was freed, and does not warn of the link that went with it.
    #[test]
    fn channel_outlives_its_consumer() -> Result {
        let mut fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request::<ToDevice>(&watch)?;
        send(&mut pipe, 1)?;
        let parked = pipe.park();
        fake.remove_client();
        let mut rest = parked.shutdown();
        assert!(rest.next().is_some_and(|(_, v, done)| v == 1 && !done));
        assert!(rest.next().is_none());
        Ok(())
    }

    /// After shutdown nobody holds the receiver of the notifications, whatever was in flight.
    #[test]
    fn shutdown_gives_up_the_receiver() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request(&watch)?;
        send(&mut pipe, 1)?;
        send(&mut pipe, 2)?;
        pipe.issue_pending();
        fake.complete(1);
        drop(pipe);
        assert!(Arc::into_unique_or_drop(watch).is_some());
        Ok(())
    }

    /// What does not fit, or finds no descriptor, is given back.
    #[test]
    fn refused_buffer_is_given_back() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request(&watch)?;
        fake.starve(true);
        let mapped = Mapped::map(packet(60)?, pipe.mapper()).map_err(|(e, _)| e)?;
        let (e, mapped, value) = pipe.submit(mapped, 9).err().ok_or(EIO)?;
        assert!(e == ENOMEM && value == 9 && mapped.len() == 60);
        assert!(pipe.in_flight() == 0);
        fake.starve(false);
        for value in 0..4 {
            send(&mut pipe, value)?;
        }
        assert!(pipe.room() == 0);
        let (e, mapped, _) = pipe.submit(mapped, 9).err().ok_or(EIO)?;
        assert!(e == ENOSPC);
        assert!(mapped.into_skb().len() == 60);
        Ok(())
    }

    /// A buffer that was mapped for another device is given back, and the engine never sees it.
    #[test]
    fn buffer_of_another_device_is_refused() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let mut pipe = fake.request::<ToDevice>(&watch)?;
        let other = Mapper::new(fake.client()?);
        let mapped = Mapped::map(packet(60)?, &other).map_err(|(e, _)| e)?;
        let (e, mapped, value) = pipe.submit(mapped, 9).err().ok_or(EIO)?;
        assert!(e == EINVAL && value == 9);
        assert!(pipe.in_flight() == 0 && fake.state() == (0, 0));
        assert!(mapped.into_skb().len() == 60);
        // Whoever has made the mapper: what counts is the device.
        let same = pipe.mapper().clone();
        let mapped = Mapped::map(packet(60)?, &same).map_err(|(e, _)| e)?;
        assert!(pipe.submit(mapped, 1).is_ok());
        Ok(())
    }

    /// A channel has one owner at a time, and a new one after it was given back.
    #[test]
    fn channel_has_one_owner() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let first = fake.request::<ToDevice>(&watch)?;
        assert!(fake.request::<ToDevice>(&watch).is_err());
        drop(first);
        assert!(fake.request::<ToDevice>(&watch).is_ok());
        Ok(())
    }

    /// A buffer without data cannot be sent, and one that is no receive buffer cannot receive.
    #[test]
    fn unfit_buffers_are_not_mapped() -> Result {
        let fake = Fake::new()?;
        let watch = Watch::new(0)?;
        let pipe = fake.request::<ToDevice>(&watch)?;
        let empty = SkBuff::alloc(64, 0, GFP_KERNEL)?;
        let (e, empty) = Mapped::<ToDevice>::map(empty, pipe.mapper())
            .err()
            .ok_or(EIO)?;
        assert!(e == EINVAL);
        let (e, _) = Mapped::<FromDevice>::map(empty, pipe.mapper())
            .err()
            .ok_or(EIO)?;
        assert!(e == EINVAL);
        Ok(())
    }
}
