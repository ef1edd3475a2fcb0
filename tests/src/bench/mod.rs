//! Whole-process comparisons on one machine: contenders take turns (A B A B), every run is shown,
//! ratios are medians over rounds. A run in which a process used no CPU or an answer is missing or
//! wrong fails the benchmark: its number would mean something else than it says.
//!
//! Not for regressions of a few per cent: the machine's other work shows in every number here.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

pub mod detectors;
pub mod evaluate;
pub mod faults;
pub mod footprint;
pub mod groups;
pub mod ingest;
pub mod instructions;
pub mod labelled;
pub mod load;
pub mod logger;
pub mod memory;
pub mod meter;
pub mod observe;
pub mod outbox;
pub mod profile;
pub mod profile_data;
pub mod proxy;
pub mod proxy_report;
pub mod streams;
pub mod upstream;
pub mod windows;

/// A benchmark with what it was asked for: a row of the table in `clause9-bench`.
pub trait Bench {
    /// Measures and prints every run, then what they say together.
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()>;
}

/// What a benchmark under load runs with.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Setting {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Seconds of load (and of idling) in each run.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Client connections, each with one request at a time.
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Rows in a request.
    #[arg(long, default_value_t = 8)]
    pub rows: usize,
}

/// The profile this program was built with, and so the programs beside it: `release` is what is
/// quoted, anything else is slower and larger.
pub fn profile() -> anyhow::Result<String> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(std::path::Path::file_name);
    Ok(folder.map_or_else(String::new, |name| name.to_string_lossy().into_owned()))
}

impl Setting {
    /// How long a run's load lasts.
    pub const fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// The middle of some numbers; of an even count the mean of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let (half, odd) = (numbers.len() / 2, numbers.len() % 2 == 1);
    let upper = numbers.get(half).copied()?;
    if odd {
        return Some(upper);
    }
    numbers
        .get(half.checked_sub(1)?)
        .map(|lower| f64::midpoint(*lower, upper))
}

/// The value below which a share of sorted numbers lies (nearest rank).
pub fn quantile(sorted: &[u64], share: f64) -> Option<u64> {
    let rank = (share * sorted.len() as f64).ceil();
    // A rank is at most the count, which is an index type already.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the count"
    )]
    let index = (rank as usize).max(1) - 1;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::{median, quantile};

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_numbers() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&sorted, 0.5), Some(50));
        assert_eq!(quantile(&sorted, 0.99), Some(99));
        assert_eq!(quantile(&sorted, 1.0), Some(100));
        assert_eq!(quantile(&sorted, 0.0), Some(1));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
