//! `clause9 profile`: a file measured against a reference, in one pass, without any service.

use std::collections::BTreeMap;
use std::path::Path;

use clause9_shared::baseline::Baseline;
use clause9_shared::objective::Document;
use clause9_shared::objective::document::DecisionRule;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Timestamp;
use clause9_shared::verdict::VerdictState;

mod args;
mod counting;
mod headlines;
mod html;
mod intervals;
mod late;
mod measuring;
mod output;
mod report;
mod rings;
mod schema;
mod serving;
mod settling;
mod text;
mod told;
mod usable;
mod watching;
pub(crate) mod windowing;
mod windows;
pub(crate) mod withheld;

pub(crate) use args::Profile as Args;
use counting::{Counting, Window};
use late::Late;
use report::Report;
pub(crate) use schema::schema;
use serving::Serving;
use settling::{Compared, Settled};
use told::Told;
use watching::Watching;

use crate::baseline::write;
use crate::columns::{Finder, Named, Sources};
use crate::data::{BadData, Meter, Table, bad, instant};
use crate::infer;
use crate::labels::Labels;
use crate::progress::Progress;
use crate::reference::{self, Mistakes};
use crate::terminal::Terminal;
use crate::{Ended, check, read};

/// Everything that was measured, and what it was measured on.
struct Profiled {
    plan: CapturePlan,
    windows: Vec<Window>,
    report: Report,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let document = match &args.objectives {
        None => None,
        Some(path) => {
            let file = read::objectives(path)?;
            let Ok(document) = file.checked else {
                check::show(&file, terminal)?;
                return Ok(Ended::Unusable);
            };
            Some(document)
        }
    };
    let profiled = match profile(args, document) {
        Ok(profiled) => profiled,
        // What is wrong with a file is told without the word for faults.
        Err(error) => match error.downcast::<BadData>() {
            Ok(BadData(message)) => {
                terminal.line(&message)?;
                return Ok(Ended::Unusable);
            }
            Err(error) => return Err(error),
        },
    };
    output::outputs(args, &profiled, terminal)?;
    let report = &profiled.report;
    let breached = latest(report).any(|v| v.state == VerdictState::Nonconforming);
    let unjudged = !report.not_judged.is_empty();
    Ok(if breached || unjudged || report.coverage.refused > 0 {
        Ended::WithProblems
    } else {
        Ended::Well
    })
}

/// The last verdict on each objective, for each way of cutting windows.
fn latest(report: &Report) -> impl Iterator<Item = &report::VerdictRow> {
    let mut last = BTreeMap::new();
    for verdict in &report.verdicts {
        last.insert((&verdict.cut, &verdict.objective), verdict);
    }
    last.into_values()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn point_in_time(text: &str) -> anyhow::Result<Timestamp> {
    match instant(text).and_then(Timestamp::from_micros) {
        Some(at) => Ok(at),
        None => bad(format!(
            "--as-of {text} is no point in time; write 2026-01-31T00:00:00Z"
        )),
    }
}

fn profile(args: &Args, document: Option<Document>) -> anyhow::Result<Profiled> {
    let as_of = args.as_of.as_deref().map(point_in_time).transpose()?;
    let compared = settling::compared(&args.baseline)?;
    let current = Table::open(&args.current)?;
    let label_table = args.labels.as_deref().map(Table::open).transpose()?;
    let settled: Settled =
        settling::settle(args, document, &compared, &current, label_table.as_ref())?;
    let document = &settled.document;
    if let Some(out) = &args.draft_objectives {
        write(
            out,
            &infer::draft(document, "from data by `clause9 profile`"),
        )?;
    }
    let named = named(args, &settled);
    let mut finder = Finder::new(&current, label_table.as_ref());
    let sources = Sources::find(document, &mut finder, named)?;
    let serving = Serving::find(document, &mut finder, &args.served)?;
    let (baseline, refused) = baseline(document, &compared, named, args.jointly)?;
    let plan = match CapturePlan::new(document, &baseline) {
        Ok(plan) => plan,
        Err(error) => return bad(error.to_string()),
    };
    let labels = match (&label_table, &args.roles.id) {
        (Some(table), Some(id)) => Labels::read(table, &finder, id, as_of, &Meter::default())?,
        (Some(_), None) | (None, _) => Labels::default(),
    };
    let known = labels.last.and(as_of.or(labels.last));
    let late = known.map(|until| Late { until });
    let mut ways = args.window.clone();
    ways.dedup();
    let counting = Counting {
        plan: &plan,
        sources: &sources,
        labels: &labels,
        serving: &serving,
        windowings: &ways,
        as_of,
        late: late.filter(|_| sources.time.is_some()),
    };
    let meter = Meter::default();
    let progress = Progress::over(&current);
    let mut watching = Watching::new(document, &args.detectors)?;
    let seen = || progress.at(meter.at());
    let watched = (&mut watching, &meter);
    let (windows, tally) = counting::count(&counting, &current, &finder.wanted, watched, seen)?;
    drop(progress);
    usable::check_scores(document, &windows, args.roles.score.as_deref())?;
    let report = Told {
        args,
        current: &current,
        labels: label_table.as_ref().map(|table| (table, &labels)),
        settled: &settled,
        finder: &finder,
        plan: &plan,
        tally: &tally,
        windows: &windows,
        serving: &serving,
        known_until: late.map(|late| late.until),
        watching: &watching,
        is_baseline_file: matches!(compared, Compared::File(_)),
        refused,
    }
    .report()?;
    Ok(Profiled {
        plan,
        windows,
        report,
    })
}

/// The columns that the command line names.
fn named<'a>(args: &'a Args, settled: &'a Settled) -> Named<'a> {
    Named {
        score: args.roles.score.as_deref(),
        decision: args.roles.decision.as_deref(),
        class_scores: &args.roles.class_score,
        prediction: args.roles.prediction.as_deref(),
        label: args.roles.label.as_deref(),
        id: args.roles.id.as_deref(),
        timestamp: settled.timestamp.as_deref(),
    }
}

/// The baseline, and how many rows of the reference could not be read.
fn baseline(
    document: &Document,
    compared: &Compared,
    named: Named<'_>,
    jointly: bool,
) -> anyhow::Result<(Baseline, u64)> {
    match compared {
        Compared::File(baseline) if jointly && baseline.joint.is_none() => bad(
            "the baseline file does not hold how features go together; build it again by `clause9 baseline --jointly`, or leave out --jointly",
        ),
        Compared::File(baseline) => Ok(((**baseline).clone(), 0)),
        Compared::Data(table) => {
            let there = |names: [Option<&'_ str>; 3]| {
                let name = names
                    .into_iter()
                    .flatten()
                    .find(|n| table.position(n).is_some());
                name.map(str::to_owned)
            };
            let outputs = &document.outputs;
            let score = outputs.score.as_ref().map(|s| s.from.output.as_str());
            let decision = outputs.decision.as_ref().and_then(|d| match &d.rule {
                DecisionRule::ScoreAtLeast(_) => None,
                DecisionRule::Output { from, .. } | DecisionRule::Class { from, .. } => {
                    Some(from.output.as_str())
                }
            });
            let score = score.and_then(|own| there([named.score, Some(own), Some("score")]));
            let decision =
                decision.and_then(|own| there([named.decision, Some(own), Some("decision")]));
            let value = outputs.value.as_ref().map(|v| v.from.output.as_str());
            let prediction =
                value.and_then(|own| there([named.prediction, Some(own), Some("prediction")]));
            let label = there([named.label, Some("label"), None]);
            let columns = reference::Outputs {
                score: score.as_deref(),
                decision: decision.as_deref(),
                prediction: prediction.as_deref(),
                label: label.as_deref(),
                jointly,
            };
            let meter = Meter::default();
            let progress = Progress::over(table);
            let built =
                reference::build(document, table, columns, Mistakes::Count, &meter, || {
                    progress.at(meter.at());
                })?;
            Ok((built.baseline, built.refused))
        }
    }
}
