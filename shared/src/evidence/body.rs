//! What is written down: the body of each record type. A body names everything it rests on by digest, so that a stranger with
//! the contents can compute it again. Not here: what a record's header is (the module above), deciding what to write
//! (`crate::sealing`), writing it.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::evidence::RecordKind;
use crate::ids::{AgentId, BootId, Name, ObjectiveId, Sequence, SystemId};
use crate::judge::Step;
use crate::metric::{Estimate, Finality, Grade, MetricId, Sample, StreamKind};
use crate::nonconformity::Candidate;
use crate::sealing::{Origin, SealRow};
use crate::time::{Span, Timestamp};
use crate::verdict::Verdict;
use crate::window::{PaneKey, PaneStart};
use crate::wire::batch::RefusalReason;

/// A float that keeps its bits: the number for people, the bits for whoever computes again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exact {
    /// The number.
    pub value: f64,
    /// Its IEEE 754 bits, 16 hex digits.
    pub bits: String,
}

impl Exact {
    /// Keeps a float.
    pub fn new(value: f64) -> Self {
        Self {
            value,
            bits: format!("{:016x}", value.to_bits()),
        }
    }
}

/// Body of `started`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartedBody {
    /// Version of the program.
    pub version: String,
    /// Digest of the program's own file.
    pub build: Option<Digest>,
    /// Digest of the configuration.
    pub configuration: Digest,
    /// The systems that are judged.
    pub systems: Vec<SystemId>,
}

/// Body of `objectives` and `baseline`: a document came into use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DocumentBody {
    /// The document's name; its canonical bytes are kept under it.
    pub document: Digest,
    /// For `objectives`: the plan that agents count by, derived from it and the baseline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan: Option<Digest>,
    /// For `objectives`: the baseline it is used with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<Digest>,
    /// For `objectives`: versions in it, with the compiled form of each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub objectives: Vec<CompiledRef>,
}

/// One objective version and the bets it was compiled into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompiledRef {
    /// The objective.
    pub objective: ObjectiveId,
    /// Its version.
    pub version: u32,
    /// The compiled form.
    pub compiled: Digest,
}

/// Body of `agents`: who may write for which system changed while the program ran. What it was at the start is in the
/// configuration that `started` names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentsBody {
    /// Everybody with systems and standing; the canonical list is kept under this name.
    pub agents: Digest,
    /// Who may write from now on.
    pub added: Vec<AgentId>,
    /// Who may write no more.
    pub removed: Vec<AgentId>,
}

/// Body of `key`: which key signs the checkpoints that cover this record, and those after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBody {
    /// `begun`, `handed_over` (the one before it signed a checkpoint over this record as well) or `replaced` (it is lost).
    pub event: String,
    /// The key, as a vkey of C2SP signed-note; its name is the log's origin.
    pub key: String,
    /// The one before it, if it handed over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub former: Option<String>,
    /// Why it was replaced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Body of `batch`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BatchBody {
    /// Who signed it.
    pub agent: AgentId,
    /// Which run of the agent.
    pub boot: BootId,
    /// Position in the run.
    pub sequence: Sequence,
    /// The envelope; its bytes are kept under it.
    pub batch: Digest,
    /// The agent's wall clock when it signed.
    pub signed_at: Timestamp,
    /// Up to where the agent has closed its panes.
    pub watermark: Timestamp,
    /// Items taken.
    pub taken: usize,
    /// Items refused.
    pub refused: usize,
    /// What is remarkable, as `clock_ahead`.
    pub marks: Vec<String>,
}

/// Body of `refusal`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusalBody {
    /// Why.
    pub reason: RefusalReason,
    /// What exactly.
    pub detail: String,
    /// The trusted agent whose signature verified; none: nobody knows who it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent: Option<AgentId>,
    /// Where it came from, if nobody is known to have signed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<String>,
    /// The bytes that were refused, as far as they were read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch: Option<Digest>,
    /// Whether the bytes are in the register: `kept` (a trusted agent signed them), `digest_only`
    /// (they are not, only their name is known) or `not_read`.
    #[serde(default)]
    pub bytes: String,
    /// Whether further refusals of this reason and peer in the same hour are only counted.
    pub first_of_hour: bool,
}

/// Body of `block`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockBody {
    /// What it may be added to.
    pub key: PaneKey,
    /// The pane of the predictions.
    pub pane: PaneStart,
    /// The pane whose seal made it.
    pub sealed_with: PaneStart,
    /// Which stream: `traffic` or `outcomes`.
    pub stream: StreamKind,
    /// Whether it came after the seal it belonged to.
    pub late: bool,
    /// What it covers.
    pub coverage: serde_json::Value,
    /// The merged counts; their bytes are kept under this name.
    pub summary: Digest,
    /// Whose counts they are.
    pub origins: Vec<Origin>,
    /// Contributions to this seal that were left out because a counter would overflow.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub overflowing: Vec<Origin>,
}

/// Body of `seal`: a pane of a system was sealed. Seals of a system follow each other by `previous`, and each counts the system's
/// records since the one before; so nobody can leave one out, of a pack or of an answer, without its showing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SealBody {
    /// The pane, who was heard, what is missing, and what it covers.
    pub seal: SealRow,
    /// The system's seal before; none: the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<Digest>,
    /// How many records of the system stand between the two, this one not counted.
    pub records: u64,
    /// One name for their names, in their order ([`super::census`]).
    pub census: Digest,
}

/// Whether there is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is one, on enough cases.
    Measured,
    /// There is one, on fewer cases than the objective asks for.
    Insufficient,
    /// There is none.
    NotMeasured,
}

impl Status {
    /// The word used in records and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Insufficient => "insufficient",
            Self::NotMeasured => "not_measured",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Measured, Self::Insufficient, Self::NotMeasured]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// A block that a measurement or step rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlockRef {
    /// The block's record.
    pub block: Digest,
    /// Its merged counts.
    pub summary: Digest,
}

/// A model and version that answered in a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModelSeen {
    /// The model as the serving protocol names it.
    pub model: String,
    /// The version it reported.
    pub version: String,
}

/// Body of `measurement`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MeasurementBody {
    /// The objective.
    pub objective: ObjectiveId,
    /// Its version, in force at the window's start.
    pub version: u32,
    /// The document that the version stands in.
    pub document: Digest,
    /// The compiled objective.
    pub compiled: Digest,
    /// First point of the window.
    pub start: Timestamp,
    /// First point after the window.
    pub end: Timestamp,
    /// What is measured.
    pub metric: MetricId,
    /// Version of the metric's method.
    pub method: u32,
    /// How strong a ledger on it is.
    pub grade: Grade,
    /// Which stream it reads.
    pub stream: StreamKind,
    /// Whether there is a value.
    pub status: Status,
    /// Why not, or why it does not suffice.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The value.
    pub value: Option<Exact>,
    /// A 95 % interval for this window alone.
    pub interval: Option<[Exact; 2]>,
    /// Cases it rests on.
    pub support: u64,
    /// What the objective asks for.
    pub min_support: u64,
    /// The sufficient statistics.
    pub sample: Option<Sample>,
    /// What happened to every exchange of the window.
    pub coverage: serde_json::Value,
    /// What became of the outcomes for the window.
    pub outcome_coverage: serde_json::Value,
    /// Labelled rows over rows, where the metric reads labels and there are rows.
    pub labelled: Option<f64>,
    /// How late labels come, and whether the value may still change, where the metric reads labels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub labels: Option<LabelsBody>,
    /// The blocks whose sum was measured.
    pub blocks: Vec<BlockRef>,
    /// Blocks of the window that another plan counted, so that they could not be added.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub other_plans: Vec<BlockRef>,
    /// Blocks of the window that were sampled at a higher rate than others, as far as they hold what a
    /// lower rate left out: what was measured is a sample in which every case had the same chance.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub set_aside: Vec<BlockRef>,
    /// The reference.
    pub baseline: Digest,
    /// What was counted and how.
    pub plan: Digest,
    /// Models that answered.
    pub models: Vec<ModelSeen>,
    /// Agents that were silent when panes of the window were sealed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub silent_agents: Vec<AgentId>,
    /// Records of further gaps that touch the window.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gaps: Vec<Digest>,
    /// Sampling keys, if counts of more than one were added: replicas that do not share their key
    /// choose their samples apart.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub salts: Vec<Digest>,
    /// Model versions, if counts of more than one were added.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub model_versions: Vec<ModelSeen>,
}

/// What was known of a window's labels when it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsBody {
    /// `provisional` while cases lack their label and labels may still come in time; else `final`.
    pub finality: Finality,
    /// From when on no label is waited for: the window's end and the objective's `label_delay`.
    pub final_from: Timestamp,
    /// The age by which half of the cases have their label, in whole panes; absent if they have not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub half_by: Option<Span>,
    /// The age by which 95 % of the cases have their label, in whole panes; absent if they have not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub most_by: Option<Span>,
}

/// Body of `verdict`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerdictBody {
    /// The objective.
    pub objective: ObjectiveId,
    /// Its version.
    pub version: u32,
    /// The compiled objective.
    pub compiled: Digest,
    /// The pane whose seal brought the step.
    pub sealed_with: PaneStart,
    /// The verdict.
    pub verdict: Verdict,
    /// What the blocks did to the ledger.
    pub step: Step,
    /// The blocks whose sum was the step.
    pub blocks: Vec<BlockRef>,
    /// The ledger before the step.
    pub ledger_before: Digest,
    /// The ledger after it.
    pub ledger: Digest,
    /// The measurement whose value is shown beside it, if there is one yet.
    pub measurement: Option<Digest>,
    /// The state before, if there was a verdict before.
    pub previous: Option<crate::verdict::VerdictState>,
    /// Which surveillance cycle the ledger is in, from 1.
    pub epoch: u32,
    /// The pane of the block `verdict.since`, with which the breach is estimated to have begun.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since_pane: Option<PaneStart>,
}

/// Body of `together`: which of the objectives of one metric on several features are named as broken,
/// written whenever that changes. Whoever doubts it takes the members' evidence from their verdicts and
/// names again: the k with the most evidence, for the largest k of which each has at least
/// ln(K H / (k alpha)), with K members and H blocks in a cycle (e-BH; Wang and Ramdas 2022).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TogetherBody {
    /// The pane whose seal brought the change.
    pub sealed_with: PaneStart,
    /// The metric.
    pub metric: MetricId,
    /// Of those that are named, at most this share is named falsely, on average.
    pub alpha: f64,
    /// H: blocks in a cycle.
    pub steps_per_cycle: u32,
    /// Every objective that was looked at.
    pub members: Vec<MemberBody>,
    /// Those that are named as broken, in the order of members.
    pub named: Vec<ObjectiveId>,
}

/// One objective among several that are looked at together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberBody {
    /// The objective.
    pub objective: ObjectiveId,
    /// Its version.
    pub version: u32,
    /// The feature.
    pub feature: Option<Name>,
    /// Its evidence after the seal, in 2^-32 nats.
    #[serde(with = "crate::bet::fixed::exact")]
    pub evidence: i64,
    /// The record of its last verdict, if there is one yet.
    pub verdict: Option<Digest>,
}

/// Body of `gap`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GapBody {
    /// Why: `agent_silent` (not closed when the pane was sealed), `agent_not_watching` (between two
    /// runs of an agent), `agent_crashed` (its open panes were restored as of some time before), `agent_lost`
    /// (batches that it says are lost), `batch_lost` (a hole in its sequence) or `items_refused`.
    pub reason: String,
    /// First point of the stretch.
    pub start: Timestamp,
    /// First point after it.
    pub end: Timestamp,
    /// Whose knowledge is missing.
    pub agents: Vec<AgentId>,
    /// When it was seen: the system's clock, or of single batches the time of receipt.
    pub detected_at: Timestamp,
    /// What exactly is missing, where the reason does not say it all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// Body of `nonconformity`: what the machine proposes. People confirm, dismiss, grade and close.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NonconformityBody {
    /// Where it stands in its life; the machine writes `candidate` only.
    pub state: String,
    /// What brought it: `monitor`.
    pub source: String,
    /// What is proposed.
    pub candidate: Candidate,
    /// The pane of the block `candidate.since`, with which the breach is estimated to have begun.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since_pane: Option<PaneStart>,
    /// What the objective says, and the clauses and controls it gives evidence for.
    pub criterion: Criterion,
    /// The verdict that raised it.
    pub verdict: Digest,
    /// The measurement shown beside that verdict.
    pub measurement: Option<Digest>,
    /// When it was detected, on the system's clock.
    pub detected_at: Timestamp,
}

/// The requirement that seems not fulfilled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Criterion {
    /// The document.
    pub document: Digest,
    /// The statement.
    pub statement: String,
    /// The policy that asks for it.
    pub policy: String,
    /// Clauses, controls and law.
    pub references: Vec<crate::objective::document::Reference>,
}

/// A value or the reason for its absence, in a form that can be kept and given back unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A value.
    Estimate(Estimate),
    /// Nothing was observed, or too little.
    NoData,
    /// The value is 0/0.
    Undefined,
    /// Cases were sampled at rates that cannot be made equal.
    UnequalRates,
    /// The reference group has no hits.
    NoReferenceHits {
        /// Reference group: (hits, of).
        reference: (u64, u64),
        /// Compared group: (hits, of).
        compared: (u64, u64),
    },
    /// The summaries lack what the metric reads.
    LacksSummary(String),
}

/// The record type of that word.
pub fn kind_of_word(word: &str) -> Option<RecordKind> {
    const ALL: [RecordKind; 14] = [
        RecordKind::Started,
        RecordKind::Objectives,
        RecordKind::Baseline,
        RecordKind::Agents,
        RecordKind::Batch,
        RecordKind::Refusal,
        RecordKind::Block,
        RecordKind::Measurement,
        RecordKind::Verdict,
        RecordKind::Gap,
        RecordKind::Nonconformity,
        RecordKind::Together,
        RecordKind::Key,
        RecordKind::Seal,
    ];
    ALL.into_iter().find(|kind| kind.as_str() == word)
}
