//! Clients that ask one request after the other for a while and look at every answer.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Setting, quantile, upstream};
use crate::http::Connection;

/// A request that is sent so much after its time was held up by the answer before it; its time then counts
/// from when it was due. Less is the clock that wakes clients.
const LATE: Duration = Duration::from_millis(1);

/// What clients saw in one run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seen {
    /// Answers that were right.
    pub answers: u64,
    /// Requests without a right answer.
    pub missing: u64,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// Half of the answers came within this, in microseconds.
    pub p50_us: f64,
    /// 99 % of the answers came within this, in microseconds.
    pub p99_us: f64,
}

impl Seen {
    /// Right answers in a second.
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// How clients ask.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// Whom, on this machine.
    pub port: u16,
    /// How many clients at once, each with one request at a time.
    pub connections: usize,
    /// Rows in each request.
    pub rows: usize,
    /// For how long.
    pub duration: Duration,
    /// Requests in a second, over all clients; none: as fast as answers come.
    pub per_second: Option<f64>,
    /// Sets request ids of different runs apart.
    pub run: usize,
}

impl Asking {
    /// As fast as answers come, as the setting says.
    pub const fn of(setting: &Setting, port: u16, run: usize) -> Self {
        Self {
            port,
            connections: setting.connections,
            rows: setting.rows,
            duration: setting.duration(),
            per_second: None,
            run,
        }
    }

    /// Asks over all connections at once.
    pub fn run(self) -> anyhow::Result<Seen> {
        let begun = Instant::now();
        let clients: Vec<_> = (0..self.connections)
            .map(|client| std::thread::spawn(move || ask(self, client)))
            .collect();
        let (mut times, mut missing) = (Vec::new(), 0);
        for client in clients {
            let (its_times, its_missing) = client
                .join()
                .map_err(|_| anyhow::anyhow!("a client failed"))?;
            times.extend(its_times);
            missing += its_missing;
        }
        let seconds = begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let microseconds = |share| quantile(&times, share).unwrap_or(0) as f64 / 1e3;
        Ok(Seen {
            answers: times.len() as u64,
            missing,
            seconds,
            p50_us: microseconds(0.5),
            p99_us: microseconds(0.99),
        })
    }
}

/// A request of so many rows of four numbers and a group, with an id of its own.
pub fn request(rows: usize, id: &str) -> String {
    let numbers: Vec<_> = (0..rows * 4)
        .map(|i| format!("{:.4}", (i % 41) as f64 / 20.0 - 1.0))
        .collect();
    let groups: Vec<_> = (0..rows)
        .map(|i| if i % 3 == 0 { r#""a""# } else { r#""b""# })
        .collect();
    format!(
        r#"{{"id":"{id}","inputs":[{{"name":"predict","shape":[{rows},4],"datatype":"FP64","data":[{}]}},{{"name":"group","shape":[{rows}],"datatype":"BYTES","data":[{}]}}]}}"#,
        numbers.join(","),
        groups.join(",")
    )
}

/// One client: times of right answers in nanoseconds, and how many were missing.
fn ask(asking: Asking, client: usize) -> (Vec<u64>, u64) {
    let expected = upstream::answer(asking.rows);
    let rows = asking.rows.to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-rows", rows.as_str()),
    ];
    let (mut times, mut missing, mut asked) = (Vec::new(), 0, 0_u64);
    let body = request(asking.rows, "ID");
    let every = asking
        .per_second
        .map(|rate| Duration::from_secs_f64(asking.connections as f64 / rate));
    let begun = Instant::now();
    let first = every.map_or(Duration::ZERO, |every| {
        every.mul_f64(client as f64 / asking.connections as f64)
    });
    let mut connection = Connection::open(asking.port).ok();
    while begun.elapsed() < asking.duration {
        let due = every.map(|every| begun + first + every.mul_f64(asked as f64));
        if let Some(wait) = due.and_then(|due| due.checked_duration_since(Instant::now())) {
            std::thread::sleep(wait);
        }
        asked += 1;
        let body = body.replacen("ID", &format!("{}-{client}-{asked}", asking.run), 1);
        let sent = Instant::now();
        let counted = due.filter(|due| sent.duration_since(*due) > LATE);
        let answer = connection.as_mut().and_then(|c| {
            c.send("POST", "/v2/models/loan/infer", &headers, body.as_bytes())
                .ok()
        });
        if answer.is_some_and(|a| a.status() == 200 && a.body == expected.as_bytes()) {
            times.push(nanoseconds(counted.unwrap_or(sent).elapsed()));
        } else {
            missing += 1;
            std::thread::sleep(Duration::from_millis(10));
            connection = Connection::open(asking.port).ok();
        }
    }
    (times, missing)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
