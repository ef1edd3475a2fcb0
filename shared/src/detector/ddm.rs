//! DDM: whether the error rate has risen above the lowest it has been (Gama et al. 2004).

use super::mean::Mean;
use super::{BadSetting, Detector, Signal};

/// Settings of [`Ddm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DdmSettings {
    /// Values before anything is said.
    pub warm_start: u64,
    /// Standard deviations above the lowest rate at which it warns.
    pub warning: f64,
    /// Standard deviations above the lowest rate at which it says drift.
    pub drift: f64,
}

impl Default for DdmSettings {
    fn default() -> Self {
        Self {
            warm_start: 30,
            warning: 2.0,
            drift: 3.0,
        }
    }
}

/// Drift detection method. Values are errors: 1, or 0 for right.
#[derive(Clone, Debug)]
pub struct Ddm {
    settings: DdmSettings,
    rate: Mean,
    /// Rate and standard deviation where their sum was least.
    least: Option<(f64, f64)>,
}

impl Ddm {
    /// A detector with nothing seen.
    pub fn new(settings: DdmSettings) -> Result<Self, BadSetting> {
        let ordered = settings.warning > 0.0 && settings.drift >= settings.warning;
        if !ordered || !settings.drift.is_finite() {
            return Err(BadSetting {
                detector: "ddm",
                setting: "warning or drift",
                expected: "write numbers above 0, drift not below warning",
            });
        }
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: DdmSettings) -> Self {
        Self {
            settings,
            rate: Mean::default(),
            least: None,
        }
    }
}

impl Detector for Ddm {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        self.rate.add(value.clamp(0.0, 1.0));
        if self.rate.n <= self.settings.warm_start {
            return Signal::Quiet;
        }
        let rate = self.rate.mean;
        // Rounding can put a rate of 1 a little above it.
        let deviation = (rate * (1.0 - rate) / self.rate.n as f64).max(0.0).sqrt();
        let now = rate + deviation;
        let (least, spread) = match self.least {
            Some((least, spread)) if now > least + spread => (least, spread),
            Some(_) | None => (rate, deviation),
        };
        self.least = Some((least, spread));
        if now > least + self.settings.drift * spread {
            *self = Self::of(self.settings);
            Signal::Drift
        } else if now > least + self.settings.warning * spread {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }
}
