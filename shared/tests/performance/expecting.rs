//! Performance without labels: the plain definition to rounding, from summaries within a stated
//! distance, and intervals that hold what labels show later.

use clause9_shared::performance::cells::Cell;
use clause9_shared::performance::expected::{
    self, Calibration, Expected, accuracy, f1, precision, recall, roc_auc, specificity,
};
use clause9_shared::performance::isotonic::Rising;
use clause9_shared::performance::{Figure, binary::Binary};
use clause9_shared::sketch::ScoreCells;

use crate::decisions::table;
use crate::oracle::{CAR_LOAN, Case, ELEC2, GERMAN_CREDIT, Row, each, same};
use crate::scores::{kept, raw};

/// Cells of cases by score with what a map expects of each.
fn cells(
    rows: &[&Row],
    place: impl Fn(f64) -> f64,
    expect: impl Fn(f64, f64, f64) -> Expected,
) -> Vec<Expected> {
    let mut sorted: Vec<(f64, bool)> = rows.iter().map(|r| (place(r.score), r.decision)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let alike = sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    alike
        .map(|cases| {
            let positive = cases.iter().filter(|case| case.1).count() as f64;
            expect(cases[0].0, positive, cases.len() as f64 - positive)
        })
        .collect()
}

const fn known(chance: f64, positive: f64, negative: f64) -> Expected {
    Expected {
        chance,
        pool: 0,
        rests_on: f64::INFINITY,
        positive,
        negative,
    }
}

/// The map that scikit-learn fits: linear between the shares of distinct scores, pooled.
fn isotonic(case: &Case) -> Rising {
    let reference = case.rows("reference");
    let cells = raw(&reference.iter().collect::<Vec<_>>());
    let scores: Vec<f64> = cells.iter().map(|c| c.low).collect();
    let shares: Vec<f64> = cells
        .iter()
        .map(|c| c.positive as f64 / c.cases())
        .collect();
    let weights: Vec<f64> = cells.iter().map(Cell::cases).collect();
    Rising::fit(&scores, &shares, &weights).unwrap()
}

/// A figure by its name.
type Named = (&'static str, fn(&[Expected]) -> Option<Figure>);

const FIGURES: [Named; 6] = [
    ("accuracy", accuracy),
    ("precision", precision),
    ("recall", recall),
    ("specificity", specificity),
    ("f1", f1),
    ("roc_auc_tie_aware", roc_auc),
];

#[test]
fn expectations_from_raw_scores_are_those_of_the_plain_definition() {
    let mut windows = 0;
    for case in [CAR_LOAN, GERMAN_CREDIT, ELEC2] {
        if !case.present() {
            continue;
        }
        let map = isotonic(&case);
        let values = case.values("estimate.json");
        for part in ["reference", "analysis"] {
            let rows = case.rows(part);
            for (window, rows) in case.windows(&rows) {
                let plain = cells(&rows, |s| s, known);
                let mapped = cells(&rows, |s| s, |s, p, n| known(map.at(s), p, n));
                for (mode, cells) in [("raw", plain), ("isotonic", mapped)] {
                    let expected = &values[mode][part][&window];
                    if expected.is_null() {
                        continue;
                    }
                    let counts = expected::counts(&cells);
                    let named = format!("{} {part} {window} {mode}", case.name);
                    same(Some(counts.tp), &expected["tp"], &named);
                    same(Some(counts.tn), &expected["tn"], &named);
                    for (name, figure) in FIGURES {
                        let found = figure(&cells).map(|f| f.value);
                        same(found, &expected[name], &format!("{named} {name}"));
                    }
                    windows += 1;
                }
            }
        }
    }
    assert!(windows >= 64, "{windows}");
}

/// The middle of the score cell that a score falls into.
fn middle(score: f64) -> f64 {
    let mut cells = ScoreCells::new(1).unwrap();
    cells.add(Some(score), None, Some(0));
    let cell = cells.cells(Some(0)).next().unwrap();
    Cell::from(cell).middle()
}

#[test]
fn expectations_from_cells_are_near_those_from_raw_scores() {
    // Cells, and half a case on each side of a pool, move an expected share by no more than the first
    // number, the area by no more than the second. The German credit reference has 500 rows, so that
    // half a case of a pool weighs; elec2 has windows whose scores stand in a few cells.
    for (case, most) in [
        (CAR_LOAN, [0.001, 0.001]),
        (GERMAN_CREDIT, [0.02, 0.02]),
        (ELEC2, [0.035, 0.05]),
    ] {
        if !case.present() {
            continue;
        }
        let reference = case.rows("reference");
        let calibration = Calibration::fit(&kept(&reference.iter().collect::<Vec<_>>())).unwrap();
        let mut furthest = [(0.0, String::new()), (0.0, String::new())];
        let values = case.values("estimate.json");
        for part in ["reference", "analysis"] {
            let rows = case.rows(part);
            for (window, rows) in case.windows(&rows) {
                let expected = &values["isotonic"][part][&window];
                if expected.is_null() {
                    continue;
                }
                let cells = cells(&rows, middle, |s, p, n| calibration.expect(s, p, n));
                for (name, figure) in FIGURES {
                    let found = figure(&cells).unwrap();
                    let gap = (found.value - expected[name].as_f64().unwrap()).abs();
                    let furthest = &mut furthest[usize::from(name.starts_with("roc"))];
                    if gap > furthest.0 {
                        *furthest = (gap, format!("{part} {window} {name}"));
                    }
                    assert!(found.std_error > 0.0);
                }
            }
        }
        println!("{}: {furthest:?}", case.name);
        for ((gap, place), most) in furthest.iter().zip(most) {
            assert!(*gap <= most, "{} {place}: {gap}", case.name);
        }
    }
}

#[test]
fn without_drift_what_labels_show_lies_in_the_interval() {
    // The car loans' reference windows, judged by what the other reference rows teach.
    let rows = CAR_LOAN.rows("reference");
    let (first, second) = rows.split_at(rows.len() / 2);
    let calibration = Calibration::fit(&kept(&first.iter().collect::<Vec<_>>())).unwrap();
    let mut inside = 0;
    let windows: Vec<_> = second.chunks(1000).collect();
    for window in &windows {
        let window: Vec<&Row> = window.iter().collect();
        let cells = cells(&window, middle, |s, p, n| calibration.expect(s, p, n));
        let found = accuracy(&cells).unwrap();
        let (hits, of) = table(&window).accuracy();
        let gap = (found.value - hits as f64 / of as f64).abs();
        inside += u32::from(gap <= 1.96 * found.std_error);
    }
    assert!(inside >= 22, "{inside} of {}", windows.len());
}

/// A stream of numbers from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A standard normal number (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }
}

fn chance(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Cases whose score is a distorted chance: reference and window, the window's population shifted.
fn sample(dice: &mut Dice, cases: usize, shift: f64) -> (ScoreCells, Binary) {
    let mut cells = ScoreCells::new(1).unwrap();
    let mut table = Binary::default();
    for _ in 0..cases {
        let z = shift + 1.2 * dice.normal();
        let (score, label) = (chance(0.7 * z + 0.3), dice.uniform() < chance(z));
        cells.add(Some(score), Some(label), Some(0));
        let place = match (label, score >= 0.5) {
            (true, true) => &mut table.tp,
            (false, true) => &mut table.fp,
            (true, false) => &mut table.fn_,
            (false, false) => &mut table.tn,
        };
        *place += 1;
    }
    (cells, table)
}

#[test]
fn t6_intervals_without_labels_hold_the_truth_as_often_as_they_say() {
    let mut dice = Dice(11);
    let mut least = 1.0_f64;
    for (reference, window, shift) in [
        (5000, 2000, 0.0),
        (5000, 20_000, 0.0),
        (2000, 20_000, 0.0),
        (5000, 20_000, 0.5),
        (1000, 20_000, 0.5),
    ] {
        let runs = 400;
        let (mut inside, mut sampling_only) = (0, 0);
        for _ in 0..runs {
            let (known, _) = sample(&mut dice, reference, 0.0);
            let known: Vec<Cell> = known
                .cells(Some(0))
                .map(|c| Cell {
                    low: c.low,
                    high: c.high,
                    positive: c.count.positive,
                    negative: c.count.negative,
                })
                .collect();
            let calibration = Calibration::fit(&known).unwrap();
            let (seen, truth) = sample(&mut dice, window, shift);
            let cells: Vec<Expected> = seen
                .cells(Some(0))
                .map(|c| {
                    let cases = (c.count.positive + c.count.negative) as f64;
                    let (p, n) = if c.low >= 0.5 {
                        (cases, 0.0)
                    } else {
                        (0.0, cases)
                    };
                    calibration.expect(0.5 * (c.low + c.high), p, n)
                })
                .collect();
            let found = accuracy(&cells).unwrap();
            let (hits, of) = truth.accuracy();
            let gap = (found.value - hits as f64 / of as f64).abs();
            inside += u32::from(gap <= 1.96 * found.std_error);
            let certain = cells.iter().map(|cell| Expected {
                rests_on: f64::INFINITY,
                ..*cell
            });
            let narrow = accuracy(&certain.collect::<Vec<_>>()).unwrap();
            sampling_only += u32::from(gap <= 1.96 * narrow.std_error);
        }
        let share = |hits: u32| f64::from(hits) / f64::from(runs);
        println!(
            "reference {reference}, window {window}, shift {shift}: {:.3}, without the reference's part {:.3}",
            share(inside),
            share(sampling_only)
        );
        least = least.min(share(inside));
    }
    assert!(least >= 0.92, "{least}");
}

#[test]
fn windows_with_labels_agree_with_the_figures_of_labels() {
    // Where the chance is 0 or 1, what is expected is what is.
    each(
        &GERMAN_CREDIT,
        "performance.json",
        |window, rows, expected| {
            let certain: Vec<Expected> = rows
                .iter()
                .map(|row| {
                    let (p, n) = if row.decision { (1.0, 0.0) } else { (0.0, 1.0) };
                    known(row.label.unwrap(), p, n)
                })
                .collect();
            for (name, figure) in &FIGURES[..5] {
                same(figure(&certain).map(|f| f.value), &expected[*name], window);
            }
        },
    );
}
