// SPDX-License-Identifier: GPL-2.0
//! What the deeds of a sequence do to the modem, and how it becomes normal
//! again.

use std::time::Duration;

use super::super::Modem;
use crate::hostile::lines::{
    Acks,
    Deed,
    Ending,
    Signal, //
};
use crate::power::{
    AckMode,
    Input,
    Phase, //
};
use crate::smsm::{
    Bits,
    ACK,
    POWER, //
};

fn us(count: u32) -> Duration {
    Duration::from_micros(count.into())
}

impl From<Acks> for AckMode {
    fn from(acks: Acks) -> Self {
        match acks {
            Acks::Normal => Self::Normal,
            Acks::Withhold => Self::Withhold { power: false },
            Acks::WithholdPowered => Self::Withhold { power: true },
            Acks::DelayUs(by) => Self::Delay(us(by)),
            Acks::Twice => Self::Twice,
        }
    }
}

impl Modem {
    /// Does it. True if the handshake does not know of it.
    pub(super) fn commit(&mut self, deed: Deed) -> bool {
        match deed {
            Deed::Move(signal, edge) => {
                self.edge(signal, edge);
                return signal == Signal::Pc;
            }
            Deed::Drop { told } => return self.tamper(false, told),
            Deed::Raise { told } => return self.tamper(true, told),
            Deed::Dark => {
                self.switch_bam(false);
                return true;
            }
            Deed::Theirs(signal) => {
                let bit = match signal {
                    Signal::Pc => POWER,
                    Signal::Ack => ACK,
                };
                self.smsm.flip_apps(&self.smem, bit);
                // It looks like an ack.
                self.acks_due += u32::from(signal == Signal::Ack);
                return true;
            }
            Deed::PowerOff { at_once } => self.step(Input::Force { on: false, at_once }),
            Deed::PowerOn { at_once } => {
                self.step(Input::Force { on: true, at_once });
                self.flush();
            }
            Deed::Acks(acks) => self.set_acks(acks.into()),
            // The player sends its interrupts one by one.
            Deed::Storm { .. } => {}
            Deed::Foreign { word, bits, told } => {
                self.smsm.flip_foreign(&self.smem, word, bits);
                if told {
                    self.smsm_interrupt();
                }
            }
            Deed::Crash { bam_off, told } => {
                self.crash(bam_off);
                if told {
                    self.report_crash();
                }
            }
            Deed::Restart { zero, after_us } => self.restart(zero, Some(us(after_us))),
            Deed::Open(channel) => self.say(channel, true),
            Deed::Close(channel) => self.say(channel, false),
            Deed::HoldTx(on) => self.hold_tx(on),
            Deed::HoldRx(on) => self.hold_rx(on),
            Deed::IdleMs(ms) => self.set_idle(Some(Duration::from_millis(ms.into()))),
        }
        false
    }

    fn tamper(&mut self, on: bool, told: bool) -> bool {
        self.switch_bam(on);
        let bits = self.smsm.modem(&self.smem);
        self.write_bits(Bits { power: on, ..bits });
        if told {
            self.smsm_interrupt();
        }
        true
    }

    /// OPEN or CLOSE of a channel that stays planned. Nothing from the dead.
    fn say(&mut self, channel: u8, open: bool) {
        if self.faults.crashed {
            return;
        }
        if open {
            self.open_channel(channel);
        } else {
            self.close_channel(channel);
        }
        self.send_now();
    }

    /// Ends a sequence. `tampered`: power or its line were moved without the
    /// handshake.
    pub(super) fn end_sequence(&mut self, ending: Ending, tampered: bool) {
        if let Ending::Restart { zero, after_us } = ending {
            self.restart(zero, Some(us(after_us)));
            return;
        }
        self.faults.hold_tx = false;
        self.faults.hold_rx = false;
        self.set_acks(AckMode::Normal);
        if self.faults.crashed {
            self.restart(false, Some(Duration::ZERO));
            return;
        }
        let waiting = matches!(self.power.phase(), Phase::Rising | Phase::Falling);
        let quiet = ending == Ending::Quiet && !waiting;
        self.tell_the_truth(!quiet);
        if tampered && !quiet {
            // In order, so that both sides begin anew.
            self.step(Input::Force {
                on: false,
                at_once: false,
            });
        }
        if self.open_missing() || !quiet {
            self.send_now();
        }
        self.take_uplink();
        self.flush();
    }

    /// Line and BAM are what the handshake takes them for.
    fn tell_the_truth(&mut self, told: bool) {
        let phase = self.power.phase();
        self.switch_bam(phase != Phase::Off);
        let bits = Bits {
            power: matches!(phase, Phase::Rising | Phase::On),
            ..self.smsm.modem(&self.smem)
        };
        if told {
            self.set_bits(bits);
        } else {
            self.write_bits(bits);
        }
    }

    /// Opens what should be open, once the modem has started. True if that was
    /// necessary.
    fn open_missing(&mut self) -> bool {
        let mut any = false;
        for channel in self.channel_plan.list() {
            if self.boot.started() && !self.channels.modem.contains(channel) {
                self.open_channel(channel);
                any = true;
            }
        }
        any
    }
}
