//! What can be asked of the program. The doc comments here are its `--help`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clause9_shared::time::Timestamp;

/// Draft and check objectives files, build baselines, profile files.
///
/// clause9 watches AI systems in use and keeps evidence of how well they meet their documented
/// objectives. This program prepares what its agents and its collector rest on: the objectives file,
/// which says what a system is held to, and the baseline, which says what its inputs were like when
/// the model was approved.
#[derive(Debug, Parser)]
#[command(name = "clause9", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  problems were found in what was read, and are shown
  2  wrong usage, or a file that cannot be read or written

Colours are used on a terminal only, and not if NO_COLOR is set.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Discover(crate::discover::Args),
    Check(Check),
    Baseline(Baseline),
    Plan(crate::plan::Plan),
    Replay(crate::replay::Replay),
    Profile(Box<crate::profile::Args>),
    Send(Box<crate::send::Send>),
    Schema(Schema),
}

/// Check objectives files and show every mistake in them.
///
/// A mistake is shown with its file, line and column, with what is wrong, what to do, and the line itself. Of a
/// file without mistakes its digest is shown, by which evidence refers to it; comments and the order
/// of keys do not change it. A mistake in a file's structure (an unknown key, a wrong type) is shown
/// alone, since what stands behind it cannot be judged yet.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Check {
    /// Objectives files.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Answer in JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Build the baseline of a system from a reference file, or from approved live panes.
///
/// The reference is CSV with a header (.csv, .tsv), JSON Lines (.jsonl, .ndjson), each also as .gz or
/// .zst, or Parquet (.parquet): one row per case, one column per feature of the objectives file, under
/// the feature's name, else under the one that `from.input` names. Other columns are ignored. Empty
/// cells are missing. Categories must be written as the model server is sent them.
///
/// The baseline holds counts and cuts, no row. It is written as canonical JSON: the same objectives
/// and the same reference make the same bytes. Its digest is shown; approve that, not the file's name.
///
/// With --live, the counts of a collector's panes from --since up to --until take the place of a
/// reference: traffic that people looked at and approved. They lie in the cells of the baseline that they
/// were counted with (--basis), since panes hold no values to cut anew, and bring no labels. Panes that
/// are not there, or of which less was counted than was seen, are told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
#[command(group = clap::ArgGroup::new("counted").required(true))]
pub(crate) struct Baseline {
    /// The objectives file, which names the features.
    #[arg(long, value_name = "FILE")]
    pub(crate) objectives: PathBuf,
    /// The reference data.
    #[arg(long, value_name = "DATA", group = "counted")]
    pub(crate) reference: Option<PathBuf>,
    /// A collector's address, as `http://127.0.0.1:9300`: its panes are the reference.
    #[arg(long, value_name = "URL", group = "counted", requires_all = ["basis", "since", "until"])]
    pub(crate) live: Option<String>,
    /// The baseline that those panes were counted with.
    #[arg(long, value_name = "FILE", requires = "live")]
    pub(crate) basis: Option<PathBuf>,
    /// The first pane begins then, as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME", requires = "live")]
    pub(crate) since: Option<Timestamp>,
    /// The last pane ends then at the latest.
    #[arg(long, value_name = "TIME", requires = "live")]
    pub(crate) until: Option<Timestamp>,
    /// Where to write the baseline. An existing file is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The column with the model's scores, from 0 to 1. Without it the baseline has none.
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub(crate) score: Option<String>,
    /// The column with the model's decisions, if the objectives file reads them from an output.
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub(crate) decision: Option<String>,
    /// The column with the model's predicted numbers, if the objectives file watches them.
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub(crate) prediction: Option<String>,
    /// The column with what turned out to be true. Estimates without labels rest on it.
    #[arg(long, value_name = "COLUMN", requires = "reference")]
    pub(crate) label: Option<String>,
    /// Also keep how the numeric features go together, the first 64 of them, so that whole rows can be
    /// compared. Costs agents about the square of their number for each row.
    #[arg(long, requires = "reference")]
    pub(crate) jointly: bool,
    /// Answer in JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the JSON Schema of a file format.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Schema {
    /// Which format.
    #[arg(value_enum)]
    pub(crate) of: SchemaOf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum SchemaOf {
    /// Objectives files.
    Objectives,
    /// Baselines.
    Baseline,
    /// Reports of `clause9 profile`.
    Profile,
}
