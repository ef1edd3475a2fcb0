//! A disk that forgets: everything that was not synced is lost, kept or torn when the power goes, as real
//! ones may, and every call can be made to fail. The same seed gives the same disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clause9_agent::outbox::disk::Disk;

use crate::sim::random::Random;

/// What disks write at once.
const SECTOR: usize = 512;

/// A disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

/// An open file.
#[derive(Clone, Copy, Debug)]
pub struct SimFile(u64);

/// What goes wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no room: of a write, so many bytes get through.
    NoSpace(usize),
    /// The device fails; what a sync was to keep may be gone for good.
    Device,
    /// The power goes: this call and all that follow do nothing.
    Power,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Names of files.
    List,
    /// A file is made.
    Create,
    /// A file is opened.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// The folder is synced.
    SyncFolder,
    /// A file is removed.
    Remove,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    /// Names that survive.
    kept_names: BTreeMap<String, u64>,
    /// Names made and removed since the folder was synced.
    unsynced_names: Vec<(String, Option<u64>)>,
    next: u64,
    calls: u64,
    /// Calls from here on that fail, and how.
    faults: BTreeMap<u64, Fault>,
    /// A fault of every call until told otherwise.
    standing: Option<Fault>,
    off: bool,
    looked_at: bool,
    /// Syncs of files, and of the folder, that do nothing.
    lies: (bool, bool),
    bitten: Vec<(Call, Fault)>,
}

#[derive(Debug, Default)]
struct Content {
    now: Vec<u8>,
    kept: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl Content {
    fn write(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        if into.len() < at + bytes.len() {
            into.resize(at + bytes.len(), 0);
        }
        into[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn sync(&mut self) {
        for (at, bytes) in std::mem::take(&mut self.unsynced) {
            Self::write(&mut self.kept, at, &bytes);
        }
    }

    /// What is left of a write that was not synced: all, nothing, or some of its sectors.
    fn tear(&mut self, chance: &mut Random) {
        for (at, bytes) in std::mem::take(&mut self.unsynced) {
            let luck = chance.uniform();
            if luck < 0.4 {
                continue;
            }
            for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                if luck < 0.7 || chance.uniform() < 0.5 {
                    Self::write(&mut self.kept, at + index * SECTOR, sector);
                }
            }
        }
        self.now.clone_from(&self.kept);
    }
}

impl SimDisk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Lets the call of that number fail; the first one is 1.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.lock().faults.insert(call, fault);
    }

    /// Lets no call fail that was to.
    pub fn fail_no_more(&self) {
        self.lock().faults.clear();
    }

    /// Lets calls neither fail nor count, while something is looked at from outside; or no more.
    pub fn look_at(&self, looking: bool) {
        self.lock().looked_at = looking;
    }

    /// Lets every call that changes the disk fail from now on, or none.
    pub fn fail_all(&self, fault: Option<Fault>) {
        self.lock().standing = fault;
    }

    /// Lets syncs of files, or of the folder, do nothing though they say otherwise.
    pub fn lie(&self, files: bool, folder: bool) {
        self.lock().lies = (files, folder);
    }

    /// Removes every file.
    pub fn wipe(&self) {
        let mut inner = self.lock();
        inner.names.clear();
        inner.kept_names.clear();
        inner.unsynced_names.clear();
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.lock().off
    }

    /// The faults that came to pass.
    pub fn bitten(&self) -> Vec<(Call, Fault)> {
        self.lock().bitten.clone()
    }

    /// The power goes, now; what was not synced is lost, kept or torn.
    pub fn power_loss(&self, chance: &mut Random) {
        let mut inner = self.lock();
        for (name, file) in std::mem::take(&mut inner.unsynced_names) {
            if chance.uniform() < 0.5 {
                set(&mut inner.kept_names, name, file);
            }
        }
        for content in inner.files.values_mut() {
            content.tear(chance);
        }
        inner.names = inner.kept_names.clone();
        let named: Vec<u64> = inner.names.values().copied().collect();
        inner.files.retain(|file, _| named.contains(file));
        inner.off = false;
    }

    /// The process ends; what it wrote is there.
    pub fn kill(&self) {
        self.lock().off = false;
    }

    /// Every file as it is now.
    pub fn image(&self) -> BTreeMap<String, Vec<u8>> {
        let inner = self.lock();
        let content = |file: &u64| inner.files.get(file).map(|c| c.now.clone());
        let files = inner.names.iter();
        files
            .filter_map(|(name, file)| Some((name.clone(), content(file)?)))
            .collect()
    }

    /// A disk with these files.
    pub fn of(image: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::default();
        let mut inner = disk.lock();
        for (file, (name, bytes)) in (1..).zip(image) {
            let content = Content {
                now: bytes.clone(),
                kept: bytes.clone(),
                unsynced: Vec::new(),
            };
            inner.files.insert(file, content);
            inner.names.insert(name.clone(), file);
            inner.next = file;
        }
        inner.kept_names = inner.names.clone();
        drop(inner);
        disk
    }
}

fn set(names: &mut BTreeMap<String, u64>, name: String, file: Option<u64>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

impl Inner {
    /// Whether the call goes through; of a write that does not, how many bytes do.
    fn call(&mut self, call: Call) -> Result<(), (io::Error, usize)> {
        if self.looked_at {
            return Ok(());
        }
        if self.off {
            return Err((io::Error::other("the power is off"), 0));
        }
        self.calls += 1;
        let changes = !matches!(call, Call::List | Call::Open | Call::Read);
        let standing = self.standing.filter(|_| changes);
        let Some(fault) = self.faults.remove(&self.calls).or(standing) else {
            return Ok(());
        };
        self.bitten.push((call, fault));
        Err(match fault {
            Fault::NoSpace(bytes) => (io::Error::from_raw_os_error(28), bytes),
            Fault::Device => (io::Error::from_raw_os_error(5), 0),
            Fault::Power => {
                self.off = true;
                (io::Error::other("the power is off"), 0)
            }
        })
    }

    fn content(&mut self, file: SimFile) -> io::Result<&mut Content> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.files.get_mut(&file.0).ok_or_else(missing)
    }
}

fn only((error, _): (io::Error, usize)) -> io::Error {
    error
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut inner = self.lock();
        inner.call(Call::List).map_err(only)?;
        let length = |file: &u64| inner.files.get(file).map_or(0, |c| c.now.len() as u64);
        let names = inner.names.iter();
        Ok(names
            .map(|(name, file)| (name.clone(), length(file)))
            .collect())
    }

    fn create(&self, name: &str) -> io::Result<SimFile> {
        let mut inner = self.lock();
        inner.call(Call::Create).map_err(only)?;
        if inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.next += 1;
        let file = inner.next;
        inner.files.insert(file, Content::default());
        inner.names.insert(name.to_owned(), file);
        inner.unsynced_names.push((name.to_owned(), Some(file)));
        Ok(SimFile(file))
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let mut inner = self.lock();
        inner.call(Call::Open).map_err(only)?;
        let file = inner.names.get(name).copied();
        file.map(SimFile)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, file: &SimFile, at: u64, into: &mut [u8]) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call(Call::Read).map_err(only)?;
        if into.is_empty() {
            return Ok(());
        }
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let content = inner.content(*file)?;
        let there = content.now.get(at..at + into.len());
        let there = there.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        into.copy_from_slice(there);
        Ok(())
    }

    fn write_at(&self, file: &SimFile, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let done = inner.call(Call::Write);
        let through = match &done {
            Ok(()) => bytes.len(),
            Err((_, through)) => bytes.len().min(*through),
        };
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let content = inner.content(*file)?;
        Content::write(&mut content.now, at, &bytes[..through]);
        content.unsynced.push((at, bytes[..through].to_vec()));
        done.map_err(only)
    }

    fn sync(&self, file: &SimFile) -> io::Result<()> {
        let mut inner = self.lock();
        let done = inner.call(Call::Sync);
        if inner.lies.0 {
            return done.map_err(only);
        }
        let off = inner.off;
        let content = inner.content(*file)?;
        match &done {
            Ok(()) => content.sync(),
            // It is forgotten that it was to be written, and seen until the power goes. No later sync helps.
            Err(_) if !off => content.unsynced.clear(),
            Err(_) => {}
        }
        done.map_err(only)
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call(Call::SyncFolder).map_err(only)?;
        if inner.lies.1 {
            return Ok(());
        }
        for (name, file) in std::mem::take(&mut inner.unsynced_names) {
            set(&mut inner.kept_names, name, file);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call(Call::Remove).map_err(only)?;
        let found = inner.names.remove(name);
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        inner.unsynced_names.push((name.to_owned(), None));
        Ok(())
    }
}
