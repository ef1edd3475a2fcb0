//! Windows by topics of Kafka, between the real programs and a real broker: what was measured is sealed once, whoever was
//! away or died meanwhile.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, Name, Sequence};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch::{self, Batch};
use clause9_tests::http;
use clause9_tests::process::{Running as Program, run_to_end, wait_until};
use clause9_tests::rotel::Rotel;
use clause9_tests::site::{Layout, Site};
use clause9_tests::{sidecar, tools};
use ed25519_dalek::SigningKey;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::agent_kafka::Broker;
use crate::agent_world::{self, Model, infer, toy};

const PATIENCE: Duration = Duration::from_mins(1);
/// How long the broker is away in the longest test.
const AWAY: Duration = Duration::from_mins(10);
/// Requests of each pane.
const REQUESTS: u64 = 5;

/// An agent and a collector that share nothing but a broker.
struct World {
    folder: tempfile::TempDir,
    site: Site,
    broker: Broker,
    _model: Model,
}

impl World {
    /// Written, and nothing runs but the broker.
    fn new() -> anyhow::Result<Option<Self>> {
        let Some(broker) = Broker::start()? else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let model = Model::start(|request, _| Some(toy(request)));
        agent_world::documents(folder.path());
        let kafka = format!("kafka: {{ brokers: [\"127.0.0.1:{}\"] }}\n", broker.port);
        let layout = Layout {
            folder: folder.path(),
            system: "toy",
            model: model.port,
            clock: "replay",
            agents: 1,
            collector: &kafka,
        };
        let site = layout.lay()?;
        let id = run_to_end(
            "clause9-collector",
            folder.path(),
            "identity --config collector.yaml",
        )?;
        by_topics(folder.path(), broker.port, id.trim())?;
        Ok(Some(Self {
            folder,
            site,
            broker,
            _model: model,
        }))
    }

    /// With both topics made.
    fn with_topics() -> anyhow::Result<Option<Self>> {
        let world = Self::new()?;
        if let Some(world) = &world {
            world.create_topics()?;
        }
        Ok(world)
    }

    fn create_topics(&self) -> anyhow::Result<()> {
        self.broker.create("clause9-windows", 2)?;
        self.broker.create("clause9-receipts", 2)
    }

    /// Some requests in the pane of that minute, and the clock set past it.
    fn pane(&self, minute: u32) -> anyhow::Result<()> {
        let agent = self.site.agent(0)?;
        for n in 0..REQUESTS {
            let time = format!("X-Event-Time: 2026-01-01T00:{minute:02}:10Z\r\n");
            let answer = agent_world::ask(agent.port, &infer(&format!("{minute}-{n}"), 1, &time));
            anyhow::ensure!(answer.status() == 200, "{}", answer.text());
        }
        let next = minute + 1;
        agent.set_clock(&format!("2026-01-01T00:{next:02}:59Z"))?;
        Ok(())
    }

    fn of_agent(&self, series: &str) -> u64 {
        let told = self
            .site
            .agent(0)
            .and_then(|a| http::get(a.admin, "/metrics"));
        told.map_or(0, |t| sidecar::count(&t.text(), series).unwrap_or(0))
    }

    fn of_collector(&self, series: &str) -> u64 {
        let told = http::get(self.site.collector, "/metrics");
        told.map_or(0, |t| sidecar::count(&t.text(), series).unwrap_or(0))
    }

    fn emptied(&self) -> anyhow::Result<()> {
        wait_until("an empty outbox", PATIENCE, || {
            self.of_agent("clause9_panes_closed_total") > 0
                && self.of_agent("clause9_outbox_batches") == 0
        })
    }

    /// Batches in the register, each by its name.
    fn batches(&self) -> anyhow::Result<Vec<String>> {
        let records = self.site.list("/v1/evidence?type=batch&limit=1000")?;
        let digests = records.iter().filter_map(|r| r["digest"].as_str());
        let bodies = digests.map(|digest| self.site.get(&format!("/v1/evidence/{digest}")));
        let named = bodies.map(|body| Ok(body?["body"]["batch"].to_string()));
        named.collect()
    }

    /// What was seen in all the panes that are sealed, once so many are that saw something.
    fn seen(&self, panes: usize) -> anyhow::Result<u64> {
        let counts = || {
            let panes = self.site.list("/v1/systems/toy/panes?limit=100");
            let panes = panes.unwrap_or_default().into_iter();
            let seen = panes.filter_map(|p| p["coverage"]["seen"].as_u64());
            seen.filter(|seen| *seen > 0).collect::<Vec<_>>()
        };
        wait_until("the seals", PATIENCE, || counts().len() >= panes)?;
        Ok(counts().iter().sum())
    }

    /// Nothing is there twice, and everything once.
    fn holds(&self, panes: u32) -> anyhow::Result<()> {
        let batches = self.batches()?;
        let different: BTreeSet<_> = batches.iter().collect();
        assert_eq!(different.len(), batches.len());
        let expected = u64::from(panes) * REQUESTS;
        assert_eq!(self.seen(panes as usize)?, expected);
        assert_eq!(self.of_agent("clause9_outbox_batches"), 0);
        Ok(())
    }

    /// Every record of a topic so far.
    fn records(&self, topic: &str) -> Vec<Vec<u8>> {
        let mut settings = self.broker.settings();
        settings.set("group.id", "looking");
        let consumer: BaseConsumer = settings.create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..2 {
            all.add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        let mut records = Vec::new();
        let mut quiet = 0;
        while quiet < 20 {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    quiet = 0;
                    records.push(message.payload().unwrap_or_default().to_vec());
                }
                Some(Err(_)) | None => quiet += 1,
            }
        }
        records
    }

    fn write(&self, topic: &str, key: &str, values: &[Vec<u8>]) {
        let mut settings = self.broker.settings();
        settings.set("message.max.bytes", "20000000");
        let producer: ThreadedProducer<DefaultProducerContext> = settings.create().unwrap();
        for value in values {
            let record = BaseRecord::to(topic).key(key).payload(value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
    }
}

/// Has the agent ship by topics, and by nothing else.
fn by_topics(folder: &Path, port: u16, collector: &str) -> anyhow::Result<()> {
    let path = folder.join("agent-0.yaml");
    let text = std::fs::read_to_string(&path)?;
    let lines = text.lines().filter(|line| !line.starts_with("collector:"));
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let route = format!(
        "collector_kafka:\n  brokers: [\"127.0.0.1:{port}\"]\n  collector_id: \"{collector}\"\n  \
         patience: 10s\n  beside_proxy: true\n"
    );
    text.push_str(&route);
    std::fs::write(&path, text)?;
    Ok(())
}

fn kill(mut program: Program) -> anyhow::Result<()> {
    program.signal("KILL")?;
    wait_until("the end of a program", PATIENCE, || !program.is_running())
}

const HANDED_OVER: &str = "clause9_route_batches_handed_over_total{attempt=\"first\"}";
const AGAIN: &str = "clause9_route_batches_handed_over_total{attempt=\"again\"}";
const WAITING: &str = "clause9_route_batches_waiting";
const STORED: &str = "clause9_collector_batches_total{result=\"stored\"}";
const DUPLICATE: &str = "clause9_collector_batches_total{result=\"duplicate\"}";

#[test]
fn windows_come_by_topics_and_only_the_receipt_empties_the_outbox() -> anyhow::Result<()> {
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.pane(1)?;
    // The brokers have them. That lets none go.
    wait_until("the hand-over", PATIENCE, || world.of_agent(WAITING) >= 2)?;
    let handed = world.of_agent(HANDED_OVER);
    assert_eq!(world.of_agent("clause9_outbox_batches"), handed);
    let collector = world.site.start_collector()?;
    world.emptied()?;
    world.pane(2)?;
    world.pane(3)?;
    world.emptied()?;
    world.holds(4)?;
    assert_eq!(world.of_agent(WAITING), 0);
    let answers = "clause9_collector_kafka_answers_total{result=\"sent\"}";
    assert!(world.of_collector(answers) >= handed);
    // By the topic alone.
    assert_eq!(world.batches()?.len() as u64, world.of_collector(STORED));
    drop((agent, collector));
    Ok(())
}

#[test]
fn a_broker_that_stands_still_or_dies_with_all_it_knew_loses_nothing() -> anyhow::Result<()> {
    let Some(mut world) = World::with_topics()? else {
        return Ok(());
    };
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.emptied()?;
    world.broker.signal("STOP")?;
    world.pane(1)?;
    world.pane(2)?;
    wait_until("batches that wait", PATIENCE, || {
        world.of_agent("clause9_outbox_batches") >= 1
    })?;
    world.broker.signal("CONT")?;
    world.emptied()?;
    world.holds(3)?;
    // Handed over and never read: gone with the broker, and handed over again.
    collector.signal("STOP")?;
    world.pane(3)?;
    wait_until("the hand-over", PATIENCE, || world.of_agent(WAITING) >= 1)?;
    world.broker.kill();
    // librdkafka does not survive topics that come back as others (docs/ways-in.md): started again, as supervisors do.
    kill(collector)?;
    kill(agent)?;
    world.broker.up()?;
    world.create_topics()?;
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(4)?;
    world.emptied()?;
    world.holds(5)?;
    drop((agent, collector));
    Ok(())
}

#[test]
fn a_broker_that_stands_still_for_longer_than_a_batch_waits_for_it_is_written_to_again()
-> anyhow::Result<()> {
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.emptied()?;
    world.broker.signal("STOP")?;
    world.pane(1)?;
    let failed = "clause9_route_batches_failed_total{reason=\"broker\"}";
    wait_until("a batch that waited too long", PATIENCE, || {
        world.of_agent(failed) >= 1
    })?;
    world.broker.signal("CONT")?;
    world.pane(2)?;
    world.emptied()?;
    world.holds(3)?;
    drop((agent, collector));
    Ok(())
}

#[test]
#[ignore = "takes ten minutes: bash tests/run long"]
fn ten_minutes_without_the_broker_lose_nothing() -> anyhow::Result<()> {
    const PANES: u32 = 55;
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.emptied()?;
    world.broker.signal("STOP")?;
    let begun = Instant::now();
    for minute in 1..PANES {
        world.pane(minute)?;
        std::thread::sleep(AWAY / PANES);
    }
    std::thread::sleep(AWAY.saturating_sub(begun.elapsed()));
    let waiting = world.of_agent("clause9_outbox_batches");
    assert!(waiting >= u64::from(PANES) - 2, "{waiting} batches wait");
    assert_eq!(world.of_agent("clause9_outbox_dropped_total"), 0);
    world.broker.signal("CONT")?;
    let back = Instant::now();
    world.emptied()?;
    println!(
        "{waiting} batches waited, none did {:?} after",
        back.elapsed()
    );
    world.holds(PANES)?;
    drop((agent, collector));
    Ok(())
}

#[test]
fn a_batch_that_comes_by_a_topic_stays_in_the_trace_of_its_agent() -> anyhow::Result<()> {
    let (Some(world), Some(rotel)) = (World::with_topics()?, tools::rotel()?) else {
        return Ok(());
    };
    let told = tempfile::tempdir()?;
    let rotel = Rotel::start(&rotel, told.path())?;
    let section = |ratio: u8| {
        let port = rotel.http;
        format!("otlp: {{ endpoint: \"http://127.0.0.1:{port}\", traces: {{ ratio: {ratio} }} }}\n")
    };
    world.site.configure(0, &section(1))?;
    // By itself, the collector would keep no trace.
    let path = world.folder.path().join("collector.yaml");
    let before = std::fs::read_to_string(&path)?;
    std::fs::write(&path, before + &section(0))?;
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.emptied()?;
    let steps = [
        ("ship batch", "deliver batch", "PRODUCER"),
        ("take batch", "ship batch", "CONSUMER"),
        ("verify batch", "take batch", "INTERNAL"),
        ("write batch", "take batch", "INTERNAL"),
    ];
    // A step that follows, with the one that it follows from, in one trace.
    let follows = |(name, parent, kind): (&str, &str, &str)| {
        let spans = rotel.spans();
        let named = |name| spans.iter().filter(move |span| span.field("Name") == name);
        named(name).any(|span| {
            let mut above = named(parent);
            let above = above.any(|above| {
                above.field("ID") == span.field("Parent ID")
                    && above.field("Trace ID") == span.field("Trace ID")
            });
            above && span.field("Kind") == format!("SPAN_KIND_{kind}")
        })
    };
    for step in steps {
        wait_until(&format!("{step:?}"), PATIENCE, || follows(step))?;
    }
    drop((agent, collector));
    Ok(())
}

#[test]
fn topics_that_are_missing_are_waited_for() -> anyhow::Result<()> {
    let Some(mut world) = World::new()? else {
        return Ok(());
    };
    world.broker.kill();
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    wait_until("a failure that is told", PATIENCE, || {
        world.of_agent("clause9_route_receipts_errors_total") >= 1
    })?;
    assert_eq!(world.of_agent(HANDED_OVER), 0);
    world.broker.up()?;
    world.create_topics()?;
    world.pane(1)?;
    world.emptied()?;
    world.holds(2)?;
    drop((agent, collector));
    Ok(())
}

#[test]
fn what_was_stored_when_the_collector_was_killed_is_stored_once() -> anyhow::Result<()> {
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let agent = world.site.start_agent(0)?;
    let collector = world.site.start_collector()?;
    world.pane(0)?;
    world.pane(1)?;
    wait_until("a batch that is stored", PATIENCE, || {
        world.of_collector(STORED) >= 1
    })?;
    // Offsets are committed each second: some of what is stored is not committed, with luck.
    kill(collector)?;
    let collector = world.site.start_collector()?;
    world.pane(2)?;
    world.emptied()?;
    world.holds(3)?;
    // What chance may not have brought about: all of the topic once more.
    let before = world.batches()?.len();
    let all = world.records("clause9-windows");
    assert!(all.len() >= before);
    let known = world.of_collector(DUPLICATE);
    world.write("clause9-windows", "toy", &all);
    wait_until("duplicates", PATIENCE, || {
        world.of_collector(DUPLICATE) >= known + all.len() as u64
    })?;
    world.holds(3)?;
    assert_eq!(world.batches()?.len(), before);
    drop((agent, collector));
    Ok(())
}

#[test]
fn while_the_register_cannot_be_written_nothing_advances() -> anyhow::Result<()> {
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.emptied()?;
    let path = world.folder.path().join("store/clause9.sqlite");
    let other = rusqlite::Connection::open(path)?;
    other.busy_timeout(PATIENCE)?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    let stored = world.of_collector(STORED);
    world.pane(1)?;
    let unavailable = "clause9_collector_batches_total{result=\"unavailable\"}";
    wait_until("a failure to write", PATIENCE, || {
        world.of_collector(unavailable) >= 1
    })?;
    world.pane(2)?;
    wait_until("the hand-over", PATIENCE, || world.of_agent(WAITING) >= 1)?;
    assert_eq!(world.of_collector(STORED), stored);
    assert!(world.of_collector("clause9_collector_kafka_pauses_total") >= 1);
    other.execute_batch("ROLLBACK")?;
    world.emptied()?;
    world.holds(3)?;
    assert_eq!(
        world.of_collector("clause9_collector_kafka_passed_total"),
        0
    );
    drop((agent, collector));
    Ok(())
}

#[test]
fn an_agent_that_was_killed_hands_over_again_and_nothing_is_twice() -> anyhow::Result<()> {
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.pane(1)?;
    wait_until("the hand-over", PATIENCE, || world.of_agent(WAITING) >= 1)?;
    // Past its patience, it is handed over again.
    wait_until("another hand-over", PATIENCE, || world.of_agent(AGAIN) >= 1)?;
    kill(agent)?;
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(2)?;
    world.emptied()?;
    world.holds(3)?;
    assert!(world.of_collector(DUPLICATE) >= 1);
    drop((agent, collector));
    Ok(())
}

#[test]
fn junk_in_the_topics_is_refused_recorded_and_passed() -> anyhow::Result<()> {
    let Some(world) = World::with_topics()? else {
        return Ok(());
    };
    let collector = world.site.start_collector()?;
    let agent = world.site.start_agent(0)?;
    world.pane(0)?;
    world.emptied()?;
    let good = world.records("clause9-windows");
    let mut changed = good[0].clone();
    *changed.last_mut().unwrap() ^= 1;
    let stranger = batch::seal(&empty(), &SigningKey::from_bytes(&[9; 32]));
    let junk = vec![
        b"no envelope".to_vec(),
        Vec::new(),
        changed,
        stranger.clone(),
    ];
    world.write("clause9-windows", "toy", &junk);
    let refused = |reason: &str| {
        world.of_collector(&format!(
            "clause9_collector_refusals_total{{reason=\"{reason}\"}}"
        ))
    };
    wait_until("the refusals", PATIENCE, || {
        (
            refused("malformed"),
            refused("bad_signature"),
            refused("unknown_agent"),
        ) == (2, 1, 1)
    })?;
    let recorded = world.site.list("/v1/evidence?type=refusal&limit=100")?;
    let bodies = recorded.iter().filter_map(|r| r["digest"].as_str());
    let bodies = bodies.map(|digest| world.site.get(&format!("/v1/evidence/{digest}")).unwrap());
    let peers: BTreeSet<_> = bodies.map(|b| b["body"]["peer"].to_string()).collect();
    assert!(
        peers
            .iter()
            .any(|p| p.starts_with("\"kafka:clause9-windows/")),
        "{peers:?}"
    );
    // A receipt that somebody made up lets nothing go.
    world.broker.signal("STOP")?;
    world.pane(1)?;
    world.broker.signal("CONT")?;
    let id = world.site.agent(0)?.id.clone();
    world.write(
        "clause9-receipts",
        &id,
        &[b"{}".to_vec(), made_up(&good[0])],
    );
    let unsigned = "clause9_route_receipts_total{result=\"unsigned\"}";
    wait_until("it to be noticed", PATIENCE, || {
        world.of_agent(unsigned) == 1
    })?;
    world.pane(2)?;
    world.emptied()?;
    world.holds(3)?;
    drop((agent, collector));
    Ok(())
}

/// A batch with nothing in it.
fn empty() -> Batch {
    let epoch = Timestamp::from_micros(0).unwrap();
    Batch {
        boot: BootId(1),
        sequence: Sequence(1),
        created_at: epoch,
        clock: Clock::Replay,
        system: Name::new("toy").unwrap(),
        watermark: epoch,
        watching_since: epoch,
        items: Vec::new(),
        losses: Vec::new(),
        restored: None,
    }
}

/// A receipt for a batch, under a key of one's own.
fn made_up(envelope: &[u8]) -> Vec<u8> {
    use clause9_shared::wire::answer::{self, Answer, Said};
    let name: Digest = batch::digest(envelope);
    let receipt = batch::Receipt {
        batch: name,
        items: Vec::new(),
        marks: Vec::new(),
    };
    let answer = Answer {
        batch: name,
        said: Said::Receipt(receipt),
    };
    answer::seal(&answer, &SigningKey::from_bytes(&[9; 32])).unwrap()
}

#[test]
fn the_programs_say_what_is_wrong_with_their_topics() -> anyhow::Result<()> {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let folder = world.folder.path();
    let check = |program: &str, file: &str, text: &str| -> anyhow::Result<String> {
        let path = folder.join(format!("wrong-{file}"));
        std::fs::write(&path, text)?;
        let output = std::process::Command::new(clause9_tests::process::program(program)?)
            .args(["check", "--config"])
            .arg(&path)
            .output()?;
        anyhow::ensure!(!output.status.success());
        Ok(String::from_utf8(output.stderr)?)
    };
    let agent = std::fs::read_to_string(folder.join("agent-0.yaml"))?;
    let said = check(
        "clause9-agent",
        "agent-0.yaml",
        &agent.replace("beside_proxy: true", ""),
    )?;
    assert!(
        said.contains("collector_kafka.beside_proxy: is false"),
        "{said}"
    );
    let said = check(
        "clause9-agent",
        "agent-0.yaml",
        &agent.replace("patience: 10s", "patience: 1s"),
    )?;
    assert!(said.contains("collector_kafka.patience: must be"), "{said}");
    let collector = std::fs::read_to_string(folder.join("collector.yaml"))?;
    let said = check(
        "clause9-collector",
        "collector.yaml",
        &collector.replace("kafka: {", "kafka: { topic: \"^a\","),
    )?;
    assert!(said.contains("`kafka.topic`: `^a`"), "{said}");
    Ok(())
}
