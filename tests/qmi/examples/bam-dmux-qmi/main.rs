// SPDX-License-Identifier: GPL-2.0
//! Serves a modem on a UNIX socket, to try `qmicli` on it: see the README.
//! Commands come in on standard input, line by line.

mod server;

use std::io::{
    self,
    BufRead as _, //
};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bam_dmux_qmi::{
    CallEnd,
    Identity,
    Modem,
    Refusal,
    Registration, //
};
use server::Server;

const USAGE: &str = "usage: bam-dmux-qmi PATH (which must contain \"qmux_socket\")";

const HELP: &str = "commands:
  status, counters                   what the modem has to say about itself
  refuse COUNT                       refuse the next calls (network failure)
  drop [CHANNEL]                     the network ends all calls, or a channel's
  registration home|searching|denied
  signal DBM
  mute COUNT                         swallow the next requests
  restart                            the firmware restarts";

/// What a call ends with: not specified; 3GPP, network failure.
const NETWORK_FAILURE: CallEnd = CallEnd {
    reason: 1,
    verbose_type: 6,
    verbose_reason: 38,
};

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(io::stderr)
        .init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("bam-dmux-qmi: {words}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or(USAGE)?;
    if args.next().is_some() || !path.contains("qmux_socket") {
        return Err(USAGE.into());
    }
    let listener = listen(Path::new(&path)).map_err(|error| format!("{path}: {error}"))?;
    let server = Arc::new(Server::new(Modem::new(Identity::default())));
    let commands = Arc::clone(&server);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match command(&commands, &line) {
                Ok(words) => println!("{words}"),
                Err(words) => eprintln!("{words}"),
            }
        }
    });
    println!("qmicli -d {path} ...");
    server.serve(&listener).map_err(|error| error.to_string())
}

/// Listens; a socket that a former run has left is replaced.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if path
        .symlink_metadata()
        .is_ok_and(|it| it.file_type().is_socket())
    {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

fn command(server: &Server, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    server.with(|modem, _| {
        match words[..] {
            [] => return Ok(String::new()),
            ["status"] => return json(&modem.status()),
            ["counters"] => return json(&modem.counters()),
            ["refuse", count] => modem.refuse_calls(Some(Refusal {
                count: number(count)?,
                end: NETWORK_FAILURE,
            })),
            ["drop"] => return Ok(modem.drop_calls(None, NETWORK_FAILURE).to_string()),
            ["drop", channel] => {
                let dropped = modem.drop_calls(Some(number(channel)?), NETWORK_FAILURE);
                return Ok(dropped.to_string());
            }
            ["registration", "home"] => modem.set_registration(Registration::Home),
            ["registration", "searching"] => modem.set_registration(Registration::Searching),
            ["registration", "denied"] => modem.set_registration(Registration::Denied),
            ["signal", dbm] => modem.set_signal(number(dbm)?),
            ["mute", count] => modem.mute(number(count)?),
            ["restart"] => modem.restart(),
            _ => return Err(HELP.into()),
        }
        Ok("ok".into())
    })
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("\"{word}\" is no number of the kind that is needed here"))
}

fn json(value: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map_err(|error| error.to_string())
}
