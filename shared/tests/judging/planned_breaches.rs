//! Plans of losses, calibration errors and distances, held against ledgers that are fed rows of the breach
//! that is assumed: the reference's rows, drawn the more often the more they speak for it.

use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Beside, Estimate, MetricId, Sample, Seen, Unmeasurable};
use clause9_shared::objective::document::Subject;
use clause9_shared::sketch::{
    CutCounts, Losses, PaneSummary, ScoreCells, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use serde_json::json;

use crate::fixture::SplitMix64;
use crate::planning::{World, rows};

/// Runs of each simulation.
const RUNS: usize = 41;
/// Blocks after which a run is given up.
const LONGEST: u64 = 400;

/// The median of the blocks that pass before a ledger is confirmed.
fn delay(compiled: &Compiled, mut block: impl FnMut() -> Result<Estimate, Unmeasurable>) -> u64 {
    let mut delays: Vec<u64> = (0..RUNS)
        .map(|_| {
            let mut state = compiled.start();
            let confirmed = (1..=LONGEST).find(|_| {
                compiled.step(&mut state, &block());
                state.confirmed_at.is_some()
            });
            confirmed.unwrap_or(LONGEST)
        })
        .collect();
    delays.sort_unstable();
    delays[RUNS / 2]
}

/// Fails unless a plan is within a quarter, or one block, of what was simulated.
fn near(planned: Option<u64>, took: u64, what: &str) {
    let planned = planned.unwrap_or_else(|| panic!("{what}: never, and it took {took}"));
    let apart = planned.abs_diff(took);
    assert!(
        apart <= 1 || 4 * apart <= took,
        "{what}: planned {planned}, took {took}"
    );
}

/// Rows that are drawn with these chances.
struct Pool<T> {
    rows: Vec<T>,
    below: Vec<f64>,
}

impl<T: Copy> Pool<T> {
    /// Rows drawn `exp(t f)` times as often as they are there, with the t at which `figure` of the chances
    /// is `value`; it rises with t.
    fn tilted(
        rows: &[T],
        f: impl Fn(&T) -> f64,
        figure: impl Fn(&[f64]) -> f64,
        value: f64,
    ) -> Self {
        let chances = |t: f64| {
            let raw: Vec<f64> = rows.iter().map(|row| libm::exp(t * f(row))).collect();
            let all: f64 = raw.iter().sum();
            raw.into_iter().map(|x| x / all).collect::<Vec<f64>>()
        };
        let (mut low, mut high) = (0.0, 20.0);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if figure(&chances(middle)) < value {
                low = middle;
            } else {
                high = middle;
            }
        }
        let mut sum = 0.0;
        let below = chances(low).into_iter().map(|chance| {
            sum += chance;
            sum
        });
        Self {
            below: below.collect(),
            rows: rows.to_vec(),
        }
    }

    fn draw(&self, random: &mut SplitMix64) -> T {
        let u = random.uniform();
        let at = self.below.partition_point(|below| *below < u);
        self.rows[at.min(self.rows.len() - 1)]
    }
}

/// Scores with their labels, as the reference has them.
fn scored(rows: usize) -> Vec<(f64, bool)> {
    let mut random = SplitMix64(23);
    let pairs = (0..rows).map(|_| {
        let score = random.uniform();
        (score, random.uniform() < score)
    });
    pairs.collect()
}

/// A block of rows as a metric of labelled scores measures it.
fn measured(
    world: &World,
    metric: MetricId,
    rows: &[(f64, bool)],
) -> Result<Estimate, Unmeasurable> {
    let (mut cells, mut losses) = (ScoreCells::new(1).unwrap(), Losses::new(1).unwrap());
    for (score, label) in rows {
        cells.add(Some(*score), Some(*label), Some(0));
        losses.add(Some(*score), *label, Some(0));
    }
    let key = |kind| SummaryKey::new(SummaryOf::ScoreByLabel(None), kind);
    let pane = PaneSummary::new(vec![
        (key(SummaryKind::ScoreCells), Summary::ScoreCells(cells)),
        (key(SummaryKind::Losses), Summary::Losses(losses)),
    ]);
    metric.measure(Seen {
        document: &world.document,
        baseline: &world.baseline,
        of: &Subject::default(),
        summary: &pane,
        beside: Beside::default(),
    })
}

fn signed(label: bool) -> f64 {
    f64::from(u8::from(label))
}

fn square((score, label): &(f64, bool)) -> f64 {
    (score - signed(*label)) * (score - signed(*label))
}

fn surprise((score, label): &(f64, bool)) -> f64 {
    -libm::log(if *label { *score } else { 1.0 - score })
}

/// How much too low a score turned out to be.
fn too_low((score, label): &(f64, bool)) -> f64 {
    signed(*label) - score
}

fn too_high(row: &(f64, bool)) -> f64 {
    -too_low(row)
}

fn too_far_out(row: &(f64, bool)) -> f64 {
    too_low(row) * if row.0 < 0.5 { 1.0 } else { -1.0 }
}

fn too_near_the_middle(row: &(f64, bool)) -> f64 {
    -too_far_out(row)
}

/// What a row costs, or by how much its score is off.
type Of = fn(&(f64, bool)) -> f64;

/// The median delay of a metric that is at `breach` in the mean of a figure of rows.
fn simulated(world: &World, compiled: &Compiled, (of, breach): (Of, f64), cases: usize) -> u64 {
    let rows = scored(20_000);
    let mean = |chances: &[f64]| rows.iter().zip(chances).map(|(row, p)| p * of(row)).sum();
    let pool = Pool::tilted(&rows, of, mean, breach);
    let mut random = SplitMix64(31);
    delay(compiled, || {
        let block: Vec<_> = (0..cases).map(|_| pool.draw(&mut random)).collect();
        measured(world, compiled.objective.metric, &block)
    })
}

#[test]
fn losses_are_confirmed_when_the_plan_says() {
    let world = World::new(true);
    for (metric, of, level, breaches) in [
        ("brier", square as Of, 0.2, [0.23, 0.27]),
        ("log_loss", surprise as Of, 0.6, [0.7, 0.85]),
    ] {
        let compiled = world.compile_of(metric, &json!({}), "at_most", level);
        for (cases, breach) in [(200, breaches[0]), (200, breaches[1]), (1000, breaches[0])] {
            let plan = world.plan(&compiled, cases, breach, 0.9 * level).unwrap();
            let took = simulated(
                &world,
                &compiled,
                (of, breach),
                usize::try_from(cases).unwrap(),
            );
            near(
                plan.blocks_to_confirm,
                took,
                &format!("{metric} {breach}, {cases} cases"),
            );
            assert!(plan.conforming_forecast);
        }
    }
}

#[test]
fn the_patterns_of_miscalibration_are_confirmed_when_the_plan_says() {
    let world = World::new(true);
    let compiled = world.compile_of("ece", &json!({}), "at_most", 0.05);
    for (cases, breach) in [(200, 0.15), (400, 0.12)] {
        let plan = world.plan(&compiled, cases, breach, 0.02).unwrap();
        let took = [too_low as Of, too_high, too_far_out, too_near_the_middle].map(|of| {
            simulated(
                &world,
                &compiled,
                (of, breach),
                usize::try_from(cases).unwrap(),
            )
        });
        let (first, last) = (took.iter().min().unwrap(), took.iter().max().unwrap());
        let what = format!("ece {breach}, {cases} cases: {took:?}");
        near(plan.blocks_to_confirm, *first, &what);
        near(plan.blocks_to_confirm_slowest, *last, &what);
    }
}

/// The reference's values, ascending, each with its normal score.
fn ages() -> Vec<(f64, f64)> {
    let mut ages: Vec<f64> = rows().into_iter().map(|row| row.age).collect();
    ages.sort_by(f64::total_cmp);
    let share = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    let of = ages.len() as f64;
    let scored = ages.into_iter().enumerate().map(|(rank, age)| {
        let (mut low, mut high) = (-6.0, 6.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if share(middle) < (rank as f64 + 0.5) / of {
                low = middle;
            } else {
                high = middle;
            }
        }
        (age, low)
    });
    scored.collect()
}

/// How far values with these chances were carried from even ones.
fn carried(values: &[(f64, f64)], chances: &[f64]) -> f64 {
    let even = 1.0 / values.len() as f64;
    let (mut sum, mut way) = (0.0_f64, 0.0);
    for (pair, chance) in values.windows(2).zip(chances) {
        sum += chance - even;
        way += sum.abs() * (pair[1].0 - pair[0].0);
    }
    way
}

#[test]
fn distances_are_confirmed_when_the_plan_says() {
    let world = World::new(true);
    let of = json!({ "feature": "age" });
    let law = world.baseline.features.values().next().unwrap();
    let points = law.shape().unwrap().points.points().to_vec();
    let spread = law.shape().unwrap().moments.std().unwrap();
    for (metric, unit) in [("wasserstein", 1.0), ("wasserstein.std", spread)] {
        let (level, breach) = (1.5 / unit, 5.0 / unit);
        let compiled = world.compile_of(metric, &of, "at_most", level);
        for cases in [50_u64, 100] {
            let plan = world.plan(&compiled, cases, breach, 0.5 * level).unwrap();
            let values = ages();
            let shapes: [fn(f64) -> f64; 4] = [|z| z, |z| -z, |z| z * z - 1.0, |z| 1.0 - z * z];
            let took = shapes.map(|shape| {
                let far = |chances: &[f64]| carried(&values, chances);
                let pool = Pool::tilted(&values, |(_, z)| shape(*z), far, breach * unit);
                let mut random = SplitMix64(37);
                delay(&compiled, || {
                    let mut cuts = CutCounts::with_atoms(&[], &points).unwrap();
                    (0..cases).for_each(|_| cuts.add(pool.draw(&mut random).0));
                    Ok(Estimate {
                        value: breach,
                        interval: None,
                        bound: None,
                        support: cases,
                        sample: Sample::Cells {
                            counts: cuts.cells().map(|cell| cell.count).collect(),
                            estimate: breach,
                            std_error: 0.1,
                            least: cases,
                        },
                    })
                })
            });
            let (first, last) = (took.iter().min().unwrap(), took.iter().max().unwrap());
            let what = format!("{metric}, {cases} cases: {took:?}");
            near(plan.blocks_to_confirm, *first, &what);
            near(plan.blocks_to_confirm_slowest, *last, &what);
            assert!(!plan.conforming_forecast);
        }
    }
}
