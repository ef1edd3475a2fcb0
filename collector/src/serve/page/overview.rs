//! `/`: every system in one table.

use clause9_shared::time::Clock;
use clause9_shared::verdict::VerdictState;
use maud::{Markup, html};

use super::super::{ApiError, Shared, view};
use super::{document, state, words};
use crate::known::KnownSystem;
use crate::store::ReadStore;

pub(super) fn page(shared: &Shared, read: &ReadStore<'_>) -> Result<Markup, ApiError> {
    let rows = shared
        .known
        .systems()
        .map(|system| row(shared, read, system))
        .collect::<Result<Vec<_>, _>>()?;
    let body = html! {
        h1 { "AI systems" }
        div class="scroll" role="region" aria-label="AI systems" tabindex="0" {
            table {
                caption { "What is monitored, and how its objectives stand" }
                thead {
                    tr {
                        th scope="col" { "System" }
                        th scope="col" { "Objectives" }
                        th scope="col" class="n" { "Candidates" }
                        th scope="col" class="n" { "Missing" }
                        th scope="col" { "Sealed until" }
                        th scope="col" { "Clock" }
                    }
                }
                tbody { @for row in rows { (row) } }
            }
        }
    };
    Ok(document("AI systems", &body))
}

fn row(shared: &Shared, read: &ReadStore<'_>, system: &KnownSystem) -> Result<Markup, ApiError> {
    let kept = read.system_state(system.id())?;
    let wall = shared.clock.now();
    let now = view::system_now(system, &kept, wall);
    let views = view::objectives(read, system, now)?;
    let count = |wanted: VerdictState| {
        views
            .iter()
            .filter_map(|v| v.standing.as_ref()?.last.as_ref())
            .filter(|verdict| verdict.state == wanted)
            .count()
    };
    let candidates = views
        .iter()
        .filter(|v| v.standing.as_ref().is_some_and(|s| s.candidate.is_some()))
        .count();
    let missing = view::lacking(read, system, &kept, wall)?.missing;
    Ok(html! {
        tr {
            th scope="row" {
                a href={ "/systems/" (system.id()) } { (system.document.system.name) }
                div class="sub" { (system.id()) }
            }
            td {
                ul class="states" {
                    @for s in VerdictState::ALL {
                        @let n = count(s);
                        @if n > 0 { li { (state::badge(s)) " " (n) } }
                    }
                    @if views.iter().all(|v| v.standing.is_none()) { li class="sub" { "nothing judged yet" } }
                }
            }
            td class="n" { (candidates) }
            td class="n" { (words::count(missing)) }
            td class="t" {
                @match kept.last_sealed {
                    Some(pane) => (words::time(pane.end(system.pane()), system.pane())),
                    None => "nothing yet",
                }
            }
            td { (clock(kept.clock)) }
        }
    })
}

/// The system's clock; replayed time is said loudly.
pub(super) fn clock(clock: Option<Clock>) -> Markup {
    html! {
        @match clock {
            Some(Clock::Replay) => { strong class="replay" { "REPLAY" } }
            Some(Clock::Live) => { "live" }
            None => { span class="sub" { "not heard yet" } }
        }
    }
}
