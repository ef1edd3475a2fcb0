//! The exporter beside receivers that do all that receivers do: take, take in part, refuse, ask to come again, keep silent, go.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

mod faults;
mod receiver;
