//! Time that the online detectors take for each value of a stream, each round and detector by itself.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use clause9_shared::detector::{DetectorKind, run};
use serde::Serialize;

use super::Bench;

/// One detector over the stream.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which round.
    pub round: usize,
    /// Which detector.
    pub detector: &'static str,
    /// Nanoseconds for each value.
    pub nanoseconds: f64,
    /// Drifts that it found: some work was done, and the same in each round.
    pub drifts: usize,
}

/// Runs every detector over a stream of `values` errors (0 or 1) whose rate rises from 0.1 to 0.3
/// half-way. Another processes' work shows in the figures; the least of the rounds is nearest to what
/// the detector itself takes.
pub fn measure(rounds: usize, values: usize, seen: &mut dyn FnMut(&Run)) -> Vec<Run> {
    let stream = stream(values);
    let mut runs = Vec::new();
    for round in 1..=rounds {
        for kind in DetectorKind::ALL {
            let mut detector = kind.with_defaults();
            let start = Instant::now();
            let found = run(detector.as_mut(), stream.iter().copied());
            let nanoseconds = start.elapsed().as_secs_f64() * 1e9 / values.max(1) as f64;
            let run = Run {
                round,
                detector: kind.name(),
                nanoseconds,
                drifts: found.drift.len(),
            };
            seen(&run);
            runs.push(run);
        }
    }
    runs
}

/// Seeded errors.
fn stream(values: usize) -> Vec<f64> {
    let mut state = 1_u64;
    (0..values)
        .map(|i| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
            let rate = if i < values / 2 { 0.1 } else { 0.3 };
            f64::from(u8::from(uniform < rate))
        })
        .collect()
}

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Rounds; each detector runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Values of the stream.
    #[arg(long, default_value_t = 100_000)]
    values: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let runs = measure(self.rounds, self.values, &mut |run| {
            if !self.json {
                let _ = writeln!(
                    out,
                    "round {} {}: {:.1} ns for each value, {} drifts",
                    run.round, run.detector, run.nanoseconds, run.drifts
                );
            }
        });
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&runs)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn each_detector_hears_the_same_in_each_round() {
        let runs = measure(2, 20_000, &mut |_| {});
        let (first, second) = runs.split_at(runs.len() / 2);
        for (a, b) in first.iter().zip(second) {
            assert_eq!((a.detector, a.drifts), (b.detector, b.drifts));
            assert!(a.drifts > 0 && a.nanoseconds > 0.0, "{a:?}");
        }
    }
}
