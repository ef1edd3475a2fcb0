//! A running mean, and a running variance around it (Welford 1962).

/// Number and mean of the values so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    pub(super) n: u64,
    pub(super) mean: f64,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.n += 1;
        // In this order: positions of drifts depend on the last bit.
        self.mean += (1.0 / self.n as f64) * (value - self.mean);
    }
}

/// Mean and variance (n - 1) of the values so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variance {
    pub(super) mean: Mean,
    squares: f64,
}

impl Variance {
    pub(super) fn add(&mut self, value: f64) {
        let before = self.mean.mean;
        self.mean.add(value);
        self.squares += (value - before) * (value - self.mean.mean);
    }

    pub(super) fn deviation(&self) -> f64 {
        if self.mean.n > 1 {
            (self.squares / (self.mean.n as f64 - 1.0)).max(0.0).sqrt()
        } else {
            0.0
        }
    }
}
