//! Nats as integers of 2^-32 (statistics, rule N3). Rounding is always against ourselves: payoffs
//! down, thresholds up, by more than the error of the logarithm.

/// One nat.
pub const ONE: i64 = 1 << 32;
/// Sums stay within this bound either way; they saturate, never wrap.
pub const LIMIT: i64 = 1 << 62;
/// No single payoff is larger than this many nats.
const LARGEST_PAYOFF: f64 = 40.0;
/// 2^-36 nats, in 2^-32 nats: what the logarithm may be wrong by, generously.
const SLACK: f64 = 0.0625;

/// A log-payoff, rounded down.
pub fn payoff(nats: f64) -> i64 {
    let scaled = nats.clamp(-LARGEST_PAYOFF, LARGEST_PAYOFF) * ONE as f64;
    to_integer((scaled - SLACK).floor())
}

/// The natural logarithm of a threshold, rounded up.
pub fn threshold(of: f64) -> i64 {
    to_integer((libm::log(of) * ONE as f64 + SLACK).ceil())
}

/// The nearest integer of 2^-32 to a finite number within the limit; saturates.
pub fn round(x: f64) -> i64 {
    to_integer((x * ONE as f64).round())
}

/// In nats, for people.
pub fn to_nats(fixed: i64) -> f64 {
    fixed as f64 / ONE as f64
}

/// Cuts a sum to the limit.
pub fn saturate(sum: i128) -> i64 {
    let limit = i128::from(LIMIT);
    i64::try_from(sum.clamp(-limit, limit)).unwrap_or(LIMIT)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "cut to the limit before; NaN becomes 0"
)]
fn to_integer(x: f64) -> i64 {
    x.clamp(-(LIMIT as f64), LIMIT as f64) as i64
}

/// JSON of an integer: a number below 2^53, a decimal string from there on, so that every reader of
/// JSON gets the same integer.
pub mod exact {
    use serde::{Deserialize, Deserializer, Serializer};

    const SAFE: u64 = 1 << 53;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(i64),
        Text(String),
    }

    /// Writes it.
    pub fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.unsigned_abs() < SAFE {
            serializer.serialize_i64(*value)
        } else {
            serializer.collect_str(value)
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(value) => Ok(value),
            NumberOrText::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// As [`exact`], for a count.
pub mod exact_count {
    use serde::{Deserialize, Deserializer, Serializer};

    const SAFE: u64 = 1 << 53;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(u64),
        Text(String),
    }

    /// Writes it.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if *value < SAFE {
            serializer.serialize_u64(*value)
        } else {
            serializer.collect_str(value)
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(value) => Ok(value),
            NumberOrText::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// As [`exact`], for an integer that may be absent.
pub mod exact_option {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct Exact(#[serde(with = "super::exact")] i64);

    /// Writes it.
    pub fn serialize<S: Serializer>(value: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::exact::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
        Ok(Option::<Exact>::deserialize(d)?.map(|Exact(value)| value))
    }
}

/// As [`exact`], for a list.
pub mod exact_list {
    use serde::ser::SerializeSeq;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Exact(#[serde(with = "super::exact")] i64);

    /// Writes it.
    pub fn serialize<S: Serializer>(values: &[i64], serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(values.len()))?;
        for value in values {
            list.serialize_element(&Exact(*value))?;
        }
        list.end()
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<i64>, D::Error> {
        let list = Vec::<Exact>::deserialize(d)?;
        Ok(list.into_iter().map(|Exact(value)| value).collect())
    }
}

/// JSON of a sum of squares in 2^-64: always a decimal string.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it.
    pub fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payoffs_are_rounded_down_and_thresholds_up() {
        assert!(to_nats(payoff(libm::log(0.5))) < libm::log(0.5));
        assert!(payoff(0.0) < 0);
        assert!(to_nats(threshold(8760.0)) > libm::log(8760.0));
        assert_eq!(payoff(1e9), payoff(LARGEST_PAYOFF));
    }

    #[test]
    fn sums_saturate_and_never_wrap() {
        assert_eq!(saturate(i128::MAX), LIMIT);
        assert_eq!(saturate(i128::MIN), -LIMIT);
        assert_eq!(saturate(-5), -5);
        assert_eq!(round(f64::INFINITY), LIMIT);
    }

    #[test]
    fn integers_that_json_cannot_hold_are_written_as_text() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Row(#[serde(with = "exact")] i64);
        for (value, json) in [
            (9_007_199_254_740_991, "9007199254740991"),
            (9_007_199_254_740_992, "\"9007199254740992\""),
            (-LIMIT, "\"-4611686018427387904\""),
        ] {
            assert_eq!(serde_json::to_string(&Row(value)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Row>(json).unwrap(), Row(value));
        }
    }
}
