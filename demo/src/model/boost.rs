//! Gradient boosting of shallow trees for two classes (Friedman 2001, with second-order leaf
//! weights): fits on small integer codes, one per feature. Single-threaded and without randomness,
//! so that the same rows give the same model. Knows nothing of columns, names or protocols.

use serde::{Deserialize, Serialize};

/// How a fit is held back from learning its rows by heart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Number of trees.
    pub(crate) trees: usize,
    /// Deepest a tree may grow: 2^depth leaves.
    pub(crate) depth: usize,
    /// How much of each tree's correction is taken, 0 to 1.
    pub(crate) rate: f64,
    /// Least number of rows in a leaf.
    pub(crate) leaf_rows: usize,
}

/// Pulls leaf weights towards 0, like one row's worth of doubt.
const RIDGE: f64 = 1.0;
/// Codes are bytes.
const CODES: usize = 256;

/// A fitted ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ensemble {
    /// Log-odds before any tree.
    start: f64,
    trees: Vec<Tree>,
}

/// Nodes of one tree; the first is its root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Node>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Node {
    /// Goes left if the feature's code is at most this.
    Split {
        feature: usize,
        at_most: u8,
        left: usize,
        right: usize,
    },
    /// What is added to the log-odds.
    Leaf(f64),
}

impl Tree {
    fn value(&self, code: impl Fn(usize) -> u8) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf(value) => return value,
                Node::Split {
                    feature,
                    at_most,
                    left,
                    right,
                } => {
                    at = if code(feature) <= at_most {
                        left
                    } else {
                        right
                    }
                }
            }
        }
    }
}

/// The logistic function.
fn share(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

impl Ensemble {
    /// The probability of the positive class for a row of codes.
    pub(crate) fn probability(&self, codes: &[u8]) -> f64 {
        let sum: f64 = self
            .trees
            .iter()
            .map(|t| t.value(|feature| codes[feature]))
            .sum();
        share(self.start + sum)
    }

    /// Fits to columns of codes and their labels; every column is as long as `labels`.
    pub(crate) fn fit(columns: &[Vec<u8>], labels: &[bool], settings: Settings) -> Self {
        let positives = labels.iter().filter(|l| **l).count();
        let share_of_positives = (positives as f64 + 0.5) / (labels.len() as f64 + 1.0);
        let start = libm::log(share_of_positives / (1.0 - share_of_positives));
        let mut fit = Fit {
            columns,
            settings,
            log_odds: vec![start; labels.len()],
            slopes: vec![(0.0, 0.0); labels.len()],
        };
        let trees = (0..settings.trees).map(|_| fit.tree(labels)).collect();
        Self { start, trees }
    }
}

/// The state of a fit between trees.
struct Fit<'a> {
    columns: &'a [Vec<u8>],
    settings: Settings,
    log_odds: Vec<f64>,
    /// First and second derivative of the loss by the log-odds, per row.
    slopes: Vec<(f64, f64)>,
}

/// Sums over some rows.
#[derive(Clone, Copy, Default)]
struct Sum {
    first: f64,
    second: f64,
    rows: usize,
}

impl Sum {
    fn add(&mut self, (first, second): (f64, f64)) {
        self.first += first;
        self.second += second;
        self.rows += 1;
    }

    fn plus(self, other: Self) -> Self {
        Self {
            first: self.first + other.first,
            second: self.second + other.second,
            rows: self.rows + other.rows,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            first: self.first - other.first,
            second: self.second - other.second,
            rows: self.rows - other.rows,
        }
    }

    /// How much one leaf of these rows lowers the loss (times two).
    fn gain(self) -> f64 {
        self.first * self.first / (self.second + RIDGE)
    }
}

impl Fit<'_> {
    fn tree(&mut self, labels: &[bool]) -> Tree {
        for ((slope, log_odds), label) in self.slopes.iter_mut().zip(&self.log_odds).zip(labels) {
            let p = share(*log_odds);
            *slope = (p - f64::from(u8::from(*label)), p * (1.0 - p));
        }
        let mut rows: Vec<usize> = (0..labels.len()).collect();
        let mut tree = Tree(Vec::new());
        self.grow(&mut rows, 0, &mut tree);
        for (row, log_odds) in self.log_odds.iter_mut().enumerate() {
            *log_odds += tree.value(|feature| self.columns[feature][row]);
        }
        tree
    }

    /// Appends the node for these rows and what grows below it; answers where the node stands.
    fn grow(&self, rows: &mut [usize], depth: usize, tree: &mut Tree) -> usize {
        let mut total = Sum::default();
        for row in rows.iter() {
            total.add(self.slopes[*row]);
        }
        let here = tree.0.len();
        let weight = -total.first / (total.second + RIDGE) * self.settings.rate;
        tree.0.push(Node::Leaf(weight));
        if depth == self.settings.depth {
            return here;
        }
        let Some((feature, at_most)) = self.best_split(rows, total) else {
            return here;
        };
        let column = &self.columns[feature];
        // A stable order of rows keeps the sums, and so the model, the same to the bit.
        rows.sort_by_key(|row| column[*row] > at_most);
        let middle = rows.partition_point(|row| column[*row] <= at_most);
        let (below, above) = rows.split_at_mut(middle);
        let left = self.grow(below, depth + 1, tree);
        let right = self.grow(above, depth + 1, tree);
        tree.0[here] = Node::Split {
            feature,
            at_most,
            left,
            right,
        };
        here
    }

    fn best_split(&self, rows: &[usize], total: Sum) -> Option<(usize, u8)> {
        let mut best = None;
        let mut best_gain = total.gain() + 1e-9;
        for (feature, column) in self.columns.iter().enumerate() {
            let mut cells = [Sum::default(); CODES];
            for row in rows {
                cells[usize::from(column[*row])].add(self.slopes[*row]);
            }
            let mut below = Sum::default();
            for (code, cell) in (0..=u8::MAX).zip(cells) {
                below = below.plus(cell);
                let above = total.minus(below);
                if cell.rows == 0 || below.rows.min(above.rows) < self.settings.leaf_rows {
                    continue;
                }
                let gain = below.gain() + above.gain();
                if gain > best_gain {
                    best_gain = gain;
                    best = Some((feature, code));
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const SETTINGS: Settings = Settings {
        trees: 40,
        depth: 3,
        rate: 0.3,
        leaf_rows: 5,
    };

    /// Labels are an exclusive or of two features, which no linear model can follow.
    fn checkers(rows: usize) -> (Vec<Vec<u8>>, Vec<bool>) {
        let mut random = Random::new(7);
        let mut draw = || {
            (0..rows)
                .map(|_| u8::try_from(random.below(100)).unwrap())
                .collect::<Vec<_>>()
        };
        let columns = vec![draw(), draw(), draw()];
        let labels = (0..rows)
            .map(|r| (columns[0][r] < 50) != (columns[1][r] < 30))
            .collect();
        (columns, labels)
    }

    #[test]
    fn a_fit_follows_what_no_straight_line_can() {
        let (columns, labels) = checkers(2000);
        let model = Ensemble::fit(&columns, &labels, SETTINGS);
        let right = labels
            .iter()
            .enumerate()
            .filter(|(row, label)| {
                let codes: Vec<u8> = columns.iter().map(|c| c[*row]).collect();
                (model.probability(&codes) >= 0.5) == **label
            })
            .count();
        assert!(right > 1950, "{right} of 2000");
    }

    #[test]
    fn the_same_rows_give_the_same_model_to_the_bit() {
        let (columns, labels) = checkers(500);
        let fit = || Ensemble::fit(&columns, &labels, SETTINGS);
        assert_eq!(fit(), fit());
        let written = serde_json::to_string(&fit()).unwrap();
        assert_eq!(serde_json::from_str::<Ensemble>(&written).unwrap(), fit());
    }

    #[test]
    fn without_anything_to_learn_the_share_of_positives_is_answered() {
        let labels: Vec<bool> = (0..100).map(|i| i % 4 == 0).collect();
        let model = Ensemble::fit(&[vec![0; 100]], &labels, SETTINGS);
        assert!((model.probability(&[0]) - 0.25).abs() < 0.01);
    }
}
