//! What the collector tells by OpenTelemetry's protocol, beside a real collector of it: the same values that its own answers
//! and /metrics say, every changed verdict with the record that it rests on, and steps of one batch in one trace. And a collector
//! whose receiver is away, keeps silent or refuses goes on as if there were none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clause9_shared::time::Timestamp;
use clause9_tests::http;
use clause9_tests::process::{free_port, wait_until};
use clause9_tests::rotel::{Rotel, Taken};
use clause9_tests::tools;
use serde_json::Value;

use crate::first_nonconformity::Bank;

/// No test waits longer for what is on its way.
const PATIENCE: Duration = Duration::from_secs(20);

fn rotel(folder: &Path) -> anyhow::Result<Option<Rotel>> {
    let Some(program) = tools::rotel()? else {
        return Ok(None);
    };
    Rotel::start(&program, folder).map(Some)
}

/// Whether a figure is, to the bit, what is shown elsewhere.
fn same(told: &str, shown: f64, of: &str) -> anyhow::Result<()> {
    let told: f64 = told.parse()?;
    anyhow::ensure!(
        told.to_bits() == shown.to_bits(),
        "{of}: {told} and {shown}"
    );
    Ok(())
}

#[test]
fn what_is_told_by_http_is_what_the_register_says() -> anyhow::Result<()> {
    told_alike("http/protobuf")
}

#[test]
fn what_is_told_by_grpc_is_what_the_register_says() -> anyhow::Result<()> {
    told_alike("grpc")
}

fn told_alike(protocol: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(rotel) = rotel(folder.path())? else {
        return Ok(());
    };
    let port = if protocol == "grpc" {
        rotel.grpc
    } else {
        rotel.http
    };
    std::fs::write(
        folder.path().join("header"),
        "Bearer none-of-your-business\n",
    )?;
    let mut bank = Bank::told(
        folder.path(),
        &format!(
            "otlp:\n  endpoint: http://127.0.0.1:{port}\n  protocol: {protocol}\n  headers: {{ authorization: header }}\n  \
             interval: 200ms\n  resource: {{ deployment.environment.name: test }}\n"
        ),
    )?;
    let begun = SystemTime::now();
    for day in 0..10 {
        bank.live_through(day, 3)?;
    }
    let mut day = 9;
    while bank.last_verdict()?["state"] != "nonconforming" {
        day += 1;
        anyhow::ensure!(day < 25, "the breach was never confirmed");
        bank.live_through(day, 25)?;
    }
    same_events(&rotel, &bank)?;
    same_figures(&rotel, &bank, begun)?;
    let resource = rotel.resource();
    let says = |key: &str| resource.get(key).map(String::as_str);
    assert_eq!(says("service.name"), Some("clause9-collector"));
    assert_eq!(says("deployment.environment.name"), Some("test"));
    // Traces were not asked for.
    assert_eq!(rotel.spans(), Vec::new());
    Ok(())
}

/// Every verdict that is another one than before, and the candidate, each under its record's name; nothing else.
fn same_events(rotel: &Rotel, bank: &Bank) -> anyhow::Result<()> {
    let mut wanted = Vec::new();
    for item in bank.site.list("/v1/verdicts?system=grading&limit=1000")? {
        let body = &item["record"]["body"];
        if body["verdict"]["state"] != body["previous"] {
            wanted.push((item.clone(), "clause9.verdict.changed"));
        }
    }
    assert!(wanted.len() >= 3, "{wanted:#?}");
    for item in bank.nonconformities()? {
        wanted.push((item, "clause9.nonconformity.raised"));
    }
    let what = format!("{} events", wanted.len());
    wait_until(&what, PATIENCE, || rotel.events().len() >= wanted.len())?;
    let events = rotel.events();
    let by_record: BTreeMap<_, _> = events
        .iter()
        .map(|event| (event.attribute("clause9.record"), event))
        .collect();
    assert_eq!(
        (events.len(), by_record.len()),
        (wanted.len(), wanted.len())
    );
    for (item, name) in wanted {
        let digest = item["digest"].as_str().context("a record's name")?;
        let event = by_record.get(digest).context("an event of the record")?;
        let (header, body) = (&item["record"]["header"], &item["record"]["body"]);
        assert_eq!(event.field("EventName"), name, "{event:#?}");
        for (attribute, value) in [
            ("clause9.system", "grading"),
            ("clause9.objective", "accuracy"),
            ("clause9.objective.version", "1"),
            ("clause9.metric", "accuracy"),
            ("clause9.clock", "replay"),
        ] {
            assert_eq!(event.attribute(attribute), value, "{event:#?}");
        }
        if let Some(state) = body["verdict"]["state"].as_str() {
            assert_eq!(event.attribute("clause9.verdict.state"), state);
            let before = body["previous"].as_str().unwrap_or_default();
            assert_eq!(event.attribute("clause9.verdict.previous_state"), before);
        }
        for (field, key) in [
            ("Timestamp", "created_at"),
            ("ObservedTimestamp", "received_at"),
        ] {
            let at: Timestamp = header[key].as_str().unwrap_or_default().parse()?;
            assert_eq!(event.field(field), format!("{}", at.micros() * 1000));
        }
    }
    Ok(())
}

/// The newest figures are what /metrics shows and what the register's last measurement says.
fn same_figures(rotel: &Rotel, bank: &Bank, begun: SystemTime) -> anyhow::Result<()> {
    let shown = http::get(bank.site.collector, "/metrics")?.text();
    let shown = |series: &str| -> anyhow::Result<f64> {
        let line = shown.lines().find_map(|line| line.strip_prefix(series));
        let value = line.with_context(|| format!("/metrics lacks {series}"))?;
        Ok(value.trim().parse()?)
    };
    let nonconforming = |point: &Taken| {
        point.attribute("clause9.verdict.state") == "nonconforming" && point.field("Value") == "1"
    };
    wait_until("the last verdict's figure", PATIENCE, || {
        rotel.points("clause9.verdict").iter().any(nonconforming)
    })?;
    let last = |gauge: &str| newest(rotel, gauge, "");
    let of = "{objective=\"accuracy\",system=\"grading\"}";
    for (gauge, series) in [
        ("clause9.objective.support", format!("clause9_objective_support{of}")),
        ("clause9.objective.evidence", format!("clause9_objective_evidence_nats{of}")),
        ("clause9.objective.value", "clause9_objective_value{metric=\"accuracy\",objective=\"accuracy\",scope=\"system\",system=\"grading\"}".into()),
    ] {
        let point = last(gauge)?;
        same(point.field("Value"), shown(&series)?, gauge)?;
        assert_eq!(point.attribute("clause9.clock"), "replay");
        // When it was read, not the replayed time of the window.
        let read: u128 = point.field("Timestamp").parse()?;
        assert!(read >= begun.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos());
    }
    for state in ["nonconforming", "conforming", "warning"] {
        let series = format!(
            "clause9_verdict{{objective=\"accuracy\",state=\"{state}\",system=\"grading\"}}"
        );
        let point = newest(rotel, "clause9.verdict", state)?;
        same(point.field("Value"), shown(&series)?, state)?;
    }
    let verdict = bank.last_verdict()?;
    let grade = last("clause9.objective.evidence")?;
    let grade = grade.attribute("clause9.evidence.grade").to_owned();
    assert_eq!(Value::from(grade), verdict["grade"]);
    let measured = bank
        .site
        .list("/v1/measurements?system=grading&limit=1000")?;
    let start: f64 = last("clause9.objective.window.start")?
        .field("Value")
        .parse()?;
    let window = measured.iter().rfind(|item| {
        let at = item["record"]["body"]["start"].as_str();
        let at: Option<Timestamp> = at.and_then(|at| at.parse().ok());
        at.is_some_and(|at| at.seconds_f64().total_cmp(&start).is_eq())
    });
    let body = &window.context("a measurement of the window")?["record"]["body"];
    for (gauge, value) in [
        ("clause9.objective.value", &body["value"]["value"]),
        ("clause9.objective.value.low", &body["interval"][0]["value"]),
        (
            "clause9.objective.value.high",
            &body["interval"][1]["value"],
        ),
    ] {
        let told: f64 = last(gauge)?.field("Value").parse()?;
        assert_eq!(Some(told), value.as_f64(), "{gauge}: {body:#}");
    }
    Ok(())
}

/// The newest point of a gauge, and of a verdict's state if it has one.
fn newest(rotel: &Rotel, gauge: &str, state: &str) -> anyhow::Result<Taken> {
    let mut points = rotel.points(gauge);
    points.retain(|point| point.attribute("clause9.verdict.state") == state);
    points.pop().with_context(|| format!("no point of {gauge}"))
}

#[test]
fn the_steps_of_a_batch_are_one_trace() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(rotel) = rotel(folder.path())? else {
        return Ok(());
    };
    let port = rotel.http;
    let mut bank = Bank::told(
        folder.path(),
        &format!("otlp: {{ endpoint: \"http://127.0.0.1:{port}\", traces: {{ ratio: 1 }} }}\n"),
    )?;
    bank.live_through(0, 3)?;
    let steps = [
        "POST /v1/batches",
        "verify batch",
        "write batch",
        "seal pane",
    ];
    let whole = |spans: &[Taken]| {
        let sealed = spans
            .iter()
            .filter(|span| span.field("Name") == "seal pane");
        let mut traces = sealed.map(|span| span.field("Trace ID").to_owned());
        traces.find(|trace| {
            let mut names = BTreeSet::new();
            let of = spans.iter().filter(|span| span.field("Trace ID") == trace);
            names.extend(of.map(|span| span.field("Name").to_owned()));
            steps.iter().all(|step| names.contains(*step))
        })
    };
    wait_until("a trace with every step", PATIENCE, || {
        whole(&rotel.spans()).is_some()
    })?;
    let spans = rotel.spans();
    let trace = whole(&spans).context("the trace")?;
    let of: Vec<_> = spans
        .iter()
        .filter(|span| span.field("Trace ID") == trace)
        .collect();
    let root = of
        .iter()
        .find(|span| span.field("Name") == steps[0])
        .context("its root")?;
    assert_eq!(root.field("Kind"), "SPAN_KIND_SERVER");
    for span in &of {
        let is_root = span.field("ID") == root.field("ID");
        assert!(
            is_root || span.field("Parent ID") == root.field("ID"),
            "{of:#?}"
        );
        let [start, end] = ["Start time", "End time"].map(|f| span.field(f).parse::<u64>());
        assert!(start? <= end?, "{span:#?}");
        // Nothing of what was in it: at most how it was answered.
        let allowed = |name: &String| name == "http.response.status_code";
        assert!(span.attributes.keys().all(allowed), "{span:#?}");
    }
    Ok(())
}

#[test]
fn a_receiver_that_is_away_costs_nobody_anything_and_is_counted() -> anyhow::Result<()> {
    let port = free_port()?;
    goes_on(port, "connect", "superseded")
}

#[test]
fn a_receiver_that_keeps_silent_costs_nobody_anything_and_is_counted() -> anyhow::Result<()> {
    // Connections are made by the kernel; nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    goes_on(silent.local_addr()?.port(), "timeout", "superseded")
}

fn goes_on(port: u16, how: &str, why: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::told(
        folder.path(),
        &format!(
            "otlp: {{ endpoint: \"http://127.0.0.1:{port}\", timeout: 100ms, interval: 50ms, queue: 1 }}\n"
        ),
    )?;
    // Each day ends with a seal, for which the agent's batch must have been acknowledged.
    for day in 0..3 {
        bank.live_through(day, 3)?;
    }
    let count = |series: &str| -> u64 {
        let text = http::get(bank.site.collector, "/metrics");
        let text = text.map(|answer| answer.text()).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    };
    for series in [
        format!("clause9_collector_otlp_failed_total{{reason=\"{how}\"}}"),
        format!("clause9_collector_otlp_dropped_total{{reason=\"{why}\",signal=\"metrics\"}}"),
    ] {
        wait_until(&series, PATIENCE, || count(&series) > 0)?;
    }
    assert_eq!(
        count("clause9_collector_otlp_exported_total{signal=\"metrics\"}"),
        0
    );
    assert_eq!(
        count("clause9_collector_batches_total{result=\"unavailable\"}"),
        0
    );
    Ok(())
}
