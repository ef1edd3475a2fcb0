//! What people do about enrolments at a terminal, on the machine of the collector. Shell.

use std::fmt::Write as _;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::{Span, Timestamp};

use super::{Claim, ClaimState, Offer, Roll};
use crate::clock::WallClock;
use crate::config::{CollectorConfig, ConfigProblem};
use crate::secret;
use crate::spiffe::SpiffeId;
use crate::trust::Standing;

/// What a token for enrolment is made for.
#[derive(Clone, Debug)]
pub struct NewOffer {
    /// The system that the agent may write for.
    pub system: SystemId,
    /// How long the token is good.
    pub valid: Span,
    /// Whether the agent is let in at once.
    pub approved: bool,
    /// Over which connections alone.
    pub spiffe: Option<SpiffeId>,
}

/// Makes a token for one agent and gives it back: it is kept nowhere.
pub fn offer(config: &CollectorConfig, wanted: NewOffer) -> anyhow::Result<String> {
    let plan = config.resolve()?;
    anyhow::ensure!(
        plan.known.system(&wanted.system).is_some(),
        "`{}` is not among the configured systems",
        wanted.system
    );
    anyhow::ensure!(
        wanted.valid > Span::ZERO,
        "the token would never be good; give it some time, as 1h"
    );
    let token = secret::new(secret::ENROLMENT)?;
    let now = WallClock.now();
    let offer = Offer {
        digest: Digest::of(token.as_bytes()),
        system: wanted.system,
        expires_at: now + wanted.valid,
        approved: wanted.approved,
        spiffe: wanted.spiffe,
    };
    Roll::of(&plan.store).offer(&offer, now)?;
    Ok(token)
}

/// Lets an agent in that waits; an error says why that cannot be.
pub fn approve(config: &CollectorConfig, agent: AgentId) -> anyhow::Result<()> {
    let before = set(config, agent, ClaimState::Approved, WallClock.now())?;
    anyhow::ensure!(
        !before.contains(&ClaimState::Revoked),
        "agent {agent} was revoked; give it a new key and enrol it again"
    );
    Ok(())
}

/// Takes nothing more of an agent that was enrolled. Its key is not believed from `since` on, by default now: whom it handed
/// over to after that is revoked, too.
pub fn revoke(
    config: &CollectorConfig,
    agent: AgentId,
    since: Option<Timestamp>,
) -> anyhow::Result<()> {
    let since = since.unwrap_or_else(|| WallClock.now());
    set(config, agent, ClaimState::Revoked, since).map(|_| ())
}

fn set(
    config: &CollectorConfig,
    agent: AgentId,
    state: ClaimState,
    since: Timestamp,
) -> anyhow::Result<Vec<ClaimState>> {
    let plan = config.resolve()?;
    let before = Roll::of(&plan.store).set(agent, state, since)?;
    anyhow::ensure!(
        !before.is_empty(),
        "agent {agent} was not enrolled; if it stands in the agents file, edit that"
    );
    Ok(before)
}

/// Everybody who is known: one line each, with id, standing, systems, and where that is said.
pub fn list(config: &CollectorConfig) -> Result<String, ConfigProblem> {
    let plan = config.resolve()?;
    let claims: Vec<Claim> = Roll::of(&plan.store)
        .claims()?
        .iter()
        .filter_map(|bytes| Claim::parse(bytes).ok())
        .collect();
    let mut lines = String::new();
    for entry in plan.known.trusted().entries() {
        let standing = match entry.standing {
            Standing::Approved => "approved".to_owned(),
            Standing::Pending => "pending".to_owned(),
            Standing::Revoked(at) => format!("revoked as of {at}"),
        };
        let systems: Vec<_> = entry.systems.iter().map(SystemId::as_str).collect();
        let enrolled = claims.iter().any(|c| c.agent == entry.id);
        let told = if enrolled { "enrolled" } else { "file" };
        let _ = writeln!(
            lines,
            "{}  {standing}  {}  {told}",
            entry.id,
            systems.join(",")
        );
    }
    Ok(lines)
}
