//! Which groups' counts are shown. Figures of few people tell on them, so groups below a number are
//! withheld in display; and if only one is, one more, or its count would follow from the total.
//! Withheld means not shown: ledgers inside the trust boundary read every count exactly.

/// Fewest cases of a group for its counts to be shown.
pub const LEAST_SHOWN: u64 = 20;

/// For each group, whether its counts are withheld. Groups without cases have nothing to withhold.
pub fn suppress(cases: &[u64], least: u64) -> Vec<bool> {
    let small = |n: u64| n > 0 && n < least;
    let mut withheld: Vec<bool> = cases.iter().map(|n| small(*n)).collect();
    if withheld.iter().filter(|w| **w).count() == 1 {
        // The smallest of the others, the first among equals: it costs the least.
        let next = cases
            .iter()
            .enumerate()
            .filter(|(i, n)| !withheld[*i] && **n > 0)
            .min_by_key(|(_, n)| **n)
            .map(|(i, _)| i);
        if let Some(i) = next {
            withheld[i] = true;
        }
    }
    withheld
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_small_group_takes_another_with_it() {
        assert_eq!(suppress(&[500, 7, 90], 20), [false, true, true]);
        assert_eq!(suppress(&[500, 7, 9], 20), [false, true, true]);
        assert_eq!(suppress(&[500, 90], 20), [false, false]);
        assert_eq!(suppress(&[0, 500, 90], 20), [false, false, false]);
        assert_eq!(suppress(&[3, 0], 20), [true, false]);
        assert_eq!(suppress(&[], 20), [false; 0]);
    }

    proptest! {
        #[test]
        fn nobody_small_is_shown_or_follows_from_the_total(
            cases in proptest::collection::vec(0_u64..60, 0..12)
        ) {
            let withheld = suppress(&cases, LEAST_SHOWN);
            for (n, w) in cases.iter().zip(&withheld) {
                prop_assert!(*w || *n == 0 || *n >= LEAST_SHOWN);
            }
            let filled = cases.iter().filter(|n| **n > 0).count();
            let hidden = withheld.iter().filter(|w| **w).count();
            prop_assert!(hidden != 1 || filled == 1);
        }
    }
}
