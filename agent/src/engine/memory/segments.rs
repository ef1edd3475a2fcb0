//! A queue of remembered requests in segments: it grows and shrinks by one at a time and moves
//! nothing. One large vector would be copied whenever it grows, and keep the hole where it stood;
//! an allocation for each request would scatter what lives long among what does not.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::Origin;
use crate::sample::Tag;

/// Requests in a segment, at most.
const REQUESTS: usize = 256;
/// Bytes of packed rows after which a segment takes no more.
const PACKED: usize = 64 << 10;
/// By how much room for packed rows grows.
const STEP: usize = 4 << 10;

/// The predictions of one request.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) tag: Tag,
    pub(super) origin: Arc<Origin>,
    pub(super) rows: Rows,
}

/// Predictions of a request.
#[derive(Debug)]
pub(super) enum Rows {
    /// One, with few attributes.
    One {
        flags: u8,
        groups: [u8; super::INLINE],
        score: f64,
    },
    /// Any number: from this byte of the segment's packed rows on, so many bytes.
    Several { from: u32, bytes: u32 },
}

#[derive(Debug)]
struct Segment {
    /// Number of its first request.
    first: u32,
    /// How many of its requests are forgotten.
    gone: usize,
    requests: Vec<Remembered>,
    packed: Vec<u8>,
}

/// Where a request stands; good until the next insertion or expiry.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Place {
    segment: usize,
    request: usize,
}

/// The queue. Requests are numbered in the order they came; numbers wrap around, and there are never
/// as many at once.
#[derive(Debug, Default)]
pub(super) struct Segments {
    all: VecDeque<Segment>,
    next: u32,
}

impl Segments {
    /// Adds a request with a single prediction that is no packed one.
    pub(super) fn push_single(&mut self, tag: Tag, origin: Arc<Origin>, row: Rows) -> u32 {
        self.room().requests.push(Remembered {
            tag,
            origin,
            rows: row,
        });
        self.pushed()
    }

    /// Adds a request whose predictions are packed, by `pack`, into so many bytes of zeros.
    pub(super) fn push_packed(
        &mut self,
        tag: Tag,
        origin: Arc<Origin>,
        bytes: usize,
        pack: impl FnOnce(&mut [u8]),
    ) -> u32 {
        let segment = self.room();
        let from = segment.packed.len();
        if segment.packed.capacity() < from + bytes {
            segment.packed.reserve_exact(bytes.next_multiple_of(STEP));
        }
        segment.packed.resize(from + bytes, 0);
        pack(&mut segment.packed[from..]);
        // A segment's packed rows end soon after `PACKED`, and a request has bounded rows.
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let rows = Rows::Several {
            from: short(from),
            bytes: short(bytes),
        };
        segment.requests.push(Remembered { tag, origin, rows });
        self.pushed()
    }

    /// The segment that takes the next request.
    fn room(&mut self) -> &mut Segment {
        let full = |s: &Segment| s.requests.len() >= REQUESTS || s.packed.len() >= PACKED;
        if self.all.back().is_none_or(full) {
            self.all.push_back(Segment {
                first: self.next,
                gone: 0,
                requests: Vec::with_capacity(REQUESTS),
                packed: Vec::new(),
            });
        }
        let last = self.all.len() - 1;
        &mut self.all[last]
    }

    fn pushed(&mut self) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        number
    }

    /// Where the request of that number stands.
    pub(super) fn place(&self, number: u32) -> Option<Place> {
        let base = self.all.front()?.first;
        let distance = |n: u32| n.wrapping_sub(base);
        let after = self
            .all
            .partition_point(|s| distance(s.first) <= distance(number));
        let segment = after.checked_sub(1)?;
        let request = number.wrapping_sub(self.all[segment].first) as usize;
        let place = Place { segment, request };
        self.get(place).map(|_| place)
    }

    pub(super) fn get(&self, place: Place) -> Option<&Remembered> {
        let segment = self.all.get(place.segment)?;
        let known = place.request >= segment.gone;
        segment.requests.get(place.request).filter(|_| known)
    }

    /// Its predictions, to be changed, with the packed bytes if they are packed.
    pub(super) fn rows_mut(&mut self, place: Place) -> Option<(&mut Rows, &mut [u8])> {
        let segment = self.all.get_mut(place.segment)?;
        let known = place.request >= segment.gone;
        let found = segment.requests.get_mut(place.request).filter(|_| known)?;
        let range = packed_range(&found.rows);
        Some((&mut found.rows, segment.packed.get_mut(range)?))
    }

    /// Its packed predictions; empty if they are not packed.
    pub(super) fn packed(&self, place: Place) -> &[u8] {
        let packed = || {
            let segment = self.all.get(place.segment)?;
            let found = segment.requests.get(place.request)?;
            segment.packed.get(packed_range(&found.rows))
        };
        packed().unwrap_or_default()
    }

    pub(super) fn front(&self) -> Option<&Remembered> {
        let segment = self.all.front()?;
        segment.requests.get(segment.gone)
    }

    /// Forgets the oldest: its number, tag, and the bytes of its packed rows, if they are packed.
    pub(super) fn pop(&mut self) -> Option<(u32, Tag, Option<usize>)> {
        let segment = self.all.front_mut()?;
        let oldest = segment.requests.get(segment.gone)?;
        let number = segment
            .first
            .wrapping_add(u32::try_from(segment.gone).unwrap_or(0));
        let packed = match oldest.rows {
            Rows::One { .. } => None,
            Rows::Several { bytes, .. } => Some(bytes as usize),
        };
        let tag = oldest.tag;
        segment.gone += 1;
        if segment.gone == segment.requests.len() {
            self.all.pop_front();
        }
        Some((number, tag, packed))
    }

    /// All of them, in the order they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Remembered> {
        let segments = self.all.iter();
        segments.flat_map(|s| s.requests.get(s.gone..).unwrap_or_default())
    }

    /// Forgets all and goes on from that number.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, number: u32) {
        *self = Self {
            next: number,
            ..Self::default()
        };
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.iter().map(|s| s.requests.len() - s.gone).sum()
    }

    /// What the segments hold, from their capacities.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let segments = self.all.iter().map(|s| {
            size_of::<Segment>()
                + s.requests.capacity() * size_of::<Remembered>()
                + s.packed.capacity()
        });
        segments.sum()
    }
}

fn packed_range(rows: &Rows) -> std::ops::Range<usize> {
    match rows {
        Rows::One { .. } => 0..0,
        Rows::Several { from, bytes } => *from as usize..(*from as usize + *bytes as usize),
    }
}
