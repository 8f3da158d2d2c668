//! What earlier releases wrote otherwise, brought into the present form when the database is opened.

use redb::WriteTransaction;
use serde_json::Value;

use super::error::database;
use super::{SETTINGS, StoreError, record, settings};
use crate::policy::{PausedBy, Pauses};
use crate::units::{Asset, Timestamp};

/// Pauses were a part of the policy once: a list of assets, without a reason.
pub(super) fn bring_up_to_date(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut table = transaction.open_table(SETTINGS).map_err(database)?;
    // one that cannot be read at all is told of by whoever wants it
    let Ok(mut policy) = settings::read::<Value>(&table, settings::POLICY) else {
        return Ok(());
    };
    let Some(paused) = policy.as_object_mut().and_then(|policy| policy.remove("paused")) else {
        return Ok(());
    };
    let paused: Vec<Asset> = serde_json::from_value(paused).map_err(|_| StoreError::Row {
        table: "settings",
        key: settings::POLICY.into(),
        reason: "`paused` is no list of assets".into(),
    })?;
    let mut pauses: Pauses = settings::read(&table, settings::PAUSES)?;
    for asset in paused {
        pauses.pause(asset, PausedBy::Operator, "", Timestamp::now());
    }
    let rows = [
        (settings::POLICY, record::encode(&policy)),
        (settings::PAUSES, record::encode(&pauses)),
    ];
    for (key, row) in rows {
        table.insert(key, row.as_slice()).map_err(database)?;
    }
    Ok(())
}
