//! How a refused batch stands in its file: two frames of the outbox's format in one group, the batch as it was signed and what
//! was refused of it. The file is named by the batch, and by a number that tells newer files from older ones.

use bytes::Bytes;
use clause9_shared::digest::{Digest, parse_hex, to_hex};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{self, Envelope, RefusalReason};
use clause9_shared::wire::loss::Place;
use serde::{Deserialize, Serialize};

use crate::outbox::frame::{self, InGroup};

/// Ending of a file's name.
const ENDING: &str = ".refused";
/// Digits of a file's number.
const DIGITS: usize = 20;
/// Longest explanation kept of a refusal, in characters.
const MAX_DETAIL: usize = 400;

/// A refusal: of one item, or of the whole batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which item, from 0; none: the whole batch.
    pub item: Option<usize>,
    /// Why.
    pub reason: RefusalReason,
    /// What exactly, in the collector's words.
    pub detail: String,
}

/// Panes that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panes {
    /// Start of the earliest.
    pub first: Timestamp,
    /// Start of the latest.
    pub last: Timestamp,
    /// How many.
    pub number: usize,
}

/// What is known of a refused batch besides its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// When it was refused first, by the agent's wall clock.
    pub(super) first: Timestamp,
    /// When it was refused last.
    pub(super) last: Timestamp,
    /// How often.
    pub(super) times: u64,
    /// What the collector said the last time.
    pub(super) parts: Vec<Part>,
    /// Items in the batch.
    pub(super) items: usize,
    /// Panes of what is refused; none if the batch has no items, or cannot be read.
    pub(super) panes: Option<Panes>,
}

/// A batch with what was refused of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) place: Place,
    pub(super) envelope: Bytes,
    pub(super) report: Report,
}

impl Report {
    /// Of a batch that is refused now, and was before if `before` says when first and how often.
    pub(super) fn new(
        envelope: &[u8],
        mut parts: Vec<Part>,
        before: Option<(Timestamp, u64)>,
        now: Timestamp,
    ) -> Self {
        for part in &mut parts {
            if part.detail.chars().count() > MAX_DETAIL {
                part.detail = part.detail.chars().take(MAX_DETAIL).collect();
            }
        }
        let opened = Envelope::parse(envelope).ok().and_then(|e| e.open().ok());
        let items = opened.map_or_else(Vec::new, |batch| batch.items);
        let whole = parts.iter().any(|part| part.item.is_none());
        let refused = |at: usize| whole || parts.iter().any(|part| part.item == Some(at));
        let of = items.iter().enumerate().filter(|(at, _)| refused(*at));
        let mut panes: Vec<Timestamp> = of.map(|(_, item)| item.pane.0).collect();
        panes.sort_unstable();
        panes.dedup();
        let ends = panes.first().zip(panes.last());
        let (first, times) = before.unwrap_or((now, 0));
        Self {
            first,
            last: now,
            times: times.saturating_add(1),
            items: items.len(),
            panes: ends.map(|(first, last)| Panes {
                first: *first,
                last: *last,
                number: panes.len(),
            }),
            parts,
        }
    }
}

impl Kept {
    /// The file's bytes, under that number.
    pub(super) fn to_bytes(&self, number: u64) -> serde_json::Result<Vec<u8>> {
        let report = serde_json::to_vec(&self.report)?;
        let mut bytes = Vec::with_capacity(self.envelope.len() + report.len() + 2 * frame::HEAD);
        for (part, first) in [(&self.envelope[..], true), (&report, false)] {
            let group = InGroup { first, more: first };
            frame::write(
                (number + u64::from(!first), self.place, group),
                part,
                &mut bytes,
            );
        }
        Ok(bytes)
    }

    /// What a file holds; nothing if it is not what was written for a batch of that name.
    pub(super) fn read(name: Digest, bytes: &Bytes) -> Option<Self> {
        let scanned = frame::scan(bytes);
        let (group, _) = frame::groups(&scanned.frames).find(|(_, whole)| *whole)?;
        let [envelope, report] = group else {
            return None;
        };
        let part = |f: &frame::Found| bytes.slice(f.at..f.at + f.head.length);
        let (place, envelope) = (envelope.head.place, part(envelope));
        let report = serde_json::from_slice(&part(report)).ok()?;
        (batch::digest(&envelope) == name).then_some(Self {
            place,
            envelope,
            report,
        })
    }
}

/// The name of a batch's file.
pub(super) fn name(batch: Digest, number: u64) -> String {
    format!("{}-{number:0DIGITS$}{ENDING}", to_hex(batch.as_bytes()))
}

/// Batch and number of a file of that name; none of a file that is not ours.
pub(super) fn named(name: &str) -> Option<(Digest, u64)> {
    let (hex, number) = name.strip_suffix(ENDING)?.split_once('-')?;
    let number = (number.len() == DIGITS).then(|| number.parse().ok())??;
    Some((Digest::from_bytes(parse_hex(hex)?), number))
}
