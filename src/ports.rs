// SPDX-License-Identifier: GPL-2.0

//! Which channel is open on which side, and the interface that belongs to it.
//!
//! The modem decides which channels exist: an interface is created on the first OPEN of its
//! channel and stays until unbind; while the modem has the channel closed, or is lost, it is detached
//! and has no carrier. The
//! receive path only notes what the modem said ([`Ports::remote_open`], softirq), a work brings
//! the interfaces in step ([`Ports::follow_channels`]): what counts is the state that the modem
//! wants *then*, so that no sequence of OPEN and CLOSE gets lost half-way.

use kernel::{
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    dmux::Dmux,
    kabi::{
        devlink::Object,
        sync::{
            new_spinlock_bh,
            rcu,
            SpinLockBh, //
        }, //
    },
    netdev::{
        Interface,
        Wwan, //
    },
    protocol::{
        channels::ChannelTable,
        frame::{
            Channel,
            Command,
            CHANNELS, //
        }, //
    }, //
};

/// The channels of one device.
#[pin_data]
pub(crate) struct Ports {
    #[pin]
    table: SpinLockBh<ChannelTable>,
    #[pin]
    interfaces: SpinLockBh<[Option<Arc<Interface>>; CHANNELS]>,
    /// Whether interfaces may be created; held while one is.
    #[pin]
    accepting: Mutex<bool>,
}

impl Ports {
    /// No channel is open, no interface exists.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- new_spinlock_bh!(ChannelTable::new()),
            interfaces <- new_spinlock_bh!([const { None }; CHANNELS]),
            accepting <- new_mutex!(true),
        }? Error)
    }

    /// The interface of `channel`, if there is one. Any context up to softirq.
    pub(crate) fn interface(&self, channel: Channel) -> Option<Arc<Interface>> {
        self.interfaces.lock().get(channel.index())?.clone()
    }

    /// The modem opened or closed its half of `channel`. Softirq.
    ///
    /// Returns whether the interface has to follow.
    pub(crate) fn remote(&self, channel: Channel, open: bool, signal: u8) -> bool {
        let mut table = self.table.lock();
        if open {
            table.remote_open(channel, signal).needs_interface()
        } else {
            table.remote_close(channel).needs_interface()
        }
    }

    /// The interface of `channel` went up or down.
    pub(crate) fn set_wanted(&self, channel: Channel, wanted: bool) {
        self.table.lock().set_wanted(channel, wanted);
    }

    /// Whether data may be sent on `channel`: both halves open, as far as Linux knows.
    pub(crate) fn accepts_data(&self, channel: Channel) -> bool {
        self.table.lock().accepts_data(channel)
    }

    /// The next OPEN or CLOSE that is due. For the transmit ring, which sends it.
    pub(crate) fn due_command(&self) -> Option<(Channel, Command)> {
        self.table.lock().peek_command()
    }

    /// A command was given to the modem.
    pub(crate) fn command_sent(&self, channel: Channel, command: Command) {
        self.table.lock().command_sent(channel, command);
    }

    /// A command got lost with the power: it is due again.
    pub(crate) fn command_lost(&self, channel: Channel, command: Command) {
        self.table.lock().command_lost(channel, command);
    }

    /// The modem is lost. If its firmware is `stopped` for certain its halves are closed, and ours have
    /// to be announced again; otherwise that depends on what the modem says when it is back.
    ///
    /// No interface has a carrier any more, and nothing is sent. [`Ports::follow_channels`] attaches
    /// again what is open.
    pub(crate) fn modem_lost(&self, stopped: bool) {
        {
            let mut table = self.table.lock();
            if stopped {
                table.forget_all();
            } else {
                table.hold_all();
            }
        }
        self.for_each(|interface| {
            interface.carrier_off();
            interface.detach();
        });
    }

    /// The modem may have restarted. Nothing is sent until that is clear; interfaces stay as they are.
    pub(crate) fn hold(&self) {
        self.table.lock().hold_all();
    }

    /// Whether it is not clear yet if the modem still has `channel` open.
    pub(crate) fn is_held(&self, channel: Channel) -> bool {
        self.table.lock().is_held(channel)
    }

    /// Whether the modem has no channel open, as far as is known.
    pub(crate) fn none_open(&self) -> bool {
        let table = self.table.lock();
        Channel::all().all(|channel| !table.is_remote_open(channel))
    }

    /// The modem has power again. Returns whether it depends on what it says now which channels are
    /// open.
    pub(crate) fn modem_powered(&self) -> bool {
        let mut table = self.table.lock();
        table.powered();
        table.holds_any()
    }

    /// The modem has had its time to say which channels are open. Returns whether interfaces have to
    /// follow.
    pub(crate) fn grace_over(&self) -> bool {
        self.table.lock().release_all()
    }

    /// Brings interfaces in step with the modem's half of each channel. Process context.
    ///
    /// One channel's failure does not stop the others; it is tried again.
    pub(crate) fn follow_channels(&self, dmux: &Arc<Dmux>) {
        let accepting = self.accepting.lock();
        if !*accepting {
            return;
        }
        for channel in Channel::all() {
            let (open, held) = {
                let table = self.table.lock();
                (table.is_remote_open(channel), table.is_held(channel))
            };
            if held {
                // As it is, until it is known what the modem makes of it.
                continue;
            }
            match self.interface(channel) {
                None if open => {
                    if let Err(e) = self.create(dmux, channel) {
                        if dmux.may_log() {
                            dev_err!(
                                dmux.dev(),
                                "can't create the interface of channel {} ({e:?}), trying again\n",
                                channel.index()
                            );
                        }
                        dmux.ports_retry();
                    }
                }
                Some(interface) if open => {
                    if !interface.is_present() {
                        dmux.tx.attach(&interface);
                    }
                    interface.carrier_on();
                }
                Some(interface) => {
                    interface.carrier_off();
                    if interface.is_present() {
                        interface.detach();
                    }
                }
                None => (),
            }
        }
        // Our half of a channel may be due again.
        dmux.tx.announce(dmux);
    }

    /// The system goes to sleep: the stack keeps its frames, and its watchdog does not mind. Process
    /// context.
    pub(crate) fn rest(&self) {
        self.for_each(|interface| interface.detach());
    }

    /// Undoes [`Ports::rest`], for interfaces whose channel is open. Process context.
    pub(crate) fn go_on(&self, dmux: &Arc<Dmux>) {
        for channel in Channel::all() {
            let open = self.table.lock().is_remote_open(channel);
            if let Some(interface) = self.interface(channel) {
                if open && !interface.is_present() {
                    dmux.tx.attach(&interface);
                }
            }
        }
    }

    fn create(&self, dmux: &Arc<Dmux>, channel: Channel) -> Result {
        let interface = Arc::new(Wwan::create(dmux, channel)?, GFP_KERNEL)?;
        // Listed before it is registered: it may be brought up, and receive, at once.
        self.list(channel, Some(interface.clone()));
        interface.register().inspect_err(|_| {
            self.list(channel, None);
            // The receive path borrows interfaces in softirq, where the last reference must not
            // be dropped: freeing an interface sleeps.
            rcu::synchronize_expedited();
        })
    }

    fn list(&self, channel: Channel, interface: Option<Arc<Interface>>) {
        let old = match self.interfaces.lock().get_mut(channel.index()) {
            Some(entry) => core::mem::replace(entry, interface),
            None => interface,
        };
        // Freed without the lock.
        drop(old);
    }

    /// Takes all interfaces away from user space. They are still listed, so that completions of
    /// their last frames find them; nothing new is created any more. Process context.
    pub(crate) fn close(&self) {
        *self.accepting.lock() = false;
        for channel in Channel::all() {
            if let Some(interface) = self.interface(channel) {
                interface.unregister();
            }
        }
    }

    /// Frees the interfaces, when no completion can look for one any more. Process context.
    pub(crate) fn free(&self) {
        for channel in Channel::all() {
            self.list(channel, None);
        }
    }

    /// Runs `f` for each interface. Any context up to softirq.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&Interface)) {
        for channel in Channel::all() {
            if let Some(interface) = self.interface(channel) {
                f(&interface);
            }
        }
    }

    /// The channels' state for health reports. Process context.
    pub(crate) fn describe(&self, out: &mut Object<'_>) {
        out.array(c"channels", |out| {
            for channel in Channel::all() {
                let state = self.table.lock().state(channel);
                let interface = self.interface(channel);
                out.object(|out| {
                    out.u64(c"channel", channel.index() as u64);
                    out.bool(c"remote_open", state.remote_open);
                    out.bool(c"wanted", state.wanted);
                    out.bool(c"announced", state.announced);
                    out.bool(c"held", state.held);
                    if let Some(interface) = interface {
                        out.text(c"interface", fmt!("{}", interface.name()));
                        out.bool(c"running", interface.is_running());
                        out.bool(c"present", interface.is_present());
                    }
                });
            }
        });
    }

    /// The channels' state for people.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table.lock();
        for channel in Channel::all() {
            writeln!(f, "channel {}: {:?}", channel.index(), table.state(channel))?;
        }
        writeln!(f, "repeated OPEN and CLOSE: {}", table.repeated())
    }
}
