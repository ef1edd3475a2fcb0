//! The figures that people ask for first, in the report for people: how good, how fair, on how many cases.

use clause9_shared::metric::{Grade, MetricId};

use super::report::{Report, Row};
use super::text::subject;
use crate::terminal::Terminal;

/// Of all cases.
const OVERALL: [MetricId; 21] = [
    MetricId::Accuracy,
    MetricId::PostStratifiedAccuracy,
    MetricId::Precision,
    MetricId::Recall,
    MetricId::F1,
    MetricId::RocAuc,
    MetricId::LogLoss,
    MetricId::Brier,
    MetricId::Ece,
    MetricId::MulticlassAccuracy,
    MetricId::MacroF1,
    MetricId::RocAucOneAgainstRest,
    MetricId::MeanAbsoluteError,
    MetricId::RootMeanSquaredError,
    MetricId::Determination,
    MetricId::NdcgAtK,
    MetricId::PrecisionAtK,
    MetricId::ExpectedAccuracy,
    MetricId::ExpectedRocAuc,
    MetricId::LabelCoverage,
    MetricId::UnusableAnswerRate,
];
/// Of a group beside its attribute's reference group.
const GROUPS: [MetricId; 3] = [
    MetricId::DemographicParityDifference,
    MetricId::EqualOpportunityDifference,
    MetricId::MeanResidualDifference,
];
/// Most lines on groups.
const MOST_GROUPS: usize = 12;

/// Shows them for the last window of the first way of cutting, or the one before it while that has few rows.
pub(super) fn show(report: &Report, terminal: &mut Terminal) -> anyhow::Result<()> {
    let Some(cut) = report.windows.first().map(|w| &w.cut) else {
        return Ok(());
    };
    let mut newest = report.windows.iter().rev().filter(|w| w.cut == *cut);
    let Some(last) = newest.next() else {
        return Ok(());
    };
    // One that rows have only begun to fall into says little.
    let before = newest.next().filter(|before| last.rows < before.rows / 2);
    let window = before.unwrap_or(last).window.as_str();
    let of_window = || report.rows.iter().filter(|row| row.window == window);
    let overall = OVERALL.iter().flat_map(|metric| {
        of_window().filter(move |row| row.metric == *metric && row.subject.is_empty())
    });
    let groups = GROUPS
        .iter()
        .flat_map(|metric| of_window().filter(move |row| row.metric == *metric));
    // Where every case has its label, it says nothing more.
    let covered = of_window().any(|row| {
        row.metric == MetricId::LabelCoverage && row.value.is_some_and(|share| share >= 1.0)
    });
    let known = |row: &&Row| {
        row.value.is_some() && !(covered && row.metric == MetricId::PostStratifiedAccuracy)
    };
    let (overall, groups): (Vec<_>, Vec<_>) = (
        overall.filter(known).collect(),
        groups.filter(known).collect(),
    );
    if overall.is_empty() && groups.is_empty() {
        return Ok(());
    }
    let only = before.map_or_else(String::new, |_| {
        format!(" (the one after it has {} rows so far)", last.rows)
    });
    terminal.line(&format!("  in window {window}{only}:"))?;
    for row in overall {
        line(row, row.metric.spec().title, terminal)?;
    }
    let more = groups.len().saturating_sub(MOST_GROUPS);
    for row in groups.into_iter().take(MOST_GROUPS) {
        let title = row.metric.spec().title;
        line(
            row,
            &format!("{title}, {}", subject(&row.subject)),
            terminal,
        )?;
    }
    if more > 0 {
        terminal.line(&format!(
            "    and {more} more of groups: see --json, --csv or --html"
        ))?;
    }
    Ok(())
}

fn line(row: &Row, title: &str, terminal: &mut Terminal) -> anyhow::Result<()> {
    let interval = match row.interval {
        Some([Some(low), Some(high)]) => format!(" ({low:.4} to {high:.4})"),
        Some(_) | None => String::new(),
    };
    let value = row.value.unwrap_or_default();
    let grade = match row.grade {
        Grade::A | Grade::B => "",
        Grade::C => ", grade C: expected, not seen",
    };
    terminal.line(&format!(
        "    {title:44} {value:10.4}{interval} on {} cases{grade}",
        row.n.unwrap_or_default()
    ))?;
    Ok(())
}
