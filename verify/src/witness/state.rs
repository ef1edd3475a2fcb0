//! What a witness remembers, in one file: its key, the logs that it watches with the newest checkpoint of each, and what
//! contradicted them. The file is written anew and synced before anything is answered, and held by one program at a time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clause9_shared::digest::{parse_hex, to_hex};
use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::note::{Algorithm, KeyName, Note, SignatureLine, VerifierKey};
use clause9_shared::evidence::witness::{AddCheckpoint, Declined, Watched, cosigned};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// Version of the file's format.
const VERSION: u32 = 1;
/// Most bytes of the file.
const MAX_FILE: u64 = 16 << 20;
/// Most logs that a witness watches.
const MAX_LOGS: usize = 200;
/// Most contradictions that are kept of a log. The first ones say it all.
const MAX_CONTRADICTIONS: usize = 8;
/// Most suspicions that are kept of a log: the newest.
const MAX_SUSPICIONS: usize = 8;

/// Why a witness cannot work with its file.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is none.
    #[error("{} is not there: make one with `clause9-witness init`; if there was one, restore it, or the witness forgets what it saw", .0.display())]
    Absent(PathBuf),
    /// There is one already.
    #[error("{} is there already: a witness that begins anew forgets what it saw", .0.display())]
    There(PathBuf),
    /// Another program has it.
    #[error("{} is used by a witness that runs: end it first, and start it again after", .0.display())]
    Held(PathBuf),
    /// It is not what a witness wrote.
    #[error("{} is not what a witness wrote: {what}; restore it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Something does not fit.
    #[error("{0}")]
    Unfit(String),
    /// No random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Random(String),
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    version: u32,
    /// The witness's name.
    name: String,
    /// Its key, in hex.
    key: String,
    /// Logs by origin.
    logs: BTreeMap<String, Log>,
}

/// A log in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Verifier keys that are trusted for it.
    pub keys: Vec<String>,
    /// The newest checkpoint, with the log's signature and the witness's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// Proof that the log signed two histories: two checkpoints of one size with different roots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// Checkpoints that the log signed and that could not be held against what was known: shorter ones, and such as came with a
    /// proof that does not hold. Anybody can send these, so they prove nothing; a register that was set back sends them as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspicions: Vec<Contradiction>,
}

/// What a log signed, beside what was known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contradiction {
    /// When it came, in seconds since 1970.
    pub at: u64,
    /// What was known.
    pub known: String,
    /// What came, as it was signed.
    pub came: String,
}

/// A witness at work.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    /// Held while the witness works.
    _lock: File,
    name: KeyName,
    key: SigningKey,
    state: State,
}

impl State {
    /// What a file holds, also while a witness works with it.
    pub fn read(path: &Path) -> Result<Self, StateError> {
        let file = |source: io::Error| StateError::File {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        match File::open(path) {
            Ok(opened) => opened
                .take(MAX_FILE + 1)
                .read_to_string(&mut text)
                .map_err(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StateError::Absent(path.to_owned()));
            }
            Err(error) => return Err(file(error)),
        };
        let damaged = |what: String| StateError::Damaged {
            path: path.to_owned(),
            what,
        };
        if text.len() as u64 > MAX_FILE {
            return Err(damaged(format!("it has more than {MAX_FILE} bytes")));
        }
        let state: Self = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        if state.version != VERSION {
            return Err(damaged(format!(
                "it has the format {}, this program knows {VERSION}",
                state.version
            )));
        }
        for (origin, log) in &state.logs {
            log.watched()
                .map_err(|what| damaged(format!("{origin}: {what}")))?;
        }
        Ok(state)
    }

    /// The key by which the witness's cosignatures are verified; none if the file does not hold one.
    pub fn verifier(&self) -> Option<VerifierKey> {
        let key = SigningKey::from_bytes(&parse_hex(&self.key)?);
        Some(VerifierKey::new(
            self.name.parse().ok()?,
            Algorithm::Cosignature,
            key.verifying_key(),
        ))
    }

    /// The logs, by origin.
    pub const fn logs(&self) -> &BTreeMap<String, Log> {
        &self.logs
    }
}

impl Witness {
    /// Begins a file with a new key.
    pub fn init(path: &Path, name: &KeyName) -> Result<Self, StateError> {
        if path.exists() {
            return Err(StateError::There(path.to_owned()));
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|e| StateError::Random(e.to_string()))?;
        let state = State {
            version: VERSION,
            name: name.to_string(),
            key: to_hex(&bytes),
            logs: BTreeMap::new(),
        };
        write(path, &state).map_err(|source| StateError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::open(path)
    }

    /// Goes on with a file, which nobody else does meanwhile.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let lock = lock(path)?;
        let state = State::read(path)?;
        let damaged = |what: &str| StateError::Damaged {
            path: path.to_owned(),
            what: what.to_owned(),
        };
        let name = state
            .name
            .parse()
            .map_err(|_| damaged("its name is none"))?;
        let key = parse_hex(&state.key).ok_or_else(|| damaged("its key is none"))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
            name,
            key: SigningKey::from_bytes(&key),
            state,
        })
    }

    /// The key by which its cosignatures are verified.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(
            self.name.clone(),
            Algorithm::Cosignature,
            self.key.verifying_key(),
        )
    }

    /// The logs, by origin.
    pub const fn logs(&self) -> &BTreeMap<String, Log> {
        &self.state.logs
    }

    /// Watches a log by a key of it. A log that is watched already has this key as well from now on.
    pub fn watch(&mut self, key: &VerifierKey) -> Result<(), StateError> {
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(StateError::Unfit(format!(
                "{key} is a witness's key, not a log's"
            )));
        }
        let mut state = self.state.clone();
        let log = state.logs.entry(key.name().to_string()).or_default();
        let text = key.to_string();
        if !log.keys.contains(&text) {
            log.keys.push(text);
        }
        if state.logs.len() > MAX_LOGS {
            return Err(StateError::Unfit(format!(
                "a witness watches at most {MAX_LOGS} logs"
            )));
        }
        self.keep(state)
    }

    /// Takes a request: cosigns, or says why not. What it answers is on disk.
    pub fn add_checkpoint(
        &mut self,
        body: &[u8],
        now: u64,
    ) -> Result<Result<String, Declined>, StateError> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(declined) => return Ok(Err(declined)),
        };
        let origin = match request.checkpoint() {
            Ok(checkpoint) => checkpoint.origin.to_string(),
            Err(declined) => return Ok(Err(declined)),
        };
        let mut state = self.state.clone();
        let Some(log) = state.logs.get_mut(&origin) else {
            return Ok(Err(Declined::UnknownLog(origin)));
        };
        let watched = log.watched().map_err(|what| self.damaged(what))?;
        match watched.check(&request) {
            Ok(_) => {
                let lines = cosigned(&request.note, &self.name, &self.key, now);
                // Only what was verified: others may have added what they liked.
                let own = verified(&request.note, &watched);
                log.newest = Some(format!("{own}{lines}"));
                self.keep(state)?;
                Ok(Ok(lines))
            }
            Err(declined) => {
                if log.remember(&declined, &request, &watched, now) {
                    self.keep(state)?;
                }
                Ok(Err(declined))
            }
        }
    }

    fn damaged(&self, what: String) -> StateError {
        StateError::Damaged {
            path: self.path.clone(),
            what,
        }
    }

    fn keep(&mut self, state: State) -> Result<(), StateError> {
        if state != self.state {
            write(&self.path, &state).map_err(|source| StateError::File {
                path: self.path.clone(),
                source,
            })?;
            self.state = state;
        }
        Ok(())
    }
}

impl Log {
    fn watched(&self) -> Result<Watched, String> {
        let keys: Result<Vec<VerifierKey>, _> = self.keys.iter().map(|key| key.parse()).collect();
        let newest = self.newest.as_deref().map(checkpoint).transpose()?;
        Ok(Watched {
            keys: keys.map_err(|e| e.to_string())?,
            newest,
        })
    }

    /// Keeps what speaks against the log; true if there was something. It was signed by the log, or it is not looked at.
    fn remember(
        &mut self,
        declined: &Declined,
        request: &AddCheckpoint,
        watched: &Watched,
        at: u64,
    ) -> bool {
        let (Some(known), Ok(came), Some(known_note)) =
            (&watched.newest, request.checkpoint(), self.newest.clone())
        else {
            return false;
        };
        let speaks = match declined {
            Declined::Inconsistent => true,
            // Whoever does not know what the witness knows asks with another size; only a shorter log is odd.
            Declined::Conflict(_) => came.size <= known.size,
            Declined::Malformed
            | Declined::Backwards
            | Declined::UnknownLog(_)
            | Declined::Unsigned => false,
        };
        if !speaks || came == *known {
            return false;
        }
        let note = verified(&request.note, watched);
        let entry = Contradiction {
            at,
            known: known_note,
            came: note,
        };
        let proof = came.size == known.size;
        let list = if proof {
            &mut self.contradictions
        } else {
            &mut self.suspicions
        };
        if list.iter().any(|before| before.came == entry.came) {
            return false;
        }
        match (proof, list.len()) {
            (true, MAX_CONTRADICTIONS..) => return false,
            (false, MAX_SUSPICIONS..) => drop(list.remove(0)),
            (true | false, _) => {}
        }
        list.push(entry);
        true
    }
}

/// A note with those of its signatures alone that are by the log's keys: others may have added what they liked.
fn verified(note: &Note, watched: &Watched) -> String {
    let by_log = |line: &&SignatureLine| {
        let signed = |key: &VerifierKey| key.name() == &line.name && key.id() == line.id;
        watched.keys.iter().any(signed)
    };
    let lines = note.signatures().iter().filter(by_log).cloned().collect();
    // It was a note with these lines and others.
    Note::new(note.text().to_owned(), lines).map_or_else(|_| String::new(), |note| note.to_string())
}

fn checkpoint(note: &str) -> Result<Checkpoint, String> {
    let note = Note::parse(note.as_bytes()).map_err(|e| e.to_string())?;
    note.text()
        .parse()
        .map_err(|_| "its newest checkpoint is none".to_owned())
}

/// Held until the program ends, however it ends.
fn lock(path: &Path) -> Result<File, StateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = |source| StateError::File {
        path: path.to_owned(),
        source,
    };
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(name)
        .map_err(file)?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Held(path.to_owned())),
        Err(error) => Err(file(error.into())),
    }
}

/// All of it or what was there before, whatever happens.
fn write(path: &Path, state: &State) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let text = serde_json::to_string_pretty(state)? + "\n";
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other(
            "it would be larger than a witness reads again",
        ));
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
