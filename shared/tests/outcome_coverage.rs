//! Counts of outcomes as they are written: by today's programs and by earlier ones.

use clause9_shared::sampling::{Halvings, Rates};
use clause9_shared::window::{Coverage, OutcomeCoverage};
use clause9_shared::wire::codec::{Decode as _, Encode as _};
use proptest::prelude::*;

/// What programs wrote before they knew of predictions that are forgotten.
const BEFORE: [u8; 9] = [8, 5, 4, 3, 2, 1, 0, 7, 6];

#[test]
fn counts_of_earlier_programs_are_read_and_written_as_they_were() {
    let read = OutcomeCoverage::from_bytes(&BEFORE).unwrap();
    assert_eq!((read.labels, read.sampled_out, read.forgotten), (5, 6, 0));
    assert_eq!(read.to_bytes(), BEFORE);
}

#[test]
fn a_count_that_is_left_out_where_it_is_nothing_is_not_written_either_way() {
    let mut spelled_out = BEFORE.to_vec();
    spelled_out[0] = 9;
    spelled_out.push(0);
    assert!(OutcomeCoverage::from_bytes(&spelled_out).is_err());
    spelled_out[9] = 1;
    assert_eq!(
        OutcomeCoverage::from_bytes(&spelled_out).unwrap().forgotten,
        1
    );
    // The one after it likewise, whatever is forgotten.
    spelled_out[0] = 10;
    spelled_out.push(0);
    assert!(OutcomeCoverage::from_bytes(&spelled_out).is_err());
    spelled_out[10] = 2;
    for forgotten in [0, 1] {
        spelled_out[9] = forgotten;
        let read = OutcomeCoverage::from_bytes(&spelled_out).unwrap();
        assert_eq!((read.forgotten, read.for_groups), (forgotten.into(), 2));
        assert_eq!(read.to_bytes(), spelled_out);
    }
    for told in [0, 7, 11] {
        spelled_out[0] = told;
        assert!(OutcomeCoverage::from_bytes(&spelled_out).is_err(), "{told}");
    }
}

proptest! {
    #[test]
    fn each_value_has_one_encoding(labels: u64, dropped: u64, forgotten in prop_oneof![Just(0), any::<u64>()]) {
        let coverage = OutcomeCoverage { labels, dropped, forgotten, ..OutcomeCoverage::default() };
        let bytes = coverage.to_bytes();
        prop_assert_eq!(OutcomeCoverage::from_bytes(&bytes).unwrap(), coverage);
        prop_assert_eq!(bytes[0], if forgotten == 0 { 8 } else { 9 });
    }

    #[test]
    fn coverage_of_traffic_has_one_encoding_with_rates_and_counts_for_groups_and_without(
        seen: u64,
        for_groups in prop_oneof![Just(0), any::<u64>()],
        rate in proptest::option::of(0_u8..=8),
    ) {
        let rates = rate.and_then(Halvings::new).map(Rates::one);
        let coverage = Coverage { seen, for_groups, rates, ..Coverage::default() };
        let mut bytes = coverage.to_bytes();
        prop_assert_eq!(Coverage::from_bytes(&bytes).unwrap(), coverage);
        let plain = Coverage::default().to_bytes()[0];
        let more = u8::from(for_groups > 0) + if rates.is_some() { 2 } else { 0 };
        prop_assert_eq!(bytes[0], plain + more);
        bytes[0] += 1;
        prop_assert!(Coverage::from_bytes(&bytes).is_err());
    }
}
