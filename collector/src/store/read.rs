//! What is read from the register: records and contents for people, state for the planner.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Name, ObjectiveId, Sequence, SystemId};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use clause9_shared::wire::batch::ClosedWindow;
use clause9_shared::wire::codec::{Decode, Malformed};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::StoreError;
use crate::plan::{KeptBlock, Needs, Past, SealRow, Standing, Window, WindowRow};
use crate::register::{BlockRef, Status};
use crate::seal::{BlockCoverage, Contribution, Origin};

/// One consistent state of the register.
#[derive(Debug)]
pub struct ReadStore<'c> {
    pub(super) connection: &'c Connection,
}

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

/// How far a system has come.
#[derive(Clone, Debug, Default)]
pub struct SystemState {
    /// Its clock, once something was heard.
    pub clock: Option<Clock>,
    /// Per agent ever heard: up to where it has closed its panes.
    pub watermarks: BTreeMap<AgentId, Timestamp>,
    /// The first sealed pane.
    pub first_sealed: Option<PaneStart>,
    /// The last sealed pane.
    pub last_sealed: Option<PaneStart>,
    /// The earliest pane that items wait for.
    pub pending: Option<PaneStart>,
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

/// Verdict records of one objective, oldest first.
pub type Verdicts = Vec<RecordRow>;

pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest::from_bytes)
}

pub(super) fn point(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros = row.get(column)?;
    Timestamp::from_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

fn pane(row: &Row<'_>, column: usize) -> rusqlite::Result<PaneStart> {
    point(row, column).map(PaneStart)
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// A limit as SQLite takes it.
fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn unreadable(what: &'static str) -> impl Fn(Malformed) -> StoreError {
    move |_| StoreError::Row(what)
}

impl<'c> ReadStore<'c> {
    pub(super) const fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// Bytes by name.
    pub fn content(&self, name: Digest) -> Result<Option<ContentRow>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT kind, bytes FROM contents WHERE digest = ?1")?
            .query_row([name.as_bytes()], |r| {
                Ok(ContentRow {
                    kind: r.get(0)?,
                    bytes: r.get(1)?,
                })
            })
            .optional()?)
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
             FROM records r JOIN contents c ON c.digest = r.digest WHERE 1"
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
        let rows = statement.query_map(values.as_slice(), record)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many records there are of each type, for a system or in all.
    pub fn record_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT type, count(*) FROM records GROUP BY type")?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, count(r, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How far a system has come.
    pub fn system_state(&self, system: &SystemId) -> Result<SystemState, StoreError> {
        let id = [system.as_str()];
        let clock: Option<String> = self
            .connection
            .prepare_cached("SELECT clock FROM systems WHERE system = ?1")?
            .query_row(id, |r| r.get(0))
            .optional()?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT agent, watermark FROM watermarks WHERE system = ?1")?;
        let watermarks = statement
            .query_map(id, |r| {
                Ok((AgentId::from_digest(digest(r, 0)?), point(r, 1)?))
            })?
            .collect::<Result<_, _>>()?;
        let first = |sql: &str| -> Result<Option<PaneStart>, StoreError> {
            Ok(self
                .connection
                .prepare_cached(sql)?
                .query_row(id, |r| pane(r, 0))
                .optional()?)
        };
        Ok(SystemState {
            clock: match clock.as_deref() {
                None => None,
                Some("live") => Some(Clock::Live),
                Some("replay") => Some(Clock::Replay),
                Some(_) => return Err(StoreError::Row("systems")),
            },
            watermarks,
            first_sealed: first("SELECT pane FROM seals WHERE system = ?1 ORDER BY pane LIMIT 1")?,
            last_sealed: first(
                "SELECT pane FROM seals WHERE system = ?1 ORDER BY pane DESC LIMIT 1",
            )?,
            pending: first(
                "SELECT waits_for FROM pending WHERE system = ?1 ORDER BY waits_for LIMIT 1",
            )?,
        })
    }

    /// What waits for the seal of a pane, or of an earlier one.
    pub fn contributions(
        &self,
        system: &SystemId,
        up_to: PaneStart,
    ) -> Result<Vec<Contribution>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT agent, boot, sequence, place, batch, item FROM pending
             WHERE system = ?1 AND waits_for <= ?2 ORDER BY id",
        )?;
        let mut rows = statement.query(params![system.as_str(), up_to.0.micros()])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            let bytes: Vec<u8> = r.get(5)?;
            all.push(Contribution {
                origin: Origin {
                    agent: AgentId::from_digest(digest(r, 0)?),
                    boot: BootId(count(r, 1)?),
                    sequence: Sequence(count(r, 2)?),
                    index: r.get(3)?,
                    batch: digest(r, 4)?,
                },
                item: ClosedWindow::from_bytes(&bytes).map_err(unreadable("pending"))?,
            });
        }
        Ok(all)
    }

    /// What the planner needs to know of the past.
    pub fn past(&self, system: &SystemId, needs: &Needs) -> Result<Past, StoreError> {
        let mut past = Past {
            standings: self.standings(system)?,
            ..Past::default()
        };
        for pane in &needs.panes {
            let blocks = self.blocks(system, *pane)?;
            if !blocks.is_empty() {
                past.blocks.insert(*pane, blocks);
            }
            if let Some(seal) = self.seal(system, *pane)?
                && !seal.missing.is_empty()
            {
                past.silent.insert(*pane, seal.missing);
            }
        }
        if let Some((from, to)) = needs.stretch {
            past.gaps = self.gaps(system, from, to)?;
        }
        for (objective, version, start) in &needs.windows {
            let found = self
                .connection
                .prepare_cached(
                    "SELECT measurement FROM windows
                     WHERE system = ?1 AND objective = ?2 AND version = ?3 AND start = ?4",
                )?
                .query_row(
                    params![system.as_str(), objective.as_str(), version, start.micros()],
                    |r| digest(r, 0),
                )
                .optional()?;
            if let Some(found) = found {
                past.windows
                    .insert((objective.clone(), *version, *start), found);
            }
        }
        Ok(past)
    }

    /// Blocks of a prediction pane, in the order in which they were sealed.
    pub fn blocks(&self, system: &SystemId, of: PaneStart) -> Result<Vec<KeptBlock>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT b.block, b.pane, b.stream, b.pane_key, b.coverage, b.summary, c.bytes
             FROM blocks b JOIN contents c ON c.digest = b.summary
             WHERE b.system = ?1 AND b.pane = ?2 ORDER BY b.rowid",
        )?;
        let mut rows = statement.query(params![system.as_str(), of.0.micros()])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            all.push(kept_block(r)?);
        }
        Ok(all)
    }

    /// How each ledger of a system stands.
    pub fn standings(
        &self,
        system: &SystemId,
    ) -> Result<BTreeMap<(ObjectiveId, u32), Standing>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT objective, version, body FROM standings WHERE system = ?1")?;
        let mut rows = statement.query([system.as_str()])?;
        let mut all = BTreeMap::new();
        while let Some(r) = rows.next()? {
            let objective =
                Name::new(&r.get::<_, String>(0)?).map_err(|_| StoreError::Row("standings"))?;
            let standing = serde_json::from_str(&r.get::<_, String>(2)?)
                .map_err(|_| StoreError::Row("standings"))?;
            all.insert((objective, r.get(1)?), standing);
        }
        Ok(all)
    }

    /// What is shown of one sealed pane.
    pub fn seal(&self, system: &SystemId, of: PaneStart) -> Result<Option<SealRow>, StoreError> {
        self.connection
            .prepare_cached("SELECT body FROM seals WHERE system = ?1 AND pane = ?2")?
            .query_row(params![system.as_str(), of.0.micros()], |r| {
                r.get::<_, String>(0)
            })
            .optional()?
            .map(|body| serde_json::from_str(&body).map_err(|_| StoreError::Row("seals")))
            .transpose()
    }

    /// Sealed panes, in order, or newest first. `after` is the pane's start in microseconds.
    pub fn seals(
        &self,
        system: &SystemId,
        after: Option<i64>,
        limit: usize,
        newest_first: bool,
    ) -> Result<Vec<SealRow>, StoreError> {
        let sql = if newest_first {
            "SELECT body FROM seals WHERE system = ?1 AND pane < ?2 ORDER BY pane DESC LIMIT ?3"
        } else {
            "SELECT body FROM seals WHERE system = ?1 AND pane > ?2 ORDER BY pane LIMIT ?3"
        };
        let edge = after.unwrap_or(if newest_first { i64::MAX } else { i64::MIN });
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![system.as_str(), edge, most(limit)])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            let body: String = r.get(0)?;
            all.push(serde_json::from_str(&body).map_err(|_| StoreError::Row("seals"))?);
        }
        Ok(all)
    }

    /// How many panes of a system are sealed.
    pub fn seal_count(&self, system: &SystemId) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM seals WHERE system = ?1")?
            .query_row([system.as_str()], |r| count(r, 0))?)
    }

    /// The newest measurements of an objective version's windows, the latest `limit`, in order.
    pub fn windows(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        limit: usize,
    ) -> Result<Vec<WindowRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT start, end, measurement, status, reason, value, low, high, support FROM windows
             WHERE system = ?1 AND objective = ?2 AND version = ?3 ORDER BY start DESC LIMIT ?4",
        )?;
        let mut rows = statement.query(params![
            system.as_str(),
            objective.as_str(),
            version,
            most(limit)
        ])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            all.push(window_row(r, objective, version)?);
        }
        all.reverse();
        Ok(all)
    }

    /// How many windows with a start in a range have a measurement with a value.
    pub fn measured_count(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM windows WHERE system = ?1 AND objective = ?2 AND version = ?3
                 AND start >= ?4 AND end <= ?5 AND status = 'measured'",
            )?
            .query_row(
                params![
                    system.as_str(),
                    objective.as_str(),
                    version,
                    from.micros(),
                    to.micros()
                ],
                |r| count(r, 0),
            )?)
    }

    /// Pairs of documents that were ever in use for a system.
    pub fn plans(&self, system: &SystemId) -> Result<Vec<(Digest, Digest)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT document, baseline FROM plans WHERE system = ?1")?;
        let rows =
            statement.query_map([system.as_str()], |r| Ok((digest(r, 0)?, digest(r, 1)?)))?;
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

    /// Size of the register in bytes.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.connection.query_row(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            [],
            |r| count(r, 0),
        )?)
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<RecordRow> {
    Ok(RecordRow {
        leaf: count(row, 0)?,
        digest: digest(row, 1)?,
        kind: row.get(2)?,
        system: row.get(3)?,
        created_at: point(row, 4)?,
        bytes: row.get(5)?,
    })
}

fn kept_block(r: &Row<'_>) -> Result<KeptBlock, StoreError> {
    let key: Vec<u8> = r.get(3)?;
    let coverage: Vec<u8> = r.get(4)?;
    let summary: Vec<u8> = r.get(6)?;
    let bad = unreadable("blocks");
    let coverage = match r.get::<_, i64>(2)? {
        1 => BlockCoverage::Traffic(Coverage::from_bytes(&coverage).map_err(&bad)?),
        2 => BlockCoverage::Outcomes(OutcomeCoverage::from_bytes(&coverage).map_err(&bad)?),
        _ => return Err(StoreError::Row("blocks")),
    };
    Ok(KeptBlock {
        names: BlockRef {
            block: digest(r, 0)?,
            summary: digest(r, 5)?,
        },
        key: PaneKey::from_bytes(&key).map_err(&bad)?,
        pane: pane(r, 1)?,
        coverage,
        summary: PaneSummary::from_bytes(&summary).map_err(&bad)?,
    })
}

fn window_row(r: &Row<'_>, objective: &ObjectiveId, version: u32) -> Result<WindowRow, StoreError> {
    let status: String = r.get(3)?;
    let (low, high): (Option<f64>, Option<f64>) = (r.get(6)?, r.get(7)?);
    Ok(WindowRow {
        objective: objective.clone(),
        version,
        window: Window {
            start: point(r, 0)?,
            end: point(r, 1)?,
        },
        measurement: digest(r, 2)?,
        status: Status::from_word(&status).ok_or(StoreError::Row("windows"))?,
        reason: r.get(4)?,
        value: r.get(5)?,
        interval: low.zip(high),
        support: count(r, 8)?,
    })
}
