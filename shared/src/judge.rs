//! An objective compiled into integer bets, the ledgers it keeps, and the verdicts it gives.
//!
//! Blocks enter in the collector's seal order, each once. Nothing here is recomputed with hindsight:
//! state in, block in, state out. Payoffs are integers; whoever replays needs integer arithmetic only.

use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::digest::Digest;
use crate::metric::{Estimate, Unmeasurable};
use crate::objective::document::{Document, Objective};
use crate::verdict::Verdict;

/// An objective with its bets, frozen. Content-addressed by [`Compiled::digest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compiled {
    /// The objective as written.
    pub objective: Objective,
    // bets, thresholds (integers) go here
}

/// Why an objective cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub String);

/// Everything that a ledger remembers between blocks. Plain integers and sums; stored with the
/// evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerState {
    /// Blocks taken in this epoch.
    pub blocks: u32,
    // the rest goes here
}

/// What one block did to a ledger: the payoffs that were used and the evidence after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Evidence after the block, in 2^-32 nats.
    pub evidence: i64,
    // payoffs used, increments go here
}

impl Compiled {
    /// Compiles an objective of a document against a baseline.
    pub fn new(
        document: &Document,
        objective: &Objective,
        baseline: &Baseline,
    ) -> Result<Self, CompileError> {
        let _ = (document, objective, baseline);
        unimplemented!()
    }

    /// Its content address.
    pub fn digest(&self) -> Digest {
        unimplemented!()
    }

    /// A ledger that has seen nothing.
    pub fn start(&self) -> LedgerState {
        unimplemented!()
    }

    /// Takes one sealed block. A block in which nothing could be measured still counts as a step.
    pub fn step(&self, state: &mut LedgerState, block: &Result<Estimate, Unmeasurable>) -> Step {
        let _ = (state, block);
        unimplemented!()
    }

    /// The verdict after the blocks so far, given the value shown for the window.
    pub fn verdict(&self, state: &LedgerState, window: &Result<Estimate, Unmeasurable>) -> Verdict {
        let _ = (state, window);
        unimplemented!()
    }
}
