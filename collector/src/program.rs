//! Puts the parts together: [`Collector::build`] validates and binds, [`Collector::run`] serves.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use clause9_otlp::{Export, Exporting};
use clause9_shared::digest::Digest;
use clause9_shared::wire::answer;
use tokio::sync::Notify;

use crate::access::guard::Gate;
use crate::clock::WallClock;
use crate::collect::{Inbox, Program, Writer, begin};
use crate::config::{CollectorConfig, CollectorPlan, TlsConfig};
use crate::enrolment::Roll;
use crate::enrolment::desk::Desk;
use crate::forward::Forwarding;
use crate::held::Held;
use crate::identity::signing_key;
use crate::kafka::{Reader, Reading};
use crate::known::Current;
use crate::listen::{Door, Limits};
use crate::log::{self, Notary, Witnesses};
use crate::receive::Uploads;
use crate::reload::{Parts, Reloading};
use crate::serve::{Hub, Shared, routes};
use crate::store::{self, Readers};
use crate::telemetry::Telemetry;
use clause9_shared::evidence::pen::Pen;

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Threads that serve requests.
const SERVERS: usize = 2;
/// How long answers under way are waited for when the collector is told to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// A collector that is bound to its address and has opened its register.
#[derive(Debug)]
pub struct Collector {
    listener: std::net::TcpListener,
    address: SocketAddr,
    limits: Limits,
    tls: Option<Arc<Held<TlsConfig>>>,
    shared: SharedParts,
    register: JoinHandle<()>,
    notary: Notary,
    witnesses: Option<Witnesses>,
    reader: Option<Reader>,
    exporting: Option<Exporting>,
}

struct SharedParts(Hub);

impl std::fmt::Debug for SharedParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

/// Runs a collector until `shutdown` completes.
pub fn run(
    config: &CollectorConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    Collector::build(config)?.run(shutdown)
}

impl Collector {
    /// Reads every file, opens the register, writes the start down and binds the address.
    pub fn build(config: &CollectorConfig) -> anyhow::Result<Self> {
        let mut plan = config.resolve()?;
        let mut known = std::mem::take(&mut plan.known);
        let clock = WallClock;
        let build = own_digest();
        let author = author();
        let listener = std::net::TcpListener::bind(plan.listen)
            .with_context(|| format!("cannot listen on {}", plan.listen))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut store = store::open(&plan.store)?;
        let pen = Pen {
            author: author.clone(),
            now: clock.now(),
        };
        let program = Program {
            version: VERSION,
            build,
            configuration: plan.digest,
        };
        let counts = begin(&mut store, &mut known, &program, &pen)?;
        let telemetry = Arc::new(Telemetry::new(VERSION)?);
        telemetry.count_records(&counts);
        let exporting = plan.otlp.take().map(|otlp| {
            let counts = Arc::clone(&telemetry);
            Export::start(otlp, counts, || ()).context("cannot start the thread that exports")
        });
        let exporting = exporting.transpose()?;
        let export = exporting.as_ref().map(Exporting::export);
        let known = Current::new(known);
        let mut writer = Writer {
            store,
            known: known.now(),
            current: known.clone(),
            telemetry: Arc::clone(&telemetry),
            export: export.clone(),
            clock,
            author,
            seal_grace: plan.seal_grace,
            clock_skew: plan.clock_skew,
            patience: std::collections::BTreeMap::new(),
        };
        if writer.look_around().is_err() {
            tracing::warn!("no system could be sealed at the start; it is tried again");
        }
        let (inbox, register) = writer.start()?;
        let (notary, witnesses) = checkpoints(&plan, &inbox, &telemetry)?;
        let reach = (inbox.clone(), known.clone());
        let reader = plan.kafka.as_ref().map(|kafka| {
            let key = signing_key(&plan.store)?;
            tracing::info!(id = %answer::signer(&key), "answers are signed under this id");
            let told = (Arc::clone(&telemetry), export.clone());
            Reader::new(kafka, key, reach, told).context("kafka cannot be read as configured")
        });
        let reader = reader.transpose()?;
        let tls = plan.tls.take().map(Arc::new);
        let limits = Limits::default();
        let reach = (inbox, telemetry, export, clock);
        Ok(Self {
            listener,
            address,
            limits,
            tls: tls.clone(),
            shared: SharedParts(hub(plan, known, tls, reach, limits)),
            register,
            notary,
            witnesses,
            reader,
            exporting,
        })
    }

    /// Sets what its listener bears.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.shared.0.shared.uploads = Uploads::within(limits.upload);
        self
    }

    /// What can be read again while it runs.
    pub fn reloading(&self) -> Reloading {
        self.shared.0.shared.reloading.clone()
    }

    /// Where it listens: tells the port when the configuration says 0.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then lets what is under way become durable.
    pub fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(SERVERS)
            .enable_all()
            .build()?;
        tracing::info!(address = %self.address, "listening");
        let reloading = self.reloading();
        let door = Door {
            telemetry: Arc::clone(&self.shared.0.shared.telemetry),
            routes: routes(self.shared.0),
            tls: self.tls,
            limits: self.limits,
        };
        let reading = self.reader.map(Reader::start).transpose()?;
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let watching = tokio::spawn(reloading.watch());
            door.serve(listener, shutdown, FAREWELL).await;
            watching.abort();
            std::io::Result::Ok(())
        })?;
        reading.into_iter().for_each(Reading::end);
        runtime.shutdown_timeout(FAREWELL);
        if let Some(witnesses) = self.witnesses {
            witnesses.end();
        }
        // What came last is under a checkpoint, too.
        self.notary.end();
        self.register
            .join()
            .map_err(|_| anyhow::anyhow!("the register's thread panicked"))?;
        if let Some(exporting) = self.exporting {
            exporting.end();
        }
        tracing::info!("ended");
        Ok(())
    }
}

/// Starts signing checkpoints, and asking witnesses if there are any.
fn checkpoints(
    plan: &CollectorPlan,
    inbox: &Inbox,
    telemetry: &Arc<Telemetry>,
) -> anyhow::Result<(Notary, Option<Witnesses>)> {
    let news = Arc::new(Notify::new());
    let notary = notary(plan, inbox, (telemetry, &news))?;
    Ok((notary, witnesses(plan, inbox, (telemetry, &news))?))
}

/// Starts signing checkpoints.
fn notary(
    plan: &CollectorPlan,
    inbox: &Inbox,
    (telemetry, news): (&Arc<Telemetry>, &Arc<Notify>),
) -> std::io::Result<Notary> {
    Notary::start(log::Parts {
        readers: Readers::new(&plan.store),
        inbox: inbox.clone(),
        telemetry: Arc::clone(telemetry),
        clock: WallClock,
        origin: plan.origin.clone(),
        keys: plan.keys.clone(),
        every: Duration::from_micros(plan.checkpoint_every.micros().unsigned_abs()),
        news: Arc::clone(news),
    })
}

/// Starts asking witnesses, if there are any.
fn witnesses(
    plan: &CollectorPlan,
    inbox: &Inbox,
    (telemetry, news): (&Arc<Telemetry>, &Arc<Notify>),
) -> anyhow::Result<Option<Witnesses>> {
    let asking = log::Asking {
        witnesses: plan.witnesses.clone(),
        readers: Readers::new(&plan.store),
        inbox: inbox.clone(),
        telemetry: Arc::clone(telemetry),
        every: Duration::from_micros(plan.checkpoint_every.micros().unsigned_abs()),
        news: Arc::clone(news),
    };
    Witnesses::start(asking).context("witnesses cannot be asked")
}

/// What requests are served with.
fn hub(
    plan: CollectorPlan,
    known: Current,
    tls: Option<Arc<Held<TlsConfig>>>,
    (inbox, telemetry, export, clock): (Inbox, Arc<Telemetry>, Option<Export>, WallClock),
    limits: Limits,
) -> Hub {
    let tokens = plan.tokens.map(Arc::new);
    let reloading = Reloading::new(Parts {
        tls,
        tokens: tokens.clone(),
        trust: plan.trust,
        known: known.clone(),
        telemetry: Arc::clone(&telemetry),
    });
    let shared = Shared {
        known: known.now(),
        readers: Arc::new(Readers::new(&plan.store)),
        inbox,
        telemetry,
        export,
        clock,
        uploads: Uploads::within(limits.upload),
        forwarding: Forwarding::new(plan.outcomes_hold, plan.clock_skew, clock.now()),
        gate: Gate {
            tokens,
            outcomes: plan.outcomes_token.map(Into::into),
            beyond: !plan.listen.ip().is_loopback(),
        },
        desk: Desk::new(Roll::of(&plan.store)),
        reloading,
    };
    Hub { shared, known }
}

/// What this program signs its records as.
pub(crate) fn author() -> String {
    own_digest().map_or_else(
        || format!("clause9-collector {VERSION}"),
        |digest| format!("clause9-collector {VERSION} build {digest}"),
    )
}

/// The digest of the running program's file, so that every record says what wrote it. It is read once:
/// what runs does not change.
fn own_digest() -> Option<Digest> {
    static OWN: OnceLock<Option<Digest>> = OnceLock::new();
    *OWN.get_or_init(read_own_digest)
}

fn read_own_digest() -> Option<Digest> {
    let path = std::env::current_exe().ok()?;
    match std::fs::read(path) {
        Ok(bytes) => Some(Digest::of(&bytes)),
        Err(error) => {
            tracing::warn!(%error, "cannot read the program's own file; records will not name the build");
            None
        }
    }
}
