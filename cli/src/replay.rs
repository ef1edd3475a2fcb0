//! `clause9 replay`: what a candidate objective would have told of windows that were stored.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clause9_shared::baseline::Baseline;
use clause9_shared::judge::{Compiled, families};
use clause9_shared::metric::StreamKind;
use clause9_shared::objective::document::{Document, Objective};
use clause9_shared::planning::{self, Replayed};
use clause9_shared::sketch::PaneSummary;
use serde_json::{Value, json};

use crate::profile::windowing::Bounds;
use crate::profile::withheld::{Counted, Withheld};
use crate::terminal::Terminal;
use crate::{Ended, check, plan, read};

mod folder;
pub(crate) mod stored;

use stored::{Given, Stored};

/// Run candidate objectives over stored windows and show what they would have told.
///
/// Windows come from a folder that `clause9 profile --windows-out` wrote, or from a collector's
/// register over plain HTTP. What one seal brought is one step of the ledger, in the order of seals, as
/// it was for the objectives in force: of panes for which a version was in force at the beginning of
/// their window, or of all where a candidate was in force for none. With `labels` in the objective a step is
/// all of the pane whose labels had had their time at the seal. A candidate can only read what was
/// counted: the summaries of the plan of its time.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The objectives file with the candidates.
    #[arg(long, value_name = "FILE")]
    objectives: PathBuf,
    /// Only this objective; all without it.
    #[arg(long, value_name = "ID")]
    objective: Option<String>,
    /// The baseline. Of a folder of windows its own if none is named.
    #[arg(long, value_name = "FILE", required_unless_present = "windows")]
    baseline: Option<PathBuf>,
    /// A folder of windows.
    #[arg(long, value_name = "DIR", required_unless_present = "collector")]
    windows: Option<PathBuf>,
    /// Of a folder whose rows were cut in several ways: which way, as `rows:1000`.
    #[arg(long, value_name = "CUT", requires = "windows")]
    cut: Option<String>,
    /// A collector's address, as `http://127.0.0.1:9300`.
    #[arg(long, value_name = "URL", conflicts_with = "windows")]
    collector: Option<String>,
    /// Fewest cases of a group of an attribute for its figures to be shown; 1 shows all. Default:
    /// `reports.least_group` of the objectives file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    least_group: Option<u64>,
    /// Answer in JSON, for programs, with every step.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Replay, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let file = read::objectives(&args.objectives)?;
    let Ok(document) = &file.checked else {
        check::show(&file, terminal)?;
        return Ok(Ended::WithProblems);
    };
    let (stored, baseline) = stored(args, document)?;
    let (mut rows, mut ended) = (Vec::new(), Ended::Well);
    let mut replayed = Vec::new();
    let wanted = |o: &&Objective| {
        args.objective
            .as_deref()
            .is_none_or(|id| id == o.id.as_str())
    };
    for objective in document.objectives.iter().filter(wanted) {
        let compiled = match Compiled::new(document, objective, &baseline) {
            Ok(compiled) => compiled,
            Err(error) => {
                ended = Ended::WithProblems;
                rows.push(json!({ "objective": objective.id, "refused": error.to_string() }));
                if !args.json {
                    terminal.line(&error.to_string())?;
                }
                continue;
            }
        };
        let steps = stored.steps(stream(document, objective), objective)?;
        let least = args.least_group;
        let least = least.unwrap_or(document.reports.least_group);
        let hidden = hidden(document, objective, &steps, least);
        let steps = steps
            .iter()
            .map(|step| (&step.summary, step.traffic.as_ref()));
        let told = planning::replay(&compiled, document, &baseline, steps);
        if !args.json {
            let id = format!("{} version {}", objective.id, objective.version);
            terminal.good(&id, "replayed", &said(&told, &hidden))?;
        }
        rows.push(json!({
            "objective": objective.id, "version": objective.version,
            "compiled": compiled.digest(), "blocks": blanked(&told, &hidden)?,
        }));
        let last = told.last().map(|block| block.step.evidence);
        replayed.push((compiled, last));
    }
    ensure!(!rows.is_empty(), "no objective of that name is in the file");
    if args.json {
        let together = together(&replayed);
        terminal.json(
            &json!({ "ok": ended == Ended::Well, "objectives": rows, "together": together }),
        )?;
    } else {
        for family in together(&replayed) {
            terminal.line(&in_words(&family))?;
        }
    }
    Ok(ended)
}

/// Which features of one metric are named as broken after the last block, by the newest versions that
/// took one.
fn together(replayed: &[(Compiled, Option<i64>)]) -> Vec<Value> {
    let newest = |compiled: &Compiled| {
        let own = &compiled.objective;
        let others = replayed.iter().filter(|(_, last)| last.is_some());
        let mut others = others.map(|(other, _)| &other.objective);
        !others.any(|other| other.id == own.id && other.version > own.version)
    };
    let judged: Vec<&(Compiled, Option<i64>)> = replayed
        .iter()
        .filter(|(compiled, last)| last.is_some() && newest(compiled))
        .collect();
    let told = families(judged.iter().map(|(compiled, _)| compiled)).into_iter();
    let told = told.map(|family| {
        let evidence = family.members.iter().map(|member| {
            let own = judged
                .iter()
                .find(|(compiled, _)| std::ptr::eq(compiled, *member));
            own.and_then(|(_, last)| *last)
        });
        let found = family.named(evidence);
        let id = |member: &&Compiled| member.objective.id.to_string();
        json!({
            "metric": family.metric, "alpha": family.alpha,
            "objectives": family.members.iter().map(id).collect::<Vec<_>>(),
            "named": found.broken.iter().map(|at| id(&family.members[*at])).collect::<Vec<_>>(),
        })
    });
    told.collect()
}

fn in_words(family: &Value) -> String {
    let list = |name: &str| -> Vec<&str> {
        family[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let (metric, of) = (
        family["metric"].as_str().unwrap_or_default(),
        list("objectives").len(),
    );
    match list("named").join(", ") {
        none if none.is_empty() => format!("together: of {of} features none is named by {metric}"),
        named => format!("together: of {of} features {metric} names {named}"),
    }
}

/// Which stream an objective reads.
fn stream(document: &Document, objective: &Objective) -> StreamKind {
    let stream = objective.metric.spec().stream;
    let late = document
        .attributes
        .iter()
        .any(|a| Some(&a.name) == objective.of.attribute.as_ref() && document.comes_late(a));
    match stream {
        StreamKind::ByAttribute if late => StreamKind::Outcomes,
        StreamKind::ByAttribute => StreamKind::Traffic,
        StreamKind::Traffic | StreamKind::Outcomes => stream,
    }
}

/// What of a block is withheld.
#[derive(Default)]
struct Hidden {
    /// Why its own figure is, if it is.
    own: Option<String>,
    /// What stands in the place of reasons that rest on this and earlier blocks, if they would tell.
    sums: Option<String>,
}

/// What is withheld of each step, as `clause9 profile` withholds it: each step is a window.
fn hidden(document: &Document, objective: &Objective, steps: &[Given], least: u64) -> Vec<Hidden> {
    let nothing = PaneSummary::default();
    let windows: Vec<Counted<'_>> = (0..)
        .zip(steps)
        .map(|(at, step): (u64, &Given)| Counted {
            name: at.to_string(),
            cut: String::new(),
            bounds: Bounds::Rows(at, at + 1),
            streams: [step.traffic.as_ref().unwrap_or(&nothing), &step.summary],
        })
        .collect();
    let withheld = Withheld::find(document, &windows, least);
    let (metric, of) = (objective.metric, &objective.of);
    let each = windows.iter().map(|window| Hidden {
        own: withheld
            .hides(document, &window.name, metric, of)
            .then(|| withheld.why()),
        sums: withheld
            .hides_sum(document, (&window.name, ""), metric, of)
            .then(|| withheld.because()),
    });
    each.collect()
}

/// Blocks without what is withheld of them.
fn blanked(told: &[Replayed], hidden: &[Hidden]) -> anyhow::Result<Vec<Value>> {
    let each = told.iter().zip(hidden).map(|(block, hidden)| {
        let mut block = serde_json::to_value(block)?;
        if let Some(why) = &hidden.own {
            block["value"] = Value::Null;
            block["support"] = Value::Null;
            block["undefined"] = why.as_str().into();
        }
        if let Some(because) = &hidden.sums {
            for name in ["running", "support", "needed"] {
                block["verdict"][name] = Value::Null;
            }
            block["verdict"]["because"] = because.as_str().into();
        }
        Ok(block)
    });
    each.collect()
}

fn said(told: &[Replayed], hidden: &[Hidden]) -> String {
    let measured = told.iter().filter(|block| block.value.is_some()).count();
    let Some(last) = told.last() else {
        return "no stored block".to_owned();
    };
    let confirmed = told.iter().position(|b| b.verdict.confirmed_at.is_some());
    let confirmed = confirmed.map_or_else(
        || "never confirmed a breach".to_owned(),
        |at| format!("confirmed a breach at block {}", at + 1),
    );
    format!(
        "{} blocks, {measured} with a value; {confirmed}; at the end {}: {}",
        told.len(),
        last.verdict.state.as_str(),
        hidden
            .last()
            .and_then(|hidden| hidden.sums.as_ref())
            .unwrap_or(&last.verdict.because)
    )
}

fn stored(args: &Replay, document: &Document) -> anyhow::Result<(Stored, Baseline)> {
    if let Some(folder) = &args.windows {
        let own = folder.join("baseline.json");
        let baseline = plan::baseline(args.baseline.as_deref().unwrap_or(&own))?;
        return Ok((folder::windows(folder, args.cut.as_deref())?, baseline));
    }
    let (Some(url), Some(baseline)) = (&args.collector, &args.baseline) else {
        bail!("name a folder with --windows, or a --collector and a --baseline");
    };
    let stored = Stored::from_collector(url, document)?;
    Ok((stored, plan::baseline(baseline)?))
}
