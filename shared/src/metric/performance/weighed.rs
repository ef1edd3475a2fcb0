//! Accuracy with each score's cases weighed as they came, not as their labels came.

use super::late::{LATE, cases, labelled_key, of_traffic, shown};
use super::{decided, score_cells, scored_key};
use crate::metric::{
    IntervalFrom, Measurement, Metric, MetricSpec, Seen, Unmeasurable, other_kind,
};
use crate::objective::document::{DecisionRule, Document, Subject};
use crate::performance::Figure;
use crate::performance::binary::Binary;
use crate::performance::labels::{Stratum, post_stratified};
use crate::sketch::{Histogram, SummaryKey, SummaryKind, SummaryOf};

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;
/// Most strata of scores.
const MOST: u64 = 20;
/// Labelled cases for each of them, on average.
const LABELLED: u64 = 20;

/// Accuracy, weighed by scores and decisions.
#[derive(Debug)]
pub(in crate::metric) struct PostStratifiedAccuracy;

impl Metric for PostStratifiedAccuracy {
    const SPEC: MetricSpec = MetricSpec {
        name: "accuracy.post_stratified",
        title: "Accuracy, weighed by scores",
        meaning: "Accuracy with cases of each range of scores weighed as they came, not as their labels \
                  came: what labels that come sooner, or only, for some scores or decisions do to it is \
                  taken out.",
        formula: "The window's cases in up to 20 strata of about equal size by their score, divided at the \
                  threshold, one for each 20 labelled cases on average; the sum over strata of their share \
                  of all cases times the share of right ones among their labelled. A cell of scores \
                  belongs to the stratum that holds its middle; what the cell at the threshold makes \
                  of a decision's share of right ones is set right by the counts of decisions. Strata \
                  without labels join a neighbour. Where the decision is no threshold on the score: the \
                  two decisions as strata. Interval: normal, variances drawn inwards by half a case.",
        cannot_tell: "What cases without a label are like beyond their score and decision: it is right if, \
                      given those, chance alone says whose label has come.",
        reference: "Labels drawn with a chance that follows the score, in the tests: the share of right ones \
                    among all cases within the interval as often as it says. Counts by hand.",
        range: (0.0, 1.0),
        interval: IntervalFrom::Formula,
        ..LATE
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        let mut reads = vec![labelled_key(document)];
        if threshold(document).is_some() {
            reads.push(scored_key());
        }
        reads
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let found = decided(&seen)?;
        let decisions = by_decision(&seen, &found)?;
        let Figure { value, std_error } = match threshold(seen.document) {
            None => post_stratified(&decisions),
            Some(threshold) => by_score(&seen, threshold, &decisions)?,
        }
        .ok_or(Unmeasurable::NoData)?;
        let ends = (
            (value - Z * std_error).max(0.0),
            (value + Z * std_error).min(1.0),
        );
        shown(value, Some(ends), found.cases())
    }
}

/// The threshold on a score that is kept by label; none if decisions are made otherwise.
fn threshold(document: &Document) -> Option<f64> {
    document.outputs.score.as_ref()?;
    match document.outputs.decision.as_ref()?.rule {
        DecisionRule::ScoreAtLeast(threshold) => Some(threshold),
        DecisionRule::Output { .. } | DecisionRule::Class { .. } => None,
    }
}

/// Cases decided negative, and positive.
fn by_decision(seen: &Seen<'_>, found: &Binary) -> Result<[Stratum; 2], Unmeasurable> {
    let Binary { tp, fp, fn_, tn } = *found;
    let (positive, negative) = cases(seen)?;
    let stratum = |cases: u64, right: u64, wrong: u64| Stratum {
        cases: cases.max(right + wrong),
        labelled: right + wrong,
        right,
    };
    Ok([stratum(negative, tn, fn_), stratum(positive, tp, fp)])
}

/// The same by scores. None if nothing is labelled.
fn by_score(
    seen: &Seen<'_>,
    threshold: f64,
    decisions: &[Stratum; 2],
) -> Result<Option<Figure>, Unmeasurable> {
    let key = SummaryKey::new(SummaryOf::Score, SummaryKind::Histogram);
    let scores = of_traffic(seen, key.of, key.kind)?;
    let scores = Histogram::of(scores).ok_or_else(|| other_kind("histogram"))?;
    let labelled: u64 = decisions.iter().map(|d| d.labelled).sum();
    let cells = scores.cells().filter(|cell| cell.count > 0);
    let cells: Vec<(f64, u64)> = cells
        .filter(|cell| cell.high >= 0.0 && cell.low <= 1.0)
        .map(|cell| (0.5 * (cell.low.max(0.0) + cell.high.min(1.0)), cell.count))
        .collect();
    let edges = edges(&cells, (labelled / LABELLED).clamp(1, MOST), threshold);
    let mut strata = vec![Stratum::default(); edges.len() + 1];
    let place = |score: f64| edges.partition_point(|edge| *edge <= score);
    for (middle, count) in cells {
        strata[place(middle)].cases += count;
    }
    // Of each decision, by the cells: right ones and all.
    let mut found = [(0_u64, 0_u64); 2];
    for cell in score_cells(seen)? {
        let middle = cell.score.unwrap_or(0.5 * (cell.low + cell.high));
        let decided = usize::from(middle >= threshold);
        let right = [cell.count.negative, cell.count.positive][decided];
        let stratum = &mut strata[place(middle)];
        stratum.labelled += cell.count.labelled();
        stratum.right += right;
        found[decided].0 += right;
        found[decided].1 += cell.count.labelled();
    }
    for stratum in &mut strata {
        stratum.cases = stratum.cases.max(stratum.labelled);
    }
    let figure = post_stratified(&strata);
    Ok(figure.map(|figure| Figure {
        value: (figure.value + set_right(decisions, found)).clamp(0.0, 1.0),
        ..figure
    }))
}

/// By how much the cells, of which one may hold the threshold, tell the share of right ones too low.
fn set_right(decisions: &[Stratum; 2], found: [(u64, u64); 2]) -> f64 {
    let all: u64 = decisions.iter().map(|d| d.cases).sum();
    let share = |right: u64, of: u64| right as f64 / of.max(1) as f64;
    let by = decisions.iter().zip(found).map(|(exact, (right, of))| {
        let known = exact.labelled > 0 && of > 0;
        let lacking = share(exact.right, exact.labelled) - share(right, of);
        share(exact.cases, all) * if known { lacking } else { 0.0 }
    });
    by.sum()
}

/// Edges between so many parts of about equal size, and the threshold; ascending.
fn edges(cells: &[(f64, u64)], parts: u64, threshold: f64) -> Vec<f64> {
    let all: u64 = cells.iter().map(|(_, count)| count).sum();
    let (mut below, mut edges) = (0, vec![threshold]);
    for (n, (middle, count)) in cells.iter().enumerate() {
        let part = |of: u64| u128::from(of) * u128::from(parts) / u128::from(all.max(1));
        if n > 0 && part(below) > part(below - cells[n - 1].1) {
            edges.push(0.5 * (cells[n - 1].0 + middle));
        }
        below += count;
    }
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    edges
}
