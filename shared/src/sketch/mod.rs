//! Summaries: bounded memory, integer counts, exact and order-free merging, one canonical encoding.
//!
//! A summary never holds a value of a row. Adding two summaries of the same plan adds their counts;
//! any order and any grouping of additions gives the same bytes (statistics: decisions D1, N7).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{parse_hex_bytes, to_hex};
use crate::window::Overflow;
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

mod categories;
mod class_table;
mod confusion;
mod cuts;
pub mod distinct;
mod finder;
mod gram;
mod histogram;
mod hygiene;
mod key;
mod losses;
mod moments;
mod pages;
mod pane;
mod projections;
mod residuals;
mod round_scores;
mod score_cells;
mod traffic;
mod unlisted;
pub(crate) mod wide;

pub use categories::{Categories, MAX_CATEGORIES};
pub use class_table::{ClassTable, MAX_CLASSES};
pub use confusion::Confusion;
pub use cuts::{CutCounts, MAX_ATOMS, MAX_BINS, MAX_CUTS, MAX_SPLITS, PointCell, Points};
pub use distinct::Distinct;
pub(crate) use finder::{Finder, Found};
pub use gram::{CLIP, Gram, MAX_DIMENSIONS};
pub use histogram::{Histogram, HistogramCell, MAX_SCALE_EXPONENT};
pub use hygiene::{Defect, Hygiene, Invalid};
pub use key::{SummaryKey, SummaryOf};
pub(crate) use losses::CaseLoss;
pub use losses::{GroupLosses, Losses, ScoreBin};
pub use moments::Moments;
pub use pane::{MAX_SUMMARIES, PaneSummary};
pub use projections::{MAX_FUNCTIONS, Projections};
pub use residuals::{GroupResiduals, Residuals};
pub use score_cells::{ByLabel, ScoreCell, ScoreCells};
pub use traffic::{StatusClass, Traffic};
pub use unlisted::{MAX_UNLISTED, Unlisted};
pub(crate) use wide::Narrow;

/// Most groups of an attribute that are told apart.
pub const MAX_GROUPS: u8 = 64;

/// What every summary type obeys. `sketch_laws!` in the tests checks it for each row of the table.
pub trait Sketch: Encode + Decode + Clone + PartialEq + fmt::Debug {
    /// Whether the counts of `other` can be added: the two describe the same thing, and no counter passes 64 bits.
    fn fits(&self, other: &Self) -> Result<(), MergeError>;
    /// Adds the counts of `other`, which [fits](Self::fits).
    fn take_in(&mut self, other: &Self);
    /// Adds the counts of `other`. Refused, without change, if it does not fit.
    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.fits(other)?;
        self.take_in(other);
        Ok(())
    }
    /// Largest encoding in bytes, whatever was observed.
    const MAX_BYTES: usize;
    /// Largest encoding in bytes of a summary of these very cells.
    fn max_bytes(&self) -> usize {
        Self::MAX_BYTES
    }
}

/// Longest encoding of one counter in bytes.
const MAX_VARINT: usize = 10;

/// Counts one more. Every summary keeps the sum of its counters within 64 bits (checked when it is
/// read and when it is merged), and nobody observes 2^64 rows, so this cannot wrap.
const fn bump(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// The sum of counters read from bytes, which must fit 64 bits.
fn sum_of(counts: &[u64]) -> Result<u64, Malformed> {
    counts
        .iter()
        .try_fold(0_u64, |sum, count| sum.checked_add(*count))
        .ok_or(Malformed::Value("sum of counters"))
}

/// The sum of two totals, if it fits 64 bits. Then no counter under it overflows either.
fn add_totals(mine: u64, theirs: u64) -> Result<u64, MergeError> {
    Ok(mine.checked_add(theirs).ok_or(Overflow)?)
}

/// A number in steps of 2^-digits, the nearest one, to even from half-way; 0 of what is no number.
fn fixed_point(x: f64, digits: i32) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "callers clip first; a cast saturates and takes what is no number for 0"
    )]
    let fixed = libm::rint(libm::ldexp(x, digits)) as i64;
    fixed
}

/// Writes a sum of 128 bits.
fn write_wide(w: &mut Writer, sum: i128) {
    w.raw(&sum.to_le_bytes());
}

/// Reads a sum of 128 bits, at most `most` on either side.
fn read_wide(r: &mut Reader<'_>, most: i128) -> Result<i128, Malformed> {
    let sum = i128::from_le_bytes(r.array()?);
    if sum.checked_abs().is_some_and(|size| size <= most) {
        Ok(sum)
    } else {
        Err(Malformed::Value("sum of a summary"))
    }
}

/// Writes a finite number by its bits.
fn write_number(w: &mut Writer, number: f64) {
    w.raw(&number.to_bits().to_le_bytes());
}

/// Reads a finite number; negative zero has no place, so that equal numbers have equal bytes.
fn read_number(r: &mut Reader<'_>, what: &'static str) -> Result<f64, Malformed> {
    let number = f64::from_bits(u64::from_le_bytes(r.array()?));
    if number.is_finite() && number.to_bits() != (-0.0_f64).to_bits() {
        Ok(number)
    } else {
        Err(Malformed::Value(what))
    }
}

/// Writes the counters of a sparse table: keys ascending, zero counts left out.
fn write_sparse(w: &mut Writer, entries: &[(u64, u64)]) {
    w.unsigned(entries.len() as u64);
    let mut next = 0;
    for (key, count) in entries {
        w.unsigned(key - next);
        w.unsigned(*count);
        next = key + 1;
    }
}

/// Reads what [`write_sparse`] wrote: keys below `keys`, no zero counts, a sum within 64 bits.
fn read_sparse(
    r: &mut Reader<'_>,
    keys: usize,
    limit: usize,
) -> Result<Vec<(u64, u64)>, Malformed> {
    let len = r.count(limit)?;
    let mut entries = Vec::with_capacity(len);
    let (mut next, mut total) = (0_u64, 0_u64);
    for _ in 0..len {
        let key = next
            .checked_add(r.unsigned()?)
            .filter(|key| *key < keys as u64)
            .ok_or(Malformed::Value("cell of a summary"))?;
        let count = r.unsigned()?;
        if count == 0 {
            return Err(Malformed::Value("empty cell of a summary"));
        }
        total = total
            .checked_add(count)
            .ok_or(Malformed::Value("sum of counters"))?;
        entries.push((key, count));
        next = key + 1;
    }
    Ok(entries)
}

/// Why two summaries were not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// They count different cells: other cuts, categories, groups, centre or scale.
    #[error(
        "the summaries count different cells; only summaries of one plan and baseline can be added"
    )]
    Different,
    /// A counter would overflow.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

macro_rules! sketches {
    ($($(#[$doc:meta])* $number:literal => $kind:ident,)*) => {
        /// The kinds of summary. Numbers are wire format: append, never reuse.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum SummaryKind { $($(#[$doc])* $kind = $number,)* }

        impl SummaryKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$kind),)* _ => None }
            }
        }

        /// A summary of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Summary { $($(#[$doc])* $kind($kind),)* }

        impl Summary {
            /// Which kind it is.
            pub const fn kind(&self) -> SummaryKind {
                match self { $(Self::$kind(_) => SummaryKind::$kind,)* }
            }

            /// Whether the counts of a summary of the same kind can be added.
            pub fn fits(&self, other: &Self) -> Result<(), MergeError> {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => a.fits(b),)*
                    _ => Err(MergeError::Different),
                }
            }

            /// Adds the counts of a summary that fits; nothing of one of another kind.
            fn take_in(&mut self, other: &Self) {
                match (self, other) {
                    $((Self::$kind(a), Self::$kind(b)) => a.take_in(b),)*
                    _ => {}
                }
            }

            /// Largest encoding in bytes, whatever is observed.
            pub fn max_bytes(&self) -> usize {
                match self { $(Self::$kind(s) => s.max_bytes(),)* }
            }

            fn encode_body(&self, w: &mut Writer) {
                match self { $(Self::$kind(s) => s.encode(w),)* }
            }

            fn decode_body(kind: SummaryKind, r: &mut Reader<'_>) -> Result<Self, Malformed> {
                match kind { $(SummaryKind::$kind => $kind::decode(r).map(Self::$kind),)* }
            }
        }

        $(impl Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&to_hex(&self.to_bytes()))
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                from_hex(deserializer)
            }
        }

        impl JsonSchema for $kind {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^([0-9a-f]{2})*$",
                    "description": "The canonical bytes of the summary in lower-case hex." })
            }
        })*

        $(impl $kind {
            /// This summary if `summary` is of its kind.
            pub fn of(summary: &Summary) -> Option<&Self> {
                if let Summary::$kind(s) = summary { Some(s) } else { None }
            }

            /// This summary, to be added to, if `summary` is of its kind.
            pub fn of_mut(summary: &mut Summary) -> Option<&mut Self> {
                if let Summary::$kind(s) = summary { Some(s) } else { None }
            }
        })*
    };
}

sketches! {
    /// S1: centred log-linear histogram of a number.
    1 => Histogram,
    /// S2: counts between documented cuts (baseline deciles, thresholds).
    2 => CutCounts,
    /// S3: counts of the baseline's categories.
    3 => Categories,
    /// S4: missing, not a number, infinite, out of range, of the wrong type.
    4 => Hygiene,
    /// S6: score cells by label and group.
    5 => ScoreCells,
    /// S7: label by decision by group.
    6 => Confusion,
    /// S5: count, sum and sum of squares of a number.
    7 => Moments,
    /// Log loss and Brier loss, and equal-width score bins, by group.
    8 => Losses,
    /// S7 of several classes: label by decision by group.
    9 => ClassTable,
    /// Sums that the errors of a regression are made of, by group.
    10 => Residuals,
    /// S9: sums of standardised numbers and of their products.
    20 => Gram,
    /// S8: means of random functions of whole rows.
    21 => Projections,
    /// S12: requests, and answers by class of status.
    30 => Traffic,
    /// S10: how many different values.
    31 => Distinct,
}

/// Reads a summary from its canonical bytes in hex.
fn from_hex<'de, T: Decode, D: serde::Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    let bytes = parse_hex_bytes(&text)
        .ok_or_else(|| serde::de::Error::custom("expected the bytes of a summary in hex"))?;
    T::from_bytes(&bytes).map_err(|e| serde::de::Error::custom(format!("not a summary: {e}")))
}
