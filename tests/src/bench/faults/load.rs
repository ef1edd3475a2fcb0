//! Clients that ask without pause until they are told to stop, and for whom every answer that does not come
//! or is not the model's is a failure.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::bench::{load::request, quantile, upstream};
use crate::http::Connection;
use crate::process::wait_until;

/// Longest wait for answers that are to come.
const PATIENCE: Duration = Duration::from_mins(2);
/// Most failures that are kept as texts; all are counted.
const KEPT: usize = 5;

/// What clients do when they are asked to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedToClose {
    /// Connect again.
    ComeBack,
    /// Go elsewhere.
    Leave,
}

/// How clients ask.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whom, on this machine.
    pub port: u16,
    /// How many clients at once, each with one request at a time.
    pub clients: usize,
    /// Rows in each request.
    pub rows: usize,
    /// The `x-request-id` of a request by its number.
    pub mark: fn(u64) -> Option<&'static str>,
    /// What an answer with `connection: close` means.
    pub asked_to_close: AskedToClose,
}

/// What clients saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Right answers.
    pub answers: u64,
    /// Requests without one.
    pub failed: u64,
    /// What the first failures were.
    pub failures: Vec<String>,
    /// Half of the answers came within this, in microseconds.
    pub p50_us: f64,
    /// 99 % of the answers came within this, in microseconds.
    pub p99_us: f64,
}

#[derive(Debug, Default)]
struct Counts {
    stop: AtomicBool,
    asked: AtomicU64,
    answers: AtomicU64,
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// Clients at it.
#[derive(Debug)]
pub struct Load {
    counts: Arc<Counts>,
    clients: Vec<JoinHandle<Vec<u64>>>,
}

impl Load {
    /// They begin.
    pub fn begin(manner: Manner) -> Self {
        let counts = Arc::new(Counts::default());
        let clients = (0..manner.clients)
            .map(|_| {
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || ask(manner, &counts))
            })
            .collect();
        Self { counts, clients }
    }

    /// Right answers so far.
    pub fn answers(&self) -> u64 {
        self.counts.answers.load(Ordering::SeqCst)
    }

    /// Waits until there are so many right answers, or every client has ended.
    pub fn wait_for(&self, answers: u64) -> anyhow::Result<()> {
        wait_until("answers", PATIENCE, || {
            self.answers() >= answers || self.clients.iter().all(JoinHandle::is_finished)
        })
        .with_context(|| format!("{} of {answers} answers came", self.answers()))
    }

    /// Waits until every client has ended by itself.
    pub fn wait_for_all(&self) -> anyhow::Result<()> {
        wait_until("clients that leave", PATIENCE, || {
            self.clients.iter().all(JoinHandle::is_finished)
        })
    }

    /// They stop.
    pub fn end(self) -> anyhow::Result<Seen> {
        self.counts.stop.store(true, Ordering::SeqCst);
        let mut times = Vec::new();
        for client in self.clients {
            let its = client.join();
            times.extend(its.map_err(|_| anyhow::anyhow!("a client failed"))?);
        }
        times.sort_unstable();
        let microseconds = |share| quantile(&times, share).unwrap_or(0) as f64 / 1e3;
        let failures = self.counts.failures.lock();
        Ok(Seen {
            answers: times.len() as u64,
            failed: self.counts.failed.load(Ordering::SeqCst),
            failures: failures.unwrap_or_else(PoisonError::into_inner).clone(),
            p50_us: microseconds(0.5),
            p99_us: microseconds(0.99),
        })
    }
}

impl Counts {
    fn fail(&self, why: String) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < KEPT {
            failures.push(why);
        }
    }
}

/// One client: times of right answers in nanoseconds.
fn ask(manner: Manner, counts: &Counts) -> Vec<u64> {
    let expected = upstream::answer(manner.rows);
    let rows = manner.rows.to_string();
    let body = request(manner.rows, "ID");
    let (mut times, mut kept) = (Vec::new(), None);
    while !counts.stop.load(Ordering::SeqCst) {
        let number = counts.asked.fetch_add(1, Ordering::SeqCst);
        let body = body.replacen("ID", &number.to_string(), 1);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("x-rows", rows.as_str()),
        ];
        headers.extend((manner.mark)(number).map(|id| ("x-request-id", id)));
        let sent = Instant::now();
        let answered = kept
            .take()
            .map_or_else(|| Connection::open(manner.port), Ok)
            .and_then(|mut connection: Connection| {
                let path = "/v2/models/loan/infer";
                let answer = connection.send("POST", path, &headers, body.as_bytes())?;
                Ok((connection, answer))
            });
        match answered {
            Ok((connection, answer))
                if answer.status() == 200 && answer.body == expected.as_bytes() =>
            {
                times.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
                counts.answers.fetch_add(1, Ordering::SeqCst);
                match (answer.header("connection"), manner.asked_to_close) {
                    (Some("close"), AskedToClose::Leave) => return times,
                    (Some("close"), AskedToClose::ComeBack) => {}
                    (Some(_) | None, _) => kept = Some(connection),
                }
            }
            Ok((_, answer)) => counts.fail(format!("request {number}: {}", answer.status_line)),
            Err(error) => {
                counts.fail(format!("request {number}: {error:#}"));
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    times
}
