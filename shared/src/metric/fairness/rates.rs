//! The rates by which groups are compared, with the words of their cards: one row each, read by the
//! files beside this one, which make a metric of each row.
//!
//! A row: the rate, the name of a group's own rate, what names of comparisons begin with, titles of
//! both, what is counted, its fraction, what it is counted among, which side is usually good, and what
//! a comparison of it cannot tell.

/// Gives the row of the selection rate, which needs no label, to a macro.
macro_rules! selection_rate {
    ($make:ident) => {
        $make! {
            Selection, ByAttribute, false, "selection_rate", "demographic_parity", "Selection rate",
            "Demographic parity", "positive decisions among all decisions",
            "(TP + FP) / (TP + FP + FN + TN)", "decided case", AtLeast,
            "Whether the groups' cases deserve the same decisions: it looks at no label. "
        }
    };
}

/// Gives the rows of all rates that need labels to a macro, one after the other.
macro_rules! labelled_rates {
    ($make:ident) => {
        $make! {
            Base, Outcomes, true, "base_rate", "base_rate", "Base rate", "Base rate",
            "positive labels among all labelled cases",
            "(TP + FN) / (TP + FP + FN + TN)", "labelled case", AtLeast,
            "Anything of the model: it is the groups' own difference, by which several other \
criteria cannot hold at once. "
        }
        $make! {
            Accuracy, Outcomes, true, "accuracy", "accuracy", "Accuracy", "Accuracy",
            "right decisions among all labelled cases",
            "(TP + TN) / (TP + FP + FN + TN)", "labelled case", AtLeast,
            "Which kind of error is made: equal accuracy may hide that one group is refused \
wrongly and another favoured wrongly. "
        }
        $make! {
            TruePositive, Outcomes, true, "true_positive_rate", "equal_opportunity",
            "True positive rate", "Equal opportunity",
            "positive decisions among cases labelled positive",
            "TP / (TP + FN)", "case labelled positive", AtLeast,
            "How often cases labelled negative are favoured. "
        }
        $make! {
            FalsePositive, Outcomes, true, "false_positive_rate", "false_positive_rate",
            "False positive rate", "False positive rate",
            "positive decisions among cases labelled negative",
            "FP / (FP + TN)", "case labelled negative", AtMost,
            "How cases labelled positive fare. Where the positive decision is a benefit, more \
false positives favour the group. "
        }
        $make! {
            TrueNegative, Outcomes, true, "true_negative_rate", "true_negative_rate",
            "True negative rate", "True negative rate",
            "negative decisions among cases labelled negative",
            "TN / (FP + TN)", "case labelled negative", AtLeast,
            "How cases labelled positive fare. "
        }
        $make! {
            FalseNegative, Outcomes, true, "false_negative_rate", "false_negative_rate",
            "False negative rate", "False negative rate",
            "negative decisions among cases labelled positive",
            "FN / (TP + FN)", "case labelled positive", AtMost,
            "How often cases labelled negative are favoured. "
        }
        $make! {
            PositivePredictive, Outcomes, true, "positive_predictive_value", "predictive_parity",
            "Positive predictive value", "Predictive parity",
            "positive labels among positive decisions",
            "TP / (TP + FP)", "positive decision", AtLeast,
            "How cases that were refused would have fared. It differs between groups of different \
base rates even if both are decided by the same well calibrated score. "
        }
        $make! {
            NegativePredictive, Outcomes, true, "negative_predictive_value",
            "negative_predictive_value", "Negative predictive value", "Negative predictive value",
            "negative labels among negative decisions",
            "TN / (TN + FN)", "negative decision", AtLeast,
            "How cases decided positive fare. Labels of refused cases are often not known at all. "
        }
        $make! {
            FalseDiscovery, Outcomes, true, "false_discovery_rate", "false_discovery_rate",
            "False discovery rate", "False discovery rate",
            "negative labels among positive decisions",
            "FP / (TP + FP)", "positive decision", AtMost,
            "How cases that were refused would have fared. "
        }
        $make! {
            FalseOmission, Outcomes, true, "false_omission_rate", "false_omission_rate",
            "False omission rate", "False omission rate",
            "positive labels among negative decisions",
            "FN / (TN + FN)", "negative decision", AtMost,
            "How cases decided positive fare. Labels of refused cases are often not known at all. "
        }
    };
}
