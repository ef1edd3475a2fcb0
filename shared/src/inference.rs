//! What a model was asked and what it answered, free of any protocol.

use std::sync::Arc;

use crate::time::Timestamp;

/// One understood exchange: N rows of inputs and of outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Inference {
    /// The model as the protocol names it.
    pub model: Box<str>,
    /// The version that answered, if it said so; else empty.
    pub model_version: Box<str>,
    /// The id that outcomes will name. None: outcomes can never be joined.
    pub request_id: Option<Box<str>>,
    /// When the exchange arrived (event time).
    pub arrived_at: Timestamp,
    /// Number of rows (cases to predict); every tensor holds that many.
    pub rows: usize,
    /// What went in.
    pub inputs: Vec<Tensor>,
    /// What came out.
    pub outputs: Vec<Tensor>,
}

impl Inference {
    /// The input tensor of that name.
    pub fn input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.iter().find(|t| &*t.name == name)
    }

    /// The output tensor of that name.
    pub fn output(&self, name: &str) -> Option<&Tensor> {
        self.outputs.iter().find(|t| &*t.name == name)
    }
}

/// A named block of values: rows × columns, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name in the protocol.
    pub name: Box<str>,
    /// Values per row.
    pub columns: usize,
    /// The values; `rows * columns` of them.
    pub values: Values,
}

impl Tensor {
    /// The value in a row and column. Outside the block: missing.
    #[inline]
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        if column >= self.columns {
            return Cell::Missing;
        }
        self.values.get(row * self.columns + column)
    }
}

/// Values of one type, kept as the protocol typed them, so that nothing is lost on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floating point; 16- and 32-bit ones widened exactly.
    Float(Vec<f64>),
    /// Signed integers.
    Int(Vec<i64>),
    /// Unsigned integers.
    Uint(Vec<u64>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<Box<str>>),
    /// Of mixed types or with gaps (JSON `null`).
    Mixed(Vec<Owned>),
    /// Texts that come up often, each kept once.
    Named(Named),
}

/// Texts by their place in a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named {
    /// Which text each value is; beyond the list: missing.
    pub codes: Vec<u32>,
    /// The list.
    pub names: Arc<Vec<Box<str>>>,
}

impl Named {
    /// The values, each by itself.
    pub fn owned(&self) -> impl Iterator<Item = Owned> {
        let code = |code: &u32| usize::try_from(*code).ok();
        let name = move |at: &u32| code(at).and_then(|at| self.names.get(at));
        let name = self.codes.iter().map(name);
        name.map(|name| name.map_or(Owned::Missing, |name| Owned::Text(name.clone())))
    }

    /// The value at a place.
    fn get(&self, index: usize) -> Option<Cell<'_>> {
        let code = usize::try_from(*self.codes.get(index)?).ok()?;
        self.names.get(code).map(|name| Cell::Text(name))
    }
}

impl Values {
    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(v) => v.len(),
            Self::Int(v) => v.len(),
            Self::Uint(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Mixed(v) => v.len(),
            Self::Named(v) => v.codes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn get(&self, index: usize) -> Cell<'_> {
        let found = match self {
            Self::Float(v) => v.get(index).map(|x| Cell::Float(*x)),
            Self::Int(v) => v.get(index).map(|x| Cell::Int(*x)),
            Self::Uint(v) => v.get(index).map(|x| Cell::Uint(*x)),
            Self::Bool(v) => v.get(index).map(|x| Cell::Bool(*x)),
            Self::Text(v) => v.get(index).map(|x| Cell::Text(x)),
            Self::Mixed(v) => v.get(index).map(Owned::as_cell),
            Self::Named(v) => v.get(index),
        };
        found.unwrap_or(Cell::Missing)
    }
}

/// One value with its own type.
#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    /// Not there.
    Missing,
    /// A floating-point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// An integer beyond the signed range.
    Uint(u64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(Box<str>),
}

impl Owned {
    fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Missing => Cell::Missing,
            Self::Float(x) => Cell::Float(*x),
            Self::Int(x) => Cell::Int(*x),
            Self::Uint(x) => Cell::Uint(*x),
            Self::Bool(x) => Cell::Bool(*x),
            Self::Text(x) => Cell::Text(x),
        }
    }
}

/// One value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Not there.
    Missing,
    /// A floating-point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// An integer beyond the signed range.
    Uint(u64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(&'a str),
}

impl Cell<'_> {
    /// The value as a number: truth values count 0 and 1; texts are none.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Cell::Float(x) => Some(x),
            Cell::Int(x) => Some(x as f64),
            Cell::Uint(x) => Some(x as f64),
            Cell::Bool(x) => Some(f64::from(u8::from(x))),
            Cell::Missing | Cell::Text(_) => None,
        }
    }

    /// The value as a category's name, if it is there: `true`, `3`, `0.5`, `A11`.
    pub fn category(&self) -> Option<std::borrow::Cow<'_, str>> {
        match *self {
            Cell::Missing => None,
            Cell::Float(x) => Some(x.to_string().into()),
            Cell::Int(x) => Some(x.to_string().into()),
            Cell::Uint(x) => Some(x.to_string().into()),
            Cell::Bool(x) => Some(if x { "true" } else { "false" }.into()),
            Cell::Text(x) => Some(x.into()),
        }
    }
}
