//! Drift rules in wide use, on raw rows, as their libraries compute them by default.

use clause9_shared::interval;

use super::performance::mean_and_sd;

/// A reference of raw rows with what the rules take from it once.
#[derive(Debug)]
pub struct Reference {
    /// Rows in a window.
    pub rows: usize,
    sorted: Vec<f64>,
    sd: f64,
    edges: Vec<f64>,
    /// Counts between the deciles.
    pub deciles: Vec<u64>,
    smoothed: Vec<f64>,
    bins: (f64, f64, usize),
    bin_shares: Vec<f64>,
    /// Kolmogorov-Smirnov distances from which p is below 0.05 and below 0.05/1000.
    pub ks_at: [f64; 2],
    /// The index from which p is below 0.05/1000 by the chi-square law.
    pub psi_at: f64,
    /// The mean Jensen-Shannon distance of the reference's chunks plus three standard deviations.
    pub js_at: f64,
}

impl Reference {
    /// From the reference's rows in their order; chunks have the size of windows.
    pub fn new(all: &[f64], rows: usize) -> Self {
        let (_, sd) = mean_and_sd(all);
        let mut sorted = all.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let edges: Vec<f64> = (1..10)
            .map(|i| quantile(&sorted, f64::from(i) / 10.0))
            .collect();
        let bins = doane(all, sorted[0], sorted[sorted.len() - 1], sd);
        let (n, n0) = (rows as f64, all.len() as f64);
        let effective = n * n0 / (n + n0);
        let mut found = Self {
            rows,
            sd,
            deciles: Vec::new(),
            smoothed: Vec::new(),
            bin_shares: Vec::new(),
            bins,
            ks_at: [0.05, 0.05 / 1000.0].map(|p| kolmogorov_at(p) / effective.sqrt()),
            psi_at: chi_square_at(0.05 / 1000.0, 9.0) / effective,
            js_at: f64::INFINITY,
            sorted,
            edges,
        };
        found.deciles = found.cells(&found.sorted);
        found.smoothed = found
            .deciles
            .iter()
            .map(|a| (*a as f64 + 0.5) / (n0 + 5.0))
            .collect();
        found.bin_shares = found.binned(&found.sorted);
        let chunks: Vec<f64> = all.chunks(rows).map(|chunk| found.js(chunk)).collect();
        let (mean, spread) = mean_and_sd(&chunks);
        found.js_at = mean + 3.0 * spread;
        found
    }

    /// Counts between the deciles, of sorted values.
    pub fn cells(&self, sorted: &[f64]) -> Vec<u64> {
        let mut below = 0;
        let mut counts = Vec::with_capacity(self.edges.len() + 1);
        for edge in &self.edges {
            let to = sorted.partition_point(|x| x <= edge);
            counts.push((to - below) as u64);
            below = to;
        }
        counts.push((sorted.len() - below) as u64);
        counts
    }

    /// Two-sample Kolmogorov-Smirnov distance of sorted values.
    pub fn ks(&self, sorted: &[f64]) -> f64 {
        let (n, n0) = (sorted.len() as f64, self.sorted.len() as f64);
        let mut largest = 0.0_f64;
        for (i, x) in (0_u32..).zip(sorted) {
            let below = self.sorted.partition_point(|y| y <= x) as f64 / n0;
            let i = f64::from(i);
            largest = largest.max((i + 1.0) / n - below).max(below - i / n);
        }
        largest
    }

    /// PSI with shares of at least 1e-4 in the window.
    pub fn psi_floored(&self, counts: &[u64]) -> f64 {
        let n = counts.iter().sum::<u64>() as f64;
        let terms = counts.iter().zip(&self.smoothed).map(|(c, p)| {
            let q = (*c as f64 / n).max(1e-4);
            (q - p) * libm::log(q / p)
        });
        terms.sum()
    }

    /// PSI with half a case more in each cell.
    pub fn psi_smoothed(&self, counts: &[u64]) -> f64 {
        let n = counts.iter().sum::<u64>() as f64;
        let terms = counts.iter().zip(&self.smoothed).map(|(c, p)| {
            let q = (*c as f64 + 0.5) / (n + 5.0);
            (q - p) * libm::log(q / p)
        });
        terms.sum()
    }

    /// Wasserstein distance in standard deviations of the reference; exact, as a window's size
    /// divides the reference's.
    pub fn wasserstein(&self, sorted: &[f64]) -> f64 {
        let each = self.sorted.len() / sorted.len();
        let ways = self.sorted.chunks(each).zip(sorted);
        let way: f64 = ways
            .map(|(chunk, x)| chunk.iter().map(|y| (y - x).abs()).sum::<f64>())
            .sum();
        way / self.sorted.len() as f64 / self.sd
    }

    /// Shares of the reference's equal-width bins; what lies outside counts nowhere.
    fn binned(&self, values: &[f64]) -> Vec<f64> {
        let (low, width, bins) = self.bins;
        let mut counts = vec![0.0; bins];
        for x in values {
            let at = (x - low) / width;
            let bin = at as usize;
            if at >= 0.0 && bin < bins {
                counts[bin] += 1.0;
            } else if at >= 0.0 && *x <= low + width * bins as f64 {
                counts[bins - 1] += 1.0;
            }
        }
        counts.iter().map(|c| c / values.len() as f64).collect()
    }

    /// Jensen-Shannon distance, base 2, over the reference's bins by Doane's rule.
    pub fn js(&self, values: &[f64]) -> f64 {
        let entropy = |q: f64, m: f64| if q > 0.0 { q * libm::log(q / m) } else { 0.0 };
        let shares = self.binned(values);
        let terms = shares.iter().zip(&self.bin_shares).map(|(q, p)| {
            let m = 0.5 * (p + q);
            0.5 * (entropy(*q, m) + entropy(*p, m))
        });
        (terms.sum::<f64>() / std::f64::consts::LN_2)
            .max(0.0)
            .sqrt()
    }
}

/// A restarted ledger of the Bayes factor of "another law" (Dirichlet, 100 cases' worth around the
/// reference) against "exactly the reference's law".
#[derive(Debug)]
pub struct BayesFactor(f64);

impl Default for BayesFactor {
    fn default() -> Self {
        Self(f64::NEG_INFINITY)
    }
}

impl BayesFactor {
    /// Takes a window; gives the evidence after it.
    pub fn take(&mut self, reference: &Reference, counts: &[u64]) -> f64 {
        let n = counts.iter().sum::<u64>() as f64;
        let mut gain = libm::lgamma(100.0) - libm::lgamma(100.0 + n);
        for (c, p) in counts.iter().zip(&reference.smoothed) {
            let (c, prior) = (*c as f64, 100.0 * p);
            gain += libm::lgamma(prior + c) - libm::lgamma(prior) - c * libm::log(*p);
        }
        self.0 = self.0.max(0.0) + gain;
        self.0
    }
}

/// A quantile by linear interpolation.
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let at = level * (sorted.len() - 1) as f64;
    let below = at as usize;
    let part = at - below as f64;
    let next = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (next - sorted[below])
}

/// Lower end, width and number of equal bins by Doane's rule, as numpy has it.
fn doane(values: &[f64], low: f64, high: f64, sd: f64) -> (f64, f64, usize) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let cubes = values.iter().map(|x| {
        let z = (x - mean) / sd;
        z * z * z
    });
    let skewness = cubes.sum::<f64>() / n;
    let scatter = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    let wanted = 1.0 + libm::log2(n) + libm::log2(1.0 + skewness.abs() / scatter);
    let width = (high - low) / wanted;
    let bins = ((high - low) / width).ceil();
    (low, (high - low) / bins, bins as usize)
}

/// The x from which Kolmogorov's law leaves less than p.
fn kolmogorov_at(p: f64) -> f64 {
    let tail = |x: f64| {
        let terms = (1..=20).map(|k| {
            let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
            let k = f64::from(k);
            sign * libm::exp(-2.0 * k * k * x * x)
        });
        terms.sum::<f64>()
    };
    halve(0.3, 10.0, |x| tail(x) > p)
}

/// The x from which the chi-square law leaves less than p.
fn chi_square_at(p: f64, degrees: f64) -> f64 {
    halve(0.0, 500.0, |x| {
        1.0 - interval::noncentral_chi2(x, degrees, 0.0) > p
    })
}

/// Where a condition stops holding.
fn halve(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_those_of_scipy() {
        assert!((kolmogorov_at(0.05) - 1.358_098_639_322_55).abs() < 1e-9);
        assert!((chi_square_at(0.05, 9.0) - 16.918_977_604_620_45).abs() < 1e-8);
    }

    #[test]
    fn the_reference_itself_has_no_distance() {
        let all: Vec<f64> = (0..10_000).map(|i| f64::from(i * 7919 % 10_000)).collect();
        let reference = Reference::new(&all, 100);
        assert_eq!(reference.deciles.iter().sum::<u64>(), 10_000);
        let sorted: Vec<f64> = (0..10_000).map(f64::from).collect();
        assert!(reference.ks(&sorted) < 1e-3);
        assert!(reference.js(&sorted) < 1e-9 && reference.wasserstein(&sorted) < 1e-9);
        let moved: Vec<f64> = (0..100)
            .map(|i| f64::from(i * 100 + 50) + 2886.75)
            .collect();
        assert!((reference.wasserstein(&moved) - 1.0).abs() < 0.01);
    }
}
