// SPDX-License-Identifier: GPL-2.0
//! The requests about hostile frames.

use std::collections::BTreeMap;
use std::path::{
    Path,
    PathBuf, //
};

use serde::Deserialize;
use serde_json::{
    json,
    Value, //
};

use super::hex;
use crate::hostile::frames::item::{
    Item,
    Kind, //
};
use crate::hostile::frames::log::Log;
use crate::hostile::frames::payload::Table;
use crate::hostile::frames::plan::Plan;
use crate::hostile::frames::run::{
    Order,
    Source, //
};
use crate::shared::Shared;

/// Most items that are shown at once.
const MOST_SHOWN: u32 = 10_000;
/// Most items of a file.
const MOST_LISTED: usize = 100_000;

/// Which items.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is described in the manual")]
pub struct Hostile {
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub first: u32,
    #[serde(default)]
    pub frames: u32,
    #[serde(default)]
    pub late: bool,
    #[serde(default)]
    pub weights: BTreeMap<Kind, u32>,
    #[serde(default)]
    pub file: Option<PathBuf>,
    #[serde(default)]
    pub log: Option<PathBuf>,
}

impl Hostile {
    /// Begins the run.
    pub(super) fn start(self, shared: &Shared) -> Result<Value, String> {
        let source = match &self.file {
            Some(path) => Source::List(read_items(path)?),
            None => Source::Plan(self.plan()),
        };
        let log = self.log.as_deref().map(|path| {
            Log::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
        });
        let order = Order {
            source,
            seed: self.seed,
            first: self.first,
            count: self.frames,
            log: log.transpose()?,
        };
        shared
            .with(|m| m.start_hostile(order))
            .map_err(|error| error.to_string())?;
        status(shared)
    }

    fn plan(&self) -> Plan {
        Plan::new(self.seed, self.late, &self.weights)
    }

    /// The items themselves.
    pub(super) fn show(&self) -> Result<Value, String> {
        let plan = self.plan();
        let end = self.first.saturating_add(self.frames.min(MOST_SHOWN));
        let items: Vec<Item> = (self.first..end).map(|serial| plan.item(serial)).collect();
        super::command::to_json(items)
    }
}

/// How far the run is.
pub(super) fn status(shared: &Shared) -> Result<Value, String> {
    super::command::to_json(shared.with(|m| m.hostile_status()))
}

/// What payloads are slices of.
pub(super) fn table(seed: u64) -> Value {
    json!({"hex": hex::encode(Table::new(seed).bytes())})
}

/// The items of a corpus file: one a line, but for empty lines and those that
/// begin with `#`.
///
/// # Errors
/// The file cannot be read, or a line is no item; in words.
pub fn read_items(path: &Path) -> Result<Vec<Item>, String> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let mut items = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let item = serde_json::from_str(line)
            .map_err(|error| format!("{name}, line {}: {error}", index + 1))?;
        items.push(item);
        if items.len() > MOST_LISTED {
            return Err(format!("{name} has more than {MOST_LISTED} items"));
        }
    }
    Ok(items)
}
