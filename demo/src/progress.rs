//! Progress for people: a bar on a terminal, now and then a line elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINES_EVERY: Duration = Duration::from_secs(5);

/// Progress through the panes of a replay.
#[derive(Debug)]
pub(crate) struct Progress {
    /// None without a terminal.
    bar: Option<ProgressBar>,
    total: usize,
    done: usize,
    last_line: Instant,
}

/// Writes a line for people.
pub(crate) fn say(line: impl AsRef<str>) {
    // Nobody may be reading; the run goes on.
    let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

impl Progress {
    /// Begins.
    pub(crate) fn begin(total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("  {bar:30} {pos}/{len} panes · {msg}");
            ProgressBar::new(total as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            total,
            done: 0,
            last_line: Instant::now(),
        }
    }

    /// A pane is done; `what` says where the replay stands.
    pub(crate) fn step(&mut self, what: &str) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.inc(1);
        } else if self.last_line.elapsed() >= LINES_EVERY || self.done == self.total {
            self.last_line = Instant::now();
            say(format!("  {}/{} panes · {what}", self.done, self.total));
        }
    }

    /// Says a line without tearing the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// Ends; the bar goes away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
