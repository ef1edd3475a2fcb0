//! The collector's own telemetry and the objectives' state, for Prometheus. Counters count what this
//! run did; gauges are read from the register after each seal, so they survive a restart.

mod kafka;
mod log;
mod objectives;
mod otlp;

use clause9_shared::ids::SystemId;
use clause9_shared::time::Span;
use clause9_shared::wire::batch::RefusalReason;
use prometheus::core::{Atomic, GenericGauge};
use prometheus::{
    Encoder, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::access::Denied;
use crate::config::TlsConfig;
use crate::enrolment;
use crate::execute::Counts;
use crate::forward::{self, Forwarded};
use crate::held::Held;
use crate::known::KnownSystem;
use crate::reading::Reading;
use crate::reload;
use crate::store::{ReadStore, StoreError, SystemState};
use kafka::Kafka;
use log::Log;
use objectives::ObjectiveGauges;
use otlp::Otlp;

/// Evidence is kept in 2^-32 nats.
const NAT: f64 = 4_294_967_296.0;

/// Why a connection was cut although its client had not ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Its TLS handshake took too long.
    Handshake,
    /// It sent no complete request head in time.
    Idle,
    /// It sent no complete body in time.
    SlowBody,
    /// All places were taken, and it had kept the collector waiting longest.
    Displaced,
}

impl Cut {
    const ALL: [Self; 4] = [Self::Handshake, Self::Idle, Self::SlowBody, Self::Displaced];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::SlowBody => "slow_body",
            Self::Displaced => "displaced",
        }
    }
}

/// Every series of the collector.
#[derive(Debug)]
pub(crate) struct Telemetry {
    registry: Registry,
    pub(crate) connections: IntGauge,
    cut: IntCounterVec,
    pub(crate) write_failures: IntCounter,
    pub(crate) handshakes_failed: IntCounter,
    denied: IntCounterVec,
    enrolments: IntCounterVec,
    plans: IntCounterVec,
    reloads: IntCounterVec,
    not_after: Gauge,
    batches: IntCounterVec,
    items: IntCounterVec,
    refusals: IntCounterVec,
    records: IntCounterVec,
    sealed_panes: IntCounterVec,
    seal_failures: IntCounterVec,
    sealed_until: GaugeVec,
    watermark: GaugeVec,
    skew: GaugeVec,
    seal_due: GaugeVec,
    objectives: ObjectiveGauges,
    nonconformities: IntGaugeVec,
    missing: IntGaugeVec,
    quiet: IntGaugeVec,
    covered: GaugeVec,
    replay: IntGaugeVec,
    store_bytes: Gauge,
    store_free: Gauge,
    forwarded: IntCounterVec,
    looked_for: IntGaugeVec,
    pub(crate) kafka: Kafka,
    pub(crate) log: Log,
    otlp: Otlp,
}

struct Maker(Registry);

impl Maker {
    fn plain<P: Atomic + 'static>(
        &self,
        name: &str,
        help: &str,
    ) -> prometheus::Result<GenericGauge<P>> {
        let series = GenericGauge::<P>::new(name, help)?;
        self.0.register(Box::new(series.clone()))?;
        Ok(series)
    }

    fn events(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let series = IntCounter::new(name, help)?;
        self.0.register(Box::new(series.clone()))?;
        Ok(series)
    }

    fn counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        let series = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(series.clone()))?;
        Ok(series)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        let series = GaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(series.clone()))?;
        Ok(series)
    }

    fn int_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntGaugeVec> {
        let series = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(series.clone()))?;
        Ok(series)
    }
}

impl Telemetry {
    pub(crate) fn new(version: &str) -> prometheus::Result<Self> {
        let make = Maker(Registry::new());
        make.int_gauge(
            "clause9_build_info",
            "Version of the program; always 1.",
            &["version"],
        )?
        .with_label_values(&[version])
        .set(1);
        let store_bytes = make.plain(
            "clause9_collector_store_bytes",
            "Size of the register's file.",
        )?;
        let store_free = make.plain(
            "clause9_collector_store_free_bytes",
            "Bytes that the register's disk still takes; not a number if it cannot be asked.",
        )?;
        let connections = make.plain(
            "clause9_collector_connections",
            "Connections that are open.",
        )?;
        let write_failures = make.events("clause9_collector_write_failures_total", "Times that batches could not be written to the register; none of them was acknowledged.")?;
        let handshakes_failed = make.events("clause9_collector_tls_handshakes_failed_total", "TLS handshakes that failed, for want of a certificate that somebody vouches for among others.")?;
        let not_after = make.plain(
            "clause9_collector_certificate_not_after_timestamp_seconds",
            "Until when the collector's certificate is valid; 0 without TLS.",
        )?;
        let telemetry = Self {
            kafka: Kafka::new(&make)?,
            log: Log::new(&make)?,
            otlp: Otlp::new(&make)?,
            connections,
            write_failures,
            handshakes_failed,
            not_after,
            denied: make.counter("clause9_collector_requests_denied_total", "Requests that showed no token or signature that lets them in, by reason.", &["reason"])?,
            enrolments: make.counter("clause9_collector_enrolments_total", "Requests of agents to be let in or to hand over to a new key, by what became of them.", &["result"])?,
            plans: make.counter("clause9_collector_plans_total", "Times that somebody asked by which documents a system is monitored, or for one of them, by whether it was given or was there already.", &["result"])?,
            reloads: make.counter("clause9_collector_reloads_total", "Times that files were found changed, by what they are and what came of it.", &["what", "result"])?,
            cut: make.counter("clause9_collector_connections_cut_total", "Connections cut because their clients kept the collector waiting, by how.", &["reason"])?,
            batches: make.counter("clause9_collector_batches_total", "Batches received, by what became of them.", &["result"])?,
            items: make.counter("clause9_collector_items_total", "Items in batches, by stream and what became of them.", &["stream", "result"])?,
            refusals: make.counter("clause9_collector_refusals_total", "Refused batches and items, by reason.", &["reason"])?,
            records: make.counter("clause9_collector_records_total", "Records appended to the register, by type.", &["type"])?,
            sealed_panes: make.counter("clause9_collector_sealed_panes_total", "Panes sealed.", &["system"])?,
            seal_failures: make.counter("clause9_collector_seal_failures_total", "Times that a system's panes could not be sealed; the log says why.", &["system"])?,
            sealed_until: make.gauge("clause9_sealed_until_timestamp_seconds", "End of the last sealed pane, on the system's clock.", &["system"])?,
            watermark: make.gauge("clause9_agent_watermark_timestamp_seconds", "Point up to which an agent has closed its panes, on the system's clock.", &["system", "agent"])?,
            skew: make.gauge("clause9_agent_clock_ahead_seconds", "How far an agent's wall clock is ahead of the collector's at least, by its recent batches; below zero, it is behind by at most so much, or its batches take that long.", &["agent"])?,
            seal_due: make.gauge("clause9_seal_due_timestamp_seconds", "When the next pane has to be sealed at the latest, also without silent agents; on the system's clock.", &["system"])?,
            objectives: ObjectiveGauges::new(&make)?,
            nonconformities: make.int_gauge("clause9_nonconformities", "Nonconformities by state.", &["system", "state"])?,
            missing: make.int_gauge("clause9_missing_measurements", "Windows that should have a value and have none.", &["system"])?,
            quiet: make.int_gauge("clause9_windows_without_traffic", "Windows that are due and have no value because nothing was asked of the system while it was watched.", &["system"])?,
            covered: make.gauge("clause9_exchanges_covered_ratio", "Share of the exchanges of the last sealed pane that were sampled, sampled out, or are no inference.", &["system"])?,
            replay: make.int_gauge("clause9_system_clock_is_replay", "1 if the system runs on replayed time.", &["system"])?,
            store_bytes,
            store_free,
            forwarded: make.counter("clause9_collector_outcomes_total", "Outcomes that looked for their prediction here, by what became of them.", &["result"])?,
            looked_for: make.int_gauge("clause9_collector_outcomes_held", "Outcomes that are looking for their prediction.", &["system"])?,
            registry: make.0,
        };
        telemetry.start_at_zero();
        Ok(telemetry)
    }

    /// Series that exist before anything happened, so that an alert on a rate sees the first event.
    fn start_at_zero(&self) {
        for cut in Cut::ALL {
            self.cut.with_label_values(&[cut.as_str()]);
        }
        self.batches.with_label_values(&["unavailable"]);
        for result in ["stored", "duplicate", "refused"] {
            self.batches.with_label_values(&[result]);
            for stream in ["traffic", "outcomes"] {
                self.items.with_label_values(&[stream, result]);
            }
        }
        for reason in RefusalReason::ALL {
            self.refusals.with_label_values(&[reason.as_str()]);
        }
        for result in forward::RESULTS {
            self.forwarded.with_label_values(&[result]);
        }
        for reason in Denied::REASONS {
            self.denied.with_label_values(&[reason]);
        }
        for result in enrolment::desk::RESULTS {
            self.enrolments.with_label_values(&[result]);
        }
        for result in ["served", "unchanged"] {
            self.plans.with_label_values(&[result]);
        }
        for what in reload::WHAT {
            for result in ["loaded", "failed"] {
                self.reloads.with_label_values(&[what, result]);
            }
        }
    }

    pub(crate) fn count_forwarded(&self, result: &str, times: u64) {
        self.forwarded.with_label_values(&[result]).inc_by(times);
    }

    /// Shows what became of outcomes that look for their prediction, and how many still do.
    pub(crate) fn show_forwarding(&self, system: &SystemId, held: usize, happened: Forwarded) {
        for (result, times) in forward::words(happened) {
            self.count_forwarded(result, times);
        }
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        self.looked_for
            .with_label_values(&[system.as_str()])
            .set(held);
    }

    pub(crate) fn count_denied(&self, reason: &str) {
        self.denied.with_label_values(&[reason]).inc();
    }

    pub(crate) fn count_enrolment(&self, result: &str) {
        self.enrolments.with_label_values(&[result]).inc();
    }

    pub(crate) fn count_plan(&self, result: &str) {
        self.plans.with_label_values(&[result]).inc();
    }

    pub(crate) fn count_reload(&self, what: &str, result: &str) {
        self.reloads.with_label_values(&[what, result]).inc();
    }

    /// Shows until when the certificate of new connections is valid.
    pub(crate) fn show_certificate(&self, tls: Option<&Held<TlsConfig>>) {
        if let Some(tls) = tls {
            self.not_after.set(tls.now().not_after.seconds_f64());
        }
    }

    /// Shows no agent any more until each is shown again: some may be known no longer.
    pub(crate) fn forget_agents(&self) {
        self.watermark.reset();
        self.skew.reset();
    }

    pub(crate) fn count_cut(&self, cut: Cut) {
        self.cut.with_label_values(&[cut.as_str()]).inc();
    }

    pub(crate) fn count_batch(&self, result: &str) {
        self.batches.with_label_values(&[result]).inc();
    }

    pub(crate) fn count_item(&self, stream: &str, result: &str) {
        self.items.with_label_values(&[stream, result]).inc();
    }

    pub(crate) fn count_refusal(&self, reason: RefusalReason) {
        self.refusals.with_label_values(&[reason.as_str()]).inc();
    }

    pub(crate) fn count_records(&self, counts: &Counts) {
        for (kind, count) in counts {
            self.records
                .with_label_values(&[kind.as_str()])
                .inc_by(*count);
        }
    }

    pub(crate) fn count_seal(&self, system: &SystemId) {
        self.sealed_panes
            .with_label_values(&[system.as_str()])
            .inc();
    }

    pub(crate) fn count_seal_failure(&self, system: &SystemId) {
        self.seal_failures
            .with_label_values(&[system.as_str()])
            .inc();
    }

    /// Shows a system as the register has it. Costs the same whatever the register's age.
    pub(crate) fn show(
        &self,
        read: &ReadStore<'_>,
        reading: &Reading<'_>,
        grace: Span,
    ) -> Result<(), StoreError> {
        let system = reading.system;
        let name = &[system.id().as_str()];
        self.seal_failures.with_label_values(name);
        self.looked_for.with_label_values(name);
        self.replay
            .with_label_values(name)
            .set(i64::from(reading.is_replayed()));
        self.show_progress(system, &reading.state, grace);
        let skews = read.skews()?;
        for (agent, skew) in system
            .agents
            .iter()
            .filter_map(|a| Some((a, skews.get(a)?)))
        {
            self.skew
                .with_label_values(&[&agent.digest().short()])
                .set(skew.seconds());
        }
        match reading.covered {
            // Nothing was there to be covered: no value rather than a good one.
            Some((0, _)) => drop(self.covered.remove_label_values(name)),
            Some((seen, covered)) => self
                .covered
                .with_label_values(name)
                .set(covered as f64 / seen as f64),
            None => {}
        }
        self.nonconformities
            .with_label_values(&[name[0], "candidate"])
            .set(i64::try_from(reading.candidates).unwrap_or(i64::MAX));
        for (gauge, windows) in [
            (&self.missing, reading.lacking.missing),
            (&self.quiet, reading.lacking.quiet),
        ] {
            gauge
                .with_label_values(name)
                .set(i64::try_from(windows).unwrap_or(i64::MAX));
        }
        self.objectives.show(reading);
        self.store_bytes.set(read.bytes()? as f64);
        self.store_free
            .set(read.free_bytes().map_or(f64::NAN, |n| n as f64));
        Ok(())
    }

    /// How far agents and seals have come.
    fn show_progress(&self, system: &KnownSystem, state: &SystemState, grace: Span) {
        let name = system.id().as_str();
        for agent in system.awaited(|agent| state.watermarks.contains_key(agent)) {
            // Zero for one that was never heard: it is waited for like the others.
            let watermark = state.watermarks.get(&agent);
            self.watermark
                .with_label_values(&[name, &agent.digest().short()])
                .set(watermark.map_or(0.0, |w| w.seconds_f64()));
        }
        if let Some(pane) = state.last_sealed {
            self.sealed_until
                .with_label_values(&[name])
                .set(pane.end(system.pane()).seconds_f64());
        }
        let next = state
            .last_sealed
            .map(|last| last.next(system.pane()))
            .or(state.pending);
        if let Some(next) = next {
            let due = next.end(system.pane()) + system.document.panes.lateness + grace;
            self.seal_due
                .with_label_values(&[name])
                .set(due.seconds_f64());
        }
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Evidence in nats; minus infinity before anything was bet.
pub(crate) fn nats(fixed: i64) -> f64 {
    if fixed == i64::MIN {
        f64::NEG_INFINITY
    } else {
        fixed as f64 / NAT
    }
}
