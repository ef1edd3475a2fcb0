//! Which batch is sent when, and how many at once. Pure: time and chance are parameters, sending is up to
//! the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ship::pause::Pause;

/// Batches that may be under way are counted in tenths.
const ONE: usize = 10;
/// Most batches under way at once.
const MAX_AT_ONCE: usize = 16 * ONE;
/// Tenths that are left of them after an answer that took too long.
const SLOWER: usize = 9;
/// By how much of the usual deviation an answer may take longer than usual.
const DEVIATIONS: f64 = 2.5;
/// Weight of the newest answer in what is usual.
const NEWEST: f64 = 0.4;
/// After how many failures of one batch others go before it.
const STRIKES: u32 = 3;
/// Most batches that others go before; of more, nobody is let by.
const MAX_ASIDE: usize = 64;
/// Most batches that were handed over to somebody else and wait for the collector's answer.
const MAX_HANDED: usize = 1024;
/// Most batches that the disk is to keep before they are settled; while it has so many to do, nothing is sent.
const MAX_KEEPING: usize = 4;
/// How often the time after which a batch is handed over again doubles, at most.
const MAX_DOUBLED: u32 = 4;
/// Shortest pause of an agent that the collector does not know.
const STRANGER: Duration = Duration::from_secs(2);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The collector is done with the batch.
    Settled,
    /// There was no answer, or none that says anything about this batch; the time is what was asked for.
    Unanswered(Option<Duration>),
    /// The collector failed over it.
    Failed(Option<Duration>),
    /// The collector does not know the agent, or not for this system.
    Stranger(Option<Duration>),
    /// The collector refused it for good, and the disk would not keep it so far.
    Unkept,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this batch.
    Send(u64),
    /// Nothing, until then or until something is answered or added.
    Wait(Option<Duration>),
}

/// Chooses what is sent. Times are since some fixed point, by a clock that never steps.
#[derive(Debug)]
pub struct Courier {
    under_way: BTreeMap<u64, Duration>,
    /// Batches that failed again and again, with how often and until when they are left alone.
    aside: BTreeMap<u64, (u32, Duration)>,
    /// Batches that somebody else carries to the collector, who has said nothing of them yet.
    handed: BTreeMap<u64, Handed>,
    /// Batches that the collector is done with, once the disk has kept what it said.
    keeping: BTreeSet<u64>,
    at_once: usize,
    usual: Option<Usual>,
    pause: Pause,
    quiet_until: Duration,
}

/// A batch that was handed over.
#[derive(Clone, Copy, Debug)]
struct Handed {
    times: u32,
    /// From when on it is handed over again.
    until: Duration,
}

/// How long answers take, in seconds.
#[derive(Clone, Copy, Debug)]
struct Usual {
    mean: f64,
    variance: f64,
}

impl Default for Courier {
    fn default() -> Self {
        Self {
            under_way: BTreeMap::new(),
            aside: BTreeMap::new(),
            handed: BTreeMap::new(),
            keeping: BTreeSet::new(),
            at_once: ONE,
            usual: None,
            pause: Pause::default(),
            quiet_until: Duration::ZERO,
        }
    }
}

impl Courier {
    /// What to do now. `first` tells the first waiting batch from a number on.
    pub fn next(&mut self, now: Duration, first: impl Fn(u64) -> Option<u64>) -> Step {
        if now < self.quiet_until {
            return Step::Wait(Some(self.quiet_until));
        }
        if self.under_way.len() >= self.at_once() || self.keeping.len() >= MAX_KEEPING {
            return Step::Wait(None);
        }
        if self.handed.len() >= MAX_HANDED {
            // Some may have been let go for want of room.
            self.handed
                .retain(|number, _| first(*number) == Some(*number));
        }
        let is_full = self.handed.len() >= MAX_HANDED;
        let mut from = 0;
        let mut due: Option<Duration> = None;
        // What fails again and again, and could be tried once more.
        let mut once_more = None;
        while let Some(number) = first(from) {
            let handed = self.handed.get(&number);
            if is_full && handed.is_none() {
                from = number + 1;
                continue;
            }
            let left_alone = self.aside.get(&number).map(|(_, until)| *until);
            let left_alone = left_alone.max(handed.map(|handed| handed.until));
            match left_alone.filter(|until| now < *until) {
                Some(until) => due = Some(due.map_or(until, |d| d.min(until))),
                None if self.under_way.contains_key(&number) || self.keeping.contains(&number) => {}
                // Else a few of them would be tried by turns, with longer and longer pauses, and no other.
                None if self.pause.is_after_failure() && self.lets_others_by(number) => {
                    once_more.get_or_insert(number);
                }
                None => return self.send(number, now),
            }
            from = number + 1;
        }
        match once_more {
            Some(number) => self.send(number, now),
            None => Step::Wait(due),
        }
    }

    fn send(&mut self, number: u64, now: Duration) -> Step {
        self.under_way.insert(number, now);
        Step::Send(number)
    }

    /// Whether a batch has failed so often that others go before it.
    fn lets_others_by(&self, number: u64) -> bool {
        let known = self.aside.get(&number);
        known.is_some_and(|(strikes, _)| *strikes >= STRIKES)
    }

    /// How many batches may be under way at once now.
    pub const fn at_once(&self) -> usize {
        self.at_once / ONE
    }

    /// A batch that was to be sent is not there any more.
    pub fn gone(&mut self, number: u64) {
        self.under_way.remove(&number);
        self.aside.remove(&number);
        self.handed.remove(&number);
        self.keeping.remove(&number);
    }

    /// The collector is done with a batch, and the disk is to keep what it said first: it is not sent meanwhile, and holds up
    /// nobody. How that went is told by [`answered`](Self::answered).
    pub fn keeping(&mut self, number: u64, now: Duration) {
        let full = self.under_way.len() >= self.at_once();
        self.handed.remove(&number);
        self.keeping.insert(number);
        if let Some(since) = self.under_way.remove(&number) {
            self.learn(now.saturating_sub(since).as_secs_f64(), full);
        }
    }

    /// A batch is with somebody who carries it to the collector. What the collector says of it is told by
    /// [`answered`](Self::answered); if that takes longer than `patience`, it is to be handed over again, after twice as long each time. Gives how often
    /// it was handed over by now; 0 if its answer was quicker.
    pub fn handed_over(&mut self, number: u64, now: Duration, patience: Duration) -> u32 {
        let full = self.under_way.len() >= self.at_once();
        let Some(since) = self.under_way.remove(&number) else {
            return 0;
        };
        self.learn(now.saturating_sub(since).as_secs_f64(), full);
        let times = self.handed.get(&number).map_or(0, |handed| handed.times);
        let until = now + patience.saturating_mul(1 << times.min(MAX_DOUBLED));
        let times = times.saturating_add(1);
        self.handed.insert(number, Handed { times, until });
        times
    }

    /// How many batches were handed over and wait for an answer.
    pub fn waiting(&self) -> usize {
        self.handed.len()
    }

    /// What became of a delivery. `chance` is a number from 0 to 1.
    pub fn answered(&mut self, number: u64, what: Delivered, now: Duration, chance: f64) {
        let full = self.under_way.len() >= self.at_once();
        let since = self.under_way.remove(&number);
        self.keeping.remove(&number);
        match what {
            Delivered::Settled => {
                self.aside.remove(&number);
                self.handed.remove(&number);
                self.pause = Pause::default();
                // How long others carried it says nothing of how many may be under way.
                if let Some(since) = since {
                    self.learn(now.saturating_sub(since).as_secs_f64(), full);
                }
            }
            // What was handed over before is still where it is.
            Delivered::Unanswered(asked) => self.rest(now, asked, chance),
            Delivered::Failed(asked) => {
                self.handed.remove(&number);
                self.strike(number, now, 0);
                self.rest(now, asked, chance);
            }
            // Nothing is wrong with the collector, so that others are sent.
            Delivered::Unkept => {
                self.handed.remove(&number);
                if !self.strike(number, now, STRIKES - 1) {
                    self.rest(now, None, chance);
                }
            }
            Delivered::Stranger(asked) => {
                self.handed.remove(&number);
                self.rest(now, Some(asked.unwrap_or_default().max(STRANGER)), chance);
            }
        }
    }

    /// Counts one more failure of a batch, after which others may go before it; `more` are added to it. False if too many are let
    /// by already.
    fn strike(&mut self, number: u64, now: Duration, more: u32) -> bool {
        let known = self.aside.get(&number);
        let strikes = known.map_or(1, |(strikes, _)| strikes.saturating_add(1));
        let room = known.is_some() || self.aside.len() < MAX_ASIDE;
        if room {
            let until = now + aside_for(strikes.saturating_add(more));
            self.aside.insert(number, (strikes, until));
        }
        room
    }

    /// Leaves the collector alone for a while, and then begins with one batch.
    fn rest(&mut self, now: Duration, asked: Option<Duration>, chance: f64) {
        self.at_once = ONE;
        let until = now + self.pause.next(asked, chance);
        self.quiet_until = self.quiet_until.max(until);
    }

    /// More at once while answers take no longer than usual, fewer when they do.
    fn learn(&mut self, seconds: f64, full: bool) {
        let usual = self.usual.unwrap_or(Usual {
            mean: seconds,
            variance: 0.0,
        });
        if seconds > usual.mean + DEVIATIONS * usual.variance.sqrt() {
            self.at_once = (self.at_once * SLOWER / 10).max(ONE);
        } else if full && seconds <= usual.mean {
            self.at_once = (self.at_once + ONE).min(MAX_AT_ONCE);
        }
        let off = seconds - usual.mean;
        self.usual = Some(Usual {
            mean: usual.mean + NEWEST * off,
            variance: (1.0 - NEWEST) * (usual.variance + NEWEST * off * off),
        });
    }
}

/// How long a batch is left alone after so many failures: not at all at first, then twice as long each time,
/// up to about four minutes.
fn aside_for(strikes: u32) -> Duration {
    match strikes.checked_sub(STRIKES) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << (more + 1).min(8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn upto(last: u64) -> impl Fn(u64) -> Option<u64> {
        move |from| (from.max(1) <= last).then_some(from.max(1))
    }

    #[test]
    fn more_are_under_way_at_once_while_answers_come_quickly_and_one_after_a_failure() {
        let mut courier = Courier::default();
        let mut next = 1;
        for turn in 0..200_u64 {
            let now = Duration::from_millis(turn * 10);
            while let Step::Send(number) = courier.next(now, |from| Some(from.max(next))) {
                assert!(number >= next);
            }
            assert!(courier.at_once() <= 16 && !courier.under_way.is_empty());
            let sent: Vec<u64> = courier.under_way.keys().copied().collect();
            for number in sent {
                courier.answered(
                    number,
                    Delivered::Settled,
                    now + Duration::from_millis(5),
                    0.5,
                );
                next = next.max(number + 1);
            }
        }
        assert_eq!(courier.at_once(), 16);
        let Step::Send(number) = courier.next(secs(5), |from| Some(from.max(next))) else {
            panic!("nothing is sent");
        };
        courier.answered(number, Delivered::Unanswered(None), secs(6), 1.0);
        assert_eq!(courier.at_once(), 1);
        assert_eq!(
            courier.next(secs(6), upto(9)),
            Step::Wait(Some(secs(6) + Duration::from_millis(200)))
        );
    }

    #[test]
    fn a_batch_that_fails_again_and_again_lets_others_go_before_it() {
        let mut courier = Courier::default();
        let mut now = secs(0);
        for _ in 0..3 {
            assert_eq!(courier.next(now, upto(2)), Step::Send(1));
            courier.answered(1, Delivered::Failed(None), now, 0.0);
            now += secs(1);
        }
        // Left alone until two seconds after its third failure.
        assert_eq!(courier.next(now, upto(2)), Step::Send(2));
        courier.answered(2, Delivered::Settled, now, 0.0);
        assert_eq!(courier.next(now, upto(1)), Step::Wait(Some(secs(4))));
        assert_eq!(courier.next(secs(4), upto(1)), Step::Send(1));
        courier.answered(1, Delivered::Settled, secs(4), 0.0);
        assert!(courier.aside.is_empty());
    }

    #[test]
    fn several_that_fail_again_and_again_do_not_take_turns_and_leave_none_to_others() {
        for failing in [2, 9] {
            let mut courier = Courier::default();
            let (mut now, mut sent) = (secs(0), 0);
            loop {
                match courier.next(now, upto(failing + 1)) {
                    Step::Send(number) if number > failing => break,
                    Step::Send(number) => {
                        sent += 1;
                        assert!(sent <= u64::from(STRIKES) * failing, "only they are sent");
                        courier.answered(number, Delivered::Failed(None), now, 1.0);
                    }
                    Step::Wait(until) => now = until.unwrap(),
                }
            }
            // Nor are they forgotten: once something was settled, they are tried in their turn.
            courier.answered(failing + 1, Delivered::Settled, now, 1.0);
            now += secs(600);
            assert_eq!(courier.next(now, upto(failing + 1)), Step::Send(1));
        }
    }

    #[test]
    fn what_the_disk_is_to_keep_is_not_sent_meanwhile_and_lets_others_go() {
        let mut courier = Courier::default();
        assert_eq!(courier.next(secs(0), upto(9)), Step::Send(1));
        courier.keeping(1, secs(0));
        assert_eq!(courier.next(secs(0), upto(9)), Step::Send(2));
        // It was not kept: left alone for two seconds, then for four, and nobody else with it.
        courier.answered(1, Delivered::Unkept, secs(1), 0.0);
        courier.answered(2, Delivered::Settled, secs(1), 0.0);
        assert_eq!(courier.next(secs(1), upto(1)), Step::Wait(Some(secs(3))));
        assert_eq!(courier.next(secs(3), upto(1)), Step::Send(1));
        courier.keeping(1, secs(3));
        courier.answered(1, Delivered::Unkept, secs(3), 0.0);
        assert_eq!(courier.next(secs(3), upto(1)), Step::Wait(Some(secs(7))));
        courier.answered(1, Delivered::Settled, secs(3), 0.0);
        assert!(courier.aside.is_empty() && courier.keeping.is_empty());
    }

    #[test]
    fn a_disk_that_keeps_nothing_is_not_given_ever_more() {
        let mut courier = Courier::default();
        for number in 1..=MAX_KEEPING as u64 {
            assert_eq!(courier.next(secs(0), upto(9)), Step::Send(number));
            courier.keeping(number, secs(0));
        }
        assert_eq!(courier.next(secs(0), upto(9)), Step::Wait(None));
        courier.answered(1, Delivered::Settled, secs(0), 0.0);
        assert_eq!(
            courier.next(secs(0), |from| upto(9)(from.max(2))),
            Step::Send(5)
        );
    }

    #[test]
    fn what_the_collector_asks_for_is_honoured_and_strangers_do_not_hurry() {
        let mut courier = Courier::default();
        assert_eq!(courier.next(secs(0), upto(1)), Step::Send(1));
        courier.answered(1, Delivered::Unanswered(Some(secs(40))), secs(0), 0.0);
        assert_eq!(courier.next(secs(39), upto(1)), Step::Wait(Some(secs(40))));
        assert_eq!(courier.next(secs(40), upto(1)), Step::Send(1));
        courier.answered(1, Delivered::Stranger(None), secs(40), 0.0);
        assert_eq!(courier.next(secs(41), upto(1)), Step::Wait(Some(secs(42))));
    }

    #[test]
    fn an_answer_that_takes_long_makes_room_for_fewer() {
        let mut courier = Courier::default();
        let mut next = 1;
        for turn in 1..=9_u64 {
            while let Step::Send(_) = courier.next(secs(turn * 10), |from| Some(from.max(next))) {}
            let sent: Vec<u64> = courier.under_way.keys().copied().collect();
            for number in sent {
                courier.answered(number, Delivered::Settled, secs(turn * 10 + 1), 0.0);
                next = next.max(number + 1);
            }
        }
        let before = courier.at_once();
        assert!(before > 8, "{before}");
        let Step::Send(number) = courier.next(secs(1000), |from| Some(from.max(next))) else {
            panic!("nothing is sent");
        };
        courier.answered(number, Delivered::Settled, secs(1009), 0.0);
        assert!(courier.at_once() < before);
    }

    #[test]
    fn what_was_handed_over_waits_for_its_answer_and_is_handed_over_again_more_and_more_seldom() {
        let mut courier = Courier::default();
        let patience = secs(100);
        let mut now = secs(0);
        for (times, wait) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1600), (6, 1600)] {
            assert_eq!(courier.next(now, upto(1)), Step::Send(1));
            assert_eq!(courier.handed_over(1, now, patience), times);
            let due = now + secs(wait);
            assert_eq!(courier.next(now, upto(1)), Step::Wait(Some(due)));
            now = due;
        }
        courier.answered(1, Delivered::Settled, now, 0.0);
        assert_eq!(
            (courier.waiting(), courier.next(now, upto(0))),
            (0, Step::Wait(None))
        );
    }

    #[test]
    fn an_answer_may_come_before_word_that_the_batch_was_handed_over() {
        let mut courier = Courier::default();
        assert_eq!(courier.next(secs(0), upto(1)), Step::Send(1));
        courier.answered(1, Delivered::Settled, secs(1), 0.0);
        assert_eq!(courier.handed_over(1, secs(2), secs(100)), 0);
        assert_eq!(courier.waiting(), 0);
    }

    #[test]
    fn one_whom_the_collector_does_not_know_hands_over_again_after_a_pause() {
        let mut courier = Courier::default();
        assert_eq!(courier.next(secs(0), upto(1)), Step::Send(1));
        courier.handed_over(1, secs(0), secs(100));
        courier.answered(1, Delivered::Stranger(None), secs(1), 0.0);
        assert_eq!(courier.next(secs(1), upto(1)), Step::Wait(Some(secs(3))));
        assert_eq!(courier.next(secs(3), upto(1)), Step::Send(1));
    }

    #[test]
    fn a_bounded_number_waits_and_what_the_outbox_let_go_makes_room() {
        let mut courier = Courier::default();
        let most = MAX_HANDED as u64;
        for number in 1..=most {
            assert_eq!(courier.next(secs(1), upto(most + 9)), Step::Send(number));
            courier.handed_over(number, secs(1), secs(100));
        }
        assert_eq!(
            courier.next(secs(1), upto(most + 9)),
            Step::Wait(Some(secs(101)))
        );
        let without = move |from: u64| upto(most + 9)(from.max(3));
        assert_eq!(courier.next(secs(1), without), Step::Send(most + 1));
        // Those that are due go before others.
        courier.handed_over(most + 1, secs(1), secs(100));
        assert_eq!(courier.next(secs(101), without), Step::Send(3));
    }
}
