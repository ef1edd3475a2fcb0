//! What is remembered of a prediction until its outcome comes: a few bytes, no raw input, and nothing
//! that would have to be allocated.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::objective::check::MAX_ATTRIBUTES;

/// What is remembered of a prediction until its outcome comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The score, if there is one within 0 to 1.
    pub score: Option<f64>,
    /// What was decided or predicted, if it is known.
    pub decision: Option<Answer>,
    /// Per attribute of the plan: the group's index, once known.
    pub groups: Groups,
    /// The label, once known; of the decision's kind. Of a ranked list: whether anything was relevant.
    pub label: Option<Answer>,
    /// Hashes of the first items of a ranked list, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<[u32]>>,
    /// The score of each class, if there are such; below 0 where one is none within 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Box<[f64]>>,
}

/// What a model says of a case, or what turned out to be true of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// Positive or negative.
    Sign(bool),
    /// The place of a class in the objectives file's list.
    Class(u8),
    /// A finite number.
    Number(f64),
}

impl Answer {
    /// Whether it is positive, if it is two-valued.
    pub const fn sign(self) -> Option<bool> {
        match self {
            Self::Sign(positive) => Some(positive),
            Self::Class(_) | Self::Number(_) => None,
        }
    }

    /// The place of the class, if it is one.
    pub const fn class(self) -> Option<u8> {
        match self {
            Self::Class(class) => Some(class),
            Self::Sign(_) | Self::Number(_) => None,
        }
    }

    /// The number, if it is one.
    pub const fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Sign(_) | Self::Class(_) => None,
        }
    }
}

/// Groups by attribute, in the plan's order, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    len: u8,
    /// [`UNKNOWN`] where the group is not known, and beyond the length.
    of: [u8; MAX_ATTRIBUTES],
}

/// In place of a group that is not known; beyond every index.
const UNKNOWN: u8 = u8::MAX;

impl Groups {
    /// So many unknown groups, at most [`MAX_ATTRIBUTES`].
    pub fn unknown(attributes: usize) -> Self {
        Self {
            len: u8::try_from(attributes.min(MAX_ATTRIBUTES)).unwrap_or(UNKNOWN),
            of: [UNKNOWN; MAX_ATTRIBUTES],
        }
    }

    /// How many attributes.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there is no attribute.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The group of an attribute, if it is known.
    pub fn get(&self, attribute: usize) -> Option<u8> {
        self.of
            .get(attribute)
            .copied()
            .filter(|group| *group != UNKNOWN)
    }

    /// Notes the group of an attribute. One beyond the last attribute is not noted.
    pub fn set(&mut self, attribute: usize, group: Option<u8>) {
        if let Some(place) = self.of[..usize::from(self.len)].get_mut(attribute) {
            *place = group.unwrap_or(UNKNOWN);
        }
    }

    /// All groups in the plan's order.
    pub fn iter(&self) -> impl Iterator<Item = Option<u8>> + '_ {
        (0..self.len()).map(|attribute| self.get(attribute))
    }
}

impl FromIterator<Option<u8>> for Groups {
    fn from_iter<I: IntoIterator<Item = Option<u8>>>(groups: I) -> Self {
        let mut all = Self::unknown(0);
        for group in groups.into_iter().take(MAX_ATTRIBUTES) {
            let attribute = all.len();
            all.len += 1;
            all.set(attribute, group);
        }
        all
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Groups {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let groups = Vec::<Option<u8>>::deserialize(deserializer)?;
        if groups.len() > MAX_ATTRIBUTES {
            return Err(serde::de::Error::custom(
                "more groups than attributes can be",
            ));
        }
        Ok(groups.into_iter().collect())
    }
}
