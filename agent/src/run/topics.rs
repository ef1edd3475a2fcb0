//! The thread that reads topics: started with the agent, ended before the monitor is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{join, spawn};
use crate::priority;
use crate::sink::Reader;

/// How long leaving the group may take. Brokers that are away would keep the agent from ending.
const LEAVING: Duration = Duration::from_secs(10);

pub(super) struct Topics {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Topics {
    pub(super) fn start(reader: Reader) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = spawn("clause9-kafka", move || {
            priority::lower("kafka");
            reader.run(&told);
        })?;
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(self) {
        let begun = Instant::now();
        while !self.thread.is_finished() {
            if begun.elapsed() > LEAVING {
                tracing::warn!("kafka: the group was not left in time; it will notice by itself");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        join(self.thread);
    }
}
