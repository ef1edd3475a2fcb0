//! The past of a case: the first half of the reference fits the model, the second half measures it
//! and is the baseline.

use anyhow::Context;

use crate::case::Case;
use crate::columns::{Column, Columns};
use crate::model::{Model, Quality};
use crate::table::Table;

/// What the past gave.
#[derive(Debug)]
pub(crate) struct History {
    /// The fitted model.
    pub(crate) model: Model,
    /// How it does on the rows it was fitted to.
    pub(crate) fitted: Quality,
    /// How it does on the second half, which it never saw.
    pub(crate) held_out: Quality,
    /// The second half as CSV: features, `score`, `label`.
    pub(crate) baseline_csv: Vec<u8>,
}

/// The labels of a table, as truth values.
pub(crate) fn labels(table: &Table, column: &str) -> anyhow::Result<Vec<bool>> {
    let parse = |cell: &str| match cell {
        "1" => Ok(true),
        "0" => Ok(false),
        other => anyhow::bail!("column `{column}`: label `{other}` is neither 0 nor 1"),
    };
    table
        .texts(column)?
        .iter()
        .map(|cell| parse(cell))
        .collect()
}

impl History {
    /// Reads the reference part and fits the model.
    pub(crate) fn read(case: &Case) -> anyhow::Result<Self> {
        let table = Table::read("reference.csv.gz", case.reference)?;
        let columns = Columns::read(&table, case.numeric, case.texts)?;
        let labels = labels(&table, case.label)?;
        let (half, end) = (labels.len() / 2, labels.len());
        let (first, second) = (columns.part(&(0..half)), columns.part(&(half..end)));
        let model = Model::fit(case.recipe, &first, &labels[..half]);
        let scores = model.score_all(&second);
        Ok(Self {
            fitted: Quality::of(&model.score_all(&first), &labels[..half], model.threshold),
            held_out: Quality::of(&scores, &labels[half..], model.threshold),
            baseline_csv: to_csv(&second, &scores, &labels[half..])?,
            model,
        })
    }
}

fn to_csv(columns: &Columns, scores: &[f64], labels: &[bool]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = columns.iter().map(|(name, _)| name);
    writer.write_record(names.chain(["score", "label"]))?;
    for (row, (score, label)) in scores.iter().zip(labels).enumerate() {
        for (_, column) in columns.iter() {
            match column {
                Column::Numbers(values) if values[row].is_nan() => writer.write_field("")?,
                Column::Numbers(values) => writer.write_field(values[row].to_string())?,
                Column::Texts(values) => writer.write_field(&*values[row])?,
            }
        }
        writer.write_field(score.to_string())?;
        writer.write_field(if *label { "1" } else { "0" })?;
        writer.write_record(None::<&[u8]>)?;
    }
    writer
        .into_inner()
        .context("cannot write the baseline rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseName;

    #[test]
    fn the_car_loan_model_separates_rows_that_it_never_saw() {
        let history = History::read(CaseName::CarLoan.case()).unwrap();
        assert_eq!(history.held_out.rows, 25_000);
        assert!(history.held_out.accuracy > 0.93, "{:?}", history.held_out);
        assert!(
            history.held_out.roc_auc.unwrap() > 0.96,
            "{:?}",
            history.held_out
        );
        let lines = history.baseline_csv.split(|b| *b == b'\n').count();
        assert_eq!(lines, 25_002);
    }

    #[test]
    fn the_credit_model_does_not_look_at_age_and_beats_a_coin() {
        let history = History::read(CaseName::GermanCredit.case()).unwrap();
        assert!(
            history.held_out.roc_auc.unwrap() > 0.7,
            "{:?}",
            history.held_out
        );
        let age = history.model.inputs.iter().find(|i| i.name == "age_band");
        assert_eq!(age.unwrap().coding, crate::model::Coding::Carried);
        let again = History::read(CaseName::GermanCredit.case()).unwrap();
        assert_eq!(history.model, again.model);
    }
}
