//! Numbers and signs batches. One per run of the agent.

use bytes::Bytes;
use clause9_shared::ids::{BootId, Sequence, SystemId};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch::{self, Batch, Item};
use ed25519_dalek::SigningKey;

use crate::ship::packing;

/// Numbers and signs batches.
pub struct Sealer {
    key: SigningKey,
    boot: BootId,
    system: SystemId,
    clock: Clock,
    sequence: u64,
    watermark: Option<Timestamp>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("boot", &self.boot)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer for one run of one agent.
    pub const fn new(key: SigningKey, boot: BootId, system: SystemId, clock: Clock) -> Self {
        Self {
            key,
            boot,
            system,
            clock,
            sequence: 0,
            watermark: None,
        }
    }

    /// Which run.
    pub const fn boot(&self) -> BootId {
        self.boot
    }

    /// Packs, numbers and signs what panes ship. `now` is the wall clock.
    pub fn seal(
        &mut self,
        shipped: Vec<(Vec<Item>, Timestamp)>,
        now: Timestamp,
    ) -> Vec<(Sequence, Bytes)> {
        let newest = shipped.last().map(|(_, watermark)| *watermark);
        let parcels = packing::pack(shipped, self.watermark);
        self.watermark = newest.or(self.watermark);
        parcels
            .into_iter()
            .map(|parcel| {
                self.sequence += 1;
                let batch = Batch {
                    boot: self.boot,
                    sequence: Sequence(self.sequence),
                    created_at: now,
                    clock: self.clock,
                    system: self.system.clone(),
                    watermark: parcel.watermark,
                    watching_since: parcel.watermark,
                    items: parcel.items,
                };
                (batch.sequence, Bytes::from(batch::seal(&batch, &self.key)))
            })
            .collect()
    }
}
