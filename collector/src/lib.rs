//! The collector: verifies what agents ship, merges replicas, judges sealed panes against the
//! objectives in force, and keeps the evidence.
//!
//! Core (pure): [`known`], [`verify`], [`seal`], [`plan`], [`register`], [`missing`].
//! Shell: listening and receiving, the writer's thread (`collect`, `execute`), [`store`], `serve`, [`config`].
//! A batch goes `receive → verify → collect → store`; a seal goes `seal → plan → execute`.
//!
//! Not here: people's evaluations, the life of a nonconformity after its candidate, proofs of the
//! register, notifications. No route changes a record; no code path deletes one.

mod clock;
mod collect;
pub mod config;
mod execute;
mod forward;
pub mod known;
mod listen;
pub mod missing;
pub mod plan;
mod program;
mod receive;
pub mod register;
pub mod seal;
mod serve;
pub mod store;
mod telemetry;
pub mod verify;

pub use listen::Limits;
pub use program::{Collector, VERSION, run};
