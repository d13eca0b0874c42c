// SPDX-License-Identifier: GPL-2.0
//! The control socket: one JSON object per line in, one per line out.
//! A scenario file holds the same requests, line by line.

mod command;
mod hex;
mod hostile;
mod parameters;

use std::io::{
    self,
    BufRead as _,
    BufReader,
    Read as _,
    Write as _, //
};
use std::os::unix::net::{
    UnixListener,
    UnixStream, //
};
use std::sync::Arc;

use serde_json::{
    json,
    Value, //
};

use crate::shared::Shared;
pub use command::Command;
pub use hostile::{
    read_items,
    Hostile, //
};

/// Longest request in bytes.
const LINE_LIMIT: u64 = 16 << 20;

/// Carries out one request, and says what became of it.
#[must_use]
pub fn answer(shared: &Shared, line: &str) -> Value {
    let mut request: Value = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => return json!({"id": null, "ok": false, "error": format!("no JSON: {error}")}),
    };
    let id = request
        .as_object_mut()
        .and_then(|map| map.remove("id"))
        .unwrap_or(Value::Null);
    let result = serde_json::from_value::<Command>(request)
        .map_err(|error| format!("no such command: {error}"))
        .and_then(|command| command.run(shared));
    match result {
        Ok(result) => json!({"id": id, "ok": true, "result": result}),
        Err(error) => json!({"id": id, "ok": false, "error": error}),
    }
}

/// Accepts connections for ever, each served in a thread of its own.
pub fn listen(shared: &Arc<Shared>, listener: &UnixListener) {
    for stream in listener.incoming().flatten() {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            if let Err(error) = converse(&shared, &stream) {
                tracing::debug!("control connection ended: {error}");
            }
        });
    }
}

fn converse(shared: &Shared, stream: &UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut reader).take(LINE_LIMIT).read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            continue;
        }
        let mut reply = answer(shared, &line).to_string();
        reply.push('\n');
        (&mut &*stream).write_all(reply.as_bytes())?;
    }
}

/// A line of a scenario that failed.
#[derive(Debug, thiserror::Error)]
#[error("scenario line {number}: {words}")]
pub struct ScenarioError {
    /// Which line, from 1 on.
    pub number: usize,
    /// What went wrong.
    pub words: String,
}

/// Runs a scenario: requests line by line; empty lines and those that begin
/// with `#` are skipped. It ends with the first request that fails.
///
/// # Errors
/// A request fails.
pub fn play(shared: &Shared, scenario: &str) -> Result<(), ScenarioError> {
    for (index, line) in scenario.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let reply = answer(shared, line);
        tracing::info!("scenario: {line} -> {reply}");
        if reply["ok"] != true {
            return Err(ScenarioError {
                number: index + 1,
                words: reply["error"].as_str().unwrap_or("failed").to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
