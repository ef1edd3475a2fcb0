//! From resampled figures to an interval.
//!
//! A distance is never below zero, and chance alone lifts it: where nothing has moved, a resample of
//! window and baseline lies about 1.4 times as far out as they do, so that the percentiles of
//! resampled distances are all too high and the interval of the textbook contains the truth in next to
//! none of the windows. Two kinds of resamples are taken therefore. *Around* the counts: how the
//! figure would scatter were the counts the law. *By chance*: how large it would be of chance alone.
//!
//! The upper end is the percentile of the figures around the counts: they carry chance twice, so that
//! it is seldom too low. The lower end takes chance off by one of two rules ([`Lift`]).

/// How chance lifts a figure, and so how the lower end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lift {
    /// The figure is the length of a vector, which chance lengthens by at most the length of the
    /// error: less the 97.5th percentile of that. Holds wherever the truth lies, by the triangle
    /// inequality; wide where many cells add up.
    AtMost,
    /// The figure is a sum over cells of what grows with the squared difference of shares, or the
    /// root of one: chance lifts its square by about the same wherever the truth lies, so the
    /// percentile of a smaller truth is found between those of none and of what was seen. Never
    /// above what the scatter around the counts leaves.
    Squares,
}

/// Figures of resamples, in a unit in which the figure is a length.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Of chance alone.
    pub chance: Vec<f64>,
    /// Around the counts.
    pub around: Vec<f64>,
}

impl Figures {
    /// The 95 % interval of a figure of the laws, whose value of the counts is `seen`. None without
    /// resamples.
    pub fn interval(mut self, seen: f64, lift: Lift) -> Option<(f64, f64)> {
        let chance = percentile(&mut self.chance, 0.975)?;
        let around = percentile(&mut self.around, 0.975)?;
        let low = match lift {
            Lift::AtMost => seen - chance,
            Lift::Squares if seen <= chance => 0.0,
            Lift::Squares => {
                let above = (seen * seen - chance * chance).max(0.0);
                let span = around * around - chance * chance;
                let scaled = if span > 0.0 {
                    seen * libm::sqrt(above / span)
                } else {
                    seen
                };
                scaled.min(2.0 * seen - around)
            }
        };
        let low = low.clamp(0.0, seen.max(0.0));
        Some((low, around.max(low)))
    }
}

/// The percentile of level `u`: of m values the one of rank ⌈u (m + 1)⌉, at most the largest.
pub fn percentile(values: &mut [f64], u: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let rank = libm::ceil(u * (values.len() as f64 + 1.0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a length"
    )]
    let rank = (rank.max(1.0) as usize).min(values.len());
    values.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    fn figures(chance: f64, around: f64) -> Figures {
        let spread = |most: f64| (1..=999).map(|i| most * f64::from(i) / 975.0).collect();
        Figures {
            chance: spread(chance),
            around: spread(around),
        }
    }

    #[test]
    fn percentiles_are_values_of_their_rank() {
        let mut values: Vec<f64> = (1..=999).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.975), Some(975.0));
        assert_eq!(percentile(&mut values, 0.025), Some(25.0));
        assert_eq!(percentile(&mut values, 1.0), Some(999.0));
        assert_eq!(percentile(&mut [], 0.5), None);
    }

    #[test]
    fn what_chance_alone_reaches_has_zero_for_its_lower_end() {
        for lift in [Lift::AtMost, Lift::Squares] {
            let (low, high) = figures(1.0, 1.5).interval(0.9, lift).unwrap();
            assert_eq!(low, 0.0);
            assert_eq!(high, 1.5);
        }
    }

    #[test]
    fn chance_weighs_little_where_the_figure_is_large() {
        let (low, _) = figures(1.0, 10.5).interval(10.0, Lift::Squares).unwrap();
        assert!((low - 9.5).abs() < 0.05, "{low}");
        let (low, _) = figures(1.0, 10.5).interval(10.0, Lift::AtMost).unwrap();
        assert_eq!(low, 9.0);
    }

    #[test]
    fn no_resamples_give_no_interval() {
        assert_eq!(Figures::default().interval(1.0, Lift::AtMost), None);
    }
}
