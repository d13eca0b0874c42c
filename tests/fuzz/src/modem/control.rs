// SPDX-License-Identifier: GPL-2.0
//! The control port: lines of JSON. Whatever they say, each has one answer, and none takes long.
//!
//! Limitations: commands run against the clock of the process, so that a finding which depends
//! on time may not come back. Commands that wait do so because they are told to, and are left out.

use bam_dmux_modem::control::answer;
use bam_dmux_modem::shared::Shared;

use super::guest::modem;

/// Lines of one run.
const MOST_LINES: usize = 40;

/// Runs the target.
pub fn run(data: &[u8]) {
    let Some(shared) = modem(false).and_then(|modem| Shared::new(modem).ok()) else {
        return;
    };
    let text = String::from_utf8_lossy(data);
    for line in text.lines().take(MOST_LINES) {
        if waits(line) {
            continue;
        }
        let reply = answer(&shared, line);
        let ok = reply.get("ok").and_then(serde_json::Value::as_bool);
        let part = match ok {
            Some(true) => "result",
            Some(false) => "error",
            None => "ok",
        };
        assert!(reply.get(part).is_some(), "{line} -> {reply}");
        if ok == Some(false) {
            let words = reply["error"].as_str();
            assert!(words.is_some_and(|words| !words.is_empty()), "{line}");
        }
    }
    let queued = shared.with(|modem| modem.status().downlink_queued);
    assert!(queued <= 1024);
}

/// Whether the command says how long it takes.
fn waits(line: &str) -> bool {
    let request: Result<serde_json::Value, _> = serde_json::from_str(line);
    let name = request
        .as_ref()
        .ok()
        .and_then(|request| request.get("cmd")?.as_str());
    matches!(name, Some("wait" | "sleep"))
}
