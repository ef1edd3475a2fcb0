//! How the numbers of a reference's rows go together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Law, numbers};
use crate::canonical;
use crate::digest::Digest;
use crate::drift::frame::{DIRECTIONS, Frame, WAVES};
use crate::ids::Name;
use crate::sketch::{CLIP, Gram, MAX_DIMENSIONS, Projections};

/// How a reference's numeric features go together. Kept if asked for when a baseline is built; then
/// agents keep the same of live traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Joint {
    /// The features, 1 to 64.
    pub features: Vec<Name>,
    /// Their means, by which rows are standardised.
    pub means: Vec<f64>,
    /// Their standard deviations with divisor n - 1; a feature of 0 is left out of comparisons.
    pub deviations: Vec<f64>,
    /// Sums of standardised numbers and of their products.
    pub gram: Gram,
    /// Means of random Fourier features.
    pub waves: Projections,
    /// The laws of the rows along 16 frozen random directions.
    pub directions: Vec<Law>,
}

impl Joint {
    /// From columns of equal length, in which a missing value is no number. None unless there are 1
    /// to 64 of them.
    pub fn of_columns(features: Vec<Name>, columns: &[Vec<f64>]) -> Option<Self> {
        if features.len() != columns.len() {
            return None;
        }
        let (means, deviations): (Vec<f64>, Vec<f64>) = columns.iter().map(|c| spread(c)).unzip();
        let space = space(&features, &means, &deviations);
        let frame = Frame::new(&means, &deviations, seed(&space));
        let mut gram = Gram::new(space, features.len())?;
        let mut waves = Projections::new(space, 2 * WAVES)?;
        let mut along = vec![Vec::new(); DIRECTIONS];
        let mut case = vec![0.0; features.len()];
        let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
        for row in 0..rows {
            for (i, (z, column)) in case.iter_mut().zip(columns).enumerate() {
                *z = frame.standardise(i, column[row], CLIP);
            }
            gram.add(&case);
            let mut values = [0.0; 2 * WAVES];
            frame.features(&case, &mut values);
            waves.add(&values);
            for (direction, values) in along.iter_mut().enumerate() {
                values.push(frame.along(direction, &case) + 0.0);
            }
        }
        Some(Self {
            features,
            means,
            deviations,
            gram,
            waves,
            directions: along.into_iter().map(|v| numbers::law(v, 0, 0)).collect(),
        })
    }

    /// What rows are seen by.
    pub fn frame(&self) -> Frame {
        Frame::new(&self.means, &self.deviations, seed(&self.space()))
    }

    /// The name of the features and how they are standardised.
    pub fn space(&self) -> Digest {
        space(&self.features, &self.means, &self.deviations)
    }

    /// Whether it contradicts itself or the rows of its baseline.
    pub(super) fn check(&self, rows: u64) -> Result<(), &'static str> {
        let size = self.features.len();
        if !(1..=MAX_DIMENSIONS).contains(&size) {
            return Err("1 to 64 features can be compared together");
        }
        let numbers = self.means.iter().chain(&self.deviations);
        let finite = numbers.clone().all(|x| x.is_finite());
        if self.means.len() != size || self.deviations.len() != size || !finite {
            return Err("each feature needs a finite mean and deviation");
        }
        if self.gram.space() != self.space() || self.gram.dimensions() != size {
            return Err("the sums are of other features, or standardised otherwise");
        }
        if Projections::new(self.space(), 2 * WAVES).is_none_or(|empty| {
            use crate::sketch::Sketch as _;
            empty.fits(&self.waves).is_err()
        }) {
            return Err("the waves are of other features, or standardised otherwise");
        }
        if self.gram.n() != rows || self.waves.n() != rows {
            return Err("the cases are not the rows");
        }
        if self.directions.len() != DIRECTIONS {
            return Err("there must be 16 directions");
        }
        self.directions.iter().try_for_each(|law| law.check(rows))
    }
}

/// Mean and deviation of what is a number. A mean that is none counts as 0.
fn spread(values: &[f64]) -> (f64, f64) {
    let there = || values.iter().copied().filter(|x| x.is_finite());
    let n = there().count();
    if n < 2 {
        return (there().next().unwrap_or(0.0), 0.0);
    }
    let mean = there().sum::<f64>() / n as f64;
    let squares: f64 = there().map(|x| (x - mean) * (x - mean)).sum();
    let deviation = libm::sqrt(squares / (n - 1) as f64);
    if mean.is_finite() && deviation.is_finite() {
        (mean + 0.0, deviation)
    } else {
        (0.0, 0.0)
    }
}

fn space(features: &[Name], means: &[f64], deviations: &[f64]) -> Digest {
    let bits = |numbers: &[f64]| -> Vec<String> {
        numbers
            .iter()
            .map(|x| format!("{:016x}", x.to_bits()))
            .collect()
    };
    let text = serde_json::json!({ "features": features, "means": bits(means),
        "deviations": bits(deviations) });
    canonical::digest("clause9/joint/v1", &text).unwrap_or_else(|_| Digest::of(b""))
}

/// The first eight bytes of a name, as the seed of its directions.
fn seed(space: &Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&space.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}
