//! `clause9 baseline`: from an objectives file and a reference to a baseline.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::objective::Document;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::Baseline as Args;
use crate::reference::{self, BadReference};
use crate::terminal::Terminal;
use crate::{Ended, check, read};

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
    note_scores(document, args, terminal)?;
    let bar = progress_bar(&args.reference);
    let built = reference::build(document, &args.reference, args.score.as_deref(), &|bytes| {
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    let baseline = match built {
        Ok(baseline) => baseline,
        Err(error) => {
            let Some(BadReference(message)) = error.downcast_ref() else {
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

/// A bar over the bytes of the reference; none if nobody watches.
fn progress_bar(path: &Path) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let length = fs::metadata(path).map_or(0, |m| m.len());
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// Writes the whole file or none: readers never see half a baseline.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
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
