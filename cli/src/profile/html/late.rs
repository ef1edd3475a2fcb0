//! How late labels come, as a plot.

use maud::{Markup, html};

use super::super::late::allowed;
use super::Page;
use super::svg::{Plot, short};

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;
/// Most points that carry an interval.
const MOST_INTERVALS: usize = 12;
const DAY: f64 = 86_400e6;

/// The unit in which ages are read best: a name and its microseconds.
fn unit(longest: f64) -> (&'static str, f64) {
    [
        ("days", DAY),
        ("hours", DAY / 24.0),
        ("minutes", DAY / 1440.0),
    ]
    .into_iter()
    .find(|(_, micros)| longest >= 3.0 * micros)
    .unwrap_or(("seconds", 1e6))
}

/// The curve of arrival over the drawn windows together.
pub(super) fn arrival(page: &Page<'_>) -> Markup {
    let curve = page.ages.curve();
    let Some((last, ..)) = curve.last().filter(|_| page.ages.labels() > 0) else {
        return html! {};
    };
    let (unit, micros) = unit(last.micros() as f64);
    let longest = last.micros() as f64 / micros;
    let mut plot = Plot::new(
        (0.0, longest.max(1e-9)),
        (0.0, 1.0),
        "Share of labels that has come, by age",
    );
    plot.y_ticks()
        .x_ticks()
        .x_title(&format!("age of the case in {unit}"));
    let mut steps = vec![(0.0, 0.0)];
    for (age, share, _) in &curve {
        let before = steps.last().map_or(0.0, |point| point.1);
        let x = age.micros() as f64 / micros;
        steps.extend([(x, before), (x, *share)]);
    }
    plot.line("isline", &steps);
    let every = curve.len().div_ceil(MOST_INTERVALS).max(1);
    for (age, share, error) in curve.iter().step_by(every) {
        let x = age.micros() as f64 / micros;
        let interval = ((share - Z * error).max(0.0), (share + Z * error).min(1.0));
        let title = format!("{} of labels by {} {unit}", short(*share), short(x));
        plot.value(x, *share, Some(interval), &title);
    }
    let by = |share: f64| page.ages.quantile(share);
    let said = |share: f64| {
        by(share).map_or_else(
            || "not yet".to_owned(),
            |(_, by)| format!("by {}", short(by.micros() as f64 / micros)),
        )
    };
    html! {
        h2 { "Labels" }
        section class="card" {
            div class="pair" {
                figure { (plot.finish()) figcaption {
                    "Share of labels that has come, by age, all windows of " (page.cut) " (Kaplan and Meier's estimate)" } }
                dl class="figures" {
                    div { dt { "Cases" } dd { (page.ages.cases()) } }
                    div { dt { "With a label" } dd { (page.ages.labels()) } }
                    div { dt { "Half of them, " (unit) } dd { (said(0.5)) } }
                    div { dt { "95 %, " (unit) } dd { (said(0.95)) } }
                    @if let Some(allowed) = allowed(page.profiled.plan.document()) {
                        div { dt { "Labels may take" } dd { (allowed) } }
                    }
                }
            }
        }
    }
}
