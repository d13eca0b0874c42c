// SPDX-License-Identifier: GPL-2.0
//! Registers that start and stop the modem's processor, for Linux'
//! remoteproc driver.
//!
//! Limitations: made up for the virtual phone. A phone's driver authenticates
//! firmware and switches clocks, resets and regulators, none of which matters
//! to what Linux sees of the modem afterwards.

use serde::Serialize;

use crate::counters::Counters;
use crate::register::{
    Access,
    Block,
    Outcome,
    Register, //
};

/// Size of the register space in bytes.
pub const SIZE: u64 = 0x1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Control,
    Status,
}

const RUN: u32 = 1 << 0;
const RUNNING: u32 = 1 << 0;
const CRASHED: u32 = 1 << 1;

const REGISTERS: [Register<Id>; 2] = [
    Register {
        id: Id::Control,
        offset: 0,
        access: Access::ReadWrite(RUN),
        reset: 0,
    },
    Register {
        id: Id::Status,
        offset: 4,
        access: Access::ReadOnly,
        reset: RUNNING,
    },
];

/// What Linux wants the processor to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Run, if it does not.
    Start,
    /// Stop where it is.
    Stop,
}

/// Whether the processor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// It runs; also after a reset of the function, whoever started it.
    Running,
    /// Linux has stopped it.
    Stopped,
    /// It has crashed.
    Crashed,
}

/// The registers.
#[derive(Debug)]
pub struct Mss {
    block: Block<Id>,
}

impl Default for Mss {
    fn default() -> Self {
        Self {
            block: Block::new(&REGISTERS),
        }
    }
}

impl Mss {
    /// Shows in the status what has become of the processor.
    pub fn set_life(&mut self, life: Life) {
        let status = match life {
            Life::Running => RUNNING,
            Life::Stopped => 0,
            Life::Crashed => CRASHED,
        };
        self.block.set(Id::Status, status);
    }

    /// What has become of the processor.
    #[must_use]
    pub fn life(&self) -> Life {
        match self.block.get(Id::Status) {
            RUNNING => Life::Running,
            CRASHED => Life::Crashed,
            _ => Life::Stopped,
        }
    }

    /// The guest reads.
    pub fn read(&self, offset: u64, data: &mut [u8], counters: &mut Counters) {
        if !self.block.read(offset, data) {
            counters.bad_access += 1;
        }
    }

    /// The guest writes. Only a change of the control bit is a request.
    pub fn write(&mut self, offset: u64, data: &[u8], counters: &mut Counters) -> Option<Request> {
        let before = self.block.get(Id::Control);
        match self.block.write(offset, data) {
            Outcome::Written { .. } => {}
            Outcome::Unmapped => counters.unmapped_access += 1,
            Outcome::Malformed => counters.bad_access += 1,
        }
        match (before & RUN != 0, self.block.get(Id::Control) & RUN != 0) {
            (false, true) => Some(Request::Start),
            (true, false) => Some(Request::Stop),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mss: &Mss, offset: u64) -> u32 {
        let mut data = [0; 4];
        mss.read(offset, &mut data, &mut Counters::default());
        u32::from_le_bytes(data)
    }

    /// Each change of the bit is one request, the same value again none.
    #[test]
    fn requests() {
        let mut mss = Mss::default();
        let mut counters = Counters::default();
        let mut write = |value: u32| mss.write(0, &value.to_le_bytes(), &mut counters);
        assert_eq!(write(0), None);
        assert_eq!(write(u32::MAX), Some(Request::Start));
        assert_eq!(write(1), None);
        assert_eq!(write(2), Some(Request::Stop));
        assert_eq!(read(&mss, 0), 0);
        assert_eq!(counters, Counters::default());
    }

    /// The status is the modem's to write.
    #[test]
    fn status() {
        let mut mss = Mss::default();
        let mut counters = Counters::default();
        assert_eq!(read(&mss, 4), 1, "as if a boot loader had started it");
        for (life, status) in [(Life::Crashed, 2), (Life::Stopped, 0), (Life::Running, 1)] {
            mss.set_life(life);
            assert_eq!(mss.write(4, &[0xff; 4], &mut counters), None);
            assert_eq!(read(&mss, 4), status);
        }
    }

    /// Other offsets and widths do nothing but count.
    #[test]
    fn odd_accesses() {
        let mut mss = Mss::default();
        let mut counters = Counters::default();
        assert_eq!(mss.write(0, &[1], &mut counters), None);
        assert_eq!(mss.write(8, &[1, 0, 0, 0], &mut counters), None);
        assert_eq!((counters.bad_access, counters.unmapped_access), (1, 1));
    }
}
