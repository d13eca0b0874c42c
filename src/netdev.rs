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
    health::Fault,
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

/// The network watchdog's patience, in milliseconds: longer than the slowest wake-up that still
/// succeeds (three waits of two seconds), so that it never speaks of a modem that is only slow.
const WATCHDOG_MS: u32 = 10_000;

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

    /// Turns an IP packet into a frame, or drops and counts it.
    fn frame(&self, dev: &Device<Self>, mut skb: SkBuff) -> Option<Frame> {
        let payload = skb.len();
        let reason = if payload == 0 {
            Some(DropReason::PktTooSmall)
        } else if payload > MAX_PAYLOAD {
            Some(DropReason::PktTooBig)
        } else if !self.dmux.ports.accepts_data(self.channel) {
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
    fn open(dev: &Device<Self>) -> Result {
        let this = dev.private();
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

    /// Frames did not move for [`WATCHDOG_MS`]: looks whether an edge of the lines got lost.
    fn tx_timeout(dev: &Device<Self>) {
        let this = dev.private();
        this.dmux.counters.tx_timeouts.inc();
        this.dmux
            .health
            .fault(Fault::TxStall, c"a queue was stopped for too long");
        this.dmux.wake_modem();
    }

    fn stats64(dev: &Device<Self>, stats: &mut Stats64) {
        let this = dev.private();
        stats.add_tx_errors(this.tx_errors.get());
        stats.add_rx_length_errors(this.rx_length_errors.get());
    }
}
