use std::sync::Arc;
use std::thread::JoinHandle;

use clause9_shared::objective;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::config::{Start, TopicConfig};

const VALUE: &str = r#"{"id":"r-1","inputs":{"x":1},"outputs":{"score":0.5}}"#;
const OBJECTIVES: &str = include_str!("../../../../tests/fixtures/agent/objectives.yaml");

fn naming() -> Naming {
    Naming::new(&objective::load("objectives.yaml", OBJECTIVES).unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

fn read(content: Content, headers: &[(&str, &str)], value: &str) -> Result<Vec<Item>, String> {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    let of = (content, 1024);
    let read = read_one(headers.collect(), value.as_bytes(), at(7), of, &naming())?;
    read.into_iter()
        .map(|one| one.map(|mut items| items.remove(0)))
        .collect()
}

#[test]
fn records_and_outcomes_take_the_time_of_the_record_unless_they_have_one() {
    let items = read(Content::Records, &[], VALUE).unwrap();
    assert!(matches!(&items[..], [Item::Record(r)] if r.at == Some(at(7))));
    let dated = VALUE.replace(
        "{\"id\"",
        "{\"time\":\"1970-01-01T00:00:09Z\",\"label\":1,\"id\"",
    );
    let items = read(Content::Records, &[], &dated).unwrap();
    let [Item::Record(record)] = &items[..] else {
        panic!("{items:?}")
    };
    assert_eq!(record.at, Some(at(9)));
    assert_eq!(record.outcome.as_ref().unwrap().available_at, Some(at(9)));
    let lines = [("content-type", "application/x-ndjson")];
    let two = "{\"request_id\":\"a\",\"label\":1}\n{\"request_id\":\"b\",\"label\":0,\"available_at\":\"1970-01-01T00:00:01Z\"}";
    let items = read(Content::Outcomes, &lines, two).unwrap();
    let times = items.iter().map(|item| match item {
        Item::Outcome(outcome) => outcome.available_at,
        Item::Half(_) | Item::Whole(_) | Item::Record(_) => None,
    });
    assert_eq!(times.collect::<Vec<_>>(), [Some(at(7)), Some(at(1))]);
}

#[test]
fn an_event_in_a_record_is_read_in_each_mode_and_a_bad_one_is_named_without_its_values() {
    let binary = [
        ("ce_specversion", "1.0"),
        ("ce_id", "e"),
        ("CE_source", "s"),
        ("ce_type", "org.kubeflow.serving.inference.request"),
        ("ce_time", "1970-01-01T00:00:03Z"),
        ("content-type", "application/json"),
        ("not a header", "x"),
    ];
    let items = read(Content::Events, &binary, "{}").unwrap();
    assert!(matches!(&items[..], [Item::Half(half)] if half.at == Some(at(3))));
    for (content, headers, value, why) in [
        (
            Content::Events,
            &binary[..1],
            "{}",
            "malformed: the event's `ce-id` must",
        ),
        (
            Content::Events,
            &[],
            "{\"secret\":1}",
            "malformed: there is no `specversion`",
        ),
        (
            Content::Records,
            &[],
            "secret",
            "malformed: not JSON at column 1",
        ),
        (Content::Records, &[], "", "empty: it has no value"),
        (
            Content::Records,
            &[],
            "[]",
            "malformed: there is nothing in it",
        ),
        (
            Content::Outcomes,
            &[],
            "{\"request_id\":\"secret\"}",
            "malformed: neither label nor",
        ),
        (
            Content::Records,
            &[("content-type", "avro/binary")],
            "x",
            "unsupported: send application/x-ndjson",
        ),
        (
            Content::Records,
            &[("content-encoding", "gzip")],
            "{}",
            "malformed: the body is not what its",
        ),
    ] {
        let error = read(content, headers, value).unwrap_err();
        assert!(error.starts_with(why), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let error = read(Content::Records, &[], &" ".repeat(1025)).unwrap_err();
    assert_eq!(error, "too_long: it has more than 1024 bytes");
    let long = "x".repeat(64 << 10);
    let error = read(Content::Records, &[("h", &long)], VALUE).unwrap_err();
    assert!(error.starts_with("headers: "), "{error}");
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A reader at work, and a monitor that does as the test says.
struct World {
    telemetry: Telemetry,
    commands: mpsc::Receiver<Command>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

fn config(cluster: &Cluster, topics: &[&str]) -> KafkaConfig {
    let topic = |name: &&str| TopicConfig {
        name: (*name).to_owned(),
        content: Content::Records,
    };
    KafkaConfig {
        brokers: cluster
            .bootstrap_servers()
            .split(',')
            .map(str::to_owned)
            .collect(),
        topics: topics.iter().map(topic).collect(),
        group: None,
        start: Start::Earliest,
        tls: None,
        sasl: None,
        session: clause9_shared::time::Span::from_secs(6),
        fetch_bytes: 1 << 20,
    }
}

impl World {
    fn start(config: &KafkaConfig, waiting: usize) -> Self {
        let telemetry = Telemetry::new().unwrap();
        let (sender, commands) = mpsc::channel(waiting);
        let of = ("toy", 1 << 20);
        let reader = Reader::new(config, of, naming(), telemetry.clone(), sender).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || reader.run(&told));
        Self {
            telemetry,
            commands,
            stop,
            thread: Some(thread),
        }
    }

    /// What is handed over next.
    fn next(&mut self) -> Delivery {
        let begun = Instant::now();
        loop {
            if let Ok(Command::Delivery(delivery)) = self.commands.try_recv() {
                return delivery;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "waited in vain for a delivery"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Counts what comes until there are so many; their ids.
    fn count(&mut self, many: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < many {
            let delivery = self.next();
            all.extend(delivery.items.iter().map(id));
            settle(delivery);
        }
        all
    }

    fn figure(&self, series: &str) -> u64 {
        let text = String::from_utf8(self.telemetry.render()).unwrap();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no {series}"))
            .parse()
            .unwrap()
    }

    fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "waited in vain for {what}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn settle(delivery: Delivery) {
    let fates = delivery.items.iter().map(|_| Fate::Counted).collect();
    delivery.answer.send(fates).unwrap();
}

fn id(item: &Item) -> String {
    match item {
        Item::Record(record) => record.inference.request_id.clone().unwrap().into(),
        Item::Half(_) | Item::Whole(_) | Item::Outcome(_) => panic!("{item:?}"),
    }
}

fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for (topic, partitions) in topics {
        cluster.create_topic(topic, *partitions, 1).unwrap();
    }
    cluster
}

/// Writes records and waits until the broker has them.
fn write(cluster: &Cluster, topic: &str, values: impl IntoIterator<Item = String>) {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", cluster.bootstrap_servers());
    let producer: ThreadedProducer<DefaultProducerContext> = settings.create().unwrap();
    for value in values {
        let headers = OwnedHeaders::new().insert(Header {
            key: "content-type",
            value: Some("application/json"),
        });
        let record = BaseRecord::<(), String>::to(topic)
            .payload(&value)
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn ids(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|i| VALUE.replace("r-1", &format!("r-{i}")))
}

#[test]
fn what_was_not_counted_is_read_again_and_what_was_counted_is_not() {
    let cluster = cluster(&[("cases", 1)]);
    write(&cluster, "cases", ids(0..5));
    let config = config(&cluster, &["cases"]);
    // Handed over, never counted: the monitor ends before it says what became of them.
    let mut world = World::start(&config, 4);
    drop(world.next());
    world.stop();
    let mut world = World::start(&config, 4);
    assert_eq!(world.count(5), ["r-0", "r-1", "r-2", "r-3", "r-4"]);
    world.stop();
    write(&cluster, "cases", ids(5..7));
    let mut world = World::start(&config, 4);
    assert_eq!(world.count(2), ["r-5", "r-6"]);
    assert_eq!(
        world.figure("clause9_kafka_records_total{fate=\"taken\"}"),
        2
    );
    world.stop();
}

#[test]
fn records_that_cannot_be_read_are_skipped_and_counted_by_reason() {
    let cluster = cluster(&[("cases", 1)]);
    let bad = ["not json".to_owned(), "[]".into(), "x".repeat(900_000)];
    let empty = [String::new()];
    write(
        &cluster,
        "cases",
        bad.into_iter().chain(empty).chain(ids(0..2)),
    );
    let mut world = World::start(&config(&cluster, &["cases"]), 4);
    assert_eq!(world.count(2), ["r-0", "r-1"]);
    world.until("the account", |world| {
        world.figure("clause9_sink_items_total{fate=\"taken\"}") == 2
    });
    let skipped =
        |reason: &str| format!("clause9_kafka_records_skipped_total{{reason=\"{reason}\"}}");
    assert_eq!(world.figure(&skipped("malformed")), 3);
    assert_eq!(world.figure(&skipped("empty")), 1);
    assert_eq!(
        world.figure("clause9_kafka_records_total{fate=\"skipped\"}"),
        4
    );
    assert_eq!(
        world.figure("clause9_sink_items_total{fate=\"refused\"}"),
        4
    );
    world.stop();
    // They are behind us: whoever reads next does not see them.
    write(&cluster, "cases", ids(2..3));
    let mut world = World::start(&config(&cluster, &["cases"]), 4);
    assert_eq!(world.count(1), ["r-2"]);
    assert_eq!(
        world.figure("clause9_kafka_records_total{fate=\"skipped\"}"),
        0
    );
    world.stop();
}

#[test]
fn while_the_monitor_is_behind_partitions_are_paused_and_lag_grows_and_nothing_is_lost() {
    let cluster = cluster(&[("cases", 3)]);
    let mut world = World::start(&config(&cluster, &["cases"]), 1);
    world.until("partitions", |world| {
        world.figure("clause9_kafka_partitions") == 3
    });
    write(&cluster, "cases", ids(0..1));
    let stuck = world.next();
    world.until("the pause", |world| {
        world.figure("clause9_kafka_pauses_total") == 1
    });
    write(&cluster, "cases", ids(1..2000));
    let lag = "clause9_kafka_lag_records{topic=\"cases\"}";
    world.until("the lag", |world| world.figure(lag) >= 1999);
    // Longer than the group would wait for a silent agent.
    std::thread::sleep(Duration::from_secs(7));
    assert!(world.commands.try_recv().is_err());
    assert!(world.figure("clause9_kafka_records_total{fate=\"taken\"}") <= 1 + MAX_RECORDS as u64);
    let mut all: Vec<_> = stuck.items.iter().map(id).collect();
    settle(stuck);
    all.extend(world.count(1999));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 2000);
    world.until("no lag", |world| world.figure(lag) == 0);
    assert_eq!(
        world.figure("clause9_kafka_records_total{fate=\"duplicate\"}"),
        0
    );
    world.stop();
}

#[test]
fn errors_of_brokers_are_counted_and_overcome() {
    let cluster = cluster(&[("cases", 1)]);
    cluster.request_errors(
        RDKafkaApiKey::JoinGroup,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 2],
    );
    cluster.request_errors(
        RDKafkaApiKey::Fetch,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; 2],
    );
    let mut world = World::start(&config(&cluster, &["cases", "absent"]), 4);
    write(&cluster, "cases", ids(0..2));
    assert_eq!(world.count(2).len(), 2);
    let errors = |reason: &str| format!("clause9_kafka_errors_total{{reason=\"{reason}\"}}");
    world.until("the missing topic", |world| {
        world.figure(&errors("topic")) >= 1
    });
    cluster.broker_down(1).unwrap();
    world.until("the missing broker", |world| {
        world.figure(&errors("broker")) >= 1
    });
    cluster.broker_up(1).unwrap();
    write(&cluster, "cases", ids(2..4));
    assert_eq!(world.count(2), ["r-2", "r-3"]);
    // The topic comes to be.
    cluster.create_topic("absent", 1, 1).unwrap();
    write(&cluster, "absent", ids(4..5));
    assert_eq!(world.count(1), ["r-4"]);
    world.stop();
}

#[test]
fn an_agent_ends_in_time_though_no_broker_answers() {
    let cluster = cluster(&[("cases", 1)]);
    let mut world = World::start(&config(&cluster, &["cases"]), 4);
    write(&cluster, "cases", ids(0..1));
    let delivery = world.next();
    cluster.broker_down(1).unwrap();
    settle(delivery);
    let errors = "clause9_kafka_errors_total{reason=\"broker\"}";
    world.until("the missing broker", |world| world.figure(errors) >= 1);
    let begun = Instant::now();
    world.stop();
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_cannot_be_put_to_the_client_is_told_by_key_and_never_a_password() {
    let cluster = cluster(&[]);
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    let (sender, _commands) = mpsc::channel(1);
    let made = |config: &KafkaConfig| {
        let telemetry = Telemetry::new().unwrap();
        Reader::new(config, ("toy", 1), naming(), telemetry, sender.clone())
    };
    let mut config = config(&cluster, &["cases"]);
    config.sasl = Some(crate::config::SaslConfig {
        mechanism: crate::config::Mechanism::Scram512,
        user: "agent".into(),
        password_file: password.clone(),
    });
    let error = made(&config).unwrap_err();
    assert!(
        error.starts_with("sink.kafka.sasl.password_file: cannot read"),
        "{error}"
    );
    std::fs::write(&password, "\n").unwrap();
    let error = made(&config).unwrap_err();
    assert!(error.contains("must hold a password"), "{error}");
    std::fs::write(&password, "hunter2\r\n").unwrap();
    let reader = made(&config).unwrap();
    assert_eq!(reader.settings.get("sasl.password"), Some("hunter2"));
    assert_eq!(
        reader.settings.get("security.protocol"),
        Some("sasl_plaintext")
    );
    assert!(!format!("{reader:?}").contains("hunter2"));
    config.tls = Some(crate::config::KafkaTlsConfig {
        roots: Some(folder.path().join("absent.pem")),
        ..Default::default()
    });
    let error = made(&config).unwrap_err();
    assert!(
        error.starts_with("sink.kafka.tls.roots: cannot read"),
        "{error}"
    );
    // A file that is there and holds no certificate.
    config.tls.as_mut().unwrap().roots = Some(password);
    let error = made(&config).unwrap_err();
    assert!(error.starts_with("sink.kafka: "), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
