//! Rates of a decision against its label: shares of two counts of the confusion table.

use super::{DECIDED, decided, decided_key, of_labelled, rate};
use crate::metric::{Measurement, Metric, MetricSpec, Seen};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::binary::Binary;
use crate::sketch::SummaryKey;

macro_rules! rates {
    ($($type:ident {
        $name:literal, $title:literal, good: $good:ident, of: $share:ident, $formula:literal,
        none: $none:literal, $reference:literal,
        $meaning:literal, cannot: $cannot:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                good: Comparator::$good,
                meaning: $meaning,
                formula: concat!(
                    $formula,
                    ", counted over rows whose label and decision are both known (T true, F false, \
                     P decided positive, N decided negative). Interval: Wilson's score interval at \
                     95 %."
                ),
                edge_cases: concat!(
                    "No labelled rows: no data; ", $none, ": undefined, where libraries often say \
                     0. Rows without a label yet are left out, not guessed; the coverage beside \
                     the value says how many they are."
                ),
                cannot_tell: of_labelled!($cannot),
                reference: concat!($reference, ": equal, since both divide the same two counts."),
                ..DECIDED
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![decided_key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                rate(Binary::$share(&decided(&seen)?), $none)
            }
        }
    )*};
}

rates! {
    Accuracy {
        "accuracy", "Accuracy", good: AtLeast, of: accuracy, "(TP + TN) / (TP + TN + FP + FN)",
        none: "no labelled case", "scikit-learn 1.9, `accuracy_score`",
        "The share of labelled cases in which the decision agrees with what later turned out to be true.",
        cannot: "Which kind of error is made, or what it costs: with 95 % of one class, always \
                 answering that class is 95 % accurate.",
    }
    ErrorRate {
        "error_rate", "Error rate", good: AtMost, of: error_rate, "(FP + FN) / (TP + TN + FP + FN)",
        none: "no labelled case", "scikit-learn 1.9, `zero_one_loss`",
        "The share of labelled cases in which the decision turned out to be wrong.",
        cannot: "Which kind of error is made, or what it costs.",
    }
    Recall {
        "recall", "Recall", good: AtLeast, of: recall, "TP / (TP + FN)",
        none: "no positive case", "scikit-learn 1.9, `recall_score`",
        "Of the cases that turned out positive, the share that had been decided positive: sensitivity, \
         true positive rate, hit rate.",
        cannot: "How many negative cases were decided positive as well: deciding everything positive \
                 has a recall of 1.",
    }
    Specificity {
        "specificity", "Specificity", good: AtLeast, of: specificity, "TN / (TN + FP)",
        none: "no negative case", "scikit-learn 1.9, `recall_score` of the negative class",
        "Of the cases that turned out negative, the share that had been decided negative: true \
         negative rate, selectivity.",
        cannot: "How many positive cases were decided negative as well: deciding everything negative \
                 has a specificity of 1.",
    }
    FalsePositiveRate {
        "false_positive_rate", "False positive rate", good: AtMost, of: false_positive_rate,
        "FP / (FP + TN)", none: "no negative case", "scikit-learn 1.9, `confusion_matrix`",
        "Of the cases that turned out negative, the share that had been decided positive: fall-out, \
         false alarm rate.",
        cannot: "How trustworthy a positive decision is: where negatives are many, a low rate of them \
                 can outnumber the true ones.",
    }
    FalseNegativeRate {
        "false_negative_rate", "False negative rate", good: AtMost, of: false_negative_rate,
        "FN / (FN + TP)", none: "no positive case", "scikit-learn 1.9, `confusion_matrix`",
        "Of the cases that turned out positive, the share that had been decided negative: miss rate.",
        cannot: "How many negative cases pay for a low rate of misses.",
    }
    Precision {
        "precision", "Precision", good: AtLeast, of: precision, "TP / (TP + FP)",
        none: "no positive decision", "scikit-learn 1.9, `precision_score`",
        "Of the cases decided positive, the share that turned out positive: positive predictive value.",
        cannot: "How many positive cases were not found. It falls when positive cases become rarer, \
                 though the model is the same.",
    }
    NegativePredictiveValue {
        "negative_predictive_value", "Negative predictive value", good: AtLeast,
        of: negative_predictive_value, "TN / (TN + FN)", none: "no negative decision",
        "scikit-learn 1.9, `precision_score` of the negative class",
        "Of the cases decided negative, the share that turned out negative.",
        cannot: "How many negative cases were not found. It falls when negative cases become rarer, \
                 though the model is the same.",
    }
    FalseDiscoveryRate {
        "false_discovery_rate", "False discovery rate", good: AtMost, of: false_discovery_rate,
        "FP / (FP + TP)", none: "no positive decision", "scikit-learn 1.9, `confusion_matrix`",
        "Of the cases decided positive, the share that turned out negative: one less the precision.",
        cannot: "How many positive cases were not found.",
    }
    FalseOmissionRate {
        "false_omission_rate", "False omission rate", good: AtMost, of: false_omission_rate,
        "FN / (FN + TN)", none: "no negative decision", "scikit-learn 1.9, `confusion_matrix`",
        "Of the cases decided negative, the share that turned out positive: one less the negative \
         predictive value.",
        cannot: "How many negative cases were not found.",
    }
    Jaccard {
        "jaccard", "Jaccard index", good: AtLeast, of: jaccard, "TP / (TP + FP + FN)",
        none: "neither a positive case nor a positive decision", "scikit-learn 1.9, `jaccard_score`",
        "Of the cases that are positive by label or by decision, the share that is so by both: the \
         threat score, or critical success index.",
        cannot: "Anything about true negatives, which it leaves out; which of the two errors is made.",
    }
    Prevalence {
        "prevalence", "Prevalence", good: AtMost, of: prevalence, "(TP + FN) / (TP + TN + FP + FN)",
        none: "no labelled case", "scikit-learn 1.9, mean of the labels",
        "The share of labelled cases that turned out positive: what the world is like, not the model.",
        cannot: "How good the decisions are. Which side of a level is good depends on what positive \
                 means: say so by the comparator.",
    }
    DetectionPrevalence {
        "detection_prevalence", "Detection prevalence", good: AtMost, of: detection_prevalence,
        "(TP + FP) / (TP + TN + FP + FN)", none: "no labelled case", "caret 6, `confusionMatrix`",
        "The share of labelled cases that had been decided positive. Beside the predicted-positive \
         rate, which is of all cases, it shows whether labels come for all decisions alike.",
        cannot: "How good the decisions are. Which side of a level is good depends on what positive \
                 means: say so by the comparator.",
    }
    DetectionRate {
        "detection_rate", "Detection rate", good: AtLeast, of: detection_rate,
        "TP / (TP + TN + FP + FN)", none: "no labelled case", "caret 6, `confusionMatrix`",
        "The share of labelled cases that are positive and had been decided so.",
        cannot: "How many positive cases there were to find: it cannot exceed the prevalence.",
    }
}
