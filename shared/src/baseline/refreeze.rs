//! A baseline from live panes: the cells of the one that they were counted with, and their counts.
//!
//! Panes hold no values, so nothing can be cut anew. Cells stay where they are, and so do centres,
//! scales, atoms and the lists of categories; what is expected in each of them is what was there in the
//! panes. Summaries of the old baseline and of the new one lie on the same cells.

use super::{Baseline, BaselineError, Law, Shape, Source};
use crate::sketch::{
    Categories, CutCounts, Histogram, Hygiene, Moments, PaneSummary, Summary, SummaryKey,
    SummaryKind, SummaryOf,
};

/// Why panes make no baseline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreezeError {
    /// The panes were counted by other objectives.
    #[error(
        "the panes hold no counts of {0}; name the objectives file that they were counted with"
    )]
    Lacks(String),
    /// The panes were counted with another baseline.
    #[error("the panes count {0} in other cells; name the baseline that they were counted with")]
    Cells(String),
    /// What would come of it is none.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
}

impl Baseline {
    /// The same laws with the counts of panes: of the sum of their summaries of traffic, as counted with
    /// this baseline.
    ///
    /// Labels are not in it, since panes hold those of other cases, nor is how numbers go together: what
    /// is estimated from them needs a reference file.
    pub fn refrozen(&self, panes: &PaneSummary, source: Source) -> Result<Self, RefreezeError> {
        let features = self.features.iter().map(|(name, law)| {
            let of = SummaryOf::Feature(name.clone());
            Ok((name.clone(), law.refrozen(panes, &of)?))
        });
        let features = features.collect::<Result<_, RefreezeError>>()?;
        let output = |law: &Option<Law>, of: SummaryOf| {
            let law = law.as_ref().map(|law| law.refrozen(panes, &of));
            law.transpose()
        };
        let rows = self.features.keys().next().and_then(|name| {
            let of = SummaryOf::Feature(name.clone());
            Some(part::<Hygiene>(panes, &of)?.rows())
        });
        let outputs = [SummaryOf::Score, SummaryOf::Value];
        let of_output = || {
            outputs
                .iter()
                .find_map(|of| Some(part::<Hygiene>(panes, of)?.rows()))
        };
        let baseline = Self {
            clause9: self.clause9,
            system: self.system.clone(),
            source,
            rows: rows.or_else(of_output).unwrap_or(0),
            features,
            score: output(&self.score, SummaryOf::Score)?,
            value: output(&self.value, SummaryOf::Value)?,
            target: None,
            errors: None,
            labelled: None,
            joint: None,
        };
        baseline.check()?;
        Ok(baseline)
    }
}

impl Law {
    fn refrozen(&self, panes: &PaneSummary, of: &SummaryOf) -> Result<Self, RefreezeError> {
        let lacks = || RefreezeError::Lacks(of.to_string());
        match self {
            Self::Categorical {
                categories,
                unlisted,
                ..
            } => {
                let counted: &Categories = part(panes, of).ok_or_else(lacks)?;
                if counted.counts().len() != categories.len() {
                    return Err(RefreezeError::Cells(of.to_string()));
                }
                Ok(Self::Categorical {
                    categories: categories.clone(),
                    counts: counted.counts().to_vec(),
                    other: counted.unlisted(),
                    missing: counted.missing(),
                    counted: None,
                    // Of a new category there is no hash: then what is not listed is not known.
                    unlisted: unlisted
                        .clone()
                        .filter(|_| counted.new_ones() == Some(0) && counted.unlisted() > 0),
                })
            }
            Self::Numeric {
                center,
                scale_exponent,
                cuts,
                ..
            } => {
                let hygiene: &Hygiene = part(panes, of).ok_or_else(lacks)?;
                let shape = Shape {
                    histogram: part::<Histogram>(panes, of).ok_or_else(lacks)?.clone(),
                    points: part::<CutCounts>(panes, of).ok_or_else(lacks)?.clone(),
                    moments: part::<Moments>(panes, of).ok_or_else(lacks)?.clone(),
                };
                let counts = shape.points.counts();
                let same = shape.check(*center, *scale_exponent, cuts, &counts);
                same.map_err(|_| RefreezeError::Cells(of.to_string()))?;
                Ok(Self::Numeric {
                    center: *center,
                    scale_exponent: *scale_exponent,
                    cuts: cuts.clone(),
                    counts,
                    missing: hygiene.missing_total(),
                    invalid: hygiene.invalid_total(),
                    shape: Some(Box::new(shape)),
                })
            }
        }
    }
}

/// A kind of summary that laws are made of.
trait Part: Sized {
    const KIND: SummaryKind;
    fn of(summary: &Summary) -> Option<&Self>;
}

macro_rules! parts {
    ($($part:ident)*) => {$(
        impl Part for $part {
            const KIND: SummaryKind = SummaryKind::$part;
            fn of(summary: &Summary) -> Option<&Self> {
                if let Summary::$part(part) = summary { Some(part) } else { None }
            }
        }
    )*};
}

parts! { Categories CutCounts Histogram Hygiene Moments }

fn part<'p, P: Part>(panes: &'p PaneSummary, of: &SummaryOf) -> Option<&'p P> {
    P::of(panes.get(&SummaryKey::new(of.clone(), P::KIND))?)
}
