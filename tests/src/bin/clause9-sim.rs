//! `clause9-sim NAME`: simulations behind what is claimed of the alarms; see `clause9_tests::sim`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use clause9_agent::outbox::Room;
use clause9_tests::kills;
use clause9_tests::sim::table::Table;
use clause9_tests::sim::{self, Effort, page};
use clause9_tests::world::sabotage::Sabotage;
use clause9_tests::world::{self, Disks, many, outage};

/// Simulations with fixed seeds: the same figures on every machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    name: Name,
}

#[derive(Subcommand)]
enum Name {
    /// False alarms and delays of our rules beside the default rules of others.
    Alarms(Options),
    /// Agents and a collector in worlds in which everything goes wrong: nothing that was kept may be lost, and
    /// nothing counted twice.
    World(Worlds),
    /// One agent whose collector is away for days, in virtual time: what it keeps, loses and tells, and how
    /// quickly it catches up.
    Outage(Outage),
    /// The real programs, killed at random while they work: what had been kept is counted, and nothing twice.
    Kills(kills::Options),
}

#[derive(Args)]
struct Outage {
    /// The seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How long the collector is away.
    #[arg(long, default_value_t = 72)]
    hours: u64,
    /// Room of the outbox in MiB.
    #[arg(long, default_value_t = 256)]
    room_mib: usize,
}

#[derive(Args)]
struct Worlds {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Let disks be full and fail, too. Some worlds are known to be wrong then.
    #[arg(long)]
    failing_disks: bool,
    /// Plant each fault in turn, and tell after how many seeds it is found.
    #[arg(long)]
    planted: bool,
}

#[derive(Args)]
struct Options {
    /// As many runs as the figures in `docs/` have; without it few, to see that all is well.
    #[arg(long)]
    full: bool,
    /// Simulate only these tables, by their ids; the others are kept as they stand in `--out`.
    #[arg(long, value_name = "ID", requires = "out")]
    only: Vec<String>,
    /// A folder to write `alarms.html` and `alarms.json` to.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().name {
        Name::Alarms(options) => alarms(&options),
        Name::World(options) if options.planted => planted(&options),
        Name::World(options) => worlds(&options),
        Name::Outage(options) => outage(&options),
        Name::Kills(options) => kills(options),
    }
}

impl Worlds {
    const fn disks(&self) -> Disks {
        if self.failing_disks {
            Disks::Failing
        } else {
            Disks::Well
        }
    }
}

/// Runs worlds; an error if something does not hold in one of them.
fn worlds(options: &Worlds) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let begun = std::time::Instant::now();
    let all = options.seeds;
    if all == 1 {
        return one(options, &mut out);
    }
    let seeds = options.seed..options.seed.saturating_add(all);
    let many = many::run(seeds, None, options.disks(), &|done, wrong| {
        if done.is_multiple_of(1000) {
            let _ = writeln!(
                std::io::stderr(),
                "{done} of {all} worlds, {wrong} wrong, {:.0} s",
                begun.elapsed().as_secs_f64()
            );
        }
    });
    for (seed, error) in &many.wrong {
        writeln!(out, "seed {seed}: {error}")?;
    }
    let wrong = many.wrong.len();
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(out, "{all} worlds in {seconds:.1} s, {wrong} wrong")?;
    writeln!(out, "{:#?}", many.exercised)?;
    anyhow::ensure!(wrong == 0, "{wrong} worlds are wrong");
    Ok(())
}

/// Runs a world; if it is wrong, with its story.
fn one(options: &Worlds, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let (judged, mut exercised) = world::tell(options.seed, None, options.disks());
    let story = std::mem::take(&mut exercised.story);
    if let Err(error) = judged {
        writeln!(out, "{}", story.join("\n"))?;
        anyhow::bail!("seed {}: {error}", options.seed);
    }
    writeln!(out, "{exercised:#?}")?;
    Ok(())
}

/// The collector is away; an error if something does not hold.
fn outage(options: &Outage) -> anyhow::Result<()> {
    let room = Room {
        bytes: options.room_mib << 20,
        memory: 1 << 20,
    };
    let passed = outage::run(options.seed, options.hours, room)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} batches shipped, {} waited, {} stored",
        passed.shipped, passed.waited, passed.stored
    )?;
    let ends = passed.lost.first().zip(passed.lost.last());
    match ends {
        Some((first, last)) => writeln!(
            out,
            "{} lost and told: {first} to {last}",
            passed.lost.len()
        )?,
        None => writeln!(out, "none lost")?,
    }
    let took = passed
        .caught_up_after
        .context("it did not catch up before the world ended")?;
    let times = (options.hours * 3600) as f64 / took;
    writeln!(out, "caught up in {took:.1} s: {times:.0} times real time")?;
    Ok(())
}

/// Plants each fault; an error if one is not found.
fn planted(options: &Worlds) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut missed = 0;
    for sabotage in Sabotage::ALL {
        let mut seeds = options.seed..options.seed.saturating_add(options.seeds);
        let found = seeds.find_map(|seed| {
            Some((
                seed,
                world::run(seed, Some(sabotage), options.disks()).err()?,
            ))
        });
        if let Some((seed, wrong)) = found {
            writeln!(out, "{sabotage:?}: seed {seed}: {wrong}")?;
        } else {
            missed += 1;
            writeln!(out, "{sabotage:?}: NOT FOUND")?;
        }
    }
    anyhow::ensure!(missed == 0, "{missed} planted faults are not found");
    Ok(())
}

/// Kills the real programs; an error if something does not hold.
fn kills(options: kills::Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let report = kills::run(folder.path(), options);
    if report.is_err() {
        writeln!(std::io::stderr(), "kept: {}", folder.keep().display())?;
    }
    writeln!(std::io::stdout(), "{}", report?)?;
    Ok(())
}

fn alarms(options: &Options) -> anyhow::Result<()> {
    let (effort, command) = if options.full {
        (Effort::FULL, "clause9-sim alarms --full")
    } else {
        (Effort::REDUCED, "clause9-sim alarms")
    };
    let mut out = std::io::stdout().lock();
    let kept = match &options.out {
        Some(folder) if !options.only.is_empty() => kept(folder, &options.only)?,
        Some(_) | None => Vec::new(),
    };
    let report = sim::alarms(effort, command, &kept, &mut |table| {
        let _ = writeln!(out, "{}", page::text(table));
    });
    for claim in &report.claims {
        let mark = if claim.holds { "shown" } else { "NOT SHOWN" };
        writeln!(out, "{mark}: {}\n  {}", claim.says, claim.found)?;
    }
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        write("alarms.html", page::html(&report))?;
        write("alarms.json", serde_json::to_string_pretty(&report)? + "\n")?;
    }
    anyhow::ensure!(
        report.claims.iter().all(|c| c.holds),
        "not everything claimed is shown"
    );
    Ok(())
}

/// The tables of an earlier run that are not asked for anew.
fn kept(folder: &Path, only: &[String]) -> anyhow::Result<Vec<Table>> {
    let path = folder.join("alarms.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let report: sim::Report = serde_json::from_str(&text)
        .with_context(|| format!("{} is no report of simulations", path.display()))?;
    let others = report.tables.into_iter();
    Ok(others.filter(|table| !only.contains(&table.id)).collect())
}
