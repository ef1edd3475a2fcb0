//! The Open Inference Protocol v2 as JSON, both ways: what the clients of the demonstration write
//! and the model server reads. Only tensors in JSON; no binary extension.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::columns::{Column, Columns};
use crate::model::{Coding, Input, Model};
use crate::production::Row;

/// A named block of values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tensor {
    /// Its name.
    pub(crate) name: String,
    /// Its size in every dimension; rows come first.
    pub(crate) shape: Vec<usize>,
    /// Type of its values.
    pub(crate) datatype: String,
    /// The values, row by row, flat or nested by shape.
    pub(crate) data: Vec<Value>,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InferRequest {
    /// The request's id, given back in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// One tensor per input of the model.
    pub(crate) inputs: Vec<Tensor>,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InferResponse {
    /// The model that answered.
    pub(crate) model_name: String,
    /// Its version.
    pub(crate) model_version: String,
    /// The request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// One tensor per output of the model.
    pub(crate) outputs: Vec<Tensor>,
}

/// Why a request cannot be answered. Told to the client with status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unanswerable(pub(crate) String);

/// The protocol's name for an input's type.
pub(crate) const fn datatype(input: &Input) -> &'static str {
    match input.coding {
        Coding::Numeric(_) => "FP64",
        Coding::Categorical(_) | Coding::Carried => "BYTES",
    }
}

impl InferRequest {
    /// A request for the predictions of some rows of production.
    pub(crate) fn of(id: &str, columns: &Columns, rows: &[Row]) -> Self {
        let tensor = |(name, column): (&'static str, &Column)| Tensor {
            name: name.into(),
            shape: vec![rows.len(), 1],
            datatype: match column {
                Column::Numbers(_) => "FP64".into(),
                Column::Texts(_) => "BYTES".into(),
            },
            data: rows.iter().map(|row| cell(column, row.source)).collect(),
        };
        Self {
            id: Some(id.into()),
            inputs: columns.iter().map(tensor).collect(),
        }
    }
}

/// A value as JSON; a missing one is `null`.
fn cell(column: &Column, row: usize) -> Value {
    match column {
        Column::Numbers(values) => Value::from(values[row]),
        Column::Texts(values) if values[row].is_empty() => Value::Null,
        Column::Texts(values) => Value::from(&*values[row]),
    }
}

/// Answers a request with a model.
pub(crate) fn answer(model: &Model, request: InferRequest) -> Result<InferResponse, Unanswerable> {
    let rows = rows_of(model, &request)?;
    let columns: Vec<Column> = model
        .inputs
        .iter()
        .map(|input| column_of(input, &request, rows))
        .collect::<Result<_, _>>()?;
    let scores = model.score(&columns.iter().collect::<Vec<_>>());
    let decisions = scores.iter().map(|s| i64::from(*s >= model.threshold));
    let output = |name: &str, datatype: &str, data: Vec<Value>| Tensor {
        name: name.into(),
        shape: vec![rows, 1],
        datatype: datatype.into(),
        data,
    };
    Ok(InferResponse {
        outputs: vec![
            output(
                "probability",
                "FP64",
                scores.iter().map(|s| Value::from(*s)).collect(),
            ),
            output("decision", "INT64", decisions.map(Value::from).collect()),
        ],
        model_name: model.name.clone(),
        model_version: model.version.clone(),
        id: request.id,
    })
}

/// Most rows that the server scores in one request.
const MAX_ROWS: usize = 1024;

fn rows_of(model: &Model, request: &InferRequest) -> Result<usize, Unanswerable> {
    let known = |tensor: &&Tensor| !model.inputs.iter().any(|i| i.name == tensor.name);
    if let Some(unknown) = request.inputs.iter().find(known) {
        return Err(Unanswerable(format!(
            "unexpected inference input '{}' for model '{}'",
            unknown.name, model.name
        )));
    }
    let first = request.inputs.first();
    let rows = first.and_then(|t| t.shape.first()).copied().unwrap_or(0);
    match rows {
        1..=MAX_ROWS => Ok(rows),
        _ => Err(Unanswerable(format!(
            "a request holds 1 to {MAX_ROWS} rows, this one {rows}"
        ))),
    }
}

fn column_of(input: &Input, request: &InferRequest, rows: usize) -> Result<Column, Unanswerable> {
    let name = &input.name;
    let refuse = |why: String| Err(Unanswerable(format!("input '{name}': {why}")));
    let mut found = request.inputs.iter().filter(|t| t.name == *name);
    let Some(tensor) = found.next() else {
        return refuse("is missing".into());
    };
    if found.next().is_some() {
        return refuse("is given twice".into());
    }
    if tensor.datatype != datatype(input) {
        let (got, want) = (&tensor.datatype, datatype(input));
        return refuse(format!("has datatype {got}, expected {want}"));
    }
    if tensor.shape != [rows, 1] && tensor.shape != [rows] {
        return refuse(format!("has shape {:?}, expected [{rows},1]", tensor.shape));
    }
    let mut flat = Vec::with_capacity(rows);
    flatten(&tensor.data, 0, &mut flat);
    if flat.len() != rows {
        return refuse(format!(
            "holds {} values, its shape says {rows}",
            flat.len()
        ));
    }
    match values(input, &flat) {
        Some(column) => Ok(column),
        None => refuse(format!("holds a value that is no {}", datatype(input))),
    }
}

/// Lays nested lists out flat, at most as deep as tensors are here.
fn flatten<'a>(data: &'a [Value], depth: usize, into: &mut Vec<&'a Value>) {
    for value in data {
        match value.as_array() {
            Some(inner) if depth < 2 => flatten(inner, depth + 1, into),
            Some(_) | None => into.push(value),
        }
    }
}

/// Values of an input's type; `null` is missing. None if one is of another type.
fn values(input: &Input, flat: &[&Value]) -> Option<Column> {
    let number = |value: &&Value| {
        if value.is_null() {
            Some(f64::NAN)
        } else {
            value.as_f64()
        }
    };
    let text = |value: &&Value| {
        if value.is_null() {
            Some("".into())
        } else {
            value.as_str().map(Into::into)
        }
    };
    match input.coding {
        Coding::Numeric(_) => flat
            .iter()
            .map(number)
            .collect::<Option<_>>()
            .map(Column::Numbers),
        Coding::Categorical(_) | Coding::Carried => flat
            .iter()
            .map(text)
            .collect::<Option<_>>()
            .map(Column::Texts),
    }
}

/// The body of a request for positions of production.
pub(crate) fn body(id: &str, columns: &Columns, rows: &[Row], range: &Range<usize>) -> Vec<u8> {
    let request = InferRequest::of(id, columns, &rows[range.clone()]);
    // Serialising names, numbers and texts into memory has no way to fail.
    serde_json::to_vec(&request).unwrap_or_default()
}
