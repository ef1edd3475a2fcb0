//! Nonconformities: what the machine may say of them, and the states that only people reach.
//!
//! The machine proposes a candidate and counts how often it sees it again. Whether it is one, how
//! grave, what is done and when it is closed, people decide: [`MachineEvent`] has no other variants,
//! so no machine path leads out of [`Lifecycle::Candidate`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bet::fixed::exact;
use crate::canonical;
use crate::digest::Digest;
use crate::ids::{ObjectiveId, SystemId};
use crate::judge::Compiled;
use crate::metric::{Grade, MetricId};
use crate::objective::document::Subject;
use crate::verdict::{Verdict, VerdictState};

/// A nonconformity that the machine proposes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// What is the same when it comes back: system, objective, metric, subject and epoch.
    pub fingerprint: Digest,
    /// The AI system.
    pub system: SystemId,
    /// The requirement that is not fulfilled.
    pub objective: ObjectiveId,
    /// Its version.
    pub version: u32,
    /// What was measured.
    pub metric: MetricId,
    /// Of what.
    pub of: Subject,
    /// The epoch of the ledger, from 1: a new cycle, or the time after a closed nonconformity, is
    /// a new epoch.
    pub epoch: u32,
    /// What was found, in plain words.
    pub what: String,
    /// The block with which it is estimated to have begun, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u32>,
    /// The block at which it was confirmed at the documented error chance.
    pub confirmed_at: u32,
    /// The evidence at the time of raising, in 2^-32 nats.
    #[serde(with = "exact")]
    pub evidence: i64,
    /// What the evidence had to reach.
    #[serde(with = "exact")]
    pub nonconformity_at: i64,
    /// How the evidence is justified; below A the candidate says so.
    pub grade: Grade,
}

#[derive(Serialize)]
struct Identity<'a> {
    system: &'a SystemId,
    objective: &'a ObjectiveId,
    metric: MetricId,
    of: &'a Subject,
    epoch: u32,
}

impl Candidate {
    /// The candidate that a verdict calls for; nothing unless the verdict is nonconforming.
    pub fn of(
        system: &SystemId,
        compiled: &Compiled,
        epoch: u32,
        verdict: &Verdict,
    ) -> Option<Self> {
        if verdict.state != VerdictState::Nonconforming {
            return None;
        }
        let objective = &compiled.objective;
        Some(Self {
            fingerprint: fingerprint(system, compiled, epoch),
            system: system.clone(),
            objective: objective.id.clone(),
            version: objective.version,
            metric: objective.metric,
            of: objective.of.clone(),
            epoch,
            what: verdict.because.clone(),
            since: verdict.since,
            confirmed_at: verdict.confirmed_at?,
            evidence: verdict.evidence,
            nonconformity_at: verdict.nonconformity_at,
            grade: verdict.grade,
        })
    }
}

/// What is the same when a breach is seen again. A new version of an objective does not make an
/// old breach a new one.
pub fn fingerprint(system: &SystemId, compiled: &Compiled, epoch: u32) -> Digest {
    let identity = Identity {
        system,
        objective: &compiled.objective.id,
        metric: compiled.objective.metric,
        of: &compiled.objective.of,
        epoch,
    };
    // Names and integers only: always canonical.
    canonical::digest("clause9/nonconformity/v1", &identity)
        .unwrap_or_else(|e| Digest::tagged("clause9/not-canonical/v1", e.to_string().as_bytes()))
}

/// Where a nonconformity stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Proposed by the machine.
    Candidate,
    /// A person confirmed that a requirement is not fulfilled.
    Confirmed,
    /// Two people decided, with a reason, that it is none.
    Dismissed,
    /// It is part of another one.
    Merged,
    /// Its effects are held back.
    Contained,
    /// Its causes are known.
    Analysed,
    /// Corrective action is planned.
    Planned,
    /// The plan is approved.
    Approved,
    /// The plan is carried out.
    Implemented,
    /// Whether the action works is being measured.
    Verifying,
    /// Closed.
    Closed,
}

impl Lifecycle {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Candidate,
        Self::Confirmed,
        Self::Dismissed,
        Self::Merged,
        Self::Contained,
        Self::Analysed,
        Self::Planned,
        Self::Approved,
        Self::Implemented,
        Self::Verifying,
        Self::Closed,
    ];

    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Confirmed => "confirmed",
            Self::Dismissed => "dismissed",
            Self::Merged => "merged",
            Self::Contained => "contained",
            Self::Analysed => "analysed",
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::Implemented => "implemented",
            Self::Verifying => "verifying",
            Self::Closed => "closed",
        }
    }
}

/// Everything that a machine may say of a nonconformity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum MachineEvent {
    /// A candidate is proposed.
    Raised {
        /// It.
        candidate: Candidate,
    },
    /// The breach is still, or again, there.
    SeenAgain {
        /// Which one.
        fingerprint: Digest,
        /// The block of the epoch.
        block: u32,
        /// The evidence then, in 2^-32 nats.
        #[serde(with = "exact")]
        evidence: i64,
    },
}

/// A nonconformity as its events make it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nonconformity {
    /// What was proposed first.
    pub candidate: Candidate,
    /// Where it stands.
    pub state: Lifecycle,
    /// How often it was seen again.
    pub seen_again: u32,
    /// The last block in which it was seen.
    pub last_block: u32,
    /// The largest evidence so far, in 2^-32 nats.
    #[serde(with = "exact")]
    pub most_evidence: i64,
}

impl Nonconformity {
    /// What a machine's events make of it, in order; nothing before it is raised. Events about
    /// another one, and raising it twice, change nothing but the count.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a MachineEvent>) -> Option<Self> {
        events
            .into_iter()
            .fold(None, |so_far: Option<Self>, event| match (so_far, event) {
                (None, MachineEvent::Raised { candidate }) => Some(Self::raised(candidate)),
                (None, MachineEvent::SeenAgain { .. }) => None,
                (Some(mut known), MachineEvent::Raised { candidate }) => {
                    known.see(
                        candidate.fingerprint,
                        candidate.confirmed_at,
                        candidate.evidence,
                    );
                    Some(known)
                }
                (
                    Some(mut known),
                    MachineEvent::SeenAgain {
                        fingerprint,
                        block,
                        evidence,
                    },
                ) => {
                    known.see(*fingerprint, *block, *evidence);
                    Some(known)
                }
            })
    }

    fn raised(candidate: &Candidate) -> Self {
        Self {
            state: Lifecycle::Candidate,
            seen_again: 0,
            last_block: candidate.confirmed_at,
            most_evidence: candidate.evidence,
            candidate: candidate.clone(),
        }
    }

    fn see(&mut self, fingerprint: Digest, block: u32, evidence: i64) {
        if fingerprint == self.candidate.fingerprint {
            self.seen_again = self.seen_again.saturating_add(1);
            self.last_block = self.last_block.max(block);
            self.most_evidence = self.most_evidence.max(evidence);
        }
    }
}
