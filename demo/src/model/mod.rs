//! The scoring model that the demonstration watches: named inputs in, a probability out. The
//! fitted model is an artefact of its own (`model.json`), which the model server loads.

use serde::{Deserialize, Serialize};

use crate::columns::{Column, Columns};

mod boost;
mod quality;

pub(crate) use boost::Settings;
pub(crate) use quality::Quality;

/// A fitted model with everything that serving it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Model {
    /// Name in the serving protocol.
    pub(crate) name: String,
    /// Version in the serving protocol.
    pub(crate) version: String,
    /// The decision is positive from this probability on.
    pub(crate) threshold: f64,
    /// What a request must bring.
    pub(crate) inputs: Vec<Input>,
    ensemble: boost::Ensemble,
}

/// One input of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// Name of the tensor.
    pub(crate) name: String,
    /// How its values are read.
    pub(crate) coding: Coding,
}

/// How an input becomes one of at most 256 codes. Code 0: missing or never seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Coding {
    /// A number, coded by how many of these ascending cuts lie below it.
    Numeric(Vec<f64>),
    /// A category, coded by its place in this list (by rising share of positives when fitted).
    Categorical(Vec<Box<str>>),
    /// A text that the request must carry but the model does not look at.
    Carried,
}

/// Most cuts of a numeric input; with the code for missing they fit into a byte.
const MAX_CUTS: usize = 254;

impl Coding {
    fn numeric(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let mut cuts: Vec<f64> = (1..=MAX_CUTS)
            .filter_map(|i| sorted.get(sorted.len() * i / (MAX_CUTS + 1)).copied())
            .collect();
        cuts.dedup();
        Self::Numeric(cuts)
    }

    fn categorical(values: &[Box<str>], labels: &[bool]) -> Self {
        let mut counts = std::collections::BTreeMap::<&str, (f64, f64)>::new();
        for (value, label) in values.iter().zip(labels) {
            let entry = counts.entry(value).or_default();
            entry.0 += f64::from(u8::from(*label));
            entry.1 += 1.0;
        }
        let mut levels: Vec<(f64, &str)> = counts
            .into_iter()
            .map(|(value, (positives, all))| (positives / all, value))
            .collect();
        levels.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        levels.truncate(MAX_CUTS);
        Self::Categorical(levels.into_iter().map(|(_, v)| v.into()).collect())
    }

    fn code_number(cuts: &[f64], value: f64) -> u8 {
        if value.is_nan() {
            return 0;
        }
        let below = cuts.partition_point(|cut| *cut < value);
        u8::try_from(below + 1).unwrap_or(u8::MAX)
    }

    fn code_text(levels: &[Box<str>], value: &str) -> u8 {
        let found = levels.iter().position(|level| &**level == value);
        found.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
    }

    /// The codes of a column; none for a column that the model does not look at.
    fn codes(&self, column: &Column) -> Option<Vec<u8>> {
        match (self, column) {
            (Self::Carried, _) => None,
            (Self::Numeric(cuts), Column::Numbers(values)) => {
                Some(values.iter().map(|v| Self::code_number(cuts, *v)).collect())
            }
            (Self::Categorical(levels), Column::Texts(values)) => {
                Some(values.iter().map(|v| Self::code_text(levels, v)).collect())
            }
            // Of another type than it was fitted to: as good as missing.
            (Self::Numeric(_), Column::Texts(_)) | (Self::Categorical(_), Column::Numbers(_)) => {
                Some(vec![0; column.rows()])
            }
        }
    }
}

/// How a model is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// Name in the serving protocol.
    pub(crate) name: &'static str,
    /// The decision is positive from this probability on.
    pub(crate) threshold: f64,
    /// Inputs that a request must carry but the model must not look at.
    pub(crate) carried: &'static [&'static str],
    /// How the fit is held back.
    pub(crate) settings: Settings,
}

impl Model {
    /// Fits to rows whose labels are known.
    pub(crate) fn fit(recipe: Recipe, columns: &Columns, labels: &[bool]) -> Self {
        let inputs: Vec<Input> = columns
            .iter()
            .map(|(name, column)| Input {
                name: name.into(),
                coding: match column {
                    _ if recipe.carried.contains(&name) => Coding::Carried,
                    Column::Numbers(values) => Coding::numeric(values),
                    Column::Texts(values) => Coding::categorical(values, labels),
                },
            })
            .collect();
        let codes: Vec<Vec<u8>> = inputs
            .iter()
            .zip(columns.iter())
            .filter_map(|(input, (_, column))| input.coding.codes(column))
            .collect();
        Self {
            name: recipe.name.into(),
            version: "1".into(),
            threshold: recipe.threshold,
            inputs,
            ensemble: boost::Ensemble::fit(&codes, labels, recipe.settings),
        }
    }

    /// The probability of the positive class for every row. `columns` are in the order of
    /// [`Model::inputs`] and of one length.
    pub(crate) fn score(&self, columns: &[&Column]) -> Vec<f64> {
        let rows = columns.first().map_or(0, |c| c.rows());
        let codes: Vec<Vec<u8>> = self
            .inputs
            .iter()
            .zip(columns)
            .filter_map(|(input, column)| input.coding.codes(column))
            .collect();
        (0..rows)
            .map(|row| {
                let codes: Vec<u8> = codes.iter().map(|column| column[row]).collect();
                self.ensemble.probability(&codes)
            })
            .collect()
    }

    /// Scores a table's columns.
    pub(crate) fn score_all(&self, columns: &Columns) -> Vec<f64> {
        let columns: Vec<&Column> = columns.iter().map(|(_, column)| column).collect();
        self.score(&columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_order_and_tell_missing_from_small() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let coding = Coding::numeric(&values);
        let codes = coding
            .codes(&Column::Numbers(vec![f64::NAN, -5.0, 10.0, 500.0, 1e9]))
            .unwrap();
        assert_eq!(codes[..2], [0, 1]);
        assert!(codes.is_sorted() && codes[4] == 255, "{codes:?}");
    }

    #[test]
    fn categories_are_ordered_by_their_share_of_positives_and_unseen_ones_are_code_0() {
        let values: Vec<Box<str>> = ["b", "a", "b", "a", "c", "c"].map(Into::into).into();
        let labels = [false, true, false, true, true, false];
        let coding = Coding::categorical(&values, &labels);
        assert_eq!(
            coding,
            Coding::Categorical(["b", "c", "a"].map(Into::into).into())
        );
        let seen = Column::Texts(["a", "never"].map(Into::into).into());
        assert_eq!(coding.codes(&seen).unwrap(), [3, 0]);
    }
}
