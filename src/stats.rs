// SPDX-License-Identifier: GPL-2.0

//! Counters of the device as a whole.
//!
//! What belongs to one interface is counted in its netdev (`ip -s link`); here is what no
//! interface can be blamed for, and what the power handshake went through. Shown by
//! [`debugfs`](super::debugfs).

use kernel::{
    fmt,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use super::kabi::devlink::Object;

/// One event counter: relaxed, since nothing is ordered by it.
pub(crate) struct Counter(Atomic<i64>);

impl Counter {
    /// A counter at zero.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts one event. Any context.
    pub(crate) fn inc(&self) {
        self.add(1);
    }

    /// Counts `events` events. Any context.
    pub(crate) fn add(&self, events: usize) {
        // CAST: An overflow of the count would take centuries; wrapping would be harmless.
        self.0.add(events as i64, Relaxed);
    }

    /// Events so far.
    pub(crate) fn get(&self) -> u64 {
        // CAST: Never negative, see `add`.
        self.0.load(Relaxed) as u64
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// All counters of one device.
        pub(crate) struct Counters {
            $($(#[$doc])* pub(crate) $name: Counter,)*
        }

        impl Counters {
            /// All counters at zero.
            pub(crate) const fn new() -> Self {
                Self {
                    $($name: Counter::new(),)*
                }
            }

            /// Writes all of them for health reports.
            pub(crate) fn describe(&self, out: &mut Object<'_>) {
                $(out.u64(kernel::c_str!(stringify!($name)), self.$name.get());)*
            }

            /// Writes one `name: value` line for each counter.
            pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{}: {}", stringify!($name), self.$name.get())?;)*
                Ok(())
            }
        }
    };
}

counters! {
    /// Frames received with a magic that is not the protocol's.
    rx_bad_magic,
    /// Frames received with a command that the driver does not know.
    rx_bad_command,
    /// Frames received for a channel that does not exist.
    rx_bad_channel,
    /// Data frames received with a payload length of 0 or beyond the buffer.
    rx_bad_length,
    /// Data frames received for a channel without an interface that is up.
    rx_no_listener,
    /// Small packets delivered in a buffer of their own size.
    rx_copied,
    /// Receive buffers that could not be replaced at once (the refill work tries again).
    rx_refill_failed,
    /// Receive buffers taken back unused when power went away.
    rx_reclaimed,
    /// Frames found in buffers whose completion was not reported when the power went.
    rx_unreported,
    /// Frames received right before the power went that could not be kept.
    rx_overrun,
    /// Frames in the modem's hands when power went away or the modem was lost.
    tx_lost,
    /// Frames dropped because the modem could not be woken.
    tx_wake_dropped,
    /// Frames dropped because memory or a DMA mapping was short.
    tx_no_memory,
    /// Transmit queues found stuck by the network watchdog.
    tx_timeouts,
    /// OPEN and CLOSE commands sent.
    tx_commands,
    /// Wake-ups of the modem asked for.
    wakes,
    /// Wake-ups that failed.
    wakes_failed,
    /// Stops of the firmware that were reported.
    modem_restarts,
    /// Times the modem was lost, reported or found out.
    modem_losses,
    /// Times the modem took no frame for too long.
    tx_stalls,
    /// Times the modem had power, no channel open, and said nothing for too long.
    rx_silences,
    /// Times the system was kept from sleeping.
    sleeps_refused,
}
