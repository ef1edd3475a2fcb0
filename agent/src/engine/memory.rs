//! What is remembered for the join: predictions until their outcome horizon, and outcomes until their
//! pane of arrival closes. Both bounded. The maps are for look-up only; nothing iterates them into bytes.

use std::collections::{HashMap, VecDeque};

use clause9_shared::plan::{Outcome, Prediction};
use clause9_shared::window::PaneStart;

use crate::engine::{ModelKey, Tally};

/// The predictions of one request.
#[derive(Debug)]
pub(super) struct Remembered {
    /// The pane of the prediction.
    pub(super) pane: PaneStart,
    /// The model and version that answered.
    pub(super) model: ModelKey,
    /// One prediction per row.
    pub(super) rows: Vec<Prediction>,
}

/// Requests by id.
#[derive(Debug)]
pub(super) struct Memory {
    requests: HashMap<Box<str>, Remembered>,
    /// Ids in the order they came, which is about the order of their panes.
    order: VecDeque<Box<str>>,
    rows: usize,
    limit: usize,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            requests: HashMap::new(),
            order: VecDeque::new(),
            rows: 0,
            limit,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Remembered> {
        self.requests.get_mut(id)
    }

    /// Remembers a request; false if the id is taken (the first one counts) or it has more rows than
    /// all memory. Forgets the oldest ones to make room.
    pub(super) fn insert(&mut self, id: &str, request: Remembered, tally: &mut Tally) -> bool {
        // An empty request costs something, too.
        let cost = request.rows.len().max(1);
        if cost > self.limit || self.requests.contains_key(id) {
            return false;
        }
        while self.rows + cost > self.limit {
            let Some(forgotten) = self.forget_oldest() else {
                break;
            };
            tally.evicted += forgotten as u64;
        }
        self.rows += cost;
        self.order.push_back(id.into());
        self.requests.insert(id.into(), request);
        true
    }

    /// Forgets the oldest requests while their panes began before `horizon`.
    pub(super) fn expire(&mut self, horizon: PaneStart) {
        while let Some(id) = self.order.front() {
            if self.requests.get(id).is_some_and(|r| r.pane >= horizon) {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) -> Option<usize> {
        let id = self.order.pop_front()?;
        let cost = self.requests.remove(&id).map_or(0, |r| r.rows.len().max(1));
        self.rows -= cost;
        Some(cost)
    }
}

/// Outcomes whose request is not known yet, by id, with their pane of arrival.
#[derive(Debug)]
pub(super) struct Waiting {
    by_id: HashMap<Box<str>, Vec<(PaneStart, Outcome)>>,
    len: usize,
    limit: usize,
}

impl Waiting {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_id: HashMap::new(),
            len: 0,
            limit,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Lets an outcome wait; false if there is no room.
    pub(super) fn insert(&mut self, arrival: PaneStart, outcome: Outcome) -> bool {
        if self.len >= self.limit {
            return false;
        }
        self.len += 1;
        let id = outcome.request_id.as_str().into();
        self.by_id.entry(id).or_default().push((arrival, outcome));
        true
    }

    /// Outcomes that waited for this id, in the order they came.
    pub(super) fn take(&mut self, id: &str) -> Vec<(PaneStart, Outcome)> {
        let found = self.by_id.remove(id).unwrap_or_default();
        self.len -= found.len();
        found
    }

    /// How many waited in vain until the end of a pane; they are let go.
    pub(super) fn give_up(&mut self, up_to: PaneStart) -> u64 {
        let before = self.len;
        self.by_id.retain(|_, waiting| {
            let had = waiting.len();
            waiting.retain(|(arrival, _)| *arrival > up_to);
            self.len -= had - waiting.len();
            !waiting.is_empty()
        });
        (before - self.len) as u64
    }

    /// How many waited; they are let go.
    pub(super) fn give_up_all(&mut self) -> u64 {
        self.by_id.clear();
        std::mem::take(&mut self.len) as u64
    }
}
