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

/// What came of posting a batch: nothing if there was no answer.
#[derive(Debug, Default)]
pub(super) struct Posted {
    /// What was said; none of an answer that did not come to its end.
    pub(super) said: Option<Said>,
    /// How long the collector asks to be left alone.
    pub(super) wait: Option<Duration>,
    /// The status of HTTP.
    pub(super) status: Option<u16>,
}

impl Https {
    /// A route to the collector at that base address.
    pub fn new(collector: &Url, client: Arc<Client>) -> Result<Self, ShipError> {
        let batches = collector
            .join("v1/batches")
            .map_err(|_| ShipError::Address(collector.clone()))?;
        Ok(Self { client, batches })
    }

    /// Posts a batch, with the place in a trace that it comes from.
    pub(super) async fn send(&self, batch: &Waiting, place: Option<&str>) -> Posted {
        let request = self.client.current().post(self.batches.clone());
        let request = request
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .body(batch.envelope.clone());
        let request = match place {
            Some(place) => request.header("traceparent", place),
            None => request,
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the collector gave no answer"
                );
                return Posted::default();
            }
        };
        let status = response.status();
        let wait = retry_after(&response);
        let posted = Posted {
            said: None,
            wait,
            status: Some(status.as_u16()),
        };
        let Some(answer) = bounded(response).await else {
            return posted;
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
        Posted {
            said: Some(said),
            ..posted
        }
    }
}

/// How long the collector asks to be left alone.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
