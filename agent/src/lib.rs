//! The sidecar: passes a model server's traffic through unchanged, keeps summaries of it, and ships
//! them, signed, to a collector.
//!
//! Core (told the time, no I/O): [`exchange`], [`decode`], [`sample`], [`engine`], [`ship::packing`].
//! Shell: [`capture`] (data path), [`monitor`] (thread around the engine), [`outbox`], [`quarantine`], [`ship`],
//! [`export`], [`admin`], [`outcomes`], [`sink`]. The data path hands over by `try_send` and never waits for any of the others.

pub mod admin;
pub mod capture;
pub mod clock;
pub mod config;
pub mod decode;
pub mod engine;
pub mod enrol;
pub mod exchange;
pub mod export;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod identity;
pub mod monitor;
pub mod observe;
pub mod outbox;
pub mod outcomes;
pub mod pull;
pub mod quarantine;
pub mod sample;
pub mod shelf;
pub mod ship;
pub mod sink;
pub mod telemetry;

#[cfg(feature = "kafka")]
mod kafka;
mod priority;
mod reload;
mod run;
mod service;

pub use reload::Reloading;
pub use run::{Agent, BuildError, build, build_with, run};
