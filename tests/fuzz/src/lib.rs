// SPDX-License-Identifier: GPL-2.0
//! Fuzz targets: the protocol core, which the kernel module is built from, and what the simulated
//! modem makes of a guest that does anything.
//!
//! A target takes bytes, makes of them whatever it needs, and panics if something is wrong. Bytes
//! that make no sense to it are used as far as they go. The same bytes always do the same, so that
//! a finding can be replayed, with the exception of times in [`modem::control`].
//!
//! Two programs run the targets: `tests/replay.rs` with the corpus, as a plain test, and
//! `libfuzzer/` with what libFuzzer thinks of. `run` in this directory starts the latter.

#![allow(clippy::missing_panics_doc, reason = "panics are what targets are for")]

pub mod modem;
pub mod protocol;
pub mod qmi;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, of its corpus and of its program.
    pub name: &'static str,
    /// Runs it once; panics if something is wrong.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "header",
        run: protocol::header::run,
    },
    Target {
        name: "channels",
        run: protocol::channels::run,
    },
    Target {
        name: "handshake",
        run: protocol::handshake::run,
    },
    Target {
        name: "lines",
        run: protocol::lines::run,
    },
    Target {
        name: "rings",
        run: protocol::rings::run,
    },
    Target {
        name: "mmio",
        run: modem::mmio::run,
    },
    Target {
        name: "smd",
        run: modem::smd::run,
    },
    Target {
        name: "control",
        run: modem::control::run,
    },
    Target {
        name: "qmi",
        run: qmi::run,
    },
];
