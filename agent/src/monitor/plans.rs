//! Taking up other objectives while the agent runs: panes that begin from some point on are counted by an engine of their
//! own, so that no pane is counted by two plans and no exchange under way is lost between them.

use std::sync::Arc;

use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use clause9_shared::wire::plan::Named;
use tokio::sync::oneshot;

use super::Monitor;
use crate::engine::shelf::{Reason, Shelf};
use crate::engine::{Engine, Input, Output};
use crate::pull::{Source, Standing};
use crate::ship::Shipped;

/// A plan that the monitor is to take up.
#[derive(Debug)]
pub struct Offer {
    /// What is to be counted and how.
    pub capture: Arc<CapturePlan>,
    /// The names of its documents.
    pub names: Named,
    /// Where they came from.
    pub source: Source,
    /// Where to say what became of it.
    pub answer: oneshot::Sender<Taken>,
}

/// What becomes of a plan that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Panes are counted by it from then on; none: it is in force.
    From(Option<Timestamp>),
    /// Another one is to be taken up first; offer it again.
    Later,
    /// It cannot be taken up while the agent runs.
    Refused(String),
}

/// Makes the engine of a plan.
pub type MakeEngine = Box<dyn FnMut(Arc<CapturePlan>) -> Engine + Send>;
/// Opens the shelf of a plan; there may be one at a time.
pub type OpenShelf = Box<dyn FnMut(Arc<CapturePlan>) -> Option<Box<dyn Shelf>> + Send>;

/// What taking up plans needs.
pub struct Plans {
    /// Makes engines.
    pub engine: MakeEngine,
    /// Opens shelves.
    pub shelf: OpenShelf,
    /// Where it is told what is in force.
    pub standing: Arc<Standing>,
    next: Option<Next>,
}

/// What comes next.
#[derive(Debug)]
struct Next {
    engine: Engine,
    capture: Arc<CapturePlan>,
    from: Timestamp,
    names: Named,
    source: Source,
}

impl std::fmt::Debug for Plans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plans")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Plans {
    /// Nothing comes next yet.
    pub const fn new(engine: MakeEngine, shelf: OpenShelf, standing: Arc<Standing>) -> Self {
        Self {
            engine,
            shelf,
            standing,
            next: None,
        }
    }

    /// The engine of the first plan, with its shelf.
    pub(super) fn first(&mut self, capture: &Arc<CapturePlan>) -> Engine {
        let shelf = (self.shelf)(Arc::clone(capture));
        (self.engine)(Arc::clone(capture)).with_shelf(shelf)
    }
}

impl Monitor {
    /// The engine that comes next, and from which point on panes are counted by it.
    pub(super) fn next_engine(&mut self) -> Option<(Timestamp, &mut Engine)> {
        let next = self.plans.as_mut()?.next.as_mut()?;
        Some((next.from, &mut next.engine))
    }

    /// The same, to look at.
    pub(super) fn next_seen(&self) -> Option<&Engine> {
        Some(&self.plans.as_ref()?.next.as_ref()?.engine)
    }

    /// The engine that counts a pane.
    pub(super) fn engine_of(&mut self, pane: Timestamp) -> &mut Engine {
        let later = self.plans.as_mut().and_then(|p| p.next.as_mut());
        match later {
            Some(next) if pane >= next.from => &mut next.engine,
            Some(_) | None => &mut self.engine,
        }
    }

    /// Takes a plan up, or says why not.
    pub(super) fn offered(&mut self, offer: Offer) {
        let now = self.recorder.clock.now();
        let length = offer.capture.document().panes.length;
        let taken = match &mut self.plans {
            None => Taken::Refused("the objectives are files here, and files win".to_owned()),
            Some(plans) if plans.next.is_some() => Taken::Later,
            Some(plans) => match self.recorder.panes.change(length, now) {
                Err(refused) => Taken::Refused(refused.to_string()),
                Ok(from) => {
                    plans.next = Some(Next {
                        engine: (plans.engine)(Arc::clone(&offer.capture)),
                        from: from.unwrap_or(Timestamp::EPOCH),
                        capture: offer.capture,
                        names: offer.names,
                        source: offer.source,
                    });
                    plans.standing.next(from);
                    Taken::From(from)
                }
            },
        };
        if taken == Taken::From(None) {
            self.take_up();
        }
        let _ = offer.answer.send(taken);
    }

    /// Takes up what comes next once every pane before it is closed.
    pub(super) fn turn_over(&mut self) {
        let due = self.next_engine().map(|(from, _)| from);
        if due.is_some_and(|from| self.recorder.panes.is_closed_until(from)) {
            self.take_up();
        }
    }

    /// The old engine says what it still holds of outcomes; the next one goes on from its watermark. What was remembered
    /// of predictions stays only on a shelf, and there only if the plan is the same one but for what judges.
    fn take_up(&mut self) {
        let now = self.now();
        self.engine
            .handle(Input::Stop(Vec::new()), now, &mut self.out);
        self.perform();
        self.publish();
        let Some((plans, next)) = self.plans.as_mut().and_then(|plans| {
            let next = plans.next.take()?;
            Some((plans, next))
        }) else {
            return;
        };
        let watermark = self.engine.watermark();
        let old = std::mem::replace(&mut self.engine, next.engine);
        if old.shelved() == (0, 0) {
            let forgotten = &self.recorder.telemetry.forgotten;
            let series = forgotten.with_label_values(&[Reason::OtherPlan.as_str()]);
            series.inc_by(old.remembered() as u64);
        }
        drop(old);
        self.engine.go_on_from(watermark);
        self.engine
            .put_shelf((plans.shelf)(Arc::clone(&next.capture)));
        self.document = next.capture.document().clone();
        self.lateness = self.document.panes.lateness;
        self.recorder.telemetry.forget_metrics();
        plans.standing.in_force(&next.names, next.source);
    }

    /// What the next engine says of open panes, without a claim about panes that are not closed.
    pub(super) fn later(&mut self, input: Input, now: Timestamp) -> Vec<Shipped> {
        let closed = self.recorder.panes.oldest();
        let mut out = Vec::new();
        if let Some((_, engine)) = self.next_engine() {
            engine.handle(input, now, &mut out);
        }
        let said = out.into_iter().filter_map(|output| match output {
            Output::Ship(items, watermark) | Output::Held(Some((items, watermark))) => {
                let watermark = closed.map_or(watermark, |pane| watermark.min(pane.0));
                Some((items, watermark))
            }
            Output::Held(None) | Output::Measured(_) | Output::Answer(_) | Output::Told(_) => None,
        });
        said.collect()
    }

    /// Open panes by the engine that counts them.
    pub(super) fn split<T>(&mut self, open: Vec<(PaneStart, T)>) -> Split<T> {
        match self.next_engine() {
            None => (open, Vec::new()),
            Some((from, _)) => open.into_iter().partition(|(pane, _)| pane.0 < from),
        }
    }
}

/// Panes of this engine, and of the next one.
type Split<T> = (Vec<(PaneStart, T)>, Vec<(PaneStart, T)>);
