//! The thread around the engine: takes exchanges from the queue, decodes them, closes panes when they
//! are due. If it panics it is started again; the data path does not notice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clause9_shared::plan::Outcome;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::{Coverage, DropReason, PaneStart, UndecodableReason};
use clause9_shared::wire::batch::ClosedWindow;
use clause9_shared::wire::forward::Fate;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::capture::{Captured, Recorder};
use crate::clock;
use crate::engine::{
    Answer, Asked, Engine, Input, Looked, OutcomeReport, Output, SocketCounts, Undecoded,
};
use crate::outbox::Outbox;
use crate::ship::{OnTheWay, Sealer};
use crate::sink::Delivery;

mod intake;
mod plans;
mod telling;
mod unplanned;

pub use intake::{Intake, SinkStatus};
pub use plans::{MakeEngine, Offer, OpenShelf, Plans, Taken};
pub use unplanned::Unplanned;

/// How often the clock is looked at when nothing happens.
const TICK: Duration = Duration::from_millis(200);
/// How often what open panes hold is put by.
const PUT_BY: Duration = Duration::from_secs(10);
/// Most exchanges taken before looking at the clock and at commands again.
const TURN: usize = 64;
/// Most commands waiting.
pub const MAX_COMMANDS: usize = 64;
/// Most panes closed in one go after a jump of the clock; the others follow in the next turns.
const MAX_CLOSED: u64 = 10_000;

/// What others ask of the monitor.
#[derive(Debug)]
pub enum Command {
    /// Join these outcomes.
    Outcomes(Vec<Outcome>, oneshot::Sender<OutcomeReport>),
    /// Look for what these outcomes are about, which came in elsewhere.
    Asked(Vec<Asked>, oneshot::Sender<Vec<Fate>>),
    /// Take in what the sink's door read.
    Delivery(Delivery),
    /// Set the replayed clock forward and close what is due.
    SetClock(Timestamp, oneshot::Sender<ClockAnswer>),
    /// Take up this plan.
    Plan(Offer),
    /// Tell how things stand.
    Status(oneshot::Sender<MonitorStatus>),
    /// Ship what there is and end.
    Stop,
}

/// Answer to a setting of the clock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ClockAnswer {
    /// End of the newest closed pane.
    pub watermark: Option<Timestamp>,
    /// Panes closed by it.
    pub closed: u64,
}

/// How things stand at the monitor.
#[derive(Clone, Debug, Serialize)]
pub struct MonitorStatus {
    /// The system's time.
    pub now: Option<Timestamp>,
    /// End of the newest closed pane.
    pub watermark: Option<Timestamp>,
    /// Panes that are open.
    pub open: Vec<OpenPane>,
    /// Predictions remembered for their outcomes.
    pub remembered_predictions: usize,
    /// Outcomes waiting for their request.
    pub waiting_outcomes: usize,
    /// Share of request ids that is kept in the newest pane.
    pub sampling_rate: f64,
    /// What waits at the sink.
    pub sink: SinkStatus,
}

/// An open pane.
#[derive(Clone, Debug, Serialize)]
pub struct OpenPane {
    /// Its beginning.
    pub start: Timestamp,
    /// What became of its exchanges so far.
    pub coverage: Coverage,
    /// Exchanges that have not ended, or not reached the monitor.
    pub under_way: u64,
}

/// Where the monitor was when it panicked.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Reading an exchange; the engine was not touched.
    Decoding(PaneStart),
    /// Anywhere else.
    Engine,
}

/// The monitor: the engine and what feeds it.
#[derive(Debug)]
pub struct Monitor {
    engine: Engine,
    recorder: Arc<Recorder>,
    document: clause9_shared::objective::Document,
    lateness: Span,
    exchanges: mpsc::Receiver<Captured>,
    commands: mpsc::Receiver<Command>,
    /// Where batches go; without a collector, nowhere.
    shipping: Option<(Sealer, Arc<Outbox>)>,
    /// Where outcomes go whose request is not known here, if anywhere.
    on_the_way: Option<Arc<OnTheWay>>,
    shipped: Vec<(Vec<ClosedWindow>, Timestamp)>,
    phase: Phase,
    /// Plans that may come while the agent runs; none if objectives are files.
    plans: Option<Plans>,
    /// What is told by other ways than the proxy.
    intake: Intake,
    /// A command that is not obeyed yet.
    pending: Option<Command>,
    /// A pane that is being closed, and what the engine said of it so far.
    closing: Option<(PaneStart, SocketCounts)>,
    /// Since when panes are being closed that are not shipped yet, on the wall clock.
    closing_since: Option<Timestamp>,
    out: Vec<Output>,
    /// How often open panes were put by, and when last.
    put_by: u64,
    put_by_at: Option<Instant>,
}

impl Monitor {
    /// A monitor that has not begun.
    pub fn new(
        engine: Engine,
        recorder: Arc<Recorder>,
        document: clause9_shared::objective::Document,
        (exchanges, commands): (mpsc::Receiver<Captured>, mpsc::Receiver<Command>),
        intake: Intake,
        shipping: Option<(Sealer, Arc<Outbox>)>,
    ) -> Self {
        Self {
            lateness: document.panes.lateness,
            phase: Phase::Engine,
            shipped: Vec::new(),
            pending: None,
            closing: None,
            closing_since: None,
            on_the_way: None,
            plans: None,
            out: Vec::new(),
            put_by: 0,
            put_by_at: Some(Instant::now()),
            engine,
            recorder,
            intake,
            document,
            exchanges,
            commands,
            shipping,
        }
    }

    /// The same with a way to other replicas for outcomes whose request is not known here.
    #[must_use]
    pub fn with_way(mut self, on_the_way: Option<Arc<OnTheWay>>) -> Self {
        self.on_the_way = on_the_way;
        self
    }

    /// The same, taking up other plans while it runs.
    #[must_use]
    pub fn with_plans(mut self, plans: Plans) -> Self {
        self.plans = Some(plans);
        self
    }

    /// Works until told to stop. Blocks its thread.
    pub fn run(mut self, runtime: &tokio::runtime::Runtime) {
        loop {
            let worked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.work())));
            if worked.is_ok() {
                return;
            }
            self.recorder.telemetry.monitor_restarts.inc();
            tracing::error!("the monitor panicked and is started again; traffic is not affected");
            let recovered = catch_unwind(AssertUnwindSafe(|| self.recover()));
            if recovered.is_err() {
                self.distrust();
            }
            self.phase = Phase::Engine;
        }
    }

    /// After a panic: an exchange that could not be read is let go; if the engine itself was at work,
    /// what it had counted in open panes is. A pane that was being closed is closed all the same.
    fn recover(&mut self) {
        self.intake.recover();
        match self.phase {
            Phase::Decoding(pane) => self.hand_in(Looked {
                pane,
                decoded: Err(Undecoded::Dropped(DropReason::MonitorDown)),
                truncated: false,
                upstream_error: false,
                answer: None,
                request_only: false,
            }),
            Phase::Engine => {
                self.distrust();
                let said = self.out.iter().any(|o| matches!(o, Output::Ship(..)));
                if let (Some((pane, socket)), false) = (self.closing.take(), said) {
                    let now = self.now();
                    self.engine
                        .handle(Input::Close(pane, socket), now, &mut self.out);
                }
                self.perform();
                self.ship();
            }
        }
    }

    /// What was counted in open panes cannot be trusted any more.
    fn distrust(&mut self) {
        self.engine = self.engine.after_panic();
        if let Some((_, next)) = self.next_engine() {
            *next = next.after_panic();
        }
    }

    /// Notes that the data path's address is bound: from now on no request passes unseen. On a
    /// replayed clock the first pane says when that is.
    pub fn begin(&self) {
        if let (Clock::Live, Some(now)) = (self.recorder.clock.kind(), self.recorder.clock.now()) {
            self.recorder.panes.watch_from(now);
            self.recorder.panes.reach(now);
        }
    }

    async fn work(&mut self) {
        self.begin();
        loop {
            if self.intake.is_at_work() {
                self.take_in();
            }
            match self.pending {
                Some(Command::Stop) => return self.stop(),
                Some(_) => self.obey(),
                None => {}
            }
            self.close_due();
            self.put_by();
            self.publish();
            tokio::select! {
                biased;
                command = self.commands.recv() => {
                    self.pending = command.or(Some(Command::Stop));
                }
                captured = self.exchanges.recv() => {
                    if let Some(captured) = captured {
                        self.exchange(captured);
                        self.take_waiting(TURN);
                    }
                }
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Takes in what the data path handed over up to now.
    fn take_waiting(&mut self, most: usize) {
        for _ in 0..most {
            let Ok(captured) = self.exchanges.try_recv() else {
                return;
            };
            self.exchange(captured);
        }
    }

    fn exchange(&mut self, captured: Captured) {
        let Captured {
            mut exchange,
            decoder,
            held,
            small,
            served,
        } = captured;
        self.phase = Phase::Decoding(exchange.pane);
        small.settle(&mut exchange);
        let decoded = decoder.decode(&exchange).map_err(Undecoded::Undecodable);
        let (pane, at) = (exchange.pane, exchange.arrived_at);
        let answer = Answer {
            served,
            model: decoder.addressed(exchange.target.path()).map(Into::into),
            request_id: exchange.request_id.as_ref().map(|id| id.as_bytes().into()),
        };
        let looked = Looked {
            pane,
            answer: Some(answer),
            request_only: false,
            truncated: exchange.request.body.truncated || exchange.response.body.truncated,
            upstream_error: matches!(
                decoded,
                Err(Undecoded::Undecodable(UndecodableReason::UpstreamError))
            ),
            decoded,
        };
        drop((exchange, held));
        self.phase = Phase::Engine;
        self.hand_in(looked);
        if self.recorder.clock.kind() == Clock::Replay {
            self.recorder.clock.advance(at);
        }
    }

    fn hand_in(&mut self, looked: Looked) {
        let now = self.now();
        self.engine_of(looked.pane.0)
            .handle(Input::Exchange(looked), now, &mut Vec::new());
    }

    /// The system's time; on a replayed clock that was not told it yet, the beginning of time.
    fn now(&self) -> Timestamp {
        self.recorder.clock.now().unwrap_or(Timestamp::EPOCH)
    }

    fn obey(&mut self) {
        // What ended before the command was sent is counted before it is obeyed. A panic on the way
        // leaves the command pending.
        self.take_waiting(self.exchanges.len());
        match self.pending.take() {
            Some(Command::Outcomes(outcomes, answer)) => {
                let mut out = Vec::new();
                let now = self.now();
                self.engine.handle(Input::Outcomes(outcomes), now, &mut out);
                if let Some(Output::Answer(report)) = out.pop() {
                    let _ = answer.send(report);
                }
            }
            Some(Command::Asked(asked, answer)) => {
                let mut out = Vec::new();
                let now = self.now();
                self.engine.handle(Input::Asked(asked), now, &mut out);
                if let Some(Output::Told(told)) = out.pop() {
                    let _ = answer.send(told);
                }
            }
            Some(Command::Delivery(delivery)) => {
                self.intake.begin(delivery);
                self.take_in();
            }
            Some(Command::SetClock(to, answer)) => {
                let now = self.recorder.clock.advance(to);
                self.recorder.panes.reach(now);
                let closed = self.close_due();
                let _ = answer.send(ClockAnswer {
                    watermark: self.engine.watermark(),
                    closed,
                });
            }
            Some(Command::Plan(offer)) => self.offered(offer),
            Some(Command::Status(answer)) => {
                let _ = answer.send(self.status());
            }
            Some(Command::Stop) | None => {}
        }
    }

    /// Closes the panes that are over, and hands what they ship to the outbox.
    fn close_due(&mut self) -> u64 {
        let Some(now) = self.recorder.clock.now() else {
            return 0;
        };
        self.expire_halves();
        let mut closed = 0;
        while let Some(pane) = self.recorder.panes.next_due(now, self.lateness) {
            if closed >= MAX_CLOSED {
                break;
            }
            self.closing_since.get_or_insert_with(clock::wall);
            // After a leap, thousands of idle panes are due at once, and under load the queue fills again
            // while one is closed: to empty it for each of them would take forever.
            if !self.recorder.panes.is_idle(pane) {
                self.take_waiting(self.exchanges.len());
            }
            self.close_halves(pane);
            let socket = self.recorder.panes.close(pane);
            self.closing = Some((pane, socket.clone()));
            self.engine
                .handle(Input::Close(pane, socket), now, &mut self.out);
            self.closing = None;
            self.perform();
            self.turn_over();
            closed += 1;
        }
        if closed > 0 {
            self.ship();
        }
        closed
    }

    fn perform(&mut self) {
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Ship(items, watermark) => self.shipped.push((items, watermark)),
                Output::Measured(m) => self.recorder.telemetry.show_metric(
                    &self.document,
                    m.objective.as_str(),
                    m.metric.spec().name,
                    m.value,
                    m.support,
                ),
                Output::Answer(_) | Output::Told(_) | Output::Held(_) => {}
            }
        }
        // A long jump of the clock closes many panes: do not pile them up.
        if self.shipped.len() >= TURN {
            self.ship();
        }
    }

    fn ship(&mut self) {
        let shipped = std::mem::take(&mut self.shipped);
        let begun = self.closing_since.take();
        if let Some((sealer, outbox)) = &mut self.shipping {
            let since = self.recorder.panes.watching_since();
            let (losses, now) = (outbox.untold(), clock::wall());
            let batches = sealer.seal(shipped, &losses, since, now);
            if !batches.is_empty() {
                let envelopes = batches.iter().map(|(_, envelope)| envelope);
                let told = outbox.traces();
                told.closed(envelopes, (begun.unwrap_or(now), clock::wall()));
                outbox.push(batches, losses, now);
                // What was put by before is over; panes that are still open are put by anew.
                self.put_by_at = None;
            }
        }
    }

    /// Puts by what open panes hold, every now and then: a crash takes no more than what came since.
    fn put_by(&mut self) {
        let due = self.put_by_at.is_none_or(|at| at.elapsed() >= PUT_BY);
        if self.shipping.is_none() || !due {
            return;
        }
        self.put_by_at = Some(Instant::now());
        self.put_by += 1;
        let (open, now) = (self.recorder.panes.open(), self.now());
        let mut out = Vec::new();
        let (open, later) = self.split(open);
        self.engine
            .handle(Input::Hold(open, self.put_by), now, &mut out);
        let mut held = match out.pop() {
            Some(Output::Held(Some(held))) => vec![held],
            Some(_) | None => Vec::new(),
        };
        held.extend(self.later(Input::Hold(later, self.put_by), now));
        if let (false, Some((sealer, outbox))) = (held.is_empty(), &self.shipping) {
            let since = self.recorder.panes.watching_since();
            let batches = sealer.put_by(held, since, clock::wall());
            outbox.put_by(self.put_by, batches);
        }
    }

    fn stop(&mut self) {
        self.take_waiting(self.exchanges.len());
        self.close_due();
        self.end_halves();
        self.closing_since = Some(clock::wall());
        let open = self.recorder.panes.take_open();
        let now = self.now();
        if let Some(on_the_way) = &self.on_the_way {
            let lost = on_the_way.give_up();
            self.engine
                .handle(Input::LostOnTheWay(lost), now, &mut self.out);
        }
        let (open, later) = self.split(open);
        self.engine.handle(Input::Stop(open), now, &mut self.out);
        self.perform();
        let later = self.later(Input::Stop(later), now);
        self.shipped.extend(later);
        self.ship();
        self.publish();
    }
}
