//! A database as a fixture: a swap of each role in each state, as they were written, and nothing beside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use redb::{Database, ReadableTable, TableDefinition};
use serde_json::Value;

type Id = [u8; 32];

const SWAPS: TableDefinition<Id, &[u8]> = TableDefinition::new("swaps");
const OPEN: TableDefinition<Id, ()> = TableDefinition::new("open");
const SUMMARIES: TableDefinition<(u64, Id), &[u8]> = TableDefinition::new("summaries");
const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");
const JOURNAL_BY_SWAP: TableDefinition<(Id, u64), ()> = TableDefinition::new("journal_by_swap");
const CHANNELS: TableDefinition<u64, Id> = TableDefinition::new("channels");
const TRAILS: TableDefinition<Id, &[u8]> = TableDefinition::new("trails");

/// The names of a state's variants, from the outermost on: `Maker/Opened`.
fn variants(state: &Value) -> String {
    let inner = |value: &Value| value.as_array().and_then(|parts| parts.last()).map(variants);
    match state.as_object().and_then(|object| object.iter().next()) {
        Some((name, value)) => inner(value).map_or_else(|| name.clone(), |inner| format!("{name}/{inner}")),
        None => state.to_string(),
    }
}

/// Takes all swaps out of a database but the first of each role and state, and the room that is free then. No row that
/// stays is touched.
pub fn slim(file: &Path) -> Result<()> {
    let mut database = Database::open(file)?;
    let change = database.begin_write()?;
    {
        let mut swaps = change.open_table(SWAPS)?;
        let mut kept = BTreeMap::new();
        for row in swaps.iter()? {
            let (id, row) = row?;
            let row: Value = serde_json::from_slice(row.value())?;
            let swap = row.get("record").context("a record")?;
            kept.entry((swap["role"].to_string(), variants(&swap["state"])))
                .or_insert(id.value());
        }
        let kept: BTreeSet<Id> = kept.into_values().collect();
        swaps.retain(|id, _| kept.contains(&id))?;
        change.open_table(OPEN)?.retain(|id, ()| kept.contains(&id))?;
        change.open_table(TRAILS)?.retain(|id, _| kept.contains(&id))?;
        change.open_table(SUMMARIES)?.retain(|(_, id), _| kept.contains(&id))?;
        change.open_table(CHANNELS)?.retain(|_, id| kept.contains(&id))?;
        let mut by_swap = change.open_table(JOURNAL_BY_SWAP)?;
        by_swap.retain(|(id, _), ()| kept.contains(&id))?;
        let mut steps = BTreeSet::new();
        for row in by_swap.iter()? {
            steps.insert(row?.0.value().1);
        }
        change.open_table(JOURNAL)?.retain(|step, _| steps.contains(&step))?;
    }
    change.commit()?;
    while database.compact()? {}
    Ok(())
}
