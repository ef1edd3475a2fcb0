//! Where the report goes: standard output, files, a folder of windows.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::wire::codec::Encode as _;

use super::{Args, Profiled, html, text};
use crate::baseline::write;
use crate::terminal::Terminal;

/// Writes everything that was asked for.
pub(super) fn outputs(
    args: &Args,
    profiled: &Profiled,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
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
