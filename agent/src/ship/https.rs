//! The route over HTTP: a batch is posted to the collector, and the answer to the request is the collector's word.

use std::sync::Arc;
use std::time::Duration;

use clause9_shared::wire::batch::MEDIA_TYPE;
use reqwest::{Response, Url, header};

use super::answer::{self, Said};
use super::client::Client;
use super::{ShipError, bounded};
use crate::outbox::Waiting;

/// Posts batches to the collector.
#[derive(Debug)]
pub struct Https {
    client: Arc<Client>,
    batches: Url,
}

impl Https {
    /// A route to the collector at that base address.
    pub fn new(collector: &Url, client: Arc<Client>) -> Result<Self, ShipError> {
        let batches = collector
            .join("v1/batches")
            .map_err(|_| ShipError::Address(collector.clone()))?;
        Ok(Self { client, batches })
    }

    /// Posts a batch: what was said, and how long the collector asks to be left alone. Nothing if there was no answer.
    pub(super) async fn send(&self, batch: &Waiting) -> (Option<Said>, Option<Duration>) {
        let request = self.client.current().post(self.batches.clone());
        let request = request
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .body(batch.envelope.clone());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the collector gave no answer"
                );
                return (None, None);
            }
        };
        let status = response.status();
        let wait = retry_after(&response);
        let Some(answer) = bounded(response).await else {
            return (None, wait);
        };
        let said = answer::read(batch.digest, status.as_u16(), &answer);
        match said {
            Said::Receipt(_) | Said::Refused(..) => {}
            Said::Later => tracing::debug!(%status, "the collector takes no batch now"),
            Said::Failed => tracing::warn!(%status, "the collector failed over a batch"),
            Said::Strange => {
                tracing::warn!(%status, "what answers at the collector's address is no collector");
            }
        }
        (Some(said), wait)
    }
}

/// How long the collector asks to be left alone.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
