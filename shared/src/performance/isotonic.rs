//! Increasing regression: the closest series that never falls (pool adjacent violators; Ayer et al.
//! 1955).

/// A rising map from scores to chances, linear between its points and level beyond them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rising {
    /// Scores, ascending.
    scores: Vec<f64>,
    /// Chances, never falling.
    chances: Vec<f64>,
}

/// The series of least weighted squared distance among those that never fall.
pub fn fit(values: &[f64], weights: &[f64]) -> Vec<f64> {
    // Blocks of equal value: mean, weight, length.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(values.len());
    for (value, weight) in values.iter().zip(weights) {
        let mut block = (*value, *weight, 1);
        while let Some(before) = blocks.last().copied() {
            if before.0 < block.0 {
                break;
            }
            let weight = before.1 + block.1;
            let mean = if weight > 0.0 {
                (before.0 * before.1 + block.0 * block.1) / weight
            } else {
                0.5 * (before.0 + block.0)
            };
            block = (mean, weight, before.2 + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    let spread = |(mean, _, length): (f64, f64, usize)| std::iter::repeat_n(mean, length);
    blocks.into_iter().flat_map(spread).collect()
}

impl Rising {
    /// The map through the fitted chances at ascending scores. None without any, or if scores do not
    /// ascend.
    pub fn fit(scores: &[f64], chances: &[f64], weights: &[f64]) -> Option<Self> {
        let lengths = [chances.len(), weights.len()] == [scores.len(); 2];
        let ascending = scores.windows(2).all(|pair| pair[0] < pair[1]);
        (lengths && ascending && !scores.is_empty()).then(|| Self {
            scores: scores.to_vec(),
            chances: fit(chances, weights),
        })
    }

    /// The chance at a score.
    pub fn at(&self, score: f64) -> f64 {
        let above = self.scores.partition_point(|s| *s < score);
        match (above.checked_sub(1), self.scores.get(above)) {
            (None, _) => self.chances[0],
            (Some(below), None) => self.chances[below],
            (Some(below), Some(next)) => {
                let (from, to) = (self.chances[below], self.chances[above]);
                let way = (score - self.scores[below]) / (next - self.scores[below]);
                from + (to - from) * way
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_by_weight() {
        let found = fit(
            &[1.0, 3.0, 2.0, 2.0, 5.0, 4.0],
            &[1.0, 1.0, 2.0, 1.0, 1.0, 3.0],
        );
        let pooled = (3.0 + 4.0 + 2.0) / 4.0;
        let expected = [1.0, pooled, pooled, pooled, 4.25, 4.25];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert!(fit(&[], &[]).is_empty());
    }

    #[test]
    fn between_its_points_the_map_is_linear_and_beyond_them_level() {
        let map = Rising::fit(&[0.2, 0.4, 0.8], &[0.1, 0.3, 0.9], &[1.0; 3]).unwrap();
        for (score, chance) in [
            (0.0, 0.1),
            (0.2, 0.1),
            (0.3, 0.2),
            (0.4, 0.3),
            (0.6, 0.6),
            (1.0, 0.9),
        ] {
            assert!((map.at(score) - chance).abs() < 1e-12, "{score}");
        }
        assert_eq!(Rising::fit(&[], &[], &[]), None);
        assert_eq!(Rising::fit(&[0.2, 0.2], &[0.1, 0.3], &[1.0; 2]), None);
    }
}
