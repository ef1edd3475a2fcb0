//! Precision, recall and F1 of several classes, averaged over the classes.
//!
//! All three are `hits / (w labelled + (1 - w) decided)` of a class: w = 0 is precision, 1 recall,
//! 1/2 is F1. *Macro* is the plain mean over the classes that occur (as a label or a decision),
//! *weighted* the mean by the share of labels. *Micro* adds the counts of all classes first, which
//! for one decision per case is the accuracy.

use super::Figure;
use super::delta::{self, Slope};
use super::multiclass::{Table, margins};

/// How classes are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    Equal,
    Labels,
}

const PRECISION: f64 = 0.0;
const RECALL: f64 = 1.0;
const F1: f64 = 0.5;

/// The mean precision of the classes. None if a class that occurs was never decided.
pub fn macro_precision(table: &Table) -> Option<Figure> {
    average(table, PRECISION, Weights::Equal)
}

/// The mean recall of the classes. None if a class that occurs has no label.
pub fn macro_recall(table: &Table) -> Option<Figure> {
    average(table, RECALL, Weights::Equal)
}

/// The mean F1 of the classes that occur.
pub fn macro_f1(table: &Table) -> Option<Figure> {
    average(table, F1, Weights::Equal)
}

/// The precision of the classes, weighed by their labels. None if a labelled class was never decided.
pub fn weighted_precision(table: &Table) -> Option<Figure> {
    average(table, PRECISION, Weights::Labels)
}

/// The recall of the classes, weighed by their labels: the accuracy by another road.
pub fn weighted_recall(table: &Table) -> Option<Figure> {
    average(table, RECALL, Weights::Labels)
}

/// The F1 of the classes, weighed by their labels.
pub fn weighted_f1(table: &Table) -> Option<Figure> {
    average(table, F1, Weights::Labels)
}

/// [`macro_precision`] with 0 for a class that was never decided, as libraries have it.
pub fn macro_precision_zero(table: &Table) -> Option<f64> {
    zero_filled(table, PRECISION, Weights::Equal)
}

/// [`macro_recall`] with 0 for a class without a label.
pub fn macro_recall_zero(table: &Table) -> Option<f64> {
    zero_filled(table, RECALL, Weights::Equal)
}

/// [`weighted_precision`] with 0 for a class that was never decided.
pub fn weighted_precision_zero(table: &Table) -> Option<f64> {
    zero_filled(table, PRECISION, Weights::Labels)
}

fn average(table: &Table, of_labels: f64, weights: Weights) -> Option<Figure> {
    let counted = counted(table, weights);
    let lacks = |class: usize| {
        of_labels * table.labelled(class) as f64 + (1.0 - of_labels) * table.decided(class) as f64
            <= 0.0
    };
    if counted.is_empty() || counted.iter().any(|class| lacks(*class)) {
        return None;
    }
    delta::figure(table.counts(), |p| {
        slope(table.classes(), &counted, p, of_labels, weights)
    })
}

/// The classes that take part.
fn counted(table: &Table, weights: Weights) -> Vec<usize> {
    (0..table.classes())
        .filter(|class| match weights {
            Weights::Equal => table.occurs(*class),
            Weights::Labels => table.labelled(*class) > 0,
        })
        .collect()
}

fn slope(
    classes: usize,
    counted: &[usize],
    p: &[f64],
    of_labels: f64,
    weights: Weights,
) -> Option<Slope> {
    let (labels, decisions) = margins(classes, p);
    let (mut value, mut gradient) = (0.0, vec![0.0; p.len()]);
    for class in counted {
        let hits = p[class * classes + class];
        let below = of_labels * labels[*class] + (1.0 - of_labels) * decisions[*class];
        let own = super::over(hits, below)?;
        let weight = match weights {
            Weights::Equal => 1.0 / counted.len() as f64,
            Weights::Labels => labels[*class],
        };
        value += weight * own;
        gradient[class * classes + class] += weight / below;
        for other in 0..classes {
            gradient[class * classes + other] -= weight * own * of_labels / below;
            gradient[other * classes + class] -= weight * own * (1.0 - of_labels) / below;
            if weights == Weights::Labels {
                gradient[class * classes + other] += own;
            }
        }
    }
    Some(Slope { value, gradient })
}

fn zero_filled(table: &Table, of_labels: f64, weights: Weights) -> Option<f64> {
    let (counted, cases) = (counted(table, weights), table.cases() as f64);
    let mut value = 0.0;
    for class in &counted {
        let below = of_labels * table.labelled(*class) as f64
            + (1.0 - of_labels) * table.decided(*class) as f64;
        let own = super::over(table.count(*class, *class) as f64, below).unwrap_or(0.0);
        value += own
            * match weights {
                Weights::Equal => 1.0 / counted.len() as f64,
                Weights::Labels => table.labelled(*class) as f64 / cases,
            };
    }
    (!counted.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(3, vec![50, 3, 2, 10, 20, 5, 1, 4, 30]).unwrap()
    }

    #[test]
    fn averages_agree_with_scikit_learn() {
        // scikit-learn 1.9.1: precision_recall_fscore_support.
        for (found, expected) in [
            (macro_precision(&table()), SCIKIT[0]),
            (macro_recall(&table()), SCIKIT[1]),
            (macro_f1(&table()), SCIKIT[2]),
            (weighted_precision(&table()), SCIKIT[3]),
            (weighted_recall(&table()), SCIKIT[4]),
            (weighted_f1(&table()), SCIKIT[5]),
        ] {
            let found = found.unwrap();
            assert!(
                (found.value - expected).abs() < 1e-12,
                "{found:?} {expected}"
            );
            assert!(found.std_error > 0.01 && found.std_error < 0.1);
        }
    }

    const SCIKIT: [f64; 6] = [
        0.790_407_894_233_030_8,
        0.779_220_779_220_779_1,
        0.780_187_863_057_718_5,
        0.795_090_172_139_352_5,
        0.8,
        0.793_288_839_451_242_1,
    ];

    #[test]
    fn gradients_are_those_of_the_values() {
        let p = delta::drawn_shares(table().counts());
        for of_labels in [PRECISION, RECALL, F1] {
            for weights in [Weights::Equal, Weights::Labels] {
                let value = |p: &[f64]| slope(3, &[0, 1, 2], p, of_labels, weights).unwrap();
                for (at, exact) in value(&p).gradient.into_iter().enumerate() {
                    let (mut up, mut down) = (p.clone(), p.clone());
                    up[at] += 1e-6;
                    down[at] -= 1e-6;
                    let numeric = (value(&up).value - value(&down).value) / 2e-6;
                    assert!((exact - numeric).abs() < 1e-6, "{exact} {numeric}");
                }
            }
        }
    }

    #[test]
    fn a_class_that_was_never_decided_leaves_macro_precision_undefined() {
        let table = Table::new(3, vec![5, 1, 0, 2, 6, 0, 1, 1, 0]).unwrap();
        assert_eq!(macro_precision(&table), None);
        let zero = macro_precision_zero(&table).unwrap();
        assert!((zero - (5.0 / 8.0 + 6.0 / 8.0) / 3.0).abs() < 1e-15);
        assert!(macro_f1(&table).is_some() && macro_recall(&table).is_some());
        let without = Table::new(3, vec![5, 1, 0, 2, 6, 0, 0, 0, 0]).unwrap();
        assert!(
            macro_precision(&without).is_some(),
            "a class that never occurs is left out"
        );
    }
}
