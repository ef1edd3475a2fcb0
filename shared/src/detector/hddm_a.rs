//! `HDDM_A`: whether the mean since the lowest point lies above it by more than Hoeffding's inequality
//! allows (Frías-Blanco et al. 2015, algorithm A, one-sided: rising means).

use super::mean::Mean;
use super::{BadSetting, Detector, Signal};

/// Settings of [`HddmA`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HddmASettings {
    /// Chance of a false drift at one cut, between 0 and 1.
    pub drift: f64,
    /// Chance of a false warning at one cut, between 0 and 1.
    pub warning: f64,
}

impl Default for HddmASettings {
    fn default() -> Self {
        Self {
            drift: 0.001,
            warning: 0.005,
        }
    }
}

/// Whether both chances are some, and the warning's is not the smaller one.
pub(super) fn check(detector: &'static str, settings: HddmASettings) -> Result<(), BadSetting> {
    let HddmASettings { drift, warning } = settings;
    if drift > 0.0 && drift <= warning && warning < 1.0 {
        return Ok(());
    }
    Err(BadSetting {
        detector,
        setting: "drift or warning",
        expected: "write chances between 0 and 1, drift not above warning",
    })
}

/// Hoeffding drift detection by averages. Values are errors, or other numbers from 0 to 1.
#[derive(Clone, Debug)]
pub struct HddmA {
    settings: HddmASettings,
    all: Mean,
    /// The mean up to the point where its upper bound was least.
    lowest: Mean,
}

impl HddmA {
    /// A detector with nothing seen.
    pub fn new(settings: HddmASettings) -> Result<Self, BadSetting> {
        check("hddm_a", settings)?;
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: HddmASettings) -> Self {
        Self {
            settings,
            all: Mean::default(),
            lowest: Mean::default(),
        }
    }

    fn upper(&self, mean: &Mean) -> f64 {
        let n = mean.n as f64;
        mean.mean + (1.0 / (2.0 * n) * libm::log(1.0 / self.settings.drift)).sqrt()
    }

    /// Whether the mean has risen since the lowest point, at this chance of being wrong.
    fn rose(&self, chance: f64) -> bool {
        if self.lowest.n == self.all.n {
            return false;
        }
        let (before, all) = (self.lowest.n as f64, self.all.n as f64);
        let weight = (all - before) / before * (1.0 / all);
        let bound = (weight / 2.0 * libm::log(2.0 / chance)).sqrt();
        self.all.mean - self.lowest.mean >= bound
    }
}

impl Detector for HddmA {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        self.all.add(value.clamp(0.0, 1.0));
        if self.lowest.n == 0 || self.upper(&self.lowest) >= self.upper(&self.all) {
            self.lowest = self.all;
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
