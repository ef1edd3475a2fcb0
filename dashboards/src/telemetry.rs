//! Every name under which agent and collector report about themselves: the one table that rules,
//! dashboards and the page `docs/telemetry.md` are checked against. It is a catalogue, not the
//! code that counts; a house rule compares it with the sources of both.

use std::fmt::Write as _;

/// Who reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The agent only.
    Agent,
    /// The collector only.
    Collector,
    /// Both.
    Both,
}

/// How it behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts again at zero with the process.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One name.
#[derive(Clone, Copy, Debug)]
pub struct Telemetry {
    /// The name, with its unit suffix.
    pub name: &'static str,
    /// Who reports it.
    pub side: Side,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels, each with its fixed values or where they come from.
    pub labels: &'static [(&'static str, &'static str)],
    /// What it says.
    pub meaning: &'static str,
}

impl Telemetry {
    /// The word for [`Self::kind`] in pages.
    pub const fn kind_word(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

const fn counter(
    side: Side,
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    meaning: &'static str,
) -> Telemetry {
    Telemetry {
        name,
        side,
        kind: Kind::Counter,
        labels,
        meaning,
    }
}

const fn gauge(
    side: Side,
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    meaning: &'static str,
) -> Telemetry {
    Telemetry {
        name,
        side,
        kind: Kind::Gauge,
        labels,
        meaning,
    }
}

const SYSTEM: (&str, &str) = ("system", "ids of the objectives files");
const OBJECTIVE: (&str, &str) = ("objective", "ids of the objectives files");
const METRIC: (&str, &str) = ("metric", "the metric table");
const REASON: (&str, &str) = ("reason", "a fixed list in the source");

use Side::{Agent, Both, Collector};

/// Every name, in the order of the page.
pub const TELEMETRY: &[Telemetry] = &[
    gauge(
        Both,
        "clause9_build_info",
        &[("version", "version of the program")],
        "Always 1; the label says which build answers.",
    ),
    // The agent: what passed.
    counter(
        Agent,
        "clause9_exchanges_seen_total",
        &[],
        "Exchanges seen at the socket.",
    ),
    counter(
        Agent,
        "clause9_exchanges_total",
        &[(
            "fate",
            "sampled, sampled_out, not_inference, dropped, undecodable, unmonitored",
        )],
        "What became of every exchange; the fates add up to the exchanges seen once they have been dealt with. `unmonitored` passed before there were objectives.",
    ),
    counter(
        Agent,
        "clause9_exchanges_dropped_total",
        &[REASON],
        "Exchanges that passed to the client but were not measured.",
    ),
    counter(
        Agent,
        "clause9_exchanges_undecodable_total",
        &[REASON],
        "Exchanges whose bodies could not be understood.",
    ),
    counter(
        Agent,
        "clause9_exchanges_for_groups_total",
        &[],
        "Exchanges left out by the sampling rule of which rows were counted for comparisons by group.",
    ),
    counter(
        Agent,
        "clause9_late_exchanges_total",
        &[],
        "Exchanges that finished after their pane had closed; they count as dropped there.",
    ),
    counter(
        Agent,
        "clause9_upstream_errors_total",
        &[],
        "Requests that the model server could not be reached for or did not answer.",
    ),
    counter(
        Agent,
        "clause9_answers_ambiguous_total",
        &[],
        "Answers of the model server with a length and chunks at once, passed on in chunks without the length.",
    ),
    counter(
        Agent,
        "clause9_requests_refused_total",
        &[("reason", "malformed, ambiguous, flood")],
        "Requests refused at the data path. `malformed` counts bodies, too, whose chunks cannot be read: those were seen, and count as aborted.",
    ),
    counter(
        Agent,
        "clause9_connections_crowded_total",
        &[],
        "Times that as many clients were connected as the limit of open files permits, and the next had to wait.",
    ),
    counter(
        Agent,
        "clause9_tls_handshakes_failed_total",
        &[],
        "TLS handshakes of clients that failed or took too long.",
    ),
    counter(
        Agent,
        "clause9_certificate_reloads_total",
        &[("result", "loaded, failed")],
        "Times the certificate or key of the data path was found changed.",
    ),
    counter(
        Agent,
        "clause9_client_certificate_reloads_total",
        &[("result", "loaded, failed")],
        "Times the files by which the agent speaks TLS with the collector were found changed.",
    ),
    gauge(
        Agent,
        "clause9_plan_in_force",
        &[
            ("source", "file, collector, cache"),
            ("objectives", "digest"),
            ("baseline", "digest"),
        ],
        "Always 1; the labels say by which documents panes are counted, and where they come from.",
    ),
    counter(
        Agent,
        "clause9_plan_pulls_total",
        &[("result", "unchanged, applied, refused, denied, failed")],
        "Times the collector was asked for objectives: `refused` by the agent, `denied` by the collector.",
    ),
    gauge(
        Agent,
        "clause9_plan_checked_timestamp_seconds",
        &[],
        "When the documents in force were last known to be what the collector has, or since when it is asked; 0 if they are files.",
    ),
    gauge(
        Agent,
        "clause9_plan_awaited",
        &[],
        "1 if there are no objectives yet and traffic passes uncounted.",
    ),
    counter(
        Agent,
        "clause9_plan_cache_damaged_total",
        &[],
        "Times that the objectives kept on disk could not be used.",
    ),
    gauge(
        Agent,
        "clause9_client_certificate_not_after_timestamp_seconds",
        &[],
        "Until when the certificate is valid that the agent shows to the collector; 0 if it shows none.",
    ),
    counter(
        Agent,
        "clause9_rows_observed_total",
        &[],
        "Rows (cases) inside sampled exchanges.",
    ),
    counter(
        Agent,
        "clause9_outcomes_total",
        &[(
            "fate",
            "joined, repeated, unknown_id, forgotten, unknown_row, unlisted_value, dropped, sampled_out, malformed, unauthorized",
        )],
        "What became of every outcome that was reported.",
    ),
    counter(
        Agent,
        "clause9_sink_deliveries_total",
        &[(
            "result",
            "taken, busy, too_large, unauthorized, malformed, failed",
        )],
        "What the sink's door answered to every delivery; of those it was too busy for, nothing was taken.",
    ),
    counter(
        Agent,
        "clause9_sink_items_total",
        &[("fate", "taken, duplicate, refused")],
        "What became of every event, record, log line and mirrored request at the sink.",
    ),
    counter(
        Agent,
        "clause9_sink_otlp_unused_total",
        &[("signal", "traces, metrics, logs")],
        "Spans, their events, log records and requests of metrics that came by OpenTelemetry's protocol and tell of no inference.",
    ),
    gauge(
        Agent,
        "clause9_sink_waiting",
        &[],
        "Requests and answers told by themselves that wait for each other.",
    ),
    gauge(
        Agent,
        "clause9_sink_waiting_bytes",
        &[],
        "Bytes of the requests and answers that wait.",
    ),
    counter(
        Agent,
        "clause9_kafka_records_total",
        &[("fate", "taken, duplicate, skipped")],
        "What became of every record of the topics that are read; what is taken is counted, too, by its items.",
    ),
    counter(
        Agent,
        "clause9_kafka_records_skipped_total",
        &[(
            "reason",
            "empty, too_long, headers, unsupported, malformed, failed",
        )],
        "Records of which nothing could be read.",
    ),
    counter(
        Agent,
        "clause9_kafka_errors_total",
        &[(
            "reason",
            "broker, authentication, authorization, topic, commit, other",
        )],
        "What went wrong between agent and Kafka's brokers; it is tried again.",
    ),
    gauge(
        Agent,
        "clause9_kafka_lag_records",
        &[("topic", "the configured topics")],
        "Records that this agent has not read yet in its partitions.",
    ),
    gauge(
        Agent,
        "clause9_kafka_partitions",
        &[],
        "Partitions that this agent reads.",
    ),
    counter(
        Agent,
        "clause9_kafka_pauses_total",
        &[],
        "Times that reading topics stood still because the monitor was behind.",
    ),
    counter(
        Agent,
        "clause9_route_batches_handed_over_total",
        &[("attempt", "first, again")],
        "Batches that Kafka's brokers took on their way to the collector; only its receipt lets them go.",
    ),
    counter(
        Agent,
        "clause9_route_batches_failed_total",
        &[(
            "reason",
            "broker, authentication, authorization, topic, too_large, other",
        )],
        "Attempts to hand a batch to Kafka's brokers that failed; it is kept and tried again.",
    ),
    gauge(
        Agent,
        "clause9_route_batches_waiting",
        &[],
        "Batches that Kafka's brokers have and the collector has not answered.",
    ),
    counter(
        Agent,
        "clause9_route_receipts_total",
        &[("result", "taken, of_others, unsigned, malformed")],
        "Records of the topic of receipts; what the collector did not sign is not believed.",
    ),
    counter(
        Agent,
        "clause9_route_receipts_errors_total",
        &[],
        "Times that the topic of receipts could not be read; it is tried again.",
    ),
    counter(
        Agent,
        "clause9_agent_otlp_exported_total",
        &[("signal", "traces")],
        "Spans of the agent's own work that the receiver of OpenTelemetry's protocol took.",
    ),
    counter(
        Agent,
        "clause9_agent_otlp_dropped_total",
        &[
            ("signal", "traces"),
            (
                "reason",
                "queue_full, rejected (taken in part), refused, ended",
            ),
        ],
        "Spans that were not exported and never will be. What they were about went its way all the same.",
    ),
    counter(
        Agent,
        "clause9_agent_otlp_failed_total",
        &[("reason", "connect, timeout, busy, refused, broken")],
        "Requests of the exporter that failed; all but refused ones are made again.",
    ),
    // The agent: its own state.
    counter(
        Agent,
        "clause9_panes_closed_total",
        &[],
        "Panes closed and handed to the outbox.",
    ),
    gauge(
        Agent,
        "clause9_watermark_timestamp_seconds",
        &[],
        "End of the newest closed pane, on the system's clock.",
    ),
    gauge(
        Agent,
        "clause9_capture_queue_exchanges",
        &[],
        "Exchanges waiting between the data path and the monitor.",
    ),
    gauge(
        Agent,
        "clause9_capture_queue_bytes",
        &[],
        "Bytes waiting between the data path and the monitor.",
    ),
    gauge(
        Agent,
        "clause9_remembered_predictions",
        &[],
        "Predictions remembered for their outcomes.",
    ),
    gauge(
        Agent,
        "clause9_sampling_rate",
        &[],
        "Share of request ids that is kept in the newest pane; below `sampling.rate` while `sampling.cap` holds it down.",
    ),
    gauge(
        Agent,
        "clause9_remembered_disk_predictions",
        &[],
        "Predictions kept on disk for their outcomes; most of those in memory are among them.",
    ),
    gauge(
        Agent,
        "clause9_remembered_disk_bytes",
        &[],
        "Bytes on disk of predictions kept for their outcomes.",
    ),
    counter(
        Agent,
        "clause9_remembered_files_damaged_total",
        &[],
        "Files of predictions with bytes that are not what was written; what stands behind the damage is forgotten.",
    ),
    counter(
        Agent,
        "clause9_predictions_forgotten_total",
        &[(
            "reason",
            "horizon, bound, unwritten, damaged, other_plan, monitor_down",
        )],
        "Predictions that are remembered no more; all but those of the horizon were forgotten before their time, and their outcomes are lost.",
    ),
    counter(
        Agent,
        "clause9_outcomes_forwarded_total",
        &[("result", "handed_over, settled, lost, asked, found, failed")],
        "Outcomes whose request is not known here: handed to the collector, settled anywhere, or lost at the agent's end; questions of the collector about others' outcomes, and how many were counted here; polls that failed.",
    ),
    gauge(
        Agent,
        "clause9_outcomes_under_way",
        &[],
        "Outcomes whose request is being looked for at other replicas.",
    ),
    counter(
        Agent,
        "clause9_batches_total",
        &[("result", "stored, duplicate, refused, failed")],
        "Deliveries to the collector by result; failed ones are tried again.",
    ),
    counter(
        Agent,
        "clause9_items_refused_total",
        &[REASON],
        "Items or whole batches that the collector refused, also those that are tried again by themselves.",
    ),
    gauge(
        Agent,
        "clause9_quarantine_entries",
        &[],
        "Batches of which the collector refused something for good, kept on disk until they are sent again and taken, or forgotten.",
    ),
    gauge(
        Agent,
        "clause9_quarantine_bytes",
        &[],
        "Bytes of their files.",
    ),
    counter(
        Agent,
        "clause9_quarantine_dropped_total",
        &[REASON],
        "Refused batches that are kept no more: `full`, `damaged` on disk, or `forgotten` by somebody.",
    ),
    counter(
        Agent,
        "clause9_quarantine_resent_total",
        &[("result", "a fixed list in the source")],
        "Refused batches sent again: `stored`, or `refused` again.",
    ),
    gauge(
        Agent,
        "clause9_outbox_bytes",
        &[],
        "Bytes of batches that wait for the collector.",
    ),
    gauge(
        Agent,
        "clause9_outbox_batches",
        &[],
        "Batches that wait for the collector.",
    ),
    gauge(
        Agent,
        "clause9_outbox_unwritten_bytes",
        &[],
        "Bytes of batches that are in memory only: the disk has not taken them yet.",
    ),
    counter(
        Agent,
        "clause9_outbox_dropped_total",
        &[REASON],
        "Batches lost: `outbox_full`, `damaged` on disk, or `disk_refused` with memory full. Each is told to the collector, too.",
    ),
    counter(
        Agent,
        "clause9_state_write_failures_total",
        &[("what", "a fixed list in the source")],
        "Failed writes to the state folder.",
    ),
    counter(
        Agent,
        "clause9_monitor_restarts_total",
        &[],
        "Times the monitor was started again after a failure; traffic went on.",
    ),
    gauge(
        Agent,
        "clause9_metric_value",
        &[SYSTEM, OBJECTIVE, METRIC, ("scope", "replica")],
        "Point estimate of this replica alone. Never judged.",
    ),
    gauge(
        Agent,
        "clause9_metric_support",
        &[SYSTEM, OBJECTIVE, METRIC, ("scope", "replica")],
        "Cases behind the replica's point estimate.",
    ),
    // The collector: what came in.
    counter(
        Collector,
        "clause9_collector_batches_total",
        &[("result", "stored, duplicate, refused, unavailable")],
        "Batches received by result; `unavailable` ones are not kept, and their agents send them again.",
    ),
    counter(
        Collector,
        "clause9_collector_write_failures_total",
        &[],
        "Times that batches could not be written to the register, a full disk mostly; none of them was acknowledged.",
    ),
    gauge(
        Collector,
        "clause9_collector_connections",
        &[],
        "Connections that are open.",
    ),
    counter(
        Collector,
        "clause9_collector_connections_cut_total",
        &[("reason", "handshake, idle, slow_body, displaced")],
        "Connections cut because their clients kept the collector waiting: no TLS handshake, head or body in time, or all places taken and the longest wait.",
    ),
    counter(
        Collector,
        "clause9_collector_tls_handshakes_failed_total",
        &[],
        "TLS handshakes that failed, for want of a certificate that somebody vouches for among others.",
    ),
    gauge(
        Collector,
        "clause9_collector_certificate_not_after_timestamp_seconds",
        &[],
        "Until when the collector's certificate is valid; 0 without TLS.",
    ),
    counter(
        Collector,
        "clause9_collector_reloads_total",
        &[
            ("what", "certificates, tokens, agents"),
            ("result", "loaded, failed"),
        ],
        "Times that files were found changed while the collector ran; of those that failed, what was in force stays.",
    ),
    counter(
        Collector,
        "clause9_collector_requests_denied_total",
        &[("reason", "no_token, unknown, expired, scope, system")],
        "Requests that showed no token that lets them in.",
    ),
    counter(
        Collector,
        "clause9_collector_plans_total",
        &[("result", "served, unchanged")],
        "Times that somebody asked by which documents a system is monitored, or for one of them; `unchanged` had it already.",
    ),
    gauge(
        Collector,
        "clause9_agent_clock_ahead_seconds",
        &[("agent", "short ids of the trusted agents")],
        "How far an agent's wall clock is ahead of the collector's at least, by its recent batches; below zero, it is behind by at most so much, or its batches take that long.",
    ),
    counter(
        Collector,
        "clause9_collector_enrolments_total",
        &[(
            "result",
            "approved, pending, repeated, malformed, unknown_token, expired, used, untrusted, limited, failed",
        )],
        "Requests of agents to be let in or to hand over to a new key; `limited` were not looked at, because there were too many in vain.",
    ),
    counter(
        Collector,
        "clause9_collector_items_total",
        &[
            ("stream", "traffic, outcomes"),
            ("result", "stored, duplicate, refused"),
        ],
        "Items inside received batches by result.",
    ),
    counter(
        Collector,
        "clause9_collector_refusals_total",
        &[REASON],
        "Batches and items refused, each recorded with its reason.",
    ),
    counter(
        Collector,
        "clause9_collector_records_total",
        &[("type", "the record types of the register")],
        "Records appended to the register.",
    ),
    counter(
        Collector,
        "clause9_collector_outcomes_total",
        &[(
            "result",
            "taken, no_room, found, unknown, forgotten, malformed, unauthorized, polls_refused",
        )],
        "Outcomes that look for the replica that answered: taken from agents and applications, found, given up, or refused.",
    ),
    gauge(
        Collector,
        "clause9_collector_outcomes_held",
        &[SYSTEM],
        "Outcomes that are looking for the replica that answered.",
    ),
    gauge(
        Collector,
        "clause9_collector_kafka_lag_messages",
        &[],
        "Messages of the topic that batches come by that the collector has not read yet.",
    ),
    counter(
        Collector,
        "clause9_collector_kafka_errors_total",
        &[(
            "reason",
            "broker, authentication, authorization, topic, commit, other",
        )],
        "What went wrong between collector and Kafka's brokers; it is tried again.",
    ),
    counter(
        Collector,
        "clause9_collector_kafka_answers_total",
        &[("result", "sent, failed")],
        "Answers to batches of the topic; one that failed is given when its batch comes again.",
    ),
    counter(
        Collector,
        "clause9_collector_kafka_pauses_total",
        &[],
        "Times that reading the topic stood still because the register was behind or could not be written.",
    ),
    counter(
        Collector,
        "clause9_collector_kafka_passed_total",
        &[],
        "Batches of the topic over which the register failed though it worked otherwise; their agents hand them over again.",
    ),
    counter(
        Collector,
        "clause9_collector_otlp_exported_total",
        &[("signal", "metrics, logs, traces")],
        "Data points, events and spans that the receiver of OpenTelemetry's protocol took.",
    ),
    counter(
        Collector,
        "clause9_collector_otlp_dropped_total",
        &[
            ("signal", "metrics, logs, traces"),
            (
                "reason",
                "queue_full, rejected (taken in part), refused, superseded (data points that newer ones replace), ended",
            ),
        ],
        "Data points, events and spans that were not exported and never will be. The register has what they were about.",
    ),
    counter(
        Collector,
        "clause9_collector_otlp_failed_total",
        &[("reason", "connect, timeout, busy, refused, broken")],
        "Requests of the exporter that failed; all but refused ones are made again.",
    ),
    gauge(
        Collector,
        "clause9_collector_store_bytes",
        &[],
        "Size of the store on disk.",
    ),
    gauge(
        Collector,
        "clause9_collector_store_free_bytes",
        &[],
        "Bytes that the store's disk still takes; not a number if it cannot be asked.",
    ),
    // The collector: the register as a log.
    gauge(
        Collector,
        "clause9_collector_log_records",
        &[],
        "Records in the register when it was last looked at for a new checkpoint.",
    ),
    gauge(
        Collector,
        "clause9_collector_log_checkpoint_records",
        &[],
        "Records that the newest checkpoint covers; the others cannot be proved to anybody yet.",
    ),
    counter(
        Collector,
        "clause9_collector_log_rounds_total",
        &[("result", "ok, failed")],
        "Looks at the register for something to sign. Failed ones are repeated; the register is written all the same.",
    ),
    counter(
        Collector,
        "clause9_collector_witness_asked_total",
        &[
            ("witness", "its name"),
            (
                "result",
                "cosigned, failed, ahead (it saw more records than there are), contradicted (it saw others)",
            ),
        ],
        "Times that a witness was asked to cosign a checkpoint.",
    ),
    gauge(
        Collector,
        "clause9_collector_witness_records",
        &[("witness", "its name")],
        "Records under the newest checkpoint that a witness cosigned since the collector's start.",
    ),
    // The collector: what it knows of time.
    counter(
        Collector,
        "clause9_collector_sealed_panes_total",
        &[SYSTEM],
        "Panes sealed.",
    ),
    counter(
        Collector,
        "clause9_collector_seal_failures_total",
        &[SYSTEM],
        "Times that a system's panes could not be sealed; the log says why.",
    ),
    gauge(
        Collector,
        "clause9_sealed_until_timestamp_seconds",
        &[SYSTEM],
        "End of the newest sealed pane, on the system's clock.",
    ),
    gauge(
        Collector,
        "clause9_agent_watermark_timestamp_seconds",
        &[SYSTEM, ("agent", "short ids of the trusted agents")],
        "Up to when each trusted agent has closed its panes; 0 for one that was never heard.",
    ),
    gauge(
        Collector,
        "clause9_seal_due_timestamp_seconds",
        &[SYSTEM],
        "When the next pane has to be sealed at the latest, also without silent agents (its end, the lateness and `seal_grace`), on the system's clock.",
    ),
    gauge(
        Collector,
        "clause9_system_clock_is_replay",
        &[SYSTEM],
        "1 if the system runs on a replay clock; its records are no live evidence.",
    ),
    gauge(
        Collector,
        "clause9_exchanges_covered_ratio",
        &[SYSTEM],
        "Share of the exchanges seen in the last sealed pane that were measured or rightly left out (sampled, sampled out, no inference).",
    ),
    // The collector: what it judges.
    gauge(
        Collector,
        "clause9_objective_version",
        &[SYSTEM, OBJECTIVE],
        "Version of the objective that all series of it show: the one that judged the last sealed pane, or the last that judged.",
    ),
    gauge(
        Collector,
        "clause9_objective_in_force",
        &[SYSTEM, OBJECTIVE],
        "1 if that version is in force, 0 if no version is.",
    ),
    gauge(
        Collector,
        "clause9_objective_first_value_due_timestamp_seconds",
        &[SYSTEM, OBJECTIVE],
        "Since when that version should have a value: its first window is over and its labels are due; on the system's clock.",
    ),
    gauge(
        Collector,
        "clause9_objective_value",
        &[SYSTEM, OBJECTIVE, METRIC, ("scope", "system")],
        "The newest measurement of an objective, over all replicas.",
    ),
    gauge(
        Collector,
        "clause9_objective_support",
        &[SYSTEM, OBJECTIVE],
        "Cases behind the newest measurement.",
    ),
    gauge(
        Collector,
        "clause9_objective_level",
        &[SYSTEM, OBJECTIVE, ("level", "target, alert, action")],
        "The levels of the version that is shown.",
    ),
    gauge(
        Collector,
        "clause9_objective_evidence_nats",
        &[SYSTEM, OBJECTIVE],
        "Evidence of a breach of the action level that the ledger holds.",
    ),
    gauge(
        Collector,
        "clause9_objective_named_together",
        &[SYSTEM, OBJECTIVE],
        "1 if the objective is named as broken among those of its metric on several features (e-BH), 0 if it is so no \
         more; absent before any of them ever was.",
    ),
    gauge(
        Collector,
        "clause9_objective_warning_at_nats",
        &[SYSTEM, OBJECTIVE],
        "Evidence at which the verdict becomes warning.",
    ),
    gauge(
        Collector,
        "clause9_objective_nonconformity_at_nats",
        &[SYSTEM, OBJECTIVE],
        "Evidence at which a candidate nonconformity is raised.",
    ),
    gauge(
        Collector,
        "clause9_verdict",
        &[
            SYSTEM,
            OBJECTIVE,
            (
                "state",
                "nonconforming, warning, watch, conforming, inconclusive, no_data",
            ),
        ],
        "1 for the state the objective is in, 0 for the other five.",
    ),
    gauge(
        Collector,
        "clause9_nonconformities",
        &[SYSTEM, ("state", "the states of a nonconformity")],
        "Nonconformities by state.",
    ),
    gauge(
        Collector,
        "clause9_missing_measurements",
        &[SYSTEM],
        "Measurements that should exist by now and do not.",
    ),
    gauge(
        Collector,
        "clause9_windows_without_traffic",
        &[SYSTEM],
        "Windows that are due and have no value because nothing was asked of the system while it was watched; not counted as missing.",
    ),
];

/// The page `docs/telemetry.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Telemetry\n\n\
        What agent and collector report about themselves on `/metrics`. Metrics in the sense of an AI system's quality are in\n\
        [docs/metrics](metrics/). Generated by `cargo run -p clause9-dashboards`; edit `dashboards/src/telemetry.rs`.\n\n\
        Label values come from fixed lists and from the objectives files, never from traffic, so the number of series is bounded\n\
        by what is configured.\n",
    );
    for (title, side) in [
        ("Both programs", Both),
        ("Agent", Agent),
        ("Collector", Collector),
    ] {
        let _ = write!(
            page,
            "\n## {title}\n\n| name | kind | labels | meaning |\n| --- | --- | --- | --- |\n"
        );
        for row in TELEMETRY.iter().filter(|t| t.side == side) {
            let labels: Vec<_> = row
                .labels
                .iter()
                .map(|(label, values)| format!("`{label}`: {values}"))
                .collect();
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                row.name,
                row.kind_word(),
                labels.join("; "),
                row.meaning
            );
        }
    }
    page
}
