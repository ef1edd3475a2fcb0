//! What the sink's door hands over, taken in: halves of exchanges joined, each item given its pane,
//! decoded and counted as traffic of the proxy is. A panic costs one item; the rest goes on.

use clause9_shared::plan::Outcome;
use clause9_shared::service::Served;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::{DropReason, PaneStart, UndecodableReason};
use http::{Method, Uri};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::capture::panes::Admission;
use crate::decode::{self, Decoder, Decoders};
use crate::engine::{Answer, Input, Looked, Output, Tally, Undecoded};
use crate::exchange::{Exchange, Target};
use crate::monitor::{Monitor, Phase};
use crate::sink::{
    Delivery, Fate, Gone, Half, Item, Joins, Record, Shapes, Side, Standing, Waiting, Whole,
};

/// Items taken in before traffic of the proxy is looked after again.
const TURN: usize = 64;

/// What taking in needs.
pub struct Intake {
    joins: Joins,
    shapes: Shapes,
    decoders: Decoders,
    /// The delivery that is being taken in.
    current: Option<Current>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

struct Current {
    items: std::vec::IntoIter<Item>,
    /// Items that were begun with.
    begun: usize,
    fates: Vec<Fate>,
    answer: oneshot::Sender<Vec<Fate>>,
}

/// How things stand at the sink.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SinkStatus {
    /// Requests that wait for their answer.
    pub waiting_requests: usize,
    /// Answers that wait for their request.
    pub waiting_answers: usize,
    /// Bytes of both.
    pub waiting_bytes: usize,
}

impl Intake {
    /// Nothing was handed over yet.
    pub const fn new(joins: Joins, shapes: Shapes, decoders: Decoders) -> Self {
        Self {
            joins,
            shapes,
            decoders,
            current: None,
        }
    }

    pub(super) fn status(&self) -> SinkStatus {
        let (waiting_requests, waiting_answers) = self.joins.len();
        SinkStatus {
            waiting_requests,
            waiting_answers,
            waiting_bytes: self.joins.bytes(),
        }
    }

    /// Begins with a delivery.
    pub(super) fn begin(&mut self, delivery: Delivery) {
        self.current = Some(Current {
            fates: Vec::with_capacity(delivery.items.len()),
            items: delivery.items.into_iter(),
            begun: 0,
            answer: delivery.answer,
        });
    }

    /// Whether there is a delivery that is not taken in to its end.
    pub(super) const fn is_at_work(&self) -> bool {
        self.current.is_some()
    }

    /// After a panic: what was begun with has failed, unless its fate is known.
    pub(super) fn recover(&mut self) {
        if let Some(current) = &mut self.current
            && current.fates.len() < current.begun
        {
            current.fates.push(Fate::Failed);
        }
    }

    fn next(&mut self) -> Option<Item> {
        let current = self.current.as_mut()?;
        let item = current.items.next()?;
        current.begun += 1;
        Some(item)
    }

    fn settle(&mut self, fate: Fate) {
        if let Some(current) = &mut self.current {
            current.fates.push(fate);
        }
    }

    fn end(&mut self) {
        if let Some(current) = self.current.take() {
            let _ = current.answer.send(current.fates);
        }
    }
}

impl Monitor {
    /// Takes in the rest of a delivery, and tells its sender.
    pub(super) fn take_in(&mut self) {
        let mut taken = 0;
        while let Some(item) = self.intake.next() {
            let fate = match item {
                Item::Half(half) => self.half(*half),
                Item::Whole(whole) => self.whole(*whole),
                Item::Record(record) => self.record(*record),
                Item::Outcome(outcome) => self.outcome(*outcome),
            };
            self.intake.settle(fate);
            taken += 1;
            if taken % TURN == 0 {
                self.take_waiting(TURN);
            }
        }
        self.intake.end();
    }

    /// Gives up what has waited too long.
    pub(super) fn expire_halves(&mut self) {
        let mut gone = Vec::new();
        self.intake.joins.expire(self.now(), &mut gone);
        self.let_go(gone);
    }

    /// Gives up what belongs to a pane that is about to be closed.
    pub(super) fn close_halves(&mut self, pane: PaneStart) {
        let mut gone = Vec::new();
        self.intake.joins.close(pane, &mut gone);
        self.let_go(gone);
    }

    /// Gives up everything: the agent stops.
    pub(super) fn end_halves(&mut self) {
        let mut gone = Vec::new();
        self.intake.joins.end(&mut gone);
        self.let_go(gone);
    }

    /// Counts halves that were given up: requests were seen already, answers are from now on.
    fn let_go(&mut self, gone: Vec<Gone>) {
        for Gone { waiting, reason } in gone {
            match waiting.half.side {
                Side::Request => self.recorder.let_go(waiting.pane, reason),
                Side::Response => {
                    if let Ok((pane, _)) = self.admit(Some(waiting.at)) {
                        self.recorder.let_go(pane, reason);
                    }
                }
            }
        }
    }

    /// Counts an exchange as seen; its pane and time, or why it is let go.
    fn admit(&self, at: Option<Timestamp>) -> Result<(PaneStart, Timestamp), DropReason> {
        match self.recorder.arrive_at(at, true) {
            Admission::Capture(pane, at) => Ok((pane, at)),
            Admission::Dropped(reason) => Err(reason),
            // Only said of what is told to be none, and before there is a monitor.
            Admission::NotInference | Admission::Unmonitored => Err(DropReason::TooLate),
        }
    }

    fn half(&mut self, half: Half) -> Fate {
        let mut gone = Vec::new();
        let standing = self.intake.joins.enter(half.key, half.side, &mut gone);
        self.let_go(gone);
        match (standing, half.side) {
            (Standing::Duplicate, _) => Fate::Duplicate,
            (Standing::Late, _) => {
                self.recorder.telemetry.late.inc();
                Fate::Late
            }
            (Standing::First, Side::Request) => match self.admit(half.at) {
                Ok((pane, at)) => self.wait(half, pane, at),
                Err(reason) => Fate::Dropped(reason),
            },
            (Standing::First, Side::Response) => {
                let at = half.at.unwrap_or_else(|| self.now());
                let pane = PaneStart::of(at, self.document.panes.length);
                self.wait(half, pane, at)
            }
            (Standing::Second(response), Side::Request) => match self.admit(half.at) {
                Ok((pane, at)) => self.joined(pane, at, half, response.half),
                Err(reason) => Fate::Dropped(reason),
            },
            (Standing::Second(request), Side::Response) => {
                let Waiting { pane, at, .. } = *request;
                self.joined(pane, at, request.half, half)
            }
        }
    }

    fn wait(&mut self, half: Half, pane: PaneStart, at: Timestamp) -> Fate {
        let waiting = Waiting {
            half,
            pane,
            at,
            since: self.now(),
        };
        let mut gone = Vec::new();
        self.intake.joins.wait(waiting, &mut gone);
        self.let_go(gone);
        if self.recorder.clock.kind() == Clock::Replay {
            self.recorder.clock.advance(at);
        }
        Fate::Waiting
    }

    fn joined(&mut self, pane: PaneStart, at: Timestamp, request: Half, response: Half) -> Fate {
        let served = crate::sink::served(&request, &response);
        let whole = Whole {
            key: None,
            at: Some(at),
            method: Method::POST,
            target: None,
            service: request.service.or(response.service),
            request_id: request.request_id,
            request: request.message,
            response: Some((response.status, response.message)),
            served,
        };
        self.understand(pane, at, whole)
    }

    fn whole(&mut self, whole: Whole) -> Fate {
        if let Some(fate) = self.known(whole.key) {
            return fate;
        }
        let find = |target: &Uri| decode::find(self.intake.decoders, &whole.method, target.path());
        if whole
            .target
            .as_ref()
            .is_some_and(|target| find(target).is_none())
        {
            self.recorder.arrive_at(whole.at, false);
            return Fate::NotInference;
        }
        match self.admit(whole.at) {
            Ok((pane, at)) => self.understand(pane, at, whole),
            Err(reason) => Fate::Dropped(reason),
        }
    }

    /// Notes what is told as a whole; what is to be said of it if it was told before.
    fn known(&mut self, key: Option<crate::sink::Key>) -> Option<Fate> {
        let mut gone = Vec::new();
        let is_new = key.is_none_or(|key| self.intake.joins.enter_whole(key, &mut gone));
        self.let_go(gone);
        (!is_new).then_some(Fate::Duplicate)
    }

    /// Decodes an exchange that was told and counts it.
    fn understand(&mut self, pane: PaneStart, at: Timestamp, mut whole: Whole) -> Fate {
        self.phase = Phase::Decoding(pane);
        let target = self.intake.shapes.settle(&mut whole);
        let method = whole.method.clone();
        let decoder = target
            .as_ref()
            .and_then(|target| decode::find(self.intake.decoders, &method, target.path()));
        let request_only = whole.response.is_none();
        let (status, response) = whole.response.unwrap_or_default();
        let exchange = Exchange {
            pane,
            arrived_at: at,
            method,
            target: Target::of(target.as_ref().map_or("", Uri::path)),
            status,
            request_id: whole.request_id,
            request: whole.request,
            response,
        };
        let looked = match decoder {
            Some(decoder) => looked(&exchange, decoder, whole.served, request_only),
            None => Looked {
                pane,
                decoded: Err(Undecoded::Undecodable(UndecodableReason::Unsupported)),
                truncated: false,
                upstream_error: false,
                answer: answer(&exchange, None, whole.served, request_only),
                request_only,
            },
        };
        self.count(looked, at)
    }

    fn record(&mut self, record: Record) -> Fate {
        if let Some(fate) = self.known(record.key) {
            return fate;
        }
        let (pane, at) = match self.admit(record.at) {
            Ok(admitted) => admitted,
            Err(reason) => return Fate::Dropped(reason),
        };
        let mut inference = record.inference;
        inference.arrived_at = at;
        let failed = record
            .served
            .status
            .is_some_and(|s| !(200..300).contains(&s));
        let answer = Answer {
            served: record.served,
            model: Some(inference.model.clone()),
            request_id: inference.request_id.as_ref().map(|id| id.as_bytes().into()),
        };
        let upstream_error = UndecodableReason::UpstreamError;
        let looked = Looked {
            pane,
            truncated: false,
            upstream_error: failed,
            answer: (record.answered || failed).then_some(answer),
            request_only: !record.answered,
            decoded: if failed {
                Err(Undecoded::Undecodable(upstream_error))
            } else {
                Ok(inference)
            },
        };
        let fate = self.count(looked, at);
        if let (Fate::Counted | Fate::SampledOut, Some(outcome)) = (fate, record.outcome) {
            self.outcome(outcome);
        }
        fate
    }

    fn outcome(&mut self, outcome: Outcome) -> Fate {
        let mut out = Vec::new();
        let now = self.now();
        self.phase = Phase::Engine;
        let input = Input::Outcomes(vec![outcome]);
        self.engine.handle(input, now, &mut out);
        match out.pop() {
            Some(Output::Answer(told)) if told.joined + told.waiting + told.sampled_out > 0 => {
                Fate::Outcome
            }
            Some(
                Output::Answer(_)
                | Output::Told(_)
                | Output::Held(_)
                | Output::Ship(..)
                | Output::Measured(_),
            )
            | None => Fate::OutcomeLost,
        }
    }

    /// Counts an exchange, and says what the engine made of it.
    fn count(&mut self, looked: Looked, at: Timestamp) -> Fate {
        self.phase = Phase::Engine;
        let before = self.engine.tally().clone();
        self.hand_in(looked);
        if self.recorder.clock.kind() == Clock::Replay {
            self.recorder.clock.advance(at);
        }
        fate(&before, self.engine.tally())
    }
}

fn looked(
    exchange: &Exchange,
    decoder: &dyn Decoder,
    served: Served,
    request_only: bool,
) -> Looked {
    let decoded = if request_only {
        truncated_or(exchange, decoder)
    } else {
        decoder.decode(exchange)
    };
    let upstream_error = matches!(decoded, Err(UndecodableReason::UpstreamError));
    Looked {
        pane: exchange.pane,
        decoded: decoded.map_err(Undecoded::Undecodable),
        truncated: exchange.request.body.truncated || exchange.response.body.truncated,
        upstream_error,
        answer: answer(exchange, Some(decoder), served, request_only),
        request_only,
    }
}

fn truncated_or(
    exchange: &Exchange,
    decoder: &dyn Decoder,
) -> Result<clause9_shared::inference::Inference, UndecodableReason> {
    if exchange.request.body.truncated {
        return Err(UndecodableReason::Truncated);
    }
    decoder.decode_request(exchange)
}

/// How it was answered; nothing of what was not.
fn answer(
    exchange: &Exchange,
    decoder: Option<&dyn Decoder>,
    served: Served,
    request_only: bool,
) -> Option<Answer> {
    let model = decoder.and_then(|decoder| decoder.addressed(exchange.target.path()));
    (!request_only).then(|| Answer {
        served,
        model: model.map(Into::into),
        request_id: exchange.request_id.as_ref().map(|id| id.as_bytes().into()),
    })
}

/// What the engine counted between two looks at its tally.
fn fate(before: &Tally, after: &Tally) -> Fate {
    let reasons = UndecodableReason::ALL.iter();
    let undecodable = reasons
        .copied()
        .find(|r| after.undecodable[*r as usize] > before.undecodable[*r as usize]);
    if let Some(reason) = undecodable {
        return Fate::Undecodable(reason);
    }
    if after.sampled > before.sampled {
        Fate::Counted
    } else if after.sampled_out > before.sampled_out {
        Fate::SampledOut
    } else {
        Fate::Dropped(DropReason::TooLate)
    }
}

#[cfg(test)]
mod tests;
