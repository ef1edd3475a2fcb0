//! Named columns of values: what a model is fitted to and what a request is made of.

use crate::table::Table;

/// Values of one type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Column {
    /// Numbers; NaN is missing.
    Numbers(Vec<f64>),
    /// Names of categories; an empty one is missing.
    Texts(Vec<Box<str>>),
}

impl Column {
    /// How many values.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(values[rows].to_vec()),
            Self::Texts(values) => Self::Texts(values[rows].to_vec()),
        }
    }
}

/// Columns of one length, with their names, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Columns(Vec<(&'static str, Column)>);

impl Columns {
    /// Takes numeric and text columns out of a table, in this order.
    pub(crate) fn read(
        table: &Table,
        numeric: &[&'static str],
        texts: &[&'static str],
    ) -> anyhow::Result<Self> {
        let mut columns = Vec::with_capacity(numeric.len() + texts.len());
        for name in numeric {
            columns.push((*name, Column::Numbers(table.numbers(name)?)));
        }
        for name in texts {
            columns.push((*name, Column::Texts(table.texts(name)?.to_vec())));
        }
        Ok(Self(columns))
    }

    /// Name and values of every column.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Column)> {
        self.0.iter().map(|(name, column)| (*name, column))
    }

    /// A stretch of rows of every column.
    pub(crate) fn part(&self, rows: &std::ops::Range<usize>) -> Self {
        Self(
            self.0
                .iter()
                .map(|(name, column)| (*name, column.part(rows.clone())))
                .collect(),
        )
    }
}
