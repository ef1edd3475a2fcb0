//! What the door says of a delivery: each item's fate, in counts, and those by name that were not taken
//! or that somebody may want to look at.

use serde::Serialize;

use crate::sink::Fate;

/// Most items that are listed by themselves; all are counted.
const MAX_LISTED: usize = 100;

/// What became of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Items that are accounted for in coverage, or wait to be.
    pub taken: u64,
    /// Items that were told before.
    pub duplicate: u64,
    /// Items that could not be read; nothing was kept of them.
    pub refused: u64,
    /// What became of those that were taken.
    pub of_taken: Taken,
    /// Items that were refused, or taken without being counted as a case, by their place from 0; at most
    /// 100.
    pub items: Vec<Listed>,
}

/// What became of items that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Counted.
    pub counted: u64,
    /// Halves that wait for the other half.
    pub waiting: u64,
    /// Left out by the sampling rule.
    pub sampled_out: u64,
    /// Counted as not understood.
    pub undecodable: u64,
    /// Counted as let go: too late for their pane, mostly.
    pub dropped: u64,
    /// Labels that were taken in.
    pub outcomes: u64,
}

/// An item worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its place, from 0.
    pub item: usize,
    /// What became of it.
    pub fate: &'static str,
    /// Why.
    pub why: String,
}

impl Account {
    /// Notes an item that could not be read.
    pub(super) fn refuse(&mut self, item: usize, why: String) {
        self.refused += 1;
        self.list(item, "refused", why);
    }

    /// Notes what became of an item that could be read.
    pub(super) fn note(&mut self, item: usize, fate: Fate) {
        let of = &mut self.of_taken;
        match fate {
            Fate::Duplicate => {
                self.duplicate += 1;
                return;
            }
            Fate::Counted => of.counted += 1,
            Fate::Waiting => of.waiting += 1,
            Fate::SampledOut => of.sampled_out += 1,
            Fate::Outcome => of.outcomes += 1,
            Fate::Undecodable(reason) => {
                of.undecodable += 1;
                self.list(item, "undecodable", reason.as_str().into());
            }
            Fate::Dropped(reason) => {
                of.dropped += 1;
                self.list(item, "dropped", reason.as_str().into());
            }
            Fate::Late => {
                of.dropped += 1;
                let why = "its other half was given up before it came";
                self.list(item, "dropped", why.into());
            }
            Fate::OutcomeLost => {
                of.dropped += 1;
                let why = "the label is known, not listed, or its request is not";
                self.list(item, "dropped", why.into());
            }
            Fate::NotInference => self.list(item, "not_inference", "no known path".into()),
            Fate::Failed => {
                of.dropped += 1;
                let why = "the monitor failed at it; see its log";
                self.list(item, "dropped", why.into());
            }
        }
        self.taken += 1;
    }

    fn list(&mut self, item: usize, fate: &'static str, why: String) {
        if self.items.len() < MAX_LISTED {
            self.items.push(Listed { item, fate, why });
        }
    }

    /// Lists by place, whatever the order in which fates became known.
    pub(super) fn sort(&mut self) {
        self.items.sort_by_key(|listed| listed.item);
    }

    /// The counts by the words of telemetry.
    pub(super) fn counts(&self) -> [(&'static str, u64); 3] {
        [
            ("taken", self.taken),
            ("duplicate", self.duplicate),
            ("refused", self.refused),
        ]
    }
}
