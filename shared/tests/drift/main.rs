//! Drift through the real plan and its summaries: on public data against reference values of `NumPy`
//! and `SciPy`, on random data against the raw rows, and at the edges.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

mod case;
mod edges;
mod golden;
mod intervals;
mod joint;
mod random;
mod system;
