//! Cohen's kappa and Matthews' correlation at least 0.6, 200 labelled decisions a window: exact bets on pairs
//! beside bets on the estimate and its standard error, and beside plain z-tests.

use clause9_shared::bet::{Agreement, AgreementBets, NormalBets};
use clause9_shared::objective::document::Comparator;
use clause9_shared::performance::Figure;
use clause9_shared::performance::multiclass::Table as Counts;

use super::ledgers::{Followed, thresholds};
use super::random::Random;
use super::table::{Collected, Kind, Table};

const CASES: usize = 200;
const LEVEL: f64 = 0.6;
/// Shares of positives among labels and among decisions.
const POSITIVE: (f64, f64) = (0.3, 0.4);
/// One-sided 5 %, alone and in 1,000 looks.
const Z: [f64; 2] = [1.6449, 3.8906];

const SCENARIOS: [(&str, Kind, f64); 4] = [
    ("0.60, the edge", Kind::Null, 0.6),
    ("0.55", Kind::Change, 0.55),
    ("0.50", Kind::Change, 0.5),
    ("0.40", Kind::Change, 0.4),
];

const RULES: [(&str, bool); 6] = [
    ("z-test p < 0.05 each window", false),
    ("z-test p < 0.05/1000 each window", false),
    ("z-test of all windows so far, p < 0.05/1000", false),
    ("clause9, standard error (grade B), nonconformity", true),
    ("clause9, pairs (exact), warning", true),
    ("clause9, pairs (exact), nonconformity", true),
];

type Figured = fn(&Counts) -> Option<Figure>;

/// The table of kappa.
pub fn kappa(runs: u64) -> Table {
    table(
        runs,
        Agreement::Kappa,
        Counts::kappa,
        ("kappa", "Cohen's kappa"),
        7,
    )
}

/// The table of the correlation.
pub fn correlation(runs: u64) -> Table {
    let named = ("mcc", "Matthews' correlation");
    table(runs, Agreement::Correlation, Counts::matthews, named, 8)
}

/// A table of the law by label and decision: right, or by chance.
fn law(by_chance: f64) -> [f64; 4] {
    let (labels, decisions) = POSITIVE;
    let cell = |label: f64, decision: f64, right: bool| {
        let kept = if right {
            label * (1.0 - by_chance)
        } else {
            0.0
        };
        kept + label * decision * by_chance
    };
    [
        cell(labels, decisions, true),
        cell(labels, 1.0 - decisions, false),
        cell(1.0 - labels, decisions, false),
        cell(1.0 - labels, 1.0 - decisions, true),
    ]
}

/// The law with a value.
fn with(figure: Figured, value: f64) -> [f64; 4] {
    let of = |law: [f64; 4]| {
        let counts = law.map(|q| (q * 1_099_511_627_776.0) as u64);
        figure(&Counts::of_binary(counts)).map_or(0.0, |found| found.value)
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if of(law(middle)) > value {
            low = middle;
        } else {
            high = middle;
        }
    }
    law(low)
}

fn drawn(random: &mut Random, law: &[f64; 4]) -> [u64; 4] {
    let mut counts = [0; 4];
    for _ in 0..CASES {
        let (u, mut below) = (random.uniform(), 0.0);
        let at = law.iter().position(|q| {
            below += q;
            u < below
        });
        counts[at.unwrap_or(3)] += 1;
    }
    counts
}

/// How far below the level, in standard errors; far above it where there is no figure.
fn short(figure: Figured, counts: [u64; 4]) -> f64 {
    figure(&Counts::of_binary(counts)).map_or(-10.0, |f| (LEVEL - f.value) / f.std_error)
}

fn table(runs: u64, measure: Agreement, figure: Figured, named: (&str, &str), seed: u64) -> Table {
    let scenarios = SCENARIOS.map(|(name, kind, _)| (name, kind));
    let mut found = Collected::new(&scenarios, &RULES);
    let pairs = AgreementBets::new(measure, LEVEL, Comparator::AtLeast)
        .unwrap_or_else(|e| unreachable!("{e}"));
    let normal =
        NormalBets::new(LEVEL, Comparator::AtLeast).unwrap_or_else(|e| unreachable!("{e}"));
    let (warning, nonconformity) = thresholds();
    for (index, (_, kind, value)) in SCENARIOS.iter().enumerate() {
        let windows = if *kind == Kind::Null { 1000 } else { 150 };
        let law = with(figure, *value);
        for run in 0..runs {
            let mut random = Random::new(&[seed, index as u64, run]);
            let mut ledgers = [
                Followed::new(normal.strengths.len()),
                Followed::new(pairs.bets.len()),
            ];
            let (mut each, mut all, mut sums) = (Vec::new(), Vec::new(), [0; 4]);
            for _ in 0..windows {
                let counts = drawn(&mut random, &law);
                let z = short(figure, counts);
                each.push(z);
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum += count;
                }
                all.push(short(figure, sums));
                let found = figure(&Counts::of_binary(counts));
                let distance = found.and_then(|f| normal.distance(f.value, f.std_error));
                ledgers[0].book(&normal.gains(distance.unwrap_or(0)));
                ledgers[1].book(&pairs.gains(&counts).unwrap_or_default());
            }
            found.run(0, index, each.iter().map(|z| *z > Z[0]));
            found.run(1, index, each.iter().map(|z| *z > Z[1]));
            found.run(2, index, all.iter().map(|z| *z > Z[1]));
            found.run(3, index, ledgers[0].alarms(0, nonconformity));
            found.run(4, index, ledgers[1].alarms(0, warning));
            found.run(5, index, ledgers[1].alarms(0, nonconformity));
        }
    }
    let (id, title) = named;
    found.table(
        id,
        &format!("{title} at least 0.60, 200 labelled decisions a window"),
        "Three labels in ten and four decisions in ten are positive. Runs of 1,000 windows at the level itself; \
         elsewhere 150 windows below it from the first one on, which is where a test of all windows so far is \
         at its best.",
    )
}
