//! Features of type text: written as one, watched as the numbers of the text.
//!
//! A feature `prompt` of type text becomes features `prompt.bytes`, `prompt.words` and so on. The first
//! of them takes its place, the others follow after the last feature, so that places in the file stay
//! those of what people wrote. No text itself is ever counted.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::ids::Name;
use crate::objective::document::{Feature, FeatureType, InputPath, MissingPolicy, Range};
use crate::objective::phrases::Phrases;
use crate::text::TextNumber;

/// A watched value as people write it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Feature")]
pub(super) struct Written {
    /// Short name, used in objectives, labels and the columns of reference files.
    name: Name,
    /// What kind of values.
    #[serde(rename = "type")]
    kind: WrittenType,
    /// Unit in UCUM (`1` for a pure number). Numeric features must have one.
    #[serde(default)]
    unit: Option<String>,
    /// Where in the request, or in the answer, it stands.
    from: InputPath,
    /// What counts as missing besides an absent value or `null`.
    #[serde(default)]
    missing: MissingPolicy,
    /// Smallest and largest plausible value; what lies outside is counted as out of range.
    #[serde(default)]
    range: Option<Range>,
    /// Whether different values are counted, too. Default: false.
    #[serde(default)]
    distinct: bool,
    /// Of a feature of type text: which numbers of it are watched. Default: all.
    #[serde(default)]
    numbers: Option<Vec<TextNumber>>,
    /// Of a numeric feature: that number of the text that stands at `from`. Features of type text are
    /// written out as such.
    #[serde(default)]
    text: Option<TextNumber>,
    /// Of a feature of type text: lists of phrases by name. Each is watched as a number of its own, 1 for a
    /// text in which one of them stands, else 0.
    #[serde(default)]
    phrases: BTreeMap<Name, Phrases>,
    /// Of a numeric feature with `text: phrases`: the phrases. Features of type text are written out so.
    #[serde(default)]
    find: Option<Phrases>,
}

/// What kind of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FeatureType")]
enum WrittenType {
    /// Numbers.
    Numeric,
    /// Names of categories.
    Categorical,
    /// Texts: watched as numbers of them, never kept.
    Text,
}

/// Reads features and writes out those of type text.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Feature>, D::Error> {
    use serde::de::Error as _;
    let written = Vec::<Written>::deserialize(deserializer)?;
    let mut features = Vec::with_capacity(written.len());
    let mut following = Vec::new();
    for one in written {
        let kind = match one.kind {
            WrittenType::Numeric => FeatureType::Numeric,
            WrittenType::Categorical => FeatureType::Categorical,
            WrittenType::Text => {
                let mut numbers = of_text(&one).map_err(D::Error::custom)?.into_iter();
                features.extend(numbers.next());
                following.extend(numbers);
                continue;
            }
        };
        if one.numbers.is_some() || (one.text.is_some() && kind != FeatureType::Numeric) {
            return Err(D::Error::custom(format!(
                "feature `{}` is no text; remove `numbers`, or write `type: text`",
                one.name
            )));
        }
        check_phrases(&one).map_err(D::Error::custom)?;
        features.push(Feature {
            name: one.name,
            kind,
            unit: one.unit,
            from: one.from,
            missing: one.missing,
            range: one.range,
            distinct: one.distinct,
            text: one.text,
            find: one.find,
        });
    }
    features.extend(following);
    Ok(features)
}

/// What is wrong with the phrases of a feature that is no text.
fn check_phrases(one: &Written) -> Result<(), String> {
    let name = &one.name;
    if !one.phrases.is_empty() {
        return Err(format!(
            "feature `{name}` is no text; remove `phrases`, or write `type: text`"
        ));
    }
    match (&one.find, one.text == Some(TextNumber::PHRASES)) {
        (Some(phrases), true) => search(phrases, name.as_str()),
        (None, true) => Err(format!(
            "feature `{name}` looks for phrases and has none; add `find: {{ also: [..] }}`"
        )),
        (Some(_), false) => Err(format!(
            "feature `{name}` does not look for phrases; remove `find`, or write `text: phrases`"
        )),
        (None, false) => Ok(()),
    }
}

/// Why phrases cannot be looked for.
fn search(phrases: &Phrases, name: &str) -> Result<(), String> {
    if phrases.all().is_empty() {
        return Err(format!(
            "list `{name}` has no phrases; add some under `also`, or `builtin: refusals`"
        ));
    }
    phrases.search(name).map(drop).map_err(|e| e.to_string())
}

/// The features that a text is watched as.
fn of_text(text: &Written) -> Result<Vec<Feature>, String> {
    let name = &text.name;
    if text.unit.is_some()
        || text.range.is_some()
        || text.distinct
        || text.text.is_some()
        || text.find.is_some()
    {
        return Err(format!(
            "feature `{name}` is a text, watched as numbers of it; remove `unit`, `range`, `distinct`, `text` and `find`"
        ));
    }
    if text.missing != MissingPolicy::default() {
        return Err(format!(
            "feature `{name}` is a text, and any text counts; remove `missing`"
        ));
    }
    let mut once = BTreeSet::new();
    for number in text
        .numbers
        .clone()
        .unwrap_or_else(|| TextNumber::all().collect())
    {
        once.insert(number);
    }
    if once.contains(&TextNumber::PHRASES) {
        return Err(format!(
            "feature `{name}`: phrases are no number as such; name lists of them under `phrases`"
        ));
    }
    if once.is_empty() && text.phrases.is_empty() {
        return Err(format!(
            "feature `{name}` has no numbers; name some, or remove `numbers` for all of them"
        ));
    }
    let numbers = once
        .into_iter()
        .map(|number| (number.as_str(), number, None));
    let mut lists = Vec::with_capacity(text.phrases.len());
    for (list, phrases) in &text.phrases {
        if TextNumber::all().any(|number| number.as_str() == list.as_str()) {
            return Err(format!(
                "feature `{name}`: `{list}` is a number of every text; give the phrases another name"
            ));
        }
        search(phrases, list.as_str())?;
        lists.push((list.as_str(), TextNumber::PHRASES, Some(phrases.clone())));
    }
    numbers
        .chain(lists)
        .map(|(last, number, find)| {
            let full = format!("{name}.{last}");
            let full = Name::new(&full).map_err(|_| {
                format!("feature `{name}`: `{full}` is too long a name; shorten it")
            })?;
            Ok(Feature {
                name: full,
                find,
                kind: FeatureType::Numeric,
                unit: Some(number.unit().to_owned()),
                from: text.from.clone(),
                missing: MissingPolicy::default(),
                range: None,
                distinct: false,
                text: Some(number),
            })
        })
        .collect()
}
