//! The exporter: a handle that takes what is to be sent and never waits, and a thread with a runtime of its own that sends.
//! Shell.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};

use crate::connection::Connection;
use crate::message::{Event, Figure, Sender, Span};
use crate::reply::Reply;
use crate::settings::Settings;
use crate::trace::Context;
use crate::waiting::Waiting;
use crate::{Counts, Dropped, Failed, Signal, pause};

/// Most figures in a request.
const FIGURES: usize = 2000;
/// Most events or spans in a request, as OpenTelemetry's own processors have it.
const ITEMS: usize = 512;
/// How long the end of the program waits for what is under way and for what waits, in all.
const FAREWELL: Duration = Duration::from_secs(2);

/// The way to the exporter. What is handed over is taken or counted as dropped, at once.
#[derive(Clone)]
pub struct Export(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// By when the end of the program does not wait any more, once it is told to end.
    ended: watch::Sender<Option<Instant>>,
    counts: Arc<dyn Counts>,
    ratio: Option<f64>,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Export")
    }
}

/// The exporter's thread. It is told to end when this is dropped.
#[derive(Debug)]
pub struct Exporting {
    export: Export,
    thread: Option<JoinHandle<()>>,
}

impl Export {
    /// Starts the thread, which does `first` before anything else: whoever must not be disturbed by it lowers its priority there.
    pub fn start(
        settings: Settings,
        counts: Arc<dyn Counts>,
        first: fn(),
    ) -> std::io::Result<Exporting> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let export = Self(Arc::new(Shared {
            waiting: Mutex::new(Waiting::new(settings.queue)),
            wake: Notify::new(),
            ended: watch::Sender::new(None),
            counts,
            ratio: settings.ratio,
        }));
        let sending = Sending {
            sender: Sender::new(&settings.resource),
            settings,
            shared: Arc::clone(&export.0),
            connection: Connection::default(),
            parcel: None,
            anyway: false,
            failures: 0,
            not_before: None,
        };
        let thread = std::thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                first();
                runtime.block_on(sending.run());
                // A name that takes long to be looked up keeps nobody waiting.
                runtime.shutdown_background();
            })?;
        Ok(Exporting {
            export,
            thread: Some(thread),
        })
    }

    /// Puts figures in the place of those that the source showed before.
    pub fn show(&self, source: &str, figures: Vec<Figure>, read_at: Timestamp) {
        let (over, changed) = self.0.waiting().show(source, figures, read_at);
        self.0.drop_over(Signal::Metrics, over as u64);
        if changed {
            self.0.wake.notify_one();
        }
    }

    /// Tells what happened.
    pub fn tell(&self, event: Event) {
        let taken = self.0.waiting().tell(event);
        self.0.taken(Signal::Logs, taken);
    }

    /// Tells of a step of the program's own work. A trace that is not kept is none.
    pub fn step(&self, span: Span) {
        if span.context.kept {
            let taken = self.0.waiting().step(span);
            self.0.taken(Signal::Traces, taken);
        }
    }

    /// The step with which the program takes part in a trace that others began, or begins one; and the step of others that it
    /// follows from. None if there are no traces, or this one is not kept.
    pub fn begin(&self, traceparent: Option<&str>) -> Option<(Context, Option<[u8; 8]>)> {
        let ratio = self.0.ratio?;
        let mut random = [0; 24];
        getrandom::fill(&mut random).ok()?;
        let own = Context::begin(ratio, &random);
        let (context, parent) = match traceparent.and_then(Context::parse) {
            Some(theirs) => (theirs.follow(own.span), Some(theirs.span)),
            None => (own, None),
        };
        context.kept.then_some((context, parent))
    }

    /// The trace of something that has a name by which all who know it come to the same one, however often they begin and
    /// wherever they run; kept or not. None if there are no traces. `name` is uniform, as a digest is.
    pub fn named(&self, name: &[u8; 24]) -> Option<Context> {
        self.0.ratio.map(|ratio| Context::begin(ratio, name))
    }

    /// A step that follows from another one.
    pub fn follow(context: Context) -> Option<Context> {
        let mut span = [0; 8];
        getrandom::fill(&mut span).ok()?;
        Some(context.follow(span))
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_over(&self, signal: Signal, items: u64) {
        if items > 0 {
            self.counts.dropped(signal, Dropped::QueueFull, items);
        }
    }

    /// Has the thread end, at the latest so long after it was told first.
    fn end(&self) {
        self.ended.send_if_modified(|until| {
            let first = until.is_none();
            *until = until.or_else(|| Some(Instant::now() + FAREWELL));
            first
        });
    }

    fn taken(&self, signal: Signal, taken: bool) {
        if taken {
            self.wake.notify_one();
        } else {
            self.drop_over(signal, 1);
        }
    }
}

impl Exporting {
    /// The way to it.
    pub fn export(&self) -> Export {
        self.export.clone()
    }

    /// Sends what waits if that is quick (two seconds for all of it), counts what is left, and ends.
    pub fn end(mut self) {
        self.export.0.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("otlp: the exporter's thread panicked");
        }
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        self.export.0.end();
    }
}

/// A request, until it is settled what becomes of it.
struct Parcel {
    signal: Signal,
    items: u64,
    message: Bytes,
}

struct Sending {
    settings: Settings,
    shared: Arc<Shared>,
    sender: Sender,
    connection: Connection,
    /// What has to be sent again.
    parcel: Option<Parcel>,
    /// Whether figures are sent although none changed.
    anyway: bool,
    /// Requests that failed for now, in a row.
    failures: u32,
    not_before: Option<Instant>,
}

impl Sending {
    async fn run(mut self) {
        let mut ticks = interval(self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.wait(&mut ticks).await {
            self.send_all().await;
        }
        if self.not_before.is_none() {
            self.send_all().await;
        }
        self.count_rest();
    }

    /// Waits until there may be something to send; true if the program ends.
    async fn wait(&mut self, ticks: &mut Interval) -> bool {
        let mut ended = self.shared.ended.subscribe();
        let ended = ended.wait_for(Option::is_some);
        if let Some(at) = self.not_before {
            tokio::select! {
                _ = ended => return true,
                () = sleep_until(at) => self.not_before = None,
            }
        } else {
            tokio::select! {
                _ = ended => return true,
                () = self.shared.wake.notified() => {}
                _ = ticks.tick() => self.anyway = true,
            }
        }
        false
    }

    /// Sends until nothing waits or a request fails for now.
    async fn send_all(&mut self) {
        loop {
            if !self.send_figures().await {
                return;
            }
            let Some(parcel) = self.parcel.take().or_else(|| self.next()) else {
                return;
            };
            if !self.settle(&parcel).await {
                self.parcel = Some(parcel);
                return;
            }
        }
    }

    /// Sends all figures, if any changed or it is time; false if a request fails for now. They are not kept: after the pause
    /// there are newer ones.
    async fn send_figures(&mut self) -> bool {
        let anyway = std::mem::take(&mut self.anyway);
        let figures = self.shared.waiting().figures(anyway);
        let mut left = figures.len();
        for some in figures.chunks(FIGURES) {
            let parcel = Parcel {
                signal: Signal::Metrics,
                items: some.len() as u64,
                message: self.sender.figures(some).into(),
            };
            if !self.settle(&parcel).await {
                let (counts, signal) = (&self.shared.counts, Signal::Metrics);
                counts.dropped(signal, Dropped::Superseded, left as u64);
                self.anyway = true;
                return false;
            }
            left -= some.len();
        }
        true
    }

    /// The next events, else the next spans.
    fn next(&self) -> Option<Parcel> {
        let mut waiting = self.shared.waiting();
        let events: Vec<Event> = take(&mut waiting.events);
        if !events.is_empty() {
            drop(waiting);
            return Some(Parcel {
                signal: Signal::Logs,
                items: events.len() as u64,
                message: self.sender.events(&events).into(),
            });
        }
        let spans: Vec<Span> = take(&mut waiting.spans);
        drop(waiting);
        (!spans.is_empty()).then(|| Parcel {
            signal: Signal::Traces,
            items: spans.len() as u64,
            message: self.sender.spans(&spans).into(),
        })
    }

    /// Sends a request once. True if it is settled what becomes of it, false if it may be sent again.
    async fn settle(&mut self, parcel: &Parcel) -> bool {
        let (signal, items) = (parcel.signal, parcel.items);
        let counts = Arc::clone(&self.shared.counts);
        let refused = |said: &str| {
            let times = counts.failed(Failed::Refused);
            counts.dropped(signal, Dropped::Refused, items);
            // The first is news, then fewer and fewer are.
            if times.is_power_of_two() {
                tracing::warn!(
                    signal = signal.as_str(),
                    times,
                    said,
                    "otlp: the receiver refuses; it is not sent again"
                );
            }
        };
        match self.send(parcel).await {
            Ok(Reply::Taken) => counts.exported(signal, items),
            Ok(Reply::Partly { rejected, said }) => {
                let rejected = rejected.min(items);
                counts.exported(signal, items - rejected);
                if rejected > 0 {
                    counts.dropped(signal, Dropped::Rejected, rejected);
                }
                tracing::warn!(
                    signal = signal.as_str(),
                    rejected,
                    said,
                    "otlp: not everything was taken; it is not sent again"
                );
            }
            Ok(Reply::Refused { said }) => refused(&said),
            Ok(Reply::Unreadable) => refused("an answer that cannot be read"),
            Ok(Reply::Later { after }) => return self.pause(Failed::Busy, after),
            Err(how) => {
                self.connection.close();
                return self.pause(how, None);
            }
        }
        self.failures = 0;
        true
    }

    async fn send(&mut self, parcel: &Parcel) -> Result<Reply, Failed> {
        let mut ended = self.shared.ended.subscribe();
        let farewell = async {
            // The sender lives as long as this.
            let until = ended.wait_for(Option::is_some).await.map(|until| *until);
            sleep_until(until.ok().flatten().unwrap_or_else(Instant::now)).await;
        };
        let (to, signal) = (&self.settings, parcel.signal);
        let sending = self.connection.send(to, signal, &parcel.message);
        tokio::select! {
            sent = timeout(self.settings.timeout, sending) => sent.unwrap_or(Err(Failed::Timeout)),
            () = farewell => Err(Failed::Timeout),
        }
    }

    /// Counts a failure and says when to go on. Always false.
    fn pause(&mut self, how: Failed, asked: Option<Duration>) -> bool {
        self.failures = self.failures.saturating_add(1);
        let mut chance = [0; 4];
        // Without random numbers the longest pause is a good one.
        let drawn = getrandom::fill(&mut chance);
        let chance = drawn.map_or(u32::MAX, |()| u32::from_le_bytes(chance));
        let pause = pause::after(self.failures, asked, chance);
        self.not_before = Some(Instant::now() + pause);
        let times = self.shared.counts.failed(how);
        if times.is_power_of_two() {
            let how = how.as_str();
            tracing::warn!(
                how,
                times,
                ?pause,
                "otlp: nothing could be exported; it is tried again"
            );
        }
        false
    }

    /// Counts what will not be sent any more.
    fn count_rest(&mut self) {
        let counts = &self.shared.counts;
        let parcel = self.parcel.take();
        let mut waiting = self.shared.waiting();
        for (signal, queued) in [
            (Signal::Logs, waiting.events.len()),
            (Signal::Traces, waiting.spans.len()),
        ] {
            let held = parcel.as_ref().filter(|parcel| parcel.signal == signal);
            let items = queued as u64 + held.map_or(0, |parcel| parcel.items);
            if items > 0 {
                counts.dropped(signal, Dropped::Ended, items);
                tracing::warn!(
                    signal = signal.as_str(),
                    items,
                    "otlp: ended before these were exported"
                );
            }
        }
        waiting.events.clear();
        waiting.spans.clear();
    }
}

/// As many as go into a request.
fn take<T>(queue: &mut std::collections::VecDeque<T>) -> Vec<T> {
    let many = queue.len().min(ITEMS);
    queue.drain(..many).collect()
}
