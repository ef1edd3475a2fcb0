//! The alerts, gravest first. What concerns the AI system comes before what concerns the programs.
//! Thresholds that depend on a configuration say so in their runbook.

use super::Severity::{Page, Ticket};
use super::{Alert, Case};

const fn case(at_minute: u32, series: &'static [(&'static str, &'static str)]) -> Case {
    Case { series, at_minute }
}

const LOAN_ACCURACY: &[(&str, &str)] = &[
    ("system", "loan"),
    ("objective", "accuracy"),
    ("state", "nonconforming"),
    ("instance", "c:1"),
];

/// Every alert.
pub const ALERTS: &[Alert] = &[
    Alert {
        name: "Clause9Nonconforming",
        expr: "clause9_verdict{state=\"nonconforming\"} == 1",
        hold: "0m",
        severity: Page,
        summary: "{{ $labels.system }} breaches its objective {{ $labels.objective }}",
        description: "The evidence that the action level is breached has passed the threshold with the documented chance of error. A candidate nonconformity waits for a person.",
        fires: case(
            5,
            &[(
                "clause9_verdict{system=\"loan\",objective=\"accuracy\",state=\"nonconforming\",instance=\"c:1\"}",
                "0 0 1x10",
            )],
        ),
        labels: LOAN_ACCURACY,
        shown: "",
        silent: case(
            5,
            &[
                (
                    "clause9_verdict{system=\"loan\",objective=\"accuracy\",state=\"nonconforming\",instance=\"c:1\"}",
                    "0x10",
                ),
                (
                    "clause9_verdict{system=\"loan\",objective=\"accuracy\",state=\"warning\",instance=\"c:1\"}",
                    "1x10",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9Warning",
        expr: "clause9_verdict{state=\"warning\"} == 1",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.system }} may breach its objective {{ $labels.objective }}",
        description: "Evidence of a breach has passed the warning threshold. It is not confirmed yet.",
        fires: case(
            5,
            &[(
                "clause9_verdict{system=\"loan\",objective=\"drift\",state=\"warning\",instance=\"c:1\"}",
                "1x10",
            )],
        ),
        labels: &[
            ("system", "loan"),
            ("objective", "drift"),
            ("state", "warning"),
            ("instance", "c:1"),
        ],
        shown: "",
        silent: case(
            5,
            &[
                (
                    "clause9_verdict{system=\"loan\",objective=\"drift\",state=\"watch\",instance=\"c:1\"}",
                    "1x10",
                ),
                (
                    "clause9_verdict{system=\"loan\",objective=\"drift\",state=\"warning\",instance=\"c:1\"}",
                    "0x10",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9NoData",
        // Before the first window is over and its labels are due, nothing can be known.
        expr: "clause9_verdict{state=\"no_data\"} == 1 and on (system, objective) (clause9_objective_in_force == 1) and on (system, objective) (clause9_objective_first_value_due_timestamp_seconds < on (system) group_left () max by (system) (clause9_sealed_until_timestamp_seconds))",
        hold: "1h",
        severity: Ticket,
        summary: "nothing is known of the objective {{ $labels.objective }} of {{ $labels.system }}",
        description: "No case has been measured under this objective for an hour, although its first window is over and its labels are due. Unmeasured time is not conformity.",
        fires: case(
            90,
            &[
                (
                    "clause9_verdict{system=\"loan\",objective=\"drift\",state=\"no_data\",instance=\"c:1\"}",
                    "1x120",
                ),
                (
                    "clause9_objective_in_force{system=\"loan\",objective=\"drift\",instance=\"c:1\"}",
                    "1x120",
                ),
                (
                    "clause9_objective_first_value_due_timestamp_seconds{system=\"loan\",objective=\"drift\",instance=\"c:1\"}",
                    "600x120",
                ),
                (
                    "clause9_sealed_until_timestamp_seconds{system=\"loan\",instance=\"c:1\"}",
                    "0+60x120",
                ),
            ],
        ),
        labels: &[
            ("system", "loan"),
            ("objective", "drift"),
            ("state", "no_data"),
            ("instance", "c:1"),
        ],
        shown: "",
        // Labels that are due in a day; a version that is no longer in force; data that came.
        silent: case(
            90,
            &[
                (
                    "clause9_verdict{system=\"loan\",objective=\"accuracy\",state=\"no_data\",instance=\"c:1\"}",
                    "1x120",
                ),
                (
                    "clause9_objective_in_force{system=\"loan\",objective=\"accuracy\",instance=\"c:1\"}",
                    "1x120",
                ),
                (
                    "clause9_objective_first_value_due_timestamp_seconds{system=\"loan\",objective=\"accuracy\",instance=\"c:1\"}",
                    "86400x120",
                ),
                (
                    "clause9_verdict{system=\"loan\",objective=\"expired\",state=\"no_data\",instance=\"c:1\"}",
                    "1x120",
                ),
                (
                    "clause9_objective_in_force{system=\"loan\",objective=\"expired\",instance=\"c:1\"}",
                    "0x120",
                ),
                (
                    "clause9_objective_first_value_due_timestamp_seconds{system=\"loan\",objective=\"expired\",instance=\"c:1\"}",
                    "0x120",
                ),
                (
                    "clause9_verdict{system=\"loan\",objective=\"drift\",state=\"no_data\",instance=\"c:1\"}",
                    "1x40 0x80",
                ),
                (
                    "clause9_objective_in_force{system=\"loan\",objective=\"drift\",instance=\"c:1\"}",
                    "1x120",
                ),
                (
                    "clause9_objective_first_value_due_timestamp_seconds{system=\"loan\",objective=\"drift\",instance=\"c:1\"}",
                    "0x120",
                ),
                (
                    "clause9_sealed_until_timestamp_seconds{system=\"loan\",instance=\"c:1\"}",
                    "0+60x120",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9MissingMeasurements",
        // The count of all time never falls, so what is new within a day is what fires. Windows
        // without traffic are counted apart.
        expr: "clause9_missing_measurements - min_over_time(clause9_missing_measurements[1d]) > 0",
        hold: "15m",
        severity: Ticket,
        summary: "{{ $labels.system }} lacks measurements that are due",
        description: "{{ $value | humanize }} more measurements than a day ago should exist and do not. The collector lists them with reasons.",
        fires: case(
            20,
            &[(
                "clause9_missing_measurements{system=\"loan\",instance=\"c:1\"}",
                "2x3 5x30",
            )],
        ),
        labels: &[("system", "loan"), ("instance", "c:1")],
        shown: "3",
        // What went missing and stays missing is said for a day, then no more; nor is a quiet night.
        silent: case(
            1500,
            &[
                (
                    "clause9_missing_measurements{system=\"loan\",instance=\"c:1\"}",
                    "2x3 5x1600",
                ),
                (
                    "clause9_windows_without_traffic{system=\"loan\",instance=\"c:1\"}",
                    "0+1x1600",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9ReplayClockInProduction",
        expr: "clause9_system_clock_is_replay{environment=\"production\"} == 1",
        hold: "0m",
        severity: Page,
        summary: "{{ $labels.system }} runs on a replay clock in production",
        description: "Every record made meanwhile is marked as replay and is no live evidence.",
        fires: case(
            5,
            &[(
                "clause9_system_clock_is_replay{system=\"loan\",environment=\"production\"}",
                "1x10",
            )],
        ),
        labels: &[("system", "loan"), ("environment", "production")],
        shown: "",
        silent: case(
            5,
            &[
                (
                    "clause9_system_clock_is_replay{system=\"loan\",environment=\"demo\"}",
                    "1x10",
                ),
                (
                    "clause9_system_clock_is_replay{system=\"loan\",environment=\"production\"}",
                    "0x10",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9CoverageLow",
        expr: "clause9_exchanges_covered_ratio < 0.95",
        hold: "10m",
        severity: Ticket,
        summary: "{{ $labels.system }} was not fully seen",
        description: "Only {{ $value | humanizePercentage }} of the exchanges in the last sealed pane were measured or rightly left out. Verdicts rest on the rest.",
        fires: case(
            15,
            &[("clause9_exchanges_covered_ratio{system=\"loan\"}", "0.5x30")],
        ),
        labels: &[("system", "loan")],
        shown: "50%",
        silent: case(
            15,
            &[(
                "clause9_exchanges_covered_ratio{system=\"loan\"}",
                "0.95x30",
            )],
        ),
    },
    Alert {
        name: "Clause9AgentSilent",
        // One that was never heard has the watermark 0.
        expr: "clause9_agent_watermark_timestamp_seconds < on (system) group_left () max by (system) (clause9_sealed_until_timestamp_seconds)",
        hold: "5m",
        severity: Page,
        summary: "agent {{ $labels.agent }} of {{ $labels.system }} is silent",
        description: "A pane was sealed without this agent. What it saw is a gap in the evidence until it delivers.",
        fires: case(
            15,
            &[
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a1\"}",
                    "0x90",
                ),
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a2\"}",
                    "1600x90",
                ),
                (
                    "clause9_sealed_until_timestamp_seconds{system=\"loan\"}",
                    "1600x90",
                ),
            ],
        ),
        labels: &[("system", "loan"), ("agent", "a1")],
        shown: "",
        silent: case(
            15,
            &[
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a1\"}",
                    "1600x90",
                ),
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a2\"}",
                    "2200x90",
                ),
                (
                    "clause9_sealed_until_timestamp_seconds{system=\"loan\"}",
                    "1600x90",
                ),
                // Nobody of its system was heard yet: that is another alert's.
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"car\",agent=\"a3\"}",
                    "0x90",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9AgentNeverHeard",
        expr: "clause9_agent_watermark_timestamp_seconds == 0 and clause9_agent_watermark_timestamp_seconds offset 1h == 0",
        hold: "0m",
        severity: Page,
        summary: "agent {{ $labels.agent }} of {{ $labels.system }} was never heard",
        description: "The collector has trusted this agent for an hour or more, and it has delivered nothing. If it is in use, what it sees is not measured.",
        fires: case(
            65,
            &[(
                "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a1\"}",
                "0x90",
            )],
        ),
        labels: &[("system", "loan"), ("agent", "a1")],
        shown: "",
        // Trusted within the hour; heard in the meantime.
        silent: case(
            50,
            &[
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a1\"}",
                    "0x90",
                ),
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a2\"}",
                    "0x10 600x80",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9SealOverdue",
        // Sealing may lag behind agents for as long as the seal grace says, and go on so for ever: what
        // is late is a pane that is not sealed half an hour after the grace of its agents is over.
        expr: "(time() - clause9_seal_due_timestamp_seconds > 1800) unless on (system) (clause9_system_clock_is_replay == 1)",
        hold: "5m",
        severity: Page,
        summary: "panes of {{ $labels.system }} are not sealed",
        description: "The next pane should have been sealed {{ $value | humanizeDuration }} ago, also without agents that are silent. Nothing is judged until it is.",
        fires: case(
            40,
            &[
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a1\"}",
                    "0+60x60",
                ),
                (
                    "clause9_sealed_until_timestamp_seconds{system=\"loan\"}",
                    "0x60",
                ),
                (
                    "clause9_seal_due_timestamp_seconds{system=\"loan\"}",
                    "120x60",
                ),
                ("clause9_system_clock_is_replay{system=\"loan\"}", "0x60"),
            ],
        ),
        labels: &[("system", "loan")],
        shown: "38m 0s",
        // Panes of a minute and a grace of an hour with one agent silent: all moves, an hour late.
        silent: case(
            240,
            &[
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a1\"}",
                    "0+60x300",
                ),
                (
                    "clause9_agent_watermark_timestamp_seconds{system=\"loan\",agent=\"a2\"}",
                    "0x300",
                ),
                (
                    "clause9_sealed_until_timestamp_seconds{system=\"loan\"}",
                    "-3660+60x300",
                ),
                (
                    "clause9_seal_due_timestamp_seconds{system=\"loan\"}",
                    "0+60x300",
                ),
                ("clause9_system_clock_is_replay{system=\"loan\"}", "0x300"),
            ],
        ),
    },
    Alert {
        name: "Clause9ExchangesDropped",
        // A client that hangs up is no loss of the monitor's.
        expr: "sum by (job, instance, reason) (rate(clause9_exchanges_dropped_total{reason!=\"aborted\"}[10m])) > on (job, instance) group_left () 0.01 * sum by (job, instance) (rate(clause9_exchanges_seen_total[10m]))",
        hold: "5m",
        severity: Ticket,
        summary: "{{ $labels.instance }} drops exchanges ({{ $labels.reason }})",
        description: "More than one answer in a hundred was served but not measured. Each dropped exchange is counted in its pane's coverage.",
        fires: case(
            20,
            &[
                (
                    "clause9_exchanges_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"queue_full\"}",
                    "0+5x30",
                ),
                (
                    "clause9_exchanges_seen_total{job=\"clause9-agent\",instance=\"a:1\"}",
                    "0+100x30",
                ),
            ],
        ),
        labels: &[
            ("job", "clause9-agent"),
            ("instance", "a:1"),
            ("reason", "queue_full"),
        ],
        shown: "",
        silent: case(
            20,
            &[
                (
                    "clause9_exchanges_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"queue_full\"}",
                    "0+1x30",
                ),
                (
                    "clause9_exchanges_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"aborted\"}",
                    "0+20x30",
                ),
                (
                    "clause9_exchanges_seen_total{job=\"clause9-agent\",instance=\"a:1\"}",
                    "0+101x30",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9ExchangesUndecodable",
        expr: "sum by (job, instance) (rate(clause9_exchanges_undecodable_total[10m])) > 0.01 * sum by (job, instance) (rate(clause9_exchanges_seen_total[10m]))",
        hold: "10m",
        severity: Ticket,
        summary: "{{ $labels.instance }} cannot read what the model is asked",
        description: "More than one exchange in a hundred cannot be decoded. The counter's label `reason` says why.",
        fires: case(
            30,
            &[
                (
                    "clause9_exchanges_undecodable_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"malformed\"}",
                    "0+2x40",
                ),
                (
                    "clause9_exchanges_seen_total{job=\"clause9-agent\",instance=\"a:1\"}",
                    "0+100x40",
                ),
            ],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            30,
            &[
                (
                    "clause9_exchanges_undecodable_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"malformed\"}",
                    "0+1x40",
                ),
                (
                    "clause9_exchanges_seen_total{job=\"clause9-agent\",instance=\"a:1\"}",
                    "0+100x40",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9OutcomesUnjoined",
        expr: "sum by (job, instance) (increase(clause9_outcomes_total{fate=~\"unknown_id|forgotten|unknown_row|unlisted_value|dropped|malformed\"}[1h])) > 0.1 * sum by (job, instance) (increase(clause9_outcomes_total{fate!~\"sampled_out|unauthorized\"}[1h]))",
        hold: "15m",
        severity: Ticket,
        summary: "{{ $labels.instance }} cannot use a tenth of its outcomes",
        description: "Labels or attributes arrive that fit no remembered prediction or are not listed. Objectives that need labels lose support.",
        fires: case(
            90,
            &[
                (
                    "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"unknown_id\"}",
                    "0+2x100",
                ),
                (
                    "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"joined\"}",
                    "0+8x100",
                ),
                // Left out on purpose, or never taken: no reason to be quiet about the others.
                (
                    "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"sampled_out\"}",
                    "0+990x100",
                ),
            ],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            90,
            &[
                (
                    "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"repeated\"}",
                    "0+2x100",
                ),
                (
                    "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"joined\"}",
                    "0+8x100",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9OutcomesUnauthorized",
        expr: "sum by (job, instance) (increase(clause9_outcomes_total{fate=\"unauthorized\"}[15m])) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} refused outcomes without a valid token",
        description: "Somebody reports outcomes with a missing or wrong token. Their labels are not counted.",
        fires: case(
            20,
            &[(
                "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"unauthorized\"}",
                "0x10 1+1x20",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_outcomes_total{job=\"clause9-agent\",instance=\"a:1\",fate=\"unauthorized\"}",
                "4x30",
            )],
        ),
    },
    Alert {
        name: "Clause9OutboxNotDraining",
        expr: "min_over_time(clause9_outbox_batches[30m]) > 0 and clause9_outbox_batches > clause9_outbox_batches offset 30m",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} cannot deliver to the collector",
        description: "{{ $value | humanize }} batches or more have been waiting for half an hour, and their number grows.",
        fires: case(
            45,
            &[(
                "clause9_outbox_batches{job=\"clause9-agent\",instance=\"a:1\"}",
                "1+1x60",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "16",
        silent: case(
            45,
            &[(
                "clause9_outbox_batches{job=\"clause9-agent\",instance=\"a:1\"}",
                "1+1x20 0 1+1x40",
            )],
        ),
    },
    Alert {
        name: "Clause9OutboxUnwritten",
        expr: "min_over_time(clause9_outbox_unwritten_bytes[10m]) > 0",
        hold: "0m",
        severity: Page,
        summary: "the disk of {{ $labels.instance }} takes no batches",
        description: "Batches have been in memory only for ten minutes. A crash or a restart loses them, and beyond 16 MiB the oldest are let go.",
        fires: case(
            25,
            &[(
                "clause9_outbox_unwritten_bytes{job=\"clause9-agent\",instance=\"a:1\"}",
                "0x10 4096x20",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        // Each batch is in memory for a moment.
        silent: case(
            25,
            &[(
                "clause9_outbox_unwritten_bytes{job=\"clause9-agent\",instance=\"a:1\"}",
                "4096x5 0 4096x5 0 4096x5 0 4096x8",
            )],
        ),
    },
    Alert {
        name: "Clause9OutboxNearBound",
        expr: "clause9_outbox_bytes > 0.8 * 67108864",
        hold: "5m",
        severity: Page,
        summary: "the outbox of {{ $labels.instance }} is nearly full",
        description: "More than 80 % of the default bound is used. Beyond the bound, batches are lost and counted.",
        fires: case(
            10,
            &[(
                "clause9_outbox_bytes{job=\"clause9-agent\",instance=\"a:1\"}",
                "60000000x20",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            10,
            &[(
                "clause9_outbox_bytes{job=\"clause9-agent\",instance=\"a:1\"}",
                "50000000x20",
            )],
        ),
    },
    Alert {
        name: "Clause9BatchesLost",
        expr: "sum by (job, instance, reason) (increase(clause9_outbox_dropped_total[15m])) > 0",
        hold: "0m",
        severity: Page,
        summary: "{{ $labels.instance }} lost closed panes ({{ $labels.reason }})",
        description: "Batches could not be kept until delivery. What they held is missing from the evidence for good.",
        fires: case(
            20,
            &[(
                "clause9_outbox_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"outbox_full\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[
            ("job", "clause9-agent"),
            ("instance", "a:1"),
            ("reason", "outbox_full"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_outbox_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"outbox_full\"}",
                "1x30",
            )],
        ),
    },
    Alert {
        name: "Clause9ItemsRefused",
        expr: "sum by (job, instance, reason) (increase(clause9_items_refused_total[15m])) > 0",
        hold: "0m",
        severity: Page,
        summary: "the collector refuses what {{ $labels.instance }} ships ({{ $labels.reason }})",
        description: "Usually objectives, baseline or trust differ between agent and collector. What is refused for good is in the agent's quarantine.",
        fires: case(
            20,
            &[(
                "clause9_items_refused_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"unknown_plan\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[
            ("job", "clause9-agent"),
            ("instance", "a:1"),
            ("reason", "unknown_plan"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_items_refused_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"unknown_plan\"}",
                "1x30",
            )],
        ),
    },
    Alert {
        name: "Clause9QuarantineWaits",
        expr: "min_over_time(clause9_quarantine_entries[1h]) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} keeps batches that the collector refused",
        description: "{{ $value | humanize }} batches or more have been in quarantine for an hour. What they say is missing from the evidence until they are sent again and taken.",
        fires: case(
            80,
            &[(
                "clause9_quarantine_entries{job=\"clause9-agent\",instance=\"a:1\"}",
                "0x10 2x90",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "2",
        // Sent again and taken within the hour.
        silent: case(
            80,
            &[(
                "clause9_quarantine_entries{job=\"clause9-agent\",instance=\"a:1\"}",
                "2x40 0x60",
            )],
        ),
    },
    Alert {
        name: "Clause9QuarantineLost",
        expr: "sum by (job, instance, reason) (increase(clause9_quarantine_dropped_total{reason!=\"forgotten\"}[15m])) > 0",
        hold: "0m",
        severity: Page,
        summary: "{{ $labels.instance }} lost refused batches ({{ $labels.reason }})",
        description: "Batches that the collector had refused could not be kept. What they say can no longer be sent again.",
        fires: case(
            20,
            &[(
                "clause9_quarantine_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"full\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[
            ("job", "clause9-agent"),
            ("instance", "a:1"),
            ("reason", "full"),
        ],
        shown: "",
        // Somebody said so.
        silent: case(
            20,
            &[
                (
                    "clause9_quarantine_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"forgotten\"}",
                    "0x10 1x20",
                ),
                (
                    "clause9_quarantine_dropped_total{job=\"clause9-agent\",instance=\"a:1\",reason=\"full\"}",
                    "1x30",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9CollectorRefusals",
        expr: "sum by (job, instance, reason) (increase(clause9_collector_refusals_total[15m])) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "the collector refuses batches ({{ $labels.reason }})",
        description: "Something was sent that does not verify or does not fit. The refusals are recorded in the register.",
        fires: case(
            20,
            &[(
                "clause9_collector_refusals_total{job=\"clause9-collector\",instance=\"c:1\",reason=\"bad_signature\"}",
                "0x10 2x20",
            )],
        ),
        labels: &[
            ("job", "clause9-collector"),
            ("instance", "c:1"),
            ("reason", "bad_signature"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_collector_refusals_total{job=\"clause9-collector\",instance=\"c:1\",reason=\"bad_signature\"}",
                "2x30",
            )],
        ),
    },
    Alert {
        name: "Clause9TopicBehind",
        expr: "min_over_time(clause9_collector_kafka_lag_messages[15m]) > 0 and clause9_collector_kafka_lag_messages > clause9_collector_kafka_lag_messages offset 15m",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} is behind the topic that batches come by",
        description: "{{ $value | humanize }} batches or more have been waiting in Kafka for a quarter of an hour, and their number grows.",
        fires: case(
            30,
            &[(
                "clause9_collector_kafka_lag_messages{job=\"clause9-collector\",instance=\"c:1\"}",
                "1+1x60",
            )],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "16",
        silent: case(
            30,
            &[(
                "clause9_collector_kafka_lag_messages{job=\"clause9-collector\",instance=\"c:1\"}",
                "1+1x20 0 1+1x40",
            )],
        ),
    },
    Alert {
        name: "Clause9ExportDropping",
        expr: "sum by (job, instance, signal) (increase(clause9_collector_otlp_dropped_total{reason!=\"ended\"}[30m])) > 0 and sum by (job, instance, signal) (increase(clause9_collector_otlp_exported_total[30m])) == 0",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} has exported no {{ $labels.signal }} by OpenTelemetry's protocol for half an hour",
        description: "{{ $value | humanize }} were dropped in that time and none was taken. Evidence is not concerned: it is in the register.",
        fires: case(
            40,
            &[
                (
                    "clause9_collector_otlp_dropped_total{job=\"clause9-collector\",instance=\"c:1\",signal=\"logs\",reason=\"queue_full\"}",
                    "0+1x60",
                ),
                (
                    "clause9_collector_otlp_exported_total{job=\"clause9-collector\",instance=\"c:1\",signal=\"logs\"}",
                    "7x60",
                ),
            ],
        ),
        labels: &[
            ("job", "clause9-collector"),
            ("instance", "c:1"),
            ("signal", "logs"),
        ],
        shown: "30",
        // Some were dropped, others taken; and an end of the program.
        silent: case(
            40,
            &[
                (
                    "clause9_collector_otlp_dropped_total{job=\"clause9-collector\",instance=\"c:1\",signal=\"logs\",reason=\"rejected\"}",
                    "0+1x60",
                ),
                (
                    "clause9_collector_otlp_exported_total{job=\"clause9-collector\",instance=\"c:1\",signal=\"logs\"}",
                    "0+5x60",
                ),
                (
                    "clause9_collector_otlp_dropped_total{job=\"clause9-collector\",instance=\"c:2\",signal=\"logs\",reason=\"ended\"}",
                    "0x20 3x40",
                ),
                (
                    "clause9_collector_otlp_exported_total{job=\"clause9-collector\",instance=\"c:2\",signal=\"logs\"}",
                    "7x60",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9AgentExportDropping",
        expr: "sum by (job, instance) (increase(clause9_agent_otlp_dropped_total{reason!=\"ended\"}[30m])) > 0 and sum by (job, instance) (increase(clause9_agent_otlp_exported_total[30m])) == 0",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} has exported no spans by OpenTelemetry's protocol for half an hour",
        description: "{{ $value | humanize }} were dropped in that time and none was taken. Requests and windows are not concerned: windows are delivered as ever.",
        fires: case(
            40,
            &[
                (
                    "clause9_agent_otlp_dropped_total{job=\"clause9-agent\",instance=\"a:1\",signal=\"traces\",reason=\"queue_full\"}",
                    "0+1x60",
                ),
                (
                    "clause9_agent_otlp_exported_total{job=\"clause9-agent\",instance=\"a:1\",signal=\"traces\"}",
                    "7x60",
                ),
            ],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "30",
        // Some were dropped, others taken; and an end of the program.
        silent: case(
            40,
            &[
                (
                    "clause9_agent_otlp_dropped_total{job=\"clause9-agent\",instance=\"a:1\",signal=\"traces\",reason=\"rejected\"}",
                    "0+1x60",
                ),
                (
                    "clause9_agent_otlp_exported_total{job=\"clause9-agent\",instance=\"a:1\",signal=\"traces\"}",
                    "0+5x60",
                ),
                (
                    "clause9_agent_otlp_dropped_total{job=\"clause9-agent\",instance=\"a:2\",signal=\"traces\",reason=\"ended\"}",
                    "0x20 3x40",
                ),
                (
                    "clause9_agent_otlp_exported_total{job=\"clause9-agent\",instance=\"a:2\",signal=\"traces\"}",
                    "7x60",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9ReceiptsNotBelieved",
        expr: "increase(clause9_route_receipts_total{result=\"unsigned\"}[15m]) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} finds receipts that its collector did not sign",
        description: "They let nothing go. Either the collector has another key than the agent was told, or somebody else writes receipts.",
        fires: case(
            20,
            &[(
                "clause9_route_receipts_total{job=\"clause9-agent\",instance=\"a:1\",result=\"unsigned\"}",
                "0x10 2x20",
            )],
        ),
        labels: &[
            ("job", "clause9-agent"),
            ("instance", "a:1"),
            ("result", "unsigned"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_route_receipts_total{job=\"clause9-agent\",instance=\"a:1\",result=\"unsigned\"}",
                "2x30",
            )],
        ),
    },
    Alert {
        name: "Clause9CertificateExpiring",
        expr: "(clause9_collector_certificate_not_after_timestamp_seconds > 0) - time() < 604800 or (clause9_client_certificate_not_after_timestamp_seconds > 0) - time() < 604800",
        hold: "10m",
        severity: Ticket,
        summary: "the certificate of {{ $labels.instance }} is valid for less than a week",
        description: "After that, agents and collector do not speak with each other: batches stay in the agents' outboxes, which are bounded.",
        fires: case(
            20,
            &[(
                "clause9_collector_certificate_not_after_timestamp_seconds{job=\"clause9-collector\",instance=\"c:1\"}",
                "604800x30",
            )],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "",
        silent: case(
            20,
            &[
                (
                    "clause9_collector_certificate_not_after_timestamp_seconds{job=\"clause9-collector\",instance=\"c:1\"}",
                    "700000x30",
                ),
                (
                    "clause9_client_certificate_not_after_timestamp_seconds{job=\"clause9-agent\",instance=\"a:1\"}",
                    "0x30",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9ReloadFailed",
        expr: "sum by (job, instance) (increase(clause9_collector_reloads_total{result=\"failed\"}[1h]) or increase(clause9_client_certificate_reloads_total{result=\"failed\"}[1h])) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "{{ $labels.instance }} found files changed that do not fit",
        description: "What was in force before stays: an old certificate until it ends, a token or an agent that was to be taken out still gets in. The log says why.",
        fires: case(
            20,
            &[(
                "clause9_collector_reloads_total{job=\"clause9-collector\",instance=\"c:1\",what=\"agents\",result=\"failed\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_collector_reloads_total{job=\"clause9-collector\",instance=\"c:1\",what=\"agents\",result=\"loaded\"}",
                "0x10 1x20",
            )],
        ),
    },
    Alert {
        name: "Clause9PlanUnchecked",
        // An agent that refuses what it is given has not checked either.
        expr: "time() - (clause9_plan_checked_timestamp_seconds > 0) > 900",
        hold: "1m",
        severity: Ticket,
        summary: "{{ $labels.instance }} does not know whether its objectives are the collector's",
        description: "For a quarter of an hour the collector was away, did not let it, or gave what it refuses. It goes on with the last good objectives; if it has none, traffic passes unmonitored.",
        fires: case(
            20,
            &[(
                "clause9_plan_checked_timestamp_seconds{job=\"clause9-agent\",instance=\"a:1\"}",
                "60x30",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            20,
            &[
                (
                    "clause9_plan_checked_timestamp_seconds{job=\"clause9-agent\",instance=\"a:1\"}",
                    "0+60x30",
                ),
                (
                    "clause9_plan_checked_timestamp_seconds{job=\"clause9-agent\",instance=\"a:2\"}",
                    "0x30",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9RequestsDenied",
        expr: "sum by (job, instance, reason) (increase(clause9_collector_requests_denied_total{reason=~\"unknown|expired\"}[15m])) > 10",
        hold: "0m",
        severity: Ticket,
        summary: "requests show tokens that are not good ({{ $labels.reason }})",
        description: "Somebody who once had a token is locked out, or somebody tries. Nothing was told or changed.",
        fires: case(
            20,
            &[(
                "clause9_collector_requests_denied_total{job=\"clause9-collector\",instance=\"c:1\",reason=\"unknown\"}",
                "0x10 20x20",
            )],
        ),
        labels: &[
            ("job", "clause9-collector"),
            ("instance", "c:1"),
            ("reason", "unknown"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_collector_requests_denied_total{job=\"clause9-collector\",instance=\"c:1\",reason=\"no_token\"}",
                "0x10 20x20",
            )],
        ),
    },
    Alert {
        name: "Clause9EnrolmentRefused",
        expr: "sum by (job, instance, result) (increase(clause9_collector_enrolments_total{result=~\"unknown_token|used|untrusted|limited\"}[15m])) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "an agent was not let in ({{ $labels.result }})",
        description: "Somebody showed a token that is none, or that another agent used before, or a key that is not believed. Nobody was let in by it.",
        fires: case(
            20,
            &[(
                "clause9_collector_enrolments_total{job=\"clause9-collector\",instance=\"c:1\",result=\"used\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[
            ("job", "clause9-collector"),
            ("instance", "c:1"),
            ("result", "used"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_collector_enrolments_total{job=\"clause9-collector\",instance=\"c:1\",result=\"approved\"}",
                "0x10 1x20",
            )],
        ),
    },
    Alert {
        name: "Clause9RegisterNotWritten",
        expr: "sum by (job, instance) (increase(clause9_collector_write_failures_total[15m])) > 0",
        hold: "0m",
        severity: Page,
        summary: "the collector {{ $labels.instance }} cannot write its register",
        description: "Batches are answered 503 and stay with their agents, whose outboxes are bounded. Nothing is judged until the register can be written.",
        fires: case(
            20,
            &[(
                "clause9_collector_write_failures_total{job=\"clause9-collector\",instance=\"c:1\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_collector_write_failures_total{job=\"clause9-collector\",instance=\"c:1\"}",
                "1x30",
            )],
        ),
    },
    Alert {
        name: "Clause9CheckpointsFailing",
        // Both are read before anything is signed, so a signer that hangs shows as well.
        expr: "max by (job, instance) (clause9_collector_log_records - clause9_collector_log_checkpoint_records) > 0",
        hold: "25m",
        severity: Ticket,
        summary: "the collector {{ $labels.instance }} signs no checkpoints",
        description: "The register is written and judged, but what is new in it cannot be proved to others: the key is gone or another one, or the program that signs fails. The collector's log says which.",
        fires: case(
            40,
            &[
                (
                    "clause9_collector_log_records{job=\"clause9-collector\",instance=\"c:1\"}",
                    "900+9x60",
                ),
                (
                    "clause9_collector_log_checkpoint_records{job=\"clause9-collector\",instance=\"c:1\"}",
                    "800x60",
                ),
            ],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "",
        silent: case(
            40,
            &[
                (
                    "clause9_collector_log_records{job=\"clause9-collector\",instance=\"c:1\"}",
                    "900+9x60",
                ),
                (
                    "clause9_collector_log_checkpoint_records{job=\"clause9-collector\",instance=\"c:1\"}",
                    "900+9x60",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9WitnessContradicts",
        expr: "sum by (job, instance, witness) (increase(clause9_collector_witness_asked_total{result=~\"ahead|contradicted\"}[1h])) > 0",
        hold: "0m",
        severity: Page,
        summary: "the witness {{ $labels.witness }} saw another history of the register of {{ $labels.instance }}",
        description: "The witness remembers records that this register has not: it was set back, rewritten, or replaced by another one. Evidence may be gone. The witness keeps what it saw.",
        fires: case(
            20,
            &[(
                "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"ahead\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[
            ("job", "clause9-collector"),
            ("instance", "c:1"),
            ("witness", "audit.example.com/w"),
        ],
        shown: "",
        silent: case(
            20,
            &[
                (
                    "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"cosigned\"}",
                    "0+1x30",
                ),
                (
                    "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"ahead\"}",
                    "0x30",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9WitnessSilent",
        expr: "sum by (job, instance, witness) (increase(clause9_collector_witness_asked_total{result=\"failed\"}[1h])) > 0 unless sum by (job, instance, witness) (increase(clause9_collector_witness_asked_total{result!=\"failed\"}[1h])) > 0",
        hold: "2h",
        severity: Ticket,
        summary: "the witness {{ $labels.witness }} has not cosigned for hours",
        description: "Checkpoints of the collector {{ $labels.instance }} are signed and not cosigned. What is proved in this time rests on the collector's own word.",
        fires: case(
            300,
            &[
                (
                    "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"failed\"}",
                    "0+1x400",
                ),
                (
                    "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"cosigned\"}",
                    "3x400",
                ),
            ],
        ),
        labels: &[
            ("job", "clause9-collector"),
            ("instance", "c:1"),
            ("witness", "audit.example.com/w"),
        ],
        shown: "",
        silent: case(
            300,
            &[
                (
                    "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"failed\"}",
                    "0+1x400",
                ),
                (
                    "clause9_collector_witness_asked_total{job=\"clause9-collector\",instance=\"c:1\",witness=\"audit.example.com/w\",result=\"cosigned\"}",
                    "0+1x400",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9RegisterDiskFilling",
        // A day's trend, from six hours on: the first minutes of a register say nothing of a week.
        expr: "predict_linear(clause9_collector_store_free_bytes[1d], 7 * 86400) < 0 and on (job, instance) clause9_collector_store_free_bytes offset 6h",
        hold: "1h",
        severity: Ticket,
        summary: "the disk of the register of {{ $labels.instance }} is full within a week",
        description: "If it goes on as in the last day, the collector cannot write within seven days. Nothing of the register can be deleted: it needs a larger disk.",
        // 1 GiB that shrinks by 10 MB in ten minutes lasts 18 hours.
        fires: case(
            600,
            &[(
                "clause9_collector_store_free_bytes{job=\"clause9-collector\",instance=\"c:1\"}",
                "1073741824-1000000x700",
            )],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "",
        // 100 GB that shrink by 10 kB in a minute last for years; and a steep first hour.
        silent: case(
            600,
            &[
                (
                    "clause9_collector_store_free_bytes{job=\"clause9-collector\",instance=\"c:1\"}",
                    "100000000000-10000x700",
                ),
                (
                    "clause9_collector_store_free_bytes{job=\"clause9-collector\",instance=\"c:2\"}",
                    "_x500 1073741824-1000000x200",
                ),
            ],
        ),
    },
    Alert {
        name: "Clause9StateWriteFailures",
        expr: "sum by (job, instance, what) (increase(clause9_state_write_failures_total[15m])) > 0",
        hold: "0m",
        severity: Page,
        summary: "{{ $labels.instance }} cannot write its state ({{ $labels.what }})",
        description: "The disk is full, read-only or not permitted. Closed panes may be lost at the next restart.",
        fires: case(
            20,
            &[(
                "clause9_state_write_failures_total{job=\"clause9-agent\",instance=\"a:1\",what=\"outbox\"}",
                "0x10 1x20",
            )],
        ),
        labels: &[
            ("job", "clause9-agent"),
            ("instance", "a:1"),
            ("what", "outbox"),
        ],
        shown: "",
        silent: case(
            20,
            &[(
                "clause9_state_write_failures_total{job=\"clause9-agent\",instance=\"a:1\",what=\"outbox\"}",
                "1x30",
            )],
        ),
    },
    Alert {
        name: "Clause9MonitorRestarted",
        expr: "sum by (job, instance) (increase(clause9_monitor_restarts_total[1h])) > 0",
        hold: "0m",
        severity: Ticket,
        summary: "the monitor of {{ $labels.instance }} failed and was started again",
        description: "Traffic went on; what the open panes held is lost and counted as dropped. This is a defect: keep the log.",
        fires: case(
            70,
            &[(
                "clause9_monitor_restarts_total{job=\"clause9-agent\",instance=\"a:1\"}",
                "0x30 1x60",
            )],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            70,
            &[(
                "clause9_monitor_restarts_total{job=\"clause9-agent\",instance=\"a:1\"}",
                "1x90",
            )],
        ),
    },
    Alert {
        name: "Clause9CollectorDown",
        expr: "up{job=\"clause9-collector\"} == 0 or absent(up{job=\"clause9-collector\"})",
        hold: "5m",
        severity: Page,
        summary: "the collector is down",
        description: "Nothing is verified, judged or recorded. Agents keep their batches within their outbox's bound.",
        fires: case(
            10,
            &[("up{job=\"clause9-collector\",instance=\"c:1\"}", "0x20")],
        ),
        labels: &[("job", "clause9-collector"), ("instance", "c:1")],
        shown: "",
        silent: case(
            10,
            &[("up{job=\"clause9-collector\",instance=\"c:1\"}", "1x20")],
        ),
    },
    Alert {
        name: "Clause9AgentDown",
        expr: "up{job=\"clause9-agent\"} == 0",
        hold: "5m",
        severity: Page,
        summary: "agent {{ $labels.instance }} is down",
        description: "Where the agent stands in the path, the model is not reachable through it; where it does not, traffic is not measured.",
        fires: case(
            10,
            &[("up{job=\"clause9-agent\",instance=\"a:1\"}", "0x20")],
        ),
        labels: &[("job", "clause9-agent"), ("instance", "a:1")],
        shown: "",
        silent: case(
            10,
            &[("up{job=\"clause9-agent\",instance=\"a:1\"}", "0x3 1x20")],
        ),
    },
];
