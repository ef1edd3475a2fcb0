//! The report of `clause9 profile`: the types are the format, and the JSON Schema is generated from
//! them (`schema.rs`).

use clause9_shared::digest::Digest;
use clause9_shared::ids::ObjectiveId;
use clause9_shared::metric::{Finality, Grade, MetricId, NO_END};
use clause9_shared::objective::document::{Comparator, Subject};
use clause9_shared::time::Timestamp;
use clause9_shared::verdict::{VerdictState, WithoutLabel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Format and version of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Format {
    /// Version 1 of the format.
    #[serde(rename = "profile/v1")]
    V1,
}

/// Two ends of an interval; null is no end.
pub(crate) type Ends = [Option<f64>; 2];

/// A file measured against a reference: every metric, by window, column, group and class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// Format and version: `profile/v1`.
    pub(crate) clause9: Format,
    /// Version of the program that measured.
    pub(crate) program: String,
    /// The data that was measured.
    pub(crate) current: Data,
    /// What it was compared with.
    pub(crate) reference: Reference,
    /// The system and the document that says what the columns are.
    pub(crate) objectives: Objectives,
    /// What each column of the current data was taken for.
    pub(crate) columns: Vec<ColumnTaken>,
    /// What became of the rows and of the labels.
    pub(crate) coverage: Coverage,
    /// How many times counts were resampled for intervals; 0: not at all.
    pub(crate) resamples: u32,
    /// The windows, in order.
    pub(crate) windows: Vec<WindowRow>,
    /// Every measured value: by window, metric and subject.
    pub(crate) rows: Vec<Row>,
    /// Metrics that were not measured at all, and why.
    pub(crate) not_measured: Vec<NotMeasured>,
    /// The verdict on each objective after each window.
    pub(crate) verdicts: Vec<VerdictRow>,
    /// Objectives of one metric on several features, looked at together after the last window: which
    /// have drifted, of many.
    pub(crate) together: Vec<Together>,
    /// What online change detectors said of the streams that were declared with `--detectors`. They
    /// depend on the order of rows, may warn, and never raise a nonconformity.
    pub(crate) detectors: Vec<Detected>,
    /// Objectives that could not be judged, and why.
    pub(crate) not_judged: Vec<NotJudged>,
    /// What is worth knowing, in plain words.
    pub(crate) notes: Vec<String>,
}

/// A file of data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    /// Its name without folders.
    pub(crate) name: String,
    /// `csv`, `jsonl` or `parquet`.
    pub(crate) format: String,
    /// Digest of its bytes.
    pub(crate) digest: Digest,
}

/// What the data was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// Name of the reference data, without folders.
    pub(crate) name: String,
    /// Digest of the reference data's bytes.
    pub(crate) source: Digest,
    /// Digest of the baseline: the name of everything that was compared with.
    pub(crate) baseline: Digest,
    /// Rows of the reference.
    pub(crate) rows: u64,
    /// Rows of the reference that could not be read (not known of a baseline file).
    pub(crate) refused: u64,
    /// Whether a baseline file was given, rather than data.
    pub(crate) is_baseline_file: bool,
}

/// The document in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Objectives {
    /// The system's short name.
    pub(crate) system: String,
    /// The system's name for people.
    pub(crate) title: String,
    /// The file's name without folders; null if the document was inferred.
    pub(crate) name: Option<String>,
    /// Digest of the document's canonical form.
    pub(crate) digest: Digest,
    /// Whether it was inferred from the reference and the roles given.
    pub(crate) inferred: bool,
    /// Digest of the capture plan: what is counted and how.
    pub(crate) plan: Digest,
}

/// What a column was taken for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnTaken {
    /// Its name.
    pub(crate) name: String,
    /// What it is: `feature NAME`, `score`, `decision`, `label`, `attribute NAME`, `id`,
    /// `timestamp`. Empty: it was not read.
    pub(crate) taken_for: Vec<String>,
    /// Whether it is a column of the labels file.
    pub(crate) of_labels: bool,
}

/// What became of rows and labels: `rows = counted + after_as_of + refused`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coverage {
    /// Rows of the current data.
    pub(crate) rows: u64,
    /// Rows that were counted.
    pub(crate) counted: u64,
    /// Rows left out because they are after the instant of `--as-of`.
    pub(crate) after_as_of: u64,
    /// Rows that could not be read.
    pub(crate) refused: u64,
    /// The first refused rows.
    pub(crate) refused_rows: Vec<RefusedRow>,
    /// Counted rows with a label.
    pub(crate) labelled: u64,
    /// Counted rows without a label.
    pub(crate) unlabelled: u64,
    /// Counted rows whose label is none of the documented values.
    pub(crate) unlisted_labels: u64,
    /// Counted rows whose answer is of no use: no decision, a score beyond 0 to 1, no finite number. They
    /// are in no figure of performance; the metric `unusable_answer_rate` is their share. Null where
    /// nothing is known of answers.
    pub(crate) unusable_answers: Option<u64>,
    /// The labels file, if there is one.
    pub(crate) labels: Option<LabelCoverage>,
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedRow {
    /// Line of the file, from 1; for Parquet the row.
    pub(crate) line: u64,
    /// What is wrong and what to do.
    pub(crate) why: String,
}

/// What became of the rows of the labels file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelCoverage {
    /// The file's name without folders.
    pub(crate) name: String,
    /// Its rows.
    pub(crate) rows: u64,
    /// Rows that name an id again: the first one counts.
    pub(crate) repeated: u64,
    /// Rows that became known after the instant of `--as-of`, or do not say when.
    pub(crate) too_late: u64,
    /// Rows that could not be read.
    pub(crate) refused: u64,
    /// Counted rows of the current data that found theirs.
    pub(crate) joined: u64,
    /// Ids that no counted row of the current data has.
    pub(crate) unknown: u64,
}

/// One window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowRow {
    /// Its name, unique in the report: `all`, `size:3`, `size:9:partial`, `period:2019-04`,
    /// `from:2019-04-04T00:00:00Z`.
    pub(crate) window: String,
    /// How it was cut, as given with `--window`.
    pub(crate) cut: String,
    /// Its beginning: of a stretch of time the beginning, of a number of rows the first row's time.
    pub(crate) start: Option<Timestamp>,
    /// Its end: of a stretch of time the end, of a number of rows the last row's time.
    pub(crate) end: Option<Timestamp>,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Rows in it with a label.
    pub(crate) labelled: u64,
    /// Whether the file ended before the window had all its rows.
    pub(crate) partial: bool,
    /// Whether figures that rest on labels may still change: `provisional` while rows lack their label
    /// and not all have had the longest `label_delay` of the document's objectives; null without labels.
    pub(crate) finality: Option<Finality>,
    /// How late labels come: by each age the share of labels that has come. Empty unless rows and labels
    /// have times (`--timestamp`, and a column `available_at` in the file of `--labels`).
    pub(crate) arrival: Vec<Arrived>,
    /// Digest of the summary of inputs, scores and decisions.
    pub(crate) traffic: Digest,
    /// Digest of the summary of what came with labels.
    pub(crate) outcomes: Digest,
}

/// One point of the curve of labels' arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arrived {
    /// The age in seconds.
    pub(crate) seconds: f64,
    /// The share of labels that has come by then (Kaplan and Meier's estimate).
    pub(crate) share: f64,
    /// Its standard error (Greenwood's).
    pub(crate) std_error: f64,
}

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Made {
    /// By the formula in the metric's card, `docs/metrics/NAME.md`.
    Formula,
    /// By a multinomial bootstrap of the counts of window and reference, `resamples` times, from a seed
    /// that the baseline and the column give: it is for the figure of the laws that both were drawn
    /// from, without what chance adds, and may lie below the value.
    Resampling,
}

impl Made {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Formula => "formula",
            Self::Resampling => "resampling",
        }
    }
}

/// One metric of one subject in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = super::schema::with_reasons)]
pub(crate) struct Row {
    /// The window's name.
    pub(crate) window: String,
    /// The window's beginning, if it has a time.
    pub(crate) start: Option<Timestamp>,
    /// The window's end, if it has a time.
    pub(crate) end: Option<Timestamp>,
    /// Of what: a feature, an attribute's group, a class; empty for all cases.
    pub(crate) subject: Subject,
    /// The metric; `docs/metrics/NAME.md` says what it is.
    pub(crate) metric: MetricId,
    /// The value; null if there is none.
    pub(crate) value: Option<f64>,
    /// A 95 % interval for this window alone.
    pub(crate) interval: Option<Ends>,
    /// How the interval was made; null if there is none.
    pub(crate) interval_from: Option<Made>,
    /// Why there is a value without an interval; null otherwise.
    pub(crate) no_interval: Option<String>,
    /// Between which values the same figure taken of the raw rows lies for certain, where values are
    /// counted in cells; null if the value is exact. An end that nothing bounds is null; where both ends
    /// are, the value is of the cells, and how far that of the raw rows lies from it is not known.
    pub(crate) bound: Option<Ends>,
    /// Cases that the value rests on; null where they are withheld.
    pub(crate) n: Option<u64>,
    /// A: exact at any number of cases; B: asymptotic; C: model-based.
    pub(crate) grade: Grade,
    /// The value's unit in UCUM.
    pub(crate) unit: String,
    /// Whether the value may still change as labels come; null if it does not rest on them.
    pub(crate) finality: Option<Finality>,
    /// Why there is no value; null if there is one.
    pub(crate) undefined: Option<String>,
}

/// A metric that fits nothing here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotMeasured {
    /// The metric.
    pub(crate) metric: MetricId,
    /// What it lacks.
    pub(crate) why: String,
}

/// A verdict on an objective after a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictRow {
    /// The objective.
    pub(crate) objective: ObjectiveId,
    /// Its version.
    pub(crate) version: u32,
    /// The window after which it was judged.
    pub(crate) window: String,
    /// How windows were cut: each way has ledgers of its own.
    pub(crate) cut: String,
    /// The metric.
    pub(crate) metric: MetricId,
    /// Of what.
    pub(crate) subject: Subject,
    /// Which side of the action level is good.
    pub(crate) comparator: Comparator,
    /// The action level.
    pub(crate) action: f64,
    /// The value in this window.
    pub(crate) value: Option<f64>,
    /// The machine's state.
    pub(crate) state: VerdictState,
    /// How the ledger is justified.
    pub(crate) grade: Grade,
    /// Evidence of a breach in nats, not below zero.
    pub(crate) evidence: f64,
    /// What the evidence must reach for a warning, in nats.
    pub(crate) warning_at: f64,
    /// What the evidence must reach for a nonconformity, in nats.
    pub(crate) nonconformity_at: f64,
    /// Where the running mean lies, at every time at once.
    pub(crate) running: Option<Ends>,
    /// Cases in this epoch of the ledger; null where they are withheld.
    pub(crate) support: Option<u64>,
    /// For `inconclusive`: about how many more cases would decide.
    pub(crate) needed: Option<u64>,
    /// Whether the window's value may still change, as labels may take as long as the objective's
    /// `label_delay`; null if it does not rest on them.
    pub(crate) finality: Option<Finality>,
    /// What cases without a label leave open; null unless the objective's `labels` assumes something of
    /// them.
    pub(crate) labels: Option<WithoutLabel>,
    /// The state in plain words.
    pub(crate) because: String,
}

/// Several ledgers side by side, whatever they have to do with each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Together {
    /// The metric.
    pub(crate) metric: MetricId,
    /// How windows were cut.
    pub(crate) cut: String,
    /// The last window that was judged.
    pub(crate) window: String,
    /// The objectives.
    pub(crate) objectives: Vec<ObjectiveId>,
    /// The error chance of all of them.
    pub(crate) alpha: f64,
    /// Evidence that at least one of them is broken, in nats, not below zero: that of the ledgers' mean.
    pub(crate) any: f64,
    /// What that evidence must reach, in nats.
    pub(crate) nonconformity_at: f64,
    /// Those that are broken: of the objectives named here at most a share `alpha` is named falsely, on
    /// average (e-BH; Wang and Ramdas 2022).
    pub(crate) broken: Vec<ObjectiveId>,
}

/// A detector on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detected {
    /// The stream: a numeric feature, `score`, or `error` (1 where a decision turned out wrong).
    pub(crate) stream: String,
    /// `adwin`, `page_hinkley`, `kswin`, and for errors `ddm`, `eddm`, `hddm_a`, `hddm_w`, with their
    /// authors' settings.
    pub(crate) detector: String,
    /// Values that it took, in the file's order.
    pub(crate) values: u64,
    /// How often it said drift.
    pub(crate) drifts: u64,
    /// At which values, from 0; the first thousand.
    pub(crate) drift_at: Vec<u64>,
    /// How often a warning began.
    pub(crate) warnings: u64,
    /// At which values, from 0; the first thousand.
    pub(crate) warning_at: Vec<u64>,
}

/// An objective that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotJudged {
    /// The objective.
    pub(crate) objective: ObjectiveId,
    /// Its version.
    pub(crate) version: u32,
    /// Why not.
    pub(crate) why: String,
}

/// Ends of an interval; infinite ones are none, and so is the number that stands for them in records.
pub(crate) fn ends((low, high): (f64, f64)) -> Ends {
    let finite = |x: f64| (x.is_finite() && x.abs() < NO_END).then_some(x);
    [finite(low), finite(high)]
}
