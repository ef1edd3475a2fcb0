//! Putting the agent together and running it: the data path on its own runtime; monitor, shipping and
//! the small servers on a thread each.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use clause9_shared::ids::{AgentId, BootId};
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Span;
use http::HeaderName;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::admin::Admin;
use crate::capture::doors::Doors;
use crate::capture::panes::PaneTable;
use crate::capture::reverse_proxy::Proxy;
use crate::capture::tls::Certificates;
use crate::capture::{Budget, Captured, Recorder};
use crate::clock::{self, SystemClock};
use crate::config::{AgentConfig, AgentPlan};
use crate::decode::{self, Decoders};
use crate::engine::{Engine, Settings};
use crate::identity::{self, IdentityError};
use crate::monitor::{Command, MAX_COMMANDS, Monitor};
use crate::outcomes::{Outcomes, Turns};
use crate::priority;
use crate::reload::Reloading;
use crate::sample::{self, Sampler};
use crate::service;
use crate::ship::outbox::Outbox;
use crate::ship::{RefusedItems, Sealer, ShipError, Shipper};
use crate::telemetry::Telemetry;

/// How long the monitor may take to close its panes when the agent ends.
const LAST_WORK: Duration = Duration::from_secs(10);

/// Why an agent could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An address is taken, or not ours.
    #[error("cannot listen on {address} ({what})")]
    Listen {
        /// Which key of the configuration.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A Unix socket cannot be made.
    #[error("cannot listen on {} (listen_unix)", path.display())]
    ListenUnix {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret cannot be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The shipping cannot be set up.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// A figure is named twice: a mistake in the program.
    #[error("cannot set up the metrics")]
    Telemetry(#[from] prometheus::Error),
}

/// An agent with its addresses bound, not yet serving.
#[derive(Debug)]
pub struct Agent {
    threads: Option<usize>,
    id: AgentId,
    telemetry: Telemetry,
    data: Doors,
    certificates: Option<Arc<Certificates>>,
    admin: (TcpListener, Arc<Admin>),
    outcomes: (TcpListener, Arc<Outcomes>),
    proxy: Arc<Proxy>,
    monitor: Monitor,
    commands: mpsc::Sender<Command>,
    shipper: Option<Shipper>,
    stopping: watch::Sender<bool>,
}

/// Puts an agent together with every known protocol, and those that are configured.
pub fn build(plan: AgentPlan) -> Result<Agent, BuildError> {
    let decoders = decode::with(&plan.protocols);
    build_with(plan, decoders)
}

/// Puts an agent together with these protocols.
pub fn build_with(plan: AgentPlan, decoders: Decoders) -> Result<Agent, BuildError> {
    let AgentPlan {
        config,
        upstream,
        certificates,
        collector,
        capture,
        event_time_header,
        protocols: _,
    } = plan;
    let telemetry = Telemetry::new()?;
    let (key, id) = identity::signing_key(&config.state_dir)?;
    let system_key = system_key(&config)?;
    let token = outcomes_token(&config)?;
    let boot = BootId(clock::wall().micros().unsigned_abs());
    let document = capture.document().clone();
    let (stopping, stop) = watch::channel(false);

    let limits = config.limits;
    let (queue, exchanges) = mpsc::channel(limits.queue_exchanges);
    let recorder = Arc::new(recorder(
        &config,
        document.panes.length,
        telemetry.clone(),
        event_time_header,
        queue,
    ));
    let engine = Engine::new(settings(&config, capture, system_key));
    let refused = Arc::new(RefusedItems::default());
    let (outbox, shipper) = shipping(&config, collector.as_ref(), &refused, &telemetry)?;
    let system = document.system.id.clone();
    let sealer = Sealer::new(key, boot, system, config.clock);
    let sealing = outbox.clone().map(|outbox| (sealer, outbox));
    let (commands, asked) = mpsc::channel(MAX_COMMANDS);
    let seen_by = Arc::clone(&recorder);
    let proxy = Arc::new(Proxy::new(upstream, seen_by, decoders, config.drain));
    let admin = Admin {
        agent: id,
        boot,
        system: document.system.id.clone(),
        clock: config.clock,
        telemetry: telemetry.clone(),
        outbox,
        refused,
        proxy: Arc::clone(&proxy),
        monitor: commands.clone(),
        stopping: stop,
    };
    let outcomes = Outcomes {
        token,
        clock: config.clock,
        telemetry: telemetry.clone(),
        monitor: commands.clone(),
        turns: Turns::default(),
    };
    Ok(Agent {
        threads: config.threads,
        id,
        telemetry,
        data: doors(&config, certificates.clone())?,
        certificates,
        admin: (listen("admin", config.admin)?, Arc::new(admin)),
        outcomes: (
            listen("outcomes.listen", config.outcomes.listen)?,
            Arc::new(outcomes),
        ),
        proxy,
        monitor: Monitor::new(engine, recorder, document, exchanges, asked, sealing),
        commands,
        shipper,
        stopping,
    })
}

fn settings(config: &AgentConfig, plan: Arc<CapturePlan>, system_key: [u8; 32]) -> Settings {
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

fn recorder(
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
fn shipping(
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

fn outcomes_token(config: &AgentConfig) -> Result<String, IdentityError> {
    let bytes = match &config.outcomes.token_file {
        Some(path) => identity::load("outcomes token", path)?,
        None => {
            identity::load_or_create("outcomes token", &config.state_dir.join("outcomes.token"))?
                .bytes
        }
    };
    Ok(identity::hex(&bytes))
}

fn doors(
    config: &AgentConfig,
    certificates: Option<Arc<Certificates>>,
) -> Result<Doors, BuildError> {
    let doors = Doors::tcp(config.listen, certificates).map_err(|source| BuildError::Listen {
        what: "listen",
        address: config.listen,
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

fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, BuildError> {
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

impl Agent {
    /// Which agent.
    pub const fn id(&self) -> AgentId {
        self.id
    }

    /// The agent's own figures.
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Where clients connect.
    pub fn data_address(&self) -> io::Result<SocketAddr> {
        self.data.address()
    }

    /// What can be read again while the agent runs.
    pub fn reloading(&self) -> Reloading {
        Reloading::new(self.certificates.clone(), self.telemetry.clone())
    }

    /// Where /metrics and /status are.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.0.local_addr()
    }

    /// Where outcomes are posted.
    pub fn outcomes_address(&self) -> io::Result<SocketAddr> {
        self.outcomes.0.local_addr()
    }

    /// Serves until `shutdown` is ready, then ends in order: no longer ready, exchanges under way
    /// end, open panes are shipped, the outbox is emptied as far as it goes.
    pub fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let reloading = self.reloading();
        let data_path = data_runtime(self.threads)?;
        let (ship_stop, ship_stopped) = watch::channel(false);
        let (side_stop, side_stopped) = watch::channel(false);
        self.monitor.begin();
        let monitor = {
            let (runtime, monitor) = (single()?, self.monitor);
            spawn("clause9-monitor", move || {
                priority::lower("monitor");
                monitor.run(&runtime);
            })?
        };
        let shipping = match self.shipper {
            Some(shipper) => {
                let runtime = single()?;
                Some(spawn("clause9-ship", move || {
                    priority::lower("shipping");
                    runtime.block_on(shipper.run(ship_stopped));
                })?)
            }
            None => None,
        };
        let side = {
            let runtime = single()?;
            let (admin, outcomes) = (self.admin, self.outcomes);
            spawn("clause9-admin", move || {
                if let Err(error) = runtime.block_on(async {
                    let watching = tokio::spawn(reloading.watch());
                    let served = side_servers(admin, outcomes, side_stopped).await;
                    watching.abort();
                    served
                }) {
                    tracing::error!(%error, "the admin and outcomes addresses are not served");
                }
            })?
        };
        tracing::info!(agent = %self.id, "serving");
        let stopping = self.stopping;
        data_path.block_on(async {
            let serving = tokio::spawn(self.proxy.serve(self.data, stopping.subscribe()));
            shutdown.await;
            tracing::info!("stopping: finishing what is under way");
            let _ = stopping.send(true);
            serving.await.unwrap_or(Ok(()))
        })?;
        data_path.shutdown_background();
        stop_monitor(&self.commands, monitor);
        let _ = ship_stop.send(true);
        shipping.into_iter().for_each(join);
        let _ = side_stop.send(true);
        join(side);
        tracing::info!("stopped");
        Ok(())
    }
}

async fn side_servers(
    (admin_listener, admin): (TcpListener, Arc<Admin>),
    (outcomes_listener, outcomes): (TcpListener, Arc<Outcomes>),
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let admin_listener = tokio::net::TcpListener::from_std(admin_listener)?;
    let outcomes_listener = tokio::net::TcpListener::from_std(outcomes_listener)?;
    let admin = service::serve(admin_listener, stop.clone(), move |r| {
        Arc::clone(&admin).handle(r)
    });
    let outcomes = service::serve(outcomes_listener, stop, move |r| {
        Arc::clone(&outcomes).handle(r)
    });
    tokio::join!(admin, outcomes);
    Ok(())
}

fn data_runtime(threads: Option<usize>) -> io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.thread_name("clause9-data").enable_all().build()
}

fn single() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work)
}

/// Has the monitor ship what it holds and end. One that is stuck is left behind: what is in the outbox
/// is to be shipped all the same, and the process is to end.
fn stop_monitor(commands: &mpsc::Sender<Command>, monitor: JoinHandle<()>) {
    let begun = Instant::now();
    let mut told = false;
    while !monitor.is_finished() {
        told = told || commands.try_send(Command::Stop).is_ok();
        if begun.elapsed() > LAST_WORK {
            tracing::error!("the monitor did not end in time: what it held of open panes is lost");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    join(monitor);
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread panicked");
    }
}

/// Reads what the configuration names, builds the agent and runs it until `shutdown` is ready.
pub fn run(config: AgentConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let plan = AgentPlan::new(config).context("the configuration cannot be run")?;
    build(plan)?.run(shutdown)
}
