//! Metrics: quality indicators of an AI system, computed from summaries alone.
//!
//! A metric keeps no data of its own: it reads summaries that agents keep anyway. To add one: a file
//! here, a `mod` line, a row in the table. Checks, bets, schemas, cards and panels follow from the
//! row. What agents keep does not: that is decided in `plan/layout.rs`, and a metric that reads what
//! is not kept there needs a change there, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::bet::{Bets, Breach, NoBet};
use crate::interval;
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf};
use crate::time::Span;

mod ages;
mod drift;
mod fairness;
mod performance;
mod recounted;
mod service;
mod table;

pub use ages::{Finality, LabelAges, MAX_PLACES};
pub use drift::{RESAMPLES, Resampling, resampled};
pub use fairness::{ALIASES, Alias};
pub use recounted::{recounted, recounts};
pub use table::MetricId;

/// What a metric is, apart from its computation. The text of its method card, too.
#[derive(Clone, Copy, Debug)]
pub struct MetricSpec {
    /// Name in documents, labels and records.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Unit in UCUM; `1` for a pure number.
    pub unit: &'static str,
    /// Which side is usually good.
    pub good: Comparator,
    /// Smallest and largest value that a level can have.
    pub range: (f64, f64),
    /// What it says, in a sentence or two.
    pub meaning: &'static str,
    /// How it is computed, its interval too.
    pub formula: &'static str,
    /// When it is undefined, what is left out, and where the convention differs.
    pub edge_cases: &'static str,
    /// What it cannot tell.
    pub cannot_tell: &'static str,
    /// Which independent implementation it is checked against, and how closely they agree.
    pub reference: &'static str,
    /// How its ledger is justified.
    pub grade: Grade,
    /// Which stream it reads.
    pub stream: StreamKind,
    /// What its ledger reads.
    pub sample: SampleKind,
    /// What an objective must name in `of`.
    pub needs: Needs,
    /// Whether the objectives file must have a score.
    pub needs_score: bool,
    /// Whether the objectives file must have a decision.
    pub needs_decision: bool,
    /// Whether the objectives file must have a label.
    pub needs_label: bool,
    /// What kind of answer it is about.
    pub answers: Answers,
    /// Where its 95 % interval comes from.
    pub interval: IntervalFrom,
    /// What it does with cases of several groups.
    pub groups: CasesOfGroups,
}

/// What a metric does with cases of several groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasesOfGroups {
    /// Nothing, or each group is counted by itself: how many cases another group has does not matter.
    Apart,
    /// They are added up, or it counts how many are in each: not to be had where some groups are sampled
    /// more often than others.
    AddedUp,
}

impl CasesOfGroups {
    /// Whether they are added up.
    pub const fn are_added_up(self) -> bool {
        matches!(self, Self::AddedUp)
    }
}

/// Where the 95 % interval of a metric's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalFrom {
    /// Measuring gives it, as the metric's formula says.
    Formula,
    /// Resampling gives it ([`resampled`]); measuring alone does not, since it takes a thousand times as
    /// long.
    Resampling,
    /// Counting again gives it ([`recounted`]); measuring alone does not, for the same reason.
    Recounting,
    /// It has none, and why.
    Nothing(&'static str),
}

/// What kind of answer of the model a metric is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// None, or whatever there is.
    Any,
    /// A score, or a decision between two.
    TwoValued,
    /// A decision among several classes.
    Classes,
    /// A predicted number.
    Number,
    /// A decision among several classes, with a score of each.
    ClassScores,
    /// A ranked list of items.
    List,
}

/// People, and laws named after them, with which titles begin.
const PEOPLE: [&str; 19] = [
    "Anderson",
    "Brier",
    "Cohen",
    "Cramer",
    "Fréchet",
    "Gini",
    "Hellinger",
    "Hotelling",
    "Jaccard",
    "Jensen",
    "Kolmogorov",
    "Kuiper",
    "Kullback",
    "Mahalanobis",
    "Matthews",
    "Theil",
    "Wasserstein",
    "Welch",
    "Youden",
];

impl MetricSpec {
    /// The title within a sentence: its first letter small, unless a name or an abbreviation begins with it.
    pub fn within_a_sentence(&self) -> String {
        let mut letters = self.title.chars();
        let first = letters.next();
        let rest = letters.as_str();
        // `ROC AUC`, `F1`, `R squared`, `G statistic`.
        let abbreviation = rest.starts_with(|c: char| !c.is_lowercase());
        let named = PEOPLE.iter().any(|name| self.title.starts_with(name));
        match first {
            Some(first) if !abbreviation && !named => {
                first.to_lowercase().chain(rest.chars()).collect()
            }
            Some(_) | None => self.title.to_owned(),
        }
    }

    /// The ends of the range as people read them.
    pub fn ends(&self) -> (String, String) {
        let end = |x: f64| match x {
            x if x <= -1e300 => "any number below".to_owned(),
            x if x >= 1e300 => "any number above".to_owned(),
            x => x.to_string(),
        };
        (end(self.range.0), end(self.range.1))
    }
}

/// How strong the evidence of a metric's ledger is (statistics, decision D7).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Grade {
    /// Exact at any sample size.
    A,
    /// Asymptotic.
    B,
    /// Model-based, without labels: can at most warn.
    C,
}

/// Which stream of a pane a metric reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// Known when the pane closed.
    Traffic,
    /// Brought by outcomes, later.
    Outcomes,
    /// Whichever of the two the attribute's source says.
    ByAttribute,
}

/// What an objective must name in `of` for a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A feature.
    Feature,
    /// A feature whose values are numbers.
    NumericFeature,
    /// A feature whose values are categories.
    CategoricalFeature,
    /// An attribute and one of its groups, but not the reference group.
    AttributeGroup,
    /// An attribute and any of its groups.
    Group,
    /// An attribute as a whole.
    Attribute,
    /// One of the classes that a decision is among.
    Class,
    /// A class, an attribute and any of its groups.
    ClassOfGroup,
    /// A class, an attribute and one of its groups, but not the reference group.
    ClassOfAttributeGroup,
}

/// The end of a bound that nothing bounds: the largest number, since records hold none that is infinite.
pub const NO_END: f64 = f64::MAX;

/// The interval of a value that is known within its cells only: from the lower end of the interval that
/// it has at the lower end of its bound to the upper one at the upper end, and within a range. The
/// interval at an end is as wide as the one at the value.
const fn across(
    value: f64,
    (low, high): (f64, f64),
    bound: (f64, f64),
    range: (f64, f64),
) -> (f64, f64) {
    let low = (low - (value - bound.0).max(0.0)).max(range.0);
    let high = (high + (bound.1 - value).max(0.0)).min(range.1);
    (low.min(value), high.max(value))
}

/// A measured value with its uncertainty and what a ledger may bet on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The point estimate, in the metric's unit.
    pub value: f64,
    /// A 95 % interval for this window alone (display; verdicts rest on ledgers).
    pub interval: Option<(f64, f64)>,
    /// Between which values the same figure taken of the raw rows lies for certain, where summaries
    /// know it only within their cells; an end that nothing bounds is [`NO_END`] or its negative. None: it
    /// is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<(f64, f64)>,
    /// Cases it rests on: rows, or labelled rows.
    pub support: u64,
    /// The integers (or, for grade B, the estimate) that a ledger reads.
    pub sample: Sample,
}

impl Estimate {
    /// The same without an interval that excludes the value, has an end that is no number, or has no width:
    /// of a single case, or of cases that are all alike, nothing is known of how they scatter.
    fn with_honest_interval(self) -> Self {
        let value = self.value;
        Self {
            interval: self
                .interval
                .filter(|(low, high)| *low <= value && value <= *high && low < high),
            ..self
        }
    }
}

/// The interval that may stand beside a metric's value, of one that was made of its law by drawing counts
/// again: within the metric's range, and drawn out to the value, which contains what chance adds. None where
/// an end is no number, or where the value lies beyond the range: there ends have been cut off.
pub fn beside(metric: MetricId, value: f64, (low, high): (f64, f64)) -> Option<(f64, f64)> {
    let (least, most) = metric.spec().range;
    let numbers = low.is_finite() && high.is_finite() && low <= high;
    (numbers && (least..=most).contains(&value)).then(|| {
        (
            low.clamp(least, most).min(value),
            high.clamp(least, most).max(value),
        )
    })
}

/// What a bet reads: the sufficient statistics of one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sample {
    /// Successes among cases; the metric is their share.
    Rate {
        /// Cases that count.
        hits: u64,
        /// All cases.
        of: u64,
    },
    /// Successes among cases in the reference group and in the compared one; the metric is the
    /// ratio of shares, compared over reference.
    TwoRates {
        /// Reference group: (hits, of).
        reference: (u64, u64),
        /// Compared group: (hits, of).
        compared: (u64, u64),
    },
    /// An estimate that is about normal around the true value (grade B).
    Normal {
        /// The estimate, bias removed.
        estimate: f64,
        /// Its standard error.
        std_error: f64,
        /// Cases it rests on.
        of: u64,
        /// Cases in the smallest class that the approximation needs (AUC: the rarer label).
        least: u64,
    },
    /// Cases by cell, which the ledger reads alone; beside them the estimate for the running mean,
    /// as for [`Sample::Normal`].
    Cells {
        /// Cases in each cell, in the order of the bets' cells.
        counts: Vec<u64>,
        /// The estimate, bias removed.
        estimate: f64,
        /// Its standard error.
        std_error: f64,
        /// Cases in the smallest class that the approximation of the running mean needs.
        least: u64,
    },
    /// Nothing that a ledger could read: the metric is shown, never judged.
    Unjudged {
        /// Cases it rests on.
        of: u64,
    },
}

/// Which kind of [`Sample`] a metric gives, and so which bets judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// [`Sample::Rate`].
    Rate,
    /// [`Sample::TwoRates`].
    TwoRates,
    /// [`Sample::Normal`].
    Normal,
    /// [`Sample::Cells`]: the metric says itself which bets judge it.
    Cells,
    /// [`Sample::Unjudged`]: no objective can name the metric.
    Unjudged,
}

/// Why there is no value. Missing data is said, never filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasurable {
    /// Nothing was observed at all.
    #[error("no data")]
    NoData,
    /// A class or group has no cases, so that the value is 0/0.
    #[error("undefined: {0}")]
    Undefined(&'static str),
    /// The reference group has no hits, so that a ratio has no value; its counts are known, and a
    /// ledger takes them: leaving them out because of what they are would bias it.
    #[error("undefined: the reference group's share is 0 of {} rows", reference.1)]
    NoReferenceHits {
        /// Reference group: (hits, of).
        reference: (u64, u64),
        /// Compared group: (hits, of).
        compared: (u64, u64),
    },
    /// The summaries lack what the metric reads.
    #[error("the pane lacks the summary {0}")]
    LacksSummary(String),
}

/// What measuring gives: a value with its uncertainty and support, or the reason why there is none.
pub type Measurement = Result<Estimate, Unmeasurable>;

/// What a metric sees when it measures.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The system.
    pub document: &'a Document,
    /// What it is compared with.
    pub baseline: &'a Baseline,
    /// Of what the metric is taken.
    pub of: &'a Subject,
    /// The merged counts.
    pub summary: &'a PaneSummary,
    /// What is known of the window apart from the stream that is read.
    pub beside: Beside<'a>,
}

/// What is known of a window apart from the stream that a metric reads; by default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// How long it is, where it is a stretch of time.
    pub length: Option<Span>,
    /// Its traffic, where the stream is that of outcomes.
    pub traffic: Option<&'a PaneSummary>,
    /// How old its labels were when they came, and how long the other cases have waited.
    pub ages: Option<&'a LabelAges>,
}

/// One metric. Implement it in a file of its own.
pub trait Metric {
    /// What it is.
    const SPEC: MetricSpec;
    /// The summaries it needs. Naming one here does not make agents keep it: what is kept is decided
    /// in `plan/layout.rs`, and what a plan lacks is said by [`crate::plan::CapturePlan::unmet`].
    fn reads(document: &Document, of: &Subject) -> Vec<SummaryKey>;
    /// The value from merged counts.
    fn measure(seen: Seen<'_>) -> Measurement;
    /// The bets against one level; by default the family of its kind of sample.
    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        Bets::new(Self::SPEC.sample, against.level, against.comparator)
    }
    /// What the ledger's cells are like where the value is the level, for plans. Nothing where that is
    /// the edge of what bets on that level take for conforming: where a cell holds one value, or bets
    /// take each at its middle.
    fn breach(_against: Against<'_>) -> Option<Breach> {
        None
    }
    /// Why a level cannot be told with this baseline, and what to do. Drift metrics say it.
    fn refuses(_against: Against<'_>) -> Option<String> {
        None
    }
    /// How many cases a block must have for its estimate to enter the running mean, beyond what the
    /// objective asks for; with fewer its counts wait for the next ones'. Drift metrics say it, whose
    /// estimates hold only where each of the baseline's cells expects some cases.
    fn approximates_from(_against: Against<'_>) -> u64 {
        0
    }
}

/// What a metric sees when bets are compiled.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// The system.
    pub document: &'a Document,
    /// What it is compared with.
    pub baseline: &'a Baseline,
    /// Of what the metric is taken.
    pub of: &'a Subject,
    /// The level.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// The chance that the baseline's own scatter is larger than is allowed for, if it is not taken
    /// for the law itself.
    pub reference_error: Option<f64>,
}

impl<'a> Seen<'a> {
    /// The summary under a key.
    fn summary(&self, key: &SummaryKey) -> Result<&'a Summary, Unmeasurable> {
        self.summary
            .get(key)
            .ok_or_else(|| Unmeasurable::LacksSummary(key.of.to_string()))
    }

    /// The summary of the subject's feature of one kind.
    fn of_feature(&self, kind: SummaryKind) -> Result<&'a Summary, Unmeasurable> {
        let key = feature_key(self.of, kind)
            .ok_or_else(|| Unmeasurable::LacksSummary("of a feature".to_owned()))?;
        self.summary(&key)
    }
}

/// What is wrong if a summary is of another kind than its key says.
fn other_kind(what: &str) -> Unmeasurable {
    Unmeasurable::LacksSummary(what.to_owned())
}

/// A share of cases with Wilson's interval.
fn share(hits: u64, of: u64) -> Measurement {
    if of == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(Estimate {
        value: hits as f64 / of as f64,
        interval: interval::wilson(hits, of),
        bound: None,
        support: of,
        sample: Sample::Rate { hits, of },
    })
}

/// The summary of the subject's feature, if it names one.
fn feature_key(of: &Subject, kind: SummaryKind) -> Option<SummaryKey> {
    of.feature
        .clone()
        .map(|name| SummaryKey::new(SummaryOf::Feature(name), kind))
}

impl MetricId {
    /// The metric of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|m| m.spec().name == name)
    }
}

impl Serialize for MetricId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.spec().name)
    }
}

impl<'de> Deserialize<'de> for MetricId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::by_name(&name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|m| m.spec().name).collect();
            serde::de::Error::custom(format!(
                "unknown metric `{name}`; known ones: {}",
                known.join(", ")
            ))
        })
    }
}

impl JsonSchema for MetricId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MetricId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::ALL.iter().map(|m| m.spec().name).collect();
        schemars::json_schema!({ "type": "string", "enum": names, "description": "A metric by its name." })
    }
}

impl Sample {
    /// Cases it rests on; of both groups together.
    pub fn cases(&self) -> u64 {
        match self {
            Self::Rate { of, .. } | Self::Normal { of, .. } | Self::Unjudged { of } => *of,
            Self::TwoRates {
                reference,
                compared,
            } => reference.1.saturating_add(compared.1),
            Self::Cells { counts, .. } => counts.iter().fold(0, |sum, c| sum.saturating_add(*c)),
        }
    }
}
