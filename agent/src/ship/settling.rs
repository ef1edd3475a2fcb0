//! What follows once the collector said something of a batch. What it refused for good is put into quarantine before the outbox
//! lets the batch go, on a thread that may wait for the disk.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clause9_shared::digest::Digest;
use clause9_shared::wire::batch::{ItemReceipt, Receipt};

use super::courier::{Courier, Delivered};
use super::{Said, Shipper, pause};
use crate::clock;
use crate::outbox::{Outbox, Waiting};
use crate::quarantine::{Part, Quarantine, is_resent};

impl Shipper {
    /// The first batch from this number on that waits: those of the outbox, and behind them what is sent again.
    pub(super) fn first(&self, from: u64) -> Option<u64> {
        let waiting = self.outbox.first(from);
        waiting.or_else(|| self.quarantine.due(from))
    }

    /// A batch that waits.
    pub(super) fn read(&self, number: u64) -> std::io::Result<Option<Waiting>> {
        read(&self.outbox, &self.quarantine, number)
    }

    /// Draws what follows from the collector's word on a batch: at once, or once the disk has kept what was said.
    pub(super) fn heard(
        &self,
        courier: &mut Courier,
        (number, said): (u64, Said),
        what: Delivered,
        now: Duration,
    ) -> Option<impl Future<Output = (u64, Delivered)> + use<>> {
        let (batch, parts) = (said.batch(), said.refused());
        self.note(number, said);
        let known = batch.filter(|batch| self.quarantine.holds(*batch));
        let settled = batch.filter(|_| what == Delivered::Settled);
        let told = settled.and_then(|batch| self.delivery(batch, number, !parts.is_empty()));
        if what != Delivered::Settled || (parts.is_empty() && known.is_none()) {
            if let Some(tell) = told {
                tell();
            }
            self.follow(courier, number, what, now);
            return None;
        }
        courier.keeping(number, now);
        let (outbox, quarantine) = (Arc::clone(&self.outbox), Arc::clone(&self.quarantine));
        let resent = &self.telemetry.quarantine.resent;
        let resent = is_resent(number).then(|| resent.clone());
        let work = move || {
            let count = |result| {
                if let Some(resent) = &resent {
                    resent.with_label_values(&[result]).inc();
                }
            };
            let what = if let (Some(batch), true) = (known, parts.is_empty()) {
                quarantine.taken(batch);
                count("stored");
                Delivered::Settled
            } else {
                count("refused");
                keep(&outbox, &quarantine, number, parts)
            };
            if let (Some(tell), Delivered::Settled) = (told, what) {
                tell();
            }
            what
        };
        let work = tokio::task::spawn_blocking(work);
        // Whatever happens to the thread, the batch is still where it was.
        Some(async move { (number, work.await.unwrap_or(Delivered::Unkept)) })
    }

    /// What tells others that a batch of the outbox is delivered. What is sent again from quarantine was delivered once.
    fn delivery(
        &self,
        batch: Digest,
        number: u64,
        refused: bool,
    ) -> Option<impl FnOnce() + Send + use<>> {
        if is_resent(number) {
            return None;
        }
        let envelope = || Some(self.read(number).ok()??.envelope);
        let (step, about) = self.outbox.traces().delivery(batch, envelope)?;
        Some(move || step.end(clock::wall(), refused, about))
    }

    /// Draws what follows from what became of a delivery.
    pub(super) fn follow(
        &self,
        courier: &mut Courier,
        number: u64,
        what: Delivered,
        now: Duration,
    ) {
        match what {
            Delivered::Settled if is_resent(number) => self.quarantine.answered(number),
            Delivered::Settled => self.outbox.release(number),
            Delivered::Unanswered(_)
            | Delivered::Failed(_)
            | Delivered::Stranger(_)
            | Delivered::Unkept => {
                self.telemetry.batches.with_label_values(&["failed"]).inc();
            }
        }
        courier.answered(number, what, now, pause::chance());
    }

    /// Counts what the collector said, and keeps it in mind.
    fn note(&self, number: u64, said: Said) {
        match said {
            Said::Receipt(receipt) => self.note_receipt(number, receipt),
            Said::Refused(batch, refusal) => self.refused.batch(batch, &refusal, &self.telemetry),
            Said::Later | Said::Failed | Said::Strange => {}
        }
    }

    fn note_receipt(&self, number: u64, receipt: Receipt) {
        for mark in receipt.marks.iter().take(8) {
            tracing::warn!(mark = %mark.chars().take(64).collect::<String>(), "the collector marked a batch");
        }
        let refused = receipt
            .items
            .iter()
            .any(|i| matches!(i, ItemReceipt::Refused { .. }));
        let all_known = !receipt.items.is_empty()
            && receipt
                .items
                .iter()
                .all(|i| matches!(i, ItemReceipt::Duplicate));
        let result = match (refused, all_known) {
            (true, _) => "refused",
            (false, true) => "duplicate",
            (false, false) => "stored",
        };
        self.telemetry.batches.with_label_values(&[result]).inc();
        let envelope = || Some(self.read(number).ok()??.envelope);
        self.refused.items(envelope, receipt, &self.telemetry);
    }
}

fn read(outbox: &Outbox, quarantine: &Quarantine, number: u64) -> std::io::Result<Option<Waiting>> {
    if is_resent(number) {
        quarantine.fetch(number)
    } else {
        outbox.read(number, clock::wall())
    }
}

/// Puts a batch into quarantine, if it still waits. What was sent again and refused again is there already: if the disk does not
/// take the newer reason, the older one stands.
fn keep(outbox: &Outbox, quarantine: &Quarantine, number: u64, parts: Vec<Part>) -> Delivered {
    let kept = read(outbox, quarantine, number).and_then(|batch| match batch {
        Some(batch) => quarantine.keep(&batch, parts, clock::wall()),
        None => Ok(()),
    });
    match kept {
        Ok(()) => Delivered::Settled,
        Err(_) if is_resent(number) => Delivered::Settled,
        Err(_) => Delivered::Unkept,
    }
}
