//! The register itself: records in order, bytes by name; and refusals that are only counted.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;
use clause9_shared::time::Timestamp;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::names::unaltered;
use super::read::{count, digest, most, point};
use super::{ReadStore, StoreError};

/// A record in the register.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRow {
    /// Position in the register, from 0 without holes.
    pub leaf: u64,
    /// Its name.
    pub digest: Digest,
    /// Its type.
    pub kind: String,
    /// The system it concerns.
    pub system: Option<String>,
    /// When what it tells became so.
    pub created_at: Timestamp,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// Which records are asked for.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Of this type.
    pub kind: Option<&'static str>,
    /// Of this system.
    pub system: Option<String>,
    /// Of this objective.
    pub objective: Option<String>,
}

/// Part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Only what comes after this leaf.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Newest first (then `after` means before).
    pub newest_first: bool,
}

/// Bytes kept by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRow {
    /// What kind of thing it is.
    pub kind: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Refusals counted under one reason, peer and hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingRefusal {
    /// Why.
    pub reason: String,
    /// From where.
    pub peer: String,
    /// Beginning of the hour.
    pub hour: Timestamp,
    /// How many.
    pub count: i64,
    /// The last of them.
    pub last_at: Timestamp,
}

impl ReadStore<'_> {
    /// Bytes by name.
    pub fn content(&self, name: Digest) -> Result<Option<ContentRow>, StoreError> {
        let row: Option<(String, Vec<u8>)> = self
            .connection
            .prepare_cached("SELECT kind, bytes FROM contents WHERE digest = ?1")?
            .query_row([name.as_bytes()], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        row.map(|(kind, bytes)| {
            let bytes = unaltered(name, &kind, bytes)?;
            Ok(ContentRow { kind, bytes })
        })
        .transpose()
    }

    /// Records in order of the register, or newest first.
    pub fn records(
        &self,
        filter: &RecordFilter,
        page: &Page,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let (compare, order) = if page.newest_first {
            ("<", "DESC")
        } else {
            (">", "ASC")
        };
        let mut sql = "SELECT r.leaf, r.digest, r.type, r.system, r.created_at, c.bytes
             FROM records r LEFT JOIN contents c ON c.digest = r.digest WHERE 1"
            .to_owned();
        let mut values: Vec<&dyn rusqlite::ToSql> = Vec::new();
        let after = page.after.map(u64::cast_signed);
        let wanted: [(&str, Option<&dyn rusqlite::ToSql>); 4] = [
            ("r.type =", filter.kind.as_ref().map(|k| k as _)),
            ("r.system =", filter.system.as_ref().map(|s| s as _)),
            ("r.objective =", filter.objective.as_ref().map(|o| o as _)),
            ("r.leaf", after.as_ref().map(|a| a as _)),
        ];
        for (column, value) in wanted {
            if let Some(value) = value {
                values.push(value);
                let compare = if column == "r.leaf" { compare } else { "" };
                let place = values.len();
                sql = format!("{sql} AND {column} {compare} ?{place}");
            }
        }
        let sql = format!("{sql} ORDER BY r.leaf {order} LIMIT {}", page.limit);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(values.as_slice())?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(record(row)?);
        }
        let whole = filter.is_empty() && !page.newest_first;
        if whole && !follow(&all, page.after) {
            return Err(StoreError::Row("records"));
        }
        Ok(all)
    }

    /// How many records there are of each type, for a system or in all.
    pub fn record_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT type, count(*) FROM records GROUP BY type")?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, count(r, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counted refusals, newest hour first.
    pub fn refusals(&self, limit: usize) -> Result<Vec<PendingRefusal>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT reason, peer, hour * 3600000000, count, last_at FROM refusals
             ORDER BY hour DESC, count DESC, reason, peer LIMIT ?1",
        )?;
        let rows = statement.query_map([most(limit)], |r| {
            Ok(PendingRefusal {
                reason: r.get(0)?,
                peer: r.get(1)?,
                hour: point(r, 2)?,
                count: r.get(3)?,
                last_at: point(r, 4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl RecordFilter {
    const fn is_empty(&self) -> bool {
        self.kind.is_none() && self.system.is_none() && self.objective.is_none()
    }
}

/// Whether leaves follow each other and what was asked for.
fn follow(rows: &[RecordRow], after: Option<u64>) -> bool {
    let first = after.map_or(0, |leaf| leaf.saturating_add(1));
    rows.iter().zip(first..).all(|(row, leaf)| row.leaf == leaf)
}

/// What the index repeats of a record.
#[derive(Deserialize)]
struct Indexed {
    header: Head,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    system: Option<String>,
    created_at: Timestamp,
}

fn record(row: &Row<'_>) -> Result<RecordRow, StoreError> {
    let digest = digest(row, 1)?;
    let bytes: Option<Vec<u8>> = row.get(5)?;
    let bytes = bytes.ok_or(StoreError::Altered(digest))?;
    let row = RecordRow {
        leaf: count(row, 0)?,
        digest,
        kind: row.get(2)?,
        system: row.get(3)?,
        created_at: point(row, 4)?,
        bytes: unaltered(digest, "record", bytes)?,
    };
    let said: Indexed =
        serde_json::from_slice(&row.bytes).map_err(|_| StoreError::Row("records"))?;
    let Head {
        kind,
        system,
        created_at,
    } = said.header;
    if (&kind, &system, created_at) != (&row.kind, &row.system, row.created_at) {
        return Err(StoreError::Row("records"));
    }
    Ok(row)
}
