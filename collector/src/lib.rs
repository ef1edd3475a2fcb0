//! The collector: verifies what agents ship, merges replicas, judges sealed panes against the
//! objectives in force, and keeps the evidence.
//!
//! Core (pure): [`known`], [`trust`], [`spiffe`], [`access`], [`skew`], [`verify`], [`missing`]; and `clause9_shared::sealing`, which decides what follows from a seal.
//! Shell: listening and receiving, TLS, [`enrolment`], the writer's thread (`collect`, `execute`), [`store`], `serve`,
//! [`config`], what reads files again (`held`, `reload`), and what tells others (`reading`, `telemetry`, `export`).
//! A batch goes `receive → verify → collect → store`, one of a topic `kafka → verify → collect → store → kafka`; a seal goes `collect → clause9_shared::sealing → execute`.
//!
//! Not here: people's evaluations, the life of a nonconformity after its candidate, proofs of the
//! register, notifications. No route changes a record; no code path deletes one.

pub mod access;
mod clock;
mod collect;
pub mod config;
pub mod enrolment;
mod execute;
mod export;
mod forward;
mod held;
mod identity;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
#[path = "kafka/absent.rs"]
mod kafka;
mod keyfile;
pub mod known;
mod listen;
pub mod log;
pub mod missing;
mod program;
mod reading;
mod receive;
mod reload;
mod secret;
mod serve;
pub mod skew;
pub mod spiffe;
pub mod store;
mod telemetry;
mod tls;
mod tokens;
pub mod trust;
pub mod verify;

pub use identity::identity;
pub use listen::Limits;
pub use program::{Collector, VERSION, run};
pub use reload::Reloading;
pub use serve::declared as declared_routes;
pub use tokens::{NewToken, new as new_token};
