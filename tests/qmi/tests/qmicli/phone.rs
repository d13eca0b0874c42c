// SPDX-License-Identifier: GPL-2.0
//! A modem on a socket, and `qmicli` to talk to it.

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{
    Command,
    Stdio, //
};
use std::sync::Arc;
use std::thread;
use std::time::{
    Duration,
    Instant, //
};

use bam_dmux_qmi::{
    Identity,
    Modem, //
};

use crate::server::Server;

/// `qmicli` gives up on an answer after 10 s; with `--wds-follow-network` it
/// looks every 20 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// A modem and the socket that it is served on.
pub(crate) struct Phone {
    pub(crate) server: Arc<Server>,
    directory: tempfile::TempDir,
}

/// What `qmicli` has said.
pub(crate) struct Said {
    success: bool,
    pub(crate) text: String,
}

impl Phone {
    pub(crate) fn new() -> Self {
        let phone = Self {
            server: Arc::new(Server::new(Modem::new(Identity::default()))),
            directory: tempfile::tempdir().unwrap(),
        };
        let listener = UnixListener::bind(phone.path()).unwrap();
        let server = Arc::clone(&phone.server);
        thread::spawn(move || server.serve(&listener));
        phone
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("qmux_socket")
    }

    /// Runs `qmicli` and returns all that it has printed.
    pub(crate) fn qmicli(&self, args: &[&str]) -> Said {
        let child = Command::new("qmicli")
            .arg("-d")
            .arg(self.path())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "there is no qmicli: it is in Debian's package libqmi-utils. \
                 'make env' installs it in the project's root (tests/env/enter), \
                 'apt-get install libqmi-utils' elsewhere"
            ),
            Err(error) => panic!("qmicli: {error}"),
        };
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                let said = child.wait_with_output().unwrap();
                panic!("qmicli {args:?} has not ended within {PATIENCE:?}: {said:?}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        let output = child.wait_with_output().unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        text.push_str(&String::from_utf8(output.stderr).unwrap());
        Said {
            success: output.status.success(),
            text,
        }
    }

    /// The same for a client that is there already and shall stay.
    pub(crate) fn qmicli_as(&self, client: &str, arg: &str) -> Said {
        let client = format!("--client-cid={client}");
        self.qmicli(&[arg, &client, "--client-no-release-cid"])
    }

    /// A new WDS client on a data channel and for a family.
    pub(crate) fn wds_client(&self, channel: u8, family: u8) -> String {
        let said = self.qmicli(&["--wds-noop", "--client-no-release-cid"]);
        let client = said.value("CID").to_owned();
        let bind = format!("--wds-bind-data-port=a2-mux-rmnet{channel}");
        assert!(self.qmicli_as(&client, &bind).success);
        let family = format!("--wds-set-ip-family={family}");
        assert!(self.qmicli_as(&client, &family).success);
        client
    }

    pub(crate) fn calls_up(&self) -> usize {
        self.server.with(|modem, _| modem.status().calls.len())
    }

    /// Waits until so many calls are up.
    pub(crate) fn wait_for_calls(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.calls_up() != count {
            assert!(Instant::now() < deadline, "there are not {count} calls");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Said {
    /// The value behind a name, without quotes.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.text
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))
            .unwrap_or_else(|| panic!("no {name} in {}", self.text))
            .trim()
            .trim_matches('\'')
    }

    /// All of these are in it, and `qmicli` is content.
    pub(crate) fn expect(&self, what: &[&str]) {
        assert!(self.success, "{}", self.text);
        self.mentions(what);
    }

    /// All of these are in it, and `qmicli` is not content.
    pub(crate) fn expect_error(&self, what: &[&str]) {
        assert!(!self.success, "{}", self.text);
        self.mentions(what);
    }

    pub(crate) fn mentions(&self, what: &[&str]) {
        for it in what {
            assert!(self.text.contains(it), "no \"{it}\" in: {}", self.text);
        }
    }
}
