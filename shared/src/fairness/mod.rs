//! Arithmetic of group fairness, on counts of groups alone: rates, how they differ between groups,
//! what unknown memberships leave open, how small groups are ranked and shown.
//!
//! Nothing here decides what is fair. Definitions are those of the literature named at each function;
//! where libraries differ, the function says which convention it follows. What is 0/0 is `None`.

mod bounds;
mod calibration;
mod compare;
mod entropy;
mod odds;
mod shrinkage;
mod spread;
mod suppression;
mod table;
mod welch;

pub use bounds::{difference_bounds, ratio_bounds};
pub use calibration::{Bracketed, Cell, mean_residual, mean_score};
pub use compare::{difference, law_distance, ratio};
pub use entropy::{between_groups, generalised_entropy, theil};
pub use odds::{
    average_odds, balanced_error, conditional_acceptance, conditional_rejection, equalised,
    treatment_equality, treatment_gap,
};
pub use shrinkage::{Shrunk, shrink};
pub use spread::{Spread, to_overall};
pub use suppression::{LEAST_SHOWN, suppress};
pub use table::{Counts, Rate, Table};
pub use welch::{Moments, welch};

/// A figure with its uncertainty, where a formula for one exists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The point estimate.
    pub value: f64,
    /// A 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Standard error by a normal approximation.
    pub std_error: Option<f64>,
}

/// The 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;

impl Measured {
    /// A figure of which only the value is known.
    const fn bare(value: f64) -> Self {
        Self {
            value,
            interval: None,
            std_error: None,
        }
    }

    /// A figure about normal around the truth, within what it can be.
    fn normal(value: f64, variance: f64, (least, most): (f64, f64)) -> Self {
        let std_error = variance.max(0.0).sqrt();
        let (low, high) = (value - Z * std_error, value + Z * std_error);
        Self {
            value,
            interval: Some((low.max(least).min(value), high.min(most).max(value))),
            std_error: Some(std_error),
        }
    }
}
