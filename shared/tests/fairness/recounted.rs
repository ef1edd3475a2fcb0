//! Intervals by counting again: which metrics have one, and how often they hold the truth.

use std::collections::BTreeSet;

use clause9_shared::digest::Digest;
use clause9_shared::ids::Name;
use clause9_shared::metric::{
    Beside, IntervalFrom, MetricId, Needs, Resampling, Seen, recounted, recounts,
};
use clause9_shared::objective::document::Subject;
use clause9_shared::sketch::PaneSummary;

use crate::case::{Row, baseline, document, pane, windows};

fn subject(attribute: &str, group: Option<&str>) -> Subject {
    Subject {
        attribute: Some(Name::new(attribute).unwrap()),
        group: group.map(str::to_owned),
        ..Subject::default()
    }
}

/// Value and interval of a metric, if it is counted again.
fn interval(pane: &PaneSummary, metric: MetricId, of: &Subject) -> Option<(f64, (f64, f64))> {
    let (document, baseline) = (document(), baseline());
    let seen = Seen {
        document: &document,
        baseline: &baseline,
        of,
        summary: pane,
        beside: Beside::default(),
    };
    let key = recounts(metric, &seen)?;
    let by = Resampling {
        resamples: 199,
        baseline: Digest::of(b"baseline"),
    };
    let value = metric.measure(seen).ok()?.value;
    let found = recounted(seen, &key, &[(metric, of.clone())], &by);
    Some((value, found.into_iter().next().flatten()?))
}

#[test]
fn every_metric_that_says_so_is_counted_again_and_no_other_is() {
    let (document, baseline) = (document(), baseline());
    let mut counted = BTreeSet::new();
    for metric in MetricId::ALL {
        let of = subject("sex", Some("female"));
        let seen = Seen {
            document: &document,
            baseline: &baseline,
            of: &of,
            summary: &PaneSummary::default(),
            beside: Beside::default(),
        };
        let spec = metric.spec();
        let is = recounts(*metric, &seen).is_some();
        assert_eq!(
            is,
            spec.interval == IntervalFrom::Recounting,
            "{}",
            spec.name
        );
        counted.extend(is.then_some(spec.name));
    }
    assert!(counted.len() > 50, "{counted:?}");
}

#[test]
fn intervals_of_a_real_data_set_hold_their_values_and_are_the_same_each_time() {
    let (_, rows) = windows().swap_remove(4);
    let pane = pane(&rows);
    let mut found = 0;
    for metric in MetricId::ALL {
        let spec = metric.spec();
        let of = match spec.needs {
            Needs::Attribute => subject("sex_age_band", None),
            Needs::AttributeGroup | Needs::Group => subject("sex", Some("female")),
            Needs::Nothing
            | Needs::Feature
            | Needs::NumericFeature
            | Needs::CategoricalFeature
            | Needs::Class
            | Needs::ClassOfGroup
            | Needs::ClassOfAttributeGroup => continue,
        };
        let Some((value, (low, high))) = interval(&pane, *metric, &of) else {
            continue;
        };
        let name = spec.name;
        assert!(
            low <= value && value <= high,
            "{name}: {low} {value} {high}"
        );
        assert!(spec.range.0 <= low && high <= spec.range.1, "{name}");
        assert!(high - low > 1e-4, "{name}: {low} to {high}");
        let again = interval(&pane, *metric, &of).unwrap().1;
        assert_eq!(
            (low.to_bits(), high.to_bits()),
            (again.0.to_bits(), again.1.to_bits())
        );
        found += 1;
    }
    assert!(found > 35, "{found}");
}

/// Steele, Lea and Flood's `SplitMix64`.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / 2.0_f64.powi(64)
    }
}

/// Cases whose labels come with the chance that `law` makes of their scores, in groups that are alike but
/// for how often young women are decided otherwise than their score says.
fn drawn(random: &mut Random, law: fn(f64) -> f64, wronged: f64) -> Vec<Row> {
    let row = |random: &mut Random| {
        let (sex, age) = (random.unit() < 0.5, random.unit() < 0.4);
        let score = random.unit();
        let flipped = sex && age && random.unit() < wronged;
        let sex = if sex { "female" } else { "male" };
        let age = if age { "25_or_younger" } else { "over_25" };
        Row {
            label: random.unit() < law(score),
            decision: (score >= 0.5) != flipped,
            score,
            groups: [
                Some(sex.to_owned()),
                Some(age.to_owned()),
                Some(format!("{sex} & {age}")),
            ],
        }
    };
    (0..600).map(|_| row(random)).collect()
}

/// In how many of so many windows the interval holds the truth.
fn held(
    windows: usize,
    metric: &str,
    of: &Subject,
    law: (fn(f64) -> f64, f64),
    truth: f64,
) -> usize {
    let metric = MetricId::by_name(metric).unwrap();
    let mut random = Random(7);
    let mut window = || {
        let pane = pane(&drawn(&mut random, law.0, law.1));
        let (_, (low, high)) = interval(&pane, metric, of).unwrap();
        low <= truth && truth <= high
    };
    (0..windows).filter(|_| window()).count()
}

#[test]
fn intervals_hold_the_truth_where_nothing_is_wrong_and_where_something_is() {
    let right: fn(f64) -> f64 = |score| score;
    // Half the square: labels are half as far from 1/2 as scores.
    let timid: fn(f64) -> f64 = |score| 0.25 + 0.5 * score;
    let groups = subject("sex_age_band", None);
    let women = subject("sex", Some("female"));
    for (metric, of, law, truth) in [
        (
            "demographic_parity_difference.spread",
            &groups,
            (right, 0.0),
            0.0,
        ),
        (
            "demographic_parity_ratio.spread",
            &groups,
            (right, 0.0),
            1.0,
        ),
        (
            "equalised_odds_difference.spread",
            &groups,
            (right, 0.0),
            0.0,
        ),
        ("accuracy_difference.spread", &groups, (right, 0.0), 0.0),
        // Three of four are right; of young women as many as are decided as their score says, and one of four
        // of the others: 0.75 * 0.6 + 0.25 * 0.4 = 0.55.
        ("accuracy_difference.spread", &groups, (right, 0.4), 0.2),
        ("accuracy_ratio.spread", &groups, (right, 0.4), 0.55 / 0.75),
        ("ece.group", &women, (right, 0.0), 0.0),
        // The mean distance of 1/4 + x/2 from x.
        ("ece.group", &women, (timid, 0.0), 0.125),
        (
            "calibration_error_debiased.group",
            &women,
            (right, 0.0),
            0.0,
        ),
        (
            "calibration_error_debiased.group",
            &women,
            (timid, 0.0),
            1.0 / 48.0,
        ),
    ] {
        let found = held(100, metric, of, law, truth);
        assert!(found >= 90, "{metric} {truth}: {found} of 100");
    }
}
