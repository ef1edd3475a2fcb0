//! All summaries of one pane and one stream.

use super::{MAX_VARINT, MergeError, Summary, SummaryKey};
use crate::digest::Digest;
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Version of the encoding of a pane's summaries.
const FORMAT: u8 = 2;
/// Most summaries in one pane.
pub const MAX_SUMMARIES: usize = 2048;

/// All summaries of one pane and one stream, sorted by key. The set of keys is fixed by the plan:
/// a pane without traffic has every summary, all zero.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PaneSummary {
    entries: Vec<(SummaryKey, Summary)>,
}

impl PaneSummary {
    /// A pane of these summaries, which the plan gives in ascending order of keys.
    pub fn new(mut entries: Vec<(SummaryKey, Summary)>) -> Self {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Self { entries }
    }

    /// The summary under a key.
    pub fn get(&self, key: &SummaryKey) -> Option<&Summary> {
        self.position(key).map(|i| &self.entries[i].1)
    }

    /// Where a key stands; stable for all panes of one plan.
    pub fn position(&self, key: &SummaryKey) -> Option<usize> {
        self.entries.binary_search_by(|(k, _)| k.cmp(key)).ok()
    }

    /// The summary at a position.
    pub(crate) fn at(&self, position: usize) -> Option<&Summary> {
        self.entries.get(position).map(|(_, s)| s)
    }

    /// The summary at a position, to be counted into.
    pub fn at_mut(&mut self, position: usize) -> Option<&mut Summary> {
        self.entries.get_mut(position).map(|(_, s)| s)
    }

    /// The summaries at some positions, no two the same.
    #[inline]
    pub(crate) fn several_mut<const N: usize>(
        &mut self,
        positions: [usize; N],
    ) -> Option<[&mut Summary; N]> {
        let found = self.entries.get_disjoint_mut(positions).ok()?;
        Some(found.map(|(_, summary)| summary))
    }

    /// How many summaries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no summary at all; a pane without traffic still has all of its plan's.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Largest encoding in bytes, whatever is observed.
    pub fn max_bytes(&self) -> usize {
        const KEY: usize = 2 + 2 * MAX_VARINT + crate::ids::MAX_NAME;
        let bodies = self.entries.iter().map(|(_, s)| s.max_bytes() + KEY);
        1 + MAX_VARINT + bodies.sum::<usize>()
    }

    /// All summaries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&SummaryKey, &Summary)> {
        self.entries.iter().map(|(k, s)| (k, s))
    }

    /// Whether the counts of another pane of the same plan can be added.
    pub fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.entries.len() != other.entries.len() {
            return Err(MergeError::Different);
        }
        let both = self.entries.iter().zip(&other.entries);
        for ((key, mine), (other_key, theirs)) in both {
            if key != other_key {
                return Err(MergeError::Different);
            }
            mine.fits(theirs)?;
        }
        Ok(())
    }

    /// Adds the counts of another pane of the same plan. Refused, without change, if anything differs.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.fits(other)?;
        for ((_, mine), (_, theirs)) in self.entries.iter_mut().zip(&other.entries) {
            mine.take_in(theirs);
        }
        Ok(())
    }

    /// The name of these bytes.
    pub fn digest(&self) -> Digest {
        Digest::tagged("clause9/pane-summary/v1", &self.to_bytes())
    }
}

impl Encode for PaneSummary {
    fn encode(&self, w: &mut Writer) {
        w.byte(FORMAT);
        w.unsigned(self.entries.len() as u64);
        for (key, summary) in &self.entries {
            key.encode(w);
            summary.encode_body(w);
        }
    }
}

impl Decode for PaneSummary {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        if r.byte()? != FORMAT {
            return Err(Malformed::Value("summary format version"));
        }
        let count = r.count(MAX_SUMMARIES)?;
        let mut entries: Vec<(SummaryKey, Summary)> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = SummaryKey::decode(r)?;
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(Malformed::Order);
            }
            let summary = Summary::decode_body(key.kind, r)?;
            entries.push((key, summary));
        }
        Ok(Self { entries })
    }
}
