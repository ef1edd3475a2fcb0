//! What a fault is tried on: a model server, an agent in front of it, and the address where a collector's
//! door is, or will be. The agent is the real program unless a case asks for the faulty one.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::bench::proxy::{OBJECTIVES, reference};
use crate::http;
use crate::process::{Running, free_port, program, wait_until};
use crate::sidecar::{self, Sidecar, count};
use crate::tools::tool;

/// How long a program may take to start, to stop, or to show what is waited for.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// When replayed time begins.
pub const BEGINNING: &str = "2026-01-01T00:00:00Z";
/// The wrong wall clock.
const CLOCK: &str = include_str!("clock.c");
/// Kept small, so that a few batches fill it: five pages, three of which the keys take.
const DISK: &str = "size=20k";

/// Under what an agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// Nothing special.
    Nothing,
    /// Reading goes wrong as told: [`super::faulty`].
    Faulty,
    /// No file may be longer than half a KiB: keys fit, batches do not.
    ShortFiles,
    /// A state folder on a file system that is soon full.
    FullDisk,
    /// A wall clock that is set by the case.
    WrongClock,
    /// A listening socket that outlives it.
    HandedSocket,
    /// Callgrind, which counts each thread's instructions: files `calls.*` in the folder.
    Callgrind,
}

/// What surrounds the agent.
#[derive(Debug)]
pub struct Ground {
    folder: tempfile::TempDir,
    _model: Running,
    model_port: u16,
    /// Where the collector is expected.
    pub collector: u16,
    /// Where the agent takes outcomes.
    pub outcomes: u16,
    port: u16,
    socket: Option<TcpListener>,
    mounted: Option<PathBuf>,
}

impl Ground {
    /// Starts a model server and writes the documents.
    pub fn lay() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        sidecar::documents(folder.path(), OBJECTIVES, &reference())?;
        std::fs::create_dir(folder.path().join("state"))?;
        let model_port = free_port()?;
        let arguments = ["upstream", "--port", &model_port.to_string()].map(str::to_owned);
        let mut model = Running::start(&program("clause9-bench")?, folder.path(), &arguments)?;
        model.wait_for_port(model_port, PATIENCE)?;
        Ok(Self {
            folder,
            _model: model,
            model_port,
            collector: free_port()?,
            outcomes: free_port()?,
            port: free_port()?,
            socket: None,
            mounted: None,
        })
    }

    /// Where everything is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts an agent, and a replayed clock if it has one.
    pub fn start(&mut self, under: Under, clock: &str, more: &str) -> anyhow::Result<Sidecar> {
        let folder = self.folder.path().to_owned();
        if under == Under::HandedSocket && self.socket.is_none() {
            self.socket = Some(TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?);
        }
        let (admin, outcomes) = (free_port()?, self.outcomes);
        let text = format!(
            "listen: 127.0.0.1:{}\nupstream: http://127.0.0.1:{}\nobjectives: objectives.yaml\n\
             baseline: baseline.json\nadmin: 127.0.0.1:{admin}\noutcomes: {{ listen: 127.0.0.1:{outcomes} }}\n\
             collector: http://127.0.0.1:{}\nstate_dir: ./state\nclock: {clock}\n{more}",
            self.port, self.model_port, self.collector
        );
        let config = folder.join("agent.yaml");
        std::fs::write(&config, text)?;
        let input = match &self.socket {
            Some(socket) => Stdio::from(OwnedFd::from(socket.try_clone()?)),
            None => Stdio::null(),
        };
        let mut command = self.command(under)?;
        command.arg("--config").arg(config).current_dir(&folder);
        let mut running = Running::spawn_with(command, input)?;
        running.wait_for_port(admin, PATIENCE)?;
        running.wait_for_port(self.port, PATIENCE)?;
        let agent = Sidecar {
            port: self.port,
            admin,
            running,
        };
        if clock == "replay" {
            set_clock(&agent, BEGINNING)?;
        }
        Ok(agent)
    }

    fn command(&mut self, under: Under) -> anyhow::Result<Command> {
        let agent = program("clause9-agent")?;
        let through = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).arg(&agent).arg("run");
            command
        };
        Ok(match under {
            Under::Nothing => {
                let mut command = Command::new(&agent);
                command.arg("run");
                command
            }
            Under::Faulty => {
                let mut command = Command::new(program("clause9-bench")?);
                command.arg("faulty-agent");
                command
            }
            // A block has 512 bytes, or 1024 for some shells; a write beyond gives an error, since the
            // signal that would end the program is ignored.
            Under::ShortFiles => through(r#"trap '' XFSZ; ulimit -f 1; exec "$0" "$@""#),
            Under::FullDisk if self.small_disk()? => through(r#"exec "$0" "$@""#),
            // In a name space of its own anybody may mount.
            Under::FullDisk => {
                let script = format!(r#"mount -t tmpfs -o {DISK} tmpfs state && exec "$0" "$@""#);
                let mut command = Command::new("unshare");
                command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
                command.arg(&agent).arg("run");
                command
            }
            Under::WrongClock => {
                let mut command = Command::new(&agent);
                command.arg("run");
                command.env("LD_PRELOAD", self.wrong_clock()?);
                command.env("CLAUSE9_WRONG_BY", self.folder().join("wrong_by"));
                command
            }
            Under::Callgrind => {
                let valgrind = tool("valgrind")?.context("valgrind is not installed")?;
                let mut command = Command::new(valgrind);
                command.args(["-q", "--tool=callgrind", "--separate-threads=yes"]);
                command
                    .arg("--callgrind-out-file=calls")
                    .arg(&agent)
                    .arg("run");
                command
            }
            // The third descriptor and the process's own number, as sd_listen_fds(3) wants them.
            Under::HandedSocket => {
                through(r#"exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#)
            }
        })
    }

    /// Mounts a small file system where state goes; false if that is not permitted here.
    fn small_disk(&mut self) -> anyhow::Result<bool> {
        let state = self.folder().join("state");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(&state)
            .output()
            .context("`mount` is not installed; it is part of util-linux")?;
        if mounted.status.success() {
            self.mounted = Some(state);
        }
        Ok(self.mounted.is_some())
    }

    fn wrong_clock(&self) -> anyhow::Result<PathBuf> {
        self.set_wrong_by(0)?;
        let (source, library) = (
            self.folder().join("clock.c"),
            self.folder().join("clock.so"),
        );
        std::fs::write(&source, CLOCK)?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .output()
            .context("no C compiler: `cc` is needed for a clock that is wrong")?;
        let said = String::from_utf8_lossy(&built.stderr);
        anyhow::ensure!(
            built.status.success(),
            "the wrong clock was not built: {said}"
        );
        Ok(library)
    }

    /// Sets the wall clock of an agent with a wrong one so many seconds ahead of the true one.
    pub fn set_wrong_by(&self, seconds: i64) -> anyhow::Result<()> {
        use std::os::unix::fs::FileExt as _;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.folder().join("wrong_by"))?;
        Ok(file.write_all_at(&seconds.to_ne_bytes(), 0)?)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(state) = &self.mounted {
            let _ = Command::new("umount").arg(state).status();
        }
    }
}

/// Sets an agent's replayed clock.
pub fn set_clock(agent: &Sidecar, to: &str) -> anyhow::Result<()> {
    let body = format!(r#"{{"now":"{to}"}}"#);
    let answer = http::send(agent.admin, "POST", "/replay/clock", &[], body.as_bytes())?;
    anyhow::ensure!(answer.status() == 200, "the clock: {}", answer.text());
    Ok(())
}

/// The value of a series of an agent.
pub fn metric(agent: &Sidecar, series: &str) -> anyhow::Result<u64> {
    count(&agent.metrics()?, series)
}

/// Waits until a series of an agent has come to so much, and answers how much it is.
pub fn reach(agent: &Sidecar, series: &str, at_least: u64) -> anyhow::Result<u64> {
    let mut value = 0;
    wait_until(&format!("{series} of {at_least}"), PATIENCE, || {
        value = metric(agent, series).unwrap_or(value);
        value >= at_least
    })
    .with_context(|| format!("it is {value}; the agent said:\n{}", agent.running.end()))?;
    Ok(value)
}
