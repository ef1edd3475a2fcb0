//! `/systems/{id}`: one system from the verdicts down to what they rest on.

use clause9_shared::time::Clock;
use maud::{Markup, html};

use super::super::view::{self, Lacking, MissingPage, ObjectiveView};
use super::super::{ApiError, Shared};
use super::{document, objective, overview, words};
use crate::known::KnownSystem;
use crate::missing::MissingStatus;
use crate::store::{ReadStore, SystemState};
use clause9_shared::sealing::{GapRow, SealRow};

/// Sealed panes in the table.
const PANES: usize = 12;
/// Missing windows in the table.
const MISSING: usize = 12;

pub(super) fn page(shared: &Shared, read: &ReadStore<'_>, id: &str) -> Result<Markup, ApiError> {
    let system = shared.system(id)?;
    let wall = shared.clock.now();
    let kept = read.system_state(system.id())?;
    let now = view::system_now(system, &kept, wall);
    let views = view::objectives(read, system, now)?;
    let missing = view::missing(read, system, &kept, wall, MISSING, None)?;
    let lacking = view::lacking(read, system, &kept, wall)?;
    let seals = read.seals(system.id(), None, PANES, true)?;
    let gaps = match (seals.last(), seals.first()) {
        (Some(first), Some(last)) => read.gaps(system.id(), first.pane.0, last.end)?,
        (None, _) | (_, None) => Vec::new(),
    };
    let (current, earlier): (Vec<_>, Vec<_>) = views
        .iter()
        .partition(|v| v.in_force || v.standing.is_none());
    let cards = current
        .iter()
        .map(|v| objective::card(read, system, v))
        .collect::<Result<Vec<_>, _>>()?;
    let old_cards = earlier
        .iter()
        .map(|v| objective::card(read, system, v))
        .collect::<Result<Vec<_>, _>>()?;
    let candidates = views
        .iter()
        .filter(|v| v.standing.as_ref().is_some_and(|s| s.candidate.is_some()))
        .count();
    let body = html! {
        (heading(system, &kept))
        (figures(system, &kept, candidates, lacking.missing))
        @if candidates > 0 { (nonconformities(system, &views)) }
        section aria-labelledby="objectives" {
            h2 id="objectives" { "Objectives" }
            @for card in cards { (card) }
            @if !old_cards.is_empty() {
                details class="earlier" {
                    summary { (old_cards.len()) " not in force any more, or not yet" }
                    @for card in old_cards { (card) }
                }
            }
        }
        (coverage(system, &seals, &gaps))
        (missing_table(system, &missing, lacking))
        (about(system, &kept))
    };
    Ok(document(&system.document.system.name, &body))
}

fn heading(system: &KnownSystem, kept: &SystemState) -> Markup {
    let about = &system.document.system;
    html! {
        nav aria-label="Where you are" { a href="/" { "AI systems" } " / " (system.id()) }
        h1 { (about.name) }
        p class="lead" { (about.intended_purpose) }
        @if kept.clock == Some(Clock::Replay) {
            p class="notice" {
                strong class="replay" { "REPLAY" }
                " This system runs on replayed time. Nothing below is evidence of live operation."
            }
        }
    }
}

fn figures(system: &KnownSystem, kept: &SystemState, candidates: usize, missing: u64) -> Markup {
    html! {
        dl class="figures" {
            div { dt { "Sealed until" } dd {
                @match kept.last_sealed {
                    Some(pane) => (words::time(pane.end(system.pane()), system.pane())),
                    None => "nothing yet",
                }
            } }
            div { dt { "Clock" } dd { (overview::clock(kept.clock)) } }
            div { dt { "Nonconformity candidates" } dd { (candidates) } }
            div { dt { "Missing measurements" } dd { (words::count(missing)) } }
            div { dt { "Agents heard" } dd {
                (system.agents.iter().filter(|a| kept.watermarks.contains_key(a)).count())
                " of " (system.agents.len())
            } }
        }
    }
}

fn nonconformities(system: &KnownSystem, views: &[ObjectiveView<'_>]) -> Markup {
    let raised = views.iter().filter_map(|v| {
        let standing = v.standing.as_ref()?;
        Some((v.objective, standing, standing.candidate?))
    });
    html! {
        section aria-labelledby="nonconformities" {
            h2 id="nonconformities" { "Candidate nonconformities" }
            p class="sub" { "Proposed by the machine. People confirm, dismiss, grade and close." }
            div class="scroll" role="region" aria-label="Candidate nonconformities" tabindex="0" {
                table {
                    caption { "Objectives whose breach is confirmed at the documented error chance" }
                    thead { tr {
                        th scope="col" { "Objective" }
                        th scope="col" { "What is asked" }
                        th scope="col" class="n" { "Seen again" }
                        th scope="col" { "Last seen" }
                        th scope="col" { "Evidence" }
                    } }
                    tbody {
                        @for (objective, standing, candidate) in raised {
                            tr {
                                th scope="row" { a href={ "#" (anchor(objective)) } { (objective.id) " v" (objective.version) } }
                                td { (objective.statement) }
                                td class="n" { (standing.seen_again) }
                                td class="t" {
                                    @match standing.seen_last {
                                        Some(at) => (words::time(at, system.pane())),
                                        None => "when raised",
                                    }
                                }
                                td { a href=(words::evidence(candidate)) { code { (candidate.short()) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where an objective's card is on the page.
pub(super) fn anchor(objective: &clause9_shared::objective::Objective) -> String {
    format!("{}-v{}", objective.id, objective.version)
}

fn coverage(system: &KnownSystem, seals: &[SealRow], gaps: &[GapRow]) -> Markup {
    let cell = |coverage: &serde_json::Value, name: &str| -> u64 {
        match coverage[name].as_object() {
            Some(reasons) => reasons.values().filter_map(serde_json::Value::as_u64).sum(),
            None => coverage[name].as_u64().unwrap_or(0),
        }
    };
    let columns = [
        ("seen", "Seen"),
        ("sampled", "Sampled"),
        ("sampled_out", "Sampled out"),
        ("for_groups", "of these by group"),
        ("not_inference", "No inference"),
        ("dropped", "Dropped"),
        ("undecodable", "Undecodable"),
        ("rows", "Rows"),
    ];
    html! {
        section aria-labelledby="coverage" {
            h2 id="coverage" { "Coverage" }
            p class="sub" {
                "What happened to every exchange: seen is the sum of sampled, sampled out, no inference, dropped and undecodable. "
                a href={ "/v1/systems/" (system.id()) "/panes" } { "All panes" }
            }
            div class="scroll" role="region" aria-label="Coverage of recent panes" tabindex="0" {
                table {
                    caption { "The last " (seals.len()) " sealed panes, newest first" }
                    thead { tr {
                        th scope="col" { "Pane" }
                        @for (_, title) in columns { th scope="col" class="n" { (title) } }
                        th scope="col" class="n" { "Labels" }
                        th scope="col" { "Gaps" }
                    } }
                    tbody {
                        @for seal in seals {
                            tr {
                                th scope="row" class="t" { (words::time(seal.pane.0, system.pane())) }
                                @for (name, _) in columns { td class="n" { (words::count(cell(&seal.coverage, name))) } }
                                td class="n" { (words::count(cell(&seal.outcomes, "labels"))) }
                                td { (unknown(seal, gaps)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is known not to be known of a pane, also if it came to be known after the seal.
fn unknown(seal: &SealRow, gaps: &[GapRow]) -> Markup {
    let gaps = gaps.iter().filter(|g| g.touches(seal.pane.0, seal.end));
    let mut lines: Vec<_> = seal
        .missing
        .iter()
        .map(|agent| html! { code { (agent.digest().short()) } " was silent" })
        .collect();
    lines.extend(gaps.map(|gap| {
        html! {
            code { (gap.agent.digest().short()) } " "
            a href=(words::evidence(gap.record)) { (words::gap(&gap.reason)) }
        }
    }));
    html! {
        @if lines.is_empty() { span class="sub" { "none" } }
        @else { ul class="plain" { @for line in lines { li { (line) } } } }
    }
}

fn missing_table(system: &KnownSystem, page: &MissingPage, lacking: Lacking) -> Markup {
    html! {
        section aria-labelledby="missing" {
            h2 id="missing" { "Missing measurements" }
            @if page.items.is_empty() && page.next.is_none() {
                p { "Every window that ended has a value." }
            } @else {
                p class="sub" {
                    (words::count(lacking.missing)) " windows ended and have no value; pending ones still wait for labels. "
                    @if lacking.quiet > 0 {
                        (words::count(lacking.quiet)) " more had no traffic while the system was watched. "
                    }
                    a href={ "/v1/missing?system=" (system.id()) } { "All of them" }
                }
                div class="scroll" role="region" aria-label="Missing measurements" tabindex="0" {
                    table {
                        caption { "Windows without a value" }
                        thead { tr {
                            th scope="col" { "Objective" }
                            th scope="col" { "Window" }
                            th scope="col" { "Status" }
                            th scope="col" { "Why" }
                        } }
                        tbody {
                            @for m in &page.items {
                                tr {
                                    th scope="row" { (m.objective) " v" (m.version) }
                                    td class="t" { (words::time(m.start, system.pane())) " to " (words::time(m.end, system.pane())) }
                                    td { (match m.status { MissingStatus::Missing => "missing", MissingStatus::Pending => "labels pending", MissingStatus::NoTraffic => "no traffic" }) }
                                    td { (m.detail) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn about(system: &KnownSystem, kept: &SystemState) -> Markup {
    let about = &system.document.system;
    html! {
        section aria-labelledby="about" {
            h2 id="about" { "About the system" }
            dl class="about" {
                dt { "Owner" } dd { (about.owner) }
                @if let Some(class) = &about.risk_class { dt { "Risk class" } dd { (class) } }
                dt { "Models" } dd { @for model in &about.models { (model.name) " " } }
                dt { "Panes" } dd { (system.pane()) ", closed " (system.document.panes.lateness) " after their end" }
                dt { "Objectives file" } dd { a href={ "/v1/blobs/" (system.document_digest) } { code { (system.document_digest.short()) } } }
                dt { "Baseline" } dd { a href={ "/v1/blobs/" (system.baseline_digest) } { code { (system.baseline_digest.short()) } } }
                dt { "Agents" } dd {
                    ul class="plain" {
                        @for agent in &system.agents {
                            li {
                                code { (agent.digest().short()) } " "
                                @match kept.watermarks.get(agent) {
                                    Some(at) => { "closed up to " (words::time(*at, system.pane())) },
                                    None => "never heard",
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
