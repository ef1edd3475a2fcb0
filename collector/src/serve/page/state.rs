//! The six states for the eye: a word, a shape and a colour, each enough by itself.

use clause9_shared::verdict::VerdictState;
use maud::{Markup, html};

/// The word that people read.
pub(super) const fn word(state: VerdictState) -> &'static str {
    match state {
        VerdictState::Nonconforming => "Nonconforming",
        VerdictState::Warning => "Warning",
        VerdictState::Watch => "Watch",
        VerdictState::Conforming => "Conforming",
        VerdictState::Inconclusive => "Inconclusive",
        VerdictState::NoData => "No data",
    }
}

/// The state's shape around a centre, as part of an SVG.
pub(super) fn shape(state: VerdictState, x: f64, y: f64, r: f64) -> Markup {
    let class = format!("mark {}", state.as_str());
    let at = |dx: f64, dy: f64| format!("{:.1},{:.1}", x + dx * r, y + dy * r);
    match state {
        VerdictState::Nonconforming => html! {
            rect class=(class) x=(format!("{:.1}", x - 0.9 * r)) y=(format!("{:.1}", y - 0.9 * r))
                width=(format!("{:.1}", 1.8 * r)) height=(format!("{:.1}", 1.8 * r)) {}
        },
        VerdictState::Warning => html! {
            polygon class=(class) points=(format!("{} {} {}", at(0.0, -1.05), at(1.0, 0.85), at(-1.0, 0.85))) {}
        },
        VerdictState::Watch => html! {
            polygon class=(class)
                points=(format!("{} {} {} {}", at(0.0, -1.1), at(1.1, 0.0), at(0.0, 1.1), at(-1.1, 0.0))) {}
        },
        VerdictState::Conforming => html! {
            circle class=(class) cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r=(format!("{:.1}", 0.95 * r)) {}
        },
        VerdictState::Inconclusive => html! {
            circle class=(class) cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r=(format!("{:.1}", 0.8 * r)) {}
        },
        VerdictState::NoData => html! {
            line class=(class) x1=(format!("{:.1}", x - r)) x2=(format!("{:.1}", x + r))
                y1=(format!("{y:.1}")) y2=(format!("{y:.1}")) {}
        },
    }
}

/// Shape and word together.
pub(super) fn badge(state: VerdictState) -> Markup {
    html! {
        span class={ "badge " (state.as_str()) } {
            svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" { (shape(state, 8.0, 8.0, 6.0)) }
            (word(state))
        }
    }
}
