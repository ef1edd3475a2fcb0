//! The monitor before there are objectives: traffic passes uncounted until a plan is offered.

use std::sync::Arc;

use clause9_shared::canonical::NotCanonical;
use clause9_shared::plan::CapturePlan;
use clause9_shared::wire::plan::Named;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::{ClockAnswer, Command, Intake, Monitor, Offer, Plans, Taken};
use crate::capture::{Captured, Recorder};
use crate::outbox::Outbox;
use crate::pull::Source;
use crate::ship::{OnTheWay, Sealer};

/// Everything that a monitor needs but a plan.
#[derive(Debug)]
pub struct Unplanned {
    /// The data path's side.
    pub recorder: Arc<Recorder>,
    /// What the data path will hand over, and what others ask.
    pub asked: (mpsc::Receiver<Captured>, mpsc::Receiver<Command>),
    /// What is told by other ways than the proxy.
    pub intake: Intake,
    /// Where batches go; without a collector, nowhere.
    pub shipping: Option<(Sealer, Arc<Outbox>)>,
    /// Where outcomes go whose request is not known here, if anywhere.
    pub on_the_way: Option<Arc<OnTheWay>>,
    /// Makes the engine once there is a plan.
    pub plans: Plans,
}

impl Unplanned {
    /// The monitor by objectives that are files, which no others take the place of.
    pub fn with_files(mut self, capture: &Arc<CapturePlan>) -> Result<Monitor, NotCanonical> {
        let engine = self.plans.first(capture);
        let document = capture.document().clone();
        let names = Named {
            system: document.system.id.clone(),
            objectives: document.digest()?,
            baseline: capture.baseline().digest(),
        };
        self.plans.standing.in_force(&names, Source::File);
        let (recorder, asked) = (self.recorder, self.asked);
        let monitor = Monitor::new(
            engine,
            recorder,
            document,
            asked,
            self.intake,
            self.shipping,
        );
        Ok(monitor.with_way(self.on_the_way))
    }

    /// Waits for a plan and works by it until told to stop. Blocks its thread.
    pub fn run(mut self, runtime: &Runtime) {
        if let Some(offer) = runtime.block_on(self.wait()) {
            self.begin(offer).run(runtime);
        }
    }

    /// The first plan; none if told to stop before.
    async fn wait(&mut self) -> Option<Offer> {
        loop {
            match self.asked.1.recv().await? {
                Command::Plan(offer) => return Some(offer),
                Command::SetClock(to, answer) => {
                    self.recorder.clock.advance(to);
                    let _ = answer.send(ClockAnswer {
                        watermark: None,
                        closed: 0,
                    });
                }
                // Without an answer, whoever asks knows that nothing was taken.
                Command::Outcomes(..)
                | Command::Asked(..)
                | Command::Delivery(_)
                | Command::Status(_) => {}
                Command::Stop => return None,
            }
        }
    }

    fn begin(self, offer: Offer) -> Monitor {
        let mut plans = self.plans;
        let document = offer.capture.document().clone();
        let engine = plans.first(&offer.capture);
        self.recorder.panes.begin(document.panes.length);
        plans.standing.in_force(&offer.names, offer.source);
        let monitor = Monitor::new(
            engine,
            self.recorder,
            document,
            self.asked,
            self.intake,
            self.shipping,
        );
        let monitor = monitor.with_way(self.on_the_way).with_plans(plans);
        // From here on traffic is counted, whenever the thread comes to it.
        monitor.begin();
        let _ = offer.answer.send(Taken::From(None));
        monitor
    }
}
