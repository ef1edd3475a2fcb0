//! The agent's outbox at a steady rate of windows: signed, written, synced, read again as for sending, and let go. Processor
//! time of all of it as a share of a core, beside plain writes with a sync each of the same bytes at the same rate, in turns.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use clause9_agent::outbox::disk::Folder;
use clause9_agent::outbox::{Outbox, Room};
use clause9_agent::telemetry::Telemetry;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch;
use clause9_shared::wire::loss::Place;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use tokio::sync::watch;

use super::ingest::ground::Ground;
use super::{Bench, ingest, median, meter, profile};

/// Most of a core that the outbox may take, at the rate below.
pub const GOAL: f64 = 0.02;

/// What is asked for.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Windows in a second.
    #[arg(long, default_value_t = 100)]
    per_second: usize,
    /// Seconds of each run: processor time is known to a hundredth of a second.
    #[arg(long, default_value_t = 20)]
    seconds: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Who takes the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// The outbox of the agent, on a disk.
    Outbox,
    /// A write and an `fdatasync` for each batch.
    File,
}

/// One contender in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// Who.
    pub contender: Contender,
    /// Windows.
    pub windows: usize,
    /// Seconds.
    pub seconds: f64,
    /// Processor time in seconds.
    pub cpu_seconds: f64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Built with which profile.
    pub profile: String,
    /// Bytes of one batch.
    pub batch_bytes: usize,
    /// Every run in order.
    pub runs: Vec<Run>,
    /// Median over rounds of the outbox's share of a core.
    pub share: f64,
    /// The same of plain writes.
    pub share_of_file: f64,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = self.measure(&mut |line| {
            if self.json {
                return Ok(());
            }
            Ok(writeln!(out, "{line}")?)
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(
            out,
            "built with the profile `{}`; batches of {} bytes; medians:\n\
             {:.2} % of a core (goal at most {} %), {:.2} % by plain writes",
            report.profile,
            report.batch_bytes,
            100.0 * report.share,
            100.0 * GOAL,
            100.0 * report.share_of_file,
        )?;
        Ok(())
    }
}

impl Options {
    fn measure(
        &self,
        told: &mut dyn FnMut(String) -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        let batches = self.per_second * self.seconds / ingest::WINDOWS;
        anyhow::ensure!(
            self.rounds > 0 && batches > 0,
            "no rounds, rate or time: nothing would be measured"
        );
        let ground = Ground::new(1, batches)?;
        let mut runs = Vec::new();
        for round in 1..=self.rounds {
            for contender in [Contender::Outbox, Contender::File] {
                let run = self.one(&ground, (round, contender))?;
                anyhow::ensure!(
                    run.cpu_seconds > 0.0,
                    "{contender:?} took no processor time: nothing was measured"
                );
                told(run.line())?;
                runs.push(run);
            }
        }
        let share = |who| {
            let of = runs.iter().filter(|run| run.contender == who);
            median(of.map(Run::share).collect()).context("no round was measured")
        };
        Ok(Report {
            profile: profile()?,
            batch_bytes: ground.batch_bytes(),
            share: share(Contender::Outbox)?,
            share_of_file: share(Contender::File)?,
            runs,
        })
    }

    fn one(&self, ground: &Ground, (round, contender): (usize, Contender)) -> anyhow::Result<Run> {
        let folder = tempfile::tempdir_in(ground.folder())?;
        let every = Duration::from_secs_f64(ingest::WINDOWS as f64 / self.per_second as f64);
        let me = std::process::id();
        let (begun, before) = (Instant::now(), meter::read(me)?);
        match contender {
            Contender::Outbox => keep(folder.path(), ground, every)?,
            Contender::File => write(folder.path(), ground, every)?,
        }
        let cpu_seconds = meter::read(me)?.cpu_seconds - before.cpu_seconds;
        Ok(Run {
            round,
            contender,
            windows: ground.panes() * ingest::WINDOWS,
            seconds: begun.elapsed().as_secs_f64(),
            cpu_seconds,
        })
    }
}

/// Every batch through an outbox: signed at its time, kept on disk, read as by a courier, and let go.
fn keep(folder: &Path, ground: &Ground, every: Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let room = Room {
        bytes: 1 << 28,
        memory: 1 << 26,
    };
    let disk = Folder::new(PathBuf::from(folder));
    let outbox = Outbox::open(disk, room, Telemetry::new()?, Timestamp::EPOCH);
    let outbox = std::sync::Arc::new(outbox);
    let (stop, stopped) = watch::channel(false);
    let keeping = std::sync::Arc::clone(&outbox);
    let keeping = runtime.spawn(async move { keeping.keep(stopped).await });
    let key = SigningKey::from_bytes(&[9; 32]);
    let mut kept = 0;
    runtime.block_on(async {
        let mut clock = tokio::time::interval(every);
        for number in 0..ground.panes() {
            clock.tick().await;
            let said = ground.said(number)?;
            let place = Place {
                boot: said.boot,
                sequence: said.sequence,
            };
            let signed = Bytes::from(batch::seal(&said, &key));
            outbox.push(vec![(place, signed)], Vec::new(), said.created_at);
            // What the one before is by now.
            kept += let_go(&outbox)?;
        }
        stop.send(true)?;
        keeping.await?;
        kept += let_go(&outbox)?;
        anyhow::Ok(())
    })?;
    anyhow::ensure!(kept == ground.panes(), "{kept} batches were kept and read");
    Ok(())
}

/// Reads what is on disk, as a courier does, and lets it go; how many.
fn let_go(outbox: &Outbox) -> anyhow::Result<usize> {
    let mut gone = 0;
    let done = outbox.kept();
    while let Some(number) = outbox.first(0).filter(|number| *number <= done) {
        let waiting = outbox.read(number, Timestamp::EPOCH)?;
        anyhow::ensure!(waiting.is_some(), "a batch was lost");
        outbox.release(number);
        gone += 1;
    }
    Ok(gone)
}

/// The same bytes, each batch with a sync of its own.
fn write(folder: &Path, ground: &Ground, every: Duration) -> anyhow::Result<()> {
    let mut file = std::fs::File::create(folder.join("raw"))?;
    let begun = Instant::now();
    for (number, bytes) in (0_u32..).zip(ground.of_one_agent()) {
        std::thread::sleep((every * number).saturating_sub(begun.elapsed()));
        file.write_all(bytes)?;
        file.sync_data()?;
    }
    Ok(())
}

impl Run {
    fn share(&self) -> f64 {
        self.cpu_seconds / self.seconds
    }

    fn line(&self) -> String {
        format!(
            "round {} {:?}: {:.0} windows a second, {:.2} % of a core",
            self.round,
            self.contender,
            self.windows as f64 / self.seconds,
            100.0 * self.share(),
        )
    }
}
