//! What should have been measured and was not: every window of every objective in force that ended,
//! against what there is. Core: the system's clock and the register's state are parameters.

use std::collections::BTreeMap;

use clause9_shared::ids::{AgentId, ObjectiveId};
use clause9_shared::metric::StreamKind;
use clause9_shared::objective::Objective;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;
use serde::Serialize;

use clause9_shared::evidence::body::Status;
use clause9_shared::sealing::{GapRow, Window, WindowRow};

/// How far a system has come, as far as missing windows depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The system's clock.
    pub now: Timestamp,
    /// The first pane that was heard of.
    pub first: PaneStart,
    /// First point that is not sealed.
    pub sealed_until: Timestamp,
    /// How long a pane waits after its end.
    pub lateness: Span,
}

/// The windows of an objective version that should have a value by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Start of the first.
    pub from: Timestamp,
    /// End of the last that is due.
    pub due: Timestamp,
    /// End of the last that is over but whose labels are not due.
    pub over: Timestamp,
    /// When the first is due, but for the time that panes wait after their end.
    pub first_due: Timestamp,
    /// Length of each.
    pub window: Span,
}

impl Expected {
    /// What is expected of an objective. Nothing is, before the first pane was heard.
    pub fn of(objective: &Objective, stream: StreamKind, reach: &Reach) -> Self {
        let window = objective.window;
        let begin = objective.effective_from.max(reach.first.0);
        let aligned = Window::holding(begin, window);
        let from = if aligned.start < begin {
            aligned.end
        } else {
            aligned.start
        };
        let wait = match stream {
            StreamKind::Outcomes => objective.label_delay.unwrap_or(Span::ZERO),
            StreamKind::Traffic | StreamKind::ByAttribute => Span::ZERO,
        };
        let last_end = |until: Timestamp| {
            let end = Window::holding(until, window).start;
            let end = objective.effective_to.map_or(end, |to| {
                let last = Window::holding(to, window);
                end.min(if last.start < to {
                    last.end
                } else {
                    last.start
                })
            });
            end.max(from)
        };
        Self {
            from,
            due: last_end(reach.now - reach.lateness - wait),
            over: last_end(reach.now - reach.lateness),
            first_due: from + window + wait,
            window,
        }
    }

    /// How many windows are due.
    pub fn due_count(&self) -> u64 {
        let micros = self.due.since(self.from).micros();
        (micros / self.window.micros().max(1)).unsigned_abs()
    }

    /// The newest windows that are over and end at a point or before it, at most so many: from where
    /// to where they go, and their number.
    pub fn newest(&self, until: Timestamp, most: u32) -> (Timestamp, Timestamp, u32) {
        let length = self.window.micros().max(1);
        let until = self.over.min(until).max(self.from);
        let whole = u32::try_from(until.since(self.from).micros() / length).unwrap_or(u32::MAX);
        let to = self.from + self.window.times(whole);
        let number = whole.min(most);
        (to - self.window.times(number), to, number)
    }

    /// The windows of a stretch, newest first.
    fn newest_first(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Window> {
        let window = self.window;
        std::iter::successors(Some(to), move |end| Some(*end - window))
            .take_while(move |end| *end > from)
            .map(move |end| Window {
                start: end - window,
                end,
            })
    }
}

/// A window without a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The objective.
    pub objective: ObjectiveId,
    /// Its version.
    pub version: u32,
    /// First point of the window.
    pub start: Timestamp,
    /// First point after it.
    pub end: Timestamp,
    /// Whether it is missing, labels may still come, or there was nothing to be measured.
    pub status: MissingStatus,
    /// Why, in a word: `agent_silent`, `agent_not_watching`, `agent_crashed`, `agent_lost`, `batch_lost`,
    /// `items_refused`, `not_sealed`, `sealed_before`, `no_traffic`, `insufficient`, `not_measured`.
    pub reason: &'static str,
    /// Why, in a sentence.
    pub detail: String,
    /// Agents that were silent.
    pub agents: Vec<AgentId>,
}

/// Whether a value is overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingStatus {
    /// It should be there.
    Missing,
    /// Its labels are not due yet.
    Pending,
    /// Nothing was asked of the system while it was watched, so that nothing could be measured.
    NoTraffic,
}

/// What the register knows of one objective's windows.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// The newest measurement by window start.
    pub measured: BTreeMap<Timestamp, WindowRow>,
    /// Agents silent at a seal, by pane.
    pub silent: BTreeMap<PaneStart, Vec<AgentId>>,
    /// Gaps besides silence.
    pub gaps: Vec<GapRow>,
    /// Agents that have not closed the pane after the last seal.
    pub behind: Vec<AgentId>,
}

/// Windows of an objective without a value within a stretch of which all rows are there, newest first.
pub fn list(
    objective: &Objective,
    expected: &Expected,
    (from, to): (Timestamp, Timestamp),
    reach: &Reach,
    pane: Span,
    rows: &Rows,
    limit: usize,
) -> Vec<Missing> {
    expected
        .newest_first(from, to)
        .filter_map(|window| {
            let row = rows.measured.get(&window.start);
            if row.is_some_and(|r| r.status == Status::Measured) {
                return None;
            }
            let (reason, detail, agents) = why(window, row, reach, pane, rows);
            Some(Missing {
                objective: objective.id.clone(),
                version: objective.version,
                start: window.start,
                end: window.end,
                status: if row.is_some_and(|r| r.quiet) {
                    MissingStatus::NoTraffic
                } else if window.end > expected.due {
                    MissingStatus::Pending
                } else {
                    MissingStatus::Missing
                },
                reason,
                detail,
                agents,
            })
        })
        .take(limit)
        .collect()
}

/// Reasons of gaps besides silence, the one that says most first.
const GAPS: [&str; 5] = [
    "agent_not_watching",
    "agent_crashed",
    "agent_lost",
    "batch_lost",
    "items_refused",
];

/// The gap that touches a window, if there is one.
fn gap(window: Window, rows: &Rows) -> Option<(&'static str, String, Vec<AgentId>)> {
    let touching = |reason: &str| -> Vec<&GapRow> {
        let gaps = rows.gaps.iter();
        gaps.filter(|g| g.reason == reason && g.touches(window.start, window.end))
            .collect()
    };
    GAPS.into_iter().find_map(|reason| {
        let found = touching(reason);
        let first = found.first()?;
        let agents: std::collections::BTreeSet<_> = found.iter().map(|g| g.agent).collect();
        let detail = format!("from {} to {}: {}", first.start, first.end, first.detail);
        Some((reason, detail, agents.into_iter().collect()))
    })
}

fn why(
    window: Window,
    row: Option<&WindowRow>,
    reach: &Reach,
    pane: Span,
    rows: &Rows,
) -> (&'static str, String, Vec<AgentId>) {
    if window.end > reach.sealed_until {
        let detail = "its last pane is not sealed: it waits for the agents named".to_owned();
        return ("not_sealed", detail, rows.behind.clone());
    }
    let silent: std::collections::BTreeSet<_> = rows
        .silent
        .range(PaneStart(window.start)..PaneStart(window.end))
        .flat_map(|(_, agents)| agents)
        .copied()
        .collect();
    let said = row.and_then(|r| r.reason.clone()).unwrap_or_default();
    if let Some(answer) = gap(window, rows) {
        return answer;
    }
    if !silent.is_empty() {
        let panes = window.panes(pane).count();
        let detail = format!("agents were silent when its {panes} panes were sealed; {said}");
        return ("agent_silent", detail, silent.into_iter().collect());
    }
    match row.map(|r| r.status) {
        None => (
            "sealed_before",
            "it was sealed before this objective was in the collector's files".to_owned(),
            Vec::new(),
        ),
        Some(_) if row.is_some_and(|r| r.quiet) => ("no_traffic", said, Vec::new()),
        Some(Status::Insufficient) => ("insufficient", said, Vec::new()),
        Some(Status::NotMeasured | Status::Measured) => ("not_measured", said, Vec::new()),
    }
}
