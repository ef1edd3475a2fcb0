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

mod drift;
mod fairness;
mod performance;

pub use fairness::{ALIASES, Alias};

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
}

impl MetricSpec {
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
    5 => DemographicParityRatio(fairness::DemographicParityRatio),

    // Drift: 100 to 199.
    100 => PsiSmoothed(drift::PsiSmoothed),
    101 => PsiFloor(drift::PsiFloor),
    102 => JsDistance(drift::JsDistance),
    103 => JsDistancePlain(drift::JsDistancePlain),
    104 => JsDistanceNats(drift::JsDistanceNats),
    105 => Hellinger(drift::Hellinger),
    106 => HellingerPlain(drift::HellingerPlain),
    107 => Kl(drift::Kl),
    108 => KlFloor(drift::KlFloor),
    109 => TotalVariation(drift::TotalVariation),
    110 => TotalVariationCorrected(drift::TotalVariationCorrected),
    111 => TotalVariationPlain(drift::TotalVariationPlain),
    112 => LInfinity(drift::LInfinity),
    113 => LInfinityPlain(drift::LInfinityPlain),
    114 => Chi2(drift::Chi2),
    115 => Chi2P(drift::Chi2P),
    116 => Chi2Yates(drift::Chi2Yates),
    117 => Chi2YatesP(drift::Chi2YatesP),
    118 => Chi2Fit(drift::Chi2Fit),
    119 => Chi2FitP(drift::Chi2FitP),
    120 => G(drift::G),
    121 => GP(drift::GP),
    122 => GFit(drift::GFit),
    123 => GFitP(drift::GFitP),
    124 => CramersV(drift::CramersV),
    125 => Ks(drift::Ks),
    126 => KsP(drift::KsP),
    127 => Kuiper(drift::Kuiper),
    128 => KuiperP(drift::KuiperP),
    129 => CramerVonMises(drift::CramerVonMises),
    130 => CramerVonMisesP(drift::CramerVonMisesP),
    131 => AndersonDarling(drift::AndersonDarling),
    132 => AndersonDarlingP(drift::AndersonDarlingP),
    133 => Wasserstein(drift::Wasserstein),
    134 => WassersteinStd(drift::WassersteinStd),
    135 => WassersteinIqr(drift::WassersteinIqr),
    136 => WassersteinOverRefStd(drift::WassersteinOverRefStd),
    137 => Energy(drift::Energy),
    138 => MeanShift(drift::MeanShift),
    139 => Welch(drift::Welch),
    140 => WelchP(drift::WelchP),
    141 => VarianceRatio(drift::VarianceRatio),
    142 => Mean(drift::Mean),
    143 => StandardDeviation(drift::StandardDeviation),
    144 => Quantile25(drift::Quantile25),
    145 => Median(drift::Median),
    146 => Quantile75(drift::Quantile75),
    147 => Unseen(drift::Unseen),
    148 => Vanished(drift::Vanished),
    149 => RangeConformity(drift::RangeConformity),
    150 => TypeConformity(drift::TypeConformity),
    151 => PsiUniform20(drift::PsiUniform20),
    152 => JsDistanceUniform20(drift::JsDistanceUniform20),
    153 => HellingerUniform20(drift::HellingerUniform20),
    154 => KlUniform20(drift::KlUniform20),
    155 => TotalVariationUniform20(drift::TotalVariationUniform20),
    156 => LInfinityUniform20(drift::LInfinityUniform20),
    157 => Frechet(drift::Frechet),
    158 => PcaError(drift::PcaError),
    159 => PcaErrorRatio(drift::PcaErrorRatio),
    160 => CentroidCosine(drift::CentroidCosine),
    161 => Mahalanobis(drift::Mahalanobis),
    162 => LinearAuc(drift::LinearAuc),
    163 => Hotelling(drift::Hotelling),
    164 => HotellingP(drift::HotellingP),
    165 => CorrelationShift(drift::CorrelationShift),
    166 => CorrelationShiftP(drift::CorrelationShiftP),
    167 => Mmd(drift::Mmd),
    168 => DirectionPsi(drift::DirectionPsi),
    169 => DirectionKs(drift::DirectionKs),

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
    238 => LogLoss(performance::LogLoss),
    239 => Brier(performance::Brier),
    240 => EceTen(performance::EceTen),
    241 => MceTen(performance::MceTen),
    242 => MeanAbsoluteError(performance::MeanAbsoluteError),
    243 => MeanSquaredError(performance::MeanSquaredError),
    244 => RootMeanSquaredError(performance::RootMeanSquaredError),
    245 => MeanError(performance::MeanError),
    246 => MedianAbsoluteError(performance::MedianAbsoluteError),
    247 => AbsoluteErrorP90(performance::AbsoluteErrorP90),
    248 => AbsolutePercentageError(performance::AbsolutePercentageError),
    249 => AbsolutePercentageErrorFloor(performance::AbsolutePercentageErrorFloor),
    250 => SymmetricPercentageError(performance::SymmetricPercentageError),
    251 => SquaredLogError(performance::SquaredLogError),
    252 => RootSquaredLogError(performance::RootSquaredLogError),
    253 => PinballLow(performance::PinballLow),
    254 => PinballHigh(performance::PinballHigh),
    255 => Determination(performance::Determination),
    256 => ExplainedVariance(performance::ExplainedVariance),
    257 => MulticlassAccuracy(performance::MulticlassAccuracy),
    258 => MacroPrecision(performance::MacroPrecision),
    259 => MacroPrecisionZero(performance::MacroPrecisionZero),
    260 => MacroRecall(performance::MacroRecall),
    261 => MacroRecallZero(performance::MacroRecallZero),
    262 => MacroF1(performance::MacroF1),
    263 => WeightedPrecision(performance::WeightedPrecision),
    264 => WeightedPrecisionZero(performance::WeightedPrecisionZero),
    265 => WeightedRecall(performance::WeightedRecall),
    266 => WeightedF1(performance::WeightedF1),
    267 => MulticlassMatthews(performance::MulticlassMatthews),
    268 => MulticlassKappa(performance::MulticlassKappa),
    269 => ClassPrecision(performance::ClassPrecision),
    270 => ClassRecall(performance::ClassRecall),
    271 => ClassSpecificity(performance::ClassSpecificity),
    272 => ClassFalsePositiveRate(performance::ClassFalsePositiveRate),
    273 => ClassPrevalence(performance::ClassPrevalence),
    274 => ClassF1(performance::ClassF1),
    280 => ExpectedAccuracy(performance::ExpectedAccuracy),
    281 => ExpectedAccuracyRaw(performance::ExpectedAccuracyRaw),
    282 => ExpectedPrecision(performance::ExpectedPrecision),
    283 => ExpectedPrecisionRaw(performance::ExpectedPrecisionRaw),
    284 => ExpectedRecall(performance::ExpectedRecall),
    285 => ExpectedRecallRaw(performance::ExpectedRecallRaw),
    286 => ExpectedSpecificity(performance::ExpectedSpecificity),
    287 => ExpectedSpecificityRaw(performance::ExpectedSpecificityRaw),
    288 => ExpectedF1(performance::ExpectedF1),
    289 => ExpectedF1Raw(performance::ExpectedF1Raw),
    290 => ExpectedRocAuc(performance::ExpectedRocAuc),
    291 => ExpectedRocAucRaw(performance::ExpectedRocAucRaw),

    // Fairness: 300 to 399, of a group; 500 to 599, of a whole attribute.
    300 => GroupSelectionRate(fairness::of_group::Selection),
    301 => GroupBaseRate(fairness::of_group::Base),
    302 => GroupAccuracy(fairness::of_group::Accuracy),
    303 => GroupTruePositiveRate(fairness::of_group::TruePositive),
    304 => GroupFalsePositiveRate(fairness::of_group::FalsePositive),
    305 => GroupTrueNegativeRate(fairness::of_group::TrueNegative),
    306 => GroupFalseNegativeRate(fairness::of_group::FalseNegative),
    307 => GroupPositivePredictiveValue(fairness::of_group::PositivePredictive),
    308 => GroupNegativePredictiveValue(fairness::of_group::NegativePredictive),
    309 => GroupFalseDiscoveryRate(fairness::of_group::FalseDiscovery),
    310 => GroupFalseOmissionRate(fairness::of_group::FalseOmission),
    311 => DemographicParityDifference(fairness::difference::Selection),
    312 => BaseRateDifference(fairness::difference::Base),
    313 => AccuracyDifference(fairness::difference::Accuracy),
    314 => EqualOpportunityDifference(fairness::difference::TruePositive),
    315 => FalsePositiveRateDifference(fairness::difference::FalsePositive),
    316 => TrueNegativeRateDifference(fairness::difference::TrueNegative),
    317 => FalseNegativeRateDifference(fairness::difference::FalseNegative),
    318 => PredictiveParityDifference(fairness::difference::PositivePredictive),
    319 => NegativePredictiveValueDifference(fairness::difference::NegativePredictive),
    320 => FalseDiscoveryRateDifference(fairness::difference::FalseDiscovery),
    321 => FalseOmissionRateDifference(fairness::difference::FalseOmission),
    322 => BaseRateRatio(fairness::ratio::Base),
    323 => AccuracyRatio(fairness::ratio::Accuracy),
    324 => EqualOpportunityRatio(fairness::ratio::TruePositive),
    325 => FalsePositiveRateRatio(fairness::ratio::FalsePositive),
    326 => TrueNegativeRateRatio(fairness::ratio::TrueNegative),
    327 => FalseNegativeRateRatio(fairness::ratio::FalseNegative),
    328 => PredictiveParityRatio(fairness::ratio::PositivePredictive),
    329 => NegativePredictiveValueRatio(fairness::ratio::NegativePredictive),
    330 => FalseDiscoveryRateRatio(fairness::ratio::FalseDiscovery),
    331 => FalseOmissionRateRatio(fairness::ratio::FalseOmission),
    332 => EqualisedOddsDifference(fairness::odds::EqualisedOddsDifference),
    333 => EqualisedOddsRatio(fairness::odds::EqualisedOddsRatio),
    334 => AverageOddsDifference(fairness::odds::AverageOddsDifference),
    335 => AverageAbsoluteOddsDifference(fairness::odds::AverageAbsoluteOddsDifference),
    336 => TreatmentEquality(fairness::odds::TreatmentEquality),
    337 => TreatmentEqualityDifference(fairness::odds::TreatmentEqualityDifference),
    338 => BalancedErrorDifference(fairness::odds::BalancedErrorDifference),
    339 => ConditionalAcceptanceDifference(fairness::odds::ConditionalAcceptanceDifference),
    340 => ConditionalRejectionDifference(fairness::odds::ConditionalRejectionDifference),
    341 => DemographicDisparity(fairness::odds::DemographicDisparity),
    342 => MeanResidual(fairness::calibration::MeanResidual),
    343 => MeanResidualDifference(fairness::calibration::MeanResidualDifference),
    344 => PositiveClassBalance(fairness::calibration::PositiveClassBalance),
    345 => NegativeClassBalance(fairness::calibration::NegativeClassBalance),
    346 => RocAucDifference(fairness::calibration::RocAucDifference),
    347 => UnknownGroupRate(fairness::unknown::UnknownGroupRate),
    348 => LowestDemographicParityDifference(fairness::unknown::LowestDemographicParityDifference),
    349 => HighestDemographicParityDifference(fairness::unknown::HighestDemographicParityDifference),
    350 => LowestDemographicParityRatio(fairness::unknown::LowestDemographicParityRatio),
    351 => HighestDemographicParityRatio(fairness::unknown::HighestDemographicParityRatio),
    352 => LowestEqualOpportunityDifference(fairness::unknown::LowestEqualOpportunityDifference),
    353 => HighestEqualOpportunityDifference(fairness::unknown::HighestEqualOpportunityDifference),
    354 => LowestFalsePositiveRateDifference(fairness::unknown::LowestFalsePositiveRateDifference),
    355 => HighestFalsePositiveRateDifference(fairness::unknown::HighestFalsePositiveRateDifference),
    356 => GeneralisedEntropy(fairness::entropy::GeneralisedEntropy),
    357 => TheilIndex(fairness::entropy::TheilIndex),
    358 => EntropyBetweenGroups(fairness::entropy::EntropyBetweenGroups),
    359 => GroupMeanError(fairness::regression::GroupMeanError),
    360 => GroupMeanAbsoluteError(fairness::regression::GroupMeanAbsoluteError),
    361 => MeanErrorDifference(fairness::regression::MeanErrorDifference),
    362 => MeanAbsoluteErrorDifference(fairness::regression::MeanAbsoluteErrorDifference),
    363 => DecidedClassDistance(fairness::classes::DecidedClassDistance),

    // Service: 400 to 499.

    500 => DemographicParitySpreadDifference(fairness::spread_difference::Selection),
    501 => BaseRateSpreadDifference(fairness::spread_difference::Base),
    502 => AccuracySpreadDifference(fairness::spread_difference::Accuracy),
    503 => EqualOpportunitySpreadDifference(fairness::spread_difference::TruePositive),
    504 => FalsePositiveRateSpreadDifference(fairness::spread_difference::FalsePositive),
    505 => TrueNegativeRateSpreadDifference(fairness::spread_difference::TrueNegative),
    506 => FalseNegativeRateSpreadDifference(fairness::spread_difference::FalseNegative),
    507 => PredictiveParitySpreadDifference(fairness::spread_difference::PositivePredictive),
    508 => NegativePredictiveValueSpreadDifference(fairness::spread_difference::NegativePredictive),
    509 => FalseDiscoveryRateSpreadDifference(fairness::spread_difference::FalseDiscovery),
    510 => FalseOmissionRateSpreadDifference(fairness::spread_difference::FalseOmission),
    511 => DemographicParitySpreadRatio(fairness::spread_ratio::Selection),
    512 => BaseRateSpreadRatio(fairness::spread_ratio::Base),
    513 => AccuracySpreadRatio(fairness::spread_ratio::Accuracy),
    514 => EqualOpportunitySpreadRatio(fairness::spread_ratio::TruePositive),
    515 => FalsePositiveRateSpreadRatio(fairness::spread_ratio::FalsePositive),
    516 => TrueNegativeRateSpreadRatio(fairness::spread_ratio::TrueNegative),
    517 => FalseNegativeRateSpreadRatio(fairness::spread_ratio::FalseNegative),
    518 => PredictiveParitySpreadRatio(fairness::spread_ratio::PositivePredictive),
    519 => NegativePredictiveValueSpreadRatio(fairness::spread_ratio::NegativePredictive),
    520 => FalseDiscoveryRateSpreadRatio(fairness::spread_ratio::FalseDiscovery),
    521 => FalseOmissionRateSpreadRatio(fairness::spread_ratio::FalseOmission),
    522 => DemographicParityPooledDifference(fairness::pooled_difference::Selection),
    523 => BaseRatePooledDifference(fairness::pooled_difference::Base),
    524 => AccuracyPooledDifference(fairness::pooled_difference::Accuracy),
    525 => EqualOpportunityPooledDifference(fairness::pooled_difference::TruePositive),
    526 => FalsePositiveRatePooledDifference(fairness::pooled_difference::FalsePositive),
    527 => TrueNegativeRatePooledDifference(fairness::pooled_difference::TrueNegative),
    528 => FalseNegativeRatePooledDifference(fairness::pooled_difference::FalseNegative),
    529 => PredictiveParityPooledDifference(fairness::pooled_difference::PositivePredictive),
    530 => NegativePredictiveValuePooledDifference(fairness::pooled_difference::NegativePredictive),
    531 => FalseDiscoveryRatePooledDifference(fairness::pooled_difference::FalseDiscovery),
    532 => FalseOmissionRatePooledDifference(fairness::pooled_difference::FalseOmission),
    533 => DemographicParityPooledRatio(fairness::pooled_ratio::Selection),
    534 => BaseRatePooledRatio(fairness::pooled_ratio::Base),
    535 => AccuracyPooledRatio(fairness::pooled_ratio::Accuracy),
    536 => EqualOpportunityPooledRatio(fairness::pooled_ratio::TruePositive),
    537 => FalsePositiveRatePooledRatio(fairness::pooled_ratio::FalsePositive),
    538 => TrueNegativeRatePooledRatio(fairness::pooled_ratio::TrueNegative),
    539 => FalseNegativeRatePooledRatio(fairness::pooled_ratio::FalseNegative),
    540 => PredictiveParityPooledRatio(fairness::pooled_ratio::PositivePredictive),
    541 => NegativePredictiveValuePooledRatio(fairness::pooled_ratio::NegativePredictive),
    542 => FalseDiscoveryRatePooledRatio(fairness::pooled_ratio::FalseDiscovery),
    543 => FalseOmissionRatePooledRatio(fairness::pooled_ratio::FalseOmission),
    544 => EqualisedOddsSpreadDifference(fairness::overall::EqualisedOddsSpreadDifference),
    545 => EqualisedOddsSpreadRatio(fairness::overall::EqualisedOddsSpreadRatio),
    546 => EqualisedOddsSpreadDifferenceMean(fairness::overall::EqualisedOddsSpreadDifferenceMean),
    547 => EqualisedOddsSpreadRatioMean(fairness::overall::EqualisedOddsSpreadRatioMean),
    548 => DemographicParityToOverallDifference(fairness::overall::DemographicParityToOverallDifference),
    549 => DemographicParityToOverallRatio(fairness::overall::DemographicParityToOverallRatio),
    550 => EqualisedOddsToOverallDifference(fairness::overall::EqualisedOddsToOverallDifference),
    551 => PooledAverageOddsDifference(fairness::odds::PooledAverageOddsDifference),
    552 => PooledAverageAbsoluteOddsDifference(fairness::odds::PooledAverageAbsoluteOddsDifference),
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
