//! What the cells of a ledger are like where an objective is broken, for plans: they ask how fast bets
//! then grow. Whether a bet is fair never rests on it.

/// Cells up to which each is held possible, whether or not the reference has a case there.
const FEW_CELLS: usize = 16;

/// Laws of the cells that have a level as their value, one for each way in which they may come to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Breach {
    /// Those with mean 0 of one of these functions of the cell, as near to the reference's own law as can
    /// be (in relative entropy).
    Edges(Vec<Vec<f64>>),
    /// These.
    Laws(Vec<Vec<f64>>),
}

impl Breach {
    /// The laws, given the reference's counts, without which an edge has none. Ways in which the level is
    /// not reached are left out.
    pub(crate) fn laws(self, counts: Option<&[u64]>) -> Vec<Vec<f64>> {
        match self {
            Self::Laws(laws) => laws,
            Self::Edges(planes) => {
                let near = |counts: &[u64]| -> Vec<Vec<f64>> {
                    let laws = planes.iter().filter_map(|plane| tilted(counts, plane));
                    laws.collect()
                };
                counts.map(near).unwrap_or_default()
            }
        }
    }
}

/// The law `p_b exp(t w_b)`, normed, with mean 0 of w. Of few cells p has half a case more in each; of many
/// that would be a law of its own, and cells where the reference has no case stay empty. None if w does not
/// reach both signs.
fn tilted(counts: &[u64], plane: &[f64]) -> Option<Vec<f64>> {
    if counts.len() != plane.len() {
        return None;
    }
    let more = if counts.len() <= FEW_CELLS { 0.5 } else { 0.0 };
    let there = |(n, w): (&u64, &f64)| (*n as f64 + more > 0.0).then_some(*w);
    let (mut lowest, mut highest) = (0.0_f64, 0.0_f64);
    for w in counts.iter().zip(plane).filter_map(there) {
        (lowest, highest) = (lowest.min(w), highest.max(w));
    }
    let largest = highest.max(-lowest);
    if !(lowest < 0.0 && highest > 0.0 && largest.is_finite()) {
        return None;
    }
    let law = |t: f64| {
        let weights: Vec<f64> = counts
            .iter()
            .zip(plane)
            // Of cells without a case the function may be larger; of others no exponent tried overflows.
            .map(|(n, w)| (*n as f64 + more) * libm::exp((t * w / largest).min(700.0)))
            .collect();
        let all: f64 = weights.iter().sum();
        weights.into_iter().map(|x| x / all).collect::<Vec<f64>>()
    };
    let mean = |law: &[f64]| law.iter().zip(plane).map(|(q, w)| q * w).sum::<f64>();
    let (mut low, mut high) = (-600.0, 600.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        // The mean rises with t.
        if mean(&law(middle)) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let found = law(0.5 * (low + high));
    (mean(&found).abs() < 1e-6 * largest).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tilted_law_has_the_mean_and_keeps_ratios_within_a_level_of_the_function() {
        let plane = [0.4, 0.4, -0.1, 0.0];
        let law = tilted(&[100, 50, 800, 50], &plane).unwrap();
        assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mean: f64 = law.iter().zip(plane).map(|(q, w)| q * w).sum();
        assert!(mean.abs() < 1e-9);
        assert!((law[0] / law[1] - 100.5 / 50.5).abs() < 1e-9);
        assert_eq!(tilted(&[1, 1], &[1.0, 0.5]), None);
        assert_eq!(tilted(&[1, 1], &[1.0]), None);
    }

    #[test]
    fn of_many_cells_those_that_never_occurred_stay_empty() {
        let mut counts = vec![10_u64; 40];
        counts[39] = 0;
        let mut plane = vec![-0.1; 40];
        plane[38] = 1.0;
        plane[39] = 1000.0;
        let law = tilted(&counts, &plane).unwrap();
        assert!(law[39].abs() < 1e-300 && law[38] > 0.08, "{law:?}");
        let breach = Breach::Edges(vec![plane.clone(), vec![1.0; 40]]);
        assert_eq!(breach.clone().laws(Some(&counts)), vec![law]);
        assert!(breach.laws(None).is_empty());
    }
}
