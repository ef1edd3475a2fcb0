//! The alarm rule by simulation, smaller than the design's runs but able to fail. Same seeds on
//! every machine.

use clause9_shared::judge::Compiled;
use serde_json::json;

use crate::fixture::{SplitMix64, compile, rate, two_rates};

/// At which block of a run a nonconformity was confirmed.
fn confirmed(
    compiled: &Compiled,
    blocks: u32,
    mut block: impl FnMut(
        u32,
    ) -> Result<
        clause9_shared::metric::Estimate,
        clause9_shared::metric::Unmeasurable,
    >,
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
