// SPDX-License-Identifier: GPL-2.0
//! Runs each target with its corpus: what libFuzzer has found to reach most of the code, and each
//! input that has ever found a bug. Without libFuzzer, so that the targets are built and run
//! wherever the tests are.

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::Path;

use bam_dmux_fuzz::TARGETS;

/// No input of a target's corpus makes it panic, and each target has a corpus.
#[test]
fn corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut failed = Vec::new();
    for target in TARGETS {
        let mut files: Vec<_> = fs::read_dir(root.join(target.name))
            .unwrap_or_else(|error| panic!("{}: {error}", target.name))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in &files {
            let data = fs::read(file).unwrap();
            if panic::catch_unwind(|| (target.run)(&data)).is_err() {
                failed.push(file.clone());
            }
        }
        println!("{}: {} inputs", target.name, files.len());
    }
    assert!(failed.is_empty(), "these inputs fail: {failed:#?}");
}

/// Each corpus and each of libFuzzer's programs belongs to a target.
#[test]
fn targets_are_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names: BTreeSet<_> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    let in_dir = |dir: &str| -> BTreeSet<String> {
        fs::read_dir(root.join(dir))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(in_dir("corpus"), names);
    assert_eq!(in_dir("libfuzzer/fuzz_targets"), names);
}

/// Bytes without a plan do not make a target panic either: a few from a simple generator.
#[test]
fn noise() {
    let mut state = 1_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    for target in TARGETS {
        for len in (0..600).step_by(40) {
            let data: Vec<u8> = (0..len).map(|_| next()).collect();
            (target.run)(&data);
        }
    }
}
