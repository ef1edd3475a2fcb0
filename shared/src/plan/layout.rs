//! Which summaries a plan keeps, as empty panes, and the name of all that.

use serde_json::json;

use crate::baseline::{Baseline, Law, Shape};
use crate::canonical;
use crate::digest::Digest;
use crate::objective::document::{
    Attribute, Decision, DecisionRule, Document, Feature, FeatureType,
};
use crate::performance::recommendation::ListFigure;
use crate::plan::PlanError;
use crate::plan::slots::scored_classes;
use crate::service::Facet;
use crate::sketch::{
    Categories, ClassTable, Confusion, CutCounts, Distinct, Histogram, Hygiene, Losses,
    MAX_SCALE_EXPONENT, MAX_SUMMARIES, Moments, PaneSummary, Residuals, ScoreCells, Summary,
    SummaryKey, SummaryKind, SummaryOf,
};
use crate::wire::batch::MAX_SUMMARY;

/// Centre and scale of the score's histogram where the baseline has no scores.
const SCORE_CELLS: (f64, i32) = (0.5, -1);

/// Scale of the lengths of ranked lists, as a power of two.
const LENGTHS: i32 = 0;

/// A list of summaries in the making.
#[derive(Default)]
struct Pane(Vec<(SummaryKey, Summary)>);

impl Pane {
    fn keep(&mut self, of: SummaryOf, summary: Summary) {
        self.0.push((SummaryKey::new(of, summary.kind()), summary));
    }

    fn finish(self) -> Result<PaneSummary, PlanError> {
        let pane = PaneSummary::new(self.0);
        let keys: Vec<_> = pane.iter().map(|(key, _)| key).collect();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PlanError::Twice(pair[0].of.to_string()));
        }
        if pane.len() > MAX_SUMMARIES {
            return Err(PlanError::TooManySummaries(pane.len()));
        }
        if pane.max_bytes() > MAX_SUMMARY {
            return Err(PlanError::TooLarge(pane.max_bytes()));
        }
        Ok(pane)
    }
}

/// The traffic stream with nothing in it.
pub(super) fn traffic(document: &Document, baseline: &Baseline) -> Result<PaneSummary, PlanError> {
    let mut pane = Pane::default();
    for feature in &document.features {
        keep_feature(&mut pane, feature, baseline)?;
        if feature.distinct {
            let of = SummaryOf::Feature(feature.name.clone());
            pane.keep(of, Summary::Distinct(Distinct::new(seed(baseline))));
        }
    }
    if let Some(joint) = &baseline.joint {
        pane.0.extend(super::joint::summaries(document, joint)?);
    }
    if document.outputs.score.is_some() {
        keep_score(&mut pane, baseline)?;
    }
    if document.outputs.value.is_some() {
        keep_value(&mut pane, baseline)?;
    }
    if document.outputs.ranking.is_some() {
        let lengths = Moments::new(0.0, LENGTHS).ok_or(PlanError::Places)?;
        pane.keep(SummaryOf::List(None), Summary::Moments(lengths));
        pane.keep(SummaryOf::List(None), Summary::Hygiene(Hygiene::new()));
    }
    if let Some(decision) = &document.outputs.decision {
        pane.keep(SummaryOf::Decision(None), decisions(decision, 1)?);
        for attribute in &document.attributes {
            if !document.comes_late(attribute) {
                let by = SummaryOf::Decision(Some(attribute.name.clone()));
                pane.keep(by, decisions(decision, groups(attribute)?)?);
            }
        }
    }
    if let Some(service) = &document.service {
        pane.0
            .extend(super::service::summaries(service).ok_or(PlanError::Service)?);
    }
    pane.finish()
}

/// The outcome stream with nothing in it.
pub(super) fn outcomes(document: &Document, baseline: &Baseline) -> Result<PaneSummary, PlanError> {
    let mut pane = Pane::default();
    let outputs = &document.outputs;
    keep_by_label(&mut pane, document, baseline, None)?;
    keep_lists(&mut pane, document)?;
    keep_class_scores(&mut pane, document)?;
    for attribute in &document.attributes {
        if let Some(decision) = &outputs.decision
            && document.comes_late(attribute)
        {
            let by = SummaryOf::Decision(Some(attribute.name.clone()));
            pane.keep(by, decisions(decision, groups(attribute)?)?);
        }
        keep_by_label(&mut pane, document, baseline, Some(attribute))?;
    }
    pane.finish()
}

/// What is counted with the label, of all cases or by the groups of an attribute.
fn keep_by_label(
    pane: &mut Pane,
    document: &Document,
    baseline: &Baseline,
    attribute: Option<&Attribute>,
) -> Result<(), PlanError> {
    let outputs = &document.outputs;
    if outputs.label.is_none() {
        return Ok(());
    }
    let by = || attribute.map(|a| a.name.clone());
    let groups = attribute.map_or(Ok(1), groups)?;
    let bad = || attribute.map_or(PlanError::Score, bad_groups);
    if let Some(decision) = &outputs.decision {
        pane.keep(
            SummaryOf::DecisionByLabel(by()),
            decisions(decision, groups)?,
        );
    }
    if outputs.score.is_some() {
        let cells = ScoreCells::new(groups).ok_or_else(bad)?;
        pane.keep(SummaryOf::ScoreByLabel(by()), Summary::ScoreCells(cells));
        let losses = Losses::new(groups).ok_or_else(bad)?;
        pane.keep(SummaryOf::ScoreByLabel(by()), Summary::Losses(losses));
    }
    if outputs.value.is_some() {
        let (center, scale) = value_cells(baseline)?;
        let residuals = Residuals::new(center, scale, groups).ok_or_else(bad)?;
        pane.keep(SummaryOf::Error(by()), Summary::Residuals(residuals));
        if attribute.is_none() {
            let errors = Histogram::new(0.0, error_scale(scale)).ok_or(PlanError::Value)?;
            pane.keep(SummaryOf::Error(None), Summary::Histogram(errors));
        }
    }
    Ok(())
}

/// What is counted of ranked lists with what was relevant: of all cases only.
fn keep_lists(pane: &mut Pane, document: &Document) -> Result<(), PlanError> {
    let outputs = &document.outputs;
    let (Some(ranking), Some(_)) = (&outputs.ranking, &outputs.label) else {
        return Ok(());
    };
    for figure in ListFigure::ALL {
        let of = || SummaryOf::List(Some(figure));
        let moments = Moments::new(0.0, 0).ok_or(PlanError::Places)?;
        pane.keep(of(), Summary::Moments(moments));
        let cells = super::lists::cells(figure, ranking.at).ok_or(PlanError::Places)?;
        pane.keep(of(), Summary::CutCounts(cells));
    }
    Ok(())
}

/// Scores of classes by the class that was true: each class's cells have a group for every class.
fn keep_class_scores(pane: &mut Pane, document: &Document) -> Result<(), PlanError> {
    let classes = scored_classes(document).map_or(0, <[_]>::len);
    let classes = u8::try_from(classes).map_err(|_| PlanError::Classes)?;
    for class in 0..classes {
        let cells = ScoreCells::new(classes).ok_or(PlanError::Classes)?;
        pane.keep(SummaryOf::ClassScore(class), Summary::ScoreCells(cells));
    }
    Ok(())
}

/// The table of a decision: of two, or of several classes.
fn decisions(decision: &Decision, groups: u8) -> Result<Summary, PlanError> {
    match decision.classes() {
        None => Confusion::new(groups)
            .map(Summary::Confusion)
            .ok_or(PlanError::Classes),
        Some(classes) => u8::try_from(classes.len())
            .ok()
            .and_then(|classes| ClassTable::new(classes, groups))
            .map(Summary::ClassTable)
            .ok_or(PlanError::Classes),
    }
}

/// Absolute errors are finest where they are 16 times smaller than predictions are spread.
fn error_scale(scale: i32) -> i32 {
    (scale - 4).max(-MAX_SCALE_EXPONENT)
}

/// The scale of the histogram of absolute errors; none if the baseline's predictions are no numbers.
pub(crate) fn scale_of_errors(baseline: &Baseline) -> Option<i32> {
    value_cells(baseline)
        .ok()
        .map(|(_, scale)| error_scale(scale))
}

/// Centre and scale of predicted numbers; without a law in the baseline, those of a pure number.
fn value_cells(baseline: &Baseline) -> Result<(f64, i32), PlanError> {
    match &baseline.value {
        Some(Law::Numeric {
            center,
            scale_exponent,
            ..
        }) => Ok((*center, *scale_exponent)),
        Some(Law::Categorical { .. }) => Err(PlanError::Value),
        None => Ok((0.0, 0)),
    }
}

fn keep_value(pane: &mut Pane, baseline: &Baseline) -> Result<(), PlanError> {
    let cells = value_cells(baseline)?;
    let law = baseline.value.as_ref();
    keep_numbers(pane, &SummaryOf::Value, cells, law).ok_or(PlanError::Value)
}

/// What is kept of a number: its histogram and moments, its cuts if there is a law of it, and what is
/// wrong with it.
fn keep_numbers(
    pane: &mut Pane,
    of: &SummaryOf,
    (center, scale): (f64, i32),
    law: Option<&Law>,
) -> Option<()> {
    if let Some(Law::Numeric { cuts, shape, .. }) = law {
        let cuts = points(cuts, shape.as_deref())?;
        pane.keep(of.clone(), Summary::CutCounts(cuts));
    }
    pane.keep(
        of.clone(),
        Summary::Histogram(Histogram::new(center, scale)?),
    );
    pane.keep(of.clone(), Summary::Moments(Moments::new(center, scale)?));
    pane.keep(of.clone(), Summary::Hygiene(Hygiene::new()));
    Some(())
}

/// The seed of hashes of values: agents with one baseline have the same.
fn seed(baseline: &Baseline) -> u64 {
    let digest = baseline.digest();
    let (first, _) = digest.as_bytes().as_chunks::<8>();
    first.first().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn keep_feature(pane: &mut Pane, feature: &Feature, baseline: &Baseline) -> Result<(), PlanError> {
    let misfit = || PlanError::Feature(feature.name.clone());
    let of = SummaryOf::Feature(feature.name.clone());
    let law = baseline.features.get(&feature.name).ok_or_else(misfit)?;
    match (feature.kind, law) {
        (
            FeatureType::Numeric,
            Law::Numeric {
                center,
                scale_exponent,
                ..
            },
        ) => {
            let cells = (*center, *scale_exponent);
            keep_numbers(pane, &of, cells, Some(law)).ok_or_else(misfit)
        }
        (
            FeatureType::Categorical,
            Law::Categorical {
                categories,
                unlisted,
                ..
            },
        ) => {
            let counters = match unlisted {
                Some(unlisted) => Categories::knowing(categories, unlisted),
                None => Categories::new(categories),
            };
            let counters = counters.ok_or_else(misfit)?;
            pane.keep(of.clone(), Summary::Categories(counters));
            pane.keep(of, Summary::Hygiene(Hygiene::new()));
            Ok(())
        }
        (FeatureType::Numeric, Law::Categorical { .. })
        | (FeatureType::Categorical, Law::Numeric { .. }) => Err(misfit()),
    }
}

fn keep_score(pane: &mut Pane, baseline: &Baseline) -> Result<(), PlanError> {
    let cells = match &baseline.score {
        Some(Law::Numeric {
            center,
            scale_exponent,
            ..
        }) => (*center, *scale_exponent),
        Some(Law::Categorical { .. }) => return Err(PlanError::Score),
        None => SCORE_CELLS,
    };
    let law = baseline.score.as_ref();
    keep_numbers(pane, &SummaryOf::Score, cells, law).ok_or(PlanError::Score)
}

/// The points at which a law is counted: its cuts, and its atoms if they are known.
pub(super) fn points(cuts: &[f64], shape: Option<&Shape>) -> Option<CutCounts> {
    match shape {
        Some(shape) => Some(shape.points.emptied()),
        None => CutCounts::new(cuts),
    }
}

fn groups(attribute: &Attribute) -> Result<u8, PlanError> {
    u8::try_from(attribute.groups.len()).map_err(|_| bad_groups(attribute))
}

fn bad_groups(attribute: &Attribute) -> PlanError {
    PlanError::Groups(attribute.name.clone())
}

/// The name of what is counted and how. What people may edit without counting otherwise
/// (statements, levels, owners, an attribute's reference group) is left out; units are in, since a
/// change of unit changes what the counts mean.
pub(super) fn digest(
    document: &Document,
    baseline: &Baseline,
    panes: [&PaneSummary; 2],
) -> Result<Digest, PlanError> {
    let features: Vec<_> = document
        .features
        .iter()
        .map(|f| {
            let mut counted = json!({ "name": f.name, "type": f.kind, "unit": f.unit, "from": f.from,
                "missing": { "values": f.missing.values, "nan": f.missing.nan }, "range": f.range });
            // Left out where it is none, as below.
            if let (Some(text), Some(counted)) = (f.text, counted.as_object_mut()) {
                counted.insert("text".to_owned(), text.as_str().into());
                // Each of them, since the program's own list may change.
                if let Some(phrases) = &f.find {
                    counted.insert("find".to_owned(), json!(phrases.all()));
                }
            }
            counted
        })
        .collect();
    let attributes: Vec<_> = document
        .attributes
        .iter()
        .map(|a| {
            let mut counted =
                json!({ "name": a.name, "from": a.from, "of": a.of, "groups": a.groups });
            // Left out where it is none, as below.
            let some = Some(&a.sampled_at_least).filter(|shares| !shares.is_empty());
            if let (Some(shares), Some(counted)) = (some, counted.as_object_mut()) {
                counted.insert("sampled_at_least".to_owned(), json!(shares));
            }
            counted
        })
        .collect();
    let outputs = &document.outputs;
    let rule: Option<&DecisionRule> = outputs.decision.as_ref().map(|d| &d.rule);
    let summaries = panes.map(|pane| -> Vec<(String, u8)> {
        pane.iter()
            .map(|(key, _)| (key.of.to_string(), key.kind as u8))
            .collect()
    });
    let mut counted = json!({
        "system": document.system.id,
        "features": features,
        "attributes": attributes,
        "score": outputs.score,
        "decision": rule,
        "value": outputs.value,
        "label": outputs.label,
        "baseline": baseline.digest(),
        "traffic": summaries[0],
        "outcomes": summaries[1],
    });
    // Left out where there is none, so that plans without it keep their names.
    if let (Some(ranking), Some(counted)) = (&outputs.ranking, counted.as_object_mut()) {
        counted.insert("ranking".to_owned(), json!(ranking));
    }
    if let (Some(service), Some(counted)) = (&document.service, counted.as_object_mut()) {
        let points = |facet: &Facet| (facet.as_str().to_owned(), json!(service.points(*facet)));
        let points: serde_json::Map<_, _> = Facet::NUMBERS.iter().map(points).collect();
        counted.insert("service".to_owned(), points.into());
    }
    canonical::digest("clause9/capture-plan/v1", &counted)
        .map_err(|e| PlanError::NoDigest(e.to_string()))
}

/// Where a summary stands in a pane.
pub(super) fn place(pane: &PaneSummary, of: SummaryOf, kind: SummaryKind) -> Option<usize> {
    pane.position(&SummaryKey::new(of, kind))
}
