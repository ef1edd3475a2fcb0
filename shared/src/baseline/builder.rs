//! Building a baseline from the rows of a reference, read by somebody else.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Baseline, BaselineError, Format, Law, MAX_CATEGORY, Source};
use crate::digest::Digest;
use crate::ids::{Name, SystemId};
use crate::inference::Cell;
use crate::objective::document::{Document, FeatureType};
use crate::plan::value::{Digits, Reading, ValueReader};
use crate::sketch::{CutCounts, MAX_CATEGORIES, MAX_SCALE_EXPONENT};

/// Most rows of a reference.
pub const MAX_ROWS: u64 = 50_000_000;
/// Most different values of a categorical feature while building.
pub const MAX_DISTINCT: usize = 1_000_000;

/// Takes a reference row by row: each feature's cell, the score, then the end of the row.
#[derive(Debug)]
pub struct BaselineBuilder {
    system: SystemId,
    source_name: String,
    rows: u64,
    features: Vec<(Name, ValueReader, Column)>,
    score: Column,
    /// The first thing that went wrong; told at the end.
    failed: Option<BaselineError>,
}

#[derive(Debug)]
struct Column {
    values: Collected,
    missing: u64,
    invalid: u64,
    /// Whether the row under way has its value.
    filled: bool,
}

#[derive(Debug)]
enum Collected {
    Numbers(Vec<f64>),
    Names {
        counts: BTreeMap<Box<str>, u64>,
        other: u64,
    },
}

impl Column {
    const fn new(values: Collected) -> Self {
        Self {
            values,
            missing: 0,
            invalid: 0,
            filled: false,
        }
    }

    fn end_row(&mut self) {
        if !std::mem::take(&mut self.filled) {
            self.missing += 1;
        }
    }
}

impl BaselineBuilder {
    /// A builder for a document's features. `source_name` tells people where the reference comes
    /// from: a file's name without its folders.
    pub fn new(document: &Document, source_name: &str) -> Self {
        let features = document.features.iter().map(|feature| {
            let values = match feature.kind {
                FeatureType::Numeric => Collected::Numbers(Vec::new()),
                FeatureType::Categorical => Collected::Names {
                    counts: BTreeMap::new(),
                    other: 0,
                },
            };
            (
                feature.name.clone(),
                ValueReader::new(feature),
                Column::new(values),
            )
        });
        Self {
            system: document.system.id.clone(),
            source_name: source_name.to_owned(),
            rows: 0,
            features: features.collect(),
            score: Column::new(Collected::Numbers(Vec::new())),
            failed: None,
        }
    }

    /// The value of a feature (by its index in the document) in the row under way. A feature that
    /// is not given is missing in that row. What cannot be is told by [`BaselineBuilder::finish`].
    pub fn observe(&mut self, feature: usize, cell: Cell<'_>) {
        if self.failed.is_some() {
            return;
        }
        let result = match self.features.get_mut(feature) {
            None => Err(BaselineError::NoSuchFeature(feature)),
            Some((name, reader, column)) => {
                column.take(reader.read(cell, &mut Digits::default()), name.as_str())
            }
        };
        self.failed = result.err();
    }

    /// The score in the row under way. Without any score the baseline has no law of scores.
    pub fn observe_score(&mut self, score: f64) {
        if self.failed.is_some() {
            return;
        }
        let reading = match crate::sketch::Invalid::of(score) {
            Some(invalid) => Reading::Invalid(invalid),
            None => Reading::Number(score),
        };
        self.failed = self.score.take(reading, "score").err();
    }

    /// The row is complete.
    pub fn end_row(&mut self) {
        if self.failed.is_some() {
            return;
        }
        self.rows += 1;
        for (_, _, column) in &mut self.features {
            column.end_row();
        }
        self.score.end_row();
        if self.rows > MAX_ROWS {
            self.failed = Some(BaselineError::TooManyRows(self.rows));
        }
    }

    /// The baseline of the rows that were completed. `source_digest` names the reference's bytes.
    pub fn finish(self, source_digest: Digest) -> Result<Baseline, BaselineError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let scored = self.rows > self.score.missing;
        let baseline = Baseline {
            clause9: Format::V1,
            system: self.system,
            source: Source {
                name: self.source_name,
                digest: source_digest,
            },
            rows: self.rows,
            features: self
                .features
                .into_iter()
                .map(|(name, _, column)| (name, column.finish()))
                .collect(),
            score: scored.then(|| self.score.finish()),
        };
        baseline.check()?;
        Ok(baseline)
    }
}

impl Column {
    fn take(&mut self, reading: Reading<'_>, of: &str) -> Result<(), BaselineError> {
        if std::mem::replace(&mut self.filled, true) {
            return Err(BaselineError::Repeated(of.to_owned()));
        }
        match (reading, &mut self.values) {
            (Reading::Missing, _) => self.missing += 1,
            // Negative zero is zero.
            (Reading::Number(x), Collected::Numbers(values)) => values.push(x + 0.0),
            (Reading::Category(name), Collected::Names { counts, .. })
                if name.len() <= MAX_CATEGORY =>
            {
                match counts.get_mut(&*name) {
                    Some(count) => *count += 1,
                    None => _ = counts.insert((*name).into(), 1),
                }
                if counts.len() > MAX_DISTINCT {
                    return Err(BaselineError::TooManyCategories(of.to_owned()));
                }
            }
            // Live traffic counts such values as unlisted.
            (_, Collected::Names { other, .. }) => *other += 1,
            (Reading::Invalid(_) | Reading::Category(_), Collected::Numbers(_)) => {
                self.invalid += 1;
            }
        }
        Ok(())
    }

    fn finish(self) -> Law {
        match self.values {
            Collected::Numbers(values) => numeric(values, self.missing, self.invalid),
            Collected::Names { counts, other } => categorical(counts, other, self.missing),
        }
    }
}

fn categorical(counts: BTreeMap<Box<str>, u64>, other: u64, missing: u64) -> Law {
    let mut by_count: Vec<(Box<str>, u64)> = counts.into_iter().collect();
    // A stable sort: equally frequent ones stay in the order of their bytes.
    by_count.sort_by_key(|(_, count)| Reverse(*count));
    let rest = by_count.split_off(by_count.len().min(MAX_CATEGORIES));
    by_count.sort();
    let (categories, counts) = by_count
        .into_iter()
        .map(|(name, n)| (name.into(), n))
        .unzip();
    Law::Categorical {
        categories,
        counts,
        other: other + rest.iter().map(|(_, count)| count).sum::<u64>(),
        missing,
    }
}

fn numeric(mut values: Vec<f64>, missing: u64, invalid: u64) -> Law {
    values.sort_unstable_by(f64::total_cmp);
    let cuts = deciles(&values);
    let mut counts = vec![0_u64; cuts.len() + 1];
    let mut below = 0;
    for (cell, count) in counts.iter_mut().enumerate() {
        let up_to = cuts
            .get(cell)
            .map_or(values.len(), |cut| values.partition_point(|x| x <= cut));
        *count = (up_to - below) as u64;
        below = up_to;
    }
    Law::Numeric {
        center: at_share(&values, 1, 2).unwrap_or(0.0),
        scale_exponent: scale_exponent(&values),
        cuts,
        counts,
        missing,
        invalid,
    }
}

/// The value of rank ⌈n · part / of⌉.
fn at_share(sorted: &[f64], part: usize, of: usize) -> Option<f64> {
    let rank = (sorted.len() * part).div_ceil(of);
    sorted.get(rank.max(1) - 1).copied()
}

/// The distinct deciles without the largest value, so that no cell of the reference is empty.
fn deciles(sorted: &[f64]) -> Vec<f64> {
    let mut cuts: Vec<f64> = (1..10).filter_map(|i| at_share(sorted, i, 10)).collect();
    cuts.dedup();
    if cuts.last() == sorted.last() {
        cuts.pop();
    }
    debug_assert!(
        CutCounts::new(&cuts).is_some(),
        "deciles of sorted finite values ascend"
    );
    cuts
}

/// The power of two nearest to the interquartile range; without one, to the standard deviation,
/// then to the median's size, then 1.
fn scale_exponent(sorted: &[f64]) -> i32 {
    let Some(median) = at_share(sorted, 1, 2) else {
        return 0;
    };
    let quartile = |part| at_share(sorted, part, 4).unwrap_or(median);
    let spread = [
        quartile(3) - quartile(1),
        standard_deviation(sorted),
        median.abs(),
    ];
    spread
        .into_iter()
        .find(|s| *s > 0.0)
        .map_or(0, nearest_exponent)
}

fn standard_deviation(sorted: &[f64]) -> f64 {
    if sorted.first() == sorted.last() {
        return 0.0;
    }
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let squares = sorted.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    libm::sqrt(squares / n)
}

/// The exponent of the power of two nearest by ratio to a positive number, within the limits of a
/// scale.
fn nearest_exponent(x: f64) -> i32 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let exponent = i32::try_from(bits >> 52).unwrap_or(i32::MAX) - 1023;
    let mantissa = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    let up = i32::from(mantissa >= std::f64::consts::SQRT_2);
    (exponent + up).clamp(-MAX_SCALE_EXPONENT, MAX_SCALE_EXPONENT)
}
