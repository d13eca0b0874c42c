// SPDX-License-Identifier: GPL-2.0
//! Draws sequences from a seed.
//!
//! Half of them are free mixtures, the rest follow a theme: what is known to
//! be delicate, at moments that chance alone would seldom meet.

use super::{
    Acks,
    Deed,
    Edge,
    Ending,
    Moment,
    Sequence,
    Signal,
    Step,
    When, //
};
use crate::hostile::{
    Purpose,
    Random, //
};

/// Most steps of a free mixture.
const STEPS: u32 = 7;
/// Longest wait for a moment, in microseconds.
const PATIENCE_US: u32 = 12_000;
/// Of so many sequences one is slow: long enough for Linux' own time-outs.
const SLOW_ONE_IN: u32 = 200;
/// Longest wait in a slow one, in microseconds. Linux waits for 2 s.
const SLOW_US: u32 = 2_600_000;
/// Channels that are opened and closed: some that Linux uses, and others.
const CHANNELS: [u8; 5] = [0, 1, 1, 2, 7];

const MOMENTS: [Moment; 8] = [
    Moment::Vote,
    Moment::Unvote,
    Moment::Ack,
    Moment::Frame,
    Moment::Rising,
    Moment::On,
    Moment::Falling,
    Moment::Off,
];

impl Sequence {
    /// Sequence number `number` of a seed.
    #[must_use]
    pub fn draw(seed: u64, number: u64) -> Self {
        let mut draw = Draw(Random::new(seed, Purpose::Lines, number));
        let mut steps = match draw.0.weighted(&[50, 14, 12, 12, 6, 6]) {
            Some(1) => draw.crash(),
            Some(2) => draw.blink(),
            Some(3) => draw.votes(),
            Some(4) => draw.storm(),
            Some(5) => draw.boots(),
            _ => draw.mixture(),
        };
        if draw.0.below(SLOW_ONE_IN) == 0 {
            let at = draw.0.below(u32::try_from(steps.len()).unwrap_or(0));
            let wait = draw.0.between(100_000, SLOW_US);
            if let Some(step) = steps.get_mut(usize::try_from(at).unwrap_or(0)) {
                step.when = When::AfterUs(wait);
            }
        }
        Self {
            ending: draw.ending(),
            steps,
        }
    }
}

fn at(moment: Moment) -> When {
    When::At(moment, PATIENCE_US)
}

/// The numbers that a sequence is made from.
struct Draw(Random);

impl Draw {
    fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        self.0.one_of(from).copied().unwrap_or(otherwise)
    }

    fn coin(&mut self) -> bool {
        self.0.percent(50)
    }

    fn soon(&mut self) -> When {
        let most = self.pick(&[0, 50, 300, 2000, 8000, 20_000], 300);
        When::AfterUs(self.0.between(0, most))
    }

    fn when(&mut self) -> When {
        if self.0.percent(35) {
            let moment = self.pick(&MOMENTS, Moment::On);
            at(moment)
        } else {
            self.soon()
        }
    }

    fn channel(&mut self) -> u8 {
        self.pick(&CHANNELS, 0)
    }

    fn line(&mut self) -> Signal {
        self.pick(&[Signal::Pc, Signal::Ack], Signal::Pc)
    }

    fn ending(&mut self) -> Ending {
        match self.0.weighted(&[50, 10, 40]) {
            Some(0) => Ending::Normal,
            Some(1) => Ending::Quiet,
            _ => self.restart(),
        }
    }

    fn restart(&mut self) -> Ending {
        Ending::Restart {
            zero: self.coin(),
            after_us: self.boot_us(),
        }
    }

    fn boot_us(&mut self) -> u32 {
        let most = self.pick(&[0, 500, 5000, 30_000], 500);
        self.0.between(0, most)
    }

    fn mixture(&mut self) -> Vec<Step> {
        let count = self.0.between(1, STEPS);
        (0..count)
            .map(|_| Step {
                when: self.when(),
                what: self.deed(),
            })
            .collect()
    }

    fn deed(&mut self) -> Deed {
        let weights = [14, 8, 8, 3, 8, 5, 12, 4, 4, 3, 6, 4, 5, 5, 5, 5, 5];
        let kind = self.0.weighted(&weights);
        match kind {
            Some(1) => Deed::Drop { told: self.coin() },
            Some(2) => Deed::Raise { told: self.coin() },
            Some(3) => Deed::Dark,
            Some(4) => Deed::PowerOff {
                at_once: self.coin(),
            },
            Some(5) => Deed::PowerOn {
                at_once: self.coin(),
            },
            Some(6) => Deed::Acks(self.acks()),
            Some(7) => self.interrupts(),
            Some(8) => self.foreign(),
            Some(9) => Deed::Theirs(self.line()),
            Some(10) => self.crash_deed(),
            Some(11) => self.restart_deed(),
            Some(12) => Deed::Open(self.channel()),
            Some(13) => Deed::Close(self.channel()),
            Some(14) => Deed::HoldTx(self.0.percent(70)),
            Some(15) => Deed::HoldRx(self.0.percent(70)),
            Some(16) => {
                let ms = self.pick(&[5, 6, 10, 50, 500], 5);
                Deed::IdleMs(ms)
            }
            _ => {
                let line = self.line();
                let how = self.pick(&[Edge::Toggle, Edge::Double, Edge::Silent], Edge::Toggle);
                Deed::Move(line, how)
            }
        }
    }

    fn acks(&mut self) -> Acks {
        let delay = self.0.between(0, 30_000);
        let kinds = [
            Acks::Normal,
            Acks::Withhold,
            Acks::WithholdPowered,
            Acks::DelayUs(delay),
            Acks::Twice,
        ];
        self.pick(&kinds, Acks::Normal)
    }

    fn interrupts(&mut self) -> Deed {
        Deed::Storm {
            count: self.0.between(1, 400),
            gap_us: self.pick(&[0, 0, 10, 30], 0),
        }
    }

    fn foreign(&mut self) -> Deed {
        Deed::Foreign {
            word: self.pick(&[1, 1, 1, 2, 3, 7], 1),
            bits: u32::from(self.0.word()) << 16 | u32::from(self.0.word()),
            told: self.0.percent(80),
        }
    }

    fn crash_deed(&mut self) -> Deed {
        Deed::Crash {
            bam_off: self.coin(),
            told: self.0.percent(30),
        }
    }

    fn restart_deed(&mut self) -> Deed {
        Deed::Restart {
            zero: self.coin(),
            after_us: self.boot_us(),
        }
    }

    /// A crash in a phase, after something that brings it about; perhaps
    /// another while it comes back.
    fn crash(&mut self) -> Vec<Step> {
        let moment = self.pick(&MOMENTS, Moment::On);
        let mut steps = Vec::new();
        if self.coin() {
            steps.push(Step {
                when: self.soon(),
                what: self.deed(),
            });
        }
        steps.push(Step {
            when: at(moment),
            what: self.crash_deed(),
        });
        for _ in 0..self.0.below(3) {
            steps.push(Step {
                when: self.soon(),
                what: self.restart_deed(),
            });
            steps.push(Step {
                when: self.when(),
                what: self.crash_deed(),
            });
        }
        steps
    }

    /// Power that is gone for a moment, once or several times, told or not.
    fn blink(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..self.0.between(1, 3) {
            steps.push(Step {
                when: self.when(),
                what: Deed::Drop { told: self.coin() },
            });
            let gap = self.pick(&[0, 0, 20, 200, 2000], 0);
            steps.push(Step {
                when: When::AfterUs(gap),
                what: Deed::Raise { told: self.coin() },
            });
        }
        steps
    }

    /// Votes that are answered wrongly, then rightly: never, late, twice.
    fn votes(&mut self) -> Vec<Step> {
        let moment = self.pick(&[Moment::Vote, Moment::Unvote], Moment::Vote);
        let mut steps = vec![
            Step {
                when: self.soon(),
                what: Deed::Acks(self.acks()),
            },
            Step {
                when: at(moment),
                what: self.deed(),
            },
            Step {
                when: self.when(),
                what: Deed::Acks(self.acks()),
            },
        ];
        if self.coin() {
            steps.push(Step {
                when: self.when(),
                what: Deed::Move(Signal::Ack, Edge::Toggle),
            });
        }
        steps
    }

    /// Interrupts by the hundred, with a deed in their midst.
    fn storm(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..2 {
            steps.push(Step {
                when: self.when(),
                what: self.interrupts(),
            });
            steps.push(Step {
                when: When::AfterUs(0),
                what: self.deed(),
            });
        }
        steps
    }

    /// Firmware that starts again and again, at any time.
    fn boots(&mut self) -> Vec<Step> {
        (0..self.0.between(1, 4))
            .map(|_| Step {
                when: self.when(),
                what: self.restart_deed(),
            })
            .collect()
    }
}
