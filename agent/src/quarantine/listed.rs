//! What is told of refused batches. Summaries are told of by their size alone.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Sequence, SystemId};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch::{Envelope, RefusalReason, Stream};
use clause9_shared::wire::loss::Place;
use serde::{Deserialize, Serialize};

use super::kept::{Kept, Panes, Report};

/// Most reasons that are told of one batch.
const MAX_REASONS: usize = 4;

/// Why something of a batch was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// From the fixed list.
    pub reason: RefusalReason,
    /// What exactly, in the collector's words: of the first item of this reason.
    pub detail: String,
    /// How many items; none: the whole batch.
    pub items: Option<usize>,
}

/// A batch in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub batch: Digest,
    /// The run of the agent that signed it.
    pub boot: BootId,
    /// Its position in that run.
    pub sequence: Sequence,
    /// Why it is here, at most four reasons.
    pub reasons: Vec<Reason>,
    /// Items in it.
    pub items: usize,
    /// How many of them are refused.
    pub refused: usize,
    /// Panes of what is refused.
    pub panes: Option<Panes>,
    /// When it was refused first, by the agent's wall clock.
    pub first: Timestamp,
    /// When it was refused last.
    pub last: Timestamp,
    /// How often it was refused.
    pub times: u64,
    /// Seconds since it was refused first.
    pub age_seconds: i64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Whether it is being sent again.
    pub resending: bool,
}

/// An item of a batch in quarantine.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownItem {
    item: usize,
    pane: Timestamp,
    stream: &'static str,
    /// For outcomes: the pane in which they arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    arrival: Option<Timestamp>,
    model: String,
    model_version: String,
    plan: Digest,
    baseline: Digest,
    summary_bytes: usize,
    /// None of an item that the collector took.
    refused: Option<RefusalReason>,
    detail: Option<String>,
}

/// A batch in quarantine, with what it says.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    listed: Listed,
    agent: AgentId,
    system: SystemId,
    clock: Clock,
    created_at: Timestamp,
    watermark: Timestamp,
    contents: Vec<ShownItem>,
}

impl Listed {
    pub(super) fn new(batch: Digest, place: Place, report: &Report, bytes: u64) -> Self {
        let mut reasons: Vec<Reason> = Vec::new();
        for part in &report.parts {
            let more = usize::from(part.item.is_some());
            if let Some(known) = reasons.iter_mut().find(|r| r.reason == part.reason) {
                known.items = known.items.map(|n| n + more);
            } else if reasons.len() < MAX_REASONS {
                reasons.push(Reason {
                    reason: part.reason,
                    detail: part.detail.clone(),
                    items: part.item.map(|_| more),
                });
            }
        }
        let whole = report.parts.iter().any(|part| part.item.is_none());
        Self {
            batch,
            boot: place.boot,
            sequence: place.sequence,
            reasons,
            items: report.items,
            refused: if whole {
                report.items
            } else {
                report.parts.len()
            },
            panes: report.panes,
            first: report.first,
            last: report.last,
            times: report.times,
            age_seconds: 0,
            bytes,
            resending: false,
        }
    }

    /// The same, as of now.
    pub(super) fn at(&self, now: Timestamp, resending: bool) -> Self {
        let age = (now.micros() - self.first.micros()).max(0) / 1_000_000;
        Self {
            age_seconds: age,
            resending,
            ..self.clone()
        }
    }
}

impl Shown {
    /// Nothing if the batch cannot be read as one: then its list entry is all there is.
    pub(super) fn new(listed: Listed, kept: &Kept) -> Option<Self> {
        let envelope = Envelope::parse(&kept.envelope).ok()?;
        let batch = envelope.open().ok()?;
        let parts = &kept.report.parts;
        let whole = parts.iter().find(|part| part.item.is_none());
        let of: BTreeMap<usize, _> = parts.iter().filter_map(|p| Some((p.item?, p))).collect();
        let items = batch.items.into_iter().enumerate();
        let contents = items.map(|(at, item)| {
            let refused = of.get(&at).copied().or(whole);
            let (stream, arrival) = match &item.stream {
                Stream::Traffic(_) => ("traffic", None),
                Stream::Outcomes { arrival, .. } => ("outcomes", Some(arrival.0)),
            };
            ShownItem {
                item: at,
                pane: item.pane.0,
                stream,
                arrival,
                model: item.key.model.to_string(),
                model_version: item.key.model_version.to_string(),
                plan: item.key.plan,
                baseline: item.key.baseline,
                summary_bytes: item.summary.len(),
                refused: refused.map(|part| part.reason),
                detail: refused.map(|part| part.detail.clone()),
            }
        });
        Some(Self {
            listed,
            agent: envelope.agent(),
            system: batch.system,
            clock: batch.clock,
            created_at: batch.created_at,
            watermark: batch.watermark,
            contents: contents.collect(),
        })
    }
}
