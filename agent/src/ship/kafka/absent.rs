//! What stands for the route through Kafka in a program that was built without it.

use std::time::Duration;

use clause9_shared::ids::AgentId;
use clause9_shared::wire::answer::Answer;

use crate::config::CollectorKafkaConfig;
use crate::outbox::Waiting;
use crate::ship::{Sent, ShipError};
use crate::telemetry::Telemetry;

/// The route through Kafka: there is none.
#[derive(Debug)]
pub enum Kafka {}

impl Kafka {
    /// Says that the program cannot.
    pub fn new(
        _: &CollectorKafkaConfig,
        _: (&str, AgentId),
        _: Telemetry,
    ) -> Result<Self, ShipError> {
        Err(ShipError::Kafka(
            "this program was built without Kafka".into(),
        ))
    }

    /// Nothing is read.
    pub fn check(_: &CollectorKafkaConfig) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    pub(super) fn begin(&self) {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "stands for one that waits")]
    pub(super) async fn send(&self, _: &Waiting, _: Option<&str>) -> Sent {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "stands for one that waits")]
    pub(super) async fn told(&self) -> Answer {
        match *self {}
    }

    pub(super) const fn patience(&self) -> Duration {
        match *self {}
    }
}
