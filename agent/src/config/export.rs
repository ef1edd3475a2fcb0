//! Section `otlp`: who is told of the agent's own work. What it may say is `clause9_otlp`'s, as at the collector.

use std::path::Path;

use clause9_otlp::settings::Service;
use clause9_otlp::{Environment, Settings};

use super::AgentConfig;
use super::plan::{PlanProblem, wrong};

/// Who the agent is to whom it tells of its work, unless it is configured to be somebody else.
const SERVICE: Service = Service {
    name: "clause9-agent",
    version: env!("CARGO_PKG_VERSION"),
};

/// Where spans go, by the configuration, the environment and the files that they name.
pub(super) fn exported(config: &AgentConfig) -> Result<Option<Settings>, PlanProblem> {
    let Some(otlp) = &config.otlp else {
        return Ok(None);
    };
    if otlp.traces.is_none() {
        let message = "is missing, and spans are all that the agent tells; write `traces: { ratio: 0.05 }`, or take `otlp` out";
        return Err(wrong("otlp.traces", message));
    }
    if otlp.interval.is_some() {
        let message = "is about figures, of which the agent tells none; take it out";
        return Err(wrong("otlp.interval", message));
    }
    // Paths were resolved with all the others.
    let settings = Environment::of_process()
        .and_then(|environment| Settings::new(otlp, Path::new(""), environment, SERVICE));
    settings.map(Some).map_err(PlanProblem::Export)
}
