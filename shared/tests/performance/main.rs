//! Performance figures against reference libraries on real data: raw rows, and what summaries make
//! of them. What the values mean stands beside the data (`tests/oracles`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod class_scores;
mod decisions;
mod expecting;
mod late;
mod lists;
mod losses;
mod oracle;
mod predictions;
mod scores;
mod tables;
