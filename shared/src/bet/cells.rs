//! Bets on counts over cells, against a convex set of conforming laws. Exact at any number of cases.
//!
//! Every bet carries a *certificate*: a linear function w of the law that is at most 0 on the whole
//! set, with `exp(l_b) <= 1 + w_b` in every cell (w shortened by 2^-36 for the rounding of payoffs).
//! Then `sum q_b exp(l_b) <= 1 + <q, w> <= 1` for each
//! conforming law q, so the bet cannot gain in expectation while the objective is kept; whoever
//! doubts a bet checks the certificate and needs no solver. Where the certificate comes from (a dual
//! optimum) decides only how much a breach pays, never whether the bet is valid: weak duality.
//!
//! Instances of e-variables by reverse information projection (Grünwald, de Heide and Koolen 2024;
//! Larsson, Ramdas and Ruf 2025).

use serde::{Deserialize, Serialize};

use super::divergence::{self, Divergence};
use super::{NoBet, directions, fixed};
use crate::objective::document::Comparator;

/// Most cells of a law that is bet on.
pub const MAX_CELLS: usize = 4096;
/// A law with one cell above this share has nothing to move: its drift is a rate.
const DEGENERATE: f64 = 0.999;

/// Which laws of the cells conform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Conforming {
    /// Those within a distance of the baseline's law `(a_b + 1/2) / (n0 + B/2)`.
    Ball {
        /// The measure of distance.
        divergence: Divergence,
        /// The baseline's counts a.
        baseline: Vec<u64>,
        /// The distance that is tolerated.
        radius: f64,
        /// Where the cells lie, for distances that ask for it: as many leading cells as are ordered,
        /// in the unit of the radius. Cells after them (missing values) have no place.
        positions: Vec<f64>,
    },
    /// Those whose mean of each of these functions of the cell is at most 0.
    HalfSpaces {
        /// One function for each side that can be left, one value for each cell.
        planes: Vec<Vec<f64>>,
    },
}

/// Why a bet cannot gain on conforming laws: how its linear bound w is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Certificate {
    /// w is `multiplier` times the tangent plane of the divergence at a law, less the radius: a
    /// convex function lies above its tangents, so w is at most 0 where the divergence is at most
    /// the radius.
    Tangent {
        /// That law; positive numbers, about where the set's worst law for the bet lies.
        at: Vec<f64>,
        /// The multiplier of the dual problem.
        multiplier: f64,
    },
    /// w is a function of the cell less its largest mean on the set: its baseline mean plus the
    /// radius times its steepness (range, variation or slope, as the divergence measures it).
    Majorant {
        /// The function.
        values: Vec<f64>,
    },
    /// w is `multiplier` times one of the half-spaces' functions.
    Plane {
        /// Which one.
        plane: usize,
        /// The factor.
        multiplier: f64,
    },
}

/// One bet: what a case in each cell pays, in 2^-32 nats, and why that is fair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellBet {
    /// Payoffs by cell.
    #[serde(with = "fixed::exact_list")]
    pub payoffs: Vec<i64>,
    /// The certificate.
    pub certificate: Certificate,
}

/// Bets against one level, over cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellBets {
    /// The level.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// The conforming laws.
    pub conforming: Conforming,
    /// The bets.
    pub bets: Vec<CellBet>,
}

/// A drift tolerance to be compiled.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance<'a> {
    /// The measure of distance.
    pub divergence: Divergence,
    /// The baseline's counts by cell.
    pub baseline: &'a [u64],
    /// Where the ordered cells lie; they come first. Empty if no cell is ordered. Only
    /// [`Divergence::Wasserstein`] reads more than their number.
    pub positions: &'a [f64],
    /// The distance that is tolerated, on the divergence's own scale.
    pub radius: f64,
    /// The level as written, where the metric's scale is another one; shown, not computed with.
    pub level: f64,
}

impl Conforming {
    /// How many cells.
    pub fn cells(&self) -> usize {
        match self {
            Self::Ball { baseline, .. } => baseline.len(),
            Self::HalfSpaces { planes } => planes.first().map_or(0, Vec::len),
        }
    }

    /// The linear bound w of a certificate: at most 0 in the mean on every conforming law. Nothing
    /// if the certificate is of another set.
    pub fn bound(&self, certificate: &Certificate) -> Option<Vec<f64>> {
        match (self, certificate) {
            (
                Self::Ball {
                    divergence,
                    baseline,
                    radius,
                    ..
                },
                Certificate::Tangent { at, multiplier },
            ) => {
                let law = smoothed(baseline);
                let fits = at.len() == law.len() && *multiplier >= 0.0;
                let plane = divergence::tangent(*divergence, at, &law)?;
                let moved = |slope: &f64| multiplier * (slope - plane.offset - radius);
                fits.then(|| plane.slopes.iter().map(moved).collect())
            }
            (
                Self::Ball {
                    divergence,
                    baseline,
                    radius,
                    positions,
                },
                Certificate::Majorant { values },
            ) => {
                let law = smoothed(baseline);
                let steep = divergence::steepness(*divergence, values, positions)?;
                let mean: f64 = law.iter().zip(values).map(|(p, t)| p * t).sum();
                let most = mean + radius * steep;
                (values.len() == law.len()).then(|| values.iter().map(|t| t - most).collect())
            }
            (Self::HalfSpaces { planes }, Certificate::Plane { plane, multiplier }) => {
                let plane = planes.get(*plane)?;
                (*multiplier >= 0.0).then(|| plane.iter().map(|w| multiplier * w).collect())
            }
            (Self::Ball { .. } | Self::HalfSpaces { .. }, _) => None,
        }
    }

    /// The bet that a certificate proves: `ln(1 + w)`, rounded down. Nothing if a cell would lose
    /// everything.
    fn bet(&self, certificate: Certificate) -> Option<CellBet> {
        let bound = self.bound(&certificate)?;
        let fits = bound.iter().all(|w| w.is_finite() && *w > -1.0);
        fits.then(|| CellBet {
            payoffs: bound
                .iter()
                .map(|w| fixed::payoff(libm::log1p(*w)))
                .collect(),
            certificate,
        })
    }
}

impl CellBets {
    /// Bets against "the law is within a distance of the baseline's".
    pub fn drift(of: Tolerance<'_>) -> Result<Self, NoBet> {
        if let Some(why) = refuse(&of) {
            return Err(NoBet(why));
        }
        let law = smoothed(of.baseline);
        let conforming = Conforming::Ball {
            divergence: of.divergence,
            baseline: of.baseline.to_vec(),
            radius: of.radius,
            positions: of.positions.to_vec(),
        };
        let wishes = directions::wishes(of.divergence, &law, of.positions, of.radius);
        let bets: Vec<CellBet> = wishes
            .iter()
            .filter_map(|wish| {
                divergence::certify(of.divergence, wish, &law, of.positions, of.radius)
            })
            .filter_map(|certificate| conforming.bet(certificate))
            .filter(|bet| bet.payoffs.iter().any(|payoff| *payoff > 0))
            .collect();
        if bets.is_empty() {
            return Err(NoBet(format!(
                "level {}: no law of these cells is farther from the baseline than that; set a \
                 lower level",
                of.level
            )));
        }
        Ok(Self {
            level: of.level,
            comparator: Comparator::AtMost,
            conforming,
            bets,
        })
    }

    /// Bets against "the mean of each function of the cell is at most 0". The strengths of a plane
    /// are fractions of the largest that leaves every cell something.
    pub fn half_spaces(
        planes: Vec<Vec<f64>>,
        strengths: &[f64],
        level: f64,
        comparator: Comparator,
    ) -> Result<Self, NoBet> {
        let finite = planes.iter().flatten().all(|w| w.is_finite());
        let cells = planes.first().map_or(0, Vec::len);
        let fits = finite && cells > 0 && planes.iter().all(|plane| plane.len() == cells);
        if !fits || cells > MAX_CELLS {
            return Err(NoBet(format!("level {level}: no bet has such cells")));
        }
        let largest = |plane: &[f64]| {
            let lowest = plane.iter().copied().fold(0.0, f64::min);
            let highest = plane.iter().copied().fold(0.0, f64::max);
            (lowest < 0.0 && highest > 0.0).then_some(-1.0 / lowest)
        };
        let multipliers: Vec<(usize, f64)> = planes
            .iter()
            .enumerate()
            .filter_map(|(index, plane)| Some((index, largest(plane)?)))
            .flat_map(|(index, most)| strengths.iter().map(move |share| (index, share * most)))
            .collect();
        let conforming = Conforming::HalfSpaces { planes };
        let bets: Vec<CellBet> = multipliers
            .into_iter()
            .filter_map(|(plane, multiplier)| {
                conforming.bet(Certificate::Plane { plane, multiplier })
            })
            .collect();
        if bets.is_empty() {
            return Err(NoBet(format!(
                "level {level}: it can never be broken, or a single case breaks it; set a level \
                 between what the metric can be"
            )));
        }
        Ok(Self {
            level,
            comparator,
            conforming,
            bets,
        })
    }

    /// How many cells a sample must have.
    pub fn cells(&self) -> usize {
        self.conforming.cells()
    }

    /// What each bet gains on counts, in 2^-32 nats. Nothing if they are of other cells.
    pub fn gains(&self, counts: &[u64]) -> Option<Vec<i64>> {
        (counts.len() == self.cells()).then(|| {
            let dot = |bet: &CellBet| {
                let paid = bet.payoffs.iter().zip(counts);
                fixed::saturate(
                    paid.map(|(payoff, count)| i128::from(*payoff) * i128::from(*count))
                        .sum(),
                )
            };
            self.bets.iter().map(dot).collect()
        })
    }

    /// Whether every bet is covered by its certificate, to within the rounding of this check.
    pub fn certified(&self) -> bool {
        self.bets.iter().all(|bet| {
            let bound = self.conforming.bound(&bet.certificate);
            bound.is_some_and(|bound| {
                bound.len() == bet.payoffs.len()
                    && bound
                        .iter()
                        .zip(&bet.payoffs)
                        .all(|(w, payoff)| *payoff <= fixed::payoff(libm::log1p(*w)))
            })
        })
    }
}

/// A law from counts, each with half a case more (Krichevsky and Trofimov 1981).
pub fn smoothed(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
    counts.iter().map(|a| (*a as f64 + 0.5) / total).collect()
}

/// Why a tolerance cannot be told with this baseline, and what to do.
pub fn refuse(of: &Tolerance<'_>) -> Option<String> {
    let (level, cells) = (of.level, of.baseline.len());
    let rows: u64 = of.baseline.iter().fold(0, |sum, a| sum.saturating_add(*a));
    if rows == 0 {
        return Some("the baseline has no rows of its feature; build it from data".to_owned());
    }
    if !(2..=MAX_CELLS).contains(&cells) {
        return Some(format!(
            "the baseline has {cells} cells; 2 to {MAX_CELLS} can be judged"
        ));
    }
    let radius = of.radius;
    if !(radius > 0.0 && radius.is_finite()) {
        return Some(format!(
            "level {level}: a tolerance must be above 0; set the drift that is tolerated"
        ));
    }
    let largest = of.baseline.iter().max().copied().unwrap_or(0);
    if largest as f64 > DEGENERATE * rows as f64 {
        return Some(format!(
            "{largest} of the baseline's {rows} rows lie in one of its {cells} cells, so there is no \
             law to drift from; set a level on the share of the other cells instead, as \
             missing_rate at most 0.01"
        ));
    }
    let least = divergence::finest(of.divergence, of.baseline);
    (radius < least).then(|| {
        let shown = divergence::on_scale(level, radius, least);
        format!(
            "level {level} is finer than a baseline of {rows} rows in {cells} cells can tell; \
             set it to at least {shown:.4}, or build the baseline from more rows"
        )
    })
}
