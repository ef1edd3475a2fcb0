//! Bytes between agent and collector. Versions are rows: add one, never edit one.

pub mod answer;
pub mod batch;
pub mod codec;
pub mod enrol;
pub mod forward;
pub mod loss;
pub mod plan;
