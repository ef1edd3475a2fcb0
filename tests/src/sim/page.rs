//! One page with everything: plots as inline SVG, figures as tables, no network, light and dark.

use std::fmt::Write as _;

use super::Report;
use super::table::{Cell, Kind, Table};

/// Width of the rules' names, of a panel and of the space between panels.
const NAMES: f64 = 310.0;
const PANEL: f64 = 104.0;
const SPACE: f64 = 16.0;
/// Height of a row and of the heads of panels.
const ROW: f64 = 22.0;
const HEAD: f64 = 46.0;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee6; --paper: #ffffff;
  --ours: #1f5fbf; --peer: #8a6d3b; --bad: #b3402e; --band: #f3f6fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --soft: #a3aebd; --line: #37414f;
  --paper: #14181e; --ours: #79aaff; --peer: #cfae74; --bad: #f08a76; --band: #1c222b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 78rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 52rem; } p.soft, span.soft { color: var(--soft); font-size: .92rem; }
ul { padding-left: 1.1rem; max-width: 60rem; } li { margin: .25rem 0; }
.wide { overflow-x: auto; } svg { display: block; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg text.soft { fill: var(--soft); font-size: 11px; } svg .strong { font-weight: 650; } svg .grid { stroke: var(--line); }
svg .ours { fill: var(--ours); stroke: var(--ours); } svg .peer { fill: var(--peer); stroke: var(--peer); }
svg .hollow { fill: var(--paper); stroke: var(--peer); stroke-width: 1.5; } svg .band { fill: var(--band); }
svg .frame { fill: none; stroke: var(--line); } svg .late { fill: var(--soft); }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--soft); }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tr.ours td { font-weight: 650; }
code { font: .9em ui-monospace, monospace; }
";

/// The page of a report.
pub fn html(report: &Report) -> String {
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.push_str("<title>clause9: alarms without cause, and with it</title><style>");
    page.push_str(STYLE);
    page.push_str("</style></head><body>\n<h1>Alarms without cause, and with it</h1>\n");
    page.push_str(
        "<p>Each rule watches the same windows. Where nothing is wrong, the bars show in how many \
         runs of 1,000 windows it cried at least once. Where something is wrong, the marks show after \
         how many windows it cried: the median of the runs, and a line to the 90 % point. Rules of \
         clause9 are filled and blue, the others hollow.</p>\n<ul>\n",
    );
    for claim in &report.claims {
        let mark = if claim.holds { "Shown" } else { "Not shown" };
        let _ = writeln!(
            page,
            "<li><strong>{mark}.</strong> {} <span class=\"soft\">{}.</span></li>",
            escaped(&claim.says),
            escaped(&claim.found)
        );
    }
    page.push_str("</ul>\n");
    for table in &report.tables {
        section(&mut page, table);
    }
    let _ = write!(
        page,
        "<p class=\"soft\">Made by <code>{}</code>; the same seeds give the same figures.</p>\n</body></html>\n",
        escaped(&report.command)
    );
    page
}

fn section(page: &mut String, table: &Table) {
    let _ = write!(
        page,
        "<section id=\"{}\"><h2>{}</h2>\n<p class=\"soft\">{}</p>\n<div class=\"wide\">",
        table.id,
        escaped(&table.title),
        escaped(&table.setting)
    );
    plot(page, table);
    page.push_str("</div>\n<details><summary>The figures: alarms in 1,000 windows, share of runs with any; windows to the alarm, median [90 %]</summary>\n<div class=\"wide\"><table><tr><th>rule</th>");
    for scenario in &table.scenarios {
        let _ = write!(page, "<th>{}</th>", escaped(&scenario.name));
    }
    page.push_str("</tr>\n");
    for row in &table.rows {
        let class = if row.ours { " class=\"ours\"" } else { "" };
        let _ = write!(page, "<tr{class}><td>{}</td>", escaped(&row.rule));
        for cell in &row.cells {
            let _ = write!(page, "<td>{cell}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div></details></section>\n");
}

fn plot(page: &mut String, table: &Table) {
    let panels = table.scenarios.len() as f64;
    let width = NAMES + panels * (PANEL + SPACE) + 30.0;
    let height = HEAD + table.rows.len() as f64 * ROW + 34.0;
    let _ = write!(
        page,
        "<svg role=\"img\" aria-label=\"{}\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">",
        escaped(&table.title)
    );
    for (index, row) in table.rows.iter().enumerate() {
        let top = HEAD + index as f64 * ROW;
        if index % 2 == 0 {
            let _ = write!(
                page,
                "<rect class=\"band\" x=\"0\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{ROW:.1}\"/>"
            );
        }
        let class = if row.ours { " class=\"strong\"" } else { "" };
        let _ = write!(
            page,
            "<text{class} x=\"4\" y=\"{:.1}\">{}</text>",
            top + 15.0,
            escaped(&row.rule)
        );
    }
    for (index, scenario) in table.scenarios.iter().enumerate() {
        let left = NAMES + index as f64 * (PANEL + SPACE);
        let longest = longest(table, index);
        axis(
            page,
            left,
            table.rows.len() as f64 * ROW,
            scenario.kind,
            longest,
        );
        let _ = write!(
            page,
            "<text class=\"strong\" x=\"{left:.1}\" y=\"14\">{}</text><text class=\"soft\" x=\"{left:.1}\" y=\"30\">{}</text>",
            escaped(&scenario.name),
            match scenario.kind {
                Kind::Null => "any false alarm",
                Kind::Change => "windows to alarm",
            }
        );
        for (at, row) in table.rows.iter().enumerate() {
            if let Some(cell) = row.cells.get(index) {
                let middle = HEAD + (at as f64 + 0.5) * ROW;
                mark(page, (left, middle), *cell, row.ours, longest);
            }
        }
    }
    page.push_str("</svg>");
}

/// Windows in a run of a scenario.
fn longest(table: &Table, scenario: usize) -> u32 {
    let cells = table.rows.iter().filter_map(|row| row.cells.get(scenario));
    let lengths = cells.map(|cell| match cell {
        Cell::Delay { of, .. } => *of,
        Cell::False { .. } => 0,
    });
    lengths.max().unwrap_or(0)
}

/// Where a delay stands in a panel; beyond the run's end stands at its right edge.
fn place(delay: Option<u32>, longest: u32) -> f64 {
    let end = libm::log(f64::from(longest.max(2)));
    let at = delay.map_or(1.0, |delay| libm::log(f64::from(delay.max(1))) / end);
    at * (PANEL - 14.0) + 4.0
}

fn axis(page: &mut String, left: f64, height: f64, kind: Kind, longest: u32) {
    let _ = write!(
        page,
        "<rect class=\"frame\" x=\"{left:.1}\" y=\"{HEAD:.1}\" width=\"{PANEL:.1}\" height=\"{height:.1}\"/>"
    );
    let ticks: Vec<(f64, String)> = match kind {
        Kind::Null => [0.0, 0.5, 1.0]
            .iter()
            .map(|share| (share * PANEL, format!("{:.0} %", share * 100.0)))
            .collect(),
        Kind::Change => [1, 10, 100]
            .iter()
            .filter(|delay| **delay <= longest)
            .map(|delay| (place(Some(*delay), longest), delay.to_string()))
            .chain([(place(None, longest), format!(">{longest}"))])
            .collect(),
    };
    let bottom = HEAD + height;
    let last = ticks.len().saturating_sub(1);
    let mut before = f64::NEG_INFINITY;
    for (index, (x, text)) in ticks.into_iter().enumerate() {
        let x = left + x;
        let _ = write!(
            page,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{HEAD:.1}\" y2=\"{bottom:.1}\"/>"
        );
        // The outer labels stay within their panel.
        let anchor = match index {
            0 => "start",
            _ if index == last => "end",
            _ => "middle",
        };
        if x - before > 24.0 {
            let _ = write!(
                page,
                "<text class=\"soft\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 15.0,
                escaped(&text)
            );
            before = x;
        }
    }
}

fn mark(page: &mut String, (left, middle): (f64, f64), cell: Cell, ours: bool, longest: u32) {
    let class = if ours { "ours" } else { "peer" };
    match cell {
        Cell::False {
            per_thousand,
            any,
            runs,
        } => {
            let width = (any * PANEL).max(1.5);
            let _ = write!(
                page,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"9\"><title>{any:.3} of {runs} runs, {per_thousand:.2} alarms in 1,000 windows</title></rect>",
                middle - 4.5
            );
        }
        Cell::Delay {
            median, p90, runs, ..
        } => {
            let (x, end) = (left + place(median, longest), left + place(p90, longest));
            let _ = write!(
                page,
                "<line class=\"{class}\" stroke-width=\"2\" x1=\"{x:.1}\" x2=\"{end:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>"
            );
            let shape = if ours { "ours" } else { "hollow" };
            let _ = write!(
                page,
                "<circle class=\"{shape}\" cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4.5\"><title>{cell}, {runs} runs</title></circle>"
            );
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The tables for a terminal.
pub fn text(table: &Table) -> String {
    let mut out = format!("== {}\n{:46}", table.title, "");
    for scenario in &table.scenarios {
        let _ = write!(out, "{:>18}", scenario.name);
    }
    out.push('\n');
    for row in &table.rows {
        let _ = write!(out, "{:46}", row.rule);
        for cell in &row.cells {
            let _ = write!(out, "{:>18}", cell.to_string());
        }
        out.push('\n');
    }
    out
}
