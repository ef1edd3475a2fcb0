//! The baseline of a case: the library's builder fed with the CSV that is written beside it, so that
//! `clause9 baseline` gives the same file.

use anyhow::Context;
use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::objective::{Document, FeatureType};

/// Name of the file with the reference rows.
pub(crate) const FILE: &str = "baseline-rows.csv";

/// Builds the baseline of a CSV with a column per feature and a column `score`.
pub(crate) fn build(document: &Document, rows: &[u8]) -> anyhow::Result<Baseline> {
    let mut reader = csv::Reader::from_reader(rows);
    let header = reader.headers()?.clone();
    let place = |name: &str| {
        let found = header.iter().position(|h| h == name);
        found.with_context(|| format!("{FILE} has no column `{name}`"))
    };
    let mut places = Vec::new();
    for feature in &document.features {
        places.push((place(feature.name.as_str())?, feature.kind));
    }
    let score = place("score")?;
    let mut builder = BaselineBuilder::new(document, FILE);
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for (index, (place, kind)) in places.iter().enumerate() {
            let cell = &record[*place];
            builder.observe(
                index,
                match kind {
                    _ if cell.is_empty() => Cell::Missing,
                    FeatureType::Numeric => Cell::Float(cell.parse()?),
                    FeatureType::Categorical => Cell::Text(cell),
                },
            );
        }
        builder.observe_score(record[score].parse()?);
        builder.end_row();
    }
    Ok(builder.finish(Digest::of(rows))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseName;
    use crate::history::History;

    #[test]
    fn both_objectives_files_are_right_and_fit_their_baselines() {
        for name in [CaseName::CarLoan, CaseName::GermanCredit] {
            let case = name.case();
            let document = clause9_shared::objective::load("objectives.yaml", case.objectives)
                .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
                .unwrap();
            assert_eq!(document.system.id.as_str(), case.name);
            let history = History::read(case).unwrap();
            let baseline = build(&document, &history.baseline_csv).unwrap();
            assert_eq!(baseline.rows, history.held_out.rows as u64);
            assert_eq!(baseline.features.len(), document.features.len());
            assert!(baseline.score.is_some());
            clause9_shared::plan::CapturePlan::new(&document, &baseline).unwrap();
        }
    }
}
