//! How late labels come, on real data: the labels of a public data set as they were known on a day.

use clause9_shared::metric::LabelAges;
use clause9_shared::time::{Span, Timestamp};

use crate::oracle::CAR_LOAN;

fn at(text: &str) -> Timestamp {
    format!("{}Z", text.replace(' ', "T")).parse().unwrap()
}

/// What was known of the rows and labels up to that day, by age in whole days.
fn known(until: Timestamp) -> LabelAges {
    let day = Span::from_days(1);
    let mut ages = LabelAges::new(day, 1);
    for row in CAR_LOAN.rows("analysis") {
        let seen = at(&row.timestamp);
        if seen > until {
            continue;
        }
        let came = (!row.came.is_empty()).then(|| at(&row.came));
        match came.filter(|came| *came <= until) {
            Some(came) => {
                ages.arrived(came.since(seen), 1);
                let wrong = row.decision != row.positive();
                ages.showed(came.since(seen), u64::from(wrong), 1);
            }
            None => ages.open(until.since(seen), 1),
        }
    }
    ages
}

#[test]
fn the_curve_of_arrival_is_that_of_lifelines() {
    let ages = known(at("2019-04-01 00:00:00"));
    assert_eq!((ages.cases(), ages.labels()), (25_145, 15_319));
    // lifelines 0.30.3, `KaplanMeierFitter` on ages of labels rounded up to days and of open cases down.
    for (days, share) in [
        (30, 0.016_641_901_931_648_828),
        (40, 0.183_276_198_719_033_1),
        (45, 0.266_626_707_319_657_54),
        (50, 0.350_020_651_128_471_36),
        (60, 0.516_815_434_558_371_5),
    ] {
        let (found, error) = ages.by(Span::from_days(days)).unwrap();
        assert!((found - share).abs() < 1e-12, "{days}: {found}");
        assert!(error > 0.0 && error < 0.01);
    }
    // Its standard error by Greenwood.
    for (days, error) in [
        (45, 0.003_226_253_663_340_625_6),
        (60, 0.003_833_988_245_952_447_6),
    ] {
        let (_, found) = ages.by(Span::from_days(days)).unwrap();
        assert!((found - error).abs() < 1e-12, "{days}: {found}");
    }
    // Beyond 64 days a place holds two, and open cases leave with the one before.
    for (days, share) in [(76, 0.783), (80, 0.850_156), (86, 0.95)] {
        let (found, _) = ages.by(Span::from_days(days)).unwrap();
        assert!((found - share).abs() < 0.005, "{days}: {found}");
    }
    for (share, days) in [(0.5, 59), (0.9, 83), (0.95, 86)] {
        let (low, high) = ages.quantile(share).unwrap();
        let day = Span::from_days(days);
        assert!(low <= day && day <= high, "{share}: {low} to {high}");
    }
}

#[test]
fn that_errors_go_with_lateness_is_told_as_by_scipy() {
    // SciPy 1.17, `chi2_contingency` without correction on the same 48 ages.
    let found = known(at("2019-04-01 00:00:00"))
        .errors_go_with_age()
        .unwrap();
    assert!(
        (found / 0.096_662_184_449_727_56 - 1.0).abs() < 1e-9,
        "{found}"
    );
}
