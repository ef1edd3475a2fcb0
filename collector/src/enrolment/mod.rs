//! How agents come in without a line of configuration: an offer is a token that somebody was given, a claim is what an agent
//! made of it (or what an agent's old key handed over), and people approve or revoke claims.

mod commands;
pub(crate) mod desk;
mod roll;
mod tries;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spiffe::SpiffeId;
use crate::trust::{Entry, Standing};

pub use commands::{NewOffer, approve, list, offer, revoke};
pub(crate) use roll::Roll;

/// What may be claimed once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offer {
    /// The SHA-256 of the token.
    pub(crate) digest: Digest,
    /// What whoever claims it may write for.
    pub(crate) system: SystemId,
    /// From when on it is good no more.
    pub(crate) expires_at: Timestamp,
    /// Whether the agent is let in at once; else somebody approves it.
    pub(crate) approved: bool,
    /// Over which connections it may be claimed, and the agent be believed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) spiffe: Option<SpiffeId>,
}

/// An agent that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    /// Which agent.
    pub(crate) agent: AgentId,
    /// What it may write for.
    pub(crate) systems: Vec<SystemId>,
    /// How it stands.
    pub(crate) state: ClaimState,
    /// When it was made.
    pub(crate) made_at: Timestamp,
    /// Since when it stands so.
    pub(crate) since: Timestamp,
    /// The agent whose place it took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) previous: Option<AgentId>,
    /// Over which connections it is believed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) spiffe: Option<SpiffeId>,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClaimState {
    Pending,
    Approved,
    Revoked,
}

impl ClaimState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Revoked => "revoked",
        }
    }
}

impl Claim {
    /// Reads a claim as it was kept.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// What it says of the agent.
    pub(crate) fn entry(self) -> Entry {
        Entry {
            id: self.agent,
            systems: self.systems.into_iter().collect(),
            spiffe: self.spiffe,
            standing: match self.state {
                ClaimState::Pending => Standing::Pending,
                ClaimState::Approved => Standing::Approved,
                ClaimState::Revoked => Standing::Revoked(self.since),
            },
            handed_over_at: self.previous.map(|_| self.made_at),
            previous: self.previous,
        }
    }
}
