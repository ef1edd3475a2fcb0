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
use crate::decode::{ANY_POST, AnyPost, DECODERS, Decoder, Decoders, JsonRows, Mapping, mapping};
use crate::exchange::Exchange;
use crate::telemetry::Telemetry;

/// Longest path that is told, in letters.
const MAX_PATH: usize = 256;

/// Every protocol, and last every other POST.
fn observed_protocols() -> Decoders {
    static ALL: std::sync::OnceLock<Vec<&'static dyn Decoder>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let last: &'static dyn Decoder = &AnyPost;
        DECODERS.iter().copied().chain([last]).collect()
    })
}

/// A POST that no protocol has.
fn of_no_protocol(exchange: &Exchange, own: Option<(&str, &str)>) -> Observed {
    let path = exchange.target.path();
    let unsupported = UndecodableReason::Unsupported;
    let own = own.filter(|(own, model)| {
        JsonRows::new(own, model, "", "").is_ok_and(|own| own.matches(&exchange.method, path))
    });
    let found = own.map_or(Err(unsupported), |_| mapping(exchange));
    let decoded = found.as_ref().map_err(|why| *why).and_then(|found| {
        let (path, model) = own.ok_or(unsupported)?;
        let rows = JsonRows::new(path, model, &found.rows, &found.answers);
        rows.map_err(|_| unsupported)?.decode(exchange)
    });
    Observed {
        protocol: None,
        path: path.chars().take(MAX_PATH).collect(),
        mapping: found.ok(),
        addressed: own.map(|(_, model)| model.to_owned()),
        decoded,
    }
}

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

/// A POST: of a known protocol, or of none.
#[derive(Debug)]
pub struct Observed {
    /// Which protocol's path it came by; none where no protocol has it.
    pub protocol: Option<&'static str>,
    /// The path, as far as it is kept.
    pub path: String,
    /// Of a path that was named: where its JSON seems to have rows and answers.
    pub mapping: Option<Mapping>,
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
            proxy: Arc::new(Proxy::new(
                upstream,
                Arc::new(recorder),
                observed_protocols(),
                drain,
            )),
            exchanges,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.doors.address()
    }

    /// Lets traffic through and shows each exchange of a known protocol, and each other POST, to `look`,
    /// until that says false or `enough` is ready; then lets what is under way end. Of others, only
    /// those to the path of one's own (`*` is any one segment), with the model they are to, are understood.
    ///
    /// No request waits for `look`: exchanges that it is too slow for pass unseen.
    pub async fn run(
        mut self,
        own: Option<(&str, &str)>,
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
            let path = exchange.target.path();
            let observed = if decoder.name() == ANY_POST {
                of_no_protocol(&exchange, own)
            } else {
                Observed {
                    protocol: Some(decoder.name()),
                    path: path.chars().take(MAX_PATH).collect(),
                    mapping: None,
                    addressed: decoder.addressed(path).map(Into::into),
                    decoded: decoder.decode(&exchange),
                }
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
