//! Bets on how far values were carried: "the Wasserstein distance of the values from the baseline's
//! is at most `radius`", of the raw values, though only their cells are known.
//!
//! A function f whose slope is nowhere above 1 has a mean that differs between two laws by at most
//! their distance (Kantorovich and Rubinstein). With its least value in each cell for the window and
//! its largest for the baseline, `inf f - (mean of sup f in the baseline + radius)` has a mean of at
//! most 0 while the objective is kept: a half-space for each f. Which functions are tried decides how
//! fast a drift is found: ramps over the whole range, over its middle and over its ends, upwards and
//! downwards, and the distance from the middle.

use super::NoBet;
use super::cells::CellBets;
use crate::objective::document::Comparator;

/// Strengths, as shares of the largest.
const STRENGTHS: [f64; 4] = [0.05, 0.15, 0.4, 0.8];
/// What the rounding of a sum of a few hundred terms may be wrong by, of its size.
const ROUNDING: f64 = 1e-12;

/// A cell of values and how many the baseline has there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Lower end; minus infinity for the first cell.
    pub low: f64,
    /// Upper end; infinity for the last cell.
    pub high: f64,
    /// Values of the baseline.
    pub baseline: u64,
}

/// A function of a value with no slope above 1.
#[derive(Clone, Copy, Debug)]
enum Gentle {
    /// Rises within these ends, is flat beyond.
    Up(f64, f64),
    /// Falls within them.
    Down(f64, f64),
    /// Distance from the first, no more than the second.
    Away(f64, f64),
    /// Its negative.
    Near(f64, f64),
}

impl Gentle {
    /// Least and largest value in a cell.
    fn ends(self, low: f64, high: f64) -> (f64, f64) {
        let negative = |(least, most): (f64, f64)| (-most, -least);
        match self {
            Self::Up(from, to) => (low.clamp(from, to), high.clamp(from, to)),
            Self::Down(from, to) => negative(Self::Up(from, to).ends(low, high)),
            Self::Away(middle, most) => {
                let (below, above) = (middle - low, high - middle);
                let least = (-above).max(-below).max(0.0);
                (least.min(most), below.max(above).min(most))
            }
            Self::Near(middle, most) => negative(Self::Away(middle, most).ends(low, high)),
        }
    }
}

/// Bets against "values were carried by at most `radius` on average", in their own unit. `level` is
/// the radius as written, on its own scale.
pub fn at_most(cells: &[Held], radius: f64, level: f64) -> Result<CellBets, NoBet> {
    let of: u64 = cells
        .iter()
        .fold(0, |sum, cell| sum.saturating_add(cell.baseline));
    let fits = cells.len() > 2 && of > 0 && radius > 0.0 && radius.is_finite();
    if !fits {
        return Err(NoBet(format!(
            "level {level}: a distance must be above 0 and the baseline must know where its values \
             lie; set the distance that is tolerated, and build the baseline from data"
        )));
    }
    let planes: Vec<Vec<f64>> = functions(cells, of)
        .into_iter()
        .map(|f| {
            let each: Vec<(f64, f64)> = cells.iter().map(|c| f.ends(c.low, c.high)).collect();
            let shares = cells.iter().map(|c| c.baseline as f64 / of as f64);
            let mean: f64 = each.iter().zip(shares).map(|((_, most), p)| most * p).sum();
            let size = each
                .iter()
                .fold(radius, |s, (l, h)| s.max(l.abs()).max(h.abs()));
            let most = mean + radius + ROUNDING * size;
            each.iter()
                .map(|(least, _)| (least - most) / radius)
                .collect()
        })
        .collect();
    CellBets::half_spaces(planes, &STRENGTHS, level, Comparator::AtMost)
}

fn functions(cells: &[Held], of: u64) -> Vec<Gentle> {
    let finite: Vec<f64> = cells
        .iter()
        .map(|c| c.high)
        .filter(|x| x.is_finite())
        .collect();
    let (Some(first), Some(last)) = (finite.first().copied(), finite.last().copied()) else {
        return Vec::new();
    };
    let quantile = |share: f64| {
        let mut below = 0.0;
        let found = cells.iter().find(|cell| {
            below += cell.baseline as f64;
            below >= share * of as f64
        });
        found.map_or(last, |cell| cell.high.clamp(first, last))
    };
    let [low, middle, high] = [0.1, 0.5, 0.9].map(quantile);
    let ranges = [(first, last), (low, high), (first, middle), (middle, last)];
    let ramps = ranges
        .into_iter()
        .filter(|(from, to)| from < to)
        .flat_map(|(from, to)| [Gentle::Up(from, to), Gentle::Down(from, to)]);
    let far = (last - middle).max(middle - first);
    let near = (high - middle).max(middle - low);
    let distances = [far, near]
        .into_iter()
        .filter(|most| *most > 0.0)
        .flat_map(|most| [Gentle::Away(middle, most), Gentle::Near(middle, most)]);
    ramps.chain(distances).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bet::fixed;

    fn cells() -> Vec<Held> {
        let mut cells = vec![Held {
            low: f64::NEG_INFINITY,
            high: 0.0,
            baseline: 0,
        }];
        for i in 0..20_u32 {
            let (low, high) = (f64::from(i) / 2.0, f64::from(i + 1) / 2.0);
            cells.push(Held {
                low,
                high,
                baseline: 500,
            });
        }
        cells.push(Held {
            low: 10.0,
            high: f64::INFINITY,
            baseline: 0,
        });
        cells
    }

    #[test]
    fn values_that_were_carried_far_gain_and_those_that_stayed_lose() {
        let bets = at_most(&cells(), 0.3, 0.3).unwrap();
        assert!(bets.certified());
        let mut stayed = vec![50_u64; 22];
        (stayed[0], stayed[21]) = (0, 0);
        assert!(bets.gains(&stayed).unwrap().iter().all(|gain| *gain < 0));
        // All of it up by one and a half; together in the middle; apart at the ends.
        let mut up = vec![0_u64; 22];
        up[4..22].fill(50);
        up[21] = 150;
        let mut together = vec![0_u64; 22];
        together[6..16].fill(100);
        let mut apart = vec![0_u64; 22];
        apart[1..6].fill(100);
        apart[16..21].fill(100);
        for moved in [up, together, apart] {
            let most = bets.gains(&moved).unwrap().into_iter().max().unwrap();
            assert!(most > 20 * fixed::ONE, "{}", fixed::to_nats(most));
        }
    }

    #[test]
    fn a_distance_of_zero_is_refused() {
        assert!(at_most(&cells(), 0.0, 0.0).is_err());
        assert!(at_most(&[], 1.0, 1.0).is_err());
    }
}
