//! Ranked lists: how good the top of one list is. Each gives a number from 0 to 1 for one list, so
//! that a mean over lists is an ordinary mean.
//!
//! A list can be judged by itself, where all that is relevant stands in it somewhere (the functions of
//! its relevances), or against what turned out to be relevant, which may be missing in it ([`Judged`]).

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

/// A figure of one ranked list against what turned out to be relevant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ListFigure {
    /// The share of relevant items among the first k.
    Precision,
    /// The share of the relevant items that is among the first k.
    Recall,
    /// Whether a relevant item is among the first k.
    Hit,
    /// One over the place of the first relevant item, 0 beyond the first k.
    ReciprocalRank,
    /// The precision at each relevant item among the first k, added up and divided by how many there
    /// could be at most.
    AveragePrecision,
    /// The discounted gain of the first k items over that of the best list.
    Ndcg,
}

impl ListFigure {
    /// Every figure.
    pub const ALL: [Self; 6] = [
        Self::Precision,
        Self::Recall,
        Self::Hit,
        Self::ReciprocalRank,
        Self::AveragePrecision,
        Self::Ndcg,
    ];

    /// Its name in keys of summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Hit => "hit",
            Self::ReciprocalRank => "reciprocal_rank",
            Self::AveragePrecision => "average_precision",
            Self::Ndcg => "ndcg",
        }
    }
}

/// The first k places of a list, and everything that turned out to be relevant for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<'a> {
    /// The grade of the item at each place, from the first, 0 of one that is not relevant; not more than
    /// k of them. A list may be shorter.
    pub gains: &'a [f64],
    /// The grades of all relevant items, the largest first, each above 0.
    pub grades: &'a [f64],
    /// How many places count; at least 1.
    pub k: usize,
}

impl Judged<'_> {
    /// The figure, from 0 to 1. Recall, average precision and discounted gain of a list for which
    /// nothing is relevant are none.
    pub fn figure(&self, figure: ListFigure) -> Option<f64> {
        let (found, relevant) = (self.found(), self.grades.len() as f64);
        match figure {
            ListFigure::Precision => super::over(found, self.k as f64),
            ListFigure::Recall => super::over(found, relevant),
            ListFigure::Hit => Some(f64::from(u8::from(hit(self.gains, self.k)))),
            ListFigure::ReciprocalRank => Some(reciprocal_rank(self.gains)),
            ListFigure::AveragePrecision => {
                super::over(self.precisions(), relevant.min(self.k as f64))
            }
            ListFigure::Ndcg => super::over(
                discounted(self.gains, self.k),
                discounted(self.grades, self.k),
            ),
        }
        .map(|figure| figure.clamp(0.0, 1.0))
    }

    /// Relevant items among the first k.
    fn found(&self) -> f64 {
        self.gains.iter().filter(|gain| **gain > 0.0).count() as f64
    }

    /// The precisions at each relevant item, added up from the first.
    fn precisions(&self) -> f64 {
        let (mut found, mut sum) = (0.0, 0.0);
        for (before, gain) in self.gains.iter().enumerate() {
            if *gain > 0.0 {
                found += 1.0;
                sum += found / (before as f64 + 1.0);
            }
        }
        sum
    }
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

    /// The list a b c d e, of which b (grade 1) and d (grade 3) are relevant, and x (grade 2), which is
    /// not in it; 5 places.
    #[test]
    fn a_list_is_judged_by_what_it_lacks_too() {
        let judged = |k: usize| Judged {
            gains: &[0.0, 1.0, 0.0, 3.0, 0.0][..k],
            grades: &[3.0, 2.0, 1.0],
            k,
        };
        let near = |k: usize, figure, expected: f64| {
            let found = judged(k).figure(figure).unwrap();
            assert!((found - expected).abs() < 1e-12, "{figure:?}@{k}: {found}");
        };
        near(5, ListFigure::Precision, 0.4);
        near(5, ListFigure::Recall, 2.0 / 3.0);
        near(5, ListFigure::Hit, 1.0);
        near(1, ListFigure::Hit, 0.0);
        near(5, ListFigure::ReciprocalRank, 0.5);
        near(1, ListFigure::ReciprocalRank, 0.0);
        near(5, ListFigure::AveragePrecision, (0.5 + 0.5) / 3.0);
        near(2, ListFigure::AveragePrecision, 0.5 / 2.0);
        // scikit-learn 1.9.1: label_ranking_average_precision_score([[0, 1, 0, 1, 1, 0]],
        // [[6, 5, 4, 3, 2, 1]]).
        let whole = Judged {
            gains: &[0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            grades: &[1.0, 1.0, 1.0],
            k: 6,
        };
        let found = whole.figure(ListFigure::AveragePrecision).unwrap();
        assert!((found - 0.533_333_333_333_333_3).abs() < 1e-12, "{found}");
        // scikit-learn 1.9.1 with x put at the end of the list:
        // ndcg_score([[0, 1, 0, 3, 0, 2]], [[6, 5, 4, 3, 2, 1]], k=5).
        near(5, ListFigure::Ndcg, NDCG_OF_LACKING);
    }

    const NDCG_OF_LACKING: f64 = 0.403_825_317_590_144_5;

    #[test]
    fn a_list_for_which_nothing_is_relevant_has_no_recall_and_a_short_one_has_its_places_empty() {
        let nothing = Judged {
            gains: &[0.0, 0.0],
            grades: &[],
            k: 3,
        };
        let found = ListFigure::ALL.map(|figure| nothing.figure(figure));
        assert_eq!(found, [Some(0.0), None, Some(0.0), Some(0.0), None, None]);
        let short = Judged {
            gains: &[2.0],
            grades: &[2.0],
            k: 4,
        };
        let found = ListFigure::ALL.map(|figure| short.figure(figure));
        assert_eq!(
            found,
            [
                Some(0.25),
                Some(1.0),
                Some(1.0),
                Some(1.0),
                Some(1.0),
                Some(1.0)
            ]
        );
    }
}
