//! The Page-Hinkley test: how far the sum of distances from the running mean has moved from its own
//! extreme (Page 1954; Hinkley 1971). The threshold is in the unit of the values: it must suit them.

use super::mean::Mean;
use super::{BadSetting, Detector, Signal};

/// Which changes of the mean are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Upward.
    Up,
    /// Downward.
    Down,
    /// Either way.
    Both,
}

/// Settings of [`PageHinkley`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PageHinkleySettings {
    /// Values before anything is said.
    pub min_instances: u64,
    /// Change of the mean that is of no interest, in the unit of the values.
    pub delta: f64,
    /// How far the sum may move, in the unit of the values.
    pub threshold: f64,
    /// How much of the sum is kept with each value, up to 1.
    pub alpha: f64,
    /// Which changes are looked for.
    pub direction: Direction,
}

impl Default for PageHinkleySettings {
    fn default() -> Self {
        Self {
            min_instances: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 0.9999,
            direction: Direction::Both,
        }
    }
}

/// The Page-Hinkley test.
#[derive(Clone, Debug)]
pub struct PageHinkley {
    settings: PageHinkleySettings,
    mean: Mean,
    rising: f64,
    falling: f64,
    lowest: f64,
    highest: f64,
}

impl PageHinkley {
    /// A detector with nothing seen.
    pub fn new(settings: PageHinkleySettings) -> Result<Self, BadSetting> {
        let refuse = |setting, expected| {
            Err(BadSetting {
                detector: "page_hinkley",
                setting,
                expected,
            })
        };
        if !settings.delta.is_finite() || settings.delta < 0.0 {
            return refuse("delta", "write 0 or more");
        }
        if !settings.threshold.is_finite() || settings.threshold <= 0.0 {
            return refuse("threshold", "write more than 0");
        }
        if !(settings.alpha > 0.0 && settings.alpha <= 1.0) {
            return refuse("alpha", "write more than 0, at most 1");
        }
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: PageHinkleySettings) -> Self {
        Self {
            settings,
            mean: Mean::default(),
            rising: 0.0,
            falling: 0.0,
            lowest: f64::INFINITY,
            highest: -1.0,
        }
    }
}

impl Detector for PageHinkley {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        let s = self.settings;
        self.mean.add(value);
        let away = value - self.mean.mean;
        self.rising = s.alpha * self.rising + away - s.delta;
        self.falling = s.alpha * self.falling + away + s.delta;
        self.lowest = self.lowest.min(self.rising);
        self.highest = self.highest.max(self.falling);
        if self.mean.n < s.min_instances {
            return Signal::Quiet;
        }
        let up = self.rising - self.lowest > s.threshold;
        let down = self.highest - self.falling > s.threshold;
        let drift = match s.direction {
            Direction::Up => up,
            Direction::Down => down,
            Direction::Both => up || down,
        };
        if drift {
            *self = Self::of(s);
            Signal::Drift
        } else {
            Signal::Quiet
        }
    }
}
