//! Judging from the outside: objectives compiled, blocks taken, verdicts given.

#![expect(
    clippy::needless_raw_string_hashes,
    clippy::unwrap_used,
    reason = "expect-test writes such strings; a test that cannot go on should stop"
)]

mod fixture;
mod laws;
mod measuring;
mod planned_breaches;
mod planning;
mod precedence;
mod rare_cells;
mod real;
mod simulation;
mod small_blocks;
mod unlabelled;
mod weighed;
