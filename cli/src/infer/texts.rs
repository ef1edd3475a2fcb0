//! Columns of texts, watched as numbers of them.

use std::collections::BTreeSet;

use clause9_shared::ids::Name;
use clause9_shared::objective::check::MAX_FEATURES;
use clause9_shared::objective::document::{Feature, FeatureType};
use clause9_shared::text::TextNumber;

use super::{feature, name_of};
use crate::data::{Table, bad};

/// The features of the named columns, each of them as many as there are numbers of a text.
pub(super) fn features(
    main: &Table,
    current: &Table,
    texts: &[String],
    taken: &mut BTreeSet<Name>,
) -> anyhow::Result<Vec<Feature>> {
    let mut features = Vec::new();
    for (at, column) in texts.iter().enumerate() {
        if texts[..at].contains(column) {
            return bad(format!("--text {column} is there twice; remove one"));
        }
        for table in [main, current] {
            if table.position(column).is_none() {
                return bad(format!(
                    "there is no column `{column}`, which was given as --text; there are in {}: {}",
                    table.name,
                    table.listed()
                ));
            }
        }
        let short = name_of(column, taken)?;
        for number in TextNumber::all() {
            let Ok(name) = Name::new(&format!("{short}.{}", number.as_str())) else {
                return bad(format!(
                    "column `{column}`: `{short}.{}` is too long a name; rename the column",
                    number.as_str()
                ));
            };
            taken.insert(name.clone());
            features.push(Feature {
                find: None,
                unit: Some(number.unit().to_owned()),
                text: Some(number),
                ..feature(name, column, FeatureType::Numeric)
            });
        }
    }
    if features.len() > MAX_FEATURES {
        return bad(format!(
            "{} columns of texts have {} numbers, the limit is {MAX_FEATURES}; give --text less often",
            texts.len(),
            features.len()
        ));
    }
    Ok(features)
}
