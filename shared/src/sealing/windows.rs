//! Windows: which one a pane lies in, which version judges it, which ones a seal touches.

use std::collections::BTreeSet;

use crate::objective::Objective;
use crate::time::{Span, Timestamp};
use crate::window::PaneStart;

/// A tumbling window, aligned to the epoch like panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First point.
    pub start: Timestamp,
    /// First point after it.
    pub end: Timestamp,
}

impl Window {
    /// The window of that length that holds a point.
    pub fn holding(at: Timestamp, length: Span) -> Self {
        let start = PaneStart::of(at, length);
        Self {
            start: start.0,
            end: start.end(length),
        }
    }

    /// The panes in it.
    pub fn panes(self, pane: Span) -> impl Iterator<Item = PaneStart> {
        std::iter::successors(Some(PaneStart(self.start)), move |p| Some(p.next(pane)))
            .take_while(move |p| p.0 < self.end)
    }
}

/// Whether a version is in force at a window's start.
pub fn in_force(objective: &Objective, start: Timestamp) -> bool {
    objective.effective_from <= start && objective.effective_to.is_none_or(|to| start < to)
}

/// Whether a version judges a pane: it was in force when the window that holds the pane began.
pub fn judges(objective: &Objective, pane: PaneStart) -> bool {
    in_force(objective, Window::holding(pane.0, objective.window).start)
}

/// The pane whose labels have had their time when a pane is sealed, where an objective assumes something
/// of cases that have none then: all of it is one step of the ledger. Panes are sealed one after another,
/// so that each comes once.
pub(super) fn settled(objective: &Objective, pane: Span, sealed: PaneStart) -> Option<Window> {
    if objective.labels.is_as_observed() {
        return None;
    }
    let (delay, length) = (
        objective.label_delay.unwrap_or(Span::ZERO),
        pane.micros().max(1),
    );
    let panes = delay.micros() / length + i64::from(delay.micros() % length != 0);
    let start = sealed.0 - pane.times(u32::try_from(panes).unwrap_or(u32::MAX));
    Some(Window::holding(start, pane))
}

/// The windows that a seal completes or changes: complete ones only.
pub(super) fn to_measure(
    objective: &Objective,
    pane: Span,
    sealed: PaneStart,
    touched: impl Iterator<Item = PaneStart>,
) -> BTreeSet<Window> {
    let until = sealed.end(pane);
    std::iter::once(sealed)
        .filter(|p| Window::holding(p.0, objective.window).end == until)
        .chain(touched)
        .map(|p| Window::holding(p.0, objective.window))
        .filter(|w| w.end <= until && in_force(objective, w.start))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_are_aligned_and_cut_into_whole_panes() {
        let w = Window::holding(at("2026-01-01T05:30:00Z"), "6h".parse().unwrap());
        assert_eq!(w.start, at("2026-01-01T00:00:00Z"));
        assert_eq!(w.end, at("2026-01-01T06:00:00Z"));
        let panes: Vec<_> = w.panes("2h".parse().unwrap()).map(|p| p.0).collect();
        assert_eq!(
            panes,
            [
                w.start,
                at("2026-01-01T02:00:00Z"),
                at("2026-01-01T04:00:00Z")
            ]
        );
    }
}
