//! How late the labels of a window came, from the panes of its blocks, and whether more are waited for.

use std::collections::BTreeMap;

use crate::metric::{Finality, LabelAges, StreamKind};
use crate::objective::Objective;
use crate::time::Span;
use crate::window::PaneStart;

use super::windows::Window;
use super::{PastBlock, Seal};
use crate::evidence::body::LabelsBody;
use crate::sealing::blocks::BlockCoverage;

/// Prediction and label fell into two panes, somewhere: a label may be up to two panes younger than the
/// end of the one is from the beginning of the other.
const BLUR: u64 = 2;

/// The cases of a window by the age at which their label came, or that they have reached. Nothing of
/// metrics that read no outcomes. Which of them were wrong is not among it: that would read the counts of
/// all blocks of the window again.
pub(super) fn ages(seal: &Seal<'_>, stream: StreamKind, all: &[&PastBlock]) -> Option<LabelAges> {
    if stream == StreamKind::Traffic {
        return None;
    }
    let pane = seal.system.pane();
    let age = |of: PaneStart, at: PaneStart| at.end(pane).since(of.0);
    let mut ages = LabelAges::new(pane, BLUR);
    let mut panes: BTreeMap<PaneStart, (u64, u64)> = BTreeMap::new();
    for block in all {
        let (rows, labelled) = panes.entry(block.pane).or_default();
        match &block.coverage {
            BlockCoverage::Traffic(coverage) => *rows = rows.saturating_add(coverage.rows),
            BlockCoverage::Outcomes(coverage) => {
                *labelled = labelled.saturating_add(coverage.labels);
                ages.arrived(age(block.pane, block.sealed_with), coverage.labels);
            }
        }
    }
    for (of, (rows, labelled)) in panes {
        ages.open(age(of, seal.due.pane), rows.saturating_sub(labelled));
    }
    Some(ages)
}

/// What a measurement says of the labels of its window.
pub(super) fn told(
    seal: &Seal<'_>,
    objective: &Objective,
    window: Window,
    ages: &LabelAges,
) -> LabelsBody {
    let allowed = objective.label_delay.unwrap_or(Span::ZERO);
    let known = seal.due.pane.end(seal.system.pane());
    let by = |share: f64| ages.quantile(share).map(|(_, by)| by);
    LabelsBody {
        finality: Finality::of(
            ages.cases(),
            ages.labels(),
            known.since(window.end),
            Some(allowed),
        ),
        final_from: window.end + allowed,
        half_by: by(0.5),
        most_by: by(0.95),
    }
}
