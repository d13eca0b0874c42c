// SPDX-License-Identifier: GPL-2.0
//! Requests as the manual has them, answered.

use std::time::Duration;

use super::*;
use crate::modem::{
    Modem,
    Options, //
};

fn shared() -> Arc<Shared> {
    let options = Options {
        channels: vec![0],
        ..Options::default()
    };
    Arc::new(Shared::new(Modem::new(options, None).unwrap()).unwrap())
}

/// Every request of the manual is understood and carried out.
#[test]
fn requests_of_the_manual() {
    let manual = include_str!("../../README.md");
    let shared = shared();
    let mut seen = 0;
    for line in manual.lines().filter(|line| line.starts_with("{\"id\":")) {
        if line.contains("\"wait\"") {
            shared.with(|m| m.events.push("pc-up"));
        }
        let reply = answer(&shared, line);
        assert_eq!(reply["ok"], true, "{line} -> {reply}");
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} examples found");
}

/// The manual explains each counter, in the words of the source.
#[test]
fn manual_has_all_counters() {
    let manual = include_str!("../../README.md");
    for (name, meaning) in crate::counters::Counters::meanings() {
        let row = format!("| `{name}` |{meaning} |");
        assert!(manual.contains(&row), "the manual lacks: {row}");
    }
}

/// The manual has a row for each counter of the QMI side, too.
#[test]
fn manual_has_all_counters_of_qmi() {
    let manual = include_str!("../../README.md");
    let reply = answer(&shared(), r#"{"cmd":"counters"}"#);
    let all = reply["result"].as_object().unwrap();
    let qmi: Vec<_> = all.keys().filter(|name| name.starts_with("qmi_")).collect();
    assert!(qmi.len() > 10, "{qmi:?}");
    for name in qmi {
        assert!(manual.contains(&format!("| `{name}` | ")), "{name}");
    }
}

/// Nonsense is refused in words, with the id of the request.
#[test]
fn nonsense_is_refused() {
    let shared = shared();
    for line in [
        "no json",
        "[]",
        r#"{"id":1}"#,
        r#"{"id":1,"cmd":"fly"}"#,
        r#"{"id":1,"cmd":"open"}"#,
        r#"{"id":1,"cmd":"open","channels":[8]}"#,
        r#"{"id":1,"cmd":"power","on":true,"forse":true}"#,
        r#"{"id":1,"cmd":"inject","hex":"abc"}"#,
    ] {
        let reply = answer(&shared, line);
        assert_eq!(reply["ok"], false, "{line} -> {reply}");
        assert!(reply["error"].is_string());
    }
    assert_eq!(answer(&shared, r#"{"id":"x","cmd":"status"}"#)["id"], "x");
}

/// Waiting ends with the event, or in words after the time given.
#[test]
fn wait_for_an_event() {
    let shared = shared();
    let late = answer(&shared, r#"{"cmd":"wait","event":"pc-up","timeout_ms":10}"#);
    assert_eq!(late["ok"], false);
    let waiter = {
        let shared = Arc::clone(&shared);
        std::thread::spawn(move || {
            answer(
                &shared,
                r#"{"cmd":"wait","event":"pc-up","count":1,"timeout_ms":20000}"#,
            )
        })
    };
    std::thread::sleep(Duration::from_millis(20));
    shared.with(|m| m.force_power(true, false)).unwrap();
    assert_eq!(waiter.join().unwrap()["result"]["count"], 1);
}

/// A scenario runs line by line and names the line that fails.
#[test]
fn scenario() {
    let shared = shared();
    play(&shared, "# wake up\n\n{\"cmd\":\"power\",\"on\":true}\n").unwrap();
    assert!(shared.with(|m| m.status().pc));
    let error = play(&shared, "{\"cmd\":\"status\"}\n{\"cmd\":\"fly\"}\n").unwrap_err();
    assert_eq!(error.number, 2);
}

/// The socket answers line by line, on several connections.
#[test]
fn socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let listener = UnixListener::bind(&path).unwrap();
    let shared = shared();
    std::thread::spawn(move || listen(&shared, &listener));
    for _ in 0..2 {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream
            .write_all(b"{\"id\":7,\"cmd\":\"counters\"}\n{\"id\":8,\"cmd\":\"nothing\"}\n")
            .unwrap();
        let mut lines = BufReader::new(stream).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(
            (&first["id"], &first["result"]["bad_magic"]),
            (&json!(7), &json!(0))
        );
        let second: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&second["id"], &second["ok"]), (&json!(8), &json!(false)));
    }
}
