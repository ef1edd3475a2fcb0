//! What is known not to be known: the time between two runs of an agent, batches that never came or that
//! the agent says it lost, and items that were refused. Each is a gap record, so that nobody takes it for a quiet hour.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::digest::Digest;
use clause9_shared::evidence::RecordKind;
use clause9_shared::ids::{AgentId, BootId, Sequence};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::loss::{Loss, LossReason, Place};

use crate::execute::Counts;
use crate::known::KnownSystem;
use crate::store::{Appended, Hole, StoreError};
use crate::verify::{JudgedAgain, VerifiedBatch};
use clause9_shared::evidence::body::GapBody;
use clause9_shared::evidence::pen::{About, Pen};
use clause9_shared::sealing::GapRow;

/// Why it is a gap that items were refused.
const ITEMS_REFUSED: &str = "items_refused";

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
        self.told(verified, counts)?;
        self.refused_items(verified, counts)
    }

    /// What the agent says of itself: that it ended without warning, and what its outbox lost.
    fn told(&self, verified: &VerifiedBatch, counts: &mut Counts) -> Result<(), StoreError> {
        let (agent, batch) = (verified.agent(), verified.batch());
        let length = self.system.pane();
        if let Some(as_of) = batch.restored {
            let start = match batch.clock {
                Clock::Live => as_of,
                Clock::Replay => batch.watermark,
            };
            let ends = batch.items.iter().map(|item| item.pane.end(length));
            let end = ends.fold(PaneStart::of(start, length).end(length), Timestamp::max);
            let detail = format!(
                "the agent ended without warning; what its open panes held is as of {as_of}, and what \
                 came after it is not in them"
            );
            self.write("agent_crashed", (start, end), agent, &detail, counts)?;
        }
        for loss in &batch.losses {
            let detail = lost(loss);
            // An agent tells it until it knows that it was heard.
            let read = self.to.read();
            if read.knows_gap(self.system.id(), ("agent_lost", agent, &detail))? {
                continue;
            }
            let state = read.system_state(self.system.id())?;
            let closed = state.watermarks.get(&agent).copied();
            let start = closed.unwrap_or(batch.watching_since).min(batch.watermark);
            let end = PaneStart::of(start, length).end(length);
            let stretch = (start, end.max(batch.watermark));
            self.write("agent_lost", stretch, agent, &detail, counts)?;
            if let Some((boot, between)) = all_gone(loss) {
                self.to.close_holes(agent, boot, between)?;
            }
        }
        Ok(())
    }

    fn refused_items(
        &self,
        verified: &VerifiedBatch,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        self.refused_in(verified, |_| true, counts)
    }

    /// Writes down what was refused of these panes.
    fn refused_in(
        &self,
        verified: &VerifiedBatch,
        of: impl Fn(PaneStart) -> bool,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        let mut refused: BTreeMap<_, u64> = BTreeMap::new();
        for (item, refusal) in verified.items() {
            let pane = PaneStart::of(item.pane.0, self.system.pane());
            if let Some((reason, _)) = refusal.filter(|_| of(pane)) {
                *refused.entry((pane, *reason)).or_default() += 1;
            }
        }
        for ((pane, reason), items) in refused {
            let batch = verified.digest();
            let detail = format!("{items} items of {} {}", of_batch(batch), reason.as_str());
            let stretch = (pane.0, pane.end(self.system.pane()));
            self.write(ITEMS_REFUSED, stretch, verified.agent(), &detail, counts)?;
        }
        Ok(())
    }

    /// Of panes for which items were taken that had been refused, no gap is shown any more, but for what is still refused of
    /// them. Gives the records that are closed by it.
    pub(super) fn closed_by(
        &self,
        again: &JudgedAgain,
        counts: &mut Counts,
    ) -> Result<Vec<Digest>, StoreError> {
        let length = self.system.pane();
        let panes = again
            .taken()
            .map(|(_, item)| PaneStart::of(item.pane.0, length));
        let panes: BTreeSet<PaneStart> = panes.collect();
        let words = of_batch(again.verified().digest());
        let mut closed = Vec::new();
        for pane in &panes {
            let of = (ITEMS_REFUSED, pane.0, words.as_str());
            closed.extend(self.to.forget_gaps(self.system.id(), of)?);
        }
        self.refused_in(again.verified(), |pane| panes.contains(&pane), counts)?;
        Ok(closed)
    }

    /// Writes down the holes that begin before a pane's end and are still open when it is sealed: they were waited for.
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

/// What a gap of refused items says of whose they are.
fn of_batch(batch: Digest) -> String {
    format!("batch {batch} were refused:")
}

/// The numbers of a run between which every batch is lost for good.
fn all_gone(loss: &Loss) -> Option<(BootId, (Sequence, Sequence))> {
    let before = loss.before?;
    let after = match loss.after {
        Some(after) if after.boot == before.boot => after.sequence,
        // What is gone begins in an earlier run.
        Some(_) | None => Sequence(0),
    };
    let all = loss.last - loss.first + 1 == loss.batches;
    all.then_some((before.boot, (after, before.sequence)))
}

/// A loss in words; the same words for the same loss.
fn lost(loss: &Loss) -> String {
    let place = |place: Option<Place>| {
        place.map_or_else(
            || "an unknown one".to_owned(),
            |p| format!("boot {} sequence {}", p.boot.0, p.sequence.0),
        )
    };
    let why = match loss.reason {
        LossReason::OutboxFull => "the outbox was full, and the oldest went first",
        LossReason::Damaged => "the disk did not give them back as they were written",
        LossReason::DiskRefused => "the disk would not take them, and memory was full",
    };
    format!(
        "the agent noticed at {} that {} batches of its outbox ({} to {}) are lost, between {} and {}: {why}",
        loss.noticed_at,
        loss.batches,
        loss.first,
        loss.last,
        place(loss.after),
        place(loss.before),
    )
}
