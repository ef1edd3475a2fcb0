//! Metrics through the real summaries.

use clause9_shared::ids::Name;
use clause9_shared::metric::{MetricId, Sample, Seen, Unmeasurable};
use clause9_shared::objective::document::Subject;
use clause9_shared::sketch::{
    Confusion, CutCounts, Hygiene, PaneSummary, ScoreCells, Summary, SummaryKey, SummaryKind,
    SummaryOf,
};

use crate::fixture::{SplitMix64, baseline, document};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn age() -> Subject {
    Subject {
        feature: Some(name("age")),
        ..Subject::default()
    }
}

fn female() -> Subject {
    Subject {
        attribute: Some(name("sex")),
        group: Some("female".to_owned()),
        ..Subject::default()
    }
}

/// Every summary the five metrics read, as two outcomes and four rows leave them.
fn pane() -> PaneSummary {
    let mut cuts = CutCounts::new(&[30.0, 40.0, 50.0]).unwrap();
    let mut hygiene = Hygiene::new();
    for x in [25.0, 35.0, 60.0] {
        cuts.add(x);
        hygiene.add_usable(false, false);
    }
    hygiene.add_missing();
    let mut by_label = Confusion::new(1).unwrap();
    let mut scores = ScoreCells::new(1).unwrap();
    for (score, label) in [(0.9, true), (0.8, true), (0.7, false), (0.2, false)] {
        by_label.add(Some(label), Some(score >= 0.5), Some(0));
        scores.add(Some(score), Some(label), Some(0));
    }
    by_label.add(None, Some(true), Some(0));
    by_label.add(Some(true), None, Some(0));
    let mut by_sex = Confusion::new(2).unwrap();
    for (decision, group) in [
        (true, Some(0)),
        (false, Some(0)),
        (true, Some(1)),
        (false, Some(1)),
        (false, Some(1)),
        (false, Some(1)),
        (true, None),
    ] {
        by_sex.add(None, Some(decision), group);
    }
    let feature = |kind| SummaryKey::new(SummaryOf::Feature(name("age")), kind);
    PaneSummary::new(vec![
        (feature(SummaryKind::CutCounts), Summary::CutCounts(cuts)),
        (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
        (
            SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion),
            Summary::Confusion(by_label),
        ),
        (
            SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells),
            Summary::ScoreCells(scores),
        ),
        (
            SummaryKey::new(
                SummaryOf::Decision(Some(name("sex"))),
                SummaryKind::Confusion,
            ),
            Summary::Confusion(by_sex),
        ),
    ])
}

fn of(metric: MetricId) -> Subject {
    match metric {
        MetricId::MissingRate | MetricId::Psi => age(),
        MetricId::Accuracy | MetricId::RocAuc => Subject::default(),
        MetricId::DemographicParityRatio => female(),
    }
}

fn value(metric: MetricId, pane: &PaneSummary) -> Result<f64, Unmeasurable> {
    let (document, baseline, of) = (document(), baseline(), of(metric));
    let seen = Seen {
        document: &document,
        baseline: &baseline,
        of: &of,
        summary: pane,
    };
    metric.measure(seen).map(|estimate| estimate.value)
}

#[test]
fn each_metric_counts_what_its_card_says() {
    let pane = pane();
    for (metric, expected) in [
        (MetricId::MissingRate, 0.25),
        (MetricId::Accuracy, 0.75),
        (MetricId::RocAuc, 1.0),
        (MetricId::DemographicParityRatio, 0.5),
    ] {
        let found = value(metric, &pane).unwrap();
        assert!((found - expected).abs() < 1e-12, "{metric:?} {found}");
    }
    assert!(value(MetricId::Psi, &pane).unwrap().is_finite());
}

#[test]
fn each_metric_reads_the_summaries_it_asks_for_and_says_which_one_lacks() {
    let full = pane();
    for metric in MetricId::ALL {
        let keys = metric.reads(&document(), &of(*metric));
        assert!(!keys.is_empty());
        assert!(keys.iter().all(|key| full.get(key).is_some()), "{metric:?}");
        let without = full
            .iter()
            .filter(|(key, _)| !keys.contains(key))
            .map(|(key, summary)| (key.clone(), summary.clone()))
            .collect();
        let refused = value(*metric, &PaneSummary::new(without)).unwrap_err();
        assert!(
            matches!(refused, Unmeasurable::LacksSummary(_)),
            "{refused}"
        );
    }
}

#[test]
fn an_idle_pane_is_no_data_for_every_metric() {
    let zeroed = pane()
        .iter()
        .map(|(key, summary)| {
            let empty = match summary {
                Summary::CutCounts(cuts) => {
                    Summary::CutCounts(CutCounts::new(cuts.cuts()).unwrap())
                }
                Summary::Hygiene(_) => Summary::Hygiene(Hygiene::new()),
                Summary::Confusion(c) => Summary::Confusion(Confusion::new(c.groups()).unwrap()),
                Summary::ScoreCells(s) => Summary::ScoreCells(ScoreCells::new(s.groups()).unwrap()),
                Summary::Histogram(_) | Summary::Categories(_) => summary.clone(),
            };
            (key.clone(), empty)
        })
        .collect();
    let idle = PaneSummary::new(zeroed);
    for metric in MetricId::ALL {
        assert_eq!(
            value(*metric, &idle),
            Err(Unmeasurable::NoData),
            "{metric:?}"
        );
    }
}

#[test]
fn the_area_from_cells_is_within_its_bound_of_the_area_from_scores() {
    let mut random = SplitMix64(3);
    for _ in 0..50 {
        let mut cells = ScoreCells::new(1).unwrap();
        let (mut positive, mut negative) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let label = random.uniform() < 0.3;
            let score = (random.uniform() + f64::from(u8::from(label)) * 0.4) / 1.4;
            cells.add(Some(score), Some(label), Some(0));
            if label { &mut positive } else { &mut negative }.push(score);
        }
        let pairs = (positive.len() * negative.len()) as f64;
        let wins: f64 = positive
            .iter()
            .flat_map(|p| negative.iter().map(move |n| f64::from(u8::from(p > n))))
            .sum();
        let bound: f64 = cells
            .cells(Some(0))
            .map(|cell| cell.count.positive as f64 * cell.count.negative as f64)
            .sum::<f64>()
            / pairs
            / 2.0;
        let key = SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells);
        let pane = PaneSummary::new(vec![(key, Summary::ScoreCells(cells))]);
        let found = value(MetricId::RocAuc, &pane).unwrap();
        assert!((found - wins / pairs).abs() <= bound + 1e-12);
    }
}

#[test]
fn an_unchanged_feature_has_an_index_around_zero() {
    let mut random = SplitMix64(4);
    let mut values = Vec::new();
    for _ in 0..200 {
        let mut cuts = CutCounts::new(&[30.0, 40.0, 50.0]).unwrap();
        let mut hygiene = Hygiene::new();
        for _ in 0..500 {
            cuts.add(20.0 + 40.0 * random.uniform());
            hygiene.add_usable(false, false);
        }
        let feature = |kind| SummaryKey::new(SummaryOf::Feature(name("age")), kind);
        let pane = PaneSummary::new(vec![
            (feature(SummaryKind::CutCounts), Summary::CutCounts(cuts)),
            (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
        ]);
        let (document, baseline, of) = (document(), baseline(), age());
        let seen = Seen {
            document: &document,
            baseline: &baseline,
            of: &of,
            summary: &pane,
        };
        let estimate = MetricId::Psi.measure(seen).unwrap();
        let Sample::Normal { std_error, .. } = estimate.sample else {
            panic!("an index is a normal sample")
        };
        assert!(std_error > 0.0);
        values.push(estimate.value);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // Uncorrected it would be 4/476 = 0.0084 (five cells); the empty fifth cell makes it lower.
    assert!(mean.abs() < 0.003, "{mean}");
}
