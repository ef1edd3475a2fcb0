//! Numbers and signs batches. One per run of the agent.

use bytes::Bytes;
use clause9_shared::ids::{BootId, Sequence, SystemId};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch::{self, Batch, ClosedWindow};
use clause9_shared::wire::loss::{Loss, Place};
use ed25519_dalek::SigningKey;

use crate::ship::packing::{self, Parcel};

/// What a pane ships, and the watermark once it is known.
pub type Shipped = (Vec<ClosedWindow>, Timestamp);

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

    /// Packs, numbers and signs what panes ship; the first batch tells of the losses. `since` is from when
    /// on this run has been watching: none if it opened no pane, so that nothing before a batch's own
    /// watermark is claimed. `now` is the wall clock.
    pub fn seal(
        &mut self,
        shipped: Vec<Shipped>,
        losses: &[Loss],
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<(Place, Bytes)> {
        let newest = shipped.last().map(|(_, watermark)| *watermark);
        let parcels = packing::pack(shipped, self.watermark);
        self.watermark = newest.or(self.watermark);
        let first = self.sequence;
        self.sequence += parcels.len() as u64;
        self.sign(parcels, first, (losses, None), since, now)
    }

    /// The same for what open panes hold, to be put by: under the numbers that come next, which are not
    /// used up by it. What is shipped later under them stands for it.
    pub fn put_by(
        &self,
        held: Vec<Shipped>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<(Place, Bytes)> {
        let parcels = packing::pack(held, self.watermark);
        self.sign(parcels, self.sequence, (&[], Some(now)), since, now)
    }

    fn sign(
        &self,
        parcels: Vec<Parcel>,
        after: u64,
        (losses, restored): (&[Loss], Option<Timestamp>),
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<(Place, Bytes)> {
        let signed = parcels.into_iter().enumerate().map(|(index, parcel)| {
            let batch = Batch {
                boot: self.boot,
                sequence: Sequence(after + index as u64 + 1),
                created_at: now,
                clock: self.clock,
                system: self.system.clone(),
                watermark: parcel.watermark,
                watching_since: since.unwrap_or(parcel.watermark),
                items: parcel.items,
                losses: if index == 0 {
                    losses.to_vec()
                } else {
                    Vec::new()
                },
                restored,
            };
            let place = Place {
                boot: batch.boot,
                sequence: batch.sequence,
            };
            (place, Bytes::from(batch::seal(&batch, &self.key)))
        });
        signed.collect()
    }
}

#[cfg(test)]
mod tests {
    use clause9_shared::digest::Digest;
    use clause9_shared::ids::Name;
    use clause9_shared::time::Span;
    use clause9_shared::window::{Coverage, PaneKey, PaneStart};
    use clause9_shared::wire::batch::{Envelope, Stream};

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * 60_000_000).unwrap()
    }

    fn shipped(minute: i64) -> Vec<(Vec<ClosedWindow>, Timestamp)> {
        let none = Digest::of(b"");
        let item = ClosedWindow {
            key: PaneKey {
                system: Name::new("s").unwrap(),
                model: "".into(),
                model_version: "".into(),
                baseline: none,
                plan: none,
                salt: none,
                clock: Clock::Live,
                pane: Span::from_secs(60),
                shell: None,
            },
            pane: PaneStart(at(minute)),
            stream: Stream::Traffic(Coverage::default()),
            summary: vec![],
        };
        vec![(vec![item], at(minute + 1))]
    }

    #[test]
    fn every_batch_of_a_run_says_the_same_beginning_whatever_its_watermark() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let mut sealer = Sealer::new(key, BootId(1), Name::new("s").unwrap(), Clock::Live);
        let mut said = Vec::new();
        for minute in [7, 8, 20] {
            for (_, envelope) in sealer.seal(shipped(minute), &[], Some(at(6)), at(30)) {
                let batch = Envelope::parse(&envelope).unwrap().open().unwrap();
                said.push((batch.watching_since, batch.watermark));
            }
        }
        assert_eq!(said, [(at(6), at(8)), (at(6), at(9)), (at(6), at(21))]);
    }

    #[test]
    fn what_is_put_by_has_the_numbers_of_what_is_shipped_next() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let mut sealer = Sealer::new(key, BootId(1), Name::new("s").unwrap(), Clock::Live);
        sealer.seal(shipped(7), &[], Some(at(6)), at(30));
        let put_by = sealer.put_by(shipped(8), Some(at(6)), at(31));
        let again = sealer.put_by(shipped(8), Some(at(6)), at(32));
        let sealed = sealer.seal(shipped(8), &[], Some(at(6)), at(33));
        assert_eq!((put_by[0].0, again[0].0), (sealed[0].0, sealed[0].0));
        let open = |bytes: &Bytes| Envelope::parse(bytes).unwrap().open().unwrap();
        assert_eq!(open(&put_by[0].1).restored, Some(at(31)));
        assert_eq!(open(&sealed[0].1).restored, None);
    }
}
