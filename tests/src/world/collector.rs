//! The collector's side of the world: what it checks is the collector's own code, what it keeps is a table
//! whose commits take time and are all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use clause9_collector::known::Known;
use clause9_collector::verify::{self, Admitted, Before};
use clause9_shared::digest::Digest;
use clause9_shared::ids::AgentId;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::wire::batch::{self, Batch, BatchRefused, ItemReceipt, Receipt};
use clause9_shared::wire::loss::Place;

use super::sabotage::Sabotage;
use super::stage;

/// How far clocks may be off.
const SKEW: Span = Span::from_secs(300);

/// A status and a body.
pub(super) type Answer = (u16, Vec<u8>);

/// Who is answered: agent, run of the simulated process, number of the delivery.
pub(super) type Asker = (usize, u64, u64, u64);

/// The collector.
pub(super) struct Collector {
    known: Known,
    trusted: BTreeSet<AgentId>,
    /// What is durable.
    pub(super) stored: BTreeMap<(AgentId, Place), (Digest, Batch)>,
    /// Batches stored under a place that was taken: a fault.
    pub(super) twice: u64,
    /// Agents of which something restored was not taken, since something later was shipped.
    pub(super) passed_over: BTreeSet<AgentId>,
    /// Answers that said `duplicate`.
    pub(super) duplicates: u64,
    /// Deliveries that wait for the commit under way.
    pending: Vec<(Asker, Bytes)>,
    pub(super) up: bool,
    /// Batches over which it fails, whatever happens.
    pub(super) poisoned: BTreeSet<Digest>,
    sabotage: Option<Sabotage>,
}

impl Collector {
    /// One that trusts these.
    pub(super) fn new(trusted: BTreeSet<AgentId>, sabotage: Option<Sabotage>) -> Self {
        Self {
            known: stage::known(&trusted),
            trusted,
            stored: BTreeMap::new(),
            twice: 0,
            passed_over: BTreeSet::new(),
            duplicates: 0,
            pending: Vec::new(),
            up: true,
            poisoned: BTreeSet::new(),
            sabotage,
        }
    }

    /// Lets an agent write, or not.
    pub(super) fn trust(&mut self, agent: AgentId, trusted: bool) {
        if trusted {
            self.trusted.insert(agent);
        } else {
            self.trusted.remove(&agent);
        }
        self.known = stage::known(&self.trusted);
    }

    /// Takes a delivery; true if a commit is to follow. Some are answered at once.
    pub(super) fn receive(
        &mut self,
        asker: Asker,
        bytes: Bytes,
        original: Digest,
    ) -> (bool, Option<Answer>) {
        if self.poisoned.contains(&original) {
            return (false, Some((500, b"it panicked".to_vec())));
        }
        match verify::open(&bytes, &self.known, None) {
            Err(_) if self.takes_changes() && batch::digest(&bytes) != original => {
                let receipt = Receipt {
                    batch: original,
                    items: vec![ItemReceipt::Stored],
                    marks: Vec::new(),
                };
                (false, Some(ok(&receipt)))
            }
            Err(refused) => {
                let body = BatchRefused {
                    refused: refused.reason,
                    detail: refused.detail,
                };
                (
                    false,
                    Some((400, serde_json::to_vec(&body).unwrap_or_default())),
                )
            }
            Ok(opened) => {
                let early = (self.sabotage == Some(Sabotage::AnsweredBeforeCommit)).then(|| {
                    ok(&Receipt {
                        batch: opened.digest(),
                        items: vec![ItemReceipt::Stored; opened.batch().items.len()],
                        marks: Vec::new(),
                    })
                });
                self.pending.push((asker, bytes));
                (self.pending.len() == 1, early)
            }
        }
    }

    fn takes_changes(&self) -> bool {
        self.sabotage == Some(Sabotage::ChangesAreTaken)
    }

    /// What waits becomes durable; each is answered.
    pub(super) fn commit(&mut self, now: Timestamp) -> Vec<(Asker, Digest, Answer)> {
        let pending = std::mem::take(&mut self.pending);
        let answered = pending.into_iter().filter_map(|(asker, bytes)| {
            let digest = batch::digest(&bytes);
            let opened = verify::open(&bytes, &self.known, None).ok()?;
            let place = Place {
                boot: opened.batch().boot,
                sequence: opened.batch().sequence,
            };
            let at = (opened.agent(), place);
            let restored = opened.batch().restored.is_some();
            let shipped = |((agent, later), (_, batch)): &(&(AgentId, Place), &(Digest, Batch))| {
                let same = *agent == at.0 && later.boot == place.boot;
                same && later.sequence > place.sequence && batch.restored.is_none()
            };
            let later = self.stored.iter().find(shipped).filter(|_| restored);
            let before = match self.stored.get(&at).or(later.map(|(_, kept)| kept)) {
                _ if self.sabotage == Some(Sabotage::TakenTwice) => Before::Nothing,
                Some((digest, _)) => Before::Stored(*digest),
                None => Before::Nothing,
            };
            // What was shipped in its place, or behind it, need not hold all that it does.
            if restored && matches!(before, Before::Stored(stored) if stored != digest) {
                self.passed_over.insert(at.0);
            }
            let answer = match verify::admit(opened, before, Clock::Live, now, SKEW) {
                Ok(Admitted::Duplicate(receipt)) => {
                    self.duplicates += 1;
                    ok(&receipt)
                }
                Ok(Admitted::New(batch)) => {
                    let kept = (batch.digest(), batch.batch().clone());
                    self.twice += u64::from(self.stored.insert(at, kept).is_some());
                    ok(&batch.receipt())
                }
                // Nothing is refused of what agents ship here.
                Ok(Admitted::Again(again)) => ok(&again.receipt()),
                Err(refused) => {
                    let body = BatchRefused {
                        refused: refused.reason,
                        detail: refused.detail,
                    };
                    (409, serde_json::to_vec(&body).unwrap_or_default())
                }
            };
            Some((asker, digest, answer))
        });
        answered.collect()
    }

    /// The process ends; what was not durable is gone.
    pub(super) fn crash(&mut self) {
        self.pending.clear();
        self.up = false;
    }
}

fn ok(receipt: &Receipt) -> Answer {
    (200, serde_json::to_vec(receipt).unwrap_or_default())
}
