// SPDX-License-Identifier: GPL-2.0

//! The network interface of one channel.
//!
//! What user space sees is the contract with ModemManager and scripts: `wwan%d`, Raw-IP, point to
//! point, the channel's number in `dev_port`, the bam-dmux platform device as parent.

use kernel::{
    device::Device as GenericDevice,
    prelude::*,
    sync::Arc, //
};

use super::{
    dmux::Dmux,
    kabi::{
        netdev::{
            Config,
            Device,
            NetDev,
            Operations,
            Stats64,
            Xmit, //
        },
        skb::{
            DropReason,
            SkBuff, //
        }, //
    },
    protocol::frame::{
        padding,
        Channel,
        Header,
        HEADER_LEN,
        MAX_PAYLOAD, //
    },
    stats::Counter,
    tx::Frame, //
};

/// Most bytes of padding behind a payload.
const MAX_PADDING: u16 = 3;

/// The network watchdog's patience, in milliseconds: longer than it takes until a modem that does not
/// take frames is found out and begun anew with ([`stall`](super::protocol::stall): 10 s, a look each
/// second, then two waits of two seconds). It speaks up only if that did not help.
const WATCHDOG_MS: u32 = 20_000;

/// An interface as the rest of the driver holds it.
pub(crate) type Interface = NetDev<Wwan>;

/// Private data of an interface.
pub(crate) struct Wwan {
    dmux: Arc<Dmux>,
    channel: Channel,
    /// Frames lost in the modem's hands.
    pub(crate) tx_errors: Counter,
    /// Frames whose length made no sense.
    pub(crate) rx_length_errors: Counter,
}

impl Wwan {
    /// Creates the interface of `channel`, not registered yet.
    ///
    /// Process context. Fails with `ENOMEM`.
    pub(crate) fn create(dmux: &Arc<Dmux>, channel: Channel) -> Result<Interface> {
        let parent: &GenericDevice = dmux.dev();
        let config = Config {
            dev_port: channel.index() as u16,
            // CAST: These are small constants of the protocol.
            max_mtu: MAX_PAYLOAD as u32,
            needed_headroom: HEADER_LEN as u16,
            needed_tailroom: MAX_PADDING,
            watchdog_ms: WATCHDOG_MS,
            ..Config::raw_ip_wwan(parent)
        };
        NetDev::new(
            &config,
            Wwan {
                dmux: dmux.clone(),
                channel,
                tx_errors: Counter::new(),
                rx_length_errors: Counter::new(),
            },
        )
    }

    /// Whether a frame can be sent, now or when it is clear what the modem has open.
    fn may_send(&self) -> bool {
        let ports = &self.dmux.ports;
        ports.accepts_data(self.channel) || ports.is_held(self.channel)
    }

    /// Turns an IP packet into a frame, or drops and counts it.
    fn frame(&self, dev: &Device<Self>, mut skb: SkBuff) -> Option<Frame> {
        let payload = skb.len();
        let reason = if payload == 0 {
            Some(DropReason::PktTooSmall)
        } else if payload > MAX_PAYLOAD {
            Some(DropReason::PktTooBig)
        } else if !self.may_send() {
            Some(DropReason::DevReady)
        } else {
            None
        };
        if let Some(reason) = reason {
            dev.tx_dropped();
            skb.drop_reason(reason);
            return None;
        }

        // CAST: Checked above to be at most MAX_PAYLOAD.
        let header = Header::data(self.channel, payload as u16);
        let pad = padding(payload);
        let done = skb
            .make_room(HEADER_LEN, pad)
            .and_then(|()| skb.put_zeroed(pad))
            .and_then(|()| skb.push(&header.encode()));
        if done.is_err() {
            dev.tx_dropped();
            skb.drop_reason(DropReason::NoMem);
            return None;
        }
        Some(Frame::data(self.channel, payload, skb))
    }
}

impl Operations for Wwan {
    /// Asks for the channel. RTNL is held; does not wait for the modem, which may take seconds:
    /// OPEN goes out before the first frame does.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the modem did not answer a moment ago, and has given no sign of life since. It is
    /// asked again, for the next attempt to bring the interface up.
    fn open(dev: &Device<Self>) -> Result {
        let this = dev.private();
        if this.dmux.link.is_unresponsive() {
            this.dmux.wake_modem();
            return Err(ETIMEDOUT);
        }
        this.dmux.ports.set_wanted(this.channel, true);
        this.dmux.tx.announce(&this.dmux);
        dev.start_queue();
        Ok(())
    }

    /// Gives the channel back. RTNL is held; CLOSE goes out from the background.
    fn stop(dev: &Device<Self>) {
        let this = dev.private();
        dev.stop_queue();
        this.dmux.ports.set_wanted(this.channel, false);
        this.dmux.tx.announce(&this.dmux);
    }

    fn start_xmit(dev: &Device<Self>, skb: SkBuff) -> Xmit {
        let this = dev.private();
        match this.frame(dev, skb) {
            Some(frame) => this.dmux.tx.send(&this.dmux, dev, frame),
            None => {
                // Frames before this one may still wait for the doorbell.
                if !dev.xmit_more() {
                    this.dmux.tx.ring_doorbell();
                }
                Xmit::Ok
            }
        }
    }

    /// Frames did not move for [`WATCHDOG_MS`]: looks whether an edge of the lines got lost. Whether
    /// the modem is dead is not decided here ([`stall`](super::protocol::stall)): the queue may also
    /// stand still because it is stopped for another reason, and frames may be stuck without it.
    fn tx_timeout(dev: &Device<Self>) {
        let this = dev.private();
        this.dmux.counters.tx_timeouts.inc();
        this.dmux.watch_later();
        this.dmux.wake_modem();
    }

    fn stats64(dev: &Device<Self>, stats: &mut Stats64) {
        let this = dev.private();
        stats.add_tx_errors(this.tx_errors.get());
        stats.add_rx_length_errors(this.rx_length_errors.get());
    }
}
