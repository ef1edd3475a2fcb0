//! Programs as child processes: started on free ports, watched through their output, ended with the
//! test. A test that fails shows the end of what they said.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::ports::free_address;

/// A program of this workspace, as built beside the test that asks.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find this test's own executable")?;
    let found = this
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    found.with_context(|| {
        format!(
            "{name} is not built: run `cargo build --workspace --bins` with the profile of the test"
        )
    })
}

/// Runs a program of this workspace to its end, and answers what it printed.
pub fn run_to_end(name: &str, folder: &Path, arguments: &str) -> anyhow::Result<String> {
    let output = Command::new(program(name)?)
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{name} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A port where nothing listens, given once only.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(free_address().context("no free port")?.port())
}

/// Waits until something listens on a port of this machine.
pub fn wait_for_port(port: u16, patience: Duration) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait_until(&format!("a listener on port {port}"), patience, || {
        TcpStream::connect(address).is_ok()
    })
}

/// Waits until a condition holds, looking every 50 ms.
pub fn wait_until(
    what: &str,
    patience: Duration,
    mut holds: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !holds() {
        anyhow::ensure!(
            begun.elapsed() < patience,
            "waited {patience:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Lets a running process have so many files and sockets open at once.
pub fn allow_open_files(process: u32, files: usize) -> anyhow::Result<()> {
    let process = process.to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &process, &format!("--nofile={files}")])
        .output()
        .context("`prlimit` is not installed; it is part of util-linux")?;
    let said = String::from_utf8_lossy(&raised.stderr);
    anyhow::ensure!(raised.status.success(), "more open files: {said}");
    Ok(())
}

/// A running program. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Starts a program in a folder.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        folder: &Path,
        arguments: &[A],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        Self::spawn(command)
    }

    /// Starts a prepared command.
    pub fn spawn(command: Command) -> anyhow::Result<Self> {
        Self::spawn_with(command, Stdio::null())
    }

    /// Starts a prepared command with something to read from.
    pub fn spawn_with(mut command: Command, input: Stdio) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let said = Arc::new(Mutex::new(Vec::new()));
        if let Some(out) = child.stdout.take() {
            listen(out, &said);
        }
        if let Some(err) = child.stderr.take() {
            listen(err, &said);
        }
        Ok(Self { name, child, said })
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to end as a supervisor does (SIGTERM), and waits until it has.
    pub fn terminate(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let what = format!("the end of `{}`", self.name);
        wait_until(&what, patience, || !self.is_running())
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let told = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.id())])
            .status()?;
        anyhow::ensure!(told.success(), "cannot signal `{}`", self.name);
        Ok(())
    }

    /// Whether it has ended, and well.
    pub fn ended_well(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(status)) if status.success())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it says a line that contains a text, and answers that line.
    pub fn wait_for_line(&mut self, text: &str, patience: Duration) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            if let Some(line) = self.lines().into_iter().find(|line| line.contains(text)) {
                return Ok(line);
            }
            anyhow::ensure!(
                self.is_running() && begun.elapsed() < patience,
                "`{}` did not say `{text}` within {patience:?}; the end of what it said:\n{}",
                self.name,
                self.end()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it listens on a port.
    pub fn wait_for_port(&mut self, port: u16, patience: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while wait_for_port(port, Duration::from_millis(100)).is_err() {
            anyhow::ensure!(
                self.is_running() && begun.elapsed() < patience,
                "`{}` does not listen on port {port} after {:?}; the end of what it said:\n{}",
                self.name,
                begun.elapsed(),
                self.end()
            );
        }
        Ok(())
    }

    /// Everything it has said, both streams.
    pub fn lines(&self) -> Vec<String> {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The last lines it said.
    pub fn end(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Collects lines until the stream ends.
fn listen(stream: impl Read + Send + 'static, said: &Arc<Mutex<Vec<String>>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            said.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    });
}
