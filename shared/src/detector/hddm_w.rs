//! `HDDM_W`: as `HDDM_A` with averages that forget, and `McDiarmid`'s inequality (Frías-Blanco et al. 2015,
//! algorithm W, one-sided: rising means). It hears slow changes sooner.

use super::hddm_a::{HddmASettings, check};
use super::{BadSetting, Detector, Signal};

/// Settings of [`HddmW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HddmWSettings {
    /// Chance of a false drift at one cut, between 0 and 1.
    pub drift: f64,
    /// Chance of a false warning at one cut, between 0 and 1.
    pub warning: f64,
    /// Weight of the newest value, above 0, up to 1.
    pub lambda: f64,
}

impl Default for HddmWSettings {
    fn default() -> Self {
        Self {
            drift: 0.001,
            warning: 0.005,
            lambda: 0.05,
        }
    }
}

/// A weighted average and the sum of its squared weights.
#[derive(Clone, Copy, Debug)]
struct Weighted {
    lambda: f64,
    mean: Option<f64>,
    squares: f64,
}

impl Weighted {
    const fn new(lambda: f64) -> Self {
        Self {
            lambda,
            mean: None,
            squares: 1.0,
        }
    }

    fn add(&mut self, value: f64) {
        let (new, old) = (self.lambda, 1.0 - self.lambda);
        self.mean = Some(self.mean.map_or(value, |mean| new * value + old * mean));
        self.squares = new * new + old * old * self.squares;
    }
}

/// How far a weighted average may lie from its expectation (`McDiarmid`).
fn bound(squares: f64, chance: f64) -> f64 {
    (squares * libm::log(1.0 / chance) / 2.0).sqrt()
}

/// Hoeffding drift detection by weighted averages. Values are errors, or other numbers from 0 to 1.
#[derive(Clone, Debug)]
pub struct HddmW {
    settings: HddmWSettings,
    all: Weighted,
    /// Up to the point where its upper bound was least.
    before: Weighted,
    /// Since then.
    since: Weighted,
    least: f64,
}

impl HddmW {
    /// A detector with nothing seen.
    pub fn new(settings: HddmWSettings) -> Result<Self, BadSetting> {
        let HddmWSettings {
            drift,
            warning,
            lambda,
        } = settings;
        check("hddm_w", HddmASettings { drift, warning })?;
        if !(lambda > 0.0 && lambda <= 1.0) {
            return Err(BadSetting {
                detector: "hddm_w",
                setting: "lambda",
                expected: "write more than 0, at most 1",
            });
        }
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: HddmWSettings) -> Self {
        let empty = Weighted::new(settings.lambda);
        Self {
            settings,
            all: empty,
            before: empty,
            since: empty,
            least: f64::INFINITY,
        }
    }

    fn rose(&self, chance: f64) -> bool {
        let both = self.before.mean.zip(self.since.mean);
        let squares = self.before.squares + self.since.squares;
        both.is_some_and(|(before, since)| since - before > bound(squares, chance))
    }
}

impl Detector for HddmW {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        let value = value.clamp(0.0, 1.0);
        self.all.add(value);
        let upper = self.all.mean.unwrap_or(value) + bound(self.all.squares, self.settings.drift);
        if upper < self.least {
            self.least = upper;
            self.before = self.all;
            self.since = Weighted::new(self.settings.lambda);
        } else {
            self.since.add(value);
        }
        if self.rose(self.settings.drift) {
            *self = Self::of(self.settings);
            Signal::Drift
        } else if self.rose(self.settings.warning) {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }
}
