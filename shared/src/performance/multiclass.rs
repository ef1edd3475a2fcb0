//! Figures of a decision among several classes: a square table of counts.

use super::binary::Binary;
use super::delta::{self, Slope};
use super::{Figure, over};

/// Labelled cases by label (row) and decision (column).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    classes: usize,
    counts: Vec<u64>,
}

impl Table {
    /// A table of `classes` by `classes` counts, row by row. None if the counts are not square.
    pub fn new(classes: usize, counts: Vec<u64>) -> Option<Self> {
        (classes > 0 && counts.len() == classes * classes).then_some(Self { classes, counts })
    }

    /// A table of two classes: true positive, false negative, false positive, true negative.
    pub fn of_binary(counts: [u64; 4]) -> Self {
        Self {
            classes: 2,
            counts: counts.to_vec(),
        }
    }

    /// How many classes.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The counts, row by row.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Labelled cases.
    pub fn cases(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Cases with this label and decision.
    pub fn count(&self, label: usize, decision: usize) -> u64 {
        self.counts[label * self.classes + decision]
    }

    /// Cases with this label.
    pub fn labelled(&self, class: usize) -> u64 {
        (0..self.classes).map(|j| self.count(class, j)).sum()
    }

    /// Cases with this decision.
    pub fn decided(&self, class: usize) -> u64 {
        (0..self.classes).map(|i| self.count(i, class)).sum()
    }

    /// Whether any case has this label or this decision.
    pub fn occurs(&self, class: usize) -> bool {
        self.labelled(class) > 0 || self.decided(class) > 0
    }

    /// Right decisions among all.
    pub fn accuracy(&self) -> (u64, u64) {
        let right = (0..self.classes).map(|i| self.count(i, i)).sum();
        (right, self.cases())
    }

    /// One class against the rest.
    pub fn one_against_rest(&self, class: usize) -> Binary {
        let tp = self.count(class, class);
        let (fn_, fp) = (self.labelled(class) - tp, self.decided(class) - tp);
        Binary {
            tp,
            fp,
            fn_,
            tn: self.cases() - tp - fp - fn_,
        }
    }

    /// Matthews' correlation for several classes (Gorodkin 2004). None if all labels or all
    /// decisions are the same.
    pub fn matthews(&self) -> Option<Figure> {
        let many = |of: &dyn Fn(usize) -> u64| (0..self.classes).filter(|i| of(*i) > 0).count() > 1;
        if !(many(&|i| self.labelled(i)) && many(&|i| self.decided(i))) {
            return None;
        }
        delta::figure(&self.counts, |p| matthews(self.classes, p))
    }

    /// Cohen's kappa. None if all labels and all decisions are one and the same class.
    pub fn kappa(&self) -> Option<Figure> {
        if (0..self.classes).any(|i| self.count(i, i) == self.cases()) {
            return None;
        }
        delta::figure(&self.counts, |p| kappa(self.classes, p))
    }
}

/// The shares of labels and of decisions.
pub(super) fn margins(classes: usize, p: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut labels, mut decisions) = (vec![0.0; classes], vec![0.0; classes]);
    for (at, share) in p.iter().enumerate() {
        labels[at / classes] += share;
        decisions[at % classes] += share;
    }
    (labels, decisions)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

fn agreement(classes: usize, p: &[f64]) -> f64 {
    (0..classes).fold(0.0, |sum, i| sum + p[i * classes + i])
}

fn matthews(classes: usize, p: &[f64]) -> Option<Slope> {
    let (labels, decisions) = margins(classes, p);
    let covariance = agreement(classes, p) - dot(&labels, &decisions);
    let (by_label, by_decision) = (
        1.0 - dot(&labels, &labels),
        1.0 - dot(&decisions, &decisions),
    );
    let scale = (by_label * by_decision).sqrt();
    let value = over(covariance, scale)?;
    let gradient = (0..p.len()).map(|at| {
        let (i, j) = (at / classes, at % classes);
        let own = if i == j { 1.0 } else { 0.0 };
        (own - decisions[i] - labels[j]) / scale
            + value * (decisions[j] / by_decision + labels[i] / by_label)
    });
    Some(Slope {
        value,
        gradient: gradient.collect(),
    })
}

fn kappa(classes: usize, p: &[f64]) -> Option<Slope> {
    let (labels, decisions) = margins(classes, p);
    let (right, chance) = (agreement(classes, p), dot(&labels, &decisions));
    let room = 1.0 - chance;
    let value = over(right - chance, room)?;
    let gradient = (0..p.len()).map(|at| {
        let (i, j) = (at / classes, at % classes);
        let own = if i == j { room } else { 0.0 };
        (own - (decisions[i] + labels[j]) * (1.0 - right)) / (room * room)
    });
    Some(Slope {
        value,
        gradient: gradient.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_classes_agree_with_scikit_learn() {
        // scikit-learn 1.9.1: matthews_corrcoef, cohen_kappa_score of these counts.
        let table = Table::new(3, vec![50, 3, 2, 10, 20, 5, 1, 4, 30]).unwrap();
        assert!((table.matthews().unwrap().value - MATTHEWS).abs() < 1e-12);
        assert!((table.kappa().unwrap().value - KAPPA).abs() < 1e-12);
        assert_eq!(table.accuracy(), (100, 125));
        let rest = table.one_against_rest(1);
        assert_eq!((rest.tp, rest.fp, rest.fn_, rest.tn), (20, 7, 15, 83));
    }

    const MATTHEWS: f64 = 0.692_125_288_160_657_7;
    const KAPPA: f64 = 0.688_434_695_912_263_3;

    #[test]
    fn gradients_are_those_of_the_values() {
        let counts = [50, 3, 2, 10, 20, 5, 1, 4, 30];
        let p = delta::drawn_shares(&counts);
        for function in [matthews, kappa] {
            let exact = delta::std_error(&p, &function(3, &p).unwrap().gradient, 125.0);
            let slopes: Vec<f64> = (0..9)
                .map(|at| {
                    let shifted = |by: f64| {
                        let mut q = p.clone();
                        q[at] += by;
                        let total: f64 = q.iter().sum();
                        let q: Vec<f64> = q.iter().map(|x| x / total).collect();
                        function(3, &q).unwrap().value
                    };
                    (shifted(1e-6) - shifted(-1e-6)) / 2e-6
                })
                .collect();
            let numeric = delta::std_error(&p, &slopes, 125.0);
            assert!((exact - numeric).abs() < 1e-8, "{exact} {numeric}");
        }
    }
}
