//! The calibration line (Cox 1958): the logit of the chance of a positive label against the logit of
//! the score. Slope 1 and intercept 0 are right; a slope below 1 says that scores are too extreme.

use super::Figure;
use super::cells::{Cell, totals};

/// Steps of Newton's method at most.
const STEPS: usize = 60;
/// Scores are drawn this far from 0 and 1, where a logit has no end.
const CLIP: f64 = 1.0 / 131_072.0;

/// The line fitted by maximum likelihood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// What is added to the logit.
    pub intercept: Figure,
    /// What the logit is multiplied with.
    pub slope: Figure,
}

/// Fits the line to cells, the middle of a cell as the score of its cases. None without both labels,
/// if all cases have one score, or if scores separate the labels so that no line is best.
pub fn fit(cells: &[Cell]) -> Option<Line> {
    let (positives, negatives) = totals(cells);
    let filled: Vec<(f64, f64, f64)> = cells
        .iter()
        .filter(|cell| cell.cases() > 0.0)
        .map(|cell| (logit(cell.middle()), cell.positive as f64, cell.cases()))
        .collect();
    if positives == 0 || negatives == 0 || filled.len() < 2 {
        return None;
    }
    let (mut at, mut value) = ([0.0, 1.0], f64::NEG_INFINITY);
    let mut step = [0.0, 0.0];
    for _ in 0..STEPS {
        // A step that makes the fit worse is halved.
        for _ in 0..30 {
            let tried = [at[0] + step[0], at[1] + step[1]];
            let found = likelihood(&filled, tried);
            if found >= value {
                (at, value) = (tried, found);
                break;
            }
            step = [0.5 * step[0], 0.5 * step[1]];
        }
        let (score, [a, b, c]) = derivatives(&filled, at);
        let determinant = a * c - b * b;
        if determinant <= 1e-12 * a * c {
            return None;
        }
        step = [
            (c * score[0] - b * score[1]) / determinant,
            (a * score[1] - b * score[0]) / determinant,
        ];
        if step[0].abs() + step[1].abs() < 1e-10 {
            return Some(Line {
                intercept: Figure {
                    value: at[0],
                    std_error: (c / determinant).sqrt(),
                },
                slope: Figure {
                    value: at[1],
                    std_error: (a / determinant).sqrt(),
                },
            });
        }
    }
    None
}

fn logit(score: f64) -> f64 {
    let s = score.clamp(CLIP, 1.0 - CLIP);
    libm::log(s) - libm::log1p(-s)
}

fn chance(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// The log-likelihood of (logit, positives, cases) at an intercept and a slope.
fn likelihood(cells: &[(f64, f64, f64)], [intercept, slope]: [f64; 2]) -> f64 {
    cells.iter().fold(0.0, |sum, (x, positives, cases)| {
        let y = intercept + slope * x;
        // ln(1 + e^y) without overflow.
        let both = y.max(0.0) + libm::log1p(libm::exp(-y.abs()));
        sum + positives * y - cases * both
    })
}

/// First derivatives, and the information: of the intercept, of both, of the slope.
fn derivatives(cells: &[(f64, f64, f64)], [intercept, slope]: [f64; 2]) -> ([f64; 2], [f64; 3]) {
    let (mut score, mut information) = ([0.0; 2], [0.0; 3]);
    for (x, positives, cases) in cells {
        let p = chance(intercept + slope * x);
        let (rest, weight) = (positives - cases * p, cases * p * (1.0 - p));
        score[0] += rest;
        score[1] += rest * x;
        information[0] += weight;
        information[1] += weight * x;
        information[2] += weight * x * x;
    }
    (score, information)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_made_the_shares_is_found() {
        // Shares of positives exactly on intercept -0.5, slope 0.8.
        let cells: Vec<Cell> = (1..20)
            .map(|i| {
                let score = f64::from(i) / 20.0;
                let share = chance(-0.5 + 0.8 * logit(score));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of a thousand million"
                )]
                let positive = (share * 1e9).round() as u64;
                Cell::point(score, positive, 1_000_000_000 - positive)
            })
            .collect();
        let line = fit(&cells).unwrap();
        assert!((line.intercept.value + 0.5).abs() < 1e-7, "{line:?}");
        assert!((line.slope.value - 0.8).abs() < 1e-7, "{line:?}");
    }

    #[test]
    fn slope_and_errors_agree_with_an_unpenalised_fit() {
        let cells = [
            Cell::point(0.1, 1, 9),
            Cell::point(0.3, 5, 7),
            Cell::point(0.5, 4, 6),
            Cell::point(0.8, 11, 2),
        ];
        let line = fit(&cells).unwrap();
        for (found, expected) in [
            (line.intercept.value, EXPECTED[0]),
            (line.slope.value, EXPECTED[1]),
            (line.intercept.std_error, EXPECTED[2]),
            (line.slope.std_error, EXPECTED[3]),
        ] {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    /// numpy 2.4: Newton's method on the log-likelihood, written out; errors from the information there.
    const EXPECTED: [f64; 4] = [
        0.120_954_599_127_531_94,
        0.983_282_540_305_743_2,
        0.357_546_936_119_535_03,
        0.313_131_046_220_044_3,
    ];

    #[test]
    fn what_has_no_best_line_has_none() {
        assert_eq!(fit(&[]), None);
        assert_eq!(fit(&[Cell::point(0.5, 3, 4)]), None);
        assert_eq!(fit(&[Cell::point(0.2, 0, 9), Cell::point(0.9, 9, 0)]), None);
        assert_eq!(fit(&[Cell::point(0.2, 3, 0), Cell::point(0.9, 9, 0)]), None);
    }
}
