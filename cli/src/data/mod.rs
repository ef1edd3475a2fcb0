//! Tables on disk, read in batches: CSV, JSON Lines and Parquet under one face. A reader never holds
//! more than one batch ([`MAX_BATCH_ROWS`] rows of the wanted columns). A row that cannot be read is
//! refused with its line and reason; reading goes on.

use std::path::{Path, PathBuf};

use clause9_shared::digest::Digest;

mod bytes;
mod column;
mod csv;
mod instant;
mod jsonl;
mod parquet;

pub(crate) use bytes::{Meter, Stretch};
pub(crate) use column::{Batch, Column, Form, Refused, borrowed, owned};
pub(crate) use instant::instant;

/// Most rows of a batch.
pub(crate) const MAX_BATCH_ROWS: usize = 8192;
/// Most columns of a table.
pub(crate) const MAX_COLUMNS: usize = 10_000;
/// Longest line of a JSON Lines file, in bytes; a longer one is refused.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// What is wrong with a file's contents, told to people; faults of the disk are [`std::io::Error`]s.
#[derive(Debug)]
pub(crate) struct BadData(pub(crate) String);

impl std::fmt::Display for BadData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadData {}

pub(crate) fn bad<T>(message: impl Into<String>) -> anyhow::Result<T> {
    Err(BadData(message.into()).into())
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
    Parquet,
}

impl Format {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// How its bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A table that was looked at: its format and its columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) path: PathBuf,
    /// As it was named on the command line.
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) packing: Packing,
    pub(crate) columns: Vec<Declared>,
    /// Rows, where the format says it.
    pub(crate) rows: Option<u64>,
    /// The part of the file that is read; all of it without one.
    pub(crate) stretch: Option<Stretch>,
}

/// A column as the file declares it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    /// What the format says of its values; nothing for text formats.
    pub(crate) kind: Option<Kind>,
}

/// What a typed format says of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Bool,
    Time,
    /// Lists, structs, binary: not read.
    Other,
}

/// What a reader gives: batch after batch.
pub(crate) trait Rows {
    /// Reads the next rows; false at the end.
    fn read(&mut self, into: &mut Batch) -> anyhow::Result<bool>;
    /// The digest of the file's bytes, once all was read.
    fn digest(&mut self) -> anyhow::Result<Digest>;
}

impl Table {
    /// Looks at a file: its format by its name (or its first bytes), then its columns.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let (format, packing) = bytes::recognise(path, &name)?;
        let mut table = Self {
            path: path.to_owned(),
            name,
            format,
            packing,
            columns: Vec::new(),
            rows: None,
            stretch: None,
        };
        match format {
            Format::Csv => table.columns = csv::columns(&table)?,
            Format::JsonLines => table.columns = jsonl::columns(&table)?,
            Format::Parquet => (table.columns, table.rows) = parquet::columns(&table)?,
        }
        if table.columns.len() > MAX_COLUMNS {
            return bad(format!(
                "{}: {} columns, the limit is {MAX_COLUMNS}; leave out what is not watched",
                table.name,
                table.columns.len()
            ));
        }
        Ok(table)
    }

    /// Reads these columns of the table, each in a form.
    pub(crate) fn rows<'a>(
        &self,
        wanted: &[(usize, Form)],
        meter: &'a Meter,
    ) -> anyhow::Result<Box<dyn Rows + 'a>> {
        Ok(match self.format {
            Format::Csv => Box::new(csv::Reader::open(self, wanted, meter)?),
            Format::JsonLines => Box::new(jsonl::Reader::open(self, wanted, meter)?),
            Format::Parquet => Box::new(parquet::Reader::open(self, wanted, meter)?),
        })
    }

    /// Where a column of that name stands.
    pub(crate) fn position(&self, wanted: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == wanted)
    }

    /// Where a column stands that must be there, once. `what` says why it is wanted.
    pub(crate) fn column(&self, wanted: &str, what: &str) -> anyhow::Result<usize> {
        let mut found = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| c.name == wanted);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => bad(format!(
                "{}: two columns are called `{wanted}`; rename one of them",
                self.at_header()
            )),
            (None, _) => bad(format!(
                "{}: there is no column `{wanted}`{what}; there are: {}",
                self.at_header(),
                self.listed()
            )),
        }
    }

    /// The place where the columns' names stand.
    fn at_header(&self) -> String {
        match self.format {
            Format::Csv => format!("{}:1", self.name),
            Format::JsonLines | Format::Parquet => self.name.clone(),
        }
    }

    /// The columns' names, for people.
    pub(crate) fn listed(&self) -> String {
        const SHOWN: usize = 40;
        let shown: Vec<_> = self
            .columns
            .iter()
            .take(SHOWN)
            .map(|c| format!("`{}`", c.name))
            .collect();
        match self.columns.len() {
            n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
            _ => shown.join(", "),
        }
    }
}
