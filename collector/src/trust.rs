//! Who may write: each agent with its systems, how it stands, and over which connections it is believed.
//! Core: what files and enrolments say comes in as [`Entry`]s.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::Timestamp;
use serde::{Serialize, Serializer};

use crate::spiffe::SpiffeId;

/// The domain in which a list of agents is named.
pub(crate) const AGENTS_DOMAIN: &str = "clause9/agents/v1";

/// How an agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may write.
    Approved,
    /// It showed a token, and somebody has to approve it.
    Pending,
    /// It may write no more; its key is not believed from this time on.
    Revoked(Timestamp),
}

/// What is said of one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Which agent.
    pub id: AgentId,
    /// The systems it may write for.
    pub systems: BTreeSet<SystemId>,
    /// If given, it is believed only over a connection whose certificate has this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spiffe: Option<SpiffeId>,
    /// How it stands.
    pub standing: Standing,
    /// The agent whose place it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<AgentId>,
    /// When that one handed its place over; none: somebody wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handed_over_at: Option<Timestamp>,
}

/// Everybody who is known, one entry each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted(BTreeMap<AgentId, Entry>);

impl Serialize for Trusted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries())
    }
}

impl Trusted {
    /// Takes what a list that is written by hand says. Two entries for one agent are refused. Whoever takes another's place
    /// speaks for it, too: what the old key signed may still be on its way.
    pub fn list(entries: impl IntoIterator<Item = Entry>) -> Result<Self, AgentId> {
        let mut all = Self::default();
        for entry in entries {
            let id = entry.id;
            if all.0.insert(id, entry).is_some() {
                return Err(id);
            }
        }
        let olds: Vec<_> = all.0.values().filter_map(Entry::old).collect();
        for old in olds {
            all.0.entry(old.id).or_insert(old);
        }
        Ok(all)
    }

    /// Adds an enrolled agent. What is listed by hand stands above it; of two enrolments of one agent the systems are added.
    pub fn enrolled(&mut self, entry: Entry, listed: &Self) {
        if listed.0.contains_key(&entry.id) {
            return;
        }
        match self.0.get_mut(&entry.id) {
            Some(known) => known.join(entry),
            None => drop(self.0.insert(entry.id, entry)),
        }
    }

    /// Revokes whoever was handed its place by a key that was not believed any more at that time: what a thief hands over
    /// goes with what was stolen. Places that were handed over before stay.
    pub fn revoke_heirs(&mut self) {
        for _ in 0..self.0.len() {
            let lost: Vec<_> = self
                .0
                .values()
                .filter(|e| e.revoked().is_none())
                .filter_map(|e| {
                    let at = self.0.get(&e.previous?)?.revoked()?;
                    (e.handed_over_at? >= at).then_some((e.id, at))
                })
                .collect();
            if lost.is_empty() {
                return;
            }
            for (id, at) in lost {
                if let Some(entry) = self.0.get_mut(&id) {
                    entry.standing = Standing::Revoked(at);
                }
            }
        }
    }

    /// What is known of an agent.
    pub fn get(&self, agent: AgentId) -> Option<&Entry> {
        self.0.get(&agent)
    }

    /// Everybody, in order of their ids.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets an agent write for one more system.
    pub fn trust(&mut self, agent: AgentId, system: &SystemId) {
        let entry = self.0.entry(agent).or_insert_with(|| Entry {
            id: agent,
            systems: BTreeSet::new(),
            spiffe: None,
            standing: Standing::Approved,
            previous: None,
            handed_over_at: None,
        });
        entry.systems.insert(system.clone());
    }

    /// Whether this agent is believed over a connection that showed this id; if not, why not and what to do.
    pub fn believes(&self, agent: AgentId, shown: Option<&SpiffeId>) -> Result<&Entry, String> {
        let Some(entry) = self.0.get(&agent) else {
            return Err(format!(
                "agent {agent} is not among the trusted agents; add its id to the collector's agents file"
            ));
        };
        match entry.standing {
            Standing::Approved => {}
            Standing::Pending => {
                return Err(format!(
                    "agent {agent} waits to be approved: `clause9-collector agents approve {agent}`"
                ));
            }
            Standing::Revoked(at) => {
                return Err(format!(
                    "agent {agent} was revoked as of {at}; nothing that its key signs is taken any more"
                ));
            }
        }
        match (&entry.spiffe, shown) {
            (None, _) => Ok(entry),
            (Some(wanted), Some(shown)) if wanted == shown => Ok(entry),
            (Some(wanted), Some(shown)) => Err(format!(
                "agent {agent} is believed over connections of {wanted} only; this one showed {shown}"
            )),
            (Some(wanted), None) => Err(format!(
                "agent {agent} is believed over connections of {wanted} only; this one showed no certificate with a SPIFFE id"
            )),
        }
    }
}

impl Entry {
    fn join(&mut self, other: Self) {
        let approved = other.standing == Standing::Approved;
        match self.standing {
            Standing::Approved if approved => self.systems.extend(other.systems),
            Standing::Pending if approved => *self = other,
            Standing::Approved | Standing::Pending => {
                if matches!(other.standing, Standing::Revoked(_)) {
                    *self = other;
                }
            }
            // What was revoked once does not come back by another token.
            Standing::Revoked(_) => {}
        }
    }

    const fn revoked(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Revoked(at) => Some(at),
            Standing::Approved | Standing::Pending => None,
        }
    }

    /// The entry of the agent whose place this one takes, as far as this one says.
    fn old(&self) -> Option<Self> {
        Some(Self {
            id: self.previous?,
            previous: None,
            handed_over_at: None,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> AgentId {
        AgentId::of_key(&[n; 32])
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn entry(n: u8, standing: Standing, previous: Option<u8>) -> Entry {
        Entry {
            id: id(n),
            systems: BTreeSet::from(["loan".parse().unwrap()]),
            spiffe: None,
            standing,
            previous: previous.map(id),
            handed_over_at: previous.map(|_| at(100)),
        }
    }

    fn standings(trusted: &Trusted) -> Vec<Option<Standing>> {
        (1..=3)
            .map(|n| trusted.get(id(n)).map(|e| e.standing))
            .collect()
    }

    /// Agent 1 handed over to 2 and 2 to 3; then 1 was revoked as of some time.
    fn line(revoked: i64) -> Trusted {
        let listed = Trusted::list([entry(1, Standing::Revoked(at(revoked)), None)]).unwrap();
        let mut all = listed.clone();
        for (n, previous) in [(2, 1), (3, 2)] {
            all.enrolled(entry(n, Standing::Approved, Some(previous)), &listed);
        }
        all.revoke_heirs();
        all
    }

    #[test]
    fn what_a_stolen_key_hands_over_is_revoked_with_it_and_what_was_before_is_not() {
        let lost = Some(Standing::Revoked(at(100)));
        assert_eq!(standings(&line(100)), [lost, lost, lost]);
        let kept = Some(Standing::Approved);
        let old = Some(Standing::Revoked(at(101)));
        assert_eq!(standings(&line(101)), [old, kept, kept]);
    }

    #[test]
    fn what_is_listed_stands_above_what_was_enrolled_and_a_second_token_brings_nobody_back() {
        let listed = Trusted::list([entry(1, Standing::Revoked(at(5)), None)]).unwrap();
        let mut all = listed.clone();
        all.enrolled(entry(1, Standing::Approved, None), &listed);
        all.enrolled(entry(2, Standing::Revoked(at(6)), None), &listed);
        all.enrolled(entry(2, Standing::Approved, None), &listed);
        all.enrolled(entry(3, Standing::Pending, None), &listed);
        all.enrolled(entry(3, Standing::Approved, None), &listed);
        let revoked = |n| Some(Standing::Revoked(at(n)));
        assert_eq!(
            standings(&all),
            [revoked(5), revoked(6), Some(Standing::Approved)]
        );
    }

    #[test]
    fn an_id_that_was_left_behind_is_known_by_the_line_of_the_new_one() {
        let all = Trusted::list([entry(2, Standing::Approved, Some(1))]).unwrap();
        assert!(all.believes(id(1), None).is_ok());
        assert_eq!(all.len(), 2);
        let twice = [
            entry(1, Standing::Approved, None),
            entry(1, Standing::Pending, None),
        ];
        assert_eq!(Trusted::list(twice), Err(id(1)));
    }

    #[test]
    fn an_agent_with_a_spiffe_id_is_believed_over_its_own_connections_only() {
        let own: SpiffeId = "spiffe://example.org/a".parse().unwrap();
        let other: SpiffeId = "spiffe://example.org/b".parse().unwrap();
        let mut one = entry(1, Standing::Approved, None);
        one.spiffe = Some(own.clone());
        let all = Trusted::list([one]).unwrap();
        assert!(all.believes(id(1), Some(&own)).is_ok());
        let why = all.believes(id(1), Some(&other)).unwrap_err();
        assert!(
            why.contains("spiffe://example.org/a only")
                && why.contains("showed spiffe://example.org/b"),
            "{why}"
        );
        assert!(
            all.believes(id(1), None)
                .unwrap_err()
                .contains("no certificate")
        );
        assert!(
            all.believes(id(2), Some(&own))
                .unwrap_err()
                .contains("not among the trusted")
        );
    }
}
