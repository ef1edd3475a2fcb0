//! A witness of logs: it remembers the newest checkpoint of each, in one file, and cosigns only what begins with it (C2SP
//! tlog-witness). Shell; what is cosigned is decided in `clause9_shared::evidence::witness`.

mod serve;
mod state;

pub use serve::serve;
pub use state::{Contradiction, Log, State, StateError, Witness};
