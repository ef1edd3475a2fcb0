//! What is shown of sealed panes and measured windows.

use clause9_shared::ids::{ObjectiveId, SystemId};
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use rusqlite::{OptionalExtension, Row, params};

use super::read::{count, digest, most, point};
use super::{ReadStore, StoreError};
use crate::plan::{SealRow, Window, WindowRow};
use crate::register::Status;

impl ReadStore<'_> {
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
