//! A consistent view of the register, and how columns are read. What can be asked of it stands by
//! idea: `records`, `progress`, `sealed`, `gaps`.

use clause9_shared::digest::Digest;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use clause9_shared::wire::codec::Malformed;
use rusqlite::{Connection, Row};

use super::StoreError;

/// One consistent state of the register.
#[derive(Debug)]
pub struct ReadStore<'c> {
    pub(super) connection: &'c Connection,
}

pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest::from_bytes)
}

pub(super) fn point(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros = row.get(column)?;
    Timestamp::from_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

pub(super) fn pane(row: &Row<'_>, column: usize) -> rusqlite::Result<PaneStart> {
    point(row, column).map(PaneStart)
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// A limit as SQLite takes it.
pub(super) fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn unreadable(what: &'static str) -> impl Fn(Malformed) -> StoreError {
    move |_| StoreError::Row(what)
}

impl<'c> ReadStore<'c> {
    pub(super) const fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// Bytes that the register's disk still takes; none if it cannot be asked.
    pub fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.connection.path()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Size of the register in bytes.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.connection.query_row(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            [],
            |r| count(r, 0),
        )?)
    }
}
