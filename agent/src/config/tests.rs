use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::*;

const SMALLEST: &str = "\
listen: 127.0.0.1:8080
upstream: http://127.0.0.1:9000
objectives: o.yaml
baseline: b.json
";

#[test]
fn four_lines_are_enough_and_paths_start_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.yaml");
    fs::write(&path, SMALLEST).unwrap();
    let config = AgentConfig::from_file(&path).unwrap();
    assert_eq!(config.objectives, Some(folder.path().join("o.yaml")));
    assert_eq!(config.limits, LimitsConfig::default());
    assert_eq!(config.admin.port(), 9301);
    // Nobody but this machine reaches what is not the data path, unless it is configured.
    assert!(config.admin.ip().is_loopback() && config.outcomes.listen.ip().is_loopback());
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.yaml");
    fs::write(&path, format!("{SMALLEST}upstreams: x\n")).unwrap();
    let message = AgentConfig::from_file(&path).unwrap_err().to_string();
    assert!(message.starts_with("agent.yaml:5:1: "), "{message}");
}

#[test]
fn a_sink_may_stand_alone_and_half_a_proxy_may_not() {
    let problem = |text: &str| {
        let text = format!("{text}objectives: o.yaml\nbaseline: b.json\n");
        let config: AgentConfig = yaml::from_str("a", &text).unwrap().value;
        AgentPlan::new(config).unwrap_err().to_string()
    };
    let sink = "sink: { listen: 127.0.0.1:9303 }\n";
    // The configuration is good; what it names is not there.
    let alone = problem(sink);
    assert!(
        alone.starts_with("cannot read the objectives file"),
        "{alone}"
    );
    for (text, start) in [
        ("", "listen: is missing, and there is no sink"),
        ("listen: 127.0.0.1:1\n", "upstream: is missing"),
        (
            "upstream: http://x\n",
            "listen: is missing; write where clients",
        ),
        (
            "listen_unix: a.sock\nsink: { listen: 127.0.0.1:9303 }\n",
            "listen: is missing, but needed by",
        ),
        (
            "sink: { listen: 127.0.0.1:9303, open: true, token_file: t }\n",
            "sink.open: is true, but there is a token_file",
        ),
        (
            "sink: { listen: 127.0.0.1:9303, delivery_bytes: 10 }\n",
            "sink.delivery_bytes: must be from 1024 to",
        ),
        (
            "sink: { listen: 127.0.0.1:9303, joining: 0s }\n",
            "sink.joining: must be",
        ),
        ("sink: {}\n", "sink.listen: is missing; write where"),
    ] {
        let message = problem(text);
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn objectives_are_two_files_or_pulled_by_name_from_a_collector() {
    let problem = |text: &str| {
        let text = format!("listen: 127.0.0.1:1\nupstream: http://x\n{text}");
        let config: AgentConfig = yaml::from_str("a", &text).unwrap().value;
        AgentPlan::new(config).map(|_| ()).unwrap_err().to_string()
    };
    let pulled = "system: toy\ncollector: http://127.0.0.1:9300\n";
    for (text, start) in [
        ("objectives: o.yaml\n", "baseline: is missing"),
        (
            "baseline: b.json\n",
            "objectives: is missing; write where the objectives are, or take",
        ),
        (
            "",
            "objectives: is missing; write where the objectives are, or `system`",
        ),
        ("system: toy\n", "collector: is missing; it is asked"),
        (
            &format!("{pulled}pull: {{ every: 10ms }}\n"),
            "pull.every: must be from 1s to 1d",
        ),
        (
            &format!("{pulled}sink: {{ listen: 127.0.0.1:9303 }}\n"),
            "sink: needs objectives that are known from the start",
        ),
    ] {
        let message = problem(text);
        assert!(message.starts_with(start), "{message}");
    }
    let text = format!("listen: 127.0.0.1:1\nupstream: http://x\n{pulled}");
    let config: AgentConfig = yaml::from_str("a", &text).unwrap().value;
    let plan = AgentPlan::new(config).unwrap();
    assert!(matches!(plan.objectives, Objectives::Pulled(system) if system.as_str() == "toy"));
}

const TOPICS: &str = "brokers: [a:9092]\n    topics: [{ name: t, content: events }]";

fn wrong_with_topics(kafka: &str) -> String {
    let text = format!("objectives: o.yaml\nbaseline: b.json\nsink:\n  kafka:\n    {kafka}\n");
    let config: AgentConfig = yaml::from_str("a", &text).unwrap().value;
    AgentPlan::new(config).unwrap_err().to_string()
}

#[test]
fn a_client_of_c_code_is_never_in_the_process_of_a_proxy() {
    if !crate::sink::KAFKA {
        return;
    }
    let path = "listen: 127.0.0.1:1\nupstream: http://127.0.0.1:2";
    let message = wrong_with_topics(&format!("{TOPICS}\n{path}"));
    assert!(
        message.starts_with("sink.kafka: needs an agent of its own"),
        "{message}"
    );
}

#[test]
fn topics_are_checked_before_anything_is_read() {
    let (problem, good) = (wrong_with_topics, TOPICS);
    if !crate::sink::KAFKA {
        let message = problem(good);
        assert!(
            message.starts_with("sink.kafka: this program was built without it"),
            "{message}"
        );
        return;
    }
    assert!(problem(good).starts_with("cannot read the objectives file"));
    for (change, start) in [
        (
            good.replace("[a:9092]", "[]"),
            "sink.kafka.brokers: must name 1 to 64",
        ),
        (
            good.replace("a:9092", "a"),
            "sink.kafka.brokers: `a` is not HOST:PORT",
        ),
        (
            good.replace("a:9092", "\"a:1,b:2\""),
            "sink.kafka.brokers: `a:1,b:2` is not",
        ),
        (
            good.replace("[{ name: t, content: events }]", "[]"),
            "sink.kafka.topics: must name",
        ),
        (
            good.replace("name: t", "name: ^t.*"),
            "sink.kafka.topics: `^t.*` cannot be",
        ),
        (
            good.replace("events }]", "events }, { name: t, content: records }]"),
            "sink.kafka.topics: `t` stands there twice",
        ),
        (
            format!("{good}\n    group: ''"),
            "sink.kafka.group: must have",
        ),
        (
            format!("{good}\n    session: 10ms"),
            "sink.kafka.session: must be from 1s",
        ),
        (
            format!("{good}\n    fetch_bytes: 1"),
            "sink.kafka.fetch_bytes: must be from",
        ),
        (
            format!("{good}\n    tls: {{ key: k }}"),
            "sink.kafka.tls: needs `certificate` and",
        ),
        (
            format!("{good}\n    sasl: {{ mechanism: PLAIN, user: u, password_file: p }}"),
            "sink.kafka.sasl.mechanism: PLAIN would send",
        ),
        (
            format!("{good}\n    sasl: {{ mechanism: SCRAM-SHA-512, user: '', password_file: p }}"),
            "sink.kafka.sasl.user: must not be empty",
        ),
    ] {
        let message = problem(&change);
        assert!(message.starts_with(start), "{change}: {message}");
    }
}

#[test]
fn what_cannot_be_run_is_said_by_key() {
    let problem = |change: &dyn Fn(&mut AgentConfig)| {
        let mut config: AgentConfig = yaml::from_str("a", SMALLEST).unwrap().value;
        change(&mut config);
        AgentPlan::new(config).unwrap_err().to_string()
    };
    let starts = |message: String, start: &str| assert!(message.starts_with(start), "{message}");
    starts(
        problem(&|c| c.upstream = Some("tcp://x".into())),
        "upstream: `tcp://x` does not begin with a protocol",
    );
    starts(
        problem(&|c| c.upstream = Some("http://x/y".into())),
        "upstream: `http://x/y` has a path",
    );
    starts(problem(&|c| c.sampling.rate = 1.5), "sampling.rate: ");
    let cap = CapConfig {
        exchanges_per_second: Some(5.0),
        bytes_per_second: None,
    };
    let capped = |rate, cap| {
        problem(&|c| {
            c.sampling = SamplingConfig {
                rate,
                cap: Some(cap),
            }
        })
    };
    starts(capped(0.3, cap), "sampling.rate: with `sampling.cap`");
    let nothing = CapConfig {
        exchanges_per_second: None,
        ..cap
    };
    starts(capped(1.0, nothing), "sampling.cap: ");
    let none_a_second = CapConfig {
        bytes_per_second: Some(0.0),
        ..cap
    };
    starts(
        capped(1.0, none_a_second),
        "sampling.cap.bytes_per_second: ",
    );
    starts(problem(&|c| c.threads = Some(0)), "threads: ");
    starts(
        problem(&|c| c.limits.queue_exchanges = 0),
        "limits.queue_exchanges: ",
    );
    starts(
        problem(&|c| c.collector = Some("ftp://x".into())),
        "collector: ",
    );
    starts(
        problem(&|c| c.event_time_header = Some("a b".into())),
        "event_time_header: ",
    );
    let own = |path: &str| ProtocolConfig {
        path: path.into(),
        model: "m".into(),
        rows: String::new(),
        answers: "/score".into(),
    };
    starts(
        problem(&|c| c.protocols = vec![own("score")]),
        "protocols: path `score` does not begin with `/`",
    );
    starts(
        problem(&|c| c.protocols = vec![own("/score"); 17]),
        "protocols: there are more than 16",
    );
    starts(problem(&|_| ()), "cannot read the objectives file");
}

#[test]
fn whoever_is_told_of_the_agents_work_is_told_of_spans_alone_and_as_the_collector_tells() {
    let problem = |otlp: &str| {
        let text = format!("{SMALLEST}otlp: {otlp}\n");
        let config: AgentConfig = yaml::from_str("a", &text).unwrap().value;
        AgentPlan::new(config).unwrap_err().to_string()
    };
    for (otlp, start) in [
        ("{}", "otlp.traces: is missing"),
        (
            "{ traces: { ratio: 1 }, interval: 1s }",
            "otlp.interval: is about figures",
        ),
        (
            "{ traces: { ratio: 2 } }",
            "`otlp.traces.ratio` must be 0 to 1",
        ),
        (
            "{ traces: { ratio: 1 }, endpoint: \"ftp://a:1\" }",
            "`otlp.endpoint` has another scheme",
        ),
        (
            "{ traces: { ratio: 1 }, headers: { a: nowhere } }",
            "`otlp.headers`: cannot read nowhere",
        ),
        (
            "{ traces: { ratio: 0.5 }, queue: 100 }",
            "cannot read the objectives file",
        ),
    ] {
        let message = problem(otlp);
        assert!(message.starts_with(start), "{otlp}: {message}");
    }
    // Files of headers and roots stand beside the configuration, too.
    let text = format!("{SMALLEST}otlp: {{ headers: {{ a: b }}, tls: {{ roots: c }} }}\n");
    let config: AgentConfig = yaml::from_str("a", &text).unwrap().value;
    let mut config = config.resolved(Path::new("folder"));
    let paths = config
        .otlp
        .iter_mut()
        .flat_map(clause9_otlp::OtlpConfig::paths);
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths, [Path::new("folder/b"), Path::new("folder/c")]);
}

#[test]
fn what_is_shown_to_the_collector_has_to_fit_before_anything_runs() {
    let problem = |collector: &str, change: &dyn Fn(&mut CollectorTlsConfig)| {
        let mut config: AgentConfig = yaml::from_str("a", SMALLEST).unwrap().value;
        config.collector = Some(collector.into());
        change(&mut config.collector_tls);
        AgentPlan::new(config).unwrap_err().to_string()
    };
    let identity = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/identity");
        Some(folder.join(name))
    };
    let (tls, plain) = ("https://c:9300", "http://c:9300");
    let roots = |t: &mut CollectorTlsConfig| t.roots = identity("authority.pem");
    let starts = |text: String, with: &str| assert!(text.starts_with(with), "{text}");
    starts(
        problem(plain, &roots),
        "collector_tls.roots: is of use only with a `collector` that begins with https://",
    );
    starts(
        problem(tls, &|t| t.certificate = identity("client-a.pem")),
        "collector_tls.key: is missing",
    );
    starts(
        problem(tls, &|t| t.key = identity("client-a.key")),
        "collector_tls.certificate: is missing",
    );
    let pair = |certificate: &'static str, key: &'static str| {
        problem(tls, &|t| {
            roots(t);
            t.certificate = identity(certificate);
            t.key = identity(key);
        })
    };
    assert!(pair("client-a.pem", "client-b.key").contains("cannot be used together"));
    assert!(pair("client-a.key", "client-a.key").contains("holds no certificate"));
    assert!(pair("client-a.pem", "client-a.pem").contains("holds no private key"));
    starts(
        problem(tls, &|t| t.roots = identity("nowhere.pem")),
        "cannot read the collector_tls.roots file",
    );
    // What fits is read, and the next thing is what is missing.
    starts(
        pair("client-a.pem", "client-a.key"),
        "cannot read the objectives file",
    );
}

/// A page for people, from the schema: one row per key.
fn page(schema: &serde_json::Value) -> String {
    let mut text = String::from(
        "# Agent configuration\n\nGenerated from the types in `agent/src/config`; change it there.\n\nThe smallest file:\n\n```yaml\n",
    );
    text.push_str(SMALLEST);
    text.push_str("```\n\n| key | meaning |\n| --- | --- |\n");
    rows(&mut text, "", schema, schema);
    text
}

fn rows(text: &mut String, prefix: &str, at: &serde_json::Value, root: &serde_json::Value) {
    let Some(properties) = at.get("properties").and_then(|p| p.as_object()) else {
        return;
    };
    for (key, value) in properties {
        let target = value
            .get("$ref")
            .or_else(|| value.pointer("/anyOf/0/$ref"))
            .and_then(|r| r.as_str())
            .and_then(|r| root.pointer(&r[1..]));
        let inner = target.filter(|t| t.get("properties").is_some());
        let said = value
            .get("description")
            .or_else(|| target?.get("description"));
        let said = said
            .and_then(|d| d.as_str())
            .unwrap_or("")
            .replace("\n\n", " ")
            .replace('\n', " ");
        writeln!(text, "| `{prefix}{key}` | {said} |").unwrap();
        if let Some(inner) = inner {
            rows(text, &format!("{prefix}{key}."), inner, root);
        }
    }
}

#[test]
fn the_reference_and_the_schema_are_up_to_date() {
    let schema = serde_json::to_value(schemars::schema_for!(AgentConfig)).unwrap();
    let json = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/config");
    for (name, text) in [("agent.schema.json", json), ("agent.md", page(&schema))] {
        expect_test::expect_file![folder.join(name)].assert_eq(&text);
    }
}
