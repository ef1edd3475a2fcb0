//! What other tools call these metrics, where their names or signs differ.

use crate::metric::MetricId;

/// One name of a metric elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The metric here.
    pub metric: MetricId,
    /// The tool.
    pub tool: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// How its value follows from the one here.
    pub here: &'static str,
}

const CLARIFY: &str = "SageMaker Clarify";
const AIF360: &str = "AIF360";
const FAIRLEARN: &str = "fairlearn";
const AEQUITAS: &str = "Aequitas";

const SAME: &str = "the same";
const NEGATED: &str = "the same with the sign turned";

const fn alias(
    metric: MetricId,
    tool: &'static str,
    name: &'static str,
    here: &'static str,
) -> Alias {
    Alias {
        metric,
        tool,
        name,
        here,
    }
}

/// Names elsewhere, by tool.
pub const ALIASES: &[Alias] = &[
    alias(
        MetricId::DemographicParityDifference,
        CLARIFY,
        "DPPL",
        NEGATED,
    ),
    alias(MetricId::DemographicParityRatio, CLARIFY, "DI", SAME),
    alias(
        MetricId::ConditionalAcceptanceDifference,
        CLARIFY,
        "DCAcc (DCA)",
        NEGATED,
    ),
    alias(
        MetricId::ConditionalRejectionDifference,
        CLARIFY,
        "DCR",
        SAME,
    ),
    alias(MetricId::TrueNegativeRateDifference, CLARIFY, "SD", SAME),
    alias(MetricId::EqualOpportunityDifference, CLARIFY, "RD", NEGATED),
    alias(
        MetricId::PredictiveParityDifference,
        CLARIFY,
        "DAR",
        NEGATED,
    ),
    alias(
        MetricId::NegativePredictiveValueDifference,
        CLARIFY,
        "DRR",
        SAME,
    ),
    alias(MetricId::AccuracyDifference, CLARIFY, "AD", NEGATED),
    alias(MetricId::TreatmentEqualityDifference, CLARIFY, "TE", SAME),
    alias(
        MetricId::DemographicDisparity,
        CLARIFY,
        "CDDPL",
        "that of one stratum; CDDPL is the mean over strata, weighted by their cases",
    ),
    alias(MetricId::GeneralisedEntropy, CLARIFY, "GE", SAME),
    alias(
        MetricId::DemographicParityDifference,
        FAIRLEARN,
        "MetricFrame(selection_rate).by_group",
        "the group's rate minus the reference group's",
    ),
    alias(
        MetricId::DemographicParitySpreadDifference,
        FAIRLEARN,
        "demographic_parity_difference",
        SAME,
    ),
    alias(
        MetricId::DemographicParitySpreadRatio,
        FAIRLEARN,
        "demographic_parity_ratio",
        SAME,
    ),
    alias(
        MetricId::EqualOpportunitySpreadDifference,
        FAIRLEARN,
        "equal_opportunity_difference",
        SAME,
    ),
    alias(
        MetricId::EqualOpportunitySpreadRatio,
        FAIRLEARN,
        "equal_opportunity_ratio",
        SAME,
    ),
    alias(
        MetricId::EqualisedOddsSpreadDifference,
        FAIRLEARN,
        "equalized_odds_difference",
        SAME,
    ),
    alias(
        MetricId::EqualisedOddsSpreadRatio,
        FAIRLEARN,
        "equalized_odds_ratio",
        SAME,
    ),
    alias(
        MetricId::DemographicParityPooledDifference,
        AIF360,
        "statistical_parity_difference",
        SAME,
    ),
    alias(
        MetricId::DemographicParityPooledRatio,
        AIF360,
        "disparate_impact",
        SAME,
    ),
    alias(
        MetricId::EqualOpportunityPooledDifference,
        AIF360,
        "equal_opportunity_difference",
        SAME,
    ),
    alias(
        MetricId::PooledAverageOddsDifference,
        AIF360,
        "average_odds_difference",
        SAME,
    ),
    alias(
        MetricId::PooledAverageAbsoluteOddsDifference,
        AIF360,
        "average_abs_odds_difference",
        SAME,
    ),
    alias(
        MetricId::AccuracyPooledDifference,
        AIF360,
        "error_rate_difference",
        NEGATED,
    ),
    alias(
        MetricId::FalseDiscoveryRatePooledDifference,
        AIF360,
        "false_discovery_rate_difference",
        SAME,
    ),
    alias(MetricId::TheilIndex, AIF360, "theil_index", SAME),
    alias(
        MetricId::DemographicParityRatio,
        AEQUITAS,
        "pprev_disparity",
        SAME,
    ),
    alias(
        MetricId::EqualOpportunityRatio,
        AEQUITAS,
        "tpr_disparity",
        SAME,
    ),
    alias(
        MetricId::FalsePositiveRateRatio,
        AEQUITAS,
        "fpr_disparity",
        SAME,
    ),
    alias(
        MetricId::TrueNegativeRateRatio,
        AEQUITAS,
        "tnr_disparity",
        SAME,
    ),
    alias(
        MetricId::FalseNegativeRateRatio,
        AEQUITAS,
        "fnr_disparity",
        SAME,
    ),
    alias(
        MetricId::PredictiveParityRatio,
        AEQUITAS,
        "precision_disparity",
        SAME,
    ),
    alias(
        MetricId::NegativePredictiveValueRatio,
        AEQUITAS,
        "npv_disparity",
        SAME,
    ),
    alias(
        MetricId::FalseDiscoveryRateRatio,
        AEQUITAS,
        "fdr_disparity",
        SAME,
    ),
    alias(
        MetricId::FalseOmissionRateRatio,
        AEQUITAS,
        "for_disparity",
        SAME,
    ),
];
