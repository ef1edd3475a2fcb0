//! Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations: the same bits on
//! every machine, and exact enough for the few dozen dimensions that are summarised.

#![expect(
    clippy::many_single_char_names,
    reason = "as the formulas are written in the literature"
)]

/// Most sweeps; convergence is quadratic and takes six to ten.
const SWEEPS: u32 = 60;

/// A symmetric matrix, by rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Symmetric {
    size: usize,
    entries: Vec<f64>,
}

/// Eigenvalues, largest first, each with its unit vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen {
    /// The values, descending.
    pub values: Vec<f64>,
    /// The vectors, in the values' order.
    pub vectors: Vec<Vec<f64>>,
}

impl Symmetric {
    /// The matrix with these entries, asked for on and above the diagonal.
    pub fn new(size: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut entries = vec![0.0; size * size];
        for row in 0..size {
            for column in row..size {
                let value = entry(row, column);
                entries[row * size + column] = value;
                entries[column * size + row] = value;
            }
        }
        Self { size, entries }
    }

    /// How many rows.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// An entry.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.entries[row * self.size + column]
    }

    /// The sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.size).map(|i| self.at(i, i)).sum()
    }

    /// The matrix times a vector.
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        let rows = self.entries.chunks_exact(self.size.max(1));
        rows.map(|row| dot(row, vector)).collect()
    }

    /// The square root of a matrix without negative eigenvalues; negative ones count as zero.
    #[must_use]
    pub fn root(&self) -> Self {
        let Eigen { values, vectors } = self.eigen();
        let roots: Vec<f64> = values.iter().map(|v| libm::sqrt(v.max(0.0))).collect();
        Self::new(self.size, |row, column| {
            let parts = roots.iter().zip(&vectors);
            parts
                .map(|(root, vector)| root * vector[row] * vector[column])
                .sum()
        })
    }

    /// This matrix on both sides of another one: S M S.
    #[must_use]
    pub fn around(&self, inner: &Self) -> Self {
        let columns: Vec<Vec<f64>> = (0..self.size)
            .map(|column| inner.times(&self.entries[column * self.size..(column + 1) * self.size]))
            .collect();
        Self::new(self.size, |row, column| {
            dot(
                &self.entries[row * self.size..(row + 1) * self.size],
                &columns[column],
            )
        })
    }

    /// Eigenvalues and vectors. Entries must be finite.
    pub fn eigen(&self) -> Eigen {
        let n = self.size;
        let mut a = self.entries.clone();
        let mut v = Self::new(n, |row, column| f64::from(u8::from(row == column))).entries;
        let scale: f64 = a.iter().map(|x| x * x).sum();
        for _ in 0..SWEEPS {
            let mut off = 0.0;
            for p in 0..n {
                for q in p + 1..n {
                    off += a[p * n + q] * a[p * n + q];
                    rotate(&mut a, &mut v, n, p, q);
                }
            }
            if off <= scale * 1e-32 {
                break;
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        // A stable sort: equal values stay in their order.
        order.sort_by(|i, j| a[j * n + j].total_cmp(&a[i * n + i]));
        Eigen {
            values: order.iter().map(|i| a[i * n + i]).collect(),
            vectors: order
                .iter()
                .map(|i| (0..n).map(|row| v[row * n + i]).collect())
                .collect(),
        }
    }
}

/// The inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Makes the entry (p, q) zero by a rotation, and takes it into the vectors.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let entry = a[p * n + q];
    if entry == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * entry);
    let tangent = if theta.is_infinite() {
        0.0
    } else {
        let sign = if theta >= 0.0 { 1.0 } else { -1.0 };
        sign / (theta.abs() + libm::sqrt(theta * theta + 1.0))
    };
    let cosine = 1.0 / libm::sqrt(tangent * tangent + 1.0);
    let sine = tangent * cosine;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        a[k * n + p] = cosine * x - sine * y;
        a[k * n + q] = sine * x + cosine * y;
    }
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        a[p * n + k] = cosine * x - sine * y;
        a[q * n + k] = sine * x + cosine * y;
        let (x, y) = (v[k * n + p], v[k * n + q]);
        v[k * n + p] = cosine * x - sine * y;
        v[k * n + q] = sine * x + cosine * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(size: usize) -> Symmetric {
        Symmetric::new(size, |i, j| {
            libm::cos((i * 7 + j * 3) as f64) + f64::from(u8::from(i == j)) * i as f64
        })
    }

    #[test]
    fn vectors_are_orthogonal_and_give_the_matrix_back() {
        for size in [1, 2, 5, 20, 64] {
            let matrix = example(size);
            let Eigen { values, vectors } = matrix.eigen();
            assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
            for (i, vector) in vectors.iter().enumerate() {
                for (j, other) in vectors.iter().enumerate() {
                    let expected = f64::from(u8::from(i == j));
                    assert!((dot(vector, other) - expected).abs() < 1e-10);
                }
                let image = matrix.times(vector);
                for (x, y) in image.iter().zip(vector) {
                    assert!((x - values[i] * y).abs() < 1e-9, "{size}");
                }
            }
        }
    }

    #[test]
    fn a_root_squared_is_the_matrix() {
        let base = example(6);
        let positive = base.around(&Symmetric::new(6, |i, j| f64::from(u8::from(i == j))));
        let root = positive.root();
        let squared = root.around(&Symmetric::new(6, |i, j| f64::from(u8::from(i == j))));
        for i in 0..6 {
            for j in 0..6 {
                assert!((squared.at(i, j) - positive.at(i, j)).abs() < 1e-9);
            }
        }
    }
}
