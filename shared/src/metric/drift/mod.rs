//! Drift: how a feature's traffic differs from the frozen baseline.

mod ball;
mod missing_rate;
mod psi;

pub(super) use missing_rate::MissingRate;
pub(super) use psi::Psi;
