//! Shipping: closed panes as signed batches to the collector, in order, until it says that it stored
//! them. Runs on its own thread; a slow disk or collector holds up nothing else.

use std::sync::Arc;
use std::time::Duration;

use clause9_shared::wire::batch::{BatchRefused, ItemReceipt, MEDIA_TYPE, Receipt, RefusalReason};
use reqwest::{Response, StatusCode, Url, header};
use tokio::sync::watch;

use crate::telemetry::Telemetry;

mod forward;
mod on_the_way;
pub mod outbox;
pub mod packing;
mod pause;
mod refused;
mod sealer;

pub use forward::{Asking, Forwarder};
pub use on_the_way::OnTheWay;
use outbox::{Outbox, Waiting};
use pause::Pause;
pub use refused::{RefusedItem, RefusedItems};
pub use sealer::Sealer;

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one delivery may take as a whole.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long the outbox may take to empty after the stop signal.
const FLUSH: Duration = Duration::from_secs(5);
/// Shortest pause of an agent that the collector does not know.
const STRANGER: Duration = Duration::from_secs(2);

/// Why the shipping could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// No HTTP client.
    #[error("cannot set up the client for the collector")]
    Client(#[from] reqwest::Error),
    /// The address cannot be extended.
    #[error("`{0}` cannot be the collector's address")]
    Address(Url),
}

/// Delivers what is in the outbox.
#[derive(Debug)]
pub struct Shipper {
    client: reqwest::Client,
    batches: Url,
    outbox: Arc<Outbox>,
    refused: Arc<RefusedItems>,
    telemetry: Telemetry,
    forwarder: Option<Forwarder>,
}

/// What became of one delivery.
enum Delivery {
    /// The collector is done with the batch.
    Settled,
    /// Try again, not before the given time has passed.
    Again(Option<Duration>),
}

impl Shipper {
    /// A shipper to the collector at that base address.
    pub fn new(
        collector: &Url,
        outbox: Arc<Outbox>,
        refused: Arc<RefusedItems>,
        telemetry: Telemetry,
    ) -> Result<Self, ShipError> {
        // An error means that a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(DELIVERY)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .user_agent(concat!("clause9-agent/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let batches = collector
            .join("v1/batches")
            .map_err(|_| ShipError::Address(collector.clone()))?;
        Ok(Self {
            client,
            batches,
            outbox,
            refused,
            telemetry,
            forwarder: None,
        })
    }

    /// The same, asking other replicas for requests of outcomes as well.
    pub fn with_forwarder(mut self, asking: Option<Asking>) -> Result<Self, ShipError> {
        let base = self.batches.clone();
        let client = self.client.clone();
        let forwarder = asking.map(|asking| Forwarder::new(asking, client, &base));
        self.forwarder = forwarder.transpose()?;
        Ok(self)
    }

    /// Delivers until `stop` turns true, then for a while longer what is left.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let asking = async {
            match &self.forwarder {
                Some(forwarder) => forwarder.run().await,
                None => std::future::pending().await,
            }
        };
        let work = async {
            tokio::join!(
                self.outbox.persist_forever(),
                self.deliver_forever(),
                asking
            )
        };
        let stopped = async {
            let _ = stop.wait_for(|s| *s).await;
            let _ = tokio::time::timeout(FLUSH, self.outbox.emptied()).await;
        };
        tokio::select! { _ = work => {} () = stopped => {} }
        self.outbox.persist();
    }

    async fn deliver_forever(&self) {
        let mut pause = Pause::default();
        loop {
            let batch = self.outbox.front().await;
            match self.deliver(&batch).await {
                Delivery::Settled => {
                    self.outbox.release(&batch);
                    pause = Pause::default();
                }
                Delivery::Again(at_least) => {
                    self.telemetry.batches.with_label_values(&["failed"]).inc();
                    tokio::time::sleep(pause.next(at_least)).await;
                }
            }
        }
    }

    async fn deliver(&self, batch: &Waiting) -> Delivery {
        let request = self.client.post(self.batches.clone());
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
                return Delivery::Again(None);
            }
        };
        let status = response.status();
        let wait = retry_after(&response);
        let Some(answer) = bounded(response).await else {
            return Delivery::Again(wait);
        };
        if status == StatusCode::OK {
            return self.receipt(batch, &answer);
        }
        let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
        if !status.is_client_error() || again.contains(&status) {
            return Delivery::Again(wait);
        }
        if let Ok(refusal) = serde_json::from_slice::<BatchRefused>(&answer) {
            self.refused.batch(batch, &refusal, &self.telemetry);
            return match refusal.refused {
                // Who set out before the collector knew of it is let in by a line of configuration.
                RefusalReason::UnknownAgent | RefusalReason::UnknownSystem => {
                    Delivery::Again(Some(wait.unwrap_or_default().max(STRANGER)))
                }
                RefusalReason::Malformed
                | RefusalReason::TooLarge
                | RefusalReason::BadSignature
                | RefusalReason::ReplayedSequence
                | RefusalReason::UnknownPlan
                | RefusalReason::BadSummary
                | RefusalReason::BadCoverage
                | RefusalReason::ClockMixed
                | RefusalReason::ClockAhead => Delivery::Settled,
            };
        }
        tracing::warn!(%status, "what answers at the collector's address is no collector");
        Delivery::Again(wait)
    }

    fn receipt(&self, batch: &Waiting, answer: &[u8]) -> Delivery {
        let receipt = match serde_json::from_slice::<Receipt>(answer) {
            Ok(receipt) if receipt.batch == batch.digest => receipt,
            Ok(_) | Err(_) => {
                tracing::warn!("the collector's answer is no receipt for the batch that was sent");
                return Delivery::Again(None);
            }
        };
        for mark in receipt.marks.iter().take(8) {
            tracing::warn!(mark = %mark.chars().take(64).collect::<String>(), "the collector marked a batch");
        }
        let refused = receipt
            .items
            .iter()
            .any(|i| matches!(i, ItemReceipt::Refused { .. }));
        let all_known = !receipt.items.is_empty()
            && receipt
                .items
                .iter()
                .all(|i| matches!(i, ItemReceipt::Duplicate));
        let result = match (refused, all_known) {
            (true, _) => "refused",
            (false, true) => "duplicate",
            (false, false) => "stored",
        };
        self.telemetry.batches.with_label_values(&[result]).inc();
        self.refused.items(batch, receipt, &self.telemetry);
        Delivery::Settled
    }
}

/// How long the collector asks to be left alone.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The answer, if it is not longer than an answer may be.
async fn bounded(response: Response) -> Option<Vec<u8>> {
    bounded_by(response, MAX_ANSWER).await
}

async fn bounded_by(mut response: Response, most: usize) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if answer.len() + piece.len() <= most => {
                answer.extend_from_slice(&piece);
            }
            Ok(None) => return Some(answer),
            Ok(Some(_)) | Err(_) => return None,
        }
    }
}
