//! Counting rows as a whole: how their numbers go together.

use crate::baseline::{Baseline, Joint, Law};
use crate::drift::frame::{DIRECTIONS, Frame, WAVES};
use crate::ids::Name;
use crate::objective::document::{Document, FeatureType};
use crate::plan::PlanError;
use crate::plan::layout::{place, points};
use crate::sketch::{
    CLIP, CutCounts, Gram, Histogram, MAX_DIMENSIONS, PaneSummary, Projections, Summary,
    SummaryKey, SummaryKind, SummaryOf,
};

/// The summaries of rows as a whole, empty, in the baseline's terms.
pub(super) fn summaries(
    document: &Document,
    joint: &Joint,
) -> Result<Vec<(SummaryKey, Summary)>, PlanError> {
    for name in &joint.features {
        let feature = document.features.iter().find(|f| f.name == *name);
        if feature.is_none_or(|f| f.kind != FeatureType::Numeric) {
            return Err(PlanError::Feature(name.clone()));
        }
    }
    let misfit = || PlanError::Joint;
    let size = joint.features.len();
    let mut kept = vec![
        (
            SummaryOf::Joint,
            Gram::new(joint.space(), size).map(Summary::Gram),
        ),
        (
            SummaryOf::Joint,
            Projections::new(joint.space(), 2 * WAVES).map(Summary::Projections),
        ),
    ];
    for (direction, law) in (0_u8..).zip(&joint.directions) {
        let Law::Numeric {
            center,
            scale_exponent,
            cuts,
            shape,
            ..
        } = law
        else {
            return Err(misfit());
        };
        let histogram = Histogram::new(*center, *scale_exponent).map(Summary::Histogram);
        let cuts = points(cuts, shape.as_deref()).map(Summary::CutCounts);
        kept.push((SummaryOf::Direction(direction), histogram));
        kept.push((SummaryOf::Direction(direction), cuts));
    }
    kept.into_iter()
        .map(|(of, summary)| {
            let summary = summary.ok_or_else(misfit)?;
            Ok((SummaryKey::new(of, summary.kind()), summary))
        })
        .collect()
}

/// Where rows as a whole are counted, and by what they are seen.
#[derive(Clone, Debug)]
pub(super) struct JointSlot {
    /// Per dimension, which of the document's features it is.
    pub(super) features: Vec<usize>,
    frame: Frame,
    gram: usize,
    waves: usize,
    /// Per direction: histogram, points.
    directions: Vec<(usize, usize)>,
}

impl JointSlot {
    /// Where the plan's pane counts rows as a whole. None if it does not, or lacks a part of it.
    pub(super) fn new(
        document: &Document,
        baseline: &Baseline,
        traffic: &PaneSummary,
    ) -> Option<Self> {
        let joint = baseline.joint.as_ref()?;
        let index = |name: &Name| document.features.iter().position(|f| f.name == *name);
        let direction = |direction: usize| {
            let of = SummaryOf::Direction(u8::try_from(direction).ok()?);
            let histogram = place(traffic, of.clone(), SummaryKind::Histogram)?;
            Some((histogram, place(traffic, of, SummaryKind::CutCounts)?))
        };
        Some(Self {
            features: joint.features.iter().map(index).collect::<Option<_>>()?,
            frame: joint.frame(),
            gram: place(traffic, SummaryOf::Joint, SummaryKind::Gram)?,
            waves: place(traffic, SummaryOf::Joint, SummaryKind::Projections)?,
            directions: (0..DIRECTIONS).map(direction).collect::<Option<_>>()?,
        })
    }

    /// Counts a row by its numbers; `number` gives that of a feature of the document, if it is there.
    pub(super) fn observe(
        &self,
        into: &mut PaneSummary,
        mut number: impl FnMut(usize) -> Option<f64>,
    ) {
        let mut case = [0.0; MAX_DIMENSIONS];
        let size = self.features.len();
        for (dimension, (z, feature)) in case.iter_mut().zip(&self.features).enumerate() {
            let x = number(*feature).unwrap_or(f64::NAN);
            *z = self.frame.standardise(dimension, x, CLIP);
        }
        let case = &case[..size];
        if let Some(gram) = into.at_mut(self.gram).and_then(Gram::of_mut) {
            gram.add(case);
        }
        let mut values = [0.0; 2 * WAVES];
        self.frame.features(case, &mut values);
        if let Some(waves) = into.at_mut(self.waves).and_then(Projections::of_mut) {
            waves.add(&values);
        }
        for (direction, (histogram, points)) in self.directions.iter().enumerate() {
            let x = self.frame.along(direction, case) + 0.0;
            if let Some(histogram) = into.at_mut(*histogram).and_then(Histogram::of_mut) {
                histogram.add(x);
            }
            if let Some(points) = into.at_mut(*points).and_then(CutCounts::of_mut) {
                points.add(x);
            }
        }
    }
}
