//! A baseline from the rows that were seen.

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Owned};
use clause9_shared::objective::Document;

use super::learned::Learned;
use super::propose::Proposed;
use crate::data::{bad, borrowed};

/// Freezes the rows. The baseline names as its source the model, and the digest of the rows in the order
/// in which they came.
pub(super) fn baseline(
    document: &Document,
    proposed: &Proposed,
    learned: &Learned,
) -> anyhow::Result<Baseline> {
    let source = format!("traffic of {}", learned.model);
    let mut builder = BaselineBuilder::new(document, &source);
    let at: Vec<usize> = document
        .features
        .iter()
        .map(|feature| {
            let (answered, name) = match &feature.from.output {
                Some(output) => (true, output),
                None => (false, &feature.from.input),
            };
            let found = learned.found.iter().position(|f| {
                let place = &f.place;
                place.answered == answered
                    && *place.name == **name
                    && place.column == feature.from.column
            });
            // Every feature was proposed from what was found.
            found.unwrap_or(usize::MAX)
        })
        .collect();
    let mut text = String::new();
    for row in &learned.rows {
        let cell = |index: usize| row.get(index).map_or(Cell::Missing, borrowed);
        for (feature, index) in at.iter().enumerate() {
            builder.observe(feature, cell(*index));
        }
        let number = |index: Option<usize>| index.and_then(|index| cell(index).number());
        if let Some(score) = number(proposed.outputs.score) {
            builder.observe_score(score);
        }
        if let Some(value) = number(proposed.outputs.value) {
            builder.observe_value(value);
        }
        if let Some(index) = proposed.outputs.decision {
            builder.observe_decision(cell(index));
        }
        builder.end_row();
        line(&mut text, row);
    }
    let digest = Digest::of(text.as_bytes());
    builder
        .finish(digest)
        .or_else(|error| bad(format!("no baseline can be made of what was seen: {error}")))
}

/// A row as a line of text.
fn line(out: &mut String, row: &[Owned]) {
    use std::fmt::Write as _;
    for cell in row {
        // Writing to a string does not fail.
        let _ = write!(out, "{cell:?}\t");
    }
    out.push('\n');
}
