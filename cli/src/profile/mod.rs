//! `clause9 profile`: a file measured against a reference, in one pass, without any service.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::baseline::{Baseline, MAX_TEXT};
use clause9_shared::digest::Digest;
use clause9_shared::objective::Document;
use clause9_shared::objective::document::DecisionRule;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::verdict::VerdictState;
use clause9_shared::wire::codec::Encode as _;

mod args;
mod counting;
mod html;
mod measuring;
mod report;
mod text;
mod windowing;

pub(crate) use args::Profile as Args;
use counting::{Counting, Tally, Window};
pub(crate) use report::schema;
use report::{ColumnTaken, Coverage, Data, Format, LabelCoverage, Objectives, RefusedRow, Report};
use windowing::Windowing;

use crate::baseline::write;
use crate::columns::{Finder, Named, Source, Sources};
use crate::data::{BadData, Meter, Table, bad, instant};
use crate::infer::{self, Said};
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
            match file.checked {
                Ok(document) => Some(document),
                Err(_) => {
                    check::show(&file, terminal)?;
                    return Ok(Ended::Unusable);
                }
            }
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
    outputs(args, &profiled, terminal)?;
    let report = &profiled.report;
    let breached = latest(report).any(|v| v.state == VerdictState::Nonconforming);
    Ok(if breached || report.coverage.refused > 0 {
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

fn outputs(args: &Args, profiled: &Profiled, terminal: &mut Terminal) -> anyhow::Result<()> {
    let report = &profiled.report;
    let mut to_stdout = false;
    if let Some(out) = &args.json {
        let text = format!("{}\n", serde_json::to_string(report)?);
        if out.as_os_str() == "-" {
            to_stdout = true;
            terminal.raw(&text)?;
        } else {
            write(out, &text)?;
        }
    }
    if let Some(out) = &args.csv {
        write(out, &text::csv(report)?)?;
    }
    if let Some(out) = &args.html {
        write(out, &html::page(profiled))?;
    }
    if let Some(folder) = &args.windows_out {
        write_windows(folder, profiled)?;
    }
    if !to_stdout {
        text::show(report, terminal)?;
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// What a reference is: a baseline file, or data.
enum Compared {
    File(Box<Baseline>),
    Data(Table),
}

fn compared(path: &Path) -> anyhow::Result<Compared> {
    let name = path.display().to_string();
    if path
        .extension()
        .is_none_or(|e| !e.eq_ignore_ascii_case("json"))
    {
        return Ok(Compared::Data(Table::open(path)?));
    }
    let length = std::fs::metadata(path).map_or(0, |m| m.len());
    if length > MAX_TEXT as u64 {
        return bad(format!(
            "{name}: a baseline of {length} bytes is too long, the limit is {MAX_TEXT}"
        ));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    match Baseline::from_json(&text) {
        Ok(baseline) => Ok(Compared::File(Box::new(baseline))),
        Err(error) => bad(format!("{name}: {error}")),
    }
}

/// The document in use, with what was found out on the way.
struct Settled {
    document: Document,
    inferred: bool,
    timestamp: Option<String>,
    notes: Vec<String>,
}

fn settle(
    args: &Args,
    document: Option<Document>,
    compared: &Compared,
    current: &Table,
    labels: Option<&Table>,
) -> anyhow::Result<Settled> {
    let roles = &args.roles;
    let needs_time = args.as_of.is_some() || args.window.iter().any(|w| w.needs_time());
    let given = document.is_some();
    if given
        && (!roles.attribute.is_empty()
            || roles.positive.is_some()
            || !roles.reference_group.is_empty())
    {
        return bad(
            "--attribute, --reference-group and --positive are for data without --objectives; the objectives file says it",
        );
    }
    let (reference, baseline) = match compared {
        Compared::Data(table) => (Some(table), None),
        Compared::File(baseline) => (None, Some(&**baseline)),
    };
    let said = Said {
        score: roles.score.as_deref(),
        decision: roles.decision.as_deref(),
        label: roles.label.as_deref(),
        positive: roles.positive.as_deref(),
        id: roles.id.as_deref(),
        timestamp: roles.timestamp.as_deref(),
        attributes: &roles.attribute,
        reference_groups: &roles.reference_group,
    };
    let must_look = !given || (needs_time && roles.timestamp.is_none());
    let found = if must_look {
        let said = if given { Said::default() } else { said };
        let pane = pane(&args.window);
        Some(infer::infer(
            reference, baseline, current, labels, pane, &said,
        )?)
    } else {
        None
    };
    let times = found.as_ref().map_or(&[][..], |f| &f.times);
    let timestamp = match (&roles.timestamp, times) {
        (Some(name), _) => Some(name.clone()),
        (None, [only]) if current.position(only).is_some() => Some(only.clone()),
        (None, _) if needs_time => {
            return bad(format!(
                "which column holds the rows' time is not known; name it with --timestamp; there are: {}",
                current.listed()
            ));
        }
        (None, _) => None,
    };
    let (notes, inferred) = match (&document, &found) {
        (None, Some(found)) => (found.notes.clone(), Some(found.document.clone())),
        (Some(_), _) | (None, None) => (Vec::new(), None),
    };
    let Some(document) = document.or(inferred) else {
        return bad("there is no objectives file, and none could be inferred");
    };
    Ok(Settled {
        document,
        inferred: !given,
        timestamp,
        notes,
    })
}

/// Length of a pane for a document that nobody wrote: the first stretch of time that windows have.
fn pane(windows: &[Windowing]) -> Span {
    let spans = windows.iter().map(|w| match w {
        Windowing::Span(span) => Some(*span),
        Windowing::Month | Windowing::Year => Some(Span::from_days(31)),
        Windowing::All | Windowing::Rows(_) => None,
    });
    let longest = Span::from_days(31);
    spans
        .flatten()
        .next()
        .unwrap_or_else(|| Span::from_days(7))
        .min(longest)
}

fn profile(args: &Args, document: Option<Document>) -> anyhow::Result<Profiled> {
    let as_of = match &args.as_of {
        None => None,
        Some(text) => match instant(text).and_then(Timestamp::from_micros) {
            Some(at) => Some(at),
            None => {
                return bad(format!(
                    "--as-of {text} is no point in time; write 2026-01-31T00:00:00Z"
                ));
            }
        },
    };
    let compared = compared(&args.baseline)?;
    let current = Table::open(&args.current)?;
    let label_table = args.labels.as_deref().map(Table::open).transpose()?;
    let settled = settle(args, document, &compared, &current, label_table.as_ref())?;
    let document = &settled.document;
    if let Some(out) = &args.draft_objectives {
        write(out, &infer::draft(document))?;
    }
    let named = Named {
        score: args.roles.score.as_deref(),
        decision: args.roles.decision.as_deref(),
        label: args.roles.label.as_deref(),
        id: args.roles.id.as_deref(),
        timestamp: settled.timestamp.as_deref(),
    };
    let mut finder = Finder::new(&current, label_table.as_ref());
    let sources = Sources::find(document, &mut finder, named)?;
    let (baseline, refused) = baseline(document, &compared, named)?;
    let plan = match CapturePlan::new(document, &baseline) {
        Ok(plan) => plan,
        Err(error) => return bad(error.to_string()),
    };
    let labels = match (&label_table, &args.roles.id) {
        (Some(table), Some(id)) => {
            let meter = Meter::default();
            Labels::read(table, &finder, id, as_of, &meter)?
        }
        (Some(_), None) | (None, _) => Labels::default(),
    };
    let mut ways = args.window.clone();
    ways.dedup();
    let counting = Counting {
        plan: &plan,
        sources: &sources,
        labels: &labels,
        windowings: &ways,
        as_of,
    };
    let meter = Meter::default();
    let progress = Progress::over(&current);
    let (windows, tally) = counting::count(&counting, &current, &finder.wanted, &meter, || {
        progress.at(meter.at())
    })?;
    drop(progress);
    let measured = measuring::all(&plan, &windows);
    let judged = measuring::judge(&plan, &windows);
    let report = Report {
        clause9: Format::V1,
        program: format!("clause9 {}", env!("CARGO_PKG_VERSION")),
        current: Data {
            name: file_name(&args.current),
            format: current.format.as_str().to_owned(),
            digest: digest(&tally),
        },
        reference: report::Reference {
            name: baseline.source.name.clone(),
            source: baseline.source.digest,
            baseline: baseline.digest(),
            rows: baseline.rows,
            refused,
            is_baseline_file: matches!(compared, Compared::File(_)),
        },
        objectives: Objectives {
            system: document.system.id.to_string(),
            title: document.system.name.clone(),
            name: args.objectives.as_deref().map(file_name),
            digest: document.digest()?,
            inferred: settled.inferred,
            plan: plan.digest(),
        },
        columns: columns(&finder, &current, label_table.as_ref()),
        coverage: coverage(&tally, &labels, label_table.as_ref()),
        windows: measuring::window_rows(&windows),
        rows: measured.rows,
        not_measured: measured.not_measured,
        verdicts: judged.verdicts,
        not_judged: judged.not_judged,
        notes: settled.notes,
    };
    Ok(Profiled {
        plan,
        windows,
        report,
    })
}

fn digest(tally: &Tally) -> Digest {
    // Counting ends with the digest of what it read.
    tally.digest.unwrap_or_else(|| Digest::of(b""))
}

/// The baseline, and how many rows of the reference could not be read.
fn baseline(
    document: &Document,
    compared: &Compared,
    named: Named<'_>,
) -> anyhow::Result<(Baseline, u64)> {
    match compared {
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
                DecisionRule::Output { from, .. } => Some(from.output.as_str()),
            });
            let score = score.and_then(|own| there([named.score, Some(own), Some("score")]));
            let decision =
                decision.and_then(|own| there([named.decision, Some(own), Some("decision")]));
            let label = there([named.label, Some("label"), None]);
            let columns = reference::Outputs {
                score: score.as_deref(),
                decision: decision.as_deref(),
                label: label.as_deref(),
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

fn columns(finder: &Finder<'_>, current: &Table, labels: Option<&Table>) -> Vec<ColumnTaken> {
    let of = |table: &Table, of_labels: bool| -> Vec<ColumnTaken> {
        let columns = table.columns.iter().enumerate();
        columns
            .map(|(index, column)| {
                let taken = finder.taken.iter().filter(|(source, at, _)| {
                    let joined = match source {
                        Source::Batch(_) | Source::Crossed(_) => false,
                        Source::Joined(_) => true,
                    };
                    *at == index && joined == of_labels
                });
                ColumnTaken {
                    name: column.name.clone(),
                    taken_for: taken.map(|(_, _, role)| role.clone()).collect(),
                    of_labels,
                }
            })
            .collect()
    };
    let mut all = of(current, false);
    all.extend(labels.map(|table| of(table, true)).unwrap_or_default());
    all
}

fn coverage(tally: &Tally, labels: &Labels, table: Option<&Table>) -> Coverage {
    Coverage {
        rows: tally.rows,
        counted: tally.counted,
        after_as_of: tally.after_as_of,
        refused: tally.refused,
        refused_rows: tally
            .listed
            .iter()
            .map(|row| RefusedRow {
                line: row.line,
                why: row.why.clone(),
            })
            .collect(),
        labelled: tally.labelled,
        unlabelled: tally.counted - tally.labelled - tally.unlisted_labels,
        unlisted_labels: tally.unlisted_labels,
        labels: table.map(|table| LabelCoverage {
            name: file_name(&table.path),
            rows: labels.rows,
            repeated: labels.repeated,
            too_late: labels.too_late,
            refused: labels.refused,
            joined: tally.joined,
            unknown: labels.kept().saturating_sub(tally.joined),
        }),
    }
}

/// Writes each window's binary summaries, the baseline, the document, and an index of them.
fn write_windows(folder: &Path, profiled: &Profiled) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut index = Vec::new();
    for (number, (window, row)) in profiled
        .windows
        .iter()
        .zip(&profiled.report.windows)
        .enumerate()
    {
        let mut files = BTreeMap::new();
        for (stream, summary) in [("traffic", &window.traffic), ("outcomes", &window.outcomes)] {
            let name = format!("{number:04}.{stream}.bin");
            let path = folder.join(&name);
            std::fs::write(&path, summary.to_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            files.insert(stream, name);
        }
        index.push(serde_json::json!({ "window": row, "files": files }));
    }
    let document = serde_json::to_value(profiled.plan.document())?;
    let all = serde_json::json!({
        "clause9": "profile-windows/v1",
        "objectives": profiled.report.objectives,
        "reference": profiled.report.reference,
        "windows": index,
    });
    write(&folder.join("index.json"), &format!("{all:#}\n"))?;
    write(&folder.join("document.json"), &format!("{document:#}\n"))?;
    write(
        &folder.join("baseline.json"),
        &profiled.plan.baseline().to_json()?,
    )
}
