//! Clients that ask one request after the other for a while and look at every answer.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Setting, quantile, upstream};
use crate::http::Connection;

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
    pub p50_us: u64,
    /// 99 % of the answers came within this, in microseconds.
    pub p99_us: u64,
}

impl Seen {
    /// Right answers in a second.
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// A request of so many rows of four numbers, with an id of its own.
pub fn request(rows: usize, id: &str) -> String {
    let numbers: Vec<_> = (0..rows * 4)
        .map(|i| format!("{:.4}", (i % 41) as f64 / 20.0 - 1.0))
        .collect();
    format!(
        r#"{{"id":"{id}","inputs":[{{"name":"predict","shape":[{rows},4],"datatype":"FP64","data":[{}]}}]}}"#,
        numbers.join(",")
    )
}

/// Asks a port for as long as the setting says, over all its connections at once.
pub fn run(port: u16, setting: &Setting, run: usize) -> anyhow::Result<Seen> {
    let begun = Instant::now();
    let clients: Vec<_> = (0..setting.connections)
        .map(|client| {
            let setting = *setting;
            std::thread::spawn(move || ask(port, &setting, &format!("{run}-{client}")))
        })
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
    Ok(Seen {
        answers: times.len() as u64,
        missing,
        seconds,
        p50_us: quantile(&times, 0.5).unwrap_or(0),
        p99_us: quantile(&times, 0.99).unwrap_or(0),
    })
}

/// One client: times of right answers in microseconds, and how many were missing.
fn ask(port: u16, setting: &Setting, name: &str) -> (Vec<u64>, u64) {
    let expected = upstream::answer(setting.rows);
    let rows = setting.rows.to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-rows", rows.as_str()),
    ];
    let (mut times, mut missing, mut asked) = (Vec::new(), 0, 0_u64);
    let body = request(setting.rows, "ID");
    let begun = Instant::now();
    let mut connection = Connection::open(port).ok();
    while begun.elapsed() < setting.duration() {
        asked += 1;
        let body = body.replacen("ID", &format!("{name}-{asked}"), 1);
        let sent = Instant::now();
        let answer = connection.as_mut().and_then(|c| {
            c.send("POST", "/v2/models/loan/infer", &headers, body.as_bytes())
                .ok()
        });
        if answer.is_some_and(|a| a.status() == 200 && a.body == expected.as_bytes()) {
            times.push(microseconds(sent.elapsed()));
        } else {
            missing += 1;
            std::thread::sleep(Duration::from_millis(10));
            connection = Connection::open(port).ok();
        }
    }
    (times, missing)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
