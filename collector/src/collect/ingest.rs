//! Batches into the register: checked against what is stored, kept, and answered after the commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use clause9_otlp::Step;
use clause9_otlp::trace::Context;
use clause9_shared::digest::Digest;
use clause9_shared::evidence::RecordKind;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::wire::batch::{ItemReceipt, Receipt, RefusalReason, Stream};
use tokio::sync::oneshot;

use super::gaps::Gaps;
use super::{Answer, Delivery, Unavailable, Writer};
use crate::execute::Counts;
use crate::known::Known;
use crate::store::{Appended, NewBatch, StoreError};
use crate::verify::{self, Admitted, Before, JudgedAgain, Opened, Refused, VerifiedBatch};
use clause9_shared::evidence::body::{BatchBody, RefusalBody};
use clause9_shared::evidence::pen::{About, Pen, reference};

/// Systems that something was delivered for, each with the trace that brought it, if one is kept.
pub(super) type Brought = BTreeMap<SystemId, Option<Context>>;

/// What every delivery of a group is checked against and written with.
struct Desk {
    known: Arc<Known>,
    pen: Pen,
    skew: Span,
}

/// What became of one delivery.
struct Taken {
    answer: Result<Receipt, Refused>,
    /// What the batch counts as.
    result: &'static str,
    streams: Vec<&'static str>,
}

impl Writer {
    /// Takes a group of deliveries in one commit. If it fails, nobody is told that anything is kept.
    /// Gives back the systems that something was delivered for, each with the newest trace that brought it.
    pub(super) fn ingest(&mut self, group: Vec<Delivery>) -> Result<Brought, StoreError> {
        if group.is_empty() {
            return Ok(Brought::new());
        }
        let now = self.clock.now();
        let steps = self.writing(&group, now);
        let desk = Desk {
            known: Arc::clone(&self.known),
            pen: self.pen(now),
            skew: self.clock_skew,
        };
        let mut systems = Brought::new();
        for delivery in &group {
            if let Ok(opened) = &delivery.opened {
                let brought = systems.entry(opened.batch().system.clone());
                let brought = brought.or_default();
                *brought = delivery.trace.or(*brought);
            }
        }
        let (work, replies): (Vec<_>, Vec<oneshot::Sender<Answer>>) = group
            .into_iter()
            .map(|d| ((d.opened, d.envelope, d.peer), d.reply))
            .unzip();
        let outcome = self.store.commit(|to| {
            let mut counts = Counts::new();
            let taken = work
                .into_iter()
                .map(|(opened, envelope, peer)| {
                    take(to, &desk, opened, &envelope, &peer, &mut counts)
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok((taken, counts))
        });
        let (written, failed) = (self.clock.now(), outcome.is_err());
        for step in steps {
            step.end(written, failed, Vec::new());
        }
        match outcome {
            Ok((taken, counts)) => {
                self.telemetry.count_records(&counts);
                for (taken, reply) in taken.into_iter().zip(replies) {
                    self.count(&taken);
                    // The sender may have gone away; it will ask again and be told `duplicate`.
                    drop(reply.send(Ok(taken.answer)));
                }
                Ok(systems)
            }
            Err(error) => {
                self.telemetry.write_failures.inc();
                for reply in replies {
                    drop(reply.send(Err(Unavailable::Failed)));
                }
                Err(error)
            }
        }
    }

    /// A step for each delivery whose trace is kept: they are written together.
    fn writing(&self, group: &[Delivery], now: Timestamp) -> Vec<Step> {
        let kept = group.iter().filter_map(|delivery| delivery.trace);
        kept.filter_map(|trace| Step::of(self.export.as_ref(), Some(trace), "write batch", now))
            .collect()
    }

    fn count(&self, taken: &Taken) {
        match &taken.answer {
            Err(refused) => {
                tracing::warn!(reason = refused.reason.as_str(), "batch refused");
                self.telemetry.count_refusal(refused.reason);
                self.telemetry.count_batch(taken.result);
            }
            Ok(receipt) => {
                self.telemetry.count_batch(taken.result);
                for (item, stream) in receipt.items.iter().zip(&taken.streams) {
                    let result = match item {
                        ItemReceipt::Stored => "stored",
                        ItemReceipt::Duplicate => "duplicate",
                        ItemReceipt::Refused { reason, .. } => {
                            self.telemetry.count_refusal(*reason);
                            "refused"
                        }
                    };
                    self.telemetry.count_item(stream, result);
                }
            }
        }
    }
}

fn take(
    to: &Appended<'_>,
    desk: &Desk,
    opened: Result<Opened, Refused>,
    envelope: &[u8],
    peer: &str,
    counts: &mut Counts,
) -> Result<Taken, StoreError> {
    let pen = &desk.pen;
    let signed = opened.as_ref().ok().and_then(signed);
    let admitted = match opened {
        Ok(opened) => admit(to, desk, opened)?,
        Err(refused) => Err(refused),
    };
    if let (Some((agent, created_at)), true) = (signed, is_news(&admitted)) {
        to.note_skew(agent, created_at, pen.now)?;
    }
    match admitted {
        Ok((Admitted::Duplicate(receipt), streams)) => Ok(Taken {
            answer: Ok(receipt),
            result: "duplicate",
            streams,
        }),
        Ok((Admitted::New(batch), streams)) => {
            if let Some(system) = desk.known.system(&batch.batch().system) {
                Gaps { to, system, pen }.of_batch(&batch, counts)?;
            }
            to.store_batch(&NewBatch {
                batch: &batch,
                envelope,
                received_at: pen.now,
            })?;
            let marks = batch.marks();
            let record = record_batch(to, pen, &batch, (marks, None, &[]), counts)?;
            for refused in batch.refusals() {
                if let Some(place) = refused.item {
                    to.keep_refused(batch.digest(), place.into(), record)?;
                }
                record_refusal(to, pen, &refused, peer, counts)?;
            }
            Ok(Taken {
                answer: Ok(batch.receipt()),
                result: "stored",
                streams,
            })
        }
        Ok((Admitted::Again(again), streams)) => {
            take_again(to, desk, &again, counts)?;
            for refused in again.verified().refusals() {
                record_refusal(to, pen, &refused, peer, counts)?;
            }
            Ok(Taken {
                answer: Ok(again.receipt()),
                result: if again.is_news() {
                    "stored"
                } else {
                    "duplicate"
                },
                streams,
            })
        }
        Err(refused) => {
            keep_proof(to, &refused, envelope)?;
            record_refusal(to, pen, &refused, peer, counts)?;
            Ok(Taken {
                answer: Err(refused),
                result: "refused",
                streams: Vec::new(),
            })
        }
    }
}

/// Takes the items of a stored batch that were refused before and are not any more: once, and nothing else of it. A new record
/// takes the place of the batch's last one, and names the gaps that are closed by it.
fn take_again(
    to: &Appended<'_>,
    desk: &Desk,
    again: &JudgedAgain,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    if !again.is_news() {
        return Ok(());
    }
    let (pen, batch) = (&desk.pen, again.verified());
    let (_, last) = to.refused_of(batch.digest())?;
    to.store_items(batch, again.taken())?;
    for (place, _) in again.taken() {
        to.forget_refused(batch.digest(), place)?;
    }
    let closed = match desk.known.system(&batch.batch().system) {
        Some(system) => Gaps { to, system, pen }.closed_by(again, counts)?,
        None => Vec::new(),
    };
    let marks = [verify::JUDGED_AGAIN];
    let record = record_batch(to, pen, batch, (&marks, last, &closed), counts)?;
    for refused in batch.refusals() {
        if let Some(place) = refused.item {
            to.keep_refused(batch.digest(), place.into(), record)?;
        }
    }
    Ok(())
}

/// Who signed a batch, and when by its own clock. What a crashed run had put by says little of now.
fn signed(opened: &Opened) -> Option<(AgentId, Timestamp)> {
    let batch = opened.batch();
    let sent = batch.restored.is_none();
    sent.then_some((opened.agent(), batch.created_at))
}

/// Whether a batch says something of its agent's clock that was not heard before, or is refused for that clock.
fn is_news(admitted: &Result<WithStreams, Refused>) -> bool {
    match admitted {
        Ok((Admitted::New(_), _)) => true,
        Ok((Admitted::Duplicate(_) | Admitted::Again(_), _)) => false,
        Err(refused) => refused.reason == RefusalReason::ClockAhead,
    }
}

type WithStreams = (Admitted, Vec<&'static str>);

fn admit(
    to: &Appended<'_>,
    desk: &Desk,
    opened: Opened,
) -> Result<Result<WithStreams, Refused>, StoreError> {
    let batch = opened.batch();
    let streams = batch
        .items
        .iter()
        .map(|item| match item.stream {
            Stream::Traffic(_) => "traffic",
            Stream::Outcomes { .. } => "outcomes",
        })
        .collect();
    let at = (opened.agent(), batch.boot.0, batch.sequence.0);
    let mut known = to.batch_at(at.0, at.1, at.2)?;
    if known.is_none() && batch.restored.is_some() {
        // What a crashed run had put by may be in what it shipped under any later number.
        known = to.shipped_after(at.0, at.1, at.2)?;
    }
    let before = match known {
        None => Before::Nothing,
        Some(digest) if digest == opened.digest() => {
            let (refused, _) = to.refused_of(digest)?;
            Before::StoredInPart(digest, refused)
        }
        Some(digest) => Before::Stored(digest),
    };
    let system = desk.known.system(&batch.system);
    let clock = system.map_or(batch.clock, |s| s.clock);
    Ok(verify::admit(opened, before, clock, desk.pen.now, desk.skew).map(|a| (a, streams)))
}

/// Writes a batch down. `last` is the record that this one takes the place of, `closed` are gaps that it closes.
fn record_batch(
    to: &Appended<'_>,
    pen: &Pen,
    verified: &VerifiedBatch,
    (marks, last, closed): (&[&'static str], Option<Digest>, &[Digest]),
    counts: &mut Counts,
) -> Result<Digest, StoreError> {
    let batch = verified.batch();
    let refused = verified.items().filter(|(_, r)| r.is_some()).count();
    let body = BatchBody {
        agent: verified.agent(),
        boot: batch.boot,
        sequence: batch.sequence,
        batch: verified.digest(),
        signed_at: batch.created_at,
        watermark: batch.watermark,
        taken: batch.items.len() - refused,
        refused,
        marks: marks.iter().map(|m| (*m).to_owned()).collect(),
    };
    let closed = closed.iter().map(|gap| reference("gap_closed", *gap));
    let about = About {
        system: Some(batch.system.clone()),
        clock: batch.clock,
        supersedes: last,
        refs: std::iter::once(reference("batch", verified.digest()))
            .chain(closed)
            .collect(),
    };
    let at = match batch.clock {
        Clock::Live => pen.now,
        Clock::Replay => batch.watermark,
    };
    let written = pen.write(RecordKind::Batch, at, about, &body)?;
    append(to, &written, counts)?;
    Ok(written.digest)
}

/// Keeps what a trusted agent signed although it was refused: two batches under one sequence number
/// prove that it says different things to different people, or that its key has another holder.
fn keep_proof(to: &Appended<'_>, refused: &Refused, envelope: &[u8]) -> Result<(), StoreError> {
    match (refused.agent, refused.batch) {
        (Some(_), Some(batch)) => to.keep(batch, "batch", envelope),
        (None, _) | (Some(_), None) => Ok(()),
    }
}

/// Writes a refusal down. Of a trusted agent: each, once per bytes, item and reason, since what exactly may be said in other words
/// each time. Of nobody known: the first of
/// its reason and peer in an hour; the rest is counted, so that nobody can flood the register.
fn record_refusal(
    to: &Appended<'_>,
    pen: &Pen,
    refused: &Refused,
    peer: &str,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let known = refused.agent.is_some();
    let first = match refused.batch.filter(|_| known) {
        Some(batch) => to.count_refused(batch, refused.item, refused.reason)?,
        None => to.count_refusal(refused.reason.as_str(), peer, pen.now)?,
    };
    if !first {
        return Ok(());
    }
    let body = RefusalBody {
        reason: refused.reason,
        detail: refused.detail.clone(),
        agent: refused.agent,
        peer: (!known).then(|| peer.to_owned()),
        batch: refused.batch,
        bytes: match (refused.batch, known) {
            (Some(_), true) => "kept",
            (Some(_), false) => "digest_only",
            (None, _) => "not_read",
        }
        .to_owned(),
        first_of_hour: !known,
    };
    let about = About {
        system: refused.system.clone().filter(|_| known),
        ..About::default()
    };
    let written = pen.write(RecordKind::Refusal, pen.now, about, &body)?;
    append(to, &written, counts)
}

fn append(
    to: &Appended<'_>,
    written: &clause9_shared::evidence::pen::Written,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    if to.append(written, None)? {
        *counts.entry(written.record.header.kind).or_default() += 1;
    }
    Ok(())
}
