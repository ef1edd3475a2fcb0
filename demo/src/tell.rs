//! What happened, in plain words; and the same as JSON. Tells what [`crate::account`] read,
//! nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use clause9_shared::metric::{MetricId, StreamKind};
use serde_json::{Value, json};

use crate::account::{Account, Nonconformity, Onset, Standing, dated};
use crate::case::TimeSource;
use crate::model::Quality;
use crate::production::Production;
use crate::progress;
use crate::traffic::{Ask, Pane};
use crate::world::Site;
use crate::wrap::{columns, wrap};

/// Says lines that fit the screen.
fn say(text: impl AsRef<str>) {
    progress::say(wrap(text.as_ref(), columns()));
}

/// The day of a point in time.
fn day(at: &impl ToString) -> String {
    at.to_string().chars().take(10).collect()
}

fn figures(quality: &Quality) -> String {
    let area = quality.roc_auc.map_or("-".into(), |a| format!("{a:.3}"));
    format!("accuracy {:.3}, ROC AUC {area}", quality.accuracy)
}

/// How the model came out.
pub(crate) fn model(site: &Site) {
    let history = &site.history;
    say(format!("\n{} — {}", site.case.name, site.case.title));
    say(format!(
        "  a model of boosted trees was fitted to {} rows ({})\n  on {} rows that it never saw: {}; those are the baseline",
        history.fitted.rows,
        figures(&history.fitted),
        history.held_out.rows,
        figures(&history.held_out),
    ));
    if matches!(site.case.time, TimeSource::Synthetic { .. }) {
        say("  the data has no times: dates and delays below are synthetic");
    }
}

/// What is going to be replayed.
pub(crate) fn plan(site: &Site, production: &Production, panes: &[Pane]) {
    let requests = panes.iter().flat_map(|p| &p.requests);
    let predictions = requests
        .clone()
        .filter(|r| matches!(r.ask, Ask::Predict(_)))
        .count();
    let others = requests.count() - predictions;
    let (first, last) = (panes.first(), panes.last());
    say(format!(
        "\n{}: {} rows in {predictions} requests (and {others} health checks and mistakes) through {} agents\n  {} late records, {} panes of {} from {} to {}",
        site.case.name,
        production.rows.len(),
        site.replicas.len(),
        production.late.len(),
        panes.len(),
        site.document.panes.length,
        first.map_or_else(String::new, |p| day(&p.start.0)),
        last.map_or_else(String::new, |p| day(&p
            .start
            .end(site.document.panes.length))),
    ));
    if let Some(row) = production.drift_at {
        say(format!(
            "  the makers of the data changed the population from row {row} ({}); clause9 is not told",
            day(&production.rows[row].at)
        ));
    }
}

/// What happened.
pub(crate) fn account(site: &Site, account: &Account, collector: SocketAddr) {
    let case = account.case;
    say(format!("\nwhat happened to {case}"));
    for standing in &account.verdicts {
        say(objective(standing));
    }
    if account.nonconformities.is_empty() {
        say("  no nonconformity was raised");
    }
    for raised in &account.nonconformities {
        say(nonconformity(raised, account));
    }
    say(coverage(account));
    say(format!(
        "  {} windows measured in {} records; {} measurements are missing{}",
        account.measurements.len(),
        account.measurement_records,
        account.missing,
        examples(&account.missing_examples),
    ));
    let batches = &account.batches;
    say(format!(
        "  {} batches in the register, {} of them twice, {} left out",
        batches.stored, batches.twice, batches.left_out
    ));
    if let Some(restart) = &account.restart {
        say(format!(
            "  the collector was killed and started again: of {} records before it {} were lost, {} of {} now stand twice",
            restart.records_before, restart.lost, restart.twice, restart.records_after
        ));
    }
    say(format!(
        "  replayed in {:.1} s, sealed {:.1} s later\n  look:\n    http://{collector}/systems/{case}\n    http://{collector}/v1/systems/{case}/objectives\n    http://{collector}/v1/nonconformities?system={case}\n  agents:\n{}",
        account.timings.replay_seconds,
        account.timings.sealing_seconds,
        site.replicas
            .iter()
            .map(|r| format!("    http://{}/status", r.admin))
            .collect::<Vec<_>>()
            .join("\n"),
    ));
}

fn objective(standing: &Standing) -> String {
    let asks = if standing.comparator == "at_most" {
        "at most"
    } else {
        "at least"
    };
    let newest = standing.newest.as_ref().and_then(|newest| {
        let value = newest.value?;
        Some(format!(
            "{value:.4} in the window {} to {}",
            day(&newest.start),
            day(&newest.end)
        ))
    });
    let evidence = standing
        .evidence_nats
        .map_or("none".into(), |nats| format!("{nats:.1}"));
    format!(
        "  {:<14} {}: {}\n{}      {} {asks} {}; newest: {}\n      evidence of a breach {evidence} of {:.1} nats\n      {}",
        standing.state,
        standing.objective,
        standing.statement,
        silence(standing),
        standing.metric,
        standing.action,
        newest.unwrap_or_else(|| "no value".into()),
        standing.nonconformity_at_nats,
        dated(&standing.because, &standing.steps),
    )
}

/// A line about an objective that nothing speaks for any more; empty if something does.
fn silence(standing: &Standing) -> String {
    if standing.state == standing.state_at_end {
        return String::new();
    }
    let metric = MetricId::ALL.iter().map(|m| m.spec());
    let stream = metric
        .filter(|spec| spec.name == standing.metric)
        .map(|spec| spec.stream)
        .next();
    let what = match stream {
        Some(StreamKind::Traffic) => "traffic",
        Some(StreamKind::Outcomes) => "labels",
        Some(StreamKind::ByAttribute) | None => "cases",
    };
    let until = standing.judged_until.as_ref().map_or_else(String::new, day);
    format!(
        "      as long as there was {what} (until {until}); with none since, the register now says {}\n",
        standing.state_at_end
    )
}

fn nonconformity(raised: &Nonconformity, account: &Account) -> String {
    let began = raised.onset.as_ref().map_or_else(
        || "where it began is not told by the register".into(),
        |onset| {
            format!(
                "it began in the window {} to {} (value {:.4}, rows {} to {}{})\n      evidence gathered without a break from the pane of {} on",
                day(&onset.window_start),
                day(&onset.window_end),
                onset.value,
                onset.first_row,
                onset.last_row,
                change(onset, account.drift_at),
                day(&onset.evidence_since.0),
            )
        },
    );
    format!(
        "  NONCONFORMITY (candidate) {}: raised {}, seen again {} times\n      {began}\n      record {}",
        raised.objective,
        day(&raised.detected_at),
        raised.seen_again,
        raised.record,
    )
}

/// Where the change that the data's makers made lies, seen from the window of an onset.
fn change(onset: &Onset, drift_at: Option<usize>) -> String {
    let Some(row) = drift_at else {
        return String::new();
    };
    if onset.contains_change == Some(true) {
        format!("); the window contains the change (row {row}")
    } else if onset.before_change == Some(true) {
        format!("); the change comes only later (row {row}")
    } else if onset.first_row == row {
        format!("); the window begins with the change (row {row}")
    } else {
        format!("); the change came before (row {row}")
    }
}

fn coverage(account: &Account) -> String {
    let (client, seen) = (&account.coverage.client, &account.coverage.collector);
    let yes = |good: bool| if good { "yes" } else { "NO" };
    format!(
        "  clients sent {} requests with {} rows; the agents saw {}, kept {} with {} rows\n  {} were no inference, dropped {}, not understood {}\n  adds up in every pane: {}; equals the clients' count in every pane: {}\n  clients sent {} late records: {}",
        client.requests,
        client.rows,
        seen["seen"],
        seen["sampled"],
        seen["rows"],
        seen["not_inference"],
        reasons(&seen["dropped"]),
        reasons(&seen["undecodable"]),
        yes(account.coverage.adds_up),
        yes(account.coverage.equals_client),
        client.late_records,
        reasons(&account.outcome_coverage),
    )
}

/// The reasons that occurred, with their counts.
fn reasons(counts: &Value) -> String {
    let fields = counts.as_object().into_iter().flatten();
    let occurred: Vec<String> = fields
        .filter(|(_, n)| n.as_u64().unwrap_or(0) > 0)
        .map(|(reason, n)| format!("{n} {reason}"))
        .collect();
    if occurred.is_empty() {
        "none".into()
    } else {
        occurred.join(", ")
    }
}

fn examples(missing: &[Value]) -> String {
    let Some(first) = missing.first() else {
        return String::new();
    };
    format!(
        " (such as {} of {}: {})",
        first["objective"].as_str().unwrap_or_default(),
        day(&first["start"].as_str().unwrap_or_default()),
        first["detail"].as_str().unwrap_or_default(),
    )
}

/// What happened, as JSON: one entry per case.
pub(crate) fn summary(accounts: &[Account], took: Duration) -> Value {
    let cases: serde_json::Map<String, Value> = accounts
        .iter()
        .map(|account| (account.case.into(), json!(account)))
        .collect();
    json!({ "cases": cases, "seconds": took.as_secs_f64() })
}
