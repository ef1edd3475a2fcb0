//! Online detectors on real streams, position by position against river; and on streams that nobody
//! should feed them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod edges;
mod golden;
