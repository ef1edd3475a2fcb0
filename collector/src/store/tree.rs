//! The tree over the register's records: full tiles, kept when they become full, and signed checkpoints. The rest follows from
//! the records. Written in the transaction that appends, so that a tree without its records, or records without their tree,
//! are never on disk.

use clause9_shared::digest::Digest;
use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::merkle::{self, Hash};
use clause9_shared::evidence::note::{Note, SignatureLine};
use clause9_shared::evidence::tiles::{self, Edge, LEVELS, Place, Tiled, Tiles, WIDTH};
use clause9_shared::time::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::read::{count, digest, point};
use super::write::{Appended, word};
use super::{ReadStore, StoreError};

/// What version 7 added: the tree over the records, and what was signed of it.
pub(super) const ADDED_BY_7: &str = "
CREATE TABLE tiles(
  level INTEGER NOT NULL,
  number INTEGER NOT NULL,
  root BLOB NOT NULL CHECK(length(root) = 32),
  hashes BLOB NOT NULL CHECK(length(hashes) = 8192),
  PRIMARY KEY(level, number)
) STRICT;
CREATE TABLE checkpoints(
  size INTEGER PRIMARY KEY,
  made_at INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE TABLE cosignatures(
  size INTEGER NOT NULL REFERENCES checkpoints(size),
  line TEXT NOT NULL,
  PRIMARY KEY(size, line)
) STRICT;
CREATE TRIGGER tiles_keep BEFORE UPDATE ON tiles
  BEGIN SELECT RAISE(ABORT, 'tiles are append-only'); END;
CREATE TRIGGER tiles_stay BEFORE DELETE ON tiles
  BEGIN SELECT RAISE(ABORT, 'tiles are append-only'); END;
CREATE TRIGGER checkpoints_keep BEFORE UPDATE ON checkpoints
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_stay BEFORE DELETE ON checkpoints
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_grow BEFORE INSERT ON checkpoints
  WHEN NEW.size <= coalesce((SELECT max(size) FROM checkpoints), -1)
  BEGIN SELECT RAISE(ABORT, 'a checkpoint covers more than those before it'); END;
";

/// A checkpoint as it was signed, with the cosignatures that came since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// With its signatures.
    pub note: Note,
    /// When it was made, on the wall clock.
    pub made_at: Timestamp,
}

/// Whether a checkpoint could be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is on disk when the transaction is.
    Kept,
    /// One that covers as much was kept in the meantime.
    Overtaken,
}

/// The tree's right edge, as the tiles and records of a register have it. Of one from before there were tiles: without the
/// records that [`grow`] adds.
pub(super) fn edge(connection: &Connection) -> Result<Edge, StoreError> {
    let full = |level: u8| -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(number) + 1, 0) FROM tiles WHERE level = ?1";
        Ok(connection.query_row(sql, [level], |r| count(r, 0))?)
    };
    let mut partial = vec![Vec::new()];
    let size = full(0)? * WIDTH as u64;
    for level in 1..LEVELS {
        let below = full(level - 1)?;
        let place = Place {
            level,
            number: below / WIDTH as u64,
        };
        let width = usize::try_from(below % WIDTH as u64).unwrap_or(WIDTH);
        partial.push(roots(connection, place, width)?);
    }
    Edge::new(size, partial).ok_or(StoreError::Row("tiles"))
}

/// Takes what was appended since into the tree.
pub(super) fn grow(connection: &Connection, edge: &Edge) -> Result<Option<Edge>, StoreError> {
    let sql = "SELECT leaf, digest FROM records WHERE leaf >= ?1 ORDER BY leaf";
    let mut fresh = connection.prepare_cached(sql)?;
    let mut rows = fresh.query([word(edge.size())])?;
    let mut grown: Option<Edge> = None;
    while let Some(row) = rows.next()? {
        let edge = grown.get_or_insert_with(|| edge.clone());
        if count(row, 0)? != edge.size() {
            return Err(StoreError::Row("records"));
        }
        for full in edge.push(leaf(digest(row, 1)?)) {
            keep_tile(connection, &full)?;
        }
    }
    Ok(grown)
}

fn keep_tile(connection: &Connection, full: &tiles::Full) -> Result<(), StoreError> {
    // Another program that writes to the register may have been first: then it is the same.
    let sql = "INSERT INTO tiles(level, number, root, hashes) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![
        full.place.level,
        word(full.place.number),
        full.root.as_bytes(),
        full.hashes,
    ])?;
    Ok(())
}

/// The leaf of a record: what is logged of it is its name.
pub fn leaf(record: Digest) -> Hash {
    Hash::leaf(record.as_bytes())
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    row.get::<_, [u8; 32]>(column).map(Hash::from_bytes)
}

/// Hashes over full tiles of the level below.
fn roots(connection: &Connection, place: Place, width: usize) -> Result<Vec<Hash>, StoreError> {
    let first = place.number.saturating_mul(WIDTH as u64);
    let sql = "SELECT root FROM tiles WHERE level = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let below = params![place.level - 1, word(first), word(width as u64)];
    let roots = statement
        .query_map(below, |row| hash(row, 0))?
        .collect::<Result<Vec<_>, _>>()?;
    (roots.len() == width)
        .then_some(roots)
        .ok_or(StoreError::Row("tiles"))
}

fn leaves(connection: &Connection, number: u64, width: usize) -> Result<Vec<Hash>, StoreError> {
    let first = number.saturating_mul(WIDTH as u64);
    let sql = "SELECT digest FROM records WHERE leaf >= ?1 ORDER BY leaf LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([word(first), word(width as u64)], |row| {
        digest(row, 0).map(leaf)
    })?;
    let leaves = rows.collect::<Result<Vec<_>, _>>()?;
    (leaves.len() == width)
        .then_some(leaves)
        .ok_or(StoreError::Row("records"))
}

impl Tiles for ReadStore<'_> {
    type Error = StoreError;

    fn tile(&self, place: Place, width: usize) -> Result<Vec<Hash>, StoreError> {
        let sql = "SELECT hashes FROM tiles WHERE level = ?1 AND number = ?2";
        let full: Option<Vec<u8>> = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![place.level, word(place.number)], |row| row.get(0))
            .optional()?;
        match full {
            Some(bytes) => {
                let mut hashes = tiles::hashes(&bytes).map_err(|_| StoreError::Row("tiles"))?;
                hashes.truncate(width);
                Ok(hashes)
            }
            None if place.level == 0 => leaves(self.connection, place.number, width),
            None => roots(self.connection, place, width),
        }
    }
}

/// How long a checkpoint may be without cosignatures before it is shown without them.
const ON_ITS_WAY: Span = Span::from_secs(900);

const CHECKPOINT: &str = "SELECT size, made_at, note FROM checkpoints";

impl ReadStore<'_> {
    /// How many records there are.
    pub fn log_size(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(leaf) + 1, 0) FROM records";
        Ok(self.connection.query_row(sql, [], |row| count(row, 0))?)
    }

    /// The root over the first records.
    pub fn log_root(&self, size: u64) -> Result<Hash, StoreError> {
        merkle::root(&Tiled::new(self, size), size)
    }

    /// Whether a full tile of leaves is that of its records; if there are any, the one whose turn it is.
    pub fn check_tile(&self, turn: u64) -> Result<(), StoreError> {
        let full = self.log_size()? / WIDTH as u64;
        let Some(number) = turn.checked_rem(full) else {
            return Ok(());
        };
        let kept = self.tile(Place { level: 0, number }, WIDTH)?;
        if kept != leaves(self.connection, number, WIDTH)? {
            return Err(StoreError::Forked((number + 1) * WIDTH as u64));
        }
        Ok(())
    }

    /// The checkpoint to be shown: the newest, or the one before if that covers enough and is cosigned already, and the newest is
    /// on its way to the witnesses.
    pub fn shown_checkpoint(&self, least: u64) -> Result<Option<CheckpointRow>, StoreError> {
        let newest = self.last_checkpoint()?;
        let sql = format!(
            "{CHECKPOINT} WHERE size IN (SELECT size FROM cosignatures) ORDER BY size DESC LIMIT 1"
        );
        let cosigned = self.one_checkpoint(&sql, [])?;
        Ok(match (newest, cosigned) {
            (Some(newest), Some(cosigned)) => {
                let on_its_way = newest.made_at.since(cosigned.made_at) <= ON_ITS_WAY;
                let enough = cosigned.checkpoint.size >= least;
                Some(if on_its_way && enough {
                    cosigned
                } else {
                    newest
                })
            }
            (newest, _) => newest,
        })
    }

    /// Where a record stands.
    pub fn leaf_of(&self, record: Digest) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT leaf FROM records WHERE digest = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement
            .query_row([record.as_bytes()], |row| count(row, 0))
            .optional()?)
    }

    /// Names of records from a leaf on, in order.
    pub fn leaves_from(&self, first: u64, most: usize) -> Result<Vec<Digest>, StoreError> {
        let sql = "SELECT digest FROM records WHERE leaf >= ?1 ORDER BY leaf LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([word(first), word(most as u64)], |row| digest(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest checkpoint.
    pub fn last_checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError> {
        self.one_checkpoint(&format!("{CHECKPOINT} ORDER BY size DESC LIMIT 1"), [])
    }

    /// The first checkpoint that covers so many records.
    pub fn checkpoint_over(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
        let sql = format!("{CHECKPOINT} WHERE size >= ?1 ORDER BY size LIMIT 1");
        self.one_checkpoint(&sql, [word(size)])
    }

    fn one_checkpoint(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<CheckpointRow>, StoreError> {
        let read = |row: &Row<'_>| -> rusqlite::Result<(u64, Timestamp, String)> {
            Ok((count(row, 0)?, point(row, 1)?, row.get(2)?))
        };
        let row = self
            .connection
            .prepare_cached(sql)?
            .query_row(values, read)
            .optional()?;
        row.map(|(size, made_at, note)| self.checkpoint_row(size, made_at, &note))
            .transpose()
    }

    fn checkpoint_row(
        &self,
        size: u64,
        made_at: Timestamp,
        note: &str,
    ) -> Result<CheckpointRow, StoreError> {
        let wrong = StoreError::Row("checkpoints");
        let Ok(mut note) = Note::parse(note.as_bytes()) else {
            return Err(wrong);
        };
        let checkpoint: Option<Checkpoint> = note.text().parse().ok();
        let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size == size) else {
            return Err(wrong);
        };
        let sql = "SELECT line FROM cosignatures WHERE size = ?1 ORDER BY rowid";
        let mut statement = self.connection.prepare_cached(sql)?;
        let lines = statement.query_map([word(size)], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = clause9_shared::evidence::note::signature_lines(&line?);
            line.map_err(|_| StoreError::Row("cosignatures"))?
                .into_iter()
                .for_each(|line| note.add(line));
        }
        Ok(CheckpointRow {
            checkpoint,
            note,
            made_at,
        })
    }
}

impl Appended<'_> {
    /// Keeps a signed checkpoint: only of what is in the register by now, and only one that covers more than those before. So
    /// no two of one size can differ, whoever signed them.
    pub(crate) fn publish(&self, note: &Note, now: Timestamp) -> Result<Published, StoreError> {
        let wrong = || StoreError::Row("checkpoints");
        let checkpoint: Checkpoint = note.text().parse().map_err(|_| wrong())?;
        let read = self.read();
        if let Some(CheckpointRow {
            checkpoint: last, ..
        }) = read.last_checkpoint()?
        {
            if last.size >= checkpoint.size {
                return Ok(Published::Overtaken);
            }
            if read.log_root(last.size)? != last.root {
                return Err(StoreError::Forked(last.size));
            }
        }
        if checkpoint.size > read.log_size()? || read.log_root(checkpoint.size)? != checkpoint.root
        {
            return Err(wrong());
        }
        let sql = "INSERT INTO checkpoints(size, made_at, note) VALUES(?1, ?2, ?3)";
        let row = params![word(checkpoint.size), now.micros(), note.to_string()];
        self.tx.prepare_cached(sql)?.execute(row)?;
        Ok(Published::Kept)
    }

    /// Keeps a cosignature of a checkpoint; again is no change.
    pub(crate) fn cosign(&self, size: u64, line: &SignatureLine) -> Result<(), StoreError> {
        let sql = "INSERT INTO cosignatures(size, line) VALUES(?1, ?2) ON CONFLICT DO NOTHING";
        let row = params![word(size), line.to_string()];
        self.tx.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }
}
