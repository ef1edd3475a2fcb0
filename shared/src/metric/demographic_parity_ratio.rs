//! Demographic parity ratio: whether a group gets the positive decision as often as the reference.
use crate::interval;
use crate::metric::{
    Estimate, Grade, Measurement, Metric, MetricSpec, Needs, Sample, SampleKind, Seen, StreamKind,
    Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{Confusion, SummaryKey, SummaryKind, SummaryOf};

/// A group's rate of positive decisions over the reference group's rate.
#[derive(Debug)]
pub(super) struct DemographicParityRatio;

impl Metric for DemographicParityRatio {
    const SPEC: MetricSpec = MetricSpec {
        name: "demographic_parity_ratio",
        title: "Demographic parity ratio",
        unit: "1",
        good: Comparator::AtLeast,
        range: (0.0, 100.0),
        meaning: "How often the group gets the positive decision, compared with the attribute's \
                  reference group. 1 is parity; the four-fifths rule asks for at least 0.8. \
                  Above 1 the group is favoured: state a second objective with an upper level to \
                  watch the other direction.",
        formula: "(positive / rows of the group) / (positive / rows of the reference group). \
                  Interval: Koopman's score interval at 95 %. The ledger reads the four counts \
                  themselves and is exact at any group size.",
        edge_cases: "No row of one of the two groups: undefined. No positive decision in the \
                     reference group: undefined, though the ledger still takes the counts. Rows \
                     whose attribute is unknown or not listed are in neither group. Libraries \
                     that show the smaller over the larger rate never show a value above 1; \
                     this one has a direction.",
        cannot_tell: "Whether the groups' cases deserve the same decisions: it looks at no label. \
                      Whether the group is treated worse within each kind of case, or better in \
                      each and worse over all. How cases with an unknown attribute fare. Rows of one request count as \
                      independent cases for now: where they go together, the evidence is \
                      weaker than it says.",
        reference: "fairlearn's selection_rate by group: counts are exact, so the ratio agrees to \
                    rounding.",
        grade: Grade::A,
        stream: StreamKind::ByAttribute,
        sample: SampleKind::TwoRates,
        needs: Needs::AttributeGroup,
        needs_score: false,
        needs_decision: true,
        needs_label: false,
    };

    fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
        vec![SummaryKey::new(
            SummaryOf::Decision(of.attribute.clone()),
            SummaryKind::Confusion,
        )]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let (reference, compared) = groups(&seen)?;
        let key = SummaryKey::new(
            SummaryOf::Decision(seen.of.attribute.clone()),
            SummaryKind::Confusion,
        );
        let confusion =
            Confusion::of(seen.summary(&key)?).ok_or_else(|| other_kind("confusion"))?;
        let counts = |group| {
            let positive = confusion.decided(Some(true), Some(group));
            (
                positive,
                positive + confusion.decided(Some(false), Some(group)),
            )
        };
        ratio(counts(reference), counts(compared))
    }
}

/// The indices of the reference group and of the compared one.
fn groups(seen: &Seen<'_>) -> Result<(u8, u8), Unmeasurable> {
    let attribute = seen
        .document
        .attributes
        .iter()
        .find(|a| Some(&a.name) == seen.of.attribute.as_ref())
        .ok_or(Unmeasurable::Undefined(
            "the attribute is not in the objectives file",
        ))?;
    let index = |group: &str| {
        let at = attribute.groups.iter().position(|g| g == group)?;
        u8::try_from(at).ok()
    };
    let compared = seen.of.group.as_deref().and_then(index);
    let missing = Unmeasurable::Undefined("the group is not one of the attribute's groups");
    index(&attribute.reference).zip(compared).ok_or(missing)
}

/// The ratio of two groups' shares, compared over reference.
fn ratio(reference: (u64, u64), compared: (u64, u64)) -> Measurement {
    match (reference, compared) {
        ((_, 0), (_, 0)) => Err(Unmeasurable::NoData),
        ((_, 0), _) => Err(Unmeasurable::Undefined("no case of the reference group")),
        (_, (_, 0)) => Err(Unmeasurable::Undefined("no case of the compared group")),
        ((0, _), _) => Err(Unmeasurable::NoReferenceHits {
            reference,
            compared,
        }),
        ((y, n), (x, m)) => Ok(Estimate {
            value: (x as f64 / m as f64) / (y as f64 / n as f64),
            interval: interval::koopman(reference, compared),
            bound: None,
            support: n.saturating_add(m),
            sample: Sample::TwoRates {
                reference,
                compared,
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_has_a_direction_and_an_interval_around_it() {
        let estimate = ratio((68, 170), (9, 30)).unwrap();
        assert!((estimate.value - 0.75).abs() < 1e-12);
        let (low, high) = estimate.interval.unwrap();
        assert!(low < 0.75 && 0.75 < high);
        assert!(ratio((9, 30), (68, 170)).unwrap().value > 1.0);
        assert_eq!(estimate.support, 200);
    }

    #[test]
    fn what_has_no_value_says_why() {
        assert_eq!(ratio((0, 0), (0, 0)), Err(Unmeasurable::NoData));
        assert!(matches!(
            ratio((0, 0), (1, 2)),
            Err(Unmeasurable::Undefined(_))
        ));
        assert!(matches!(
            ratio((1, 2), (0, 0)),
            Err(Unmeasurable::Undefined(_))
        ));
        assert!(matches!(
            ratio((0, 5), (1, 2)),
            Err(Unmeasurable::NoReferenceHits { .. })
        ));
    }
}
