//! The figures that people ask for first, in the report for people: how good, how fair, on how many cases.

use std::collections::BTreeMap;

use clause9_shared::fairness::shrink;
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
    let groups = if more > 0 {
        farthest_first(groups, &of_window().collect::<Vec<_>>())
    } else {
        groups
    };
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
            "    and {more} more of groups, less far from the others: see --json, --csv or --html"
        ))?;
    }
    Ok(())
}

/// Those of groups first whose share of positive decisions is farthest from their siblings', small groups'
/// shares drawn towards them: of many groups the smallest ones look oddest by chance alone.
fn farthest_first<'r>(mut groups: Vec<&'r Row>, all: &[&'r Row]) -> Vec<&'r Row> {
    let rates = all
        .iter()
        .filter(|r| r.metric == MetricId::GroupSelectionRate);
    let mut by_attribute: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (row, (value, n)) in rates.filter_map(|r| Some((r, r.value.zip(r.n)?))) {
        let siblings = by_attribute.entry(row.subject.attribute.clone());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count"
        )]
        let hits = (value * n as f64).round() as u64;
        siblings
            .or_default()
            .push((row.subject.group.clone(), (hits, n)));
    }
    let mut apart = BTreeMap::new();
    for (attribute, siblings) in by_attribute {
        let counts: Vec<_> = siblings.iter().map(|(_, counts)| *counts).collect();
        let shrunk = shrink(&counts).unwrap_or_default();
        let mean = shrunk.iter().map(|s| s.mean).sum::<f64>() / shrunk.len().max(1) as f64;
        for ((group, _), own) in siblings.into_iter().zip(shrunk) {
            apart.insert((attribute.clone(), group), (own.mean - mean).abs());
        }
    }
    let far = |row: &Row| {
        let place = (row.subject.attribute.clone(), row.subject.group.clone());
        apart.get(&place).copied().unwrap_or_default()
    };
    groups.sort_by(|a, b| far(b).total_cmp(&far(a)));
    groups
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(metric: MetricId, group: &str, value: f64, n: u64) -> Row {
        serde_json::from_value(json!({
            "window": "all", "start": null, "end": null, "subject": { "attribute": "city", "group": group }, "metric": metric,
            "value": value, "n": n, "grade": "A", "unit": "1", "interval": null, "interval_from": null,
            "no_interval": "none here", "bound": null, "undefined": null, "finality": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_large_group_that_fares_otherwise_comes_before_small_ones_that_do_by_chance() {
        let rate = MetricId::GroupSelectionRate;
        let mut all: Vec<Row> = (0..20)
            .map(|i| row(rate, &format!("usual {i}"), 0.5, 2000))
            .collect();
        all.push(row(rate, "small", 1.0, 3));
        all.push(row(rate, "large", 0.3, 5000));
        let difference = MetricId::DemographicParityDifference;
        let shown = ["usual 1", "small", "large"].map(|group| row(difference, group, 0.0, 10));
        let ranked = farthest_first(shown.iter().collect(), &all.iter().collect::<Vec<_>>());
        let groups: Vec<_> = ranked
            .iter()
            .map(|r| r.subject.group.clone().unwrap())
            .collect();
        assert_eq!(groups, ["large", "small", "usual 1"]);
    }
}
