//! Many features at once: which have drifted, and whether any has.

use clause9_shared::bet::fixed::{self, ONE};
use clause9_shared::ledger::many;

#[test]
fn the_mean_of_ledgers_pays_for_the_number_of_features() {
    let evidence = [2 * ONE, -5 * ONE, 9 * ONE];
    assert_eq!(
        many::any_of(&evidence),
        Some(9 * ONE - fixed::threshold(3.0))
    );
    assert_eq!(many::any_of(&[]), None);
}

#[test]
fn those_are_named_whose_evidence_stands_the_number_named() {
    // 20 features, 1000 steps, alpha 0.05: the k-th needs ln(20 * 1000 / (0.05 k)).
    let needed = |k: f64| fixed::threshold(20.0 * 1000.0 / (0.05 * k));
    let mut evidence = vec![-ONE; 20];
    evidence[4] = needed(1.0) - 1;
    assert_eq!(many::which(&evidence, 1000, 0.05), Vec::<usize>::new());
    evidence[4] = needed(1.0);
    assert_eq!(many::which(&evidence, 1000, 0.05), [4]);
    // Neither would be named alone, but two together are.
    evidence[4] = needed(2.0);
    evidence[17] = needed(2.0) + ONE;
    assert_eq!(many::which(&evidence, 1000, 0.05), [4, 17]);
    evidence[17] = needed(1.0) - ONE;
    assert_eq!(many::which(&evidence, 1000, 0.05), Vec::<usize>::new());
}

#[test]
fn the_share_of_false_names_is_below_alpha() {
    // e-values that are worst for the rule: 1/a with chance a, else 0; 10 false and 10 true ones.
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 11) as f64 / 9_007_199_254_740_992.0
    };
    let (mut false_share, runs) = (0.0, 4000);
    for _ in 0..runs {
        // In one cycle a ledger's evidence may reach a level A with chance H/A.
        let steps = 100_u32;
        let evidence: Vec<i64> = (0..20)
            .map(|i| {
                if i < 10 {
                    let e = f64::from(steps) / uniform();
                    fixed::payoff(libm::log(e).min(40.0))
                } else {
                    30 * ONE
                }
            })
            .collect();
        let named = many::which(&evidence, steps, 0.05);
        let wrong = named.iter().filter(|i| **i < 10).count();
        false_share += wrong as f64 / named.len().max(1) as f64;
    }
    let rate = false_share / f64::from(runs);
    assert!(rate <= 0.05 && rate > 0.005, "{rate}");
}
