//! The last of what the collector would not take, in memory, for people to look at: also what is tried again by itself. What
//! is refused for good is in quarantine, on disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{BatchRefused, Envelope, ItemReceipt, Receipt, RefusalReason};
use serde::Serialize;

use crate::clock;
use crate::quarantine::Quarantine;
use crate::telemetry::Telemetry;

/// Most refusals remembered; older ones are forgotten (the counters are not).
const MAX_REMEMBERED: usize = 256;
/// Longest explanation kept of a refusal, in characters.
const MAX_DETAIL: usize = 400;

/// One refused item, or a whole refused batch.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedItem {
    /// The batch.
    pub batch: Digest,
    /// Which item of it; none: the whole batch.
    pub item: Option<usize>,
    /// The pane of the item.
    pub pane: Option<Timestamp>,
    /// Why.
    pub reason: RefusalReason,
    /// What exactly, in the collector's words.
    pub detail: String,
    /// When, on the wall clock.
    pub at: Timestamp,
}

/// What the collector refused.
#[derive(Debug, Default)]
pub struct Refusals {
    /// The last of it, in memory.
    pub last: Arc<RefusedItems>,
    /// What it refused for good, on disk; none without a collector.
    pub kept: Option<Arc<Quarantine>>,
}

/// The last refusals.
#[derive(Debug, Default)]
pub struct RefusedItems(Mutex<VecDeque<RefusedItem>>);

impl RefusedItems {
    /// The refusals remembered, oldest first.
    pub fn list(&self) -> Vec<RefusedItem> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(super) fn batch(&self, batch: Digest, refusal: &BatchRefused, telemetry: &Telemetry) {
        telemetry.batches.with_label_values(&["refused"]).inc();
        self.add(
            batch,
            None,
            None,
            refusal.refused,
            &refusal.detail,
            telemetry,
        );
    }

    /// `envelope` gives the batch's bytes, which are asked for only if something of it was refused.
    pub(super) fn items(
        &self,
        envelope: impl FnOnce() -> Option<Bytes>,
        receipt: Receipt,
        telemetry: &Telemetry,
    ) {
        if !receipt
            .items
            .iter()
            .any(|i| matches!(i, ItemReceipt::Refused { .. }))
        {
            return;
        }
        let batch = receipt.batch;
        let sent = envelope().and_then(|bytes| Envelope::parse(&bytes).ok()?.open().ok());
        for (index, item) in receipt.items.into_iter().enumerate() {
            if let ItemReceipt::Refused { reason, detail } = item {
                let pane = sent
                    .as_ref()
                    .and_then(|b| b.items.get(index))
                    .map(|i| i.pane.0);
                self.add(batch, Some(index), pane, reason, &detail, telemetry);
            }
        }
    }

    fn add(
        &self,
        batch: Digest,
        item: Option<usize>,
        pane: Option<Timestamp>,
        reason: RefusalReason,
        detail: &str,
        telemetry: &Telemetry,
    ) {
        telemetry
            .items_refused
            .with_label_values(&[reason.as_str()])
            .inc();
        let detail: String = detail.chars().take(MAX_DETAIL).collect();
        tracing::error!(
            reason = reason.as_str(),
            detail,
            "the collector refused a contribution"
        );
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is tried again is one refusal.
        let same = |known: &&mut RefusedItem| {
            known.batch == batch && known.item == item && known.reason == reason
        };
        if let Some(known) = list.iter_mut().rev().find(same) {
            known.at = clock::wall();
            return;
        }
        if list.len() >= MAX_REMEMBERED {
            list.pop_front();
        }
        list.push_back(RefusedItem {
            batch,
            item,
            pane,
            reason,
            detail,
            at: clock::wall(),
        });
    }
}
