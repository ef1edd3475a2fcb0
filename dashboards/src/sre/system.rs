//! One AI system: what is judged, on what evidence, and whether what was measured is complete.
//! The order of the page is the order of questions: is something wrong, how sure are we, did we see
//! everything, do the programs work.

use clause9_shared::verdict::VerdictState;

use crate::grafana::{Dashboard, Panel, Row, Variable, Word};

/// The page `dashboards/sre/clause9-system.json`.
pub fn dashboard() -> String {
    Dashboard {
        uid: "clause9-system",
        title: "clause9: AI system",
        description: "Is the system within its objectives, on what evidence, and was everything seen? \
                      For those who run it; a person's evaluation under clause 9.1 is made on the register.",
        variables: vec![
            Variable {
                name: "system",
                label: "AI system",
                query: "label_values(clause9_collector_sealed_panes_total, system)",
                multi: false,
            },
            Variable {
                name: "objective",
                label: "Objective",
                query: "label_values(clause9_verdict{system=\"$system\"}, objective)",
                multi: true,
            },
            Variable {
                name: "metric",
                label: "Metric",
                query: "label_values(clause9_objective_value{system=\"$system\", objective=~\"$objective\"}, metric)",
                multi: true,
            },
        ],
        rows: vec![verdicts(), evidence(), metrics(), completeness(), sampling(), agents(), delivery()],
    }
    .to_text()
}

const SELECTED: &str = "system=\"$system\", objective=~\"$objective\"";

/// Code of a state on the timeline: the graver, the larger.
fn code(state: VerdictState) -> usize {
    VerdictState::ALL.len()
        - VerdictState::ALL
            .iter()
            .position(|s| *s == state)
            .unwrap_or(0)
}

fn word(state: VerdictState) -> Word {
    let (text, color) = match state {
        VerdictState::Nonconforming => ("nonconforming", "#B3261E"),
        VerdictState::Warning => ("warning", "#E69F00"),
        VerdictState::Watch => ("watch", "#F0E442"),
        VerdictState::Conforming => ("conforming", "#0072B2"),
        VerdictState::Inconclusive => ("inconclusive", "#9E9E9E"),
        VerdictState::NoData => ("no data", "#616161"),
    };
    Word {
        value: code(state),
        text,
        color,
    }
}

fn timeline_expr() -> String {
    let states = VerdictState::ALL.map(|state| {
        format!(
            "(clause9_verdict{{{SELECTED}, state=\"{}\"}} == 1) * {}",
            state.as_str(),
            code(state)
        )
    });
    format!("max by (objective) ({})", states.join(" or "))
}

fn verdicts() -> Row {
    let states = Panel::states(
        "Verdicts",
        "The machine's verdict on each objective. Inconclusive and no data are not conforming: \
         time that was not measured is not evidence of anything.",
        VerdictState::ALL.map(word).to_vec(),
    );
    let open = Panel::stat(
        "Nonconformities by state",
        "Candidates are raised by the machine; people confirm, correct and close them in the register.",
        "none",
    );
    let missing = Panel::stat(
        "Missing measurements",
        "Measurements that should exist by now and do not; the collector's /v1/missing says which and why.",
        "none",
    );
    let replay = Panel::stat(
        "Clock",
        "Records made on a replay clock are no live evidence.",
        "none",
    );
    let covered = Panel::stat(
        "Coverage of the last sealed pane",
        "Share of the exchanges seen that were measured or rightly left out.",
        "percentunit",
    );
    Row {
        title: "Is something wrong?",
        panels: vec![
            states.query(timeline_expr(), "{{objective}}"),
            open.query(
                "sum by (state) (clause9_nonconformities{system=\"$system\"})",
                "{{state}}",
            ),
            Panel {
                problem_from: Some(1.0),
                ..missing
            }
            .query(
                "sum(clause9_missing_measurements{system=\"$system\"})",
                "missing",
            ),
            Panel {
                words: vec![
                    Word {
                        value: 0,
                        text: "live",
                        color: "text",
                    },
                    Word {
                        value: 1,
                        text: "replay",
                        color: "#E69F00",
                    },
                ],
                ..replay
            }
            .query(
                "max(clause9_system_clock_is_replay{system=\"$system\"})",
                "clock",
            ),
            covered.query(
                "min(clause9_exchanges_covered_ratio{system=\"$system\"})",
                "covered",
            ),
        ],
    }
}

fn evidence() -> Row {
    let against = Panel::lines(
        "Evidence of a breach",
        "What the ledger holds against each objective's action level, with the thresholds of warning and \
         nonconformity (dashed). One nat is a factor of 2.7. Evidence below zero speaks for the objective.",
        "none",
    );
    let named = Panel::lines(
        "Features named together",
        "Of many features watched by one metric, those that are named as broken (1): of the names at most a share alpha \
         is false, on average, however many features there are and whatever they have to do with each other.",
        "none",
    );
    let support = Panel::lines(
        "Cases behind the newest measurement",
        "Below an objective's least support there is no measurement.",
        "short",
    );
    Row {
        title: "How sure are we?",
        panels: vec![
            Panel {
                dashed: Some("/at$/"),
                ..against
            }
            .query(
                format!("clause9_objective_evidence_nats{{{SELECTED}}}"),
                "{{objective}}",
            )
            .query(
                format!("clause9_objective_warning_at_nats{{{SELECTED}}}"),
                "{{objective}} warning at",
            )
            .query(
                format!("clause9_objective_nonconformity_at_nats{{{SELECTED}}}"),
                "{{objective}} nonconformity at",
            ),
            Panel {
                min: Some(0.0),
                ..named
            }
            .query(
                format!("clause9_objective_named_together{{{SELECTED}}}"),
                "{{objective}}",
            ),
            Panel {
                min: Some(0.0),
                ..support
            }
            .query(
                format!("clause9_objective_support{{{SELECTED}}}"),
                "{{objective}}",
            ),
        ],
    }
}

/// One panel, repeated for each metric that an objective of the system names: the table has far more
/// metrics than anybody watches at once.
fn metrics() -> Row {
    Row {
        title: "What was measured?",
        panels: vec![metric_panel()],
    }
}

fn metric_panel() -> Panel {
    let value = format!("clause9_objective_value{{{SELECTED}, metric=~\"$metric\"}}");
    let replica = format!("clause9_metric_value{{{SELECTED}, metric=~\"$metric\"}}");
    let levels = format!(
        "clause9_objective_level{{{SELECTED}}} and on (system, objective) \
         clause9_objective_value{{metric=~\"$metric\"}}"
    );
    let panel = Panel::lines(
        "$metric",
        "What the metric means, how it is computed and what it cannot tell stands on its method card, \
         docs/metrics/$metric.md. Lines: newest measurement over all replicas, in the metric's own unit; dashed: \
         levels of the version in force; `replica`: point estimates of single agents, never judged.",
        "none",
    );
    Panel {
        dashed: Some("/(level|replica)/"),
        repeat: Some("metric"),
        ..panel
    }
    .query(value, "{{objective}}")
    .query(levels, "{{objective}} {{level}} level")
    .query(replica, "{{objective}} replica {{instance}}")
}

fn completeness() -> Row {
    let fates = Panel::lines(
        "Exchanges by fate",
        "Every exchange seen at the socket has one fate; dropped and undecodable ones were served but not measured.",
        "reqps",
    );
    let dropped = Panel::lines(
        "Dropped exchanges by reason",
        "Served to the client, not measured.",
        "reqps",
    );
    let undecodable = Panel::lines(
        "Undecodable exchanges by reason",
        "Bodies that no known protocol explains.",
        "reqps",
    );
    let outcomes = Panel::lines(
        "Outcomes by fate",
        "Late labels and attributes. Unknown ids were never predicted here, or too long ago.",
        "ops",
    );
    let rate =
        |name: &str, label: &str| format!("sum by ({label}) (rate({name}[$__rate_interval]))");
    Row {
        title: "Did we see everything?",
        panels: vec![
            Panel {
                min: Some(0.0),
                ..fates
            }
            .query(
                "sum(rate(clause9_exchanges_seen_total[$__rate_interval]))",
                "seen",
            )
            .query(rate("clause9_exchanges_total", "fate"), "{{fate}}"),
            Panel {
                min: Some(0.0),
                ..dropped
            }
            .query(
                rate("clause9_exchanges_dropped_total", "reason"),
                "{{reason}}",
            ),
            Panel {
                min: Some(0.0),
                ..undecodable
            }
            .query(
                rate("clause9_exchanges_undecodable_total", "reason"),
                "{{reason}}",
            ),
            Panel {
                min: Some(0.0),
                ..outcomes
            }
            .query(rate("clause9_outcomes_total", "fate"), "{{fate}}"),
        ],
    }
}

/// What sampling keeps, and outcomes on the way to the replica that answered.
fn sampling() -> Row {
    let kept = Panel::lines(
        "Share of requests that is kept",
        "By each agent, of what comes. It halves from pane to pane while `sampling.cap` holds it down; the rates in force \
         stand in each window's coverage, and figures say what they were taken of.",
        "percentunit",
    );
    let forwarded = Panel::lines(
        "Outcomes that look for their replica",
        "Handed to the collector by agents that do not know the request, and what became of them. Lost ones \
         should be zero.",
        "ops",
    );
    let held = Panel::lines(
        "Outcomes held by the collector",
        "Looking for the replica that answered; a bound in bytes and age holds them down.",
        "short",
    );
    let rate =
        |name: &str, label: &str| format!("sum by ({label}) (rate({name}[$__rate_interval]))");
    Row {
        title: "What is kept, and do labels find it?",
        panels: vec![
            Panel {
                min: Some(0.0),
                ..kept
            }
            .query("clause9_sampling_rate", "{{instance}}"),
            Panel {
                min: Some(0.0),
                ..forwarded
            }
            .query(
                rate("clause9_outcomes_forwarded_total", "result"),
                "agents: {{result}}",
            )
            .query(
                rate("clause9_collector_outcomes_total", "result"),
                "collector: {{result}}",
            ),
            Panel {
                min: Some(0.0),
                ..held
            }
            .query(
                "clause9_collector_outcomes_held{system=\"$system\"}",
                "{{system}}",
            ),
        ],
    }
}

fn agents() -> Row {
    let sealed = Panel::stat(
        "Sealed until",
        "End of the newest sealed pane on the system's clock. On a replay clock this lies in the past by design.",
        "dateTimeAsIso",
    );
    let age = Panel::lines(
        "Age of the newest sealed pane",
        "Grows to about the pane's length plus lateness and falls back at each seal. On a replay clock its height \
         means nothing, its saw-tooth does.",
        "s",
    );
    let lag = Panel::lines(
        "Agents behind the foremost watermark",
        "How far each agent's watermark lies behind the foremost one of its system.",
        "s",
    );
    // An agent that was never heard has no lag but an alert.
    let behind = "scalar(max(WATERMARK)) - (WATERMARK > 0)".replace(
        "WATERMARK",
        "clause9_agent_watermark_timestamp_seconds{system=\"$system\"}",
    );
    Row {
        title: "Are the agents heard?",
        panels: vec![
            sealed.query(
                "max by (system) (clause9_sealed_until_timestamp_seconds{system=\"$system\"}) * 1000",
                "{{system}}",
            ),
            Panel { width: 9, ..age }.query(
                "time() - max by (system) (clause9_sealed_until_timestamp_seconds{system=\"$system\"})",
                "{{system}}",
            ),
            Panel { width: 9, min: Some(0.0), ..lag }.query(behind, "{{agent}}"),
        ],
    }
}

fn delivery() -> Row {
    let outbox = Panel::lines(
        "Outbox and quarantine",
        "Batches on the agents' disks: those that wait for the collector, and those of which it refused something for good and that wait for a person.",
        "short",
    );
    let batches = Panel::lines(
        "Deliveries by result",
        "Failed ones are tried again; refused ones are not.",
        "ops",
    );
    let memory = Panel::lines(
        "Capture queue",
        "Bytes between data path and monitor; when full, exchanges are dropped and counted.",
        "bytes",
    );
    let trouble = Panel::lines(
        "Troubles",
        "Refusals, losses, failed writes and restarts over the last ten minutes. All of them should be zero.",
        "short",
    );
    let over = |name: &str| format!("sum(increase({name}[10m]))");
    Row {
        title: "Do the programs work?",
        panels: vec![
            Panel {
                min: Some(0.0),
                ..outbox
            }
            .query("clause9_outbox_batches", "{{instance}} waiting")
            .query("clause9_quarantine_entries", "{{instance}} refused"),
            Panel {
                min: Some(0.0),
                ..batches
            }
            .query(
                "sum by (result) (rate(clause9_batches_total[$__rate_interval]))",
                "agent {{result}}",
            )
            .query(
                "sum by (result) (rate(clause9_collector_batches_total[$__rate_interval]))",
                "collector {{result}}",
            ),
            Panel {
                min: Some(0.0),
                ..memory
            }
            .query("clause9_capture_queue_bytes", "{{instance}}"),
            Panel {
                min: Some(0.0),
                ..trouble
            }
            .query(over("clause9_items_refused_total"), "items refused")
            .query(
                over("clause9_collector_refusals_total"),
                "refusals at the collector",
            )
            .query(over("clause9_outbox_dropped_total"), "batches lost")
            .query(over("clause9_state_write_failures_total"), "failed writes")
            .query(over("clause9_monitor_restarts_total"), "monitor restarts")
            .query(
                over("clause9_upstream_errors_total"),
                "model server not reached",
            )
            .query(
                over("clause9_predictions_forgotten_total{reason!=\"horizon\"}"),
                "predictions forgotten early",
            ),
        ],
    }
}
