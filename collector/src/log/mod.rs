//! The register as a log that strangers can check: who signs its checkpoints, when, and with which key. What a checkpoint is
//! stands in `clause9_shared::evidence`, what is kept of the tree in `store/tree.rs`.

pub(crate) mod commands;
mod custody;
mod keys;
mod notary;
mod signer;
mod witnesses;

pub use commands::{KeyEvent, keys, rotate};
pub(crate) use custody::Custody;
pub(crate) use keys::Keys;
pub(crate) use notary::{Notary, Parts};
pub(crate) use signer::Signer;
pub(crate) use witnesses::{Asked, Asking, WitnessAt, Witnesses};
