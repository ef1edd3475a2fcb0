//! Which summaries a plan keeps, as empty panes, and the name of all that.

use serde_json::json;

use crate::baseline::{Baseline, Law, Shape};
use crate::canonical;
use crate::digest::Digest;
use crate::objective::document::{
    Attribute, AttributeSource, DecisionRule, Document, Feature, FeatureType,
};
use crate::plan::PlanError;
use crate::sketch::{
    Categories, Confusion, CutCounts, Histogram, Hygiene, Losses, MAX_SUMMARIES, Moments,
    PaneSummary, ScoreCells, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use crate::wire::batch::MAX_SUMMARY;

/// Centre and scale of the score's histogram where the baseline has no scores.
const SCORE_CELLS: (f64, i32) = (0.5, -1);

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
    }
    if document.outputs.score.is_some() {
        keep_score(&mut pane, baseline)?;
    }
    if document.outputs.decision.is_some() {
        pane.keep(
            SummaryOf::Decision(None),
            Summary::Confusion(Confusion::of_all()),
        );
        for attribute in &document.attributes {
            if !is_late(attribute) {
                let by = SummaryOf::Decision(Some(attribute.name.clone()));
                pane.keep(by, Summary::Confusion(confusion(attribute)?));
            }
        }
    }
    pane.finish()
}

/// The outcome stream with nothing in it.
pub(super) fn outcomes(document: &Document) -> Result<PaneSummary, PlanError> {
    let mut pane = Pane::default();
    let decided = document.outputs.decision.is_some();
    let labelled = document.outputs.label.is_some();
    let scored = document.outputs.score.is_some();
    if decided && labelled {
        pane.keep(
            SummaryOf::DecisionByLabel(None),
            Summary::Confusion(Confusion::of_all()),
        );
    }
    if scored && labelled {
        pane.keep(
            SummaryOf::ScoreByLabel(None),
            Summary::ScoreCells(ScoreCells::of_all()),
        );
        pane.keep(
            SummaryOf::ScoreByLabel(None),
            Summary::Losses(Losses::of_all()),
        );
    }
    for attribute in &document.attributes {
        let by = || Some(attribute.name.clone());
        let table = confusion(attribute)?;
        if decided && is_late(attribute) {
            pane.keep(SummaryOf::Decision(by()), Summary::Confusion(table.clone()));
        }
        if decided && labelled {
            pane.keep(SummaryOf::DecisionByLabel(by()), Summary::Confusion(table));
        }
        if scored && labelled {
            let cells = ScoreCells::new(groups(attribute)?).ok_or_else(|| bad_groups(attribute))?;
            pane.keep(SummaryOf::ScoreByLabel(by()), Summary::ScoreCells(cells));
            let losses = Losses::new(groups(attribute)?).ok_or_else(|| bad_groups(attribute))?;
            pane.keep(SummaryOf::ScoreByLabel(by()), Summary::Losses(losses));
        }
    }
    pane.finish()
}

fn keep_feature(pane: &mut Pane, feature: &Feature, baseline: &Baseline) -> Result<(), PlanError> {
    let misfit = || PlanError::Feature(feature.name.clone());
    let of = || SummaryOf::Feature(feature.name.clone());
    let law = baseline.features.get(&feature.name).ok_or_else(misfit)?;
    match (feature.kind, law) {
        (
            FeatureType::Numeric,
            Law::Numeric {
                center,
                scale_exponent,
                cuts,
                shape,
                ..
            },
        ) => {
            let histogram = Histogram::new(*center, *scale_exponent).ok_or_else(misfit)?;
            let cuts = points(cuts, shape.as_deref()).ok_or_else(misfit)?;
            let moments = Moments::new(*center, *scale_exponent).ok_or_else(misfit)?;
            pane.keep(of(), Summary::Histogram(histogram));
            pane.keep(of(), Summary::Moments(moments));
            pane.keep(of(), Summary::CutCounts(cuts));
        }
        (FeatureType::Categorical, Law::Categorical { categories, .. }) => {
            let counters = Categories::new(categories).ok_or_else(misfit)?;
            pane.keep(of(), Summary::Categories(counters));
        }
        (FeatureType::Numeric, Law::Categorical { .. })
        | (FeatureType::Categorical, Law::Numeric { .. }) => return Err(misfit()),
    }
    pane.keep(of(), Summary::Hygiene(Hygiene::new()));
    Ok(())
}

fn keep_score(pane: &mut Pane, baseline: &Baseline) -> Result<(), PlanError> {
    let (mut center, mut scale) = SCORE_CELLS;
    match &baseline.score {
        Some(Law::Numeric {
            center: c,
            scale_exponent,
            cuts,
            shape,
            ..
        }) => {
            (center, scale) = (*c, *scale_exponent);
            let cuts = points(cuts, shape.as_deref()).ok_or(PlanError::Score)?;
            pane.keep(SummaryOf::Score, Summary::CutCounts(cuts));
        }
        Some(Law::Categorical { .. }) => return Err(PlanError::Score),
        None => {}
    }
    let histogram = Histogram::new(center, scale).ok_or(PlanError::Score)?;
    let moments = Moments::new(center, scale).ok_or(PlanError::Score)?;
    pane.keep(SummaryOf::Score, Summary::Histogram(histogram));
    pane.keep(SummaryOf::Score, Summary::Moments(moments));
    pane.keep(SummaryOf::Score, Summary::Hygiene(Hygiene::new()));
    Ok(())
}

/// The points at which a law is counted: its cuts, and its atoms if they are known.
fn points(cuts: &[f64], shape: Option<&Shape>) -> Option<CutCounts> {
    match shape {
        Some(shape) => Some(shape.points.emptied()),
        None => CutCounts::new(cuts),
    }
}

fn is_late(attribute: &Attribute) -> bool {
    match attribute.from {
        AttributeSource::Request(_) => false,
        AttributeSource::Outcome => true,
    }
}

fn groups(attribute: &Attribute) -> Result<u8, PlanError> {
    u8::try_from(attribute.groups.len()).map_err(|_| bad_groups(attribute))
}

fn bad_groups(attribute: &Attribute) -> PlanError {
    PlanError::Groups(attribute.name.clone())
}

fn confusion(attribute: &Attribute) -> Result<Confusion, PlanError> {
    Confusion::new(groups(attribute)?).ok_or_else(|| bad_groups(attribute))
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
            json!({ "name": f.name, "type": f.kind, "unit": f.unit, "from": f.from,
                "missing": { "values": f.missing.values, "nan": f.missing.nan }, "range": f.range })
        })
        .collect();
    let attributes: Vec<_> = document
        .attributes
        .iter()
        .map(|a| json!({ "name": a.name, "from": a.from, "groups": a.groups }))
        .collect();
    let outputs = &document.outputs;
    let rule: Option<&DecisionRule> = outputs.decision.as_ref().map(|d| &d.rule);
    let summaries = panes.map(|pane| -> Vec<(String, u8)> {
        pane.iter()
            .map(|(key, _)| (key.of.to_string(), key.kind as u8))
            .collect()
    });
    let counted = json!({
        "system": document.system.id,
        "features": features,
        "attributes": attributes,
        "score": outputs.score,
        "decision": rule,
        "label": outputs.label,
        "baseline": baseline.digest(),
        "traffic": summaries[0],
        "outcomes": summaries[1],
    });
    canonical::digest("clause9/capture-plan/v1", &counted)
        .map_err(|e| PlanError::NoDigest(e.to_string()))
}

/// Where a summary stands in a pane.
pub(super) fn place(pane: &PaneSummary, of: SummaryOf, kind: SummaryKind) -> Option<usize> {
    pane.position(&SummaryKey::new(of, kind))
}
