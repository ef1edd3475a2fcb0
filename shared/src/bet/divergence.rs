//! Measures of distance between laws of cells, and certificates for the balls that they make.
//!
//! All are convex in the law q. Those of the form `sum p d(q/p)` are certified by a tangent plane at
//! the law that is worst for the bet; the solver is Lagrange duality with two multipliers, one for
//! the radius and one for the total. Distances that are the largest mean difference over a class of
//! functions (total variation, Kolmogorov-Smirnov, Wasserstein) are certified by such a function.

use serde::{Deserialize, Serialize};

use super::cells::Certificate;

/// A measure of distance of a law q from the baseline's law p.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Divergence {
    /// Population stability index: `sum (q - p) ln(q/p)`.
    Psi,
    /// `sum q ln(q/p)`, in nats.
    KullbackLeibler,
    /// `sum (q - p)^2 / p`.
    ChiSquare,
    /// `1/2 sum |q - p|`.
    TotalVariation,
    /// Squared Hellinger distance: `1 - sum sqrt(p q)`.
    Hellinger,
    /// `1/2 sum q ln(q/m) + 1/2 sum p ln(p/m)` with `m = (p + q)/2`, in nats; the square of the
    /// distance in that unit.
    JensenShannon,
    /// Largest difference of the cumulated shares of the ordered cells.
    KolmogorovSmirnov,
    /// Least mean way that mass has to move, between the positions of cells. Cells without a place
    /// count as farther from all others than these are from each other, by their whole extent.
    Wasserstein,
}

impl Divergence {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Psi,
        Self::KullbackLeibler,
        Self::ChiSquare,
        Self::TotalVariation,
        Self::Hellinger,
        Self::JensenShannon,
        Self::KolmogorovSmirnov,
        Self::Wasserstein,
    ];

    /// The distance of q from p. `positions` are those of the ordered cells, which come first.
    pub fn between(self, q: &[f64], p: &[f64], positions: &[f64]) -> f64 {
        match self {
            Self::Psi
            | Self::KullbackLeibler
            | Self::ChiSquare
            | Self::Hellinger
            | Self::JensenShannon => {
                let terms = q.iter().zip(p).map(|(q, p)| p * self.term(q / p));
                terms.sum()
            }
            Self::TotalVariation => 0.5 * q.iter().zip(p).map(|(q, p)| (q - p).abs()).sum::<f64>(),
            Self::KolmogorovSmirnov => {
                let (mut sum, mut largest) = (0.0, 0.0_f64);
                for (q, p) in q.iter().zip(p) {
                    sum += q - p;
                    largest = largest.max(f64::abs(sum));
                }
                largest
            }
            Self::Wasserstein => transport(q, p, positions),
        }
    }

    /// d(r) of the measures of the form `sum p d(q/p)`.
    fn term(self, r: f64) -> f64 {
        match self {
            Self::Psi => (r - 1.0) * libm::log(r),
            Self::KullbackLeibler if r <= 0.0 => 0.0,
            Self::KullbackLeibler => r * libm::log(r),
            Self::ChiSquare => (r - 1.0) * (r - 1.0),
            Self::Hellinger => 1.0 - r.sqrt(),
            Self::JensenShannon if r <= 0.0 => 0.5 * std::f64::consts::LN_2,
            Self::JensenShannon => {
                0.5 * (r * libm::log(2.0 * r / (1.0 + r)) + libm::log(2.0 / (1.0 + r)))
            }
            Self::TotalVariation | Self::KolmogorovSmirnov | Self::Wasserstein => f64::NAN,
        }
    }

    /// d'(r).
    fn slope(self, r: f64) -> f64 {
        match self {
            Self::Psi => libm::log(r) + 1.0 - 1.0 / r,
            Self::KullbackLeibler => libm::log(r) + 1.0,
            Self::ChiSquare => 2.0 * (r - 1.0),
            Self::Hellinger => -0.5 / r.sqrt(),
            Self::JensenShannon => 0.5 * libm::log(2.0 * r / (1.0 + r)),
            Self::TotalVariation | Self::KolmogorovSmirnov | Self::Wasserstein => f64::NAN,
        }
    }

    /// d''(r).
    fn bend(self, r: f64) -> f64 {
        match self {
            Self::Psi => (1.0 + 1.0 / r) / r,
            Self::KullbackLeibler => 1.0 / r,
            Self::ChiSquare => 2.0,
            Self::Hellinger => 0.25 / (r * r.sqrt()),
            Self::JensenShannon => 0.5 / (r * (1.0 + r)),
            Self::TotalVariation | Self::KolmogorovSmirnov | Self::Wasserstein => f64::NAN,
        }
    }

    /// What slopes stay below.
    fn steepest(self) -> f64 {
        match self {
            Self::Hellinger => 0.0,
            Self::JensenShannon => 0.5 * std::f64::consts::LN_2,
            Self::Psi
            | Self::KullbackLeibler
            | Self::ChiSquare
            | Self::TotalVariation
            | Self::KolmogorovSmirnov
            | Self::Wasserstein => f64::INFINITY,
        }
    }

    /// The r at which the slope is y.
    fn at_slope(self, y: f64) -> f64 {
        const LEAST: f64 = 1e-12;
        const MOST: f64 = 1e12;
        let r = match self {
            Self::Psi => 1.0 / omega(1.0 - y),
            Self::KullbackLeibler => libm::exp(y - 1.0),
            Self::ChiSquare => 1.0 + 0.5 * y,
            Self::Hellinger => 0.25 / (y * y),
            Self::JensenShannon => {
                let e = libm::exp(2.0 * y);
                e / (2.0 - e)
            }
            Self::TotalVariation | Self::KolmogorovSmirnov | Self::Wasserstein => f64::NAN,
        };
        r.clamp(LEAST, MOST)
    }
}

/// The u > 0 with `u + ln u = z`, by Newton's method (Wright's omega function).
fn omega(z: f64) -> f64 {
    let mut u = if z > 1.0 {
        (z - libm::log(z)).max(0.5)
    } else {
        (0.8 * libm::exp(z.max(-600.0) - 1.0)).max(1e-280)
    };
    for _ in 0..4 {
        let next = u * (1.0 + z - libm::log(u)) / (1.0 + u);
        if (next - u).abs() <= 1e-14 * u {
            return next;
        }
        u = next.max(1e-280);
    }
    u
}

/// Least mean way between laws on a line; cells without a place are `extent` away from all others.
fn transport(q: &[f64], p: &[f64], positions: &[f64]) -> f64 {
    let extent = extent(positions);
    let (mut sum, mut way) = (0.0, 0.0);
    for (i, pair) in positions.windows(2).enumerate() {
        sum += q.get(i).unwrap_or(&0.0) - p.get(i).unwrap_or(&0.0);
        way += sum.abs() * (pair[1] - pair[0]);
    }
    let placeless = q.iter().zip(p).skip(positions.len());
    let moved: f64 = placeless.map(|(q, p)| (q - p).abs()).sum();
    // An upper bound of the way, and equal to it where all mass has a place.
    way + moved * extent
}

/// How far the outermost positions are apart.
fn extent(positions: &[f64]) -> f64 {
    match (positions.first(), positions.last()) {
        (Some(first), Some(last)) => last - first,
        (None, _) | (_, None) => 0.0,
    }
}

/// A tangent plane: `<q, slopes> - offset` is at most the divergence of q, for every law q.
pub(super) struct Plane {
    pub(super) slopes: Vec<f64>,
    pub(super) offset: f64,
}

/// The tangent plane at a law. Nothing if the measure has no such planes or the law is none.
pub(super) fn tangent(measure: Divergence, at: &[f64], law: &[f64]) -> Option<Plane> {
    let slopes: Vec<f64> = at
        .iter()
        .zip(law)
        .map(|(q, p)| measure.slope(q / p))
        .collect();
    let value = measure.between(at, law, &[]);
    let mean: f64 = slopes.iter().zip(at).map(|(g, q)| g * q).sum();
    let fits = at.iter().all(|q| *q > 0.0 && q.is_finite()) && (mean - value).is_finite();
    fits.then_some(Plane {
        slopes,
        offset: mean - value,
    })
}

/// By how much the mean of a function of the cell can differ between two laws at distance 1. Nothing
/// for measures that are not of this kind.
pub(super) fn steepness(measure: Divergence, values: &[f64], positions: &[f64]) -> Option<f64> {
    match measure {
        Divergence::TotalVariation => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Some(high - low)
        }
        Divergence::KolmogorovSmirnov => Some(
            values
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).abs())
                .sum(),
        ),
        Divergence::Wasserstein => {
            let mut steepest = 0.0_f64;
            for (pair, places) in values.windows(2).zip(positions.windows(2)) {
                steepest = steepest.max((pair[1] - pair[0]).abs() / (places[1] - places[0]));
            }
            // A placeless cell's mass moves by the extent from or to whichever place is best.
            let extent = extent(positions);
            let all = values.iter().copied();
            let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), t| {
                (l.min(t), h.max(t))
            });
            if values.len() > positions.len() {
                steepest = steepest.max((high - low) / extent);
            }
            Some(steepest)
        }
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::Hellinger
        | Divergence::JensenShannon => None,
    }
}

/// The certificate of the best bet whose payoffs are at least proportional to `wish` (logarithms):
/// `wish` less its largest logarithmic mean on the ball, up to the solver's error.
pub(super) fn certify(
    measure: Divergence,
    wish: &[f64],
    law: &[f64],
    positions: &[f64],
    radius: f64,
) -> Option<Certificate> {
    let values: Vec<f64> = wish.iter().map(|f| libm::exp(*f)).collect();
    match measure {
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::Hellinger
        | Divergence::JensenShannon => by_tangent(measure, &values, law, radius),
        Divergence::TotalVariation | Divergence::KolmogorovSmirnov | Divergence::Wasserstein => {
            by_majorant(measure, &values, law, positions, radius)
        }
    }
}

fn by_tangent(
    measure: Divergence,
    values: &[f64],
    law: &[f64],
    radius: f64,
) -> Option<Certificate> {
    let (at, mu) = worst(measure, values, law, radius)?;
    let plane = tangent(measure, &at, law)?;
    let over = |(v, g): (&f64, &f64)| v - mu * g;
    let most = values
        .iter()
        .zip(&plane.slopes)
        .map(over)
        .fold(f64::NEG_INFINITY, f64::max);
    let largest = mu * (radius + plane.offset) + most;
    (largest > 0.0 && largest.is_finite()).then(|| Certificate::Tangent {
        at,
        multiplier: mu / largest,
    })
}

/// The law in the ball with the largest mean of `values`, and the multiplier of the radius.
fn worst(measure: Divergence, values: &[f64], law: &[f64], radius: f64) -> Option<(Vec<f64>, f64)> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(high > low && high.is_finite()) {
        return None;
    }
    let mean: f64 = values.iter().zip(law).map(|(v, p)| v * p).sum();
    let squares = values
        .iter()
        .zip(law)
        .map(|(v, p)| p * (v - mean) * (v - mean));
    // Near the baseline the worst law's distance is `variance / (2 d''(1) mu^2)`; from that guess on
    // by chords in logarithms, within a bracket. The bound is flat around the optimum: an error in the
    // multiplier costs its square.
    let guess = (squares.sum::<f64>() / (2.0 * measure.bend(1.0) * radius)).sqrt();
    let (mut at, mut slope) = (libm::log(guess), -2.0);
    let (mut near, mut far) = (at - 30.0, at + 30.0);
    let mut nu = mean;
    let mut before: Option<(f64, f64)> = None;
    for _ in 0..40 {
        let mu = libm::exp(at);
        let ratios = stationary(measure, values, law, (mu, low, high), &mut nu);
        let terms = ratios.iter().zip(law).map(|(r, p)| p * measure.term(*r));
        let off = libm::log((terms.sum::<f64>() / radius).max(1e-300));
        if off > 0.0 {
            near = at;
        } else {
            far = at;
        }
        if off.abs() < 1e-8 {
            break;
        }
        if let Some((then, was)) = before {
            let chord = (off - was) / (at - then);
            if chord < -1e-3 {
                slope = chord;
            }
        }
        before = Some((at, off));
        let next = at - off / slope;
        at = if next > near && next < far {
            next
        } else {
            0.5 * (near + far)
        };
    }
    // A little more than the multiplier found: the law is then inside the ball, not beside its edge.
    let mu = libm::exp(at) * (1.0 + 2e-8);
    let ratios = stationary(measure, values, law, (mu, low, high), &mut nu);
    let total: f64 = ratios.iter().zip(law).map(|(r, p)| r * p).sum();
    let worst = ratios.iter().zip(law).map(|(r, p)| r * p / total).collect();
    Some((worst, mu))
}

/// The ratios r with `mu d'(r) = v - nu`, where nu makes the total 1; searched from the nu given.
/// `low` and `high` are the ends of the values.
fn stationary(
    measure: Divergence,
    values: &[f64],
    law: &[f64],
    (mu, low, high): (f64, f64, f64),
    start: &mut f64,
) -> Vec<f64> {
    let flat = measure.slope(1.0);
    let limit = high - mu * measure.steepest();
    let mut bracket = ((low - mu * flat).max(limit), high - mu * flat);
    let mut nu = if *start > bracket.0 && *start < bracket.1 {
        *start
    } else {
        0.5 * (bracket.0 + bracket.1)
    };
    let mut ratios = vec![1.0; values.len()];
    for _ in 0..60 {
        let (mut total, mut change) = (-1.0, 0.0);
        for ((r, v), p) in ratios.iter_mut().zip(values).zip(law) {
            *r = measure.at_slope((v - nu) / mu);
            total += p * *r;
            change -= p / (mu * measure.bend(*r));
        }
        if total > 0.0 {
            bracket.0 = nu;
        } else {
            bracket.1 = nu;
        }
        if total.abs() < 1e-11 {
            break;
        }
        let newton = nu - total / change;
        nu = if newton > bracket.0 && newton < bracket.1 {
            newton
        } else {
            0.5 * (bracket.0 + bracket.1)
        };
    }
    *start = nu;
    ratios
}

fn by_majorant(
    measure: Divergence,
    values: &[f64],
    law: &[f64],
    positions: &[f64],
    radius: f64,
) -> Option<Certificate> {
    let price = |candidate: &[f64]| {
        let mean: f64 = law.iter().zip(candidate).map(|(p, t)| p * t).sum();
        steepness(measure, candidate, positions).map(|steep| mean + radius * steep)
    };
    let candidates: Vec<Vec<f64>> = match measure {
        // Lifting the lowest cells makes a function flatter: which floor is best, is tried.
        Divergence::TotalVariation | Divergence::KolmogorovSmirnov => values
            .iter()
            .map(|floor| values.iter().map(|v| v.max(*floor)).collect())
            .collect(),
        Divergence::Wasserstein => gentle(values, positions),
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::Hellinger
        | Divergence::JensenShannon => Vec::new(),
    };
    let priced = candidates.into_iter().filter_map(|t| Some((price(&t)?, t)));
    let (largest, best) = priced.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let fits = largest > 0.0 && largest.is_finite();
    fits.then(|| Certificate::Majorant {
        values: best.iter().map(|t| t / largest).collect(),
    })
}

/// The least functions above `values` whose slope is at most one of some limits.
fn gentle(values: &[f64], positions: &[f64]) -> Vec<Vec<f64>> {
    const LIMITS: u32 = 48;
    let Some(steepest) = steepness(Divergence::Wasserstein, values, positions) else {
        return Vec::new();
    };
    let extent = extent(positions);
    let way = |a: usize, b: usize| match (positions.get(a), positions.get(b)) {
        _ if a == b => 0.0,
        (Some(a), Some(b)) => (a - b).abs(),
        (None, _) | (_, None) => extent,
    };
    let limits = (0..=LIMITS).map(|i| steepest * f64::from(i) / f64::from(LIMITS));
    let above = limits.map(|limit| {
        let reach = |b: usize| {
            let cones = values.iter().enumerate();
            cones
                .map(|(a, v)| v - limit * way(a, b))
                .fold(f64::NEG_INFINITY, f64::max)
        };
        (0..values.len()).map(reach).collect()
    });
    above.collect()
}

/// The least radius that a baseline of these counts can tell from its own scatter: four times what it is
/// off by on average for what grows with squares, on the index's scale `4 (B - 1) / n0`; twice that for
/// distances.
pub(super) fn finest(measure: Divergence, baseline: &[u64]) -> f64 {
    let rows = baseline.iter().fold(0.0, |sum, a| sum + *a as f64);
    let psi = 4.0 * (baseline.len() as f64 - 1.0) / rows;
    match measure {
        Divergence::Psi | Divergence::ChiSquare => psi,
        Divergence::KullbackLeibler => psi / 2.0,
        Divergence::Hellinger | Divergence::JensenShannon => psi / 8.0,
        // Half the sum of mean absolute errors of shares; the largest that one of two cells has.
        Divergence::TotalVariation => {
            let error = |a: &u64| {
                let p = *a as f64 / rows;
                (2.0 * p * (1.0 - p) / (core::f64::consts::PI * rows)).sqrt()
            };
            let off = 0.5 * baseline.iter().map(error).sum::<f64>();
            (2.0 * off).max(1.0 / rows.sqrt())
        }
        // Twice the standard error of one cumulated share at its largest.
        Divergence::KolmogorovSmirnov => 1.0 / rows.sqrt(),
        Divergence::Wasserstein => 0.0,
    }
}

/// A least radius on the scale of the level as written: the two scales are equal, or the radius is
/// a multiple of the level's square.
pub(super) fn on_scale(level: f64, radius: f64, least: f64) -> f64 {
    if (level - radius).abs() <= 1e-12 * level {
        least
    } else {
        level * (least / radius).sqrt()
    }
}
