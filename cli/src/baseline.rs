//! `clause9 baseline`: from an objectives file and a reference, or live panes, to a baseline.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::baseline::Baseline;
use clause9_shared::objective::Document;
use serde_json::json;

use crate::args::Baseline as Args;
use crate::data::{BadData, Meter, Table, bad};
use crate::progress::Progress;
use crate::reference::{self, Mistakes, Outputs};
use crate::terminal::Terminal;
use crate::{Ended, check, read, refreeze};

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let file = read::objectives(&args.objectives)?;
    let Ok(document) = &file.checked else {
        if args.json {
            let problems = check::problems(&file);
            terminal.json(&json!({ "ok": false, "file": file.name, "problems": problems }))?;
        } else {
            check::show(&file, terminal)?;
        }
        return Ok(Ended::WithProblems);
    };
    let built = match (&args.reference, &args.live) {
        (Some(reference), _) => of_reference(args, document, reference, terminal),
        (None, Some(url)) => refreeze::of_panes(args, document, url, terminal),
        (None, None) => bad("name a reference, or a collector's panes"),
    };
    let baseline = match built {
        Ok(baseline) => baseline,
        Err(error) => {
            let Some(BadData(message)) = error.downcast_ref() else {
                return Err(error);
            };
            if args.json {
                terminal.json(&json!({ "ok": false, "problem": message }))?;
            } else {
                terminal.line(message)?;
            }
            return Ok(Ended::WithProblems);
        }
    };
    write(&args.out, &baseline.to_json()?)?;
    let out = args.out.display().to_string();
    let digest = baseline.digest();
    if args.json {
        terminal.json(&json!({
            "ok": true,
            "out": out,
            "rows": baseline.rows,
            "features": baseline.features.len(),
            "score": baseline.score.is_some(),
            "digest": digest,
        }))?;
    } else {
        let summary = format!(
            "system {}, {} rows, {} features, {}, digest {digest}",
            baseline.system,
            baseline.rows,
            baseline.features.len(),
            match (&args.score, &baseline.score) {
                (Some(column), Some(_)) => format!("scores from `{column}`"),
                (_, None) | (None, Some(_)) => "no scores".to_owned(),
            }
        );
        terminal.good(&out, "written", &summary)?;
    }
    Ok(Ended::Well)
}

fn of_reference(
    args: &Args,
    document: &Document,
    reference: &Path,
    terminal: &mut Terminal,
) -> anyhow::Result<Baseline> {
    note_scores(document, args, terminal)?;
    let meter = Meter::default();
    let table = Table::open(reference)?;
    let progress = Progress::over(&table);
    let outputs = Outputs {
        score: args.score.as_deref(),
        decision: args.decision.as_deref(),
        prediction: args.prediction.as_deref(),
        label: args.label.as_deref(),
        jointly: args.jointly,
    };
    let built = reference::build(document, &table, outputs, Mistakes::End, &meter, || {
        progress.at(meter.at());
    });
    built.map(|built| built.baseline)
}

/// Scores that are asked for but not watched, or watched but not asked for, are rarely meant.
fn note_scores(document: &Document, args: &Args, terminal: &mut Terminal) -> anyhow::Result<()> {
    match (&args.score, &document.outputs.score) {
        (Some(column), None) => terminal.note(&format!(
            "the objectives file watches no score; `{column}` becomes part of the baseline all the same"
        ))?,
        (None, Some(_)) => terminal.note(
            "the objectives file watches a score; name its column with --score to have it in the baseline",
        )?,
        (Some(_), Some(_)) | (None, None) => {}
    }
    Ok(())
}

/// Writes the whole file or none: readers never see half a file.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(format!(".{}.half", std::process::id()));
    let half = Path::new(&half);
    let written = fs::write(half, text).and_then(|()| fs::rename(half, path));
    if written.is_err() {
        // Nothing is lost if it was never created.
        let _ = fs::remove_file(half);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
