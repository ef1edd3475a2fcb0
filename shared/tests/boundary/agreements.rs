//! Decisions against labels by figures that are no ratios of sums: exact bets on pairs of cases, and bets
//! on the estimate and its standard error (grade B).

use clause9_shared::bet::{Agreement, AgreementBets, Bets, NormalBets};
use clause9_shared::metric::Sample;
use clause9_shared::objective::document::Comparator::AtLeast;
use clause9_shared::performance::Figure;
use clause9_shared::performance::averages;
use clause9_shared::performance::multiclass::Table;

use crate::kinds::{Draw, Kind, N, kind, of_cells};

type Figured = fn(&Table) -> Option<Figure>;

/// A law by label and decision: labels at these shares, decided right, or by chance at these shares.
fn law(labels: &[f64], decisions: &[f64], by_chance: f64) -> Vec<f64> {
    let cell = |(i, label): (usize, &f64)| -> Vec<f64> {
        let right = move |j: usize| {
            if i == j {
                label * (1.0 - by_chance)
            } else {
                0.0
            }
        };
        let drawn = decisions.iter().enumerate();
        drawn
            .map(|(j, share)| right(j) + label * by_chance * share)
            .collect()
    };
    labels.iter().enumerate().flat_map(cell).collect()
}

/// The figure of a law: of so many cases that rounding shows nowhere.
fn of_law(figure: Figured, law: &[f64]) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shares of 2^40"
    )]
    let counts = law
        .iter()
        .map(|q| (q * 1_099_511_627_776.0) as u64)
        .collect();
    figure(&Table::new(law.len().isqrt(), counts).unwrap())
        .unwrap()
        .value
}

/// The law with a figure: the more is decided by chance, the less it is.
fn with(figure: Figured, value: f64, labels: &[f64], decisions: &[f64]) -> Vec<f64> {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if of_law(figure, &law(labels, decisions, middle)) > value {
            low = middle;
        } else {
            high = middle;
        }
    }
    law(labels, decisions, low)
}

/// Windows of these laws in equal parts.
fn counts(parts: [Vec<Vec<f64>>; 2]) -> impl Fn(&mut crate::random::Random, bool) -> Vec<u64> {
    move |random, is_breach| {
        let parts = &parts[usize::from(is_breach)];
        let each = N / parts.len() as u64;
        let drawn = parts.iter().map(|law| random.cells(each, law));
        drawn
            .reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect())
            .unwrap()
    }
}

/// The estimate and its standard error, for bets of grade B.
fn estimated(figure: Figured, parts: [Vec<Vec<f64>>; 2]) -> Draw {
    let drawn = counts(parts);
    Box::new(move |random, is_breach| {
        let counts = drawn(random, is_breach);
        let table = Table::new(counts.len().isqrt(), counts).unwrap();
        let found = figure(&table).unwrap();
        Sample::Normal {
            estimate: found.value,
            std_error: found.std_error,
            of: N,
            least: N,
        }
    })
}

fn in_pairs(measure: Agreement, level: f64) -> Bets {
    Bets::Agreement(AgreementBets::new(measure, level, AtLeast).unwrap())
}

/// Three positives in ten labels, four in ten decisions.
const TWO: [[f64; 2]; 2] = [[0.3, 0.7], [0.4, 0.6]];
const THREE: [[f64; 3]; 2] = [[0.2, 0.3, 0.5], [0.3, 0.3, 0.4]];

pub(crate) fn all() -> Vec<Kind> {
    let of_two = |figure: Figured, edge: f64, breach: f64| {
        [edge, breach].map(|value| vec![with(figure, value, &TWO[0], &TWO[1])])
    };
    let of_three = |figure: Figured, edge: f64, breach: f64| {
        [edge, breach].map(|value| vec![with(figure, value, &THREE[0], &THREE[1])])
    };
    let drawn = |parts| -> Draw {
        let counts = counts(parts);
        Box::new(move |random, is_breach| of_cells(counts(random, is_breach)))
    };
    let mut all = Vec::new();
    let figures: [(Agreement, Figured, [&'static str; 2]); 2] = [
        (
            Agreement::Kappa,
            Table::kappa,
            [
                "Cohen's kappa at least 0.6, by pairs",
                "Cohen's kappa at least 0.6, by its standard error (grade B)",
            ],
        ),
        (
            Agreement::Correlation,
            Table::matthews,
            [
                "Matthews' correlation at least 0.6, by pairs",
                "Matthews' correlation at least 0.6, by its standard error (grade B)",
            ],
        ),
    ];
    for (measure, figure, [exact, approximate]) in figures {
        let parts = of_two(figure, 0.6, 0.4);
        all.push(kind(
            exact,
            "0.4",
            in_pairs(measure, 0.6),
            drawn(parts.clone()),
        ));
        let bets = Bets::Normal(NormalBets::new(0.6, AtLeast).unwrap());
        all.push(kind(approximate, "0.4", bets, estimated(figure, parts)));
    }
    all.push(kind(
        "correlation among three classes at least 0.3, by pairs",
        "0.1",
        in_pairs(Agreement::Correlation, 0.3),
        drawn(of_three(Table::matthews, 0.3, 0.1)),
    ));
    all.push(unlike_halves());
    for (name, figure, level, breach, text) in [
        (
            "balanced accuracy at least 0.75 (grade B)",
            averages::macro_recall as Figured,
            0.75,
            0.65,
            "0.65",
        ),
        (
            "macro F1 of three classes at least 0.6 (grade B)",
            averages::macro_f1 as Figured,
            0.6,
            0.5,
            "0.5",
        ),
    ] {
        let bets = Bets::Normal(NormalBets::new(level, AtLeast).unwrap());
        let parts = of_three(figure, level, breach);
        all.push(kind(name, text, bets, estimated(figure, parts)));
    }
    all
}

/// The cases of a window are not drawn alike: one half has nearly all positives. The mean of both laws is
/// on the edge. Bets on pairs do not promise anything here; this shows what little it does to them.
fn unlike_halves() -> Kind {
    let apart = |value: f64| {
        let mean = with(Table::matthews, value, &TWO[0], &TWO[1]);
        let (positive, negative) = (0.8 * mean[0], 0.8 * mean[3].min(mean[0]));
        let moved = |sign: f64| {
            vec![
                mean[0] + sign * positive,
                mean[1],
                mean[2],
                mean[3] - sign * negative,
            ]
        };
        vec![moved(1.0), moved(-1.0)]
    };
    let counts = counts([apart(0.6), apart(0.4)]);
    kind(
        "Matthews' correlation at least 0.6, by pairs, windows of two unlike halves",
        "0.4",
        in_pairs(Agreement::Correlation, 0.6),
        Box::new(move |random, is_breach| of_cells(counts(random, is_breach))),
    )
}
