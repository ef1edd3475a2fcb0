//! How late labels come: the curve of their arrival from counts by age.

/// Cases whose label came at an age, and cases that have reached that age without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Up to which age, in any unit; ascending.
    pub up_to: u64,
    /// Labels that came at such an age.
    pub arrived: u64,
    /// Cases of such an age that have no label yet: what becomes of them is not known.
    pub open: u64,
}

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Up to which age.
    pub up_to: u64,
    /// The share of labels that have come by then (one less Kaplan and Meier's estimate, 1958).
    pub arrived: f64,
    /// Its standard error after Greenwood (1926).
    pub std_error: f64,
}

/// The curve of arrival. Open cases leave the count at the end of their bucket. It ends with the
/// bucket before the first one that nobody has reached.
pub fn curve(buckets: &[Bucket]) -> Vec<Point> {
    let all = buckets.iter().fold(0, |sum, b| sum + b.arrived + b.open);
    let (mut at_risk, mut waiting, mut greenwood) = (all, 1.0, 0.0);
    let mut points = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        if at_risk == 0 {
            break;
        }
        let (n, came) = (at_risk as f64, bucket.arrived as f64);
        waiting *= 1.0 - came / n;
        if bucket.arrived < at_risk {
            greenwood += came / (n * (n - came));
        }
        points.push(Point {
            up_to: bucket.up_to,
            arrived: 1.0 - waiting,
            std_error: waiting * greenwood.sqrt(),
        });
        at_risk -= bucket.arrived + bucket.open;
    }
    points
}

/// From which age on a figure is final: the first at which that share of labels has come. None if
/// the curve does not get there.
pub fn final_from(curve: &[Point], share: f64) -> Option<u64> {
    curve
        .iter()
        .find(|point| point.arrived >= share)
        .map(|point| point.up_to)
}

/// The chi-square statistic of independence between errors and lateness and its degrees of freedom,
/// from (wrong, labelled) by age: whether late labels tell of worse cases than early ones. None
/// unless two ages have labels and some, not all, cases are wrong.
pub fn lateness_of_errors(by_age: &[(u64, u64)]) -> Option<(f64, u32)> {
    let filled: Vec<_> = by_age
        .iter()
        .filter(|(_, labelled)| *labelled > 0)
        .collect();
    let wrong: u64 = filled.iter().map(|(wrong, _)| wrong).sum();
    let labelled: u64 = filled.iter().map(|(_, labelled)| labelled).sum();
    if filled.len() < 2 || wrong == 0 || wrong == labelled {
        return None;
    }
    let share = wrong as f64 / labelled as f64;
    let statistic = filled.iter().fold(0.0, |sum, (wrong, labelled)| {
        let (n, expected) = (*labelled as f64, *labelled as f64 * share);
        let distance = *wrong as f64 - expected;
        sum + distance * distance / (n * share * (1.0 - share))
    });
    let degrees = u32::try_from(filled.len() - 1).ok()?;
    Some((statistic, degrees))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn bucket(up_to: u64, arrived: u64, open: u64) -> Bucket {
        Bucket {
            up_to,
            arrived,
            open,
        }
    }

    #[test]
    fn the_curve_by_hand() {
        let found = curve(&[bucket(1, 2, 1), bucket(2, 3, 0), bucket(3, 2, 2)]);
        let waiting = [0.8, 0.8 * 4.0 / 7.0, 0.8 * 4.0 / 7.0 * 0.5];
        for (point, waiting) in found.iter().zip(waiting) {
            assert!((point.arrived - (1.0 - waiting)).abs() < 1e-12);
        }
        let greenwood = 2.0 / (10.0 * 8.0) + 3.0 / (7.0 * 4.0);
        assert!((found[1].std_error - waiting[1] * f64::sqrt(greenwood)).abs() < 1e-12);
        assert_eq!(final_from(&found, 0.5), Some(2));
        assert_eq!(final_from(&found, 0.95), None);
    }

    #[test]
    fn without_open_cases_it_is_the_share_that_has_come() {
        let found = curve(&[
            bucket(1, 25, 0),
            bucket(2, 50, 0),
            bucket(3, 25, 0),
            bucket(4, 0, 0),
        ]);
        assert_eq!(found.len(), 3);
        assert!((found[1].arrived - 0.75).abs() < 1e-12);
        assert!((found[2].arrived - 1.0).abs() < 1e-12);
        assert!(curve(&[]).is_empty());
    }

    #[test]
    fn errors_that_go_with_lateness_are_told() {
        // scipy 1.17, chi2_contingency without correction of [[10, 30], [90, 70]].
        let (statistic, degrees) = lateness_of_errors(&[(10, 100), (30, 100)]).unwrap();
        assert!((statistic - 12.5).abs() < 1e-12);
        assert_eq!(degrees, 1);
        assert_eq!(lateness_of_errors(&[(1, 10)]), None);
        assert_eq!(lateness_of_errors(&[(0, 10), (0, 5)]), None);
    }
}
