//! The capture plan: which summaries an agent keeps, derived from the objectives file and the
//! baseline; and the two acts of counting, an observation and an outcome. No I/O, no clock.
//!
//! # Every fact is counted once, when it is complete
//! A pane's traffic is counted when it is observed; what comes later is counted as an addition to
//! it. Nothing is ever taken back, so blocks can be added in any order:
//! - inputs, scores, decisions, predicted numbers and lengths of ranked lists of all cases: in the
//!   *traffic* pane, when observed;
//! - decisions by the groups of an attribute: when the group is known, that is in the traffic pane
//!   for an attribute of the request (values that are not documented count as unknown), in the
//!   *outcome* pane for one that comes later (cases whose group never comes are in no group);
//! - decisions, scores, predicted numbers and ranked lists by label: in the outcome pane, when the
//!   label comes;
//! - the same by label and group: in the outcome pane, when the later one of the two comes.
//!
//! The group of an intersection is known when those of all its parts are.
//!
//! The first label and the first group count; what repeats them is reported, not counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::digest::Digest;
use crate::ids::{Name, ObjectiveId};
use crate::inference::Inference;
use crate::objective::check::{MAX_ATTRIBUTES, MAX_FEATURES};
use crate::objective::document::{Document, Scalar};
use crate::service::Served;
use crate::sketch::{PaneSummary, SummaryKey};
use crate::time::Timestamp;

mod class_scores;
mod derive;
mod different;
mod gather;
mod join;
mod joint;
mod layout;
mod lists;
mod names;
mod numbers;
mod observe;
mod prediction;
mod resolve;
mod service;
mod slots;
mod strata;
pub(crate) mod value;

use derive::Derived;
use different::DifferentSlots;
pub use gather::{Gathered, MAX_WAITING_BYTES, MAX_WAITING_ROWS};
pub(crate) use layout::scale_of_errors;
pub use lists::MAX_RELEVANT;
pub(crate) use lists::cells as list_cells;
pub use prediction::{Answer, Groups, Prediction};
use resolve::Places;
use service::ServiceSlots;
use slots::Slots;
pub use strata::Strata;

/// Which summaries are kept, with everything resolved that observing needs.
#[derive(Clone, Debug)]
pub struct CapturePlan {
    document: Document,
    baseline: Baseline,
    digest: Digest,
    traffic: PaneSummary,
    outcomes: PaneSummary,
    slots: Slots,
    service: Option<ServiceSlots>,
    derived: Vec<Derived>,
    different: DifferentSlots,
    strata: Option<Strata>,
}

/// Why a baseline does not fit an objectives file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It was built for another system.
    #[error(
        "the baseline is of system `{baseline}`, the objectives of `{document}`; build a baseline for this system"
    )]
    OtherSystem {
        /// System of the baseline.
        baseline: Name,
        /// System of the objectives.
        document: Name,
    },
    /// A feature is not in the baseline, or is of another type there.
    #[error(
        "feature `{0}` is not in the baseline, or has another type there; build the baseline again"
    )]
    Feature(Name),
    /// The plan keeps too many summaries.
    #[error("the plan would keep {0} summaries, the limit is {max}; watch fewer features or attributes", max = crate::sketch::MAX_SUMMARIES)]
    TooManySummaries(usize),
    /// A pane's summaries could become larger than a batch may carry.
    #[error("the plan's summaries could take {0} bytes, the limit is {max}; watch fewer features or attributes", max = crate::wire::batch::MAX_SUMMARY)]
    TooLarge(usize),
    /// Two features or attributes share a name.
    #[error("`{0}` is there twice; give each feature and each attribute a name of its own")]
    Twice(String),
    /// There are too many features.
    #[error("the plan would watch {0} features, the limit is {max}; watch fewer", max = crate::objective::check::MAX_FEATURES)]
    TooManyFeatures(usize),
    /// There are too many attributes.
    #[error("the plan would tell {0} attributes apart, the limit is {max}; name fewer", max = crate::objective::check::MAX_ATTRIBUTES)]
    TooManyAttributes(usize),
    /// The classes of the decision cannot be told apart.
    #[error("the decision needs 2 to {max} classes", max = crate::sketch::MAX_CLASSES)]
    Classes,
    /// The baseline's predicted numbers are not numbers.
    #[error("the baseline's predicted values are not numbers; build the baseline again")]
    Value,
    /// An attribute's groups cannot be told apart.
    #[error("attribute `{0}` needs 1 to {max} groups", max = crate::sketch::MAX_GROUPS)]
    Groups(Name),
    /// The places of ranked lists that count are none, or too many.
    #[error("`ranking.at` must be 1 to {max}", max = crate::objective::check::MAX_PLACES)]
    Places,
    /// The baseline's scores are not numbers.
    #[error("the baseline's scores are not numbers; build the baseline again")]
    Score,
    /// The service's limits are none.
    #[error("the limits under `service` are not ascending numbers above 0; correct them")]
    Service,
    /// The baseline's law of rows as a whole cannot be counted.
    #[error("the baseline's law of rows as a whole cannot be counted; build the baseline again")]
    Joint,
    /// The baseline contradicts itself.
    #[error("the baseline cannot be used: {0}")]
    Baseline(#[from] crate::baseline::BaselineError),
    /// Objectives need summaries that are not kept.
    #[error("{}; remove these objectives, or keep what they read", lacking(.0))]
    Unmet(Vec<(ObjectiveId, u32, SummaryKey)>),
    /// The objectives file holds a number that has no canonical form.
    #[error(
        "the plan has no digest: {0}; replace what is not a finite number in the objectives file"
    )]
    NoDigest(String),
}

fn lacking(unmet: &[(ObjectiveId, u32, SummaryKey)]) -> String {
    let each = unmet.iter().map(|(objective, version, key)| {
        format!("objective `{objective}` version {version} reads the summary `{}` ({:?}), which no agent keeps", key.of, key.kind)
    });
    each.collect::<Vec<_>>().join("; ")
}

/// What an exchange lacks for this plan; it is counted as undecodable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaMismatch(pub String);

/// One row of an exchange that was sampled and has what the plan reads: ready to be counted. Only
/// [`CapturePlan::observations`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    inference: &'a Inference,
    row: usize,
}

/// An exchange that has what the plan reads, ready to be counted. Only [`CapturePlan::fit`] makes one,
/// and only that plan counts it.
#[derive(Clone, Copy, Debug)]
pub struct Fitting<'a> {
    inference: &'a Inference,
    places: Places,
}

/// A late record: what turned out to be true of one case, or a protected attribute of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The id of the request that the model answered.
    pub request_id: String,
    /// The row within the request, from 0. Default: 0.
    #[serde(default)]
    pub row: u32,
    /// The label.
    #[serde(default)]
    pub label: Option<Scalar>,
    /// Protected attributes by name.
    #[serde(default)]
    pub attributes: BTreeMap<Name, String>,
    /// When it became known. Replayed outcomes must have it; live ones default to their arrival.
    #[serde(default)]
    pub available_at: Option<Timestamp>,
}

/// What an outcome added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// A label was joined.
    pub labels: u64,
    /// Attribute values were joined.
    pub attributes: u64,
    /// Values that were known already; the first one counts.
    pub repeated: u64,
    /// Values that the objectives file does not list.
    pub unlisted: u64,
}

impl CapturePlan {
    /// Derives the plan.
    pub fn new(document: &Document, baseline: &Baseline) -> Result<Self, PlanError> {
        if document.system.id != baseline.system {
            return Err(PlanError::OtherSystem {
                baseline: baseline.system.clone(),
                document: document.system.id.clone(),
            });
        }
        baseline.check()?;
        let traffic = layout::traffic(document, baseline)?;
        if document.attributes.len() > MAX_ATTRIBUTES {
            return Err(PlanError::TooManyAttributes(document.attributes.len()));
        }
        let outcomes = layout::outcomes(document, baseline)?;
        if document.features.len() > MAX_FEATURES {
            return Err(PlanError::TooManyFeatures(document.features.len()));
        }
        let digest = layout::digest(document, baseline, [&traffic, &outcomes])?;
        let slots = Slots::new(document, baseline, &traffic, &outcomes).ok_or(PlanError::Score)?;
        Ok(Self {
            document: document.clone(),
            baseline: baseline.clone(),
            digest,
            service: ServiceSlots::new(document, &traffic),
            derived: derive::all(document),
            different: DifferentSlots::new(document, &traffic),
            strata: Strata::of(document),
            traffic,
            outcomes,
            slots,
        })
    }

    /// The objectives file it comes from.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The baseline it comes from.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The name of what is counted and how: unchanged by edits that do not touch counting.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A pane's traffic stream with nothing in it.
    pub fn empty_traffic(&self) -> PaneSummary {
        self.traffic.clone()
    }

    /// A pane's outcome stream with nothing in it.
    pub fn empty_outcomes(&self) -> PaneSummary {
        self.outcomes.clone()
    }

    /// Puts beside the inputs of an exchange what features are taken of that do not stand there: numbers
    /// of texts, values of the answer. To be called before it is observed; nothing happens for a
    /// document without such features.
    pub fn prepare(&self, inference: &mut Inference) {
        for derived in &self.derived {
            derived.put(inference);
        }
    }

    /// The exchange, if it has what the plan reads; checked before any row is counted.
    pub fn fit<'a>(&self, inference: &'a Inference) -> Result<Fitting<'a>, SchemaMismatch> {
        Ok(Fitting {
            inference,
            places: self.slots.resolve(inference)?,
        })
    }

    /// An exchange of which only the request is known, if that has what the plan reads of requests: its
    /// inputs will be counted, and nothing of what an answer would have said.
    pub fn fit_request<'a>(&self, inference: &'a Inference) -> Result<Fitting<'a>, SchemaMismatch> {
        Ok(Fitting {
            inference,
            places: self.slots.resolve_request(inference)?,
        })
    }

    /// The rows of an exchange one by one, if it has what the plan reads; checked before any row is
    /// counted.
    pub fn observations<'a>(
        &self,
        inference: &'a Inference,
    ) -> Result<impl Iterator<Item = Observation<'a>> + use<'a>, SchemaMismatch> {
        self.slots.resolve(inference)?;
        Ok((0..inference.rows).map(move |row| Observation { inference, row }))
    }

    /// Counts one row into a traffic summary of this plan.
    pub fn observe(&self, observation: Observation<'_>, into: &mut PaneSummary) -> Prediction {
        let Observation { inference, row } = observation;
        let mut known = [self.unknown()];
        // What does not fit was refused when the observation was made.
        if let Ok(places) = self.slots.resolve(inference) {
            self.different.observe(inference, row, true, into);
            let rows = row..row + 1;
            self.slots
                .observe(inference, &places, rows, into, &mut known);
        }
        let [known] = known;
        known
    }

    /// Counts all rows of an exchange into a traffic summary of this plan, if it has what the plan
    /// reads; else it is not counted at all. What is to be remembered of the rows is appended.
    pub fn observe_all(
        &self,
        inference: &Inference,
        into: &mut PaneSummary,
        predictions: &mut Vec<Prediction>,
    ) -> Result<(), SchemaMismatch> {
        let fitting = self.fit(inference)?;
        self.observe_fitting(&fitting, 0..inference.rows, into, predictions);
        Ok(())
    }

    /// Counts some rows of an exchange that was found to fit this plan into a traffic summary of it;
    /// those that it does not have are left out. What is to be remembered of them is appended. Counts
    /// the same as row by row, and quicker: column by column.
    pub fn observe_fitting(
        &self,
        fitting: &Fitting<'_>,
        rows: Range<usize>,
        into: &mut PaneSummary,
        predictions: &mut Vec<Prediction>,
    ) {
        let Fitting { inference, places } = fitting;
        let end = rows.end.min(inference.rows);
        let rows = rows.start.min(end)..end;
        for row in rows.clone() {
            let answered = places.answered();
            self.different.observe(inference, row, answered, into);
        }
        let first = predictions.len();
        predictions.resize(first + rows.len(), self.unknown());
        let known = &mut predictions[first..];
        self.slots.observe(inference, places, rows, into, known);
    }

    /// A pane's traffic stream with nothing in it, for exchanges of few rows.
    pub fn gathering(&self) -> Gathered {
        Gathered::new(self.empty_traffic(), &self.slots)
    }

    /// Counts the rows of an exchange that was found to fit this plan, as [`Self::observe_fitting`] does.
    /// Of an exchange of few rows, values that need nothing but to be counted wait for more of their kind,
    /// up to [`MAX_WAITING_ROWS`] and [`MAX_WAITING_BYTES`].
    pub fn gather(
        &self,
        fitting: &Fitting<'_>,
        into: &mut Gathered,
        predictions: &mut Vec<Prediction>,
    ) {
        let Fitting { inference, places } = fitting;
        if !self.different.is_empty() {
            for row in 0..inference.rows {
                let answered = places.answered();
                self.different
                    .observe(inference, row, answered, into.beside());
            }
        }
        let first = predictions.len();
        predictions.resize(first + inference.rows, self.unknown());
        let known = &mut predictions[first..];
        self.slots.gather(inference, places, into, known);
    }

    /// Groups that are sampled more often than others, if the document has such.
    pub const fn strata(&self) -> Option<&Strata> {
        self.strata.as_ref()
    }

    /// Counts the rows of an exchange that the rate for all leaves out, and that their group's rate keeps
    /// (asked for its share), in the tables by the groups that are sampled alike. What is to be remembered
    /// of all rows is appended, whether they count or not; how many count is told.
    pub fn gather_for_groups(
        &self,
        fitting: &Fitting<'_>,
        keeps: impl Fn(f64) -> bool,
        into: &mut Gathered,
        predictions: &mut Vec<Prediction>,
    ) -> u64 {
        let Fitting { inference, places } = fitting;
        let Some(strata) = &self.strata else { return 0 };
        let first = predictions.len();
        predictions.resize(first + inference.rows, self.unknown());
        let known = &mut predictions[first..];
        let summary = into.beside();
        self.slots
            .observe_for_groups((inference, places), (strata, &keeps), summary, known)
    }

    /// Counts the rows that wait.
    pub fn settle(&self, gathered: &mut Gathered) {
        self.slots.settle(gathered);
    }

    /// Everything counted so far, rows that wait included: of settled ones without a copy.
    pub fn summary_of<'a>(&self, gathered: &'a Gathered) -> Cow<'a, PaneSummary> {
        gathered.summary(&self.slots)
    }

    /// Whether it is counted how the model is served.
    pub fn serves(&self) -> bool {
        self.service.is_some()
    }

    /// Counts how a request was answered into a traffic summary of this plan, once for each exchange
    /// and whether or not the answer was understood.
    pub fn serve(&self, served: &Served, into: &mut PaneSummary) {
        if let Some(slots) = &self.service {
            slots.serve(served, into);
        }
    }

    /// As [`Self::serve`], beside rows that may wait.
    pub fn serve_gathered(&self, served: &Served, into: &mut Gathered) {
        self.serve(served, into.beside());
    }

    /// Counts requests that came in, sampled or not, into a traffic summary of this plan.
    pub fn count_requests(&self, requests: u64, into: &mut PaneSummary) {
        if let Some(slots) = &self.service {
            slots.requests(requests, into);
        }
    }

    /// Of how many items of a ranked list it is remembered which they were; 0 where there are no lists.
    pub fn places(&self) -> usize {
        self.slots.list.as_ref().map_or(0, |list| list.places)
    }

    /// Of how many classes the score is remembered; 0 where none is.
    pub fn scored_classes(&self) -> usize {
        let slot = self.slots.class_scores.as_ref();
        slot.map_or(0, class_scores::ClassScoreSlot::classes)
    }

    /// What is known of a row before it is observed.
    fn unknown(&self) -> Prediction {
        Prediction {
            score: None,
            decision: None,
            groups: Groups::unknown(self.slots.attributes.len()),
            label: None,
            items: None,
            scores: None,
        }
    }

    /// Counts what an outcome adds to what is known of a prediction into an outcome summary.
    pub fn join(
        &self,
        prediction: &mut Prediction,
        outcome: &Outcome,
        into: &mut PaneSummary,
    ) -> Joined {
        self.slots.join(prediction, outcome, None, into)
    }

    /// The same for a prediction of an exchange that was counted for its groups only
    /// ([`Self::gather_for_groups`]).
    pub fn join_for_groups(
        &self,
        prediction: &mut Prediction,
        outcome: &Outcome,
        into: &mut PaneSummary,
    ) -> Joined {
        self.slots
            .join(prediction, outcome, self.strata.as_ref(), into)
    }

    /// Whether a summary read from bytes counts exactly what this plan's stream counts (traffic, or
    /// else outcomes), so that it can be merged and judged.
    pub fn fits(&self, stream_is_traffic: bool, summary: &PaneSummary) -> bool {
        let empty = if stream_is_traffic {
            &self.traffic
        } else {
            &self.outcomes
        };
        empty.fits(summary).is_ok()
    }

    /// Whether one of the plan's two streams keeps this summary.
    pub fn keeps(&self, key: &SummaryKey) -> bool {
        self.traffic.position(key).is_some() || self.outcomes.position(key).is_some()
    }

    /// What an objective's metric reads and this plan does not keep: objective, version, summary.
    /// Empty if every objective of the document can be measured.
    pub fn unmet(&self) -> Vec<(ObjectiveId, u32, SummaryKey)> {
        let mut unmet = Vec::new();
        for objective in &self.document.objectives {
            let reads = objective.metric.reads(&self.document, &objective.of);
            let lacking = reads.into_iter().filter(|key| !self.keeps(key));
            unmet.extend(lacking.map(|key| (objective.id.clone(), objective.version, key)));
        }
        unmet
    }

    /// The plan, if every objective can be measured by it. For those who begin to serve a document;
    /// plans of earlier documents are taken as they are.
    pub fn met(self) -> Result<Self, PlanError> {
        let unmet = self.unmet();
        if unmet.is_empty() {
            Ok(self)
        } else {
            Err(PlanError::Unmet(unmet))
        }
    }
}
