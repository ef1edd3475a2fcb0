//! The numbers of a text by their names, and what it takes to count them once for each text.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::without_hits;

/// Every number's name, in the order of [`TextFeatures::numbers`](super::TextFeatures::numbers).
const NAMES: [&str; 28] = [
    "bytes",
    "characters",
    "words",
    "lines",
    "non_ascii_share",
    "digit_share",
    "whitespace_share",
    "upper_case_share",
    "code_fences",
    "urls",
    "citations",
    "repetition",
    "compression",
    "is_json",
    "email_addresses",
    "payment_cards",
    "ibans",
    "latin_share",
    "greek_share",
    "cyrillic_share",
    "hebrew_share",
    "arabic_share",
    "indic_share",
    "south_east_asian_share",
    "han_share",
    "kana_share",
    "hangul_share",
    "other_script_share",
];

/// The name of [`TextNumber::PHRASES`].
const PHRASES: &str = "phrases";

/// One of the numbers of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextNumber(u8);

impl TextNumber {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();
    /// Whether one of the feature's own phrases stands in it, 1 or 0: no number of a text as such, and not
    /// among all of them.
    pub const PHRASES: Self = Self(u8::MAX);

    /// Every number, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(Self::COUNT).map(Self)
    }

    /// Its name, as in `prompt.words`.
    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).unwrap_or(&PHRASES)
    }

    /// Whether it is 1 or 0.
    pub fn is_flag(self) -> bool {
        self == Self::PHRASES || self.as_str() == "is_json"
    }

    /// Its place among all numbers.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its unit in UCUM.
    pub fn unit(self) -> &'static str {
        if self.0 == 0 { "By" } else { "1" }
    }
}

impl Serialize for TextNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TextNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <Cow<'de, str>>::deserialize(deserializer)?;
        let mut known = Self::all().chain([Self::PHRASES]);
        known.find(|n| n.as_str() == name).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "a text has no number `{name}`; it has: {}",
                NAMES.join(", ")
            ))
        })
    }
}

impl JsonSchema for TextNumber {
    fn schema_name() -> Cow<'static, str> {
        "TextNumber".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = NAMES.into_iter().chain([PHRASES]).collect();
        schemars::json_schema!({ "type": "string", "enum": names,
            "description": "A number of a text by its name." })
    }
}

/// All numbers of a text, each in its place.
pub type Numbers = [Option<f64>; TextNumber::COUNT];

/// Counts all numbers of a text; a share of nothing is none.
pub fn numbers_of(text: &str) -> Numbers {
    let mut all = [None; TextNumber::COUNT];
    let found = without_hits(text).numbers();
    for (place, (_, number)) in all.iter_mut().zip(found) {
        *place = number;
    }
    all
}

/// The texts last looked at, so that one whose numbers are asked for one by one is read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastTexts {
    texts: Vec<(Box<str>, Numbers)>,
}

impl LastTexts {
    /// Texts remembered.
    const MOST: usize = 4;

    /// One number of a text.
    pub(crate) fn number(&mut self, text: &str, which: TextNumber) -> Option<f64> {
        if let Some((_, numbers)) = self.texts.iter().find(|(known, _)| **known == *text) {
            return numbers[which.index()];
        }
        let numbers = numbers_of(text);
        if self.texts.len() >= Self::MOST {
            self.texts.remove(0);
        }
        self.texts.push((text.into(), numbers));
        numbers[which.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_numbers() {
        let found = without_hits("a").numbers();
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn a_number_that_is_asked_for_again_is_the_same() {
        let mut last = LastTexts::default();
        for text in [
            "one two",
            "",
            "three",
            "one two",
            "four",
            "five six seven",
            "one two",
        ] {
            for which in TextNumber::all() {
                assert_eq!(last.number(text, which), numbers_of(text)[which.index()]);
            }
        }
    }
}
