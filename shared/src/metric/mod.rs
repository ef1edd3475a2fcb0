//! Metrics: quality indicators of an AI system, computed from summaries alone.
//!
//! A metric keeps no data of its own: it reads summaries that agents keep anyway. To add one: a file
//! here, a `mod` line, a row in the table. Checks, bets, schemas, cards and panels follow from the
//! row. What agents keep does not: that is decided in `plan/layout.rs`, and a metric that reads what
//! is not kept there needs a change there, too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::bet::{Bets, NoBet};
use crate::interval;
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf};

mod demographic_parity_ratio;
mod drift;
mod performance;

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
    /// An attribute and one of its groups.
    AttributeGroup,
    /// One of the classes of a decision among several.
    Class,
}

/// A measured value with its uncertainty and what a ledger may bet on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The point estimate, in the metric's unit.
    pub value: f64,
    /// A 95 % interval for this window alone (display; verdicts rest on ledgers).
    pub interval: Option<(f64, f64)>,
    /// Between which values the same figure taken of the raw rows lies for certain, where summaries
    /// know it only within their cells. None: it is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<(f64, f64)>,
    /// Cases it rests on: rows, or labelled rows.
    pub support: u64,
    /// The integers (or, for grade B, the estimate) that a ledger reads.
    pub sample: Sample,
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
    #[error("undefined: no positive decision in the reference group ({} rows)", reference.1)]
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
    /// Why a level cannot be told with this baseline, and what to do. Drift metrics say it.
    fn refuses(_against: Against<'_>) -> Option<String> {
        None
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

macro_rules! metrics {
    ($($number:literal => $variant:ident($type:ty),)*) => {
        /// Every metric. Numbers are wire format: append, never reuse.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum MetricId { $(#[doc = concat!("The metric `", stringify!($variant), "`.")] $variant = $number,)* }

        impl MetricId {
            /// Every metric, in table order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What it is.
            pub const fn spec(self) -> &'static MetricSpec {
                match self { $(Self::$variant => &<$type as Metric>::SPEC,)* }
            }

            /// The summaries it needs.
            pub fn reads(self, document: &Document, of: &Subject) -> Vec<SummaryKey> {
                match self { $(Self::$variant => <$type>::reads(document, of),)* }
            }

            /// The value from merged counts.
            pub fn measure(self, seen: Seen<'_>) -> Measurement {
                match self { $(Self::$variant => <$type>::measure(seen),)* }
            }

            /// The bets against one level.
            pub fn bets(self, against: Against<'_>) -> Result<Bets, NoBet> {
                match self { $(Self::$variant => <$type>::bets(against),)* }
            }

            /// Why a level cannot be told with this baseline, and what to do.
            pub fn refuses(self, against: Against<'_>) -> Option<String> {
                match self { $(Self::$variant => <$type>::refuses(against),)* }
            }
        }
    };
}

metrics! {
    1 => MissingRate(drift::MissingRate),
    2 => Psi(drift::Psi),
    3 => Accuracy(performance::Accuracy),
    4 => RocAuc(performance::RocAuc),
    5 => DemographicParityRatio(demographic_parity_ratio::DemographicParityRatio),

    // Drift: 100 to 199.

    // Performance: 200 to 299.
    200 => ErrorRate(performance::ErrorRate),
    201 => Recall(performance::Recall),
    202 => Specificity(performance::Specificity),
    203 => FalsePositiveRate(performance::FalsePositiveRate),
    204 => FalseNegativeRate(performance::FalseNegativeRate),
    205 => Precision(performance::Precision),
    206 => NegativePredictiveValue(performance::NegativePredictiveValue),
    207 => FalseDiscoveryRate(performance::FalseDiscoveryRate),
    208 => FalseOmissionRate(performance::FalseOmissionRate),
    209 => Jaccard(performance::Jaccard),
    210 => Prevalence(performance::Prevalence),
    211 => DetectionPrevalence(performance::DetectionPrevalence),
    212 => DetectionRate(performance::DetectionRate),
    213 => PredictedPositiveRate(performance::PredictedPositiveRate),
    214 => F1(performance::F1),
    215 => F0_5(performance::F0_5),
    216 => F2(performance::F2),
    217 => BalancedAccuracy(performance::BalancedAccuracy),
    218 => YoudenJ(performance::YoudenJ),
    219 => GMean(performance::GMean),
    220 => Matthews(performance::Matthews),
    221 => MatthewsZero(performance::MatthewsZero),
    222 => Kappa(performance::Kappa),
    223 => AveragePrecision(performance::AveragePrecision),
    224 => Gini(performance::Gini),
    225 => ScoreSeparation(performance::ScoreSeparation),
    226 => Gain10(performance::Gain10),
    227 => Lift10(performance::Lift10),
    228 => Ece(performance::Ece),
    229 => EceMass(performance::EceMass),
    230 => Mce(performance::Mce),
    231 => CalibrationErrorDebiased(performance::CalibrationErrorDebiased),
    232 => BrierReliability(performance::BrierReliability),
    233 => BrierResolution(performance::BrierResolution),
    234 => BrierUncertainty(performance::BrierUncertainty),
    235 => ObservedOverExpected(performance::ObservedOverExpected),
    236 => CalibrationSlope(performance::CalibrationSlope),
    237 => CalibrationIntercept(performance::CalibrationIntercept),

    // Fairness: 300 to 399.

    // Service: 400 to 499.
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
    pub const fn cases(&self) -> u64 {
        match self {
            Self::Rate { of, .. } | Self::Normal { of, .. } | Self::Unjudged { of } => *of,
            Self::TwoRates {
                reference,
                compared,
            } => reference.1.saturating_add(compared.1),
        }
    }
}
