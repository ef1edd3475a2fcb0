//! The engine: from understood exchanges and outcomes to closed panes. A pure state machine: it is
//! told what happened and when, and says what to ship; no clock, no files, no runtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use clause9_shared::digest::Digest;
use clause9_shared::inference::Inference;
use clause9_shared::plan::{CapturePlan, Fitting, Gathered, Outcome, Prediction};
use clause9_shared::sampling::{Halvings, Shell};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::{Coverage, DropReason, PaneKey, PaneStart, UndecodableReason};
use clause9_shared::wire::batch::{ClosedWindow, Stream};
use clause9_shared::wire::codec::Encode;
use clause9_shared::wire::forward::Fate;

use crate::sample::{Sampler, Tag};

mod answers;
mod closing;
pub mod filter;
mod forwarding;
mod joining;
mod memory;
mod pacing;
mod remembering;
pub mod shelf;
mod stratified;
mod tally;
mod waiting;

pub use answers::Answer;
pub use forwarding::{Asked, HandedOver, Question};
use joining::Arrivals;
pub use joining::OutcomeReport;
use memory::{Memory, Remembers};
pub use pacing::Cap;
use pacing::Pacing;
use remembering::Remembering;
use shelf::Shelf;
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
    /// Outcomes that nobody knew elsewhere are asked about; answered by [`Output::Told`].
    Asked(Vec<Asked>),
    /// Outcomes that were handed over were let go on their way.
    LostOnTheWay(u64),
    /// A pane is over; panes are closed in order. With what was counted at the socket.
    Close(PaneStart, SocketCounts),
    /// The agent stops: ship what open panes hold so far, without claiming that they are closed.
    Stop(Vec<(PaneStart, SocketCounts)>),
    /// Tell what open panes hold so far, under this number; answered by [`Output::Held`].
    Hold(Vec<(PaneStart, SocketCounts)>, u64),
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
    /// What became of outcomes that were asked about, in the order of the questions.
    Told(Vec<Fate>),
    /// What open panes hold, and the watermark; none if they hold nothing.
    Held(Option<(Vec<ClosedWindow>, Timestamp)>),
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
    /// What is kept at most, if that is bounded.
    pub cap: Option<Cap>,
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
    /// How long an outcome waits for its request here before others are asked for it; none if nobody is.
    pub forward_after: Option<Span>,
}

/// An empty memory for these settings.
fn memory(settings: &Settings) -> Memory {
    let document = settings.plan.document();
    Memory::new(
        Remembers {
            attributes: document.attributes.len(),
            numbers: document.outputs.value.is_some(),
            places: settings.plan.places(),
            scores: settings.plan.scored_classes(),
        },
        settings.remembered,
        settings.remembered_bytes,
    )
}

/// A model and its version.
pub type ModelKey = (Box<str>, Box<str>);
/// Where predictions come from: their pane, and the model that made them.
pub type Origin = (PaneStart, ModelKey);

/// An open pane.
#[derive(Debug, Default)]
struct Pane {
    /// Exchanges received, whatever became of them.
    received: u64,
    /// What could not be attributed to a model.
    unattributed: Coverage,
    /// How exchanges were answered that could not be attributed, if that is counted.
    unattributed_answers: BTreeMap<Option<Shell>, Box<PaneSummary>>,
    /// Per shell of the sample, if shells are kept apart; model; and version.
    models: BTreeMap<(Option<Shell>, ModelKey), ModelPane>,
}

#[derive(Debug)]
struct ModelPane {
    /// One for all predictions that are remembered.
    origin: Arc<Origin>,
    coverage: Coverage,
    /// Rows of small exchanges wait here until there are enough to be counted together, or until this is
    /// read; a pane's closing reads it.
    gathered: Gathered,
}

/// An exchange that the sampling rule keeps, and the shell that it is counted in.
#[derive(Clone, Copy, Debug)]
struct Kept(Option<Shell>);

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
    memory: Remembering,
    waiting: Waiting,
    pacing: Option<Pacing>,
    watermark: Option<Timestamp>,
    tally: Tally,
    /// Numbers exchanges without an id for the sampling rule.
    nameless: u64,
    /// Outcomes joined by an earlier run of the agent and never handed over; counted with the next pane.
    lost_outcomes: u64,
    /// What is known of the rows of the exchange at hand; kept for its room.
    rows: Vec<Prediction>,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        let length = settings.plan.document().panes.length;
        Self {
            pacing: settings.cap.map(|cap| Pacing::new(cap, length)),
            empty_traffic: settings.plan.empty_traffic(),
            empty_outcomes: settings.plan.empty_outcomes(),
            memory: Remembering::new(memory(&settings)),
            waiting: Waiting::new(settings.waiting),
            panes: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            watermark: None,
            tally: Tally::default(),
            nameless: 0,
            lost_outcomes: 0,
            rows: Vec::new(),
            settings,
        }
    }

    /// The same with a shelf for what does not fit into memory.
    #[must_use]
    pub fn with_shelf(mut self, shelf: Option<Box<dyn Shelf>>) -> Self {
        self.memory.put_shelf(shelf);
        self
    }

    /// The same for an engine that is at work.
    pub fn put_shelf(&mut self, shelf: Option<Box<dyn Shelf>>) {
        self.memory.put_shelf(shelf);
    }

    /// Takes the place of an engine that has closed its panes up to there.
    pub fn go_on_from(&mut self, watermark: Option<Timestamp>) {
        self.watermark = self.watermark.max(watermark);
    }

    /// How many bytes a prediction takes on a shelf.
    pub fn packed_bytes(settings: &Settings) -> usize {
        memory(settings).stride()
    }

    /// A new engine in place of one that panicked half-way: what the old one had counted in open
    /// panes cannot be trusted any more and is counted as dropped, so that coverage still adds up.
    /// So are outcomes, joined in panes that are open or waiting; what was remembered is forgotten
    /// before its time.
    #[must_use]
    pub fn after_panic(&mut self) -> Self {
        let mut fresh = Self::new(self.settings.clone());
        fresh.watermark = self.watermark;
        fresh.pacing = self.pacing.take();
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
        let empty = memory(&self.settings);
        fresh.memory = self.memory.after_panic(empty, &mut fresh.tally);
        fresh.lost_outcomes = self.lost_outcomes;
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
            Input::Asked(asked) => {
                let told = self.asked(asked, now);
                out.push(Output::Told(told));
            }
            Input::LostOnTheWay(outcomes) => self.lost_on_the_way(outcomes, now),
            Input::Close(pane, socket) => self.close(pane, &socket, now, out),
            Input::Stop(open) => self.stop(open, out),
            Input::Hold(open, number) => {
                let held = self.held(open, number);
                out.push(Output::Held(held));
            }
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

    /// Writes down what was remembered since the last call, and lets go what is over the bound. To be
    /// called again and again, and before the process ends.
    pub fn tidy(&mut self) {
        self.memory.tidy(&mut self.tally);
        self.lost_outcomes += std::mem::take(&mut self.tally.lost_outcomes);
    }

    /// Predictions (rows) kept on the shelf, and the bytes that it takes.
    pub fn shelved(&self) -> (u64, u64) {
        let shelf = self.memory.shelf();
        shelf.map_or((0, 0), |s| (s.rows(), s.bytes()))
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
        if let Some(pacing) = &mut self.pacing {
            pacing.count(looked.pane, looked.answer.as_ref().map_or(0, Answer::bytes));
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
        let drawn = self.drawn(tag);
        let Some(Kept(shell)) = self.chosen(looked.pane, drawn) else {
            self.tally.sampled_out += 1;
            let name = (!looked.request_only).then_some(tag);
            if !name.is_some_and(|tag| self.for_groups(looked.pane, (drawn, tag), &mut inference)) {
                self.pane(looked.pane).unattributed.sampled_out += 1;
            }
            return;
        };
        self.settings.plan.prepare(&mut inference);
        match self.fit((looked.pane, shell), &inference, looked.request_only) {
            Err(reason) => {
                if reason != UndecodableReason::UnknownModel {
                    self.kept_answer((looked.pane, shell), looked.answer.as_ref());
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
                self.observe((looked.pane, shell), &inference, &fitting, name, answer);
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

    /// By what an exchange is chosen. Those without an id cannot be chosen by it; they are numbered.
    fn drawn(&mut self, tag: Option<Tag>) -> Tag {
        tag.unwrap_or_else(|| {
            self.nameless += 1;
            self.settings.sampler.tag(&self.nameless.to_be_bytes())
        })
    }

    /// Whether an exchange is kept at its pane's rate, and in which shell it is counted.
    fn chosen(&mut self, pane: PaneStart, tag: Tag) -> Option<Kept> {
        let sampler = &self.settings.sampler;
        let rate = self.pacing.as_mut().map(|pacing| pacing.rate(pane));
        let kept = sampler.keeps(tag) && rate.is_none_or(|rate| rate.keeps(tag.bits()));
        kept.then(|| Kept(self.shell(tag)))
    }

    /// The shell that what is known by a tag is counted in.
    fn shell(&self, tag: Tag) -> Option<Shell> {
        self.pacing.as_ref().map(|_| Shell::of(tag.bits()))
    }

    /// The shell of counts that no rate of sampling touches: the one that is in every sum.
    fn last_shell(&self) -> Option<Shell> {
        self.pacing.as_ref().map(|_| Shell::LAST)
    }

    /// The share of ids that is kept in the newest pane.
    pub fn rate_in_force(&self) -> f64 {
        let paced = self.pacing.as_ref().map(Pacing::newest);
        paced.map_or_else(|| self.settings.sampler.rate(), Halvings::rate)
    }

    /// The rate of a pane, if a cap may lower it.
    fn rate(&mut self, pane: PaneStart) -> Option<Halvings> {
        self.pacing.as_mut().map(|pacing| pacing.rate(pane))
    }

    /// Whether an id that nobody remembers may be one that a cap let go.
    fn may_be_capped(&self, tag: Tag, arrival: PaneStart) -> bool {
        // If other replicas can be asked, they may have kept it.
        let pacing = self.pacing.as_ref();
        let pacing = pacing.filter(|_| self.settings.forward_after.is_none());
        let horizon = self.settings.plan.document().panes.outcome_horizon;
        pacing.is_some_and(|pacing| !pacing.lowest_since(arrival.0 - horizon).keeps(tag.bits()))
    }

    /// An inference that can be counted, or why it is not one of this system.
    fn fit<'a>(
        &mut self,
        (start, shell): (PaneStart, Option<Shell>),
        inference: &'a Inference,
        request_only: bool,
    ) -> Result<Fitting<'a>, UndecodableReason> {
        let models = &self.settings.plan.document().system.models;
        if !models.iter().any(|m| *m.name == *inference.model) {
            return Err(UndecodableReason::UnknownModel);
        }
        let known = &self.pane(start).models;
        let key = || (inference.model.clone(), inference.model_version.clone());
        let full = known.len() >= MAX_MODELS
            && known.keys().filter(|(s, _)| *s == shell).count() >= MAX_MODELS;
        if full && !known.contains_key(&(shell, key())) {
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
        (start, shell): (PaneStart, Option<Shell>),
        inference: &Inference,
        fitting: &Fitting<'_>,
        name: Named,
        answer: Option<&Answer>,
    ) {
        let plan = &self.settings.plan;
        let panes = &mut self.panes;
        let model = model_pane(panes, plan, (start, shell), inference);
        let rows = &mut self.rows;
        rows.clear();
        plan.gather(fitting, &mut model.gathered, rows);
        if let Some(answer) = answer {
            plan.serve_gathered(&answer.served, &mut model.gathered);
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

    fn key(&self, model: &ModelKey, shell: Option<Shell>) -> PaneKey {
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
            shell,
        }
    }

    fn item(
        &self,
        (model, shell): (&ModelKey, Option<Shell>),
        pane: PaneStart,
        stream: Stream,
        summary: &PaneSummary,
    ) -> ClosedWindow {
        ClosedWindow {
            key: self.key(model, shell),
            pane,
            stream,
            summary: summary.to_bytes(),
        }
    }
}

/// What is known of an inference's model in a pane.
fn model_pane<'a>(
    panes: &'a mut BTreeMap<PaneStart, Pane>,
    plan: &CapturePlan,
    (start, shell): (PaneStart, Option<Shell>),
    inference: &Inference,
) -> &'a mut ModelPane {
    let key = (inference.model.clone(), inference.model_version.clone());
    let model = panes.entry(start).or_default().models.entry((shell, key));
    model.or_insert_with_key(|(_, key)| ModelPane {
        origin: Arc::new((start, key.clone())),
        coverage: Coverage::default(),
        gathered: plan.gathering(),
    })
}

impl Pane {
    /// Counts the rows that wait.
    fn settle(&mut self, plan: &CapturePlan) {
        for model in self.models.values_mut() {
            plan.settle(&mut model.gathered);
        }
    }

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
