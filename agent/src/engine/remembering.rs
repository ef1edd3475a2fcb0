//! What is known of earlier predictions: in memory, and on a shelf behind it if there is one. What is no
//! longer in memory is fetched from the shelf when an outcome asks for it.

use std::sync::Arc;

use clause9_shared::plan::Prediction;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::engine::filter::Forgotten;
use crate::engine::memory::{Gone, Memory, Place};
use crate::engine::shelf::{Reason, Shelf};
use crate::engine::{Origin, Tally};
use crate::sample::Tag;

/// Whether a request is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// It is in memory.
    At(Place),
    /// It was known.
    Forgotten,
    /// It was never heard of, as far as anybody knows.
    Unknown,
}

/// Earlier predictions.
#[derive(Debug)]
pub(super) struct Remembering {
    memory: Memory,
    shelf: Option<Box<dyn Shelf>>,
    forgotten: Forgotten,
    horizon: Option<PaneStart>,
    gone: Vec<Gone>,
}

impl Remembering {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            memory,
            shelf: None,
            forgotten: Forgotten::default(),
            horizon: None,
            gone: Vec::new(),
        }
    }

    /// With a shelf behind the memory.
    pub(super) fn put_shelf(&mut self, shelf: Option<Box<dyn Shelf>>) {
        self.shelf = shelf;
    }

    pub(super) const fn rows(&self) -> usize {
        self.memory.rows()
    }

    pub(super) fn shelf(&self) -> Option<&dyn Shelf> {
        self.shelf.as_deref()
    }

    /// Remembers a request; false if its name is taken (the first one counts) or it is larger than all
    /// memory.
    pub(super) fn insert(
        &mut self,
        tag: Tag,
        origin: Arc<Origin>,
        rows: &[Prediction],
        tally: &mut Tally,
    ) -> bool {
        if let Some(shelf) = &mut self.shelf
            && shelf.may_hold(tag)
            && self.memory.find(tag).is_none()
            && shelf.find(tag).is_some()
        {
            return false;
        }
        let kept = Arc::clone(&origin);
        let known = self.memory.insert(tag, origin, rows, &mut self.gone);
        if let (true, Some(shelf)) = (known, &mut self.shelf) {
            shelf.put(tag, &kept, &self.memory.packed(rows));
        }
        self.forget(Reason::Bound, tally);
        known
    }

    /// Looks a request up, first in memory.
    pub(super) fn find(&mut self, tag: Tag, tally: &mut Tally) -> Found {
        if let Some(place) = self.memory.find(tag) {
            let origin = self.memory.origin(place);
            return match origin {
                Some(origin) if self.is_over(origin) => Found::Forgotten,
                Some(_) => Found::At(place),
                None => Found::Unknown,
            };
        }
        if let Some(kept) = self.shelf.as_mut().and_then(|s| s.find(tag)) {
            if self.is_over(&kept.origin) {
                return Found::Forgotten;
            }
            let rows = self.memory.unpacked(&kept.rows);
            let origin = Arc::new(kept.origin);
            self.memory.insert(tag, origin, &rows, &mut self.gone);
            self.forget(Reason::Bound, tally);
            return self.memory.find(tag).map_or(Found::Unknown, Found::At);
        }
        if self.has_forgotten(tag) {
            Found::Forgotten
        } else {
            Found::Unknown
        }
    }

    /// Whether a request was remembered and is no more.
    pub(super) fn has_forgotten(&self, tag: Tag) -> bool {
        let shelf = self.shelf.as_ref();
        self.forgotten.has(tag) || shelf.is_some_and(|s| s.has_forgotten(tag))
    }

    fn is_over(&self, origin: &Origin) -> bool {
        self.horizon.is_some_and(|horizon| origin.0 < horizon)
    }

    /// Pane and model of a request that was found.
    pub(super) fn origin(&self, place: Place) -> Option<&Arc<Origin>> {
        self.memory.origin(place)
    }

    /// One of its predictions.
    pub(super) fn prediction(&self, place: Place, row: usize) -> Option<Prediction> {
        self.memory.prediction(place, row)
    }

    /// Keeps what became of a prediction by an outcome that arrived in that pane.
    pub(super) fn store(
        &mut self,
        (tag, place): (Tag, Place),
        row: u32,
        prediction: &Prediction,
        arrival: PaneStart,
    ) {
        let at = usize::try_from(row).unwrap_or(usize::MAX);
        self.memory.store(place, at, prediction);
        if let Some(shelf) = &mut self.shelf {
            let packed = self.memory.packed(std::slice::from_ref(prediction));
            shelf.amend(tag, row, &packed, arrival);
        }
    }

    /// What arrived before this point is handed over next.
    pub(super) fn handed_over(&mut self, before: Timestamp) {
        if let Some(shelf) = &mut self.shelf {
            shelf.handed_over(before);
        }
    }

    /// What outcomes added up to now is put by under this number.
    pub(super) fn put_by(&mut self, number: u64) {
        if let Some(shelf) = &mut self.shelf {
            shelf.put_by(number);
        }
    }

    /// Forgets what comes from panes before the horizon.
    pub(super) fn expire(&mut self, horizon: PaneStart, tally: &mut Tally) {
        self.horizon = self.horizon.max(Some(horizon));
        self.memory.expire(horizon, &mut self.gone);
        self.forget(Reason::Horizon, tally);
        if let Some(shelf) = &mut self.shelf {
            let memory = &self.memory;
            shelf.trim(Some(horizon), &|bits| memory.may_have(bits));
        }
    }

    /// Writes what is not written yet, lets go what is over the bound, and takes over what was counted.
    pub(super) fn tidy(&mut self, tally: &mut Tally) {
        let Some(shelf) = &mut self.shelf else {
            return;
        };
        shelf.flush();
        let memory = &self.memory;
        shelf.trim(None, &|bits| memory.may_have(bits));
        let told = shelf.take_tally();
        for (mine, theirs) in tally.forgotten.iter_mut().zip(told.forgotten) {
            *mine += theirs;
        }
        tally.joins_damaged += told.damaged_files;
        tally.joins_write_failures += told.write_failures;
        tally.lost_outcomes += told.lost_outcomes;
    }

    /// What memory let go is forgotten, unless the shelf has it.
    fn forget(&mut self, reason: Reason, tally: &mut Tally) {
        for gone in self.gone.drain(..) {
            let reason = match (&self.shelf, reason) {
                (Some(shelf), _) if shelf.may_hold(gone.tag) => continue,
                (Some(_), Reason::Bound) => Reason::Unwritten,
                (Some(_) | None, reason) => reason,
            };
            self.forgotten.add(gone.tag);
            tally.forgotten[reason as usize] += gone.rows;
        }
    }

    /// After a failure of the monitor: all that only memory had is forgotten; the shelf goes over.
    pub(super) fn after_panic(&mut self, memory: Memory, tally: &mut Tally) -> Self {
        let shelf = self.shelf.take();
        let mut forgotten = std::mem::take(&mut self.forgotten);
        for gone in self.memory.all() {
            if shelf.as_ref().is_none_or(|s| !s.may_hold(gone.tag)) {
                forgotten.add(gone.tag);
                tally.forgotten[Reason::MonitorDown as usize] += gone.rows;
            }
        }
        Self {
            memory,
            shelf,
            forgotten,
            horizon: self.horizon,
            gone: Vec::new(),
        }
    }
}
