//! Counters and gauges about the agent itself, in Prometheus' text format. Label values come from
//! fixed lists or from the objectives file, never from traffic.

use crate::engine::shelf::Reason;
use clause9_shared::objective::Document;
use clause9_shared::window::{DropReason, UndecodableReason};
use clause9_shared::wire::batch::RefusalReason;
use clause9_shared::wire::loss::LossReason;
use prometheus::{
    Encoder, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

mod kafka;
mod otlp;
mod plan;
mod quarantine;
mod route;

pub use kafka::{KAFKA_ERRORS, KAFKA_FATES, KAFKA_SKIPS, Kafka};
pub use otlp::Otlp;
pub use plan::{PULL_RESULTS, Plan};
pub use quarantine::{QUARANTINE_DROPS, Quarantine, RESENT_RESULTS};
pub use route::{ROUTE_FAILURES, ROUTE_RECEIPTS, Route};

/// All of the agent's own figures.
#[derive(Clone, Debug)]
pub struct Telemetry {
    registry: Registry,
    /// Requests that came in at the data path.
    pub seen: IntCounter,
    /// Exchanges by what became of them.
    pub exchanges: IntCounterVec,
    /// Dropped ones by reason.
    pub dropped: IntCounterVec,
    /// Undecodable ones by reason.
    pub undecodable: IntCounterVec,
    /// Exchanges that ended after their pane was closed (counted in it as unfinished).
    pub late: IntCounter,
    /// Exchanges left out by the sampling rule of which rows were counted by group.
    pub for_groups: IntCounter,
    /// Requests that the model server could not be reached for, or did not answer.
    pub upstream_errors: IntCounter,
    /// Answers with two framings, passed on with one.
    pub answers_ambiguous: IntCounter,
    /// Requests that were refused because two readers could take them for different ones.
    pub requests_refused: IntCounterVec,
    /// Times that the next client had to wait for room.
    pub crowded: IntCounter,
    /// TLS handshakes of clients that failed.
    pub tls_failures: IntCounter,
    /// Times the listener's certificate was read again.
    pub certificate_reloads: IntCounterVec,
    /// Times the files by which the agent speaks with the collector were read again.
    pub client_reloads: IntCounterVec,
    /// Until when the certificate is valid that it shows there.
    pub client_not_after: Gauge,
    /// Rows counted into summaries.
    pub rows: IntCounter,
    /// Outcomes by what became of them.
    pub outcomes: IntCounterVec,
    /// Deliveries at the sink's door by what it answered.
    pub sink_deliveries: IntCounterVec,
    /// Items of them by what became of them.
    pub sink_items: IntCounterVec,
    /// Spans, log records and requests of metrics that mean nothing here.
    pub sink_unused: IntCounterVec,
    /// Halves of exchanges that wait for the other half.
    pub sink_waiting: IntGauge,
    /// Their bytes.
    pub sink_waiting_bytes: IntGauge,
    /// The topics that are read.
    pub kafka: Kafka,
    /// The objectives in force.
    pub plan: Plan,
    /// What the collector refused and is kept.
    pub quarantine: Quarantine,
    /// Topics as the way to the collector.
    pub route: Route,
    /// Spans of the agent's own work.
    pub otlp: Otlp,
    /// Panes closed.
    pub panes_closed: IntCounter,
    /// End of the newest closed pane.
    pub watermark: Gauge,
    /// Exchanges waiting for the monitor.
    pub queue_exchanges: IntGauge,
    /// Bytes of bodies held.
    pub queue_bytes: IntGauge,
    /// Predictions remembered for their outcomes.
    pub remembered: IntGauge,
    /// Share of request ids that is kept in the newest pane.
    pub sampling_rate: Gauge,
    /// Predictions kept on disk.
    pub shelved: IntGauge,
    /// Bytes that they take.
    pub shelved_bytes: IntGauge,
    /// Predictions forgotten, by reason.
    pub forgotten: IntCounterVec,
    /// Files of predictions that were found damaged.
    pub damaged: IntCounter,
    /// Outcomes on their way to other replicas, and from them.
    pub forwarded: IntCounterVec,
    /// Outcomes handed over and not settled.
    pub under_way: IntGauge,
    /// Batches by what the collector said.
    pub batches: IntCounterVec,
    /// Items that the collector refused.
    pub items_refused: IntCounterVec,
    /// Bytes of batches waiting.
    pub outbox_bytes: IntGauge,
    /// Batches waiting.
    pub outbox_batches: IntGauge,
    /// Bytes of batches that are not on disk.
    pub outbox_unwritten: IntGauge,
    /// Batches let go unsent.
    pub outbox_dropped: IntCounterVec,
    /// Writes to the state folder that failed.
    pub state_write_failures: IntCounterVec,
    /// Times the monitor was started again after a panic.
    pub monitor_restarts: IntCounter,
    /// Values of metrics on this replica's traffic of the last closed pane.
    pub metric_value: GaugeVec,
    /// Cases that they rest on.
    pub metric_support: GaugeVec,
}

/// What becomes of an exchange.
pub const FATES: [&str; 6] = [
    "sampled",
    "sampled_out",
    "not_inference",
    "dropped",
    "undecodable",
    "unmonitored",
];
/// What becomes of an outcome.
pub const OUTCOME_FATES: [&str; 10] = [
    "joined",
    "repeated",
    "unknown_id",
    "forgotten",
    "unknown_row",
    "unlisted_value",
    "dropped",
    "sampled_out",
    "malformed",
    "unauthorized",
];
/// What the sink's door answers to a delivery.
pub const DELIVERY_RESULTS: [&str; 6] = [
    "taken",
    "busy",
    "too_large",
    "unauthorized",
    "malformed",
    "failed",
];
/// What becomes of an item of a delivery.
pub const ITEM_FATES: [&str; 3] = ["taken", "duplicate", "refused"];
/// What OpenTelemetry's protocol carries.
pub const SIGNALS: [&str; 3] = ["traces", "metrics", "logs"];
/// What the collector says to a batch.
pub const BATCH_RESULTS: [&str; 4] = ["stored", "duplicate", "refused", "failed"];
/// What happens to outcomes between replicas.
pub const FORWARDED: [&str; 6] = ["handed_over", "settled", "lost", "asked", "found", "failed"];
/// What is written to the state folder.
pub const STATE_WRITES: [&str; 7] = [
    "outbox",
    "outbox_mark",
    "outbox_read",
    "open_panes",
    "quarantine",
    "plan",
    "joins",
];

/// Why a request, or what should have been one, was refused.
pub const REFUSALS: [&str; 3] = ["malformed", "ambiguous", "flood"];
/// What reading certificates again came to.
pub const RELOADS: [&str; 2] = ["loaded", "failed"];

/// Registers families as they are made.
struct Making(Registry);

impl Making {
    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    /// A family whose every series exists from the start, at zero.
    fn counters<'a>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> prometheus::Result<IntCounterVec> {
        let family = IntCounterVec::new(Opts::new(name, help), &[label])?;
        for value in values {
            family.with_label_values(&[value]);
        }
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn plain(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        let gauge = Gauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        let family = GaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }
}

impl Telemetry {
    /// All families, registered, every fixed series at zero.
    pub fn new() -> prometheus::Result<Self> {
        let make = Making(Registry::new());
        let build = make.gauges(
            "clause9_build_info",
            "Version of the running program.",
            &["version"],
        )?;
        build
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        let metric = ["system", "objective", "metric", "scope"];
        Ok(Self {
            sampling_rate: make.plain("clause9_sampling_rate", "Share of request ids that is kept in the newest pane.")?,
            client_not_after: make.plain("clause9_client_certificate_not_after_timestamp_seconds", "Until when the certificate is valid that the agent shows to the collector; 0 if it shows none.")?,
            client_reloads: make.counters("clause9_client_certificate_reloads_total", "Times the files by which the agent speaks TLS with the collector were found changed, by what came of it.", "result", RELOADS)?,
            seen: make.counter("clause9_exchanges_seen_total", "Requests that came in at the data path.")?,
            exchanges: make.counters("clause9_exchanges_total", "Exchanges by what became of them.", "fate", FATES)?,
            dropped: make.counters("clause9_exchanges_dropped_total", "Exchanges let go before decoding, by reason.", "reason", DropReason::ALL.iter().map(|r| r.as_str()))?,
            undecodable: make.counters("clause9_exchanges_undecodable_total", "Exchanges not understood, by reason.", "reason", UndecodableReason::ALL.iter().map(|r| r.as_str()))?,
            for_groups: make.counter("clause9_exchanges_for_groups_total", "Exchanges left out by the sampling rule of which rows were counted for comparisons by group.")?,
            late: make.counter("clause9_late_exchanges_total", "Exchanges that ended after their pane was closed, which counted them as unfinished.")?,
            upstream_errors: make.counter("clause9_upstream_errors_total", "Requests that the model server could not be reached for or did not answer.")?,
            answers_ambiguous: make.counter("clause9_answers_ambiguous_total", "Answers of the model server with a length and chunks at once, passed on in chunks without the length.")?,
            requests_refused: make.counters("clause9_requests_refused_total", "Requests refused at the data path, by reason; bodies that cannot be read were counted as seen before.", "reason", REFUSALS)?,
            crowded: make.counter("clause9_connections_crowded_total", "Times that as many clients were connected as the limit of open files permits, and the next had to wait.")?,
            tls_failures: make.counter("clause9_tls_handshakes_failed_total", "TLS handshakes of clients that failed or took too long.")?,
            certificate_reloads: make.counters("clause9_certificate_reloads_total", "Times the listener's certificate or key was found changed, by what came of it.", "result", RELOADS)?,
            rows: make.counter("clause9_rows_observed_total", "Rows counted into summaries.")?,
            outcomes: make.counters("clause9_outcomes_total", "Outcomes by what became of them.", "fate", OUTCOME_FATES)?,
            sink_deliveries: make.counters("clause9_sink_deliveries_total", "Deliveries at the sink's door by what it answered.", "result", DELIVERY_RESULTS)?,
            sink_items: make.counters("clause9_sink_items_total", "Events, records and mirrored requests in deliveries by what became of them.", "fate", ITEM_FATES)?,
            sink_unused: make.counters("clause9_sink_otlp_unused_total", "Spans, events of spans, log records and requests of metrics that came by OpenTelemetry's protocol and tell of no inference.", "signal", SIGNALS)?,
            sink_waiting: make.gauge("clause9_sink_waiting", "Requests and answers told by themselves that wait for each other.")?,
            sink_waiting_bytes: make.gauge("clause9_sink_waiting_bytes", "Bytes of requests and answers that wait for each other.")?,
            kafka: Kafka::new(&make)?,
            plan: Plan::new(&make)?,
            quarantine: Quarantine::new(&make)?,
            route: Route::new(&make)?,
            otlp: Otlp::new(&make)?,
            panes_closed: make.counter("clause9_panes_closed_total", "Panes closed.")?,
            watermark: make.plain("clause9_watermark_timestamp_seconds", "End of the newest closed pane on the system's clock.")?,
            queue_exchanges: make.gauge("clause9_capture_queue_exchanges", "Exchanges waiting for the monitor.")?,
            queue_bytes: make.gauge("clause9_capture_queue_bytes", "Bytes of bodies held for the monitor.")?,
            remembered: make.gauge("clause9_remembered_predictions", "Predictions remembered for their outcomes.")?,
            shelved: make.gauge("clause9_remembered_disk_predictions", "Predictions kept on disk for their outcomes.")?,
            shelved_bytes: make.gauge("clause9_remembered_disk_bytes", "Bytes on disk of predictions kept for their outcomes.")?,
            forgotten: make.counters("clause9_predictions_forgotten_total", "Predictions that are remembered no more, by reason.", "reason", Reason::ALL.iter().map(|r| r.as_str()))?,
            damaged: make.counter("clause9_remembered_files_damaged_total", "Files of remembered predictions that were found damaged.")?,
            forwarded: make.counters("clause9_outcomes_forwarded_total", "Outcomes handed to the collector, and asked about by it, by what became of them.", "result", FORWARDED)?,
            under_way: make.gauge("clause9_outcomes_under_way", "Outcomes handed over whose request is being looked for at other replicas.")?,
            batches: make.counters("clause9_batches_total", "Batches by what the collector said.", "result", BATCH_RESULTS)?,
            items_refused: make.counters("clause9_items_refused_total", "Items or whole batches that the collector refused, by reason.", "reason", RefusalReason::ALL.iter().map(|r| r.as_str()))?,
            outbox_bytes: make.gauge("clause9_outbox_bytes", "Bytes of batches waiting for the collector.")?,
            outbox_batches: make.gauge("clause9_outbox_batches", "Batches waiting for the collector.")?,
            outbox_unwritten: make.gauge("clause9_outbox_unwritten_bytes", "Bytes of batches waiting for the collector that are in memory only.")?,
            outbox_dropped: make.counters("clause9_outbox_dropped_total", "Batches let go unsent, by reason.", "reason", LossReason::ALL.iter().map(|r| r.as_str()))?,
            state_write_failures: make.counters("clause9_state_write_failures_total", "Writes to the state folder that failed.", "what", STATE_WRITES)?,
            monitor_restarts: make.counter("clause9_monitor_restarts_total", "Times the monitor was started again after a panic.")?,
            metric_value: make.gauges("clause9_metric_value", "Value of an objective's metric on this replica's last closed pane.", &metric)?,
            metric_support: make.gauges("clause9_metric_support", "Cases that the value rests on.", &metric)?,
            registry: make.0,
        })
    }

    /// Notes one dropped exchange.
    pub fn count_dropped(&self, reason: DropReason, times: u64) {
        self.exchanges.with_label_values(&["dropped"]).inc_by(times);
        self.dropped
            .with_label_values(&[reason.as_str()])
            .inc_by(times);
    }

    /// Notes a request that was refused; the reason is one of [`REFUSALS`].
    pub fn refuse(&self, reason: &'static str) {
        self.requests_refused.with_label_values(&[reason]).inc();
    }

    /// Shows what an objective's metric says of the last pane; no value removes the last one.
    pub fn show_metric(
        &self,
        document: &Document,
        objective: &str,
        metric: &str,
        value: Option<f64>,
        support: u64,
    ) {
        let labels = [document.system.id.as_str(), objective, metric, "replica"];
        match value {
            Some(value) => self.metric_value.with_label_values(&labels).set(value),
            None => {
                let _ = self.metric_value.remove_label_values(&labels);
            }
        }
        self.metric_support
            .with_label_values(&labels)
            .set(support as f64);
    }

    /// Objectives are others from now on: what was shown of the old ones is no more.
    pub fn forget_metrics(&self) {
        self.metric_value.reset();
        self.metric_support.reset();
    }

    /// Everything in the text format.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "cannot write the metrics");
        }
        text
    }
}
