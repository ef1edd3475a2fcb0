//! What plots are drawn from: shares in display bins, calibration and the ROC curve, all from the
//! summaries' counts.

use clause9_shared::baseline::Law;
use clause9_shared::ids::Name;
use clause9_shared::sketch::{
    Categories, Histogram, PaneSummary, ScoreCells, SummaryKey, SummaryKind, SummaryOf,
};

/// Bins of a drawn distribution.
const BINS: usize = 40;

/// Two laws side by side: names or edges, and the shares of the reference and of now.
pub(super) struct Compared {
    pub(super) bins: Vec<Bin>,
    /// Whether the bins are stretches of a number, rather than categories.
    pub(super) numeric: bool,
}

pub(super) struct Bin {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) name: String,
    pub(super) reference: f64,
    pub(super) current: f64,
}

fn key(feature: &Name, kind: SummaryKind) -> SummaryKey {
    SummaryKey::new(SummaryOf::Feature(feature.clone()), kind)
}

/// A feature's law in the reference and now.
pub(super) fn compared(feature: &Name, law: &Law, now: &PaneSummary) -> Option<Compared> {
    match law {
        Law::Numeric { shape, .. } => {
            let now = Histogram::of(now.get(&key(feature, SummaryKind::Histogram))?)?;
            let reference = shape.as_ref().map(|shape| &shape.histogram);
            Some(numbers(reference, now))
        }
        Law::Categorical {
            categories,
            counts,
            other,
            missing,
            ..
        } => {
            let now = Categories::of(now.get(&key(feature, SummaryKind::Categories))?)?;
            let rows: u64 = counts.iter().sum::<u64>() + other + missing;
            let share = |count: u64, of: u64| {
                if of == 0 {
                    0.0
                } else {
                    count as f64 / of as f64
                }
            };
            let listed = categories.iter().zip(counts).zip(now.counts());
            let listed = listed.map(|((name, was), is)| (name.clone(), *was, *is));
            let rest = [
                ("(others)".to_owned(), *other, now.unlisted()),
                ("(missing)".to_owned(), *missing, now.missing()),
            ];
            let rest = rest.into_iter().filter(|(_, was, is)| was + is > 0);
            let bins = listed
                .chain(rest)
                .enumerate()
                .map(|(i, (name, was, is))| Bin {
                    low: i as f64,
                    high: i as f64 + 1.0,
                    name,
                    reference: share(was, rows),
                    current: share(is, now.total()),
                });
            Some(Compared {
                bins: bins.collect(),
                numeric: false,
            })
        }
    }
}

/// Between which values the middle 99 % of a histogram lie.
fn middle(histogram: &Histogram) -> Option<(f64, f64)> {
    let (low, _) = histogram.quantile_bounds(0.005)?;
    let (_, high) = histogram.quantile_bounds(0.995)?;
    (low.is_finite() && high.is_finite()).then_some((low, high))
}

fn numbers(reference: Option<&Histogram>, now: &Histogram) -> Compared {
    let ranges = [reference.and_then(middle), middle(now)];
    let ranges: Vec<(f64, f64)> = ranges.into_iter().flatten().collect();
    let low = ranges.iter().map(|r| r.0).fold(f64::INFINITY, f64::min);
    let high = ranges.iter().map(|r| r.1).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low < high {
        (low, high)
    } else {
        let at = if low.is_finite() { low } else { 0.0 };
        (at - 0.5, at + 0.5)
    };
    let step = (high - low) / BINS as f64;
    let was = reference.map_or_else(|| vec![0.0; BINS], |h| spread(h, low, step));
    let is = spread(now, low, step);
    let bins = was.into_iter().zip(is).enumerate().map(|(i, (was, is))| {
        let (from, to) = (low + i as f64 * step, low + (i + 1) as f64 * step);
        Bin {
            low: from,
            high: to,
            name: format!("{} to {}", super::svg::short(from), super::svg::short(to)),
            reference: was,
            current: is,
        }
    });
    Compared {
        bins: bins.collect(),
        numeric: true,
    }
}

/// A histogram's shares in equal bins; a cell's cases are taken as spread evenly over it.
fn spread(histogram: &Histogram, low: f64, step: f64) -> Vec<f64> {
    let mut bins = vec![0.0; BINS];
    let total = histogram.total().max(1) as f64;
    for cell in histogram.cells() {
        let share = cell.count as f64 / total;
        if !cell.low.is_finite() || !cell.high.is_finite() {
            continue;
        }
        let width = cell.high - cell.low;
        for (i, bin) in bins.iter_mut().enumerate() {
            let (from, to) = (low + i as f64 * step, low + (i + 1) as f64 * step);
            if width > 0.0 {
                let overlap = (cell.high.min(to) - cell.low.max(from)).max(0.0);
                *bin += share * overlap / width;
            } else if cell.low >= from && (cell.low < to || i + 1 == BINS) && cell.low <= to {
                *bin += share;
            }
        }
    }
    bins
}

/// Scores by label in all cases, if they are kept.
pub(super) fn scores(outcomes: &PaneSummary) -> Option<&ScoreCells> {
    let key = SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells);
    ScoreCells::of(outcomes.get(&key)?)
}

/// Mean score and share of positives in each tenth of the scores that has cases, with the cases.
pub(super) fn calibration(cells: &ScoreCells) -> Vec<(f64, f64, u64)> {
    let mut bins = [(0.0, 0_u64, 0_u64); 10];
    for cell in cells.cells(Some(0)) {
        let n = cell.count.positive + cell.count.negative;
        let middle = f64::midpoint(cell.low, cell.high);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "scores are from 0 to 1"
        )]
        let bin = ((middle * 10.0) as usize).min(9);
        bins[bin].0 += middle * n as f64;
        bins[bin].1 += cell.count.positive;
        bins[bin].2 += n;
    }
    let filled = bins.into_iter().filter(|(_, _, n)| *n > 0);
    filled
        .map(|(sum, positive, n)| (sum / n as f64, positive as f64 / n as f64, n))
        .collect()
}

/// The ROC curve at every edge of the score cells.
pub(super) fn roc(cells: &ScoreCells) -> Option<Vec<(f64, f64)>> {
    let mut all: Vec<_> = cells.cells(Some(0)).collect();
    all.reverse();
    let positives: u64 = all.iter().map(|c| c.count.positive).sum();
    let negatives: u64 = all.iter().map(|c| c.count.negative).sum();
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut hits, mut alarms) = (0, 0);
    let mut points = vec![(0.0, 0.0)];
    for cell in all {
        hits += cell.count.positive;
        alarms += cell.count.negative;
        points.push((
            alarms as f64 / negatives as f64,
            hits as f64 / positives as f64,
        ));
    }
    Some(points)
}
