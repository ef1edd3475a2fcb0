//! What must hold when the storm is over: conservation, integrity, nothing spurious, liveness; and that
//! enough went wrong for that to mean something.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::window::PaneStart;
use clause9_shared::wire::loss::Place;

use super::World;
use super::sidecar::{Agent, Counts, add, counts_in};

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// A batch was kept or shipped, and is neither stored nor told to be lost.
    #[error("lost without a word: {0}")]
    Lost(String),
    /// Exchanges are counted twice.
    #[error("counted twice: {0}")]
    Twice(String),
    /// Exchanges are missing that were put by in time.
    #[error("missing: {0}")]
    Missing(String),
    /// What is stored is not what was signed, or nobody signed it.
    #[error("spurious: {0}")]
    Spurious(String),
    /// Something never arrived though nothing stood in the way any more.
    #[error("never arrived: {0}")]
    Stuck(String),
}

/// What was put to the test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exercised {
    /// Troubles by kind.
    pub troubles: BTreeMap<&'static str, u64>,
    /// Deliveries that the collector knew already.
    pub duplicates: u64,
    /// Batches that were told to be lost.
    pub losses: u64,
    /// Batches stored that were restored after a crash.
    pub restored: u64,
    /// Deliveries that changed on the way.
    pub changed: u64,
    /// Answers to agents that were not known.
    pub strangers: u64,
    /// Batches stored.
    pub stored: u64,
    /// What happened when, in seconds.
    pub story: Vec<String>,
}

impl Exercised {
    /// Adds what another world exercised.
    pub fn add(&mut self, other: &Self) {
        for (kind, times) in &other.troubles {
            *self.troubles.entry(kind).or_default() += times;
        }
        self.duplicates += other.duplicates;
        self.losses += other.losses;
        self.restored += other.restored;
        self.changed += other.changed;
        self.strangers += other.strangers;
        self.stored += other.stored;
    }
}

impl World {
    /// Judges the world once it has ended.
    pub(super) fn check(&mut self) -> Result<(), Wrong> {
        if let Some(held_up) = self.held_up.take() {
            return Err(Wrong::Stuck(held_up));
        }
        for (number, agent) in self.agents.iter_mut().enumerate() {
            let left = agent.process.as_ref().map_or(0, |p| p.outbox.size().0);
            if left > 0 || agent.process.is_none() {
                return Err(Wrong::Stuck(format!("{left} batches of agent {number}")));
            }
            agent.promise();
        }
        self.exercised.duplicates = self.collector.duplicates;
        self.exercised.stored = self.collector.stored.len() as u64;
        if self.collector.twice > 0 {
            return Err(Wrong::Twice(format!("{} batches", self.collector.twice)));
        }
        for number in 0..self.agents.len() {
            self.check_agent(number)?;
        }
        Ok(())
    }

    fn check_agent(&mut self, number: usize) -> Result<(), Wrong> {
        let agent = &self.agents[number];
        let mut stored = Counts::new();
        let mut places = BTreeSet::new();
        let mut lost = BTreeSet::new();
        let of = self
            .collector
            .stored
            .iter()
            .filter(|((id, _), _)| *id == agent.id);
        for ((_, place), (digest, batch)) in of {
            let signed = agent.account.signed.get(place);
            if !signed.is_some_and(|s| s.contains(digest)) {
                return Err(Wrong::Spurious(format!("agent {number}, {place:?}")));
            }
            places.insert(*place);
            add(&mut stored, &counts_in(batch));
            self.exercised.restored += u64::from(batch.restored.is_some());
            for loss in &batch.losses {
                lost.extend(loss.first..=loss.last);
            }
        }
        self.exercised.losses += lost.len() as u64;
        let whose = |e: String| format!("agent {number}, {e}");
        let told = told_lost(agent, &places, &lost).map_err(|e| Wrong::Lost(whose(e)))?;
        if let Err(pane) = too_many(agent, &stored) {
            let of = self
                .collector
                .stored
                .iter()
                .filter(|((id, _), _)| *id == agent.id);
            let with = of.filter_map(|((_, place), (_, batch))| {
                let seen = counts_in(batch).get(&pane).copied()?;
                Some((place, batch.restored, seen))
            });
            let produced = agent.account.produced.get(&pane);
            let with: Vec<_> = with.collect();
            let what = format!(
                "{produced:?} exchanges of pane {:?} are in {with:?}",
                pane.0
            );
            return Err(Wrong::Twice(whose(what)));
        }
        let sure = lost.is_empty() && !self.collector.passed_over.contains(&agent.id);
        too_few(agent, &stored, &told, sure).map_err(|e| Wrong::Missing(whose(e)))
    }
}

/// Exchanges of batches that are told to be lost; an error for one that is missing and not told.
fn told_lost(
    agent: &Agent,
    stored: &BTreeSet<Place>,
    lost: &BTreeSet<u64>,
) -> Result<Counts, String> {
    let mut told = Counts::new();
    for (place, (number, counts)) in &agent.account.promised {
        match (stored.contains(place), lost.contains(number)) {
            (true, _) => {}
            (false, true) => add(&mut told, counts),
            (false, false) => return Err(format!("{place:?}, number {number}")),
        }
    }
    Ok(told)
}

fn of(counts: &Counts, pane: PaneStart) -> u64 {
    counts.get(&pane).copied().unwrap_or(0)
}

/// No pane may have more exchanges than came; the one that has.
fn too_many(agent: &Agent, stored: &Counts) -> Result<(), PaneStart> {
    let more = |(pane, found): &(&PaneStart, &u64)| **found > of(&agent.account.produced, **pane);
    stored
        .iter()
        .find(more)
        .map_or(Ok(()), |(pane, _)| Err(*pane))
}

/// No pane may have fewer than what no crash and no loss may take.
fn too_few(agent: &Agent, stored: &Counts, told: &Counts, sure: bool) -> Result<(), String> {
    let open = agent.open();
    let account = &agent.account;
    for (pane, produced) in &account.produced {
        let found = of(stored, *pane);
        let gone = of(&account.excused, *pane) + of(&open, *pane) + of(told, *pane);
        // What was restored may be among what is told to be lost, or not be taken, as something that holds
        // it may have been shipped later.
        let sure = if sure {
            of(&account.guaranteed, *pane)
        } else {
            0
        };
        let least = produced.saturating_sub(gone) + sure;
        if found < least {
            let pane = pane.0;
            return Err(format!(
                "pane {pane:?}: {found} exchanges, at least {least} of {produced}"
            ));
        }
    }
    Ok(())
}
