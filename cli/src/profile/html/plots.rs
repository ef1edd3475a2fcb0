//! The page's plots.

use clause9_shared::metric::{Finality, MetricId, Needs, SampleKind, StreamKind};
use clause9_shared::objective::document::Subject;
use maud::{Markup, html};

use super::super::report::{Ends, Row, VerdictRow};
use super::super::text::subject;
use super::Page;
use super::shapes::{self, Compared};
use super::svg::{Plot, short};

/// Most features that are drawn, the ones that moved most first.
const MOST_FEATURES: usize = 60;

/// A window's name as short as a scale needs it.
fn window_name(name: &str) -> String {
    let name = name.strip_prefix("period:").unwrap_or(name);
    let name = name.strip_prefix("from:").unwrap_or(name);
    name.strip_suffix("T00:00:00Z").unwrap_or(name).to_owned()
}

fn finite(ends: Option<Ends>) -> Option<(f64, f64)> {
    match ends {
        Some([Some(low), Some(high)]) => Some((low, high)),
        Some(_) | None => None,
    }
}

/// The range of values and intervals, and of levels among them; from zero if nothing is below it.
fn range(rows: &[(usize, &Row)], levels: &[f64]) -> (f64, f64) {
    let ends = rows.iter().filter_map(|(_, row)| finite(row.interval));
    let values = rows.iter().filter_map(|(_, row)| row.value);
    let all = ends
        .flat_map(|(a, b)| [a, b])
        .chain(values)
        .chain(levels.iter().copied());
    let all: Vec<f64> = all.filter(|x| x.is_finite()).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, 1.0);
    }
    let room = (high - low).max(1e-9) * 0.08;
    let near_zero = low >= 0.0 && low < 0.5 * high;
    (if near_zero { 0.0 } else { low - room }, high + room)
}

/// A metric over the windows, with an action level if there is one.
fn over_windows(page: &Page<'_>, metric: MetricId, of: &Subject) -> Markup {
    let rows = page.series(metric, of);
    if rows.iter().all(|(_, row)| row.value.is_none()) {
        return html! {};
    }
    let objectives = &page.profiled.plan.document().objectives;
    let level = objectives
        .iter()
        .rev()
        .find(|o| o.metric == metric && o.of == *of)
        .map(|o| o.levels.action);
    let title = metric.spec().title;
    let last = page.windows.len().max(1) as f64;
    let mut plot = Plot::new(
        (-0.5, last - 0.5),
        range(&rows, &level.into_iter().collect::<Vec<_>>()),
        &format!("{title} of {} over the windows", subject(of)),
    );
    let names: Vec<_> = page
        .windows
        .iter()
        .enumerate()
        .map(|(i, name)| (i as f64, window_name(name)))
        .collect();
    plot.y_ticks().x_names(&names);
    if let Some(level) = level {
        plot.level("action", level, &format!("action level {}", short(level)));
    }
    let points: Vec<_> = rows
        .iter()
        .filter_map(|(i, row)| Some((*i as f64, row.value?)))
        .collect();
    plot.line("trend", &points);
    for (i, row) in &rows {
        if let Some(value) = row.value {
            let mut title = format!(
                "{}: {} on {} cases",
                row.window,
                short(value),
                row.n.unwrap_or(0)
            );
            if row.finality == Some(Finality::Provisional) {
                title.push_str(", provisional");
            }
            plot.value(*i as f64, value, finite(row.interval), &title);
        }
    }
    html! { figure { (plot.finish()) figcaption { (title) " by window, with 95 % intervals" } } }
}

/// Metrics of all cases: over the windows, with calibration and the ROC curve.
pub(super) fn performance(page: &Page<'_>) -> Markup {
    let everyone = Subject::default();
    let shown = MetricId::ALL.iter().copied().filter(|m| {
        let spec = m.spec();
        let of_outcomes = match spec.stream {
            StreamKind::Outcomes => true,
            StreamKind::Traffic | StreamKind::ByAttribute => false,
        };
        let judged = spec.sample != SampleKind::Unjudged;
        spec.needs == Needs::Nothing && of_outcomes && judged
    });
    let trends: Vec<Markup> = shown
        .map(|metric| over_windows(page, metric, &everyone))
        .filter(|m| !m.0.is_empty())
        .collect();
    let cells = shapes::scores(&page.outcomes);
    let calibration = cells
        .map(shapes::calibration)
        .filter(|bins| !bins.is_empty());
    let roc = cells.and_then(shapes::roc);
    if trends.is_empty() && calibration.is_none() && roc.is_none() {
        return html! {};
    }
    html! {
        h2 { "Performance" }
        section class="card" {
            div class="pair" {
                @if let Some(points) = roc { (roc_plot(&points)) }
                @if let Some(bins) = calibration { (calibration_plot(&bins)) }
                @for trend in trends.iter().take(4) { (trend) }
            }
            @if trends.len() > 4 {
                details { summary { (trends.len() - 4) " more metrics" }
                    div class="pair" { @for trend in trends.iter().skip(4) { (trend) } } }
            }
        }
    }
}

fn roc_plot(points: &[(f64, f64)]) -> Markup {
    let mut plot = Plot::new((0.0, 1.0), (0.0, 1.0), "ROC curve");
    plot.y_ticks().x_ticks().x_title("share of negatives above");
    plot.line("ideal", &[(0.0, 0.0), (1.0, 1.0)])
        .line("isline", points);
    html! { figure { (plot.finish()) figcaption { "ROC curve: share of positives above each score" } } }
}

fn calibration_plot(bins: &[(f64, f64, u64)]) -> Markup {
    let mut plot = Plot::new((0.0, 1.0), (0.0, 1.0), "Calibration");
    plot.y_ticks().x_ticks().x_title("mean score");
    plot.line("ideal", &[(0.0, 0.0), (1.0, 1.0)]);
    let points: Vec<_> = bins
        .iter()
        .map(|(score, share, _)| (*score, *share))
        .collect();
    plot.line("trend", &points);
    for (score, share, n) in bins {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of at most n cases"
        )]
        let hits = (share * *n as f64).round() as u64;
        let interval = clause9_shared::interval::wilson(hits, *n);
        let title = format!(
            "score {}: {} positive of {n} cases",
            short(*score),
            short(*share)
        );
        plot.value(*score, *share, interval, &title);
    }
    html! { figure { (plot.finish()) figcaption { "Calibration: share of positives by tenths of the score" } } }
}

/// Metrics of attributes' groups, with their intervals, in the last window.
pub(super) fn groups(page: &Page<'_>) -> Markup {
    let Some(last) = page.windows.last() else {
        return html! {};
    };
    let rows: Vec<&Row> = page
        .report
        .rows
        .iter()
        .filter(|r| r.subject.attribute.is_some() && r.window == *last && r.value.is_some())
        .collect();
    let metrics: Vec<MetricId> = MetricId::ALL
        .iter()
        .copied()
        .filter(|m| m.spec().sample != SampleKind::Unjudged)
        .filter(|m| rows.iter().any(|r| r.metric == *m))
        .collect();
    if metrics.is_empty() {
        return html! {};
    }
    let plots: Vec<Markup> = metrics.iter().map(|m| group_plot(*m, &rows)).collect();
    html! {
        h2 { "Groups" }
        p class="sub" { "In window " (last) ", each group against its reference group, with 95 % intervals." }
        section class="card" {
            div class="pair" { @for plot in plots.iter().take(6) { (plot) } }
            @if plots.len() > 6 {
                details { summary { (plots.len() - 6) " more metrics" }
                    div class="pair" { @for plot in plots.iter().skip(6) { (plot) } } }
            }
        }
    }
}

fn group_plot(metric: MetricId, rows: &[&Row]) -> Markup {
    let mine: Vec<(usize, &Row)> = rows
        .iter()
        .copied()
        .filter(|r| r.metric == metric)
        .enumerate()
        .collect();
    let title = metric.spec().title;
    let mut plot = Plot::new((-0.5, mine.len() as f64 - 0.5), range(&mine, &[]), title);
    let names: Vec<_> = mine
        .iter()
        .map(|(i, row)| {
            let of = &row.subject;
            let name = of
                .group
                .clone()
                .or_else(|| of.attribute.as_ref().map(ToString::to_string));
            let name = name.unwrap_or_default();
            let name = match &of.class {
                Some(class) => format!("{class}: {name}"),
                None => name,
            };
            (*i as f64, name)
        })
        .collect();
    plot.y_ticks().x_names_staggered(&names);
    for (i, row) in &mine {
        let value = row.value.unwrap_or_default();
        let title = format!(
            "{}: {} on {} cases",
            subject(&row.subject),
            short(value),
            row.n.unwrap_or(0)
        );
        plot.value(*i as f64, value, finite(row.interval), &title);
    }
    html! { figure { (plot.finish()) figcaption { (title) } } }
}

/// Each feature's distribution against the reference, and its drift over the windows.
pub(super) fn features(page: &Page<'_>) -> Markup {
    let plan = &page.profiled.plan;
    let of = |feature: &clause9_shared::objective::Feature| Subject {
        feature: Some(feature.name.clone()),
        ..Subject::default()
    };
    let worst = |subject: &Subject| {
        let rows = page.series(MetricId::Psi, subject);
        let values = rows.iter().filter_map(|(_, row)| row.value);
        values.fold(f64::NEG_INFINITY, f64::max)
    };
    let mut features: Vec<_> = plan
        .document()
        .features
        .iter()
        .map(|feature| (worst(&of(feature)), feature))
        .collect();
    features.sort_by(|a, b| b.0.total_cmp(&a.0));
    html! {
        h2 { "Inputs" }
        p class="sub" { "Those that moved most first."
            span class="key then" {} "reference" span class="key now" {} "now, all windows of " (page.cut) }
        @for (_, feature) in features.iter().take(MOST_FEATURES) {
            section class="card" {
                h3 { (feature.name) }
                div class="pair" {
                    @if let Some(law) = plan.baseline().features.get(&feature.name) {
                        @if let Some(compared) = shapes::compared(&feature.name, law, &page.traffic) {
                            (distribution(feature.name.as_str(), &compared))
                        }
                    }
                    (over_windows(page, MetricId::Psi, &of(feature)))
                }
            }
        }
        @if features.len() > MOST_FEATURES {
            p class="sub" { "The other " (features.len() - MOST_FEATURES) " are in the table below." }
        }
    }
}

fn distribution(name: &str, compared: &Compared) -> Markup {
    let bins = &compared.bins;
    let highest = bins
        .iter()
        .map(|b| b.reference.max(b.current))
        .fold(0.0, f64::max);
    let low = bins.first().map_or(0.0, |b| b.low);
    let high = bins.last().map_or(1.0, |b| b.high);
    let mut plot = Plot::new(
        (low, high),
        (0.0, (highest * 1.08).max(1e-6)),
        &format!("Distribution of {name} in the reference and now"),
    );
    plot.y_ticks();
    if compared.numeric {
        plot.x_ticks();
    } else {
        let names: Vec<_> = bins
            .iter()
            .map(|b| (f64::midpoint(b.low, b.high), b.name.clone()))
            .collect();
        plot.x_names(&names);
    }
    for bin in bins {
        let title = format!(
            "{}: {} then, {} now",
            bin.name,
            short(bin.reference),
            short(bin.current)
        );
        let gap = (bin.high - bin.low) * if compared.numeric { 0.0 } else { 0.1 };
        let middle = f64::midpoint(bin.low, bin.high);
        let (then, now) = if compared.numeric {
            ((bin.low, bin.high), (bin.low, bin.high))
        } else {
            ((bin.low + gap, middle), (middle, bin.high - gap))
        };
        plot.bar("was", then, bin.reference, &title);
        plot.bar("is", now, bin.current, &title);
    }
    html! { figure { (plot.finish()) figcaption { "Share of rows" } } }
}

/// An objective's evidence over the windows, against its two thresholds.
pub(super) fn ledger(page: &Page<'_>, verdict: &VerdictRow) -> Markup {
    let steps: Vec<&VerdictRow> = page
        .report
        .verdicts
        .iter()
        .filter(|v| v.objective == verdict.objective && v.cut == verdict.cut)
        .collect();
    if steps.len() < 2 {
        return html! {};
    }
    let highest = steps
        .iter()
        .map(|v| v.evidence)
        .fold(verdict.nonconformity_at, f64::max);
    let shown = highest.min(verdict.nonconformity_at * 3.0);
    let mut plot = Plot::new(
        (-0.5, steps.len() as f64 - 0.5),
        (0.0, shown * 1.1),
        &format!("Evidence against {} over the windows", verdict.objective),
    );
    let names: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(i, v)| (i as f64, window_name(&v.window)))
        .collect();
    plot.y_ticks().x_names(&names);
    plot.level("warn", verdict.warning_at, "warning");
    plot.level("bad", verdict.nonconformity_at, "nonconformity");
    let points: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(i, v)| (i as f64, v.evidence.min(shown)))
        .collect();
    plot.line("isline", &points);
    for (i, step) in steps.iter().enumerate() {
        let title = format!("{}: {} nats", step.window, short(step.evidence));
        plot.value(i as f64, step.evidence.min(shown), None, &title);
    }
    html! {
        div class="pair" {
            figure { (plot.finish()) figcaption { "Evidence of a breach, in nats" } }
            @if verdict.cut == page.cut { (over_windows(page, verdict.metric, &verdict.subject)) }
        }
    }
}
