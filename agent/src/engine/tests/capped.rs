//! Panes under a cap: rates that change, shells, and what is said of both.

use clause9_shared::sampling::{Common, Mix};
use proptest::prelude::*;

use super::*;

/// At most one exchange a second is kept: 60 in a pane.
fn capped(declared: u8) -> Settings {
    let declared = Halvings::new(declared).unwrap();
    Settings {
        cap: Some(Cap {
            declared,
            exchanges_per_second: Some(1.0),
            bytes_per_second: None,
        }),
        remembered: 10_000,
        ..settings(declared.rate())
    }
}

fn pane_of_traffic(world: &mut World, n: i64, exchanges: u32) -> Vec<ClosedWindow> {
    for i in 0..exchanges {
        world.seen(n, &format!("{n}-{i}"), 1);
    }
    world.close(n, u64::from(exchanges))
}

fn mix(items: &[ClosedWindow]) -> Mix {
    items
        .iter()
        .fold(Mix::default(), |mix, item| match &item.stream {
            Stream::Traffic(coverage) => mix.with(Mix::of(&item.key, coverage)),
            Stream::Outcomes { .. } => mix,
        })
}

/// Rows in the sum of what is taken.
fn rows(items: &[ClosedWindow], common: Common) -> u64 {
    let taken = items.iter().filter(|item| common.takes(&item.key));
    let rows = taken.map(|item| match &item.stream {
        Stream::Traffic(coverage) => coverage.rows,
        Stream::Outcomes { .. } => 0,
    });
    rows.sum()
}

#[test]
fn a_pane_after_a_busy_one_keeps_less_and_says_so() {
    let mut world = World::new(capped(0));
    let first = pane_of_traffic(&mut world, 0, 480);
    assert_eq!(traffic(&first).sampled, 480, "nothing was known yet");
    assert_eq!(world.engine.rate_in_force().to_bits(), 1_f64.to_bits());
    let second = pane_of_traffic(&mut world, 1, 480);
    let coverage = traffic(&second);
    assert_eq!(world.engine.rate_in_force().to_bits(), 0.125_f64.to_bits());
    let third = Halvings::new(3).unwrap();
    assert_eq!(
        coverage.rates.map(|r| (r.fewest, r.most)),
        Some((third, third))
    );
    assert!((30..95).contains(&coverage.sampled), "{coverage:?}");
    assert_eq!(coverage.sampled + coverage.sampled_out, 480);
    let sampler = world.engine.settings.sampler.clone();
    let kept = (0..480).filter(|i| third.keeps(sampler.tag(format!("1-{i}").as_bytes()).bits()));
    assert_eq!(
        coverage.sampled,
        kept.count() as u64,
        "chosen by the hash of the id alone"
    );
    // Both panes together: the same ids are in the sum as if both had had the lower rate.
    let all: Vec<_> = first.into_iter().chain(second).collect();
    let common = mix(&all).common();
    assert_eq!(common, Common::From(Shell::new(2).unwrap()));
    let fourth = Halvings::new(4).unwrap();
    let ids = (0..2).flat_map(|n| (0..480).map(move |i| format!("{n}-{i}")));
    let in_both = ids.filter(|id| fourth.keeps(sampler.tag(id.as_bytes()).bits()));
    assert_eq!(rows(&all, common), in_both.count() as u64);
}

#[test]
fn labels_find_their_shell_and_those_of_what_was_let_go_are_not_unknown() {
    let mut world = World::new(capped(1));
    pane_of_traffic(&mut world, 0, 480);
    pane_of_traffic(&mut world, 1, 480);
    let mut report = OutcomeReport::default();
    for i in 0..480 {
        let told = world.join(label(&format!("1-{i}"), 0, 1.0, 125), 125);
        report.joined += told.joined;
        report.sampled_out += told.sampled_out;
    }
    assert_eq!(report.joined + report.sampled_out, 480, "none waits");
    let items = world.close(2, 0);
    let sampler = world.engine.settings.sampler.clone();
    for item in items.iter().filter(|item| !item.key.model.is_empty()) {
        let Stream::Outcomes { coverage, .. } = &item.stream else {
            continue;
        };
        let shell = item.key.shell.unwrap();
        let ids = (0..480).map(|i| sampler.tag(format!("1-{i}").as_bytes()).bits());
        let third = Halvings::new(3).unwrap();
        let mine = ids.filter(|hash| third.keeps(*hash) && Shell::of(*hash) == shell);
        assert_eq!(coverage.labels, mine.count() as u64, "{shell:?}");
    }
    assert_eq!(
        outcomes(&items).iter().map(|o| o.2.labels).sum::<u64>(),
        report.joined
    );
    // Once such panes are beyond the horizon, an unknown id is one again.
    let late = 200 * 86_400;
    let kept = |id: &String| sampler.keeps(sampler.tag(id.as_bytes()));
    let unknown = (0..1000)
        .map(|i| format!("unknown-{i}"))
        .find(kept)
        .unwrap();
    let told = world.join(label(&unknown, 0, 1.0, late), late);
    assert_eq!((told.waiting, told.sampled_out), (1, 0));
}

#[test]
fn without_a_cap_nothing_is_told_and_nothing_kept_apart() {
    let mut world = World::new(settings(0.5));
    let items = pane_of_traffic(&mut world, 0, 50);
    assert!(items.iter().all(|item| item.key.shell.is_none()));
    assert_eq!(traffic(&items).rates, None);
    assert_eq!(world.engine.rate(minute(1)), None);
}

#[test]
fn a_panic_forgets_no_rate() {
    let mut world = World::new(capped(0));
    pane_of_traffic(&mut world, 0, 480);
    world.seen(1, "a", 1);
    world.engine = world.engine.after_panic();
    assert_eq!(world.engine.rate(minute(1)), Halvings::new(3));
    assert_eq!(traffic(&world.close(1, 1)).dropped_total(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn two_replicas_at_any_rates_give_a_sum_of_the_ids_below_one_bound(
        busy in proptest::array::uniform2(0_u32..2000),
    ) {
        let mut all = Vec::new();
        let mut lowest = Halvings::NONE;
        for (replica, exchanges) in busy.into_iter().enumerate() {
            let mut world = World::new(capped(0));
            pane_of_traffic(&mut world, 0, exchanges);
            for i in 0..200 {
                world.seen(1, &format!("{replica}-{i}"), 1);
            }
            lowest = lowest.max(world.engine.rate(minute(1)).unwrap());
            all.extend(world.close(1, 200));
        }
        let common = mix(&all).common();
        let sampler = Sampler::new([9; 32], 1.0);
        let hashes = (0..2).flat_map(|r| (0..200).map(move |i| format!("{r}-{i}")));
        let hashes: Vec<u64> = hashes.map(|id| sampler.tag(id.as_bytes()).bits()).collect();
        let bound = match common {
            Common::All => lowest,
            Common::From(shell) => Halvings::new(2 * shell.number()).unwrap(),
            Common::Nothing => unreachable!("both keep shells apart"),
        };
        prop_assert!(bound >= lowest);
        let expected = hashes.iter().filter(|hash| bound.keeps(**hash)).count();
        prop_assert_eq!(rows(&all, common), expected as u64);
    }
}
