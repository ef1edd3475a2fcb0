//! The alarm rule by simulation, smaller than the design's runs but able to fail. Same seeds on
//! every machine.

use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Estimate, MetricId, Seen, Unmeasurable};
use clause9_shared::sketch::{
    CutCounts, Hygiene, PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use serde_json::json;

use crate::fixture::{SplitMix64, baseline, compile, document, rate, two_rates};

/// At which block of a run a nonconformity was confirmed.
fn confirmed(
    compiled: &Compiled,
    blocks: u32,
    mut block: impl FnMut(u32) -> Result<Estimate, Unmeasurable>,
) -> Option<u32> {
    let mut state = compiled.start();
    for number in 1..=blocks {
        compiled.step(&mut state, &block(number));
        if state.confirmed_at.is_some() {
            break;
        }
    }
    state.confirmed_at
}

fn median(mut delays: Vec<u32>) -> u32 {
    delays.sort_unstable();
    delays[delays.len() / 2]
}

#[test]
fn at_the_edge_of_conforming_a_false_nonconformity_is_rare() {
    let compiled = compile(&json!({}));
    let mut random = SplitMix64(20_251_121);
    let false_alarms = (0..200)
        .filter(|_| {
            confirmed(&compiled, 300, |_| {
                let hits = random.binomial(200, 0.85);
                rate(hits, 200)
            })
            .is_some()
        })
        .count();
    // The bound is 5 % in 1000 blocks; the design's run has 0.4 %.
    assert!(false_alarms <= 3, "{false_alarms} of 200");
}

#[test]
fn delays_are_those_of_the_design() {
    // Accuracy at least 0.85, 200 labels a block, after 50 good blocks at 0.88.
    let compiled = compile(&json!({}));
    for (accuracy, expected) in [(0.75, 2..=3), (0.80, 5..=9), (0.82, 12..=20)] {
        let mut random = SplitMix64(7);
        let delays: Vec<u32> = (0..100)
            .map(|_| {
                let at = confirmed(&compiled, 250, |number| {
                    let share = if number <= 50 { 0.88 } else { accuracy };
                    rate(random.binomial(200, share), 200)
                });
                at.map_or(250, |at| at.saturating_sub(50))
            })
            .collect();
        let median = median(delays);
        assert!(expected.contains(&median), "{accuracy}: {median}");
    }
}

#[test]
fn parity_at_the_edge_is_quiet_and_half_the_rate_is_found() {
    let compiled = compile(&json!({
        "metric": "demographic_parity_ratio", "of": { "attribute": "sex", "group": "female" },
        "levels": { "action": 0.8 }
    }));
    let mut random = SplitMix64(9);
    let mut run = |share: f64, blocks: u32| {
        confirmed(&compiled, blocks, |_| {
            let reference = random.binomial(170, 0.4);
            let compared = random.binomial(30, share);
            two_rates((reference, 170), (compared, 30))
        })
    };
    let false_alarms = (0..100).filter(|_| run(0.32, 300).is_some()).count();
    assert!(false_alarms <= 3, "{false_alarms} of 100");
    let delays = (0..60).map(|_| run(0.2, 200).unwrap_or(200)).collect();
    let median = median(delays);
    // The design's run: 11.
    assert!((8..=14).contains(&median), "{median}");
}

/// Shares of the baseline's four equal cells, tilted until the index is `psi`.
fn tilted(psi: f64) -> [f64; 4] {
    let law = |tilt: f64| {
        let raw = [-1.5, -0.5, 0.5, 1.5].map(|z| libm::exp(tilt * z));
        raw.map(|r| r / raw.iter().sum::<f64>())
    };
    let index = |q: [f64; 4]| {
        q.iter()
            .map(|q| (q - 0.25) * libm::log(q / 0.25))
            .sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 5.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if index(law(middle)) < psi {
            low = middle;
        } else {
            high = middle;
        }
    }
    law(low)
}

/// One block of 200 rows of a law over the baseline's cells, through the real metric.
fn drawn(random: &mut SplitMix64, law: [f64; 4]) -> Result<Estimate, Unmeasurable> {
    let mut cuts = CutCounts::new(&[30.0, 40.0, 50.0]).unwrap();
    let mut hygiene = Hygiene::new();
    for _ in 0..200 {
        let u = random.uniform();
        let mut below = 0.0;
        let cell = law.iter().position(|share| {
            below += share;
            u < below
        });
        cuts.add(25.0 + 10.0 * cell.unwrap_or(3) as f64);
        hygiene.add_usable(false, false);
    }
    let feature = |kind| SummaryKey::new(SummaryOf::Feature("age".parse().unwrap()), kind);
    let pane = PaneSummary::new(vec![
        (feature(SummaryKind::CutCounts), Summary::CutCounts(cuts)),
        (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
    ]);
    let of = serde_json::from_value(json!({ "feature": "age" })).unwrap();
    MetricId::Psi.measure(Seen {
        document: &document(),
        baseline: &baseline(),
        of: &of,
        summary: &pane,
        beside: clause9_shared::metric::Beside::default(),
    })
}

#[test]
fn drift_at_the_tolerance_is_quiet_and_beyond_it_is_found() {
    let compiled = compile(&json!({
        "metric": "psi", "of": { "feature": "age" }, "comparator": "at_most",
        "levels": { "action": 0.1 }
    }));
    let mut random = SplitMix64(11);
    let edge = tilted(0.1);
    let false_alarms = (0..30)
        .filter(|_| confirmed(&compiled, 60, |_| drawn(&mut random, edge)).is_some())
        .count();
    assert!(false_alarms <= 1, "{false_alarms} of 30");
    let far = tilted(0.35);
    let delays = (0..20)
        .map(|_| confirmed(&compiled, 40, |_| drawn(&mut random, far)).unwrap_or(40))
        .collect();
    let median = median(delays);
    assert!((2..=6).contains(&median), "{median}");
}
