//! What agent and collector tell of one batch by OpenTelemetry's protocol, beside a real collector of it: one trace, from the pane
//! that is closed to the pane that is sealed, whose name is the batch's. Whoever is told, and whether anybody is, changes
//! nothing in what is delivered.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clause9_tests::http;
use clause9_tests::process::{free_port, wait_until};
use clause9_tests::rotel::{Rotel, Taken};
use clause9_tests::{sidecar, tools};

use crate::first_nonconformity::Bank;

/// No test waits longer for what is on its way.
const PATIENCE: Duration = Duration::from_secs(20);
/// What nobody but the receiver is to see.
const SECRET: &str = "none-of-your-business";
/// Every step of a batch that is delivered at the first try, with the one that it follows from.
const STEPS: [(&str, &str); 8] = [
    ("close pane", ""),
    ("put into outbox", "close pane"),
    ("deliver batch", "close pane"),
    ("ship batch", "deliver batch"),
    ("POST /v1/batches", "ship batch"),
    ("verify batch", "POST /v1/batches"),
    ("write batch", "POST /v1/batches"),
    ("seal pane", "POST /v1/batches"),
];

fn rotel(folder: &Path) -> anyhow::Result<Option<Rotel>> {
    let Some(program) = tools::rotel()? else {
        return Ok(None);
    };
    Rotel::start(&program, folder).map(Some)
}

/// Section `otlp` of both programs.
fn section(port: u16, more: &str) -> String {
    format!("otlp: {{ endpoint: \"http://127.0.0.1:{port}\", {more} }}\n")
}

/// The spans of one trace, by their names.
fn of_trace(spans: Vec<Taken>, trace: &str) -> BTreeMap<String, Vec<Taken>> {
    let mut named: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
    for span in spans {
        if span.field("Trace ID") == trace {
            let name = span.field("Name").to_owned();
            named.entry(name).or_default().push(span);
        }
    }
    named
}

/// Names of the batches that the register has.
fn batches(bank: &Bank) -> anyhow::Result<Vec<String>> {
    let records = bank.site.list("/v1/evidence?type=batch&limit=1000")?;
    let names = records.iter().map(|record| {
        let digest = record["digest"].as_str().context("a record's name")?;
        let record = bank.site.get(&format!("/v1/evidence/{digest}"))?;
        let batch = record["body"]["batch"].as_str();
        Ok(batch.context("a batch's name")?.to_owned())
    });
    names.collect()
}

/// The trace of a batch: the beginning of its name.
fn trace_of(batch: &str) -> &str {
    let digest = batch.trim_start_matches("sha256:");
    digest.get(..32).unwrap_or_default()
}

/// A figure of the agent, or of the collector.
fn figure(port: u16, series: &str) -> anyhow::Result<u64> {
    sidecar::count(&http::get(port, "/metrics")?.text(), series)
}

#[test]
fn a_batch_is_one_trace_from_the_pane_that_closes_to_the_pane_that_is_sealed() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let Some(rotel) = rotel(folder.path())? else {
        return Ok(());
    };
    std::fs::write(folder.path().join("header"), format!("Bearer {SECRET}\n"))?;
    let agent = section(
        rotel.http,
        "headers: { authorization: header }, traces: { ratio: 1 }",
    );
    // Whoever begins a trace decides whether it is kept: the collector follows, though by itself it would keep none.
    let collector = section(rotel.http, "traces: { ratio: 0 }");
    let mut bank = Bank::telling(folder.path(), &agent, &collector)?;
    for day in 0..3 {
        bank.live_through(day, 3)?;
    }
    let batches = batches(&bank)?;
    let whole = |batch: &&String| {
        let named = of_trace(rotel.spans(), trace_of(batch));
        STEPS.iter().all(|(name, _)| named.contains_key(*name))
    };
    // One that the collector had before the disk is never put there: not each has every step.
    wait_until("a batch with every step", PATIENCE, || {
        batches.iter().any(|batch| whole(&batch))
    })?;
    let batch = batches.iter().find(whole).context("that batch")?;
    let named = of_trace(rotel.spans(), trace_of(batch));
    assert_eq!(named.len(), STEPS.len(), "{named:#?}");
    for (name, parent) in STEPS {
        let [span] = &named[name][..] else {
            anyhow::bail!("{name} is there more than once: {named:#?}");
        };
        let above = named.get(parent).map_or("", |spans| spans[0].field("ID"));
        assert_eq!(span.field("Parent ID"), above, "{name}: {named:#?}");
        let [start, end] = ["Start time", "End time"].map(|f| span.field(f).parse::<u64>());
        assert!(start? <= end?, "{span:#?}");
    }
    told_of(&named, batch);
    // Where the agent's own steps stand is in the batch's name.
    let digest = batch.trim_start_matches("sha256:");
    assert_eq!(named["close pane"][0].field("ID"), &digest[32..48]);
    assert_eq!(named["deliver batch"][0].field("ID"), &digest[48..]);
    let admin = bank.site.agent(0)?.admin;
    let exported = "clause9_agent_otlp_exported_total{signal=\"traces\"}";
    assert!(figure(admin, exported)? >= 4);
    // What a file holds for the receiver, nobody else is told.
    for path in ["/metrics", "/status"] {
        assert!(!http::get(admin, path)?.text().contains(SECRET), "{path}");
    }
    bank.agent.terminate(PATIENCE)?;
    assert!(bank.agent.ended_well());
    let said = bank.agent.lines();
    assert!(
        said.iter().all(|line| !line.contains(SECRET)),
        "{}",
        bank.agent.end()
    );
    Ok(())
}

/// What the agent's steps say: whose batch it is, and how it went; nothing of what is in it.
fn told_of(named: &BTreeMap<String, Vec<Taken>>, batch: &str) {
    let about = [("clause9.system", "grading"), ("clause9.batch", batch)];
    let went = [
        ("clause9.delivery.outcome", "receipt"),
        ("http.response.status_code", "200"),
    ];
    for (name, kind, wanted) in [
        ("close pane", "INTERNAL", &about[..]),
        ("put into outbox", "INTERNAL", &[][..]),
        ("deliver batch", "INTERNAL", &about[..]),
        ("ship batch", "CLIENT", &went[..]),
    ] {
        let span = &named[name][0];
        assert_eq!(span.field("Kind"), format!("SPAN_KIND_{kind}"), "{span:#?}");
        let wanted = wanted.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        let wanted: BTreeMap<String, String> = wanted.collect();
        assert_eq!(span.attributes, wanted, "{span:#?}");
    }
}

#[test]
fn a_share_of_none_tells_nothing_and_decides_for_the_collector_too() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(rotel) = rotel(folder.path())? else {
        return Ok(());
    };
    let mut bank = Bank::telling(
        folder.path(),
        &section(rotel.http, "traces: { ratio: 0 }"),
        &section(rotel.http, "traces: { ratio: 1 }"),
    )?;
    bank.live_through(0, 3)?;
    bank.live_through(1, 3)?;
    let admin = bank.site.agent(0)?.admin;
    let exported = "clause9_agent_otlp_exported_total{signal=\"traces\"}";
    assert_eq!(figure(admin, exported)?, 0);
    bank.agent.terminate(PATIENCE)?;
    // The collector's own steps are told, those of the agent's batches are not.
    wait_until("a step of the collector", PATIENCE, || {
        !rotel.spans().is_empty()
    })?;
    let said = rotel.spans();
    assert!(
        said.iter().all(|span| span.field("Name") == "seal pane"),
        "{said:#?}"
    );
    Ok(())
}

#[test]
fn a_receiver_that_is_away_changes_nothing_and_every_span_is_counted() -> anyhow::Result<()> {
    goes_on(free_port()?, "connect")
}

#[test]
fn a_receiver_that_keeps_silent_changes_nothing_and_every_span_is_counted() -> anyhow::Result<()> {
    // Connections are made by the kernel; nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    goes_on(silent.local_addr()?.port(), "timeout")
}

fn goes_on(port: u16, how: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let agent = section(port, "timeout: 100ms, traces: { ratio: 1 }");
    let mut bank = Bank::telling(folder.path(), &agent, "")?;
    // Each day ends with a seal, for which the agent's batch must have been acknowledged.
    for day in 0..3 {
        bank.live_through(day, 3)?;
    }
    let admin = bank.site.agent(0)?.admin;
    let failed = format!("clause9_agent_otlp_failed_total{{reason=\"{how}\"}}");
    wait_until(&failed, PATIENCE, || {
        figure(admin, &failed).is_ok_and(|times| times > 0)
    })?;
    assert_eq!(figure(admin, "clause9_outbox_batches")?, 0);
    bank.agent.terminate(PATIENCE)?;
    assert!(bank.agent.ended_well());
    // Each batch was closed and delivered, each try to deliver one was answered, and what the collector did not have
    // before was put on disk.
    let tries: u64 = ["stored", "duplicate", "refused", "unavailable"]
        .iter()
        .map(|result| {
            let series = format!("clause9_collector_batches_total{{result=\"{result}\"}}");
            figure(bank.site.collector, &series)
        })
        .sum::<anyhow::Result<u64>>()?;
    let batches = batches(&bank)?.len() as u64;
    let said = bank.agent.lines();
    let counted = said
        .iter()
        .find(|line| line.contains("ended before these were exported"))
        .context("the agent says what it did not export")?;
    let told = counted
        .split_whitespace()
        .find_map(|word| word.strip_prefix("items="))
        .context("how many")?;
    let all = 2 * batches + tries..=3 * batches + tries;
    assert!(all.contains(&told.parse()?), "{all:?}: {counted}");
    Ok(())
}
