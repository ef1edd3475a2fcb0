//! Trusted agents: who may write for which system, as a file says and as enrolments say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::Timestamp;
use clause9_shared::yaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigProblem, read_bytes, shown, text};
use crate::enrolment::{Claim, Roll};
use crate::held::Source;
use crate::spiffe::SpiffeId;
use crate::trust::{Entry, Standing, Trusted};

/// Most agents that may be listed.
pub(crate) const MAX_AGENTS: usize = 10_000;

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
    /// If given, its batches are taken only over connections with a client certificate (`tls.clients`) of this SPIFFE id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe: Option<SpiffeId>,
    /// The id that the same agent had before its key was rotated. What the old key signed is still taken; a pane waits for the
    /// new one once it was heard. `clause9-agent identity rotate` needs no such line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// Since when its key is not believed. From the moment this is read, whatever it signed, nothing more is taken; what was
    /// stored before stays. Keep the line: an enrolment does not bring such an agent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub revoked_at: Option<Timestamp>,
}

impl AgentsFile {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigProblem> {
        Self::of(path, &read_bytes(path)?)
    }

    fn of(path: &Path, bytes: &[u8]) -> Result<Self, ConfigProblem> {
        Ok(yaml::from_str(&shown(path), text(path, bytes)?)?.value)
    }

    /// What the file says, if all of it fits.
    fn listed(self, systems: &BTreeSet<SystemId>) -> Result<Trusted, String> {
        if self.agents.len() > MAX_AGENTS {
            return Err(format!("more than {MAX_AGENTS} agents are listed"));
        }
        for entry in &self.agents {
            if let Some(system) = entry.systems.iter().find(|s| !systems.contains(*s)) {
                return Err(format!(
                    "agent {} may write for `{system}`, which is not among the configured systems",
                    entry.id.short()
                ));
            }
            if entry.previous == Some(entry.id) {
                return Err(format!(
                    "agent {} is its own `previous`; write the old id there",
                    entry.id.short()
                ));
            }
        }
        let entries = self.agents.into_iter().map(|entry| Entry {
            id: AgentId::from_digest(entry.id),
            systems: entry.systems.into_iter().collect(),
            spiffe: entry.spiffe,
            standing: entry
                .revoked_at
                .map_or(Standing::Approved, Standing::Revoked),
            previous: entry.previous.map(AgentId::from_digest),
            handed_over_at: None,
        });
        Trusted::list(entries).map_err(|agent| format!("agent {agent} is listed twice"))
    }
}

/// The file and the enrolments, which together say who may write.
#[derive(Debug)]
pub(crate) struct TrustSource {
    pub(crate) path: PathBuf,
    pub(crate) enrolled: Roll,
    pub(crate) systems: BTreeSet<SystemId>,
}

impl Source for TrustSource {
    type Made = Trusted;

    /// The file, then each enrolment.
    fn read(&self) -> Result<Vec<Vec<u8>>, ConfigProblem> {
        let mut contents = vec![read_bytes(&self.path)?];
        contents.extend(self.enrolled.claims()?);
        Ok(contents)
    }

    fn make(&self, contents: &[Vec<u8>]) -> Result<Trusted, ConfigProblem> {
        let (file, claims) = contents
            .split_first()
            .unwrap_or((const { &Vec::new() }, &[]));
        let listed = AgentsFile::of(&self.path, file)?.listed(&self.systems);
        let listed = listed.map_err(|message| ConfigProblem::Unfit {
            file: shown(&self.path),
            message,
        })?;
        let mut all = listed.clone();
        for claim in claims {
            match Claim::parse(claim) {
                Ok(claim) => all.enrolled(claim.entry(), &listed),
                Err(error) => {
                    tracing::error!(%error, "an enrolment cannot be read and counts for nothing");
                }
            }
        }
        all.revoke_heirs();
        Ok(all)
    }
}
