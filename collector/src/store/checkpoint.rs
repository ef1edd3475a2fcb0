//! Moves what is in the write-ahead log into the register's file once answers are given. SQLite by itself does it within the
//! commit that makes the log long, and whoever waits for that commit waits for several syncs more.

use std::cell::Cell;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::StoreError;

/// Pages of the log from which on they are moved: SQLite's own choice.
const PAGES: u32 = 1000;

thread_local! {
    /// Pages in the log after this thread's last commit. A hook knows of no more than its thread, and one thread writes.
    static IN_LOG: Cell<u32> = const { Cell::new(0) };
}

/// When the log is moved next.
#[derive(Debug)]
pub(super) struct Checkpoint {
    due: u32,
}

impl Checkpoint {
    /// From now on nothing is moved but by [`Self::when_long`].
    pub(super) fn by_hand(connection: &Connection) -> Self {
        connection.wal_hook(Some(note));
        Self { due: PAGES }
    }

    /// Moves the log if it is long. What readers still need stays there for the next time.
    pub(super) fn when_long(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let pages = IN_LOG.get();
        if pages < self.due {
            return Ok(());
        }
        // Until it works, not at once again.
        self.due = pages.saturating_add(PAGES);
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        self.due = PAGES;
        IN_LOG.set(0);
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a hook is")]
fn note(_: &Wal, pages: std::ffi::c_int) -> rusqlite::Result<()> {
    IN_LOG.set(u32::try_from(pages).unwrap_or(0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_moved_when_it_is_told_to_and_not_by_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("register");
        let connection = Connection::open(&file).unwrap();
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .unwrap();
        let mut checkpoint = Checkpoint::by_hand(&connection);
        connection
            .execute_batch("CREATE TABLE kept(bytes BLOB)")
            .unwrap();
        let size = || std::fs::metadata(&file).unwrap().len();
        let before = size();
        let insert = || {
            let bytes = vec![7_u8; 4096 * PAGES as usize];
            connection
                .execute("INSERT INTO kept VALUES(?1)", [bytes])
                .unwrap();
        };
        insert();
        assert_eq!(size(), before, "the commit moved it");
        checkpoint.when_long(&connection).unwrap();
        let moved = size();
        assert!(moved > before + 4096 * u64::from(PAGES), "{moved} bytes");
        connection
            .execute("INSERT INTO kept VALUES(x'00')", [])
            .unwrap();
        checkpoint.when_long(&connection).unwrap();
        insert();
        assert_eq!(size(), moved, "a short log is left alone");
    }
}
