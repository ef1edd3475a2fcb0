//! Panes of time, what they cover, and the identity that two summaries must share to be added.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{Name, SystemId};
use crate::sampling::{Halvings, Rates, Shell};
use crate::time::{Clock, Span, Timestamp};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Beginning of a pane: a multiple of the pane's length since the epoch, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaneStart(pub Timestamp);

impl PaneStart {
    /// The pane that `at` falls into. Panes are aligned to the Unix epoch in UTC.
    pub fn of(at: Timestamp, length: Span) -> Self {
        let step = length.micros().max(1);
        let start = at.micros().div_euclid(step) * step;
        Self(Timestamp::from_micros(start).unwrap_or(Timestamp::EPOCH))
    }

    /// The first point after the pane.
    pub fn end(self, length: Span) -> Timestamp {
        self.0 + length
    }

    /// The pane that follows.
    #[must_use]
    pub fn next(self, length: Span) -> Self {
        Self(self.0 + length)
    }
}

/// Everything that must be equal before two summaries may be added. Provenance (agent, boot,
/// sequence) stands outside, so that merged bytes do not depend on who counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PaneKey {
    /// The AI system.
    pub system: SystemId,
    /// The model as the serving protocol names it.
    pub model: Box<str>,
    /// The model's version as the server reported it; empty if it reported none.
    pub model_version: Box<str>,
    /// The baseline that cuts and cells come from.
    pub baseline: Digest,
    /// What is counted and how (derived from the objectives and the baseline).
    pub plan: Digest,
    /// Which secret keys the sampling and the hashing of unlisted categories.
    pub salt: Digest,
    /// Live or replayed time.
    pub clock: Clock,
    /// Length of a pane.
    pub pane: Span,
    /// Which ids were sampled, where an agent's rate may change from pane to pane; none: all that its
    /// rate keeps, in one sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Shell>,
}

impl Encode for PaneKey {
    fn encode(&self, w: &mut Writer) {
        w.text(self.system.as_str());
        w.text(&self.model);
        w.text(&self.model_version);
        w.raw(self.baseline.as_bytes());
        w.raw(self.plan.as_bytes());
        w.raw(self.salt.as_bytes());
        let clock = match self.clock {
            Clock::Live => 0,
            Clock::Replay => 1,
        };
        // Above the clock's bit, so that keys without a shell are the bytes that they always were.
        let shell = self.shell.map_or(0, |shell| 1 + shell.number());
        w.byte(clock | shell << 1);
        w.signed(self.pane.micros());
    }
}

/// Longest model name or version that is kept, in bytes; a longer one is refused by the decoder.
pub const MAX_MODEL_NAME: usize = 256;

impl Decode for PaneKey {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let system = Name::new(r.text(crate::ids::MAX_NAME)?)
            .map_err(|_| Malformed::Value("system name"))?;
        let (model, model_version) = (
            r.text(MAX_MODEL_NAME)?.into(),
            r.text(MAX_MODEL_NAME)?.into(),
        );
        let (baseline, plan, salt) = (r.array()?, r.array()?, r.array()?);
        let byte = r.byte()?;
        Ok(Self {
            system,
            model,
            model_version,
            baseline: Digest::from_bytes(baseline),
            plan: Digest::from_bytes(plan),
            salt: Digest::from_bytes(salt),
            clock: if byte & 1 == 0 {
                Clock::Live
            } else {
                Clock::Replay
            },
            shell: match byte >> 1 {
                0 => None,
                above => Some(Shell::try_from(above - 1)?),
            },
            pane: Span::from_micros(r.signed()?)
                .filter(|s| *s > Span::ZERO)
                .ok_or(Malformed::Value("pane length"))?,
        })
    }
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every reason, in wire order: append, never reorder.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in records and labels.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

reasons! {
    /// Why an exchange that was seen on an inference path was let go before decoding.
    DropReason {
        /// The hand-over queue to the monitor was full.
        QueueFull = "queue_full",
        /// The byte budget for captured bodies was used up.
        CaptureBudget = "capture_budget",
        /// The monitor was not running.
        MonitorDown = "monitor_down",
        /// The exchange had not ended when its pane closed.
        Unfinished = "unfinished",
        /// The exchange ended after its pane was closed and it had been counted as nothing else.
        TooLate = "too_late",
        /// Client or upstream went away before the exchange was complete.
        Aborted = "aborted",
        /// The request was told of by itself (an event, a log line), and its answer not in time.
        Unanswered = "unanswered",
        /// The answer was told of by itself, and its request not in time.
        Unasked = "unasked",
    }
}

reasons! {
    /// Why a sampled exchange could not be understood.
    UndecodableReason {
        /// The body is not what its protocol asks for.
        Malformed = "malformed",
        /// The content type or encoding is not one that is decoded.
        Unsupported = "unsupported",
        /// The body was longer than the capture limit.
        Truncated = "truncated",
        /// The model server answered with an error, so there is no prediction.
        UpstreamError = "upstream_error",
        /// The message is well formed but lacks what the objectives file points at, or has another type.
        SchemaMismatch = "schema_mismatch",
        /// The model is not one of the system's documented models.
        UnknownModel = "unknown_model",
        /// The body, or what it unpacks to, is larger than what is read.
        Oversized = "oversized",
    }
}

/// What happened to every exchange that arrived in a pane. Adds up exactly:
/// `seen = sampled + sampled_out + not_inference + dropped + undecodable`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Exchanges counted at the socket.
    pub seen: u64,
    /// Exchanges decoded, kept and observed.
    pub sampled: u64,
    /// Exchanges left out by the sampling rule.
    pub sampled_out: u64,
    /// Exchanges that are no inference: health checks, metadata.
    pub not_inference: u64,
    /// Exchanges let go, by reason (index = position in [`DropReason::ALL`]).
    pub dropped: [u64; DropReason::ALL.len()],
    /// Exchanges not understood, by reason (index = position in [`UndecodableReason::ALL`]).
    pub undecodable: [u64; UndecodableReason::ALL.len()],
    /// Rows in the sampled exchanges.
    pub rows: u64,
    /// Mark: exchanges whose captured body was cut off at the limit.
    pub truncated: u64,
    /// Mark: exchanges that the model server answered with an error status.
    pub upstream_errors: u64,
    /// Mark: sampled exchanges with no request id, whose outcome can never be joined.
    pub unidentified: u64,
    /// Mark: sampled exchanges of which only the request is known (mirrored traffic): their inputs
    /// were counted, no output was.
    pub request_only: u64,
    /// Mark: exchanges left out by the sampling rule of which rows were counted for comparisons by group.
    pub for_groups: u64,
    /// The rates of sampling in force, where they may change from pane to pane.
    pub rates: Option<Rates>,
}

impl Coverage {
    /// Counts one dropped exchange.
    pub fn count_dropped(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }

    /// Counts one undecodable exchange.
    pub fn count_undecodable(&mut self, reason: UndecodableReason) {
        self.undecodable[reason as usize] += 1;
    }

    /// Sum of dropped exchanges.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Sum of undecodable exchanges.
    pub fn undecodable_total(&self) -> u64 {
        self.undecodable.iter().sum()
    }

    /// Exchanges whose fate is known.
    pub fn accounted(&self) -> u64 {
        self.sampled
            + self.sampled_out
            + self.not_inference
            + self.dropped_total()
            + self.undecodable_total()
    }

    /// Whether every exchange that was seen is accounted for, once.
    pub fn adds_up(&self) -> bool {
        self.seen == self.accounted()
    }

    /// Adds another replica's coverage of the same pane.
    pub fn merge(&mut self, other: &Self) -> Result<(), Overflow> {
        let mut mine = self.clone();
        for (a, b) in mine.fields_mut().into_iter().zip(other.fields()) {
            *a = a.checked_add(b).ok_or(Overflow)?;
        }
        mine.rates = match (self.rates, other.rates) {
            (Some(mine), Some(theirs)) => Some(mine.with(theirs)),
            (told, None) | (None, told) => told,
        };
        *self = mine;
        Ok(())
    }

    fn fields(&self) -> Vec<u64> {
        let mut all = vec![
            self.seen,
            self.sampled,
            self.sampled_out,
            self.not_inference,
        ];
        all.extend(self.dropped);
        all.extend(self.undecodable);
        all.extend([
            self.rows,
            self.truncated,
            self.upstream_errors,
            self.unidentified,
            self.request_only,
            self.for_groups,
        ]);
        all
    }

    fn fields_mut(&mut self) -> Vec<&mut u64> {
        let mut all = vec![
            &mut self.seen,
            &mut self.sampled,
            &mut self.sampled_out,
            &mut self.not_inference,
        ];
        all.extend(self.dropped.iter_mut());
        all.extend(self.undecodable.iter_mut());
        all.extend([
            &mut self.rows,
            &mut self.truncated,
            &mut self.upstream_errors,
            &mut self.unidentified,
            &mut self.request_only,
            &mut self.for_groups,
        ]);
        all
    }
}

impl Encode for Coverage {
    fn encode(&self, w: &mut Writer) {
        let mut fields = self.fields();
        // Left out where nothing was counted so, as before it could be: each value has one encoding.
        if self.for_groups == 0 {
            fields.pop();
        }
        if let Some(rates) = self.rates {
            fields.extend([rates.fewest, rates.most].map(|rate| u64::from(rate.count())));
        }
        w.unsigned(fields.len() as u64);
        for field in fields {
            w.unsigned(field);
        }
    }
}

impl Decode for Coverage {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut coverage = Self::default();
        let told = r.unsigned()?;
        let mut fields = coverage.fields_mut();
        let all = fields.len() as u64;
        // Without what was counted for groups, with it, and each of the two with rates.
        let (for_groups, rates) = match told {
            told if told == all - 1 => (false, false),
            told if told == all => (true, false),
            told if told == all + 1 => (false, true),
            told if told == all + 2 => (true, true),
            _ => return Err(Malformed::Value("number of coverage fields")),
        };
        if !for_groups {
            fields.pop();
        }
        for field in &mut fields {
            **field = r.unsigned()?;
        }
        if for_groups && coverage.for_groups == 0 {
            return Err(Malformed::Value(
                "coverage that tells of nothing for groups",
            ));
        }
        if rates {
            let rates = Rates {
                fewest: rate(r)?,
                most: rate(r)?,
            };
            if rates.fewest > rates.most {
                return Err(Malformed::Value("rates of sampling"));
            }
            coverage.rates = Some(rates);
        }
        Ok(coverage)
    }
}

fn rate(r: &mut Reader<'_>) -> Result<Halvings, Malformed> {
    let wrong = Malformed::Value("rate of sampling");
    Halvings::try_from(u8::try_from(r.unsigned()?).map_err(|_| wrong)?)
}

impl Serialize for Coverage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seen", &self.seen)?;
        map.serialize_entry("sampled", &self.sampled)?;
        map.serialize_entry("sampled_out", &self.sampled_out)?;
        map.serialize_entry("not_inference", &self.not_inference)?;
        let dropped: std::collections::BTreeMap<_, _> = DropReason::ALL
            .iter()
            .map(|r| (r.as_str(), self.dropped[*r as usize]))
            .collect();
        map.serialize_entry("dropped", &dropped)?;
        let undecodable: std::collections::BTreeMap<_, _> = UndecodableReason::ALL
            .iter()
            .map(|r| (r.as_str(), self.undecodable[*r as usize]))
            .collect();
        map.serialize_entry("undecodable", &undecodable)?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry("truncated", &self.truncated)?;
        map.serialize_entry("upstream_errors", &self.upstream_errors)?;
        map.serialize_entry("unidentified", &self.unidentified)?;
        map.serialize_entry("request_only", &self.request_only)?;
        if self.for_groups > 0 {
            map.serialize_entry("for_groups", &self.for_groups)?;
        }
        if let Some(rates) = &self.rates {
            map.serialize_entry("halvings", rates)?;
        }
        map.end()
    }
}

/// What happened to the outcomes (late labels and attributes) that arrived in a pane for the
/// predictions of one pane; unknown ones are counted in the pane of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutcomeCoverage {
    /// Labels joined to a remembered prediction.
    pub labels: u64,
    /// Attribute values joined to a remembered prediction.
    pub attributes: u64,
    /// Outcomes that repeated what was already known; the first one counts.
    pub repeated: u64,
    /// Outcomes whose request id is not known (after waiting for it within a bound).
    pub unknown_id: u64,
    /// Outcomes whose request is known but has no such row.
    pub unknown_row: u64,
    /// Outcomes with a label or attribute value that the objectives file does not list.
    pub unlisted_value: u64,
    /// Outcomes let go because a bound was reached.
    pub dropped: u64,
    /// Outcomes of requests that the sampling rule left out: nothing was lost.
    pub sampled_out: u64,
    /// Outcomes of requests that were remembered once and are no more: they came after the horizon, or
    /// after a bound was reached.
    pub forgotten: u64,
    /// Labels and attribute values joined to predictions that are counted for comparisons by group only.
    #[serde(skip_serializing_if = "is_zero")]
    pub for_groups: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl OutcomeCoverage {
    const FIELDS: usize = 10;
    /// Fields that are always there. The others came later: from the last one that is above zero on they are
    /// left out, so that bytes of before are still read, and each value has one encoding.
    const FIELDS_BEFORE: usize = 8;

    /// Adds another count of the same block.
    pub fn merge(&mut self, other: &Self) -> Result<(), Overflow> {
        let theirs = other.fields();
        let mut mine = self.fields();
        for (a, b) in mine.iter_mut().zip(theirs) {
            *a = a.checked_add(b).ok_or(Overflow)?;
        }
        *self = Self::from_fields(mine);
        Ok(())
    }

    /// Outcomes received, whatever became of them.
    pub fn received(&self) -> u64 {
        self.fields().iter().sum()
    }

    fn fields(&self) -> [u64; Self::FIELDS] {
        [
            self.labels,
            self.attributes,
            self.repeated,
            self.unknown_id,
            self.unknown_row,
            self.unlisted_value,
            self.dropped,
            self.sampled_out,
            self.forgotten,
            self.for_groups,
        ]
    }

    fn from_fields(f: [u64; Self::FIELDS]) -> Self {
        let [
            labels,
            attributes,
            repeated,
            unknown_id,
            unknown_row,
            unlisted_value,
            dropped,
            sampled_out,
            forgotten,
            for_groups,
        ] = f;
        Self {
            labels,
            attributes,
            repeated,
            unknown_id,
            unknown_row,
            unlisted_value,
            dropped,
            sampled_out,
            forgotten,
            for_groups,
        }
    }
}

impl Encode for OutcomeCoverage {
    fn encode(&self, w: &mut Writer) {
        let fields = self.fields();
        let last = fields.iter().rposition(|count| *count > 0);
        let told = &fields[..last.map_or(0, |last| last + 1).max(Self::FIELDS_BEFORE)];
        w.unsigned(told.len() as u64);
        for field in told {
            w.unsigned(*field);
        }
    }
}

impl Decode for OutcomeCoverage {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let told = r.count(Self::FIELDS)?;
        if told < Self::FIELDS_BEFORE {
            return Err(Malformed::Value("number of outcome coverage fields"));
        }
        let mut fields = [0; Self::FIELDS];
        for field in &mut fields[..told] {
            *field = r.unsigned()?;
        }
        if told > Self::FIELDS_BEFORE && fields[told - 1] == 0 {
            return Err(Malformed::Value(
                "outcome coverage whose last field tells of nothing",
            ));
        }
        Ok(Self::from_fields(fields))
    }
}

/// A counter would pass 2^64. Merging is refused rather than wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a counter would overflow 64 bits; the summaries were not added")]
pub struct Overflow;
