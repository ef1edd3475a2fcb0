//! Trusted agents: who may write for which system. A file until enrolment exists.

use std::collections::BTreeSet;
use std::path::Path;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::yaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigProblem, read_text, shown};
use crate::known::Known;

/// Most agents that may be listed.
const MAX_AGENTS: usize = 10_000;

/// The file of trusted agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentsFile {
    /// The agents: at most 10,000.
    pub agents: Vec<AgentEntry>,
}

/// One trusted agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEntry {
    /// The fingerprint of its key, as `clause9-agent identity` prints it.
    pub id: Digest,
    /// The systems it may write for.
    pub systems: Vec<SystemId>,
}

impl AgentsFile {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigProblem> {
        Ok(yaml::from_str(&shown(path), &read_text(path)?)?.value)
    }

    /// Lets the listed agents write for their systems.
    pub(super) fn trust_in(&self, known: &mut Known, file: &str) -> Result<(), ConfigProblem> {
        let unfit = |message| ConfigProblem::Unfit {
            file: file.to_owned(),
            message,
        };
        if self.agents.len() > MAX_AGENTS {
            return Err(unfit(format!("more than {MAX_AGENTS} agents are listed")));
        }
        let mut seen = BTreeSet::new();
        for entry in &self.agents {
            let agent = AgentId::from_digest(entry.id);
            if !seen.insert(agent) {
                return Err(unfit(format!("agent {agent} is listed twice")));
            }
            for system in &entry.systems {
                if !known.trust(agent, system) {
                    return Err(unfit(format!(
                        "agent {} may write for `{system}`, which is not among the configured systems",
                        entry.id.short()
                    )));
                }
            }
        }
        Ok(())
    }
}
