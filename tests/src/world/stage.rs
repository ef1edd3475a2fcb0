//! The AI system of the world: small, with short panes.

use std::collections::BTreeSet;
use std::sync::Arc;

use clause9_collector::known::{Known, KnownSystem};
use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::ids::AgentId;
use clause9_shared::inference::Cell;
use clause9_shared::objective::{self, Document};
use clause9_shared::plan::CapturePlan;

const OBJECTIVES: &str = include_str!("../../fixtures/agent/objectives.yaml");

fn system() -> (Document, Baseline) {
    let text = OBJECTIVES
        .replace("length: 1m", "length: 10s")
        .replace("lateness: 5s", "lateness: 2s");
    let document = objective::load("objectives.yaml", &text).expect("the objectives are ours");
    let mut builder = BaselineBuilder::new(&document, "reference");
    for i in 0..200 {
        builder.observe(0, Cell::Float(f64::from(i)));
        builder.observe_score(f64::from(i) / 200.0);
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(b"reference"));
    (document, baseline.expect("the reference is ours"))
}

/// What agents count.
pub(super) fn plan() -> Arc<CapturePlan> {
    let (document, baseline) = system();
    Arc::new(CapturePlan::new(&document, &baseline).expect("the two fit"))
}

/// What the collector knows.
pub(super) fn known(agents: &BTreeSet<AgentId>) -> Known {
    let (document, baseline) = system();
    let id = document.system.id.clone();
    let mut known = Known::default();
    let system = KnownSystem::new(document, baseline).expect("the two fit");
    known.add(system).expect("there is one system");
    for agent in agents {
        known.trust(*agent, &id);
    }
    known
}
