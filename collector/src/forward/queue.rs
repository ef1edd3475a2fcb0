//! Outcomes that look for their prediction. One agent after the other is asked, never two at a time, so
//! that each outcome is joined at most once; what nobody knows is counted by one of them. Core: bounded,
//! in memory, the time is a parameter. Nothing of it is written down.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::wire::forward::{
    Answer, Asked, Carried, Fate, MAX_CARRIED, Poll, Question, Told,
};

/// Most outcomes held, of all systems.
pub(crate) const MAX_HELD: usize = 50_000;
/// Most bytes that they take.
const MAX_BYTES: usize = 32 << 20;
/// Most bytes of outcomes in one answer.
const MAX_ANSWER: usize = 1 << 20;
/// How long an agent may be silent before others are asked in its place.
const LEASE: Span = Span::from_secs(30);
/// Most agents of which it is known when they asked last.
const MAX_AGENTS: usize = 10_000;

/// Why a poll is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAnswered {
    /// It was said before, or comes from an earlier run.
    #[error("this poll was sent before; number polls anew, and sign each")]
    Repeated,
    /// Its clock is too far off for anybody to know whether it was said before.
    #[error("the agent's clock is too far off; set it")]
    Stale,
}

/// What happened in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happened {
    /// Outcomes taken.
    pub(crate) taken: u64,
    /// Outcomes for which there was no room.
    pub(crate) refused: u64,
    /// Outcomes that an agent counted, joined mostly.
    pub(crate) found: u64,
    /// Outcomes that were counted as unknown.
    pub(crate) unknown: u64,
    /// Outcomes that were counted as forgotten.
    pub(crate) forgotten: u64,
}

/// An outcome that is looked for.
#[derive(Debug)]
struct Held {
    system: SystemId,
    /// The key under which its request is named, if it is a hash.
    salt: Option<Digest>,
    outcome: Carried,
    /// Who handed it over: agent, run, its number there.
    from: Option<(AgentId, u64, u64)>,
    /// Until when it is looked for.
    until: Timestamp,
    /// Who does not know it.
    asked: BTreeSet<AgentId>,
    /// Who is asked now.
    lent: Option<AgentId>,
    /// Whether somebody knew its request once.
    forgotten: bool,
    stage: Stage,
}

/// How far the search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is asked for, and may still turn up.
    Looking,
    /// All are asked a last time.
    LastRound,
    /// It is given up; an agent is to count it.
    GivenUp,
}

#[derive(Debug)]
struct AgentState {
    boot: u64,
    polls: u64,
    system: SystemId,
    salt: Digest,
    seen: Timestamp,
    /// Number of the last answer, and what was asked in it.
    answers: u64,
    asked: Vec<u64>,
    /// Numbers of its outcomes that are settled; the first so many stood in the last answer.
    settled: Vec<u64>,
    settled_told: usize,
    /// Up to which number its outcomes were taken.
    taken: u64,
}

/// All outcomes that are looked for.
#[derive(Debug)]
pub(crate) struct Queue {
    boot: u64,
    hold: Span,
    skew: Span,
    held: BTreeMap<u64, Held>,
    bytes: usize,
    tickets: u64,
    agents: BTreeMap<AgentId, AgentState>,
}

impl Queue {
    /// An empty queue of this run of the collector.
    pub(crate) fn new(boot: u64, hold: Span, skew: Span) -> Self {
        Self {
            boot,
            hold,
            skew,
            held: BTreeMap::new(),
            bytes: 0,
            tickets: 0,
            agents: BTreeMap::new(),
        }
    }

    /// How many outcomes of a system are looked for.
    pub(crate) fn held(&self, system: &SystemId) -> usize {
        self.held.values().filter(|h| h.system == *system).count()
    }

    /// Takes outcomes that an application posted: all, or none if there is no room.
    pub(crate) fn post(
        &mut self,
        system: &SystemId,
        outcomes: Vec<Carried>,
        now: Timestamp,
    ) -> bool {
        let bytes: usize = outcomes.iter().map(Carried::size).sum();
        if self.held.len() + outcomes.len() > MAX_HELD || self.bytes + bytes > MAX_BYTES {
            return false;
        }
        for outcome in outcomes {
            self.hold(Held {
                system: system.clone(),
                salt: None,
                outcome,
                from: None,
                until: now + self.hold,
                asked: BTreeSet::new(),
                lent: None,
                forgotten: false,
                stage: Stage::Looking,
            });
        }
        true
    }

    fn hold(&mut self, held: Held) {
        self.bytes += held.outcome.size();
        self.tickets += 1;
        self.held.insert(self.tickets, held);
    }

    /// Answers an agent.
    pub(crate) fn poll(
        &mut self,
        agent: AgentId,
        poll: Poll,
        now: Timestamp,
    ) -> Result<(Answer, Happened), NotAnswered> {
        self.admit(agent, &poll, now)?;
        let mut happened = Happened::default();
        let asked = self.hear(agent, poll.heard);
        for told in &poll.told {
            self.told(agent, *told, &mut happened);
        }
        // Of what is not told now nothing will be: the answer was lost, or the agent failed to look.
        self.take_back(agent, &asked);
        let taken = self.take(agent, poll, now, &mut happened);
        self.advance(now);
        let asked = self.ask(agent, now);
        let Some(state) = self.agents.get_mut(&agent) else {
            return Err(NotAnswered::Stale);
        };
        state.answers += 1;
        state.asked = asked.iter().map(|a| a.ticket).collect();
        state.settled_told = state.settled.len().min(2 * MAX_CARRIED);
        let answer = Answer {
            boot: self.boot,
            number: state.answers,
            taken,
            settled: state.settled[..state.settled_told].to_vec(),
            asked,
        };
        Ok((answer, happened))
    }

    /// Lets a poll in that was not said before.
    fn admit(&mut self, agent: AgentId, poll: &Poll, now: Timestamp) -> Result<(), NotAnswered> {
        // On either side: who dates a poll ahead could have it said again later.
        let off = now.micros().abs_diff(poll.created_at.micros());
        if off > self.skew.micros().unsigned_abs() {
            return Err(NotAnswered::Stale);
        }
        match self.agents.get_mut(&agent) {
            Some(state) if poll.boot.0 == state.boot && poll.number > state.polls => {
                state.polls = poll.number;
                state.seen = now;
                return Ok(());
            }
            Some(state) if poll.boot.0 <= state.boot => return Err(NotAnswered::Repeated),
            Some(_) | None => {}
        }
        // Another run knows nothing of what the earlier one was asked.
        self.forget_agent(agent);
        if self.agents.len() >= MAX_AGENTS && !self.agents.contains_key(&agent) {
            let longest = self.agents.iter().min_by_key(|(_, a)| a.seen);
            if let Some(silent) = longest.map(|(id, _)| *id) {
                self.forget_agent(silent);
            }
        }
        let state = AgentState {
            boot: poll.boot.0,
            polls: poll.number,
            system: poll.system.clone(),
            salt: poll.salt,
            seen: now,
            answers: 0,
            asked: Vec::new(),
            settled: Vec::new(),
            settled_told: 0,
            taken: 0,
        };
        self.agents.insert(agent, state);
        Ok(())
    }

    fn forget_agent(&mut self, agent: AgentId) {
        if let Some(state) = self.agents.remove(&agent) {
            self.take_back(agent, &state.asked);
        }
    }

    /// An agent says which answer it read last; what it was asked in the last one.
    fn hear(&mut self, agent: AgentId, heard: u64) -> Vec<u64> {
        let Some(state) = self.agents.get_mut(&agent) else {
            return Vec::new();
        };
        if heard == state.answers {
            state.settled.drain(..state.settled_told);
        }
        std::mem::take(&mut state.asked)
    }

    /// What an agent was asked and did not answer may be asked again.
    fn take_back(&mut self, agent: AgentId, tickets: &[u64]) {
        for ticket in tickets {
            if let Some(held) = self.held.get_mut(ticket)
                && held.lent == Some(agent)
            {
                held.lent = None;
            }
        }
    }

    fn told(&mut self, agent: AgentId, told: Told, happened: &mut Happened) {
        let Some(held) = self.held.get_mut(&told.ticket) else {
            return;
        };
        // Who is not asked has nothing to say, but that it was counted after all.
        let lent = held.lent == Some(agent);
        let may = self
            .agents
            .get(&agent)
            .is_some_and(|a| a.system == held.system);
        match told.fate {
            Fate::Counted if lent || may && held.stage != Stage::GivenUp => {
                match (held.stage, held.forgotten) {
                    (Stage::Looking | Stage::LastRound, _) => happened.found += 1,
                    (Stage::GivenUp, true) => happened.forgotten += 1,
                    (Stage::GivenUp, false) => happened.unknown += 1,
                }
                self.settle(told.ticket);
            }
            Fate::Unknown | Fate::Forgotten if lent => {
                held.lent = None;
                held.asked.insert(agent);
                held.forgotten |= told.fate == Fate::Forgotten;
            }
            Fate::Counted | Fate::Unknown | Fate::Forgotten => {}
        }
    }

    fn settle(&mut self, ticket: u64) {
        let Some(held) = self.held.remove(&ticket) else {
            return;
        };
        self.bytes -= held.outcome.size();
        if let Some((agent, boot, number)) = held.from
            && let Some(state) = self.agents.get_mut(&agent)
            && state.boot == boot
        {
            state.settled.push(number);
        }
    }

    /// Takes what an agent hands over, as far as there is room; how many of them.
    fn take(
        &mut self,
        agent: AgentId,
        poll: Poll,
        now: Timestamp,
        happened: &mut Happened,
    ) -> usize {
        let handed = poll.unfound.len();
        let mut taken = 0;
        for unfound in poll.unfound {
            let Some(state) = self.agents.get_mut(&agent) else {
                break;
            };
            if unfound.number <= state.taken {
                // It was taken before, and the answer was lost.
                taken += 1;
                continue;
            }
            let room = self.bytes + unfound.outcome.size() <= MAX_BYTES;
            if self.held.len() >= MAX_HELD || !room {
                break;
            }
            state.taken = unfound.number;
            taken += 1;
            happened.taken += 1;
            self.hold(Held {
                system: poll.system.clone(),
                salt: Some(poll.salt),
                outcome: unfound.outcome,
                from: Some((agent, poll.boot.0, unfound.number)),
                until: now + self.hold,
                asked: BTreeSet::from([agent]),
                lent: None,
                forgotten: unfound.forgotten,
                stage: Stage::Looking,
            });
        }
        happened.refused += (handed - taken) as u64;
        taken
    }

    /// Moves on what nobody knew: a last round, and then it is given up.
    fn advance(&mut self, now: Timestamp) {
        let agents = &self.agents;
        let live = |id: &AgentId| agents.get(id).is_some_and(|a| is_live(a, now));
        for held in self.held.values_mut() {
            if held.lent.is_some_and(|agent| !live(&agent)) {
                held.lent = None;
            }
            if held.stage == Stage::Looking && held.lent.is_none() && now >= held.until {
                held.stage = Stage::LastRound;
                held.asked.clear();
            }
            if held.stage == Stage::LastRound && held.lent.is_none() {
                let mut able = agents
                    .iter()
                    .filter(|(_, a)| is_live(a, now) && fits(a, held));
                if able.all(|(id, _)| held.asked.contains(id)) && !held.asked.is_empty() {
                    held.stage = Stage::GivenUp;
                }
            }
        }
    }

    /// What this agent is asked next.
    fn ask(&mut self, agent: AgentId, now: Timestamp) -> Vec<Asked> {
        let mut asked = Vec::new();
        let mut bytes = 0;
        let agents = &self.agents;
        let Some(state) = agents.get(&agent) else {
            return asked;
        };
        for (ticket, held) in &mut self.held {
            if held.lent.is_some() || !fits(state, held) {
                continue;
            }
            let what = match held.stage {
                Stage::Looking | Stage::LastRound if held.asked.contains(&agent) => continue,
                Stage::Looking | Stage::LastRound => Question::Join(held.outcome.clone()),
                Stage::GivenUp => {
                    let from = held.from.map(|(from, _, _)| from);
                    let theirs = from.is_some_and(|from| {
                        from != agent && agents.get(&from).is_some_and(|a| is_live(a, now))
                    });
                    if theirs {
                        continue;
                    }
                    if held.forgotten {
                        Question::CountForgotten
                    } else {
                        Question::CountUnknown
                    }
                }
            };
            bytes += held.outcome.size();
            if asked.len() >= MAX_CARRIED || bytes > MAX_ANSWER {
                break;
            }
            held.lent = Some(agent);
            asked.push(Asked {
                ticket: *ticket,
                what,
            });
        }
        asked
    }
}

fn is_live(agent: &AgentState, now: Timestamp) -> bool {
    now.since(agent.seen).micros() <= LEASE.micros()
}

/// Whether an agent can be asked for an outcome.
fn fits(agent: &AgentState, held: &Held) -> bool {
    agent.system == held.system && held.salt.is_none_or(|salt| salt == agent.salt)
}

#[cfg(test)]
mod tests;
