//! The engine: from understood exchanges and outcomes to closed panes. A pure state machine: it is
//! told what happened and when, and says what to ship; no clock, no files, no runtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use clause9_shared::digest::Digest;
use clause9_shared::inference::Inference;
use clause9_shared::plan::{CapturePlan, Fitting, Outcome, Prediction};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::{Coverage, DropReason, PaneKey, PaneStart, UndecodableReason};
use clause9_shared::wire::batch::{ClosedWindow, Stream};
use clause9_shared::wire::codec::Encode;

use crate::sample::{Sampler, Tag};

mod answers;
mod closing;
mod joining;
mod memory;
mod tally;
mod waiting;

pub use answers::Answer;
use joining::Arrivals;
pub use joining::OutcomeReport;
use memory::Memory;
pub use tally::{SocketCounts, Tally};
use waiting::Waiting;

/// Most models and versions told apart in one pane.
const MAX_MODELS: usize = 64;

/// What the engine is told.
#[derive(Debug)]
pub enum Input {
    /// An exchange was received and looked at.
    Exchange(Looked),
    /// Outcomes came in; answered by [`Output::Answer`].
    Outcomes(Vec<Outcome>),
    /// A pane is over; panes are closed in order. With what was counted at the socket.
    Close(PaneStart, SocketCounts),
    /// The agent stops: ship what open panes hold so far, without claiming that they are closed.
    Stop(Vec<(PaneStart, SocketCounts)>),
}

/// An exchange after decoding.
#[derive(Debug)]
pub struct Looked {
    /// The pane of its arrival.
    pub pane: PaneStart,
    /// What it was, or why nobody knows.
    pub decoded: Result<Inference, Undecoded>,
    /// Mark: part of a body was not captured.
    pub truncated: bool,
    /// Mark: the model server answered with an error.
    pub upstream_error: bool,
    /// How it was answered, if it was.
    pub answer: Option<Answer>,
    /// Its answer is never told: inputs are counted, and nothing that an answer would have said.
    pub request_only: bool,
}

/// Why there is no inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecoded {
    /// It was not understood.
    Undecodable(UndecodableReason),
    /// It was let go, by the monitor itself.
    Dropped(DropReason),
}

/// What the engine says.
#[derive(Debug)]
pub enum Output {
    /// Items for the collector. With the watermark after them.
    Ship(Vec<ClosedWindow>, Timestamp),
    /// What an objective's metric says of the pane that was closed.
    Measured(Measured),
    /// What became of the outcomes of one input.
    Answer(OutcomeReport),
}

/// What an objective's metric says of a pane on this replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The objective.
    pub objective: clause9_shared::ids::ObjectiveId,
    /// Its metric.
    pub metric: clause9_shared::metric::MetricId,
    /// The value, unless there is none.
    pub value: Option<f64>,
    /// Cases it rests on.
    pub support: u64,
}

/// What the engine is set up with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is counted and how.
    pub plan: Arc<CapturePlan>,
    /// The name of the baseline.
    pub baseline: Digest,
    /// Which exchanges are kept.
    pub sampler: Sampler,
    /// The public name of the system's key.
    pub salt: Digest,
    /// Which clock panes run on.
    pub clock: Clock,
    /// Most predictions (rows) remembered.
    pub remembered: usize,
    /// Most bytes that remembering them takes.
    pub remembered_bytes: usize,
    /// Most outcomes waiting for their request.
    pub waiting: usize,
}

/// A model and its version.
type ModelKey = (Box<str>, Box<str>);
/// Where predictions come from: their pane, and the model that made them.
type Origin = (PaneStart, ModelKey);

/// An open pane.
#[derive(Debug, Default)]
struct Pane {
    /// Exchanges received, whatever became of them.
    received: u64,
    /// What could not be attributed to a model.
    unattributed: Coverage,
    /// How exchanges were answered that could not be attributed, if that is counted.
    unattributed_answers: Option<Box<PaneSummary>>,
    /// Per model and version.
    models: BTreeMap<ModelKey, ModelPane>,
}

#[derive(Debug)]
struct ModelPane {
    /// One for all predictions that are remembered.
    origin: Arc<Origin>,
    coverage: Coverage,
    summary: PaneSummary,
}

/// By what outcomes will name an exchange.
#[derive(Clone, Copy, Debug)]
enum Named {
    /// By its id, if it has one.
    By(Option<Tag>),
    /// By nothing: its answer is not known, so there is no prediction to label.
    Never,
}

/// The state machine.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    empty_traffic: PaneSummary,
    empty_outcomes: PaneSummary,
    panes: BTreeMap<PaneStart, Pane>,
    arrivals: BTreeMap<PaneStart, Arrivals>,
    memory: Memory,
    waiting: Waiting,
    watermark: Option<Timestamp>,
    tally: Tally,
    /// Numbers exchanges without an id for the sampling rule.
    nameless: u64,
    /// What is known of the rows of the exchange at hand; kept for its room.
    rows: Vec<Prediction>,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            empty_traffic: settings.plan.empty_traffic(),
            empty_outcomes: settings.plan.empty_outcomes(),
            memory: Memory::new(
                settings.plan.document().attributes.len(),
                settings.plan.document().outputs.value.is_some(),
                settings.remembered,
                settings.remembered_bytes,
            ),
            waiting: Waiting::new(settings.waiting),
            panes: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            watermark: None,
            tally: Tally::default(),
            nameless: 0,
            rows: Vec::new(),
            settings,
        }
    }

    /// A new engine in place of one that panicked half-way: what the old one had counted in open
    /// panes cannot be trusted any more and is counted as dropped, so that coverage still adds up.
    /// So are outcomes, joined in panes that are open or waiting; what was remembered is forgotten
    /// before its time.
    #[must_use]
    pub fn after_panic(&mut self) -> Self {
        let mut fresh = Self::new(self.settings.clone());
        fresh.watermark = self.watermark;
        fresh.tally = std::mem::take(&mut self.tally);
        for (start, old) in &self.panes {
            let mut pane = Pane {
                received: old.received,
                ..Pane::default()
            };
            pane.unattributed.dropped[DropReason::MonitorDown as usize] = old.received;
            fresh.panes.insert(*start, pane);
        }
        for (arrival, old) in &self.arrivals {
            let blocks = old.blocks.values().map(|b| b.coverage.received());
            let lost = old.unjoined.received() + blocks.sum::<u64>();
            fresh.arrivals.entry(*arrival).or_default().unjoined.dropped = lost;
        }
        for (arrival, waited) in self.waiting.arrivals() {
            fresh.arrivals.entry(arrival).or_default().unjoined.dropped += waited;
            fresh.tally.outcomes_dropped += waited;
        }
        fresh.tally.evicted += self.memory.rows() as u64;
        fresh
    }

    /// Takes in what happened; `now` is the system's time.
    pub fn handle(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        match input {
            Input::Exchange(looked) => self.exchange(looked),
            Input::Outcomes(outcomes) => {
                let report = self.outcomes(outcomes, now);
                out.push(Output::Answer(report));
            }
            Input::Close(pane, socket) => self.close(pane, &socket, now, out),
            Input::Stop(open) => self.stop(open, out),
        }
    }

    /// What was counted since it was last taken.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What was counted since the last call, for telemetry.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// End of the newest closed pane.
    pub const fn watermark(&self) -> Option<Timestamp> {
        self.watermark
    }

    /// Predictions (rows) remembered.
    pub const fn remembered(&self) -> usize {
        self.memory.rows()
    }

    /// Outcomes waiting for their request.
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What is known of each open pane, without what was counted at the socket.
    pub fn open(&self) -> impl Iterator<Item = (PaneStart, Coverage)> {
        self.panes
            .iter()
            .map(|(start, pane)| (*start, pane.coverage()))
    }

    fn is_closed(&self, pane: PaneStart) -> bool {
        self.watermark.is_some_and(|watermark| pane.0 < watermark)
    }

    fn exchange(&mut self, looked: Looked) {
        if self.is_closed(looked.pane) {
            // Counted in its pane already, as unfinished.
            self.tally.late += 1;
            return;
        }
        let pane = self.panes.entry(looked.pane).or_default();
        pane.received += 1;
        pane.unattributed.truncated += u64::from(looked.truncated);
        pane.unattributed.upstream_errors += u64::from(looked.upstream_error);
        let mut inference = match looked.decoded {
            Ok(inference) => inference,
            Err(Undecoded::Undecodable(reason)) => {
                self.unattributed_answer(looked.pane, looked.answer.as_ref());
                return self.undecodable(looked.pane, reason);
            }
            Err(Undecoded::Dropped(reason)) => {
                pane.unattributed.count_dropped(reason);
                self.tally.dropped[reason as usize] += 1;
                return;
            }
        };
        let tag = inference
            .request_id
            .as_ref()
            .map(|id| self.settings.sampler.tag(id.as_bytes()));
        if !self.keeps(tag) {
            self.pane(looked.pane).unattributed.sampled_out += 1;
            self.tally.sampled_out += 1;
            return;
        }
        self.settings.plan.prepare(&mut inference);
        match self.fit(looked.pane, &inference, looked.request_only) {
            Err(reason) => {
                if reason != UndecodableReason::UnknownModel {
                    self.kept_answer(looked.pane, looked.answer.as_ref());
                }
                self.undecodable(looked.pane, reason);
            }
            Ok(fitting) => {
                let answer = looked.answer.as_ref();
                let name = if looked.request_only {
                    Named::Never
                } else {
                    Named::By(tag)
                };
                self.observe(looked.pane, &inference, &fitting, name, answer);
            }
        }
    }

    fn pane(&mut self, start: PaneStart) -> &mut Pane {
        self.panes.entry(start).or_default()
    }

    fn undecodable(&mut self, start: PaneStart, reason: UndecodableReason) {
        self.pane(start).unattributed.count_undecodable(reason);
        self.tally.undecodable[reason as usize] += 1;
    }

    /// Exchanges without an id cannot be chosen by it; they are numbered.
    fn keeps(&mut self, tag: Option<Tag>) -> bool {
        let sampler = &self.settings.sampler;
        let tag = tag.unwrap_or_else(|| {
            self.nameless += 1;
            sampler.tag(&self.nameless.to_be_bytes())
        });
        sampler.keeps(tag)
    }

    /// An inference that can be counted, or why it is not one of this system.
    fn fit<'a>(
        &mut self,
        start: PaneStart,
        inference: &'a Inference,
        request_only: bool,
    ) -> Result<Fitting<'a>, UndecodableReason> {
        let models = &self.settings.plan.document().system.models;
        if !models.iter().any(|m| *m.name == *inference.model) {
            return Err(UndecodableReason::UnknownModel);
        }
        let known = &self.pane(start).models;
        let key = || (inference.model.clone(), inference.model_version.clone());
        if known.len() >= MAX_MODELS && !known.contains_key(&key()) {
            return Err(UndecodableReason::UnknownModel);
        }
        let plan = &self.settings.plan;
        let fitting = if request_only {
            plan.fit_request(inference)
        } else {
            plan.fit(inference)
        };
        fitting.map_err(|_| UndecodableReason::SchemaMismatch)
    }

    fn observe(
        &mut self,
        start: PaneStart,
        inference: &Inference,
        fitting: &Fitting<'_>,
        name: Named,
        answer: Option<&Answer>,
    ) {
        let key = (inference.model.clone(), inference.model_version.clone());
        let model = self.panes.entry(start).or_default().models.entry(key);
        let model = model.or_insert_with_key(|key| ModelPane {
            origin: Arc::new((start, key.clone())),
            coverage: Coverage::default(),
            summary: self.empty_traffic.clone(),
        });
        let plan = &self.settings.plan;
        let rows = &mut self.rows;
        rows.clear();
        plan.observe_fitting(fitting, 0..inference.rows, &mut model.summary, rows);
        if let Some(answer) = answer {
            plan.serve(&answer.served, &mut model.summary);
        }
        let count = rows.len() as u64;
        model.coverage.seen += 1;
        model.coverage.sampled += 1;
        model.coverage.rows += count;
        self.tally.sampled += 1;
        self.tally.rows += count;
        let tag = match name {
            Named::By(tag) => tag,
            Named::Never => {
                model.coverage.request_only += 1;
                None
            }
        };
        let joinable = tag.filter(|tag| {
            let origin = Arc::clone(&model.origin);
            self.memory
                .insert(*tag, origin, &self.rows, &mut self.tally)
        });
        match joinable {
            Some(tag) => self.join_waiting(tag),
            // Nobody can name it, or its name is taken: outcomes cannot find it.
            None => model.coverage.unidentified += 1,
        }
    }

    fn key(&self, model: &ModelKey) -> PaneKey {
        let plan = &self.settings.plan;
        PaneKey {
            system: plan.document().system.id.clone(),
            model: model.0.clone(),
            model_version: model.1.clone(),
            baseline: self.settings.baseline,
            plan: plan.digest(),
            salt: self.settings.salt,
            clock: self.settings.clock,
            pane: plan.document().panes.length,
        }
    }

    fn item(
        &self,
        model: &ModelKey,
        pane: PaneStart,
        stream: Stream,
        summary: &PaneSummary,
    ) -> ClosedWindow {
        ClosedWindow {
            key: self.key(model),
            pane,
            stream,
            summary: summary.to_bytes(),
        }
    }
}

impl Pane {
    /// What became of the exchanges received.
    fn coverage(&self) -> Coverage {
        let mut sum = self.unattributed.clone();
        for model in self.models.values() {
            // Counts of one agent's own exchanges do not reach 64 bits.
            let _ = sum.merge(&model.coverage);
        }
        sum.seen = self.received;
        sum
    }
}

#[cfg(test)]
mod tests;
