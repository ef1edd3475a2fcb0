//! One objective version: state, value, levels, plot, and the machine's reason in plain words.

use clause9_shared::verdict::{Verdict, VerdictState};
use maud::{Markup, html};

use super::super::ApiError;
use super::super::view::ObjectiveView;
use super::plot::{Mark, Plot};
use super::{state, system, words};
use crate::known::KnownSystem;
use crate::store::{Page, ReadStore, RecordFilter};
use crate::telemetry::nats;
use clause9_shared::evidence::body::VerdictBody;
use clause9_shared::sealing::Standing;

/// Windows in a plot.
const WINDOWS: usize = 80;
/// Verdicts in a plot.
const VERDICTS: usize = 200;

pub(super) fn card(
    read: &ReadStore<'_>,
    system: &KnownSystem,
    view: &ObjectiveView<'_>,
) -> Result<Markup, ApiError> {
    let objective = view.objective;
    let anchor = system::anchor(objective);
    let plot = plot(read, system, view)?;
    let mixed = sampling_keys(read, view)?;
    let verdict = view.standing.as_ref().and_then(|s| s.last.as_ref());
    let shown = verdict.map_or(VerdictState::NoData, |v| v.state);
    Ok(html! {
        article class="card" id=(anchor) aria-labelledby={ (anchor) "-title" } {
            div class="title" {
                div {
                    h3 id={ (anchor) "-title" } { (objective.statement) }
                    p class="sub" {
                        (words::measured(objective.metric, &objective.of))
                        ", " (words::side(objective)) " " (words::number(objective.levels.action))
                        " over " (objective.window) " · " code { (objective.id) " v" (objective.version) }
                        @if !view.in_force { " · not in force now" }
                    }
                }
                (state::badge(shown))
            }
            @match verdict {
                Some(verdict) => p class="because" { (because(system, view, verdict)) },
                None => { p class="because" { "Nothing was judged by this version yet." } },
            }
            @if let Some(standing) = &view.standing { (value(system, view, standing)) }
            @if mixed > 1 {
                p class="notice" {
                    "Counts of " (mixed) " sampling keys were added: replicas should share "
                    code { "system_key_file" } "."
                }
            }
            @if let Some(plot) = plot {
                div class="scroll plot" role="region" aria-label={ "Plot of " (objective.id) } tabindex="0" { (plot.draw()) }
            }
            @if let Some(standing) = &view.standing { (links(view, standing)) }
        }
    })
}

/// How many sampling keys the value shown was counted with, if more than one; else 0.
fn sampling_keys(read: &ReadStore<'_>, view: &ObjectiveView<'_>) -> Result<usize, ApiError> {
    let shown = view.standing.as_ref().and_then(|s| s.shown.as_ref());
    let Some(row) = shown.map_or(Ok(None), |s| read.content(s.measurement))? else {
        return Ok(0);
    };
    let record: serde_json::Value = serde_json::from_slice(&row.bytes).unwrap_or_default();
    Ok(record["body"]["salts"].as_array().map_or(0, Vec::len))
}

/// The machine's reason, and since when.
fn because(system: &KnownSystem, view: &ObjectiveView<'_>, verdict: &Verdict) -> String {
    let length = system.pane();
    let pane_of = |block| {
        let pane = view.standing.as_ref()?.pane_of(block, length)?;
        Some(words::time(pane.0, length))
    };
    let said = words::sentence(&words::dated(&verdict.because, pane_of));
    match (verdict.state, verdict.since.and_then(pane_of)) {
        // The reason of a nonconformity says it by itself.
        (VerdictState::Nonconforming, _) | (_, None) => said,
        (_, Some(since)) => {
            format!("{said} If it is a breach, it began about with the pane from {since}.")
        }
    }
}

fn value(system: &KnownSystem, view: &ObjectiveView<'_>, standing: &Standing) -> Markup {
    let levels = &view.objective.levels;
    let shown = standing.shown.as_ref();
    let estimate = shown.and_then(|s| s.value.as_result().ok());
    html! {
        dl class="figures small" {
            div {
                dt { "Newest value" }
                dd class="big" {
                    @match &estimate { Some(e) => (words::number(e.value)), None => "none" }
                }
            }
            @if let Some((low, high)) = estimate.as_ref().and_then(|e| e.interval) {
                div { dt { "95 % interval" } dd { (words::number(low)) " to " (words::number(high)) } }
            }
            @if let Some(e) = &estimate { div { dt { "Cases" } dd { (words::count(e.support)) } } }
            @if let Some(s) = shown { div { dt { "Window from" } dd { (words::time(s.start, system.pane())) } } }
            @if let Some((s, delay)) = shown.zip(view.objective.label_delay) {
                div { dt { "Final from" } dd { (words::time(s.start + view.objective.window + delay, system.pane())) } }
            }
            @if let Some(target) = levels.target { div { dt { "Target" } dd { (words::number(target)) } } }
            @if let Some(alert) = levels.alert { div { dt { "Alert level" } dd { (words::number(alert)) } } }
            div { dt { "Action level" } dd { (words::number(levels.action)) } }
        }
    }
}

fn links(view: &ObjectiveView<'_>, standing: &Standing) -> Markup {
    html! {
        p class="links" {
            "Evidence: "
            @if let Some(name) = standing.verdict { a href=(words::evidence(name)) { "verdict " code { (name.short()) } } " · " }
            @if let Some(shown) = &standing.shown {
                a href=(words::evidence(shown.measurement)) { "measurement " code { (shown.measurement.short()) } } " · "
            }
            @if let Some(name) = standing.candidate { a href=(words::evidence(name)) { "candidate " code { (name.short()) } } " · " }
            a href={ "/v1/blobs/" (view.compiled) } { "compiled objective " code { (view.compiled.short()) } }
        }
    }
}

fn plot(
    read: &ReadStore<'_>,
    system: &KnownSystem,
    view: &ObjectiveView<'_>,
) -> Result<Option<Plot>, ApiError> {
    let objective = view.objective;
    let windows = read.newest_windows(system.id(), &objective.id, objective.version, WINDOWS)?;
    let filter = RecordFilter {
        kind: Some("verdict"),
        system: Some(system.id().to_string()),
        objective: Some(objective.id.to_string()),
    };
    let page = Page {
        after: None,
        limit: VERDICTS,
        newest_first: true,
    };
    let mut marks = Vec::new();
    for row in read.records(&filter, &page)? {
        let record: serde_json::Value = serde_json::from_slice(&row.bytes).unwrap_or_default();
        let Ok(body) = serde_json::from_value::<VerdictBody>(record["body"].clone()) else {
            continue;
        };
        if body.version == objective.version {
            marks.push(Mark {
                at: body.sealed_with.end(system.pane()),
                state: body.verdict.state,
                evidence: nats(body.verdict.evidence),
            });
        }
    }
    marks.reverse();
    if windows.is_empty() || marks.is_empty() {
        return Ok(None);
    }
    let verdict = view.standing.as_ref().and_then(|s| s.last.as_ref());
    Ok(Some(Plot {
        id: system::anchor(objective),
        title: words::measured(objective.metric, &objective.of),
        pane: system.pane(),
        levels: objective.levels,
        windows,
        marks,
        thresholds: verdict.map(|v| (nats(v.warning_at), nats(v.nonconformity_at))),
    }))
}
