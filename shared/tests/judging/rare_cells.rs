//! Many rare cells beside a large one, in blocks too small for them: the running mean waits, and errs to the
//! side of the breach. Same seeds on every machine.

use clause9_shared::baseline::Baseline;
use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Grade, MetricId, Seen};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::sketch::{
    Categories, Hygiene, PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use clause9_shared::verdict::{Verdict, VerdictState};
use serde_json::json;

use crate::fixture::{SplitMix64, baseline, document, objective};

/// Rare categories beside the large one.
const RARE: usize = 63;
/// Share of the large one.
const LARGE: f64 = 0.94;

/// A system with one feature of categories, and its reference of 40,000 rows.
struct Room {
    document: Document,
    baseline: Baseline,
    of: Subject,
    names: Vec<String>,
}

impl Room {
    fn new() -> Self {
        let names: Vec<String> = (0..=RARE).map(|i| format!("k{i:02}")).collect();
        let mut text = serde_json::to_value(document()).unwrap();
        text["features"] = json!([
            { "name": "kind", "type": "categorical", "from": { "input": "kind" } }
        ]);
        let mut frozen = serde_json::to_value(baseline()).unwrap();
        let rare = 38;
        let mut counts = vec![40_000 - rare * RARE as u64];
        counts.extend([rare; RARE]);
        frozen["rows"] = json!(40_000);
        frozen["features"] = json!({ "kind": {
            "kind": "categorical", "categories": names, "counts": counts, "other": 0, "missing": 0
        } });
        Self {
            document: serde_json::from_value(text).unwrap(),
            baseline: serde_json::from_value(frozen).unwrap(),
            of: serde_json::from_value(json!({ "feature": "kind" })).unwrap(),
            names,
        }
    }

    fn compile(&self, metric: MetricId, level: f64) -> Compiled {
        let objective = objective(&json!({
            "metric": metric.spec().name, "of": { "feature": "kind" }, "comparator": "at_most",
            "levels": { "action": level }, "min_support": 100
        }));
        Compiled::new(&self.document, &objective, &self.baseline).unwrap()
    }

    /// The share of the rare categories, which take turns to have two multiples of their usual one; the rest
    /// is the large one's.
    fn law(multiples: [f64; 2]) -> Vec<f64> {
        let usual = (1.0 - LARGE) / RARE as f64;
        let rare = (0..RARE).map(|i| usual * multiples[i % 2]);
        let mut law = vec![1.0 - rare.clone().sum::<f64>()];
        law.extend(rare);
        law
    }

    fn block(&self, random: &mut SplitMix64, law: &[f64], rows: usize) -> PaneSummary {
        let mut found = Categories::new(&self.names).unwrap();
        let mut hygiene = Hygiene::new();
        for _ in 0..rows {
            let (u, mut below) = (random.uniform(), 0.0);
            found.add(law.iter().position(|share| {
                below += share;
                u < below
            }));
            hygiene.add_usable(false, false);
        }
        let feature = |kind| SummaryKey::new(SummaryOf::Feature("kind".parse().unwrap()), kind);
        PaneSummary::new(vec![
            (feature(SummaryKind::Categories), Summary::Categories(found)),
            (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
        ])
    }

    /// The verdicts of so many blocks of 500 rows each.
    fn judge(&self, compiled: &Compiled, seed: u64, law: &[f64], blocks: usize) -> Vec<Verdict> {
        let mut random = SplitMix64(seed);
        let mut state = compiled.start();
        let each = (0..blocks).map(|_| {
            let summary = self.block(&mut random, law, 500);
            let (window, _) = compiled.take(
                &mut state,
                Seen {
                    document: &self.document,
                    baseline: &self.baseline,
                    of: &self.of,
                    summary: &summary,
                    beside: clause9_shared::metric::Beside::default(),
                },
            );
            compiled.verdict(&state, &window)
        });
        each.collect()
    }
}

/// The distance of a law from the usual one, on the metric's own scale.
fn truth(metric: MetricId, law: &[f64]) -> f64 {
    let usual = Room::law([1.0, 1.0]);
    let sum = |term: fn(f64, f64) -> f64| -> f64 {
        law.iter().zip(&usual).map(|(q, p)| term(*q, *p)).sum()
    };
    let psi = sum(|q, p| (q - p) * libm::log(q / p));
    let js = sum(|q, p| {
        let m = 0.5 * (q + p);
        0.5 * (q * libm::log(q / m) + p * libm::log(p / m))
    });
    let known = [
        (MetricId::JsDistance, (js / core::f64::consts::LN_2).sqrt()),
        (
            MetricId::Hellinger,
            (0.5 * sum(|q, p| (q.sqrt() - p.sqrt()).powi(2))).sqrt(),
        ),
        (MetricId::Kl, sum(|q, p| q * libm::log(q / p))),
        (MetricId::Chi2Distance, sum(|q, p| (q - p) * (q - p) / p)),
        (MetricId::TotalVariation, 0.5 * sum(|q, p| (q - p).abs())),
    ];
    let found = known.iter().find(|(known, _)| *known == metric);
    found.map_or(psi, |(_, truth)| *truth)
}

const DIVERGENCES: [MetricId; 6] = [
    MetricId::Psi,
    MetricId::JsDistance,
    MetricId::Hellinger,
    MetricId::Kl,
    MetricId::Chi2Distance,
    MetricId::TotalVariation,
];

#[test]
fn drift_above_the_level_among_rare_categories_never_conforms() {
    let room = Room::new();
    // Half of them twice as frequent and half nearly gone; and all of them halved.
    for (multiples, runs) in [([2.2, 0.2], 6), ([1.96, 0.04], 6), ([0.5, 0.5], 6)] {
        let law = Room::law(multiples);
        for metric in DIVERGENCES {
            let compiled = room.compile(metric, truth(metric, &law) / 1.1);
            for seed in 0..runs {
                let verdicts = room.judge(&compiled, 77 + seed, &law, 60);
                let false_ones = verdicts
                    .iter()
                    .filter(|v| v.state == VerdictState::Conforming);
                assert_eq!(
                    false_ones.count(),
                    0,
                    "{} {multiples:?}",
                    metric.spec().name
                );
            }
        }
    }
}

#[test]
fn no_drift_among_rare_categories_conforms_once_they_are_supported() {
    let room = Room::new();
    let usual = Room::law([1.0, 1.0]);
    for (metric, level) in [
        (MetricId::Psi, 0.1),
        (MetricId::JsDistance, 0.2),
        (MetricId::Hellinger, 0.2),
        (MetricId::Kl, 0.2),
        (MetricId::Chi2Distance, 0.4),
    ] {
        let compiled = room.compile(metric, level);
        let verdicts = room.judge(&compiled, 5, &usual, 100);
        let last = verdicts.last().unwrap();
        assert_eq!(last.state, VerdictState::Conforming, "{}", last.because);
        // What shows it is a normal approximation, whatever the ledger is.
        assert_eq!((compiled.grade, last.grade), (Grade::A, Grade::B));
        let first = &verdicts[0];
        assert_eq!(first.running, None, "{}", metric.spec().name);
        assert_ne!(first.state, VerdictState::Conforming);
        assert_eq!(
            first.needed,
            Some(compiled.approximates_from - 500),
            "{}",
            first.because
        );
    }
}

#[test]
fn a_level_that_the_references_own_scatter_reaches_by_half_is_refused() {
    let room = Room::new();
    let compiled = |level: f64| {
        let objective = objective(&json!({
            "metric": "total_variation", "of": { "feature": "kind" }, "comparator": "at_most",
            "levels": { "action": level }
        }));
        Compiled::new(&room.document, &objective, &room.baseline)
    };
    // 40,000 rows in 66 cells are off by 0.0043 on average; two cells would be off by 0.002.
    let refused = compiled(0.008).unwrap_err().to_string();
    assert!(refused.contains("set it to at least 0.0087"), "{refused}");
    assert!(compiled(0.009).is_ok());
}
