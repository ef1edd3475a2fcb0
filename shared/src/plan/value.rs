//! How one cell of a request or of a reference file is read under a feature's missing policy. Live
//! traffic and baselines go through the same code, so that both count the same things.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::inference::Cell;
use crate::objective::document::{Feature, FeatureType, Scalar};
use crate::sketch::Invalid;

/// What a cell holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Reading<'a> {
    /// Nothing, or what stands for "not known".
    Missing,
    /// Something that cannot be used.
    Invalid(Invalid),
    /// A finite number.
    Number(f64),
    /// A category's name.
    Category(Cow<'a, str>),
}

/// A feature's type and missing policy, ready to be applied.
#[derive(Clone, Debug)]
pub(crate) struct ValueReader {
    kind: FeatureType,
    /// Numbers that stand for "not known"; numeric features only.
    missing_numbers: Vec<f64>,
    /// Texts that stand for "not known"; for categories, the names of all such values.
    missing_texts: Vec<Box<str>>,
    nan_is_missing: bool,
}

impl ValueReader {
    pub(crate) fn new(feature: &Feature) -> Self {
        let mut reader = Self {
            kind: feature.kind,
            missing_numbers: Vec::new(),
            missing_texts: Vec::new(),
            nan_is_missing: feature.missing.nan,
        };
        for value in &feature.missing.values {
            match (feature.kind, value) {
                (_, Scalar::Text(text)) => reader.missing_texts.push(text.as_str().into()),
                (FeatureType::Numeric, Scalar::Number(x)) => reader.missing_numbers.push(*x),
                (FeatureType::Numeric, Scalar::Bool(b)) => {
                    reader.missing_numbers.push(f64::from(u8::from(*b)));
                }
                (FeatureType::Categorical, Scalar::Number(x)) => {
                    reader.missing_texts.push((*x + 0.0).to_string().into());
                }
                (FeatureType::Categorical, Scalar::Bool(b)) => {
                    reader.missing_texts.push(b.to_string().into());
                }
            }
        }
        reader
    }

    /// Reads a cell; `digits` is where the name of a number is written if one is needed.
    pub(crate) fn read<'a>(&self, cell: Cell<'a>, digits: &'a mut Digits) -> Reading<'a> {
        match self.kind {
            FeatureType::Numeric => self.number(cell),
            FeatureType::Categorical => self.category(cell, digits),
        }
    }

    /// Whether a float of a numeric feature is a finite number that stands for itself.
    #[inline]
    pub(crate) fn is_plain(&self, x: f64) -> bool {
        x.is_finite() && (self.missing_numbers.is_empty() || !self.missing_numbers.contains(&x))
    }

    /// Whether all of some floats are. Looks at all of them, without a branch for each.
    #[inline]
    #[expect(
        clippy::float_cmp,
        reason = "documented values are equal or they are not"
    )]
    pub(crate) fn are_plain(&self, values: &[f64]) -> bool {
        let mut plain = true;
        for x in values {
            plain &= x.is_finite();
        }
        for missing in &self.missing_numbers {
            for x in values {
                plain &= x != missing;
            }
        }
        plain
    }

    /// Texts that stand for "not known".
    pub(crate) fn missing_texts(&self) -> impl Iterator<Item = &str> {
        self.missing_texts.iter().map(|text| &**text)
    }

    fn number<'a>(&self, cell: Cell<'a>) -> Reading<'a> {
        let x = match cell {
            Cell::Missing => return Reading::Missing,
            Cell::Text(text) if self.is_missing_text(text) => return Reading::Missing,
            Cell::Text(_) => return Reading::Invalid(Invalid::WrongType),
            Cell::Float(x) => x,
            Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => match cell.number() {
                Some(x) => x,
                None => return Reading::Missing,
            },
        };
        if self.missing_numbers.contains(&x) {
            return Reading::Missing;
        }
        self.unusable(x).unwrap_or(Reading::Number(x))
    }

    fn category<'a>(&self, cell: Cell<'a>, digits: &'a mut Digits) -> Reading<'a> {
        if let Cell::Float(x) = cell
            && let Some(unusable) = self.unusable(x)
        {
            return unusable;
        }
        match name_of(cell, digits) {
            Some(name) if !self.is_missing_text(&name) => Reading::Category(name),
            Some(_) | None => Reading::Missing,
        }
    }

    /// What a number is if it is not finite.
    fn unusable<'a>(&self, x: f64) -> Option<Reading<'a>> {
        Invalid::of(x).map(|invalid| match invalid {
            Invalid::NotANumber if self.nan_is_missing => Reading::Missing,
            Invalid::NotANumber
            | Invalid::PositiveInfinity
            | Invalid::NegativeInfinity
            | Invalid::WrongType => Reading::Invalid(invalid),
        })
    }

    fn is_missing_text(&self, text: &str) -> bool {
        self.missing_texts.iter().any(|missing| &**missing == text)
    }
}

/// Room for the name of a number, so that reading numbers as categories allocates nothing (but for
/// floats of many digits).
#[derive(Debug, Default)]
pub(crate) struct Digits {
    bytes: [u8; 24],
    len: usize,
}

impl Digits {
    fn write(&mut self, number: impl fmt::Display) -> Cow<'_, str> {
        self.len = 0;
        if write!(self, "{number}").is_err() {
            return number.to_string().into();
        }
        String::from_utf8_lossy(&self.bytes[..self.len])
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// A cell as a category's name; none if it is missing. Negative zero is zero.
pub(crate) fn name_of<'a>(cell: Cell<'a>, digits: &'a mut Digits) -> Option<Cow<'a, str>> {
    match cell {
        Cell::Missing => None,
        Cell::Text(text) => Some(Cow::Borrowed(text)),
        Cell::Float(x) => Some(digits.write(x + 0.0)),
        Cell::Int(i) => Some(digits.write(i)),
        Cell::Uint(i) => Some(digits.write(i)),
        Cell::Bool(true) => Some(Cow::Borrowed("true")),
        Cell::Bool(false) => Some(Cow::Borrowed("false")),
    }
}

/// Whether a cell is the documented value. Numbers and truth values are compared as numbers (1, 1.0
/// and true are equal), texts by their bytes.
pub(crate) fn is_value(cell: Cell<'_>, value: &Scalar) -> bool {
    match (cell, value) {
        (Cell::Text(text), Scalar::Text(value)) => text == value,
        (_, Scalar::Number(value)) => cell.number().is_some_and(|x| equal(x, *value)),
        (_, Scalar::Bool(value)) => {
            let value = f64::from(u8::from(*value));
            cell.number().is_some_and(|x| equal(x, value))
        }
        (_, Scalar::Text(_)) => false,
    }
}

/// The place of the documented class that a cell is; none if it is none of them.
pub(crate) fn class_of(cell: Cell<'_>, classes: &[Scalar]) -> Option<u8> {
    let place = classes.iter().position(|class| is_value(cell, class))?;
    u8::try_from(place).ok()
}

/// A scalar as a cell, so that late values are compared as early ones are.
pub(crate) fn as_cell(value: &Scalar) -> Cell<'_> {
    match value {
        Scalar::Bool(b) => Cell::Bool(*b),
        Scalar::Number(x) => Cell::Float(*x),
        Scalar::Text(text) => Cell::Text(text),
    }
}

#[expect(
    clippy::float_cmp,
    reason = "documented values are equal or they are not"
)]
fn equal(a: f64, b: f64) -> bool {
    a == b
}
