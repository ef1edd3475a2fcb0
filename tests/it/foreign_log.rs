//! The register as a log, verified over HTTP by a program of C2SP transparency logs that nobody here wrote: what is in it, that it
//! only grew, who signed; and that it refuses what was changed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clause9_shared::digest::{Digest, parse_hex};
use clause9_tests::http;
use clause9_tests::process::wait_until;
use clause9_tests::tools;

use crate::first_nonconformity::Bank;

const PATIENCE: Duration = Duration::from_secs(20);

/// A log on the network, and the program that doubts it.
struct Doubter<'t> {
    program: PathBuf,
    folder: &'t Path,
    log: String,
    key: String,
}

impl Doubter<'_> {
    /// Whether it is convinced, and what it said.
    fn asks(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        let (command, rest) = (arguments[0], &arguments[1..]);
        let output = Command::new(&self.program)
            .args([command, "--log-key", &self.key, "--tiles", &self.log])
            .args(rest)
            .current_dir(self.folder)
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    }

    fn convinced(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let (convinced, said) = self.asks(arguments)?;
        anyhow::ensure!(convinced, "{arguments:?}: {said}");
        Ok(())
    }

    fn refuses(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let (convinced, said) = self.asks(arguments)?;
        anyhow::ensure!(!convinced, "{arguments:?} convinced it: {said}");
        Ok(())
    }
}

fn newest(port: u16) -> anyhow::Result<String> {
    Ok(http::get(port, "/log/checkpoint")?.text())
}

fn size(checkpoint: &str) -> u64 {
    checkpoint
        .lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .unwrap_or(0)
}

#[test]
fn a_program_that_nobody_here_wrote_verifies_the_register() -> anyhow::Result<()> {
    let Some(program) = tools::environment("tlog", "aics-tlog")? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::told(
        folder.path(),
        "log: { checkpoint_every: 1s, origin: log.example/bank }\n",
    )?;
    let port = bank.site.collector;
    wait_until("a checkpoint", PATIENCE, || {
        newest(port).is_ok_and(|note| size(&note) > 0)
    })?;
    std::fs::write(folder.path().join("then"), newest(port)?)?;
    for day in 0..10 {
        bank.live_through(day, 3)?;
    }
    let records = bank.site.list("/v1/evidence?limit=1000")?;
    wait_until("a checkpoint over everything", PATIENCE, || {
        newest(port).is_ok_and(|note| size(&note) >= records.len() as u64)
    })?;
    std::fs::write(folder.path().join("now"), newest(port)?)?;
    let key = records.iter().find(|record| record["type"] == "key");
    let key = key
        .and_then(|record| record["digest"].as_str())
        .unwrap_or_default();
    let key = http::get(port, &format!("/v1/evidence/{key}"))?.json()?;
    let doubter = Doubter {
        program,
        folder: folder.path(),
        log: format!("http://127.0.0.1:{port}/log"),
        key: key["body"]["key"].as_str().unwrap_or_default().to_owned(),
    };
    doubter.convinced(&["verify-checkpoint"])?;
    doubter.convinced(&["verify-consistency", "--old-checkpoint", "then"])?;
    for record in records.iter().step_by(records.len() / 12) {
        let name: Digest = record["digest"].as_str().unwrap_or_default().parse()?;
        let leaf = record["leaf"].to_string();
        std::fs::write(folder.path().join("entry"), name.as_bytes())?;
        doubter.convinced(&["verify-inclusion", "--index", &leaf, "--leaf", "entry"])?;
    }
    refused(&doubter, folder.path(), &records[5]["leaf"].to_string())
}

/// What was changed convinces nobody.
fn refused(doubter: &Doubter<'_>, folder: &Path, leaf: &str) -> anyhow::Result<()> {
    std::fs::write(
        folder.join("entry"),
        Digest::of(b"another record").as_bytes(),
    )?;
    doubter.refuses(&["verify-inclusion", "--index", leaf, "--leaf", "entry"])?;
    let then = std::fs::read_to_string(folder.join("then"))?;
    let root = then.lines().nth(2).unwrap_or_default();
    let other = clause9_shared::evidence::merkle::Hash::from_bytes(
        parse_hex(&"0a".repeat(32)).unwrap_or_default(),
    );
    std::fs::write(
        folder.join("changed"),
        then.replace(root, &other.to_string()),
    )?;
    doubter.refuses(&["verify-consistency", "--old-checkpoint", "changed"])?;
    let stranger = Doubter {
        program: doubter.program.clone(),
        folder,
        log: doubter.log.clone(),
        key: "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".to_owned(),
    };
    stranger.refuses(&["verify-checkpoint"])
}
