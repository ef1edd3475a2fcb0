//! How good decisions, scores and predictions are: the mathematics alone, on counts and slices.
//!
//! Nothing here knows summaries, documents or time. The metric table reads summaries and calls
//! these functions; reports, simulations and verifiers may call them as well. A value that is 0/0
//! is `None`, never 0 and never NaN; the functions whose name ends in `_zero` follow libraries that
//! say 0 there.

pub mod averages;
pub mod binary;
pub mod calibration;
pub mod calibration_line;
pub mod cells;
pub mod delta;
pub mod expected;
pub mod expected_bounds;
pub mod expected_loss;
pub mod isotonic;
pub mod labels;
pub mod latency;
pub mod multiclass;
pub mod precision_recall;
pub mod ranking;
pub mod recommendation;
pub mod regression;
pub mod roc;

/// A value with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The value.
    pub value: f64,
    /// Its standard error, above zero wherever there are cases.
    pub std_error: f64,
}

/// A value known to lie between two others: what summaries know of a figure of raw rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bracketed {
    /// The value.
    pub value: f64,
    /// The same figure of the raw rows is at least this.
    pub low: f64,
    /// The same figure of the raw rows is at most this.
    pub high: f64,
}

impl Bracketed {
    /// The same value turned by a function that never falls.
    #[must_use]
    pub fn map(self, rising: impl Fn(f64) -> f64) -> Self {
        Self {
            value: rising(self.value),
            low: rising(self.low),
            high: rising(self.high),
        }
    }

    /// Whether a figure of raw rows can be this, with room for rounding.
    pub fn holds(&self, raw: f64) -> bool {
        let room = 1e-12 * raw.abs().max(1.0);
        self.low - room <= raw && raw <= self.high + room
    }
}

/// A quotient, unless it is one by zero.
fn over(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}
