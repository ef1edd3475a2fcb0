//! Outcomes that were handed over: kept until the collector says that they are settled, so that its
//! restart loses none.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clause9_shared::wire::forward::{Carried, MAX_CARRIED, Named, Unfound};

use crate::engine::HandedOver;
use crate::telemetry::Telemetry;

/// Most bytes of them.
const MAX_BYTES: usize = 8 << 20;
/// Most bytes in one poll.
const MOST_AT_ONCE: usize = 1 << 20;

/// Outcomes handed over.
#[derive(Debug)]
pub struct OnTheWay {
    most: usize,
    telemetry: Telemetry,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    /// By number; those up to `taken` are with the collector.
    outcomes: BTreeMap<u64, Unfound>,
    taken: u64,
    bytes: usize,
}

impl OnTheWay {
    /// With room for so many.
    pub fn new(most: usize, telemetry: Telemetry) -> Self {
        Self {
            most,
            telemetry,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more there may be.
    pub fn room(&self) -> usize {
        let inner = self.lock();
        if inner.bytes >= MAX_BYTES {
            return 0;
        }
        self.most.saturating_sub(inner.outcomes.len())
    }

    /// Adds what was handed over.
    pub fn add(&self, handed: Vec<HandedOver>) {
        if handed.is_empty() {
            return;
        }
        let mut inner = self.lock();
        for HandedOver {
            tag,
            forgotten,
            outcome,
        } in handed
        {
            let outcome = Carried {
                request: Named::hash(tag.bytes()),
                outcome,
            };
            inner.last += 1;
            inner.bytes += outcome.size();
            let number = inner.last;
            let unfound = Unfound {
                number,
                forgotten,
                outcome,
            };
            inner.outcomes.insert(number, unfound);
        }
        self.show(&inner);
    }

    /// Those to be sent next, in order.
    pub(super) fn next(&self) -> Vec<Unfound> {
        let inner = self.lock();
        let mut bytes = 0;
        let waiting = inner.outcomes.range(inner.taken + 1..);
        let next = waiting.map(|(_, unfound)| unfound).take_while(|unfound| {
            bytes += unfound.outcome.size();
            bytes <= MOST_AT_ONCE
        });
        next.take(MAX_CARRIED).cloned().collect()
    }

    /// The collector has taken them up to this number.
    pub(super) fn taken(&self, up_to: u64, number: u64) {
        let mut inner = self.lock();
        inner.taken = inner.taken.max(up_to);
        let handed = self.telemetry.forwarded.with_label_values(&["handed_over"]);
        handed.inc_by(number);
    }

    /// These need not be kept any more.
    pub(super) fn settled(&self, numbers: &[u64]) {
        let mut inner = self.lock();
        for number in numbers {
            if let Some(unfound) = inner.outcomes.remove(number) {
                inner.bytes -= unfound.outcome.size();
                self.telemetry
                    .forwarded
                    .with_label_values(&["settled"])
                    .inc();
            }
        }
        self.show(&inner);
    }

    /// A collector that began anew knows of none.
    pub(super) fn again(&self) {
        self.lock().taken = 0;
    }

    /// The agent ends: how many did not reach the collector. They are let go.
    pub fn give_up(&self) -> u64 {
        let mut inner = self.lock();
        let first = inner.taken + 1;
        let lost = inner.outcomes.split_off(&first).len() as u64;
        let series = self.telemetry.forwarded.with_label_values(&["lost"]);
        series.inc_by(lost);
        lost
    }

    fn show(&self, inner: &Inner) {
        let number = i64::try_from(inner.outcomes.len()).unwrap_or(i64::MAX);
        self.telemetry.under_way.set(number);
    }
}

#[cfg(test)]
mod tests {
    use clause9_shared::objective::document::Scalar;
    use clause9_shared::plan::Outcome;

    use super::*;
    use crate::sample::Tag;

    fn handed(number: u8) -> HandedOver {
        HandedOver {
            tag: Tag::from_bytes([number; 16]),
            forgotten: false,
            outcome: Outcome {
                request_id: String::new(),
                row: 0,
                label: Some(Scalar::Bool(true)),
                attributes: BTreeMap::new(),
                available_at: None,
            },
        }
    }

    fn numbers(way: &OnTheWay) -> Vec<u64> {
        way.next().iter().map(|u| u.number).collect()
    }

    #[test]
    fn what_is_taken_is_kept_until_it_is_settled_and_sent_again_to_a_new_collector() {
        let way = OnTheWay::new(4, Telemetry::new().unwrap());
        way.add(vec![handed(1), handed(2), handed(3)]);
        assert_eq!((way.room(), numbers(&way)), (1, vec![1, 2, 3]));
        way.taken(2, 2);
        assert_eq!((way.room(), numbers(&way)), (1, vec![3]));
        way.settled(&[1, 9]);
        assert_eq!(way.room(), 2);
        way.again();
        assert_eq!(numbers(&way), [2, 3]);
        way.taken(2, 1);
        assert_eq!(way.give_up(), 1, "the third never reached the collector");
        way.settled(&[2]);
        assert_eq!(way.lock().outcomes.len(), 0);
    }

    #[test]
    fn one_poll_carries_a_bounded_number() {
        let way = OnTheWay::new(10_000, Telemetry::new().unwrap());
        way.add(std::iter::repeat_n(handed(1), 5000).collect());
        assert_eq!(way.next().len(), MAX_CARRIED);
    }
}
