//! `clause9 check`: every mistake in objectives files, or that there is none.

use std::collections::BTreeSet;

use clause9_shared::metric::SampleKind;
use clause9_shared::objective::Document;
use serde_json::{Value, json};

use crate::Ended;
use crate::args::Check;
use crate::read::{self, Objectives};
use crate::terminal::Terminal;

pub(crate) fn run(args: &Check, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let mut ended = Ended::Well;
    let mut answers = Vec::new();
    let mut unreadable = None;
    for path in &args.files {
        let file = match read::objectives(path) {
            Ok(file) => file,
            // The other files are still worth checking.
            Err(error) if unreadable.is_none() => {
                unreadable = Some(error);
                continue;
            }
            Err(error) => {
                terminal.fault(&error);
                continue;
            }
        };
        if file.checked.is_err() {
            ended = Ended::WithProblems;
        }
        if args.json {
            answers.push(answer(&file)?);
        } else {
            show(&file, terminal)?;
        }
    }
    if args.json {
        terminal.json(&json!({ "files": answers }))?;
    }
    unreadable.map_or(Ok(ended), Err)
}

/// Shows a checked file to people.
pub(crate) fn show(file: &Objectives, terminal: &mut Terminal) -> anyhow::Result<()> {
    match &file.checked {
        Ok(document) => {
            let objectives = objectives(document);
            let versions = document.objectives.len();
            let summary = format!(
                "system {}, {}, {} ({}), digest {}",
                document.system.id,
                counted(document.features.len(), "feature"),
                counted(objectives, "objective"),
                counted(versions, "version"),
                document.digest()?
            );
            terminal.good(&file.name, "ok", &summary)?;
            for id in never_judged(document) {
                terminal.note(&format!(
                    "{}: the metric of objective {id} is shown, never judged: no verdict and no nonconformity comes of it (see its page in docs/metrics for one that is judged)",
                    file.name
                ))?;
            }
        }
        Err(problems) => {
            for problem in problems {
                terminal.problem(problem, file.text.as_deref())?;
            }
        }
    }
    Ok(())
}

fn answer(file: &Objectives) -> anyhow::Result<Value> {
    Ok(match &file.checked {
        Ok(document) => json!({
            "file": file.name,
            "ok": true,
            "system": document.system.id,
            "features": document.features.len(),
            "objectives": objectives(document),
            "versions": document.objectives.len(),
            "never_judged": never_judged(document),
            "digest": document.digest()?,
        }),
        Err(_) => json!({ "file": file.name, "ok": false, "problems": problems(file) }),
    })
}

/// The problems of a file, for programs.
pub(crate) fn problems(file: &Objectives) -> Vec<Value> {
    let problems = file.checked.as_ref().err();
    problems
        .into_iter()
        .flatten()
        .map(|p| json!({ "line": p.line, "column": p.column, "message": p.message }))
        .collect()
}

/// Objectives on metrics that have no ledger: they are shown, and nothing else will ever come of them.
fn never_judged(document: &Document) -> BTreeSet<&str> {
    let shown = document.objectives.iter();
    let shown = shown.filter(|o| o.metric.spec().sample == SampleKind::Unjudged);
    shown.map(|o| o.id.as_str()).collect()
}

fn objectives(document: &Document) -> usize {
    let ids: BTreeSet<_> = document.objectives.iter().map(|o| &o.id).collect();
    ids.len()
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
