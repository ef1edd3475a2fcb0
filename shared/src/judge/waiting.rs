//! Blocks too small for the normal approximation: their counts wait for those of the next ones.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bet::fixed;
use crate::digest::{parse_hex_bytes, to_hex};
use crate::sketch::{PaneSummary, SummaryKey};

/// Counts of blocks that are not enough by themselves. Bounded as the counts of one block are: adding
/// does not lengthen the list of what is counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Blocks in it.
    #[serde(default)]
    pub blocks: u32,
    /// Their cases, as far as the metric has a value.
    #[serde(with = "fixed::exact_count", default)]
    pub cases: u64,
    /// The sum of their counts, of what the metric reads; canonical bytes in hex.
    #[serde(with = "hex", default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<PaneSummary>,
}

impl Waiting {
    /// What waits and a block together, of what a metric reads. Counts of another plan than the block's
    /// wait no longer.
    pub(super) fn with(&self, block: &PaneSummary, keys: &[SummaryKey]) -> PaneSummary {
        let read = keys
            .iter()
            .filter_map(|key| Some((key.clone(), block.get(key)?.clone())));
        let mut sum = PaneSummary::new(read.collect());
        if let Some(counts) = &self.counts {
            // Refused without change.
            let _ = sum.merge(counts);
        }
        sum
    }

    /// Keeps the sum of what waited and one more block.
    pub(super) fn keep(&mut self, counts: Option<PaneSummary>, cases: u64) {
        self.blocks = self.blocks.saturating_add(1);
        self.cases = cases;
        self.counts = counts;
    }
}

mod hex {
    use super::{Deserialize, Deserializer, PaneSummary, Serializer, parse_hex_bytes, to_hex};
    use crate::wire::codec::{Decode as _, Encode as _};

    #[expect(clippy::ref_option, reason = "serde hands over the field")]
    pub(super) fn serialize<S: Serializer>(
        counts: &Option<PaneSummary>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match counts {
            Some(counts) => serializer.serialize_str(&to_hex(&counts.to_bytes())),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PaneSummary>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let bytes = parse_hex_bytes(&text)
            .ok_or_else(|| serde::de::Error::custom("expected the bytes of counts in hex"))?;
        PaneSummary::from_bytes(&bytes)
            .map(Some)
            .map_err(|e| serde::de::Error::custom(format!("not counts: {e}")))
    }
}
