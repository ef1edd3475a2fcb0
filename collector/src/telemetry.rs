//! The collector's own telemetry and the objectives' state, for Prometheus. Counters count what this
//! run did; gauges are read from the register after each seal, so they survive a restart.

use clause9_shared::ids::SystemId;
use clause9_shared::objective::Objective;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::verdict::{Verdict, VerdictState};
use clause9_shared::wire::batch::RefusalReason;
use prometheus::{
    Encoder, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::execute::Counts;
use crate::known::KnownSystem;
use crate::plan::Standing;
use crate::serve::missing_count;
use crate::store::{ReadStore, StoreError};

/// Evidence is kept in 2^-32 nats.
const NAT: f64 = 4_294_967_296.0;

/// Why a connection was cut although its client had not ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It sent no complete request head in time.
    Idle,
    /// It sent no complete body in time.
    SlowBody,
    /// All places were taken, and it had kept the collector waiting longest.
    Displaced,
}

impl Cut {
    const ALL: [Self; 3] = [Self::Idle, Self::SlowBody, Self::Displaced];

    const fn as_str(self) -> &'static str {
        match self {
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
    batches: IntCounterVec,
    items: IntCounterVec,
    refusals: IntCounterVec,
    records: IntCounterVec,
    sealed_panes: IntCounterVec,
    seal_failures: IntCounterVec,
    sealed_until: GaugeVec,
    watermark: GaugeVec,
    value: GaugeVec,
    support: GaugeVec,
    level: GaugeVec,
    evidence: GaugeVec,
    nonconformity_at: GaugeVec,
    warning_at: GaugeVec,
    verdict: IntGaugeVec,
    nonconformities: IntGaugeVec,
    missing: IntGaugeVec,
    covered: GaugeVec,
    replay: IntGaugeVec,
    store_bytes: Gauge,
}

struct Maker(Registry);

impl Maker {
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
        let objective = &["system", "objective"];
        make.int_gauge(
            "clause9_build_info",
            "Version of the program; always 1.",
            &["version"],
        )?
        .with_label_values(&[version])
        .set(1);
        let store_bytes = Gauge::new(
            "clause9_collector_store_bytes",
            "Size of the register's file.",
        )?;
        make.0.register(Box::new(store_bytes.clone()))?;
        let connections = IntGauge::new(
            "clause9_collector_connections",
            "Connections that are open.",
        )?;
        make.0.register(Box::new(connections.clone()))?;
        let write_failures = IntCounter::new(
            "clause9_collector_write_failures_total",
            "Times that batches could not be written to the register; none of them was acknowledged.",
        )?;
        make.0.register(Box::new(write_failures.clone()))?;
        let telemetry = Self {
            connections,
            write_failures,
            cut: make.counter("clause9_collector_connections_cut_total", "Connections cut because their clients kept the collector waiting, by how.", &["reason"])?,
            batches: make.counter("clause9_collector_batches_total", "Batches received, by what became of them.", &["result"])?,
            items: make.counter("clause9_collector_items_total", "Items in batches, by stream and what became of them.", &["stream", "result"])?,
            refusals: make.counter("clause9_collector_refusals_total", "Refused batches and items, by reason.", &["reason"])?,
            records: make.counter("clause9_collector_records_total", "Records appended to the register, by type.", &["type"])?,
            sealed_panes: make.counter("clause9_collector_sealed_panes_total", "Panes sealed.", &["system"])?,
            seal_failures: make.counter("clause9_collector_seal_failures_total", "Times that a system's panes could not be sealed; the log says why.", &["system"])?,
            sealed_until: make.gauge("clause9_sealed_until_timestamp_seconds", "End of the last sealed pane, on the system's clock.", &["system"])?,
            watermark: make.gauge("clause9_agent_watermark_timestamp_seconds", "Point up to which an agent has closed its panes, on the system's clock.", &["system", "agent"])?,
            value: make.gauge("clause9_objective_value", "Value of the newest measured window, over all replicas.", &["system", "objective", "metric", "scope"])?,
            support: make.gauge("clause9_objective_support", "Cases that the value rests on.", objective)?,
            level: make.gauge("clause9_objective_level", "Levels of the objective in force.", &["system", "objective", "level"])?,
            evidence: make.gauge("clause9_objective_evidence_nats", "Evidence of a breach of the action level.", objective)?,
            nonconformity_at: make.gauge("clause9_objective_nonconformity_at_nats", "Evidence at which a breach is confirmed.", objective)?,
            warning_at: make.gauge("clause9_objective_warning_at_nats", "Evidence at which a warning is given.", objective)?,
            verdict: make.int_gauge("clause9_verdict", "1 for the state that the objective is in, else 0.", &["system", "objective", "state"])?,
            nonconformities: make.int_gauge("clause9_nonconformities", "Nonconformities by state.", &["system", "state"])?,
            missing: make.int_gauge("clause9_missing_measurements", "Windows that should have a value and have none.", &["system"])?,
            covered: make.gauge("clause9_exchanges_covered_ratio", "Share of the exchanges of the last sealed pane that were sampled, sampled out, or are no inference.", &["system"])?,
            replay: make.int_gauge("clause9_system_clock_is_replay", "1 if the system runs on replayed time.", &["system"])?,
            store_bytes,
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

    /// Reads a system's gauges from the register.
    pub(crate) fn show(
        &self,
        read: &ReadStore<'_>,
        system: &KnownSystem,
        wall: Timestamp,
    ) -> Result<(), StoreError> {
        let id = system.id();
        let name = id.as_str();
        self.seal_failures.with_label_values(&[name]);
        let state = read.system_state(id)?;
        let replay = state.clock == Some(Clock::Replay);
        self.replay
            .with_label_values(&[name])
            .set(i64::from(replay));
        for agent in &system.agents {
            if let Some(watermark) = state.watermarks.get(agent) {
                self.watermark
                    .with_label_values(&[name, &agent.digest().short()])
                    .set(watermark.seconds_f64());
            }
        }
        if let Some(pane) = state.last_sealed {
            self.sealed_until
                .with_label_values(&[name])
                .set(pane.end(system.pane()).seconds_f64());
            if let Some(seal) = read.seal(id, pane)? {
                match seal.covered {
                    // Nothing was there to be covered: no value rather than a good one.
                    (0, _) => drop(self.covered.remove_label_values(&[name])),
                    (seen, covered) => self
                        .covered
                        .with_label_values(&[name])
                        .set(covered as f64 / seen as f64),
                }
            }
        }
        let standings = read.standings(id)?;
        let candidates = standings.values().filter(|s| s.candidate.is_some()).count();
        self.nonconformities
            .with_label_values(&[name, "candidate"])
            .set(i64::try_from(candidates).unwrap_or(i64::MAX));
        let missing = missing_count(read, system, &state, wall)?;
        self.missing
            .with_label_values(&[name])
            .set(i64::try_from(missing).unwrap_or(i64::MAX));
        let mut objectives: Vec<_> = system.objectives.iter().map(|c| &c.objective).collect();
        // The newest version that has judged anything is the one that is seen.
        objectives.sort_by_key(|o| o.effective_from);
        for objective in objectives {
            let of = (objective.id.clone(), objective.version);
            if let Some(standing) = standings.get(&of) {
                self.show_objective(name, objective, standing);
            }
        }
        self.store_bytes.set(read.bytes()? as f64);
        Ok(())
    }

    fn show_objective(&self, system: &str, objective: &Objective, standing: &Standing) {
        let id = objective.id.as_str();
        let of = [system, id];
        let metric = [system, id, objective.metric.spec().name, "system"];
        let shown = standing.shown.as_ref().map(|s| s.value.as_result());
        if let Some(Ok(estimate)) = shown {
            self.value.with_label_values(&metric).set(estimate.value);
            self.support
                .with_label_values(&of)
                .set(estimate.support as f64);
        } else {
            // Absent, not stale: whoever alerts on the value must see that there is none. The
            // series may not exist yet, which is as well.
            drop(self.value.remove_label_values(&metric));
            self.support.with_label_values(&of).set(0.0);
        }
        let levels = objective.levels;
        for (level, at) in [
            ("target", levels.target),
            ("alert", levels.alert),
            ("action", Some(levels.action)),
        ] {
            if let Some(at) = at {
                self.level.with_label_values(&[system, id, level]).set(at);
            }
        }
        if let Some(verdict) = &standing.last {
            self.show_verdict(&of, verdict);
        }
    }

    fn show_verdict(&self, of: &[&str; 2], verdict: &Verdict) {
        self.evidence
            .with_label_values(of)
            .set(nats(verdict.evidence));
        self.nonconformity_at
            .with_label_values(of)
            .set(nats(verdict.nonconformity_at));
        self.warning_at
            .with_label_values(of)
            .set(nats(verdict.warning_at));
        for state in VerdictState::ALL {
            self.verdict
                .with_label_values(&[of[0], of[1], state.as_str()])
                .set(i64::from(state == verdict.state));
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
