//! Points and stretches of time. The core is told the time; it never asks for it.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time, microseconds since the Unix epoch, UTC. Written as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59.999999Z, the last point that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_999_999;
/// 0000-01-01T00:00:00Z.
const FIRST: i64 = -62_167_219_200_000_000;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// A point in time by microseconds since the epoch; nothing outside the years 0 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (FIRST..=LAST).contains(&micros).then_some(Self(micros))
    }

    /// The point so long after the epoch, which is how wall clocks tell the time. The epoch itself if
    /// that is after the year 9999.
    pub fn after_epoch(elapsed: std::time::Duration) -> Self {
        i64::try_from(elapsed.as_micros())
            .ok()
            .and_then(Self::from_micros)
            .unwrap_or(Self::EPOCH)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, for gauges.
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The length from `earlier` to this point; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0).min(LAST))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0).max(FIRST))
    }
}

/// Why a text is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a point in time; write RFC 3339 with a zone, as 2026-01-31T00:00:00Z")]
pub struct BadTimestamp(String);

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || BadTimestamp(text.chars().take(60).collect());
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refuse())?;
        let micros = parsed.unix_timestamp_nanos().div_euclid(1000);
        i64::try_from(micros)
            .ok()
            .and_then(Self::from_micros)
            .ok_or_else(refuse)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .map_err(|_| fmt::Error)?;
        f.write_str(&at.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "date-time",
            "description": "A point in time in RFC 3339 with a zone, as 2026-01-31T00:00:00Z."
        })
    }
}

/// A length of time in microseconds, never negative. Written as a whole number and a unit:
/// `90s`, `15m`, `1h`, `7d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

const SECOND: i64 = 1_000_000;
/// Unit suffixes with their microseconds, largest first, for writing.
const UNITS: [(&str, i64); 5] = [
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", 1000),
];

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whole seconds; saturating.
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as i64 * SECOND)
    }

    /// Whole milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis as i64 * 1000)
    }

    /// Whole days.
    pub const fn from_days(days: u32) -> Self {
        Self(days as i64 * 86_400 * SECOND)
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// A length by its microseconds; nothing if negative.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (micros >= 0).then_some(Self(micros))
    }

    /// This length `times` over; saturating.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        Self(self.0.saturating_mul(times as i64))
    }
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time; write a whole number and a unit, as 90s, 15m, 1h or 7d")]
pub struct BadSpan(String);

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || BadSpan(text.chars().take(40).collect());
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, suffix) = text.split_at(digits);
        let count: i64 = number.parse().map_err(|_| refuse())?;
        let unit = UNITS
            .iter()
            .find(|(name, _)| *name == suffix)
            .ok_or_else(refuse)?
            .1;
        let micros = count.checked_mul(unit).ok_or_else(refuse)?;
        (micros <= LAST).then_some(Self(micros)).ok_or_else(refuse)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        match UNITS.iter().find(|(_, unit)| self.0 % unit == 0) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9]+(d|h|m|s|ms)$",
            "description": "A length of time: a whole number and a unit, as 90s, 15m, 1h or 7d."
        })
    }
}

/// Which clock a system runs on. Stamped into every record: replayed time can never pass as live.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The wall clock.
    #[default]
    Live,
    /// A clock that is told the time by whoever replays recorded traffic.
    Replay,
}

impl Clock {
    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Replay => "replay",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_read_back_as_written() {
        for text in ["2018-01-01T00:08:43.152Z", "2026-11-21T22:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-01-01T01:00:00+01:00"
                .parse::<Timestamp>()
                .unwrap()
                .to_string(),
            "2026-01-01T00:00:00Z"
        );
        assert!("2026-01-01".parse::<Timestamp>().is_err());
    }

    #[test]
    fn spans_read_back_as_written() {
        for text in ["0s", "1500ms", "90s", "15m", "1h", "7d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for bad in ["", "7", "d", "-1s", "1.5h", "1w", "99999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
