//! What stands for topics of Kafka in a program that was built without them.

use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use crate::config::KafkaConfig;
use crate::monitor::Command;
use crate::sink::Naming;
use crate::telemetry::Telemetry;

/// A reader of topics: there is none.
#[derive(Debug)]
pub enum Reader {}

impl Reader {
    /// Says that the program cannot.
    pub fn new(
        _: &KafkaConfig,
        _: (&str, usize),
        _: Naming,
        _: Telemetry,
        _: mpsc::Sender<Command>,
    ) -> Result<Self, String> {
        Err("this program was built without Kafka".into())
    }

    /// Nothing is read.
    pub fn check(_: &KafkaConfig) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    /// Never called.
    pub fn run(self, _: &AtomicBool) {
        match self {}
    }
}
