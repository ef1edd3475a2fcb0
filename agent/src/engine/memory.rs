//! What is remembered of predictions until their outcome horizon: by the tag of their request's id,
//! a few bytes for each, bounded in number and in bytes. The oldest ones make room.

use std::collections::VecDeque;
use std::sync::Arc;

use clause9_shared::plan::{Answer, Prediction};
use clause9_shared::window::PaneStart;
use hashbrown::HashTable;

use crate::engine::{Origin, Tally};
use crate::sample::Tag;

/// Most attributes of a prediction that is kept without an allocation of its own.
const INLINE: usize = 6;
/// Bytes of a packed prediction without its groups: flags, and the score or what else was answered.
const FIXED: usize = 9;
/// Bytes more of one whose label is a number.
const NUMBER: usize = 8;
/// What the index takes for one request: five bytes a slot, of which at least two in seven are used.
const INDEX: usize = 16;
/// What several rows take besides themselves: the vector, and what the allocator rounds up to.
const SEVERAL: usize = 40;
/// In place of a group that is not known.
const NO_GROUP: u8 = u8::MAX;
/// Fewest requests that room is made for at once.
const STEP: usize = 64;

/// The predictions of one request.
#[derive(Debug)]
struct Remembered {
    tag: Tag,
    origin: Arc<Origin>,
    rows: Rows,
}

/// Packed predictions.
#[derive(Debug)]
enum Rows {
    /// One, with few attributes.
    One {
        flags: u8,
        groups: [u8; INLINE],
        score: f64,
    },
    /// Any number, one after the other: flags, score, groups. Boxed to keep the other kind small.
    #[expect(clippy::box_collection, reason = "a thin pointer halves the entry")]
    Several(Box<Vec<u8>>),
}

/// Where a remembered request stands; good until the next insertion or expiry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize);

/// Requests by the tag of their id.
#[derive(Debug)]
pub(super) struct Memory {
    /// In the order they came, which is about the order of their panes.
    requests: VecDeque<Remembered>,
    /// Numbers of requests by tag; a number less `first` is a place in `requests`.
    index: HashTable<u32>,
    first: u32,
    /// Attributes of a prediction.
    attributes: usize,
    /// Whether predictions and labels are numbers.
    numbers: bool,
    rows: usize,
    most_rows: usize,
    bytes: usize,
    most_bytes: usize,
}

impl Memory {
    pub(super) fn new(
        attributes: usize,
        numbers: bool,
        most_rows: usize,
        most_bytes: usize,
    ) -> Self {
        Self {
            requests: VecDeque::new(),
            index: HashTable::new(),
            first: 0,
            attributes,
            numbers,
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
            self.at(*number).is_some_and(|r| r.tag == tag)
        });
        found.map(|number| Place(place(*number, self.first)))
    }

    /// Pane and model of a request that was found.
    pub(super) fn origin(&self, place: Place) -> &Arc<Origin> {
        &self.requests[place.0].origin
    }

    /// One of its predictions.
    pub(super) fn prediction(&self, place: Place, row: usize) -> Option<Prediction> {
        match &self.requests.get(place.0)?.rows {
            Rows::One {
                flags,
                groups,
                score,
            } => (row == 0).then(|| unpack(*flags, *score, &groups[..self.attributes])),
            Rows::Several(bytes) => {
                let packed = bytes.chunks_exact(self.stride()).nth(row)?;
                let (score, rest) = packed[1..].split_first_chunk()?;
                let score = f64::from_le_bytes(*score);
                if self.numbers {
                    let (label, groups) = rest.split_first_chunk()?;
                    Some(unpack_numbers(
                        packed[0],
                        score,
                        f64::from_le_bytes(*label),
                        groups,
                    ))
                } else {
                    Some(unpack(packed[0], score, rest))
                }
            }
        }
    }

    /// Keeps what became of a prediction that was found.
    pub(super) fn store(&mut self, place: Place, row: usize, prediction: &Prediction) {
        let (stride, numbers) = (self.stride(), self.numbers);
        match self.requests.get_mut(place.0).map(|r| &mut r.rows) {
            Some(Rows::One { .. }) | None if row > 0 => {}
            Some(one @ Rows::One { .. }) => *one = single(prediction),
            Some(Rows::Several(bytes)) => {
                if let Some(packed) = bytes.chunks_exact_mut(stride).nth(row) {
                    pack(prediction, numbers, packed);
                }
            }
            None => {}
        }
    }

    /// Remembers a request; false if the tag is taken (the first one counts) or it is larger than
    /// all memory. Forgets the oldest ones to make room.
    pub(super) fn insert(
        &mut self,
        tag: Tag,
        origin: Arc<Origin>,
        rows: &[Prediction],
        tally: &mut Tally,
    ) -> bool {
        let (number, bytes) = (rows.len().max(1), self.size(rows.len()));
        if number > self.most_rows || bytes > self.most_bytes || self.find(tag).is_some() {
            return false;
        }
        while self.rows + number > self.most_rows || self.bytes + bytes > self.most_bytes {
            let Some(forgotten) = self.forget_oldest() else {
                break;
            };
            tally.evicted += forgotten as u64;
        }
        self.rows += number;
        self.bytes += bytes;
        self.make_room();
        let remembered = Remembered {
            tag,
            origin,
            rows: self.packed(rows),
        };
        self.requests.push_back(remembered);
        let newest = u32::try_from(self.requests.len() - 1).unwrap_or(u32::MAX);
        let (requests, first) = (&self.requests, self.first);
        self.index
            .insert_unique(tag.bits(), first.wrapping_add(newest), |number| {
                requests
                    .get(place(*number, first))
                    .map_or(0, |r| r.tag.bits())
            });
        true
    }

    /// Forgets the oldest requests while their panes began before `horizon`.
    pub(super) fn expire(&mut self, horizon: PaneStart) {
        while self.requests.front().is_some_and(|r| r.origin.0 < horizon) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> Option<usize> {
        let number = self.first;
        let oldest = self.requests.pop_front()?;
        if let Ok(entry) = self
            .index
            .find_entry(oldest.tag.bits(), |other| *other == number)
        {
            entry.remove();
        }
        self.first = self.first.wrapping_add(1);
        let rows = match &oldest.rows {
            Rows::One { .. } => 1,
            Rows::Several(bytes) => bytes.len() / self.stride(),
        };
        self.bytes -= self.size(rows);
        self.rows -= rows.max(1);
        Some(rows.max(1))
    }

    fn at(&self, number: u32) -> Option<&Remembered> {
        self.requests.get(place(number, self.first))
    }

    const fn is_single(&self, rows: usize) -> bool {
        rows == 1 && self.attributes <= INLINE && !self.numbers
    }

    /// Bytes of one of several packed predictions.
    const fn stride(&self) -> usize {
        let fixed = if self.numbers { FIXED + NUMBER } else { FIXED };
        fixed + self.attributes
    }

    /// What a request of that many rows takes.
    const fn size(&self, rows: usize) -> usize {
        let entry = size_of::<Remembered>() + INDEX;
        if self.is_single(rows) {
            entry
        } else {
            entry + SEVERAL + rows * self.stride()
        }
    }

    /// A quarter more at a time, where doubling would leave half of a large memory unused.
    fn make_room(&mut self) {
        let length = self.requests.len();
        if length == self.requests.capacity() {
            let most = self.most_bytes / (size_of::<Remembered>() + INDEX);
            let more = (length / 4).max(STEP).min(most.saturating_sub(length));
            self.requests.reserve_exact(more.max(1));
        }
    }

    fn packed(&self, rows: &[Prediction]) -> Rows {
        if let ([only], true) = (rows, self.is_single(rows.len())) {
            return single(only);
        }
        let stride = self.stride();
        let mut bytes = vec![0; rows.len() * stride];
        for (row, packed) in rows.iter().zip(bytes.chunks_exact_mut(stride)) {
            pack(row, self.numbers, packed);
        }
        Rows::Several(Box::new(bytes))
    }
}

/// Numbers wrap around; there are never as many requests at once.
const fn place(number: u32, first: u32) -> usize {
    number.wrapping_sub(first) as usize
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

fn pack(prediction: &Prediction, numbers: bool, into: &mut [u8]) {
    into[0] = flags(prediction);
    into[1..FIXED].copy_from_slice(&answered(prediction).to_le_bytes());
    let mut groups = FIXED;
    if numbers {
        let label = prediction.label.and_then(Answer::number).unwrap_or(0.0);
        groups += NUMBER;
        into[FIXED..groups].copy_from_slice(&label.to_le_bytes());
    }
    put_groups(prediction, &mut into[groups..]);
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
/// the answers are classes.
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
}

fn unpack(flags: u8, score: f64, groups: &[u8]) -> Prediction {
    let [decided, label, ..] = score.to_bits().to_le_bytes();
    let truth = |bits: u8, class: u8| {
        (bits & 2 != 0).then(|| {
            if flags & 32 != 0 {
                Answer::Class(class)
            } else {
                Answer::Sign(bits & 1 != 0)
            }
        })
    };
    Prediction {
        score: (flags & 16 != 0).then_some(score),
        decision: truth(flags, decided),
        groups: groups.iter().map(group).collect(),
        label: truth(flags >> 2, label),
    }
}

fn unpack_numbers(flags: u8, predicted: f64, label: f64, groups: &[u8]) -> Prediction {
    Prediction {
        score: None,
        decision: (flags & 2 != 0).then_some(Answer::Number(predicted)),
        groups: groups.iter().map(group).collect(),
        label: (flags & 8 != 0).then_some(Answer::Number(label)),
    }
}

fn group(group: &u8) -> Option<u8> {
    (*group != NO_GROUP).then_some(*group)
}

#[cfg(test)]
mod tests;
