// SPDX-License-Identifier: GPL-2.0
//! Linux' end of the channel, for the tests, reduced to what `drivers/rpmsg/qcom_smd.c` does
//! with the memory. It finds everything by itself, from SMEM's header on.

use super::layout::{
    Fifo,
    FIFO, //
};
use crate::smem::Smem;

/// One edge of `qcom_smd` and its only channel, with a user of the port.
pub(crate) struct Linux {
    info: u64,
    fifo: u64,
    pub(crate) state: u32,
    /// The modem's state as of the last interrupt.
    pub(crate) remote: u32,
    /// Whether there is a port.
    pub(crate) registered: bool,
    pending: Option<u32>,
    /// Packets that the port has given to its user.
    pub(crate) inbox: Vec<Vec<u8>>,
    /// Packets are left in the FIFO, as by a client without memory.
    pub(crate) refuses: bool,
}

fn item(smem: &Smem, number: u64) -> Option<u64> {
    let entry = 0xd0 + number * 16;
    (smem.load(entry) != 0).then(|| smem.load(entry + 4).into())
}

impl Linux {
    /// The scan worker: takes the first entry of the table, if it is in use.
    pub(crate) fn scan(smem: &Smem) -> Option<Self> {
        let table = item(smem, 13)?;
        let [cid, flags, references] = [20, 24, 28].map(|at| smem.load(table + at));
        if references == 0 || smem.load_byte(table) == 0 || flags & 0x2ff != 0x200 {
            return None;
        }
        let mut linux = Self {
            info: item(smem, 14 + u64::from(cid))?,
            fifo: item(smem, 338 + u64::from(cid))?,
            state: 0,
            remote: 0,
            registered: false,
            pending: None,
            inbox: Vec::new(),
            refuses: false,
        };
        linux.reset(smem);
        Some(linux)
    }

    fn tx(&self, field: u64) -> u64 {
        self.info + field
    }

    fn rx(&self, field: u64) -> u64 {
        self.info + 0x14 + field
    }

    /// `qcom_smd_channel_reset()`; to be followed by a doorbell.
    pub(crate) fn reset(&mut self, smem: &Smem) {
        smem.store(self.tx(0), 0);
        for flag in 4..10 {
            smem.store_byte(self.tx(flag), 0);
        }
        smem.store_byte(self.tx(10), 1);
        smem.store_byte(self.tx(11), 1);
        smem.store(self.tx(0x10), 0);
        smem.store(self.rx(0x0c), 0);
        (self.state, self.pending) = (0, None);
    }

    /// `qcom_smd_channel_set_state()`; to be followed by a doorbell.
    pub(crate) fn set_state(&mut self, smem: &Smem, state: u32) {
        for flag in 4..7 {
            smem.store_byte(self.tx(flag), u8::from(state == 2));
        }
        smem.store(self.tx(0), state);
        smem.store_byte(self.tx(10), 1);
        self.state = state;
    }

    /// The interrupt handler; true if it rings back.
    pub(crate) fn interrupt(&mut self, smem: &Smem) -> bool {
        self.remote = smem.load(self.rx(0));
        smem.store_byte(self.rx(10), 0);
        if self.state != 2 {
            return false;
        }
        smem.store_byte(self.rx(8), 0);
        loop {
            let tail = smem.load(self.rx(0x0c));
            let used = Fifo::used(smem.load(self.rx(0x10)), tail);
            match self.pending {
                None if used >= 20 => {
                    let mut len = [0; 4];
                    self.copy(smem, tail, &mut len);
                    self.pending = Some(u32::from_le_bytes(len));
                    smem.store(self.rx(0x0c), Fifo::wrap(tail + 20));
                }
                Some(len) if used >= len && !self.refuses => {
                    let mut packet = vec![0; len as usize];
                    self.copy(smem, tail, &mut packet);
                    self.inbox.push(packet);
                    self.pending = None;
                    smem.store(self.rx(0x0c), Fifo::wrap(tail + len));
                }
                _ => break,
            }
        }
        smem.store_byte(self.rx(9), 1);
        smem.load_byte(self.rx(11)) == 0
    }

    fn copy(&self, smem: &Smem, tail: u32, bytes: &mut [u8]) {
        let base = self.fifo + u64::from(FIFO);
        for (byte, at) in bytes.iter_mut().zip(tail..) {
            *byte = smem.load_byte(base + u64::from(Fifo::wrap(at)));
        }
    }

    /// The state worker: whether it takes the port away, which ends in
    /// [`Linux::close`].
    pub(crate) fn work(&mut self, smem: &Smem) -> bool {
        let remote = matches!(smem.load(self.rx(0)), 1 | 2);
        if self.state == 0 && remote {
            self.registered = true;
        }
        let gone = self.state != 0 && !remote;
        if gone {
            self.registered = false;
        }
        gone
    }

    /// `__qcom_smd_send()` without waiting; to be followed by a doorbell.
    /// False if there is no room.
    pub(crate) fn send(&mut self, smem: &Smem, packet: &[u8]) -> bool {
        let len = u32::try_from(packet.len()).unwrap();
        let (head, tail) = (smem.load(self.tx(0x10)), smem.load(self.tx(0x0c)));
        if Fifo::room(head, tail) < len + 20 {
            return false;
        }
        smem.store_byte(self.tx(9), 0);
        self.write(smem, &[&len.to_le_bytes()[..], &[0; 16]].concat());
        self.write(smem, packet);
        smem.store_byte(self.tx(8), 1);
        true
    }

    /// Puts bytes into the FIFO as they are.
    pub(crate) fn write(&mut self, smem: &Smem, bytes: &[u8]) {
        let head = smem.load(self.tx(0x10));
        for (&byte, at) in bytes.iter().zip(head..) {
            smem.store_byte(self.fifo + u64::from(Fifo::wrap(at)), byte);
        }
        let len = u32::try_from(bytes.len()).unwrap();
        smem.store(self.tx(0x10), Fifo::wrap(head + len));
    }

    /// Claims to have written up to here, or anywhere.
    pub(crate) fn claim_head(&self, smem: &Smem, head: u32) {
        smem.store(self.tx(0x10), head);
    }

    /// Claims to have read up to here, or anywhere.
    pub(crate) fn claim_tail(&self, smem: &Smem, tail: u32) {
        smem.store(self.rx(0x0c), tail);
    }
}
