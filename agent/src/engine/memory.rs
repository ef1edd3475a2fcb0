//! What is remembered of predictions until their outcome horizon: by the tag of their request's id,
//! a few bytes for each, bounded in number and in bytes. The oldest ones make room.

mod segments;

use std::sync::Arc;

use clause9_shared::plan::{Answer, Prediction};
use clause9_shared::window::PaneStart;
use hashbrown::HashTable;

use crate::engine::Origin;
use crate::sample::Tag;

pub(super) use segments::Place;
use segments::{Remembered, Rows, Segments};

/// Most attributes of a prediction that is kept without an allocation of its own.
const INLINE: usize = 6;
/// Bytes of a packed prediction without its groups: flags, and the score or what else was answered.
const FIXED: usize = 9;
/// Bytes more for each item of a ranked list.
const ITEM: usize = 4;
/// Bytes more for the score of each class.
const CLASS_SCORE: usize = 8;
/// In place of an item that a list has not.
const NO_ITEM: u32 = 0;
/// Bytes more of one whose label is a number.
const NUMBER: usize = 8;
/// What the index takes for one request: five bytes a slot, of which at least two in seven are used.
const INDEX: usize = 16;
/// In place of a group that is not known.
const NO_GROUP: u8 = u8::MAX;

/// A request that was let go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    pub(super) tag: Tag,
    /// Its predictions, at least one.
    pub(super) rows: u64,
}

/// Requests by the tag of their id.
#[derive(Debug)]
pub(super) struct Memory {
    /// In the order they came, which is about the order of their panes.
    requests: Segments,
    /// Numbers of requests by tag.
    index: HashTable<u32>,
    of: Remembers,
    rows: usize,
    most_rows: usize,
    bytes: usize,
    most_bytes: usize,
}

/// What is remembered of each prediction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Remembers {
    /// Attributes.
    pub(super) attributes: usize,
    /// Whether predictions and labels are numbers.
    pub(super) numbers: bool,
    /// Items of a ranked list; 0 where there are no lists.
    pub(super) places: usize,
    /// Classes that have a score each; 0 where there are none.
    pub(super) scores: usize,
}

impl Remembers {
    /// Whether a prediction is more than a score, a decision and groups.
    const fn is_long(&self) -> bool {
        self.places > 0 || self.scores > 0
    }
}

impl Memory {
    pub(super) fn new(of: Remembers, most_rows: usize, most_bytes: usize) -> Self {
        Self {
            requests: Segments::default(),
            index: HashTable::new(),
            of,
            rows: 0,
            most_rows,
            bytes: 0,
            most_bytes,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn find(&self, tag: Tag) -> Option<Place> {
        let found = self.index.find(tag.bits(), |number| {
            let place = self.requests.place(*number);
            let request = place.and_then(|p| self.requests.get(p));
            request.is_some_and(|r| r.tag == tag)
        });
        self.requests.place(*found?)
    }

    /// Pane and model of a request that was found.
    pub(super) fn origin(&self, place: Place) -> Option<&Arc<Origin>> {
        self.requests.get(place).map(|r| &r.origin)
    }

    /// One of its predictions.
    pub(super) fn prediction(&self, place: Place, row: usize) -> Option<Prediction> {
        match &self.requests.get(place)?.rows {
            Rows::One {
                flags,
                groups,
                score,
            } => (row == 0).then(|| unpack(*flags, *score, &groups[..self.of.attributes])),
            Rows::Several { .. } => {
                let stride = self.stride();
                let packed = self.requests.packed(place).chunks_exact(stride).nth(row)?;
                self.unpacked_row(packed)
            }
        }
    }

    /// Keeps what became of a prediction that was found.
    pub(super) fn store(&mut self, place: Place, row: usize, prediction: &Prediction) {
        let (stride, of) = (self.stride(), self.of);
        match self.requests.rows_mut(place) {
            Some((one @ Rows::One { .. }, _)) if row == 0 => *one = single(prediction),
            Some((Rows::Several { .. }, packed)) => {
                if let Some(packed) = packed.chunks_exact_mut(stride).nth(row) {
                    pack(prediction, of, packed);
                }
            }
            Some((Rows::One { .. }, _)) | None => {}
        }
    }

    /// Remembers a request; false if the tag is taken (the first one counts) or it is larger than
    /// all memory. Forgets the oldest ones to make room.
    pub(super) fn insert(
        &mut self,
        tag: Tag,
        origin: Arc<Origin>,
        rows: &[Prediction],
        gone: &mut Vec<Gone>,
    ) -> bool {
        let (number, bytes) = (rows.len().max(1), self.size(rows.len()));
        if number > self.most_rows || bytes > self.most_bytes || self.find(tag).is_some() {
            return false;
        }
        while self.rows + number > self.most_rows || self.bytes + bytes > self.most_bytes {
            let Some(forgotten) = self.forget_oldest() else {
                break;
            };
            gone.push(forgotten);
        }
        self.rows += number;
        self.bytes += bytes;
        let number = match rows {
            [only] if self.is_single(rows.len()) => {
                self.requests.push_single(tag, origin, single(only))
            }
            _ => {
                let (stride, of) = (self.stride(), self.of);
                let bytes = rows.len() * stride;
                self.requests.push_packed(tag, origin, bytes, |packed| {
                    for (row, packed) in rows.iter().zip(packed.chunks_exact_mut(stride)) {
                        pack(row, of, packed);
                    }
                })
            }
        };
        let requests = &self.requests;
        self.index.insert_unique(tag.bits(), number, |number| {
            let place = requests.place(*number);
            let request = place.and_then(|p| requests.get(p));
            request.map_or(0, |r| r.tag.bits())
        });
        true
    }

    /// Forgets the oldest requests while their panes began before `horizon`.
    pub(super) fn expire(&mut self, horizon: PaneStart, gone: &mut Vec<Gone>) {
        while self.requests.front().is_some_and(|r| r.origin.0 < horizon) {
            gone.extend(self.forget_oldest());
        }
    }

    /// Whether a request may be known whose tag begins with these bits.
    pub(super) fn may_have(&self, bits: u64) -> bool {
        let found = self.index.find(bits, |number| {
            let place = self.requests.place(*number);
            let request = place.and_then(|p| self.requests.get(p));
            request.is_some_and(|r| r.tag.bits() == bits)
        });
        found.is_some()
    }

    /// All that is known.
    pub(super) fn all(&self) -> impl Iterator<Item = Gone> {
        let stride = self.stride();
        self.requests.iter().map(move |r| {
            let rows = match r.rows {
                Rows::One { .. } => 1,
                Rows::Several { bytes, .. } => (bytes as usize / stride).max(1),
            };
            Gone {
                tag: r.tag,
                rows: rows as u64,
            }
        })
    }

    /// Predictions as they are kept elsewhere: so many bytes for each.
    pub(super) fn packed(&self, rows: &[Prediction]) -> Vec<u8> {
        let (stride, of) = (self.stride(), self.of);
        let mut packed = vec![0; rows.len() * stride];
        for (row, packed) in rows.iter().zip(packed.chunks_exact_mut(stride)) {
            pack(row, of, packed);
        }
        packed
    }

    /// Predictions that were kept elsewhere.
    pub(super) fn unpacked(&self, packed: &[u8]) -> Vec<Prediction> {
        let rows = packed.chunks_exact(self.stride());
        rows.filter_map(|row| self.unpacked_row(row)).collect()
    }

    fn unpacked_row(&self, packed: &[u8]) -> Option<Prediction> {
        let (flags, rest) = packed.split_first()?;
        let (score, rest) = rest.split_first_chunk()?;
        let score = f64::from_le_bytes(*score);
        if self.of.is_long() {
            let (groups, rest) = rest.split_at_checked(self.of.attributes)?;
            let (items, scores) = rest.split_at_checked(ITEM * self.of.places)?;
            Some(Prediction {
                items: unpack_items(*flags, items),
                scores: unpack_scores(*flags, scores),
                ..unpack(*flags, score, groups)
            })
        } else if self.of.numbers {
            let (label, groups) = rest.split_first_chunk()?;
            let label = f64::from_le_bytes(*label);
            Some(unpack_numbers(*flags, score, label, groups))
        } else {
            Some(unpack(*flags, score, rest))
        }
    }

    fn forget_oldest(&mut self) -> Option<Gone> {
        let (number, tag, packed) = self.requests.pop()?;
        let found = self.index.find_entry(tag.bits(), |other| *other == number);
        if let Ok(entry) = found {
            entry.remove();
        }
        let rows = packed.map_or(1, |bytes| bytes / self.stride());
        self.bytes -= self.size(rows);
        self.rows -= rows.max(1);
        let rows = rows.max(1) as u64;
        Some(Gone { tag, rows })
    }

    const fn is_single(&self, rows: usize) -> bool {
        rows == 1 && self.of.attributes <= INLINE && !self.of.numbers && !self.of.is_long()
    }

    /// Bytes of one of several packed predictions.
    pub(super) const fn stride(&self) -> usize {
        let fixed = if self.of.numbers {
            FIXED + NUMBER
        } else {
            FIXED
        };
        fixed + self.of.attributes + ITEM * self.of.places + CLASS_SCORE * self.of.scores
    }

    /// What a request of that many rows takes.
    const fn size(&self, rows: usize) -> usize {
        let entry = size_of::<Remembered>() + INDEX;
        if self.is_single(rows) {
            entry
        } else {
            entry + rows * self.stride()
        }
    }
}

fn single(prediction: &Prediction) -> Rows {
    let mut groups = [NO_GROUP; INLINE];
    put_groups(prediction, &mut groups);
    Rows::One {
        flags: flags(prediction),
        groups,
        score: answered(prediction),
    }
}

fn pack(prediction: &Prediction, of: Remembers, into: &mut [u8]) {
    into[0] = flags(prediction);
    into[1..FIXED].copy_from_slice(&answered(prediction).to_le_bytes());
    let mut groups = FIXED;
    if of.numbers {
        let label = prediction.label.and_then(Answer::number).unwrap_or(0.0);
        groups += NUMBER;
        into[FIXED..groups].copy_from_slice(&label.to_le_bytes());
    }
    let (groups, rest) = into[groups..].split_at_mut(prediction.groups.len());
    put_groups(prediction, groups);
    let known = prediction.items.iter().flatten().copied();
    let known = known.chain(std::iter::repeat(NO_ITEM));
    let scores = prediction.scores.as_deref().unwrap_or_default();
    let end = rest.len().saturating_sub(CLASS_SCORE * of.scores);
    let (items, places) = rest.split_at_mut(end);
    for (into, item) in items.chunks_exact_mut(ITEM).zip(known) {
        into.copy_from_slice(&item.to_le_bytes());
    }
    for (into, score) in places.chunks_exact_mut(CLASS_SCORE).zip(scores) {
        into.copy_from_slice(&score.to_le_bytes());
    }
}

fn put_groups(prediction: &Prediction, into: &mut [u8]) {
    into.fill(NO_GROUP);
    for (place, group) in into.iter_mut().zip(prediction.groups.iter()) {
        *place = group.unwrap_or(NO_GROUP);
    }
}

/// The score, the predicted number, or the bits of decided and true class: there is never more than
/// one of the three.
fn answered(prediction: &Prediction) -> f64 {
    let class = |answer: Option<Answer>| answer.and_then(Answer::class).map(u64::from);
    let number = prediction
        .score
        .or(prediction.decision.and_then(Answer::number));
    number.unwrap_or_else(|| {
        let label = class(prediction.label).unwrap_or(0);
        f64::from_bits(class(prediction.decision).unwrap_or(0) | label << 8)
    })
}

/// Two bits for the decision, two for the label, one for whether there is a score, one for whether
/// the answers are classes, one for whether there is a list, one
/// for whether there are scores of classes.
fn flags(prediction: &Prediction) -> u8 {
    let truth = |answer: Option<Answer>| match answer {
        None => 0,
        Some(Answer::Sign(positive)) => 2 | u8::from(positive),
        Some(Answer::Class(_) | Answer::Number(_)) => 2,
    };
    let answers = [prediction.decision, prediction.label];
    let classes = answers
        .iter()
        .flatten()
        .any(|answer| answer.class().is_some());
    truth(prediction.decision)
        | truth(prediction.label) << 2
        | u8::from(prediction.score.is_some()) << 4
        | u8::from(classes) << 5
        | u8::from(prediction.items.is_some()) << 6
        | u8::from(prediction.scores.is_some()) << 7
}

fn unpack(flags: u8, score: f64, groups: &[u8]) -> Prediction {
    let [decided, label, ..] = score.to_bits().to_le_bytes();
    let truth = |bits: u8, class: u8| {
        (bits & 2 != 0).then_some(if flags & 32 != 0 {
            Answer::Class(class)
        } else {
            Answer::Sign(bits & 1 != 0)
        })
    };
    Prediction {
        score: (flags & 16 != 0).then_some(score),
        decision: truth(flags, decided),
        groups: groups.iter().copied().map(group).collect(),
        label: truth(flags >> 2, label),
        items: None,
        scores: None,
    }
}

/// The scores of classes, if there are such.
fn unpack_scores(flags: u8, packed: &[u8]) -> Option<Box<[f64]>> {
    let (each, _) = packed.as_chunks::<CLASS_SCORE>();
    let scores = each.iter().map(|score| f64::from_le_bytes(*score));
    (flags & 128 != 0).then(|| scores.collect())
}

/// The items of a list, if there is one; places after the last item are not part of it.
fn unpack_items(flags: u8, packed: &[u8]) -> Option<Box<[u32]>> {
    let (each, _) = packed.as_chunks::<ITEM>();
    let items = each.iter().map(|item| u32::from_le_bytes(*item));
    let mut items: Vec<u32> = items.collect();
    while items.last() == Some(&NO_ITEM) {
        items.pop();
    }
    (flags & 64 != 0).then(|| items.into())
}

fn unpack_numbers(flags: u8, predicted: f64, label: f64, groups: &[u8]) -> Prediction {
    Prediction {
        score: None,
        decision: (flags & 2 != 0).then_some(Answer::Number(predicted)),
        groups: groups.iter().copied().map(group).collect(),
        label: (flags & 8 != 0).then_some(Answer::Number(label)),
        items: None,
        scores: None,
    }
}

fn group(group: u8) -> Option<u8> {
    (group != NO_GROUP).then_some(group)
}

#[cfg(test)]
mod tests;
