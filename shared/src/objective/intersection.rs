//! Intersections of protected attributes: groups that are combinations of groups.

use serde::{Deserialize, Deserializer};

use crate::ids::Name;
use crate::objective::document::{Attribute, AttributeSource, Document};

/// Between the groups of the parts in the name of a combination.
const JOINT: &str = " & ";

/// Reads attributes and writes out the groups of intersections, so that whoever reads a document
/// finds them as those of any attribute. An intersection that cannot be is left without groups, for
/// the checks to tell.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Attribute>, D::Error> {
    let mut attributes = Vec::<Attribute>::deserialize(deserializer)?;
    for i in 0..attributes.len() {
        if attributes[i].of.is_empty() || !attributes[i].groups.is_empty() {
            continue;
        }
        if let Some((groups, reference)) = combined(&attributes, &attributes[i]) {
            attributes[i].groups = groups;
            attributes[i].reference = reference;
        }
    }
    Ok(attributes)
}

/// The groups of an intersection and its reference group: those of the first part vary slowest. None
/// if a part is not there or is an intersection itself, or if there are too many combinations.
pub(super) fn combined(all: &[Attribute], of: &Attribute) -> Option<(Vec<String>, String)> {
    let parts = parts(all, of)?;
    let mut groups = vec![String::new()];
    for part in &parts {
        if groups.len() * part.groups.len() > *super::check::GROUPS.end() {
            return None;
        }
        groups = groups
            .iter()
            .flat_map(|before| part.groups.iter().map(|group| joined(before, group)))
            .collect();
    }
    let references = parts.iter().map(|part| part.reference.as_str());
    let reference = references.fold(String::new(), |before, group| joined(&before, group));
    Some((groups, reference))
}

fn joined(before: &str, group: &str) -> String {
    if before.is_empty() {
        group.to_owned()
    } else {
        format!("{before}{JOINT}{group}")
    }
}

/// The attributes that an intersection is of, in its order. None if one is not there or is an
/// intersection itself.
fn parts<'a>(all: &'a [Attribute], of: &Attribute) -> Option<Vec<&'a Attribute>> {
    let part = |name: &Name| all.iter().find(|a| a.name == *name && a.of.is_empty());
    of.of.iter().map(part).collect()
}

impl Document {
    /// Whether an attribute's value comes later than the prediction, or that of one of its parts.
    pub fn comes_late(&self, attribute: &Attribute) -> bool {
        match attribute.from {
            AttributeSource::Request(_) => false,
            AttributeSource::Outcome => true,
            AttributeSource::Parts => parts(&self.attributes, attribute).is_none_or(|parts| {
                parts
                    .iter()
                    .any(|part| part.from == AttributeSource::Outcome)
            }),
        }
    }

    /// The least share of a group's requests that is counted for comparisons by group, of an intersection's
    /// group that of its part; none if nothing is said of it.
    pub fn least_share(&self, attribute: &Attribute, group: &str) -> Option<f64> {
        if attribute.of.is_empty() {
            return attribute.sampled_at_least.get(group).copied();
        }
        let mut place = attribute.groups.iter().position(|g| g == group)?;
        let parts = parts(&self.attributes, attribute)?;
        // Those of the last part vary fastest.
        parts.into_iter().rev().find_map(|part| {
            let of_part = part.groups.get(place % part.groups.len())?;
            place /= part.groups.len();
            part.sampled_at_least.get(of_part).copied()
        })
    }

    /// Where the attributes that an intersection is of stand among all; empty for any other.
    pub(crate) fn parts_of(&self, attribute: &Attribute) -> Vec<usize> {
        let place = |name: &Name| self.attributes.iter().position(|a| a.name == *name);
        attribute.of.iter().filter_map(place).collect()
    }
}
