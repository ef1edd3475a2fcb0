//! How far the reference's predictions lay from their labels, by the size of the prediction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Law;
use crate::performance::regression::Spread;

/// The errors of the reference's labelled predictions, in the cells between the cuts of the law of
/// predictions. What is estimated of errors before labels come rests on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// One for each cell: one more than the law has cuts.
    pub cells: Vec<ErrorCell>,
}

/// The errors of one cell of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorCell {
    /// Labelled predictions in it.
    pub cases: u64,
    /// Mean and scatter of absolute errors.
    pub absolute: MeanAndScatter,
    /// Mean and scatter of squared errors.
    pub squared: MeanAndScatter,
}

/// A mean, and the sum of squared distances from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanAndScatter {
    /// The mean.
    pub mean: f64,
    /// The sum of squared distances from it.
    pub scatter: f64,
}

impl ErrorCell {
    /// A loss of its cases.
    pub const fn spread(&self, of: MeanAndScatter) -> Spread {
        Spread {
            cases: self.cases,
            mean: of.mean,
            scatter: of.scatter,
        }
    }
}

impl From<Spread> for MeanAndScatter {
    fn from(spread: Spread) -> Self {
        Self {
            mean: spread.mean,
            scatter: spread.scatter,
        }
    }
}

impl Errors {
    /// Of predictions with their labels. None without any, without cuts, or if an error is too large to
    /// be squared twice.
    pub(super) fn of(pairs: &[(f64, f64)], law: Option<&Law>) -> Option<Self> {
        let Some(Law::Numeric { cuts, .. }) = law else {
            return None;
        };
        let mut cells: Vec<Vec<f64>> = vec![Vec::new(); cuts.len() + 1];
        for (prediction, label) in pairs {
            let cell = cuts.partition_point(|cut| cut <= prediction);
            cells.get_mut(cell)?.push((prediction - label).abs());
        }
        let cells = cells.iter().map(|errors| {
            let absolute = Spread::of(errors.iter().copied());
            ErrorCell {
                cases: absolute.cases,
                absolute: absolute.into(),
                squared: Spread::of(errors.iter().map(|e| e * e)).into(),
            }
        });
        let found = Self {
            cells: cells.collect(),
        };
        (!pairs.is_empty() && found.finite()).then_some(found)
    }

    fn finite(&self) -> bool {
        let sound = |of: MeanAndScatter| {
            [of.mean, of.scatter]
                .iter()
                .all(|x| x.is_finite() && *x >= 0.0)
        };
        self.cells
            .iter()
            .all(|c| sound(c.absolute) && sound(c.squared))
    }

    pub(super) fn check(&self, law: Option<&Law>, rows: u64) -> Result<(), &'static str> {
        let cuts = match law {
            Some(Law::Numeric { cuts, .. }) => cuts.len(),
            Some(Law::Categorical { .. }) | None => {
                return Err("there is no law of predicted numbers beside them");
            }
        };
        if self.cells.len() != cuts + 1 {
            return Err("there must be one cell more than the law of predictions has cuts");
        }
        let counts = self.cells.iter().map(|cell| &cell.cases);
        let counted = counts.copied().try_fold(0_u64, u64::checked_add);
        if counted.is_none_or(|cases| cases > rows) {
            return Err("more predictions have a label than there are rows");
        }
        if self.finite() {
            Ok(())
        } else {
            Err("means and scatters of losses are finite and not negative")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(cuts: &[f64]) -> Law {
        Law::Numeric {
            center: 0.0,
            scale_exponent: 0,
            cuts: cuts.to_vec(),
            counts: vec![0; cuts.len() + 1],
            missing: 0,
            invalid: 0,
            shape: None,
        }
    }

    #[test]
    fn errors_fall_into_the_cell_of_their_prediction() {
        let pairs = [(1.0, 3.0), (9.9, 9.0), (10.0, 14.0), (30.0, 30.0)];
        let found = Errors::of(&pairs, Some(&law(&[10.0]))).unwrap();
        let [low, high] = found.cells.as_slice() else {
            panic!("two cells")
        };
        assert_eq!((low.cases, high.cases), (2, 2));
        assert!((low.absolute.mean - 1.45).abs() < 1e-12);
        assert!((high.squared.mean - 8.0).abs() < 1e-12);
        assert!((high.squared.scatter - 128.0).abs() < 1e-12);
        assert_eq!(found.check(Some(&law(&[10.0])), 4), Ok(()));
        assert!(found.check(Some(&law(&[10.0])), 3).is_err());
        assert!(found.check(Some(&law(&[1.0, 10.0])), 4).is_err());
        assert!(found.check(None, 4).is_err());
    }

    #[test]
    fn nothing_is_learnt_from_nothing_or_from_errors_beyond_all_numbers() {
        assert_eq!(Errors::of(&[], Some(&law(&[10.0]))), None);
        assert_eq!(Errors::of(&[(1e300, -1e300)], Some(&law(&[10.0]))), None);
        assert_eq!(Errors::of(&[(1.0, 1.0)], None), None);
    }
}
