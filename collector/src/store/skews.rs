//! What batches say of agents' clocks: a bounded window for each agent, so that an estimate survives a restart.

use std::collections::BTreeMap;

use clause9_shared::ids::AgentId;
use clause9_shared::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::read::digest;
use super::{Appended, ReadStore, StoreError};
use crate::skew::{Seen, Skew};

impl Appended<'_> {
    /// Takes note of when a batch was signed by its agent's clock, and received by ours.
    pub(crate) fn note_skew(
        &self,
        agent: AgentId,
        created_at: Timestamp,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        let agent = agent.digest();
        let kept: Option<String> = self
            .tx
            .prepare_cached("SELECT seen FROM skews WHERE agent = ?1")?
            .query_row([agent.as_bytes()], |r| r.get(0))
            .optional()?;
        // What cannot be read is begun anew: it is an estimate, and no evidence.
        let mut seen: Seen = kept
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        seen.note(created_at, received_at);
        let text = serde_json::to_string(&seen).map_err(|_| StoreError::Row("skews"))?;
        self.tx
            .prepare_cached(
                "INSERT INTO skews(agent, seen) VALUES(?1, ?2)
                 ON CONFLICT(agent) DO UPDATE SET seen = excluded.seen",
            )?
            .execute(params![agent.as_bytes(), text])?;
        Ok(())
    }
}

impl ReadStore<'_> {
    /// By how much each agent's clock is ahead, of those that were heard.
    pub(crate) fn skews(&self) -> Result<BTreeMap<AgentId, Skew>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT agent, seen FROM skews")?;
        let mut rows = statement.query([])?;
        let mut all = BTreeMap::new();
        while let Some(r) = rows.next()? {
            let agent = AgentId::from_digest(digest(r, 0)?);
            let seen: Seen = serde_json::from_str(&r.get::<_, String>(1)?).unwrap_or_default();
            all.extend(seen.skew().map(|skew| (agent, skew)));
        }
        Ok(all)
    }
}
