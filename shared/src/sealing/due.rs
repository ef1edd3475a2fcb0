//! Which pane can be sealed next. Core: the time is a parameter.

use std::collections::BTreeMap;

use crate::ids::AgentId;
use crate::time::{Clock, Span, Timestamp};
use crate::window::PaneStart;

/// How far a system has come.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The pane that was sealed last.
    pub sealed: Option<PaneStart>,
    /// The earliest pane that something waits for.
    pub pending: Option<PaneStart>,
    /// How far each trusted agent has closed its panes; none: never heard.
    pub watermarks: BTreeMap<AgentId, Option<Timestamp>>,
    /// The system's clock, by [`system_now`].
    pub now: Timestamp,
}

/// Lengths of time that sealing depends on.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Length of a pane.
    pub pane: Span,
    /// How long a pane stays open after its end.
    pub lateness: Span,
    /// How long silent agents are waited for after that.
    pub grace: Span,
}

/// A pane that can be sealed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The pane.
    pub pane: PaneStart,
    /// Agents that have not closed it. Not empty: the seal is forced by the clock, and a gap.
    pub silent: Vec<AgentId>,
}

/// The time on a system's clock: the wall clock, or the furthest that a replay has come.
pub fn system_now<'a>(
    clock: Clock,
    wall: Timestamp,
    watermarks: impl Iterator<Item = &'a Timestamp>,
) -> Timestamp {
    match clock {
        Clock::Live => wall,
        Clock::Replay => watermarks.max().copied().unwrap_or(Timestamp::EPOCH),
    }
}

/// The next pane in order, if it can be sealed.
pub fn next_due(progress: &Progress, timing: Timing) -> Option<Due> {
    let pane = match progress.sealed {
        Some(last) => last.next(timing.pane),
        None => progress.pending?,
    };
    let end = pane.end(timing.pane);
    let silent: Vec<_> = progress
        .watermarks
        .iter()
        .filter(|(_, watermark)| watermark.is_none_or(|w| w < end))
        .map(|(agent, _)| *agent)
        .collect();
    let heard = progress.watermarks.len() > silent.len();
    let forced = progress.now >= end + timing.lateness + timing.grace;
    ((silent.is_empty() && heard) || forced).then_some(Due { pane, silent })
}

/// Wall time that agents are still given once the system's clock alone would seal a pane without
/// them: after a restart of the collector, or in a fast replay, their batches may be on their way.
pub const PATIENCE: Span = Span::from_secs(10);

/// Since when agents have kept a system waiting, on the wall clock. Each silence is waited for once.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    since: BTreeMap<AgentId, Timestamp>,
}

impl Patience {
    /// Whether every silent agent was waited for long enough. Whoever speaks again is waited for anew.
    pub fn is_over(&mut self, silent: &[AgentId], wall: Timestamp) -> bool {
        self.since.retain(|agent, _| silent.contains(agent));
        for agent in silent {
            self.since.entry(*agent).or_insert(wall);
        }
        self.since.values().all(|since| *since + PATIENCE <= wall)
    }
}
