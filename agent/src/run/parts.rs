//! The parts of an agent, each made of what the configuration says.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Span;
use http::HeaderName;
use tokio::sync::mpsc;

use super::{BuildError, Path};
use crate::capture::doors::Doors;
use crate::capture::panes::PaneTable;
use crate::capture::reverse_proxy::Proxy;
use crate::capture::tls::Certificates;
use crate::capture::{Budget, Captured, Recorder};
use crate::clock::SystemClock;
use crate::config::{AgentConfig, SinkConfig, Upstream};
use crate::decode::Decoders;
use crate::engine::Settings;
use crate::identity::{self, IdentityError};
use crate::monitor::Command;
use crate::outcomes::{Outcomes, Turns};
use crate::sample::{self, Sampler};
use crate::ship::outbox::Outbox;
use crate::ship::{RefusedItems, ShipError, Shipper};
use crate::sink::{Bounds, Joins, Naming, Sink};
use crate::telemetry::Telemetry;

/// The proxy and its doors.
pub(super) fn path(
    config: &AgentConfig,
    (address, upstream): (SocketAddr, Upstream),
    recorder: &Arc<Recorder>,
    decoders: Decoders,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Path, BuildError> {
    let proxy = Proxy::new(upstream, Arc::clone(recorder), decoders, config.drain);
    let doors = doors(config, address, certificates.cloned())?;
    Ok((Arc::new(proxy), doors))
}

/// The sink's door, if there is one.
pub(super) fn sink(
    config: &AgentConfig,
    event_time_header: Option<HeaderName>,
    naming: Naming,
    telemetry: &Telemetry,
    commands: &mpsc::Sender<Command>,
) -> Result<Option<(TcpListener, Arc<Sink>)>, BuildError> {
    let Some(wanted) = &config.sink else {
        return Ok(None);
    };
    let token = sink_token(config, wanted)?;
    if token.is_none() && !wanted.listen.ip().is_loopback() {
        tracing::warn!(
            address = %wanted.listen,
            "the sink takes what anybody sends who reaches it (sink.open); keep others out of this network"
        );
    }
    let bounds = Bounds {
        delivery: wanted.delivery_bytes,
        body: config.limits.body_bytes,
    };
    let sink = Sink::new(
        token,
        bounds,
        event_time_header,
        naming,
        telemetry.clone(),
        commands.clone(),
    );
    let listener = listen("sink.listen", wanted.listen)?;
    Ok(Some((listener, Arc::new(sink))))
}

pub(super) fn sink_token(
    config: &AgentConfig,
    wanted: &SinkConfig,
) -> Result<Option<String>, IdentityError> {
    if wanted.open {
        return Ok(None);
    }
    let bytes = match &wanted.token_file {
        Some(path) => identity::load("sink token", path)?,
        None => identity::load_or_create("sink token", &config.state_dir.join("sink.token"))?.bytes,
    };
    Ok(Some(identity::hex(&bytes)))
}

pub(super) fn joins(config: &AgentConfig) -> Joins {
    let wanted = config.sink.as_ref();
    wanted.map_or(Joins::new(0, Span::ZERO), |sink| {
        Joins::new(sink.joining_bytes, sink.joining)
    })
}

/// The outcomes' address.
pub(super) fn outcomes(
    config: &AgentConfig,
    telemetry: &Telemetry,
    commands: &mpsc::Sender<Command>,
) -> Result<(TcpListener, Arc<Outcomes>), BuildError> {
    let outcomes = Outcomes {
        token: outcomes_token(config)?,
        clock: config.clock,
        telemetry: telemetry.clone(),
        monitor: commands.clone(),
        turns: Turns::default(),
    };
    let listener = listen("outcomes.listen", config.outcomes.listen)?;
    Ok((listener, Arc::new(outcomes)))
}

pub(super) fn settings(
    config: &AgentConfig,
    plan: Arc<CapturePlan>,
    system_key: [u8; 32],
) -> Settings {
    Settings {
        baseline: plan.baseline().digest(),
        plan,
        sampler: Sampler::new(system_key, config.sampling.rate),
        salt: sample::salt_id(&system_key),
        clock: config.clock,
        remembered: config.limits.remembered_predictions,
        remembered_bytes: config.limits.remembered_bytes,
        waiting: config.limits.waiting_outcomes,
    }
}

pub(super) fn recorder(
    config: &AgentConfig,
    pane: Span,
    telemetry: Telemetry,
    event_time_header: Option<HeaderName>,
    queue: mpsc::Sender<Captured>,
) -> Recorder {
    Recorder {
        panes: PaneTable::new(pane),
        budget: Arc::new(Budget::new(config.limits.queue_bytes)),
        clock: Arc::new(SystemClock::new(config.clock)),
        not_inference: telemetry.exchanges.with_label_values(&["not_inference"]),
        telemetry,
        body_bytes: config.limits.body_bytes,
        event_time_header,
        queue,
    }
}

/// Outbox and shipper, if there is a collector to ship to.
pub(super) fn shipping(
    config: &AgentConfig,
    collector: Option<&reqwest::Url>,
    refused: &Arc<RefusedItems>,
    telemetry: &Telemetry,
) -> Result<(Option<Arc<Outbox>>, Option<Shipper>), ShipError> {
    let Some(address) = collector else {
        return Ok((None, None));
    };
    let folder = config.state_dir.join("outbox");
    let outbox = Outbox::open(folder, config.limits.outbox_bytes, telemetry.clone());
    let outbox = Arc::new(outbox);
    let waiting = Arc::clone(&outbox);
    let shipper = Shipper::new(address, waiting, Arc::clone(refused), telemetry.clone())?;
    Ok((Some(outbox), Some(shipper)))
}

pub(super) fn system_key(config: &AgentConfig) -> Result<[u8; 32], IdentityError> {
    if let Some(path) = &config.system_key_file {
        return identity::load("system key", path);
    }
    let secret = identity::load_or_create("system key", &config.state_dir.join("system.key"))?;
    if secret.created {
        tracing::warn!(
            "created a new system key in the state folder; all replicas of the system must have the same one (system_key_file)"
        );
    }
    Ok(secret.bytes)
}

pub(super) fn outcomes_token(config: &AgentConfig) -> Result<String, IdentityError> {
    let bytes = match &config.outcomes.token_file {
        Some(path) => identity::load("outcomes token", path)?,
        None => {
            identity::load_or_create("outcomes token", &config.state_dir.join("outcomes.token"))?
                .bytes
        }
    };
    Ok(identity::hex(&bytes))
}

pub(super) fn doors(
    config: &AgentConfig,
    address: SocketAddr,
    certificates: Option<Arc<Certificates>>,
) -> Result<Doors, BuildError> {
    let doors = Doors::tcp(address, certificates).map_err(|source| BuildError::Listen {
        what: "listen",
        address,
        source,
    })?;
    match &config.listen_unix {
        Some(path) => doors
            .and_unix(path)
            .map_err(|source| BuildError::ListenUnix {
                path: path.clone(),
                source,
            }),
        None => Ok(doors),
    }
}

pub(super) fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, BuildError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| BuildError::Listen {
        what,
        address,
        source,
    })
}
