//! The table of verdicts, row by row, and that an upper row wins over a lower one.

use clause9_shared::judge::{Compiled, LedgerState};
use clause9_shared::metric::{Estimate, Unmeasurable};
use clause9_shared::verdict::{Verdict, VerdictState};
use serde_json::json;

use crate::fixture::{compile, normal, rate, two_rates};

type Block = Result<Estimate, Unmeasurable>;

fn run(compiled: &Compiled, blocks: &[Block]) -> LedgerState {
    let mut state = compiled.start();
    for block in blocks {
        compiled.step(&mut state, block);
    }
    state
}

fn verdict_after(compiled: &Compiled, blocks: &[Block], window: &Block) -> Verdict {
    compiled.verdict(&run(compiled, blocks), window)
}

#[test]
fn each_state_comes_from_its_row_of_the_table() {
    let compiled = compile(&json!({}));
    let good = rate(190, 200);
    let empty = rate(0, 0);
    let table: Vec<(&str, Vec<Block>, Block, VerdictState)> = vec![
        (
            "nothing at all",
            vec![],
            empty.clone(),
            VerdictState::NoData,
        ),
        (
            "only empty blocks",
            vec![empty.clone(); 5],
            empty.clone(),
            VerdictState::NoData,
        ),
        (
            "a few good cases",
            vec![rate(20, 20)],
            rate(20, 20),
            VerdictState::Inconclusive,
        ),
        (
            "good, but not yet clear of the level",
            vec![rate(174, 200)],
            rate(174, 200),
            VerdictState::Inconclusive,
        ),
        (
            "good for long",
            vec![good.clone(); 20],
            good.clone(),
            VerdictState::Conforming,
        ),
        (
            "good for long, then one window beneath",
            [vec![good.clone(); 20], vec![rate(166, 200)]].concat(),
            rate(166, 200),
            VerdictState::Watch,
        ),
        (
            "the window is good, the mean is not",
            vec![rate(160, 200), rate(172, 200)],
            rate(172, 200),
            VerdictState::Watch,
        ),
        (
            "evidence between the thresholds",
            vec![rate(150, 200)],
            rate(150, 200),
            VerdictState::Watch,
        ),
        (
            "evidence past the warning",
            vec![rate(145, 200)],
            rate(145, 200),
            VerdictState::Warning,
        ),
        (
            "evidence past the nonconformity",
            vec![rate(120, 200)],
            rate(120, 200),
            VerdictState::Nonconforming,
        ),
    ];
    for (what, blocks, window, expected) in table {
        let verdict = verdict_after(&compiled, &blocks, &window);
        assert_eq!(verdict.state, expected, "{what}: {verdict:?}");
        assert!(!verdict.because.is_empty());
    }
}

#[test]
fn a_confirmed_breach_stays_whatever_comes_after() {
    let compiled = compile(&json!({}));
    let mut blocks = vec![rate(190, 200); 3];
    blocks.push(rate(120, 200));
    blocks.extend(vec![rate(200, 200); 50]);
    blocks.push(rate(0, 0));
    let verdict = verdict_after(&compiled, &blocks, &rate(200, 200));
    assert_eq!(verdict.state, VerdictState::Nonconforming);
    assert_eq!((verdict.confirmed_at, verdict.since), (Some(4), Some(4)));
    assert!(verdict.evidence < verdict.nonconformity_at);
}

#[test]
fn the_onset_is_the_block_after_the_last_reset() {
    let compiled = compile(&json!({}));
    let mut blocks = vec![rate(180, 200); 10];
    blocks.extend(vec![rate(160, 200); 12]);
    let verdict = verdict_after(&compiled, &blocks, &rate(160, 200));
    assert_eq!(verdict.state, VerdictState::Nonconforming, "{verdict:?}");
    assert_eq!(verdict.since, Some(11));
    assert!(verdict.confirmed_at > Some(12));
}

#[test]
fn the_alert_level_can_only_warn() {
    let compiled = compile(&json!({ "levels": { "action": 0.85, "alert": 0.93 } }));
    // 0.88 for long: far below the alert level, well above the action level.
    let verdict = verdict_after(&compiled, &vec![rate(176, 200); 200], &rate(176, 200));
    assert_eq!(verdict.state, VerdictState::Warning);
    assert!(verdict.alert_evidence.unwrap() > verdict.nonconformity_at);
    assert!(verdict.evidence < 0);
    assert!(verdict.because.contains("alert level 0.93"));
}

#[test]
fn a_window_below_the_least_support_is_no_measurement() {
    let compiled = compile(&json!({}));
    let verdict = verdict_after(&compiled, &[rate(3, 10)], &rate(3, 10));
    assert_eq!(verdict.state, VerdictState::Inconclusive);
    assert!(verdict.needed >= Some(40));
    assert!(
        verdict
            .because
            .contains("fewer than the least support of 50")
    );
}

#[test]
fn what_was_measured_long_ago_does_not_make_the_present_conform() {
    let compiled = compile(&json!({ "label_delay": "2d" }));
    let mut blocks = vec![rate(190, 200); 20];
    blocks.extend(vec![rate(0, 0); 2]);
    let still = verdict_after(&compiled, &blocks, &rate(0, 0));
    assert_eq!(still.state, VerdictState::Conforming);
    blocks.push(rate(0, 0));
    let verdict = verdict_after(&compiled, &blocks, &rate(0, 0));
    assert_eq!(verdict.state, VerdictState::Inconclusive);
    assert!(verdict.because.contains("no longer speaks for now"));
}

#[test]
fn a_margin_counts_for_conforming_and_for_nothing_else() {
    let exact = compile(&json!({}));
    let lenient = compile(&json!({ "margin": 0.03 }));
    let blocks = vec![rate(171, 200); 20];
    let window = rate(171, 200);
    assert_eq!(
        verdict_after(&exact, &blocks, &window).state,
        VerdictState::Inconclusive
    );
    assert_eq!(
        verdict_after(&lenient, &blocks, &window).state,
        VerdictState::Conforming
    );
    let beneath = verdict_after(&lenient, &blocks, &rate(168, 200));
    assert_eq!(beneath.state, VerdictState::Watch);
}

#[test]
fn upper_levels_are_the_mirror_of_lower_ones() {
    let compiled = compile(&json!({
        "metric": "missing_rate", "of": { "feature": "age" }, "comparator": "at_most",
        "levels": { "action": 0.02, "alert": 0.01 }
    }));
    for (blocks, expected) in [
        (vec![rate(2, 1000); 10], VerdictState::Conforming),
        (vec![rate(22, 1000)], VerdictState::Watch),
        (vec![rate(100, 1000)], VerdictState::Nonconforming),
    ] {
        let window = blocks[0].clone();
        let verdict = verdict_after(&compiled, &blocks, &window);
        assert_eq!(verdict.state, expected, "{}", verdict.because);
    }
}

#[test]
fn a_group_that_is_never_chosen_breaches_parity() {
    let compiled = compile(&json!({
        "metric": "demographic_parity_ratio", "of": { "attribute": "sex", "group": "female" },
        "levels": { "action": 0.8 }
    }));
    let blocks = vec![two_rates((80, 200), (10, 100)); 6];
    let verdict = verdict_after(&compiled, &blocks, &blocks[0]);
    assert_eq!(verdict.state, VerdictState::Nonconforming);
    // A block without a positive decision in the reference group is counted all the same.
    let state = run(&compiled, &[two_rates((0, 20), (0, 10))]);
    assert_eq!(state.support, 30);
}

#[test]
fn a_grade_b_breach_says_so_and_small_blocks_wait() {
    let compiled = compile(&json!({
        "metric": "roc_auc", "comparator": "at_least", "levels": { "action": 0.8 }
    }));
    let state = run(&compiled, &[normal(0.5, 0.2, 20)]);
    assert_eq!(state.support, 20);
    assert!(state.action.evidence() < 0);
    let blocks = vec![normal(0.5, 0.05, 500); 5];
    let verdict = verdict_after(&compiled, &blocks, &blocks[0]);
    assert_eq!(verdict.state, VerdictState::Nonconforming);
    assert!(verdict.because.contains("normal approximation"));
    let calm = vec![normal(0.99, 0.02, 500); 10];
    let verdict = verdict_after(&compiled, &calm, &calm[0]);
    assert_eq!(verdict.state, VerdictState::Conforming);
    // The approximation knows no range; what is said does.
    assert!(verdict.because.contains(" and 1, "), "{}", verdict.because);
}

#[test]
fn the_words_are_those_a_reader_of_reports_needs() {
    let compiled = compile(&json!({ "levels": { "action": 0.9 } }));
    let watch = verdict_after(&compiled, &[rate(174, 200)], &rate(174, 200));
    expect_test::expect![[
        r"accuracy was 0.87 in this window, below the action level 0.9, but one window is not proof: evidence 0.0 of the 6.9 nats of a warning"
    ]]
    .assert_eq(&watch.because);
    let breach = verdict_after(
        &compiled,
        &[rate(190, 200), rate(120, 200)],
        &rate(120, 200),
    );
    expect_test::expect!["the evidence of a breach of the action level 0.9 reached 9.9 nats at block 2, estimated to have begun in block 2; the chance that this is a false alarm is at most 0.05 in a cycle of 1000 blocks; in this window accuracy was 0.6 on 200 cases"].assert_eq(&breach.because);
    let good = verdict_after(&compiled, &vec![rate(194, 200); 20], &rate(194, 200));
    expect_test::expect!["accuracy over this cycle lies between 0.9596 and 0.9804, at or above the action level 0.9, on 4000 cases in 20 blocks; in this window accuracy was 0.97 on 200 cases"].assert_eq(&good.because);
    let open = verdict_after(&compiled, &[rate(184, 200)], &rate(184, 200));
    expect_test::expect!["accuracy over this cycle lies between 0.8312 and 1, which does not clear the action level 0.9: about 3741 more cases are needed (by the width of the confidence sequence); in this window accuracy was 0.92 on 200 cases"].assert_eq(&open.because);
    let none = verdict_after(&compiled, &[rate(0, 0)], &rate(0, 0));
    expect_test::expect!["nothing was measured in 1 block: this window has no data"]
        .assert_eq(&none.because);
}
