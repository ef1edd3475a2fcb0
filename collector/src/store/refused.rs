//! What was refused: how often the same was, and which items of stored batches are still to be taken, should
//! they be delivered again.

use std::collections::BTreeSet;

use clause9_shared::digest::Digest;
use clause9_shared::wire::batch::RefusalReason;
use rusqlite::params;

use super::read::{count, digest};
use super::{Appended, StoreError};

impl Appended<'_> {
    /// Counts a refusal of bytes that a trusted agent signed, as a whole or of one item. True if it is the first for
    /// that reason.
    pub(crate) fn count_refused(
        &self,
        batch: Digest,
        item: Option<u16>,
        reason: RefusalReason,
    ) -> Result<bool, StoreError> {
        let what = match item {
            None => reason.as_str().to_owned(),
            Some(item) => format!("item {item}: {}", reason.as_str()),
        };
        let count: i64 = self.tx.query_row(
            "INSERT INTO refused(batch, detail, count) VALUES(?1, ?2, 1)
             ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
            params![batch.as_bytes(), what],
            |r| r.get(0),
        )?;
        Ok(count == 1)
    }

    /// Remembers that an item of a stored batch was refused, by the batch's record.
    pub(crate) fn keep_refused(
        &self,
        batch: Digest,
        place: usize,
        record: Digest,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO refused_items(batch, place, record) VALUES(?1, ?2, ?3)",
            )?
            .execute(params![batch.as_bytes(), at(place), record.as_bytes()])?;
        Ok(())
    }

    /// An item that was refused is taken.
    pub(crate) fn forget_refused(&self, batch: Digest, place: usize) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("DELETE FROM refused_items WHERE batch = ?1 AND place = ?2")?
            .execute(params![batch.as_bytes(), at(place)])?;
        Ok(())
    }

    /// Places of the items of a stored batch that were refused and not taken since, and the batch's last record; none of
    /// batches that came before records were remembered here.
    pub(crate) fn refused_of(
        &self,
        batch: Digest,
    ) -> Result<(BTreeSet<usize>, Option<Digest>), StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT place, record FROM refused_items WHERE batch = ?1")?;
        let mut rows = statement.query([batch.as_bytes()])?;
        let (mut places, mut record) = (BTreeSet::new(), None);
        while let Some(r) = rows.next()? {
            places.insert(usize::try_from(count(r, 0)?).unwrap_or(usize::MAX));
            if r.get_ref(1)? != rusqlite::types::ValueRef::Null {
                record = Some(digest(r, 1)?);
            }
        }
        Ok((places, record))
    }
}

fn at(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
