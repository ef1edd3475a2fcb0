//! Closing panes: after it no more data can enter. What a pane ships, and what its metrics say.

use std::borrow::Cow;
use std::collections::BTreeMap;

use clause9_shared::metric::{Beside, MetricId, Seen, StreamKind};
use clause9_shared::objective::Objective;
use clause9_shared::sampling::{Rates, Shell};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::window::{Coverage, DropReason, PaneStart};
use clause9_shared::wire::batch::{ClosedWindow, Stream};

use crate::engine::joining::Arrivals;
use crate::engine::{Engine, Measured, ModelKey, ModelPane, Output, Pane, SocketCounts};

impl Engine {
    pub(super) fn close(
        &mut self,
        start: PaneStart,
        socket: &SocketCounts,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let panes = &self.settings.plan.document().panes;
        let length = panes.length;
        let end = start.end(length);
        let horizon = PaneStart::of(now - panes.outcome_horizon, length);
        self.give_up(start);
        let lost = std::mem::take(&mut self.lost_outcomes);
        self.count_dropped(start, lost);
        // Written while the engine still holds it all: if that goes wrong, the engine that takes over
        // finds what is lost, and counts it.
        self.count_requests(start, socket);
        let pane = self.panes.entry(start).or_default();
        pane.settle(&self.settings.plan);
        let unfinished = missing(pane, socket);
        let rates = self.rate(start).map(Rates::one);
        let pane = &self.panes[&start];
        let mut items = self.traffic_items((start, rates), pane, socket, unfinished);
        // On a replayed clock, outcomes may have come before the first pane.
        for (arrival, arrived) in self.arrivals.range(..=start) {
            items.extend(self.outcome_items(*arrival, arrived));
        }
        let later = self.arrivals.split_off(&start.next(length));
        let arrivals = std::mem::replace(&mut self.arrivals, later);
        let pane = self.panes.remove(&start).unwrap_or_default();
        self.tally.dropped[DropReason::Unfinished as usize] += unfinished;
        self.tally.panes += 1;
        self.watermark = self.watermark.max(Some(end));
        if let Some(pacing) = &mut self.pacing {
            pacing.close(start);
        }
        // Written down before it is shipped: whatever ends the process, nothing is shipped twice.
        self.memory.handed_over(end);
        out.push(Output::Ship(items, self.watermark.unwrap_or(end)));
        self.measure(start, &pane, &arrivals, out);
        self.memory.expire(horizon, &mut self.tally);
    }

    /// Outcomes that waited in vain for their request. If others can be asked for it, they go on waiting
    /// until they are handed over.
    fn give_up(&mut self, start: PaneStart) {
        if self.settings.forward_after.is_some() {
            return;
        }
        for (tag, outcomes) in self.waiting.give_up(start) {
            if self.memory.has_forgotten(tag) {
                self.tally.outcomes_forgotten += outcomes;
                self.unjoined(start).forgotten += outcomes;
            } else if !self.settings.sampler.keeps(tag) {
                // It was waited for in case its group's rate had kept it.
                self.tally.outcomes_sampled_out += outcomes;
                self.unjoined(start).sampled_out += outcomes;
            } else {
                self.tally.unknown_id += outcomes;
                self.unjoined(start).unknown_id += outcomes;
            }
        }
    }

    /// What open panes hold goes out as a first contribution; the watermark does not move.
    pub(super) fn stop(&mut self, open: Vec<(PaneStart, SocketCounts)>, out: &mut Vec<Output>) {
        let mut items = Vec::new();
        let mut first = None;
        for (start, socket) in open {
            self.count_requests(start, &socket);
            let mut pane = self.panes.remove(&start).unwrap_or_default();
            pane.settle(&self.settings.plan);
            let unfinished = missing(&pane, &socket);
            self.tally.dropped[DropReason::Unfinished as usize] += unfinished;
            if socket != SocketCounts::default() || pane.received > 0 {
                let rates = self.rate(start).map(Rates::one);
                items.extend(self.traffic_items((start, rates), &pane, &socket, unfinished));
                first = first.or(Some(start));
            }
        }
        let length = self.settings.plan.document().panes.length;
        let waiting = self.waiting.give_up_all();
        let mut arrivals = std::mem::take(&mut self.arrivals);
        if let (true, Some(start)) = (waiting > 0, arrivals.keys().next_back().copied().or(first)) {
            arrivals.entry(start).or_default().unjoined.dropped += waiting;
        }
        self.tally.outcomes_dropped += waiting;
        for (start, arrived) in &arrivals {
            items.extend(self.outcome_items(*start, arrived));
            first = first.map_or(Some(*start), |f| Some(f.min(*start)));
        }
        if let (false, Some(watermark)) = (items.is_empty(), self.watermark.or(first.map(|f| f.0)))
        {
            let last = arrivals.keys().next_back().map(|pane| pane.end(length));
            self.memory
                .handed_over(watermark.max(last.unwrap_or(watermark)));
            out.push(Output::Ship(items, watermark));
        }
    }

    /// What open panes hold so far, as it would be shipped if the agent stopped now; nothing is closed and
    /// nothing taken away. None if they hold nothing. `number` is noted beside what is remembered, so that
    /// the next run knows which outcomes are in it.
    pub(super) fn held(
        &mut self,
        open: Vec<(PaneStart, SocketCounts)>,
        number: u64,
    ) -> Option<(Vec<ClosedWindow>, Timestamp)> {
        let mut items = Vec::new();
        let mut first = None;
        for (start, socket) in open {
            let known = self.panes.get(&start).map_or(0, |pane| pane.received);
            if socket == SocketCounts::default() && known == 0 {
                continue;
            }
            // Requests are counted when a pane is closed: here in what is put by, and nowhere else.
            let pane = self.panes.entry(start).or_default();
            let answers = pane.unattributed_answers.clone();
            self.count_requests(start, &socket);
            let rates = self.rate(start).map(Rates::one);
            if let Some(pane) = self.panes.get(&start) {
                let unfinished = missing(pane, &socket);
                items.extend(self.traffic_items((start, rates), pane, &socket, unfinished));
            }
            if let Some(pane) = self.panes.get_mut(&start) {
                pane.unattributed_answers = answers;
            }
            first = first.or(Some(start));
        }
        for (start, arrived) in &self.arrivals {
            items.extend(self.outcome_items(*start, arrived));
            first = first.map_or(Some(*start), |f| Some(f.min(*start)));
        }
        if items.is_empty() {
            return None;
        }
        self.memory.put_by(number);
        let watermark = self.watermark.or(first.map(|f| f.0))?;
        Some((items, watermark))
    }

    /// One unattributed item, always, and one per model; of each shell, if shells are kept apart.
    fn traffic_items(
        &self,
        (start, rates): (PaneStart, Option<Rates>),
        pane: &Pane,
        socket: &SocketCounts,
        unfinished: u64,
    ) -> Vec<ClosedWindow> {
        let mut rest = pane.unattributed.clone();
        rest.not_inference += socket.not_inference;
        for (mine, theirs) in rest.dropped.iter_mut().zip(socket.dropped) {
            *mine += theirs;
        }
        rest.dropped[DropReason::Unfinished as usize] += unfinished;
        rest.seen = rest.accounted();
        let nobody: ModelKey = (Box::default(), Box::default());
        let item = |of: (&ModelKey, Option<Shell>), coverage: &Coverage, summary: &PaneSummary| {
            debug_assert!(coverage.adds_up(), "{coverage:?}");
            let mut coverage = coverage.clone();
            coverage.rates = rates;
            self.item(of, start, Stream::Traffic(coverage), summary)
        };
        let last = self.last_shell();
        let answers = &pane.unattributed_answers;
        let unattributed = answers.get(&last).map_or(&self.empty_traffic, |a| a);
        let mut items = vec![item((&nobody, last), &rest, unattributed)];
        let others = answers.iter().filter(|(shell, _)| **shell != last);
        items.extend(others.map(|(shell, a)| item((&nobody, *shell), &Coverage::default(), a)));
        items.extend(
            pane.models
                .iter()
                .map(|((shell, key), m)| item((key, *shell), &m.coverage, &self.traffic_of(m))),
        );
        items
    }

    fn outcome_items(&self, arrival: PaneStart, arrivals: &Arrivals) -> Vec<ClosedWindow> {
        let mut items = Vec::new();
        if arrivals.unjoined.received() > 0 {
            let stream = Stream::Outcomes {
                arrival,
                coverage: arrivals.unjoined.clone(),
            };
            let nobody = (Box::default(), Box::default());
            let nobody = (&nobody, self.last_shell());
            items.push(self.item(nobody, arrival, stream, &self.empty_outcomes));
        }
        for ((origin, shell), block) in &arrivals.blocks {
            let (pane, model) = &**origin;
            let stream = Stream::Outcomes {
                arrival,
                coverage: block.coverage.clone(),
            };
            items.push(self.item((model, *shell), *pane, stream, &block.summary));
        }
        items
    }

    /// What each objective in force says of this pane, on this replica alone.
    fn measure(
        &self,
        start: PaneStart,
        pane: &Pane,
        arrivals: &BTreeMap<PaneStart, Arrivals>,
        out: &mut Vec<Output>,
    ) {
        let traffic = sum(
            &self.empty_traffic,
            pane.models
                .values()
                .map(|model| self.traffic_of(model))
                .chain(
                    pane.unattributed_answers
                        .values()
                        .map(|a| Cow::Borrowed(&**a)),
                ),
        );
        let outcomes = sum(
            &self.empty_outcomes,
            arrivals
                .values()
                .flat_map(|a| a.blocks.values())
                .map(|b| Cow::Borrowed(&b.summary)),
        );
        let plan = &self.settings.plan;
        for objective in plan
            .document()
            .objectives
            .iter()
            .filter(|o| o.in_force_at(start.0))
        {
            let summary = match self.stream(objective) {
                StreamKind::Traffic => &traffic,
                StreamKind::Outcomes | StreamKind::ByAttribute => &outcomes,
            };
            let seen = Seen {
                document: plan.document(),
                baseline: plan.baseline(),
                of: &objective.of,
                summary,
                beside: Beside {
                    length: Some(plan.document().panes.length),
                    traffic: Some(&traffic),
                    ages: None,
                },
            };
            let estimate = MetricId::measure(objective.metric, seen).ok();
            out.push(Output::Measured(Measured {
                objective: objective.id.clone(),
                metric: objective.metric,
                value: estimate.as_ref().map(|e| e.value),
                support: estimate.map_or(0, |e| e.support),
            }));
        }
    }

    /// What was counted of a model's traffic; of a settled one without a copy.
    fn traffic_of<'a>(&self, model: &'a ModelPane) -> Cow<'a, PaneSummary> {
        self.settings.plan.summary_of(&model.gathered)
    }

    fn stream(&self, objective: &Objective) -> StreamKind {
        let kind = objective.metric.spec().stream;
        if kind != StreamKind::ByAttribute {
            return kind;
        }
        let document = self.settings.plan.document();
        let named = document
            .attributes
            .iter()
            .find(|a| Some(&a.name) == objective.of.attribute.as_ref());
        if named.is_none_or(|attribute| document.comes_late(attribute)) {
            StreamKind::Outcomes
        } else {
            StreamKind::Traffic
        }
    }
}

/// Exchanges that were seen and have no other fate: they had not ended when the pane closed.
fn missing(pane: &Pane, socket: &SocketCounts) -> u64 {
    let known = socket.not_inference + socket.dropped_total() + pane.received;
    debug_assert!(
        known <= socket.seen,
        "{known} accounted for, {} seen",
        socket.seen
    );
    socket.seen.saturating_sub(known)
}

fn sum<'a>(empty: &PaneSummary, parts: impl Iterator<Item = Cow<'a, PaneSummary>>) -> PaneSummary {
    let mut sum = empty.clone();
    for part in parts {
        if let Err(error) = sum.merge(&part) {
            tracing::error!(%error, "summaries of one plan do not add up");
        }
    }
    sum
}
