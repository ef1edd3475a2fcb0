//! The route beside brokers of librdkafka's own, which err as they are told: what a leader that goes, a batch that is too large and brokers that
//! are away come to.

use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::time::Span;
use clause9_shared::wire::answer::{self, Said};
use clause9_shared::wire::batch::{BatchRefused, RefusalReason};
use clause9_shared::wire::loss::Place;
use ed25519_dalek::SigningKey;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;

type Brokers = MockCluster<'static, DefaultProducerContext>;

fn brokers() -> Brokers {
    let brokers = MockCluster::new(3).unwrap();
    for topic in ["clause9-windows", "clause9-receipts"] {
        brokers.create_topic(topic, 2, 3).unwrap();
    }
    brokers
}

fn collector() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn agent() -> AgentId {
    AgentId::of_key(&[1; 32])
}

fn route(brokers: &Brokers) -> (Kafka, Telemetry) {
    let config = CollectorKafkaConfig {
        brokers: vec![brokers.bootstrap_servers()],
        topic: "clause9-windows".into(),
        receipts: "clause9-receipts".into(),
        collector_id: answer::signer(&collector()),
        patience: Span::from_secs(60),
        beside_proxy: false,
        tls: None,
        sasl: None,
    };
    let telemetry = Telemetry::new().unwrap();
    let kafka = Kafka::new(&config, ("toy", agent()), telemetry.clone()).unwrap();
    kafka.begin();
    (kafka, telemetry)
}

fn waiting(number: u64, bytes: usize) -> Waiting {
    let envelope = Bytes::from(vec![u8::try_from(number).unwrap(); bytes]);
    Waiting {
        number,
        place: Place {
            boot: BootId(1),
            sequence: Sequence(number),
        },
        digest: Digest::of(&envelope),
        envelope,
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

fn failed(telemetry: &Telemetry, reason: &str) -> u64 {
    telemetry.route.failed.with_label_values(&[reason]).get()
}

#[test]
fn a_leader_that_goes_and_brokers_that_err_cost_no_batch() {
    let brokers = brokers();
    let (kafka, telemetry) = route(&brokers);
    let sent = wait(kafka.send(&waiting(1, 1000), None));
    assert!(matches!(sent, Sent::HandedOver), "{sent:?}");
    for partition in 0..2 {
        brokers
            .partition_leader("clause9-windows", partition, Some(2))
            .unwrap();
    }
    brokers.request_errors(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ],
    );
    let sent = wait(kafka.send(&waiting(2, 1000), None));
    assert!(matches!(sent, Sent::HandedOver), "{sent:?}");
    assert_eq!(failed(&telemetry, "broker"), 0);
}

#[test]
fn the_place_in_a_trace_travels_in_a_header_and_only_where_there_is_one() {
    let brokers = brokers();
    let (kafka, _) = route(&brokers);
    let place = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (number, place) in [(1, Some(place)), (2, None)] {
        let sent = wait(kafka.send(&waiting(number, 100), place));
        assert!(matches!(sent, Sent::HandedOver), "{sent:?}");
    }
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", brokers.bootstrap_servers());
    settings.set("group.id", "looking");
    let consumer: BaseConsumer = settings.create().unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..2 {
        let begin = Offset::Beginning;
        all.add_partition_offset("clause9-windows", partition, begin)
            .unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut found = Vec::new();
    while found.len() < 2 {
        let Some(message) = consumer.poll(Duration::from_secs(30)) else {
            panic!("{} of two batches", found.len());
        };
        // Elections and the like are told as errors, and pass.
        let Ok(message) = message else { continue };
        let headers = message.headers().unwrap();
        let place = headers.iter().find(|header| header.key == "traceparent");
        let place = place.and_then(|header| header.value.map(<[u8]>::to_vec));
        found.push((message.payload().unwrap()[0], place));
    }
    found.sort();
    let place = Some(place.as_bytes().to_vec());
    assert_eq!(found, [(1, place), (2, None)]);
}

#[test]
fn a_batch_that_is_too_large_for_the_topic_is_told_apart_and_others_go_on() {
    let brokers = brokers();
    let (kafka, telemetry) = route(&brokers);
    let too_large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    brokers.request_errors(RDKafkaApiKey::Produce, &[too_large]);
    let sent = wait(kafka.send(&waiting(1, 2 << 20), None));
    assert!(matches!(sent, Sent::NotTaken), "{sent:?}");
    assert_eq!(failed(&telemetry, "too_large"), 1);
    for number in 2..5 {
        let sent = wait(kafka.send(&waiting(number, 1000), None));
        assert!(matches!(sent, Sent::HandedOver), "{sent:?}");
    }
}

#[test]
fn who_may_not_write_is_told_and_keeps_the_batch() {
    let brokers = brokers();
    let (kafka, telemetry) = route(&brokers);
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    brokers.request_errors(RDKafkaApiKey::Produce, &[denied]);
    let sent = wait(kafka.send(&waiting(1, 1000), None));
    assert!(matches!(sent, Sent::Answered(None, None)), "{sent:?}");
    assert_eq!(failed(&telemetry, "authorization"), 1);
    // Once it may, it need not wait until the client asks for the topic again.
    let mut again = (0..5).map(|_| wait(kafka.send(&waiting(1, 1000), None)));
    let taken = again.any(|sent| matches!(sent, Sent::HandedOver));
    assert!(
        taken,
        "refused {} times",
        failed(&telemetry, "authorization")
    );
}

#[test]
fn only_what_the_collector_signed_for_this_agent_is_told() {
    let brokers = brokers();
    let (kafka, telemetry) = route(&brokers);
    // It is heard from the end on: what was said before is not.
    let sent = wait(kafka.send(&waiting(1, 1000), None));
    assert!(matches!(sent, Sent::HandedOver), "{sent:?}");
    let said = Answer {
        batch: waiting(1, 1000).digest,
        said: Said::Refused(BatchRefused {
            refused: RefusalReason::UnknownAgent,
            detail: "not yet".into(),
        }),
    };
    let ours = answer::seal(&said, &collector()).unwrap();
    let forged = answer::seal(&said, &SigningKey::from_bytes(&[6; 32])).unwrap();
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", brokers.bootstrap_servers());
    let producer: ThreadedProducer<DefaultProducerContext> = settings.create().unwrap();
    let (own, other) = (agent().to_string(), "sha256:other".to_owned());
    for (key, value) in [
        (&other, &ours),
        (&own, &forged),
        (&own, &b"junk".to_vec()),
        (&own, &ours),
    ] {
        let record = BaseRecord::to("clause9-receipts").key(key).payload(value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(10)).unwrap();
    }
    assert_eq!(wait(kafka.told()), said);
    let read = |result| telemetry.route.receipts.with_label_values(&[result]).get();
    assert_eq!(
        (read("taken"), read("unsigned"), read("malformed")),
        (1, 1, 1)
    );
}
