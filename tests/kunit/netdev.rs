// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of `src/kabi/netdev.rs`.
//!
//! Packets of the tests carry an EtherType for experiments. What else the stack sends through a
//! device that is up (IPv6 does) is ignored.

use kernel::prelude::*;

#[kunit_tests(bam_dmux_netdev)]
mod cases {
    use kernel::{
        faux,
        sync::{
            atomic::Full,
            Arc, //
        },
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use super::super::{
        super::napi::{
            Napi,
            Poller, //
        },
        *,
    };

    /// `ETH_P_802_EX1`.
    const ETHERTYPE: u16 = 0x88b5;
    const LEN: usize = 20;

    /// What the callbacks of a device saw.
    #[derive(Default)]
    struct Seen {
        opened: Counter,
        stopped: Counter,
        sent: Counter,
        dropped: Counter,
        /// Packets that were not as they were sent.
        damaged: Counter,
        /// Callbacks after the private data was dropped.
        too_late: Counter,
    }

    struct Counter(Atomic<i32>);

    impl Default for Counter {
        fn default() -> Self {
            Self(Atomic::new(0))
        }
    }

    impl Counter {
        fn inc(&self) {
            self.0.fetch_add(1, Full);
        }

        fn get(&self) -> i32 {
            self.0.load(Relaxed)
        }
    }

    /// Private data of the devices under test.
    struct Card {
        seen: Arc<Seen>,
        /// Packets to be refused.
        refuse: Atomic<i32>,
        /// Report packets to BQL.
        limit: bool,
        /// Fail in `open`.
        broken: bool,
    }

    impl Drop for Card {
        fn drop(&mut self) {
            self.seen.dropped.inc();
        }
    }

    impl Card {
        fn new(seen: &Arc<Seen>) -> Self {
            Self {
                seen: seen.clone(),
                refuse: Atomic::new(0),
                limit: false,
                broken: false,
            }
        }

        fn called(&self) {
            if self.seen.dropped.get() != 0 {
                self.seen.too_late.inc();
            }
        }
    }

    impl Operations for Card {
        fn open(dev: &Device<Self>) -> Result {
            let this = dev.private();
            this.called();
            if this.broken {
                return Err(EIO);
            }
            this.seen.opened.inc();
            dev.start_queue();
            Ok(())
        }

        fn stop(dev: &Device<Self>) {
            dev.private().called();
            dev.private().seen.stopped.inc();
            dev.stop_queue();
        }

        fn start_xmit(dev: &Device<Self>, skb: SkBuff) -> Xmit {
            let this = dev.private();
            this.called();
            if skb.protocol() != ETHERTYPE {
                skb.consume();
                return Xmit::Ok;
            }
            if this.refuse.load(Relaxed) > 0 {
                this.refuse.fetch_sub(1, Full);
                return Xmit::Busy(skb);
            }
            if skb.linear() != [0; LEN] {
                this.seen.damaged.inc();
            }
            this.seen.sent.inc();
            if this.limit {
                dev.sent(skb.len(), false);
            }
            dev.tx_add(1, skb.len());
            skb.consume();
            Xmit::Ok
        }

        fn stats64(_dev: &Device<Self>, stats: &mut Stats64) {
            stats.add_rx_length_errors(3);
            stats.add_tx_errors(5);
        }
    }

    /// A faux device as any device.
    fn generic(parent: &faux::Registration) -> &device::Device {
        parent.as_ref().as_ref()
    }

    /// A device with its parent.
    struct Bench {
        netdev: NetDev<Card>,
        seen: Arc<Seen>,
        _parent: faux::Registration,
    }

    impl Bench {
        fn new(change: impl FnOnce(&mut Card)) -> Result<Self> {
            let seen = Arc::new(Seen::default(), GFP_KERNEL)?;
            let parent = faux::Registration::new(c"bam_dmux_kunit", None)?;
            let mut card = Card::new(&seen);
            change(&mut card);
            let netdev = NetDev::new(&Config::raw_ip_wwan(generic(&parent)), card)?;

            Ok(Self {
                netdev,
                seen,
                _parent: parent,
            })
        }

        fn up(change: impl FnOnce(&mut Card)) -> Result<Self> {
            let bench = Self::new(change)?;
            bench.netdev.register()?;
            bench.open()?;
            Ok(bench)
        }

        fn open(&self) -> Result {
            // SAFETY: FFI call without requirements.
            unsafe { bindings::rtnl_lock() };
            // SAFETY: The device is registered, and RTNL is held.
            let result = unsafe { bindings::dev_open(self.netdev.as_raw(), ptr::null_mut()) };
            // SAFETY: RTNL was taken above.
            unsafe { bindings::rtnl_unlock() };
            to_result(result)
        }

        /// Has the stack send one packet.
        fn send(&self) -> Result {
            let mut skb = SkBuff::alloc(LEN, 64, GFP_KERNEL)?;
            skb.put_zeroed(LEN)?;
            skb.set_protocol(ETHERTYPE);
            let skb = skb.into_raw().as_ptr();
            // SAFETY: The device is registered. The packet is ours, and given away.
            unsafe { bindings::bam_dmux_kunit_dev_queue_xmit(self.netdev.as_raw(), skb) };
            Ok(())
        }

        fn stats(&self) -> bindings::rtnl_link_stats64 {
            let mut stats = bindings::rtnl_link_stats64::default();
            // SAFETY: The device is valid, `stats` is valid for writes.
            unsafe { bindings::dev_get_stats(self.netdev.as_raw(), &mut stats) };
            stats
        }
    }

    /// Waits at most a second for `done`.
    fn wait_until(done: impl Fn() -> bool) -> bool {
        for _ in 0..1000 {
            if done() {
                return true;
            }
            fsleep(Delta::from_millis(1));
        }
        done()
    }

    fn name_is(name: &Name, start: &[u8]) -> bool {
        name.0.iter().zip(start).all(|(a, b)| a == b)
    }

    /// What is configured is what the C object says, where user space looks for it.
    #[test]
    fn configuration_reaches_the_device() -> Result {
        let seen = Arc::new(Seen::default(), GFP_KERNEL)?;
        let parent = faux::Registration::new(c"bam_dmux_kunit", None)?;
        let config = Config {
            dev_port: 7,
            max_mtu: 2040,
            needed_headroom: 8,
            needed_tailroom: 3,
            watchdog_ms: 2000,
            ..Config::raw_ip_wwan(generic(&parent))
        };
        let netdev = NetDev::new(&config, Card::new(&seen))?;
        // SAFETY: The device is valid.
        let raw = unsafe { &*netdev.as_raw() };

        assert!(name_is(&netdev.name(), b"wwan%d\0"));
        assert!((raw.dev_port, raw.mtu, raw.max_mtu) == (7, 1500, 2040));
        assert!((raw.needed_headroom, raw.needed_tailroom) == (8, 3));
        assert!((raw.type_, raw.addr_len, raw.hard_header_len) == (519, 0, 0));
        assert!(raw.flags == 0x90);
        assert!(raw.tx_queue_len == 1000);
        // Locally administered, not multicast.
        assert!(raw.perm_addr[0] & 3 == 2);
        assert!(raw.watchdog_timeo > 0);
        Ok(())
    }

    /// Netpoll, which would send with interrupts disabled, is refused.
    #[test]
    fn netpoll_is_refused() -> Result {
        let bench = Bench::new(|_| ())?;

        // SAFETY: The device is valid.
        assert!(unsafe { bindings::bam_dmux_kunit_netpoll_disabled(bench.netdev.as_raw()) });
        Ok(())
    }

    /// A name that is too long is an error, and the private data is never made.
    #[test]
    fn long_name_is_refused() -> Result {
        let seen = Arc::new(Seen::default(), GFP_KERNEL)?;
        let parent = faux::Registration::new(c"bam_dmux_kunit", None)?;
        let mut config = Config::raw_ip_wwan(generic(&parent));

        config.name = c"sixteen-bytes-xx";
        let result = NetDev::new(&config, Card::new(&seen));
        assert!(result.err() == Some(ENAMETOOLONG));
        config.name = c"fifteen-bytes-x";
        assert!(NetDev::new(&config, Card::new(&seen)).is_ok());
        Ok(())
    }

    /// When the private data cannot be made, its error comes back.
    #[test]
    fn failing_private_data_fails_the_device() -> Result {
        let parent = faux::Registration::new(c"bam_dmux_kunit", None)?;
        let config = Config::raw_ip_wwan(generic(&parent));

        // SAFETY: An initialiser that fails has nothing to initialise.
        let fails = unsafe { pin_init::pin_init_from_closure::<Card, Error>(|_| Err(EIO)) };
        assert!(NetDev::new(&config, fails).err() == Some(EIO));
        Ok(())
    }

    /// A device that was never registered can be used by the driver, and dropped.
    #[test]
    fn unregistered_device_can_be_used() -> Result {
        let bench = Bench::new(|_| ())?;
        let seen = bench.seen.clone();

        bench.netdev.stop_queue();
        bench.netdev.wake_queue();
        assert!(!bench.netdev.queue_stopped());
        bench.netdev.carrier_off();
        bench.netdev.detach();
        assert!(!bench.netdev.is_present());
        bench.netdev.rx_add(100);
        bench.netdev.unregister();
        assert!(!bench.netdev.is_running());
        drop(bench);
        assert!(seen.dropped.get() == 1);
        Ok(())
    }

    /// The kernel picks a name; a second registration is refused; unregistering may be repeated, after
    /// which the driver may still count.
    #[test]
    fn device_registers_once() -> Result {
        let bench = Bench::new(|_| ())?;

        bench.netdev.register()?;
        assert!(name_is(&bench.netdev.name(), b"wwan"));
        assert!(!name_is(&bench.netdev.name(), b"wwan%"));
        assert!(bench.netdev.register() == Err(EALREADY));
        bench.netdev.unregister();
        bench.netdev.unregister();
        assert!(bench.netdev.register() == Err(EALREADY));
        bench.netdev.carrier_on();
        bench.netdev.attach();
        bench.netdev.wake_queue();
        bench.netdev.tx_dropped();
        assert!(bench.stats().tx_dropped == 1);
        Ok(())
    }

    /// A device that somebody is registering at this moment is not unregistered.
    #[test]
    fn unregister_does_not_overtake_register() -> Result {
        let bench = Bench::new(|_| ())?;
        let state = &bench.netdev.state;

        state.store(REGISTERING, Relaxed);
        bench.netdev.unregister();
        assert!(state.load(Relaxed) == REGISTERING);
        assert!(bench.netdev.register() == Err(EALREADY));
        state.store(NEW, Relaxed);
        bench.netdev.register()
    }

    /// When registering fails, the error comes back, and the device can only be dropped.
    #[test]
    fn failed_registration_leaves_nothing_behind() -> Result {
        let seen = Arc::new(Seen::default(), GFP_KERNEL)?;
        let parent = faux::Registration::new(c"bam_dmux_kunit", None)?;
        let mut config = Config::raw_ip_wwan(generic(&parent));
        config.name = c"bam_dmux_kunit0";
        let first = NetDev::new(&config, Card::new(&seen))?;
        let second = NetDev::new(&config, Card::new(&seen))?;

        first.register()?;
        assert!(second.register() == Err(EEXIST));
        assert!(second.register() == Err(EALREADY));
        second.unregister();
        drop(second);
        assert!(seen.dropped.get() == 1);
        assert!(seen.opened.get() == 0);
        Ok(())
    }

    /// Dropping a device that is up takes it down first, and drops the private data last.
    #[test]
    fn drop_takes_a_running_device_down() -> Result {
        let bench = Bench::up(|_| ())?;
        let seen = bench.seen.clone();

        assert!(bench.netdev.is_running());
        assert!(seen.opened.get() == 1);
        drop(bench);
        assert!(seen.stopped.get() == 1);
        assert!(seen.dropped.get() == 1);
        assert!(seen.too_late.get() == 0);
        Ok(())
    }

    /// An error of `open` keeps the device down and reaches user space.
    #[test]
    fn failing_open_keeps_the_device_down() -> Result {
        let bench = Bench::new(|card| card.broken = true)?;

        bench.netdev.register()?;
        assert!(bench.open() == Err(EIO));
        assert!(!bench.netdev.is_running());
        Ok(())
    }

    /// A packet goes from the stack to the driver unharmed.
    #[test]
    fn packet_reaches_the_driver() -> Result {
        let bench = Bench::up(|_| ())?;

        bench.send()?;
        assert!(wait_until(|| bench.seen.sent.get() == 1));
        assert!(bench.seen.damaged.get() == 0);
        Ok(())
    }

    /// A refused packet comes again, the same and once.
    #[test]
    fn refused_packet_comes_again() -> Result {
        let bench = Bench::up(|card| card.refuse = Atomic::new(2))?;

        bench.send()?;
        assert!(wait_until(|| bench.seen.sent.get() == 1));
        assert!(bench.netdev.private().refuse.load(Relaxed) == 0);
        assert!(bench.seen.damaged.get() == 0);
        fsleep(Delta::from_millis(20));
        assert!(bench.seen.sent.get() == 1);
        Ok(())
    }

    /// While the queue is stopped packets wait above the driver; waking it moves them.
    #[test]
    fn stopped_queue_holds_packets() -> Result {
        let bench = Bench::up(|_| ())?;

        bench.netdev.stop_queue();
        for _ in 0..5 {
            bench.send()?;
        }
        fsleep(Delta::from_millis(20));
        assert!(bench.seen.sent.get() == 0);
        bench.netdev.wake_queue();
        assert!(wait_until(|| bench.seen.sent.get() == 5));
        Ok(())
    }

    /// With bytes on their way, BQL keeps the next packets back until these complete.
    #[test]
    #[cfg(CONFIG_BQL)]
    fn byte_queue_limit_holds_packets() -> Result {
        let bench = Bench::up(|card| card.limit = true)?;

        for _ in 0..3 {
            bench.send()?;
        }
        fsleep(Delta::from_millis(20));
        let at_once = bench.seen.sent.get();
        assert!((1..3).contains(&at_once));
        for _ in 0..at_once {
            bench.netdev.completed(1, LEN);
        }
        assert!(wait_until(|| bench.seen.sent.get() > at_once));
        Ok(())
    }

    /// A detached device is not present, and attaching it moves what waited.
    #[test]
    fn attach_wakes_the_queue() -> Result {
        let bench = Bench::up(|_| ())?;

        bench.netdev.stop_queue();
        bench.send()?;
        bench.netdev.detach();
        assert!(!bench.netdev.is_present());
        bench.netdev.attach();
        assert!(bench.netdev.is_present());
        assert!(wait_until(|| bench.seen.sent.get() == 1));
        Ok(())
    }

    /// User space sees what was counted per CPU plus what the driver counts itself.
    #[test]
    fn statistics_add_up() -> Result {
        let bench = Bench::new(|_| ())?;

        bench.netdev.rx_add(1000);
        bench.netdev.rx_add(500);
        bench.netdev.tx_add(4, 4000);
        bench.netdev.rx_dropped();
        bench.netdev.tx_dropped();
        bench.netdev.tx_dropped();
        let stats = bench.stats();
        assert!((stats.rx_packets, stats.rx_bytes, stats.rx_dropped) == (2, 1500, 1));
        assert!((stats.tx_packets, stats.tx_bytes, stats.tx_dropped) == (4, 4000, 2));
        assert!((stats.rx_errors, stats.rx_length_errors, stats.tx_errors) == (3, 3, 5));
        Ok(())
    }

    /// Carrier changes are seen by the stack.
    #[test]
    fn carrier_can_be_switched() -> Result {
        let bench = Bench::up(|_| ())?;

        assert!(bench.netdev.carrier_ok());
        bench.netdev.carrier_off();
        assert!(!bench.netdev.carrier_ok());
        bench.netdev.carrier_on();
        assert!(bench.netdev.carrier_ok());
        Ok(())
    }

    /// A poller that hands one packet to a device.
    struct Feed {
        bench: Arc<Bench>,
        polls: Arc<Seen>,
    }

    impl Poller for Feed {
        fn poll(&self, poll: &Poll<'_>, _budget: usize) -> usize {
            let skb = SkBuff::alloc(LEN, 0, GFP_ATOMIC).and_then(|mut skb| {
                skb.put_zeroed(LEN)?;
                skb.set_protocol(ETHERTYPE);
                Ok(skb)
            });
            if let Ok(skb) = skb {
                self.bench.netdev.receive(poll, skb);
            }
            self.polls.opened.inc();
            1
        }
    }

    fn receive_one(bench: &Arc<Bench>) -> Result {
        let napi = KBox::pin_init(Napi::new(), GFP_KERNEL)?;
        let polls = Arc::new(Seen::default(), GFP_KERNEL)?;
        let feed = Feed {
            bench: bench.clone(),
            polls: polls.clone(),
        };

        napi.start(Arc::new(feed, GFP_KERNEL)?);
        napi.schedule();
        assert!(wait_until(|| polls.opened.get() == 1));
        napi.stop();
        Ok(())
    }

    /// A packet received by a device that is up gets to the stack under that device's name. Nobody
    /// wants its protocol there, which the stack counts with the device.
    #[test]
    fn received_packet_reaches_the_stack() -> Result {
        let bench = Arc::new(Bench::up(|_| ())?, GFP_KERNEL)?;

        receive_one(&bench)?;
        // SAFETY: The device is valid.
        let core = unsafe { (*bench.netdev.as_raw()).core_stats };
        assert!(!core.is_null());
        assert!(bench.stats().rx_dropped == 1);
        Ok(())
    }

    /// A packet received by a device that is down goes no further, and is counted by the device.
    #[test]
    fn device_that_is_down_drops_what_it_receives() -> Result {
        let bench = Arc::new(Bench::new(|_| ())?, GFP_KERNEL)?;

        receive_one(&bench)?;
        // SAFETY: The device is valid.
        let core = unsafe { (*bench.netdev.as_raw()).core_stats };
        assert!(core.is_null());
        assert!(bench.stats().rx_dropped == 1);
        Ok(())
    }
}
