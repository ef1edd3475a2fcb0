//! Numbers from one text, so that prompts and answers can be watched as ordinary features: how long,
//! in which script, how repetitive, whether it is JSON, how often it refuses. No model, no dictionary.
//!
//! Everything is one pass or a few over at most [`MAX_BYTES`]; what is longer is cut, and said to be.
//! Where a figure looks at fewer words than that, its constant says so. No text is kept: what comes out
//! are counts and shares. A text feature `prompt` gives features `prompt.characters` and so on.

mod lz;
mod markup;
mod numbers;
mod patterns;
mod personal;
mod refusals;
mod repetition;
mod script;
mod shape;
mod tokens;

pub use lz::compressed_size;
pub use markup::{Markup, is_json};
pub(crate) use numbers::LastTexts;
pub use numbers::{Numbers, TextNumber, numbers_of};
pub use patterns::{BadPatterns, MAX_PATTERN_BYTES, MAX_PATTERNS, PatternList, Patterns};
pub use personal::Personal;
pub use repetition::{MAX_WORDS, repetition};
pub use script::{Script, ScriptMix};
pub use shape::Shape;
pub use tokens::{BUCKETS, TokenBag};

/// The program's own list of how assistants decline, in English, each phrase with either apostrophe.
pub fn refusals() -> Vec<String> {
    let curly = refusals::PHRASES
        .iter()
        .filter(|phrase| phrase.contains('\''))
        .map(|phrase| phrase.replace('\'', "\u{2019}"));
    let plain = refusals::PHRASES.iter().map(|phrase| (*phrase).to_owned());
    plain.chain(curly).collect()
}

/// Longest part of a text that is looked at, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Words in a run whose repetition counts.
pub const RUN: usize = 3;

/// The numbers of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFeatures {
    /// Length and kinds of characters.
    pub shape: Shape,
    /// Scripts of its letters.
    pub scripts: ScriptMix,
    /// Fences, addresses, citations.
    pub markup: Markup,
    /// What looks like personal data, counted only.
    pub personal: Personal,
    /// Share of runs of [`RUN`] words that stood in the text before; none in a shorter text.
    pub repetition: Option<f64>,
    /// Bytes for each byte of a fast compression; none of an empty text. Text that goes in circles
    /// compresses well.
    pub compression: Option<f64>,
    /// Whether the whole text, spaces around it aside, is one JSON value.
    pub is_json: bool,
    /// Hits of each configured list, in its order.
    pub hits: Vec<u64>,
    /// Whether the text was longer than [`MAX_BYTES`] and its rest was not looked at.
    pub cut: bool,
}

/// Reads a text.
pub fn features(text: &str, patterns: &Patterns) -> TextFeatures {
    let mut found = without_hits(text);
    found.hits = patterns.count(bounded(text).0);
    found
}

/// Reads a text, but for the configured lists.
fn without_hits(text: &str) -> TextFeatures {
    let (text, cut) = bounded(text);
    let bytes = text.len();
    let compression = (bytes > 0).then(|| bytes as f64 / compressed_size(text.as_bytes()) as f64);
    TextFeatures {
        shape: Shape::of(text),
        scripts: ScriptMix::of(text),
        markup: Markup::of(text),
        personal: Personal::of(text),
        repetition: repetition(text, RUN),
        compression,
        is_json: is_json(text),
        hits: Vec::new(),
        cut,
    }
}

/// The part of a text that is looked at, and whether there is more.
fn bounded(text: &str) -> (&str, bool) {
    if text.len() <= MAX_BYTES {
        return (text, false);
    }
    (&text[..text.floor_char_boundary(MAX_BYTES)], true)
}

impl TextFeatures {
    /// Every number by the name that is put after the feature's own; a share of nothing is none.
    /// Names of configured lists follow, in their order.
    pub fn numbers(&self) -> Vec<(&'static str, Option<f64>)> {
        let shape = &self.shape;
        let count = |n: u64| Some(n as f64);
        let mut numbers = vec![
            ("bytes", count(shape.bytes)),
            ("characters", count(shape.characters)),
            ("words", count(shape.words)),
            ("lines", count(shape.lines)),
            ("non_ascii_share", shape.share(shape.non_ascii)),
            ("digit_share", shape.share(shape.digits)),
            ("whitespace_share", shape.share(shape.whitespace)),
            ("upper_case_share", shape.share(shape.upper_case)),
            ("code_fences", count(self.markup.code_fences)),
            ("urls", count(self.markup.urls)),
            ("citations", count(self.markup.citations)),
            ("repetition", self.repetition),
            ("compression", self.compression),
            ("is_json", count(u64::from(self.is_json))),
            ("email_addresses", count(self.personal.email_addresses)),
            ("payment_cards", count(self.personal.payment_cards)),
            ("ibans", count(self.personal.ibans)),
        ];
        numbers.extend(
            Script::ALL
                .iter()
                .map(|script| (script.name(), self.scripts.share(*script))),
        );
        numbers
    }
}
