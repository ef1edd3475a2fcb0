//! How late labels come, row by row: from the column of rows' times and `available_at` of the labels.

use clause9_shared::metric::{Finality, LabelAges};
use clause9_shared::objective::Document;
use clause9_shared::plan::Prediction;
use clause9_shared::time::{Span, Timestamp};

use super::counting::Window;
use super::windowing::Bounds;

/// Ages are rounded up to a whole step.
const BLUR: u64 = 1;
/// The longest step.
const DAY: Span = Span::from_days(1);

/// No cases, in steps of a pane, at most a day.
pub(crate) fn none(document: &Document) -> LabelAges {
    LabelAges::new(document.panes.length.min(DAY), BLUR)
}

/// Up to when it is known which labels have come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    pub(crate) until: Timestamp,
}

impl Late {
    /// Counts a row: when its label came, or how long it has waited for one. A row without a time, and a
    /// label without one, is left out.
    pub(crate) fn count(
        self,
        window: &mut Window,
        (at, came, labels): (Option<Timestamp>, Option<Timestamp>, u64),
        prediction: &Prediction,
    ) {
        let Some(at) = at else { return };
        if labels == 0 {
            window.ages.open(self.until.since(at), 1);
            return;
        }
        let Some(came) = came else { return };
        let age = came.since(at);
        window.ages.arrived(age, 1);
        let number = prediction
            .label
            .is_some_and(|label| label.number().is_some());
        if prediction.decision.is_some() && !number {
            let wrong = prediction.decision != prediction.label;
            window.ages.showed(age, u64::from(wrong), 1);
        }
    }
}

/// How long labels may take: the longest that an objective of the document grants them.
pub(crate) fn allowed(document: &Document) -> Option<Span> {
    let objectives = document.objectives.iter();
    objectives.filter_map(|o| o.label_delay).max()
}

/// The end of a window, if it has a time.
fn end(window: &Window) -> Option<Timestamp> {
    match (&window.bounds, window.times) {
        (Bounds::Time(_, end), _) => Some(*end),
        (Bounds::Rows(..), Some((_, last))) => Some(last),
        (Bounds::Rows(..), None) => None,
    }
}

/// Whether figures of a window that rest on labels may still change, if labels may take so long.
/// Without times only a window that has every label is final.
pub(crate) fn finality(
    window: &Window,
    known_until: Option<Timestamp>,
    allowed: Option<Span>,
) -> Finality {
    let elapsed = known_until.zip(end(window));
    let elapsed = elapsed.map(|(until, end)| until.since(end));
    let allowed = allowed.filter(|_| elapsed.is_some());
    let elapsed = elapsed.unwrap_or(Span::ZERO);
    Finality::of(window.rows, window.labelled, elapsed, allowed)
}
