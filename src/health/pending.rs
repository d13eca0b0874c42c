// SPDX-License-Identifier: GPL-2.0

//! What can go wrong with the link, and what devlink was not told of that yet.

use core::mem;

use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Least time between two reports, in milliseconds.
pub(super) const PAUSE_MS: u32 = 1000;

/// What can go wrong with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The modem's firmware stopped without being asked to.
    Crash,
    /// The modem did not answer a wake-up in time.
    WakeTimeout,
    /// The modem took no frame for [`STALL_MS`](super::super::protocol::stall::STALL_MS).
    TxStall,
}

impl Fault {
    pub(super) const ALL: [Self; 3] = [Self::Crash, Self::WakeTimeout, Self::TxStall];

    /// The fault in words.
    pub(super) const fn message(self) -> &'static CStr {
        match self {
            Self::Crash => c"modem crashed",
            Self::WakeTimeout => c"modem did not answer the wake-up",
            Self::TxStall => c"frames to the modem do not move",
        }
    }

    /// The fault as a name.
    pub(super) const fn name(self) -> &'static CStr {
        match self {
            Self::Crash => c"crash",
            Self::WakeTimeout => c"wake_timeout",
            Self::TxStall => c"tx_stall",
        }
    }
}

/// One value for each kind of fault.
#[derive(Default)]
pub(super) struct PerFault<T> {
    pub(super) crash: T,
    pub(super) wake_timeout: T,
    pub(super) tx_stall: T,
}

impl<T> PerFault<T> {
    /// The value of a kind.
    pub(super) fn of(&self, fault: Fault) -> &T {
        match fault {
            Fault::Crash => &self.crash,
            Fault::WakeTimeout => &self.wake_timeout,
            Fault::TxStall => &self.tx_stall,
        }
    }

    fn of_mut(&mut self, fault: Fault) -> &mut T {
        match fault {
            Fault::Crash => &mut self.crash,
            Fault::WakeTimeout => &mut self.wake_timeout,
            Fault::TxStall => &mut self.tx_stall,
        }
    }
}

/// How often a fault happened, and what was the matter the last time.
#[derive(Clone, Copy, Default)]
pub(super) struct Happened {
    pub(super) times: u32,
    pub(super) detail: &'static CStr,
}

/// What devlink was not told yet.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) faults: PerFault<Happened>,
    /// After the last fault, the link was seen to work.
    pub(super) works: bool,
    /// When devlink was told last.
    told: Option<Instant<Monotonic>>,
}

impl Pending {
    /// Notes a fault.
    pub(super) fn fault(&mut self, fault: Fault, detail: &'static CStr) {
        let happened = self.faults.of_mut(fault);
        happened.times = happened.times.saturating_add(1);
        happened.detail = detail;
        self.works = false;
    }

    /// How long to wait until devlink is told, in milliseconds.
    pub(super) fn delay(&self) -> u32 {
        let Some(told) = self.told else {
            return 0;
        };
        let left = i64::from(PAUSE_MS) - told.elapsed().as_millis();
        // CAST: Between 0 and PAUSE_MS.
        left.clamp(0, i64::from(PAUSE_MS)) as u32
    }

    /// What there is to tell now. It counts as told.
    pub(super) fn take(&mut self) -> Self {
        self.told = Some(Instant::now());
        Self {
            faults: mem::take(&mut self.faults),
            works: mem::take(&mut self.works),
            told: None,
        }
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_health_pending)]
mod tests {
    use super::*;

    /// A fault after the link was seen to work is not covered up by that.
    #[test]
    fn later_fault_outweighs_earlier_success() {
        let mut pending = Pending::default();
        pending.fault(Fault::Crash, c"");
        pending.works = true;
        pending.fault(Fault::TxStall, c"");
        let news = pending.take();
        assert!(!news.works);
        assert!(news.faults.of(Fault::Crash).times == 1);
        assert!(news.faults.of(Fault::TxStall).times == 1);
        assert!(news.faults.of(Fault::WakeTimeout).times == 0);
    }

    /// The first fault is told at once, all others of the next second together.
    #[test]
    fn reports_keep_their_distance() {
        let mut pending = Pending::default();
        assert!(pending.delay() == 0);
        pending.fault(Fault::WakeTimeout, c"first");
        assert!(pending.take().faults.of(Fault::WakeTimeout).times == 1);
        for _ in 0..999 {
            pending.fault(Fault::WakeTimeout, c"other");
        }
        pending.fault(Fault::WakeTimeout, c"last");
        assert!(pending.delay() > PAUSE_MS / 2 && pending.delay() <= PAUSE_MS);
        let happened = *pending.take().faults.of(Fault::WakeTimeout);
        assert!(happened.times == 1000);
        assert!(happened.detail == c"last");
        assert!(pending.take().faults.of(Fault::WakeTimeout).times == 0);
    }
}
