//! From bytes of unknown origin to a [`VerifiedBatch`], or a refusal with its reason. Only verified
//! batches reach the store. Core: what is known and the time are parameters; nothing is stored here.

use std::collections::BTreeSet;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::Coverage;
use clause9_shared::wire::batch::{
    self, Batch, ClosedWindow, Envelope, ItemReceipt, OpenError, Receipt, RefusalReason, Stream,
};
use clause9_shared::wire::codec::Decode;

use crate::known::{Known, KnownSystem};
use crate::skew;
use crate::spiffe::SpiffeId;

/// A batch or item that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, from the fixed list.
    pub reason: RefusalReason,
    /// What exactly, for people.
    pub detail: String,
    /// Who signed it, where the signature of a trusted agent did verify.
    pub agent: Option<AgentId>,
    /// What it was for, if that much could be read.
    pub system: Option<SystemId>,
    /// The envelope as received; none if it was too large to be read.
    pub batch: Option<Digest>,
    /// Which item of it, from 0; none: the whole batch.
    pub item: Option<u16>,
}

impl Refused {
    /// The refusal of bytes that were not read to their end.
    pub fn too_large(limit: usize) -> Self {
        Self {
            reason: RefusalReason::TooLarge,
            detail: format!("the body is larger than {limit} bytes; send fewer items at once"),
            agent: None,
            system: None,
            batch: None,
            item: None,
        }
    }
}

/// A batch whose signature, author and items were checked; its place in the agent's sequence was not.
#[derive(Clone, Debug)]
pub struct Opened {
    agent: AgentId,
    digest: Digest,
    batch: Batch,
    refusals: Vec<Option<(RefusalReason, String)>>,
}

/// A batch of which everything was checked. Made by [`admit`] alone.
#[derive(Clone, Debug)]
pub struct VerifiedBatch {
    opened: Opened,
    marks: Vec<&'static str>,
}

/// What is stored under the (agent, boot, sequence) of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing yet.
    Nothing,
    /// A batch of this digest.
    Stored(Digest),
    /// A batch of this digest, but for the items at these places, which were refused and not taken since.
    StoredInPart(Digest, BTreeSet<usize>),
}

/// What becomes of a batch.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// It is stored already.
    Duplicate(Receipt),
    /// It is new.
    New(VerifiedBatch),
    /// It is stored already, and what was refused of it then was judged again.
    Again(JudgedAgain),
}

/// A batch that is stored in part, delivered again. What was taken stays as it is; what was refused was checked
/// against what is known now. Made by [`admit`] alone.
#[derive(Clone, Debug)]
pub struct JudgedAgain {
    /// With the refusals that stand.
    verified: VerifiedBatch,
    /// Places of the items that were refused before and are taken now.
    taken: BTreeSet<usize>,
}

/// Mark of a batch signed by a clock that runs ahead of the collector's.
pub const CLOCK_AHEAD: &str = "clock_ahead";
/// Mark of a batch signed long before it was received: a clock that is behind, or a long way here.
pub const CLOCK_BEHIND: &str = "clock_behind";

/// Mark in the record of a batch of which items were taken that had been refused before.
pub const JUDGED_AGAIN: &str = "judged_again";
/// Mark of a restored batch in whose place a later one of the same number was stored.
pub const SUPERSEDED: &str = "superseded";

/// Checks everything that depends on the bytes and on what is configured: format, author,
/// signature, system, and each item. `shown` is who the connection's certificate says it is.
pub fn open(bytes: &[u8], known: &Known, shown: Option<&SpiffeId>) -> Result<Opened, Refused> {
    let digest = batch::digest(bytes);
    let refuse = |reason, detail: String, agent, system| Refused {
        reason,
        detail,
        agent,
        system,
        batch: Some(digest),
        item: None,
    };
    let envelope = Envelope::parse(bytes).map_err(|e| {
        refuse(
            RefusalReason::Malformed,
            format!("not an envelope: {e}"),
            None,
            None,
        )
    })?;
    let agent = envelope.agent();
    if let Err(detail) = known.trusted().believes(agent, shown) {
        return Err(refuse(RefusalReason::UnknownAgent, detail, None, None));
    }
    let batch = envelope.open().map_err(|e| match e {
        OpenError::Signature => refuse(RefusalReason::BadSignature, e.to_string(), None, None),
        OpenError::Malformed(_) => {
            refuse(RefusalReason::Malformed, e.to_string(), Some(agent), None)
        }
    })?;
    let system = match known.system(&batch.system) {
        Some(system) if known.may_write(agent, &batch.system) => system,
        Some(_) | None => {
            let detail = format!("the agent may not write for system `{}`", batch.system);
            let system = Some(batch.system);
            return Err(refuse(
                RefusalReason::UnknownSystem,
                detail,
                Some(agent),
                system,
            ));
        }
    };
    let refusals = batch
        .items
        .iter()
        .map(|item| check_item(item, &batch, system).err())
        .collect();
    Ok(Opened {
        agent,
        digest,
        batch,
        refusals,
    })
}

fn check_item(
    item: &ClosedWindow,
    batch: &Batch,
    system: &KnownSystem,
) -> Result<(), (RefusalReason, String)> {
    let refuse = |reason, detail: &str| Err((reason, detail.to_owned()));
    let key = &item.key;
    if key.system != batch.system {
        return refuse(
            RefusalReason::UnknownSystem,
            "the item is of another system than its batch",
        );
    }
    if key.clock != batch.clock {
        return refuse(
            RefusalReason::ClockMixed,
            "the item is on another clock than its batch",
        );
    }
    let Some((plan, baseline)) = system.plan_named(key.plan) else {
        return refuse(
            RefusalReason::UnknownPlan,
            "the capture plan is not known; give agent and collector the same objectives and baseline",
        );
    };
    if key.baseline != baseline {
        return refuse(RefusalReason::UnknownPlan, "the baseline is not the plan's");
    }
    if key.pane != plan.document().panes.length {
        return refuse(
            RefusalReason::UnknownPlan,
            "the pane length is not the plan's",
        );
    }
    // A pane that the batch does not close yet is no fault: an agent that stops ships what it has of
    // its open pane, and a large pane comes in parcels. Its seal waits for the watermark.
    let adds_up = match &item.stream {
        Stream::Traffic(coverage) => checked_sum(coverage),
        Stream::Outcomes { arrival, .. } => *arrival >= item.pane,
    };
    if !adds_up {
        return refuse(
            RefusalReason::BadCoverage,
            "seen is not the sum of its parts, or an outcome arrived before its prediction",
        );
    }
    check_summary(item, plan)
}

fn check_summary(item: &ClosedWindow, plan: &CapturePlan) -> Result<(), (RefusalReason, String)> {
    let summary = PaneSummary::from_bytes(&item.summary).map_err(|e| {
        (
            RefusalReason::BadSummary,
            format!("the summary does not decode: {e}"),
        )
    })?;
    let traffic = matches!(item.stream, Stream::Traffic(_));
    plan.fits(traffic, &summary).then_some(()).ok_or_else(|| {
        (
            RefusalReason::BadSummary,
            "the summary does not count what the plan asks for".to_owned(),
        )
    })
}

/// Whether the coverage adds up without passing 64 bits.
fn checked_sum(coverage: &Coverage) -> bool {
    let parts = [
        coverage.sampled,
        coverage.sampled_out,
        coverage.not_inference,
    ];
    parts
        .iter()
        .chain(&coverage.dropped)
        .chain(&coverage.undecodable)
        .try_fold(0_u64, |sum, n| sum.checked_add(*n))
        == Some(coverage.seen)
}

impl Opened {
    /// Who signed it.
    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    /// What it says.
    pub const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The envelope's name.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    fn refused(&self, reason: RefusalReason, detail: String) -> Refused {
        Refused {
            reason,
            detail,
            agent: Some(self.agent),
            system: Some(self.batch.system.clone()),
            batch: Some(self.digest),
            item: None,
        }
    }

    fn duplicate(&self, marks: Vec<String>) -> Receipt {
        Receipt {
            batch: self.digest,
            items: vec![ItemReceipt::Duplicate; self.batch.items.len()],
            marks,
        }
    }

    fn on_the_clock(&self, system_clock: Clock) -> Result<(), Refused> {
        if system_clock == self.batch.clock {
            return Ok(());
        }
        let detail = format!(
            "the batch is on the {} clock, the system on the {} clock; set `clock` of the system in the \
             collector's configuration, or of the agent in its own",
            self.batch.clock.as_str(),
            system_clock.as_str()
        );
        Err(self.refused(RefusalReason::ClockMixed, detail))
    }
}

/// The furthest time that a batch speaks of as begun or over.
fn furthest(batch: &Batch) -> Timestamp {
    let panes = batch.items.iter().map(|item| match &item.stream {
        Stream::Traffic(_) => item.pane.0,
        Stream::Outcomes { arrival, .. } => item.pane.0.max(arrival.0),
    });
    panes.fold(batch.watermark.max(batch.watching_since), Timestamp::max)
}

/// Checks an opened batch against what is stored and configured: its place in the agent's sequence,
/// and the clock that the system is on. `now` is the time of receipt. On the live clock nothing may
/// be closed that lies ahead: one such watermark would move the system's seals for good.
pub fn admit(
    opened: Opened,
    before: Before,
    system_clock: Clock,
    now: Timestamp,
    allowed: Span,
) -> Result<Admitted, Refused> {
    let (stored, refused) = match before {
        Before::Nothing => (None, BTreeSet::new()),
        Before::Stored(digest) => (Some(digest), BTreeSet::new()),
        Before::StoredInPart(digest, refused) => (Some(digest), refused),
    };
    match stored {
        Some(digest) if digest == opened.digest && refused.is_empty() => {
            return Ok(Admitted::Duplicate(opened.duplicate(Vec::new())));
        }
        Some(digest) if digest == opened.digest => {
            opened.on_the_clock(system_clock)?;
            return Ok(Admitted::Again(JudgedAgain::new(opened, &refused)));
        }
        // What a crashed run had put by, and then shipped all the same, with what came after.
        Some(_) if opened.batch.restored.is_some() => {
            let marks = vec![SUPERSEDED.to_owned()];
            return Ok(Admitted::Duplicate(opened.duplicate(marks)));
        }
        Some(digest) => {
            let detail = format!(
                "boot {} sequence {} was used for the batch {digest}",
                opened.batch.boot.0, opened.batch.sequence.0
            );
            return Err(opened.refused(RefusalReason::ReplayedSequence, detail));
        }
        None => {}
    }
    opened.on_the_clock(system_clock)?;
    let furthest = furthest(&opened.batch);
    if system_clock == Clock::Live && furthest > now + allowed {
        // The batch was on its way for a while, so the clock is ahead by at least so much.
        let clock = match skew::ahead(opened.batch.created_at, now) {
            Some(ahead) => format!("the agent's clock is ahead by {ahead} at least"),
            None => "it was signed before that, so the agent's clock was set back since".to_owned(),
        };
        let detail = format!(
            "the batch speaks of {furthest} as begun or over, and it was received at {now}; {clock}: set the \
             agent's wall clock"
        );
        return Err(opened.refused(RefusalReason::ClockAhead, detail));
    }
    let created = opened.batch.created_at;
    let mut marks = Vec::new();
    if created > now + allowed {
        marks.push(CLOCK_AHEAD);
    }
    if created + allowed < now {
        marks.push(CLOCK_BEHIND);
    }
    Ok(Admitted::New(VerifiedBatch { opened, marks }))
}

impl VerifiedBatch {
    /// Who signed it.
    pub const fn agent(&self) -> AgentId {
        self.opened.agent
    }

    /// What it says.
    pub const fn batch(&self) -> &Batch {
        &self.opened.batch
    }

    /// The envelope's name.
    pub const fn digest(&self) -> Digest {
        self.opened.digest
    }

    /// What is remarkable about it.
    pub fn marks(&self) -> &[&'static str] {
        &self.marks
    }

    /// Items with the refusal of each, if it was refused.
    pub fn items(&self) -> impl Iterator<Item = (&ClosedWindow, Option<&(RefusalReason, String)>)> {
        let refusals = self.opened.refusals.iter().map(Option::as_ref);
        self.opened.batch.items.iter().zip(refusals)
    }

    /// The refusal records that its refused items are owed.
    pub fn refusals(&self) -> Vec<Refused> {
        self.opened
            .refusals
            .iter()
            .enumerate()
            .filter_map(|(i, r)| {
                let (reason, detail) = r.as_ref()?;
                let refused = self.opened.refused(*reason, format!("item {i}: {detail}"));
                let item = Some(u16::try_from(i).unwrap_or(u16::MAX));
                Some(Refused { item, ..refused })
            })
            .collect()
    }

    /// The answer once all of it is durable.
    pub fn receipt(&self) -> Receipt {
        let items = self.opened.refusals.iter().map(|refusal| match refusal {
            None => ItemReceipt::Stored,
            Some((reason, detail)) => ItemReceipt::Refused {
                reason: *reason,
                detail: detail.clone(),
            },
        });
        Receipt {
            batch: self.opened.digest,
            items: items.collect(),
            marks: self.marks.iter().map(|m| (*m).to_owned()).collect(),
        }
    }
}

impl JudgedAgain {
    /// `refused` are the places of the items that were refused before.
    fn new(mut opened: Opened, refused: &BTreeSet<usize>) -> Self {
        let mut taken = BTreeSet::new();
        for (place, refusal) in opened.refusals.iter_mut().enumerate() {
            match refused.contains(&place) {
                // What was taken once is not asked for again.
                false => *refusal = None,
                true if refusal.is_none() => {
                    taken.insert(place);
                }
                true => {}
            }
        }
        let marks = Vec::new();
        let verified = VerifiedBatch { opened, marks };
        Self { verified, taken }
    }

    /// The batch, with the refusals that stand.
    pub const fn verified(&self) -> &VerifiedBatch {
        &self.verified
    }

    /// Items that are taken now, with their places.
    pub fn taken(&self) -> impl Iterator<Item = (usize, &ClosedWindow)> {
        let items = self.verified.batch().items.iter().enumerate();
        items.filter(|(place, _)| self.taken.contains(place))
    }

    /// Whether anything is taken now.
    pub fn is_news(&self) -> bool {
        !self.taken.is_empty()
    }

    /// The answer once all of it is durable.
    pub fn receipt(&self) -> Receipt {
        let mut receipt = self.verified.receipt();
        for (place, item) in receipt.items.iter_mut().enumerate() {
            if *item == ItemReceipt::Stored && !self.taken.contains(&place) {
                *item = ItemReceipt::Duplicate;
            }
        }
        receipt
    }
}
