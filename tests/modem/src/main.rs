// SPDX-License-Identifier: GPL-2.0
//! Command line of the simulated modem.

use std::io::IsTerminal as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{
    UnixListener,
    UnixStream, //
};
use std::path::{
    Path,
    PathBuf, //
};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{
    Duration,
    SystemTime,
    UNIX_EPOCH, //
};

use anyhow::{
    bail,
    Context as _,
    Result, //
};
use bam_dmux_modem::bam::Layout;
use bam_dmux_modem::modem::{
    Boot,
    Modem,
    Network,
    Options, //
};
use bam_dmux_modem::net::tun::Tun;
use bam_dmux_modem::pace::{
    Change,
    Pace, //
};
use bam_dmux_modem::power::Times;
use bam_dmux_modem::profile::{
    self,
    Name,
    Profile, //
};
use bam_dmux_modem::shared::Shared;
use bam_dmux_modem::trace::{
    Size,
    Trace, //
};
use bam_dmux_modem::{
    control,
    server,
    worker, //
};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// The simulated modem of the virtual phone: a vfio-user device for QEMU.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Socket for QEMU's vfio-user-pci; made here, removed at the end
    #[arg(long)]
    socket: PathBuf,
    /// Socket for commands (JSON, line by line)
    #[arg(long)]
    control: Option<PathBuf>,
    /// Create this TUN device as the far end of all channels
    #[arg(long)]
    tun: Option<String>,
    /// Carry out the commands of this file, from the start on
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// Channels that the modem opens
    #[arg(long, value_delimiter = ',', default_value = "0,1,2,3,4,5,6,7",
          value_parser = clap::value_parser!(u8).range(0..=7))]
    channels: Vec<u8>,
    /// First power-up: manual, after:<ms> the reset, or on-subscribe:<us>
    /// after Linux asks for the power line's interrupt
    #[arg(long, default_value = "on-subscribe:100000")]
    boot: Boot,
    /// Power down after so many ms without vote and traffic
    #[arg(long, default_value_t = 500)]
    idle: u64,
    /// Wait so many ms for Linux' ack of a power change
    #[arg(long, default_value_t = 1000)]
    ack_timeout: u64,
    /// How the firmware behaves in time
    #[arg(long, value_enum, default_value_t = Name::Msm8916)]
    profile: Name,
    /// Seed of what the profile leaves to chance; drawn if not given, and told in the log
    #[arg(long)]
    seed: Option<u32>,
    /// Set a figure of the profile, with a value in JSON: `hang_ppm=1000`
    #[arg(long, value_name = "FIELD=VALUE", value_parser = profile::parse_setting)]
    set: Vec<(String, serde_json::Value)>,
    /// Let packets pass a channel only while a call of their family is up
    #[arg(long)]
    gate: bool,
    /// Longest packet of a call, in bytes, as QMI tells it
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(68..=2040))]
    mtu: u32,
    /// Signal byte of OPEN frames to Linux, decimal or 0x...; the capabilities
    #[arg(long, default_value = "0", value_parser = signal)]
    open_signal: u8,
    /// Version of the BAM's registers: 1.4.0 or 1.7.0
    #[arg(long, default_value = "1.7.0", value_parser = Layout::of)]
    bam: &'static Layout,
    #[command(flatten)]
    pace: Change,
    /// Wait so many seconds for QEMU
    #[arg(long, default_value_t = 120)]
    connect_timeout: u64,
    /// Write the final counters to this file, as JSON
    #[arg(long)]
    report: Option<PathBuf>,
    /// At the end, write what has happened to this file, as JSON for Perfetto
    #[arg(long)]
    trace: Option<PathBuf>,
    /// At the end, write the packets to this file, as pcapng
    #[arg(long)]
    pcap: Option<PathBuf>,
    /// Keep so many events for the trace
    #[arg(long, default_value_t = Size::default().events)]
    trace_events: usize,
    /// Keep so many KiB of packets for the trace
    #[arg(long, default_value_t = Size::default().packets / 1024)]
    trace_packets: usize,
    /// What to log: error, warn, info, debug or trace, or a filter
    #[arg(long, default_value = "info")]
    log: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bam-dmux-modem: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let filter = EnvFilter::try_new(&args.log).context("--log")?;
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let scenario = args.scenario.as_deref().map(read).transpose()?;
    let tun = args.tun.as_deref().map(Tun::create).transpose()?;
    let network = tun.as_ref().map(Tun::try_clone).transpose()?;
    let network = network.map(|tun| Box::new(tun) as Box<dyn Network>);
    let settings = args.set.iter().cloned().collect();
    let profile = Profile::named(args.profile)
        .with(&settings)
        .context("--set")?;
    let seed = args.seed.unwrap_or_else(any_seed);
    tracing::info!(profile = ?args.profile, seed, "the firmware's behaviour");
    let options = Options {
        channels: args.channels.clone(),
        boot: args.boot,
        times: Times {
            idle: Some(Duration::from_millis(args.idle)),
            ack: Duration::from_millis(args.ack_timeout),
        },
        profile,
        seed,
        gate: args.gate,
        mtu: args.mtu,
        pace: args.pace.apply(pace_of(args.profile))?,
        bam: args.bam,
        open_signal: args.open_signal,
    };
    let mut modem = Modem::new(options, network)?;
    modem.trace = Trace::new(Size {
        events: args.trace_events,
        packets: args.trace_packets.saturating_mul(1024),
    });
    let shared = Arc::new(Shared::new(modem)?);
    let listener = bind(&args.socket)?;
    if let Some(path) = &args.control {
        let control = bind(path)?;
        let shared = Arc::clone(&shared);
        std::thread::spawn(move || control::listen(&shared, &control));
    }
    start_worker(&shared, tun);
    if let Some(scenario) = scenario {
        start_scenario(&shared, scenario);
    }
    let patience = Duration::from_secs(args.connect_timeout);
    let served = server::serve(&shared, listener, patience);
    finish(args, &shared)?;
    match served {
        // QEMU killed in the middle of a message is an end like any other.
        Err(server::Error::Broken(error)) => tracing::warn!("connection broke: {error}"),
        other => other?,
    }
    Ok(())
}

/// How long frames take with firmware that behaves so.
fn pace_of(profile: Name) -> Pace {
    match profile {
        Name::Msm8916 => Pace::msm8916(),
        Name::Instant => Pace::instant(),
    }
}

/// A seed that no other run has; the log tells it.
fn any_seed() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |time| time.subsec_nanos()) ^ std::process::id()
}

/// A byte, as people write one.
fn signal(text: &str) -> Result<u8> {
    let byte = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    byte.with_context(|| format!("\"{text}\" is no byte"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Makes a listening socket, in place of one that nobody listens on.
fn bind(path: &Path) -> Result<UnixListener> {
    let name = path.display();
    if let Ok(meta) = path.symlink_metadata() {
        if !meta.file_type().is_socket() {
            bail!("{name} exists and is no socket: choose another path");
        }
        if UnixStream::connect(path).is_ok() {
            bail!("{name} is in use by another process: choose another path or end it");
        }
        std::fs::remove_file(path).with_context(|| format!("cannot remove the old {name}"))?;
    }
    UnixListener::bind(path).with_context(|| format!("cannot listen on {name}"))
}

fn start_worker(shared: &Arc<Shared>, tun: Option<Tun>) {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        if let Err(error) = worker::run(&shared, tun) {
            eprintln!("bam-dmux-modem: the worker failed: {error}");
            std::process::exit(1);
        }
    });
}

fn start_scenario(shared: &Arc<Shared>, scenario: String) {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        if let Err(error) = control::play(&shared, &scenario) {
            tracing::error!("{error}");
        }
    });
}

fn finish(args: &Args, shared: &Shared) -> Result<()> {
    for path in std::iter::once(&args.socket).chain(&args.control) {
        // It may have been removed by somebody else.
        let _ = std::fs::remove_file(path);
    }
    let (violations, counters) =
        shared.with(|modem| (modem.counters.violations(), modem.all_counters()));
    for (name, count) in violations.into_iter().filter(|&(_, count)| count > 0) {
        tracing::warn!("{name}: {count}");
    }
    let trace = shared.with(|modem| modem.trace.snapshot());
    trace.save(
        args.trace.as_deref(),
        args.pcap.as_deref(),
        shared.elapsed(),
    )?;
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&counters)?;
        std::fs::write(path, text + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
