//! Outcomes whose request another replica answered: handed over to be looked for elsewhere, and looked
//! for here when others ask.

use clause9_shared::plan::Outcome;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use clause9_shared::wire::forward::Fate as Told;

use crate::engine::Engine;
use crate::engine::joining::Fate;
use crate::sample::Tag;

/// An outcome whose request is not known here.
#[derive(Clone, Debug, PartialEq)]
pub struct HandedOver {
    /// What stands for its request's id.
    pub tag: Tag,
    /// Whether the request was known here once.
    pub forgotten: bool,
    /// The outcome, without its request's id.
    pub outcome: Outcome,
}

/// What is asked about an outcome that came in elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The collector's number of the question.
    pub ticket: u64,
    /// The question.
    pub question: Question,
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Join this, if its request is known; named by its tag, or else by the outcome's own request id.
    Join(Option<Tag>, Outcome),
    /// Nobody knew its request: count it.
    CountUnknown,
    /// Nobody knows its request any more: count it.
    CountForgotten,
}

impl Engine {
    /// Outcomes that have waited for their request as long as they may, about so many at most.
    pub fn hand_over(&mut self, now: Timestamp, most: usize) -> Vec<HandedOver> {
        let mut handed = Vec::new();
        let Some(after) = self.settings.forward_after else {
            return handed;
        };
        while handed.len() < most {
            let Some((tag, outcomes)) = self.waiting.take_since(now - after) else {
                break;
            };
            let forgotten = self.memory.has_forgotten(tag);
            handed.extend(outcomes.into_iter().map(|outcome| HandedOver {
                tag,
                forgotten,
                outcome,
            }));
        }
        handed
    }

    pub(super) fn asked(&mut self, asked: Vec<Asked>, now: Timestamp) -> Vec<Told> {
        let pane = self.not_closed(PaneStart::of(
            now,
            self.settings.plan.document().panes.length,
        ));
        let answer = |one: Asked| match one.question {
            Question::Join(tag, outcome) => {
                let id = outcome.request_id.as_bytes();
                let tag = tag.unwrap_or_else(|| self.settings.sampler.tag(id));
                let arrival = self.arrival(&outcome, now);
                match self.join(arrival, tag, &outcome) {
                    Fate::UnknownRequest => Told::Unknown,
                    Fate::ForgottenRequest => Told::Forgotten,
                    Fate::Joined
                    | Fate::Repeated
                    | Fate::UnknownRow
                    | Fate::UnlistedValue
                    | Fate::Dropped
                    | Fate::SampledOut => Told::Counted,
                }
            }
            Question::CountUnknown => {
                self.unjoined(pane).unknown_id += 1;
                self.tally.unknown_id += 1;
                Told::Counted
            }
            Question::CountForgotten => {
                self.unjoined(pane).forgotten += 1;
                self.tally.outcomes_forgotten += 1;
                Told::Counted
            }
        };
        asked.into_iter().map(answer).collect()
    }

    pub(super) fn lost_on_the_way(&mut self, outcomes: u64, now: Timestamp) {
        let pane = PaneStart::of(now, self.settings.plan.document().panes.length);
        self.count_dropped(self.not_closed(pane), outcomes);
    }
}
