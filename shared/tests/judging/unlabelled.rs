//! What an objectives file may assume of cases without a label, from the document to the verdict. T11.

use clause9_shared::baseline::Baseline;
use clause9_shared::bet::{Payoffs, fixed};
use clause9_shared::judge::{Compiled, LedgerState, Step, Taken};
use clause9_shared::metric::{Beside, Measurement, Seen};
use clause9_shared::objective::{Document, load};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::{
    ClassTable, Confusion, PaneSummary, SummaryKey, SummaryKind, SummaryOf,
};
use clause9_shared::verdict::{Verdict, VerdictState};
use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture;

/// An objectives file as people hand it in, with one objective.
fn document(changes: &Value) -> Document {
    let mut document = serde_json::to_value(fixture::document()).unwrap();
    let mut objective = json!({
        "id": "accuracy", "version": 1, "statement": "Right often enough.", "policy": "4.1",
        "metric": "accuracy", "comparator": "at_least", "levels": { "action": 0.85 },
        "window": "1d", "min_support": 50, "label_delay": "30d", "evaluate_every": "7d",
        "owner": "head of credit", "approver": "committee",
        "effective_from": "2026-01-01T00:00:00Z", "cycle": "1000d",
        "references": [{ "scheme": "iso42001_clause", "id": "9.1", "claim": "evidences" }]
    });
    for (key, value) in changes.as_object().unwrap() {
        objective[key] = value.clone();
    }
    document["objectives"] = json!([objective]);
    let text = serde_json::to_string(&document).unwrap();
    load("objectives.yaml", &text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A system that is judged by its document.
struct Judge {
    document: Document,
    baseline: Baseline,
    plan: CapturePlan,
    compiled: Compiled,
    state: LedgerState,
}

/// Decisions of a pane and what labels say of them: (right, wrong, without a label) of positive and of
/// negative ones.
type Cases = [(u64, u64, u64); 2];

impl Judge {
    fn new(changes: &Value) -> Self {
        let document = document(changes);
        let baseline = fixture::baseline();
        let plan = CapturePlan::new(&document, &baseline).unwrap();
        let compiled = Compiled::new(&document, &document.objectives[0], &baseline).unwrap();
        let state = compiled.start();
        Self {
            document,
            baseline,
            plan,
            compiled,
            state,
        }
    }

    fn panes(&self, cases: Cases) -> (PaneSummary, PaneSummary) {
        let of = |empty: PaneSummary, key: SummaryKey, fill: &dyn Fn(&mut Confusion)| {
            let entries = empty.iter().map(|(known, summary)| {
                let mut summary = summary.clone();
                if *known == key {
                    fill(Confusion::of_mut(&mut summary).unwrap());
                }
                (known.clone(), summary)
            });
            PaneSummary::new(entries.collect::<Vec<_>>())
        };
        let times = |n: u64, table: &mut Confusion, label, decision| {
            for _ in 0..n {
                table.add(label, Some(decision), None);
            }
        };
        let decided = SummaryKey::new(SummaryOf::Decision(None), SummaryKind::Confusion);
        let traffic = of(self.plan.empty_traffic(), decided, &|table| {
            for (decision, (right, wrong, open)) in [true, false].into_iter().zip(cases) {
                times(right + wrong + open, table, None, decision);
            }
        });
        let known = SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion);
        let outcomes = of(self.plan.empty_outcomes(), known, &|table| {
            for (decision, (right, wrong, _)) in [true, false].into_iter().zip(cases) {
                times(right, table, Some(decision), decision);
                times(wrong, table, Some(!decision), decision);
            }
        });
        (traffic, outcomes)
    }

    fn take(&mut self, cases: Cases) -> (Measurement, Step) {
        let (traffic, outcomes) = self.panes(cases);
        self.give(&outcomes, Some(&traffic))
    }

    fn give(
        &mut self,
        outcomes: &PaneSummary,
        traffic: Option<&PaneSummary>,
    ) -> (Measurement, Step) {
        let seen = Seen {
            document: &self.document,
            baseline: &self.baseline,
            of: &self.document.objectives[0].of,
            summary: outcomes,
            beside: Beside {
                traffic,
                ..Beside::default()
            },
        };
        self.compiled.take(&mut self.state, seen)
    }

    fn verdict(&mut self, cases: Cases) -> Verdict {
        let (window, _) = self.take(cases);
        self.compiled.verdict(&self.state, &window)
    }
}

/// Cases of one kind of decision.
const fn cases(right: u64, wrong: u64, open: u64) -> Cases {
    [(right, wrong, open), (0, 0, 0)]
}

fn worst_case() -> Value {
    json!({ "labels": "worst_case" })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn t11_worst_case_never_confirms_where_the_equivalent_level_is_not_above_zero(
        tau in 50_u64..950,
        panes in prop::collection::vec((1_u64..400, 0_u64..=1000, 0_u64..=1000, 0_u64..=1000), 1..40),
    ) {
        let action = tau as f64 / 1000.0;
        let labels = json!({ "labels": "worst_case", "levels": { "action": action } });
        let mut judge = Judge::new(&labels);
        for (n, labelled, wrong, positive) in panes {
            // As many labels as leave (tau - (1 - c)) / c at or below 0.
            let share = |n: u64, share: u64| n * share / 1000;
            let labelled = n * labelled * (1000 - tau) / 1_000_000;
            let wrong = share(labelled, wrong);
            let (right, open) = (labelled - wrong, n - labelled);
            let part = |n| share(n, positive);
            let verdict = judge.verdict([
                (part(right), part(wrong), part(open)),
                (right - part(right), wrong - part(wrong), open - part(open)),
            ]);
            prop_assert!(verdict.evidence <= 0, "{verdict:?}");
            let impossible = [
                VerdictState::Nonconforming,
                VerdictState::Warning,
                VerdictState::Conforming,
            ];
            prop_assert!(tau <= 500 || !impossible.contains(&verdict.state), "{verdict:?}");
            prop_assert!(!impossible[..2].contains(&verdict.state), "{verdict:?}");
            let level = verdict.labels.unwrap().breached_at;
            prop_assert!(level.is_none_or(|level| level < 1e-9), "{:?}", level);
        }
    }
}

#[test]
fn t11_worst_case_confirms_what_no_label_could_undo_and_not_before() {
    let mut judge = Judge::new(&worst_case());
    let verdicts: Vec<_> = (0..8).map(|_| judge.verdict(cases(70, 50, 80))).collect();
    // 0.58 of labelled cases is far below 0.85, but the other 80 of 200 may all be right: 0.75.
    let last = verdicts.last().unwrap();
    assert_eq!(last.state, VerdictState::Nonconforming);
    let open = last.labels.unwrap();
    assert_eq!((open.known, open.cases), (960, 1600));
    // (0.85 - (1 - 0.6)) / 0.6, and (0.85 * 200 - 70) / 80.
    assert!((open.breached_at.unwrap() - 0.75).abs() < 1e-12);
    assert!((open.tipping.unwrap() - 1.25).abs() < 1e-12);
    let mut at_once = Judge::new(&json!({}));
    let observed: Vec<_> = (0..8).map(|_| at_once.verdict(cases(70, 50, 80))).collect();
    let first = |verdicts: &[Verdict]| {
        let confirmed = |v: &Verdict| v.state == VerdictState::Nonconforming;
        verdicts.iter().position(confirmed).unwrap()
    };
    assert!(first(&observed) < first(&verdicts));
}

#[test]
fn the_same_labels_confirm_as_observed_and_not_in_the_worst_case() {
    for (labels, state) in [
        (json!({}), VerdictState::Nonconforming),
        (
            json!({ "labels": "as_observed" }),
            VerdictState::Nonconforming,
        ),
        (worst_case(), VerdictState::Watch),
        (
            json!({ "labels": { "sensitivity": 2 } }),
            VerdictState::Nonconforming,
        ),
        (
            json!({ "labels": { "sensitivity": 1_000_000 } }),
            VerdictState::Watch,
        ),
    ] {
        let mut judge = Judge::new(&labels);
        let verdicts = (0..20).map(|_| judge.verdict(cases(15, 15, 170)));
        assert_eq!(verdicts.last().unwrap().state, state, "{labels}");
    }
}

#[test]
fn a_share_that_must_be_low_is_the_mirror_of_one_that_must_be_high() {
    let errors = json!({
        "metric": "error_rate", "comparator": "at_most", "levels": { "action": 0.15 },
        "labels": "worst_case"
    });
    let mut low = Judge::new(&errors);
    let mut high = Judge::new(&worst_case());
    for pane in [
        cases(60, 60, 80),
        cases(190, 0, 10),
        cases(0, 0, 9),
        cases(7, 1, 0),
    ] {
        let (low, high) = (low.verdict(pane), high.verdict(pane));
        // Payoffs are rounded down, hits and misses alike.
        assert!(low.evidence.abs_diff(high.evidence) < 1 << 20, "{pane:?}");
        assert_eq!(low.state, high.state);
        let (low, high) = (low.labels.unwrap(), high.labels.unwrap());
        if let (Some(low), Some(high)) = (low.breached_at, high.breached_at) {
            assert!((low - (1.0 - high)).abs() < 1e-9);
        }
        match (low.tipping, high.tipping) {
            (Some(low), Some(high)) => assert!((low - high).abs() < 1e-9),
            (low, high) => assert_eq!(low, high),
        }
    }
}

#[test]
fn conforming_is_said_only_if_no_label_that_lacks_could_undo_it() {
    let after = |open: u64, panes: usize| {
        let mut judge = Judge::new(&worst_case());
        let verdicts = (0..panes).map(|_| judge.verdict(cases(200 - open, 0, open)));
        verdicts.last().unwrap().state
    };
    assert_eq!(after(0, 20), VerdictState::Conforming);
    assert_eq!(after(10, 20), VerdictState::Conforming);
    // 0.84 are known to be right, the rest may all be wrong: no number of panes decides that.
    assert_eq!(after(32, 20), VerdictState::Inconclusive);
    assert_eq!(after(32, 400), VerdictState::Inconclusive);
    assert_eq!(after(200, 20), VerdictState::NoData);
}

#[test]
fn a_block_whose_traffic_is_not_at_hand_says_nothing() {
    let mut judge = Judge::new(&worst_case());
    let (traffic, outcomes) = judge.panes(cases(10, 150, 0));
    let (measured, step) = judge.give(&outcomes, None);
    assert!(measured.is_ok());
    assert_eq!(step.taken, Taken::Empty);
    assert!(step.gains.is_empty());
    let (_, step) = judge.give(&outcomes, Some(&traffic));
    assert_eq!(step.taken, Taken::Judged);
    // Nor does a measurement without its counts.
    let (measured, _) = judge.give(&outcomes, Some(&traffic));
    let step = judge.compiled.step(&mut judge.state, &measured);
    assert_eq!(step.taken, Taken::Empty);
}

/// Which labels come: (right, wrong) of all to (right, wrong) of labelled.
type Labels = fn(u64, u64) -> (u64, u64);

/// E[exp(gain)] of the best bet, if each of `n` cases is right with chance `share`.
fn expected(labels: &Value, n: u64, share: f64, seen: Labels) -> f64 {
    let judge = Judge::new(labels);
    let mut sums = vec![0.0; judge.compiled.action.len()];
    let mut chance = (1.0 - share).powi(i32::try_from(n).unwrap());
    for right in 0..=n {
        let (known_right, known_wrong) = seen(right, n - right);
        let mut fresh = Judge::new(labels);
        let (_, step) = fresh.take(cases(
            known_right,
            known_wrong,
            n - known_right - known_wrong,
        ));
        for (bet, sum) in sums.iter_mut().enumerate() {
            let gain = step.gains.get(bet).copied().unwrap_or(0);
            *sum += chance * libm::exp(fixed::to_nats(gain));
        }
        chance *= (n - right) as f64 / (right + 1) as f64 * share / (1.0 - share);
    }
    sums.into_iter().fold(0.0, f64::max)
}

#[test]
fn whichever_labels_come_the_worst_case_gains_nothing_while_the_objective_is_kept() {
    let worst = json!({ "labels": "worst_case" });
    let ways: [(&str, Labels); 4] = [
        ("only of wrong decisions", |_, wrong| (0, wrong)),
        ("only of right ones", |right, _| (right, 0)),
        ("of none", |_, _| (0, 0)),
        ("of all wrong and some right ones", |right, wrong| {
            (right / 4, wrong)
        }),
    ];
    for (name, seen) in ways {
        for share in [0.85, 0.9, 0.97] {
            for n in [1, 10, 40] {
                let gained = expected(&worst, n, share, seen);
                assert!(gained <= 1.0 + 1e-9, "{name} {share} {n}: {gained}");
            }
        }
    }
    // Taken as they are observed, labels of wrong decisions alone prove a breach that there is not.
    let gained = expected(&json!({}), 40, 0.9, |_, wrong| (0, wrong));
    assert!(gained > 100.0, "{gained}");
}

#[test]
fn odds_within_the_factor_gain_nothing_while_the_objective_is_kept() {
    // Of 24 cases 12 have a label, drawn so that their odds are half of the others': the objective is
    // exactly kept by all.
    let needed = clause9_shared::performance::labels::gamma_level(0.85, 0.5, 2.0).unwrap();
    let mut sums = [0.0; 4];
    let mut chance = (1.0 - needed).powi(12);
    for right in 0..=12_u64 {
        let mut judge = Judge::new(&json!({ "labels": { "sensitivity": 2 } }));
        let (_, step) = judge.take(cases(right, 12 - right, 12));
        for (sum, gain) in sums.iter_mut().zip(&step.gains) {
            *sum += chance * libm::exp(fixed::to_nats(*gain));
        }
        chance *= (12 - right) as f64 / (right + 1) as f64 * needed / (1.0 - needed);
        let Some(Payoffs::Rate { level, rows }) = &step.payoffs else {
            panic!("{:?}", step.payoffs);
        };
        assert!((level - needed).abs() < 1e-12);
        assert_eq!(rows.len(), 4);
    }
    assert!(
        sums.iter().all(|sum| *sum <= 1.0 + 1e-9 && *sum > 0.99),
        "{sums:?}"
    );
}

#[test]
fn a_factor_of_one_judges_as_observed() {
    let mut shifted = Judge::new(&json!({ "labels": { "sensitivity": 1 } }));
    let mut observed = Judge::new(&json!({}));
    for pane in [cases(80, 20, 100), cases(90, 10, 5), cases(3, 0, 0)] {
        let (shifted, observed) = (shifted.verdict(pane), observed.verdict(pane));
        assert!(shifted.evidence.abs_diff(observed.evidence) < 1 << 12);
        assert_eq!(shifted.state, observed.state);
        assert_eq!(shifted.running, observed.running);
    }
}

#[test]
fn shares_of_some_cases_take_in_the_others_at_their_best_and_worst() {
    // (metric, comparator, hits and cases with every open case right, and with every one wrong) of
    // 30 true and 10 false positives, 5 open; 20 true and 4 false negatives, 3 open.
    let pane = [(30, 10, 5), (20, 4, 3)];
    for (metric, good, right, wrong) in [
        ("accuracy", "at_least", (58, 72), (50, 72)),
        ("error_rate", "at_most", (14, 72), (22, 72)),
        ("recall", "at_least", (35, 39), (30, 37)),
        ("specificity", "at_least", (23, 33), (20, 35)),
        ("false_positive_rate", "at_most", (10, 33), (15, 35)),
        ("false_negative_rate", "at_most", (4, 39), (7, 37)),
        ("precision", "at_least", (35, 45), (30, 45)),
        ("negative_predictive_value", "at_least", (23, 27), (20, 27)),
        ("false_discovery_rate", "at_most", (10, 45), (15, 45)),
        ("false_omission_rate", "at_most", (4, 27), (7, 27)),
        ("jaccard", "at_least", (35, 49), (30, 52)),
    ] {
        let mut judge = Judge::new(&json!({
            "metric": metric, "comparator": good, "levels": { "action": 0.5 },
            "labels": "worst_case"
        }));
        judge.verdict(pane);
        let open = judge.state.open.unwrap();
        assert_eq!((open.right_hits, open.right_of), right, "{metric}");
        assert_eq!((open.wrong_hits, open.wrong_of), wrong, "{metric}");
        assert_eq!((open.known, open.cases), (64, 72), "{metric}");
    }
}

#[test]
fn a_decision_among_classes_is_judged_alike() {
    let mut document = serde_json::to_value(document(&worst_case())).unwrap();
    document["outputs"] = json!({
        "decision": { "rule": { "class": { "from": { "output": "c" }, "classes": ["a", "b", "c"] } } },
        "label": { "type": "class" }
    });
    document["objectives"][0]["metric"] = json!("multiclass_accuracy");
    let text = serde_json::to_string(&document).unwrap();
    let document = load("objectives.yaml", &text).unwrap();
    let baseline = fixture::baseline();
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    let compiled = Compiled::new(&document, &document.objectives[0], &baseline).unwrap();
    let fill = |empty: PaneSummary, rows: &[(Option<u8>, u8, u64)]| {
        let entries = empty.iter().map(|(key, summary)| {
            let mut summary = summary.clone();
            if let Some(table) = ClassTable::of_mut(&mut summary) {
                for (label, decision, n) in rows {
                    for _ in 0..*n {
                        table.add(*label, Some(*decision), Some(0));
                    }
                }
            }
            (key.clone(), summary)
        });
        PaneSummary::new(entries.collect::<Vec<_>>())
    };
    let traffic = fill(plan.empty_traffic(), &[(None, 0, 60), (None, 2, 40)]);
    let outcomes = fill(plan.empty_outcomes(), &[(Some(0), 0, 30), (Some(1), 2, 20)]);
    let mut state = compiled.start();
    let seen = Seen {
        document: &document,
        baseline: &baseline,
        of: &document.objectives[0].of,
        summary: &outcomes,
        beside: Beside {
            traffic: Some(&traffic),
            ..Beside::default()
        },
    };
    let (_, step) = compiled.take(&mut state, seen);
    assert_eq!(step.taken, Taken::Judged);
    let open = state.open.unwrap();
    assert_eq!((open.right_hits, open.right_of), (80, 100));
    assert_eq!((open.wrong_hits, open.wrong_of), (30, 100));
    assert_eq!((open.known, open.cases), (50, 100));
}

#[test]
fn a_verdict_says_what_cases_without_a_label_leave_open() {
    let mut judge = Judge::new(&worst_case());
    expect!["accuracy was 0.6 in this window, below the action level 0.85, but one window is not proof: evidence 6.9 of the 6.9 nats of a warning; 40 of 140 decided cases in this cycle have no label and count against a breach, and against conformity: of those with a label the value must be below 0.79 for a breach; however those without were decided, all cases together stay on this side of the action level"].assert_eq(&judge.verdict(cases(60, 40, 40)).because);
    let mut judge = Judge::new(&worst_case());
    expect!["10 cases in this cycle, fewer than the least support of 50: about 40 more cases are needed; this window has 10 cases, fewer than the least support of 50; 90 of 100 decided cases in this cycle have no label and count against a breach, and against conformity: so few have a label that no breach can be confirmed; all cases together are at the action level if 0.9 of those without were decided rightly"].assert_eq(&judge.verdict(cases(4, 6, 90)).because);
    let mut judge = Judge::new(&json!({ "labels": { "sensitivity": 2 } }));
    expect!["accuracy over this cycle lies between 0.7432 and 1, which does not clear the action level 0.85: about 51855 more cases are needed (by the width of the confidence sequence); in this window accuracy was 0.9 on 100 cases; 100 of 200 decided cases in this cycle have no label and may have odds up to 2 times those of the others, or as many times less: of those with a label the value must be below 0.8069 for a breach; all cases together are at the action level if 0.8 of those without were decided rightly"].assert_eq(&judge.verdict(cases(90, 10, 100)).because);
    let mut judge = Judge::new(&worst_case());
    let all = judge.verdict(cases(90, 10, 0));
    assert!(!all.because.contains("no label"), "{}", all.because);
}

#[test]
fn a_ledger_of_labels_as_observed_is_written_as_before() {
    let judge = Judge::new(&json!({}));
    let state = serde_json::to_value(&judge.state).unwrap();
    assert!(state.get("open").is_none());
    let compiled = serde_json::to_value(&judge.compiled).unwrap();
    assert!(compiled["objective"].get("labels").is_none());
    let same = Judge::new(&json!({ "labels": "as_observed" }));
    assert_eq!(judge.compiled.digest(), same.compiled.digest());
    assert_ne!(
        judge.compiled.digest(),
        Judge::new(&worst_case()).compiled.digest()
    );
}

#[test]
fn what_is_remembered_reads_back_as_written() {
    let mut judge = Judge::new(&json!({ "labels": { "sensitivity": 1.5 } }));
    judge.verdict(cases(61, 39, 40));
    let text = clause9_shared::canonical::to_json(&judge.state).unwrap();
    let read: LedgerState = serde_json::from_str(&text).unwrap();
    assert_eq!(read, judge.state);
}
