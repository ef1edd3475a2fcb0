//! What the collector knows before anything arrives: systems with their documents, baselines, plans
//! and compiled objectives, and the agents trusted for each. Core: no I/O.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::baseline::Baseline;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::judge::Compiled;
use clause9_shared::metric::StreamKind;
use clause9_shared::objective::{Document, Objective};
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::{Clock, Span};

/// One AI system with everything that is derived from its files.
#[derive(Clone, Debug)]
pub struct KnownSystem {
    /// The objectives file.
    pub document: Document,
    /// Its name.
    pub document_digest: Digest,
    /// Which clock its agents are on; batches on the other are refused.
    pub clock: Clock,
    /// The frozen reference.
    pub baseline: Baseline,
    /// Its name.
    pub baseline_digest: Digest,
    /// What agents count.
    pub plan: CapturePlan,
    /// The objectives, compiled into bets.
    pub objectives: Vec<Compiled>,
    /// Agents that may write for it, and that a pane waits for.
    pub agents: BTreeSet<AgentId>,
    /// Plans of documents that were in use before: items counted by them are still taken.
    pub older: Vec<OlderPlan>,
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
        let plan = CapturePlan::new(&document, &baseline)
            .and_then(CapturePlan::met)
            .map_err(|e| e.to_string())?;
        let objectives = document
            .objectives
            .iter()
            .map(|o| Compiled::new(&document, o, &baseline).map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            document_digest: document.digest().map_err(|e| e.to_string())?,
            baseline_digest: baseline.digest(),
            document,
            clock: Clock::Live,
            baseline,
            plan,
            objectives,
            agents: BTreeSet::new(),
            older: Vec::new(),
        })
    }

    /// Its short name.
    pub fn id(&self) -> &SystemId {
        &self.document.system.id
    }

    /// Length of a pane.
    pub fn pane(&self) -> Span {
        self.document.panes.length
    }

    /// The plan of that name, present or earlier, with the name of its baseline.
    pub fn plan_named(&self, digest: Digest) -> Option<(&CapturePlan, Digest)> {
        let older = self.older.iter().map(|older| (&older.plan, older.baseline));
        std::iter::once((&self.plan, self.baseline_digest))
            .chain(older)
            .find(|(plan, _)| plan.digest() == digest)
    }

    /// Which stream an objective reads.
    pub fn stream(&self, objective: &Objective) -> StreamKind {
        match objective.metric.spec().stream {
            StreamKind::Traffic => StreamKind::Traffic,
            StreamKind::Outcomes => StreamKind::Outcomes,
            StreamKind::ByAttribute => {
                let late = self.document.attributes.iter().any(|a| {
                    Some(&a.name) == objective.of.attribute.as_ref() && self.document.comes_late(a)
                });
                if late {
                    StreamKind::Outcomes
                } else {
                    StreamKind::Traffic
                }
            }
        }
    }
}

/// All systems and agents.
#[derive(Clone, Debug, Default)]
pub struct Known {
    systems: BTreeMap<SystemId, KnownSystem>,
    agents: BTreeMap<AgentId, BTreeSet<SystemId>>,
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
        let Some(known) = self.systems.get_mut(system) else {
            return false;
        };
        known.agents.insert(agent);
        self.agents.entry(agent).or_default().insert(system.clone());
        true
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

    /// Whether the agent is trusted for anything.
    pub fn trusts(&self, agent: AgentId) -> bool {
        self.agents.contains_key(&agent)
    }

    /// Whether the agent may write for the system.
    pub fn may_write(&self, agent: AgentId, system: &SystemId) -> bool {
        self.agents.get(&agent).is_some_and(|s| s.contains(system))
    }
}
