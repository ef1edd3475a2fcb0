//! Criteria that take several rates of a group together, against the reference group.

use super::{GROUP, Groups, key, labelled, normal, pooled, shown};
use crate::fairness::{self, Measured, Rate, Table};
use crate::metric::{
    CasesOfGroups, IntervalFrom, MetricSpec, Needs, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::Comparator;

const ODDS: MetricSpec = MetricSpec {
    reference: "fairlearn 0.15, AIF360 0.6 and Aequitas 1.1 on a real data set, every window, group \
                and intersection, to 1e-12.",
    ..GROUP
};

const CLARIFY: MetricSpec = MetricSpec {
    range: (-100.0, 100.0),
    good: Comparator::AtLeast,
    reference: "The definition in SageMaker Clarify's published code, recomputed in numpy on a real \
                data set, to 1e-12; its sign is the other way round where the table of names says so.",
    ..GROUP
};

const EMPTY_CLASS: &str = "a group has no case of one of the two labels";

/// A measurement of two tables, if a formula gives a value.
fn of_tables<T>(
    seen: &Seen<'_>,
    formula: impl Fn(&Table, &Table) -> Option<T>,
    why: &'static str,
) -> Result<(T, u64, u64), Unmeasurable> {
    let (groups, reference, compared) = Groups::pair(seen)?;
    let support = reference.total().saturating_add(compared.total());
    let found = formula(&reference, &compared);
    let found = found.ok_or_else(|| groups.nothing(Rate::Accuracy, why))?;
    Ok((found, support, least_class(&reference, &compared)))
}

/// Cases in the smallest label class of the two groups.
fn least_class(reference: &Table, compared: &Table) -> u64 {
    let of = |table: &Table| {
        let positives = Rate::TruePositive.of(table).1;
        positives.min(Rate::FalsePositive.of(table).1)
    };
    of(reference).min(of(compared))
}

metric! {
    /// How far a group is from equalised odds.
    EqualisedOddsDifference, labelled, |seen: Seen<'_>| {
        let ((apart, _), support, _) = of_tables(&seen, fairness::equalised, EMPTY_CLASS)?;
        Ok(shown(apart, None, support))
    }, ODDS, {
        name: "equalised_odds_difference",
        interval: IntervalFrom::Recounting,
        title: "Equalised odds difference",
        range: (0.0, 1.0),
        meaning: "How far the group is from equalised odds: the larger of its distances from the \
                  reference group in true and in false positive rate. 0 is parity.",
        formula: "max(|TPR - TPR of the reference group|, |FPR - FPR of the reference group|).",
        edge_cases: "A group without cases of one of the two labels: undefined. fairlearn's figure of \
                     this name is over all groups (`equalised_odds_difference.spread`); with two \
                     groups they agree.",
        cannot_tell: "Which of the two rates is the farther, and in which direction. It is shown, \
                      never judged: to judge equalised odds, state two objectives, on \
                      `equal_opportunity_difference` and `false_positive_rate_difference`, each at \
                      half the error chance; the worse of the two is the verdict.",
    }
}

metric! {
    /// How far a group is from equalised odds, as a ratio.
    EqualisedOddsRatio, labelled, |seen: Seen<'_>| {
        let ((_, ratio), support, _) = of_tables(&seen, fairness::equalised, EMPTY_CLASS)?;
        let zero = "both groups have a true or false positive rate of 0";
        let ratio = ratio.ok_or(Unmeasurable::Undefined(zero))?;
        Ok(shown(ratio, None, support))
    }, ODDS, {
        name: "equalised_odds_ratio",
        interval: IntervalFrom::Recounting,
        title: "Equalised odds ratio",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        meaning: "How far the group is from equalised odds: the smaller of the ratios of true and \
                  of false positive rates, the smaller rate always over the larger. 1 is parity.",
        formula: "min over TPR and FPR of min(a / b, b / a), a the group's rate and b the reference \
                  group's.",
        edge_cases: "A group without cases of one of the two labels, or a rate of 0 in both groups: \
                     undefined. A rate of 0 in one group only: 0. fairlearn's figure of this name is \
                     over all groups (`equalised_odds_ratio.spread`).",
        cannot_tell: "Which of the two rates is the farther, and in which direction. Small rates, as \
                      false positive rates often are, make it small by chance. It is shown, never \
                      judged: state objectives on the two rates' own ratios.",
    }
}

const AVERAGE: MetricSpec = MetricSpec {
    sample: SampleKind::Normal,
    good: Comparator::AtLeast,
    ..ODDS
};

const AVERAGE_EDGES: &str = "A group without cases of one of the two labels: undefined. Rows whose \
                             attribute is unknown or not listed are in neither group.";

fn average(found: (Measured, f64)) -> Measured {
    found.0
}

metric! {
    /// Mean of the differences in true and false positive rate.
    AverageOddsDifference, labelled, |seen: Seen<'_>| {
        let (found, of, least) = of_tables(&seen, fairness::average_odds, EMPTY_CLASS)?;
        normal(average(found), of, least)
    }, AVERAGE, {
        name: "average_odds_difference",
        title: "Average odds difference",
        meaning: "The mean of the group's differences from the reference group in true and in false \
                  positive rate: how much more often it gets the positive decision, both labels \
                  weighing alike. 0 is parity. An objective may limit either side.",
        formula: "((TPR - TPR of the reference group) + (FPR - FPR of the reference group)) / 2. \
                  Interval and standard error: normal approximation, variances of the four shares \
                  added, each with one hit and one miss more.",
        edge_cases: AVERAGE_EDGES,
        cannot_tell: "Differences that cancel: a higher true and a lower false positive rate make 0 \
                      of it though the odds differ. Look at the absolute one, too.",
    }
}

metric! {
    /// Mean of the absolute differences in true and false positive rate.
    AverageAbsoluteOddsDifference, labelled, |seen: Seen<'_>| {
        let (found, of, _) = of_tables(&seen, fairness::average_odds, EMPTY_CLASS)?;
        Ok(shown(found.1, None, of))
    }, ODDS, {
        name: "average_absolute_odds_difference",
        interval: IntervalFrom::Recounting,
        title: "Average absolute odds difference",
        range: (0.0, 1.0),
        meaning: "The mean of the group's absolute differences from the reference group in true and \
                  in false positive rate. 0 is equalised odds.",
        formula: "(|TPR - TPR of the reference group| + |FPR - FPR of the reference group|) / 2.",
        edge_cases: AVERAGE_EDGES,
        cannot_tell: "The direction. Whether the distance is more than chance: it is shown, never \
                      judged.",
    }
}

/// The same of all other groups together.
#[inline(never)]
fn of_pooled(seen: &Seen<'_>) -> Result<((Measured, f64), u64, u64), Unmeasurable> {
    let (groups, reference, compared) = pooled::tables(seen)?;
    let found = fairness::average_odds(&reference, &compared);
    let found = found.ok_or_else(|| groups.nothing(Rate::Accuracy, EMPTY_CLASS))?;
    let of = reference.total().saturating_add(compared.total());
    Ok((found, of, least_class(&reference, &compared)))
}

metric! {
    /// Average odds difference of all other groups together.
    PooledAverageOddsDifference, labelled, |seen: Seen<'_>| {
        let (found, of, least) = of_pooled(&seen)?;
        normal(average(found), of, least)
    }, AVERAGE, {
        name: "average_odds_difference.pooled",
        title: "Average odds difference of all other groups",
        needs: Needs::Attribute,
        groups: CasesOfGroups::AddedUp,
        meaning: "The mean of the differences in true and in false positive rate between all groups \
                  but the reference group, taken together, and the reference group. 0 is parity.",
        formula: "((TPR - TPR of the reference group) + (FPR - FPR of the reference group)) / 2, the \
                  first of each over the cases of all other groups. Interval: normal approximation.",
        edge_cases: AVERAGE_EDGES,
        cannot_tell: "Which of the other groups fares worse. Differences that cancel.",
    }
}

metric! {
    /// Average absolute odds difference of all other groups together.
    PooledAverageAbsoluteOddsDifference, labelled, |seen: Seen<'_>| {
        let (found, of, _) = of_pooled(&seen)?;
        Ok(shown(found.1, None, of))
    }, ODDS, {
        name: "average_absolute_odds_difference.pooled",
        interval: IntervalFrom::Recounting,
        title: "Average absolute odds difference of all other groups",
        needs: Needs::Attribute,
        groups: CasesOfGroups::AddedUp,
        range: (0.0, 1.0),
        meaning: "The mean of the absolute differences in true and in false positive rate between \
                  all groups but the reference group, taken together, and the reference group.",
        formula: "(|TPR - TPR of the reference group| + |FPR - FPR of the reference group|) / 2, the \
                  first of each over the cases of all other groups.",
        edge_cases: AVERAGE_EDGES,
        cannot_tell: "Which of the other groups fares worse, and in which direction. It is shown, \
                      never judged.",
    }
}

const NO_ERRORS: &str = "a group has no false negative or no false positive";

metric! {
    /// Treatment equality on the log scale.
    TreatmentEquality, labelled, |seen: Seen<'_>| {
        let (found, of, _) = of_tables(&seen, fairness::treatment_equality, NO_ERRORS)?;
        let (_, reference, compared) = Groups::pair(&seen)?;
        let least = [reference, compared].map(|t| t.false_negative.min(t.false_positive));
        normal(found, of, least[0].min(least[1]))
    }, ODDS, {
        name: "treatment_equality",
        title: "Treatment equality (log ratio)",
        range: (-100.0, 100.0),
        sample: SampleKind::Normal,
        meaning: "Whether errors fall on the same side: the logarithm of false negatives for each \
                  false positive in the group, minus the same in the reference group. 0 is parity; \
                  above 0 the group's errors are more often refusals.",
        formula: "ln(FN / FP) of the group minus ln(FN / FP) of the reference group (Berk et al. \
                  2018, on the log scale). Standard error: root of the sum of the four reciprocal \
                  counts. Interval: normal approximation at 95 %.",
        edge_cases: "No false negative or no false positive in a group: undefined. The plain \
                     difference of FN / FP is `treatment_equality.difference`.",
        cannot_tell: "How many errors are made: two in a million and two in three look alike. It \
                      depends on the groups' base rates.",
    }
}

metric! {
    /// Treatment equality as Clarify has it.
    TreatmentEqualityDifference, labelled, |seen: Seen<'_>| {
        let why = "a group has no false positive";
        let (found, of, _) = of_tables(&seen, fairness::treatment_gap, why)?;
        Ok(shown(found.value, None, of))
    }, CLARIFY, {
        name: "treatment_equality.difference",
        interval: IntervalFrom::Recounting,
        title: "Treatment equality (difference)",
        good: Comparator::AtMost,
        meaning: "False negatives for each false positive in the group, minus the same in the \
                  reference group. 0 is parity.",
        formula: "FN / FP of the group minus FN / FP of the reference group.",
        edge_cases: "No false positive in a group: undefined (Clarify shows infinity or 0).",
        cannot_tell: "How many errors are made. It is dominated by whichever group has few false \
                      positives; the log ratio (`treatment_equality`) is the one to judge by.",
    }
}

metric! {
    /// Difference in balanced error.
    BalancedErrorDifference, labelled, |seen: Seen<'_>| {
        let (found, of, least) = of_tables(&seen, fairness::balanced_error, EMPTY_CLASS)?;
        normal(found, of, least)
    }, ODDS, {
        name: "balanced_error_difference",
        title: "Balanced error difference",
        sample: SampleKind::Normal,
        meaning: "The mean of false negative and false positive rate in the group, minus the same in \
                  the reference group: which group is decided with more errors, both labels weighing \
                  alike. 0 is parity.",
        formula: "((FNR + FPR) of the group - (FNR + FPR) of the reference group) / 2. Interval and \
                  standard error: normal approximation, variances of the four shares added, each \
                  with one hit and one miss more.",
        edge_cases: AVERAGE_EDGES,
        cannot_tell: "Which kind of error is made in which group: errors of one kind may make up for \
                      the other.",
    }
}

metric! {
    /// Difference in conditional acceptance.
    ConditionalAcceptanceDifference, labelled, |seen: Seen<'_>| {
        let why = "a group has no positive decision";
        let (found, of, _) = of_tables(&seen, fairness::conditional_acceptance, why)?;
        Ok(shown(found.value, None, of))
    }, CLARIFY, {
        name: "conditional_acceptance_difference",
        interval: IntervalFrom::Recounting,
        title: "Difference in conditional acceptance",
        meaning: "Cases labelled positive for each case decided positive, in the group minus the \
                  reference group. Above 0 the group is accepted less often than its labels say, \
                  compared with the reference group.",
        formula: "(TP + FN) / (TP + FP) of the group minus the same of the reference group.",
        edge_cases: "No positive decision in a group: undefined (Clarify shows infinity or 0).",
        cannot_tell: "Whether the accepted are those labelled positive: it compares numbers, not \
                      cases.",
    }
}

metric! {
    /// Difference in conditional rejection.
    ConditionalRejectionDifference, labelled, |seen: Seen<'_>| {
        let why = "a group has no negative decision";
        let (found, of, _) = of_tables(&seen, fairness::conditional_rejection, why)?;
        Ok(shown(found.value, None, of))
    }, CLARIFY, {
        name: "conditional_rejection_difference",
        interval: IntervalFrom::Recounting,
        title: "Difference in conditional rejection",
        meaning: "Cases labelled negative for each case decided negative, in the group minus the \
                  reference group. Below 0 the group is refused more often than its labels say, \
                  compared with the reference group.",
        formula: "(TN + FP) / (TN + FN) of the group minus the same of the reference group.",
        edge_cases: "No negative decision in a group: undefined (Clarify shows infinity or 0).",
        cannot_tell: "Whether the refused are those labelled negative: it compares numbers, not \
                      cases.",
    }
}

metric! {
    /// A group's share of refusals minus its share of acceptances.
    DemographicDisparity, |of| key(Rate::Selection, of), |seen: Seen<'_>| {
        let groups = Groups::of(&seen, Rate::Selection)?;
        let named = groups.counts(Rate::Selection, Some(groups.named(seen.of)?));
        let all = groups
            .all()
            .map(|group| groups.counts(Rate::Selection, Some(group)))
            .fold((0_u64, 0_u64), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        let (accepted, refused) = ((named.0, all.0), (named.1 - named.0, all.1 - all.0));
        if named.1 == 0 || accepted.1 == 0 || refused.1 == 0 {
            let why = "the group has no decision, or all decisions are alike";
            return Err(groups.nothing(Rate::Selection, why));
        }
        let found = fairness::difference(accepted, refused).ok_or(Unmeasurable::NoData)?;
        normal(found, all.1, accepted.1.min(refused.1))
    }, CLARIFY, {
        groups: CasesOfGroups::AddedUp,
        name: "demographic_disparity",
        title: "Demographic disparity",
        range: (-1.0, 1.0),
        good: Comparator::AtMost,
        sample: SampleKind::Normal,
        stream: crate::metric::StreamKind::ByAttribute,
        needs_label: false,
        meaning: "The group's share among refused cases minus its share among accepted ones. Above 0 \
                  it makes up more of the refused than of the accepted.",
        formula: "refused of the group / all refused - accepted of the group / all accepted, over \
                  the listed groups. Interval: Newcombe's hybrid score interval at 95 %.",
        edge_cases: "No case of the group, no acceptance or no refusal at all: undefined. Clarify's conditional form \
                     (CDDPL) takes its weighted mean over strata of a third variable; declare the \
                     strata as an intersection with the attribute to see them.",
        cannot_tell: "Whether the groups' cases deserve the same decisions: it looks at no label. A \
                      third variable by which cases differ may reverse it (Simpson's paradox).",
    }
}
