//! What is known not to be known: the time between two runs of an agent, batches that never came,
//! and items that were refused. Each is a gap record, so that nobody takes it for a quiet hour.

use std::collections::BTreeMap;

use clause9_shared::evidence::RecordKind;
use clause9_shared::ids::AgentId;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::execute::Counts;
use crate::known::KnownSystem;
use crate::plan::GapRow;
use crate::register::{About, GapBody, Pen};
use crate::store::{Appended, Hole, StoreError};
use crate::verify::VerifiedBatch;

/// Writes gaps of one system down.
pub(super) struct Gaps<'a> {
    pub(super) to: &'a Appended<'a>,
    pub(super) system: &'a KnownSystem,
    pub(super) pen: &'a Pen,
}

impl Gaps<'_> {
    /// What a new batch tells of what is missing. To be called before the batch is stored.
    pub(super) fn of_batch(
        &self,
        verified: &VerifiedBatch,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        let (agent, batch) = (verified.agent(), verified.batch());
        let read = self.to.read();
        let state = read.system_state(self.system.id())?;
        // Whoever was never heard of left nothing out that anybody waited for.
        if let Some(closed) = state.watermarks.get(&agent).copied() {
            let highest = read.highest(agent, batch.boot)?;
            if highest.is_none() && batch.watching_since > closed {
                let detail = "the agent ended and was started again; of the first pane what it had \
                              counted until it ended may be in the blocks";
                let stretch = (closed, batch.watching_since);
                self.write("agent_not_watching", stretch, agent, detail, counts)?;
            }
            let after = highest.unwrap_or(0);
            if batch.sequence.0 > after.saturating_add(1) {
                let end = PaneStart::of(closed, self.system.pane()).end(self.system.pane());
                let hole = Hole {
                    agent,
                    boot: batch.boot,
                    after,
                    before: batch.sequence.0,
                    start: closed,
                    end: end.max(batch.watermark),
                };
                self.to.keep_hole(self.system.id(), &hole)?;
            }
        }
        self.refused_items(verified, counts)
    }

    fn refused_items(
        &self,
        verified: &VerifiedBatch,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        let mut refused: BTreeMap<_, u64> = BTreeMap::new();
        for (item, refusal) in verified.items() {
            if let Some((reason, _)) = refusal {
                let pane = PaneStart::of(item.pane.0, self.system.pane());
                *refused.entry((pane, *reason)).or_default() += 1;
            }
        }
        for ((pane, reason), items) in refused {
            let detail = format!(
                "{items} items of batch {} were refused: {}",
                verified.digest(),
                reason.as_str()
            );
            let stretch = (pane.0, pane.end(self.system.pane()));
            self.write("items_refused", stretch, verified.agent(), &detail, counts)?;
        }
        Ok(())
    }

    /// Writes down the holes that are still open when the pane is sealed with which they end.
    pub(super) fn lost_until(&self, end: Timestamp, counts: &mut Counts) -> Result<(), StoreError> {
        for (hole, missing) in self.to.read().holes(self.system.id(), end)? {
            if missing > 0 {
                let detail = format!(
                    "{missing} batches of boot {} between sequence {} and {} had not come when the \
                     pane was sealed; what comes still is taken into a later seal",
                    hole.boot.0, hole.after, hole.before
                );
                let stretch = (hole.start, hole.end);
                self.write("batch_lost", stretch, hole.agent, &detail, counts)?;
            }
            self.to.forget_hole(&hole)?;
        }
        Ok(())
    }

    fn write(
        &self,
        reason: &str,
        (start, end): (Timestamp, Timestamp),
        agent: AgentId,
        detail: &str,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        let body = GapBody {
            reason: reason.to_owned(),
            start,
            end,
            agents: vec![agent],
            detected_at: self.pen.now,
            detail: Some(detail.to_owned()),
        };
        let about = About {
            system: Some(self.system.id().clone()),
            clock: self.system.clock,
            ..About::default()
        };
        let written = self.pen.write(RecordKind::Gap, end, about, &body)?;
        if self.to.append(&written, None)? {
            *counts.entry(RecordKind::Gap).or_default() += 1;
        }
        let row = GapRow {
            reason: reason.to_owned(),
            start,
            end,
            agent,
            detail: detail.to_owned(),
            record: written.digest,
        };
        self.to.keep_gap(self.system.id(), &row)
    }
}
