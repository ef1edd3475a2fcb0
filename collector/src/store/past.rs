//! What the planner of the next seal needs to know of the past. Of earlier blocks that is what records
//! say of them, and sums of their counts by window: one label of a long window does not read all of
//! its blocks again. Sums are derived: a block that is not in one yet is added when it is asked for.

use clause9_shared::ids::SystemId;
use clause9_shared::metric::{StreamKind, Unmeasurable};
use clause9_shared::sampling::Common;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use clause9_shared::wire::codec::{Decode, Encode};
use rusqlite::{OptionalExtension, Row, params};

use super::read::{digest, pane, point, unreadable};
use super::{Appended, ReadStore, StoreError};
use crate::known::KnownSystem;
use clause9_shared::evidence::body::BlockRef;
use clause9_shared::sealing::blocks::BlockCoverage;
use clause9_shared::sealing::{
    Needs, OVERFLOW, Past, PastBlock, SumOf, UNEQUAL_RATES, common, sum_of,
};

/// Blocks that are added anew each time a window's sum is asked for, at most. A sum is kept once more
/// than these are in it: it takes about as much room as one block.
const MAX_UNKEPT: usize = 16;

/// How streams are written.
const fn stream_number(stream: StreamKind) -> i64 {
    match stream {
        StreamKind::Traffic => 1,
        StreamKind::Outcomes | StreamKind::ByAttribute => 2,
    }
}

/// How kept sums are told apart: a stream's, of what its blocks had in common.
fn kept_number(stream: StreamKind, common: Common) -> i64 {
    stream_number(stream) + 16 * i64::from(common.number())
}

impl Appended<'_> {
    /// What the planner needs to know of the past. Keeps the sums of long windows for the next time.
    pub(crate) fn past(&self, system: &KnownSystem, needs: &Needs) -> Result<Past, StoreError> {
        let read = self.read();
        let id = system.id();
        let mut past = Past {
            standings: read.standings(id)?,
            ..Past::default()
        };
        for (from, to) in runs(system, needs) {
            read.past_blocks(id, (from, to), &mut past)?;
            past.silent.extend(read.silent(id, (from, to))?);
        }
        for of in &needs.sums {
            let panes = of.window.panes(system.pane());
            let common = common(&past.blocks, &needs.mixes, panes);
            past.sums.insert(*of, self.sum(system, (*of, common))?);
        }
        if let Some((from, to)) = needs.stretch {
            past.gaps = read.gaps(id, from, to)?;
        }
        for (objective, version, start) in &needs.windows {
            let found = self
                .tx
                .prepare_cached(
                    "SELECT measurement FROM windows
                     WHERE system = ?1 AND objective = ?2 AND version = ?3 AND start = ?4",
                )?
                .query_row(
                    params![id.as_str(), objective.as_str(), version, start.micros()],
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

    /// The sum of a window's blocks of one stream, of the plan in use, at one rate of sampling.
    fn sum(
        &self,
        system: &KnownSystem,
        (of, common): (SumOf, Common),
    ) -> Result<Result<PaneSummary, Unmeasurable>, StoreError> {
        if common == Common::Nothing {
            return Ok(Err(UNEQUAL_RATES));
        }
        let (mut sum, through) = match self.kept_sum(system, (of, common))? {
            Some(kept) => kept,
            None => match sum_of(system, of.stream(), std::iter::empty()) {
                Ok(empty) => (empty, 0),
                Err(why) => return Ok(Err(why)),
            },
        };
        let mut statement = self.tx.prepare_cached(
            "SELECT b.rowid, b.pane_key, c.bytes FROM blocks b JOIN contents c ON c.digest = b.summary
             WHERE b.system = ?1 AND b.pane >= ?2 AND b.pane < ?3 AND b.stream = ?4 AND b.rowid > ?5",
        )?;
        let mut rows = statement.query(params![
            system.id().as_str(),
            of.window.start.micros(),
            of.window.end.micros(),
            stream_number(of.stream()),
            through
        ])?;
        let (mut added, mut last) = (0, through);
        while let Some(r) = rows.next()? {
            let bad = unreadable("blocks");
            // In no order: sorting would hold all of them.
            last = last.max(r.get(0)?);
            let key: Vec<u8> = r.get(1)?;
            let key = PaneKey::from_bytes(&key).map_err(&bad)?;
            if key.plan != system.plan.digest() || !common.takes(&key) {
                continue;
            }
            let summary: Vec<u8> = r.get(2)?;
            let summary = PaneSummary::from_bytes(&summary).map_err(&bad)?;
            if sum.merge(&summary).is_err() {
                return Ok(Err(OVERFLOW));
            }
            added += 1;
        }
        if added > MAX_UNKEPT {
            self.keep_sum(system, (of, common), &sum, last)?;
        }
        Ok(Ok(sum))
    }

    fn kept_sum(
        &self,
        system: &KnownSystem,
        (of, common): (SumOf, Common),
    ) -> Result<Option<(PaneSummary, i64)>, StoreError> {
        let found: Option<(Vec<u8>, i64)> = self
            .tx
            .prepare_cached(
                "SELECT summary, through FROM sums WHERE system = ?1 AND start = ?2 AND end = ?3
                 AND stream = ?4 AND plan = ?5",
            )?
            .query_row(
                params![
                    system.id().as_str(),
                    of.window.start.micros(),
                    of.window.end.micros(),
                    kept_number(of.stream(), common),
                    system.plan.digest().as_bytes()
                ],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()?;
        found
            .map(|(bytes, through)| {
                let sum = PaneSummary::from_bytes(&bytes).map_err(unreadable("sums"))?;
                Ok((sum, through))
            })
            .transpose()
    }

    /// Keeps a sum, and forgets those of windows that no outcome can reach any more.
    fn keep_sum(
        &self,
        system: &KnownSystem,
        (of, common): (SumOf, Common),
        sum: &PaneSummary,
        through: i64,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO sums(system, start, end, stream, plan, through, summary)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                system.id().as_str(),
                of.window.start.micros(),
                of.window.end.micros(),
                kept_number(of.stream(), common),
                system.plan.digest().as_bytes(),
                through,
                sum.to_bytes(),
            ])?;
        let reach = of.window.start - system.document.panes.outcome_horizon - system.pane();
        self.tx
            .prepare_cached("DELETE FROM sums WHERE system = ?1 AND end < ?2")?
            .execute(params![system.id().as_str(), reach.micros()])?;
        Ok(())
    }
}

/// The stretches that the panes asked for make up: panes in a row are read at once.
fn runs(system: &KnownSystem, needs: &Needs) -> Vec<(Timestamp, Timestamp)> {
    let mut runs: Vec<(Timestamp, Timestamp)> = Vec::new();
    for pane in &needs.panes {
        let end = pane.end(system.pane());
        match runs.last_mut() {
            Some((_, last)) if *last == pane.0 => *last = end,
            Some(_) | None => runs.push((pane.0, end)),
        }
    }
    runs
}

impl ReadStore<'_> {
    /// Blocks of a stretch of panes, each pane's in the order in which they were sealed.
    fn past_blocks(
        &self,
        system: &SystemId,
        (from, to): (Timestamp, Timestamp),
        past: &mut Past,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT b.block, b.pane, b.stream, b.pane_key, b.coverage, b.summary, r.created_at
             FROM blocks b JOIN records r ON r.digest = b.block
             WHERE b.system = ?1 AND b.pane >= ?2 AND b.pane < ?3 ORDER BY b.pane, b.rowid",
        )?;
        let mut rows = statement.query(params![system.as_str(), from.micros(), to.micros()])?;
        while let Some(r) = rows.next()? {
            let block = past_block(r)?;
            past.blocks.entry(block.pane).or_default().push(block);
        }
        Ok(())
    }
}

fn past_block(r: &Row<'_>) -> Result<PastBlock, StoreError> {
    let key: Vec<u8> = r.get(3)?;
    let coverage: Vec<u8> = r.get(4)?;
    let bad = unreadable("blocks");
    let coverage = match r.get::<_, i64>(2)? {
        1 => BlockCoverage::Traffic(Coverage::from_bytes(&coverage).map_err(&bad)?),
        2 => BlockCoverage::Outcomes(OutcomeCoverage::from_bytes(&coverage).map_err(&bad)?),
        _ => return Err(StoreError::Row("blocks")),
    };
    let key = PaneKey::from_bytes(&key).map_err(&bad)?;
    // A block became so when the pane was sealed that made it: at that pane's end and the lateness after
    // it, which is shorter than a pane.
    let next = PaneStart::of(point(r, 6)?, key.pane);
    Ok(PastBlock {
        names: BlockRef {
            block: digest(r, 0)?,
            summary: digest(r, 5)?,
        },
        pane: pane(r, 1)?,
        sealed_with: PaneStart(next.0 - key.pane),
        key,
        coverage,
    })
}
