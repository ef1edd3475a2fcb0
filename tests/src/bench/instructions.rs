//! What a request costs the thread that serves it, with its exchange captured and without, counted by
//! callgrind: the same on every machine of a kind, however busy it is. Both are the same program under the same
//! load; a path that no protocol is found by is not captured.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::faults::cases::ended;
use super::faults::ground::{Ground, Under};
use super::{Bench, load};
use crate::http::Connection;
use crate::repository::{root, text};

/// The figures that are kept, from the root of the repository.
pub const KEPT: &str = "tests/bench/instructions.json";
/// By how much a figure may exceed what is kept, as a share.
pub const TOLERANCE: f64 = 0.05;
/// Goals: instructions with monitoring for each without, and allocations more.
pub const GOALS: [f64; 2] = [1.05, 2.0];
/// Paths of requests that are captured, and that are not.
const PATHS: [&str; 2] = ["/v2/models/loan/infer", "/v2/models/loan/other"];
/// Requests of the short run, which warms up, and of the long one.
const REQUESTS: [u64; 2] = [100, 300];
/// What allocates, as the C library calls it.
const ALLOCATING: [&str; 5] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
];

/// What is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Rows in a request; 21 of them make about 1 KiB.
    #[arg(long, default_value_t = 21)]
    pub rows: usize,
    /// Write the figures as those to be kept.
    #[arg(long)]
    keep: bool,
}

/// What one request costs the serving thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Instructions.
    pub instructions: f64,
    /// Calls that allocate.
    pub allocations: f64,
}

/// Costs with monitoring and without.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// The exchange is captured.
    pub on: Cost,
    /// It is not.
    pub off: Cost,
}

impl Costs {
    /// Measures both, each by a long run less a short one.
    pub fn measure(rows: usize) -> anyhow::Result<Self> {
        let [on, off] = PATHS.map(|path| -> anyhow::Result<Cost> {
            let [short, long] = REQUESTS.map(|requests| run(path, rows, requests));
            let (short, long) = (short?, long?);
            let each = |more: u64, less: u64| {
                let requests = REQUESTS[1] - REQUESTS[0];
                (more as f64 - less as f64) / requests as f64
            };
            Ok(Cost {
                instructions: each(long.instructions, short.instructions),
                allocations: each(long.allocations, short.allocations),
            })
        });
        let costs = Self { on: on?, off: off? };
        anyhow::ensure!(
            costs.off.instructions > 1000.0 && costs.off.allocations > 1.0,
            "this cannot be what a request costs: {costs:?}"
        );
        Ok(costs)
    }

    /// The figures that are kept.
    pub fn kept() -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&text(KEPT)?)?)
    }

    /// That nothing costs more than is kept, but for the tolerance.
    pub fn check(&self, kept: &Self) -> anyhow::Result<()> {
        for (what, now, before) in [
            (
                "instructions, monitored",
                self.on.instructions,
                kept.on.instructions,
            ),
            (
                "instructions, not monitored",
                self.off.instructions,
                kept.off.instructions,
            ),
            (
                "allocations, monitored",
                self.on.allocations,
                kept.on.allocations,
            ),
            (
                "allocations, not monitored",
                self.off.allocations,
                kept.off.allocations,
            ),
        ] {
            anyhow::ensure!(
                now <= before * (1.0 + TOLERANCE),
                "{what}: {now:.1} for each request, {before:.1} are kept in {KEPT}; find what costs, or \
                 measure anew with `clause9-bench instructions --keep` and say why"
            );
        }
        Ok(())
    }
}

/// What a run cost the serving thread in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    instructions: u64,
    allocations: u64,
}

fn run(path: &str, rows: usize, requests: u64) -> anyhow::Result<Run> {
    let mut ground = Ground::lay()?;
    let more = "threads: 1\ndrain: { quiet: 10ms, at_most: 5s }\n";
    let mut agent = ground.start(Under::Callgrind, "live", more)?;
    let mut connection = Connection::open(agent.port)?;
    let x_rows = rows.to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-rows", x_rows.as_str()),
    ];
    for number in 0..requests {
        // Ids of one length.
        let body = load::request(rows, &format!("{number:06}"));
        let answer = connection.send("POST", path, &headers, body.as_bytes())?;
        anyhow::ensure!(answer.status() == 200, "{}", answer.status_line);
    }
    drop(connection);
    agent.running.signal("TERM")?;
    ended(&mut agent)?;
    serving(ground.folder())
}

/// Of the threads' files the one of the thread that served.
fn serving(folder: &Path) -> anyhow::Result<Run> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("calls") {
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            if text.contains("clause9_agent::capture::connection::") {
                found.push(read(&text).with_context(|| format!("in {name}"))?);
            }
        }
    }
    let most = found.into_iter().max_by_key(|run| run.instructions);
    most.context("callgrind saw no thread that serves: has the program its names?")
}

/// Sums a file of callgrind: all instructions, and calls of what allocates.
fn read(text: &str) -> anyhow::Result<Run> {
    let mut names = BTreeMap::new();
    let (mut run, mut called) = (Run::default(), "");
    for line in text.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            run.instructions = total.trim().parse().context("totals")?;
        }
        let function = line.strip_prefix("cfn=").or(line.strip_prefix("fn="));
        if let Some((id, name)) = function.and_then(|f| f.split_once(')')) {
            if !name.is_empty() {
                names.insert(id, name.trim());
            }
            if line.starts_with('c') {
                called = names.get(id).copied().unwrap_or_default();
            }
        }
        if let Some(calls) = line.strip_prefix("calls=")
            && ALLOCATING.contains(&called)
        {
            let times = calls.split(' ').next().unwrap_or_default();
            run.allocations += times.parse::<u64>().context("calls")?;
        }
    }
    anyhow::ensure!(run.instructions > 0, "no totals");
    Ok(run)
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let costs = Costs::measure(self.rows)?;
        let ratio = costs.on.instructions / costs.off.instructions;
        let more = costs.on.allocations - costs.off.allocations;
        for (what, cost) in [("monitored", costs.on), ("not monitored", costs.off)] {
            writeln!(
                out,
                "{what}: {:.0} instructions and {:.2} allocations for each request",
                cost.instructions, cost.allocations
            )?;
        }
        writeln!(
            out,
            "{ratio:.3} times the instructions (goal {}), {more:.2} allocations more (goal {}); built with the profile `{}`",
            GOALS[0],
            GOALS[1],
            super::profile()?
        )?;
        if self.keep {
            let text = serde_json::to_string_pretty(&costs)? + "\n";
            std::fs::write(root().join(KEPT), text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_what_allocates_are_found_by_names_that_are_given_once() -> anyhow::Result<()> {
        let text = "fn=(1) a\n12 5\ncfn=(2) malloc\ncalls=3 0\n12 50\ncfn=(3) free\ncalls=9 0\n12 50\n\
                    fn=(4) b\ncfn=(2)\ncalls=4 0\n1 1\nfn=(2)\n1 1\ntotals: 120\n";
        let expected = Run {
            instructions: 120,
            allocations: 7,
        };
        assert_eq!(read(text)?, expected);
        assert!(read("fn=(1) a\n").is_err());
        Ok(())
    }
}
