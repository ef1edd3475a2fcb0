//! The report as one page: no script, no network, light and dark, everything reachable by keyboard.

use std::collections::BTreeMap;

use clause9_shared::metric::{Finality, LabelAges, MetricId};
use clause9_shared::objective::document::Subject;
use clause9_shared::sketch::PaneSummary;
use maud::{DOCTYPE, Markup, PreEscaped, html};

mod late;
mod plots;
mod shapes;
mod svg;

use super::counting::Window;
use super::report::{Made, Report, Row, VerdictRow};
use super::text::subject;
use super::{Profiled, latest};
use svg::short;

const STYLE: &str = include_str!("style.css");
/// Most rows of the table of all values; the rest is in the JSON report.
const MOST_ROWS: usize = 4000;

/// What the page is drawn from.
struct Page<'a> {
    report: &'a Report,
    profiled: &'a Profiled,
    /// The way of cutting whose windows are drawn.
    cut: String,
    /// Names of its windows, in order.
    windows: Vec<String>,
    /// All of its windows together.
    traffic: PaneSummary,
    outcomes: PaneSummary,
    ages: LabelAges,
}

impl<'a> Page<'a> {
    fn new(profiled: &'a Profiled) -> Self {
        let report = &profiled.report;
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for window in &report.windows {
            *sizes.entry(&window.cut).or_default() += 1;
        }
        let first = report.windows.first().map_or("all", |w| w.cut.as_str());
        let several = report.windows.iter().map(|w| w.cut.as_str());
        let cut = several
            .into_iter()
            .find(|cut| sizes.get(cut).is_some_and(|n| *n > 1))
            .unwrap_or(first)
            .to_owned();
        let mine = |window: &&Window| window.windowing.to_string() == cut;
        let (mut traffic, mut outcomes) = (
            profiled.plan.empty_traffic(),
            profiled.plan.empty_outcomes(),
        );
        let mut ages = super::late::none(profiled.plan.document());
        for window in profiled.windows.iter().filter(mine) {
            ages.add(&window.ages);
            // Windows of one plan add up; a counter that overflows leaves the picture as it is.
            let _ = traffic.merge(&window.traffic);
            let _ = outcomes.merge(&window.outcomes);
        }
        Self {
            windows: report
                .windows
                .iter()
                .filter(|w| w.cut == cut)
                .map(|w| w.window.clone())
                .collect(),
            report,
            profiled,
            cut,
            traffic,
            outcomes,
            ages,
        }
    }

    /// A metric of a subject over the drawn windows.
    fn series(&self, metric: MetricId, of: &Subject) -> Vec<(usize, &'a Row)> {
        let rows = self.report.rows.iter();
        rows.filter(|row| row.metric == metric && row.subject == *of)
            .filter_map(|row| {
                let place = self.windows.iter().position(|w| *w == row.window)?;
                Some((place, row))
            })
            .collect()
    }
}

/// The page.
pub(crate) fn page(profiled: &Profiled) -> String {
    let page = Page::new(profiled);
    let report = page.report;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (report.current.name) " against " (report.reference.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "Skip to the report" }
                main id="main" {
                    (head(report))
                    (verdicts(&page))
                    (plots::performance(&page))
                    (late::arrival(&page))
                    (plots::groups(&page))
                    (plots::features(&page))
                    (values(report))
                    (origin(report))
                }
                footer {
                    "Measured by " (report.program) ". Distributions are drawn from counts, not from rows. "
                    "What each metric is and what it cannot tell: docs/metrics."
                }
            }
        }
    }
    .into_string()
}

fn head(report: &Report) -> Markup {
    let coverage = &report.coverage;
    html! {
        h1 { (report.current.name) " against " (report.reference.name) }
        p class="lead" {
            (report.objectives.title)
            @if report.objectives.inferred { ". What the columns are was inferred from data, and nothing was judged." }
        }
        dl class="figures" {
            div { dt { "Rows" } dd { (coverage.counted) } }
            div { dt { "Reference" } dd { (report.reference.rows) } }
            div { dt { "Windows" } dd { (report.windows.len()) } }
            div { dt { "With a label" } dd { (coverage.labelled) } }
            div { dt { "Refused" } dd { (coverage.refused) } }
        }
        @if coverage.refused > 0 {
            div class="notice" {
                p { (coverage.refused) " rows could not be read and are in no figure below." }
                ul { @for row in coverage.refused_rows.iter().take(8) { li { "line " (row.line) ": " (row.why) } } }
            }
        }
    }
}

fn verdicts(page: &Page<'_>) -> Markup {
    let report = page.report;
    let mut last: Vec<&VerdictRow> = latest(report).collect();
    if last.is_empty() && report.not_judged.is_empty() {
        return html! {};
    }
    last.sort_by_key(|v| v.state);
    html! {
        h2 { "Objectives" }
        p class="sub" { "The worst first. A nonconformity is a candidate until a person confirms it." }
        @for verdict in last {
            section class="card" {
                h3 { (verdict.objective) " " span class=(format!("badge {}", verdict.state.as_str())) {
                    (verdict.state.as_str().replace('_', " ")) } }
                p { (verdict.because) }
                @if verdict.finality == Some(Finality::Provisional) {
                    p class="sub" { "The last window's value is provisional: labels may still come." }
                }
                p class="sub" { (verdict.metric.spec().title) " of " (subject(&verdict.subject)) ", windows of "
                    (verdict.cut) ", evidence of grade " (format!("{:?}", verdict.grade)) }
                (plots::ledger(page, verdict))
            }
        }
        @for refused in &report.not_judged {
            section class="card" { h3 { (refused.objective) " " span class="badge no_data" { "not judged" } } p { (refused.why) } }
        }
    }
}

/// What is said beside a value.
fn note(row: &Row) -> String {
    let provisional = match row.finality {
        Some(Finality::Provisional) => Some("provisional"),
        Some(Finality::Final) | None => None,
    };
    let interval = match row.interval_from {
        Some(Made::Resampling) => Some("interval by resampling"),
        Some(Made::Formula) | None => None,
    };
    let without = row
        .no_interval
        .as_ref()
        .map(|why| format!("no interval: {why}"));
    let said = [
        row.undefined.as_deref(),
        provisional,
        interval,
        without.as_deref(),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn values(report: &Report) -> Markup {
    let number = |x: Option<f64>| x.map_or_else(String::new, short);
    let both = |ends: Option<[Option<f64>; 2]>| match ends {
        Some([low, high]) => format!("{} to {}", number(low), number(high)),
        None => String::new(),
    };
    html! {
        h2 { "Every value" }
        details {
            summary { "Show " (report.rows.len().min(MOST_ROWS)) " of " (report.rows.len()) " values" }
            @if report.resamples > 0 {
                p class="sub" { "An interval by resampling is of the counts of window and reference, " (report.resamples) " times: for the "
                    "figure without what chance adds to it, so that it may lie below the value." }
            }
            div class="scroll" tabindex="0" role="region" aria-label="Every value" {
                table {
                    thead { tr { th { "Window" } th { "Of" } th { "Metric" } th class="n" { "Value" } th class="n" { "95 % interval" }
                        th class="n" { "Bound" } th class="n" { "Cases" } th { "Grade" } th { "Note" } } }
                    tbody {
                        @for row in report.rows.iter().take(MOST_ROWS) {
                            tr { td { (row.window) } td { (subject(&row.subject)) } td { (row.metric.spec().name) }
                                td class="n" { (number(row.value)) } td class="n" { (both(row.interval)) }
                                td class="n" { (both(row.bound)) } td class="n" { (row.n.map_or_else(String::new, |n| n.to_string())) }
                                td { (format!("{:?}", row.grade)) } td { (note(row)) } }
                        }
                    }
                }
            }
        }
        @if !report.not_measured.is_empty() {
            details {
                summary { (report.not_measured.len()) " metrics were not measured" }
                table { tbody { @for item in &report.not_measured { tr { th scope="row" { (item.metric.spec().name) } td { (item.why) } } } } }
            }
        }
    }
}

fn origin(report: &Report) -> Markup {
    html! {
        h2 { "What was read" }
        div class="scroll" tabindex="0" role="region" aria-label="What was read" {
            table {
                tbody {
                    tr { th scope="row" { "Data" } td { (report.current.name) " " code { (report.current.digest) } } }
                    tr { th scope="row" { "Reference" } td { (report.reference.name) " " code { (report.reference.source) } } }
                    tr { th scope="row" { "Baseline" } td { code { (report.reference.baseline) } } }
                    tr { th scope="row" { "Objectives" } td { (report.objectives.name.as_deref().unwrap_or("inferred")) " "
                        code { (report.objectives.digest) } } }
                    @for column in &report.columns {
                        tr { th scope="row" { "Column " (column.name) @if column.of_labels { " of the labels" } }
                            td { @if column.taken_for.is_empty() { "not read" } @else { (column.taken_for.join(", ")) } } }
                    }
                }
            }
        }
        @for note in &report.notes { p class="sub" { (note) } }
    }
}
