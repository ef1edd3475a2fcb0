//! What can be asked of `clause9 profile`. The doc comments here are its `--help`.

use std::path::PathBuf;

use clause9_shared::metric::RESAMPLES;

use super::serving::Columns;
use super::windowing::Windowing;
use crate::columns::ClassScore;

/// Measure a file against a reference: every metric, in every window, of every column and group.
///
/// Reads CSV (.csv, .tsv), JSON Lines (.jsonl, .ndjson), each also as .gz or .zst, and Parquet
/// (.parquet), and streams them. The reference is data in one of these formats, or a baseline (.json) that `clause9
/// baseline` has made.
///
/// Without --objectives, what the columns are is inferred from the reference and the roles below;
/// --draft-objectives writes that down to be edited. With --objectives, each feature is read from the
/// column of its name, else from the one named by `from.input`; the score and the decision from the
/// column named by their `from.output`, else from `score` and `decision`; an attribute from the column
/// of its name, else from the one named by `from.request.input`; the label from `label`. The roles
/// below name other columns.
///
/// A row that cannot be read is refused, counted and listed with its line; it never ends the run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Profile {
    /// The data to be measured.
    #[arg(value_name = "CURRENT")]
    pub(crate) current: PathBuf,
    /// What it is compared with: reference data, or a baseline file (.json).
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) baseline: PathBuf,
    /// The objectives file. Without it, columns are inferred and nothing is judged.
    #[arg(long, value_name = "FILE")]
    pub(crate) objectives: Option<PathBuf>,
    /// Write the inferred objectives file here, with comments, to be edited.
    #[arg(long, value_name = "OUT", conflicts_with = "objectives")]
    pub(crate) draft_objectives: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) roles: Roles,
    #[command(flatten)]
    pub(crate) served: Columns,
    /// A file of labels that came later, joined by --id; all its columns can be named as roles. Its
    /// rows are in the order of their arrival: the first one of an id counts.
    #[arg(long, value_name = "FILE", requires = "id")]
    pub(crate) labels: Option<PathBuf>,
    /// Only labels whose `available_at` is at or before this instant are joined, and rows after it
    /// are left out: what was known then.
    #[arg(long, value_name = "INSTANT", requires = "labels")]
    pub(crate) as_of: Option<String>,
    /// How rows are cut into windows: `all`, `rows:5000`, `7d` (or h, m, s; aligned to the Unix
    /// epoch), `month`, `year`. May be given several times. What is left over by `rows:` is a
    /// partial window.
    #[arg(long, value_name = "WINDOW", default_value = "all")]
    pub(crate) window: Vec<Windowing>,
    /// Fewest cases of a group of an attribute for its figures to be shown; 1 shows all. Default:
    /// `reports.least_group` of the objectives file, or else 20.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) least_group: Option<u64>,
    /// Also measure how whole rows have changed (Fréchet and Mahalanobis distance, reconstruction error,
    /// projections and the like): how the numeric features go together in the reference, the first 64
    /// of them, is kept as well. A baseline file keeps it if it was built with --jointly.
    #[arg(long)]
    pub(crate) jointly: bool,
    /// How many times counts are resampled for the intervals of drift metrics that have no formula of one
    /// (99 to 9999; 0: not at all, and those metrics have no interval).
    #[arg(long, value_name = "N", default_value_t = 999, value_parser = resamples)]
    pub(crate) resamples: u32,
    /// Run online change detectors (ADWIN, Page-Hinkley, KSWIN; for errors also DDM, EDDM, HDDM-A and HDDM-W)
    /// over a stream of CURRENT in its order: a numeric feature's name, `score`, or `error` (wrong
    /// decisions). May be given several times. They may warn and never raise a nonconformity.
    #[arg(long, value_name = "STREAM")]
    pub(crate) detectors: Vec<String>,
    /// Write the report as JSON (docs/schema/profile.v1.schema.json); `-` is standard output.
    #[arg(long, value_name = "OUT")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one page with plots, which needs no network and no script.
    #[arg(long, value_name = "OUT")]
    pub(crate) html: Option<PathBuf>,
    /// Write the measured values as CSV.
    #[arg(long, value_name = "OUT")]
    pub(crate) csv: Option<PathBuf>,
    /// Write each window's binary summaries into this folder, with an index.
    #[arg(long, value_name = "DIR")]
    pub(crate) windows_out: Option<PathBuf>,
}

/// Which column is what.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Roles of columns")]
pub(crate) struct Roles {
    /// The column of scores: probabilities of the positive class, from 0 to 1.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) score: Option<String>,
    /// The column of decisions. Without it (and without --objectives) a score of 0.5 or more is
    /// positive.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) decision: Option<String>,
    /// The column of a class's scores: probabilities of that class, from 0 to 1. Give it once for each class
    /// of a decision among several, as `--class-score car=p_car`.
    #[arg(long, value_name = "CLASS=COLUMN")]
    pub(crate) class_score: Vec<ClassScore>,
    /// The column of predicted numbers (regression).
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["score", "class_score", "decision"])]
    pub(crate) prediction: Option<String>,
    /// The column of labels: what turned out to be true.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Without --objectives: the value of decision and label that means positive. Default: 1, true
    /// or yes, whichever occurs. Give it several times if decision and label name it differently.
    #[arg(long, value_name = "VALUE")]
    pub(crate) positive: Vec<String>,
    /// Without --objectives: a column that is a protected attribute; `A & B` is the intersection of two. May be
    /// given several times.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) attribute: Vec<String>,
    /// Without --objectives: the group that an attribute's others are compared with. Default: the
    /// most frequent one.
    #[arg(long, value_name = "COLUMN=VALUE")]
    pub(crate) reference_group: Vec<String>,
    /// Without --objectives: a column of texts, as prompts or answers, watched as numbers of them (length, script,
    /// repetition, markup, what looks like personal data); no text is kept. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) text: Vec<String>,
    /// The column that names each row, by which labels are joined.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,
    /// The column of each row's time. Without a zone it is UTC. Default: the only column of times, if
    /// windows need one.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) timestamp: Option<String>,
}

fn resamples(text: &str) -> Result<u32, String> {
    let number = text.parse().ok();
    let fits = number.filter(|n| *n == 0 || RESAMPLES.contains(n));
    fits.ok_or_else(|| {
        format!(
            "write 0, or a number from {} to {}",
            RESAMPLES.start(),
            RESAMPLES.end()
        )
    })
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well: everything was read, every objective judged, and none is nonconforming
  1  an objective is nonconforming or could not be judged, or rows were refused; all are shown
  2  wrong usage, or a file that cannot be read or written

Colours are used on a terminal only, and not if NO_COLOR is set.";
