//! The parts of an agent, each made of what the configuration says.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use clause9_otlp::{Export, Exporting};
use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, SystemId};
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Span;
use ed25519_dalek::SigningKey;
use http::HeaderName;
use tokio::sync::mpsc;

use super::{BuildError, Path};
use crate::capture::doors::Doors;
use crate::capture::panes::PaneTable;
use crate::capture::reverse_proxy::Proxy;
use crate::capture::tls::Certificates;
use crate::capture::{Budget, Captured, Recorder};
use crate::clock::{self, SystemClock};
use crate::config::{AgentConfig, AgentPlan, Objectives, SinkConfig, Upstream};
use crate::decode::Decoders;
use crate::engine::shelf::Shelf;
use crate::engine::{Engine, Settings};
use crate::export::Traces;
use crate::identity::{self, IdentityError};
use crate::monitor::{Command, Plans};
use crate::outbox::disk::Folder;
use crate::outbox::{Outbox, Room};
use crate::outcomes::{Outcomes, Turns};
use crate::priority;
use crate::pull::{Cache, Puller, Pulling, Standing};
use crate::quarantine::Quarantine;
use crate::sample::{self, Sampler};
use crate::shelf::{DiskShelf, Setup};
use crate::ship::client::Client;
use crate::ship::{Asking, Https, Kafka, OnTheWay, Refusals, Route, ShipError, Shipper};
use crate::sink::{Bounds, Joins, Names, Naming, Reader, Sink};
use crate::telemetry::Telemetry;

/// Most bytes of batches in memory that the disk would not take.
const MOST_UNWRITTEN: usize = 16 << 20;

/// The proxy and its doors, if there is one.
pub(super) fn path(
    config: &AgentConfig,
    (ends, certificates): (Option<(SocketAddr, Upstream)>, Option<&Arc<Certificates>>),
    recorder: &Arc<Recorder>,
    decoders: Decoders,
) -> Result<Option<Path>, BuildError> {
    let Some((address, upstream)) = ends else {
        return Ok(None);
    };
    let proxy = Proxy::new(upstream, Arc::clone(recorder), decoders, config.drain);
    let doors = doors(config, address, certificates.cloned())?;
    Ok(Some((Arc::new(proxy), doors)))
}

/// The ways in beside the proxy: the reader of topics and the sink's door, if there are such.
pub(super) fn ways_in(
    config: &AgentConfig,
    (objectives, event_time_header): (&Objectives, Option<&HeaderName>),
    telemetry: &Telemetry,
    commands: &mpsc::Sender<Command>,
) -> Result<(Option<Reader>, Option<Door>), BuildError> {
    let Some(document) = objectives.known().map(|capture| capture.document()) else {
        return Ok((None, None));
    };
    let naming = Naming::new(document);
    let system = document.system.id.as_str();
    let reader = reader(config, system, naming.clone(), telemetry, commands)?;
    let sink = sink(
        config,
        event_time_header.cloned(),
        naming,
        telemetry,
        commands,
    )?;
    Ok((reader, sink))
}

/// The sink, and where it listens.
type Door = (TcpListener, Arc<Sink>);

fn sink(
    config: &AgentConfig,
    event_time_header: Option<HeaderName>,
    naming: Naming,
    telemetry: &Telemetry,
    commands: &mpsc::Sender<Command>,
) -> Result<Option<Door>, BuildError> {
    let Some((wanted, address)) = config.sink.as_ref().and_then(|s| Some((s, s.listen?))) else {
        return Ok(None);
    };
    let token = sink_token(config, wanted)?;
    if token.is_none() && !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "the sink takes what anybody sends who reaches it (sink.open); keep others out of this network"
        );
    }
    let bounds = Bounds {
        delivery: wanted.delivery_bytes,
        body: config.limits.body_bytes,
    };
    let names = Names::new(&wanted.otlp, naming.only.clone());
    let sink = Sink::new(
        token,
        bounds,
        event_time_header,
        (naming, names),
        telemetry.clone(),
        commands.clone(),
    );
    let listener = listen("sink.listen", address)?;
    Ok(Some((listener, Arc::new(sink))))
}

/// The reader of topics, if there are any.
fn reader(
    config: &AgentConfig,
    system: &str,
    naming: Naming,
    telemetry: &Telemetry,
    commands: &mpsc::Sender<Command>,
) -> Result<Option<Reader>, BuildError> {
    let Some((sink, kafka)) = config
        .sink
        .as_ref()
        .and_then(|s| Some((s, s.kafka.as_ref()?)))
    else {
        return Ok(None);
    };
    let of = (system, sink.delivery_bytes);
    let reader = Reader::new(kafka, of, naming, telemetry.clone(), commands.clone());
    reader.map(Some).map_err(BuildError::Kafka)
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
    standing: Arc<Standing>,
) -> Result<(TcpListener, Arc<Outcomes>), BuildError> {
    let outcomes = Outcomes {
        token: outcomes_token(config)?,
        clock: config.clock,
        telemetry: telemetry.clone(),
        monitor: commands.clone(),
        standing,
        turns: Turns::default(),
    };
    let listener = listen("outcomes.listen", config.outcomes.listen)?;
    Ok((listener, Arc::new(outcomes)))
}

fn settings(config: &AgentConfig, plan: Arc<CapturePlan>, system_key: [u8; 32]) -> Settings {
    Settings {
        baseline: plan.baseline().digest(),
        plan,
        sampler: Sampler::new(system_key, config.sampling.rate),
        cap: config.sampling.cap(),
        salt: sample::salt_id(&system_key),
        clock: config.clock,
        remembered: config.limits.remembered_predictions,
        remembered_bytes: config.limits.remembered_bytes,
        waiting: config.limits.waiting_outcomes,
        forward_after: forwards(config).then_some(config.outcomes.forward_after),
    }
}

/// Whether other replicas are asked for requests that are not known here.
fn forwards(config: &AgentConfig) -> bool {
    config.outcomes.forward && config.collector.is_some()
}

/// Who is told of the agent's work, if anybody is. The thread that tells yields to the model's traffic.
pub(super) fn told(
    plan: &AgentPlan,
    telemetry: &Telemetry,
) -> Result<(Option<Exporting>, Traces), BuildError> {
    let start = |settings| {
        let counts = Arc::new(telemetry.otlp.clone());
        Export::start(settings, counts, || priority::lower("exporter"))
    };
    let exporting = plan.export.clone().map(start).transpose();
    let exporting = exporting.map_err(BuildError::Export)?;
    let export = exporting.as_ref().map(Exporting::export);
    Ok((exporting, Traces::new(export, plan.objectives.system())))
}

/// The outbox, if there is a collector.
pub(super) fn outbox(
    config: &AgentConfig,
    telemetry: &Telemetry,
    traces: Traces,
) -> Option<Arc<Outbox>> {
    if !config.ships() {
        return None;
    }
    let folder = Folder::new(config.state_dir.join("outbox"));
    let room = Room {
        bytes: config.limits.outbox_bytes,
        memory: config.limits.outbox_bytes.min(MOST_UNWRITTEN),
    };
    let outbox = Outbox::open(folder, room, telemetry.clone(), clock::wall());
    Some(Arc::new(outbox.with_traces(traces)))
}

/// Who ships and asks: key, run, system, and the public name of the system's key.
type Whose = (SigningKey, BootId, SystemId, Digest);
/// Who delivers, what it carries for other replicas, and what the collector refused.
type Delivers = (Option<Shipper>, Option<Arc<OnTheWay>>, Refusals);

/// What asking other replicas takes, if they are asked.
fn asking(
    config: &AgentConfig,
    (key, boot, system, salt): Whose,
    telemetry: &Telemetry,
    monitor: &mpsc::Sender<Command>,
) -> (Option<Asking>, Option<Arc<OnTheWay>>) {
    if !forwards(config) {
        return (None, None);
    }
    let most = config.limits.waiting_outcomes;
    let on_the_way = Arc::new(OnTheWay::new(most, telemetry.clone()));
    let asking = Asking {
        key,
        boot,
        system,
        salt,
        clock: config.clock,
        on_the_way: Arc::clone(&on_the_way),
        monitor: monitor.clone(),
        telemetry: telemetry.clone(),
    };
    (Some(asking), Some(on_the_way))
}

/// What makes engines of plans, with their shelves.
pub(super) fn plans(
    config: &AgentConfig,
    system_key: [u8; 32],
    boot: BootId,
    (outbox, standing): (Option<&Arc<Outbox>>, &Arc<Standing>),
) -> Plans {
    // What an earlier run had put by concerns the first shelf alone.
    let mut restored = outbox.and_then(|outbox| outbox.restored());
    let (engines, shelves) = (config.clone(), config.clone());
    Plans::new(
        Box::new(move |plan| Engine::new(settings(&engines, plan, system_key))),
        Box::new(move |plan| {
            let settings = settings(&shelves, plan, system_key);
            shelf(&shelves, &settings, boot, restored.take())
        }),
        Arc::clone(standing),
    )
}

/// Where panes begin and end, as far as that is known.
fn panes(objectives: &Objectives) -> PaneTable {
    let known = objectives.known();
    known.map_or_else(PaneTable::unmonitored, |capture| {
        PaneTable::new(capture.document().panes.length)
    })
}

/// Who asks the collector for objectives, if they are no files.
pub(super) fn puller(
    config: &AgentConfig,
    (objectives, collector): (&Objectives, Option<&Collector>),
    (key, standing): (SigningKey, &Arc<Standing>),
    monitor: &mpsc::Sender<Command>,
) -> Result<Option<Puller>, ShipError> {
    let (Objectives::Pulled(system), Some((address, client))) = (objectives, collector) else {
        return Ok(None);
    };
    standing.pulled_since(clock::wall());
    let pulling = Pulling {
        system: system.clone(),
        key,
        client: Arc::clone(client),
        cache: Cache::new(config.state_dir.clone()),
        every: config.pull.every(),
        capped: config.sampling.cap.is_some(),
        monitor: monitor.clone(),
        standing: Arc::clone(standing),
    };
    Puller::new(address, pulling).map(Some)
}

/// Predictions on disk, if they are kept there.
fn shelf(
    config: &AgentConfig,
    settings: &Settings,
    boot: BootId,
    restored: Option<(u64, u64)>,
) -> Option<Box<dyn Shelf>> {
    if config.limits.remembered_disk_bytes == 0 {
        return None;
    }
    Some(Box::new(DiskShelf::open(Setup {
        folder: config.state_dir.join("joins"),
        bytes: config.limits.remembered_disk_bytes,
        plan: settings.plan.digest(),
        salt: settings.salt,
        clock: settings.clock,
        stride: Engine::packed_bytes(settings),
        boot: boot.0,
        horizon: settings.plan.document().panes.outcome_horizon,
        restored,
    })))
}

/// What the data path hands exchanges over by, and where they arrive.
pub(super) fn recorder(
    config: &AgentConfig,
    (objectives, event_time_header): (&Objectives, Option<&HeaderName>),
    telemetry: Telemetry,
) -> (Arc<Recorder>, mpsc::Receiver<Captured>) {
    let (queue, exchanges) = mpsc::channel(config.limits.queue_exchanges);
    let recorder = Recorder {
        panes: panes(objectives),
        budget: Arc::new(Budget::new(config.limits.queue_bytes)),
        clock: Arc::new(SystemClock::new(config.clock)),
        not_inference: telemetry.exchanges.with_label_values(&["not_inference"]),
        telemetry,
        body_bytes: config.limits.body_bytes,
        event_time_header: event_time_header.cloned(),
        queue,
    };
    (Arc::new(recorder), exchanges)
}

/// Where the collector is, and by what it is reached.
type Collector = (reqwest::Url, Arc<Client>);

/// By what batches reach the collector, if there is one.
fn route(
    config: &AgentConfig,
    collector: Option<&Collector>,
    of: (&str, AgentId),
    telemetry: &Telemetry,
) -> Result<Option<Route>, ShipError> {
    Ok(match (&config.collector_kafka, collector) {
        (Some(kafka), _) => {
            let kafka = Kafka::new(kafka, of, telemetry.clone())?;
            Some(Route::Kafka(Box::new(kafka)))
        }
        (None, Some((address, client))) => {
            Some(Route::Https(Https::new(address, Arc::clone(client))?))
        }
        (None, None) => None,
    })
}

/// The shipper, if there is a collector to ship to.
pub(super) fn shipping(
    config: &AgentConfig,
    (collector, outbox): (Option<&Collector>, Option<&Arc<Outbox>>),
    (whose, agent): (Whose, AgentId),
    telemetry: &Telemetry,
    monitor: &mpsc::Sender<Command>,
) -> Result<Delivers, ShipError> {
    let system = whose.2.clone();
    let (asking, on_the_way) = asking(config, whose, telemetry, monitor);
    let mut refusals = Refusals::default();
    let route = route(config, collector, (system.as_str(), agent), telemetry)?;
    let Some((route, outbox)) = route.zip(outbox) else {
        return Ok((None, on_the_way, refusals));
    };
    let folder = Folder::new(config.state_dir.join("quarantine"));
    let room = config.limits.quarantine_bytes;
    let quarantine = Arc::new(Quarantine::open(folder, room, telemetry.clone()));
    refusals.kept = Some(Arc::clone(&quarantine));
    let waiting = (Arc::clone(outbox), quarantine);
    let last = Arc::clone(&refusals.last);
    let shipper = Shipper::new(route, waiting, last, telemetry.clone());
    let shipper = match (asking, collector) {
        (Some(asking), Some((address, client))) => {
            shipper.with_forwarder(asking, (address, Arc::clone(client)))?
        }
        (None, _) | (Some(_), None) => shipper,
    };
    Ok((Some(shipper), on_the_way, refusals))
}

/// The agent's own key with its name, and the key of its system.
pub(super) fn keys(config: &AgentConfig) -> Result<Keys, IdentityError> {
    Ok((
        identity::signing_key(&config.state_dir)?,
        system_key(config)?,
    ))
}

type Keys = ((SigningKey, AgentId), [u8; 32]);

fn system_key(config: &AgentConfig) -> Result<[u8; 32], IdentityError> {
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
