//! How well the scores of several classes tell them apart.

use std::collections::BTreeMap;

use super::roc_auc::across;
use super::{DECIDED, of_labelled};
use crate::metric::{
    Answers, Estimate, Grade, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen,
    Unmeasurable, other_kind,
};
use crate::objective::document::{Document, Subject};
use crate::performance::Bracketed;
use crate::performance::cells::Cell;
use crate::performance::roc::{Area, area};
use crate::sketch::{ScoreCell, ScoreCells, SummaryKey, SummaryKind, SummaryOf};

/// What both areas have in common.
pub(super) const CLASS_SCORES: MetricSpec = MetricSpec {
    answers: Answers::ClassScores,
    grade: Grade::B,
    sample: SampleKind::Normal,
    edge_cases: "No labelled rows with scores: no data. A class that no label names: undefined. Scores that \
                 are none or not within 0 to 1 are left out, each by itself. Scores are known to within one \
                 cell, whose bounds are dense near 0 and 1; cases in one cell count as ties, which moves \
                 the value by no more than the bound says. A cell whose scores are all one number of at \
                 most four decimals leaves nothing open.",
    ..DECIDED
};

pub(super) fn keys(document: &Document) -> Vec<SummaryKey> {
    let classes = document.outputs.decision.as_ref().and_then(|d| d.classes());
    let classes = u8::try_from(classes.map_or(0, <[_]>::len)).unwrap_or(0);
    (0..classes).map(key).collect()
}

const fn key(class: u8) -> SummaryKey {
    SummaryKey::new(SummaryOf::ClassScore(class), SummaryKind::ScoreCells)
}

/// The scores of each class, by the class that was true. No data if there are none.
pub(super) fn tables<'a>(seen: &Seen<'a>) -> Result<Vec<&'a ScoreCells>, Unmeasurable> {
    let keys = keys(seen.document);
    let tables = keys.iter().map(|key| {
        let found = ScoreCells::of(seen.summary(key)?);
        found.ok_or_else(|| other_kind("score cells"))
    });
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    if tables.iter().all(|table| table.total() == 0) {
        return Err(Unmeasurable::NoData);
    }
    Ok(tables)
}

/// The cells of one class's score: cases of that class are positive, those of `others` negative.
pub(super) fn cells(of: &ScoreCells, class: u8, others: impl Iterator<Item = u8>) -> Vec<Cell> {
    let mut all: BTreeMap<u64, (ScoreCell, Cell)> = BTreeMap::new();
    let mut take = |found: ScoreCell, positive: bool| {
        // Edges are not below 0, so that their bits ascend with them.
        let entry = all.entry(found.low.to_bits());
        let (known, cell) = entry.or_insert((
            found,
            Cell {
                positive: 0,
                negative: 0,
                ..Cell::from(found)
            },
        ));
        if known.score != found.score {
            // Several scores after all.
            (cell.low, cell.high) = (found.low, found.high);
            known.score = None;
        }
        if positive {
            cell.positive += found.count.positive;
        } else {
            cell.negative += found.count.positive;
        }
    };
    of.cells(Some(class)).for_each(|cell| take(cell, true));
    for other in others {
        of.cells(Some(other)).for_each(|cell| take(cell, false));
    }
    all.into_values().map(|(_, cell)| cell).collect()
}

/// The mean of areas. However they depend on one another, its standard error is no more than the mean of
/// theirs.
fn mean(areas: &[Option<Area>], of: u64) -> Measurement {
    const NONE: Unmeasurable = Unmeasurable::Undefined("a class that no label names");
    let areas: Option<Vec<Area>> = areas.iter().copied().collect();
    let areas = areas.filter(|areas| !areas.is_empty()).ok_or(NONE)?;
    let n = areas.len() as f64;
    let over = |figure: fn(&Area) -> f64| areas.iter().map(figure).sum::<f64>() / n;
    let found = Bracketed {
        value: over(|a| a.area.value),
        low: over(|a| a.area.low),
        high: over(|a| a.area.high),
    };
    let (drawn, std_error) = (over(|a| a.drawn), over(|a| a.std_error));
    let ends = [
        (over(|a| a.ends[0].0), over(|a| a.ends[0].1)),
        (over(|a| a.ends[1].0), over(|a| a.ends[1].1)),
    ];
    let least = areas.iter().map(|a| a.positives.min(a.negatives)).min();
    Ok(Estimate {
        value: found.value,
        interval: Some(across(&found, (drawn, std_error), ends)),
        bound: Some((found.low, found.high)),
        support: of,
        sample: Sample::Normal {
            estimate: found.value,
            std_error,
            of,
            least: least.unwrap_or(0),
        },
    })
}

pub(super) fn each<T>(of: &[T]) -> impl Iterator<Item = (u8, &T)> {
    (0..=u8::MAX).zip(of)
}

/// Labelled cases; one may lack some of its scores, so the most of any class.
pub(super) fn cases(tables: &[&ScoreCells]) -> u64 {
    let of = tables.iter().map(|table| table.total());
    of.max().unwrap_or(0)
}

/// The mean of the areas of each class against the rest.
#[derive(Debug)]
pub(in crate::metric) struct RocAucOneAgainstRest;

impl Metric for RocAucOneAgainstRest {
    const SPEC: MetricSpec = MetricSpec {
        name: "roc_auc.ovr_macro",
        title: "Area under the ROC curve, each class against the rest",
        meaning: "The chance that a case of a class has a higher score of that class than a case of another \
                  class has, ties counted half; in the mean over classes, each counting the same. 1 is a \
                  perfect ranking, 0.5 is none.",
        formula: "For each class the area of its score, cases of the class positive, all others negative, \
                  from score cells as `roc_auc` has it; the mean over classes. Standard error: the mean of \
                  theirs (the larger of DeLong's and Hanley and McNeil's), which that of the mean never \
                  exceeds, however the areas go together. Interval: 95 % on the logit scale, over the whole bound as for `roc_auc`. Bound: the mean \
                  of the classes' bounds.",
        cannot_tell: of_labelled!(
            "Which class is told apart badly. Common classes weigh no more than rare ones, and a class's \
             area changes with how common the others are."
        ),
        reference: "scikit-learn 1.9, `roc_auc_score(multi_class=\"ovr\", average=\"macro\")` of the raw \
                    scores lies within the bound.",
        ..CLASS_SCORES
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        keys(document)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let tables = tables(&seen)?;
        let areas: Vec<_> = each(&tables)
            .map(|(class, table)| {
                let others = each(&tables).map(|(other, _)| other);
                area(&cells(table, class, others.filter(|o| *o != class)))
            })
            .collect();
        mean(&areas, cases(&tables))
    }
}

/// Hand and Till's measure.
#[derive(Debug)]
pub(in crate::metric) struct RocAucHandTill;

impl Metric for RocAucHandTill {
    const SPEC: MetricSpec = MetricSpec {
        name: "roc_auc.hand_till",
        title: "Area under the ROC curve, class by class (Hand and Till's M)",
        meaning: "How well any two classes are told apart by their scores, in the mean over all pairs of \
                  classes: whatever the share of each class. 1 is a perfect ranking, 0.5 is none.",
        formula: "For each ordered pair of classes i and j the area of the score of i, cases of i positive, \
                  cases of j negative, all others left out, from score cells as `roc_auc` has it; the mean \
                  over pairs (Hand and Till 2001). Standard error: the mean of theirs, which that of the mean \
                  never exceeds, however the areas go together. Interval: 95 % on the logit scale, over the whole bound as for `roc_auc`. Bound: the \
                  mean of the pairs' bounds.",
        cannot_tell: of_labelled!(
            "Which pair of classes is told apart badly. How often such cases come: rare pairs weigh as much \
             as common ones."
        ),
        reference: "scikit-learn 1.9, `roc_auc_score(multi_class=\"ovo\", average=\"macro\")` of the raw \
                    scores lies within the bound.",
        ..CLASS_SCORES
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        keys(document)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let tables = tables(&seen)?;
        let mut areas = Vec::new();
        for (class, table) in each(&tables) {
            for (other, _) in each(&tables).filter(|(other, _)| *other != class) {
                areas.push(area(&cells(table, class, std::iter::once(other))));
            }
        }
        mean(&areas, cases(&tables))
    }
}
