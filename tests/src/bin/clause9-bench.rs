//! `clause9-bench NAME`: whole-process benchmarks; see `clause9_tests::bench` for what they are not.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use clause9_tests::bench::{
    Setting, detectors, evaluate, footprint, labelled, profile, proxy_smoke, upstream,
};

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
    /// Compiling drift objectives, and evaluating a thousand objectives on one merged window.
    Evaluate(Options),
    /// A million rows of 25 columns profiled in memory, beside other tools on the same data.
    Profile {
        /// Rounds; each contender runs once in each.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Where the data is written, once.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// A folder of Python virtual environments: `whylogs`, `evidently`, `sketches`. Those that are
        /// not there are left out.
        #[arg(long, value_name = "DIR")]
        peers: Option<PathBuf>,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// One run of our own, for the one above.
    #[command(hide = true)]
    ProfileSelf {
        /// Where the data is.
        #[arg(long)]
        data: PathBuf,
    },
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
    python: PathBuf,
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
        Name::Evaluate(options) => show_evaluate(&options),
        Name::Profile {
            rounds,
            data,
            peers,
            json,
        } => show_profile(rounds, &data, peers.as_deref(), json),
        Name::ProfileSelf { data } => {
            let mut out = std::io::stdout().lock();
            for phase in profile::run_self(&data)? {
                writeln!(out, "{}", serde_json::to_string(&phase)?)?;
            }
            Ok(())
        }
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

fn show_evaluate(options: &Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let report = evaluate::measure(options.rounds)?;
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "built with the profile `{}`", report.profile)?;
    let (compile_goal, evaluate_goal) = evaluate::GOALS_MS;
    writeln!(
        out,
        "compiling a drift objective: median {:.1} ms, longest {:.1} ms, at most {} bets (goal {compile_goal} ms)",
        report.compile_median_ms, report.compile_longest_ms, report.most_bets
    )?;
    for (round, ms) in report.evaluate_ms.iter().enumerate() {
        writeln!(
            out,
            "round {}: {} objectives in {ms:.1} ms",
            round + 1,
            evaluate::OBJECTIVES
        )?;
    }
    writeln!(
        out,
        "median {:.1} ms, of which measuring {:.1} ms (goal {evaluate_goal} ms)",
        report.evaluate_median_ms, report.measure_median_ms
    )?;
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

fn show_profile(
    rounds: usize,
    data: &Path,
    peers: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let report = profile::measure(rounds, data, peers, &mut |run| {
        if !json {
            for phase in &run.phases {
                let _ = writeln!(
                    out,
                    "round {} {}: {}: {:.3} CPU s",
                    run.round, run.contender, phase.phase, phase.cpu
                );
            }
        }
    })?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "built with the profile `{}`; medians:", report.profile)?;
    let own = report
        .medians
        .iter()
        .find(|(name, _)| name.contains("count 1,000,000"));
    let own = own.map_or(f64::NAN, |(_, cpu)| *cpu);
    for (name, cpu) in &report.medians {
        writeln!(
            out,
            "{cpu:9.3} s, {:7.1} times counting here: {name}",
            cpu / own
        )?;
    }
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
