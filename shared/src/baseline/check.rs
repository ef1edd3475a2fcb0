//! What a baseline must be before anything is compared with it.

use super::{Baseline, Labelled, Law, MAX_CATEGORY, MAX_LAW_CUTS, Shape};
use crate::sketch::{CutCounts, Histogram, MAX_CATEGORIES};

/// Largest number of rows: beyond it JSON readers lose digits.
const MAX_JSON_ROWS: u64 = (1 << 53) - 1;

/// Why something is not a baseline, or cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// The text is no baseline.
    #[error("not a baseline: {0}; build it with `clause9 baseline`")]
    Json(String),
    /// The text is too long.
    #[error("a baseline of {0} bytes is too long, the limit is {max}", max = super::MAX_TEXT)]
    TooLong(usize),
    /// A law contradicts itself or the number of rows.
    #[error("the law of `{of}` cannot be: {what}; build the baseline again")]
    Law {
        /// The feature's name, or `score`, `value`, `target` or `labelled`.
        of: String,
        /// What is wrong.
        what: &'static str,
    },
    /// There are no rows.
    #[error("the reference has no rows; a baseline needs at least one")]
    Empty,
    /// There are too many rows.
    #[error("the reference has {0} rows, the limit is {max}; take a sample of it", max = super::MAX_ROWS)]
    TooManyRows(u64),
    /// A categorical feature has too many different values.
    #[error(
        "feature `{0}` has more than {max} different values; it is no category: leave it out or make it numeric",
        max = super::MAX_DISTINCT
    )]
    TooManyCategories(String),
    /// The document has no feature of this index.
    #[error("feature number {0} is not in the objectives file")]
    NoSuchFeature(usize),
    /// A value was given twice for one row.
    #[error("`{0}` was given twice for one row")]
    Repeated(String),
}

impl Baseline {
    /// Checks that laws are well formed and that each accounts for every row.
    pub fn check(&self) -> Result<(), BaselineError> {
        if self.rows == 0 {
            return Err(BaselineError::Empty);
        }
        if self.rows > MAX_JSON_ROWS {
            return Err(BaselineError::TooManyRows(self.rows));
        }
        let outputs = [
            ("score", &self.score),
            ("value", &self.value),
            ("target", &self.target),
        ];
        let outputs = outputs
            .into_iter()
            .filter_map(|(of, law)| law.as_ref().map(|law| (of, law)));
        let features = self.features.iter().map(|(name, law)| (name.as_str(), law));
        for (of, law) in features.chain(outputs.clone()) {
            law.check(self.rows).map_err(|what| BaselineError::Law {
                of: of.to_owned(),
                what,
            })?;
        }
        if let Some(joint) = &self.joint {
            joint.check(self.rows).map_err(|what| BaselineError::Law {
                of: "joint".to_owned(),
                what,
            })?;
        }
        if let Some(errors) = &self.errors {
            let checked = errors.check(self.value.as_ref(), self.rows);
            checked.map_err(|what| BaselineError::Law {
                of: "errors".to_owned(),
                what,
            })?;
        }
        if let Some(labelled) = &self.labelled {
            labelled
                .check(self.rows)
                .map_err(|what| BaselineError::Law {
                    of: "labelled".to_owned(),
                    what,
                })?;
        }
        for (of, law) in outputs {
            match law {
                Law::Numeric { .. } => {}
                Law::Categorical { .. } => {
                    return Err(BaselineError::Law {
                        of: of.to_owned(),
                        what: "they are numbers",
                    });
                }
            }
        }
        Ok(())
    }
}

impl Law {
    pub(super) fn check(&self, rows: u64) -> Result<(), &'static str> {
        let counted = match self {
            Self::Numeric {
                center,
                scale_exponent,
                cuts,
                counts,
                missing,
                invalid,
                shape,
            } => {
                Histogram::new(*center, *scale_exponent)
                    .ok_or("centre or scale is out of bounds")?;
                CutCounts::new(cuts)
                    .filter(|_| cuts.len() <= MAX_LAW_CUTS)
                    .ok_or("cuts must be finite, strictly ascending and at most 16")?;
                if counts.len() != cuts.len() + 1 {
                    return Err("there must be one count more than cuts");
                }
                if let Some(shape) = shape {
                    shape.check(*center, *scale_exponent, cuts, counts)?;
                }
                sum(counts.iter().chain([missing, invalid]))
            }
            Self::Categorical {
                categories,
                counts,
                other,
                missing,
                counted,
                unlisted,
            } => {
                if unlisted.is_some() && *other == 0 && counted.is_none() {
                    return Err("categories are known that no row has");
                }
                if counted.is_some_and(|counted| counted > rows) {
                    return Err("more rows were counted than there are");
                }
                let rows = counted.unwrap_or(rows);
                if categories.len() > MAX_CATEGORIES {
                    return Err("there are more than 64 categories");
                }
                if !categories.windows(2).all(|pair| pair[0] < pair[1]) {
                    return Err("categories must be sorted by bytes, each once");
                }
                if categories.iter().any(|name| name.len() > MAX_CATEGORY) {
                    return Err("a category's name is longer than 256 bytes");
                }
                if counts.len() != categories.len() {
                    return Err("there must be one count for each category");
                }
                let found = sum(counts.iter().chain([other, missing]));
                return of_rows(found, rows);
            }
        };
        of_rows(counted, rows)
    }
}

fn of_rows(counted: Option<u64>, rows: u64) -> Result<(), &'static str> {
    if counted == Some(rows) {
        Ok(())
    } else {
        Err("counts do not add up to the rows")
    }
}

impl Shape {
    /// Whether it is the same law as the cells say.
    pub(super) fn check(
        &self,
        center: f64,
        scale_exponent: i32,
        cuts: &[f64],
        counts: &[u64],
    ) -> Result<(), &'static str> {
        let same = |c: f64, s: i32| c.to_bits() == (center + 0.0).to_bits() && s == scale_exponent;
        let (histogram, moments) = (&self.histogram, &self.moments);
        if !same(histogram.center(), histogram.scale_exponent())
            || !same(moments.center(), moments.scale_exponent())
        {
            return Err("its shape has another centre or scale");
        }
        if self.points.cuts() != cuts || self.points.counts() != counts {
            return Err("its shape has other cuts or counts");
        }
        let total = self.points.total();
        if histogram.total() == total && moments.total() == total {
            Ok(())
        } else {
            Err("the parts of its shape count different numbers of values")
        }
    }
}

impl Labelled {
    fn check(&self, rows: u64) -> Result<(), &'static str> {
        let scores = self.scores.iter().all(|scores| {
            let cells: u64 = scores.cells(Some(0)).map(|c| c.count.labelled()).sum();
            scores.groups() == 1
                && scores.total() == self.rows
                && cells + scores.unscored(Some(0)).labelled() == self.rows
        });
        let decisions = self.decisions.iter().all(|decisions| {
            let labelled = decisions.sum(|label, _, group| label.is_some() && group == Some(0));
            decisions.groups() == 1 && decisions.total() == self.rows && labelled == self.rows
        });
        let classes = self.classes.iter().all(|classes| {
            let places = (0..classes.classes()).map(Some);
            let counted = |label| {
                let decisions = places.clone().chain([None]);
                decisions
                    .map(|decision| classes.count(label, decision, Some(0)))
                    .sum::<u64>()
            };
            classes.groups() == 1
                && classes.total() == self.rows
                && places.clone().map(counted).sum::<u64>() == self.rows
        });
        if self.rows > rows {
            Err("more rows have a label than there are")
        } else if scores && decisions && classes {
            Ok(())
        } else {
            Err("its counts are not those of its labelled rows")
        }
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a u64>) -> Option<u64> {
    counts.copied().try_fold(0_u64, u64::checked_add)
}
