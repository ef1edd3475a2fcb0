//! T7: whatever the order in which replicas deliver, however often, and wherever the judge is stopped
//! and started again, the ledger is the same to the bit.

use std::collections::BTreeMap;

use clause9_shared::canonical;
use clause9_shared::judge::{Compiled, LedgerState};
use clause9_shared::metric::{MetricId, Seen};
use clause9_shared::sketch::{
    CutCounts, Hygiene, PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use clause9_shared::wire::codec::{Decode, Encode};
use proptest::prelude::*;
use serde_json::json;

#[path = "../judging/fixture.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of judging, which use all of it"
)]
mod fixture;

/// What one replica counted in one pane: where its 30 rows fell.
fn shard(rows: &[u8]) -> PaneSummary {
    let mut cuts = CutCounts::new(&[30.0, 40.0, 50.0]).unwrap();
    let mut hygiene = Hygiene::new();
    for row in rows {
        cuts.add(25.0 + 10.0 * f64::from(row % 4));
        hygiene.add_usable(false, false);
    }
    let feature = |kind| SummaryKey::new(SummaryOf::Feature("age".parse().unwrap()), kind);
    PaneSummary::new(vec![
        (feature(SummaryKind::CutCounts), Summary::CutCounts(cuts)),
        (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
    ])
}

/// (pane, replica, boot, sequence): what a delivery is known by, so that it counts once.
type Known = (usize, u8, u8, u8);

/// Judges deliveries: duplicates are dropped, replicas of a pane are added, panes are stepped in
/// order; after each pane the state is written and read back if `restarts` says so.
fn judged(compiled: &Compiled, deliveries: &[(Known, Vec<u8>)], restarts: &[bool]) -> String {
    let mut inbox: BTreeMap<Known, PaneSummary> = BTreeMap::new();
    for (known, bytes) in deliveries {
        let summary = PaneSummary::from_bytes(bytes).unwrap();
        inbox.entry(*known).or_insert(summary);
    }
    let mut panes: BTreeMap<usize, PaneSummary> = BTreeMap::new();
    for ((pane, ..), summary) in inbox {
        match panes.get_mut(&pane) {
            Some(sum) => sum.merge(&summary).unwrap(),
            None => {
                panes.insert(pane, summary);
            }
        }
    }
    let (document, baseline) = (fixture::document(), fixture::baseline());
    let mut state = compiled.start();
    let mut steps = String::new();
    for (pane, summary) in &panes {
        let block = MetricId::Psi.measure(Seen {
            document: &document,
            baseline: &baseline,
            of: &compiled.objective.of,
            summary,
            beside: clause9_shared::metric::Beside::default(),
        });
        let step = compiled.step(&mut state, &block);
        steps.push_str(&canonical::to_json(&step).unwrap());
        if restarts[pane % restarts.len()] {
            let text = canonical::to_json(&state).unwrap();
            state = serde_json::from_str::<LedgerState>(&text).unwrap();
        }
    }
    steps + &canonical::to_json(&state).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn t7_order_duplicates_and_restarts_leave_the_ledger_as_it_is(
        rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 30), 12),
        order in Just((0..18_usize).collect::<Vec<_>>()).prop_shuffle(),
        restarts in prop::collection::vec(any::<bool>(), 4),
    ) {
        let compiled = fixture::compile(&json!({
            "metric": "psi", "of": { "feature": "age" }, "comparator": "at_most",
            "levels": { "action": 0.1, "alert": 0.05 }
        }));
        // Four panes of three shards: two replicas, one of which was started twice.
        let deliveries: Vec<(Known, Vec<u8>)> = rows
            .iter()
            .enumerate()
            .map(|(i, rows)| {
                let (pane, shard_of) = (i / 3, u8::try_from(i % 3).unwrap());
                let known = (pane, shard_of / 2, shard_of % 2, u8::try_from(pane).unwrap());
                (known, shard(rows).to_bytes())
            })
            .collect();
        let straight = judged(&compiled, &deliveries, &[false]);
        // Six of them come twice, and all in any order.
        let shuffled: Vec<_> = order.iter().map(|i| deliveries[i % 12].clone()).collect();
        prop_assert_eq!(judged(&compiled, &shuffled, &restarts), straight);
    }
}
