//! The world of one run: a folder with real configuration files, a collector, and for every case a
//! model server with two agents before it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clause9_shared::canonical;
use clause9_shared::objective::Document;

use crate::case::Case;
use crate::client::Connection;
use crate::history::History;
use crate::program::Program;
use crate::traffic::REPLICAS;
use crate::{baseline, configure};

/// How long a program may take until it answers.
const STARTING: Duration = Duration::from_secs(20);

/// A case made ready: its files are written, its addresses chosen, its agents known by their keys.
#[derive(Debug)]
pub(crate) struct Site {
    /// The case.
    pub(crate) case: &'static Case,
    /// Its objectives.
    pub(crate) document: Document,
    /// What the past gave.
    pub(crate) history: History,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Where the model server listens.
    pub(crate) model: SocketAddr,
    /// The agents before it.
    pub(crate) replicas: Vec<Replica>,
}

/// One agent.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    /// `replica-1`, `replica-2`.
    pub(crate) name: String,
    /// Where clients connect.
    pub(crate) listen: SocketAddr,
    /// Where it is administered.
    pub(crate) admin: SocketAddr,
    /// Where late records go.
    pub(crate) outcomes: SocketAddr,
    /// The id that follows from its key.
    pub(crate) id: String,
}

/// Free addresses of this machine, none of them given twice.
pub(crate) fn free_addresses(count: usize) -> anyhow::Result<Vec<SocketAddr>> {
    let addresses = (0..count).map(|_| crate::ports::free_address());
    Ok(addresses.collect::<Result<_, _>>()?)
}

impl Site {
    /// Fits the model and writes every file of a case into `folder/<case>`.
    pub(crate) fn prepare(
        case: &'static Case,
        folder: &Path,
        collector: SocketAddr,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(case.name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let objectives = format!("{}.yaml", case.name);
        let document = clause9_shared::objective::load(&objectives, case.objectives)
            .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let history = History::read(case)?;
        let baseline = baseline::build(&document, &history.baseline_csv)?;
        let write = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
        };
        write(&objectives, case.objectives.as_bytes())?;
        write(baseline::FILE, &history.baseline_csv)?;
        write(
            &format!("{}.baseline.json", case.name),
            canonical::to_json(&baseline)?.as_bytes(),
        )?;
        write("model.json", &serde_json::to_vec(&history.model)?)?;
        // Created here, once for all replicas.
        clause9_agent::identity::load_or_create("system key", &folder.join("system.key"))?;
        let addresses = free_addresses(1 + 3 * REPLICAS)?;
        let mut replicas = Vec::with_capacity(REPLICAS);
        for (index, at) in addresses[1..].chunks_exact(3).enumerate() {
            let name = format!("replica-{}", index + 1);
            let (_, id) = clause9_agent::identity::signing_key(&folder.join(&name))?;
            replicas.push(Replica {
                name,
                listen: at[0],
                admin: at[1],
                outcomes: at[2],
                id: id.to_string(),
            });
        }
        for replica in &replicas {
            let text = configure::agent(case.name, replica, addresses[0], collector);
            write(&format!("{}.yaml", replica.name), text.as_bytes())?;
        }
        Ok(Self {
            case,
            document,
            history,
            folder,
            model: addresses[0],
            replicas,
        })
    }

    /// The secret that late records are sent with, as the agent wrote it.
    pub(crate) fn token(&self, replica: &Replica) -> anyhow::Result<String> {
        let path = self.folder.join(&replica.name).join("outcomes.token");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.trim().into())
    }

    /// Starts the model server and the agents, and waits until all are ready.
    pub(crate) async fn start(&self) -> anyhow::Result<Vec<Program>> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let log = |name: &str| self.folder.join(format!("{name}.log"));
        let listen = self.model.to_string();
        let artefact = file("model.json");
        let arguments = ["model", "--listen", &listen, "--artefact", &artefact];
        let mut model = Program::start("the model server", &arguments, &log("model"))?;
        ready(&mut model, self.model, "/v2/health/ready").await?;
        let mut programs = vec![model];
        for replica in &self.replicas {
            let config = file(&format!("{}.yaml", replica.name));
            let arguments = ["agent", "--config", &config];
            let mut agent = Program::start(&replica.name, &arguments, &log(&replica.name))?;
            ready(&mut agent, replica.admin, "/ready").await?;
            programs.push(agent);
        }
        Ok(programs)
    }
}

/// The collector: where it listens and, while it runs, its process.
#[derive(Debug)]
pub(crate) struct Collector {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    program: Option<Program>,
}

impl Collector {
    /// Writes its files; `sites` are the systems that it judges and the agents that it trusts.
    pub(crate) fn prepare(
        folder: &Path,
        address: SocketAddr,
        sites: &[Site],
    ) -> anyhow::Result<Self> {
        let files = [
            ("collector.yaml", configure::collector(address, sites)),
            ("agents.yaml", configure::trusted_agents(sites)),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self {
            address,
            folder: folder.into(),
            program: None,
        })
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let config = self.folder.join("collector.yaml").display().to_string();
        let log = self.folder.join("collector.log");
        let program = Program::start("the collector", &["collector", "--config", &config], &log)?;
        let program = self.program.insert(program);
        ready(program, self.address, "/ready").await
    }

    /// Kills it on the spot.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        let mut program = self
            .program
            .take()
            .context("the collector is not running")?;
        program.kill()
    }
}

/// Waits until a program answers 200 on a path.
async fn ready(program: &mut Program, address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        program.check()?;
        let answer = Connection::to(address).get(path, &[]).await;
        if answer.is_ok_and(|a| a.status == 200) {
            return Ok(());
        }
        ensure!(
            began.elapsed() < STARTING,
            "http://{address}{path} did not answer within {} s; look into the logs beside the configuration",
            STARTING.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Site {
    /// The model's quality before production.
    pub(crate) fn quality(&self) -> crate::account::ModelQuality {
        crate::account::ModelQuality {
            fitted: self.history.fitted,
            held_out: self.history.held_out,
        }
    }
}
