//! Writes every generated file into the repository it is called in.

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    anyhow::ensure!(
        root.join("dashboards/Cargo.toml").is_file(),
        "`{}` is not the root of the repository: call it there, or name the root as first argument",
        root.display()
    );
    for artefact in clause9_dashboards::artefacts() {
        let path = root.join(artefact.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the folder `{}`", folder.display()))?;
        }
        std::fs::write(&path, artefact.text)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
