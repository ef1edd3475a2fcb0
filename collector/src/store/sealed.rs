//! What is shown of sealed panes and measured windows.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;
use clause9_shared::evidence::census;
use clause9_shared::ids::{AgentId, ObjectiveId, SystemId};
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use rusqlite::{OptionalExtension, Row, params};

use super::read::{count, digest, most, pane, point};
use super::{ReadStore, StoreError};
use clause9_shared::evidence::body::Status;
use clause9_shared::sealing::{SealRow, Window, WindowRow};

/// Panes sealed without an agent that are looked through at once, at most: the newest.
const MAX_SILENT: usize = 100_000;

/// What stands in the register of a system since it was sealed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// The record of that seal.
    pub(crate) seal: Option<Digest>,
    /// How many records.
    pub(crate) records: u64,
    /// One name for all of them.
    pub(crate) census: Digest,
}

impl ReadStore<'_> {
    /// Counts the records of a system since its last seal.
    pub(crate) fn since_last_seal(&self, system: &SystemId) -> Result<Since, StoreError> {
        let sql = "SELECT leaf, digest FROM records WHERE type = 'seal' AND system = ?1 AND objective IS NULL
             ORDER BY leaf DESC LIMIT 1";
        let last: Option<(i64, Digest)> = self
            .connection
            .prepare_cached(sql)?
            .query_row([system.as_str()], |r| Ok((r.get(0)?, digest(r, 1)?)))
            .optional()?;
        let after = last.map_or(-1, |(leaf, _)| leaf);
        let sql = "SELECT digest FROM records WHERE system = ?1 AND leaf > ?2 ORDER BY leaf";
        let mut statement = self.connection.prepare_cached(sql)?;
        let names = statement
            .query_map(params![system.as_str(), after], |r| digest(r, 0))?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Since {
            seal: last.map(|(_, digest)| digest),
            records: names.len() as u64,
            census: census(names.iter()),
        })
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

    /// The newest measurements of an objective version's windows that start in a stretch, in order.
    pub fn windows(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<WindowRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT start, end, measurement, status, reason, value, low, high, support, quiet
             FROM windows WHERE system = ?1 AND objective = ?2 AND version = ?3
             AND start >= ?4 AND start < ?5 ORDER BY start",
        )?;
        let mut rows = statement.query(params![
            system.as_str(),
            objective.as_str(),
            version,
            from.micros(),
            to.micros()
        ])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            all.push(window_row(r, objective, version)?);
        }
        Ok(all)
    }

    /// The newest measurements of an objective version's windows, the latest `limit`, in order.
    pub fn newest_windows(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        limit: usize,
    ) -> Result<Vec<WindowRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT start, end, measurement, status, reason, value, low, high, support, quiet
             FROM windows WHERE system = ?1 AND objective = ?2 AND version = ?3
             ORDER BY start DESC LIMIT ?4",
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

    /// Agents that were silent when panes of a stretch were sealed: of the newest such panes.
    pub fn silent(
        &self,
        system: &SystemId,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<PaneStart, Vec<AgentId>>, StoreError> {
        // The condition is that of the index, so that panes sealed with all agents are not looked at.
        let mut statement = self.connection.prepare_cached(
            "SELECT pane, json_extract(body, '$.missing') FROM seals INDEXED BY seals_without
             WHERE system = ?1 AND pane >= ?2 AND pane < ?3
             AND json_array_length(body, '$.missing') > 0 ORDER BY pane DESC LIMIT ?4",
        )?;
        let mut rows = statement.query(params![
            system.as_str(),
            from.micros(),
            to.micros(),
            most(MAX_SILENT)
        ])?;
        let mut all = BTreeMap::new();
        while let Some(r) = rows.next()? {
            let agents: String = r.get(1)?;
            let agents = serde_json::from_str(&agents).map_err(|_| StoreError::Row("seals"))?;
            all.insert(pane(r, 0)?, agents);
        }
        Ok(all)
    }
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
        quiet: r.get(9)?,
    })
}
