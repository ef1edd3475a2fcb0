//! Building a baseline from the rows of a reference, read by somebody else.

use super::categories::{self, Counted};
use super::labels::Labels;
use super::{Baseline, BaselineError, Errors, Format, Joint, Law, Source, numbers};
use crate::digest::Digest;
use crate::ids::{Name, SystemId};
use crate::inference::Cell;
use crate::objective::document::{Document, Feature, FeatureType};
use crate::plan::value::{Digits, Reading, ValueReader};
use crate::sketch::MAX_DIMENSIONS;
use crate::text::{LastTexts, Patterns, TextNumber};

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
    /// Which number of a text each feature is, if it is one.
    texts: Vec<Option<TextNumber>>,
    /// Of each feature, the phrases that it looks for.
    phrases: Vec<Option<Patterns>>,
    last_texts: LastTexts,
    score: Column,
    value: Column,
    target: Column,
    /// Predicted numbers with their labels.
    pairs: Vec<(f64, f64)>,
    labels: Labels,
    /// Whole rows, if that is asked for: feature, its values by row.
    joint: Vec<(usize, Vec<f64>)>,
    /// The first thing that went wrong; told at the end.
    failed: Option<BaselineError>,
}

#[derive(Debug)]
struct Column {
    values: Collected,
    /// Rows before the one under way.
    rows: u64,
    missing: u64,
    invalid: u64,
    /// Whether the row under way has its value.
    filled: bool,
    /// Whether that is a number.
    number_under_way: bool,
}

#[derive(Debug)]
enum Collected {
    Numbers(Vec<f64>),
    Names(Counted),
}

impl Column {
    const fn new(values: Collected) -> Self {
        Self {
            values,
            rows: 0,
            missing: 0,
            invalid: 0,
            filled: false,
            number_under_way: false,
        }
    }

    /// The number of the row under way, if it has one.
    fn under_way(&self) -> Option<f64> {
        match &self.values {
            Collected::Numbers(values) if self.number_under_way => values.last().copied(),
            Collected::Numbers(_) | Collected::Names(_) => None,
        }
    }

    const fn numbers() -> Self {
        Self::new(Collected::Numbers(Vec::new()))
    }

    /// A number, finite or not.
    fn take_number(&mut self, x: f64, of: &str) -> Result<(), BaselineError> {
        let reading = match crate::sketch::Invalid::of(x) {
            Some(invalid) => Reading::Invalid(invalid),
            None => Reading::Number(x),
        };
        self.take(reading, of)
    }

    /// The law of what was taken, if anything was.
    fn finish_if_any(self, rows: u64) -> Option<Law> {
        (rows > self.missing).then(|| self.finish())
    }

    fn end_row(&mut self) {
        self.number_under_way = false;
        if !std::mem::take(&mut self.filled) {
            self.add_missing();
        }
        self.rows += 1;
    }
}

/// The search for a feature's phrases, if it looks for such.
fn search(feature: &Feature) -> Option<Patterns> {
    let phrases = feature.find.as_ref()?;
    phrases.search(feature.name.as_str()).ok()
}

impl BaselineBuilder {
    /// A builder for a document's features. `source_name` tells people where the reference comes
    /// from: a file's name without its folders.
    pub fn new(document: &Document, source_name: &str) -> Self {
        let features = document.features.iter().map(|feature| {
            let values = match feature.kind {
                FeatureType::Numeric => Collected::Numbers(Vec::new()),
                FeatureType::Categorical => Collected::Names(Counted::default()),
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
            texts: document.features.iter().map(|f| f.text).collect(),
            phrases: document.features.iter().map(search).collect(),
            last_texts: LastTexts::default(),
            score: Column::numbers(),
            value: Column::numbers(),
            target: Column::numbers(),
            pairs: Vec::new(),
            labels: Labels::new(document),
            joint: Vec::new(),
            failed: None,
        }
    }

    /// Also keeps how the numeric features go together, the first 64 of them: then agents keep the
    /// same of live traffic. To be asked for before the first row.
    #[must_use]
    pub fn jointly(mut self) -> Self {
        let numeric = |(_, _, column): &(Name, ValueReader, Column)| match column.values {
            Collected::Numbers(_) => true,
            Collected::Names(_) => false,
        };
        let features = self.features.iter().enumerate();
        self.joint = features
            .filter(|(_, feature)| numeric(feature))
            .take(MAX_DIMENSIONS)
            .map(|(i, _)| (i, Vec::new()))
            .collect();
        self
    }

    /// The value of a feature (by its index in the document) in the row under way. A feature that
    /// is not given is missing in that row. What cannot be is told by [`BaselineBuilder::finish`].
    pub fn observe(&mut self, feature: usize, cell: Cell<'_>) {
        if self.failed.is_some() {
            return;
        }
        let cell = self.number_of_text(feature, cell);
        let result = match self.features.get_mut(feature) {
            None => Err(BaselineError::NoSuchFeature(feature)),
            Some((name, reader, column)) => {
                column.take(reader.read(cell, &mut Digits::default()), name.as_str())
            }
        };
        self.failed = result.err();
    }

    /// What a cell is to a feature: that number of it if the feature is one of a text.
    fn number_of_text<'a>(&mut self, feature: usize, cell: Cell<'a>) -> Cell<'a> {
        let which = self.texts.get(feature).copied().flatten();
        match (which, cell) {
            (None, _) | (_, Cell::Missing) => cell,
            (Some(TextNumber::PHRASES), Cell::Text(text)) => {
                let patterns = self.phrases.get(feature).and_then(Option::as_ref);
                let found = patterns.map(|patterns| patterns.any(text));
                found.map_or(Cell::Missing, |found| {
                    Cell::Float(f64::from(u8::from(found)))
                })
            }
            (Some(which), Cell::Text(text)) => {
                let number = self.last_texts.number(text, which);
                number.map_or(Cell::Missing, Cell::Float)
            }
            // Of the wrong type.
            (Some(_), Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_)) => {
                Cell::Text("")
            }
        }
    }

    /// The score in the row under way. Without any score the baseline has no law of scores.
    pub fn observe_score(&mut self, score: f64) {
        if self.failed.is_some() {
            return;
        }
        self.labels.take_score(score);
        self.failed = self.score.take_number(score, "score").err();
    }

    /// The predicted number in the row under way. Without any the baseline has no law of them.
    pub fn observe_value(&mut self, value: f64) {
        if self.failed.is_none() {
            self.failed = self.value.take_number(value, "value").err();
        }
    }

    /// The model's own decision in the row under way, where the objectives file takes it from an
    /// output. Where it rests on a score, the score decides.
    pub fn observe_decision(&mut self, cell: Cell<'_>) {
        self.labels.take_decision(cell);
    }

    /// The label of the row under way. A value that the objectives file does not list is none.
    pub fn observe_label(&mut self, cell: Cell<'_>) {
        if self.failed.is_none()
            && let Some(number) = self.labels.take_label(cell)
        {
            self.failed = self.target.take_number(number, "label").err();
        }
    }

    /// The row is complete.
    pub fn end_row(&mut self) {
        if self.failed.is_some() {
            return;
        }
        self.rows += 1;
        for (feature, values) in &mut self.joint {
            let column = self.features.get(*feature).map(|(_, _, column)| column);
            values.push(column.and_then(Column::under_way).unwrap_or(f64::NAN));
        }
        let pair = self.value.under_way().zip(self.target.under_way());
        self.pairs.extend(pair);
        for (_, _, column) in &mut self.features {
            column.end_row();
        }
        for column in [&mut self.score, &mut self.value, &mut self.target] {
            column.end_row();
        }
        self.labels.end_row();
        if self.rows > MAX_ROWS {
            self.failed = Some(BaselineError::TooManyRows(self.rows));
        }
    }

    /// How the rows' numbers go together; None unless it was asked for.
    fn joint_law(&mut self) -> Option<Joint> {
        let (features, columns): (Vec<usize>, Vec<_>) =
            std::mem::take(&mut self.joint).into_iter().unzip();
        let name = |i: usize| self.features.get(i).map(|(name, ..)| name.clone());
        let names: Option<Vec<Name>> = features.into_iter().map(name).collect();
        Joint::of_columns(names?, &columns)
    }

    /// The baseline of the rows that were completed. `source_digest` names the reference's bytes.
    pub fn finish(mut self, source_digest: Digest) -> Result<Baseline, BaselineError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let joint = self.joint_law();
        let value = self.value.finish_if_any(self.rows);
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
            score: self.score.finish_if_any(self.rows),
            errors: Errors::of(&self.pairs, value.as_ref()),
            value,
            target: self.target.finish_if_any(self.rows),
            labelled: self.labels.finish(),
            joint,
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
        let half = categories::half(self.rows);
        match (reading, &mut self.values) {
            (Reading::Missing, _) => self.add_missing(),
            // Negative zero is zero.
            (Reading::Number(x), Collected::Numbers(values)) => {
                values.push(x + 0.0);
                self.number_under_way = true;
            }
            (Reading::Category(name), Collected::Names(counted)) => {
                if counted.add(&name, half) > MAX_DISTINCT {
                    return Err(BaselineError::TooManyCategories(of.to_owned()));
                }
            }
            // Live traffic counts such values as unlisted.
            (_, Collected::Names(counted)) => counted.other[half] += 1,
            (Reading::Invalid(_) | Reading::Category(_), Collected::Numbers(_)) => {
                self.invalid += 1;
            }
        }
        Ok(())
    }

    fn add_missing(&mut self) {
        self.missing += 1;
        if let Collected::Names(counted) = &mut self.values {
            counted.missing[categories::half(self.rows)] += 1;
        }
    }

    fn finish(self) -> Law {
        match self.values {
            Collected::Numbers(values) => numbers::law(values, self.missing, self.invalid),
            Collected::Names(counted) => counted.law(),
        }
    }
}
