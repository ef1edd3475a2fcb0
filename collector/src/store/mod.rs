//! The register on disk: one SQLite file, one writer, any number of readers. Durable means: after a
//! commit the data survives power loss (WAL, `synchronous = FULL`, names synced as well). Not here: what to write.

mod checkpoint;
mod folder;
mod gaps;
mod log;
mod names;
mod past;
mod progress;
mod read;
mod records;
mod refused;
mod schema;
mod sealed;
mod skews;
mod tallies;
mod tree;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use clause9_shared::digest::Digest;
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub(crate) use folder::keep_names;
pub(crate) use gaps::Hole;
pub use progress::SystemState;
pub use read::ReadStore;
pub use records::{ContentRow, Page, PendingRefusal, RecordFilter, RecordRow};
pub(crate) use sealed::Since;
pub use tallies::Tally;
pub(crate) use tree::Published;
pub use tree::{CheckpointRow, leaf};
pub(crate) use write::{Appended, NewBatch, WriteStore};

/// Name of the register's file in its folder.
pub const FILE: &str = "clause9.sqlite";
/// Most connections that are kept open for reading.
const MAX_READERS: usize = 4;
/// How long a reader waits for a lock that recovery may hold.
const BUSY: Duration = Duration::from_secs(5);

/// Why the register could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made.
    #[error("cannot create the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The names of the files are not sure to survive a loss of power.
    #[error("the register cannot be kept safe from a loss of power: {} cannot be synced", path.display())]
    Names {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What an earlier run wrote to the write-ahead log is not sure to survive a loss of power.
    #[error("the register cannot be kept safe from a loss of power: its write-ahead log {} cannot be written again", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite failed: disk full, or another program writes.
    #[error("the register could not be used")]
    Sqlite(#[source] rusqlite::Error),
    /// The file is not what SQLite wrote.
    #[error(
        "the register is damaged; end the collector, keep a copy of its folder, look after the disk, and \
         put a backup in place or what `sqlite3 {FILE} .recover` reads"
    )]
    Damaged(#[source] rusqlite::Error),
    /// What is kept under a name is something else.
    #[error(
        "what is kept as {0} is not what its name says: the register was changed from outside, or its disk is \
         damaged; compare it with a backup"
    )]
    Altered(Digest),
    /// A probe found no room, or a disk that cannot be written.
    #[error("the register's disk has no room for a batch")]
    NoRoom(#[source] std::io::Error),
    /// The file was written by a newer version.
    #[error("the register has format {found}, this program knows {known}; use the newer program", known = schema::VERSION)]
    Newer {
        /// Format of the file.
        found: i64,
    },
    /// A row is not what this program writes.
    #[error("a row of `{0}` cannot be read; the register was changed from outside")]
    Row(&'static str),
    /// What was signed is not what is there.
    #[error(
        "the first {0} records are not those that were signed: the register was changed from outside, or its disk is damaged; \
         compare it with a backup, and sign nothing by hand"
    )]
    Forked(u64),
    /// A document in the register does not fit what is configured.
    #[error("{0}")]
    Conflict(String),
    /// A record cannot be written.
    #[error(transparent)]
    Unwritable(#[from] clause9_shared::evidence::pen::Unwritable),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error),
            Some(_) | None => Self::Sqlite(error),
        }
    }
}

/// Opens the register for writing, creating it if absent. A second writer is refused by SQLite's
/// lock at its first write.
pub(crate) fn open(folder: &Path) -> Result<WriteStore, StoreError> {
    folder::make(folder).map_err(|source| StoreError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let mut connection = Connection::open(folder.join(FILE))?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Damage is found where it is met, not where it leads to.
    connection.pragma_update(None, "cell_size_check", true)?;
    log::write_again(&mut connection, folder)?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if found > schema::VERSION {
        return Err(StoreError::Newer { found });
    }
    if found < schema::VERSION {
        let tx = connection.transaction()?;
        if found < 1 {
            tx.execute_batch(schema::TABLES)?;
        }
        if found < 2 {
            tx.execute_batch(schema::ADDED_BY_2)?;
        }
        if found < 3 {
            tx.execute_batch(schema::ADDED_BY_3)?;
        }
        if found < 4 {
            tx.execute_batch(schema::ADDED_BY_4)?;
        }
        if found < 5 {
            tx.execute_batch(schema::ADDED_BY_5)?;
        }
        if found < 6 {
            tx.execute_batch(schema::LEFT_OUT_BY_6)?;
        }
        tx.execute_batch(tree::ADDED_BY_7)?;
        tx.pragma_update(None, "user_version", schema::VERSION)?;
        tx.commit()?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    // All of its files are there by now.
    keep_names(folder).map_err(|source| StoreError::Names {
        path: folder.to_owned(),
        source,
    })?;
    WriteStore::new(connection)
}

/// Connections for reading. Each use sees one consistent state.
#[derive(Debug)]
pub struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Readers of the register in a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            file: folder.join(FILE),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Where the register is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads within one transaction. Blocks; call it from a blocking task.
    pub fn read<T>(
        &self,
        act: impl FnOnce(&ReadStore<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        let tx = connection.transaction()?;
        let answer = act(&ReadStore::new(&tx));
        drop(tx);
        self.give_back(connection);
        answer
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(connection)
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().ok()?.pop()
    }

    fn give_back(&self, connection: Connection) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < MAX_READERS
        {
            idle.push(connection);
        }
    }
}
