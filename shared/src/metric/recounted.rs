//! Intervals by counting again, for figures of labelled decisions and of scores that have no formula of one.
//!
//! A multinomial bootstrap of the counts that a figure is taken of: resamples *around* the counts, and of
//! *chance* alone, under which the figure would be at its best (groups decided alike; labels that come as
//! scores say; scores that say nothing of labels). A figure that is the length of a vector of differences is
//! never below its best, and chance alone lifts it: the lower end is the value less the 97.5th percentile of
//! chance, which holds by the triangle inequality (ADR 0018). Figures that lie on either side of their value
//! have the percentiles around their own mean. Slow, so that `clause9 profile` alone does it.

use crate::drift::bootstrap::{Figures, Lift, percentile};
use crate::drift::dice::Dice;
use crate::metric::drift::Resampling;
use crate::metric::performance::score_cells;
use crate::metric::{MetricId, Seen};
use crate::objective::document::Subject;
use crate::performance::calibration::{
    self, Group, brier_parts, debiased_square, equal_mass, equal_width, expected_error,
    largest_error,
};
use crate::performance::cells::Cell;
use crate::performance::{Bracketed, ranking};
use crate::sketch::{ClassTable, Confusion, PaneSummary, Summary, SummaryKey, SummaryKind};

/// Scores take many cells: of them no more resamples are drawn.
const MOST_OF_SCORES: u32 = 399;
/// The share of the list at which gain and lift are taken.
const TOP: f64 = 0.1;

/// How a figure scatters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scatter {
    /// On either side of its value.
    Sides,
    /// The length of a vector of differences.
    Length,
    /// The square of one.
    Square,
    /// The smaller over the larger: less its logarithm is a length.
    Ratio,
}

/// How a figure of scores would come out by chance alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chance {
    /// Labels come as scores say.
    Calibrated,
    /// Scores say nothing of labels.
    Shuffled,
}

use MetricId as M;

/// Figures of a table of labels and decisions, by groups or not.
const OF_TABLES: &[(MetricId, Scatter)] = &[
    (M::MatthewsZero, Scatter::Sides),
    (M::MacroPrecisionZero, Scatter::Sides),
    (M::MacroRecallZero, Scatter::Sides),
    (M::WeightedPrecisionZero, Scatter::Sides),
    (M::GeneralisedEntropy, Scatter::Sides),
    (M::TheilIndex, Scatter::Sides),
    (M::EntropyBetweenGroups, Scatter::Square),
    (M::EqualisedOddsDifference, Scatter::Length),
    (M::EqualisedOddsRatio, Scatter::Ratio),
    (M::AverageAbsoluteOddsDifference, Scatter::Length),
    (M::PooledAverageAbsoluteOddsDifference, Scatter::Length),
    (M::TreatmentEqualityDifference, Scatter::Sides),
    (M::ConditionalAcceptanceDifference, Scatter::Sides),
    (M::ConditionalRejectionDifference, Scatter::Sides),
    (M::DecidedClassDistance, Scatter::Length),
    (M::DemographicParitySpreadDifference, Scatter::Length),
    (M::BaseRateSpreadDifference, Scatter::Length),
    (M::AccuracySpreadDifference, Scatter::Length),
    (M::EqualOpportunitySpreadDifference, Scatter::Length),
    (M::FalsePositiveRateSpreadDifference, Scatter::Length),
    (M::TrueNegativeRateSpreadDifference, Scatter::Length),
    (M::FalseNegativeRateSpreadDifference, Scatter::Length),
    (M::PredictiveParitySpreadDifference, Scatter::Length),
    (M::NegativePredictiveValueSpreadDifference, Scatter::Length),
    (M::FalseDiscoveryRateSpreadDifference, Scatter::Length),
    (M::FalseOmissionRateSpreadDifference, Scatter::Length),
    (M::DemographicParitySpreadRatio, Scatter::Ratio),
    (M::BaseRateSpreadRatio, Scatter::Ratio),
    (M::AccuracySpreadRatio, Scatter::Ratio),
    (M::EqualOpportunitySpreadRatio, Scatter::Ratio),
    (M::FalsePositiveRateSpreadRatio, Scatter::Ratio),
    (M::TrueNegativeRateSpreadRatio, Scatter::Ratio),
    (M::FalseNegativeRateSpreadRatio, Scatter::Ratio),
    (M::PredictiveParitySpreadRatio, Scatter::Ratio),
    (M::NegativePredictiveValueSpreadRatio, Scatter::Ratio),
    (M::FalseDiscoveryRateSpreadRatio, Scatter::Ratio),
    (M::FalseOmissionRateSpreadRatio, Scatter::Ratio),
    (M::EqualisedOddsSpreadDifference, Scatter::Length),
    (M::EqualisedOddsSpreadRatio, Scatter::Ratio),
    (M::EqualisedOddsSpreadDifferenceMean, Scatter::Length),
    (M::EqualisedOddsSpreadRatioMean, Scatter::Ratio),
    (M::DemographicParityToOverallDifference, Scatter::Length),
    (M::DemographicParityToOverallRatio, Scatter::Ratio),
    (M::EqualisedOddsToOverallDifference, Scatter::Length),
];

/// A figure of score cells.
type OfCells = fn(&[Cell]) -> Option<f64>;

fn value(found: Option<Bracketed>) -> Option<f64> {
    found.map(|found| found.value)
}

fn parts(cells: &[Cell], of: fn(&calibration::Brier) -> f64) -> Option<f64> {
    brier_parts(&equal_width(cells, 15)).map(|parts| of(&parts))
}

fn widths(cells: &[Cell], groups: u32, of: fn(&[Group]) -> Option<Bracketed>) -> Option<f64> {
    value(of(&equal_width(cells, groups)))
}

fn masses(cells: &[Cell], of: fn(&[Group]) -> Option<Bracketed>) -> Option<f64> {
    value(of(&equal_mass(cells, 15)))
}

/// Figures of scores by label, of all cases or of a group.
const OF_SCORES: &[(MetricId, Scatter, Chance, OfCells)] = &[
    (M::Ece, Scatter::Length, Chance::Calibrated, |c| {
        widths(c, 15, expected_error)
    }),
    (M::GroupEce, Scatter::Length, Chance::Calibrated, |c| {
        widths(c, 15, expected_error)
    }),
    (M::EceTen, Scatter::Length, Chance::Calibrated, |c| {
        widths(c, 10, expected_error)
    }),
    (M::EceMass, Scatter::Length, Chance::Calibrated, |c| {
        masses(c, expected_error)
    }),
    (M::Mce, Scatter::Length, Chance::Calibrated, |c| {
        widths(c, 15, largest_error)
    }),
    (M::MceTen, Scatter::Length, Chance::Calibrated, |c| {
        widths(c, 10, largest_error)
    }),
    (
        M::CalibrationErrorDebiased,
        Scatter::Sides,
        Chance::Calibrated,
        |c| masses(c, debiased_square),
    ),
    (
        M::GroupCalibrationErrorDebiased,
        Scatter::Sides,
        Chance::Calibrated,
        |c| masses(c, debiased_square),
    ),
    (
        M::BrierReliability,
        Scatter::Square,
        Chance::Calibrated,
        |c| parts(c, |p| p.reliability),
    ),
    (M::BrierResolution, Scatter::Square, Chance::Shuffled, |c| {
        parts(c, |p| p.resolution)
    }),
    (M::BrierUncertainty, Scatter::Sides, Chance::Shuffled, |c| {
        parts(c, |p| p.uncertainty)
    }),
    (M::ScoreSeparation, Scatter::Length, Chance::Shuffled, |c| {
        value(ranking::separation(c))
    }),
    (M::Gain10, Scatter::Sides, Chance::Shuffled, |c| {
        value(ranking::gain(c, TOP))
    }),
    (M::Lift10, Scatter::Sides, Chance::Shuffled, |c| {
        value(ranking::lift(c, TOP))
    }),
];

/// The summary that a metric's figures are counted again of; none if they are not. Figures of one key, and of
/// scores of one group, are counted again together.
pub fn recounts(metric: MetricId, seen: &Seen<'_>) -> Option<SummaryKey> {
    let table = OF_TABLES.iter().any(|(known, _)| *known == metric);
    let scores = OF_SCORES.iter().any(|(known, ..)| *known == metric);
    let mut reads = metric.reads(seen.document, seen.of).into_iter();
    if table {
        return reads.next();
    }
    let cells = reads.find(|key| key.kind == SummaryKind::ScoreCells);
    let losses = || {
        let mut reads = metric.reads(seen.document, seen.of).into_iter();
        let key = reads.find(|key| key.kind == SummaryKind::Losses)?;
        Some(SummaryKey::new(key.of, SummaryKind::ScoreCells))
    };
    scores.then(|| cells.or_else(losses)).flatten()
}

/// The 95 % intervals of metrics whose figures are taken of one summary ([`recounts`]), each of its subject: in
/// their order, none where there is none. `seen` is of any of them.
pub fn recounted(
    seen: Seen<'_>,
    key: &SummaryKey,
    of: &[(MetricId, Subject)],
    by: &Resampling,
) -> Vec<Option<(f64, f64)>> {
    let ends = match seen.summary.get(key) {
        Some(Summary::Confusion(table)) => of_table(seen, &Table::Two(table), key, of, by),
        Some(Summary::ClassTable(table)) => of_table(seen, &Table::Classes(table), key, of, by),
        Some(Summary::ScoreCells(_)) => of_scores(seen, key, of, by),
        Some(_) | None => vec![None; of.len()],
    };
    let within = of.iter().zip(ends).map(|((metric, _), ends)| {
        let (least, most) = metric.spec().range;
        let finite = |(low, high): &(f64, f64)| low.is_finite() && high.is_finite();
        ends.filter(finite)
            .map(|(low, high)| (low.clamp(least, most), high.clamp(least, most)))
    });
    within.collect()
}

/// Resampled figures of one metric.
struct Drawn {
    scatter: Scatter,
    figures: Figures,
}

impl Drawn {
    fn new(scatter: Scatter) -> Self {
        Self {
            scatter,
            figures: Figures::default(),
        }
    }

    /// A figure on the scale on which it scatters.
    fn scaled(&self, value: f64) -> f64 {
        match self.scatter {
            Scatter::Sides | Scatter::Length => value,
            Scatter::Square => libm::sqrt(value.max(0.0)),
            Scatter::Ratio => -libm::log(value),
        }
    }

    fn around(&mut self, value: Option<f64>) {
        let scaled = value.map(|value| self.scaled(value));
        self.figures.around.extend(scaled.filter(|x| x.is_finite()));
    }

    fn chance(&mut self, value: Option<f64>) {
        let scaled = value.map(|value| self.scaled(value));
        self.figures.chance.extend(scaled.filter(|x| x.is_finite()));
    }

    /// The interval around a figure; `counted` is what the resampled counts themselves give of it.
    fn interval(mut self, shown: f64, counted: f64) -> Option<(f64, f64)> {
        let (own, base) = (self.scaled(shown), self.scaled(counted));
        if !own.is_finite() || !base.is_finite() {
            return None;
        }
        let (low, high) = if self.scatter == Scatter::Sides {
            let around = &mut self.figures.around;
            let mean = around.iter().sum::<f64>() / around.len() as f64;
            let (low, high) = (percentile(around, 0.025)?, percentile(around, 0.975)?);
            ((own + low - mean).min(own), (own + high - mean).max(own))
        } else {
            for around in &mut self.figures.around {
                *around += own - base;
            }
            self.figures.interval(own, Lift::AtMost)?
        };
        Some(match self.scatter {
            Scatter::Sides | Scatter::Length => (low, high),
            Scatter::Square => (low * low, high * high),
            Scatter::Ratio => (libm::exp(-high), libm::exp(-low)),
        })
    }
}

/// A table of labels and decisions by groups.
enum Table<'a> {
    Two(&'a Confusion),
    Classes(&'a ClassTable),
}

impl Table<'_> {
    fn redrawn(&self, draw: &mut dyn FnMut(&[u64], &mut [u64])) -> Summary {
        match self {
            Self::Two(table) => {
                let mut table = (*table).clone();
                table.redraw(draw);
                Summary::Confusion(table)
            }
            Self::Classes(table) => {
                let mut table = (*table).clone();
                table.redraw(draw);
                Summary::ClassTable(table)
            }
        }
    }

    /// Cells of all listed groups together, as weights of each.
    fn pooled(&self) -> Vec<u64> {
        let mut pooled: Vec<u64> = Vec::new();
        let (mut seen, groups) = (
            0,
            match self {
                Self::Two(table) => table.groups(),
                Self::Classes(table) => table.groups(),
            },
        );
        let _ = self.redrawn(&mut |counts, _| {
            if seen < groups {
                pooled.resize(counts.len(), 0);
                for (sum, more) in pooled.iter_mut().zip(counts) {
                    *sum = sum.saturating_add(*more);
                }
            }
            seen += 1;
        });
        pooled
    }
}

/// Each group's cases are drawn among themselves, so that groups keep their sizes.
fn of_table(
    seen: Seen<'_>,
    table: &Table<'_>,
    key: &SummaryKey,
    of: &[(MetricId, Subject)],
    by: &Resampling,
) -> Vec<Option<(f64, f64)>> {
    let scatter = |metric: MetricId| OF_TABLES.iter().find(|(known, _)| *known == metric);
    let mut all: Vec<Option<Drawn>> = of
        .iter()
        .map(|(metric, _)| scatter(*metric).map(|(_, scatter)| Drawn::new(*scatter)))
        .collect();
    let mut dice = by.dice(&key.of.to_string(), 6);
    let pooled = table.pooled();
    let figure = |metric: MetricId, of: &Subject, pane: &PaneSummary| {
        let found = metric.measure(Seen {
            of,
            summary: pane,
            ..seen
        });
        found.ok().map(|found| found.value)
    };
    for _ in 0..by.resamples {
        let around = table.redrawn(&mut |counts, into| {
            dice.multinomial(counts, counts.iter().sum(), into);
        });
        let around = PaneSummary::new(vec![(key.clone(), around)]);
        let chance = table.redrawn(&mut |counts, into| {
            dice.multinomial(&pooled, counts.iter().sum(), into);
        });
        let chance = PaneSummary::new(vec![(key.clone(), chance)]);
        for ((metric, of), drawn) in of.iter().zip(&mut all) {
            if let Some(drawn) = drawn {
                drawn.around(figure(*metric, of, &around));
                if drawn.scatter != Scatter::Sides {
                    drawn.chance(figure(*metric, of, &chance));
                }
            }
        }
    }
    let each = of.iter().zip(all).map(|((metric, of), drawn)| {
        let shown = figure(*metric, of, seen.summary)?;
        drawn?.interval(shown, shown)
    });
    each.collect()
}

fn of_scores(
    seen: Seen<'_>,
    key: &SummaryKey,
    of: &[(MetricId, Subject)],
    by: &Resampling,
) -> Vec<Option<(f64, f64)>> {
    let Ok(cells) = score_cells(&seen) else {
        return vec![None; of.len()];
    };
    let cells: Vec<Cell> = cells.map(Cell::from).filter(|c| c.cases() > 0.0).collect();
    let known = |metric: MetricId| OF_SCORES.iter().find(|(known, ..)| *known == metric);
    let mut all: Vec<_> = of
        .iter()
        .map(|(metric, _)| known(*metric).map(|row| (row, Drawn::new(row.1))))
        .collect();
    let group = seen.of.group.as_deref().unwrap_or_default();
    let mut dice = by.dice(&format!("{}/{group}", key.of), 7);
    for _ in 0..by.resamples.min(MOST_OF_SCORES) {
        let around = redrawn(&cells, &mut dice);
        let calibrated = calibrated(&cells, &mut dice);
        let shuffled = shuffled(&cells, &mut dice);
        for ((_, _, chance, figure), drawn) in all.iter_mut().flatten() {
            drawn.around(figure(&around));
            drawn.chance(figure(match chance {
                Chance::Calibrated => &calibrated,
                Chance::Shuffled => &shuffled,
            }));
        }
    }
    let each = of.iter().zip(all).map(|((metric, of), drawn)| {
        let ((.., figure), drawn) = drawn?;
        let shown = metric.measure(Seen { of, ..seen }).ok()?.value;
        drawn.interval(shown, figure(&cells)?)
    });
    each.collect()
}

/// The same cells with other cases in them: positives of all, then negatives.
fn with(cells: &[Cell], counts: &[u64]) -> Vec<Cell> {
    let (positives, negatives) = counts.split_at(cells.len());
    let each = cells.iter().zip(positives.iter().zip(negatives));
    let each = each.map(|(cell, (positive, negative))| Cell {
        positive: *positive,
        negative: *negative,
        ..*cell
    });
    each.filter(|cell| cell.cases() > 0.0).collect()
}

/// As many cases, from the shares of cells and labels.
fn redrawn(cells: &[Cell], dice: &mut Dice) -> Vec<Cell> {
    let positives = cells.iter().map(|cell| cell.positive);
    let weights: Vec<u64> = positives
        .chain(cells.iter().map(|cell| cell.negative))
        .collect();
    let mut counts = vec![0; weights.len()];
    dice.multinomial(&weights, weights.iter().sum(), &mut counts);
    with(cells, &counts)
}

/// As many cases with the same scores, each positive with the chance that its score says.
fn calibrated(cells: &[Cell], dice: &mut Dice) -> Vec<Cell> {
    let each = cells.iter().map(|cell| {
        let cases = cell.positive.saturating_add(cell.negative);
        let positive = dice.binomial(cases, cell.middle());
        Cell {
            positive,
            negative: cases - positive,
            ..*cell
        }
    });
    each.collect()
}

/// As many cases of each label, their scores from those of both.
fn shuffled(cells: &[Cell], dice: &mut Dice) -> Vec<Cell> {
    let both = cells.iter().map(|c| c.positive.saturating_add(c.negative));
    let both: Vec<u64> = both.collect();
    let mut counts = vec![0; 2 * cells.len()];
    let (positives, negatives) = counts.split_at_mut(cells.len());
    let total = |of: fn(&Cell) -> u64| cells.iter().map(of).fold(0, u64::saturating_add);
    dice.multinomial(&both, total(|cell| cell.positive), positives);
    dice.multinomial(&both, total(|cell| cell.negative), negatives);
    with(cells, &counts)
}
