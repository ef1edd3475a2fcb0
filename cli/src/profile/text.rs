//! The report for people: a few lines, the worst first; and the values as CSV.

use std::fmt::Write as _;

use clause9_shared::ids::ObjectiveId;
use clause9_shared::metric::{Finality, MetricId};
use clause9_shared::objective::document::Subject;
use clause9_shared::verdict::VerdictState;

use super::report::{Report, Row, Together, VerdictRow};
use super::{headlines, latest};
use crate::terminal::Terminal;

/// Most lines of each kind.
const MOST: usize = 8;

/// Shows the report.
pub(crate) fn show(report: &Report, terminal: &mut Terminal) -> anyhow::Result<()> {
    let coverage = &report.coverage;
    let mut head = format!(
        "{} rows in {}, against {} rows of {}",
        coverage.counted,
        counted(report.windows.len(), "window"),
        report.reference.rows,
        report.reference.name,
    );
    if coverage.labelled > 0 {
        let _ = write!(head, "; {} with a label", coverage.labelled);
    }
    let waiting = report.windows.iter();
    let waiting = waiting.filter(|w| w.finality == Some(Finality::Provisional));
    let waiting = waiting.count();
    if waiting > 0 {
        let _ = write!(head, " ({} provisional)", counted(waiting, "window"));
    }
    let _ = write!(head, "; {} measured", counted(report.rows.len(), "value"));
    terminal.good(&report.current.name, "profiled", &head)?;
    refused(report, terminal)?;
    verdicts(report, terminal)?;
    headlines::show(report, terminal)?;
    moved(report, terminal)?;
    for note in &report.notes {
        terminal.note(note)?;
    }
    Ok(())
}

fn refused(report: &Report, terminal: &mut Terminal) -> anyhow::Result<()> {
    let coverage = &report.coverage;
    if coverage.refused == 0 {
        return Ok(());
    }
    terminal.line(&format!(
        "{} could not be read:",
        counted_u64(coverage.refused, "row")
    ))?;
    for row in coverage.refused_rows.iter().take(MOST) {
        terminal.line(&format!(
            "  {}:{}: {}",
            report.current.name, row.line, row.why
        ))?;
    }
    let more = coverage.refused.saturating_sub(MOST as u64);
    if more > 0 {
        terminal.line(&format!("  and {more} more"))?;
    }
    Ok(())
}

fn verdicts(report: &Report, terminal: &mut Terminal) -> anyhow::Result<()> {
    let mut last: Vec<&VerdictRow> = latest(report).collect();
    last.sort_by_key(|v| v.state);
    for verdict in last {
        let line = format!(
            "  {:14} {} (windows of {}): {}",
            verdict.state.as_str().replace('_', " "),
            verdict.objective,
            verdict.cut,
            verdict.because
        );
        terminal.line(&line)?;
    }
    for family in &report.together {
        terminal.line(&together(family))?;
    }
    for detected in report
        .detectors
        .iter()
        .filter(|d| d.drifts + d.warnings > 0)
    {
        terminal.line(&format!(
            "  detector       {} on {}: drift {} times, a warning {} times in {} values (no evidence: it depends on the order of rows)",
            detected.detector, detected.stream, detected.drifts, detected.warnings, detected.values
        ))?;
    }
    for refused in &report.not_judged {
        terminal.line(&format!(
            "  not judged     {}: {}",
            refused.objective, refused.why
        ))?;
    }
    let judged = |state: VerdictState| latest(report).filter(move |v| v.state == state).count();
    if report.verdicts.is_empty() && report.not_judged.is_empty() {
        terminal.line("  no objective is in force in these windows: nothing was judged")?;
    } else if judged(VerdictState::Nonconforming) > 0 {
        terminal.line("  a nonconformity is a candidate until a person confirms it")?;
    }
    Ok(())
}

/// Several features' ledgers in a sentence.
fn together(family: &Together) -> String {
    let broken: Vec<&str> = family.broken.iter().map(ObjectiveId::as_str).collect();
    let found = if broken.is_empty() {
        "none stands out".to_owned()
    } else {
        format!(
            "broken: {} (at most {} of those named falsely, on average)",
            broken.join(", "),
            family.alpha
        )
    };
    format!(
        "  together       {} objectives on {} (windows of {}): {found}",
        family.objectives.len(),
        family.metric.spec().name,
        family.cut
    )
}

/// The features that moved most, by the population stability index of their worst window.
fn moved(report: &Report, terminal: &mut Terminal) -> anyhow::Result<()> {
    let mut worst: Vec<&Row> = Vec::new();
    for row in report
        .rows
        .iter()
        .filter(|r| r.metric == MetricId::Psi && r.value.is_some())
    {
        match worst.iter_mut().find(|w| w.subject == row.subject) {
            Some(known) if surely(known) < surely(row) => *known = row,
            Some(_) => {}
            None => worst.push(row),
        }
    }
    worst.sort_by(|a, b| surely(b).total_cmp(&surely(a)));
    if worst.is_empty() {
        return Ok(());
    }
    terminal.line(
        "  moved most against the reference (population stability index in the worst window):",
    )?;
    for row in worst.iter().take(MOST) {
        let interval = match row.interval {
            Some([Some(low), Some(high)]) => format!(" ({low:.3} to {high:.3})"),
            Some(_) | None => String::new(),
        };
        terminal.line(&format!(
            "    {:30} {:7.3}{interval} in {}",
            subject(&row.subject),
            row.value.unwrap_or(0.0),
            row.window
        ))?;
    }
    Ok(())
}

/// How far a feature moved at least: a small window's large value is mostly chance.
fn surely(row: &Row) -> f64 {
    let low = row.interval.and_then(|[low, _]| low);
    low.or(row.value).unwrap_or(0.0) + row.value.unwrap_or(0.0).min(1.0) * 1e-6
}

/// A subject in a few words.
pub(crate) fn subject(of: &Subject) -> String {
    let mut words = Vec::new();
    words.extend(of.feature.as_ref().map(ToString::to_string));
    words.extend(of.attribute.as_ref().map(ToString::to_string));
    words.extend(of.group.clone());
    words.extend(of.class.clone());
    if words.is_empty() {
        "all cases".to_owned()
    } else {
        words.join(" ")
    }
}

fn counted(n: usize, what: &str) -> String {
    counted_u64(n as u64, what)
}

fn counted_u64(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The measured values as CSV, one line each.
pub(crate) fn csv(report: &Report) -> anyhow::Result<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "window",
        "start",
        "end",
        "feature",
        "attribute",
        "group",
        "class",
        "metric",
        "value",
        "interval_low",
        "interval_high",
        "bound_low",
        "bound_high",
        "n",
        "grade",
        "unit",
        "undefined",
        "finality",
        "interval_from",
        "no_interval",
    ])?;
    for row in &report.rows {
        let number = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
        let end = |ends: Option<[Option<f64>; 2]>, i: usize| number(ends.and_then(|e| e[i]));
        let time = |t: Option<clause9_shared::time::Timestamp>| {
            t.map_or_else(String::new, |t| t.to_string())
        };
        let name = |n: Option<String>| n.unwrap_or_default();
        out.write_record([
            row.window.clone(),
            time(row.start),
            time(row.end),
            name(row.subject.feature.as_ref().map(ToString::to_string)),
            name(row.subject.attribute.as_ref().map(ToString::to_string)),
            name(row.subject.group.clone()),
            name(row.subject.class.clone()),
            row.metric.spec().name.to_owned(),
            number(row.value),
            end(row.interval, 0),
            end(row.interval, 1),
            end(row.bound, 0),
            end(row.bound, 1),
            row.n.map_or_else(String::new, |n| n.to_string()),
            format!("{:?}", row.grade),
            row.unit.clone(),
            name(row.undefined.clone()),
            name(row.finality.map(|f| f.as_str().to_owned())),
            name(row.interval_from.map(|made| made.as_str().to_owned())),
            name(row.no_interval.clone()),
        ])?;
    }
    Ok(String::from_utf8(out.into_inner()?)?)
}
