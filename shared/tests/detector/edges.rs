//! Streams that are empty, constant, huge, or no numbers.

use clause9_shared::detector::{
    Adwin, AdwinSettings, DetectorKind, HddmA, HddmASettings, Kswin, KswinSettings, Signal, run,
};
use proptest::prelude::*;

/// A sequence of seeded numbers from 0 to 1 (`SplitMix64`).
fn uniform(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    })
}

#[test]
fn a_constant_stream_never_changes() {
    for kind in DetectorKind::ALL {
        for value in [0.0, 1.0, -0.0] {
            let mut detector = kind.with_defaults();
            let found = run(detector.as_mut(), std::iter::repeat_n(value, 5000));
            assert_eq!(found.drift, [0_u64; 0], "{kind} {value}");
            assert_eq!(found.taken, 5000);
        }
    }
}

#[test]
fn an_error_rate_that_jumps_is_heard_soon_after_by_every_detector() {
    for kind in DetectorKind::ALL {
        let errors = uniform(3).zip(0..4000).map(|(u, i)| {
            let rate = if i < 2000 { 0.05 } else { 0.6 };
            f64::from(u8::from(u < rate))
        });
        let mut detector = kind.with_defaults();
        let found = run(detector.as_mut(), errors);
        let heard = found.drift.iter().find(|at| **at >= 2000);
        assert!(heard.is_some_and(|at| *at < 2600), "{kind}: {found:?}");
    }
}

#[test]
fn values_that_are_no_numbers_have_no_position_and_change_nothing() {
    for kind in DetectorKind::ALL {
        let errors = || uniform(4).take(3000).map(|u| f64::from(u8::from(u < 0.3)));
        let plain = run(kind.with_defaults().as_mut(), errors());
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let mixed = errors().flat_map(|value| [value, odd[0], odd[1], odd[2]]);
        let found = run(kind.with_defaults().as_mut(), mixed);
        assert_eq!(
            (found.drift, found.warning_starts),
            (plain.drift, plain.warning_starts)
        );
        assert_eq!(found.passed_over, 9000);
        // Asked directly, too.
        let mut detector = kind.with_defaults();
        assert!(
            odd.iter()
                .all(|value| detector.update(*value) == Signal::Quiet)
        );
    }
    assert_eq!(
        run(DetectorKind::Adwin.with_defaults().as_mut(), []).taken,
        0
    );
}

#[test]
fn settings_out_of_range_say_what_is_expected() {
    let wrong = Adwin::new(AdwinSettings {
        delta: f64::NAN,
        ..AdwinSettings::default()
    });
    let said = wrong.unwrap_err().to_string();
    assert_eq!(
        said,
        "adwin: delta is out of range; write a number between 0 and 1"
    );
    for settings in [
        KswinSettings {
            newest: 51,
            ..KswinSettings::default()
        },
        KswinSettings {
            window: usize::MAX,
            ..KswinSettings::default()
        },
        KswinSettings {
            alpha: 0.0,
            ..KswinSettings::default()
        },
    ] {
        assert!(Kswin::new(settings).is_err());
    }
    let reversed = HddmASettings {
        drift: 0.01,
        warning: 0.001,
    };
    assert!(HddmA::new(reversed).is_err());
    assert!("ADWIN".parse::<DetectorKind>().is_err());
    for kind in DetectorKind::ALL {
        assert_eq!(kind.name().parse(), Ok(*kind));
    }
}

#[test]
fn kswin_gives_the_same_positions_for_the_same_seed() {
    let stream = || uniform(8).zip(0..3000).map(|(u, i)| u + f64::from(i / 500));
    let of = |seed| {
        let mut detector = Kswin::new(KswinSettings {
            seed,
            ..KswinSettings::default()
        })
        .unwrap();
        run(&mut detector, stream()).drift
    };
    assert_eq!(of(1), of(1));
    assert!(!of(1).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_stream_of_any_bits_panics(
        bits in proptest::collection::vec(any::<u64>(), 0..600)
    ) {
        for kind in DetectorKind::ALL {
            let mut detector = kind.with_defaults();
            let values = bits.iter().map(|bits| f64::from_bits(*bits));
            let found = run(detector.as_mut(), values);
            prop_assert_eq!(found.taken + found.passed_over, bits.len() as u64);
        }
    }
}
