//! Judging from the outside: objectives compiled, blocks taken, verdicts given.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod fixture;
mod laws;
mod measuring;
mod precedence;
mod real;
mod simulation;
