//! Items into batches: as few as the limits allow, and a watermark that never runs ahead of the items
//! it speaks of. Pure.

use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{ClosedWindow, MAX_ITEMS};

/// Most bytes of summaries in one batch; well below the largest envelope.
const MAX_BYTES: usize = 4 << 20;
/// What an item takes besides its summary, at most.
const ITEM_OVERHEAD: usize = 1024;

/// What one batch will say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Pane contributions.
    pub items: Vec<ClosedWindow>,
    /// The watermark once this batch is known.
    pub watermark: Timestamp,
}

/// Packs what several panes ship, in order. `before` is the watermark of what was shipped earlier;
/// a pane's own watermark is claimed only by the batch with its last item.
pub fn pack(
    shipped: Vec<(Vec<ClosedWindow>, Timestamp)>,
    before: Option<Timestamp>,
) -> Vec<Parcel> {
    let mut parcels: Vec<Parcel> = Vec::new();
    let mut reached = before;
    let mut bytes = 0;
    for (items, watermark) in shipped {
        // Before the first pane is whole, nothing is claimed but that panes before it are over.
        let until_then = reached
            .or_else(|| items.iter().map(|i| i.pane.0).min())
            .unwrap_or(watermark);
        for item in items {
            let size = item.summary.len() + ITEM_OVERHEAD;
            let fits = |p: &Parcel| p.items.len() < MAX_ITEMS && bytes + size <= MAX_BYTES;
            if let Some(parcel) = parcels.last_mut().filter(|p| fits(p)) {
                parcel.items.push(item);
                bytes += size;
            } else {
                parcels.push(Parcel {
                    items: vec![item],
                    watermark: until_then,
                });
                bytes = size;
            }
        }
        if let Some(last) = parcels.last_mut() {
            last.watermark = watermark;
        }
        reached = Some(watermark);
    }
    parcels
}

#[cfg(test)]
mod tests {
    use clause9_shared::digest::Digest;
    use clause9_shared::ids::Name;
    use clause9_shared::time::{Clock, Span};
    use clause9_shared::window::{Coverage, PaneKey, PaneStart};
    use clause9_shared::wire::batch::{MAX_ENVELOPE, Stream};
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * 60_000_000).unwrap()
    }

    fn item(minute: i64, bytes: usize) -> ClosedWindow {
        let none = Digest::of(b"");
        ClosedWindow {
            key: PaneKey {
                system: Name::new("s").unwrap(),
                model: "m".into(),
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
            summary: vec![0; bytes],
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_item_is_lost_and_every_parcel_is_below_the_limits(
            panes in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![20 => 0..200_usize, 1 => 0..(6_usize << 20)], 0..40),
                0..12,
            ),
            many in prop_oneof![4 => Just(0), 1 => 0..(3 * MAX_ITEMS)],
            before in proptest::option::of(Just(at(0))),
        ) {
            // Minutes from 1 on; one pane may have very many small items.
            let shipped: Vec<_> = std::iter::once(vec![0; many])
                .chain(panes)
                .zip(1..)
                .map(|(sizes, m)| (sizes.into_iter().map(|s| item(m, s)).collect::<Vec<_>>(), at(m + 1)))
                .collect();
            let all: Vec<ClosedWindow> = shipped.iter().flat_map(|(items, _)| items.clone()).collect();
            let parcels = pack(shipped, before);
            let mut reached = before;
            let mut later = all.as_slice();
            for parcel in &parcels {
                let bytes: usize = parcel.items.iter().map(|i| i.summary.len() + ITEM_OVERHEAD).sum();
                prop_assert!((1..=MAX_ITEMS).contains(&parcel.items.len()));
                prop_assert!(bytes <= MAX_BYTES || parcel.items.len() == 1);
                prop_assert!(bytes < MAX_ENVELOPE);
                prop_assert!(reached.is_none_or(|r| r <= parcel.watermark));
                reached = Some(parcel.watermark);
                let (mine, rest) = later.split_at(parcel.items.len());
                prop_assert!(mine == parcel.items, "items are lost or out of order");
                // What is claimed to be over has been said.
                prop_assert!(rest.iter().all(|i| i.pane.0 >= parcel.watermark));
                later = rest;
            }
            prop_assert!(later.is_empty());
        }
    }

    #[test]
    fn idle_panes_share_a_batch() {
        let panes = (0..5).map(|m| (vec![item(m, 100)], at(m + 1))).collect();
        let parcels = pack(panes, None);
        assert_eq!((parcels.len(), parcels[0].items.len()), (1, 5));
        assert_eq!(parcels[0].watermark, at(5));
    }

    #[test]
    fn the_watermark_waits_for_a_panes_last_item() {
        let large = (0..3).map(|_| item(1, 3 << 20)).collect();
        let parcels = pack(vec![(vec![item(0, 10)], at(1)), (large, at(2))], None);
        let said: Vec<_> = parcels
            .iter()
            .map(|p| (p.items.len(), p.watermark))
            .collect();
        assert_eq!(said, [(2, at(1)), (1, at(1)), (1, at(2))]);
        let first = pack(
            vec![((0..2).map(|_| item(7, 3 << 20)).collect(), at(8))],
            None,
        );
        assert_eq!(first[0].watermark, at(7));
    }
}
