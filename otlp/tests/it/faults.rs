//! Whatever a receiver does, what is handed over is taken or counted at once, and what is counted adds up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clause9_otlp::message::{Event, Figure, Kind, Named, Severity};
use clause9_otlp::settings::Service;
use clause9_otlp::{
    Counts, Dropped, Environment, Export, Exporting, Failed, OtlpConfig, OtlpTlsConfig, Settings,
    Signal, Step, TracesConfig,
};
use clause9_shared::time::Timestamp;

use crate::receiver::{Manner, Receiver, identity};

/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts by words.
#[derive(Default)]
struct Book(Mutex<BTreeMap<String, u64>>);

impl Book {
    fn add(&self, what: String, times: u64) -> u64 {
        let mut book = self.0.lock().unwrap();
        let count = book.entry(what).or_default();
        *count += times;
        *count
    }

    fn read(&self, what: &str) -> u64 {
        self.0.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    fn wait(&self, what: &str, times: u64) {
        let begun = Instant::now();
        while self.read(what) < times {
            let book = &self.0;
            assert!(begun.elapsed() < PATIENCE, "{what} {times}: {book:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Counts for Book {
    fn exported(&self, signal: Signal, items: u64) {
        self.add(format!("exported {}", signal.as_str()), items);
    }

    fn dropped(&self, signal: Signal, why: Dropped, items: u64) {
        self.add(
            format!("dropped {} {}", signal.as_str(), why.as_str()),
            items,
        );
    }

    fn failed(&self, how: Failed) -> u64 {
        self.add(format!("failed {}", how.as_str()), 1)
    }
}

fn start(endpoint: &str, queue: usize) -> (Exporting, Arc<Book>) {
    begin(&OtlpConfig {
        endpoint: Some(endpoint.to_owned()),
        // Short for whoever keeps silent, long enough for everybody else on a busy machine.
        timeout: Some("2s".parse().unwrap()),
        queue: Some(queue),
        ..OtlpConfig::default()
    })
}

fn begin(config: &OtlpConfig) -> (Exporting, Arc<Book>) {
    let service = Service {
        name: "test",
        version: "1",
    };
    let environment = Environment::default();
    let settings = Settings::new(config, Path::new(""), environment, service).unwrap();
    let book = Arc::new(Book::default());
    let counts: Arc<dyn Counts> = Arc::<Book>::clone(&book);
    (Export::start(settings, counts, || ()).unwrap(), book)
}

fn beside(receiver: &Receiver) -> (Exporting, Arc<Book>) {
    start(&format!("http://{}/otlp/", receiver.address), 64)
}

fn event(n: usize) -> Event {
    Event {
        name: "test.event",
        at: Timestamp::EPOCH,
        seen: Timestamp::EPOCH,
        severity: Severity::Info,
        body: format!("event {n}"),
        attributes: Vec::new(),
    }
}

fn figure(value: f64) -> Figure {
    let gauge = Named {
        name: "test.gauge",
        unit: "1",
        about: "",
    };
    Figure {
        gauge,
        attributes: Vec::new(),
        value,
    }
}

/// How often each event came.
fn seen(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for event in receiver.came().into_iter().flat_map(|c| c.events) {
        *seen.entry(event).or_default() += 1;
    }
    seen
}

#[test]
fn what_is_taken_comes_once_under_the_receivers_path() {
    let receiver = Receiver::open(&[]);
    let (exporting, book) = beside(&receiver);
    (0..20).for_each(|n| exporting.export().tell(event(n)));
    exporting
        .export()
        .show("s", vec![figure(1.0), figure(2.0)], Timestamp::EPOCH);
    book.wait("exported logs", 20);
    book.wait("exported metrics", 2);
    let seen = seen(&receiver);
    assert_eq!((seen.len(), seen.values().sum::<usize>()), (20, 20));
    for came in receiver.came() {
        assert!(
            ["/otlp/v1/logs", "/otlp/v1/metrics"].contains(&came.path.as_str()),
            "{came:?}"
        );
    }
    exporting.end();
}

#[test]
fn what_was_taken_in_part_is_counted_and_never_sent_again() {
    let receiver = Receiver::open(&[Manner::Partly(1), Manner::Partly(1), Manner::Partly(1)]);
    let (exporting, book) = beside(&receiver);
    for n in 0..3 {
        exporting.export().tell(event(n));
        book.wait("dropped logs rejected", n as u64 + 1);
    }
    exporting.export().tell(event(3));
    book.wait("exported logs", 1);
    assert!(seen(&receiver).values().all(|times| *times == 1));
    assert_eq!(book.read("dropped logs rejected"), 3);
    exporting.end();
}

#[test]
fn who_asks_to_come_again_later_is_not_asked_before() {
    let busy = Manner::Status(503, "Retry-After: 1\r\n");
    let receiver = Receiver::open(&[busy, Manner::Status(429, "retry-after: 1\r\n")]);
    let (exporting, book) = beside(&receiver);
    exporting.export().tell(event(0));
    book.wait("exported logs", 1);
    let came = receiver.came();
    assert_eq!((came.len(), book.read("failed busy")), (3, 2));
    for pair in came.windows(2) {
        assert!(
            pair[1].at - pair[0].at >= Duration::from_secs(1),
            "{came:?}"
        );
    }
    exporting.end();
}

#[test]
fn what_is_refused_or_answered_beyond_understanding_is_counted_and_let_go() {
    for manner in [
        Manner::Status(400, ""),
        Manner::Status(401, ""),
        Manner::Garbled,
    ] {
        let receiver = Receiver::open(&[manner]);
        let (exporting, book) = beside(&receiver);
        exporting.export().tell(event(0));
        book.wait("dropped logs refused", 1);
        exporting.export().tell(event(1));
        book.wait("exported logs", 1);
        assert_eq!(seen(&receiver).len(), receiver.came().len(), "{manner:?}");
        exporting.end();
    }
}

#[test]
fn a_connection_that_ends_or_keeps_silent_costs_no_event() {
    for (manner, how) in [
        (Manner::Gone, "failed broken"),
        (Manner::Silent, "failed timeout"),
    ] {
        let receiver = Receiver::open(&[manner]);
        let (exporting, book) = beside(&receiver);
        exporting.export().tell(event(0));
        book.wait("exported logs", 1);
        assert!(book.read(how) >= 1, "{manner:?}");
        exporting.end();
    }
}

#[test]
fn where_nobody_listens_nobody_waits_and_everything_is_counted() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (exporting, book) = start(&format!("http://{address}"), 4);
    exporting.export().tell(event(0));
    book.wait("failed connect", 1);
    for n in 1..100 {
        exporting.export().tell(event(n));
    }
    let full = book.read("dropped logs queue_full");
    assert!(full >= 90, "{full}");
    exporting
        .export()
        .show("s", vec![figure(1.0)], Timestamp::EPOCH);
    exporting.end();
    assert_eq!(full + book.read("dropped logs ended"), 100);
}

#[test]
fn secrets_come_from_files_and_go_only_where_nobody_overhears_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "Bearer s3cret\n").unwrap();
    let receiver = Receiver::open(&[]);
    let settings = |endpoint: String| {
        let config = OtlpConfig {
            endpoint: Some(endpoint),
            headers: [("authorization".to_owned(), "token".into())].into(),
            ..OtlpConfig::default()
        };
        let service = Service {
            name: "test",
            version: "1",
        };
        Settings::new(&config, folder.path(), Environment::default(), service)
    };
    let said = settings("http://otel.example.org:4318".into()).unwrap_err();
    assert!(
        said.starts_with("`otlp.headers` would be sent") && !said.contains("s3cret"),
        "{said}"
    );
    let good = settings(format!("http://{}", receiver.address)).unwrap();
    assert!(!format!("{good:?}").contains("s3cret"));
    let book = Arc::new(Book::default());
    let counts: Arc<dyn Counts> = Arc::<Book>::clone(&book);
    let exporting = Export::start(good, counts, || ()).unwrap();
    exporting
        .export()
        .show("s", vec![figure(1.0)], Timestamp::EPOCH);
    book.wait("exported metrics", 1);
    let head = receiver.came().remove(0).head;
    assert!(head.contains("authorization: Bearer s3cret\r\n"), "{head}");
    exporting.end();
}

#[test]
fn behind_tls_only_whom_the_roots_vouch_for_is_told_anything() {
    for (roots, trusted) in [("authority.pem", true), ("other-authority.pem", false)] {
        let receiver = Receiver::behind_tls();
        let roots = Some(identity(roots));
        let (exporting, book) = begin(&OtlpConfig {
            endpoint: Some(format!("https://localhost:{}", receiver.address.port())),
            tls: Some(OtlpTlsConfig { roots }),
            ..OtlpConfig::default()
        });
        exporting.export().tell(event(0));
        book.wait(
            if trusted {
                "exported logs"
            } else {
                "failed connect"
            },
            1,
        );
        assert_eq!(receiver.came().len(), usize::from(trusted));
        exporting.end();
    }
}

/// An exporter of spans, of which that share is kept.
fn tracing(address: &str, ratio: f64, queue: usize) -> (Exporting, Arc<Book>) {
    begin(&OtlpConfig {
        endpoint: Some(format!("http://{address}")),
        queue: Some(queue),
        traces: Some(TracesConfig { ratio }),
        ..OtlpConfig::default()
    })
}

const WORK: (&str, Kind) = ("work", Kind::Client);

/// A step of the trace that has that name.
fn step(export: &Export, name: &[u8; 24]) -> Step {
    let context = export.named(name).unwrap();
    Step::at(export, (context, None), WORK, Timestamp::EPOCH)
}

#[test]
fn a_trace_with_a_name_is_the_same_to_everybody_and_is_kept_by_all_or_none() {
    let receiver = Receiver::open(&[]);
    let address = receiver.address.to_string();
    let (all, told) = tracing(&address, 1.0, 64);
    let (some, _) = tracing(&address, 0.5, 64);
    let (none, untold) = tracing(&address, 0.0, 64);
    let mut kept = 0;
    for number in 0..32_u8 {
        let mut name = [7; 24];
        // What decides is the low end of what names the trace.
        name[9] = number * 8;
        let contexts = [&all, &some, &none].map(|e| e.export().named(&name).unwrap());
        assert!(contexts.iter().all(|c| c.trace == contexts[0].trace));
        assert_eq!([contexts[0].kept, contexts[2].kept], [true, false]);
        kept += usize::from(contexts[1].kept);
        let header = contexts[2].header();
        assert!(header.ends_with("-00"), "{header}");
        step(&all.export(), &name).end(Timestamp::EPOCH, false, Vec::new());
        step(&none.export(), &name).end(Timestamp::EPOCH, false, Vec::new());
    }
    assert_eq!(kept, 16);
    told.wait("exported traces", 32);
    none.end();
    assert_eq!(untold.0.lock().unwrap().len(), 0);
    let spans: Vec<_> = receiver.came().into_iter().flat_map(|c| c.spans).collect();
    assert_eq!(spans.len(), 32);
    for span in spans {
        assert_eq!(
            (&span.trace_id[..8], &span.span_id[..]),
            (&[7; 8][..], &[7; 8][..])
        );
        // A client's.
        assert_eq!((span.kind, span.name.as_str()), (3, "work"));
    }
    some.end();
    all.end();
}

#[test]
fn without_traces_nothing_has_one() {
    let receiver = Receiver::open(&[]);
    let (exporting, _) = beside(&receiver);
    assert_eq!(exporting.export().named(&[7; 24]), None);
    exporting.end();
}

#[test]
fn spans_too_are_taken_or_counted_when_a_receiver_is_slow_and_the_program_ends() {
    const SPANS: usize = 512 * 20;
    let receiver = Receiver::open(&[Manner::Slow; 20]);
    let address = receiver.address.to_string();
    let (exporting, book) = tracing(&address, 1.0, SPANS);
    for _ in 0..SPANS + 3 {
        step(&exporting.export(), &[7; 24]).end(Timestamp::EPOCH, true, Vec::new());
    }
    let over = book.read("dropped traces queue_full");
    let begun = receiver.came().len();
    exporting.end();
    // Each takes a second, and for two it is waited in all, however much waits; one had begun and one begins at the end.
    let requests = receiver.came().len() - begun;
    assert!(requests <= 4, "{requests}");
    let told = book.read("exported traces") + book.read("dropped traces ended");
    assert_eq!(told + over, SPANS as u64 + 3);
}
