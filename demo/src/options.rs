//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, Parser, Subcommand};
use clause9_shared::time::{BadSpan, Span};

use crate::case::{CaseName, TimeSource};
use crate::production::Until;

/// A model goes wrong, and clause9 notices, proves and records it.
///
/// Fits a real scoring model, serves it, puts two agents before it, replays months of traffic with
/// late labels, and tells what the collector found. Keeps running until Ctrl-C.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// The replay.
    #[command(flatten)]
    pub(crate) options: Options,
    /// One of the programs that the demonstration consists of.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of the replay.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Which case to replay; both if not given.
    #[arg(long = "case", value_name = "CASE")]
    pub(crate) cases: Vec<CaseName>,
    /// End after the report instead of waiting for Ctrl-C.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Write what happened as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
    /// Replay only production rows before this row or time.
    #[arg(long, value_name = "ROW|TIME")]
    pub(crate) until: Option<Until>,
    /// Let the population change at this row instead of where the data has it (car-loan only).
    #[arg(long, value_name = "ROW")]
    pub(crate) drift_at: Option<usize>,
    /// How long to wait after each pane (such as 150ms or 2s), so that dashboards can be watched
    /// while they move.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = pace)]
    pub(crate) pace: Duration,
    /// Kill the collector (SIGKILL) in the middle of each case and start it again.
    #[arg(long)]
    pub(crate) kill_collector: bool,
    /// Work folder; created if absent. Default: a fresh folder for temporary files.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// Port of the collector on this machine. Default: a free one.
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Seed of how rows are cut into requests and spread over replicas.
    #[arg(long, default_value_t = 9)]
    pub(crate) seed: u64,
}

/// The programs of the demonstration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a fitted model over the Open Inference Protocol.
    Model(ModelOptions),
    /// Run an agent.
    Agent(ServiceOptions),
    /// Run a collector.
    Collector(ServiceOptions),
}

/// Options of the model server.
#[derive(Debug, Args)]
pub(crate) struct ModelOptions {
    /// Where to listen.
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// The fitted model, as the demonstration wrote it.
    #[arg(long, value_name = "FILE")]
    pub(crate) artefact: PathBuf,
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    pub(crate) stop_with_stdin: bool,
}

/// Options of an agent or a collector.
#[derive(Debug, Args)]
pub(crate) struct ServiceOptions {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    pub(crate) stop_with_stdin: bool,
}

fn pace(text: &str) -> Result<Duration, BadSpan> {
    let span: Span = text.parse()?;
    Ok(Duration::from_micros(span.micros().unsigned_abs()))
}

impl Options {
    /// The cases to replay, each once, car loans first.
    pub(crate) fn chosen(&self) -> Vec<CaseName> {
        let all = [CaseName::CarLoan, CaseName::GermanCredit];
        let wanted = |case: &CaseName| self.cases.is_empty() || self.cases.contains(case);
        all.into_iter().filter(wanted).collect()
    }

    /// Which of the chosen cases begin after the replay's end and so are left out. The only chosen
    /// case never is: that nothing is left to replay is then an error.
    pub(crate) fn left_out(&self) -> Vec<CaseName> {
        let Some(Until::Time(end)) = self.until else {
            return Vec::new();
        };
        let chosen = self.chosen();
        let begins_later = |case: &CaseName| match case.case().time {
            TimeSource::Recorded { .. } => false,
            TimeSource::Synthetic { start, .. } => start >= end.micros(),
        };
        let late: Vec<CaseName> = chosen.iter().copied().filter(begins_later).collect();
        if late.len() == chosen.len() {
            Vec::new()
        } else {
            late
        }
    }

    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let movable = |case: &CaseName| matches!(case.case().time, TimeSource::Recorded { .. });
        ensure!(
            self.drift_at.is_none() || self.chosen().iter().any(movable),
            "--drift-at: in none of the chosen cases is it known where the population changes; leave it out"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        let all = ["clause9-demo"].iter().chain(arguments);
        Cli::try_parse_from(all).unwrap().options
    }

    #[test]
    fn both_cases_are_replayed_unless_one_is_named() {
        let both = vec![CaseName::CarLoan, CaseName::GermanCredit];
        assert_eq!(options(&[]).chosen(), both);
        let one = options(&["--case", "german-credit"]);
        assert_eq!(one.chosen(), [CaseName::GermanCredit]);
        let drift = ["--case", "german-credit", "--drift-at", "3"];
        assert!(options(&drift).check().is_err());
        assert!(options(&["--drift-at", "3"]).check().is_ok());
    }

    #[test]
    fn a_case_that_begins_after_the_end_is_left_out_beside_another_one() {
        let left_out = |arguments: &[&str]| options(arguments).left_out();
        let end = ["--until", "2019-03-31T00:00:00Z"];
        assert_eq!(left_out(&end), [CaseName::GermanCredit]);
        assert_eq!(left_out(&["--until", "2024-01-04T00:00:00Z"]), []);
        assert_eq!(left_out(&["--until", "25000"]), []);
        let alone = [&end[..], &["--case", "german-credit"]].concat();
        assert_eq!(left_out(&alone), [], "an error that says so is to come");
    }

    #[test]
    fn a_pace_is_a_number_with_a_unit() {
        let pace = |text: &str| Cli::try_parse_from(["clause9-demo", "--pace", text]);
        assert_eq!(pace("150ms").unwrap().options.pace.as_millis(), 150);
        assert!(pace("150").is_err());
        assert!(options(&[]).pace.is_zero());
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["clause9-demo", "--until", "soon"]).is_err());
        assert!(Cli::try_parse_from(["clause9-demo", "model"]).is_err());
    }
}
