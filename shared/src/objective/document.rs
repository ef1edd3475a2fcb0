//! What people write: one YAML file per AI system. The types are the format; the JSON Schema is
//! generated from them. What cannot be said in types is checked in `check`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{Name, ObjectiveId};
use crate::metric::MetricId;
use crate::objective::costs::Costs;
use crate::objective::intersection;
use crate::objective::phrases::Phrases;
use crate::objective::reports::Reports;
use crate::objective::service::Service;
use crate::objective::texts;
use crate::objective::unlabelled::Unlabelled;
use crate::text::TextNumber;
use crate::time::{Span, Timestamp};

/// The first line of every objectives file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1 of the format.
    #[serde(rename = "objectives/v1")]
    V1,
}

/// An objectives file: one AI system, what is captured of it, and what it is held to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Format and version of this file: `objectives/v1`.
    pub clause9: Format,
    /// The AI system.
    pub system: System,
    /// How time is cut. Objectives' windows are whole numbers of panes.
    pub panes: Panes,
    /// Model inputs that are watched, and parts of answers.
    #[serde(deserialize_with = "texts::read")]
    #[schemars(with = "Vec<texts::Written>")]
    pub features: Vec<Feature>,
    /// Model outputs that are watched: a score, a decision or both; or else a number. May be left out of
    /// systems of which only the service is watched.
    #[serde(default)]
    pub outputs: Outputs,
    /// Protected attributes and their groups.
    #[serde(
        default,
        deserialize_with = "intersection::read",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub attributes: Vec<Attribute>,
    /// How the model is served: its answers' times, sizes and states are counted if this is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// What reports show. May be left out.
    #[serde(default, skip_serializing_if = "Reports::is_default")]
    pub reports: Reports,
    /// What the system is held to. Several versions of one objective may stand here.
    pub objectives: Vec<Objective>,
}

/// The AI system (ISO/IEC 42001 clauses 4.3 and 8.1; A.6.2.6, A.9.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Short name, used in labels, records and addresses.
    pub id: Name,
    /// Name for people.
    pub name: String,
    /// What it is meant to be used for, and by whom (A.9.4).
    pub intended_purpose: String,
    /// The role or unit that answers for the system. A role, not a person.
    pub owner: String,
    /// The organisation's role towards the system.
    pub role: Role,
    /// Risk class by the organisation's own scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk_class: Option<String>,
    /// Where the impact assessment is kept (A.5.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact_assessment: Option<String>,
    /// The models that serve the system, by the names the serving protocol uses.
    pub models: Vec<Model>,
}

/// The organisation's role towards an AI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Develops it.
    Developer,
    /// Provides it to others.
    Provider,
    /// Uses it.
    User,
}

/// A model as it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name in the serving protocol.
    pub name: String,
    /// Who made it.
    pub source: ModelSource,
    /// Digest of the model artefact, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// Who made a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// The organisation itself.
    Own,
    /// A supplier (A.10.3).
    Vendor,
}

/// How time is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Panes {
    /// Length of a pane, aligned to the Unix epoch in UTC. Between 1s and 31d.
    pub length: Span,
    /// How long after its end a pane waits for exchanges that are still under way. Less than the
    /// length. Default: 30s.
    #[serde(default = "default_lateness")]
    pub lateness: Span,
    /// How long a prediction is remembered for its outcome. Default: 90d.
    #[serde(default = "default_horizon")]
    pub outcome_horizon: Span,
}

fn default_lateness() -> Span {
    Span::from_secs(30)
}

fn default_horizon() -> Span {
    Span::from_days(90)
}

/// One watched input of the model, or part of its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// Short name, used in objectives, labels and the columns of reference files.
    pub name: Name,
    /// What kind of values.
    #[serde(rename = "type")]
    pub kind: FeatureType,
    /// Unit in UCUM (`1` for a pure number). Numeric features must have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where in the request it stands.
    pub from: InputPath,
    /// What counts as missing besides an absent value or `null`.
    #[serde(skip_serializing_if = "MissingPolicy::is_default")]
    pub missing: MissingPolicy,
    /// Smallest and largest plausible value; what lies outside is counted as out of range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Whether different values are counted, too.
    #[serde(skip_serializing_if = "is_false")]
    pub distinct: bool,
    /// Which number of the text at `from` it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextNumber>,
    /// The phrases, if it says whether one of them stands in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<Phrases>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_false(b: &bool) -> bool {
    !*b
}

/// What kind of values a feature has. Texts are watched as numbers of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureType {
    /// Numbers.
    Numeric,
    /// Names of categories.
    Categorical,
}

/// Where a value stands: in a request, or in an answer. One of the two is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputPath {
    /// Name of the input tensor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub input: String,
    /// Name of the output tensor, for a feature of what the model answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Column within the tensor, from 0. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub column: u32,
}

/// Where an output stands in a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputPath {
    /// Name of the output tensor.
    pub output: String,
    /// Column within the tensor, from 0. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub column: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What counts as missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingPolicy {
    /// Values that stand for "not known", as -1 or `unknown`. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Scalar>,
    /// Whether NaN stands for "not known". Default: true.
    #[serde(default = "yes")]
    pub nan: bool,
}

impl Default for MissingPolicy {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            nan: yes(),
        }
    }
}

impl MissingPolicy {
    fn is_default(&self) -> bool {
        self.values.is_empty() && self.nan
    }
}

const fn yes() -> bool {
    true
}

/// A number, a text or a truth value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value;
        match Value::deserialize(deserializer)? {
            Value::Bool(b) => Ok(Self::Bool(b)),
            Value::String(s) => Ok(Self::Text(s)),
            Value::Number(n) => n.as_f64().map(Self::Number).ok_or_else(|| {
                serde::de::Error::custom("a number beyond the range of 64-bit floats")
            }),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom(
                "expected a number, a text, true or false",
            )),
        }
    }
}

/// A closed range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Smallest value within.
    pub min: f64,
    /// Largest value within.
    pub max: f64,
}

/// What the model answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// A probability of the positive class, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// What is decided for a case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// A predicted number. Not beside a score or a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A ranked list of items, the best first. Not beside a score, a decision or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
    /// What later turns out to be true, brought by outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// A probability of the positive class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Where in the response it stands.
    pub from: OutputPath,
}

/// A predicted number (regression).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// Where in the response it stands.
    pub from: OutputPath,
    /// Unit in UCUM (`1` for a pure number); labels are in it, too.
    pub unit: String,
}

/// A ranked list of items (search, recommendation).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// Where in the response it stands: a text that holds all items in their order, or the column of the
    /// first one, with one column for each that follows.
    pub from: OutputPath,
    /// How many places of the list count (k), 1 to 100. Changing it is a change of method.
    pub at: u32,
}

/// What is decided for a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The rule that turns an answer into a decision. Changing it is a change of method.
    pub rule: DecisionRule,
    /// What the positive decision means, for people: `approved`. Where there are classes, none of
    /// them is positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive_means: Option<String>,
    /// What right and wrong decisions cost, for the metric `cost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
}

impl Decision {
    /// The classes that are told apart, where there are not just two decisions.
    pub fn classes(&self) -> Option<&[Scalar]> {
        match &self.rule {
            DecisionRule::Class { classes, .. } => Some(classes),
            DecisionRule::ScoreAtLeast(_) | DecisionRule::Output { .. } => None,
        }
    }

    /// Where the scores of classes stand, if they are named.
    pub const fn class_scores(&self) -> Option<&OutputPath> {
        match &self.rule {
            DecisionRule::Class { scores, .. } => scores.as_ref(),
            DecisionRule::ScoreAtLeast(_) | DecisionRule::Output { .. } => None,
        }
    }
}

/// How an answer becomes a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DecisionRule {
    /// Positive if the score is at or above this threshold.
    ScoreAtLeast(f64),
    /// The server's own decision: positive if the output equals the value.
    Output {
        /// Where in the response it stands.
        from: OutputPath,
        /// The value that means positive.
        positive: Scalar,
    },
    /// The server's own choice of one of several classes.
    Class {
        /// Where in the response it stands.
        from: OutputPath,
        /// The classes that are told apart, 2 to 16. Any other value counts as unknown.
        classes: Vec<Scalar>,
        /// Where the score of the first class stands, a probability from 0 to 1; those of the others
        /// follow in the columns after it, in the order of `classes`. For 2 to 10 classes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scores: Option<OutputPath>,
    },
}

/// The late truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// What kind of values labels have. Default: two, `positive` and `negative`.
    #[serde(
        rename = "type",
        default,
        skip_serializing_if = "LabelType::is_default"
    )]
    pub kind: LabelType,
    /// The label value that means positive; of two-valued labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<Scalar>,
    /// The label value that means negative; of two-valued labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<Scalar>,
}

/// What kind of values labels have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelType {
    /// Two values.
    #[default]
    Binary,
    /// The classes of the decision.
    Class,
    /// Numbers in the unit of the predicted value.
    Numeric,
    /// The items of the ranked list that turned out to be relevant, in one text: `shoe hat`, or with
    /// grades `shoe=2 hat=1`.
    Relevance,
}

impl LabelType {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A protected attribute (A.5.4): whom the system must not treat worse. Or an intersection of such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Short name, as `sex`.
    pub name: Name,
    /// Where its value comes from. Intersections have none.
    #[serde(default, skip_serializing_if = "AttributeSource::is_parts")]
    pub from: AttributeSource,
    /// Of which attributes it is the intersection. Its groups are all combinations of theirs, at
    /// most 64, and known where all of theirs are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Name>,
    /// The groups that are told apart, 2 to 64. Any other value counts as unknown. Those of
    /// intersections need not be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The group that the others are compared with. That of an intersection need not be written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// Of small groups: which share of their requests counts for comparisons by group, above 0 to 1,
    /// where agents sample at a lower rate. For one attribute of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sampled_at_least: BTreeMap<String, f64>,
}

/// Where an attribute's value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AttributeSource {
    /// It stands in the request.
    Request(InputPath),
    /// It comes later, in outcomes, under the attribute's name.
    Outcome,
    /// It follows from the attributes that it is an intersection of.
    #[default]
    Parts,
}

impl AttributeSource {
    fn is_parts(&self) -> bool {
        *self == Self::Parts
    }
}

/// One version of one objective (clause 6.2, 9.1): what the system is held to from one date on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Short name; versions of one objective share it.
    pub id: ObjectiveId,
    /// Version, from 1.
    pub version: u32,
    /// What is to be achieved, in plain words.
    pub statement: String,
    /// Where the AI policy asks for it.
    pub policy: String,
    /// What is measured.
    pub metric: MetricId,
    /// Of what: a feature, or a group of an attribute. Each metric says what it needs.
    #[serde(default, skip_serializing_if = "Subject::is_empty")]
    pub of: Subject,
    /// Which side is good.
    pub comparator: Comparator,
    /// The levels.
    pub levels: Levels,
    /// Over how many panes the shown value is formed: a whole number of panes.
    pub window: Span,
    /// Least number of cases (rows; labelled ones for metrics that need labels) for a measurement.
    pub min_support: u64,
    /// How long labels may take: a window that lacks labels is not missing before this has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_delay: Option<Span>,
    /// Of which share of cases the label (or late attribute) is expected to come, above 0 and at most 1.
    /// `clause9 plan` reckons with it; no verdict does. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_labelled: Option<f64>,
    /// What is assumed of cases that have no label when `label_delay` has passed: `as_observed`, they fare
    /// as labelled ones do; `worst_case`, they keep the objective where a breach is claimed and break it
    /// where conformity is; `sensitivity`, their odds differ by this factor at most. Default:
    /// `as_observed`.
    #[serde(default, skip_serializing_if = "Unlabelled::is_as_observed")]
    pub labels: Unlabelled,
    /// How often people evaluate the verdicts (clause 9.1).
    pub evaluate_every: Span,
    /// The role that answers for the objective. A role, not a person.
    pub owner: String,
    /// The role that approved this version; not the owner.
    pub approver: String,
    /// From when it is in force: judges windows that start at or after this.
    pub effective_from: Timestamp,
    /// Until when it is in force; without an end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_to: Option<Timestamp>,
    /// Chance of any false nonconformity in one surveillance cycle. Default: 0.05.
    #[serde(default = "default_alpha", skip_serializing_if = "is_default_alpha")]
    pub alpha: f64,
    /// Length of the surveillance cycle. Default: 365d.
    #[serde(default = "default_cycle", skip_serializing_if = "is_default_cycle")]
    pub cycle: Span,
    /// How far beyond the action level still counts as conforming. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero_f64")]
    pub margin: f64,
    /// Most cases of one block that may depend on each other, as the rows of one request or the
    /// requests of one person. Evidence is divided by it. Default: 1, each case by itself.
    #[serde(
        default = "default_cluster",
        skip_serializing_if = "is_default_cluster"
    )]
    pub cluster: u32,
    /// Chance that the baseline's own scatter is larger than is allowed for. With it, a drift tolerance
    /// is meant around the law that the baseline was drawn from, not around its counts: the tolerance
    /// that is judged is wider by as much as so many rows leave open, and the chance of a false
    /// nonconformity is `alpha` plus this. For `hellinger`, `js_distance`, `total_variation` and `ks`.
    /// Default: none, the baseline's counts are the law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_error: Option<f64>,
    /// Clauses, controls and law that the objective gives evidence for.
    pub references: Vec<Reference>,
}

fn default_alpha() -> f64 {
    0.05
}
#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::float_cmp,
    reason = "serde asks for a reference; a default is equal to the bit"
)]
fn is_default_alpha(alpha: &f64) -> bool {
    *alpha == default_alpha()
}
const fn default_cluster() -> u32 {
    1
}
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_default_cluster(cluster: &u32) -> bool {
    *cluster == default_cluster()
}
fn default_cycle() -> Span {
    Span::from_days(365)
}
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_default_cycle(cycle: &Span) -> bool {
    *cycle == default_cycle()
}
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero_f64(x: &f64) -> bool {
    *x == 0.0
}

/// What a metric is taken of.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A feature, for metrics of inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<Name>,
    /// A protected attribute, for fairness metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<Name>,
    /// The group that is compared with the attribute's reference group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// One class of a decision among several, held against the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

impl Subject {
    /// Whether nothing is named: the metric is of all cases.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which side of a level is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparator {
    /// The value must be at or above the level.
    AtLeast,
    /// The value must be at or below the level.
    AtMost,
}

/// The levels of an objective, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Where the system should be: shown, never judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Beyond this a breach is a candidate nonconformity.
    pub action: f64,
    /// Beyond this there can at most be a warning. On the good side of `action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<f64>,
}

/// A clause, control or law, and what the objective is to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Which text.
    pub scheme: Scheme,
    /// Its number there, as `9.1`, `A.6.2.6` or `72`.
    pub id: String,
    /// Edition, as `2023`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    /// What the objective does for it.
    pub claim: Claim,
}

/// A normative text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// A clause of ISO/IEC 42001.
    #[serde(rename = "iso42001_clause")]
    Iso42001Clause,
    /// A control of ISO/IEC 42001 Annex A.
    #[serde(rename = "iso42001_control")]
    Iso42001Control,
    /// An article of Regulation (EU) 2024/1689.
    EuAiAct,
    /// A subcategory of the NIST AI RMF.
    NistAiRmf,
    /// The organisation's own rules.
    Own,
}

/// What an objective does for a normative text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Its measurements are evidence that the text is followed.
    Evidences,
    /// It helps, with others.
    Contributes,
    /// It explains.
    Context,
}
