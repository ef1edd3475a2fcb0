//! The programs of the demonstration as processes of their own: this very binary, executed again.
//! A kill is a real kill, and a crash takes nobody else along.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a program may take to stop when asked, before it is killed.
const STOPPING: Duration = Duration::from_secs(5);
/// How much of a log is shown when a program ends by itself, in bytes.
const SHOWN_LOG: usize = 2000;

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `clause9-demo` with these arguments. What it writes goes to `log`. It holds the other
    /// end of a pipe and stops when that breaks, so nothing is left behind if we are killed.
    pub(crate) fn start(name: &str, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let this = std::env::current_exe().context("cannot find this program's own file")?;
        let written = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(this)
            .args(arguments)
            .arg("--stop-with-stdin")
            .stdin(Stdio::piped())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.into(),
            child,
            log: log.into(),
        })
    }

    /// An error with the end of its log if it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let skip = log.len().saturating_sub(SHOWN_LOG);
        let end = log.get(skip..).unwrap_or(&log);
        bail!("{} ended with {status}; its log says:\n{end}", self.name)
    }

    /// Kills it on the spot (SIGKILL): nothing is flushed, nobody is told.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let began = Instant::now();
        while began.elapsed() < STOPPING {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
