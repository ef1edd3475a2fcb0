//! Protected attributes that the command line names, and their intersections.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::objective::check::MAX_ATTRIBUTES;
use clause9_shared::objective::document::{Attribute, AttributeSource, InputPath};

use super::{Looked, Said, look_at, name_of};
use crate::columns::CROSS;
use crate::data::{Table, bad};

/// The intersection that `A & B` asks for; A and B must be attributes, named before it.
fn intersection(
    column: &str,
    before: &[Attribute],
    said: &Said<'_>,
) -> anyhow::Result<Option<Attribute>> {
    if !column.contains(CROSS) {
        return Ok(None);
    }
    let mut of = Vec::new();
    for part in column.split(CROSS) {
        let place = said.attributes.iter().position(|name| name == part);
        let Some(attribute) = place.and_then(|place| before.get(place)) else {
            return bad(format!(
                "--attribute `{column}` is of `{part}`, which is no attribute before it; give --attribute {part} first"
            ));
        };
        of.push(attribute);
    }
    let join = |words: Vec<&str>| words.join(CROSS);
    let mut groups = vec![String::new()];
    for part in &of {
        groups = groups
            .iter()
            .flat_map(|head| {
                let names = part.groups.iter();
                names.map(move |group| {
                    if head.is_empty() {
                        group.clone()
                    } else {
                        format!("{head}{CROSS}{group}")
                    }
                })
            })
            .collect();
    }
    if groups.len() > 64 {
        return bad(format!(
            "attribute `{column}` has {} groups, the limit is 64; name attributes of fewer groups",
            groups.len()
        ));
    }
    Ok(Some(Attribute {
        name: name_of(&column.replace(CROSS, "_and_"), &mut BTreeSet::new())?,
        from: AttributeSource::Parts,
        reference: join(of.iter().map(|a| a.reference.as_str()).collect()),
        of: of.iter().map(|a| a.name.clone()).collect(),
        groups,
        sampled_at_least: BTreeMap::new(),
    }))
}

/// The attributes that were named.
pub(super) fn attributes(
    sources: &[&Looked<'_>],
    current: &Table,
    said: &Said<'_>,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<Attribute>> {
    const MAX_GROUPS: usize = 64;
    if said.attributes.len() > MAX_ATTRIBUTES {
        return bad(format!(
            "{} attributes, the limit is {MAX_ATTRIBUTES}; give --attribute less often",
            said.attributes.len()
        ));
    }
    let mut names = BTreeSet::new();
    let mut attributes: Vec<Attribute> = Vec::new();
    for column in said.attributes {
        if let Some(both) = intersection(column, &attributes, said)? {
            names.insert(both.name.clone());
            attributes.push(both);
            continue;
        }
        let look = look_at(sources, column, "--attribute")?;
        if look.values.len() > MAX_GROUPS {
            notes.push(format!(
                "attribute `{column}` has more than {MAX_GROUPS} values; the most frequent ones are its groups, and all others `unknown`: a column of bands says more"
            ));
        }
        let groups = look.by_frequency().into_iter().take(MAX_GROUPS);
        let groups: Vec<String> = groups.map(|(name, _)| name.to_owned()).collect();
        let chosen = said
            .reference_groups
            .iter()
            .filter_map(|text| text.split_once('='))
            .find(|(name, _)| name == column)
            .map(|(_, group)| group.to_owned());
        let Some(reference) = chosen.or_else(|| groups.first().cloned()) else {
            return bad(format!(
                "attribute `{column}` is empty; leave out its --attribute"
            ));
        };
        if !groups.contains(&reference) || groups.len() < 2 {
            return bad(format!(
                "attribute `{column}` needs two groups and more, `{reference}` among them; there are: {}",
                groups.join(", ")
            ));
        }
        attributes.push(Attribute {
            name: name_of(column, &mut names)?,
            of: Vec::new(),
            from: if current.position(column).is_some() {
                AttributeSource::Request(InputPath {
                    input: column.clone(),
                    output: None,
                    column: 0,
                })
            } else {
                AttributeSource::Outcome
            },
            groups,
            reference,
            sampled_at_least: BTreeMap::new(),
        });
    }
    for text in said.reference_groups {
        let known = text
            .split_once('=')
            .is_some_and(|(name, _)| said.attributes.iter().any(|a| a == name));
        if !known {
            return bad(format!(
                "--reference-group {text} names no --attribute; write COLUMN=VALUE"
            ));
        }
    }
    Ok(attributes)
}
