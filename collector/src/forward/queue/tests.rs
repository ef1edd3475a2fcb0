use clause9_shared::ids::{BootId, Name};
use clause9_shared::time::Clock;
use clause9_shared::wire::forward::{Named, Unfound};
use proptest::prelude::*;

use super::*;

const HOLD: u32 = 60;

fn system() -> SystemId {
    Name::new("toy").unwrap()
}

fn agent(n: u8) -> AgentId {
    AgentId::of_key(&[n; 32])
}

fn at(seconds: u32) -> Timestamp {
    Timestamp::EPOCH + Span::from_secs(1_000_000 + seconds)
}

fn carried(request: u16) -> Carried {
    let mut hash = [0; 16];
    hash[..2].copy_from_slice(&request.to_be_bytes());
    Carried {
        request: Named::hash(hash),
        outcome: serde_json::from_str(r#"{"request_id":"","label":1}"#).unwrap(),
    }
}

fn request_of(carried: &Carried) -> u16 {
    match &carried.request {
        Named::Hash(hex) => u16::from_str_radix(&hex[..4], 16).unwrap(),
        Named::Id(id) => id.parse().unwrap(),
    }
}

/// An agent as it behaves: joins what it knows, and tells once.
struct Replica {
    id: AgentId,
    boot: u64,
    polls: u64,
    heard: u64,
    numbers: u64,
    told: Vec<Told>,
    waiting: Vec<Unfound>,
    knows: BTreeSet<u16>,
    forgot: BTreeSet<u16>,
    joined: Vec<u16>,
    unknown: u64,
    forgotten: u64,
    settled: usize,
    salt: Digest,
}

impl Replica {
    fn new(n: u8, knows: impl IntoIterator<Item = u16>) -> Self {
        Self {
            id: agent(n),
            boot: 1,
            polls: 0,
            heard: 0,
            numbers: 0,
            told: Vec::new(),
            waiting: Vec::new(),
            knows: knows.into_iter().collect(),
            forgot: BTreeSet::new(),
            joined: Vec::new(),
            unknown: 0,
            forgotten: 0,
            settled: 0,
            salt: Digest::of(b"salt"),
        }
    }

    fn hands_over(&mut self, request: u16) {
        self.numbers += 1;
        self.waiting.push(Unfound {
            number: self.numbers,
            forgotten: self.forgot.contains(&request),
            outcome: carried(request),
        });
    }

    fn says(&mut self, now: u32) -> Poll {
        self.polls += 1;
        Poll {
            boot: BootId(self.boot),
            number: self.polls,
            created_at: at(now),
            system: system(),
            salt: self.salt,
            clock: Clock::Live,
            heard: self.heard,
            unfound: self.waiting.clone(),
            told: self.told.clone(),
        }
    }

    /// Polls; the answer may be lost on its way.
    fn polls(&mut self, queue: &mut Queue, now: u32, answer_comes: bool) {
        let poll = self.says(now);
        let (answer, _) = queue.poll(self.id, poll, at(now)).unwrap();
        if answer_comes {
            self.hears(answer);
        }
    }

    fn hears(&mut self, answer: Answer) {
        self.heard = answer.number;
        self.told.clear();
        self.waiting.drain(..answer.taken);
        self.settled += answer.settled.len();
        for asked in answer.asked {
            let fate = match asked.what {
                Question::Join(outcome) => {
                    let request = request_of(&outcome);
                    if self.knows.contains(&request) {
                        self.joined.push(request);
                        Fate::Counted
                    } else if self.forgot.contains(&request) {
                        Fate::Forgotten
                    } else {
                        Fate::Unknown
                    }
                }
                Question::CountUnknown => {
                    self.unknown += 1;
                    Fate::Counted
                }
                Question::CountForgotten => {
                    self.forgotten += 1;
                    Fate::Counted
                }
            };
            self.told.push(Told {
                ticket: asked.ticket,
                fate,
            });
        }
    }
}

fn queue() -> Queue {
    Queue::new(7, Span::from_secs(HOLD), Span::from_secs(300))
}

#[test]
fn an_outcome_finds_the_replica_that_answered_and_no_other_joins_it() {
    let mut queue = queue();
    let mut all = [
        Replica::new(1, []),
        Replica::new(2, []),
        Replica::new(3, [7]),
    ];
    all[0].hands_over(7);
    for now in 0..6 {
        for replica in &mut all {
            replica.polls(&mut queue, now, true);
        }
    }
    assert_eq!(all[2].joined, [7]);
    assert_eq!(all[0].settled, 1);
    assert_eq!((queue.held(&system()), queue.bytes), (0, 0));
}

#[test]
fn what_nobody_knows_is_held_asked_again_and_then_counted_once_by_who_handed_it_over() {
    let mut queue = queue();
    let (mut first, mut second) = (Replica::new(1, []), Replica::new(2, []));
    first.hands_over(7);
    second.forgot.insert(8);
    first.hands_over(8);
    for now in 0..HOLD {
        first.polls(&mut queue, now, true);
        second.polls(&mut queue, now, true);
    }
    assert_eq!((queue.held(&system()), first.unknown), (2, 0));
    for now in HOLD..HOLD + 10 {
        first.polls(&mut queue, now, true);
        second.polls(&mut queue, now, true);
    }
    assert_eq!((first.unknown, first.forgotten), (1, 1));
    assert_eq!((second.unknown, second.forgotten), (0, 0));
    assert_eq!((queue.held(&system()), first.settled), (0, 2));
}

#[test]
fn a_request_that_is_answered_while_its_outcome_is_held_is_found_in_the_last_round() {
    let mut queue = queue();
    let (mut first, mut second) = (Replica::new(1, []), Replica::new(2, []));
    first.hands_over(7);
    for now in 0..HOLD + 10 {
        if now == 30 {
            second.knows.insert(7);
        }
        first.polls(&mut queue, now, true);
        second.polls(&mut queue, now, true);
    }
    assert_eq!((second.joined.len(), first.unknown), (1, 0));
}

#[test]
fn an_application_s_outcome_is_found_by_its_id_or_counted_by_any_one() {
    let mut queue = queue();
    let plain = |request: u16| Carried {
        request: Named::Id(request.to_string()),
        ..carried(0)
    };
    assert!(queue.post(&system(), vec![plain(7), plain(8)], at(0)));
    let mut one = Replica::new(1, [7]);
    let mut other = Replica::new(2, []);
    other.salt = Digest::of(b"another key, which hashes names otherwise");
    for now in 0..HOLD + 10 {
        one.polls(&mut queue, now, true);
        other.polls(&mut queue, now, true);
    }
    assert_eq!((one.joined.len(), one.unknown + other.unknown), (1, 1));
    assert_eq!(queue.held(&system()), 0);
}

#[test]
fn hashes_under_one_key_are_not_asked_of_who_has_another() {
    let mut queue = queue();
    let (mut first, mut second) = (Replica::new(1, []), Replica::new(2, [7]));
    second.salt = Digest::of(b"another key");
    first.hands_over(7);
    for now in 0..HOLD + 10 {
        first.polls(&mut queue, now, true);
        second.polls(&mut queue, now, true);
    }
    assert_eq!((second.joined.len(), first.unknown), (0, 1));
}

#[test]
fn a_replica_that_falls_silent_while_it_is_asked_holds_nothing_up() {
    let mut queue = queue();
    let mut all = [
        Replica::new(1, []),
        Replica::new(2, []),
        Replica::new(3, [7]),
    ];
    all[0].hands_over(7);
    all[0].polls(&mut queue, 0, true);
    all[1].polls(&mut queue, 0, false);
    all[2].polls(&mut queue, 1, true);
    assert!(all[2].joined.is_empty(), "the second is being asked");
    for now in 2..40 {
        all[0].polls(&mut queue, now, true);
        all[2].polls(&mut queue, now, true);
    }
    assert_eq!(all[2].joined, [7]);
}

#[test]
fn a_replica_that_fails_to_look_is_asked_again() {
    let mut queue = queue();
    let (mut first, mut second) = (Replica::new(1, []), Replica::new(2, [7]));
    first.hands_over(7);
    first.polls(&mut queue, 0, true);
    second.polls(&mut queue, 0, true);
    second.told.clear();
    second.joined.clear();
    second.polls(&mut queue, 1, true);
    assert_eq!(second.joined, [7]);
    second.polls(&mut queue, 2, true);
    assert_eq!(queue.held(&system()), 0);
}

#[test]
fn polls_said_twice_from_an_earlier_run_or_at_another_time_are_refused() {
    let mut queue = queue();
    let mut replica = Replica::new(1, []);
    replica.boot = 5;
    let first = replica.says(0);
    assert!(queue.poll(replica.id, first.clone(), at(0)).is_ok());
    let said = |queue: &mut Queue, poll: Poll, now| queue.poll(agent(1), poll, at(now)).err();
    assert_eq!(
        said(&mut queue, first.clone(), 0),
        Some(NotAnswered::Repeated)
    );
    let mut earlier = replica.says(0);
    earlier.boot = BootId(4);
    assert_eq!(said(&mut queue, earlier, 0), Some(NotAnswered::Repeated));
    assert_eq!(
        said(&mut queue, replica.says(0), 301),
        Some(NotAnswered::Stale)
    );
    let mut later = replica.says(302);
    later.boot = BootId(6);
    later.number = 1;
    assert_eq!(said(&mut queue, later, 302), None);
}

#[test]
fn the_queue_is_bounded_and_what_is_over_is_not_taken() {
    let mut queue = queue();
    let full = vec![carried(1); MAX_HELD];
    assert!(queue.post(&system(), full, at(0)));
    assert!(!queue.post(&system(), vec![carried(1)], at(0)));
    let mut replica = Replica::new(1, []);
    replica.hands_over(3);
    let (answer, happened) = queue.poll(replica.id, replica.says(1), at(1)).unwrap();
    assert_eq!((answer.taken, happened.refused), (0, 1));
    assert!(answer.asked.len() <= MAX_CARRIED);
    replica.hears(answer);
    assert_eq!(replica.waiting.len(), 1, "it is kept and handed over later");
}

#[test]
fn outcomes_are_bounded_in_bytes_too() {
    let mut queue = queue();
    let mut long = carried(1);
    let text = "x".repeat(256);
    for i in 0..16 {
        let name = Name::new(&format!("a{i}")).unwrap();
        long.outcome.attributes.insert(name, text.clone());
    }
    let mut taken = 0;
    while queue.post(&system(), vec![long.clone(); 100], at(0)) {
        taken += 100;
    }
    assert!((3000..12_000).contains(&taken), "{taken}");
    assert!(queue.bytes <= MAX_BYTES);
}

proptest! {
    /// Whatever answers are lost and whoever comes late: each outcome is joined or counted exactly once.
    #[test]
    fn every_outcome_is_joined_or_counted_exactly_once(
        known in proptest::collection::vec(proptest::option::of(0..3_usize), 1..30),
        from in proptest::collection::vec(0..3_usize, 30),
        lost in proptest::collection::vec(any::<bool>(), 3 * 40),
    ) {
        let mut queue = queue();
        let mut all = [Replica::new(1, []), Replica::new(2, []), Replica::new(3, [])];
        for (request, who) in known.iter().enumerate() {
            let request = u16::try_from(request).unwrap();
            if let Some(who) = who {
                all[*who].knows.insert(request);
            }
        }
        for (request, (who, at)) in known.iter().zip(&from).enumerate() {
            if *who != Some(*at) {
                all[*at].hands_over(u16::try_from(request).unwrap());
            }
        }
        let sent = all.iter().map(|r| r.waiting.len()).sum::<usize>();
        for now in 0..150_u32 {
            for (place, replica) in all.iter_mut().enumerate() {
                let slot = usize::try_from(now).unwrap() * 3 + place;
                let comes = lost.get(slot).is_none_or(|l| !l);
                replica.polls(&mut queue, now, comes);
            }
        }
        let joined: usize = all.iter().map(|r| r.joined.len()).sum();
        let unknown: u64 = all.iter().map(|r| r.unknown).sum();
        prop_assert_eq!(joined as u64 + unknown, sent as u64);
        let findable = known.iter().zip(&from).filter(|(who, at)| who.is_some_and(|w| w != **at));
        prop_assert_eq!(joined, findable.count());
        prop_assert_eq!((queue.held(&system()), queue.bytes), (0, 0));
        prop_assert_eq!(all.iter().map(|r| r.settled).sum::<usize>(), sent);
    }
}
