//! The same bytes without a collector: what the disk and SQLite can do at best.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::params;

/// A window a row, of all agents' batches of a pane in one commit. Seconds.
pub(super) fn sqlite(
    folder: &Path,
    (panes, agents): (usize, usize),
    windows: &[Vec<u8>],
) -> anyhow::Result<f64> {
    let mut db = rusqlite::Connection::open(folder.join("raw.sqlite"))?;
    // As the collector's own store does.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch(
        "CREATE TABLE windows(id INTEGER PRIMARY KEY, pane INTEGER NOT NULL, agent INTEGER NOT NULL,
           bytes BLOB NOT NULL) STRICT",
    )?;
    let begun = Instant::now();
    for pane in 0..panes {
        let tx = db.transaction()?;
        let mut insert =
            tx.prepare_cached("INSERT INTO windows(pane, agent, bytes) VALUES(?1, ?2, ?3)")?;
        for agent in 0..agents {
            for window in windows {
                insert.execute(params![i64::try_from(pane)?, i64::try_from(agent)?, window])?;
            }
        }
        drop(insert);
        tx.commit()?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rows: i64 = db.query_row("SELECT count(*) FROM windows", [], |r| r.get(0))?;
    anyhow::ensure!(
        usize::try_from(rows)? == panes * agents * windows.len(),
        "{rows} rows were stored"
    );
    Ok(seconds)
}

/// All agents' windows of a pane, then `fdatasync`. Seconds.
pub(super) fn file(
    folder: &Path,
    (panes, agents): (usize, usize),
    windows: &[Vec<u8>],
) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("raw"))?;
    let begun = Instant::now();
    for _ in 0..panes {
        for _ in 0..agents {
            for window in windows {
                file.write_all(window)?;
            }
        }
        file.sync_data()?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let bytes: usize = windows.iter().map(Vec::len).sum();
    let expected = (panes * agents * bytes) as u64;
    anyhow::ensure!(file.metadata()?.len() == expected, "not all was written");
    Ok(seconds)
}

/// Writes of so many bytes with a sync each, at a rate. Microseconds of each.
pub(super) fn syncs(
    folder: &Path,
    count: usize,
    per_second: usize,
    bytes: usize,
) -> anyhow::Result<Vec<u64>> {
    let mut file = File::create(folder.join("syncs"))?;
    let content = vec![7; bytes];
    let begun = Instant::now();
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let due = Duration::from_secs_f64(n as f64 / per_second as f64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let from = Instant::now();
        file.write_all(&content)?;
        file.sync_data()?;
        times.push(u64::try_from(from.elapsed().as_micros())?);
    }
    Ok(times)
}
