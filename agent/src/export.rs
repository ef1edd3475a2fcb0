//! What others are told of the agent's own work by OpenTelemetry's protocol: the steps by which a batch came about, was put on disk
//! and was delivered. How long each took and how it went, never what was in it or in any request. How it is sent, and what
//! happens if it cannot be, is `clause9_otlp`'s. Nobody on a request's path knows of it.
//!
//! The digest of a batch is its trace: 16 bytes of it name the trace, the next eight the span of its beginning, the last eight
//! the span of its delivery. So nothing need be remembered while it waits, and every run of the agent tells of the same trace.

use bytes::Bytes;
use clause9_otlp::message::{Attributes, Kind, Value};
use clause9_otlp::trace::Context;
use clause9_otlp::{Export, Step};
use clause9_shared::digest::Digest;
use clause9_shared::ids::SystemId;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{self, Envelope};

/// Panes are closed and a batch is made of them: the beginning of its trace.
const CLOSE: (&str, Kind) = ("close pane", Kind::Internal);
/// A batch is written to disk, synced.
const PUT: (&str, Kind) = ("put into outbox", Kind::Internal);
/// A batch waits for the collector's word, from when it was signed.
const DELIVER: (&str, Kind) = ("deliver batch", Kind::Internal);
/// One try to deliver it.
const SHIP: &str = "ship batch";

/// Names of attributes, as docs/otlp.md lists them.
mod attribute {
    pub(super) const SYSTEM: &str = "clause9.system";
    pub(super) const BATCH: &str = "clause9.batch";
    pub(super) const OUTCOME: &str = "clause9.delivery.outcome";
    pub(super) const STATUS: &str = "http.response.status_code";
}

/// How a try to deliver a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The collector gave a receipt.
    Receipt,
    /// The collector refused it as a whole.
    Refused,
    /// The collector takes none now.
    Later,
    /// The collector failed over it.
    Failed,
    /// Something else answered.
    Strange,
    /// Nobody answered, or the brokers did not take it.
    Unanswered,
    /// The brokers have it.
    HandedOver,
    /// The brokers will not have this one.
    NotTaken,
}

impl Outcome {
    /// The word in an attribute.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Refused => "refused",
            Self::Later => "later",
            Self::Failed => "failed",
            Self::Strange => "strange",
            Self::Unanswered => "unanswered",
            Self::HandedOver => "handed_over",
            Self::NotTaken => "not_taken",
        }
    }

    /// Whether the batch got no further by it.
    const fn is_failure(self) -> bool {
        match self {
            Self::Receipt | Self::HandedOver => false,
            Self::Refused
            | Self::Later
            | Self::Failed
            | Self::Strange
            | Self::Unanswered
            | Self::NotTaken => true,
        }
    }
}

/// Who is told of the steps of batches; nobody, unless it is configured.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Told>);

#[derive(Clone, Debug)]
struct Told {
    export: Export,
    system: SystemId,
}

/// The trace of a batch.
struct Trace {
    batch: Digest,
    /// Where it begins.
    close: Context,
    /// Its delivery.
    deliver: Context,
}

impl Trace {
    /// The trace of the batch of that name. None if there are no traces.
    fn of(told: &Told, batch: Digest) -> Option<Self> {
        let (mut name, mut delivery) = ([0; 24], [0; 8]);
        name.copy_from_slice(&batch.as_bytes()[..24]);
        delivery.copy_from_slice(&batch.as_bytes()[24..]);
        let close = told.export.named(&name)?;
        Some(Self {
            batch,
            close,
            deliver: close.follow(delivery),
        })
    }

    fn about(&self, told: &Told) -> Attributes {
        vec![
            (attribute::SYSTEM, Value::from(told.system.as_str())),
            (attribute::BATCH, Value::Text(self.batch.to_string())),
        ]
    }
}

impl Traces {
    /// Traces of that system's batches, to that exporter if there is one.
    pub fn new(export: Option<Export>, system: &SystemId) -> Self {
        let system = system.clone();
        Self(export.map(|export| Told { export, system }))
    }

    /// The trace of a batch, and who is told of it, if it is kept.
    fn kept(&self, batch: Digest) -> Option<(&Told, Trace)> {
        let told = self.0.as_ref()?;
        let trace = Trace::of(told, batch)?;
        trace.close.kept.then_some((told, trace))
    }

    /// Tells that panes were closed and these batches made of them, since `begun`.
    pub(crate) fn closed<'a>(
        &self,
        batches: impl Iterator<Item = &'a Bytes>,
        (begun, now): (Timestamp, Timestamp),
    ) {
        if self.0.is_none() {
            return;
        }
        for envelope in batches {
            if let Some((told, trace)) = self.kept(batch::digest(envelope)) {
                let about = trace.about(told);
                let step = Step::at(&told.export, (trace.close, None), CLOSE, begun);
                step.end(now, false, about);
            }
        }
    }

    /// Tells that batches are on disk, where they were brought since `begun`. Of one that was released meanwhile nothing is left.
    pub(crate) fn put<'a>(
        &self,
        batches: impl Iterator<Item = &'a Bytes>,
        (begun, now): (Timestamp, Timestamp),
    ) {
        if self.0.is_none() {
            return;
        }
        for envelope in batches.filter(|envelope| !envelope.is_empty()) {
            let Some((told, trace)) = self.kept(batch::digest(envelope)) else {
                continue;
            };
            let Some(context) = Export::follow(trace.close) else {
                continue;
            };
            let place = (context, Some(trace.close.span));
            Step::at(&told.export, place, PUT, begun).end(now, false, Vec::new());
        }
    }

    /// A try to deliver a batch. None if there are no traces; of a batch whose trace is not kept there is one all the same, which
    /// says so to the collector.
    pub(crate) fn shipping(&self, batch: Digest, kind: Kind, now: Timestamp) -> Option<Step> {
        let told = self.0.as_ref()?;
        let trace = Trace::of(told, batch)?;
        let context = if trace.deliver.kept {
            Export::follow(trace.deliver)?
        } else {
            trace.deliver
        };
        let place = (context, Some(trace.deliver.span));
        Some(Step::at(&told.export, place, (SHIP, kind), now))
    }

    /// The delivery of a batch, which began when it was signed. None if its trace is not kept, or nothing is left of it.
    pub(crate) fn delivery(
        &self,
        batch: Digest,
        envelope: impl FnOnce() -> Option<Bytes>,
    ) -> Option<(Step, Attributes)> {
        let (told, trace) = self.kept(batch)?;
        let envelope = envelope()?;
        let signed = Envelope::parse(&envelope).ok()?.open().ok()?;
        // What a run had put by that ended without warning was never closed.
        let parent = signed.restored.is_none().then_some(trace.close.span);
        let place = (trace.deliver, parent);
        let step = Step::at(&told.export, place, DELIVER, signed.created_at);
        Some((step, trace.about(told)))
    }
}

/// Tells how a try to deliver a batch went.
pub(crate) fn shipped(step: Step, now: Timestamp, outcome: Outcome, status: Option<u16>) {
    let mut about = vec![(attribute::OUTCOME, Value::from(outcome.as_str()))];
    about.extend(status.map(|status| (attribute::STATUS, Value::Count(status.into()))));
    step.end(now, outcome.is_failure(), about);
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use clause9_otlp::settings::Service;
    use clause9_otlp::{Environment, Exporting, OtlpConfig, Settings, TracesConfig};

    use super::*;
    use crate::telemetry::Telemetry;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn traces(ratio: f64) -> (Exporting, Traces) {
        let config = OtlpConfig {
            traces: Some(TracesConfig { ratio }),
            ..OtlpConfig::default()
        };
        let service = Service {
            name: "test",
            version: "1",
        };
        let environment = Environment::default();
        let settings = Settings::new(&config, Path::new(""), environment, service).unwrap();
        let counts = Arc::new(Telemetry::new().unwrap().otlp);
        let exporting = Export::start(settings, counts, || ()).unwrap();
        let system = SystemId::new("toy").unwrap();
        let traces = Traces::new(Some(exporting.export()), &system);
        (exporting, traces)
    }

    #[test]
    fn a_batchs_name_is_its_trace_at_every_try_and_in_every_run() {
        let batch = Digest::of(b"batch");
        let name = batch.to_string();
        let digits = name.trim_start_matches("sha256:");
        let (_running, first) = traces(1.0);
        let (_running, second) = traces(0.0);
        let mut spans = Vec::new();
        for (traces, kept) in [(&first, "-01"), (&first, "-01"), (&second, "-00")] {
            let step = traces.shipping(batch, Kind::Client, NOW).unwrap();
            let header = step.context().header();
            assert!(
                header.starts_with(&format!("00-{}-", &digits[..32])),
                "{header}"
            );
            assert!(header.ends_with(kept), "{header}");
            spans.push(step.context().span);
        }
        // Tries are told apart; where nothing is told there is nothing to tell apart.
        assert_ne!(spans[0], spans[1]);
        let (_, trace) = first.kept(batch).unwrap();
        let all = [
            trace.close.trace.as_slice(),
            &trace.close.span,
            &trace.deliver.span,
        ];
        assert_eq!(all.concat(), batch.as_bytes());
    }

    #[test]
    fn what_is_not_kept_is_not_even_looked_at() {
        let batch = Digest::of(b"batch");
        let (_running, none) = traces(0.0);
        for traces in [none, Traces::default()] {
            let looked = traces.delivery(batch, || panic!("nobody asked for the batch"));
            assert!(looked.is_none());
        }
        assert!(
            Traces::default()
                .shipping(batch, Kind::Client, NOW)
                .is_none()
        );
    }

    #[test]
    fn a_try_is_a_failure_unless_the_batch_got_further() {
        let further = [Outcome::Receipt, Outcome::HandedOver];
        assert!(further.iter().all(|outcome| !outcome.is_failure()));
        assert!(Outcome::Refused.is_failure() && Outcome::Unanswered.is_failure());
    }
}
