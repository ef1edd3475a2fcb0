//! S4: what was wrong with values, each kind counted apart; nothing is dropped unseen.

use crate::sketch::{MAX_VARINT, MergeError, Sketch, add_totals, bump};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// What can be wrong with a value. Order is wire format: append, never reorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// Absent, null, or what the missing policy says stands for "not known".
    Missing,
    /// Not a number, where the missing policy does not take that for missing.
    NotANumber,
    /// Positive infinity.
    PositiveInfinity,
    /// Negative infinity.
    NegativeInfinity,
    /// A text where a number belongs.
    WrongType,
    /// Mark: a subnormal number; counted as the value it is.
    Subnormal,
    /// Mark: outside the documented range; counted as the value it is.
    OutOfRange,
}

impl Defect {
    /// Every defect, in wire order.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::NotANumber,
        Self::PositiveInfinity,
        Self::NegativeInfinity,
        Self::WrongType,
        Self::Subnormal,
        Self::OutOfRange,
    ];

    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotANumber => "not_a_number",
            Self::PositiveInfinity => "positive_infinity",
            Self::NegativeInfinity => "negative_infinity",
            Self::WrongType => "wrong_type",
            Self::Subnormal => "subnormal",
            Self::OutOfRange => "out_of_range",
        }
    }
}

/// Counts of rows and of what was wrong with their values. A row is missing, invalid or usable:
/// one of the three. Marks are on usable ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hygiene {
    rows: u64,
    defects: [u64; Defect::ALL.len()],
}

impl Hygiene {
    /// Counts with nothing in them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a row whose value is usable.
    pub fn add_usable(&mut self, subnormal: bool, out_of_range: bool) {
        bump(&mut self.rows);
        if subnormal {
            bump(&mut self.defects[Defect::Subnormal as usize]);
        }
        if out_of_range {
            bump(&mut self.defects[Defect::OutOfRange as usize]);
        }
    }

    /// Counts a row whose value is missing.
    pub fn add_missing(&mut self) {
        bump(&mut self.rows);
        bump(&mut self.defects[Defect::Missing as usize]);
    }

    /// Counts a row whose value is there but cannot be used.
    pub fn add_invalid(&mut self, invalid: Invalid) {
        bump(&mut self.rows);
        bump(&mut self.defects[invalid.defect() as usize]);
    }

    /// Counts so many rows whose values are usable, of which so many are subnormal and out of range.
    pub(crate) const fn add_all_usable(&mut self, rows: u64, subnormal: u64, out_of_range: u64) {
        const fn add(counter: &mut u64, more: u64) {
            *counter = counter.saturating_add(more);
        }
        add(&mut self.rows, rows);
        add(&mut self.defects[Defect::Subnormal as usize], subnormal);
        add(&mut self.defects[Defect::OutOfRange as usize], out_of_range);
    }

    /// Rows, whatever their values are.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows with this defect.
    pub const fn count(&self, defect: Defect) -> u64 {
        self.defects[defect as usize]
    }

    /// Rows whose value is missing by the feature's policy.
    pub const fn missing_total(&self) -> u64 {
        self.count(Defect::Missing)
    }

    /// Rows whose value is there but cannot be used: not a number, infinite, of the wrong type.
    pub const fn invalid_total(&self) -> u64 {
        self.count(Defect::NotANumber)
            + self.count(Defect::PositiveInfinity)
            + self.count(Defect::NegativeInfinity)
            + self.count(Defect::WrongType)
    }

    /// Rows whose value can be used, marked or not.
    pub const fn usable(&self) -> u64 {
        self.rows - self.missing_total() - self.invalid_total()
    }
}

/// Why a value that is there cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Not a number.
    NotANumber,
    /// Positive infinity.
    PositiveInfinity,
    /// Negative infinity.
    NegativeInfinity,
    /// A text where a number belongs.
    WrongType,
}

impl Invalid {
    /// Why a number is not finite; none if it is.
    pub const fn of(x: f64) -> Option<Self> {
        if x.is_finite() {
            None
        } else if x.is_nan() {
            Some(Self::NotANumber)
        } else if x > 0.0 {
            Some(Self::PositiveInfinity)
        } else {
            Some(Self::NegativeInfinity)
        }
    }

    const fn defect(self) -> Defect {
        match self {
            Self::NotANumber => Defect::NotANumber,
            Self::PositiveInfinity => Defect::PositiveInfinity,
            Self::NegativeInfinity => Defect::NegativeInfinity,
            Self::WrongType => Defect::WrongType,
        }
    }
}

impl Sketch for Hygiene {
    const MAX_BYTES: usize = (1 + Defect::ALL.len()) * MAX_VARINT;

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        add_totals(self.rows, other.rows)?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        // No defect is counted more often than rows are.
        self.rows += other.rows;
        for (mine, theirs) in self.defects.iter_mut().zip(other.defects) {
            *mine += theirs;
        }
    }
}

impl Encode for Hygiene {
    fn encode(&self, w: &mut Writer) {
        w.unsigned(self.rows);
        for count in self.defects {
            w.unsigned(count);
        }
    }
}

impl Decode for Hygiene {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut read = Self {
            rows: r.unsigned()?,
            ..Self::default()
        };
        for count in &mut read.defects {
            *count = r.unsigned()?;
        }
        let [missing, nan, above, below, text, subnormal, out] = read.defects;
        let unusable = super::sum_of(&[missing, nan, above, below, text])?;
        match read.rows.checked_sub(unusable) {
            Some(usable) if subnormal <= usable && out <= usable => Ok(read),
            Some(_) | None => Err(Malformed::Value("count of defects")),
        }
    }
}
