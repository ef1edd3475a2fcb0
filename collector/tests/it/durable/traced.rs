//! The real collector under strace: recorded, or with calls that fail.

use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::events::{CALLS, Event, Reading};
use crate::http;

/// How long the program may take for anything here.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest text that strace writes whole: a probe's.
const LONGEST: &str = "1100000";

/// A collector whose calls are watched. Killed when dropped.
pub(crate) struct Traced {
    pub(crate) child: Child,
    log: PathBuf,
    said: PathBuf,
    /// Whether strace is still there.
    watched: bool,
}

impl Traced {
    /// Starts `run` with a configuration and records what it asks of the disk. Syncs may fail, as in
    /// `fsync:error=EIO:when=9+7`.
    pub(crate) fn record(config: &Path, log: &Path, fault: Option<&str>) -> Self {
        let trace = format!("trace={CALLS}");
        let mut options = vec!["-xx", "-s", LONGEST, "-e", &trace];
        let inject = fault.map(|fault| format!("inject={fault}"));
        if let Some(inject) = &inject {
            options.extend(["-e", inject]);
        }
        Self::start(config, log, &options)
    }

    /// Starts it with calls that fail: those on `file` that `faults` names, as in
    /// `pwrite64:error=EIO:when=3`.
    pub(crate) fn fail(config: &Path, log: &Path, files: &[PathBuf], fault: &str) -> Self {
        let (call, _) = fault.split_once(':').unwrap();
        let (trace, inject) = (format!("trace={call}"), format!("inject={fault}"));
        let mut options = vec!["-s", "0", "-e", &trace, "-e", &inject];
        for file in files {
            options.extend(["-P", file.to_str().unwrap()]);
        }
        Self::start(config, log, &options)
    }

    /// strace stands aside (`-D`), so that the child is the collector itself, and goes when it is told to
    /// (`-I 2`).
    fn start(config: &Path, log: &Path, options: &[&str]) -> Self {
        let said = log.with_extension("said");
        let strace = Command::new("strace")
            .args(["-D", "-I", "2", "-f", "-y", "-o"])
            .arg(log)
            .args(options)
            .arg(env!("CARGO_BIN_EXE_clause9-collector"))
            .args(["run", "--config"])
            .arg(config)
            .current_dir(config.parent().unwrap())
            .stderr(File::create(&said).unwrap())
            .stdout(Stdio::null())
            .spawn();
        let child = strace.unwrap_or_else(|e| {
            panic!("strace cannot be started ({e}): run `bash tests/run tools`")
        });
        Self {
            child,
            log: log.to_owned(),
            said,
            watched: true,
        }
    }

    /// Waits until it answers. False if it has ended instead.
    pub(crate) fn alive(&mut self, address: SocketAddr) -> bool {
        let begun = Instant::now();
        loop {
            if http::request(address, "GET", "/live", b"").is_ok() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "neither alive nor ended");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it wrote to its log.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    /// What strace wrote so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// How many calls were made to fail so far.
    pub(crate) fn failed(&self) -> usize {
        self.log().matches("(INJECTED)").count()
    }

    /// Lets every call be again, and the program go on.
    pub(crate) fn relent(&mut self) {
        let status = format!("/proc/{}/status", self.child.id());
        let tracer = || -> Option<u32> {
            let text = std::fs::read_to_string(&status).ok()?;
            let line = text.lines().find_map(|l| l.strip_prefix("TracerPid:"))?;
            line.trim().parse().ok().filter(|pid| *pid != 0)
        };
        let Some(strace) = tracer() else { return };
        self.watched = false;
        signal(strace, "TERM");
        let begun = Instant::now();
        while tracer().is_some() {
            assert!(begun.elapsed() < PATIENCE, "strace holds on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it, if it has not ended.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.settle();
    }

    /// Ends it by a signal and waits until strace has written everything.
    pub(crate) fn end(&mut self, by: &str) {
        signal(self.child.id(), by);
        self.settle();
    }

    /// Waits until it has ended, and strace has written everything.
    fn settle(&mut self) {
        self.child.wait().unwrap();
        let main = self.child.id().to_string();
        let ended = |line: &str| {
            let mut words = line.split_whitespace();
            words.next() == Some(&main) && words.next() == Some("+++")
        };
        let begun = Instant::now();
        while !self.log().lines().any(ended) {
            if !self.watched {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "strace writes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What was recorded, of a collector that has ended.
    pub(crate) fn events(&self, root: &Path) -> Vec<Event> {
        Reading::of(BufReader::new(File::open(&self.log).unwrap()), root)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by its name without `SIG`.
pub(crate) fn signal(process: u32, name: &str) {
    let told = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(told.unwrap().success());
}
