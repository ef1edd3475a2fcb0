//! How two distributions differ, from counts alone: the mathematics of drift, apart from the metric
//! table. Slices in, numbers out; no summaries, no objectives, no rounding that depends on order.
//!
//! Two kinds of knowledge come in. *Cells* are counts of the window and of the baseline over the same
//! parts of a feature's values (deciles, categories): divergences and contingency tests read them.
//! A [`Grid`] is the common refinement of all places at which both distribution functions are known
//! exactly: distances between distribution functions read it, and know between which values the
//! distance of the raw rows lies for certain.
//!
//! Nothing here panics on numbers that come from outside; what has no value is `None`.

pub mod bootstrap;
pub mod cells;
pub mod contingency;
mod deviation;
pub mod dice;
mod distance;
pub mod divergence;
pub mod frame;
mod grid;
mod integral;
pub mod jacobi;
pub mod joint;
mod rank;
mod refine;
pub mod shift;
pub mod tail;

pub use deviation::{Deviation, Resample, Steps};
pub use distance::{Bracketed, Kuiper};
pub use grid::{Grid, GridCell, Place};
pub use integral::Integrals;
pub use rank::{AndersonDarling, CramerVonMises};
pub use refine::Known;
