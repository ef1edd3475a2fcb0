//! What waits to be sent: the newest figures of each source, and events and spans in two bounded queues. Core.

use std::collections::{BTreeMap, VecDeque};

use clause9_shared::time::Timestamp;

use crate::message::{Event, Figure, Span};

/// Most figures of one source; what is over it is dropped and counted.
pub(crate) const MAX_FIGURES: usize = 20_000;

/// The newest figures of one source.
#[derive(Debug)]
struct Shown {
    read_at: Timestamp,
    figures: Vec<Figure>,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    most: usize,
    shown: BTreeMap<String, Shown>,
    /// Whether figures are other ones than were sent last.
    changed: bool,
    pub(crate) events: VecDeque<Event>,
    pub(crate) spans: VecDeque<Span>,
}

impl Waiting {
    /// Nothing waits yet; of events and spans so many can, each.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            most,
            shown: BTreeMap::new(),
            changed: false,
            events: VecDeque::new(),
            spans: VecDeque::new(),
        }
    }

    /// Puts figures in the place of those that a source showed before. Gives how many are too many, and whether any is
    /// another one than before.
    pub(crate) fn show(
        &mut self,
        source: &str,
        mut figures: Vec<Figure>,
        read_at: Timestamp,
    ) -> (usize, bool) {
        let over = figures.len().saturating_sub(MAX_FIGURES);
        figures.truncate(MAX_FIGURES);
        let new = Shown { read_at, figures };
        let old = self.shown.insert(source.to_owned(), new);
        let other =
            old.map(|old| old.figures).as_ref() != self.shown.get(source).map(|s| &s.figures);
        self.changed |= other;
        (over, other)
    }

    /// Takes an event; false if too many wait.
    pub(crate) fn tell(&mut self, event: Event) -> bool {
        let room = self.events.len() < self.most;
        if room {
            self.events.push_back(event);
        }
        room
    }

    /// Takes a span; false if too many wait.
    pub(crate) fn step(&mut self, span: Span) -> bool {
        let room = self.spans.len() < self.most;
        if room {
            self.spans.push_back(span);
        }
        room
    }

    /// All figures as they are now, if any changed or if they are asked for anyway.
    pub(crate) fn figures(&mut self, anyway: bool) -> Vec<(Timestamp, Figure)> {
        if !std::mem::take(&mut self.changed) && !anyway {
            return Vec::new();
        }
        let all = self.shown.values();
        all.flat_map(|shown| shown.figures.iter().map(|f| (shown.read_at, f.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Named;

    const GAUGE: Named = Named {
        name: "g",
        unit: "",
        about: "",
    };

    fn figure(value: f64) -> Figure {
        Figure {
            gauge: GAUGE,
            attributes: Vec::new(),
            value,
        }
    }

    #[test]
    fn figures_are_sent_when_they_change_and_when_they_are_asked_for() {
        let mut waiting = Waiting::new(1);
        let at = |n| Timestamp::from_micros(n).unwrap();
        assert_eq!(waiting.show("a", vec![figure(1.0)], at(1)), (0, true));
        assert_eq!(waiting.figures(false), [(at(1), figure(1.0))]);
        assert_eq!(waiting.show("a", vec![figure(1.0)], at(2)), (0, false));
        assert!(waiting.figures(false).is_empty());
        // With the time at which they were read last, not at which they changed.
        assert_eq!(waiting.figures(true), [(at(2), figure(1.0))]);
        // What a source shows no more is not sent any more.
        assert_eq!(waiting.show("a", Vec::new(), at(3)), (0, true));
        assert!(waiting.figures(true).is_empty());
    }

    #[test]
    fn there_is_an_end_to_what_waits() {
        let mut waiting = Waiting::new(2);
        let event = Event {
            name: "e",
            at: Timestamp::EPOCH,
            seen: Timestamp::EPOCH,
            severity: crate::message::Severity::Info,
            body: String::new(),
            attributes: Vec::new(),
        };
        let taken = [0; 4].map(|_| waiting.tell(event.clone()));
        assert_eq!(taken, [true, true, false, false]);
        let many = vec![figure(0.0); MAX_FIGURES + 7];
        assert_eq!(waiting.show("a", many, Timestamp::EPOCH).0, 7);
        assert_eq!(waiting.figures(false).len(), MAX_FIGURES);
    }
}
