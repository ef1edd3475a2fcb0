//! Checks of lengths of time: panes, windows, delays, cycles.

use super::Findings;
use crate::metric::StreamKind;
use crate::objective::document::{Document, Objective};
use crate::time::Span;

/// Shortest pane.
const SHORTEST_PANE: Span = Span::from_secs(1);
/// Longest pane.
const LONGEST_PANE: Span = Span::from_days(31);

pub(super) fn check_panes(findings: &mut Findings<'_>) {
    let panes = &findings.document().panes;
    if !(SHORTEST_PANE..=LONGEST_PANE).contains(&panes.length) {
        findings.at(
            "/panes/length",
            format!(
                "a pane of {} is outside {SHORTEST_PANE} to {LONGEST_PANE}; write a length within",
                panes.length
            ),
        );
    }
    if panes.lateness >= panes.length {
        let (lateness, length) = (panes.lateness, panes.length);
        findings.at(
            "/panes/lateness",
            format!("the lateness {lateness} is not less than the pane's length {length}; write a shorter one"),
        );
    }
}

pub(super) fn check(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let length = findings.document().panes.length;
    let window = objective.window;
    if window == Span::ZERO || window.micros() % length.micros().max(1) != 0 {
        findings.at(
            &format!("{at}/window"),
            format!("the window {window} is not a whole number of panes of {length}; write a multiple of {length}"),
        );
    }
    if objective.evaluate_every < window {
        findings.at(
            &format!("{at}/evaluate_every"),
            format!("evaluating every {} is more often than there is a window of {window}; write {window} or more", objective.evaluate_every),
        );
    }
    if objective.cycle < window {
        findings.at(
            &format!("{at}/cycle"),
            format!(
                "the surveillance cycle {} is shorter than the window {window}; write {window} or more",
                objective.cycle
            ),
        );
    }
    check_label_delay(findings, at, objective);
    check_expected(findings, at, objective);
}

fn check_expected(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let Some(share) = objective.expected_labelled else {
        return;
    };
    let pointer = format!("{at}/expected_labelled");
    if reads_outcomes(findings.document(), objective) == Some(false) {
        let metric = objective.metric.spec().name;
        findings.at_key(
            &pointer,
            format!(
                "metric `{metric}` does not wait for outcomes here; remove `expected_labelled`"
            ),
        );
    } else if !(share > 0.0 && share <= 1.0) {
        findings.at(
            &pointer,
            format!("{share} is no share of cases; write one above 0 and at most 1, as 0.4"),
        );
    }
}

fn check_label_delay(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let document = findings.document();
    let metric = objective.metric.spec().name;
    let pointer = format!("{at}/label_delay");
    let horizon = document.panes.outcome_horizon;
    match (reads_outcomes(document, objective), objective.label_delay) {
        (Some(true), None) => findings.at(
            &pointer,
            format!("metric `{metric}` waits for outcomes here; add `label_delay`, how long they may take"),
        ),
        (Some(false), Some(_)) => findings.at_key(
            &pointer,
            format!("metric `{metric}` does not wait for outcomes here; remove `label_delay`"),
        ),
        (Some(true), Some(delay)) if delay > horizon => findings.at(
            &pointer,
            format!("the label delay {delay} is longer than `panes.outcome_horizon` {horizon}, after which predictions are forgotten; shorten it or lengthen the horizon"),
        ),
        (Some(true), Some(_)) | (Some(false), None) | (None, _) => {}
    }
}

/// Whether an objective's metric waits for outcomes; unknown if its attribute is.
fn reads_outcomes(document: &Document, objective: &Objective) -> Option<bool> {
    match objective.metric.spec().stream {
        StreamKind::Traffic => Some(false),
        StreamKind::Outcomes => Some(true),
        StreamKind::ByAttribute => {
            let name = objective.of.attribute.as_ref()?;
            let attribute = document.attributes.iter().find(|a| a.name == *name)?;
            Some(document.comes_late(attribute))
        }
    }
}
