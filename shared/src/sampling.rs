//! Rates of sampling that change from pane to pane, and which samples may be added to one another.
//!
//! An id is hashed to 64 bits, and a rate of 2^-h keeps the ids whose hash is below 2^(64-h). So what a
//! lower rate keeps is a part of what a higher one keeps. An agent that may lower its rate keeps its
//! counts apart by [`Shell`]: where rates differ, the shells that lie below all of them add up to a
//! sample in which every case had the same chance. Nothing needs a weight, and every metric, interval
//! and bet is as good as for a sample at that rate.

use serde::{Deserialize, Serialize};

use crate::window::{Coverage, PaneKey};
use crate::wire::codec::Malformed;

/// Halvings that a shell spans: the rates at its two ends differ by a factor of four.
const SPAN: u8 = 2;

/// Ids whose hash lies in one stretch: shell s from 2^(62-2s) up to 2^(64-2s), the last one from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Shell(u8);

impl Shell {
    /// The last shell, which every rate keeps whole.
    pub const LAST: Self = Self(4);

    /// The shell with this number; none if there is no such shell.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::LAST.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The shell of an id, by its hash.
    pub const fn of(hash: u64) -> Self {
        let number = hash.leading_zeros() / SPAN as u32;
        if number >= Self::LAST.0 as u32 {
            Self::LAST
        } else {
            // Less than the last one's number.
            #[expect(clippy::cast_possible_truncation, reason = "below 4")]
            Self(number as u8)
        }
    }

    /// Its number, from 0.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The first shell that a rate keeps whole.
    const fn first_whole(rate: Halvings) -> Self {
        Self(rate.0.div_ceil(SPAN))
    }
}

impl From<Shell> for u8 {
    fn from(shell: Shell) -> Self {
        shell.0
    }
}

impl TryFrom<u8> for Shell {
    type Error = Malformed;

    fn try_from(number: u8) -> Result<Self, Malformed> {
        Self::new(number).ok_or(Malformed::Value("shell"))
    }
}

/// A rate of sampling: how often 1 is halved, up to 1/256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Halvings(u8);

impl Halvings {
    /// All ids.
    pub const NONE: Self = Self(0);
    /// The lowest rate: the last shell and nothing else.
    pub const MOST: Self = Self(Shell::LAST.0 * SPAN);

    /// So many; none if that is a rate too low to be told.
    pub const fn new(count: u8) -> Option<Self> {
        if count <= Self::MOST.0 {
            Some(Self(count))
        } else {
            None
        }
    }

    /// The rate that is exactly this share; none if there is none.
    pub fn of_rate(rate: f64) -> Option<Self> {
        (0..=Self::MOST.0)
            .map(Self)
            // Powers of two are exact.
            .find(|halvings| halvings.rate().to_bits() == rate.to_bits())
    }

    /// How many.
    pub const fn count(self) -> u8 {
        self.0
    }

    /// The share of ids that is kept.
    pub fn rate(self) -> f64 {
        1.0 / f64::from(1_u32 << self.0)
    }

    /// Whether the rate keeps an id, by its hash.
    pub const fn keeps(self, hash: u64) -> bool {
        hash.leading_zeros() >= self.0 as u32
    }
}

impl From<Halvings> for u8 {
    fn from(halvings: Halvings) -> Self {
        halvings.0
    }
}

impl TryFrom<u8> for Halvings {
    type Error = Malformed;

    fn try_from(count: u8) -> Result<Self, Malformed> {
        Self::new(count).ok_or(Malformed::Value("rate of sampling"))
    }
}

/// The rates in force, of all that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rates {
    /// Halvings of the highest rate.
    pub fewest: Halvings,
    /// Halvings of the lowest rate.
    pub most: Halvings,
}

impl Rates {
    /// One rate.
    pub const fn one(rate: Halvings) -> Self {
        Self {
            fewest: rate,
            most: rate,
        }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            fewest: self.fewest.min(other.fewest),
            most: self.most.max(other.most),
        }
    }
}

/// Which blocks add up to one sample at one rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Common {
    /// All: they have the same rate, or none is told.
    #[default]
    All,
    /// Those of this shell and the ones after it: every rate keeps them whole.
    From(Shell),
    /// None: rates differ, and a sample that is not kept apart by shells is among them.
    Nothing,
}

impl Common {
    /// Whether a block is one of them.
    pub fn takes(self, key: &PaneKey) -> bool {
        match self {
            Self::All => true,
            Self::From(first) => key.shell.is_some_and(|shell| shell >= first),
            Self::Nothing => false,
        }
    }

    /// A number for each, from 0.
    pub const fn number(self) -> u8 {
        match self {
            Self::All => 0,
            Self::From(shell) => 1 + shell.number(),
            Self::Nothing => u8::MAX,
        }
    }
}

/// Why samples could not be added.
pub const UNEQUAL: &str = "cases were sampled at rates that differ, by an agent without `sampling.cap` among others; give each replica a cap";

/// What is known of the rates of several blocks of traffic. Free of order, like their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    told: Option<Rates>,
    /// Whether exchanges of an agent are among them that keeps no shells apart.
    whole: bool,
}

impl Mix {
    /// Of one block of traffic.
    pub const fn of(key: &PaneKey, coverage: &Coverage) -> Self {
        Self::told(key, coverage.rates, coverage.seen)
    }

    /// The same of what its record says: its rates, and how many exchanges it saw.
    pub const fn told(key: &PaneKey, rates: Option<Rates>, seen: u64) -> Self {
        Self {
            told: rates,
            whole: key.shell.is_none() && seen > 0,
        }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let told = match (self.told, other.told) {
            (Some(mine), Some(theirs)) => Some(mine.with(theirs)),
            (told, None) | (None, told) => told,
        };
        Self {
            told,
            whole: self.whole || other.whole,
        }
    }

    /// What of them adds up to one sample at one rate: as much as does.
    pub fn common(self) -> Common {
        match self.told {
            None => Common::All,
            // An agent without shells keeps what it declares, which is taken for all.
            Some(rates) if self.whole && rates.most > Halvings::NONE => Common::Nothing,
            Some(rates) if rates.fewest == rates.most => Common::All,
            Some(rates) => Common::From(Shell::first_whole(rates.most)),
        }
    }
}

#[cfg(test)]
mod tests;
