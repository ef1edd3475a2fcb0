//! The exporter beside receivers that do all that receivers do: take, take in part, refuse, ask to come again, keep silent, go.

mod faults;
mod receiver;
