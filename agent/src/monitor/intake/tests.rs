//! What is told by any way in is counted as what the proxy saw: the same corpus, the same bytes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::{Coverage, DropReason, PaneStart, UndecodableReason};
use clause9_shared::wire::batch::{ClosedWindow, Stream};
use clause9_shared::wire::codec::Decode as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::Intake;
use crate::capture::panes::PaneTable;
use crate::capture::{Budget, Captured, Recorder, Reservation};
use crate::clock::SystemClock;
use crate::decode::agreement::bodies::{CORPUS, Sent, all};
use crate::decode::agreement::{Naming as Form, plan_with};
use crate::decode::{DECODERS, find};
use crate::engine::{Engine, Input, Output, Settings};
use crate::monitor::Monitor;
use crate::sample::Sampler;
use crate::sink::{Account, Delivery, Fate, Item, Joins, Naming, Shapes, testing};
use crate::telemetry::Telemetry;

const MINUTE: Span = Span::from_secs(60);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

/// A monitor by itself, on a replayed clock that begins with a pane.
struct World {
    monitor: Monitor,
    naming: Naming,
}

impl World {
    fn new(plan: CapturePlan) -> Self {
        Self::bounded(plan, 1 << 20, None)
    }

    fn bounded(plan: CapturePlan, joining_bytes: usize, path: Option<&str>) -> Self {
        let document = plan.document().clone();
        let telemetry = Telemetry::new().unwrap();
        let (queue, exchanges) = mpsc::channel(8);
        let (_, commands) = mpsc::channel(8);
        let recorder = Recorder {
            panes: PaneTable::new(MINUTE),
            budget: Arc::new(Budget::new(1 << 30)),
            clock: Arc::new(SystemClock::new(Clock::Replay)),
            not_inference: telemetry.exchanges.with_label_values(&["not_inference"]),
            telemetry,
            body_bytes: 1 << 20,
            event_time_header: None,
            queue,
        };
        recorder.clock.advance(at(0));
        recorder.panes.reach(at(0));
        let plan = Arc::new(plan);
        let engine = Engine::new(Settings {
            baseline: plan.baseline().digest(),
            plan,
            sampler: Sampler::new([1; 32], 1.0),
            cap: None,
            salt: Digest::of(b"salt"),
            clock: Clock::Replay,
            remembered: 1000,
            remembered_bytes: 1 << 20,
            waiting: 100,
            forward_after: None,
        });
        let joins = Joins::new(joining_bytes, Span::from_secs(600));
        let shapes = Shapes::new(path, Some("credit")).unwrap();
        let intake = Intake::new(joins, shapes, DECODERS);
        let mut naming = Naming::new(&document);
        naming.only = Some("credit".into());
        let asked = (exchanges, commands);
        let monitor = Monitor::new(engine, Arc::new(recorder), document, asked, intake, None);
        Self { monitor, naming }
    }

    fn take(&mut self, items: Vec<Item>) -> Vec<Fate> {
        let (answer, mut fates) = oneshot::channel();
        self.monitor.intake.begin(Delivery { items, answer });
        self.monitor.take_in();
        fates.try_recv().unwrap()
    }

    /// What the pane that begins at 0 ships, once it is over.
    fn close(&mut self) -> Vec<ClosedWindow> {
        let pane = PaneStart(at(0));
        self.monitor.close_halves(pane);
        let socket = self.monitor.recorder.panes.close(pane);
        let mut out = Vec::new();
        let input = Input::Close(pane, socket);
        self.monitor.engine.handle(input, at(61), &mut out);
        let items = out.into_iter().find_map(|output| match output {
            Output::Ship(items, _) => Some(items),
            Output::Measured(_) | Output::Answer(_) | Output::Told(_) | Output::Held(_) => None,
        });
        items.unwrap()
    }

    fn record(&self, text: &str) -> Item {
        testing::record(text, &self.naming).unwrap()
    }
}

fn coverage(items: &[ClosedWindow]) -> Coverage {
    let mut sum = Coverage::default();
    for item in items {
        if let Stream::Traffic(coverage) = &item.stream {
            sum.merge(coverage).unwrap();
        }
    }
    assert!(sum.adds_up(), "{sum:?}");
    sum
}

/// The bytes of the one model's traffic.
fn counted(items: &[ClosedWindow]) -> Vec<u8> {
    let traffic = items
        .iter()
        .filter(|item| matches!(item.stream, Stream::Traffic(_)) && !item.key.model.is_empty());
    let all: Vec<_> = traffic.collect();
    assert_eq!(all.len(), 1, "one model: {:?}", coverage(items));
    all[0].summary.clone()
}

/// The document's plan, which also knows the model of servers that name none.
fn with_invocations(naming: Form) -> CapturePlan {
    plan_with(naming, "    - { name: invocations, source: own }\n")
}

/// What the proxy counts of an exchange.
fn by_proxy(sent: &Sent) -> Vec<u8> {
    let mut world = World::new(with_invocations(sent.naming));
    let mut exchange = sent.exchange.clone();
    exchange.arrived_at = at(5);
    let decoder = find(DECODERS, &exchange.method, exchange.target.path()).unwrap();
    world.monitor.recorder.arrive_at(Some(at(5)), true);
    let held = Reservation::new(Arc::clone(&world.monitor.recorder.budget));
    world.monitor.exchange(Captured {
        exchange,
        decoder,
        held,
        small: crate::capture::small::Small::default(),
        served: clause9_shared::service::Served::default(),
    });
    let items = world.close();
    assert_eq!(
        coverage(&items).sampled,
        1,
        "{}: {:?}",
        sent.form,
        coverage(&items)
    );
    counted(&items)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    });
    pairs.collect()
}

const KINDS: [&str; 2] = [
    "org.kubeflow.serving.inference.request",
    "org.kubeflow.serving.inference.response",
];

/// Both bodies of an exchange, and the request's content type, which loggers write on both.
fn bodies(sent: &Sent) -> ([Bytes; 2], String) {
    let exchange = &sent.exchange;
    let kind = exchange.request.content_type.as_ref();
    let kind = kind.map_or("application/json", |kind| kind.to_str().unwrap());
    let bodies = [&exchange.request, &exchange.response].map(|message| message.body.joined());
    (bodies, kind.to_owned())
}

/// As KServe's logger sends it: one event for each half.
fn kserve_binary(sent: &Sent) -> Vec<Item> {
    let (bodies, kind) = bodies(sent);
    let events = KINDS.iter().zip(bodies).flat_map(|(event, body)| {
        let headers = headers(&[
            ("ce-specversion", "1.0"),
            ("ce-id", "0f6c1f66"),
            ("ce-source", "http://localhost:9081/"),
            ("ce-type", event),
            ("ce-time", "1970-01-01T00:00:05.000000001Z"),
            ("ce-inferenceservicename", "credit"),
            ("content-type", &kind),
        ]);
        testing::binary(&headers, &body).unwrap().unwrap()
    });
    events.collect()
}

/// The same as JSON, with the body as it is, if it is JSON, or else in base 64.
fn kserve_structured(sent: &Sent) -> Vec<Item> {
    let (bodies, kind) = bodies(sent);
    let events = KINDS.iter().zip(bodies).flat_map(|(event, body)| {
        let attributes = json!({
            "specversion": "1.0", "id": "0f6c1f66", "source": "s", "type": event,
            "time": "1970-01-01T00:00:05Z", "datacontenttype": kind, "inferenceservicename": "credit",
        });
        let attributes = attributes.to_string();
        let open = attributes.strip_suffix('}').unwrap();
        let is_one = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
        let text = if is_one && kind == "application/json" {
            format!(r#"{open},"data":{}}}"#, std::str::from_utf8(&body).unwrap())
        } else {
            format!(r#"{open},"data_base64":"{}"}}"#, STANDARD.encode(&body))
        };
        testing::object(&text).unwrap()
    });
    events.collect()
}

/// As loggers write to a topic: the attributes in headers, one event for each half, dated by the record.
#[cfg(feature = "kafka")]
fn of_topic(sent: &Sent, naming: &Naming) -> Vec<Item> {
    let (bodies, kind) = bodies(sent);
    let events = KINDS.iter().zip(bodies).flat_map(|(event, body)| {
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", "0f6c1f66"),
            ("ce_source", "http://localhost:9081/"),
            ("ce_type", event),
            ("ce_inferenceservicename", "credit"),
            ("content-type", &kind),
        ];
        testing::of_topic(&headers, &body, at(5), naming)
    });
    events.collect()
}

/// As Seldon's logger writes to a topic, whose attributes have no prefix.
#[cfg(feature = "kafka")]
fn of_seldons_topic(sent: &Sent, naming: &Naming) -> Vec<Item> {
    let (bodies, kind) = bodies(sent);
    let events = ["request", "response"].iter().zip(bodies);
    let events = events.flat_map(|(side, body)| {
        let event = format!("io.seldon.serving.inference.{side}");
        let headers = [
            ("type", event.as_str()),
            ("content-type", &kind),
            ("requestid", "0f6c1f66"),
            ("inferenceservicename", "credit"),
        ];
        testing::of_topic(&headers, &body, at(5), naming)
    });
    events.collect()
}

/// Both halves as JSON in one record.
#[cfg(feature = "kafka")]
fn of_topic_batched(sent: &Sent, naming: &Naming) -> Vec<Item> {
    let (bodies, kind) = bodies(sent);
    let events = KINDS.iter().zip(bodies).map(|(event, body)| {
        json!({ "specversion": "1.0", "id": "0f6c1f66", "source": "s", "type": event,
            "datacontenttype": kind, "inferenceservicename": "credit",
            "data_base64": STANDARD.encode(&body) })
    });
    let batch = serde_json::Value::Array(events.collect()).to_string();
    let headers = [("content-type", "application/cloudevents-batch+json")];
    testing::of_topic(&headers, batch.as_bytes(), at(5), naming)
}

#[cfg(feature = "kafka")]
#[test]
fn the_corpus_in_each_form_from_topics_is_counted_as_by_the_proxy() {
    let sent = all();
    assert_eq!(sent.len(), 22);
    for one in &sent {
        let by_proxy = by_proxy(one);
        for way in [of_topic, of_topic_batched, of_seldons_topic] {
            let plan = with_invocations(one.naming);
            let mut world = World::bounded(plan, 1 << 20, configured(one));
            let fates = world.take(way(one, &world.naming));
            assert_eq!(fates, [Fate::Waiting, Fate::Counted], "{}", one.form);
            assert_eq!(counted(&world.close()), by_proxy, "{}", one.form);
        }
    }
}

/// The path that must be configured for a form, whose bodies do not tell it.
fn configured(sent: &Sent) -> Option<&str> {
    let path = sent.exchange.target.path();
    let told =
        path.starts_with("/v1/") || path.starts_with("/v2/") || path.starts_with("/inference");
    (!told).then_some(path)
}

#[test]
fn the_corpus_in_each_form_as_events_is_counted_as_by_the_proxy() {
    let sent = all();
    assert_eq!(sent.len(), 22);
    for one in &sent {
        let by_proxy = by_proxy(one);
        for (way, events) in [
            ("binary", kserve_binary(one)),
            ("structured", kserve_structured(one)),
        ] {
            for answer_first in [false, true] {
                let mut events = events.clone();
                if answer_first {
                    events.reverse();
                }
                let plan = with_invocations(one.naming);
                let mut world = World::bounded(plan, 1 << 20, configured(one));
                let fates = world.take(events);
                assert_eq!(fates, [Fate::Waiting, Fate::Counted], "{} {way}", one.form);
                let items = world.close();
                assert_eq!((coverage(&items).seen, coverage(&items).sampled), (1, 1));
                assert_eq!(counted(&items), by_proxy, "{}, {way}", one.form);
            }
        }
    }
}

#[test]
fn forms_that_tell_their_protocol_need_no_path() {
    let told = all();
    for one in told
        .iter()
        .filter(|one| one.exchange.target.path() != "/predictions/credit/1.0")
    {
        let mut world = World::new(with_invocations(one.naming));
        let fates = world.take(kserve_binary(one));
        assert_eq!(fates[1], Fate::Counted, "{}", one.form);
        assert_eq!(counted(&world.close()), by_proxy(one), "{}", one.form);
    }
}

#[test]
fn requests_alone_count_the_same_inputs_and_no_outputs_in_each_form() {
    let mut first: Option<Vec<u8>> = None;
    for one in all() {
        let mut world = World::new(with_invocations(one.naming));
        let fates = world.take(vec![testing::mirrored(&one.exchange, at(5))]);
        assert_eq!(fates, [Fate::Counted], "{}", one.form);
        let items = world.close();
        let sum = coverage(&items);
        assert_eq!((sum.sampled, sum.request_only, sum.unidentified), (1, 1, 1));
        let bytes = counted(&items);
        let first = first.get_or_insert_with(|| bytes.clone());
        assert_eq!(*first, bytes, "{}", one.form);
        assert_ne!(bytes, by_proxy(&one));
        let plan = with_invocations(one.naming);
        let summary = clause9_shared::sketch::PaneSummary::from_bytes(&bytes).unwrap();
        let empty = plan.empty_traffic();
        for (key, kept) in summary.iter() {
            let of_output = !matches!(key.of, clause9_shared::sketch::SummaryOf::Feature(_));
            let nothing = empty.iter().find(|(k, _)| *k == key).unwrap().1;
            assert_eq!(of_output, kept == nothing, "{key:?}");
        }
    }
}

#[test]
fn records_are_counted_as_the_rows_of_one_request() {
    let by_proxy = by_proxy(&all()[0]);
    for form in [Form::Names, Form::Places] {
        let mut world = World::new(with_invocations(form));
        let records = CORPUS.iter().enumerate().map(|(i, row)| {
            let record = json!({
                "id": format!("r-{i}"),
                "time": "1970-01-01T00:00:05Z",
                "inputs": { "age": row.age, "income": row.income, "debt": row.debt, "grade": row.grade },
                "outputs": { "score": row.p },
            });
            world.record(&record.to_string())
        });
        let records: Vec<_> = records.collect();
        let fates = world.take(records.clone());
        assert_eq!(fates, [Fate::Counted; 24]);
        assert_eq!(world.take(records), [Fate::Duplicate; 24]);
        let items = world.close();
        assert_eq!((coverage(&items).seen, coverage(&items).rows), (24, 24));
        assert_eq!(counted(&items), by_proxy);
    }
}

#[test]
fn captured_lines_and_other_loggers_are_counted_as_by_the_proxy() {
    let sent = all();
    // SageMaker's capture, of each form that its containers and MLflow's take.
    let mut lines = 0;
    for one in sent
        .iter()
        .filter(|one| one.exchange.target.path() == "/invocations")
    {
        let content = |message: &crate::exchange::Message, mode: &str| {
            let kind = message.content_type.as_ref();
            let kind = kind.map_or("application/json", |kind| kind.to_str().unwrap());
            json!({ "observedContentType": kind, "mode": mode, "encoding": "BASE64",
                    "data": STANDARD.encode(message.body.joined()) })
        };
        let line = json!({
            "captureData": {
                "endpointInput": content(&one.exchange.request, "INPUT"),
                "endpointOutput": content(&one.exchange.response, "OUTPUT"),
            },
            "eventMetadata": { "eventId": "e-1", "inferenceTime": "1970-01-01T00:00:05Z" },
            "eventVersion": "0",
        });
        let mut world = World::new(with_invocations(one.naming));
        let items = testing::object(&line.to_string()).unwrap();
        assert_eq!(world.take(items), [Fate::Counted], "{}", one.form);
        assert_eq!(counted(&world.close()), by_proxy(one), "{}", one.form);
        lines += 1;
    }
    assert!(lines > 8, "{lines}");
}

#[test]
fn rows_of_seldon_and_azure_are_counted_as_by_the_proxy() {
    let cells = |row: &crate::decode::agreement::bodies::Row| {
        json!([row.age, row.income, row.debt, row.grade])
    };
    let rows: Vec<_> = CORPUS.iter().map(cells).collect();
    let scores: Vec<_> = CORPUS.iter().map(|row| json!([row.p])).collect();
    let names = ["age", "income", "debt", "grade"];
    let seldon = |kind: &str, data: serde_json::Value| {
        let event = json!({ "specversion": "1.0", "id": kind, "source": "s", "requestid": "q-1",
            "type": format!("io.seldon.serving.inference.{kind}"), "time": "1970-01-01T00:00:05Z",
            "inferenceservicename": "credit", "data": { "data": data } });
        testing::object(&event.to_string()).unwrap()
    };
    let asked = seldon("request", json!({ "names": names, "ndarray": rows }));
    let answered = seldon("response", json!({ "names": ["p"], "ndarray": scores }));
    let mut world = World::new(with_invocations(Form::Names));
    let fates = world.take([asked, answered].concat());
    assert_eq!(fates, [Fate::Waiting, Fate::Counted]);
    let by_proxy = by_proxy(&all()[0]);
    assert_eq!(counted(&world.close()), by_proxy);

    let objects = CORPUS.iter().map(
        |row| json!({ "age": row.age, "income": row.income, "debt": row.debt, "grade": row.grade }),
    );
    let objects: Vec<_> = objects.collect();
    let azure = |kind: &str, data: serde_json::Value| {
        let line = json!({ "specversion": "1.0", "id": kind, "source": "/subscriptions/x",
            "type": format!("azureml.inference.{kind}"), "time": "1970-01-01T00:00:05Z",
            "datacontenttype": "application/json", "correlationid": "c-1", "data": data });
        testing::object(&line.to_string()).unwrap()
    };
    let answers: Vec<_> = CORPUS.iter().map(|row| json!({ "p": row.p })).collect();
    let both = [
        azure("outputs", json!(answers)),
        azure("inputs", json!(objects)),
    ]
    .concat();
    let mut world = World::new(with_invocations(Form::Names));
    assert_eq!(world.take(both), [Fate::Waiting, Fate::Counted]);
    assert_eq!(counted(&world.close()), by_proxy);
}

#[test]
fn halves_without_the_other_are_counted_by_reasons_of_their_own() {
    let one = &all()[0];
    let [request, response] = <[Item; 2]>::try_from(kserve_binary(one)).unwrap();
    let mut world = World::new(with_invocations(one.naming));
    assert_eq!(world.take(vec![request.clone()]), [Fate::Waiting]);
    assert_eq!(world.take(vec![request.clone()]), [Fate::Duplicate]);
    let sum = coverage(&world.close());
    assert_eq!(sum.dropped[DropReason::Unanswered as usize], 1);
    assert_eq!(sum.seen, 1);
    // The answer comes after all: its exchange was counted.
    assert_eq!(world.take(vec![response.clone()]), [Fate::Late]);

    let mut world = World::new(with_invocations(one.naming));
    assert_eq!(world.take(vec![response]), [Fate::Waiting]);
    let sum = coverage(&world.close());
    assert_eq!(
        (sum.seen, sum.dropped[DropReason::Unasked as usize]),
        (1, 1)
    );
    assert_eq!(world.take(vec![request]), [Fate::Late]);
}

#[test]
fn a_flood_of_halves_lets_the_oldest_go_and_counts_each() {
    let one = &all()[0];
    let [request, _] = <[Item; 2]>::try_from(kserve_binary(one)).unwrap();
    let mut world = World::bounded(with_invocations(one.naming), 16 << 10, None);
    let Item::Half(half) = request else { panic!() };
    for i in 0..500 {
        let mut half = half.clone();
        half.key = crate::sink::Key::new("flood", &i.to_string());
        assert_eq!(world.take(vec![Item::Half(half)]), [Fate::Waiting]);
        assert!(world.monitor.intake.joins.bytes() <= 16 << 10);
    }
    let sum = coverage(&world.close());
    let (budget, unanswered) = (DropReason::CaptureBudget, DropReason::Unanswered);
    assert_eq!(sum.seen, 500);
    assert!(sum.dropped[budget as usize] > 400);
    assert!(sum.dropped[unanswered as usize] > 3);
    assert_eq!(sum.dropped_total(), 500);
}

#[test]
fn what_is_no_inference_too_late_or_not_understood_is_accounted_for() {
    let one = &all()[0];
    let mut world = World::new(with_invocations(one.naming));
    let mut other = one.exchange.clone();
    other.target = crate::exchange::Target::of("/v2/health/ready");
    assert_eq!(
        world.take(vec![testing::mirrored(&other, at(5))]),
        [Fate::NotInference]
    );
    let odd =
        r#"{"id":"a","time":"1970-01-01T00:00:05Z","inputs":{"shoe":1},"outputs":{"score":1}}"#;
    let odd = world.record(odd);
    let mismatch = UndecodableReason::SchemaMismatch;
    assert_eq!(world.take(vec![odd]), [Fate::Undecodable(mismatch)]);
    let failed = r#"{"time":"1970-01-01T00:00:05Z","inputs":{"age":30},"status":503}"#;
    let failed = world.record(failed);
    let upstream = UndecodableReason::UpstreamError;
    assert_eq!(world.take(vec![failed]), [Fate::Undecodable(upstream)]);
    let sum = coverage(&world.close());
    assert_eq!(
        (sum.seen, sum.not_inference, sum.undecodable_total()),
        (3, 1, 2)
    );
    assert_eq!(sum.upstream_errors, 1);
    let late = r#"{"time":"1970-01-01T00:00:05Z","inputs":{"age":30},"outputs":{"p":0.5}}"#;
    let late = world.record(late);
    assert_eq!(world.take(vec![late]), [Fate::Dropped(DropReason::TooLate)]);
}

#[test]
fn an_account_adds_up_and_lists_what_was_not_counted() {
    let mut account = Account::default();
    for (item, fate) in [
        Fate::Counted,
        Fate::Duplicate,
        Fate::Waiting,
        Fate::SampledOut,
        Fate::Undecodable(UndecodableReason::Malformed),
        Fate::Late,
        Fate::Outcome,
    ]
    .into_iter()
    .enumerate()
    {
        testing::note(&mut account, item, fate);
    }
    assert_eq!((account.taken, account.duplicate), (6, 1));
    let of = account.of_taken;
    let sum = of.counted + of.waiting + of.sampled_out + of.undecodable + of.dropped + of.outcomes;
    assert_eq!(sum, account.taken);
    let listed: Vec<_> = account.items.iter().map(|l| (l.item, l.fate)).collect();
    assert_eq!(listed, [(4, "undecodable"), (5, "dropped")]);
}
