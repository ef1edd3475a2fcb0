//! Ranked lists: how good the top of one list is. Each gives a number from 0 to 1 for one list, so
//! that a mean over lists is an ordinary mean of a feature: send it as an outcome, or as an input.

/// The discounted gain of the first `k` items (Jarvelin and Kekalainen 2002) over that of the best
/// order. Relevances stand in the order of the list; the gain of an item is its relevance, discounted
/// by the binary logarithm of its place plus one. None if nothing is relevant.
pub fn ndcg(relevance: &[f64], k: usize) -> Option<f64> {
    let mut best = relevance.to_vec();
    best.sort_by(|a, b| b.total_cmp(a));
    super::over(discounted(relevance, k), discounted(&best, k))
}

fn discounted(relevance: &[f64], k: usize) -> f64 {
    let places = (2_u32..).map(f64::from);
    relevance
        .iter()
        .take(k)
        .zip(places)
        .fold(0.0, |sum, (gain, place)| sum + gain / libm::log2(place))
}

/// One over the place of the first relevant item; 0 if none is.
pub fn reciprocal_rank(relevance: &[f64]) -> f64 {
    let first = relevance.iter().position(|r| *r > 0.0);
    first.map_or(0.0, |at| 1.0 / (at as f64 + 1.0))
}

/// Whether one of the first `k` items is relevant.
pub fn hit(relevance: &[f64], k: usize) -> bool {
    relevance.iter().take(k).any(|r| *r > 0.0)
}

/// The share of relevant items among the first `k`. None of no places.
pub fn precision_at(relevance: &[f64], k: usize) -> Option<f64> {
    let found = relevance.iter().take(k).filter(|r| **r > 0.0).count();
    super::over(found as f64, k as f64)
}

/// The share of the list's relevant items that is among the first `k`. None if nothing is relevant.
pub fn recall_at(relevance: &[f64], k: usize) -> Option<f64> {
    let relevant = |n: usize| relevance.iter().take(n).filter(|r| **r > 0.0).count() as f64;
    super::over(relevant(k), relevant(relevance.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_agree_with_scikit_learn() {
        // scikit-learn 1.9.1, ndcg_score([[3, 2, 3, 0, 1, 2]], [[6, 5, 4, 3, 2, 1]], k).
        let list = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
        assert!((ndcg(&list, 6).unwrap() - NDCG[0]).abs() < 1e-12);
        assert!((ndcg(&list, 3).unwrap() - NDCG[1]).abs() < 1e-12);
        assert_eq!(ndcg(&[0.0, 0.0], 2), None);
        assert_eq!(ndcg(&[], 2), None);
    }

    const NDCG: [f64; 2] = [0.960_808_194_336_061_6, 0.977_781_361_630_504_8];

    #[test]
    fn places_and_shares_by_hand() {
        let list = [0.0, 0.0, 1.0, 1.0];
        assert!((reciprocal_rank(&list) - 1.0 / 3.0).abs() < 1e-15);
        assert!(reciprocal_rank(&[0.0]) < 1e-15);
        assert!(hit(&list, 3) && !hit(&list, 2));
        assert!((precision_at(&list, 3).unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert!((recall_at(&list, 3).unwrap() - 0.5).abs() < 1e-15);
        assert_eq!((precision_at(&list, 0), recall_at(&[0.0], 1)), (None, None));
    }
}
