//! A register with a witness, as real programs: checkpoints are cosigned, a program that nobody here wrote asks for the cosignature,
//! a witness that ends and comes back goes on, and a register that is set back is found out on both sides.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Context as _;
use clause9_shared::evidence::note::{Note, VerifierKey};
use clause9_tests::http;
use clause9_tests::process::{Running, free_port, program, run_to_end, wait_until};
use clause9_tests::tools;

use crate::first_nonconformity::Bank;

const PATIENCE: Duration = Duration::from_secs(20);

/// A witness of one log, on this machine.
struct Auditor<'f> {
    folder: &'f Path,
    port: u16,
    key: VerifierKey,
}

impl<'f> Auditor<'f> {
    fn new(folder: &'f Path) -> anyhow::Result<Self> {
        let key = run_to_end(
            "clause9-witness",
            folder,
            "init --state witness.json --name audit.example.com/bank",
        )?;
        Ok(Self {
            folder,
            port: free_port()?,
            key: key.trim().parse()?,
        })
    }

    /// What the collector is told of it.
    fn introduced(&self) -> String {
        let url = format!("http://127.0.0.1:{}", self.port);
        format!(
            "log:\n  checkpoint_every: 1s\n  origin: log.example/bank\n  witnesses: [{{ key: \"{}\", url: \"{url}\" }}]\n",
            self.key
        )
    }

    fn start(&self) -> anyhow::Result<Running> {
        let listen = format!("127.0.0.1:{}", self.port);
        let arguments = ["run", "--state", "witness.json", "--listen", &listen];
        let mut running = Running::start(&program("clause9-witness")?, self.folder, &arguments)?;
        running.wait_for_port(self.port, PATIENCE)?;
        Ok(running)
    }

    fn status(&self) -> anyhow::Result<Output> {
        let mut command = Command::new(program("clause9-witness")?);
        Ok(command
            .args(["status", "--state", "witness.json"])
            .current_dir(self.folder)
            .output()?)
    }
}

fn newest(port: u16) -> anyhow::Result<Note> {
    Ok(Note::parse(
        http::get(port, "/log/checkpoint")?.text().as_bytes(),
    )?)
}

fn size(note: &Note) -> u64 {
    note.text()
        .lines()
        .nth(1)
        .and_then(|line| line.parse().ok())
        .unwrap_or(0)
}

/// Waits for a cosigned checkpoint over at least so many records; its size.
fn cosigned(bank: &Bank, auditor: &Auditor<'_>, least: u64) -> anyhow::Result<u64> {
    let port = bank.site.collector;
    let mut found = 0;
    wait_until(
        &format!("a cosigned checkpoint over {least} records"),
        PATIENCE,
        || {
            let newest = newest(port).ok().filter(|note| size(note) >= least);
            let note = newest.filter(|note| matches!(auditor.key.verify(note), Ok(Some(_))));
            found = note.as_ref().map_or(0, size);
            note.is_some()
        },
    )?;
    Ok(found)
}

fn records(bank: &Bank) -> anyhow::Result<u64> {
    Ok(bank.site.list("/v1/evidence?limit=1000")?.len() as u64)
}

fn asked(bank: &Bank, result: &str) -> u64 {
    let series = format!(
        "clause9_collector_witness_asked_total{{result=\"{result}\",witness=\"audit.example.com/bank\"}} "
    );
    let text = http::get(bank.site.collector, "/metrics")
        .map(|answer| answer.text())
        .unwrap_or_default();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(&series)?.parse().ok());
    value.unwrap_or(0)
}

/// The log's key, as whoever runs it prints it.
fn key(folder: &Path) -> anyhow::Result<String> {
    let listed = run_to_end(
        "clause9-collector",
        folder,
        "key list --config collector.yaml",
    )?;
    let line = listed
        .lines()
        .rfind(|line| line.contains(" leaf "))
        .context("no key is listed")?;
    Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[test]
fn a_witness_cosigns_goes_on_after_its_end_and_finds_out_a_register_that_is_set_back()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let auditor = Auditor::new(folder.path())?;
    let mut bank = Bank::told(folder.path(), &auditor.introduced())?;
    // Before the witness is there, and before it knows the log, it is asked in vain, and nothing waits for it.
    wait_until("a try in vain", PATIENCE, || asked(&bank, "failed") > 0)?;
    let log = key(folder.path())?;
    run_to_end(
        "clause9-witness",
        folder.path(),
        &format!("watch --state witness.json {log}"),
    )?;
    let mut witness = auditor.start()?;
    for day in 0..3 {
        bank.live_through(day, 3)?;
    }
    let before = cosigned(&bank, &auditor, records(&bank)?)?;
    foreign(folder.path(), &bank, &log, &auditor)?;
    witness.terminate(PATIENCE)?;
    let _watching = auditor.start()?;
    bank.live_through(3, 3)?;
    let first = cosigned(&bank, &auditor, before + 1)?;

    // The register as it was: a backup that is put in place later.
    bank.collector.terminate(PATIENCE)?;
    let (store, backup) = (folder.path().join("store"), folder.path().join("backup"));
    copy(&store, &backup)?;
    bank.collector = bank.site.start_collector()?;
    for day in 4..6 {
        bank.live_through(day, 3)?;
    }
    let second = cosigned(&bank, &auditor, records(&bank)?)?;
    assert!(second > first);
    assert_eq!(auditor.status()?.status.code(), Some(0));
    bank.collector.terminate(PATIENCE)?;
    std::fs::remove_dir_all(&store)?;
    copy(&backup, &store)?;
    bank.collector = bank.site.start_collector()?;
    wait_until("the register that was set back", PATIENCE, || {
        asked(&bank, "ahead") > 0
    })?;
    assert_eq!(asked(&bank, "cosigned"), 0);
    let status = auditor.status()?;
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(4), "{said}");
    assert!(
        said.contains("the log was set back") && said.contains("and then came"),
        "{said}"
    );
    Ok(())
}

/// A program that nobody here wrote takes the checkpoint only with the witness's cosignature.
fn foreign(folder: &Path, bank: &Bank, log: &str, auditor: &Auditor<'_>) -> anyhow::Result<()> {
    let Some(program) = tools::environment("tlog", "aics-tlog")? else {
        return Ok(());
    };
    let tiles = format!("http://127.0.0.1:{}/log", bank.site.collector);
    let verify = |witness: &str| {
        let arguments = [
            "verify-checkpoint",
            "--log-key",
            log,
            "--tiles",
            &tiles,
            "--quorum",
            "1",
            "--witness-key",
            witness,
        ];
        Command::new(&program)
            .args(arguments)
            .current_dir(folder)
            .output()
    };
    let told = verify(&auditor.key.to_string())?;
    anyhow::ensure!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&[told.stdout, told.stderr].concat())
    );
    let stranger = run_to_end(
        "clause9-witness",
        folder,
        "init --state stranger.json --name audit.example.com/bank",
    )?;
    anyhow::ensure!(
        !verify(stranger.trim())?.status.success(),
        "another witness's key is as good"
    );
    Ok(())
}
