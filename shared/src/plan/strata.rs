//! Groups of which more requests count than of others: their rows enter the tables by group, and
//! nothing else, where the rate of sampling leaves the request out.
//!
//! Within a group every request has the same chance, so rates of groups, their differences and ratios
//! need no weight. What is of all cases rests on the requests that the one rate for all has kept.

use crate::objective::document::Document;
use crate::plan::prediction::Groups;

/// The groups of one attribute that are sampled more often.
#[derive(Clone, Debug, PartialEq)]
pub struct Strata {
    attribute: usize,
    /// By group: the share of requests that counts at least.
    shares: Vec<Option<f64>>,
    /// By attribute: whether its groups lie within those of the attribute.
    within: Vec<bool>,
}

impl Strata {
    /// Those of a document, if it has any.
    pub(super) fn of(document: &Document) -> Option<Self> {
        let has = |a: &crate::objective::document::Attribute| !a.sampled_at_least.is_empty();
        let attribute = document.attributes.iter().position(has)?;
        let own = &document.attributes[attribute];
        let shares = own.groups.iter();
        let within = document.attributes.iter();
        Some(Self {
            attribute,
            shares: shares
                .map(|group| own.sampled_at_least.get(group).copied())
                .collect(),
            within: within
                .map(|a| a.name == own.name || a.of.contains(&own.name))
                .collect(),
        })
    }

    /// The largest share of any group: no request beyond it needs to be read.
    pub fn most(&self) -> f64 {
        self.shares.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// The share of requests that counts at least, of a case's group; none if the rate for all is all.
    pub fn share(&self, groups: &Groups) -> Option<f64> {
        let group = usize::from(groups.get(self.attribute)?);
        self.shares.get(group).copied().flatten()
    }

    /// Whether the groups of an attribute lie within those that are sampled alike.
    pub(super) fn holds(&self, attribute: usize) -> bool {
        self.within.get(attribute).copied().unwrap_or(false)
    }
}
