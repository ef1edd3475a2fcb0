//! Windows in a folder that `clause9 profile --windows-out` wrote, of one way of cutting rows.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::wire::codec::Decode as _;
use serde::Deserialize;

use super::stored::{MOST_BYTES, Stored};

/// What the folder says of itself.
#[derive(Deserialize)]
struct Index {
    windows: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    window: Row,
    files: Files,
}

#[derive(Deserialize)]
struct Row {
    cut: String,
}

#[derive(Deserialize)]
struct Files {
    traffic: String,
    outcomes: String,
}

/// The windows of one way of cutting, in their order. Windows of several ways hold the same rows, so that a
/// ledger that took them all would count each row several times.
pub(super) fn windows(folder: &Path, cut: Option<&str>) -> anyhow::Result<Stored> {
    let index = read(&folder.join("index.json")).with_context(|| {
        format!(
            "{} holds no windows; write some with `clause9 profile --windows-out`",
            folder.display()
        )
    })?;
    let index: Index = serde_json::from_slice(&index)
        .with_context(|| format!("{}/index.json is no list of windows", folder.display()))?;
    let cut = chosen(&index, cut)?;
    let (mut traffic, mut outcomes) = (Vec::new(), Vec::new());
    for listed in index
        .windows
        .iter()
        .filter(|listed| listed.window.cut == cut)
    {
        traffic.push(summary(folder, &listed.files.traffic)?);
        outcomes.push(summary(folder, &listed.files.outcomes)?);
    }
    Ok(Stored::Windows { traffic, outcomes })
}

/// The way of cutting that was asked for, or the only one.
fn chosen(index: &Index, asked: Option<&str>) -> anyhow::Result<String> {
    let mut cuts: Vec<&str> = Vec::new();
    for listed in &index.windows {
        if !cuts.contains(&&*listed.window.cut) {
            cuts.push(&listed.window.cut);
        }
    }
    let named = cuts.join(", ");
    if let Some(cut) = asked {
        ensure!(
            cuts.contains(&cut),
            "--cut {cut}: no window was cut so; there are: {named}"
        );
        return Ok(cut.to_owned());
    }
    let [cut] = cuts[..] else {
        anyhow::bail!(
            "rows were cut in {} ways, and each is replayed by itself; choose one with --cut: {named}",
            cuts.len()
        );
    };
    Ok(cut.to_owned())
}

fn summary(folder: &Path, name: &str) -> anyhow::Result<PaneSummary> {
    let plain = Path::new(name).file_name().is_some_and(|own| own == name);
    ensure!(
        plain,
        "index.json names `{name}`, which is no file of the folder"
    );
    let bytes = read(&folder.join(name))?;
    PaneSummary::from_bytes(&bytes).with_context(|| format!("{name} is no summary"))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(shown)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    ensure!(
        bytes.len() as u64 <= MOST_BYTES,
        "{} is longer than {} MiB",
        path.display(),
        MOST_BYTES >> 20
    );
    Ok(bytes)
}
