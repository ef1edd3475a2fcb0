//! Features of type text: written as one, watched as the numbers of the text.
//!
//! A feature `prompt` of type text becomes features `prompt.bytes`, `prompt.words` and so on. The first
//! of them takes its place, the others follow after the last feature, so that places in the file stay
//! those of what people wrote. No text itself is ever counted.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::ids::Name;
use crate::objective::document::{Feature, FeatureType, InputPath, MissingPolicy, Range};
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
        features.push(Feature {
            name: one.name,
            kind,
            unit: one.unit,
            from: one.from,
            missing: one.missing,
            range: one.range,
            distinct: one.distinct,
            text: one.text,
        });
    }
    features.extend(following);
    Ok(features)
}

/// The features that a text is watched as.
fn of_text(text: &Written) -> Result<Vec<Feature>, String> {
    let name = &text.name;
    if text.unit.is_some() || text.range.is_some() || text.distinct || text.text.is_some() {
        return Err(format!(
            "feature `{name}` is a text, watched as numbers of it; remove `unit`, `range`, `distinct` and `text`"
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
    if once.is_empty() {
        return Err(format!(
            "feature `{name}` has no numbers; name some, or remove `numbers` for all of them"
        ));
    }
    once.into_iter()
        .map(|number| {
            let full = format!("{name}.{}", number.as_str());
            let full = Name::new(&full).map_err(|_| {
                format!("feature `{name}`: `{full}` is too long a name; shorten it")
            })?;
            Ok(Feature {
                name: full,
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
