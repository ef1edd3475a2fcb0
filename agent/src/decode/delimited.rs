//! Lines of comma-separated values (RFC 4180), with or without a first line of names.
//!
//! Such a text has no types, so a column has the one that all its values can be read as, as pandas does:
//! whole numbers, numbers, truth values, or else texts. What pandas takes for "not known" is a gap.

use clause9_shared::inference::{Owned, Tensor, Values};
use clause9_shared::window::UndecodableReason;
use csv::ByteRecord;

use crate::decode::body::bounded;
use crate::decode::forms::Rows;
use crate::decode::values::Growing;
use crate::decode::{MAX_COLUMNS, MAX_ROWS};

/// Most values of one text.
pub(super) const MAX_VALUES: usize = 4 << 20;
/// What stands for "not known".
const GAPS: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"];

/// What values can be read as; each also as those that follow, but truth values as texts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gap,
    Bool,
    Int,
    Float,
    Text,
}

impl Kind {
    fn of(cell: &str) -> Self {
        let cell = cell.trim_ascii();
        let digit = cell.bytes().any(|b| b.is_ascii_digit());
        let sign = |b: &u8| b.is_ascii_digit() || b"+-.".contains(b);
        if GAPS.contains(&cell) {
            Self::Gap
        } else if truth(cell).is_some() {
            Self::Bool
        } else if !digit || !cell.as_bytes().first().is_some_and(sign) {
            Self::Text
        } else if cell.parse::<i64>().is_ok() {
            Self::Int
        } else if cell.parse::<f64>().is_ok_and(f64::is_finite) {
            Self::Float
        } else {
            Self::Text
        }
    }

    /// What both can be read as.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Gap, kind) | (kind, Self::Gap) => kind,
            (Self::Int | Self::Float, Self::Int | Self::Float) if self != other => Self::Float,
            _ if self == other => self,
            _ => Self::Text,
        }
    }

    /// A cell of a column of this kind.
    fn read(self, cell: &str) -> Owned {
        let number = cell.trim_ascii();
        let read = match self {
            _ if GAPS.contains(&number) => None,
            Self::Gap => None,
            Self::Bool => truth(number).map(Owned::Bool),
            Self::Int => number.parse().ok().map(Owned::Int),
            Self::Float => number.parse().ok().map(Owned::Float),
            Self::Text => Some(Owned::Text(cell.into())),
        };
        read.unwrap_or(Owned::Missing)
    }
}

fn truth(cell: &str) -> Option<bool> {
    match cell {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A text of which lines and kinds are known.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a [u8],
    /// Kinds of the first line's cells.
    first: Vec<Kind>,
    /// Kinds of the columns below it.
    below: Vec<Kind>,
    count: usize,
}

impl<'a> Lines<'a> {
    /// Looks through a text.
    pub(super) fn new(text: &'a [u8]) -> Result<Self, UndecodableReason> {
        let mut lines = Self {
            text,
            first: Vec::new(),
            below: Vec::new(),
            count: 0,
        };
        each(text, |line, cells| {
            lines.count += 1;
            let width = cells.len();
            let too_many = line > MAX_ROWS || width > MAX_COLUMNS;
            if too_many || lines.count.saturating_mul(width) > MAX_VALUES {
                return Err(UndecodableReason::Unsupported);
            }
            for (at, cell) in cells.iter().enumerate() {
                let kind = Kind::of(utf8(cell)?);
                match (line, lines.below.get_mut(at)) {
                    (0, _) => lines.first.push(kind),
                    (_, Some(known)) => *known = known.with(kind),
                    (_, None) => lines.below.push(kind),
                }
            }
            Ok(())
        })?;
        Ok(lines)
    }

    /// How many lines there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the first line can be names: names are neither numbers nor missing.
    pub(super) fn first_can_be_names(&self) -> bool {
        !self.first.is_empty() && self.first.iter().all(|kind| *kind == Kind::Text)
    }

    /// The rows below a first line of names.
    pub(super) fn named(&self) -> Result<Rows, UndecodableReason> {
        let mut names = Vec::new();
        let mut columns: Vec<_> = self.first.iter().map(|_| Growing::new()).collect();
        each(self.text, |line, cells| {
            for (at, (cell, column)) in cells.iter().zip(&mut columns).enumerate() {
                let cell = utf8(cell)?;
                if line == 0 {
                    names.push(bounded(cell.trim_ascii())?);
                } else {
                    let kind = self.below.get(at).copied().unwrap_or(Kind::Gap);
                    column.push(kind.read(cell));
                }
            }
            Ok(())
        })?;
        let tensor = |(name, values): (Box<str>, Growing)| Tensor {
            name,
            columns: 1,
            values: values.finish(),
        };
        let tensors = names.into_iter().zip(columns).map(tensor).collect();
        Ok((self.count.saturating_sub(1), tensors))
    }

    /// All lines as rows of one tensor of that name.
    pub(super) fn bare(&self, name: &str) -> Result<Rows, UndecodableReason> {
        let kinds = self.first.iter().enumerate();
        let kinds: Vec<Kind> = kinds
            .map(|(at, kind)| self.below.get(at).map_or(*kind, |below| kind.with(*below)))
            .collect();
        let mut values = Growing::new();
        each(self.text, |_, cells| {
            for (cell, kind) in cells.iter().zip(&kinds) {
                values.push(kind.read(utf8(cell)?));
            }
            Ok(())
        })?;
        let values: Values = values.finish();
        let tensor = Tensor {
            name: name.into(),
            columns: kinds.len(),
            values,
        };
        Ok((self.count, vec![tensor]))
    }
}

/// Calls with each line's number and cells; all lines must have as many.
fn each(
    text: &[u8],
    mut line: impl FnMut(usize, &ByteRecord) -> Result<(), UndecodableReason>,
) -> Result<(), UndecodableReason> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text);
    let mut cells = ByteRecord::new();
    let mut number = 0;
    while reader
        .read_byte_record(&mut cells)
        .map_err(|_| UndecodableReason::Malformed)?
    {
        line(number, &cells)?;
        number += 1;
    }
    Ok(())
}

fn utf8(cell: &[u8]) -> Result<&str, UndecodableReason> {
    std::str::from_utf8(cell).map_err(|_| UndecodableReason::Malformed)
}

#[cfg(test)]
mod tests;
