//! The real programs, killed at random while they work: agents in the middle of panes, of closing and of
//! shipping, the collector in the middle of commits and of seals. In the end every pane has what was asked in
//! it, as far as that had been kept; nothing is there twice, and no number is missing.

mod account;
mod load;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::bench::upstream;
use crate::process::{Running, free_port, wait_for_port, wait_until};
use crate::sidecar;
use crate::sim::random::Random;
use crate::site::{Layout, Site};
pub use account::Report;
use load::Load;

/// Agents of the system.
const AGENTS: usize = 2;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);
const OBJECTIVES: &str = include_str!("../../fixtures/agent/objectives.yaml");

/// What is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// How many kills, of agents and collector together.
    #[arg(long, default_value_t = 300)]
    pub kills: u64,
    /// What chance begins with. When a kill strikes depends on the machine as well.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Kills so far, and when to end.
#[derive(Debug, Default)]
struct Kills {
    agents: AtomicU64,
    collector: AtomicU64,
    over: AtomicBool,
}

impl Kills {
    fn all(&self) -> u64 {
        self.agents.load(Ordering::Relaxed) + self.collector.load(Ordering::Relaxed)
    }
}

/// Kills programs in a folder until it was done often enough, and tells what was found afterwards; an error
/// for what does not hold.
pub fn run(folder: &Path, options: Options) -> anyhow::Result<Report> {
    let model = free_port()?;
    std::thread::spawn(move || upstream::serve_with(model, load::answer));
    wait_for_port(model, PATIENCE)?;
    let reference: Vec<_> = (0..100).map(|n| vec![f64::from(n)]).collect();
    sidecar::documents(folder, OBJECTIVES, &reference)?;
    let layout = Layout {
        folder,
        system: "toy",
        model,
        clock: "replay",
        agents: AGENTS,
        // Agents are waited for, however far behind a kill leaves them.
        collector: "seal_grace: 365d\n",
    };
    let site = layout.lay()?;
    let collector = Mutex::new(site.start_collector()?);
    let (kills, together) = (Kills::default(), Barrier::new(AGENTS));
    let panes = std::thread::scope(|scope| -> anyhow::Result<_> {
        let killer = scope.spawn(|| kill_collector(&site, &collector, &kills, options.seed));
        let loads: Vec<_> = (0..AGENTS)
            .map(|agent| {
                let (site, kills, together) = (&site, &kills, &together);
                let load = Load::new(site, agent, kills, options);
                scope.spawn(move || load?.run(together))
            })
            .collect();
        let loads = loads.into_iter().map(joined).collect::<Vec<_>>();
        kills.over.store(true, Ordering::Relaxed);
        joined(killer)?;
        loads.into_iter().collect::<anyhow::Result<Vec<_>>>()
    })?;
    let collector = collector.into_inner();
    let _collector = collector.unwrap_or_else(PoisonError::into_inner);
    account::settle(&site, folder, &kills, &panes)
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("a thread panicked"))?
}

fn kill_collector(
    site: &Site,
    collector: &Mutex<Running>,
    kills: &Kills,
    seed: u64,
) -> anyhow::Result<()> {
    let mut chance = Random::new(&[seed, 0xC0]);
    while !kills.over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50 + chance.below(400)));
        let mut running = collector.lock().unwrap_or_else(PoisonError::into_inner);
        killed(&mut running)?;
        *running = site.start_collector().context("after a kill")?;
        kills.collector.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Kills a program and waits until it is gone.
fn killed(running: &mut Running) -> anyhow::Result<()> {
    anyhow::ensure!(
        running.is_running(),
        "nobody killed it, and it ended:\n{}",
        running.end()
    );
    running.signal("KILL")?;
    wait_until("the end of a killed program", PATIENCE, || {
        !running.is_running()
    })
}
