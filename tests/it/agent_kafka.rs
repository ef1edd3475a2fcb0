//! Topics of Kafka, beside a real broker: what stands in them is counted as what passed, a broker that
//! dies is no loss to the proxy, and agents of a group share the work.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clause9_agent::config::{AgentConfig, Content, KafkaConfig, Start, TopicConfig};
use clause9_shared::time::Span;
use clause9_tests::process::{Running as Program, free_port};
use clause9_tests::tools;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use serde_json::{Value, json};

use crate::agent_sinks::{AT, body_of, by_proxy, counted, record, sink_only};
use crate::agent_world::{Door, Running};

/// Key, headers and value of a record.
pub(crate) type OneWritten = (String, Vec<(String, String)>, String);
type Written = Vec<OneWritten>;

/// A broker that keeps topics in memory.
pub(crate) struct Broker {
    tansu: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    program: Option<Program>,
}

impl Broker {
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        let Some(tansu) = tools::kafka()? else {
            return Ok(None);
        };
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let mut broker = Self {
            tansu,
            folder,
            port,
            program: None,
        };
        broker.up()?;
        Ok(Some(broker))
    }

    pub(crate) fn up(&mut self) -> anyhow::Result<()> {
        let at = format!("tcp://127.0.0.1:{}", self.port);
        let mut program = Program::start(
            &self.tansu,
            self.folder.path(),
            &[
                "broker",
                "--listener-url",
                &at,
                "--advertised-listener-url",
                &at,
                "--storage-engine",
                "memory://tansu/",
            ],
        )?;
        program.wait_for_port(self.port, Duration::from_secs(30))?;
        self.program = Some(program);
        Ok(())
    }

    /// It and all that it knew is gone.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    /// It neither hears nor speaks, and forgets nothing (`STOP`), or goes on (`CONT`).
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        self.program.as_ref().map_or(Ok(()), |p| p.signal(name))
    }

    pub(crate) fn settings(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", format!("127.0.0.1:{}", self.port));
        settings
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.settings().create()?;
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        let made = runtime.block_on(admin.create_topics([&topic], &options))?;
        for one in made {
            one.map_err(|(topic, error)| anyhow::anyhow!("{topic}: {error}"))?;
        }
        Ok(())
    }

    /// Writes records, each with a key and headers, and waits until the broker has them.
    fn write(&self, topic: &str, records: &[OneWritten]) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.settings().create().unwrap();
        for (key, headers, value) in records {
            let mut all = OwnedHeaders::new();
            for (key, value) in headers {
                let value = Some(value);
                all = all.insert(Header { key, value });
            }
            let record = BaseRecord::to(topic).key(key).payload(value).headers(all);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
    }
}

fn kafka(broker: &Broker, topics: &[(&str, Content)]) -> KafkaConfig {
    let topic = |(name, content): &(&str, Content)| TopicConfig {
        name: (*name).to_owned(),
        content: *content,
    };
    KafkaConfig {
        brokers: vec![format!("127.0.0.1:{}", broker.port)],
        topics: topics.iter().map(topic).collect(),
        group: None,
        start: Start::Earliest,
        tls: None,
        sasl: None,
        session: Span::from_secs(6),
        fetch_bytes: 1 << 20,
    }
}

/// An agent that reads topics and nothing else.
fn reader(folder: &Path, door: &Door, kafka: KafkaConfig) -> AgentConfig {
    let mut config = sink_only(folder, door);
    if let Some(sink) = &mut config.sink {
        (sink.listen, sink.kafka) = (None, Some(kafka));
    }
    config
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Twelve exchanges as events, attributes in headers, answers first every other time.
fn binary() -> Written {
    let mut all = Vec::new();
    for i in 0..12 {
        let (id, [request, answer]) = (format!("e-{i}"), body_of(i));
        let mut halves = [("request", request), ("response", answer)];
        if i % 2 == 0 {
            halves.reverse();
        }
        for (side, body) in halves {
            let headers = vec![
                pair("ce_specversion", "1.0"),
                pair("ce_id", &id),
                pair("ce_source", "http://localhost:9081/"),
                pair("ce_time", AT),
                pair("ce_type", &format!("org.kubeflow.serving.inference.{side}")),
                pair("ce_inferenceservicename", "toy"),
                pair("content-type", "application/json"),
            ];
            all.push((id.clone(), headers, body));
        }
    }
    all
}

/// The same in structured mode, each exchange one batch.
fn batched() -> Written {
    let batch = |i| {
        let id = format!("e-{i}");
        let sides = ["request", "response"].iter().zip(body_of(i));
        let events = sides.map(|(side, body)| {
            json!({ "specversion": "1.0", "id": id, "source": "s", "time": AT,
                "type": format!("org.kubeflow.serving.inference.{side}"), "inferenceservicename": "toy",
                "data": serde_json::from_str::<Value>(&body).unwrap() })
        });
        let headers = vec![pair("content-type", "application/cloudevents-batch+json")];
        let value = Value::Array(events.collect()).to_string();
        (id.clone(), headers, value)
    };
    (0..12).map(batch).collect()
}

/// The same as records, the content type told or not.
fn records(of: std::ops::Range<u32>) -> Written {
    let one = |i| {
        let headers = match i % 2 {
            0 => vec![],
            _ => vec![pair("content-type", "application/json")],
        };
        (format!("r-{i}"), headers, record(i))
    };
    of.map(one).collect()
}

#[test]
fn what_stands_in_topics_is_counted_as_traffic_of_the_proxy() -> anyhow::Result<()> {
    let Some(broker) = Broker::start()? else {
        return Ok(());
    };
    let expected = by_proxy();
    for (topic, content, written) in [
        ("binary", Content::Events, binary()),
        ("batched", Content::Events, batched()),
        ("records", Content::Records, records(0..12)),
    ] {
        broker.create(topic, 2)?;
        broker.create(&format!("{topic}-labels"), 2)?;
        let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
        let labels = format!("{topic}-labels");
        let topics = [(topic, content), (labels.as_str(), Content::Outcomes)];
        let mut kafka = kafka(&broker, &topics);
        kafka.group = Some(topic.to_owned());
        let agent = Running::start(reader(folder.path(), &door, kafka));
        agent.set_clock("2020-01-01T00:00:00Z");
        broker.write(topic, &written);
        // Poison among it stops nothing.
        broker.write(
            topic,
            &[
                ("k".into(), vec![], "{".into()),
                ("k".into(), vec![], String::new()),
            ],
        );
        agent.wait("clause9_exchanges_total{fate=\"sampled\"}", 12);
        agent.wait("clause9_kafka_records_total{fate=\"skipped\"}", 2);
        let label = |i: usize| {
            let id = written
                .get(i)
                .map_or_else(String::new, |(id, ..)| id.clone());
            let outcome =
                json!({ "request_id": id, "label": 1, "available_at": "2020-01-01T00:00:20Z" });
            (id, vec![], outcome.to_string())
        };
        broker.write(&labels, &(0..2).map(label).collect::<Vec<_>>());
        agent.wait(
            "clause9_kafka_records_total{fate=\"taken\"}",
            written.len() as u64 + 2,
        );
        agent.set_clock("2020-01-01T00:01:10Z");
        assert_eq!(counted(&door), expected, "{topic}");
        let coverage = door.coverage();
        assert_eq!((coverage.seen, coverage.sampled), (12, 12), "{topic}");
        agent.stop();
    }
    Ok(())
}

#[test]
fn a_broker_that_dies_is_counted_and_what_was_read_before_is_kept() -> anyhow::Result<()> {
    let Some(mut broker) = Broker::start()? else {
        return Ok(());
    };
    broker.create("cases", 2)?;
    let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
    let topics = kafka(&broker, &[("cases", Content::Records)]);
    let agent = Running::start(reader(folder.path(), &door, topics));
    agent.set_clock("2020-01-01T00:00:00Z");
    broker.write("cases", &records(0..6));
    agent.wait("clause9_exchanges_total{fate=\"sampled\"}", 6);
    broker.kill();
    agent.wait("clause9_kafka_errors_total{reason=\"broker\"}", 1);
    agent.set_clock("2020-01-01T00:01:10Z");
    crate::agent_world::until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.sampled), (6, 6));
    assert_eq!(
        agent.metric("clause9_kafka_records_total{fate=\"taken\"}"),
        6
    );
    agent.stop();
    Ok(())
}

#[test]
fn agents_of_a_group_share_partitions_and_each_record_is_counted_once() -> anyhow::Result<()> {
    let Some(broker) = Broker::start()? else {
        return Ok(());
    };
    broker.create("cases", 4)?;
    let kafka = kafka(&broker, &[("cases", Content::Records)]);
    let partitions = "clause9_kafka_partitions";
    let taken = "clause9_kafka_records_total{fate=\"taken\"}";
    let begin = |door: &Door| -> anyhow::Result<(Running, tempfile::TempDir)> {
        let folder = tempfile::tempdir()?;
        let agent = Running::start(reader(folder.path(), door, kafka.clone()));
        agent.set_clock("2020-01-01T00:00:00Z");
        Ok((agent, folder))
    };
    let doors = [Door::open(&[]), Door::open(&[])];
    let [at_first, at_second] = &doors;
    let (first, _one) = begin(at_first)?;
    first.wait(partitions, 4);
    broker.write("cases", &records(0..200));
    first.wait(taken, 200);
    let (second, _two) = begin(at_second)?;
    broker.write("cases", &records(200..400));
    crate::agent_world::until("a share for each", || {
        first.metric(partitions) == 2 && second.metric(partitions) == 2
    });
    broker.write("cases", &records(400..600));
    crate::agent_world::until("all of both", || {
        first.metric(taken) + second.metric(taken) >= 600
    });
    let before = second.metric(taken);
    assert!(before > 0);
    first.stop();
    second.wait(partitions, 4);
    broker.write("cases", &records(600..800));
    second.wait(taken, before + 200);
    second.set_clock("2020-01-01T00:01:10Z");
    second.stop();
    let seen: u64 = doors.iter().map(|door| door.coverage().seen).sum();
    let sampled: u64 = doors.iter().map(|door| door.coverage().sampled).sum();
    assert_eq!((seen, sampled), (800, 800));
    Ok(())
}

#[test]
fn the_program_says_what_is_wrong_with_its_topics() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    crate::agent_world::documents(folder.path());
    let path = folder.path().join("agent.yaml");
    std::fs::write(
        &path,
        "objectives: objectives.yaml\nbaseline: baseline.json\nsink:\n  kafka:\n    brokers: [localhost:9092]\n    \
         topics: [{ name: cases, content: records }]\n    sasl: { mechanism: SCRAM-SHA-512, user: u, password_file: none }\n",
    )?;
    let program = clause9_tests::process::program("clause9-agent")?;
    let output = std::process::Command::new(program)
        .args(["check", "--config"])
        .arg(&path)
        .output()?;
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).context("no text")?;
    assert!(
        said.contains("sink.kafka.sasl.password_file: cannot read"),
        "{said}"
    );
    Ok(())
}
