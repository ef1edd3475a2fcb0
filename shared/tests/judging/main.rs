//! Judging from the outside: objectives compiled, blocks taken, verdicts given.

mod fixture;
mod laws;
mod measuring;
mod precedence;
mod simulation;
