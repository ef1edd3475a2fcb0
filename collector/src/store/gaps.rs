//! Gaps besides silence, and holes in agents' sequences that may yet be filled. Both can be derived
//! from the register again: gaps from their records, holes from the batches.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Sequence, SystemId};
use clause9_shared::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::read::{count, digest, point};
use super::write::word;
use super::{Appended, ReadStore, StoreError};
use clause9_shared::sealing::GapRow;

/// Gaps that are looked through at once, at most: the newest.
const MAX_GAPS: i64 = 10_000;

/// Sequence numbers that were skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Whose.
    pub(crate) agent: AgentId,
    /// In which run.
    pub(crate) boot: BootId,
    /// The highest number that came before the jump; 0 if none.
    pub(crate) after: u64,
    /// The number that it jumped to.
    pub(crate) before: u64,
    /// Up to where the agent had closed its panes before the jump.
    pub(crate) start: Timestamp,
    /// Up to where after it; a pane further, if it closed none with it.
    pub(crate) end: Timestamp,
}

impl ReadStore<'_> {
    /// Gaps that touch a stretch, the newest last.
    pub(crate) fn gaps(
        &self,
        system: &SystemId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<GapRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT body FROM gaps WHERE system = ?1 AND start < ?3 AND end > ?2
             ORDER BY start DESC, end DESC, record LIMIT ?4",
        )?;
        let mut rows = statement.query(params![
            system.as_str(),
            from.micros(),
            to.micros(),
            MAX_GAPS
        ])?;
        let mut all = Vec::new();
        while let Some(r) = rows.next()? {
            let body: String = r.get(0)?;
            all.push(serde_json::from_str(&body).map_err(|_| StoreError::Row("gaps"))?);
        }
        all.reverse();
        Ok(all)
    }

    /// Whether a gap of that reason, told in these words by that agent, is known.
    pub(crate) fn knows_gap(
        &self,
        system: &SystemId,
        (reason, agent, detail): (&str, AgentId, &str),
    ) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT 1 FROM gaps WHERE system = ?1 AND body ->> 'reason' = ?2
             AND body ->> 'agent' = ?3 AND body ->> 'detail' = ?4",
        )?;
        let agent = agent.to_string();
        Ok(statement.exists(params![system.as_str(), reason, agent, detail])?)
    }

    /// The highest sequence number stored of a run; none if the run was never heard of.
    pub(crate) fn highest(&self, agent: AgentId, boot: BootId) -> Result<Option<u64>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT sequence FROM batches WHERE agent = ?1 AND boot = ?2
                 ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row(params![agent.digest().as_bytes(), word(boot.0)], |r| {
                count(r, 0)
            })
            .optional()?)
    }

    /// Up to where agents had closed their panes before the first hole that is still open.
    pub(super) fn complete(
        &self,
        system: &SystemId,
    ) -> Result<BTreeMap<AgentId, Timestamp>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT h.agent, min(h.start) FROM holes h WHERE h.system = ?1 AND h.before - h.after - 1 >
               (SELECT count(*) FROM batches b WHERE b.agent = h.agent AND b.boot = h.boot
                AND b.sequence > h.after AND b.sequence < h.before)
             GROUP BY h.agent",
        )?;
        let rows = statement.query_map([system.as_str()], |r| {
            Ok((AgentId::from_digest(digest(r, 0)?), point(r, 1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Holes of a system that begin before a point, with how many batches of each are still missing.
    pub(crate) fn holes(
        &self,
        system: &SystemId,
        until: Timestamp,
    ) -> Result<Vec<(Hole, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT h.agent, h.boot, h.after, h.before, h.start, h.end, h.before - h.after - 1 -
               (SELECT count(*) FROM batches b WHERE b.agent = h.agent AND b.boot = h.boot
                AND b.sequence > h.after AND b.sequence < h.before)
             FROM holes h WHERE h.system = ?1 AND h.start < ?2 ORDER BY h.end, h.agent, h.before",
        )?;
        let rows = statement.query_map(params![system.as_str(), until.micros()], |r| {
            let hole = Hole {
                agent: AgentId::from_digest(digest(r, 0)?),
                boot: BootId(count(r, 1)?),
                after: count(r, 2)?,
                before: count(r, 3)?,
                start: point(r, 4)?,
                end: point(r, 5)?,
            };
            Ok((hole, count(r, 6)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Appended<'_> {
    /// Remembers a gap.
    pub(crate) fn keep_gap(&self, system: &SystemId, gap: &GapRow) -> Result<(), StoreError> {
        let body = serde_json::to_string(gap).map_err(|_| StoreError::Row("gaps"))?;
        self.tx
            .prepare_cached(
                "INSERT INTO gaps(record, system, start, end, body) VALUES(?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                gap.record.as_bytes(),
                system.as_str(),
                gap.start.micros(),
                gap.end.micros(),
                body
            ])?;
        Ok(())
    }

    /// Forgets gaps of a reason that begin there and speak of something in these words: their records, which stay.
    pub(crate) fn forget_gaps(
        &self,
        system: &SystemId,
        (reason, start, words): (&str, Timestamp, &str),
    ) -> Result<Vec<Digest>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "DELETE FROM gaps WHERE system = ?1 AND start = ?2 AND body ->> 'reason' = ?3
             AND instr(body ->> 'detail', ?4) > 0 RETURNING record",
        )?;
        let rows = statement.query_map(
            params![system.as_str(), start.micros(), reason, words],
            |r| digest(r, 0),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Remembers a hole until it is filled or its pane is sealed.
    pub(crate) fn keep_hole(&self, system: &SystemId, hole: &Hole) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO holes(system, agent, boot, after, before, start, end)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                system.as_str(),
                hole.agent.digest().as_bytes(),
                word(hole.boot.0),
                word(hole.after),
                word(hole.before),
                hole.start.micros(),
                hole.end.micros()
            ])?;
        Ok(())
    }

    /// Forgets holes of a run between two numbers: what is missing there is known not to come.
    pub(crate) fn close_holes(
        &self,
        agent: AgentId,
        boot: BootId,
        (after, before): (Sequence, Sequence),
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "DELETE FROM holes WHERE agent = ?1 AND boot = ?2 AND after >= ?3 AND before <= ?4",
            )?
            .execute(params![
                agent.digest().as_bytes(),
                word(boot.0),
                word(after.0),
                word(before.0)
            ])?;
        Ok(())
    }

    /// Forgets a hole that was filled or written down.
    pub(crate) fn forget_hole(&self, hole: &Hole) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("DELETE FROM holes WHERE agent = ?1 AND boot = ?2 AND before = ?3")?
            .execute(params![
                hole.agent.digest().as_bytes(),
                word(hole.boot.0),
                word(hole.before)
            ])?;
        Ok(())
    }
}
