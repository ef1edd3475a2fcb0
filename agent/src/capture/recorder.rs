//! What the whole data path shares for capturing: the panes, the budget, and the queue to the monitor.

use std::sync::Arc;

use clause9_shared::service::Served;
use clause9_shared::time::Timestamp;
use clause9_shared::window::{DropReason, PaneStart};
use http::{HeaderMap, HeaderName};
use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::capture::budget::{Budget, Reservation};
use crate::capture::panes::{Admission, PaneTable};
use crate::capture::small::Small;
use crate::clock::SystemClock;
use crate::decode::Decoder;
use crate::exchange::Exchange;
use crate::telemetry::Telemetry;

/// A whole exchange on its way to the monitor. Its share of the budget comes back when it is dropped.
pub struct Captured {
    /// What was seen.
    pub exchange: Exchange,
    /// The protocol whose path it came by.
    pub decoder: &'static dyn Decoder,
    /// What it holds of the budget.
    pub held: Reservation,
    /// Small bodies, until [`Small::settle`] puts them into the exchange.
    pub(crate) small: Small,
    /// How it was served; filled in when it has ended.
    pub served: Served,
}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured")
            .field("decoder", &self.decoder.name())
            .finish_non_exhaustive()
    }
}

/// Hands exchanges over, or counts why not.
#[derive(Debug)]
pub struct Recorder {
    /// Counts per open pane.
    pub panes: PaneTable,
    /// Bytes held.
    pub budget: Arc<Budget>,
    /// The system's clock.
    pub clock: Arc<SystemClock>,
    /// The agent's own figures.
    pub telemetry: Telemetry,
    /// Longest body that is captured.
    pub body_bytes: usize,
    /// The trusted header with the time of arrival.
    pub event_time_header: Option<HeaderName>,
    /// The queue to the monitor.
    pub queue: mpsc::Sender<Captured>,
    /// Resolved once, since health checks may come often.
    pub not_inference: IntCounter,
}

impl Recorder {
    /// Counts a request that came in and says whether to capture it.
    pub fn arrive(&self, headers: &HeaderMap, inference: bool) -> Admission {
        let told = self
            .event_time_header
            .as_ref()
            .and_then(|name| headers.get(name));
        let told = told.and_then(|value| value.to_str().ok()?.parse::<Timestamp>().ok());
        self.arrive_at(told, inference)
    }

    /// The same for one of which somebody says when it came in: that, if it can be believed, else now.
    pub fn arrive_at(&self, told: Option<Timestamp>, inference: bool) -> Admission {
        self.telemetry.seen.inc();
        let now = self.clock.now();
        let at = match self.clock.kind() {
            // A live clock is not pushed by clients: no pane of the future can be opened.
            clause9_shared::time::Clock::Live => told.filter(|t| Some(*t) <= now).or(now),
            clause9_shared::time::Clock::Replay => told.or(now),
        };
        let admission = self.panes.arrive(at, inference);
        match admission {
            Admission::Capture(..) => {}
            Admission::NotInference => self.not_inference.inc(),
            Admission::Unmonitored => {
                let fates = &self.telemetry.exchanges;
                fates.with_label_values(&["unmonitored"]).inc();
            }
            Admission::Dropped(reason) => self.telemetry.count_dropped(reason, 1),
        }
        admission
    }

    /// Hands a whole exchange to the monitor without waiting.
    pub fn hand_over(&self, captured: Captured) {
        let pane = captured.exchange.pane;
        match self.queue.try_send(captured) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.let_go(pane, DropReason::QueueFull),
            Err(TrySendError::Closed(_)) => self.let_go(pane, DropReason::MonitorDown),
        }
    }

    /// Counts an exchange that is not handed over.
    pub fn let_go(&self, pane: PaneStart, reason: DropReason) {
        self.panes.drop_one(pane, reason);
        self.telemetry.count_dropped(reason, 1);
    }
}
