//! One run: prepare, start, replay case by case, tell, wait.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::account::{Account, Reader};
use crate::case::CaseName;
use crate::options::Options;
use crate::production::Production;
use crate::program::Program;
use crate::progress::{Progress, say};
use crate::replay::Clients;
use crate::service;
use crate::tell;
use crate::traffic::{self, Pane};
use crate::world::{Collector, Site, free_addresses};

/// How many panes are replayed while the killed collector is away.
const PANES_WITHOUT: usize = 2;

/// Runs the demonstration.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    options.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start threads")?;
    runtime.block_on(demonstrate(options))?;
    Ok(ExitCode::SUCCESS)
}

/// A folder of one's own: the named one, or a fresh one for temporary files.
fn work_folder(options: &Options) -> anyhow::Result<PathBuf> {
    let folder = if let Some(folder) = &options.dir {
        folder.clone()
    } else {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
        std::env::temp_dir().join(format!("clause9-demo-{since}-{}", std::process::id()))
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    anyhow::ensure!(
        !folder.join("collector.yaml").exists(),
        "{} holds an earlier run, and a register is never begun again; choose another --dir",
        folder.display()
    );
    std::path::absolute(&folder).context("cannot find the work folder")
}

async fn demonstrate(options: &Options) -> anyhow::Result<()> {
    let began = Instant::now();
    let folder = work_folder(options)?;
    say(format!("work folder: {}", folder.display()));
    let mut address = free_addresses(1)?[0];
    if let Some(port) = options.port {
        address.set_port(port);
    }
    let mut sites = Vec::new();
    let left_out = options.left_out();
    for name in &left_out {
        say(format!(
            "{} is left out: it begins only after the time given with --until",
            name.case().name
        ));
    }
    let chosen: Vec<_> = options
        .chosen()
        .into_iter()
        .filter(|name| !left_out.contains(name))
        .collect();
    for name in &chosen {
        let site = Site::prepare(name.case(), &folder, address)?;
        tell::model(&site);
        sites.push(site);
    }
    let mut collector = Collector::prepare(&folder, address, &sites)?;
    collector.start().await?;
    say(format!("collector: http://{address}/"));
    let mut programs: Vec<Program> = Vec::new();
    let mut accounts = Vec::new();
    for (site, name) in sites.iter().zip(chosen) {
        programs.extend(site.start().await?);
        let account = replay(options, site, name, &mut collector).await?;
        tell::account(site, &account, address);
        accounts.push(account);
    }
    say(format!(
        "\nall of it took {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    if let Some(file) = &options.summary {
        let text = serde_json::to_string_pretty(&tell::summary(&accounts, began.elapsed()))?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if !options.exit {
        say(format!(
            "everything keeps running; look around at http://{address}/ and end it with Ctrl-C"
        ));
        service::signalled().await?;
    }
    Ok(())
}

/// Replays one case and reads what the collector made of it.
async fn replay(
    options: &Options,
    site: &Site,
    name: CaseName,
    collector: &mut Collector,
) -> anyhow::Result<Account> {
    let production = Production::read(name.case(), options.until, options.drift_at)?;
    let length = site.document.panes.length;
    let panes = traffic::panes(site.case.name, &production, length, options.seed);
    tell::plan(site, &production, &panes);
    let production = Arc::new(production);
    let mut clients = Clients::new(site, Arc::clone(&production))?;
    let mut progress = Progress::begin(panes.len());
    let began = Instant::now();
    let kill_at = (options.kill_collector).then_some(panes.len() / 2);
    let mut before_kill = None;
    let mut reader = Reader::new(collector.address, site);
    let last_end = panes.last().map(|p| p.start.end(length));
    for (index, pane) in panes.into_iter().enumerate() {
        if kill_at == Some(index) {
            before_kill = Some(reader.register().await?);
            collector.kill()?;
            progress.say("  the collector was killed (SIGKILL); the replay goes on without it");
        }
        if kill_at.is_some_and(|at| at + PANES_WITHOUT == index) {
            restart(collector, &progress).await?;
        }
        let what = about(&pane);
        clients.replay(Arc::new(pane)).await?;
        progress.step(&what);
        tokio::time::sleep(options.pace).await;
    }
    if kill_at.is_some_and(|at| at + PANES_WITHOUT >= clients.counted.len()) {
        restart(collector, &progress).await?;
    }
    progress.end();
    let replayed = began.elapsed();
    let last_end = last_end.context("there is nothing to replay")?;
    reader.wait_until_sealed(last_end).await?;
    let waited = began.elapsed().saturating_sub(replayed);
    let mut account = reader.account(&production, &clients.counted).await?;
    account.timings.replay_seconds = replayed.as_secs_f64();
    account.timings.sealing_seconds = waited.as_secs_f64();
    account.model = site.quality();
    if let Some(before) = before_kill {
        account.restart = Some(reader.compare(&before).await?);
    }
    Ok(account)
}

async fn restart(collector: &mut Collector, progress: &Progress) -> anyhow::Result<()> {
    // Long enough for the agents to have been refused at least once.
    tokio::time::sleep(Duration::from_millis(300)).await;
    collector.start().await?;
    progress.say("  the collector runs again");
    Ok(())
}

fn about(pane: &Pane) -> String {
    let day = pane.start.0.to_string();
    format!(
        "{}: {} requests, {} late records",
        day.get(..10).unwrap_or(&day),
        pane.requests.len(),
        pane.deliveries.len()
    )
}
