//! `clause9-bench NAME`: whole-process benchmarks; see `clause9_tests::bench` for what they are not.

use std::io::Write as _;

use clap::{Args, Parser, Subcommand};
use clause9_tests::bench::{Setting, detectors, footprint, labelled, proxy_smoke, upstream};

/// Whole-process benchmarks on this machine. Build with `--release` for numbers to be quoted.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    name: Name,
}

#[derive(Subcommand)]
enum Name {
    /// Time of each online detector for each value of a stream.
    Detectors {
        /// Rounds; each detector runs once in each.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Values of the stream.
        #[arg(long, default_value_t = 100_000)]
        values: usize,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Memory, processor time and program size of an idle and a busy agent.
    #[command(alias = "idle")]
    Footprint(Options),
    /// The same load straight to a trivial model server and through the agent, in turns.
    ProxySmoke(Options),
    /// Seven figures of labelled rows, through summaries and by scikit-learn, in turns.
    Labelled(LabelledOptions),
    /// The trivial model server itself, for the others.
    #[command(hide = true)]
    Upstream {
        /// Where to listen on loopback.
        #[arg(long)]
        port: u16,
    },
}

#[derive(Args, Clone, Copy)]
struct Options {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load (and of idling) in each run.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Client connections, each with one request at a time.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Rows in a request.
    #[arg(long, default_value_t = 8)]
    rows: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct LabelledOptions {
    /// A Python that has numpy and scikit-learn.
    #[arg(long)]
    python: std::path::PathBuf,
    /// Rows.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

impl Options {
    const fn setting(&self) -> Setting {
        Setting {
            rounds: self.rounds,
            seconds: self.seconds,
            connections: self.connections,
            rows: self.rows,
        }
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().name {
        Name::Detectors {
            rounds,
            values,
            json,
        } => show_detectors(rounds, values, json),
        Name::Footprint(options) => show_footprint(&options),
        Name::ProxySmoke(options) => show_proxy_smoke(&options),
        Name::Labelled(options) => show_labelled(&options),
        Name::Upstream { port } => upstream::serve(port),
    }
}

fn show_detectors(rounds: usize, values: usize, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let runs = detectors::measure(rounds, values, &mut |run| {
        if !json {
            let _ = writeln!(
                out,
                "round {} {}: {:.1} ns for each value, {} drifts",
                run.round, run.detector, run.nanoseconds, run.drifts
            );
        }
    });
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&runs)?)?;
    }
    Ok(())
}

fn show_footprint(options: &Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let report = footprint::measure(options.setting(), &mut |run| {
        if !options.json {
            let _ = writeln!(
                out,
                "round {}: idle {:.1} MiB, {:.2} % of a core; busy {:.1} MiB, {:.0} % of a core at {:.0} answers/s, {} predictions remembered",
                run.round,
                run.idle_mib,
                run.idle_cpu_share * 100.0,
                run.busy_mib,
                run.busy_cpu_share * 100.0,
                run.answers_per_second,
                run.remembered
            );
        }
    })?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "built with the profile `{}`", report.profile)?;
    let found = [report.idle_mib, report.busy_mib, report.binary_mib];
    for ((what, goal), found) in footprint::GOALS_MIB.iter().zip(found) {
        writeln!(out, "{what}: {found:.1} MiB (goal {goal} MiB)")?;
    }
    Ok(())
}

fn show_proxy_smoke(options: &Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let report = proxy_smoke::measure(options.setting(), &mut |run| {
        if !options.json {
            let _ = writeln!(
                out,
                "round {} {:?}: {:.0} answers/s, p50 {} us, p99 {} us, {:.1} us of processor time each, {} KiB",
                run.round,
                run.contender,
                run.seen.per_second(),
                run.seen.p50_us,
                run.seen.p99_us,
                run.cpu_us_per_answer,
                run.resident_kib
            );
        }
    })?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "built with the profile `{}`", report.profile)?;
    writeln!(
        out,
        "median of {} rounds: p50 {:+.0} us, throughput x {:.2}, agent's processor time {:.1} us for each answer",
        report.setting.rounds,
        report.added_p50_us,
        report.throughput_ratio,
        report.agent_cpu_us_per_answer
    )?;
    Ok(())
}

fn show_labelled(options: &LabelledOptions) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let (rows, rounds) = (options.rows, options.rounds);
    let report = labelled::measure(rows, rounds, &options.python, &mut |run| {
        if !options.json {
            let _ = writeln!(
                out,
                "round {} {:?}: {:.3} s of processor time",
                run.round, run.contender, run.cpu_seconds
            );
        }
    })?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "built with the profile `{}`", report.profile)?;
    if let Some(last) = report.runs.last() {
        for (name, figure) in labelled::NAMES.iter().zip(last.figures) {
            writeln!(out, "{name}: {figure}")?;
        }
    }
    writeln!(
        out,
        "{} rows, median of {rounds} rounds: {:.2} times as fast as scikit-learn (goal 5)",
        report.rows, report.times_faster
    )?;
    Ok(())
}
