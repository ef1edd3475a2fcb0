//! Shipping: closed panes as signed batches to the collector, until it says that it stored them. Runs on
//! its own thread; a slow disk or collector holds up nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clause9_shared::wire::batch::{ItemReceipt, MEDIA_TYPE, Receipt};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::{Response, StatusCode, Url, header};
use tokio::sync::watch;

use crate::clock;
use crate::outbox::{Outbox, Waiting};
use crate::telemetry::Telemetry;

mod answer;
pub mod client;
mod courier;
mod forward;
mod on_the_way;
pub mod packing;
pub(crate) mod pause;
mod refused;
mod sealer;

pub use answer::{Said, read as read_answer};
use client::Client;
pub use courier::{Courier, Delivered, Step};
pub use forward::{Asking, Forwarder};
pub use on_the_way::OnTheWay;
pub use refused::{RefusedItem, RefusedItems};
pub use sealer::{Sealer, Shipped};

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;
/// How long the outbox may take to empty after the stop signal.
const FLUSH: Duration = Duration::from_secs(5);

/// Why the shipping could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The address cannot be extended.
    #[error("`{0}` cannot be the collector's address")]
    Address(Url),
}

/// Delivers what is in the outbox.
#[derive(Debug)]
pub struct Shipper {
    client: Arc<Client>,
    batches: Url,
    outbox: Arc<Outbox>,
    refused: Arc<RefusedItems>,
    telemetry: Telemetry,
    forwarder: Option<Forwarder>,
}

impl Shipper {
    /// A shipper to the collector at that base address.
    pub fn new(
        collector: &Url,
        client: Arc<Client>,
        outbox: Arc<Outbox>,
        refused: Arc<RefusedItems>,
        telemetry: Telemetry,
    ) -> Result<Self, ShipError> {
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
        let client = Arc::clone(&self.client);
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
        let shipper = &self;
        let work = async { tokio::join!(shipper.deliver_forever(), asking) };
        let stopped = async {
            let _ = stop.wait_for(|s| *s).await;
            let _ = tokio::time::timeout(FLUSH, self.outbox.emptied()).await;
        };
        tokio::select! { _ = work => {} () = stopped => {} }
    }

    async fn deliver_forever(&self) {
        let mut courier = Courier::default();
        let mut under_way = FuturesUnordered::new();
        let begun = Instant::now();
        loop {
            let until = match courier.next(begun.elapsed(), |from| self.outbox.first(from)) {
                Step::Send(number) => {
                    match self.outbox.read(number, clock::wall()) {
                        Ok(Some(batch)) => under_way.push(self.deliver(batch)),
                        Ok(None) => courier.gone(number),
                        // The disk may give it another time; others need not wait.
                        Err(_) => {
                            let failed = Delivered::Failed(None);
                            courier.answered(number, failed, begun.elapsed(), pause::chance());
                        }
                    }
                    continue;
                }
                Step::Wait(until) => until,
            };
            let now = begun.elapsed();
            let due = async {
                match until {
                    Some(until) => tokio::time::sleep(until.saturating_sub(now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((number, what)) = under_way.next() => {
                    match what {
                        Delivered::Settled => self.outbox.release(number),
                        Delivered::Unanswered(_) | Delivered::Failed(_) | Delivered::Stranger(_) => {
                            self.telemetry.batches.with_label_values(&["failed"]).inc();
                        }
                    }
                    courier.answered(number, what, begun.elapsed(), pause::chance());
                }
                () = self.outbox.added() => {}
                () = due => {}
            }
        }
    }

    async fn deliver(&self, batch: Waiting) -> (u64, Delivered) {
        (batch.number, self.send(&batch).await)
    }

    async fn send(&self, batch: &Waiting) -> Delivered {
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
                return Delivered::Unanswered(None);
            }
        };
        let status = response.status();
        let wait = retry_after(&response);
        let Some(answer) = bounded(response).await else {
            return Delivered::Unanswered(wait);
        };
        let said = answer::read(batch.digest, status.as_u16(), &answer);
        let follows = said.follows(wait);
        self.note(batch, said, status);
        follows
    }

    /// Counts and keeps what the collector said.
    fn note(&self, batch: &Waiting, said: Said, status: StatusCode) {
        match said {
            Said::Receipt(receipt) => self.note_receipt(batch, receipt),
            Said::Refused(refusal) => self.refused.batch(batch, &refusal, &self.telemetry),
            Said::Later => tracing::debug!(%status, "the collector takes no batch now"),
            Said::Failed => tracing::warn!(%status, "the collector failed over a batch"),
            Said::Strange => {
                tracing::warn!(%status, "what answers at the collector's address is no collector");
            }
        }
    }

    fn note_receipt(&self, batch: &Waiting, receipt: Receipt) {
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
    }
}

/// How long the collector asks to be left alone.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The answer, if it is not longer than an answer may be.
pub(crate) async fn bounded(response: Response) -> Option<Vec<u8>> {
    bounded_by(response, MAX_ANSWER).await
}

pub(crate) async fn bounded_by(mut response: Response, most: usize) -> Option<Vec<u8>> {
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
