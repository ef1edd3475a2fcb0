//! Plans of metrics whose scatter the reference's labelled rows tell, held against ledgers that are run.

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Beside, Estimate, MetricId, Sample, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::planning::{Forecast, Planned, Situation, forecast};
use clause9_shared::sketch::{PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf};
use serde_json::json;

use crate::fixture::{SplitMix64, normal, objective};

/// The small system with costs: errors of either kind cost 1, so that the cost is the share of errors.
fn document() -> Document {
    let mut document = serde_json::to_value(crate::fixture::document()).unwrap();
    document["outputs"]["decision"]["costs"] =
        json!({ "unit": "1", "false_positive": 1, "false_negative": 1 });
    serde_json::from_value(document).unwrap()
}

/// A row of the reference.
pub(crate) struct Row {
    pub(crate) age: f64,
    score: f64,
    label: bool,
}

/// The reference's rows: labels come as scores say.
pub(crate) fn rows() -> Vec<Row> {
    let mut random = SplitMix64(11);
    let rows = (0..4000).map(|_| {
        let score = random.uniform();
        let age = 20.0 + 40.0 * random.uniform();
        Row {
            age,
            score,
            label: random.uniform() < score,
        }
    });
    rows.collect()
}

/// A reference of four thousand rows, with or without labels; about three in four decisions are right.
fn baseline(document: &Document, labelled: bool) -> Baseline {
    let mut builder = BaselineBuilder::new(document, "reference.csv");
    for row in rows() {
        builder.observe(0, Cell::Float(row.age));
        builder.observe_score(row.score);
        if labelled {
            builder.observe_label(Cell::Int(i64::from(row.label)));
        }
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

/// The system with its reference.
pub(crate) struct World {
    pub(crate) document: Document,
    pub(crate) baseline: Baseline,
}

impl World {
    pub(crate) fn new(labelled: bool) -> Self {
        let document = document();
        let baseline = baseline(&document, labelled);
        Self { document, baseline }
    }

    fn compile(&self, metric: &str, comparator: &str, level: f64) -> Compiled {
        self.compile_of(metric, &json!({}), comparator, level)
    }

    pub(crate) fn compile_of(
        &self,
        metric: &str,
        of: &serde_json::Value,
        comparator: &str,
        level: f64,
    ) -> Compiled {
        let objective = objective(
            &json!({ "metric": metric, "of": of, "comparator": comparator,
            "levels": { "action": level }, "label_delay": "1d" }),
        );
        Compiled::new(&self.document, &objective, &self.baseline).unwrap()
    }

    /// The standard error of a metric of decisions on the reference's labelled rows.
    fn scatter(&self, metric: MetricId) -> f64 {
        let decisions = self
            .baseline
            .labelled
            .as_ref()
            .unwrap()
            .decisions
            .clone()
            .unwrap();
        let key = SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion);
        let pane = PaneSummary::new(vec![(key, Summary::Confusion(decisions))]);
        let found = metric.measure(Seen {
            document: &self.document,
            baseline: &self.baseline,
            of: &Subject::default(),
            summary: &pane,
            beside: Beside::default(),
        });
        let Sample::Normal { std_error, .. } = found.unwrap().sample else {
            panic!("it is judged by a normal approximation")
        };
        std_error
    }

    pub(crate) fn plan(
        &self,
        compiled: &Compiled,
        cases: u64,
        breach: f64,
        kept: f64,
    ) -> Option<Forecast> {
        let at = Situation {
            cases,
            labelled: 1.0,
            breach,
            kept,
            reference_rate: 0.4,
            compared_share: 0.5,
        };
        let of = Planned {
            document: &self.document,
            baseline: &self.baseline,
        };
        forecast(compiled, &at, of)
    }
}

/// Blocks until a ledger that is given the same block again and again is confirmed.
fn run(compiled: &Compiled, block: &Estimate) -> u64 {
    run_pooled(compiled, block, 1)
}

/// The same where so many blocks are enough only together: the last of them brings what all give.
fn run_pooled(compiled: &Compiled, block: &Estimate, together: u64) -> u64 {
    let mut state = compiled.start();
    for blocks in 1..=2000_u64 {
        let whole = blocks.is_multiple_of(together);
        let block = whole.then(|| block.clone()).ok_or(Unmeasurable::NoData);
        compiled.step(&mut state, &block);
        if state.confirmed_at.is_some() {
            return blocks;
        }
    }
    panic!("never confirmed")
}

#[test]
fn a_metric_of_grade_b_is_confirmed_when_the_plan_says() {
    let world = World::new(true);
    let compiled = world.compile("mcc", "at_least", 0.5);
    let scatter = world.scatter(MetricId::Matthews);
    for (cases, breach) in [(500, 0.4), (500, 0.3), (120, 0.3), (40, 0.2)] {
        let plan = world.plan(&compiled, cases, breach, 0.55).unwrap();
        let planned = plan.blocks_to_confirm.unwrap();
        let together = 50_u64.div_ceil(cases);
        let cases_together = cases * together;
        let error = scatter * (4000.0 / cases_together as f64).sqrt();
        let block = normal(breach, error, cases_together).unwrap();
        let took = run_pooled(&compiled, &block, together);
        let near = took.abs_diff(planned) <= 2 + planned / 5;
        assert!(near, "{cases} {breach}: planned {planned}, took {took}");
        assert!(plan.blocks_to_conform.is_some());
    }
}

#[test]
fn costs_that_count_errors_are_planned_as_the_share_of_errors_is() {
    let world = World::new(true);
    let cost = world.compile("cost", "at_most", 0.3);
    let rate = world.compile("error_rate", "at_most", 0.3);
    for (cases, breach) in [(300, 0.35), (300, 0.45), (1000, 0.4)] {
        let by_cost = world.plan(&cost, cases, breach, 0.25).unwrap();
        let by_rate = world.plan(&rate, cases, breach, 0.25).unwrap();
        let (a, b) = (
            by_cost.blocks_to_confirm.unwrap(),
            by_rate.blocks_to_confirm.unwrap(),
        );
        assert!(a.abs_diff(b) <= 1 + b / 3, "{cases} {breach}: {a} {b}");
        let errors = (cases as f64 * breach).round();
        let took = run(&cost, &counted(errors, cases as f64));
        assert!(
            took.abs_diff(a) <= 1 + a / 5,
            "{cases} {breach}: planned {a}, took {took}"
        );
    }
}

/// A block with so many errors, as many of either kind.
fn counted(errors: f64, cases: f64) -> Estimate {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small whole numbers"
    )]
    let whole = |x: f64| x as u64;
    let half = whole(errors / 2.0);
    let (rest, right) = (whole(errors) - half, whole(cases - errors) / 2);
    let counts = vec![right, half, rest, whole(cases) - whole(errors) - right];
    Estimate {
        value: errors / cases,
        interval: None,
        bound: None,
        support: whole(cases),
        sample: Sample::Cells {
            counts,
            estimate: errors / cases,
            std_error: 0.02,
            least: whole(cases),
        },
    }
}

#[test]
fn worse_breaches_and_more_cases_are_confirmed_sooner() {
    let world = World::new(true);
    for (metric, level, kept, breaches) in [
        ("f1", 0.7, 0.75, [0.65, 0.6, 0.5]),
        ("roc_auc", 0.8, 0.83, [0.75, 0.7, 0.6]),
        ("roc_auc.pairs", 0.8, 0.83, [0.75, 0.7, 0.6]),
        ("balanced_accuracy", 0.7, 0.75, [0.65, 0.6, 0.5]),
        ("cohen_kappa.pairs", 0.45, 0.5, [0.35, 0.3, 0.2]),
        ("mcc.pairs", 0.45, 0.5, [0.35, 0.3, 0.2]),
    ] {
        let compiled = world.compile(metric, "at_least", level);
        let blocks = |cases: u64, breach: f64| {
            let plan = world.plan(&compiled, cases, breach, kept);
            plan.unwrap_or_else(|| panic!("{metric}"))
                .blocks_to_confirm
                .unwrap()
        };
        let by_breach = breaches.map(|breach| blocks(400, breach));
        assert!(
            by_breach.is_sorted_by(|a, b| a >= b) && by_breach[0] > by_breach[2],
            "{metric}"
        );
        assert!(blocks(4000, breaches[0]) < by_breach[0], "{metric}");
    }
}

#[test]
fn nothing_is_forecast_of_what_the_baseline_does_not_keep() {
    let world = World::new(false);
    for (metric, comparator, level) in [
        ("mcc", "at_least", 0.5),
        ("f1", "at_least", 0.5),
        ("cost", "at_most", 0.3),
    ] {
        let compiled = world.compile(metric, comparator, level);
        assert_eq!(world.plan(&compiled, 500, 0.45, 0.6), None, "{metric}");
    }
    for (metric, level) in [("brier", 0.2), ("log_loss", 0.6), ("ece", 0.05)] {
        let compiled = world.compile(metric, "at_most", level);
        assert_eq!(
            world.plan(&compiled, 500, 1.3 * level, level),
            None,
            "{metric}"
        );
    }
}

fn of_accuracy(labels: &serde_json::Value, labelled: f64, breach: f64) -> Forecast {
    let compiled = crate::fixture::compile(&serde_json::json!({
        "labels": labels, "label_delay": "36h", "expected_labelled": 0.4
    }));
    let (document, baseline) = (crate::fixture::document(), crate::fixture::baseline());
    let at = Situation {
        cases: 500,
        labelled,
        breach,
        kept: 0.95,
        reference_rate: 0.4,
        compared_share: 0.5,
    };
    let of = Planned {
        document: &document,
        baseline: &baseline,
    };
    forecast(&compiled, &at, of).unwrap()
}

#[test]
fn labels_that_come_for_some_cases_make_a_plan_slower_and_say_how_late_it_is() {
    let observed = serde_json::json!("as_observed");
    let [all, some] = [1.0, 0.4].map(|share| of_accuracy(&observed, share, 0.8));
    assert_eq!(
        (all.blocks_of_delay, some.blocks_of_delay),
        (Some(2), Some(2))
    );
    let (all, some) = (
        all.blocks_to_confirm.unwrap(),
        some.blocks_to_confirm.unwrap(),
    );
    // As much evidence from two fifths of the cases.
    assert!(some.abs_diff(all * 5 / 2) <= 3, "{all} {some}");
    let worst = serde_json::json!("worst_case");
    // 0.4 * 0.55 + 0.6 = 0.82 is a breach of 0.85, 0.4 * 0.8 + 0.6 is none.
    assert_eq!(of_accuracy(&worst, 0.4, 0.8).blocks_to_confirm, None);
    let found = of_accuracy(&worst, 0.4, 0.55);
    assert!(found.blocks_to_confirm.is_some());
    // Two fifths of the cases cannot show that 85 of 100 are right.
    assert_eq!(found.blocks_to_conform, None);
    let twice = of_accuracy(&serde_json::json!({ "sensitivity": 2.0 }), 0.4, 0.7);
    let plain = of_accuracy(&observed, 0.4, 0.7);
    assert!(
        twice.blocks_to_confirm > plain.blocks_to_confirm,
        "{twice:?}"
    );
    assert!(twice.blocks_to_confirm.is_some());
}
