//! How far systems have come, and what waits for their next seal.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Name, ObjectiveId, Sequence, SystemId};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch::{Batch, Envelope};
use rusqlite::{OptionalExtension, params};

use super::names::unaltered;
use super::read::{count, digest, pane, point};
use super::{ReadStore, StoreError};
use clause9_shared::sealing::Standing;
use clause9_shared::sealing::blocks::{Contribution, Origin};

/// How far a system has come.
#[derive(Clone, Debug, Default)]
pub struct SystemState {
    /// Its clock, once something was heard.
    pub clock: Option<Clock>,
    /// Per agent ever heard: up to where it has closed its panes.
    pub watermarks: BTreeMap<AgentId, Timestamp>,
    /// Agents of which a later batch came before an earlier one: up to where they had closed their panes before
    /// the first that is still missing.
    pub complete: BTreeMap<AgentId, Timestamp>,
    /// The first sealed pane.
    pub first_sealed: Option<PaneStart>,
    /// The last sealed pane.
    pub last_sealed: Option<PaneStart>,
    /// The earliest pane that items wait for.
    pub pending: Option<PaneStart>,
}

impl ReadStore<'_> {
    /// How far a system has come.
    pub fn system_state(&self, system: &SystemId) -> Result<SystemState, StoreError> {
        let id = [system.as_str()];
        let clock: Option<String> = self
            .connection
            .prepare_cached("SELECT clock FROM systems WHERE system = ?1")?
            .query_row(id, |r| r.get(0))
            .optional()?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT agent, watermark FROM watermarks WHERE system = ?1")?;
        let watermarks = statement
            .query_map(id, |r| {
                Ok((AgentId::from_digest(digest(r, 0)?), point(r, 1)?))
            })?
            .collect::<Result<_, _>>()?;
        let first = |sql: &str| -> Result<Option<PaneStart>, StoreError> {
            Ok(self
                .connection
                .prepare_cached(sql)?
                .query_row(id, |r| pane(r, 0))
                .optional()?)
        };
        Ok(SystemState {
            clock: match clock.as_deref() {
                None => None,
                Some("live") => Some(Clock::Live),
                Some("replay") => Some(Clock::Replay),
                Some(_) => return Err(StoreError::Row("systems")),
            },
            watermarks,
            complete: self.complete(system)?,
            first_sealed: first("SELECT pane FROM seals WHERE system = ?1 ORDER BY pane LIMIT 1")?,
            last_sealed: first(
                "SELECT pane FROM seals WHERE system = ?1 ORDER BY pane DESC LIMIT 1",
            )?,
            pending: first(
                "SELECT waits_for FROM pending WHERE system = ?1 ORDER BY waits_for LIMIT 1",
            )?,
        })
    }

    /// What waits for the seal of a pane, or of an earlier one.
    pub fn contributions(
        &self,
        system: &SystemId,
        up_to: PaneStart,
    ) -> Result<Vec<Contribution>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT agent, boot, sequence, place, batch FROM pending
             WHERE system = ?1 AND waits_for <= ?2 ORDER BY id",
        )?;
        let mut rows = statement.query(params![system.as_str(), up_to.0.micros()])?;
        let mut all = Vec::new();
        // Items of a batch stand one after another.
        let mut last: Option<(Digest, Batch)> = None;
        while let Some(r) = rows.next()? {
            let name = digest(r, 4)?;
            let (_, batch) = match last.take().filter(|(of, _)| *of == name) {
                Some(read) => last.insert(read),
                None => last.insert((name, self.batch(name)?)),
            };
            let index: u32 = r.get(3)?;
            let place = usize::try_from(index).ok();
            let item = place.and_then(|place| batch.items.get(place));
            all.push(Contribution {
                origin: Origin {
                    agent: AgentId::from_digest(digest(r, 0)?),
                    boot: BootId(count(r, 1)?),
                    sequence: Sequence(count(r, 2)?),
                    index,
                    batch: name,
                },
                item: item.cloned().ok_or(StoreError::Row("pending"))?,
            });
        }
        Ok(all)
    }

    /// A batch that was taken: its signature was checked then, and its bytes are what their name says.
    fn batch(&self, name: Digest) -> Result<Batch, StoreError> {
        let bytes: Vec<u8> = self
            .connection
            .prepare_cached("SELECT bytes FROM contents WHERE digest = ?1 AND kind = 'batch'")?
            .query_row([name.as_bytes()], |r| r.get(0))?;
        let bytes = unaltered(name, "batch", bytes)?;
        let read = Envelope::parse(&bytes).and_then(|envelope| envelope.read_again());
        read.map_err(|_| StoreError::Row("contents"))
    }

    /// How each ledger of a system stands.
    pub fn standings(
        &self,
        system: &SystemId,
    ) -> Result<BTreeMap<(ObjectiveId, u32), Standing>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT objective, version, body FROM standings WHERE system = ?1")?;
        let mut rows = statement.query([system.as_str()])?;
        let mut all = BTreeMap::new();
        while let Some(r) = rows.next()? {
            let objective =
                Name::new(&r.get::<_, String>(0)?).map_err(|_| StoreError::Row("standings"))?;
            let standing = serde_json::from_str(&r.get::<_, String>(2)?)
                .map_err(|_| StoreError::Row("standings"))?;
            all.insert((objective, r.get(1)?), standing);
        }
        Ok(all)
    }

    /// Pairs of documents that were ever in use for a system.
    pub fn plans(&self, system: &SystemId) -> Result<Vec<(Digest, Digest)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT document, baseline FROM plans WHERE system = ?1")?;
        let rows =
            statement.query_map([system.as_str()], |r| Ok((digest(r, 0)?, digest(r, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
