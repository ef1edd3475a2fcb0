//! The agent as a program of its own: what a restart, a kill and signals cost its clients.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::agent_world::{Model, ask, connect, documents, infer, read_message, toy, until};
use crate::ports::free_address;

/// Long enough for each client to ask once more, however busy the machine is.
const LONG: &str = "drain: { quiet: 3s, at_most: 60s }\n";

/// A running agent. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    said: Arc<Mutex<String>>,
    pub(crate) port: u16,
    pub(crate) admin: u16,
}

fn free_port() -> u16 {
    free_address().unwrap().port()
}

impl Program {
    /// Starts the program on free ports; with a socket, that one is handed over as systemd does.
    pub(crate) fn start(
        folder: &Path,
        model: u16,
        more: &str,
        socket: Option<&TcpListener>,
    ) -> Self {
        let (port, admin, file) = Self::configure(folder, model, more, socket);
        // The third descriptor, and the process's own number, as sd_listen_fds(3) wants them.
        let hand_over = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";
        let before = socket.map_or("", |_| hand_over);
        Self::start_after(before, &file, socket, (port, admin))
    }

    /// The same, under limits of open files: soft and hard.
    pub(crate) fn start_limited(folder: &Path, model: u16, [soft, hard]: [u32; 2]) -> Self {
        let (port, admin, file) = Self::configure(folder, model, "", None);
        let before = format!("ulimit -Sn {soft}; ulimit -Hn {hard}");
        Self::start_after(&before, &file, None, (port, admin))
    }

    /// Writes its configuration; tells its ports and the file.
    fn configure(
        folder: &Path,
        model: u16,
        more: &str,
        socket: Option<&TcpListener>,
    ) -> (u16, u16, PathBuf) {
        let (free, admin, outcomes) = (free_port(), free_port(), free_port());
        let port = socket.map_or(free, |s| s.local_addr().unwrap().port());
        let text = format!(
            "listen: 127.0.0.1:{port}\nupstream: http://127.0.0.1:{model}\nobjectives: objectives.yaml\nbaseline: baseline.json\n\
             admin: 127.0.0.1:{admin}\noutcomes: {{ listen: 127.0.0.1:{outcomes} }}\nstate_dir: state\n{more}"
        );
        let file = folder.join("agent.yaml");
        std::fs::write(&file, text).unwrap();
        (port, admin, file)
    }

    /// Starts the program in a shell that has run those commands.
    fn start_after(
        before: &str,
        file: &Path,
        socket: Option<&TcpListener>,
        (port, admin): (u16, u16),
    ) -> Self {
        let program = env!("CARGO_BIN_EXE_clause9-agent");
        let mut command = Command::new("sh");
        let script = format!(
            r#"{before}{}exec "$0" "$@""#,
            if before.is_empty() { "" } else { "; " }
        );
        command.args(["-c", &script, program]);
        let stdin = socket.map_or_else(Stdio::null, |s| {
            Stdio::from(OwnedFd::from(s.try_clone().unwrap()))
        });
        let mut child = command
            .args(["run", "--config"])
            .arg(file)
            .env("RUST_LOG", "info,clause9_agent=trace")
            .stdin(stdin)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (log, from) = (Arc::clone(&said), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut said = log.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        let mut program = Self {
            child,
            said,
            port,
            admin,
        };
        until("the agent to serve", || {
            assert!(
                program.child.try_wait().unwrap().is_none(),
                "{}",
                program.log()
            );
            TcpStream::connect((Ipv4Addr::LOCALHOST, admin)).is_ok()
        });
        program
    }

    pub(crate) fn log(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn said(&self, what: &str) -> bool {
        self.said.lock().unwrap().contains(what)
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Ends it in order.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn ready(&self) -> u16 {
        ask(self.admin, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n").status()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Clients that ask without pause: on a new connection each time, and on one that is kept.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn begin(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let threads = (0..4_usize)
            .map(|n| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                std::thread::spawn(move || {
                    let mut kept: Option<TcpStream> = None;
                    for i in 0_usize.. {
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                        let id = format!("{n}-{i}");
                        // A refused connection or a missing answer is a failure of this test.
                        let mut stream = kept.take().unwrap_or_else(|| connect(port));
                        stream.write_all(&infer(&id, 1, "")).unwrap();
                        let answer = read_message(&mut stream, false)
                            .unwrap_or_else(|| panic!("no answer to {id}"));
                        assert_eq!(answer.status(), 200);
                        assert!(answer.text().contains(&id));
                        answered.fetch_add(1, Ordering::SeqCst);
                        if n % 2 == 0 && answer.header("connection") != Some("close") {
                            kept = Some(stream);
                        }
                    }
                })
            })
            .collect();
        Self {
            stop,
            answered,
            threads,
        }
    }

    fn some_more(&self) {
        let goal = self.answered.load(Ordering::SeqCst) + 400;
        until("answers", || {
            self.threads
                .iter()
                .any(std::thread::JoinHandle::is_finished)
                || self.answered.load(Ordering::SeqCst) >= goal
        });
    }

    fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("every request was answered");
        }
        self.answered.load(Ordering::SeqCst)
    }
}

#[test]
fn no_request_fails_while_the_agent_is_restarted_behind_a_socket_that_was_handed_over() {
    let model = Model::start(|request, _| Some(toy(request)));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut agent = Program::start(folder.path(), model.port, LONG, Some(&socket));
    assert!(
        agent.said("listening on the socket that was handed over"),
        "{}",
        agent.log()
    );
    let load = Load::begin(agent.port);
    load.some_more();
    for _ in 0..3 {
        assert!(agent.terminate().success());
        agent = Program::start(folder.path(), model.port, LONG, Some(&socket));
        load.some_more();
    }
    let answered = load.end();
    assert_eq!(model.received.lock().unwrap().len(), answered);
}

#[test]
fn a_kill_refuses_no_connection_behind_a_socket_that_was_handed_over() {
    let model = Model::start(|request, _| Some(toy(request)));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let first = Program::start(folder.path(), model.port, "", Some(&socket));
    assert_eq!(ask(first.port, &infer("a", 1, "")).status(), 200);
    let port = first.port;
    drop(first);
    // Nobody serves now: connections are made all the same, and wait.
    let mut waiting: Vec<_> = (0..20).map(|_| connect(port)).collect();
    for (n, stream) in waiting.iter_mut().enumerate() {
        stream.write_all(&infer(&format!("w-{n}"), 1, "")).unwrap();
    }
    let _second = Program::start(folder.path(), model.port, "", Some(&socket));
    for stream in &mut waiting {
        assert_eq!(read_message(stream, false).unwrap().status(), 200);
    }
}

#[test]
fn on_sigterm_it_is_not_ready_first_serves_on_for_a_while_then_ends_with_what_is_under_way() {
    let model = Model::start(|request, stream| {
        if request.head.contains("/slow") {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n")
                .unwrap();
            std::thread::sleep(Duration::from_secs(4));
            return Some(b"4\r\nover\r\n0\r\n\r\n".to_vec());
        }
        Some(toy(request))
    });
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let mut agent = Program::start(folder.path(), model.port, LONG, None);
    let mut slow = connect(agent.port);
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: m\r\n\r\n")
        .unwrap();
    let mut begun = [0; 60];
    let read = slow.read(&mut begun).unwrap();
    assert!(read > 0);
    let mut kept = connect(agent.port);
    kept.write_all(&infer("before", 1, "")).unwrap();
    let answer = read_message(&mut kept, false).unwrap();
    assert_eq!((answer.status(), answer.header("connection")), (200, None));
    assert_eq!(agent.ready(), 200);

    agent.signal("TERM");
    until("not ready", || agent.ready() == 503);
    // New connections and kept ones are still served, and asked to go elsewhere.
    for stream in [&mut kept, &mut connect(agent.port)] {
        stream.write_all(&infer("after", 1, "")).unwrap();
        let answer = read_message(stream, false).unwrap();
        assert_eq!(
            (answer.status(), answer.header("connection")),
            (200, Some("close"))
        );
    }
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with("4\r\nover\r\n0\r\n\r\n"), "{rest}");
    assert!(agent.child.wait().unwrap().success());
    until("the end of the log", || agent.said("stopped"));
}

#[test]
fn sighup_without_certificates_says_that_nothing_is_read_again_and_serves_on() {
    let model = Model::start(|request, _| Some(toy(request)));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let agent = Program::start(folder.path(), model.port, "", None);
    // From its first moment on it survives the signal, and soon it hears it.
    until("the log", || {
        agent.signal("HUP");
        agent.said("nothing to read again")
    });
    assert_eq!(ask(agent.port, &infer("a", 1, "")).status(), 200);
    assert!(agent.terminate().success());
}
