//! The wall clock. Shell: the only place where the collector asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use clause9_shared::time::Timestamp;

/// Tells the time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WallClock;

impl WallClock {
    /// Now, UTC. Before 1970: the epoch.
    #[expect(clippy::unused_self, reason = "a clock is asked, not called by name")]
    pub(crate) fn now(self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp::after_epoch(since.unwrap_or_default())
    }
}
