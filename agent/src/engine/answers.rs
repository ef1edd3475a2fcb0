//! How exchanges were answered: counted for each one that the sampling rule keeps, understood or not.
//!
//! Errors carry no prediction and often no id, so they are sampled by the id in their request's header
//! or else by number: by the same chance as any other exchange, so that shares stay what they are.

use clause9_shared::sampling::Shell;
use clause9_shared::service::Served;
use clause9_shared::window::{PaneStart, UndecodableReason};

use crate::engine::{Engine, Kept, Pane, SocketCounts};

/// How an exchange was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its times, sizes and status.
    pub served: Served,
    /// The model that the request was to, as far as its path tells.
    pub model: Option<Box<str>>,
    /// The id in the request's header.
    pub request_id: Option<Box<[u8]>>,
}

impl Answer {
    /// Bytes of the request and of the answer, as far as they are known.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    pub(super) fn bytes(&self) -> u64 {
        let known = |bytes: Option<f64>| bytes.map_or(0, |bytes| bytes as u64);
        known(self.served.request_bytes).saturating_add(known(self.served.response_bytes))
    }
}

impl Engine {
    /// Counts the answer of an exchange that was not understood, if it is one of this system's and
    /// the sampling rule keeps it.
    pub(super) fn unattributed_answer(&mut self, start: PaneStart, answer: Option<&Answer>) {
        let Some(known) = answer.filter(|_| self.settings.plan.serves()) else {
            return;
        };
        let models = &self.settings.plan.document().system.models;
        let foreign = |model: &str| !models.iter().any(|m| *m.name == *model);
        if known.model.as_deref().is_some_and(foreign) {
            return;
        }
        let id = known.request_id.as_ref();
        let tag = id.map(|id| self.settings.sampler.tag(id));
        let drawn = self.drawn(tag);
        if let Some(Kept(shell)) = self.chosen(start, drawn) {
            self.kept_answer((start, shell), answer);
        }
    }

    /// Counts the answer of an exchange that was kept and belongs to no model.
    pub(super) fn kept_answer(
        &mut self,
        (start, shell): (PaneStart, Option<Shell>),
        answer: Option<&Answer>,
    ) {
        let plan = &self.settings.plan;
        if let (true, Some(answer)) = (plan.serves(), answer) {
            let pane = self.panes.entry(start).or_default();
            let empty = || Box::new(self.empty_traffic.clone());
            let into = pane.unattributed_answers.entry(shell);
            let into = into.or_insert_with(empty);
            plan.serve(&answer.served, into);
        }
    }

    /// Counts the requests of a pane, when it is over.
    pub(super) fn count_requests(&mut self, start: PaneStart, socket: &SocketCounts) {
        let last = self.last_shell();
        let plan = &self.settings.plan;
        if !plan.serves() {
            return;
        }
        let pane: &mut Pane = self.panes.entry(start).or_default();
        let foreign = pane.unattributed.undecodable[UndecodableReason::UnknownModel as usize];
        let requests = socket.seen.saturating_sub(socket.not_inference + foreign);
        let empty = || Box::new(self.empty_traffic.clone());
        let into = pane.unattributed_answers.entry(last);
        let into = into.or_insert_with(empty);
        plan.count_requests(requests, into);
    }
}
