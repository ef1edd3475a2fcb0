//! What stands for topics of Kafka in a program that was built without them.

use std::sync::Arc;

use clause9_otlp::Export;
use ed25519_dalek::SigningKey;

use crate::collect::Inbox;
use crate::config::KafkaConfig;
use crate::known::Current;
use crate::telemetry::Telemetry;

/// What becomes of an answer: there are none.
pub(crate) const RESULTS: [&str; 2] = ["sent", "failed"];
/// What goes wrong between collector and brokers: nothing.
pub(crate) const ERRORS: [&str; 6] = [
    "broker",
    "authentication",
    "authorization",
    "topic",
    "commit",
    "other",
];

/// A reader of topics: there is none.
#[derive(Debug)]
pub(crate) enum Reader {}

/// One that runs: there is none.
#[derive(Debug)]
pub(crate) enum Reading {}

impl Reader {
    /// Says that the program cannot.
    pub(crate) fn new(
        _: &KafkaConfig,
        _: SigningKey,
        _: (Inbox, Current),
        _: (Arc<Telemetry>, Option<Export>),
    ) -> anyhow::Result<Self> {
        anyhow::bail!("this program was built without Kafka")
    }

    /// Never called.
    pub(crate) fn start(self) -> std::io::Result<Reading> {
        match self {}
    }
}

impl Reading {
    /// Never called.
    pub(crate) fn end(self) {
        match self {}
    }
}
