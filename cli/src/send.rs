//! `clause9 send`: rows of a file as records to an agent's sink, with what became of each.

use std::path::{Path, PathBuf};

use clause9_shared::objective::Document;
use serde_json::json;

use crate::data::{Batch, Meter, Refused, Table, bad};
use crate::progress::Progress;
use crate::terminal::Terminal;
use crate::{Ended, check, read};

mod follow;
mod posting;
mod rows;
mod secure;

use posting::{Door, Posted, What};
use rows::Rows;

/// Most bytes of one delivery, unless a single row is longer.
const MOST_BYTES: usize = 1 << 20;
/// Most refused rows that are shown; all are counted.
const MOST_SHOWN: usize = 20;

/// Send the rows of a file to an agent that takes records (`sink` in its configuration).
///
/// Reads CSV (.csv, .tsv), JSON Lines (.jsonl, .ndjson), each also as .gz or .zst, and Parquet
/// (.parquet). Each feature of the objectives file is read from the column of its name, else from the one
/// that `from.input` names; the score, the decision and the predicted number from the column that their
/// `from.output` names, else from `score`, `decision` and `prediction`; attributes from the column of
/// their name; the label from `label`. Outputs, attributes and labels may be missing: without any output
/// the inputs are counted alone.
///
/// Rows go in batches. An agent that is behind says so, having taken nothing of the batch, and the batch
/// is sent again after a while; so it is if the connection breaks. Every row has an id, so a row that was
/// taken already is told from a new one and not counted twice: the one in the column of --id, or else the
/// file's name and the row's line. If sending has to end early, the line to begin with next time is said.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Send {
    /// The data, in the order in which it is sent.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The agent's sink, as `http://127.0.0.1:9303`, or what passes on to it by TLS, as
    /// `https://sink.example.org`. With --outcomes the agent's outcomes' address, as
    /// `http://127.0.0.1:9302`, or the collector's, as `http://127.0.0.1:9300/v1/systems/loan/outcomes`.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The file with the certificates of whom to trust behind https://, in PEM. Default: whom the system
    /// trusts.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Send labels and attributes that became known later, not cases: needs --id, the request that was
    /// answered; --timestamp is when it became known. A system with several replicas takes them at the
    /// collector, or at any agent that forwards them.
    #[arg(long, requires = "id")]
    outcomes: bool,
    /// With --outcomes, the column of the row within the request, from 0. Default: 0.
    #[arg(long, value_name = "COLUMN", requires = "outcomes")]
    row: Option<String>,
    /// The objectives file, which names the features.
    #[arg(long, value_name = "FILE")]
    objectives: PathBuf,
    /// The file with the sink's token. Without it none is shown.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The column that names each row, by which labels are joined. Default: the file's name and the line.
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// The column of each row's time. Without a zone it is UTC. Default: when the agent takes it.
    #[arg(long, alias = "time", value_name = "COLUMN")]
    timestamp: Option<String>,
    /// The column of scores.
    #[arg(long, value_name = "COLUMN")]
    score: Option<String>,
    /// The column of decisions.
    #[arg(long, value_name = "COLUMN")]
    decision: Option<String>,
    /// The column of predicted numbers.
    #[arg(long, value_name = "COLUMN")]
    prediction: Option<String>,
    /// The column of labels. Default: `label`, if there is one.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The model that answered, as the objectives file names it. Default: the only one there is.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Leave out what stands before this line of the first file (of Parquet, this row), from 1.
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    from: u64,
    /// Most rows of one batch, from 1 to 10000.
    #[arg(long, value_name = "ROWS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: u64,
    /// How often a batch is sent before sending ends, with pauses from a quarter of a second to 15 seconds
    /// between.
    #[arg(long, value_name = "TIMES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
    /// Go on with what is appended to the file: CSV or JSON Lines, not packed, with --id. A line counts once
    /// its end is there. A file that was moved away is read to its end, then the one that took its name
    /// from the beginning. An agent that is away is waited for, however long.
    #[arg(long, requires = "id")]
    follow: bool,
    /// With --follow, a file that keeps how far sending is, to go on there after a restart.
    #[arg(long, value_name = "FILE", requires = "follow")]
    state: Option<PathBuf>,
    /// With --follow, end once nothing was appended for so many seconds. Default: never.
    #[arg(long, value_name = "SECONDS", requires = "follow", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle: Option<u64>,
    /// Answer in JSON, for programs. With --follow an answer for each delivery, on a line of its own.
    #[arg(long)]
    json: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  every row was taken, or had been before
  1  rows were refused, or taken and not counted as a case (too late, not understood); they are shown
  2  wrong usage, a file that cannot be read, or an agent that could not be reached or takes nothing

Examples:
  clause9 send loans.csv --to http://127.0.0.1:9303 --objectives loan.yaml --id loan_id \\
    --timestamp issued --token-file clause9-state/sink.token
  clause9 send today.jsonl.gz --to http://127.0.0.1:9303 --objectives loan.yaml --json
  clause9 send decisions.jsonl --follow --state send.state --to http://127.0.0.1:9303 \
    --objectives loan.yaml --id request_id --timestamp at
  clause9 send repaid.csv --outcomes --id loan_id --objectives loan.yaml --token-file outcomes.token \\
    --to http://127.0.0.1:9300/v1/systems/loan/outcomes";

/// What became of the rows.
#[derive(Debug, Default)]
struct Tally {
    /// Rows of the files that were read.
    rows: u64,
    /// What the agent said of them.
    posted: Posted,
    /// Rows that could not be read, or were not taken as they were meant: which, and why.
    shown: Vec<(String, u64, String)>,
    /// How many of these there are, shown or not.
    bad: u64,
}

pub(crate) fn run(args: &Send, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let file = read::objectives(&args.objectives)?;
    let Ok(document) = &file.checked else {
        check::show(&file, terminal)?;
        return Ok(Ended::Unusable);
    };
    let what = if args.outcomes {
        What::Outcomes
    } else {
        What::Records
    };
    let (token, ca) = (args.token_file.as_deref(), args.ca.as_deref());
    let attempts = if args.follow { u32::MAX } else { args.attempts };
    let mut door = Door::new((&args.to, what), token, ca, attempts)?;
    if args.follow {
        return follow::run(args, document, &mut door, terminal);
    }
    let mut tally = Tally::default();
    for (number, path) in args.files.iter().enumerate() {
        let from = if number == 0 { args.from } else { 1 };
        if let Err(stopped) = send(args, (path, from), document, &mut door, &mut tally) {
            if tally.rows > 0 {
                report(args, &tally, terminal)?;
            }
            return Err(stopped);
        }
    }
    report(args, &tally, terminal)?;
    let posted = &tally.posted;
    if posted.taken + posted.duplicate == 0 && tally.rows == 0 {
        return bad("nothing to send: the files have no rows (from --from on)");
    }
    Ok(tally.ended())
}

/// Sends one file, from a line on.
fn send(
    args: &Send,
    (path, from): (&Path, u64),
    document: &Document,
    door: &mut Door,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let table = Table::open(path)?;
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let rows = Rows::find(args, document, &table, &name)?;
    let (meter, progress) = (Meter::default(), Progress::over(&table));
    let file = File {
        table: &table,
        rows: &rows,
        name: &name,
        before: 0,
        most: args.batch,
    };
    file.send(from, (&meter, &progress), door, tally)
}

/// A file, or a stretch of one, whose rows are sent.
struct File<'a> {
    table: &'a Table,
    rows: &'a Rows,
    name: &'a str,
    /// Lines of the file before the first that is read.
    before: u64,
    /// Most rows of a batch.
    most: u64,
}

impl File<'_> {
    /// Sends its rows from a line on.
    fn send(
        &self,
        from: u64,
        (meter, progress): (&Meter, &Progress),
        door: &mut Door,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let (table, rows, name) = (self.table, self.rows, self.name);
        let mut reader = table.rows(rows.wanted(), meter)?;
        let mut batch = Batch::default();
        let mut ready = Ready::default();
        while reader.read(&mut batch)? {
            for Refused { line, why } in std::mem::take(&mut batch.refused) {
                let line = line + self.before;
                if line >= from {
                    tally.rows += 1;
                    tally.show(name, line, why);
                }
            }
            for row in 0..batch.rows {
                let line = batch.lines[row] + self.before;
                if line < from {
                    continue;
                }
                tally.rows += 1;
                let record = match rows.record(&batch, row) {
                    Ok(record) => record,
                    Err(why) => {
                        tally.show(name, line, why);
                        continue;
                    }
                };
                let most = usize::try_from(self.most).unwrap_or(usize::MAX);
                let full =
                    ready.lines.len() >= most || ready.text.len() + record.len() > MOST_BYTES;
                if full && !ready.lines.is_empty() {
                    post(door, name, &mut ready, tally)?;
                }
                ready.text.push_str(&record);
                ready.text.push('\n');
                ready.lines.push(line);
            }
            progress.at(meter.at());
        }
        post(door, name, &mut ready, tally)
    }
}

/// Records that are ready to go, and the lines they stand on.
#[derive(Debug, Default)]
struct Ready {
    text: String,
    lines: Vec<u64>,
}

fn post(door: &mut Door, name: &str, ready: &mut Ready, tally: &mut Tally) -> anyhow::Result<()> {
    let Some(first) = ready.lines.first().copied() else {
        return Ok(());
    };
    let posted = match door.post(&ready.text) {
        Ok(posted) => posted,
        Err(error) => {
            let next =
                format!("{name}: not sent from line {first} on; send the rest with --from {first}");
            return Err(error.context(next));
        }
    };
    for (item, why) in &posted.items {
        let line = ready.lines.get(*item).copied().unwrap_or(first);
        if tally.shown.len() < MOST_SHOWN {
            tally.shown.push((name.to_owned(), line, why.clone()));
        }
    }
    tally.posted.add(posted);
    ready.text.clear();
    ready.lines.clear();
    Ok(())
}

impl Tally {
    /// How sending them ended.
    fn ended(&self) -> Ended {
        if self.bad + self.posted.refused + self.posted.uncounted() > 0 {
            Ended::WithProblems
        } else {
            Ended::Well
        }
    }

    fn show(&mut self, file: &str, line: u64, why: String) {
        self.bad += 1;
        if self.shown.len() < MOST_SHOWN {
            self.shown.push((file.to_owned(), line, why));
        }
    }
}

fn report(args: &Send, tally: &Tally, terminal: &mut Terminal) -> anyhow::Result<()> {
    let posted = &tally.posted;
    if args.json {
        let shown = tally.shown.iter();
        let shown =
            shown.map(|(file, line, why)| json!({ "file": file, "line": line, "why": why }));
        terminal.json(&json!({
            "rows": tally.rows,
            "unreadable": tally.bad,
            "taken": posted.taken,
            "duplicate": posted.duplicate,
            "refused": posted.refused,
            "of_taken": posted.of_taken,
            "batches": posted.batches,
            "retries": posted.retries,
            "problems": shown.collect::<Vec<_>>(),
        }))?;
        return Ok(());
    }
    for (file, line, why) in &tally.shown {
        terminal.line(&format!("{file}:{line}: {why}"))?;
    }
    let count = |key: &str| posted.of_taken.get(key).copied().unwrap_or(0);
    let mut said = if args.outcomes {
        format!("{} outcomes: {} taken", tally.rows, posted.taken)
    } else {
        format!(
            "{} rows: {} taken, of which {} counted",
            tally.rows,
            posted.taken,
            count("counted")
        )
    };
    for (key, words) in [
        ("joined", "joined"),
        ("repeated", "known already"),
        ("waiting", "whose request is not known yet"),
        ("unknown_row", "of a row that the request has not"),
        (
            "unlisted_value",
            "with a value that the objectives file does not list",
        ),
        ("sampled_out", "left out by sampling"),
        ("undecodable", "not understood"),
        ("dropped", "let go (too late, mostly)"),
    ] {
        if count(key) > 0 {
            said = format!("{said}, {} {words}", count(key));
        }
    }
    let unread = tally.bad + posted.refused;
    let known = if args.outcomes {
        String::new()
    } else {
        format!("{} known already, ", posted.duplicate)
    };
    terminal.line(&format!(
        "{said}; {known}{unread} refused; {} batches, {} sent again",
        posted.batches, posted.retries
    ))?;
    Ok(())
}
