//! Shipping: closed panes as signed batches to the collector, until it says that it stored them. Runs on
//! its own thread; a slow disk or collector holds up nothing else. The [`Courier`] says which batch goes
//! when; how it travels is a route's, one file each.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clause9_otlp::message::Kind;
use clause9_shared::wire::answer::Answer;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt as _};
use reqwest::{Response, Url};
use tokio::sync::watch;

use crate::clock;
use crate::export::{self, Outcome};
use crate::outbox::{Outbox, Waiting};
use crate::quarantine::Quarantine;
use crate::telemetry::Telemetry;

mod answer;
mod awaited;
pub mod client;
mod courier;
mod forward;
mod https;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
#[path = "kafka/absent.rs"]
mod kafka;
mod on_the_way;
pub mod packing;
pub(crate) mod pause;
mod refused;
mod sealer;
mod settling;

pub use answer::{Said, read as read_answer};
use awaited::Awaited;
use client::Client;
pub use courier::{Courier, Delivered, Step};
pub use forward::{Asking, Forwarder};
pub use https::Https;
use https::Posted;
pub(crate) use https::retry_after;
pub use kafka::Kafka;
pub use on_the_way::OnTheWay;
pub use refused::{Refusals, RefusedItem, RefusedItems};
pub use sealer::{Sealer, Shipped};

/// Longest answer that is read: a receipt that refuses each of [`MAX_ITEMS`](clause9_shared::wire::batch::MAX_ITEMS) items in many
/// words. A shorter bound would have such a batch sent for ever.
const MAX_ANSWER: usize = 2 << 20;
/// How long the outbox may take to empty after the stop signal.
const FLUSH: Duration = Duration::from_secs(5);

/// Why the shipping could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The address cannot be extended.
    #[error("`{0}` cannot be the collector's address")]
    Address(Url),
    /// Kafka's client does not take what is configured.
    #[error("{0}")]
    Kafka(String),
}

/// How batches travel.
#[derive(Debug)]
pub enum Route {
    /// Posted to the collector.
    Https(Https),
    /// Through a topic.
    Kafka(Box<Kafka>),
}

/// What came of sending a batch.
#[derive(Debug)]
enum Sent {
    /// The collector answered, or it is known that it did not. The time is what was asked for.
    Answered(Option<Said>, Option<Duration>),
    /// Others carry it there; the answer comes by itself.
    HandedOver,
    /// Those who were to carry it would not have this one.
    NotTaken,
}

impl Sent {
    /// What others are told of it.
    const fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(None, _) => Outcome::Unanswered,
            Self::Answered(Some(said), _) => match said {
                Said::Receipt(_) => Outcome::Receipt,
                Said::Refused(..) => Outcome::Refused,
                Said::Later => Outcome::Later,
                Said::Failed => Outcome::Failed,
                Said::Strange => Outcome::Strange,
            },
            Self::HandedOver => Outcome::HandedOver,
            Self::NotTaken => Outcome::NotTaken,
        }
    }
}

/// Delivers what is in the outbox.
#[derive(Debug)]
pub struct Shipper {
    route: Route,
    outbox: Arc<Outbox>,
    quarantine: Arc<Quarantine>,
    refused: Arc<RefusedItems>,
    telemetry: Telemetry,
    forwarder: Option<Forwarder>,
}

impl Shipper {
    /// A shipper by that route. What is refused for good goes from the outbox into quarantine.
    pub fn new(
        route: Route,
        (outbox, quarantine): (Arc<Outbox>, Arc<Quarantine>),
        refused: Arc<RefusedItems>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            route,
            outbox,
            quarantine,
            refused,
            telemetry,
            forwarder: None,
        }
    }

    /// The same, asking other replicas for requests of outcomes as well, through the collector at that base address.
    pub fn with_forwarder(
        mut self,
        asking: Asking,
        (collector, client): (&Url, Arc<Client>),
    ) -> Result<Self, ShipError> {
        let base = collector
            .join("v1/")
            .map_err(|_| ShipError::Address(collector.clone()))?;
        self.forwarder = Some(Forwarder::new(asking, client, &base)?);
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
        let mut awaited = Awaited::default();
        let mut under_way = FuturesUnordered::new();
        let mut keeping = FuturesUnordered::new();
        self.route.begin();
        let begun = Instant::now();
        loop {
            self.telemetry.route.show_waiting(courier.waiting());
            let until = match courier.next(begun.elapsed(), |from| self.first(from)) {
                Step::Send(number) => {
                    match self.read(number) {
                        Ok(Some(batch)) => {
                            if self.route.hands_over() {
                                let waits = |number| self.first(number) == Some(number);
                                awaited.note(batch.digest, number, waits);
                            }
                            under_way.push(self.deliver(batch));
                        }
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
                Some(sent) = under_way.next() => {
                    let kept = self.sent(&mut courier, sent, begun.elapsed());
                    keeping.extend(kept.map(FutureExt::boxed));
                }
                answer = self.route.told() => {
                    let kept = self.told(&mut courier, &mut awaited, answer, begun.elapsed());
                    keeping.extend(kept.map(FutureExt::boxed));
                }
                Some((number, what)) = keeping.next() => {
                    self.follow(&mut courier, number, what, begun.elapsed());
                }
                () = self.outbox.added() => {}
                () = self.quarantine.asked() => {}
                () = due => {}
            }
        }
    }

    /// Draws what follows from an answer that came by itself.
    fn told(
        &self,
        courier: &mut Courier,
        awaited: &mut Awaited,
        answer: Answer,
        now: Duration,
    ) -> Option<impl Future<Output = (u64, Delivered)> + use<>> {
        let name = answer.batch;
        // Nobody waits if it was produced more than once, and is answered more than once.
        let number = awaited.number(name)?;
        let said = Said::from(answer);
        let what = said.follows(None);
        if what == Delivered::Settled {
            awaited.settled(name);
        }
        self.heard(courier, (number, said), what, now)
    }

    /// Draws what follows from sending a batch.
    fn sent(
        &self,
        courier: &mut Courier,
        (number, sent): (u64, Sent),
        now: Duration,
    ) -> Option<impl Future<Output = (u64, Delivered)> + use<>> {
        match sent {
            Sent::HandedOver => {
                let times = courier.handed_over(number, now, self.route.patience());
                self.telemetry.route.handed_over(times);
                if times > 1 {
                    tracing::warn!(
                        number,
                        times,
                        "the collector has said nothing of a batch for long; it was produced again"
                    );
                }
                None
            }
            Sent::NotTaken => {
                self.follow(courier, number, Delivered::Failed(None), now);
                None
            }
            Sent::Answered(None, wait) => {
                self.follow(courier, number, Delivered::Unanswered(wait), now);
                None
            }
            Sent::Answered(Some(said), wait) => {
                let what = said.follows(wait);
                self.heard(courier, (number, said), what, now)
            }
        }
    }

    async fn deliver(&self, batch: Waiting) -> (u64, Sent) {
        let (traces, kind) = (self.outbox.traces(), self.route.kind());
        let step = traces.shipping(batch.digest, kind, clock::wall());
        let place = step.as_ref().map(|step| step.context().header());
        let place = place.as_deref();
        let (sent, status) = match &self.route {
            Route::Https(https) => {
                let Posted { said, wait, status } = https.send(&batch, place).await;
                (Sent::Answered(said, wait), status)
            }
            Route::Kafka(kafka) => (kafka.send(&batch, place).await, None),
        };
        if let Some(step) = step {
            export::shipped(step, clock::wall(), sent.outcome(), status);
        }
        (batch.number, sent)
    }
}

impl Route {
    /// Whether batches are handed over, to be answered by themselves.
    const fn hands_over(&self) -> bool {
        match self {
            Self::Https(_) => false,
            Self::Kafka(_) => true,
        }
    }

    /// How a try to deliver stands to what the collector does.
    const fn kind(&self) -> Kind {
        match self {
            Self::Https(_) => Kind::Client,
            Self::Kafka(_) => Kind::Producer,
        }
    }

    /// Begins to listen for answers.
    fn begin(&self) {
        match self {
            Self::Https(_) => {}
            Self::Kafka(kafka) => kafka.begin(),
        }
    }

    /// What the collector says by itself.
    async fn told(&self) -> Answer {
        match self {
            Self::Https(_) => std::future::pending().await,
            Self::Kafka(kafka) => kafka.told().await,
        }
    }

    /// How long an answer to what was handed over may take.
    fn patience(&self) -> Duration {
        match self {
            Self::Https(_) => Duration::ZERO,
            Self::Kafka(kafka) => kafka.patience(),
        }
    }
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

#[cfg(test)]
mod tests {
    use clause9_shared::digest::Digest;
    use clause9_shared::wire::batch::{ItemReceipt, MAX_ITEMS, Receipt, RefusalReason};

    use super::*;

    #[test]
    fn a_receipt_that_refuses_everything_in_many_words_can_be_read() {
        let refused = ItemReceipt::Refused {
            reason: RefusalReason::ReplayedSequence,
            detail: "word ".repeat(80),
        };
        let receipt = Receipt {
            batch: Digest::of(b"batch"),
            items: vec![refused; MAX_ITEMS],
            marks: vec!["clock_behind".to_owned()],
        };
        let bytes = serde_json::to_vec(&receipt).unwrap().len();
        assert!(bytes <= MAX_ANSWER, "{bytes} bytes");
    }
}
