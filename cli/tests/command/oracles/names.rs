//! What each figure of the oracle files is called here.

use serde_json::Value;

/// How a figure is compared.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// As it is: within 1e-9 relative, or 1e-12 absolute.
    Value,
    /// A p-value: within 1e-6 relative, down to 1e-300.
    P,
    /// The oracle has a count, the report a share of `n`.
    Count,
    /// The oracle has the square.
    Square,
    /// The oracle has the distance to the natural base, the report to base two.
    Nats,
    /// The oracle has the divergence to the natural base, the report its root to base two.
    NatsSquare,
}

/// A figure of the oracle files and the metric that it is here.
pub(super) struct Wanted {
    /// Where it stands in the oracle file, keys separated by `/`.
    path: &'static str,
    pub(super) metric: &'static str,
    pub(super) kind: Kind,
}

impl Wanted {
    pub(super) const fn new(path: &'static str, metric: &'static str, kind: Kind) -> Self {
        Self { path, metric, kind }
    }

    /// The figure, if the oracle file has it.
    pub(super) fn of<'a>(&self, values: &'a Value) -> Option<&'a Value> {
        self.path.split('/').try_fold(values, |v, key| v.get(key))
    }
}

const fn same(path: &'static str, metric: &'static str) -> Wanted {
    Wanted::new(path, metric, Kind::Value)
}

const fn p(path: &'static str, metric: &'static str) -> Wanted {
    Wanted::new(path, metric, Kind::P)
}

/// Of a numeric column.
pub(super) const NUMERIC: &[Wanted] = &[
    same("missing_rate", "missing_rate"),
    Wanted::new("n_missing", "missing_rate", Kind::Count),
    same("mean", "mean"),
    same("std", "standard_deviation"),
    same("median", "median"),
    same("q25", "quantile.25"),
    same("q75", "quantile.75"),
    same("ks", "ks"),
    p("ks_p_kolmogorov", "ks.p"),
    same("wasserstein", "wasserstein"),
    same("wasserstein_over_ref_std", "wasserstein_over_ref_std"),
    same("deciles/psi", "psi.floor"),
    same("deciles/js_distance_base_e", "js_distance.nats"),
    same("deciles/js_distance_base_2", "js_distance.plain"),
    Wanted::new(
        "deciles/js_divergence_base_e",
        "js_distance.nats",
        Kind::Square,
    ),
    same("deciles/kl_floored_chunk_vs_ref", "kl.floor"),
    same("deciles/hellinger", "hellinger.plain"),
    same("deciles/l_infinity", "l_infinity.plain"),
    same("deciles/total_variation", "total_variation.plain"),
    same("uniform20/psi", "psi.uniform20"),
    same("uniform20/js_distance_base_2", "js_distance.uniform20"),
    Wanted::new(
        "uniform20/js_distance_base_e",
        "js_distance.uniform20",
        Kind::Nats,
    ),
    Wanted::new(
        "uniform20/js_divergence_base_e",
        "js_distance.uniform20",
        Kind::NatsSquare,
    ),
    same("uniform20/kl_floored_chunk_vs_ref", "kl.uniform20"),
    same("uniform20/hellinger", "hellinger.uniform20"),
    same("uniform20/l_infinity", "l_infinity.uniform20"),
    same("uniform20/total_variation", "total_variation.uniform20"),
];

/// Of a column of categories.
pub(super) const CATEGORICAL: &[Wanted] = &[
    same("missing_rate", "missing_rate"),
    Wanted::new("n_missing", "missing_rate", Kind::Count),
    same("unseen_rate", "unseen"),
    Wanted::new("n_unseen", "unseen", Kind::Count),
    same("psi", "psi.floor"),
    same("js_distance_base_e", "js_distance.nats"),
    same("js_distance_base_2", "js_distance.plain"),
    Wanted::new("js_divergence_base_e", "js_distance.nats", Kind::Square),
    same("kl_floored_chunk_vs_ref", "kl.floor"),
    same("hellinger", "hellinger.plain"),
    same("l_infinity", "l_infinity.plain"),
    same("total_variation", "total_variation.plain"),
    same("chi2", "chi2"),
    p("chi2_p", "chi2.p"),
    same("chi2_yates", "chi2.yates"),
    p("chi2_yates_p", "chi2.yates.p"),
    same("gof_chi2", "chi2.fit"),
    p("gof_chi2_p", "chi2.fit.p"),
];

/// Of all labelled cases.
pub(super) const PERFORMANCE: &[Wanted] = &[
    same("accuracy", "accuracy"),
    same("prevalence", "prevalence"),
    same("precision", "precision"),
    same("recall", "recall"),
    same("specificity", "specificity"),
    same("f1", "f1"),
    same("fpr", "false_positive_rate"),
    same("fnr", "false_negative_rate"),
    same("npv", "negative_predictive_value"),
    same("mcc", "mcc.zero"),
    same("balanced_accuracy", "balanced_accuracy"),
    same("cohen_kappa", "cohen_kappa"),
    same("roc_auc", "roc_auc"),
    same("average_precision", "average_precision"),
    same("log_loss", "log_loss"),
    same("brier", "brier"),
    same("ece10", "ece.10"),
    same("mce10", "mce.10"),
    same("label_coverage", "label_coverage"),
    same("mae", "mae"),
    same("mse", "mse"),
    same("rmse", "rmse"),
    same("mape_sklearn", "mape.sklearn"),
    same("mape_nonzero", "mape"),
    same("r2", "r2"),
    same("median_ae", "median_absolute_error"),
    same("mean_error", "mean_error"),
    same("max_abs_error", "max_error"),
    same("explained_variance", "explained_variance"),
    same("msle", "msle"),
    same("rmsle", "rmsle"),
];

/// Of one group.
pub(super) const GROUP: &[Wanted] = &[
    same("base_rate", "base_rate.group"),
    same("selection_rate", "selection_rate.group"),
    same("tpr", "true_positive_rate.group"),
    same("fpr", "false_positive_rate.group"),
    same("tnr", "true_negative_rate.group"),
    same("fnr", "false_negative_rate.group"),
    same("ppv", "positive_predictive_value.group"),
    same("npv", "negative_predictive_value.group"),
    same("fdr", "false_discovery_rate.group"),
    same("for", "false_omission_rate.group"),
    same("accuracy", "accuracy.group"),
];

/// Of an attribute: the spread between its groups.
pub(super) const SPREAD: &[Wanted] = &[
    same(
        "selection_rate/difference",
        "demographic_parity_difference.spread",
    ),
    same("selection_rate/ratio", "demographic_parity_ratio.spread"),
    same("tpr/difference", "equal_opportunity_difference.spread"),
    same("tpr/ratio", "equal_opportunity_ratio.spread"),
    same("fpr/difference", "false_positive_rate_difference.spread"),
    same("fpr/ratio", "false_positive_rate_ratio.spread"),
    same("fnr/difference", "false_negative_rate_difference.spread"),
    same("fnr/ratio", "false_negative_rate_ratio.spread"),
    same("tnr/difference", "true_negative_rate_difference.spread"),
    same("tnr/ratio", "true_negative_rate_ratio.spread"),
    same("ppv/difference", "predictive_parity_difference.spread"),
    same("ppv/ratio", "predictive_parity_ratio.spread"),
    same(
        "npv/difference",
        "negative_predictive_value_difference.spread",
    ),
    same("npv/ratio", "negative_predictive_value_ratio.spread"),
    same("accuracy/difference", "accuracy_difference.spread"),
    same("accuracy/ratio", "accuracy_ratio.spread"),
    same("base_rate/difference", "base_rate_difference.spread"),
    same("base_rate/ratio", "base_rate_ratio.spread"),
];

/// Of an attribute, as fairlearn names it.
pub(super) const FAIRLEARN: &[Wanted] = &[
    same(
        "demographic_parity_difference",
        "demographic_parity_difference.spread",
    ),
    same(
        "demographic_parity_ratio",
        "demographic_parity_ratio.spread",
    ),
    same(
        "equalized_odds_difference",
        "equalised_odds_difference.spread",
    ),
    same("equalized_odds_ratio", "equalised_odds_ratio.spread"),
    same(
        "equalized_odds_difference_mean",
        "equalised_odds_difference.spread_mean",
    ),
    same(
        "equalized_odds_ratio_mean",
        "equalised_odds_ratio.spread_mean",
    ),
    same(
        "demographic_parity_difference_to_overall",
        "demographic_parity_difference.to_overall",
    ),
    same(
        "demographic_parity_ratio_to_overall",
        "demographic_parity_ratio.to_overall",
    ),
    same(
        "equalized_odds_difference_to_overall",
        "equalised_odds_difference.to_overall",
    ),
    same(
        "equal_opportunity_difference",
        "equal_opportunity_difference.spread",
    ),
    same("equal_opportunity_ratio", "equal_opportunity_ratio.spread"),
];

/// Of an attribute: all other groups against the reference group.
pub(super) const POOLED: &[Wanted] = &[
    same(
        "statistical_parity_difference",
        "demographic_parity_difference.pooled",
    ),
    same("disparate_impact", "demographic_parity_ratio.pooled"),
    same(
        "equal_opportunity_difference",
        "equal_opportunity_difference.pooled",
    ),
    same("average_odds_difference", "average_odds_difference.pooled"),
    same(
        "predictive_parity_difference",
        "predictive_parity_difference.pooled",
    ),
    same("accuracy_difference", "accuracy_difference.pooled"),
];

/// What `NannyML` calls a measure of drift of a category, by its part after the column's name.
pub(super) const NANNYML_CATEGORIES: [(&str, &str); 3] = [
    ("jensen_shannon", "js_distance.plain"),
    ("hellinger", "hellinger.plain"),
    ("l_infinity", "l_infinity.plain"),
];

/// What it calls a figure of performance. Counts are shares of the labelled cases here.
pub(super) const NANNYML: [(&str, &str, Kind); 14] = [
    ("roc_auc", "roc_auc", Kind::Value),
    ("average_precision", "average_precision", Kind::Value),
    ("f1", "f1", Kind::Value),
    ("precision", "precision", Kind::Value),
    ("recall", "recall", Kind::Value),
    ("specificity", "specificity", Kind::Value),
    ("accuracy", "accuracy", Kind::Value),
    ("true_positive", "detection_rate", Kind::Count),
    ("mae", "mae", Kind::Value),
    ("mse", "mse", Kind::Value),
    ("rmse", "rmse", Kind::Value),
    ("mape", "mape.floor", Kind::Value),
    ("msle", "msle", Kind::Value),
    ("rmsle", "rmsle", Kind::Value),
];

/// What is expected before labels come, by its name in the plain definition.
pub(super) const EXPECTED: [(&str, &str, &str); 6] = [
    ("accuracy", "expected_accuracy", "expected_accuracy.raw"),
    ("precision", "expected_precision", "expected_precision.raw"),
    ("recall", "expected_recall", "expected_recall.raw"),
    (
        "specificity",
        "expected_specificity",
        "expected_specificity.raw",
    ),
    ("f1", "expected_f1", "expected_f1.raw"),
    (
        "roc_auc_tie_aware",
        "expected_roc_auc",
        "expected_roc_auc.raw",
    ),
];
