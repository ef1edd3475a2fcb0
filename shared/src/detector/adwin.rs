//! ADWIN: a window that is as long as its mean has been the same (Bifet and Gavaldà 2007).
//!
//! The window is kept as buckets of 2^i values, at most a few of each size, so memory grows with the
//! logarithm of its length. Every few values each border between buckets is tried as a cut; while the
//! means on both sides differ by more than chance allows, the oldest bucket goes.

use std::collections::VecDeque;

use super::{BadSetting, Detector, Signal};

/// Settings of [`Adwin`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdwinSettings {
    /// Chance of a false cut, between 0 and 1.
    pub delta: f64,
    /// Values between two searches for a cut.
    pub clock: u64,
    /// Most buckets of one size.
    pub max_buckets: usize,
    /// Fewest values on either side of a cut.
    pub min_window: u64,
    /// Values before the first search.
    pub grace: u64,
}

impl Default for AdwinSettings {
    fn default() -> Self {
        Self {
            delta: 0.002,
            clock: 32,
            max_buckets: 5,
            min_window: 5,
            grace: 10,
        }
    }
}

/// Sum of some values and of their squared distances from their mean.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    sum: f64,
    squares: f64,
}

/// Adaptive windowing.
#[derive(Clone, Debug)]
pub struct Adwin {
    settings: AdwinSettings,
    /// Buckets of 2^i values, oldest first.
    rows: Vec<VecDeque<Bucket>>,
    seen: u64,
    width: f64,
    sum: f64,
    squares: f64,
    /// Width and mean right after the last cut.
    after_cut: Option<(f64, f64)>,
}

impl Adwin {
    /// A detector with nothing seen.
    pub fn new(settings: AdwinSettings) -> Result<Self, BadSetting> {
        let refuse = |setting, expected| {
            Err(BadSetting {
                detector: "adwin",
                setting,
                expected,
            })
        };
        if !(settings.delta > 0.0 && settings.delta < 1.0) {
            return refuse("delta", "write a number between 0 and 1");
        }
        if settings.clock == 0 {
            return refuse("clock", "write at least 1");
        }
        if !(2..=1024).contains(&settings.max_buckets) {
            return refuse("max_buckets", "write 2 to 1024");
        }
        if settings.min_window == 0 {
            return refuse("min_window", "write at least 1");
        }
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: AdwinSettings) -> Self {
        Self {
            settings,
            rows: vec![VecDeque::new()],
            seen: 0,
            width: 0.0,
            sum: 0.0,
            squares: 0.0,
            after_cut: None,
        }
    }

    /// Values in the window, their mean, and their variance (n), if there are any.
    pub fn window(&self) -> Option<(f64, f64, f64)> {
        (self.width > 0.0).then(|| (self.width, self.sum / self.width, self.squares / self.width))
    }

    /// Width and mean of the window right after the last cut.
    pub const fn after_cut(&self) -> Option<(f64, f64)> {
        self.after_cut
    }

    fn insert(&mut self, value: f64) {
        if self.width > 0.0 {
            let away = value - self.sum / self.width;
            self.squares += self.width * away * away / (self.width + 1.0);
        }
        self.width += 1.0;
        self.sum += value;
        let mut carried = Bucket {
            sum: value,
            squares: 0.0,
        };
        let mut size = 1.0;
        for i in 0.. {
            if i == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            let row = &mut self.rows[i];
            row.push_back(carried);
            if row.len() <= self.settings.max_buckets {
                break;
            }
            let (Some(a), Some(b)) = (row.pop_front(), row.pop_front()) else {
                break;
            };
            let apart = a.sum / size - b.sum / size;
            carried = Bucket {
                sum: a.sum + b.sum,
                squares: a.squares + b.squares + size * size * apart * apart / (size + size),
            };
            size *= 2.0;
        }
    }

    /// Whether the means on both sides of some border differ by more than chance allows.
    fn finds_cut(&self) -> bool {
        let least = self.settings.min_window as f64;
        let log = libm::log(2.0 * libm::log(self.width) / self.settings.delta);
        let variance = self.squares / self.width;
        let (mut older, mut older_sum) = (0.0, 0.0);
        let (mut newer, mut newer_sum) = (self.width, self.sum);
        for (i, row) in self.rows.iter().enumerate().rev() {
            let size = size_of(i);
            for bucket in row {
                older += size;
                newer -= size;
                older_sum += bucket.sum;
                newer_sum -= bucket.sum;
                if older < least || newer < least || newer <= 0.0 {
                    continue;
                }
                let reciprocal = 1.0 / (older - least + 1.0) + 1.0 / (newer - least + 1.0);
                let chance =
                    (2.0 * reciprocal * variance * log).sqrt() + 2.0 / 3.0 * log * reciprocal;
                if (older_sum / older - newer_sum / newer).abs() > chance {
                    return true;
                }
            }
        }
        false
    }

    fn drop_oldest(&mut self) {
        let size = size_of(self.rows.len() - 1);
        let Some(gone) = self.rows.last_mut().and_then(VecDeque::pop_front) else {
            return;
        };
        self.width -= size;
        self.sum -= gone.sum;
        let away = gone.sum / size - self.sum / self.width;
        self.squares -= gone.squares + size * self.width * away * away / (size + self.width);
        if self.rows.last().is_some_and(VecDeque::is_empty) && self.rows.len() > 1 {
            self.rows.pop();
        }
    }
}

/// How many values a bucket of a row holds.
fn size_of(row: usize) -> f64 {
    let power = u64::try_from(row.min(62)).unwrap_or(62);
    (1_u64 << power) as f64
}

impl Detector for Adwin {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        self.insert(value);
        self.seen += 1;
        let due = self.seen.is_multiple_of(self.settings.clock);
        if !due || self.width <= self.settings.grace as f64 {
            return Signal::Quiet;
        }
        let mut cut = false;
        while self.width > 1.0 && self.finds_cut() {
            cut = true;
            self.drop_oldest();
        }
        if !cut {
            return Signal::Quiet;
        }
        let after = (self.width, self.sum / self.width);
        *self = Self::of(self.settings);
        self.after_cut = Some(after);
        Signal::Drift
    }
}
