//! Our own rules as a simulation drives them: the compiled bets and the ledger that judge in the
//! field, and the two thresholds.

use clause9_shared::bet::fixed;
use clause9_shared::ledger::Ledger;

/// Windows in a cycle of the simulation.
pub const STEPS: f64 = 1000.0;
/// Chance of any false nonconformity in a cycle.
pub const ALPHA: f64 = 0.05;

/// What a warning and a nonconformity need, in 2^-32 nats.
pub fn thresholds() -> (i64, i64) {
    (fixed::threshold(STEPS), fixed::threshold(STEPS / ALPHA))
}

/// A ledger and the evidence after each window.
#[derive(Debug)]
pub struct Followed {
    ledger: Ledger,
    blocks: u32,
    /// Evidence after each window, in 2^-32 nats.
    pub evidence: Vec<i64>,
}

impl Followed {
    /// A ledger of so many bets.
    pub fn new(bets: usize) -> Self {
        Self {
            ledger: Ledger::new(bets),
            blocks: 0,
            evidence: Vec::new(),
        }
    }

    /// Takes a window's gains.
    pub fn book(&mut self, gains: &[i64]) {
        self.blocks += 1;
        self.ledger.book(self.blocks, gains);
        self.evidence.push(self.ledger.evidence());
    }

    /// For each window after the first `skip`: whether the evidence is at the threshold.
    pub fn alarms(&self, skip: usize, threshold: i64) -> impl Iterator<Item = bool> {
        self.evidence[skip..]
            .iter()
            .map(move |evidence| *evidence >= threshold)
    }
}
