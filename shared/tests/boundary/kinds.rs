//! The kinds of objectives, each with a law on its edge and one beyond it.

use clause9_shared::bet::cells::smoothed;
use clause9_shared::bet::half_space::{self, Fraction};
use clause9_shared::bet::transport::{self, Held};
use clause9_shared::bet::{
    Bets, CellBets, DifferenceBets, Divergence, NormalBets, PairBets, RateBets, RatioBets,
    Tolerance, scores, sizes,
};
use clause9_shared::metric::Sample;
use clause9_shared::objective::document::Comparator::{AtLeast, AtMost};
use clause9_shared::performance::cells::Cell;
use clause9_shared::performance::roc;

use crate::random::Random;

/// Cases of a window.
pub(crate) const N: u64 = 200;

pub(crate) type Draw = Box<dyn Fn(&mut Random, bool) -> Sample>;

/// One kind of objective.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The breach in words.
    pub(crate) breach: &'static str,
    pub(crate) bets: Bets,
    /// A window on the edge, or of the breach.
    pub(crate) draw: Draw,
}

pub(crate) fn kind(name: &'static str, breach: &'static str, bets: Bets, draw: Draw) -> Kind {
    Kind {
        name,
        breach,
        bets,
        draw,
    }
}

/// Counts alone: what else a sample says is for the running mean.
pub(crate) fn of_cells(counts: Vec<u64>) -> Sample {
    Sample::Cells {
        counts,
        estimate: 0.0,
        std_error: 1.0,
        least: 0,
    }
}

fn place(edges: &[(f64, f64)], x: f64) -> usize {
    edges
        .partition_point(|edge| edge.1 <= x)
        .min(edges.len() - 1)
}

pub(crate) fn all() -> Vec<Kind> {
    let mut all = shares();
    all.extend(balls());
    all.extend(means());
    all.extend(labelled_scores());
    all.extend(areas());
    all.push(carried());
    all.extend(crate::agreements::all());
    all
}

fn shares() -> Vec<Kind> {
    let rate = |edge: f64, breach: f64| -> Draw {
        Box::new(move |random, is_breach| Sample::Rate {
            hits: random.hits(N, if is_breach { breach } else { edge }),
            of: N,
        })
    };
    let two = |edge: f64, breach: f64| -> Draw {
        Box::new(move |random, is_breach| Sample::TwoRates {
            reference: (random.hits(140, 0.4), 140),
            compared: (random.hits(60, if is_breach { breach } else { edge }), 60),
        })
    };
    let table = Fraction {
        numerator: &[2.0, 0.0, 0.0, 0.0],
        denominator: &[2.0, 1.0, 1.0, 0.0],
    };
    let f1: Draw = Box::new(|random, is_breach| {
        let law = if is_breach {
            [0.25, 0.2, 0.2, 0.35]
        } else {
            [0.35, 0.15, 0.15, 0.35]
        };
        of_cells(random.cells(N, &law))
    });
    vec![
        kind(
            "share at least 0.85",
            "0.8",
            Bets::Rate(RateBets::new(0.85, AtLeast).unwrap()),
            rate(0.85, 0.8),
        ),
        kind(
            "share at most 0.02",
            "0.05",
            Bets::Rate(RateBets::new(0.02, AtMost).unwrap()),
            rate(0.02, 0.05),
        ),
        kind(
            "ratio of groups at least 0.8",
            "0.5",
            Bets::TwoRates(RatioBets::new(0.8, AtLeast).unwrap()),
            two(0.32, 0.2),
        ),
        kind(
            "difference of groups at least -0.1",
            "-0.25",
            Bets::Difference(DifferenceBets::new(-0.1, AtLeast).unwrap()),
            two(0.3, 0.15),
        ),
        kind(
            "F1 at least 0.7",
            "0.56",
            Bets::Cells(half_space::fraction(table, 0.7, AtLeast).unwrap()),
            f1,
        ),
    ]
}

const BASELINE: [u64; 6] = [2000, 2500, 2500, 2000, 900, 100];
const POSITIONS: [f64; 5] = [0.0, 1.0, 2.0, 3.0, 4.0];

/// The baseline's cells: distances of values that are there have none of missing ones.
fn cells_of(divergence: Divergence) -> &'static [u64] {
    match divergence {
        Divergence::KolmogorovSmirnov | Divergence::Wasserstein => &BASELINE[..5],
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::TotalVariation
        | Divergence::Hellinger
        | Divergence::JensenShannon => &BASELINE,
    }
}

/// The baseline's law with its values moved up until it is at a distance.
fn moved(divergence: Divergence, distance: f64) -> Vec<f64> {
    let law = smoothed(cells_of(divergence));
    let at = |t: f64| -> Vec<f64> {
        let raised = (0_u32..).zip(&law).map(|(i, p)| {
            let up = if i < 5 { f64::from(i) } else { 0.0 };
            p * libm::exp(t * up)
        });
        let raised: Vec<f64> = raised.collect();
        let total: f64 = raised.iter().sum();
        raised.iter().map(|q| q / total).collect()
    };
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if divergence.between(&at(middle), &law, &POSITIONS) < distance {
            low = middle;
        } else {
            high = middle;
        }
    }
    at(low)
}

fn balls() -> Vec<Kind> {
    let of = [
        (Divergence::Psi, 0.1, 0.5, "PSI at most 0.1", "0.5"),
        (
            Divergence::KullbackLeibler,
            0.05,
            0.25,
            "KL divergence at most 0.05",
            "0.25",
        ),
        (
            Divergence::ChiSquare,
            0.1,
            0.5,
            "chi-square distance at most 0.1",
            "0.5",
        ),
        (
            Divergence::TotalVariation,
            0.1,
            0.25,
            "total variation at most 0.1",
            "0.25",
        ),
        (
            Divergence::Hellinger,
            0.0125,
            0.06,
            "squared Hellinger distance at most 0.0125",
            "0.06",
        ),
        (
            Divergence::JensenShannon,
            0.0125,
            0.06,
            "JS divergence at most 0.0125",
            "0.06",
        ),
        (
            Divergence::KolmogorovSmirnov,
            0.1,
            0.25,
            "KS distance at most 0.1",
            "0.25",
        ),
        (
            Divergence::Wasserstein,
            0.3,
            0.8,
            "Wasserstein distance of cells at most 0.3",
            "0.8",
        ),
    ];
    let each = of.map(|(divergence, radius, beyond, name, breach)| {
        let bets = CellBets::drift(Tolerance {
            divergence,
            baseline: cells_of(divergence),
            positions: &POSITIONS,
            radius,
            level: radius,
        });
        let laws = [radius, beyond].map(|distance| moved(divergence, distance));
        let draw: Draw = Box::new(move |random, is_breach| {
            of_cells(random.cells(N, &laws[usize::from(is_breach)]))
        });
        kind(name, breach, Bets::Cells(bets.unwrap()), draw)
    });
    each.into()
}

/// Errors that are exponential with mean 1; of the breach with mean 1.3.
fn means() -> Vec<Kind> {
    let edges = sizes::edges(0);
    let draw = || -> Draw {
        let edges = sizes::edges(0);
        Box::new(move |random, is_breach| {
            let mean = if is_breach { 1.3 } else { 1.0 };
            let mut counts = vec![0; edges.len()];
            for _ in 0..N {
                counts[place(&edges, -mean * libm::log(random.uniform()))] += 1;
            }
            of_cells(counts)
        })
    };
    let lows = |of: fn(f64) -> f64| edges.iter().map(|edge| of(edge.0)).collect::<Vec<f64>>();
    let mean = |of: fn(f64) -> f64, level: f64| {
        Bets::Cells(half_space::mean_at_most(&lows(of), level).unwrap())
    };
    let quantile = |share: f64| {
        let level = -libm::log(1.0 - share);
        Bets::Cells(half_space::quantile(&edges, share, level.next_up(), AtMost).unwrap())
    };
    vec![
        kind("mean error at most 1", "1.3", mean(|x| x, 1.0), draw()),
        kind(
            "mean squared error at most 2",
            "3.38",
            mean(|x| x * x, 2.0),
            draw(),
        ),
        kind(
            "median of errors at most 0.69",
            "0.9",
            quantile(0.5),
            draw(),
        ),
        kind(
            "90 % quantile of errors at most 2.3",
            "2.99",
            quantile(0.9),
            draw(),
        ),
    ]
}

/// Scores of which the positive share is off by so much.
fn scored(edges: Vec<(f64, f64)>, from: f64, edge: f64, breach: f64) -> Draw {
    Box::new(move |random, is_breach| {
        let off = if is_breach { breach } else { edge };
        let mut counts = vec![0; 2 * edges.len()];
        for _ in 0..N {
            let score = from + (1.0 - 2.0 * from) * random.uniform();
            let negative = random.uniform() >= score + off;
            counts[2 * place(&edges, score) + usize::from(negative)] += 1;
        }
        of_cells(counts)
    })
}

/// The mean loss of even scores that are right is known: 1/6 and 1/2. A breach: positive cases are
/// more by 15 in a hundred than scores say (for losses: labels are tossed for 30 in a hundred).
fn labelled_scores() -> Vec<Kind> {
    let (fine, even) = (scores::fine(), scores::even());
    let losses = |of: fn(f64) -> f64, level: f64| {
        let lows: Vec<f64> = fine
            .iter()
            .flat_map(|(low, high)| [of(1.0 - high), of(*low)])
            .collect();
        Bets::Cells(half_space::mean_at_most(&lows, level).unwrap())
    };
    let tossed = || -> Draw {
        let edges = scores::fine();
        Box::new(move |random, is_breach| {
            let mut counts = vec![0; 2 * edges.len()];
            for _ in 0..N {
                let score = random.uniform();
                let toss = is_breach && random.uniform() < 0.3;
                let chance = if toss { 0.5 } else { score };
                let negative = random.uniform() >= chance;
                counts[2 * place(&edges, score) + usize::from(negative)] += 1;
            }
            of_cells(counts)
        })
    };
    let residual: Vec<(f64, f64)> = even
        .iter()
        .flat_map(|(low, high)| [(1.0 - high, 1.0 - low), (-high, -low)])
        .collect();
    let log: fn(f64) -> f64 = |gap| -libm::log((1.0 - gap).clamp(f64::EPSILON, 1.0));
    vec![
        kind(
            "Brier score at most 1/6",
            "three labels in ten tossed",
            losses(|gap| gap * gap, 1.0 / 6.0),
            tossed(),
        ),
        kind(
            "log loss at most 1/2",
            "three labels in ten tossed",
            losses(log, 0.5),
            tossed(),
        ),
        kind(
            "calibration error at most 0.05",
            "0.15",
            Bets::Cells(half_space::calibration(&even, 15, 0.05).unwrap()),
            scored(scores::even(), 0.2, 0.05, 0.15),
        ),
        kind(
            "mean residual of a group at most 0.05",
            "0.15",
            Bets::Cells(half_space::mean_between(&residual, 0.05, AtMost).unwrap()),
            scored(scores::even(), 0.2, 0.05, 0.15),
        ),
    ]
}

/// Scores of 60 positive and 140 negative cases, normal, apart for an area of 0.8 and of 0.7.
fn areas() -> Vec<Kind> {
    fn drawn(random: &mut Random, is_breach: bool) -> Vec<u64> {
        let apart = if is_breach { 0.741_6 } else { 1.190_3 };
        let edges = scores::fine();
        let mut counts = vec![0; 2 * edges.len()];
        for (label, n, shift) in [(0, 60, apart), (1, 140, 0.0)] {
            for _ in 0..n {
                let z = shift + random.normal();
                let score = 1.0 / (1.0 + libm::exp(-z));
                counts[2 * place(&edges, score) + label] += 1;
            }
        }
        counts
    }
    let delong: Draw = Box::new(|random, is_breach| {
        let counts = drawn(random, is_breach);
        let cells: Vec<Cell> = counts
            .chunks(2)
            .zip(scores::fine())
            .map(|(pair, (low, high))| Cell {
                low,
                high,
                positive: pair[0],
                negative: pair[1],
            })
            .collect();
        let found = roc::area(&cells).unwrap();
        Sample::Normal {
            estimate: found.area.value,
            std_error: found.std_error,
            of: N,
            least: 60,
        }
    });
    vec![
        kind(
            "ROC AUC at least 0.8, by pairs",
            "0.7",
            Bets::Pairs(PairBets::new(0.8).unwrap()),
            Box::new(|random, is_breach| of_cells(drawn(random, is_breach))),
        ),
        kind(
            "ROC AUC at least 0.8, by its standard error (grade B)",
            "0.7",
            Bets::Normal(NormalBets::new(0.8, AtLeast).unwrap()),
            delong,
        ),
    ]
}

/// Values that are even from 0 to 1 in the baseline, carried up by 0.05; of the breach by 0.15.
fn carried() -> Kind {
    let mut edges: Vec<(f64, f64)> = (0..40)
        .map(|i| (f64::from(i) / 40.0, f64::from(i + 1) / 40.0))
        .collect();
    edges.insert(0, (f64::NEG_INFINITY, 0.0));
    edges.push((1.0, f64::INFINITY));
    let held: Vec<Held> = edges
        .iter()
        .map(|(low, high)| Held {
            low: *low,
            high: *high,
            baseline: if low.is_finite() && high.is_finite() {
                250
            } else {
                0
            },
        })
        .collect();
    let bets = Bets::Cells(transport::at_most(&held, 0.05, 0.05).unwrap());
    let draw: Draw = Box::new(move |random, is_breach| {
        let by = if is_breach { 0.15 } else { 0.05 };
        let mut counts = vec![0; edges.len()];
        for _ in 0..N {
            counts[place(&edges, random.uniform() + by)] += 1;
        }
        of_cells(counts)
    });
    kind("Wasserstein distance at most 0.05", "0.15", bets, draw)
}
