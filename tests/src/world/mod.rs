//! A world in which everything that can go wrong goes wrong, from one seed: disks that forget and fail, a
//! network that drops, doubles, changes and reorders, clocks that step, processes that end without warning.
//! The programs' own state machines run in it (engine, sealer, outbox, courier; checking and admitting);
//! time, chance, network and disk are the world's. The same seed gives the same world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use bytes::Bytes;
use clause9_agent::outbox::Room;
use clause9_agent::ship::{Delivered, Step, read_answer};
use clause9_shared::digest::Digest;
use clause9_shared::time::{Span, Timestamp};

use crate::sim::random::Random;

mod collector;
pub mod disk;
pub mod many;
mod oracle;
pub mod outage;
pub mod sabotage;
pub mod script;
mod sidecar;
mod stage;

use collector::{Answer, Asker, Collector};
use disk::Fault;
pub use oracle::{Exercised, Wrong};
use sabotage::Sabotage;
use sidecar::Agent;

const SECOND: u64 = 1_000_000;
/// When the world begins: clocks are set by then.
const BEGIN: u64 = 1_800_000_000 * SECOND;
/// For how long things go wrong, in most worlds.
const STORMY: u64 = 240 * SECOND;
/// How long after that whatever is well must have arrived.
const SOON: u64 = 300 * SECOND;
/// Within which time everything must have arrived.
const CALM: u64 = 1200 * SECOND;
/// Longest account of what happened.
const MAX_STORY: usize = 1000;
/// How long an agent waits for an answer.
const TIMEOUT: u64 = 30 * SECOND;

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// A second of an agent's process passes.
    Second(usize, u64),
    /// An agent's keeper writes.
    Persist(usize, u64),
    /// An agent's courier looks what to do.
    Look(usize, u64),
    /// A delivery arrives, as it left and as it came.
    Arrive(Asker, Digest, Bytes),
    /// The collector's commit is durable.
    Commit(u64),
    /// An answer arrives.
    Answer(Asker, Digest, Answer),
    /// No answer came in time.
    Timeout(Asker),
    /// Something goes wrong.
    Trouble(Trouble),
    /// It is over.
    Over(Trouble),
    /// Everything but what the collector fails over must have arrived.
    Inspect,
}

/// What goes wrong, of which agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Nothing passes between it and the collector.
    Partition(usize),
    /// Its process is killed, and started again.
    Kill(usize),
    /// Its machine loses power, and comes back.
    PowerLoss(usize),
    /// Its disk is full.
    DiskFull(usize),
    /// A call of its disk fails.
    DiskError(usize),
    /// Its wall clock steps by so many seconds.
    ClockStep(usize, i64),
    /// The collector ends without warning, and is started again.
    CollectorCrash,
    /// The collector does not know it yet.
    Stranger(usize),
    /// The collector fails over its next batch, for as long as the storm lasts.
    Poison(usize),
    /// Everything takes long.
    Slow,
}

/// A world.
struct World {
    chance: Random,
    now: u64,
    /// Until when things go wrong by chance.
    stormy_until: u64,
    /// When it ends once nothing waits, and when at the latest.
    settles: u64,
    ends: u64,
    tie: u64,
    events: BinaryHeap<Reverse<(u64, u64, usize)>>,
    waiting: BTreeMap<usize, Event>,
    agents: Vec<Agent>,
    collector: Collector,
    generation: u64,
    cut: Vec<u32>,
    slow: u32,
    /// Deliveries that nobody answered yet, and which attempt.
    under_way: BTreeSet<Asker>,
    attempts: u64,
    poison_next: Vec<bool>,
    held_up: Option<String>,
    exercised: Exercised,
}

/// What disks do besides losing power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disks {
    /// Nothing.
    Well,
    /// They are full and fail, too.
    Failing,
}

/// Runs the world of a seed. What is wrong, if anything; and what was put to the test.
pub fn run(seed: u64, sabotage: Option<Sabotage>, disks: Disks) -> Result<Exercised, Wrong> {
    let (judged, exercised) = tell(seed, sabotage, disks);
    judged.map(|()| exercised)
}

/// The same, with the story of the world in any case.
pub fn tell(seed: u64, sabotage: Option<Sabotage>, disks: Disks) -> (Result<(), Wrong>, Exercised) {
    let mut world = World::new(seed, sabotage);
    world.schedule(disks);
    while world.turn() {}
    let judged = world.check();
    (judged, world.exercised)
}

impl World {
    fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut chance = Random::new(&[seed, 0x57]);
        let number = 1 + chance.byte() % 3;
        // In some worlds outboxes are too small for what comes.
        let small = chance.below(4) == 0;
        let room = Room {
            bytes: if small { 3_000 } else { 64 << 20 },
            memory: if small { 2_000 } else { 64 << 20 },
        };
        Self::of(chance, (number, room), sabotage)
    }

    /// One with so many agents, whose outboxes have that room.
    fn of(chance: Random, (number, room): (u8, Room), sabotage: Option<Sabotage>) -> Self {
        let plan = stage::plan();
        let agents: Vec<Agent> = (0..number)
            .map(|n| Agent::new(n, Arc::clone(&plan), room, sabotage))
            .collect();
        let trusted = agents.iter().map(|a| a.id).collect();
        let collector = Collector::new(trusted, sabotage);
        let count = agents.len();
        Self {
            chance,
            now: BEGIN,
            stormy_until: BEGIN + STORMY,
            settles: BEGIN + STORMY + SOON,
            ends: BEGIN + STORMY + CALM,
            tie: 0,
            events: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            agents,
            collector,
            generation: 0,
            cut: vec![0; count],
            slow: 0,
            under_way: BTreeSet::new(),
            attempts: 0,
            poison_next: vec![false; count],
            held_up: None,
            exercised: Exercised::default(),
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.tie += 1;
        let key = usize::try_from(self.tie).unwrap_or(usize::MAX);
        self.waiting.insert(key, event);
        self.events.push(Reverse((at, self.tie, key)));
    }

    fn after(&mut self, micros: u64, event: Event) {
        self.at(self.now + micros, event);
    }

    /// Plans the storm.
    fn schedule(&mut self, disks: Disks) {
        for agent in 0..self.agents.len() {
            self.start(agent);
        }
        let troubles = 3 + self.chance.below(14);
        for _ in 0..troubles {
            let agent = self.chance.index(self.agents.len());
            let trouble = match self.chance.below(22) {
                0..=2 => Trouble::Partition(agent),
                3..=5 => Trouble::Kill(agent),
                9 | 10 if disks == Disks::Failing => Trouble::DiskFull(agent),
                11 | 12 if disks == Disks::Failing => Trouble::DiskError(agent),
                6..=12 => Trouble::PowerLoss(agent),
                13 | 14 => Trouble::ClockStep(agent, i64::from(self.chance.byte() % 120) - 60),
                15..=17 => Trouble::CollectorCrash,
                18 => Trouble::Stranger(agent),
                19 | 20 => Trouble::Poison(agent),
                _ => Trouble::Slow,
            };
            let from = self.chance.below(STORMY * 9 / 10);
            let length = SECOND + self.chance.below(STORMY - from);
            let over = match trouble {
                Trouble::Poison(_) => STORMY + SOON + 20 * SECOND,
                Trouble::Partition(_)
                | Trouble::Kill(_)
                | Trouble::PowerLoss(_)
                | Trouble::DiskFull(_)
                | Trouble::DiskError(_)
                | Trouble::ClockStep(..)
                | Trouble::CollectorCrash
                | Trouble::Stranger(_)
                | Trouble::Slow => from + length.min(STORMY - from),
            };
            self.after(from, Event::Trouble(trouble));
            self.after(over, Event::Over(trouble));
        }
        self.after(STORMY + SOON, Event::Inspect);
    }

    fn start(&mut self, agent: usize) {
        self.agents[agent].start(self.now);
        self.tell(&format!("agent {agent} starts"));
        let Some(process) = &self.agents[agent].process else {
            return;
        };
        let number = process.number;
        self.after(SECOND, Event::Second(agent, number));
        self.after(SECOND / 10, Event::Look(agent, number));
        self.after(SECOND / 20, Event::Persist(agent, number));
    }

    fn runs(&self, agent: usize, number: u64) -> bool {
        let process = self.agents[agent].process.as_ref();
        process.is_some_and(|p| p.number == number)
    }

    fn stormy(&self) -> bool {
        self.now < self.stormy_until
    }

    /// Lets the next event happen; false once the world ends.
    fn turn(&mut self) -> bool {
        let Some(Reverse((at, _, key))) = self.events.pop() else {
            return false;
        };
        self.now = at;
        if self.now > self.ends || self.all_arrived() {
            return false;
        }
        if let Some(event) = self.waiting.remove(&key) {
            self.happen(event);
        }
        true
    }

    /// Whether the storm is over and nothing waits any more.
    fn all_arrived(&self) -> bool {
        let idle = |a: &Agent| {
            a.process
                .as_ref()
                .is_some_and(|p| p.outbox.size().0 == 0 && p.outbox.is_all_told())
        };
        self.now > self.settles && self.agents.iter().all(idle)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Second(agent, number) if self.runs(agent, number) => {
                let exchanges = self.chance.below(40);
                self.agents[agent].second(self.now, exchanges);
                self.after(SECOND, Event::Second(agent, number));
                let latency = 1_000 + self.chance.below(50_000);
                self.after(latency, Event::Persist(agent, number));
                self.after(1_000, Event::Look(agent, number));
            }
            Event::Persist(agent, number) if self.runs(agent, number) => {
                self.agents[agent].persist(self.now);
                self.notice_power(agent);
            }
            Event::Look(agent, number) if self.runs(agent, number) => {
                self.look(agent, number);
                self.notice_power(agent);
            }
            Event::Second(..) | Event::Persist(..) | Event::Look(..) => {}
            Event::Inspect => self.inspect(),
            Event::Arrive(asker, original, bytes) => self.arrive(asker, original, bytes),
            Event::Commit(generation) => self.commit(generation),
            Event::Answer(asker, batch, answer) => self.answer(asker, batch, &answer),
            Event::Timeout(asker) => {
                if self.under_way.remove(&asker) {
                    self.follow(asker, Delivered::Unanswered(None));
                }
            }
            Event::Trouble(trouble) => self.trouble(trouble),
            Event::Over(trouble) => self.over(trouble),
        }
    }

    /// What waits though nothing is wrong with it is held up by something else.
    fn inspect(&mut self) {
        for agent in &self.agents {
            for (digest, created) in agent.waiting() {
                let old = created + Span::from_secs(150) < self.wall();
                if old && !self.collector.poisoned.contains(&digest) {
                    self.held_up = Some(format!("{digest} of {created} is held up by another"));
                }
            }
        }
    }

    fn look(&mut self, agent: usize, process: u64) {
        while let Some(Step::Send(number)) = self.agents[agent].step(self.now) {
            let chance = self.chance.uniform();
            let Some(batch) = self.agents[agent].fetch(number, self.now, chance) else {
                continue;
            };
            if std::mem::take(&mut self.poison_next[agent]) {
                self.collector.poisoned.insert(batch.digest);
            }
            self.attempts += 1;
            let asker = (agent, process, number, self.attempts);
            self.under_way.insert(asker);
            self.after(TIMEOUT, Event::Timeout(asker));
            self.send(asker, batch.digest, &batch.envelope);
        }
    }

    fn latency(&mut self) -> u64 {
        let most = if self.slow > 0 {
            20 * SECOND
        } else {
            SECOND / 5
        };
        500 + self.chance.below(most)
    }

    /// Whether something is lost on the way.
    fn lost(&mut self, agent: usize) -> bool {
        self.cut[agent] > 0 || (self.stormy() && self.chance.below(25) == 0)
    }

    fn send(&mut self, asker: Asker, digest: Digest, envelope: &Bytes) {
        let copies = if self.stormy() && self.chance.below(20) == 0 {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.lost(asker.0) {
                continue;
            }
            let mut bytes = envelope.to_vec();
            if self.stormy() && self.chance.below(60) == 0 {
                let at = self.chance.index(bytes.len());
                bytes[at] ^= 1 << self.chance.below(8);
                self.exercised.changed += 1;
            }
            let latency = self.latency();
            self.after(latency, Event::Arrive(asker, digest, bytes.into()));
        }
    }

    fn wall(&self) -> Timestamp {
        let micros = i64::try_from(self.now).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH)
    }

    fn arrive(&mut self, asker: Asker, original: Digest, bytes: Bytes) {
        if !self.collector.up {
            return;
        }
        let (begins, answer) = self.collector.receive(asker, bytes, original);
        if begins {
            let took = 2_000 + self.chance.below(30_000);
            self.after(took, Event::Commit(self.generation));
        }
        if let Some(answer) = answer {
            self.reply(asker, original, answer);
        }
    }

    fn commit(&mut self, generation: u64) {
        if generation != self.generation || !self.collector.up {
            return;
        }
        let now = self.wall();
        for (asker, digest, answer) in self.collector.commit(now) {
            self.reply(asker, digest, answer);
        }
    }

    fn reply(&mut self, asker: Asker, batch: Digest, answer: Answer) {
        if !self.lost(asker.0) {
            let latency = self.latency();
            self.after(latency, Event::Answer(asker, batch, answer));
        }
    }

    fn answer(&mut self, asker: Asker, batch: Digest, (status, body): &Answer) {
        if self.under_way.remove(&asker) {
            let follows = read_answer(batch, *status, body).follows(None);
            if matches!(follows, Delivered::Stranger(_)) {
                self.exercised.strangers += 1;
            }
            self.follow(asker, follows);
        }
    }

    fn follow(&mut self, (agent, process, number, _): Asker, what: Delivered) {
        let chance = self.chance.uniform();
        self.agents[agent].answered((process, number), what, self.now, chance);
        self.after(1_000, Event::Look(agent, process));
    }

    fn trouble(&mut self, trouble: Trouble) {
        *self.exercised.troubles.entry(trouble.kind()).or_default() += 1;
        self.tell(&format!("{trouble:?}"));
        match trouble {
            Trouble::Partition(agent) => self.cut[agent] += 1,
            Trouble::Kill(agent) => {
                let now = self.now;
                self.agents[agent].end(now);
            }
            Trouble::PowerLoss(agent) => self.lose_power(agent),
            Trouble::DiskFull(agent) => {
                self.agents[agent].trouble = u64::MAX / 2;
                let through = self.chance.index(800);
                self.agents[agent]
                    .disk
                    .fail_all(Some(Fault::NoSpace(through)));
            }
            Trouble::DiskError(agent) => {
                let call = self.agents[agent].disk.calls() + 1 + self.chance.below(20);
                let fault = if self.chance.below(2) == 0 {
                    Fault::Device
                } else {
                    Fault::Power
                };
                self.agents[agent].disk.fail_at(call, fault);
            }
            Trouble::ClockStep(agent, seconds) => {
                self.agents[agent].off += seconds * 1_000_000;
                self.agents[agent].trouble = self.now;
            }
            Trouble::CollectorCrash => {
                self.collector.crash();
                self.generation += 1;
            }
            Trouble::Stranger(agent) => self.collector.trust(self.agents[agent].id, false),
            Trouble::Poison(agent) => self.poison_next[agent] = true,
            Trouble::Slow => self.slow += 1,
        }
    }

    fn notice_power(&mut self, agent: usize) {
        if self.agents[agent].disk.is_off() {
            self.lose_power(agent);
        }
    }

    fn lose_power(&mut self, agent: usize) {
        self.tell(&format!("agent {agent} loses power"));
        let now = self.now;
        self.agents[agent].end(now);
        self.agents[agent].disk.power_loss(&mut self.chance);
        if self.stormy() {
            let down = SECOND + self.chance.below(20 * SECOND);
            self.after(down, Event::Over(Trouble::PowerLoss(agent)));
        } else {
            self.start(agent);
        }
    }

    fn tell(&mut self, what: &str) {
        if self.exercised.story.len() < MAX_STORY {
            let seconds = (self.now - BEGIN) as f64 / SECOND as f64;
            self.exercised.story.push(format!("{seconds:9.3} {what}"));
        }
    }

    fn over(&mut self, trouble: Trouble) {
        self.tell(&format!("over: {trouble:?}"));
        match trouble {
            Trouble::Partition(agent) => self.cut[agent] -= 1,
            Trouble::Kill(agent) | Trouble::PowerLoss(agent) => {
                if self.agents[agent].process.is_none() {
                    self.start(agent);
                }
            }
            Trouble::DiskFull(agent) => {
                self.agents[agent].disk.fail_all(None);
                self.agents[agent].trouble = self.now;
            }
            Trouble::DiskError(_) | Trouble::ClockStep(..) => {}
            Trouble::CollectorCrash => self.collector.up = true,
            Trouble::Stranger(agent) => self.collector.trust(self.agents[agent].id, true),
            Trouble::Poison(_) => self.collector.poisoned.clear(),
            Trouble::Slow => self.slow -= 1,
        }
    }
}

impl Trouble {
    /// The word for its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Partition(_) => "partition",
            Self::Kill(_) => "kill",
            Self::PowerLoss(_) => "power loss",
            Self::DiskFull(_) => "disk full",
            Self::DiskError(_) => "disk error",
            Self::ClockStep(..) => "clock step",
            Self::CollectorCrash => "collector crash",
            Self::Stranger(_) => "stranger",
            Self::Poison(_) => "poison",
            Self::Slow => "slow",
        }
    }
}
