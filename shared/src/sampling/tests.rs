use crate::digest::Digest;
use crate::ids::Name;
use crate::time::{Clock, Span};
use crate::wire::codec::{Decode as _, Encode as _};

use super::*;

/// Rates, from all to the lowest.
fn rates() -> impl Iterator<Item = Halvings> {
    (0..=Halvings::MOST.count()).filter_map(Halvings::new)
}

/// One hash for each number of leading zeros that matters, with how many in 256 have it.
fn hashes() -> impl Iterator<Item = (u64, u64)> {
    let most = u32::from(Halvings::MOST.count());
    let each = (0..most).map(move |zeros| (u64::MAX >> zeros, 1 << (most - 1 - zeros)));
    each.chain([(0, 1)])
}

fn key(shell: Option<Shell>) -> PaneKey {
    PaneKey {
        system: Name::new("s").unwrap(),
        model: "m".into(),
        model_version: "1".into(),
        baseline: Digest::of(b"baseline"),
        plan: Digest::of(b"plan"),
        salt: Digest::of(b"salt"),
        clock: Clock::Replay,
        pane: Span::from_secs(60),
        shell,
    }
}

fn coverage(rate: Option<Halvings>) -> Coverage {
    Coverage {
        seen: 1,
        sampled: 1,
        rates: rate.map(Rates::one),
        ..Coverage::default()
    }
}

/// What blocks of agents at these rates have in common.
fn common(agents: &[Halvings]) -> Common {
    let mut mix = Mix::default();
    for rate in agents {
        for (hash, _) in hashes().filter(|(hash, _)| rate.keeps(*hash)) {
            mix = mix.with(Mix::of(&key(Some(Shell::of(hash))), &coverage(Some(*rate))));
        }
    }
    mix.common()
}

/// How many hashes in 256 are kept at a rate and in the sum.
fn chances(rate: Halvings, common: Common) -> u64 {
    let taken = |hash| rate.keeps(hash) && common.takes(&key(Some(Shell::of(hash))));
    let each = hashes().filter(|(hash, _)| taken(*hash));
    each.map(|(_, of_256)| of_256).sum()
}

#[test]
fn a_hash_falls_into_one_shell_and_a_rate_keeps_its_share_of_them() {
    assert_eq!(hashes().map(|(_, of_256)| of_256).sum::<u64>(), 256);
    assert_eq!(Shell::of(u64::MAX).number(), 0);
    assert_eq!(Shell::of(1 << 62).number(), 0);
    assert_eq!(Shell::of((1 << 62) - 1).number(), 1);
    assert_eq!(Shell::of(1 << 56).number(), 3);
    assert_eq!(Shell::of((1 << 56) - 1), Shell::LAST);
    assert_eq!(Shell::of(0), Shell::LAST);
    for rate in rates() {
        assert_eq!(chances(rate, Common::All), 256 >> rate.count());
    }
}

#[test]
fn in_a_sum_every_case_had_the_same_chance_whatever_the_rates() {
    for one in rates() {
        for other in rates() {
            let common = common(&[one, other]);
            let each = [one, other].map(|rate| chances(rate, common));
            assert_eq!(each[0], each[1], "{one:?} {other:?}");
            // A rate between two shells gives up no more than one halving.
            let lowest = 256 >> one.max(other).count();
            assert!(each[0] == lowest || (one != other && 2 * each[0] == lowest));
        }
    }
}

/// What a bet expects of a case of one of two replicas with the same traffic, counted so that every fraction
/// is whole: it pays 3/2 for a hit and 3/4 for a miss, which is fair where a third are hits. A case that
/// is not in the sum changes nothing.
fn expected(agents: [Halvings; 2], hits_in_12: [u64; 2], common: Common) -> u64 {
    let of = |(rate, hits): (Halvings, u64)| {
        let in_sum = chances(rate, common);
        let paid = hits * 3 + (12 - hits) * 3 / 2;
        in_sum * paid + (256 - in_sum) * 24
    };
    of((agents[0], hits_in_12[0])) + of((agents[1], hits_in_12[1]))
}

/// What it expects where it neither gains nor loses.
const FAIR: u64 = 2 * 256 * 24;

#[test]
fn what_is_fair_of_all_traffic_stays_fair_of_the_sum_to_the_last_fraction() {
    // A sixth and a half: a third together.
    let hits = [2, 6];
    let mut silently = 0;
    for one in rates() {
        for other in rates() {
            let agents = [one, other];
            assert_eq!(expected(agents, hits, common(&agents)), FAIR);
            silently = silently.max(expected(agents, hits, Common::All));
        }
    }
    assert!(
        silently > FAIR,
        "without shells, the bet would win by itself"
    );
}

#[test]
fn samples_that_are_not_kept_apart_are_refused_once_a_rate_is_lowered() {
    let lowered = Halvings::new(1).unwrap();
    let shell = key(Some(Shell::LAST));
    let whole = Mix::of(&key(None), &coverage(None));
    assert_eq!(whole.common(), Common::All);
    let full = Mix::of(&shell, &coverage(Some(Halvings::NONE)));
    assert_eq!(whole.with(full).common(), Common::All);
    let low = Mix::of(&shell, &coverage(Some(lowered)));
    assert_eq!(whole.with(low).common(), Common::Nothing);
    assert!(!Common::Nothing.takes(&shell));
    // An agent that saw nothing adds nothing.
    let silent = Mix::of(&key(None), &Coverage::default());
    assert_eq!(silent.with(low).common(), Common::All);
    assert_eq!(full.with(low).common(), low.with(full).common());
    assert_eq!(
        full.with(low).common(),
        Common::From(Shell::new(1).unwrap())
    );
}

#[test]
fn a_key_without_a_shell_is_the_bytes_that_it_always_was() {
    let bytes = key(None).to_bytes();
    let clock = bytes.len() - 5;
    assert_eq!(bytes[clock], 1, "replay");
    for number in 0..=Shell::LAST.number() {
        let shelled = key(Shell::new(number));
        let mut with = bytes.clone();
        with[clock] = 1 | (1 + number) << 1;
        assert_eq!(shelled.to_bytes(), with);
        assert_eq!(PaneKey::from_bytes(&with).unwrap(), shelled);
    }
    let mut beyond = bytes;
    beyond[clock] = 1 | (2 + Shell::LAST.number()) << 1;
    PaneKey::from_bytes(&beyond).unwrap_err();
}

#[test]
fn rates_travel_with_the_coverage_and_only_where_they_are_told() {
    let bare = coverage(None).to_bytes();
    for fewest in rates() {
        for most in rates() {
            let rates = Rates { fewest, most };
            let told = Coverage {
                rates: Some(rates),
                ..coverage(None)
            };
            let bytes = told.to_bytes();
            assert_eq!(bytes.len(), bare.len() + 2);
            assert_eq!(bytes[1..bare.len()], bare[1..]);
            let read = Coverage::from_bytes(&bytes);
            assert_eq!(read.ok(), (fewest <= most).then_some(told));
        }
    }
    let mut sum = coverage(None);
    sum.merge(&coverage(Halvings::new(3))).unwrap();
    sum.merge(&coverage(Halvings::new(1))).unwrap();
    let told = sum.rates.unwrap();
    assert_eq!((told.fewest.count(), told.most.count()), (1, 3));
    let shown = serde_json::to_value(&sum).unwrap();
    assert_eq!(
        shown["halvings"],
        serde_json::json!({"fewest": 1, "most": 3})
    );
    assert!(
        serde_json::to_value(coverage(None))
            .unwrap()
            .get("halvings")
            .is_none()
    );
}

#[test]
fn a_rate_is_one_that_can_be_told_or_none() {
    assert_eq!(Halvings::of_rate(1.0), Some(Halvings::NONE));
    assert_eq!(Halvings::of_rate(0.25).map(Halvings::count), Some(2));
    for none in [0.0, 0.3, 1.0 / 512.0, 2.0, f64::NAN] {
        assert_eq!(Halvings::of_rate(none), None);
    }
    assert!(Halvings::try_from(9).is_err() && Shell::try_from(5).is_err());
}
