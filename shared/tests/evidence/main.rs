//! The register's tree, notes and policies, beside implementations and examples that nobody here wrote: the crates
//! `tlog_tiles` and `signed_note`, and the examples of the specifications.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

mod notes;
mod policies;
mod proofs;
mod trees;
mod witnessing;
