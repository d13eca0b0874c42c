// SPDX-License-Identifier: GPL-2.0
//! The requests: their form, and what they ask of the modem.

use std::path::{
    Path,
    PathBuf, //
};
use std::time::Duration;

use bam_dmux_qmi::{
    CallEnd,
    Registration, //
};
use serde::Deserialize;
use serde_json::{
    json,
    Map,
    Value, //
};

use super::hex;
use super::hostile::{
    self,
    Hostile, //
};
use super::parameters::{
    self,
    AckKind,
    Smsm, //
};
use crate::dmux::downlink::{
    Corruption,
    Field, //
};
use crate::hostile::lines::{
    Edge,
    Sequence,
    Signal, //
};
use crate::modem::{
    LinesPlan,
    Modem, //
};
use crate::pace::Change;
use crate::power::AckMode;
use crate::profile::{
    FallRule,
    Force,
    Name,
    Profile, //
};
use crate::shared::Shared;

/// Longest wait that may be asked for.
const LONGEST_WAIT: u64 = 600_000;
/// Why `idle` is refused.
const NO_IDLE: &str =
    "with this profile the power falls after the un-vote, not after an idle time: \
                       choose the profile \"instant\", or set its figure fall_us";

/// A request; its name is the field `cmd`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "each is described in the manual")]
pub enum Command {
    Status,
    Counters,
    ResetCounters,
    Events,
    Wakes,
    Open {
        channels: Vec<u8>,
        #[serde(default)]
        signal: Option<u8>,
    },
    Pace(Change),
    Close {
        channels: Vec<u8>,
    },
    Power {
        on: bool,
        #[serde(default)]
        force: bool,
    },
    Acks {
        mode: AckKind,
        #[serde(default)]
        ms: u64,
        #[serde(default)]
        power: bool,
    },
    Edge {
        line: Signal,
        action: Edge,
    },
    Boot {
        #[serde(default)]
        delay_ms: u64,
        #[serde(default)]
        on_subscribe_us: Option<u64>,
        #[serde(default)]
        channels: Option<Vec<u8>>,
    },
    Idle {
        ms: Option<u64>,
    },
    Profile {
        #[serde(default)]
        name: Option<Name>,
        #[serde(default)]
        seed: Option<u32>,
        #[serde(default)]
        set: Map<String, Value>,
    },
    Force {
        what: Force,
        #[serde(default = "parameters::one")]
        count: u32,
    },
    Inject {
        hex: String,
        #[serde(default = "parameters::one")]
        repeat: u32,
    },
    Data {
        channel: u8,
        hex: String,
        #[serde(default = "parameters::one")]
        repeat: u32,
    },
    Corrupt {
        field: Field,
        value: u16,
        #[serde(default = "parameters::one_long")]
        count: u64,
    },
    HoldTx {
        on: bool,
    },
    HoldRx {
        on: bool,
    },
    HostileLines {
        seed: u64,
        from: u64,
        count: u64,
        #[serde(default)]
        plan: LinesPlan,
    },
    PlayLines {
        sequence: Sequence,
        #[serde(default = "parameters::one_long")]
        repeat: u64,
        #[serde(default)]
        plan: LinesPlan,
    },
    Trace {
        #[serde(default)]
        json: Option<PathBuf>,
        #[serde(default)]
        pcap: Option<PathBuf>,
    },
    TraceMark,
    Replay {
        number: u32,
    },
    ReplayReport,
    ReplayEnd,
    LinesReport,
    LinesDrawn {
        seed: u64,
        number: u64,
    },
    Crash {
        #[serde(default)]
        bam_off: bool,
        #[serde(default)]
        irq: bool,
    },
    Restart {
        #[serde(default)]
        smsm: Smsm,
        #[serde(default)]
        delay_ms: Option<u64>,
    },
    Echo {
        on: bool,
    },
    Record {
        on: bool,
    },
    Recorded,
    Gate {
        on: bool,
    },
    Qmi,
    RefuseCalls {
        #[serde(default = "parameters::one")]
        count: u32,
        #[serde(default = "parameters::refused")]
        reason: u16,
        #[serde(default = "parameters::of_3gpp")]
        verbose_type: u16,
        #[serde(default = "parameters::not_subscribed")]
        verbose_reason: i16,
    },
    DropCall {
        #[serde(default)]
        channel: Option<u8>,
        #[serde(default = "parameters::released")]
        reason: u16,
        #[serde(default = "parameters::of_3gpp")]
        verbose_type: u16,
        #[serde(default = "parameters::deactivated")]
        verbose_reason: i16,
    },
    Registration {
        state: Registration,
    },
    Signal {
        dbm: i16,
    },
    Mtu {
        bytes: u32,
    },
    OfferPort,
    Qmap {
        on: bool,
    },
    Mute {
        #[serde(default = "parameters::one")]
        count: u32,
    },
    Hostile(Hostile),
    HostileStatus,
    HostileStop,
    HostileShow(Hostile),
    HostileTable {
        seed: u64,
    },
    Wait {
        event: String,
        timeout_ms: u64,
        #[serde(default)]
        count: Option<u64>,
    },
    Sleep {
        ms: u64,
    },
}

impl Command {
    /// Carries the request out; the result is JSON, an error is words.
    ///
    /// # Errors
    /// The modem refuses, or the parameters make no sense.
    pub fn run(self, shared: &Shared) -> Result<Value, String> {
        match self {
            Self::Status => to_json(shared.with(|m| m.status())),
            Self::Counters => to_json(shared.with(|m| m.all_counters())),
            Self::Qmi => to_json(shared.with(|m| m.call_status())),
            Self::DropCall {
                channel,
                reason,
                verbose_type,
                verbose_reason,
            } => {
                let end = CallEnd {
                    reason,
                    verbose_type,
                    verbose_reason,
                };
                let dropped = shared.with(|m| m.drop_calls(channel, end));
                dropped
                    .map(|dropped| json!({"dropped": dropped}))
                    .map_err(|error| error.to_string())
            }
            Self::Pace(change) => {
                let pace = shared.with(|m| m.change_pace(&change).map(|()| m.pace()));
                pace.map_err(|error| error.to_string()).and_then(to_json)
            }
            Self::Hostile(order) => order.start(shared),
            Self::HostileShow(order) => order.show(),
            Self::HostileStatus => hostile::status(shared),
            Self::HostileTable { seed } => Ok(hostile::table(seed)),
            Self::Events => to_json(shared.with(|m| m.events.counts().clone())),
            Self::Recorded => {
                let frames = shared.with(Modem::take_recorded);
                to_json(frames.iter().map(|f| hex::encode(f)).collect::<Vec<_>>())
            }
            Self::Trace { json, pcap } => trace(shared, json.as_deref(), pcap.as_deref()),
            Self::Wakes => to_json(shared.with(|m| m.wakes.list())),
            Self::Profile { name, seed, set } => profile(shared, name, seed, &set),
            Self::ReplayReport => to_json(shared.with(|m| m.replay_report())?),
            Self::LinesReport => to_json(shared.with(|m| m.lines_report())),
            Self::LinesDrawn { seed, number } => to_json(Sequence::draw(seed, number)),
            Self::Wait {
                event,
                timeout_ms,
                count,
            } => wait(shared, &event, count, timeout_ms),
            Self::Sleep { ms } => {
                std::thread::sleep(Duration::from_millis(ms.min(LONGEST_WAIT)));
                Ok(json!({}))
            }
            other => other.act(shared).map(|()| json!({})),
        }
    }

    fn act(self, shared: &Shared) -> Result<(), String> {
        let words = |error: crate::modem::Refused| error.to_string();
        match self {
            Self::Open { channels, signal } => {
                shared.with(|m| m.open(&channels, signal)).map_err(words)
            }
            Self::Close { channels } => shared.with(|m| m.close(&channels)).map_err(words),
            Self::Power { on, force } => shared.with(|m| m.force_power(on, force)).map_err(words),
            Self::Registration { state } => {
                shared.with(|m| m.set_registration(state)).map_err(words)
            }
            Self::Replay { number } => shared.with(|m| m.play_replay(number)),
            Self::Idle { ms } => shared.with(|m| {
                if m.profile().0.fall_rule == FallRule::Unvote {
                    return Err(NO_IDLE.to_owned());
                }
                m.set_idle(ms.map(Duration::from_millis));
                Ok(())
            }),
            Self::Signal { dbm } => shared.with(|m| m.set_signal(dbm)).map_err(words),
            Self::Mtu { bytes } => shared.with(|m| m.set_mtu(bytes)).map_err(words),
            Self::OfferPort => shared.with(Modem::start_port).map_err(words),
            Self::PlayLines {
                sequence,
                repeat,
                plan,
            } => {
                sequence.check().map_err(|error| error.to_string())?;
                shared.with(|m| m.play_sequence(sequence, repeat, plan));
                Ok(())
            }
            Self::Inject { hex, repeat } => {
                let bytes = hex::decode(&hex)?;
                shared.with(|m| m.inject(&bytes, repeat)).map_err(words)
            }
            Self::Data {
                channel,
                hex,
                repeat,
            } => {
                let bytes = hex::decode(&hex)?;
                shared
                    .with(|m| m.send_data(channel, &bytes, repeat))
                    .map_err(words)
            }
            Self::Boot {
                delay_ms,
                on_subscribe_us,
                channels,
            } => shared.with(|m| {
                if let Some(channels) = channels {
                    m.plan_channels(&channels).map_err(words)?;
                }
                match on_subscribe_us {
                    Some(us) => m.boot_on_subscribe(Duration::from_micros(us)),
                    None => m.boot_after(Duration::from_millis(delay_ms)),
                }
                Ok(())
            }),
            other => {
                other.tune(shared);
                Ok(())
            }
        }
    }

    /// The requests that cannot fail.
    fn tune(self, shared: &Shared) {
        shared.with(|m| match self {
            Self::ResetCounters => m.reset_counters(),
            Self::TraceMark => m.trace.mark(),
            Self::Acks { mode, ms, power } => m.set_acks(match mode {
                AckKind::Normal => AckMode::Normal,
                AckKind::Withhold => AckMode::Withhold { power },
                AckKind::Delay => AckMode::Delay(Duration::from_millis(ms)),
            }),
            Self::ReplayEnd => m.end_replay(),
            Self::Force { what, count } => m.force(what, count),
            Self::Edge { line, action } => m.edge(line, action),
            Self::Corrupt {
                field,
                value,
                count,
            } => m.corrupt(Corruption {
                field,
                value,
                count,
            }),
            Self::HostileStop => m.stop_hostile(),
            Self::HoldTx { on } => m.hold_tx(on),
            Self::HoldRx { on } => m.hold_rx(on),
            Self::HostileLines {
                seed,
                from,
                count,
                plan,
            } => m.hostile_lines(seed, from, count, plan),
            Self::Crash { bam_off, irq } => {
                m.crash(bam_off);
                if irq {
                    m.report_crash_in_time();
                }
            }
            Self::Restart { smsm, delay_ms } => {
                m.restart(smsm == Smsm::Zero, delay_ms.map(Duration::from_millis));
            }
            Self::Echo { on } => m.set_echo(on),
            Self::Record { on } => m.set_record(on),
            Self::Gate { on } => m.set_gate(on),
            Self::Mute { count } => m.mute(count),
            Self::Qmap { on } => m.allow_qmap(on),
            Self::RefuseCalls {
                count,
                reason,
                verbose_type,
                verbose_reason,
            } => {
                let end = CallEnd {
                    reason,
                    verbose_type,
                    verbose_reason,
                };
                m.refuse_calls(count, end);
            }
            // The rest is in run() and act().
            _ => {}
        });
    }
}

/// Copies the trace under the lock, and writes it when nobody waits.
fn trace(shared: &Shared, json: Option<&Path>, pcap: Option<&Path>) -> Result<Value, String> {
    let snapshot = shared.with(|m| m.trace.snapshot());
    let saved = snapshot.save(json, pcap, shared.elapsed());
    saved.map_err(|error| error.to_string())?;
    to_json(snapshot.amount)
}

/// Changes the profile: by name, or figures of the one that is in force. The answer has all figures.
fn profile(
    shared: &Shared,
    name: Option<Name>,
    seed: Option<u32>,
    set: &Map<String, Value>,
) -> Result<Value, String> {
    let (now, old_seed) = shared.with(|m| m.profile());
    let profile = name.map_or(now, Profile::named).with(set);
    let profile = profile.map_err(|error| error.to_string())?;
    let seed = seed.unwrap_or(old_seed);
    shared.with(|m| m.set_profile(profile.clone(), seed));
    Ok(json!({"seed": seed, "figures": to_json(&profile)?}))
}

fn wait(
    shared: &Shared,
    event: &str,
    count: Option<u64>,
    timeout_ms: u64,
) -> Result<Value, String> {
    let timeout = Duration::from_millis(timeout_ms.min(LONGEST_WAIT));
    if shared.wait(event, count, timeout) {
        let count = shared.with(|m| m.events.count(event));
        return Ok(json!({"event": event, "count": count}));
    }
    Err(format!(
        "event \"{event}\" has not happened within {timeout_ms} ms"
    ))
}

pub(super) fn to_json(value: impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}
