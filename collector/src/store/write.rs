//! What the one writer does. Every method works inside the transaction that [`WriteStore::commit`]
//! makes of a closure: all of it is on disk when `commit` returns, or none of it.

use std::io::Write;
use std::path::Path;

use clause9_shared::digest::Digest;
use clause9_shared::evidence::tiles::Edge;
use clause9_shared::ids::{AgentId, ObjectiveId, SystemId};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{ClosedWindow, Envelope};
use clause9_shared::wire::codec::Encode;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::checkpoint::Checkpoint;
use super::{ReadStore, StoreError, tree};
use crate::verify::VerifiedBatch;
use clause9_shared::evidence::pen::Written;
use clause9_shared::sealing::blocks::{BlockCoverage, waits_for};
use clause9_shared::sealing::{KeptBlock, SealRow, Standing, WindowRow};

/// Most distinct (reason, peer) pairs that refusals are counted by within one hour.
const MAX_REFUSAL_ROWS: i64 = 256;
/// Most batches that are looked through for one that was shipped, and not restored.
const MAX_RESTORED: i64 = 64;
/// What further peers of that hour are counted as.
const OTHER_PEERS: &str = "others";
/// Bytes that a probe takes of the disk for a moment: more than some ordinary batches need.
const PROBE_BYTES: usize = 1 << 20;

/// The writer's connection.
#[derive(Debug)]
pub(crate) struct WriteStore {
    connection: Connection,
    checkpoint: Checkpoint,
    /// Of the tree over everything that was committed.
    edge: Edge,
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Appended<'c> {
    pub(super) tx: Transaction<'c>,
}

/// A verified batch with its bytes.
#[derive(Debug)]
pub(crate) struct NewBatch<'a> {
    pub(crate) batch: &'a VerifiedBatch,
    pub(crate) envelope: &'a [u8],
    pub(crate) received_at: Timestamp,
}

impl WriteStore {
    pub(super) fn new(connection: Connection) -> Result<Self, StoreError> {
        let checkpoint = Checkpoint::by_hand(&connection);
        let edge = tree::edge(&connection)?;
        let mut store = Self {
            connection,
            checkpoint,
            edge,
        };
        // What an older version appended without a tree, and up to 255 records that fill no tile yet.
        store.commit(|_| Ok(()))?;
        Ok(store)
    }

    /// What can be done once everybody has an answer: moves a long log into the register's file.
    pub(crate) fn tidy(&mut self) -> Result<(), StoreError> {
        self.checkpoint.when_long(&self.connection)
    }

    /// Does `act` in one transaction, takes what it appended into the tree, and commits both.
    pub(crate) fn commit<T>(
        &mut self,
        act: impl FnOnce(&Appended<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tx = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let appended = Appended { tx };
        let answer = act(&appended)?;
        let grown = tree::grow(&appended.tx, &self.edge)?;
        appended.tx.commit()?;
        if let Some(grown) = grown {
            self.edge = grown;
        }
        Ok(answer)
    }
}

impl WriteStore {
    /// Writes something that changes nothing: does writing work again? A lone small commit may still
    /// fit where no batch does, into room that the write-ahead log keeps; so a file is tried as well.
    pub(crate) fn probe(&mut self) -> Result<(), StoreError> {
        if let Some(register) = self.connection.path() {
            let scratch = Path::new(register).with_extension("probe");
            let room = std::fs::File::create(&scratch).and_then(|mut file| {
                file.write_all(&vec![0; PROBE_BYTES])?;
                file.sync_all()
            });
            // Also after a failure, which leaves a part of it.
            let removed = std::fs::remove_file(&scratch);
            room.and(removed).map_err(StoreError::NoRoom)?;
        }
        self.commit(|to| {
            Ok(to
                .tx
                .pragma_update(None, "user_version", super::schema::VERSION)?)
        })
    }
}

pub(super) fn word(n: u64) -> i64 {
    n.cast_signed()
}

impl Appended<'_> {
    /// Reads what is there, this transaction's own writes included.
    pub(crate) fn read(&self) -> ReadStore<'_> {
        ReadStore::new(&self.tx)
    }

    /// Keeps bytes under their name; again is no change.
    pub(crate) fn keep(&self, digest: Digest, kind: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO contents(digest, kind, bytes) VALUES(?1, ?2, ?3)
                 ON CONFLICT(digest) DO NOTHING",
            )?
            .execute(params![digest.as_bytes(), kind, bytes])?;
        Ok(())
    }

    /// Appends a record; the same record again is no change. True if it was new.
    pub(crate) fn append(
        &self,
        written: &Written,
        of: Option<&(ObjectiveId, u32)>,
    ) -> Result<bool, StoreError> {
        self.keep(written.digest, "record", written.canonical.as_bytes())?;
        let header = &written.record.header;
        let rows = self
            .tx
            .prepare_cached(
                "INSERT INTO records(leaf, digest, type, system, objective, version, created_at, received_at)
                 SELECT coalesce((SELECT max(leaf) FROM records), -1) + 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7
                 WHERE NOT EXISTS(SELECT 1 FROM records WHERE digest = ?1)",
            )?
            .execute(params![
                written.digest.as_bytes(),
                header.kind.as_str(),
                header.system.as_ref().map(SystemId::as_str),
                of.map(|(o, _)| o.as_str()),
                of.map(|(_, v)| *v),
                header.created_at.micros(),
                header.received_at.micros(),
            ])?;
        Ok(rows == 1)
    }

    /// Keeps a batch, its watermark and its accepted items.
    pub(crate) fn store_batch(&self, new: &NewBatch<'_>) -> Result<(), StoreError> {
        let verified = new.batch;
        let batch = verified.batch();
        let system = batch.system.as_str();
        let agent = verified.agent().digest();
        self.keep(verified.digest(), "batch", new.envelope)?;
        self.tx
            .prepare_cached(
                "INSERT INTO systems(system, clock) VALUES(?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![system, batch.clock.as_str()])?;
        self.tx
            .prepare_cached(
                "INSERT INTO batches(agent, boot, sequence, digest, system, received_at, marks)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                agent.as_bytes(),
                word(batch.boot.0),
                word(batch.sequence.0),
                verified.digest().as_bytes(),
                system,
                new.received_at.micros(),
                verified.marks().join(" "),
            ])?;
        self.tx
            .prepare_cached(
                "INSERT INTO watermarks(system, agent, watermark) VALUES(?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET watermark = max(watermark, excluded.watermark)",
            )?
            .execute(params![system, agent.as_bytes(), batch.watermark.micros()])?;
        let items = verified.items().enumerate();
        let accepted =
            items.filter_map(|(place, (item, refusal))| refusal.is_none().then_some((place, item)));
        self.store_items(verified, accepted)
    }

    /// Notes items of a kept batch, by their places in it, until their pane is sealed; until the next seal, if it is already.
    pub(crate) fn store_items<'i>(
        &self,
        verified: &VerifiedBatch,
        items: impl Iterator<Item = (usize, &'i ClosedWindow)>,
    ) -> Result<(), StoreError> {
        let batch = verified.batch();
        let mut insert = self.tx.prepare_cached(
            "INSERT INTO pending(system, waits_for, agent, boot, sequence, place, batch)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for (place, item) in items {
            insert.execute(params![
                batch.system.as_str(),
                waits_for(item).0.micros(),
                verified.agent().digest().as_bytes(),
                word(batch.boot.0),
                word(batch.sequence.0),
                i64::try_from(place).unwrap_or(i64::MAX),
                verified.digest().as_bytes(),
            ])?;
        }
        Ok(())
    }

    /// Forgets pending items up to a sealed pane: their counts are in its blocks.
    pub(crate) fn settle(&self, system: &SystemId, up_to: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("DELETE FROM pending WHERE system = ?1 AND waits_for <= ?2")?
            .execute(params![system.as_str(), up_to.micros()])?;
        Ok(())
    }

    /// Remembers a block for later windows.
    pub(crate) fn keep_block(
        &self,
        system: &SystemId,
        block: &KeptBlock,
    ) -> Result<(), StoreError> {
        let (stream, coverage) = match &block.coverage {
            BlockCoverage::Traffic(c) => (1, c.to_bytes()),
            BlockCoverage::Outcomes(c) => (2, c.to_bytes()),
        };
        self.tx
            .prepare_cached(
                "INSERT INTO blocks(block, system, pane, stream, pane_key, coverage, summary)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                block.names.block.as_bytes(),
                system.as_str(),
                block.pane.0.micros(),
                stream,
                block.key.to_bytes(),
                coverage,
                block.names.summary.as_bytes(),
            ])?;
        Ok(())
    }

    /// Remembers that a pane is sealed.
    pub(crate) fn keep_seal(&self, system: &SystemId, row: &SealRow) -> Result<(), StoreError> {
        let body = serde_json::to_string(row).map_err(|_| StoreError::Row("seals"))?;
        self.tx
            .prepare_cached("INSERT INTO seals(system, pane, body) VALUES(?1, ?2, ?3)")?
            .execute(params![system.as_str(), row.pane.0.micros(), body])?;
        Ok(())
    }

    /// Remembers how a ledger stands.
    pub(crate) fn keep_standing(
        &self,
        system: &SystemId,
        of: &(ObjectiveId, u32),
        standing: &Standing,
    ) -> Result<(), StoreError> {
        let body = serde_json::to_string(standing).map_err(|_| StoreError::Row("standings"))?;
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO standings(system, objective, version, body) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![system.as_str(), of.0.as_str(), of.1, body])?;
        Ok(())
    }

    /// Remembers the newest measurement of a window.
    pub(crate) fn keep_window(&self, system: &SystemId, row: &WindowRow) -> Result<(), StoreError> {
        self.tally_again(system, row)?;
        self.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO windows(system, objective, version, start, end, measurement,
                   status, reason, value, low, high, support, quiet)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                system.as_str(),
                row.objective.as_str(),
                row.version,
                row.window.start.micros(),
                row.window.end.micros(),
                row.measurement.as_bytes(),
                row.status.as_str(),
                row.reason,
                row.value,
                row.interval.map(|i| i.0),
                row.interval.map(|i| i.1),
                word(row.support),
                row.quiet,
            ])?;
        Ok(())
    }

    /// Remembers which plan a pair of documents gives. True if the pair is new.
    pub(crate) fn keep_plan(
        &self,
        system: &SystemId,
        plan: Digest,
        document: Digest,
        baseline: Digest,
    ) -> Result<bool, StoreError> {
        let rows = self.tx.execute(
            "INSERT INTO plans(system, plan, document, baseline) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            params![
                system.as_str(),
                plan.as_bytes(),
                document.as_bytes(),
                baseline.as_bytes()
            ],
        )?;
        Ok(rows == 1)
    }

    /// Remembers what an objective version was compiled into; a version means one thing for ever.
    pub(crate) fn keep_compiled(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        compiled: Digest,
    ) -> Result<(), StoreError> {
        let of = params![system.as_str(), objective.as_str(), version];
        let known: Option<[u8; 32]> = self
            .tx
            .query_row(
                "SELECT compiled FROM compiled WHERE system = ?1 AND objective = ?2 AND version = ?3",
                of,
                |r| r.get(0),
            )
            .optional()?;
        match known {
            Some(bytes) if Digest::from_bytes(bytes) == compiled => Ok(()),
            Some(_) => Err(StoreError::Conflict(format!(
                "objective `{objective}` version {version} of `{system}` was in use with other content \
                 or another baseline; a version never changes: add the next version"
            ))),
            None => {
                self.tx.execute(
                    "INSERT INTO compiled(system, objective, version, compiled) VALUES(?1, ?2, ?3, ?4)",
                    params![system.as_str(), objective.as_str(), version, compiled.as_bytes()],
                )?;
                Ok(())
            }
        }
    }

    /// Counts a refusal of bytes from nobody known, within a bound. True if it is the first of its
    /// reason and peer in its hour.
    pub(crate) fn count_refusal(
        &self,
        reason: &str,
        peer: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const HOUR: i64 = 3_600_000_000;
        let hour = now.micros().div_euclid(HOUR);
        let known: i64 = self.tx.query_row(
            "SELECT count(*) FROM refusals WHERE hour = ?1 AND NOT (reason = ?2 AND peer = ?3)",
            params![hour, reason, peer],
            |r| r.get(0),
        )?;
        let peer = if known < MAX_REFUSAL_ROWS {
            peer
        } else {
            OTHER_PEERS
        };
        let count: i64 = self.tx.query_row(
            "INSERT INTO refusals(reason, peer, hour, count, first_at, last_at)
             VALUES(?1, ?2, ?3, 1, ?4, ?4)
             ON CONFLICT DO UPDATE SET count = count + 1, last_at = max(last_at, excluded.last_at)
             RETURNING count",
            params![reason, peer, hour, now.micros()],
            |r| r.get(0),
        )?;
        Ok(count == 1)
    }

    /// The batch stored under an agent's sequence number.
    pub(crate) fn batch_at(
        &self,
        agent: AgentId,
        boot: u64,
        sequence: u64,
    ) -> Result<Option<Digest>, StoreError> {
        let found: Option<[u8; 32]> = self
            .tx
            .prepare_cached(
                "SELECT digest FROM batches WHERE agent = ?1 AND boot = ?2 AND sequence = ?3",
            )?
            .query_row(
                params![agent.digest().as_bytes(), word(boot), word(sequence)],
                |r| r.get(0),
            )
            .optional()?;
        Ok(found.map(Digest::from_bytes))
    }

    /// A batch that the agent shipped in that run behind a sequence number, not one that was restored.
    pub(crate) fn shipped_after(
        &self,
        agent: AgentId,
        boot: u64,
        sequence: u64,
    ) -> Result<Option<Digest>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT b.digest, c.bytes FROM batches b JOIN contents c ON c.digest = b.digest
             WHERE b.agent = ?1 AND b.boot = ?2 AND b.sequence > ?3 ORDER BY b.sequence DESC LIMIT ?4",
        )?;
        let mut rows = statement.query(params![
            agent.digest().as_bytes(),
            word(boot),
            word(sequence),
            MAX_RESTORED
        ])?;
        while let Some(r) = rows.next()? {
            let (digest, bytes): ([u8; 32], Vec<u8>) = (r.get(0)?, r.get(1)?);
            let opened = Envelope::parse(&bytes).ok().and_then(|e| e.open().ok());
            if opened.is_none_or(|batch| batch.restored.is_none()) {
                return Ok(Some(Digest::from_bytes(digest)));
            }
        }
        Ok(None)
    }
}
