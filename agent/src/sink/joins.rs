//! Requests and answers that are told separately, put together by their id: what waits is bounded in
//! bytes and in time, and what was told is remembered for a while, so that nothing is counted twice.
//! Told the time; no clock.

use std::collections::{BTreeMap, VecDeque};

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::{DropReason, PaneStart};

use crate::sink::{Half, Key, Side};

/// Most ids that are remembered. What comes again after so many others is not recognised.
const MAX_KNOWN: usize = 65_536;
/// What a waiting half takes besides its body, at least.
const OVERHEAD: usize = 512;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;

impl Side {
    const fn bit(self) -> u8 {
        match self {
            Self::Request => REQUEST,
            Self::Response => RESPONSE,
        }
    }
}

/// A half that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What was told.
    pub half: Half,
    /// Its pane: of a request, the one in which it was counted as seen; of an answer, that of its time.
    pub pane: PaneStart,
    /// When it happened.
    pub at: Timestamp,
    /// Since when it waits.
    pub since: Timestamp,
}

/// A half that waited in vain.
#[derive(Debug)]
pub struct Gone {
    /// What it was.
    pub waiting: Waiting,
    /// Why it was given up.
    pub reason: DropReason,
}

/// What is known of an exchange when a half of it comes.
#[derive(Debug)]
pub enum Standing {
    /// This half was told before.
    Duplicate,
    /// The other half was told and given up.
    Late,
    /// The other half was not told yet.
    First,
    /// Here is the other half.
    Second(Box<Waiting>),
}

/// The halves that wait.
#[derive(Debug)]
pub struct Joins {
    most_bytes: usize,
    longest: Span,
    /// By the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    places: BTreeMap<Key, u64>,
    bytes: usize,
    /// How many of those that wait are requests.
    requests: usize,
    next: u64,
    /// Which halves of an exchange were told.
    known: BTreeMap<Key, u8>,
    order: VecDeque<Key>,
}

impl Joins {
    /// Nothing waits yet.
    pub fn new(most_bytes: usize, longest: Span) -> Self {
        Self {
            most_bytes,
            longest,
            waiting: BTreeMap::new(),
            places: BTreeMap::new(),
            bytes: 0,
            requests: 0,
            next: 0,
            known: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// How many requests and how many answers wait.
    pub fn len(&self) -> (usize, usize) {
        (self.requests, self.waiting.len() - self.requests)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of what waits.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes that a half came and says what is known of the other one. What is forgotten to make room for
    /// its id is given back.
    pub fn enter(&mut self, key: Key, side: Side, gone: &mut Vec<Gone>) -> Standing {
        let told = if let Some(told) = self.known.get_mut(&key) {
            let before = *told;
            *told |= side.bit();
            before
        } else {
            self.remember(key, side.bit(), gone);
            0
        };
        if told & side.bit() != 0 {
            Standing::Duplicate
        } else if told == 0 {
            Standing::First
        } else {
            match self.take(key) {
                Some(other) => Standing::Second(Box::new(other)),
                None => Standing::Late,
            }
        }
    }

    /// Notes an exchange that is told as a whole; whether it is new.
    pub fn enter_whole(&mut self, key: Key, gone: &mut Vec<Gone>) -> bool {
        if self.known.contains_key(&key) {
            return false;
        }
        self.remember(key, REQUEST | RESPONSE, gone);
        true
    }

    fn remember(&mut self, key: Key, told: u8, gone: &mut Vec<Gone>) {
        if self.order.len() >= MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
            if let Some(waiting) = self.take(oldest) {
                let reason = DropReason::CaptureBudget;
                gone.push(Gone { waiting, reason });
            }
        }
        self.known.insert(key, told);
        self.order.push_back(key);
    }

    /// Has a half wait. What is let go to make room for it is given back: the oldest, or itself.
    pub fn wait(&mut self, waiting: Waiting, gone: &mut Vec<Gone>) {
        let takes = weight(&waiting);
        while self.bytes + takes > self.most_bytes
            && let Some((&oldest, _)) = self.waiting.first_key_value()
        {
            self.give_up(oldest, DropReason::CaptureBudget, gone);
        }
        if takes > self.most_bytes {
            let reason = DropReason::CaptureBudget;
            gone.push(Gone { waiting, reason });
            return;
        }
        self.bytes += takes;
        self.requests += usize::from(waiting.half.side == Side::Request);
        self.places.insert(waiting.half.key, self.next);
        self.waiting.insert(self.next, waiting);
        self.next += 1;
    }

    /// Gives back what has waited too long.
    pub fn expire(&mut self, now: Timestamp, gone: &mut Vec<Gone>) {
        while let Some((&oldest, waiting)) = self.waiting.first_key_value()
            && waiting.since + self.longest <= now
        {
            let reason = in_vain(waiting);
            self.give_up(oldest, reason, gone);
        }
    }

    /// Gives back what belongs to this pane or an earlier one: it will be closed.
    pub fn close(&mut self, pane: PaneStart, gone: &mut Vec<Gone>) {
        let over = self.waiting.iter().filter(|(_, w)| w.pane <= pane);
        let over: Vec<(u64, DropReason)> = over.map(|(at, w)| (*at, in_vain(w))).collect();
        for (at, reason) in over {
            self.give_up(at, reason, gone);
        }
    }

    /// Gives back everything.
    pub fn end(&mut self, gone: &mut Vec<Gone>) {
        while let Some((&oldest, waiting)) = self.waiting.first_key_value() {
            let reason = in_vain(waiting);
            self.give_up(oldest, reason, gone);
        }
    }

    fn give_up(&mut self, at: u64, reason: DropReason, gone: &mut Vec<Gone>) {
        if let Some(waiting) = self.remove(at) {
            self.places.remove(&waiting.half.key);
            gone.push(Gone { waiting, reason });
        }
    }

    fn take(&mut self, key: Key) -> Option<Waiting> {
        let at = self.places.remove(&key)?;
        self.remove(at)
    }

    fn remove(&mut self, at: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&at)?;
        self.bytes -= weight(&waiting);
        self.requests -= usize::from(waiting.half.side == Side::Request);
        Some(waiting)
    }
}

fn weight(waiting: &Waiting) -> usize {
    waiting.half.message.body.len() + OVERHEAD
}

const fn in_vain(waiting: &Waiting) -> DropReason {
    match waiting.half.side {
        Side::Request => DropReason::Unanswered,
        Side::Response => DropReason::Unasked,
    }
}

#[cfg(test)]
mod tests;
