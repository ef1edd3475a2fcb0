//! The data path without any measuring: traffic passes through as it does through an agent, and what is
//! understood of it is shown to whoever wants to learn what a model is asked and what it answers.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use clause9_shared::inference::Inference;
use clause9_shared::time::{Clock, Span};
use clause9_shared::window::UndecodableReason;
use tokio::sync::{mpsc, watch};

use crate::capture::doors::Doors;
use crate::capture::panes::PaneTable;
use crate::capture::reverse_proxy::Proxy;
use crate::capture::{Budget, Captured, Recorder};
use crate::clock::SystemClock;
use crate::config::{DrainConfig, LimitsConfig, Upstream};
use crate::decode::DECODERS;
use crate::telemetry::Telemetry;

/// Why traffic cannot be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Threads, sockets: what the machine lacks.
    #[error("cannot serve")]
    Serve(#[from] io::Error),
    /// A figure is named twice: a mistake in the program.
    #[error("cannot set up the metrics")]
    Telemetry(#[from] prometheus::Error),
}

/// An exchange of a known protocol.
#[derive(Debug)]
pub struct Observed {
    /// Which protocol's path it came by.
    pub protocol: &'static str,
    /// The model that its path names, if it does.
    pub addressed: Option<String>,
    /// What was understood, or why nothing was.
    pub decoded: Result<Inference, UndecodableReason>,
}

/// A data path that is bound and not serving yet.
#[derive(Debug)]
pub struct Observation {
    doors: Doors,
    proxy: Arc<Proxy>,
    exchanges: mpsc::Receiver<Captured>,
}

impl Observation {
    /// Binds the address. Nothing is let through before [`run`](Self::run).
    pub fn bind(listen: SocketAddr, upstream: Upstream) -> Result<Self, ObserveError> {
        let telemetry = Telemetry::new()?;
        let limits = LimitsConfig::default();
        let (queue, exchanges) = mpsc::channel(limits.queue_exchanges);
        let recorder = Recorder {
            // Nothing is counted by panes here; one long one takes all.
            panes: PaneTable::new(Span::from_days(365)),
            budget: Arc::new(Budget::new(limits.queue_bytes)),
            clock: Arc::new(SystemClock::new(Clock::Live)),
            not_inference: telemetry.exchanges.with_label_values(&["not_inference"]),
            telemetry,
            body_bytes: limits.body_bytes,
            event_time_header: None,
            queue,
        };
        let drain = DrainConfig::default();
        let doors = Doors::tcp(listen, None).map_err(|source| ObserveError::Listen {
            address: listen,
            source,
        })?;
        Ok(Self {
            doors,
            proxy: Arc::new(Proxy::new(upstream, Arc::new(recorder), DECODERS, drain)),
            exchanges,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.doors.address()
    }

    /// Lets traffic through and shows each exchange of a known protocol to `look`, until that says
    /// false or `enough` is ready; then lets what is under way end.
    ///
    /// No request waits for `look`: exchanges that it is too slow for pass unseen.
    pub async fn run(
        mut self,
        enough: impl Future<Output = ()>,
        mut look: impl FnMut(Observed) -> bool,
    ) -> Result<(), ObserveError> {
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(self.proxy.serve(self.doors, stopped));
        let mut enough = std::pin::pin!(enough);
        loop {
            let captured = tokio::select! {
                () = &mut enough => break,
                captured = self.exchanges.recv() => captured,
            };
            let Some(captured) = captured else { break };
            let Captured {
                mut exchange,
                decoder,
                held,
                small,
                served: _,
            } = captured;
            small.settle(&mut exchange);
            let observed = Observed {
                protocol: decoder.name(),
                addressed: decoder.addressed(exchange.target.path()).map(Into::into),
                decoded: decoder.decode(&exchange),
            };
            drop((exchange, held));
            if !look(observed) {
                break;
            }
        }
        let _ = stop.send(true);
        serving.await.unwrap_or(Ok(()))?;
        Ok(())
    }
}
