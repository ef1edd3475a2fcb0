//! EDDM: whether errors come closer together than they once did (Baena-García et al. 2006). It hears
//! slow changes sooner than DDM, and fires more often where nothing changes.

use super::mean::Variance;
use super::{BadSetting, Detector, Signal};

/// Settings of [`Eddm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EddmSettings {
    /// Values, and errors, before anything is said.
    pub warm_start: u64,
    /// Share of the largest spacing below which it warns.
    pub alpha: f64,
    /// Share of the largest spacing below which it says drift.
    pub beta: f64,
}

impl Default for EddmSettings {
    fn default() -> Self {
        Self {
            warm_start: 30,
            alpha: 0.95,
            beta: 0.9,
        }
    }
}

/// Early drift detection method. Values are errors: 1, or 0 for right.
#[derive(Clone, Debug)]
pub struct Eddm {
    settings: EddmSettings,
    seen: u64,
    last_error: u64,
    spacing: Variance,
    largest: f64,
    warned: bool,
}

impl Eddm {
    /// A detector with nothing seen.
    pub fn new(settings: EddmSettings) -> Result<Self, BadSetting> {
        let (alpha, beta) = (settings.alpha, settings.beta);
        if !(beta > 0.0 && beta <= alpha && alpha <= 1.0) {
            return Err(BadSetting {
                detector: "eddm",
                setting: "alpha or beta",
                expected: "write numbers above 0 and up to 1, beta not above alpha",
            });
        }
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: EddmSettings) -> Self {
        Self {
            settings,
            seen: 0,
            last_error: 0,
            spacing: Variance::default(),
            largest: -1.0,
            warned: false,
        }
    }

    fn error(&mut self) -> Signal {
        let warm = self.settings.warm_start;
        self.spacing.add((self.seen - self.last_error) as f64);
        self.last_error = self.seen;
        if self.seen > warm {
            let spread = self.spacing.mean.mean + 2.0 * self.spacing.deviation();
            if spread > self.largest {
                self.largest = spread;
            } else if self.spacing.mean.n > warm {
                let level = spread / self.largest;
                if level < self.settings.beta {
                    return Signal::Drift;
                }
                self.warned = level < self.settings.alpha;
            }
        }
        self.state()
    }

    const fn state(&self) -> Signal {
        if self.warned {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }
}

impl Detector for Eddm {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        self.seen += 1;
        if value < 1.0 {
            return self.state();
        }
        let signal = self.error();
        if signal == Signal::Drift {
            *self = Self::of(self.settings);
        }
        signal
    }
}
