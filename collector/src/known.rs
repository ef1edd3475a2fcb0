//! What the collector knows before anything arrives: systems with their documents, baselines, plans
//! and compiled objectives, and the agents trusted for each. Core: no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use clause9_shared::baseline::Baseline;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::objective::Document;
use clause9_shared::plan::CapturePlan;
use clause9_shared::sealing::System;
use clause9_shared::time::Clock;
use clause9_shared::wire::plan::Named;

use crate::trust::{Standing, Trusted};

/// One AI system: what it is judged by, and who tells of it.
#[derive(Clone, Debug)]
pub struct KnownSystem {
    /// What it is judged by.
    pub judged: System,
    /// Which clock its agents are on; batches on the other are refused.
    pub clock: Clock,
    /// The canonical text of the objectives file, as agents are given it.
    pub document_text: Arc<[u8]>,
    /// That of the baseline.
    pub baseline_text: Arc<[u8]>,
    /// Agents that may write for it, and that a pane waits for.
    pub agents: BTreeSet<AgentId>,
    /// Agents whose place another one takes, with that one.
    pub heirs: BTreeMap<AgentId, AgentId>,
    /// Plans of documents that were in use before: items counted by them are still taken.
    pub older: Vec<OlderPlan>,
}

/// What a system is judged by is asked for everywhere, and never changed.
impl Deref for KnownSystem {
    type Target = System;

    fn deref(&self) -> &System {
        &self.judged
    }
}

/// A plan that was in use before.
#[derive(Clone, Debug)]
pub struct OlderPlan {
    plan: CapturePlan,
    /// Name of its baseline: that of a long text, and asked for with every item.
    baseline: Digest,
}

impl From<CapturePlan> for OlderPlan {
    fn from(plan: CapturePlan) -> Self {
        Self {
            baseline: plan.baseline().digest(),
            plan,
        }
    }
}

impl KnownSystem {
    /// Derives everything from a document and a baseline; says what does not fit. On the live clock.
    pub fn new(document: Document, baseline: Baseline) -> Result<Self, String> {
        let with_texts = System::derived(document, baseline)?;
        Ok(Self {
            judged: with_texts.system,
            clock: Clock::Live,
            document_text: with_texts.document.into_bytes().into(),
            baseline_text: with_texts.baseline.into_bytes().into(),
            agents: BTreeSet::new(),
            heirs: BTreeMap::new(),
            older: Vec::new(),
        })
    }

    /// The names of its documents, as agents are told them.
    pub fn named(&self) -> Named {
        Named {
            system: self.id().clone(),
            objectives: self.document_digest,
            baseline: self.baseline_digest,
        }
    }

    /// The agents that a pane waits for: of one that hands its place over and its heir, the heir once anything of it was
    /// heard, since it ships what is left of the old one first.
    pub fn awaited(&self, heard: impl Fn(&AgentId) -> bool) -> impl Iterator<Item = AgentId> {
        let passed_on = |agent: &AgentId| {
            let mut heir = self.heirs.get(agent);
            // Places are handed over in a line; a bound, in case a file makes it a ring.
            for _ in 0..=self.heirs.len() {
                match heir {
                    Some(next) if heard(next) => return true,
                    Some(next) => heir = self.heirs.get(next),
                    None => return false,
                }
            }
            false
        };
        let to_come = |agent: &AgentId| {
            let takes_over =
                |(old, heir): (&AgentId, &AgentId)| heir == agent && self.agents.contains(old);
            !heard(agent) && self.heirs.iter().any(takes_over)
        };
        self.agents
            .iter()
            .filter(move |agent| !passed_on(agent) && !to_come(agent))
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The plan of that name, present or earlier, with the name of its baseline.
    pub fn plan_named(&self, digest: Digest) -> Option<(&CapturePlan, Digest)> {
        let older = self.older.iter().map(|older| (&older.plan, older.baseline));
        std::iter::once((&self.plan, self.baseline_digest))
            .chain(older)
            .find(|(plan, _)| plan.digest() == digest)
    }
}

/// All systems and agents.
#[derive(Clone, Debug, Default)]
pub struct Known {
    systems: BTreeMap<SystemId, KnownSystem>,
    trusted: Trusted,
}

impl Known {
    /// Adds a system; two of one name are refused.
    pub fn add(&mut self, system: KnownSystem) -> Result<(), String> {
        let id = system.id().clone();
        if self.systems.insert(id.clone(), system).is_some() {
            return Err(format!("system `{id}` is configured twice"));
        }
        Ok(())
    }

    /// Lets an agent write for a system; false if there is no such system.
    pub fn trust(&mut self, agent: AgentId, system: &SystemId) -> bool {
        if !self.systems.contains_key(system) {
            return false;
        }
        let mut trusted = std::mem::take(&mut self.trusted);
        trusted.trust(agent, system);
        self.trust_only(trusted);
        true
    }

    /// From now on exactly these agents are known. What they may write for and is no system here counts for nothing.
    pub fn trust_only(&mut self, trusted: Trusted) {
        for system in self.systems.values_mut() {
            system.agents.clear();
            system.heirs.clear();
        }
        for entry in trusted.entries() {
            match entry.standing {
                Standing::Approved => {}
                // Nobody waits for an agent of whom nothing is taken.
                Standing::Pending | Standing::Revoked(_) => continue,
            }
            for id in &entry.systems {
                if let Some(system) = self.systems.get_mut(id) {
                    system.agents.insert(entry.id);
                    system
                        .heirs
                        .extend(entry.previous.map(|old| (old, entry.id)));
                }
            }
        }
        self.trusted = trusted;
    }

    /// Everybody who is known.
    pub const fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// The system of that name.
    pub fn system(&self, id: &SystemId) -> Option<&KnownSystem> {
        self.systems.get(id)
    }

    /// The system of that name, to add older plans to it.
    pub fn system_mut(&mut self, id: &SystemId) -> Option<&mut KnownSystem> {
        self.systems.get_mut(id)
    }

    /// All systems by name.
    pub fn systems(&self) -> impl Iterator<Item = &KnownSystem> {
        self.systems.values()
    }

    /// Whether the agent may write for the system, as far as it is believed at all.
    pub fn may_write(&self, agent: AgentId, system: &SystemId) -> bool {
        let systems = self.trusted.get(agent).map(|e| &e.systems);
        systems.is_some_and(|s| s.contains(system))
    }
}

/// What is known now; replaced as a whole when files change, so that whoever reads sees one state.
#[derive(Clone, Debug)]
pub struct Current(Arc<RwLock<Arc<Known>>>);

impl Current {
    /// What is known at first.
    pub fn new(known: Known) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(known))))
    }

    /// What is known now.
    pub fn now(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same systems, and from now on exactly these agents.
    pub fn trust_only(&self, trusted: Trusted) {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = Known::clone(&place);
        known.trust_only(trusted);
        *place = Arc::new(known);
    }
}
