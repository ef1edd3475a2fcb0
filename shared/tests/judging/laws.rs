//! What holds for every sequence of blocks.

use clause9_shared::judge::{Compiled, LedgerState, Step};
use clause9_shared::metric::{Estimate, Unmeasurable};
use clause9_shared::nonconformity::{Candidate, Lifecycle, MachineEvent, Nonconformity};
use clause9_shared::verdict::{Verdict, VerdictState};
use clause9_shared::{bet, canonical};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{baseline, compile, document, objective, rate, two_rates};

fn parity() -> Compiled {
    compile(&json!({
        "metric": "demographic_parity_ratio", "of": { "attribute": "sex", "group": "female" },
        "levels": { "action": 0.8, "alert": 0.9 }
    }))
}

fn nothing() -> impl Strategy<Value = Result<Estimate, Unmeasurable>> {
    prop_oneof![
        Just(Err(Unmeasurable::NoData)),
        Just(Err(Unmeasurable::Undefined("no positive case"))),
        Just(Err(Unmeasurable::LacksSummary("confusion".to_owned()))),
    ]
}

proptest! {
    #[test]
    fn missing_data_never_becomes_conforming(
        blocks in prop::collection::vec(nothing(), 0..60),
        few in 0_u64..50,
        window in nothing(),
    ) {
        let compiled = compile(&json!({ "margin": 0.85 }));
        let mut state = compiled.start();
        for block in &blocks {
            compiled.step(&mut state, block);
        }
        let found = compiled.verdict(&state, &window);
        prop_assert_eq!(found.state, VerdictState::NoData);
        // Fewer cases than the least support, all of them good, under the most lenient margin.
        compiled.step(&mut state, &rate(few, few));
        let found = compiled.verdict(&state, &rate(few, few));
        prop_assert_ne!(found.state, VerdictState::Conforming);
        prop_assert_eq!(state.blocks as usize, blocks.len() + 1);
    }

    #[test]
    fn evidence_does_not_depend_on_who_counted(
        blocks in prop::collection::vec(prop::collection::vec((0_u64..40, 0_u64..40), 1..5), 1..20),
    ) {
        let compiled = parity();
        let (mut one, mut other) = (compiled.start(), compiled.start());
        for shards in &blocks {
            let sum = |shards: &mut dyn Iterator<Item = &(u64, u64)>| {
                shards.fold((0, 0), |s, (hits, misses)| (s.0 + hits, s.1 + hits + misses))
            };
            let forward = sum(&mut shards.iter());
            let backward = sum(&mut shards.iter().rev());
            let a = compiled.step(&mut one, &two_rates(forward, (forward.0 / 2, forward.1)));
            let b = compiled.step(&mut other, &two_rates(backward, (backward.0 / 2, backward.1)));
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn state_and_steps_read_back_from_canonical_json_as_they_were(
        blocks in prop::collection::vec((0_u64..200, 1_u64..200), 0..20),
    ) {
        let compiled = parity();
        let mut state = compiled.start();
        for (hits, misses) in blocks {
            let block = two_rates((hits, hits + misses), (hits / 3, hits + misses));
            let step = compiled.step(&mut state, &block);
            let text = canonical::to_json(&step).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Step>(&text).unwrap(), &step);
            let verdict = compiled.verdict(&state, &block);
            let text = canonical::to_json(&verdict).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Verdict>(&text).unwrap(), &verdict);
        }
        let text = canonical::to_json(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<LedgerState>(&text).unwrap(), state);
    }

    #[test]
    fn a_step_can_be_checked_with_integers_alone(
        blocks in prop::collection::vec((0_u64..100, 1_u64..100, 0_u64..100, 1_u64..100), 1..20),
    ) {
        // An auditor has the blocks' counts and the recorded payoffs, and no logarithm.
        let compiled = parity();
        let mut state = compiled.start();
        let mut sums = [i64::MIN / 2; bet::BETS];
        for (a, a_miss, b, b_miss) in blocks {
            let step = compiled.step(&mut state, &two_rates((a, a + a_miss), (b, b + b_miss)));
            let Some(bet::Payoffs::TwoRates { rows }) = &step.payoffs else {
                panic!("no payoffs recorded")
            };
            for (sum, row) in sums.iter_mut().zip(rows) {
                let counts = [a, a_miss, b, b_miss].map(|c| i64::try_from(c).unwrap());
                let gain: i64 = row.iter().zip(counts).map(|(pays, count)| pays * count).sum();
                *sum = (*sum).max(0) + gain;
            }
            let price = bet::fixed::threshold(4.0);
            prop_assert_eq!(step.evidence, sums.iter().max().unwrap() - price);
        }
    }
}

#[test]
fn absurd_counts_saturate() {
    let compiled = compile(&json!({}));
    let mut state = compiled.start();
    for _ in 0..4 {
        let step = compiled.step(&mut state, &rate(0, u64::MAX / 2));
        assert!(step.evidence > compiled.nonconformity_at);
    }
    for _ in 0..4 {
        compiled.step(&mut state, &rate(u64::MAX / 2, u64::MAX / 2));
    }
    assert!(state.action.evidence() < 0);
    let text = canonical::to_json(&state).unwrap();
    assert_eq!(serde_json::from_str::<LedgerState>(&text).unwrap(), state);
}

#[test]
fn a_compiled_objective_is_named_by_what_it_says() {
    let compiled = compile(&json!({}));
    assert_eq!(compiled.digest(), compile(&json!({})).digest());
    for change in [
        json!({ "levels": { "action": 0.851 } }),
        json!({ "alpha": 0.01 }),
        json!({ "cycle": "999d" }),
        json!({ "owner": "someone else" }),
    ] {
        assert_ne!(compiled.digest(), compile(&change).digest(), "{change}");
    }
    let text = canonical::to_json(&compiled).unwrap();
    assert_eq!(serde_json::from_str::<Compiled>(&text).unwrap(), compiled);
    // Frozen: a change here is a change of every ledger in the field.
    expect_test::expect![[r#"{"kind":"rate","level":0.85,"comparator":"at_least","payoffs":[[-158114811,800279444],[-370130388,1648519829],[-871624289,3063814438],[-2018650217,4893832982]]}"#]].assert_eq(&serde_json::to_string(&compiled.action).unwrap());
    assert_eq!(compiled.steps_per_cycle, 1000);
}

#[test]
fn objectives_without_a_bet_are_refused_with_advice() {
    let psi = json!({
        "metric": "psi", "of": { "feature": "age" }, "comparator": "at_most",
        "levels": { "action": 0.001 }
    });
    let missing = json!({
        "metric": "missing_rate", "of": { "feature": "age" }, "comparator": "at_most",
        "levels": { "action": 0.0 }
    });
    for (change, advice) in [
        (json!({ "levels": { "action": 1.0 } }), "as 0.999"),
        (missing, "as 0.001"),
        (psi, "at least 0.0016"),
        (json!({ "alpha": 0.0 }), "as 0.05"),
    ] {
        let refused = Compiled::new(&document(), &objective(&change), &baseline());
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(advice) && why.contains("version 1"), "{why}");
    }
}

#[test]
fn the_machine_proposes_and_does_nothing_else() {
    let compiled = compile(&json!({}));
    let system = document().system.id;
    let mut state = compiled.start();
    let block = rate(120, 200);
    let before = compiled.verdict(&state, &block);
    assert_eq!(Candidate::of(&system, &compiled, 1, &before), None);
    compiled.step(&mut state, &block);
    let verdict = compiled.verdict(&state, &block);
    let candidate = Candidate::of(&system, &compiled, 1, &verdict).unwrap();
    let again = MachineEvent::SeenAgain {
        fingerprint: candidate.fingerprint,
        block: 2,
        evidence: candidate.evidence + 1,
    };
    let raised = MachineEvent::Raised {
        candidate: candidate.clone(),
    };
    let found = Nonconformity::fold([&raised, &again, &raised, &again]).unwrap();
    assert_eq!(found.state, Lifecycle::Candidate);
    assert_eq!((found.seen_again, found.last_block), (3, 2));
    assert_eq!(Nonconformity::fold([&again]), None);
    let later = Candidate::of(&system, &compiled, 2, &verdict).unwrap();
    assert_ne!(later.fingerprint, candidate.fingerprint);
    let text = canonical::to_json(&raised).unwrap();
    assert_eq!(serde_json::from_str::<MachineEvent>(&text).unwrap(), raised);
}
