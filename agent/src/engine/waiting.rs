//! Outcomes that came before their request: they wait until their pane of arrival closes, bounded in
//! number and in bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};

use clause9_shared::ids::Name;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::Outcome;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::sample::Tag;

/// Most bytes of outcomes waiting, whatever their number.
pub(super) const MAX_BYTES: usize = 4 << 20;
/// Places of a map's smallest node; allocated whole.
const NODE: usize = 11;

/// Outcomes by the tag of their request's id, with their pane of arrival. Look-up only; nothing
/// iterates it into bytes.
#[derive(Debug)]
pub(super) struct Waiting {
    by_id: HashMap<Tag, Vec<(PaneStart, Outcome)>>,
    /// Since when which ids are waited for, in this order; some of them not any more.
    since: VecDeque<(Timestamp, Tag)>,
    len: usize,
    limit: usize,
    bytes: usize,
}

impl Waiting {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            since: VecDeque::new(),
            len: 0,
            limit,
            bytes: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets an outcome wait; false if there is no room.
    pub(super) fn insert(
        &mut self,
        tag: Tag,
        (arrival, now): (PaneStart, Timestamp),
        mut outcome: Outcome,
    ) -> bool {
        // The tag stands for it from here on.
        outcome.request_id = String::new();
        let size = size(&outcome);
        if self.len >= self.limit || self.bytes + size > MAX_BYTES {
            return false;
        }
        self.len += 1;
        self.bytes += size;
        let waiting = self.by_id.entry(tag).or_default();
        if waiting.is_empty() {
            self.since.push_back((now, tag));
        }
        waiting.push((arrival, outcome));
        self.forget_since();
        true
    }

    /// One that has waited since that point or longer, with all others of its id.
    pub(super) fn take_since(&mut self, until: Timestamp) -> Option<(Tag, Vec<Outcome>)> {
        loop {
            let (since, tag) = *self.since.front()?;
            let known = self.by_id.contains_key(&tag);
            if known && since > until {
                return None;
            }
            self.since.pop_front();
            if known {
                let found = self.take(tag).into_iter().map(|(_, outcome)| outcome);
                return Some((tag, found.collect()));
            }
        }
    }

    /// Those whose request came are not looked for; their places are given up once they are many.
    fn forget_since(&mut self) {
        if self.since.len() > 64 + 2 * self.by_id.len() {
            let by_id = &self.by_id;
            self.since.retain(|(_, tag)| by_id.contains_key(tag));
        }
    }

    /// Outcomes that waited for this id, in the order they came.
    pub(super) fn take(&mut self, tag: Tag) -> Vec<(PaneStart, Outcome)> {
        let found = self.by_id.remove(&tag).unwrap_or_default();
        self.len -= found.len();
        self.bytes -= found.iter().map(|(_, o)| size(o)).sum::<usize>();
        found
    }

    /// How many wait, by pane of arrival.
    pub(super) fn arrivals(&self) -> BTreeMap<PaneStart, u64> {
        let mut count = BTreeMap::new();
        for (arrival, _) in self.by_id.values().flatten() {
            *count.entry(*arrival).or_default() += 1;
        }
        count
    }

    /// How many waited in vain until the end of a pane, by tag; they are let go.
    pub(super) fn give_up(&mut self, up_to: PaneStart) -> Vec<(Tag, u64)> {
        let mut gave_up = Vec::new();
        self.by_id.retain(|tag, waiting| {
            let before = waiting.len();
            waiting.retain(|(arrival, outcome)| {
                let stays = *arrival > up_to;
                if !stays {
                    self.len -= 1;
                    self.bytes -= size(outcome);
                }
                stays
            });
            if waiting.len() < before {
                gave_up.push((*tag, (before - waiting.len()) as u64));
            }
            !waiting.is_empty()
        });
        gave_up
    }

    /// How many waited; they are let go.
    pub(super) fn give_up_all(&mut self) -> u64 {
        self.by_id.clear();
        self.since.clear();
        self.bytes = 0;
        std::mem::take(&mut self.len) as u64
    }
}

/// What an outcome takes while it waits: its place in the map, and the texts it holds.
fn size(outcome: &Outcome) -> usize {
    // Twice, because maps and vectors have room to grow.
    let place = 2 * size_of::<(Tag, Vec<()>, PaneStart, Outcome)>();
    let label = match &outcome.label {
        Some(Scalar::Text(text)) => text.len(),
        Some(Scalar::Number(_) | Scalar::Bool(_)) | None => 0,
    };
    let nodes = outcome.attributes.len().div_ceil(NODE / 2);
    let texts = outcome.attributes.iter();
    let texts = texts.map(|(name, value)| name.as_str().len() + value.len());
    place + label + nodes * NODE * size_of::<(Name, String)>() + texts.sum::<usize>()
}
