// SPDX-License-Identifier: GPL-2.0
//! The register interface: a guest with any accesses to registers, shared memory and the memory
//! for DMA, in any order, with the commands that people give meanwhile. The modem lives, and what
//! one access makes it do is bounded.

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_modem::dmux::downlink::{
    Corruption,
    Field, //
};
use bam_dmux_modem::hostile::lines::{
    Edge,
    Signal, //
};
use bam_dmux_modem::modem::{
    RX_PIPE,
    TX_PIPE, //
};
use bam_dmux_modem::power::AckMode;
use std::time::Duration;

use super::guest::{
    Guest,
    MEMORY,
    RINGS, //
};

/// Where this guest's frames lie before they are sent.
const FRAME: u32 = 0x6_0000;
/// Flag of a descriptor: the transfer ends with it.
const EOT: u16 = 0x4000;
/// Steps of one run; some cost milliseconds.
const MOST_STEPS: usize = 200;
/// Descriptors of the largest ring.
const RING_SLOTS: u64 = 0x1_0000 / 8;
/// Transfers that may wait for Linux (the modem's own bound).
const QUEUE: usize = 1024;

#[derive(Debug, Arbitrary)]
enum Step {
    /// Any access.
    Write {
        offset: u32,
        value: u64,
        len: u8,
    },
    Read {
        offset: u32,
        len: u8,
    },
    FarAway(u64),
    /// A register that is one.
    Bam {
        register: u8,
        pipe: u8,
        value: u32,
    },
    Apcs(u32),
    Tcsr {
        lock: u8,
        token: u32,
    },
    Test {
        register: u8,
        value: u32,
    },
    Mss(u8),
    /// Memory.
    Smem {
        offset: u32,
        value: u32,
    },
    Dma {
        at: u32,
        bytes: Vec<u8>,
    },
    Descriptor {
        rx: bool,
        slot: u16,
        address: u32,
        size: u16,
        flags: u16,
    },
    Map {
        address: u8,
        on: bool,
    },
    /// What drivers do.
    Smsm(bool, bool),
    Subscribe(bool),
    StartPipe(bool),
    Doorbell {
        rx: bool,
        slot: u16,
    },
    Frame {
        slot: u16,
        command: u8,
        channel: u8,
        payload: Vec<u8>,
    },
    SmdInfo {
        word: u8,
        value: u32,
    },
    SmdPacket {
        at: u16,
        packet: Vec<u8>,
    },
    Config {
        offset: u16,
        bytes: [u8; 4],
    },
    /// The rest of the world.
    Pass(u16),
    Packet(Vec<u8>),
    Reset,
    Command(Order),
}

#[derive(Debug, Arbitrary)]
enum Order {
    Boot(u8),
    BootOnSubscribe(u16),
    Open(u8),
    Close(u8),
    Power(bool, bool),
    Acks(u8, u16),
    Idle(Option<u8>),
    Edge(bool, u8),
    Inject(Vec<u8>, u8),
    Corrupt(u8, u16),
    HoldTx(bool),
    Echo(bool),
    Record(bool),
    Gate(bool),
    Crash(bool),
    Restart(bool, Option<u8>),
}

/// Registers of the BAM as a whole, and of a pipe.
const BAM: [u64; 13] = [
    0x0, 0x8, 0x14, 0x18, 0x1c, 0x7c, 0x1000, 0x1008, 0x3000, 0x3004, 0x3010, 0x3014, 0x3018,
];
const PIPE: [u64; 13] = [
    0x0, 0x4, 0x8, 0x10, 0x14, 0x18, 0x800, 0x818, 0x81c, 0x820, 0x824, 0x828, 0x82c,
];

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok((gate, booted)) = <(bool, bool)>::arbitrary(&mut u) else {
        return;
    };
    let Some(mut guest) = Guest::new(gate) else {
        return;
    };
    if booted {
        boot(&mut guest);
    }
    for _ in 0..MOST_STEPS {
        let Ok(step) = Step::arbitrary(&mut u) else {
            break;
        };
        let before = guest.modem.counters.clone();
        apply(&mut guest, step);
        let after = &guest.modem.counters;
        let taken = after
            .uplink_transfers
            .saturating_sub(before.uplink_transfers);
        assert!(taken <= RING_SLOTS, "{taken} transfers at one access");
        let given = after.downlink_frames.saturating_sub(before.downlink_frames);
        assert!(
            given <= RING_SLOTS + QUEUE as u64,
            "{given} frames at one access"
        );
        assert!(guest.modem.status().downlink_queued <= QUEUE);
        if u.is_empty() {
            break;
        }
    }
    let _ = guest.modem.status();
    let _ = guest.modem.all_counters();
    let _ = guest.modem.call_status();
}

/// As a driver does it, so that not each input has to find out how.
fn boot(guest: &mut Guest) {
    guest.subscribe(0x802);
    guest.modem.boot_after(Duration::ZERO);
    guest.start_pipe(TX_PIPE);
    guest.start_pipe(RX_PIPE);
    for slot in 0..32 {
        let address = 0x2_0000 + u32::from(slot) * 0x800;
        guest.descriptor(RINGS[1], slot, (address, 0x800, EOT));
    }
    guest.write(0x1_8818, 32 * 8);
    guest.smsm(1 << 11);
}

fn apply(guest: &mut Guest, step: Step) {
    match step {
        Step::Write { offset, value, len } => {
            let bytes = value.to_le_bytes();
            let len = usize::from(len % 9);
            guest.modem.bar0_write(offset.into(), &bytes[..len]);
        }
        Step::Read { offset, len } => {
            let mut bytes = vec![0; usize::from(len % 17)];
            guest.modem.bar0_read(offset.into(), &mut bytes);
        }
        Step::FarAway(offset) => {
            guest.write(offset, 1);
            guest.read(offset);
        }
        Step::Bam {
            register,
            pipe,
            value,
        } => bam(guest, register, pipe, value),
        Step::Apcs(value) => guest.write(0x2_0008, value),
        Step::Tcsr { lock, token } => {
            let offset = 0x4_0000 + u64::from(lock % 32) * 0x1000;
            guest.write(offset, token);
            let owner = guest.read(offset);
            assert!(owner == token || owner != 0, "a mutex that nobody has");
        }
        Step::Test { register, value } => {
            let offset = 0x6_0000 + u64::from(register % 4) * 4;
            guest.write(offset, value);
            guest.read(offset);
        }
        Step::Mss(value) => guest.write(0x7_0000, value.into()),
        other => apply_memory(guest, other),
    }
}

fn bam(guest: &mut Guest, register: u8, pipe: u8, value: u32) {
    let index = usize::from(register) % (BAM.len() + PIPE.len());
    let offset = match index.checked_sub(BAM.len()) {
        None => BAM[index],
        // One pipe more than there are.
        Some(at) => 0x1_3000 + u64::from(pipe % 7) * 0x1000 + PIPE[at],
    };
    guest.write(offset, value);
    guest.read(offset);
}

fn apply_memory(guest: &mut Guest, step: Step) {
    match step {
        Step::Smem { offset, value } => {
            guest.smem_write(u64::from(offset % 0x20_0000), &value.to_le_bytes());
        }
        Step::Dma { at, bytes } => {
            let _ = guest.modem.memory.write(u64::from(at) % MEMORY, &bytes);
        }
        Step::Descriptor {
            rx,
            slot,
            address,
            size,
            flags,
        } => {
            let ring = RINGS[usize::from(rx)];
            // Beyond the memory, too.
            guest.descriptor(ring, slot, (address % 0x11_0000, size, flags));
        }
        Step::Map { address, on } => {
            let at = u64::from(address) * 0x1000;
            // Most of it is refused, as a VMM's nonsense would be.
            let _ = if on {
                guest.modem.memory.map_anonymous(at, MEMORY)
            } else {
                guest.modem.memory.unmap(at, MEMORY)
            };
        }
        other => apply_driver(guest, other),
    }
}

fn apply_driver(guest: &mut Guest, step: Step) {
    match step {
        Step::Smsm(vote, ack) => guest.smsm(u32::from(vote) << 1 | u32::from(ack) << 11),
        Step::Subscribe(on) => guest.subscribe(if on { 0x802 } else { 0 }),
        Step::StartPipe(rx) => guest.start_pipe(if rx { RX_PIPE } else { TX_PIPE }),
        Step::Doorbell { rx, slot } => {
            let pipe = if rx { 0x1_8818 } else { 0x1_7818 };
            guest.write(pipe, u32::from(slot) * 8 % 0x7ff8);
        }
        Step::Frame {
            slot,
            command,
            channel,
            payload,
        } => {
            let Ok(len) = u16::try_from(payload.len()) else {
                return;
            };
            let [low, high] = len.to_le_bytes();
            let mut frame = vec![0xfc, 0x33, 0, command % 5, 0, channel % 9, low, high];
            frame.extend(&payload);
            let _ = guest.modem.memory.write(FRAME.into(), &frame);
            let size = u16::try_from(frame.len()).unwrap_or(u16::MAX);
            guest.descriptor(RINGS[0], slot, (FRAME, size, EOT));
            guest.write(0x1_7818, (u32::from(slot) + 1) * 8 % 0x7ff8);
        }
        Step::SmdInfo { word, value } => {
            guest.smd_info(word.into(), value);
            guest.smd_doorbell();
        }
        Step::SmdPacket { at, packet } => {
            let len = u32::try_from(packet.len()).unwrap_or(0);
            let mut bytes = len.to_le_bytes().to_vec();
            bytes.resize(20, 0);
            bytes.extend(packet);
            guest.smd_fifo(at.into(), &bytes);
            guest.smd_doorbell();
        }
        other => apply_world(guest, other),
    }
}

fn apply_world(guest: &mut Guest, step: Step) {
    match step {
        Step::Config { offset, bytes } => {
            guest.modem.config.write(offset.into(), &bytes);
            let mut back = bytes;
            guest.modem.config.read(offset.into(), &mut back);
        }
        Step::Pass(ms) => guest.pass(ms.into()),
        Step::Packet(packet) => {
            guest.modem.packet_from_network(&packet);
            guest.modem.flush();
        }
        Step::Reset => guest.modem.reset(),
        Step::Command(order) => command(guest, order),
        _ => {}
    }
}

fn command(guest: &mut Guest, order: Order) {
    let modem = &mut guest.modem;
    match order {
        Order::Boot(ms) => modem.boot_after(Duration::from_millis(ms.into())),
        Order::BootOnSubscribe(us) => modem.boot_on_subscribe(Duration::from_micros(us.into())),
        Order::Open(channel) => refused(modem.open(&[channel % 9], None)),
        Order::Close(channel) => refused(modem.close(&[channel % 9])),
        Order::Power(on, at_once) => refused(modem.force_power(on, at_once)),
        Order::Acks(mode, ms) => modem.set_acks(match mode % 3 {
            0 => AckMode::Normal,
            1 => AckMode::Withhold { power: ms & 1 == 1 },
            _ => AckMode::Delay(Duration::from_millis(ms.into())),
        }),
        Order::Idle(ms) => modem.set_idle(ms.map(|ms| Duration::from_millis(ms.into()))),
        Order::Edge(pc, edge) => {
            let signal = if pc { Signal::Pc } else { Signal::Ack };
            let edges = [Edge::Toggle, Edge::Double, Edge::Silent];
            modem.edge(signal, edges[usize::from(edge % 3)]);
        }
        Order::Inject(bytes, repeat) => refused(modem.inject(&bytes, repeat.into())),
        Order::Corrupt(field, value) => {
            let fields = [
                Field::Magic,
                Field::Signal,
                Field::Cmd,
                Field::Pad,
                Field::Channel,
                Field::Len,
            ];
            modem.corrupt(Corruption {
                field: fields[usize::from(field % 6)],
                value,
                count: 3,
            });
        }
        Order::HoldTx(on) => modem.hold_tx(on),
        Order::Echo(on) => modem.set_echo(on),
        Order::Record(on) => {
            modem.set_record(on);
            modem.take_recorded();
        }
        Order::Gate(on) => modem.set_gate(on),
        Order::Crash(bam_off) => {
            modem.crash(bam_off);
            modem.report_crash();
        }
        Order::Restart(zero, ms) => {
            modem.restart(zero, ms.map(|ms| Duration::from_millis(ms.into())));
        }
    }
}

/// A channel that does not exist, or a modem that is dead.
fn refused(_: Result<(), bam_dmux_modem::modem::Refused>) {}
