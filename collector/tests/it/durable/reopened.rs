//! A collector in this process on files that were left by another.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clause9_collector::Collector;
use clause9_collector::config::CollectorConfig;

use crate::http::{self, Answer};

/// It runs until it is dropped.
pub(crate) struct Reopened {
    pub(crate) address: SocketAddr,
    /// How long it took from reading the configuration to being bound to its address.
    pub(crate) took: Duration,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reopened {
    /// Opens what is there, by itself.
    pub(crate) fn on(config: &Path) -> Result<Self, String> {
        let begun = Instant::now();
        let config = CollectorConfig::read(config).map_err(|e| e.to_string())?;
        let collector = Collector::build(&config).map_err(|e| format!("{e:#}"))?;
        let took = begun.elapsed();
        let address = collector.address();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            collector
                .run(async {
                    drop(stopped.await);
                })
                .unwrap();
        });
        Ok(Self {
            address,
            took,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn post(&self, envelope: &[u8]) -> Answer {
        http::request(self.address, "POST", "/v1/batches", envelope).unwrap()
    }

    /// What became of each item, in one word if it is the same.
    pub(crate) fn fate(&self, envelope: &[u8]) -> String {
        let answer = self.post(envelope);
        let mut words: Vec<_> = match answer.json()["items"].as_array() {
            None => vec![answer.text()],
            Some(items) => items
                .iter()
                .map(|i| i["status"].as_str().unwrap().to_owned())
                .collect(),
        };
        words.dedup();
        words.join(" ")
    }
}

impl Drop for Reopened {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "it panicked");
        }
    }
}
