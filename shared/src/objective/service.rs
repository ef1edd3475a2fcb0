//! What an objectives file says of how the model is served.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::service::Facet;

/// Most limits of one kind.
pub const MAX_LIMITS: usize = 16;

/// How the model is served: its answers' times, sizes and states are counted if this stands here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// An answer that takes longer than this many seconds is slow (`slow_rate`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_after: Option<f64>,
    /// Points that are counted exactly. The levels of an objective on a quantile must be among
    /// them. At most 16 of each, ascending.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
}

/// Points of times and sizes that are counted exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Seconds to the last byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<f64>,
    /// Seconds to the first byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_byte: Vec<f64>,
    /// Bytes of a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_bytes: Vec<f64>,
    /// Bytes of an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_bytes: Vec<f64>,
}

impl Limits {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Those of one facet.
    pub fn of(&self, facet: Facet) -> &[f64] {
        match facet {
            Facet::Answers => &[],
            Facet::Latency => &self.latency,
            Facet::FirstByte => &self.first_byte,
            Facet::RequestBytes => &self.request_bytes,
            Facet::ResponseBytes => &self.response_bytes,
        }
    }
}

impl Service {
    /// Every point at which a facet's numbers are counted exactly, ascending.
    pub fn points(&self, facet: Facet) -> Vec<f64> {
        let slow = self.slow_after.filter(|_| facet == Facet::Latency);
        let mut points: Vec<f64> = self.limits.of(facet).iter().copied().chain(slow).collect();
        points.sort_by(f64::total_cmp);
        points.dedup();
        points
    }
}
