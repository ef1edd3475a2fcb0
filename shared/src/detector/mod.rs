//! Online change detectors that practitioners know, one value after the other.
//!
//! **They warn only.** A detector sees one stream in one order, so what it says depends on which agent
//! saw which request when: it cannot be merged, restated or replayed from counts as everything that
//! judges here must. Detectors are declared on streams of one agent (or run over a file), may warn, and
//! never raise a nonconformity. Their false alarms are not controlled over a surveillance cycle either:
//! at their authors' defaults several of them fire on streams where nothing happens.
//!
//! Each is in a file of its own, as published and as the `river` library has it, whose positions are
//! reproduced. After a drift a detector starts afresh with the next value. Memory is bounded: only ADWIN
//! grows at all, with the logarithm of its window.

use std::fmt;
use std::str::FromStr;

mod adwin;
mod ddm;
mod eddm;
mod hddm_a;
mod hddm_w;
mod kswin;
mod mean;
mod page_hinkley;

pub use adwin::{Adwin, AdwinSettings};
pub use ddm::{Ddm, DdmSettings};
pub use eddm::{Eddm, EddmSettings};
pub use hddm_a::{HddmA, HddmASettings};
pub use hddm_w::{HddmW, HddmWSettings};
pub use kswin::{Kswin, KswinSettings};
pub use page_hinkley::{Direction, PageHinkley, PageHinkleySettings};

/// What a detector says after a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    /// Nothing unusual.
    #[default]
    Quiet,
    /// Something may have begun to change.
    Warning,
    /// The stream has changed; the detector has started afresh.
    Drift,
}

/// An online change detector.
pub trait Detector: fmt::Debug + Send {
    /// Takes the next value. A value that is not finite is passed over.
    fn update(&mut self, value: f64) -> Signal;
}

/// Why settings were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detector}: {setting} is out of range; {expected}")]
pub struct BadSetting {
    /// Which detector.
    pub detector: &'static str,
    /// Which of its settings.
    pub setting: &'static str,
    /// What is expected.
    pub expected: &'static str,
}

macro_rules! detectors {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $settings:ty, $errors_only:literal;)*) => {
        /// The detectors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DetectorKind { $($(#[$doc])* $kind,)* }

        impl DetectorKind {
            /// Every detector.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its name in options and reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Whether it reads errors (0 or 1) only, not any number.
            pub const fn reads_errors_only(self) -> bool {
                match self { $(Self::$kind => $errors_only,)* }
            }

            /// One with its authors' (the library's) default settings.
            pub fn with_defaults(self) -> Box<dyn Detector> {
                match self { $(Self::$kind => Box::new($kind::of(<$settings>::default())),)* }
            }
        }
    };
}

detectors! {
    /// Adaptive windowing.
    Adwin, "adwin", AdwinSettings, false;
    /// The Page-Hinkley test.
    PageHinkley, "page_hinkley", PageHinkleySettings, false;
    /// Kolmogorov-Smirnov windowing.
    Kswin, "kswin", KswinSettings, false;
    /// Drift detection method.
    Ddm, "ddm", DdmSettings, true;
    /// Early drift detection method.
    Eddm, "eddm", EddmSettings, true;
    /// Hoeffding's bound, moving averages.
    HddmA, "hddm_a", HddmASettings, true;
    /// `McDiarmid`'s bound, weighted moving averages.
    HddmW, "hddm_w", HddmWSettings, true;
}

impl fmt::Display for DetectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DetectorKind {
    type Err = UnknownDetector;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut kinds = Self::ALL.iter().copied();
        kinds
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownDetector(text.chars().take(80).collect()))
    }
}

/// A name that is no detector's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no detector; use adwin, page_hinkley, kswin, ddm, eddm, hddm_a or hddm_w")]
pub struct UnknownDetector(String);

/// Most positions that are kept; what comes after is counted.
pub const MAX_POSITIONS: usize = 100_000;

/// Where in a stream a detector spoke. Positions count the finite values, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Values at which it said drift.
    pub drift: Vec<u64>,
    /// Values at which a warning began.
    pub warning_starts: Vec<u64>,
    /// Positions beyond [`MAX_POSITIONS`] of either list.
    pub not_kept: u64,
    /// Finite values that it took.
    pub taken: u64,
    /// Values that were not finite and passed over.
    pub passed_over: u64,
}

/// A detector on a stream, with what it has said so far.
#[derive(Debug)]
pub struct Watch {
    detector: Box<dyn Detector>,
    found: Positions,
    warned: bool,
}

impl Watch {
    /// Begins a stream.
    pub fn new(detector: Box<dyn Detector>) -> Self {
        Self {
            detector,
            found: Positions::default(),
            warned: false,
        }
    }

    /// Takes the next value.
    pub fn take(&mut self, value: f64) {
        self.found
            .step(self.detector.as_mut(), &mut self.warned, value);
    }

    /// What it has said.
    pub const fn found(&self) -> &Positions {
        &self.found
    }
}

impl Positions {
    fn step(&mut self, detector: &mut dyn Detector, warned: &mut bool, value: f64) {
        if !value.is_finite() {
            self.passed_over += 1;
            return;
        }
        let signal = detector.update(value);
        let list = match signal {
            Signal::Drift => Some(&mut self.drift),
            Signal::Warning if !*warned => Some(&mut self.warning_starts),
            Signal::Warning | Signal::Quiet => None,
        };
        if let Some(list) = list {
            if list.len() < MAX_POSITIONS {
                list.push(self.taken);
            } else {
                self.not_kept += 1;
            }
        }
        *warned = signal == Signal::Warning;
        self.taken += 1;
    }
}

/// Runs a detector over a stream.
pub fn run(detector: &mut dyn Detector, stream: impl IntoIterator<Item = f64>) -> Positions {
    let mut found = Positions::default();
    let mut warned = false;
    for value in stream {
        found.step(detector, &mut warned, value);
    }
    found
}
