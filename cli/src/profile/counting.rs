//! One pass over the current data: every row into the summaries of its windows, as an agent would have
//! counted it.

use std::collections::BTreeMap;
use std::sync::Arc;

use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Named, Owned, Tensor, Values};
use clause9_shared::metric::LabelAges;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{CapturePlan, Fitting, Outcome, Prediction};
use clause9_shared::service::Served;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;

use super::late::Late;
use super::serving::Serving;
use super::watching::Watching;
use super::windowing::{Bounds, Windowing};
use super::windows::{Windows, beginning};
use crate::columns::{Source, Sources, TensorSource};
use crate::data::{Batch, Column, Form, Meter, Refused, Table, bad};
use crate::labels::Labels;

/// Most refused rows that are listed; further ones are counted.
pub(crate) const MAX_LISTED: usize = 50;

/// A window and what was counted in it.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) windowing: Windowing,
    pub(crate) bounds: Bounds,
    pub(crate) rows: u64,
    /// Rows with a label.
    pub(crate) labelled: u64,
    /// The first and the last time of its rows, if rows have one.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    pub(crate) traffic: PaneSummary,
    pub(crate) outcomes: PaneSummary,
    /// How late labels came.
    pub(crate) ages: LabelAges,
}

impl Window {
    pub(crate) fn name(&self) -> String {
        self.windowing.name(&self.bounds, self.rows)
    }

    /// Whether the file ended before the window was full.
    pub(crate) fn partial(&self) -> bool {
        match self.windowing {
            Windowing::Rows(size) => self.rows < size,
            Windowing::All | Windowing::Span(_) | Windowing::Month | Windowing::Year => false,
        }
    }
}

/// What became of the rows.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Rows of the file.
    pub(crate) rows: u64,
    /// Rows that were counted.
    pub(crate) counted: u64,
    /// Rows after the instant of --as-of.
    pub(crate) after_as_of: u64,
    pub(crate) refused: u64,
    /// Windows without rows between others.
    pub(crate) empty: u64,
    /// Gaps between windows in which not all windows without rows are listed.
    pub(crate) left_out: u64,
    /// The first refused rows.
    pub(crate) listed: Vec<Refused>,
    /// Counted rows with a label.
    pub(crate) labelled: u64,
    /// Counted rows with a label that the document does not list.
    pub(crate) unlisted_labels: u64,
    /// Counted rows whose id is in the labels file.
    pub(crate) joined: u64,
    /// The digest of the file.
    pub(crate) digest: Option<Digest>,
}

/// What counting needs to know.
pub(crate) struct Counting<'a> {
    pub(crate) plan: &'a CapturePlan,
    pub(crate) sources: &'a Sources,
    pub(crate) labels: &'a Labels,
    pub(crate) serving: &'a Serving,
    pub(crate) windowings: &'a [Windowing],
    pub(crate) as_of: Option<Timestamp>,
    /// How late labels come; nothing if rows or labels have no times.
    pub(crate) late: Option<Late>,
}

/// What is known of the rows of a batch.
struct Known<'a> {
    fitting: Fitting<'a>,
    times: &'a [Option<Timestamp>],
    /// What is known of each besides what the model saw and said.
    outcomes: &'a [Outcome],
    /// When the label of each became known.
    labelled_at: &'a [Option<Timestamp>],
    /// How each was answered, where that is counted.
    served: &'a [Served],
}

/// Counts a table's rows.
pub(crate) fn count(
    counting: &Counting<'_>,
    table: &Table,
    wanted: &[(usize, Form)],
    (watching, meter): (&mut Watching, &Meter),
    mut seen: impl FnMut(),
) -> anyhow::Result<(Vec<Window>, Tally)> {
    let mut rows = table.rows(wanted, meter)?;
    let mut windows = Windows {
        all: Vec::new(),
        last: vec![None; counting.windowings.len()],
        index: BTreeMap::new(),
    };
    let mut tally = Tally::default();
    let mut batch = Batch::default();
    while rows.read(&mut batch)? {
        counting.batch(&mut batch, &mut windows, (&mut tally, watching))?;
        seen();
    }
    tally.digest = Some(rows.digest()?);
    windows.fill(counting, &mut tally)?;
    let mut all = windows.all;
    let order = |windowing| counting.windowings.iter().position(|w| *w == windowing);
    all.sort_by_key(|w| (order(w.windowing), beginning(&w.bounds)));
    Ok((all, tally))
}

impl Counting<'_> {
    fn batch(
        &self,
        batch: &mut Batch,
        windows: &mut Windows,
        (tally, watching): (&mut Tally, &mut Watching),
    ) -> anyhow::Result<()> {
        let joined: Vec<Option<u32>> = (0..batch.rows)
            .map(|row| match self.sources.id {
                Some(Source::Batch(id)) => self.labels.find(batch.columns[id].cell(row)),
                Some(Source::Joined(_)) | None => None,
            })
            .collect();
        let outcomes: Vec<Outcome> = (0..batch.rows)
            .map(|row| self.outcome(batch, row, joined[row]))
            .collect();
        let times: Vec<Option<Timestamp>> =
            (0..batch.rows).map(|row| self.time(batch, row)).collect();
        let labelled_at: Vec<Option<Timestamp>> = joined
            .iter()
            .map(|place| self.labels.known_at(*place))
            .collect();
        let served: Vec<Served> = if self.plan.serves() {
            (0..batch.rows)
                .map(|row| self.serving.of(batch, row))
                .collect()
        } else {
            Vec::new()
        };
        let mut inference = self.inference(batch, &joined);
        self.plan.prepare(&mut inference);
        let mut refused = std::mem::take(&mut batch.refused).into_iter().peekable();
        let mut counted: Vec<(usize, u64)> = Vec::with_capacity(batch.rows);
        for (row, line) in batch.lines.iter().enumerate() {
            while let Some(before) = refused.next_if(|r| r.line < *line) {
                tally.refuse(before);
            }
            let number = tally.rows;
            if self.takes(*line, times[row], tally) {
                tally.joined += u64::from(joined[row].is_some());
                counted.push((row, number));
            }
        }
        for rest in refused {
            tally.refuse(rest);
        }
        let fitting = match self.plan.fit(&inference) {
            Ok(fitting) => fitting,
            Err(error) => return bad(error.to_string()),
        };
        let known = Known {
            fitting,
            times: &times,
            outcomes: &outcomes,
            labelled_at: &labelled_at,
            served: &served,
        };
        for way in 0..self.windowings.len() {
            self.count_in(
                way,
                &counted,
                (&inference, &known),
                windows,
                (tally, watching),
            )?;
        }
        Ok(())
    }

    /// Whether a row is counted; it is noted either way.
    fn takes(&self, line: u64, at: Option<Timestamp>, tally: &mut Tally) -> bool {
        let needs_time = self.windowings.iter().any(|w| w.needs_time()) || self.as_of.is_some();
        if at.is_none() && needs_time {
            tally.refuse(Refused {
                line,
                why: "no point in time in the column of --timestamp; write one as 2026-01-31T12:00:00Z"
                    .to_owned(),
            });
            return false;
        }
        tally.rows += 1;
        let late = at.zip(self.as_of).is_some_and(|(at, as_of)| at > as_of);
        tally.after_as_of += u64::from(late);
        tally.counted += u64::from(!late);
        !late
    }

    /// Counts rows, each with its number in the file, in the windows of one way of cutting: those that
    /// follow each other in the same window together.
    fn count_in(
        &self,
        way: usize,
        counted: &[(usize, u64)],
        (inference, known): (&Inference, &Known<'_>),
        windows: &mut Windows,
        (tally, watching): (&mut Tally, &mut Watching),
    ) -> anyhow::Result<()> {
        let mut rest = counted;
        while let Some((first, number)) = rest.first().copied() {
            let windowing = self.windowings[way];
            let window = windows.of(self.plan, way, windowing, number, known.times[first])?;
            let together = (first..)
                .zip(rest)
                .take_while(|(next, (row, number))| {
                    row == next && window.bounds.hold(*number, known.times[*row])
                })
                .count()
                .max(1);
            let rows = first..first + together;
            let mut predictions = Vec::with_capacity(together);
            let traffic = &mut window.traffic;
            self.plan
                .observe_fitting(&known.fitting, rows.clone(), traffic, &mut predictions);
            for (row, prediction) in rows.zip(&mut predictions) {
                let labelled = self.join(known, row, prediction, window);
                if way == 0 {
                    watching.take(inference, row, prediction);
                    tally.labelled += labelled;
                    let unlisted = known.outcomes[row].label.is_some() && labelled == 0;
                    tally.unlisted_labels += u64::from(unlisted);
                }
            }
            rest = &rest[together..];
        }
        Ok(())
    }

    /// Counts what is known of a row besides what the model saw and said; how many labels that were.
    fn join(
        &self,
        known: &Known<'_>,
        row: usize,
        prediction: &mut Prediction,
        window: &mut Window,
    ) -> u64 {
        window.rows += 1;
        if let Some(served) = known.served.get(row) {
            self.plan.serve(served, &mut window.traffic);
            self.plan.count_requests(1, &mut window.traffic);
        }
        let outcome = &known.outcomes[row];
        let added = self.plan.join(prediction, outcome, &mut window.outcomes);
        window.labelled += added.labels;
        let unlisted = outcome.label.is_some() && added.labels == 0;
        if let Some(late) = self.late.as_ref().filter(|_| !unlisted) {
            let came = known.labelled_at[row].filter(|_| added.labels > 0);
            late.count(window, (known.times[row], came, added.labels), prediction);
        }
        if let Some(at) = known.times[row] {
            let (first, last) = window.times.unwrap_or((at, at));
            window.times = Some((first.min(at), last.max(at)));
        }
        added.labels
    }

    fn time(&self, batch: &Batch, row: usize) -> Option<Timestamp> {
        match self.sources.time {
            Some(Source::Batch(column)) => match batch.columns[column].cell(row) {
                Cell::Int(micros) => Timestamp::from_micros(micros),
                Cell::Missing | Cell::Float(_) | Cell::Uint(_) | Cell::Bool(_) | Cell::Text(_) => {
                    None
                }
            },
            Some(Source::Joined(_)) | None => None,
        }
    }

    /// What is known of a row besides what the model saw.
    fn outcome(&self, batch: &Batch, row: usize, joined: Option<u32>) -> Outcome {
        let cell = |source: Source| match source {
            Source::Batch(column) => crate::data::owned(batch.columns[column].cell(row)),
            Source::Joined(column) => self.labels.cell(column, joined).clone(),
        };
        let attributes = self.sources.late.iter().filter_map(|(index, source)| {
            let name = self.plan.document().attributes[*index].name.clone();
            match cell(*source) {
                Owned::Text(group) => Some((name, group.into_string())),
                Owned::Missing
                | Owned::Float(_)
                | Owned::Int(_)
                | Owned::Uint(_)
                | Owned::Bool(_) => None,
            }
        });
        Outcome {
            request_id: String::new(),
            row: 0,
            label: self.sources.label.and_then(|source| scalar(cell(source))),
            attributes: attributes.collect(),
            available_at: None,
        }
    }

    /// The batch as an exchange of so many rows. Takes the batch's columns.
    fn inference(&self, batch: &mut Batch, joined: &[Option<u32>]) -> Inference {
        let mut tensors = |sources: &[TensorSource]| -> Vec<Tensor> {
            let sources = sources.iter();
            sources
                .map(|source| self.tensor(source, batch, joined))
                .collect()
        };
        Inference {
            model: "".into(),
            model_version: "".into(),
            request_id: None,
            arrived_at: Timestamp::EPOCH,
            inputs: tensors(&self.sources.inputs),
            outputs: tensors(&self.sources.outputs),
            rows: batch.rows,
        }
    }

    fn tensor(&self, source: &TensorSource, batch: &mut Batch, joined: &[Option<u32>]) -> Tensor {
        let rows = batch.rows;
        let mut columns: Vec<Values> = source
            .columns
            .iter()
            .map(|column| match column {
                Some(Source::Batch(index)) => values(&mut batch.columns[*index]),
                Some(Source::Joined(index)) => {
                    let cells = joined.iter().map(|place| self.labels.cell(*index, *place));
                    Values::Mixed(cells.cloned().collect())
                }
                None => Values::Mixed(vec![Owned::Missing; rows]),
            })
            .collect();
        let width = columns.len();
        let values = if width == 1 {
            columns.remove(0)
        } else {
            let tensors: Vec<Tensor> = columns
                .into_iter()
                .map(|values| Tensor {
                    name: "".into(),
                    columns: 1,
                    values,
                })
                .collect();
            let cells = (0..rows).flat_map(|row| {
                let cell = move |t: &Tensor| crate::data::owned(t.cell(row, 0));
                tensors.iter().map(cell).collect::<Vec<_>>()
            });
            Values::Mixed(cells.collect())
        };
        Tensor {
            name: source.name.clone(),
            columns: width,
            values,
        }
    }
}

impl Tally {
    fn refuse(&mut self, row: Refused) {
        self.rows += 1;
        self.refused += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(row);
        }
    }
}

/// The values of a column of its own, which is left empty.
fn values(column: &mut Column) -> Values {
    match column {
        Column::Numbers { values, missing } if missing.is_empty() => {
            Values::Float(std::mem::take(values))
        }
        Column::Texts(texts) => Values::Named(Named {
            codes: std::mem::take(&mut texts.codes),
            names: Arc::clone(&texts.names),
        }),
        Column::Cells(cells) => Values::Mixed(std::mem::take(cells)),
        Column::Numbers { .. } | Column::Times(_) => {
            let cells = (0..column.len()).map(|row| crate::data::owned(column.cell(row)));
            Values::Mixed(cells.collect())
        }
    }
}

/// A cell as a documented value; what is missing, or not a number, is none.
fn scalar(cell: Owned) -> Option<Scalar> {
    match cell {
        Owned::Missing => None,
        Owned::Float(x) => x.is_finite().then_some(Scalar::Number(x)),
        Owned::Int(x) => Some(Scalar::Number(x as f64)),
        Owned::Uint(x) => Some(Scalar::Number(x as f64)),
        Owned::Bool(x) => Some(Scalar::Bool(x)),
        Owned::Text(x) => Some(Scalar::Text(x.into_string())),
    }
}
