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
use clause9_otlp::Exporting;
use clause9_shared::canonical::NotCanonical;
use clause9_shared::ids::{AgentId, BootId};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::admin::Admin;
use crate::capture::doors::Doors;
use crate::capture::reverse_proxy::Proxy;
use crate::capture::tls::Certificates;
use crate::clock;
use crate::config::{AgentConfig, AgentPlan, Objectives};
use crate::decode::{self, Decoders};
use crate::identity::IdentityError;
use crate::monitor::{Command, Intake, MAX_COMMANDS, Monitor, Unplanned};
use crate::outbox::Outbox;
use crate::outcomes::Outcomes;
use crate::priority;
use crate::pull::{Puller, Standing};
use crate::reload::Reloading;
use crate::sample;
use crate::service::{self, Speaks};
use crate::ship::client::Client;
use crate::ship::{Sealer, ShipError, Shipper};
use crate::sink::{Reader, Sink};
use crate::telemetry::Telemetry;

use self::topics::Topics;

mod parts;
mod topics;

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
    /// Topics cannot be read as configured.
    #[error("{0}")]
    Kafka(String),
    /// The objectives have no name: a number that JSON cannot hold.
    #[error("the objectives cannot be named")]
    Unnamed(#[from] NotCanonical),
    /// The system gives no thread to the exporter.
    #[error("cannot start the thread that exports (otlp)")]
    Export(#[source] io::Error),
    /// A figure is named twice: a mistake in the program.
    #[error("cannot set up the metrics")]
    Telemetry(#[from] prometheus::Error),
}

/// The monitor, with objectives or before there are any.
#[derive(Debug)]
enum Watch {
    Planned(Box<Monitor>),
    Unplanned(Box<Unplanned>),
}

impl Watch {
    fn new(monitor: Unplanned, objectives: &Objectives) -> Result<Self, BuildError> {
        Ok(match objectives {
            Objectives::Files(capture) => Self::Planned(Box::new(monitor.with_files(capture)?)),
            Objectives::Pulled(_) => Self::Unplanned(Box::new(monitor)),
        })
    }

    /// Notes that from now on no request passes unseen, if it is known what is to be seen.
    fn begin(&self) {
        match self {
            Self::Planned(monitor) => monitor.begin(),
            Self::Unplanned(_) => {}
        }
    }

    fn run(self, runtime: &Runtime) {
        match self {
            Self::Planned(monitor) => monitor.run(runtime),
            Self::Unplanned(monitor) => monitor.run(runtime),
        }
    }
}

/// The proxy and where its clients connect.
type Path = (Arc<Proxy>, Doors);

/// An agent with its addresses bound, not yet serving.
#[derive(Debug)]
pub struct Agent {
    threads: Option<usize>,
    id: AgentId,
    telemetry: Telemetry,
    /// The proxy and where its clients connect; none of a sink alone.
    path: Option<Path>,
    sink: Option<(TcpListener, Arc<Sink>)>,
    reader: Option<Reader>,
    certificates: Option<Arc<Certificates>>,
    client: Option<Arc<Client>>,
    admin: (TcpListener, Arc<Admin>),
    outcomes: (TcpListener, Arc<Outcomes>),
    monitor: Watch,
    /// Who asks for objectives, if they are no files.
    puller: Option<Puller>,
    commands: mpsc::Sender<Command>,
    outbox: Option<Arc<Outbox>>,
    shipper: Option<Shipper>,
    stopping: watch::Sender<bool>,
    /// Whose thread tells others of the agent's own work, if anybody is told.
    exporting: Option<Exporting>,
}

/// Puts an agent together with every known protocol, and those that are configured.
pub fn build(plan: AgentPlan) -> Result<Agent, BuildError> {
    let decoders = decode::with(&plan.protocols);
    build_with(plan, decoders)
}

/// Puts an agent together with these protocols.
pub fn build_with(plan: AgentPlan, decoders: Decoders) -> Result<Agent, BuildError> {
    let telemetry = Telemetry::new()?;
    let (exporting, traces) = parts::told(&plan, &telemetry)?;
    let AgentPlan {
        config,
        upstream,
        certificates,
        collector,
        objectives,
        event_time_header,
        ..
    } = plan;
    let ((key, id), system_key) = parts::keys(&config)?;
    let boot = BootId(clock::wall().micros().unsigned_abs());
    let (stopping, stop) = watch::channel(false);

    let of = (&objectives, event_time_header.as_ref());
    let (recorder, exchanges) = parts::recorder(&config, of, telemetry.clone());
    let outbox = parts::outbox(&config, &telemetry, traces);
    let standing = Arc::new(Standing::new(telemetry.clone()));
    let plans = parts::plans(&config, system_key, boot, (outbox.as_ref(), &standing));
    let (system, salt) = (objectives.system().clone(), sample::salt_id(&system_key));
    let (commands, asked) = mpsc::channel(MAX_COMMANDS);
    let whose = (key.clone(), boot, system.clone(), salt);
    let to = (collector.as_ref(), outbox.as_ref());
    let (shipper, way, refused) = parts::shipping(&config, to, (whose, id), &telemetry, &commands)?;
    let whom = (&objectives, collector.as_ref());
    let puller = parts::puller(&config, whom, (key.clone(), &standing), &commands)?;
    let sealer = Sealer::new(key, boot, system.clone(), config.clock);
    let upstream = (upstream, certificates.as_ref());
    let path = parts::path(&config, upstream, &recorder, decoders)?;
    let (reader, sink) = parts::ways_in(&config, of, &telemetry, &commands)?;
    let monitor = Unplanned {
        recorder,
        asked: (exchanges, asked),
        intake: Intake::new(parts::joins(&config), plan.shapes, decoders),
        shipping: outbox.clone().map(|outbox| (sealer, outbox)),
        on_the_way: way,
        plans,
    };
    let admin = Admin {
        agent: id,
        boot,
        system,
        clock: config.clock,
        telemetry: telemetry.clone(),
        outbox: outbox.clone(),
        refused,
        standing: Arc::clone(&standing),
        proxy: path.as_ref().map(|(proxy, _)| Arc::clone(proxy)),
        monitor: commands.clone(),
        stopping: stop,
    };
    Ok(Agent {
        threads: config.threads,
        id,
        outcomes: parts::outcomes(&config, &telemetry, &commands, standing)?,
        telemetry,
        path,
        sink,
        reader,
        certificates,
        client: collector.map(|(_, client)| client),
        admin: (parts::listen("admin", config.admin)?, Arc::new(admin)),
        monitor: Watch::new(monitor, &objectives)?,
        puller,
        commands,
        outbox,
        shipper,
        stopping,
        exporting,
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

    /// Where clients connect; an error if there is no proxy.
    pub fn data_address(&self) -> io::Result<SocketAddr> {
        let path = self.path.as_ref();
        path.map_or(Err(io::ErrorKind::NotFound.into()), |(_, d)| d.address())
    }

    /// Where the sink takes deliveries; an error if there is none.
    pub fn sink_address(&self) -> io::Result<SocketAddr> {
        let sink = self.sink.as_ref();
        sink.map_or(Err(io::ErrorKind::NotFound.into()), |(l, _)| l.local_addr())
    }

    /// What can be read again while the agent runs.
    pub fn reloading(&self) -> Reloading {
        Reloading::new(
            self.certificates.clone(),
            self.client.clone(),
            self.telemetry.clone(),
        )
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
        let (pull_stop, pull_stopped) = watch::channel(false);
        let pulling = self.puller.map(|puller| pulling(puller, pull_stopped));
        let pulling = pulling.transpose()?;
        let (keep_stop, keep_stopped) = watch::channel(false);
        let keeping = self.outbox.map(|outbox| keeping(outbox, keep_stopped));
        let keeping = keeping.transpose()?;
        let shipper = self.shipper;
        let shipping = shipper.map(|shipper| shipping(shipper, ship_stopped));
        let shipping = shipping.transpose()?;
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
        let (told_stop, told_stopped) = watch::channel(false);
        let told = match self.sink {
            Some((listener, sink)) => {
                let runtime = single()?;
                Some(spawn("clause9-sink", move || {
                    priority::lower("sink");
                    if let Err(error) = runtime.block_on(told_server(listener, &sink, told_stopped))
                    {
                        tracing::error!(%error, "the sink's address is not served");
                    }
                })?)
            }
            None => None,
        };
        let topics = self.reader.map(Topics::start).transpose()?;
        tracing::info!(agent = %self.id, "serving");
        serve(&data_path, self.path, &self.stopping, shutdown)?;
        data_path.shutdown_background();
        // What came in is still counted before panes are shipped.
        let _ = told_stop.send(true);
        topics.iter().for_each(Topics::stop);
        told.into_iter().for_each(join);
        topics.into_iter().for_each(Topics::end);
        let _ = pull_stop.send(true);
        pulling.into_iter().for_each(join);
        stop_monitor(&self.commands, monitor);
        let _ = ship_stop.send(true);
        shipping.into_iter().for_each(join);
        let _ = keep_stop.send(true);
        keeping.into_iter().for_each(join);
        let _ = side_stop.send(true);
        join(side);
        // Nobody waits for it but the end of the process, and that not for long.
        self.exporting.into_iter().for_each(Exporting::end);
        tracing::info!("stopped");
        Ok(())
    }
}

/// Serves the data path until told to stop, and lets what is under way end.
fn serve(
    runtime: &Runtime,
    path: Option<Path>,
    stopping: &watch::Sender<bool>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    runtime.block_on(async {
        let serving = path.map(|(proxy, doors)| {
            let stop = stopping.subscribe();
            tokio::spawn(proxy.serve(doors, stop))
        });
        shutdown.await;
        tracing::info!("stopping: finishing what is under way");
        let _ = stopping.send(true);
        match serving {
            Some(serving) => serving.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    })
}

fn shipping(shipper: Shipper, stop: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let runtime = single()?;
    spawn("clause9-ship", move || {
        priority::lower("shipping");
        runtime.block_on(shipper.run(stop));
    })
}

/// Asks for objectives, on a thread that may take its time to read them.
fn pulling(puller: Puller, stop: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let runtime = single()?;
    spawn("clause9-pull", move || {
        priority::lower("pulling");
        runtime.block_on(puller.run(stop));
    })
}

/// Writes batches to disk, on a thread that may wait for it.
fn keeping(outbox: Arc<Outbox>, stop: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
    let runtime = single()?;
    spawn("clause9-outbox", move || {
        priority::lower("outbox");
        runtime.block_on(outbox.keep(stop));
    })
}

async fn told_server(
    listener: TcpListener,
    sink: &Arc<Sink>,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let door = Arc::clone(sink);
    service::serve(listener, Speaks::OneAndTwo, stop, move |r| {
        Arc::clone(&door).handle(r)
    })
    .await;
    sink.drained().await;
    Ok(())
}

async fn side_servers(
    (admin_listener, admin): (TcpListener, Arc<Admin>),
    (outcomes_listener, outcomes): (TcpListener, Arc<Outcomes>),
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let admin_listener = tokio::net::TcpListener::from_std(admin_listener)?;
    let outcomes_listener = tokio::net::TcpListener::from_std(outcomes_listener)?;
    let admin = service::serve(admin_listener, Speaks::One, stop.clone(), move |r| {
        Arc::clone(&admin).handle(r)
    });
    let outcomes = service::serve(outcomes_listener, Speaks::One, stop, move |r| {
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
