//! The monitor yields to the model: its threads run at a lower priority than the data path's.

use rustix::process::{getpriority_process, setpriority_process};

/// How much lower: the niceness that is added.
const NICE: i32 = 5;

/// Lowers the calling thread's priority where the system permits, or says once that it does not.
pub(crate) fn lower(what: &'static str) {
    // On Linux this concerns the calling thread alone.
    let lowered = getpriority_process(None).and_then(|now| setpriority_process(None, now + NICE));
    if let Err(error) = lowered {
        tracing::warn!(
            what,
            %error,
            "cannot lower a thread's priority: under load it competes with the model's traffic"
        );
    }
}
