//! What strace wrote of a program, as the events that matter to a disk and to who waits for an answer.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// The calls that change files or names, or that say which connection an answer goes to.
pub(crate) const CALLS: &str = "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,\
    ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,\
    symlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync,sync_file_range,syncfs,sync,msync,copy_file_range,\
    sendfile,splice,io_uring_setup,accept4,close,sendto,sendmsg";
/// The index of the write-ahead log: it lies in shared memory, and whoever opens the register first
/// makes it anew.
pub(crate) const INDEX: &str = "-shm";

/// Something that happened. Paths are those below the folder that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Folder(PathBuf),
    Create(PathBuf),
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Resize(PathBuf, usize),
    Unlink(PathBuf),
    /// A second name for a file.
    Link(PathBuf, PathBuf),
    /// A file or a folder.
    Sync(PathBuf),
    /// A sync that failed: what it was to make sure may be forgotten, and no later one brings it back.
    Failed(PathBuf),
    /// The first bytes of an answer went to the client at this port.
    Answer(u16),
    /// The program ended and is started again.
    Restart,
}

/// Reads one run of a program from what strace wrote.
pub(crate) struct Reading<'a> {
    /// Folder that is watched; also the program's own.
    root: &'a Path,
    events: Vec<Option<Event>>,
    /// Calls that had not returned, by thread: their text, and their place.
    open: HashMap<String, (String, usize)>,
    /// Where the next plain write to a file goes, by descriptor.
    offsets: HashMap<i64, usize>,
    /// Connections, by descriptor, with the client's port.
    peers: HashMap<i64, u16>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(log: impl BufRead, root: &'a Path) -> Vec<Event> {
        let mut reading = Self {
            root,
            events: Vec::new(),
            open: HashMap::new(),
            offsets: HashMap::new(),
            peers: HashMap::new(),
        };
        for line in log.lines() {
            reading.line(&line.unwrap());
        }
        // What never returned may or may not have been done: the program was killed in it.
        reading.events.into_iter().flatten().collect()
    }

    fn line(&mut self, line: &str) {
        let Some((thread, text)) = line.split_once(' ') else {
            return;
        };
        let text = text.trim_start();
        if text.starts_with("+++") || text.starts_with("---") {
            return;
        }
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            if let Some(closing) = Call::parse(&format!("{begun}) = 0")) {
                // Its number may be given to the next connection before it returns.
                self.closed(&closing);
            }
            self.events.push(None);
            let place = self.events.len() - 1;
            self.open
                .insert(thread.to_owned(), (begun.to_owned(), place));
            return;
        }
        let (whole, place) = match text.strip_prefix("<... ") {
            None => {
                self.events.push(None);
                (text.to_owned(), self.events.len() - 1)
            }
            Some(rest) => {
                let (_, rest) = rest.split_once(" resumed>").unwrap();
                let (begun, place) = self.open.remove(thread).unwrap();
                if begun.starts_with("close(") {
                    return;
                }
                (format!("{begun}{rest}"), place)
            }
        };
        let Some(call) = Call::parse(&whole) else {
            return;
        };
        if call.result < 0 && !call.name.ends_with("sync") {
            return;
        }
        match self.event(&call) {
            // A sync has happened when it returns, a change when it begins.
            Some(sync @ (Event::Sync(_) | Event::Failed(_))) => self.events.push(Some(sync)),
            Some(event) => self.events[place] = Some(event),
            None => {}
        }
    }

    /// The path below the watched folder.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let path: PathBuf = self.root.join(path).components().collect();
        let below = path.strip_prefix(self.root).ok()?;
        let watched = !below.to_string_lossy().ends_with(INDEX);
        watched.then(|| below.to_owned())
    }

    fn event(&mut self, call: &Call<'_>) -> Option<Event> {
        match call.name {
            "accept4" => {
                self.peers.insert(call.result, call.port()?);
                None
            }
            "close" => {
                self.closed(call);
                None
            }
            "openat" => self.opened(call),
            "mkdir" => Some(Event::Folder(self.below(&call.path()?)?)),
            "unlink" => Some(Event::Unlink(self.below(&call.path()?)?)),
            "linkat" => {
                let names = call
                    .strings()
                    .into_iter()
                    .filter_map(|name| String::from_utf8(name).ok());
                let mut names = names.map(|name| self.below(Path::new(&name)));
                Some(Event::Link(names.next()??, names.next()??))
            }
            "pwrite64" => {
                let path = self.below(&call.open_path()?)?;
                let mut bytes = call.strings().pop()?;
                bytes.truncate(usize::try_from(call.result).unwrap());
                let at = call.last_number();
                Some(Event::Write { path, at, bytes })
            }
            "write" | "writev" | "sendto" | "sendmsg" => self.written(call),
            "ftruncate" => {
                let path = self.below(&call.open_path()?)?;
                Some(Event::Resize(path, call.last_number()))
            }
            "fsync" | "fdatasync" => {
                let path = self.below(&call.open_path()?)?;
                let done = call.result == 0;
                Some(if done {
                    Event::Sync(path)
                } else {
                    Event::Failed(path)
                })
            }
            other => {
                let touched = call.open_path().or_else(|| call.path());
                let touched = touched.and_then(|p| self.below(&p));
                assert!(touched.is_none(), "what does `{other}` do to {touched:?}?");
                None
            }
        }
    }

    fn closed(&mut self, call: &Call<'_>) {
        if let Some(closed) = call.descriptor().filter(|_| call.name == "close") {
            self.peers.remove(&closed);
            self.offsets.remove(&closed);
        }
    }

    fn opened(&mut self, call: &Call<'_>) -> Option<Event> {
        let (_, path) = call.text.rsplit_once(" = ")?;
        let path = self.below(&annotated(path)?)?;
        assert!(!call.text.contains("O_APPEND"), "{}", path.display());
        self.offsets.insert(call.result, 0);
        call.text.contains("O_CREAT").then_some(Event::Create(path))
    }

    fn written(&mut self, call: &Call<'_>) -> Option<Event> {
        let descriptor = call.descriptor()?;
        // Only the first bytes of an answer: nobody knows before.
        if let Some(port) = self.peers.remove(&descriptor) {
            return Some(Event::Answer(port));
        }
        let path = self.below(&call.open_path()?)?;
        assert_eq!(call.name, "write", "how is {} written?", path.display());
        let mut bytes = call.strings().pop()?;
        bytes.truncate(usize::try_from(call.result).unwrap());
        let offset = self.offsets.get_mut(&descriptor)?;
        let at = *offset;
        *offset += bytes.len();
        Some(Event::Write { path, at, bytes })
    }
}

/// A call that returned.
struct Call<'a> {
    name: &'a str,
    text: &'a str,
    result: i64,
}

impl<'a> Call<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, _) = text.split_once('(')?;
        let (_, result) = text.rsplit_once(" = ")?;
        let digits = result
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(result.len());
        let result: i64 = result[..digits].parse().ok()?;
        Some(Self { name, text, result })
    }

    fn arguments(&self) -> &'a str {
        &self.text[self.name.len() + 1..]
    }

    /// The descriptor that is its first argument.
    fn descriptor(&self) -> Option<i64> {
        let text = self.arguments();
        let end = text.find(|c: char| !c.is_ascii_digit())?;
        text[..end].parse().ok()
    }

    /// The path behind the descriptor, if it still has a name.
    fn open_path(&self) -> Option<PathBuf> {
        self.descriptor()?;
        annotated(self.arguments())
    }

    /// The path that is its first text.
    fn path(&self) -> Option<PathBuf> {
        let first = self.strings().into_iter().next()?;
        Some(PathBuf::from(String::from_utf8(first).ok()?))
    }

    /// Its texts.
    fn strings(&self) -> Vec<Vec<u8>> {
        let (_, quoted) = self.text.split_once('(').unwrap_or_default();
        assert!(!quoted.contains("\"..."), "strace cut a text short");
        quoted
            .split('"')
            .skip(1)
            .step_by(2)
            .map(unescaped)
            .collect()
    }

    /// The number that is its last argument.
    fn last_number(&self) -> usize {
        let (arguments, _) = self.text.rsplit_once(')').unwrap();
        let (_, last) = arguments.rsplit_once(", ").unwrap();
        last.parse().unwrap()
    }

    /// The port in an address.
    fn port(&self) -> Option<u16> {
        let (_, rest) = self.text.split_once("sin_port=htons(")?;
        rest.split_once(')')?.0.parse().ok()
    }
}

/// The path that strace gives with a descriptor: `5<\x2f\x61>`.
fn annotated(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let (path, after) = rest.split_once('>')?;
    let named = !after.starts_with("(deleted)") && path.starts_with("\\x2f");
    let path = String::from_utf8(unescaped(path)).ok()?;
    named.then(|| PathBuf::from(path))
}

/// `\x61\x62` as bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).unwrap();
    let escapes = text.as_bytes().chunks_exact(4);
    assert!(escapes.remainder().is_empty(), "not escaped: {text}");
    let bytes = escapes.map(|e| u8::try_from(digit(e[2]) * 16 + digit(e[3])).unwrap());
    bytes.collect()
}

#[test]
fn calls_of_several_threads_become_events_in_the_order_they_had() {
    let hex = |text: &str| -> String {
        use std::fmt::Write as _;
        text.bytes().fold(String::new(), |mut all, b| {
            write!(all, "\\x{b:02x}").unwrap();
            all
        })
    };
    let (a, b) = (hex("/w/r/a"), hex("/w/r/b"));
    let log = format!(
        "7 accept4(3<{s}>, {{sa_family=AF_INET, sin_port=htons(4711)}}, [16], 0) = 9<{s}>\n\
         7 mkdir(\"{r}\", 0777) = 0\n\
         7 openat(AT_FDCWD<{w}>, \"{a}\", O_RDWR|O_CREAT, 0644) = 4<{a}>\n\
         7 openat(AT_FDCWD<{w}>, \"{b}\", O_RDWR|O_CREAT, 0644) = -1 ENOSPC (No space left)\n\
         7 pwrite64(4<{a}>, \"{x}\", 2, 10 <unfinished ...>\n\
         8 fsync(4<{a}> <unfinished ...>\n\
         8 writev(9<{s}>, [{{iov_base=\"{x}\", iov_len=2}}], 1) = 2\n\
         7 <... pwrite64 resumed>) = 1\n\
         10 close(9<{s}> <unfinished ...>\n\
         9 accept4(3<{s}>, {{sa_family=AF_INET, sin_port=htons(4712)}}, [16], 0) = 9<{s}>\n\
         10 <... close resumed>) = 0\n\
         9 writev(9<{s}>, [{{iov_base=\"{x}\", iov_len=2}}], 1) = 2\n\
         8 <... fsync resumed>) = 0\n\
         7 fsync(5<{b}>) = -1 EIO (Input/output error) (INJECTED)\n\
         7 fsync(6<{r}>) = 0\n",
        s = hex("socket:[1]"),
        r = hex("/w/r"),
        w = hex("/w"),
        x = hex("xy"),
    );
    let events = Reading::of(log.as_bytes(), Path::new("/w"));
    let path = |p: &str| PathBuf::from(p);
    let expected = [
        Event::Folder(path("r")),
        Event::Create(path("r/a")),
        Event::Write {
            path: path("r/a"),
            at: 10,
            bytes: b"x".to_vec(),
        },
        Event::Answer(4711),
        Event::Answer(4712),
        Event::Sync(path("r/a")),
        Event::Failed(path("r/b")),
        Event::Sync(path("r")),
    ];
    assert_eq!(events, expected);
}
